package httpd

import (
	"fmt"
	"strings"
	"testing"

	"pabal/node/api"
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

// session logs a page in and returns its secret.
func (d *testDaemon) session() string {
	d.t.Helper()
	var l api.LoginLink
	d.must(201, call{method: "POST", path: "/v1/login-links"}).into(d.t, &l)
	var out api.ExchangeResponse
	d.must(200, call{method: "POST", path: "/v1/auth/exchange", body: `{"code":"` + l.Code + `"}`, token: "-"}).into(d.t, &out)
	return out.Secret
}
