package httpd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/store"
)

// audited writes the audit log in short, the oldest first.
func (d *testDaemon) audited() []string {
	d.t.Helper()
	var page list[api.AuditEntry]
	d.must(200, call{method: "GET", path: "/v1/audit?limit=200"}).into(d.t, &page)
	out := make([]string, len(page.Items))
	for i, e := range page.Items {
		line := fmt.Sprintf("%s %s %s", e.What, e.Actor, e.Outcome)
		if e.Count > 1 {
			line += fmt.Sprint(" x", e.Count)
		}
		out[len(out)-1-i] = line
	}
	return out
}

// TestAuditLog does what an owner does, and what one who should not tries.
func TestAuditLog(t *testing.T) {
	d := startReady(t)
	token := d.token(api.TokenRequest{Name: "secret-name", Preset: api.PresetBot})
	id := api.TokenID(token)
	d.must(422, call{method: "POST", path: "/v1/tokens", body: `{"name":"x","preset":"bot","scopes":["events"]}`})
	d.must(403, call{method: "POST", path: "/v1/tokens", body: `{"name":"x","preset":"bot"}`, token: token}) // it lacks the right: no row
	d.must(204, call{method: "DELETE", path: "/v1/tokens/" + id})
	session := d.session()
	for range 3 {
		d.must(401, call{method: "POST", path: "/v1/auth/confirm", body: `{"passphrase":"wrong"}`, token: session})
	}
	d.must(200, call{method: "POST", path: "/v1/backups", body: `{"passphrase":"eight bytes"}`})
	d.must(204, call{method: "POST", path: "/v1/lock"})
	d.must(401, call{method: "POST", path: "/v1/unlock", body: `{"passphrase":"wrong"}`})
	d.must(401, call{method: "POST", path: "/v1/unlock", body: `{"passphrase":"wrong"}`})
	d.must(204, call{method: "POST", path: "/v1/unlock"})
	want := `token.created owner ok
token.created owner validation_failed
token.revoked owner ok
login.created owner ok
session.started session ok
session.confirmed session bad_passphrase x3
backup.made owner ok
locked owner ok
unlocked owner bad_passphrase x2
unlocked owner ok`
	if got := strings.Join(d.audited(), "\n"); got != want {
		t.Errorf("the audit log is\n%s\nwant\n%s", got, want)
	}
	a := d.must(200, call{method: "GET", path: "/v1/audit?limit=200"})
	if !strings.Contains(a.body, `"about":"`+id+`"`) || strings.Contains(a.body, "secret-name") || strings.Contains(a.body, token) {
		t.Errorf("the audit log is %s", a.body)
	}
	var page list[api.AuditEntry]
	d.must(200, call{method: "GET", path: "/v1/audit?limit=2&before=3"}).into(t, &page)
	if len(page.Items) != 2 || page.Items[0].ID != 2 || page.Items[1].ID != 1 {
		t.Errorf("before the third: %+v", page.Items)
	}
	for _, query := range []string{"limit=0", "limit=201", "before=0", "before=x", "since=1"} {
		d.must(422, call{method: "GET", path: "/v1/audit?" + query})
	}
}

// TestAuditIsNotForFrontends: who was let in is for those who may let in.
func TestAuditIsNotForFrontends(t *testing.T) {
	d := startReady(t)
	for _, preset := range []api.Preset{api.PresetFrontend, api.PresetBot, api.PresetReader} {
		a := d.must(403, call{method: "GET", path: "/v1/audit", token: d.token(api.TokenRequest{Preset: preset})})
		if a.problem() != api.CodeScopeMissing {
			t.Errorf("%s: %s", preset, a.body)
		}
	}
	if a := d.must(403, call{method: "GET", path: "/v1/audit", token: d.session()}); a.problem() != api.CodeConfirmationNeeded {
		t.Errorf("a session: %s", a.body)
	}
}

// TestAuditFailsNothing: on a full disk a token is revoked in memory or not at all, and what was
// done is answered all the same.
func TestAuditFailsNothing(t *testing.T) {
	d := startReady(t)
	d.fail = errTest
	d.must(201, call{method: "POST", path: "/v1/login-links"})
	d.fail = nil
	d.must(201, call{method: "POST", path: "/v1/login-links"})
	if got := d.audited(); len(got) != 1 {
		t.Errorf("the audit log is %v", got)
	}
}

// TestLockWaitsForNoAudit locks and wipes in front of a core that takes nothing: it is done all the
// same, and the row comes when the core does, if anything takes it then.
func TestLockWaitsForNoAudit(t *testing.T) {
	for name, c := range map[string]struct {
		call call
		want []string
	}{
		"screen": {call{method: "POST", path: "/v1/lock", body: lockScreen}, []string{"locked owner ok", "unlocked owner ok"}},
		"keys":   {call{method: "POST", path: "/v1/lock"}, []string{"unlocked owner ok"}},
		"wipe":   {call{method: "POST", path: "/v1/wipe", body: `{"confirm":true}`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := startReady(t)
			d.server.audit.patience = auditFirstMax
			stuck := d.stick()
			answered := make(chan answer, 1)
			go func() { answered <- d.do(c.call) }()
			<-stuck
			select {
			case a := <-answered:
				if a.status != 204 {
					t.Errorf("answered %d %s", a.status, a.body)
				}
			case <-time.After(10 * time.Second):
				t.Error("it is not done as long as the core is busy")
			}
			d.unstick()
			if c.want == nil {
				return
			}
			d.must(204, call{method: "POST", path: "/v1/unlock"})
			if got := d.audited(); !slices.Equal(got, c.want) {
				t.Errorf("the audit log is %v, want %v", got, c.want)
			}
		})
	}
}

// TestAuditNotesWhatIsDone: what is refused was not done, and what is locked is not locked again.
func TestAuditNotesWhatIsDone(t *testing.T) {
	d := startReady(t)
	d.must(422, call{method: "POST", path: "/v1/lock", body: `{"screen":"yes"}`})
	d.must(422, call{method: "POST", path: "/v1/wipe", body: `{"confirm":false}`})
	d.must(400, call{method: "POST", path: "/v1/wipe", body: `{`})
	d.must(403, call{method: "POST", path: "/v1/auth/confirm", body: `{"passphrase":"x"}`, token: d.token(api.TokenRequest{Preset: api.PresetBot})})
	d.must(204, call{method: "POST", path: "/v1/lock"})
	for range 3 {
		d.must(401, call{method: "POST", path: "/v1/unlock", body: `{"passphrase":"wrong"}`})
		d.must(422, call{method: "POST", path: "/v1/unlock", body: `{"passphrase":"` + strings.Repeat("x", api.PassphraseBytesMax+1) + `"}`})
	}
	for range auditWaitingMax + 6 {
		d.must(204, call{method: "POST", path: "/v1/lock"})
		d.must(423, call{method: "POST", path: "/v1/lock", body: lockScreen})
	}
	d.must(204, call{method: "POST", path: "/v1/unlock"})
	want := []string{"token.created owner ok", "locked owner ok", "unlocked owner bad_passphrase x3", "unlocked owner validation_failed x3", "unlocked owner ok"}
	if got := d.audited(); !slices.Equal(got, want) {
		t.Errorf("the audit log is %q, want %q", got, want)
	}
}

// TestIdleLockIsNotedOnce: a call comes too late while the daemon is about to lock by itself.
func TestIdleLockIsNotedOnce(t *testing.T) {
	d := startReady(t)
	now := time.Now()
	d.setClock(func() time.Time { return now })
	d.must(200, call{method: "PATCH", path: "/v1/settings", body: `{"lock_idle_seconds":60}`})
	d.must(200, call{path: "/v1/contacts"})
	stuck := d.stick()
	later := now.Add(time.Hour)
	d.setClock(func() time.Time { return later })
	locked := make(chan time.Duration, 1)
	go func() { locked <- d.server.lockIfIdle(context.Background()) }()
	<-stuck
	d.must(423, call{path: "/v1/contacts"})
	d.unstick()
	<-locked
	d.must(204, call{method: "POST", path: "/v1/unlock"})
	want := []string{"locked daemon ok", "unlocked owner ok"}
	if got := d.audited(); !slices.Equal(got, want) {
		t.Errorf("the audit log is %q, want %q", got, want)
	}
}

// TestAuditOfAnotherProfile: a row that was noted while one profile was open, and could not be
// written, is not written to the next.
func TestAuditOfAnotherProfile(t *testing.T) {
	one, other := new(store.Store), new(store.Store)
	locked, revoked := store.Audited{What: "unlocked", Outcome: "bad_passphrase"}, store.Audited{What: "token.revoked", Outcome: "not_found"}
	for _, c := range []struct {
		opened *store.Store
		want   int
	}{{one, 2}, {other, 1}, {nil, 0}} {
		a := audit{writing: make(chan struct{})}
		a.add(locked, nil)
		a.add(revoked, one)
		if rows := a.take(c.opened); len(rows) != c.want {
			t.Errorf("written are %v, want %d", rows, c.want)
		}
	}
}

// stick has the core take nothing until unstick: what is written says on the channel that it waits.
func (d *testDaemon) stick() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stuck = make(chan struct{})
	return d.stuck
}

func (d *testDaemon) unstick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.stuck)
	d.stuck = nil
}

// session logs a page in and returns its secret.
func (d *testDaemon) session() string {
	d.t.Helper()
	var l api.LoginLink
	d.must(201, call{method: "POST", path: "/v1/login-links"}).into(d.t, &l)
	var out api.ExchangeResponse
	d.must(200, call{method: "POST", path: "/v1/auth/exchange", body: `{"code":"` + l.Code + `"}`, token: "-"}).into(d.t, &out)
	return out.Secret
}
