package httpd

import (
	"fmt"
	"testing"
	"time"

	"pabal/node/api"
)

const lockScreen = `{"screen":true}`

func (d *testDaemon) status() (out api.Status) {
	d.must(200, call{path: "/v1/status"}).into(d.t, &out)
	return out
}

func (d *testDaemon) locked(want string) {
	d.t.Helper()
	got := ""
	if s := d.status(); s.Lock != nil {
		got = *s.Lock
	}
	if got != want {
		d.t.Errorf("locked: %q, want %q", got, want)
	}
}

func TestScreenLock(t *testing.T) {
	d := startReady(t)
	token := d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeContactsRead}})
	s := d.openStream(t, "after=latest", ndjsonType, "")
	s.want(api.EventHello)
	d.must(204, call{method: "POST", path: "/v1/lock", body: lockScreen})
	d.locked(api.LockScreen)
	if bye := decode[api.Bye](t, s.want(api.EventBye)); bye.Reason != api.ByeLocked {
		t.Errorf("bye %+v", bye)
	}
	d.must(423, call{path: "/v1/contacts"})
	d.must(401, call{path: "/v1/contacts", token: token})
	d.must(204, call{method: "POST", path: "/v1/lock", body: lockScreen})
	d.must(204, call{method: "POST", path: "/v1/unlock"})
	d.locked("")
	d.must(200, call{path: "/v1/contacts", token: token})

	d.must(204, call{method: "POST", path: "/v1/lock", body: lockScreen})
	for range 2 {
		d.must(204, call{method: "POST", path: "/v1/lock"})
		d.locked(api.LockKeys)
	}
	d.must(423, call{method: "POST", path: "/v1/lock", body: lockScreen})
	d.locked(api.LockKeys)
}

func TestIdleLock(t *testing.T) {
	d := startReady(t)
	now := time.Now()
	pass := func(by time.Duration) {
		later := now.Add(by)
		d.setClock(func() time.Time { return later })
		now = later
	}
	pass(0)
	set := func(status, seconds int) {
		d.must(status, call{method: "PATCH", path: "/v1/settings", body: fmt.Sprintf(`{"lock_idle_seconds":%d}`, seconds)})
	}
	set(422, -1)
	set(422, 9)
	set(422, 604801)
	token := d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeContactsRead}})

	pass(1000 * time.Hour)
	d.must(200, call{path: "/v1/contacts"}) // off by default
	set(200, 60)
	for range 3 {
		pass(59 * time.Second)
		d.must(200, call{path: "/v1/contacts"})
	}
	pass(30 * time.Second)
	d.must(200, call{path: "/v1/contacts", token: token})
	d.must(204, call{method: "PUT", path: "/v1/presence", body: `{"here":true}`}) // a page says it by itself
	d.locked("")
	pass(31 * time.Second)
	d.must(423, call{path: "/v1/contacts"}) // too late, though nothing has looked since
	d.locked(api.LockScreen)

	d.must(204, call{method: "POST", path: "/v1/unlock"})
	d.must(200, call{path: "/v1/contacts"})
	pass(-time.Hour) // a clock that is set back locks nothing early
	d.must(200, call{path: "/v1/contacts"})
	set(200, 0)
	pass(1000 * time.Hour)
	d.must(200, call{path: "/v1/contacts"})
}

// TestIdleLockBehindMessages: messages come again and again, the page reads each by itself, and
// nobody is there.
func TestIdleLockBehindMessages(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	pass := func(by time.Duration) {
		now = now.Add(by)
		later := now
		w.d.setClock(func() time.Time { return later })
	}
	pass(0)
	session := w.session(t)
	w.d.must(200, call{method: "PATCH", path: "/v1/settings", body: `{"lock_idle_seconds":60}`})
	read := call{path: "/v1/conversations/" + w.conversation, token: session}
	byItself := read
	byItself.header = map[string]string{api.HeaderBackground: "1"}
	pass(40 * time.Second)
	w.d.must(200, read)
	for range 2 {
		pass(25 * time.Second)
		w.d.must(200, byItself)
	}
	w.d.locked("")
	pass(11 * time.Second)
	w.d.must(423, byItself)
	w.d.locked(api.LockScreen)
}
