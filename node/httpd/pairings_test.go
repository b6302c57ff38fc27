package httpd

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pabal/node/api"
)

// newPairing asks for a token that may make tokens, with a code that tests know.
func (w *world) newPairing() string {
	p := w.pairing(`{"client_name":"p","scopes":["tokens:manage"]}`)
	all := w.d.server.pairings.all
	all[len(all)-1].userCode = "12345678"
	return p.ID
}

func (w *world) pairing(body string) api.PairingCreated {
	w.d.t.Helper()
	var out api.PairingCreated
	w.d.must(200, call{method: "POST", path: "/v1/pairings", body: body}).into(w.d.t, &out)
	return out
}

// collect looks what became of a pairing.
func (w *world) collect(p api.PairingCreated) (out api.PairingResult) {
	w.d.t.Helper()
	w.d.must(200, call{method: "POST", path: "/v1/pairings/" + p.ID + "/collect", body: `{"device_code":"` + p.DeviceCode + `"}`}).into(w.d.t, &out)
	return out
}

func (w *world) waiting() []api.Pairing {
	w.d.t.Helper()
	var page list[api.Pairing]
	w.d.must(200, call{method: "GET", path: "/v1/pairings"}).into(w.d.t, &page)
	return page.Items
}

// TestPairingWaitsForTheOwner: the token is there once the owner has approved with the code that the
// program shows, with no more rights than both gave it, and only once.
func TestPairingWaitsForTheOwner(t *testing.T) {
	w := newWorld(t)
	p := w.pairing(`{"client_name":"desk","preset":"bot"}`)
	if got := w.collect(p); got.State != api.PairingWaiting || got.Secret != nil {
		t.Fatalf("before the approval it is %+v", got)
	}
	all := w.waiting()
	if len(all) != 1 || all[0].ID != p.ID || all[0].ClientName != "desk" || !slices.Equal(all[0].Scopes, api.PresetBot.Scopes()) {
		t.Fatalf("what waits is %+v", all)
	}
	approve := call{method: "POST", path: "/v1/pairings/" + p.ID + "/approve", body: `{"user_code":"` + p.UserCode + `","scopes":["status:read"],"constraints":{"approval":true}}`}
	w.d.must(204, approve)
	w.d.must(404, approve)
	if len(w.waiting()) != 0 {
		t.Error("what is decided still waits")
	}
	got := w.collect(p)
	if got.State != api.PairingApproved || got.Secret == nil || !slices.Equal(got.Scopes, []api.Scope{api.ScopeStatusRead}) {
		t.Fatalf("it has become %+v", got)
	}
	w.d.must(200, call{method: "GET", path: "/v1/status", token: *got.Secret})
	w.d.must(403, call{method: "GET", path: "/v1/outbox", token: *got.Secret})
	var token api.Token
	w.d.must(200, call{method: "GET", path: "/v1/tokens/" + *got.TokenID}).into(t, &token)
	if token.Name != "desk" || !token.Constraints.Approval {
		t.Errorf("the token is %+v", token)
	}
	w.d.must(404, call{method: "POST", path: "/v1/pairings/" + p.ID + "/collect", body: `{"device_code":"` + p.DeviceCode + `"}`})
}

// TestPairingIsRefused: by the owner, by wrong codes, and what nobody may have.
func TestPairingIsRefused(t *testing.T) {
	w := newWorld(t)
	denied := w.pairing(`{"client_name":"x","preset":"reader"}`)
	w.d.must(204, call{method: "POST", path: "/v1/pairings/" + denied.ID + "/deny"})
	if got := w.collect(denied); got.State != api.PairingDenied || got.Secret != nil {
		t.Errorf("denied, it is %+v", got)
	}
	guessed := w.pairing(`{"client_name":"x","preset":"reader"}`)
	approve := func(body string, token string) answer {
		return w.d.do(call{method: "POST", path: "/v1/pairings/" + guessed.ID + "/approve", body: body, token: token})
	}
	right := func(more string) string { return `{"user_code":"` + guessed.UserCode + `"` + more + `}` }
	if a := approve(right(`,"scopes":["messages:send"]`), ""); a.status != 422 {
		t.Errorf("more scopes than it asked for: %d", a.status)
	}
	manager := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeTokensManage}})
	if a := approve(right(""), manager); a.status != 403 || a.problem() != api.CodeTokenTooStrong {
		t.Errorf("more than the approver has: %d %s", a.status, a.body)
	}
	for range loginTriesMax {
		if a := approve(`{"user_code":"0000000x"}`, ""); a.status != 422 {
			t.Fatalf("a wrong code: %d", a.status)
		}
	}
	if a := approve(right(""), ""); a.status != 404 {
		t.Errorf("the right code behind wrong ones: %d", a.status)
	}
	if got := w.collect(guessed); got.State != api.PairingDenied {
		t.Errorf("guessed at, it is %+v", got)
	}
	for _, body := range []string{`{"client_name":"x"}`, `{"client_name":"x","scopes":["owner"]}`, `{"client_name":"x","preset":"bot","scopes":["events"]}`,
		`{"client_name":"\u202ex","preset":"bot"}`, `{"client_name":"x","preset":"bot","origin":"file:///x"}`} {
		if a := w.d.do(call{method: "POST", path: "/v1/pairings", body: body}); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d", body, a.status)
		}
	}
}

// TestPairingEnds with its time, with the lock, and with who approved it.
func TestPairingEnds(t *testing.T) {
	w := newWorld(t)
	gone := func(p api.PairingCreated) {
		t.Helper()
		w.d.must(404, call{method: "POST", path: "/v1/pairings/" + p.ID + "/collect", body: `{"device_code":"` + p.DeviceCode + `"}`})
	}
	manager := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeTokensManage, api.ScopeStatusRead}})
	p := w.pairing(`{"client_name":"x","scopes":["status:read"]}`)
	w.d.must(204, call{method: "POST", path: "/v1/pairings/" + p.ID + "/approve", body: `{"user_code":"` + p.UserCode + `"}`, token: manager})
	w.d.must(204, call{method: "DELETE", path: "/v1/tokens/" + api.TokenID(manager)})
	if got := w.collect(p); got.State != api.PairingDenied || got.Secret != nil {
		t.Errorf("approved by who may not any more, it is %+v", got)
	}
	late := w.pairing(`{"client_name":"x","preset":"bot"}`)
	w.d.setClock(func() time.Time { return time.Now().Add(pairingLifetime) })
	gone(late)
	locked := w.pairing(`{"client_name":"x","preset":"bot"}`)
	w.bring(t, api.StateLocked)
	w.bring(t, api.StateReady)
	gone(locked)
	for i := range pairingsMax {
		w.pairing(fmt.Sprintf(`{"client_name":"%d","preset":"bot"}`, i))
	}
	if a := w.d.do(call{method: "POST", path: "/v1/pairings", body: `{"client_name":"x","preset":"bot"}`}); a.problem() != api.CodeTooMany {
		t.Errorf("one too many: %d %s", a.status, a.body)
	}
}

// TestPairingOfAPage: a page asks from an origin that has a token already, for that origin; no other
// page, and no program without a token over TCP, learns that there is anything.
func TestPairingOfAPage(t *testing.T) {
	w := newWorld(t)
	const origin = "http://localhost:5173" // of w.owner
	ask := func(from, body string) answer {
		c := call{method: "POST", path: "/v1/pairings", body: body, token: "-"}
		if from != "" {
			c.header = map[string]string{"Origin": from}
		}
		return w.d.do(c)
	}
	for from, body := range map[string]string{
		"":                  `{"client_name":"x","preset":"bot"}`,
		"https://evil.test": `{"client_name":"x","preset":"bot","origin":"https://evil.test"}`,
		origin:              `{"client_name":"x","preset":"bot","origin":"https://evil.test"}`,
	} {
		if a := ask(from, body); a.status != 401 || a.body != "" {
			t.Errorf("from %q: %d %q", from, a.status, a.body)
		}
	}
	a := ask(origin, `{"client_name":"page","scopes":["status:read"],"origin":"`+origin+`"}`)
	if a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != origin {
		t.Fatalf("from its origin: %d, headers %v", a.status, a.header)
	}
	var p api.PairingCreated
	a.into(t, &p)
	w.d.must(204, call{method: "POST", path: "/v1/pairings/" + p.ID + "/approve", body: `{"user_code":"` + p.UserCode + `"}`})
	var got api.PairingResult
	w.d.must(200, call{method: "POST", path: "/v1/pairings/" + p.ID + "/collect", body: `{"device_code":"` + p.DeviceCode + `"}`, token: "-",
		header: map[string]string{"Origin": origin}}).into(t, &got)
	if got.Secret == nil {
		t.Fatalf("it has become %+v", got)
	}
	w.d.must(403, call{method: "GET", path: "/v1/status", token: *got.Secret, header: map[string]string{"Origin": w.d.server.Base()}})
}
