package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/store"
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

// approve approves a pairing as the owner.
func (w *world) approve(p api.PairingCreated) answer {
	w.d.t.Helper()
	return w.d.do(call{method: "POST", path: "/v1/pairings/" + p.ID + "/approve", body: `{"user_code":"` + p.UserCode + `"}`})
}

func (w *world) gone(p api.PairingCreated) {
	w.d.t.Helper()
	w.d.must(404, call{method: "POST", path: "/v1/pairings/" + p.ID + "/collect", body: `{"device_code":"` + p.DeviceCode + `"}`})
}

// TestLocksEndPairings: of the screen, by hand or since nobody is there, and a new passphrase; also
// those that were approved.
func TestLocksEndPairings(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.d.setClock(func() time.Time { return now })
	w.d.must(200, call{method: "PATCH", path: "/v1/settings", body: `{"lock_idle_seconds":60}`})
	screen := func() { w.d.must(204, call{method: "POST", path: "/v1/lock", body: lockScreen}) }
	for name, end := range map[string]func(){
		"screen": screen,
		"idle": func() {
			later := now.Add(time.Minute)
			w.d.setClock(func() time.Time { return later })
			w.d.must(423, call{path: "/v1/contacts"})
		},
		"passphrase": func() {
			w.d.must(202, call{method: "POST", path: "/v1/self/passphrase", body: `{"new":"` + testPassphrase + `"}`})
			screen()
		},
	} {
		waits, approved := w.pairing(`{"client_name":"x","preset":"bot"}`), w.pairing(`{"client_name":"x","preset":"bot"}`)
		if a := w.approve(approved); a.status != 204 {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		end()
		w.d.must(204, call{method: "POST", path: "/v1/unlock"})
		w.gone(waits)
		w.gone(approved)
	}
}

// TestPairingGetsAScopeAtLeast: whoever approves no scope has not approved all.
func TestPairingGetsAScopeAtLeast(t *testing.T) {
	w := newWorld(t)
	p := w.pairing(`{"client_name":"x","preset":"bot"}`)
	for _, none := range []string{`[]`} {
		if a := w.d.do(call{method: "POST", path: "/v1/pairings/" + p.ID + "/approve", body: `{"user_code":"` + p.UserCode + `","scopes":` + none + `}`}); a.status != 422 {
			t.Errorf("%s: %d %s", none, a.status, a.body)
		}
	}
	if got := w.collect(p); got.State != api.PairingWaiting {
		t.Errorf("it is %+v", got)
	}
	b, err := json.Marshal(api.PairingDecision{UserCode: "1", Scopes: []api.Scope{}})
	if err != nil || !strings.Contains(string(b), `"scopes":[]`) {
		t.Errorf("a client says %s, %v", b, err)
	}
}

// TestPairingOnAFullDisk: what was not written has not happened, and denying goes on.
func TestPairingOnAFullDisk(t *testing.T) {
	w := newWorld(t)
	full := func(status int, do func() answer) {
		t.Helper()
		w.d.fail = store.ErrFull
		a := do()
		w.d.fail = nil
		if a.status != status {
			t.Errorf("on a full disk: %d %s, not %d", a.status, a.body, status)
		}
	}
	full(507, func() answer {
		return w.d.do(call{method: "POST", path: "/v1/pairings", body: `{"client_name":"x","preset":"bot"}`})
	})
	if all := w.waiting(); len(all) != 0 {
		t.Errorf("what was not written waits: %+v", all)
	}
	p := w.pairing(`{"client_name":"x","preset":"bot"}`)
	full(507, func() answer { return w.approve(p) })
	if got := w.collect(p); got.State != api.PairingWaiting || len(w.waiting()) != 1 {
		t.Fatalf("approved on a full disk, it is %+v", got)
	}
	if a := w.approve(p); a.status != 204 {
		t.Fatalf("once more: %d %s", a.status, a.body)
	}
	full(507, func() answer {
		return w.d.do(call{method: "POST", path: "/v1/pairings/" + p.ID + "/collect", body: `{"device_code":"` + p.DeviceCode + `"}`})
	})
	if got := w.collect(p); got.State != api.PairingApproved || got.Secret == nil {
		t.Errorf("collected once more, it is %+v", got)
	}
	w.gone(p)
	p = w.pairing(`{"client_name":"x","preset":"bot"}`)
	full(204, func() answer { return w.d.do(call{method: "POST", path: "/v1/pairings/" + p.ID + "/deny"}) })
	if got := w.collect(p); got.State != api.PairingDenied {
		t.Errorf("denied on a full disk, it is %+v", got)
	}
}

// TestPairingIsWrittenOnce: while an approval or a token is written the program waits, nobody decides
// again or gets a second token, and a lock wins.
func TestPairingIsWrittenOnce(t *testing.T) {
	w := newWorld(t)
	all := &w.d.server.pairings
	for from, during := range map[string]string{api.PairingWaiting: pairingApproving, api.PairingApproved: pairingTaking} {
		p := w.pairing(`{"client_name":"x","preset":"bot"}`)
		x := all.find(p.ID, w.d.Store(), time.Now())
		if from == api.PairingApproved && w.approve(p).status != 204 || !all.settle(x, from, during) {
			t.Fatalf("it is not %s", from)
		}
		if got := w.collect(p); got.State != api.PairingWaiting || got.Secret != nil {
			t.Errorf("while %s it is %+v", during, got)
		}
		if a := w.approve(p); a.status != 404 || len(w.waiting()) != 0 {
			t.Errorf("approved while %s: %d, %v", during, a.status, w.waiting())
		}
		all.end()
		if all.settle(x, during, api.PairingApproved) {
			t.Errorf("ended while %s, it goes on", during)
		}
		w.gone(p)
	}
}

// TestGuestsLeaveRoomForPairings: programs with a token and pages have a few pairings, whatever
// room there is, and the owner's have theirs.
func TestGuestsLeaveRoomForPairings(t *testing.T) {
	w := newWorld(t)
	const body = `{"client_name":"x","scopes":["status:read"],"origin":"http://localhost:5173"}`
	page := call{method: "POST", path: "/v1/pairings", body: body, token: "-", header: map[string]string{"Origin": "http://localhost:5173"}}
	bot := call{method: "POST", path: "/v1/pairings", body: body, token: w.owner}
	for range pairingGuestsMax / 2 {
		w.d.must(200, page)
		w.d.must(200, bot)
	}
	for range pairingsBurst {
		w.d.must(401, page)
		if a := w.d.do(bot); a.problem() != api.CodeTooMany {
			t.Fatalf("one too many: %d %s", a.status, a.body)
		}
	}
	for range pairingsMax - pairingGuestsMax {
		w.pairing(`{"client_name":"x","preset":"bot"}`)
	}
}

// TestPageAsksForItsOrigin, with a token too.
func TestPageAsksForItsOrigin(t *testing.T) {
	w := newWorld(t)
	ask := func(origin string) answer {
		return w.d.do(call{method: "POST", path: "/v1/pairings", body: `{"client_name":"x","scopes":["status:read"]` + origin + `}`,
			token: w.owner, header: map[string]string{"Origin": "http://localhost:5173"}})
	}
	for _, other := range []string{``, `,"origin":"https://evil.test"`} {
		if a := ask(other); a.status != 422 {
			t.Errorf("%q: %d %s", other, a.status, a.body)
		}
	}
	if a := ask(`,"origin":"http://localhost:5173"`); a.status != 200 {
		t.Errorf("its own: %d %s", a.status, a.body)
	}
}

// TestGuessedPairingIsResolved: five wrong codes are told as a denial is.
func TestGuessedPairingIsResolved(t *testing.T) {
	w := newWorld(t)
	p := w.pairing(`{"client_name":"x","preset":"bot"}`)
	s := w.d.openStream(t, "after=latest", ndjsonType, "")
	s.want(api.EventHello)
	for range loginTriesMax {
		w.d.must(422, call{method: "POST", path: "/v1/pairings/" + p.ID + "/approve", body: `{"user_code":"0000000x"}`})
	}
	s.want(api.EventPairingResolved)
}

// TestTokenIsOfItsProfile: what was approved in one profile is no token of another.
func TestTokenIsOfItsProfile(t *testing.T) {
	w := newWorld(t)
	ctx := context.WithValue(t.Context(), requestKey{}, &request{actor: w.d.server.owner})
	before := w.d.writes
	_, _, err := w.d.server.makeToken(ctx, new(store.Store), api.TokenRequest{Name: "x", Scopes: []api.Scope{api.ScopeStatusRead}})
	if err == nil || w.d.writes != before {
		t.Errorf("a token of another profile: %v", err)
	}
}

// TestPagesHearWhoAsks: the owner's page hears that a program asks and has got a token, by reference
// only; a program does not.
func TestPagesHearWhoAsks(t *testing.T) {
	w := newWorld(t)
	page := w.session(t)
	program := w.d.token(api.TokenRequest{Preset: api.PresetFrontend})
	p := w.pairing(`{"client_name":"desk","preset":"bot"}`)
	w.d.must(204, call{method: "POST", path: "/v1/pairings/" + p.ID + "/approve", body: `{"user_code":"` + p.UserCode + `"}`})
	got := w.collect(p)
	for _, c := range []struct {
		token string
		want  bool
	}{{page, true}, {program, false}} {
		events := w.d.must(200, call{method: "GET", path: "/v1/events?types=pairing.*,token.*", token: c.token}).body
		for _, what := range []string{api.EventPairingRequested, api.EventPairingResolved, api.EventTokenCreated, p.ID, *got.TokenID} {
			if strings.Contains(events, what) != c.want {
				t.Errorf("%s is in %s: want %v", what, events, c.want)
			}
		}
		if strings.Contains(events, "desk") || strings.Contains(events, p.UserCode) || strings.Contains(events, *got.Secret) {
			t.Errorf("more is told than a reference: %s", events)
		}
	}
}
