package httpd

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"rsc.io/qr"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

func TestLoginLink(t *testing.T) {
	w := newWorld(t)
	var l api.LoginLink
	w.d.must(201, call{method: "POST", path: "/v1/login-links", body: `{"client_name":"web","ttl_seconds":30}`}).into(t, &l)
	if !strings.HasPrefix(l.URL, w.d.server.Base()+"/w/") || !strings.HasSuffix(l.URL, "/#c="+l.Code) || len(l.CodeDigits) != 6 {
		t.Errorf("link %+v", l)
	}
	var session api.ExchangeResponse
	w.d.must(200, call{method: "POST", path: "/v1/auth/exchange", body: `{"code":"` + l.Code + `"}`, token: "-"}).into(t, &session)
	if !strings.HasPrefix(session.Secret, api.SessionSecretPrefix) || session.TokenID != api.TokenID(session.Secret) {
		t.Errorf("session %+v", session)
	}
	for _, code := range []string{l.Code, l.CodeDigits} {
		if a := w.d.must(401, call{method: "POST", path: "/v1/auth/exchange", body: `{"code":"` + code + `"}`, token: "-"}); a.body != "" {
			t.Errorf("a used code is answered %q", a.body)
		}
	}
	var me api.Me
	w.d.must(200, call{method: "GET", path: "/v1/auth/me", token: session.Secret}).into(t, &me)
	if me.Actor != api.ActorSession || slices.Contains(me.Scopes, api.ScopeOwner) {
		t.Errorf("me %+v", me)
	}
	w.bring(t, api.StateLocked) // a session outlives the keys, to unlock
	w.d.must(200, call{method: "GET", path: "/v1/status", token: session.Secret})
	w.d.must(423, call{method: "GET", path: "/v1/self", token: session.Secret})
	w.d.must(204, call{method: "POST", path: "/v1/unlock", token: session.Secret})
	w.d.must(204, call{method: "DELETE", path: "/v1/auth/me", token: session.Secret})
	w.d.must(401, call{method: "GET", path: "/v1/status", token: session.Secret})
}

// session logs in as the web UI does, and returns the secret.
func (w *world) session(t *testing.T) string {
	t.Helper()
	var l api.LoginLink
	var out api.ExchangeResponse
	w.d.must(201, call{method: "POST", path: "/v1/login-links", body: `{"client_name":"web","ttl_seconds":30}`}).into(t, &l)
	w.d.must(200, call{method: "POST", path: "/v1/auth/exchange", body: `{"code":"` + l.Code + `"}`, token: "-"}).into(t, &out)
	return out.Secret
}

func TestLoginDigits(t *testing.T) {
	h := newAuthority(func() *store.Store { return nil })
	now := time.Unix(1e9, 0)
	add := func(digits string) *loginCode {
		c := &loginCode{code: sha256.Sum256([]byte("code " + digits)), digits: digits, expiresAt: now.Add(time.Minute)}
		h.addCode(c, now)
		return c
	}
	add("123456")
	if h.takeCode("123456", now.Add(time.Minute)) != nil {
		t.Error("an expired code is taken")
	}
	for range loginTriesMax - 1 {
		if h.takeCode("000000", now) != nil {
			t.Fatal("wrong digits are taken")
		}
	}
	if h.takeCode("123456", now) != nil {
		t.Error("a code is taken after five wrong tries")
	}
	c := add("654321")
	if h.takeCode("654321", now) != c || h.takeCode("654321", now) != nil {
		t.Error("a code works other than once")
	}
	for range failuresBurst {
		h.takeCode("x", now)
	}
	add("111111")
	if h.takeCode("111111", now) != nil {
		t.Error("there is no bound for guesses")
	}
	if h.takeCode("111111", now.Add(failuresEvery)) == nil {
		t.Error("guesses are not given back")
	}
	for range loginCodesMax + 3 {
		add("222222")
	}
	if len(h.codes) != loginCodesMax {
		t.Errorf("%d codes are kept", len(h.codes))
	}
	h.endSessions()
	if len(h.codes) > 0 {
		t.Error("a code outlives the sessions")
	}
}

func TestProof(t *testing.T) {
	w := newWorld(t)
	c, err := api.NewTCPClient(t.Context(), w.d.server.Base(), w.owner)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Self(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := api.NewTCPClient(t.Context(), w.d.server.Base(), "pbl_token_of_somebody_else"); !errors.Is(err, api.ErrServer) {
		t.Errorf("a token that the server does not know: %v", err)
	}
	var seen []string
	squatter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		w.Write([]byte(`{"proof":"AAAA"}`))
	}))
	defer squatter.Close()
	if _, err := api.NewTCPClient(t.Context(), squatter.URL, w.owner); !errors.Is(err, api.ErrServer) {
		t.Errorf("a squatter on the port: %v", err)
	}
	if !slices.Equal(seen, []string{""}) {
		t.Errorf("the squatter was told %q", seen)
	}
}

func TestTokensOnlyMakeWeakerTokens(t *testing.T) {
	w := newWorld(t)
	soon := api.NewTime(time.Now().Add(time.Hour))
	later := api.NewTime(soon.Add(time.Hour))
	conv := w.conversation
	parent := w.d.token(api.TokenRequest{
		Scopes: []api.Scope{api.ScopeTokensManage, api.ScopeMessagesRead, api.ScopeEvents},
		Constraints: api.Constraints{
			Conversations: []string{conv}, ExpiresAt: &soon, IdleSeconds: 600, Rate: 40, Transports: []string{"tcp"}, Content: api.ContentMeta,
		},
	})
	weak := api.TokenRequest{Name: "weak", Scopes: []api.Scope{api.ScopeMessagesRead}, Constraints: api.Constraints{
		Conversations: []string{conv}, ExpiresAt: &soon, IdleSeconds: 600, Rate: 40, Transports: []string{"tcp"}, Content: api.ContentMeta,
	}}
	try := func(change func(*api.TokenRequest)) answer {
		req := weak
		change(&req)
		b, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		return w.d.do(call{method: "POST", path: "/v1/tokens", body: string(b), token: parent})
	}
	if a := try(func(*api.TokenRequest) {}); a.status != 201 {
		t.Fatalf("an equal token = %d %s", a.status, a.body)
	}
	for name, change := range map[string]func(*api.TokenRequest){
		"scope":          func(r *api.TokenRequest) { r.Scopes = []api.Scope{api.ScopeMessagesSend} },
		"owner":          func(r *api.TokenRequest) { r.Scopes = []api.Scope{api.ScopeOwner} },
		"conversations":  func(r *api.TokenRequest) { r.Constraints.Conversations = nil },
		"another one":    func(r *api.TokenRequest) { r.Constraints.Conversations = []string{"cv_" + zeros} },
		"no end":         func(r *api.TokenRequest) { r.Constraints.ExpiresAt = nil },
		"later":          func(r *api.TokenRequest) { r.Constraints.ExpiresAt = &later },
		"idle":           func(r *api.TokenRequest) { r.Constraints.IdleSeconds = 0 },
		"longer idle":    func(r *api.TokenRequest) { r.Constraints.IdleSeconds = 601 },
		"rate":           func(r *api.TokenRequest) { r.Constraints.Rate = 0 },
		"both transport": func(r *api.TokenRequest) { r.Constraints.Transports = nil },
		"content":        func(r *api.TokenRequest) { r.Constraints.Content = "" },
		"origin":         func(r *api.TokenRequest) { r.Constraints.Origins = []string{"https://evil.test"} },
	} {
		a := try(change)
		if name == "origin" { // a page may be bound to a weaker token
			if a.status != 201 {
				t.Errorf("%s = %d %s", name, a.status, a.body)
			}
			continue
		}
		if a.status != 403 || a.problem() != api.CodeTokenTooStrong {
			t.Errorf("%s = %d %s", name, a.status, a.body)
		}
	}
}

func TestTokenRequestsAreChecked(t *testing.T) {
	w := newWorld(t)
	for body, pointer := range map[string]string{
		`{"name":"t"}`:                                                                     "/scopes",
		`{"name":"t","scopes":[]}`:                                                         "/scopes",
		`{"name":"t","scopes":["none"]}`:                                                   "/scopes/0",
		`{"name":"t","scopes":["events"],"preset":"bot"}`:                                  "/scopes",
		`{"name":"t","preset":"none"}`:                                                     "/preset",
		`{"name":"","preset":"bot"}`:                                                       "/name",
		`{"name":"t","preset":"bot","constraints":{"origins":["null"]}}`:                   "/constraints/origins/0",
		`{"name":"t","preset":"bot","constraints":{"origins":["file://"]}}`:                "/constraints/origins/0",
		`{"name":"t","preset":"bot","constraints":{"origins":["http://a/b"]}}`:             "/constraints/origins/0",
		`{"name":"t","preset":"bot","constraints":{"origins":["chrome-extension://abc"]}}`: "/constraints/origins/0",
		`{"name":"t","preset":"bot","constraints":{"conversations":["x"]}}`:                "/constraints/conversations/0",
		`{"name":"t","preset":"bot","constraints":{"expires_at":"2001-01-01T00:00:00Z"}}`:  "/constraints/expires_at",
		`{"name":"t","preset":"bot","constraints":{"expires_at":"tomorrow"}}`:              "/constraints/expires_at",
		`{"name":"t","preset":"bot","constraints":{"idle_seconds":1}}`:                     "/constraints/idle_seconds",
		`{"name":"t","preset":"bot","constraints":{"transports":["smtp"]}}`:                "/constraints/transports/0",
		`{"name":"t","preset":"bot","constraints":{"rate":1001}}`:                          "/constraints/rate",
		`{"name":"t","preset":"bot","constraints":{"private":true}}`:                       "/constraints/private",
	} {
		a := w.d.must(422, call{method: "POST", path: "/v1/tokens", body: body})
		if !strings.Contains(a.body, `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %s, want pointer %s", body, a.body, pointer)
		}
	}
}

func TestTokenConstraints(t *testing.T) {
	w := newWorld(t)
	other := otherConversation(w)
	bot := w.d.token(api.TokenRequest{Preset: api.PresetBot, Constraints: api.Constraints{Conversations: []string{other}}})
	get := func(path string) answer { return w.d.do(call{method: "GET", path: path, token: bot}) }
	for _, path := range []string{
		"/v1/conversations/" + w.conversation, "/v1/conversations/" + w.conversation + "/messages", "/v1/messages/" + w.message,
	} {
		if a := get(path); a.status != 404 {
			t.Errorf("%s = %d", path, a.status)
		}
	}
	w.d.must(404, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: `{"text":"x"}`, token: bot})
	stranger := w.newContact()
	request := protocol.PutRequest{ID: protocol.RequestID{1}, Phase: protocol.RequestWaiting, Name: "hello, who asks"}
	w.d.mu.Lock()
	err := w.d.commit(store.Batch{Now: time.Now(), Writes: []protocol.Write{request}})
	w.d.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	answers := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeContactsWrite}, Constraints: api.Constraints{Conversations: []string{other}}})
	w.d.must(404, call{method: "POST", path: "/v1/requests/" + request.ID.String() + "/decline", token: answers})
	w.d.must(404, call{method: "POST", path: "/v1/contacts/" + stranger + "/messages", body: `{"text":"x"}`, token: bot})
	for _, path := range []string{"/v1/conversations", "/v1/contacts", "/v1/requests", "/v1/snapshot", "/v1/outbox", "/v1/events"} {
		a := get(path)
		if a.status != 200 || strings.Contains(a.body, w.conversation) || strings.Contains(a.body, stranger) || strings.Contains(a.body, "hello") {
			t.Errorf("%s = %d %s", path, a.status, a.body)
		}
	}
	a := get("/v1/events?types=message.created")
	if !strings.Contains(a.body, other) || !strings.Contains(a.body, `"text":"hi"`) {
		t.Errorf("its own conversation's events: %s", a.body)
	}
}

// TestWhoChangesReadsNothing edits an answer with a right to change messages alone: what it
// answers is not shown.
func TestWhoChangesReadsNothing(t *testing.T) {
	w := newWorld(t)
	var answer api.Message
	w.d.must(201, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages",
		body: `{"text":"yes","reply_to":"` + w.message + `"}`}).into(t, &answer)
	token := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeMessagesManage}})
	edited := w.d.must(200, call{method: "PATCH", path: "/v1/messages/" + *answer.ID, body: `{"text":"no"}`, token: token})
	if strings.Contains(edited.body, "hello") || !strings.Contains(edited.body, w.message) {
		t.Errorf("shown: %s", edited.body)
	}
	read := w.d.must(200, call{method: "GET", path: "/v1/messages/" + *answer.ID})
	if !strings.Contains(read.body, "hello") {
		t.Errorf("not shown to who may read: %s", read.body)
	}
}

// TestMetaSeesNoContent gives a notifier everything but texts and names.
func TestMetaSeesNoContent(t *testing.T) {
	w := newWorld(t)
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"alias":"Jiwoo-alias"}`})
	w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages", body: `{"text":"secret-text"}`})
	w.d.must(201, call{method: "POST", path: "/v1/invites", body: `{"note":"secret-note"}`})
	all := slices.DeleteFunc(api.Scopes(), func(s api.Scope) bool { return s == api.ScopeOwner })
	for name, token := range map[string]string{
		"content meta": w.d.token(api.TokenRequest{Scopes: all, Constraints: api.Constraints{Content: api.ContentMeta}}),
		"notifier":     w.d.token(api.TokenRequest{Preset: api.PresetNotifier}),
	} {
		each(t, w, func(t *testing.T, rt *route, s sample) {
			if rt.method != http.MethodGet || rt.name() == "GET /v1/openapi.json" {
				return
			}
			a := w.d.do(call{method: "GET", path: s.path, token: token})
			for _, secret := range []string{"secret-text", "secret-note", "Jiwoo-alias", "Mina", "hello", "pabal:i"} {
				if strings.Contains(a.body, secret) {
					t.Errorf("%s: %s shows %q: %s", name, rt.name(), secret, a.body)
				}
			}
		})
	}
}

func TestTokenExpiry(t *testing.T) {
	d := startReady(t)
	now := time.Now()
	var mu sync.Mutex
	d.setClock(func() time.Time { mu.Lock(); defer mu.Unlock(); return now })
	pass := func(by time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(by) }
	ends := api.NewTime(now.Add(time.Hour))
	token := d.token(api.TokenRequest{Preset: api.PresetBot, Constraints: api.Constraints{ExpiresAt: &ends}})
	idle := d.token(api.TokenRequest{Preset: api.PresetBot, Constraints: api.Constraints{IdleSeconds: 600}})
	get := func(token string) int { return d.do(call{method: "GET", path: "/v1/status", token: token}).status }
	for range 3 {
		pass(9 * time.Minute)
		if get(token) != 200 || get(idle) != 200 {
			t.Fatal("a token in use ends early")
		}
	}
	if err := d.Lock(t.Context()); err != nil { // its use is remembered
		t.Fatal(err)
	}
	if err := d.Unlock(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	pass(9 * time.Minute)
	if get(idle) != 200 {
		t.Error("a restart forgets that a token was used")
	}
	pass(11 * time.Minute)
	if get(idle) != 401 {
		t.Error("an idle token goes on")
	}
	if get(token) != 200 {
		t.Error("a token ends early")
	}
	pass(time.Hour)
	if get(token) != 401 {
		t.Error("a token outlives its end")
	}
}

func TestTransports(t *testing.T) {
	w := newWorld(t)
	tcp := w.d.token(api.TokenRequest{Preset: api.PresetBot, Constraints: api.Constraints{Transports: []string{"tcp"}}})
	unix := w.d.token(api.TokenRequest{Preset: api.PresetBot, Constraints: api.Constraints{Transports: []string{"unix"}}})
	over := func(token string) int {
		return w.d.do(call{method: "GET", path: "/v1/status", header: map[string]string{"Authorization": "Bearer " + token}}).status
	}
	if over(tcp) != 401 || over(unix) != 200 || over("nonsense") != 401 {
		t.Error("over the unix socket")
	}
	w.d.must(200, call{method: "GET", path: "/v1/status", token: tcp})
	w.d.must(401, call{method: "GET", path: "/v1/status", token: unix})
	a := w.d.do(call{method: "GET", path: "/v1/self", header: map[string]string{"Authorization": "Bearer " + unix}})
	if a.status != 200 {
		t.Errorf("self = %d", a.status)
	}
	if a := w.d.do(call{method: "POST", path: "/v1/shutdown", header: map[string]string{"Authorization": "Bearer " + unix}}); a.status != 403 {
		t.Errorf("a token on the socket shuts down: %d", a.status)
	}
}

func TestOriginBoundToken(t *testing.T) {
	w := newWorld(t)
	origin := map[string]string{"Origin": "http://localhost:5173", "Sec-Fetch-Site": "cross-site"}
	a := w.d.must(200, call{method: "GET", path: "/v1/self", token: w.owner, header: origin})
	if a.header.Get("Access-Control-Allow-Origin") != origin["Origin"] || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("headers %v", a.header)
	}
	w.d.must(201, call{method: "POST", path: "/v1/invites", body: `{}`, token: w.owner, header: origin})
	unbound := w.d.token(api.TokenRequest{Preset: api.PresetBot})
	if a := w.d.must(403, call{method: "GET", path: "/v1/status", token: unbound, header: origin}); a.problem() != api.CodeOriginNotAllowed {
		t.Errorf("another token from the origin: %s", a.body)
	}
	own := map[string]string{"Origin": w.d.server.Base(), "Sec-Fetch-Site": "same-origin"}
	w.d.must(200, call{method: "GET", path: "/v1/status", token: unbound, header: own})
	w.d.must(403, call{method: "GET", path: "/v1/status", token: w.owner, header: own})
	preflight := map[string]string{"Origin": origin["Origin"], "Access-Control-Request-Method": "PUT"}
	a = w.d.must(204, call{method: "OPTIONS", path: "/v1/self", token: "-", header: preflight})
	if a.header.Get("Access-Control-Allow-Origin") != origin["Origin"] || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight %v", a.header)
	}
}

func TestRate(t *testing.T) {
	w := newWorld(t)
	token := w.d.token(api.TokenRequest{Preset: api.PresetBot, Constraints: api.Constraints{Rate: 1}})
	limited := 0
	for range 3 * burstFactor {
		a := w.d.do(call{method: "GET", path: "/v1/status", token: token})
		if a.status == 429 {
			limited++
			if a.header.Get("Retry-After") == "" || a.problem() != api.CodeRateLimited {
				t.Errorf("%v %s", a.header, a.body)
			}
		}
	}
	if limited == 0 {
		t.Error("no bound")
	}
	b := bucket{burst: 3, every: time.Second}
	now := time.Unix(1e9, 0)
	for i, want := range []bool{true, true, true, false} {
		if b.take(now) != want {
			t.Errorf("try %d", i)
		}
	}
	if !b.take(now.Add(time.Second)) || b.take(now.Add(1900*time.Millisecond)) || !b.take(now.Add(2*time.Second)) {
		t.Error("a try comes back each second")
	}
}

func TestSetup(t *testing.T) {
	d := start(t)
	var status api.Status
	d.must(200, call{method: "GET", path: "/v1/status"}).into(t, &status)
	if status.State != api.StateUninitialised {
		t.Errorf("state %s", status.State)
	}
	for body, pointer := range map[string]string{
		`{"display_name":"Mina","keyfile":true}`:                                                         "/disappearing",
		`{"display_name":"Mina","disappearing":null}`:                                                    "/passphrase",
		`{"display_name":"Mina","disappearing":null,"passphrase":"short"}`:                               "/passphrase",
		`{"display_name":"Mina","disappearing":null,"passphrase":"long enough","keyfile":true}`:          "/keyfile",
		`{"display_name":"  ","disappearing":null,"keyfile":true}`:                                       "/display_name",
		`{"disappearing":null,"keyfile":true}`:                                                           "/display_name",
		`{"display_name":"Mina","disappearing":{"mode":"sent"},"keyfile":true}`:                          "/disappearing/seconds",
		`{"display_name":"Mina","disappearing":{"mode":"sent","seconds":9999999999},"keyfile":true}`:     "/disappearing/seconds",
		`{"display_name":"Mina","disappearing":{"mode":"sent","seconds":1,"from":"now"},"keyfile":true}`: "/disappearing/from",
		`{"display_name":"Mina","disappearing":null,"passphrase":"` + strings.Repeat("x", 1025) + `"}`:   "/passphrase",
	} {
		a := d.must(422, call{method: "POST", path: "/v1/setup", body: body})
		if !strings.Contains(a.body, `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %s, want pointer %s", body, a.body, pointer)
		}
	}
	body := `{"display_name":"Mina","passphrase":"` + testPassphrase + `","disappearing":{"mode":"read","seconds":604800}}`
	var out api.SetupResponse
	d.must(201, call{method: "POST", path: "/v1/setup", body: body}).into(t, &out)
	if out.Self.DisplayName != "Mina" || out.Self.AccountID == "" {
		t.Errorf("self %+v", out.Self)
	}
	if a := d.must(409, call{method: "POST", path: "/v1/setup", body: body}); a.problem() != api.CodeAlreadyInitialised {
		t.Errorf("again: %s", a.body)
	}
	var settings api.Settings
	d.must(200, call{method: "GET", path: "/v1/settings"}).into(t, &settings)
	if settings.Disappearing == nil || settings.Disappearing.Seconds != 604800 {
		t.Errorf("settings %+v", settings)
	}
	d.must(204, call{method: "POST", path: "/v1/lock"})
	for _, body := range []string{`{"passphrase":"wrong horse"}`, `{}`, ``} {
		if a := d.must(401, call{method: "POST", path: "/v1/unlock", body: body}); a.problem() != api.CodeBadPassphrase {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	d.must(204, call{method: "POST", path: "/v1/unlock", body: `{"passphrase":"` + testPassphrase + `"}`})
	if a := d.must(409, call{method: "POST", path: "/v1/unlock"}); a.problem() != api.CodeNotLocked {
		t.Errorf("again: %s", a.body)
	}
}

func TestSettings(t *testing.T) {
	w := newWorld(t)
	var s api.Settings
	w.d.must(200, call{method: "PATCH", path: "/v1/settings", body: `{"disappearing":{"mode":"sent","seconds":86400}}`}).into(t, &s)
	w.d.must(200, call{method: "PATCH", path: "/v1/settings", body: `{"language":"ko"}`}).into(t, &s)
	if s.Language != "ko" || s.Disappearing == nil || s.Disappearing.Seconds != 86400 {
		t.Errorf("settings %+v", s)
	}
	w.d.must(200, call{method: "PATCH", path: "/v1/settings", body: `{"disappearing":null}`}).into(t, &s)
	if s.Disappearing != nil || s.Language != "ko" {
		t.Errorf("settings %+v", s)
	}
	w.d.must(200, call{method: "PATCH", path: "/v1/settings", body: `{}`})
	w.d.must(422, call{method: "PATCH", path: "/v1/settings", body: `{"language":"tlh"}`})
}

func TestWeb(t *testing.T) {
	d := startReady(t)
	d.server.config.Web = fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}, "js/app.js": {Data: []byte("1")}}
	root := webPrefix + d.server.webSecret + "/"
	a := d.must(200, call{method: "GET", path: root, token: "-"})
	if a.body != "<!doctype html>" || !strings.Contains(a.header.Get("Content-Security-Policy"), "trusted-types 'none'") {
		t.Errorf("%q %v", a.body, a.header)
	}
	d.must(200, call{method: "GET", path: root + "js/app.js", token: "-"})
	d.must(404, call{method: "GET", path: root + "none", token: "-"})
	d.must(404, call{method: "GET", path: root + "js", token: "-"})
	d.must(401, call{method: "GET", path: root[:len(root)-2] + "/", token: "-"})
	d.must(401, call{method: "POST", path: root, token: "-"})
	d.must(421, call{method: "GET", path: root, token: "-", host: "evil.test"})
	redirect := map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
	d.must(200, call{method: "GET", path: root, token: "-", header: redirect})
	redirect["Sec-Fetch-Dest"] = "iframe"
	d.must(401, call{method: "GET", path: root, token: "-", header: redirect})
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	d := startReady(t)
	var log bytes.Buffer
	d.server.log = slog.New(slog.NewTextHandler(&log, nil))
	rt := d.server.routes["GET /v1/network"]
	mux := http.NewServeMux()
	mux.HandleFunc(rt.name(), func(http.ResponseWriter, *http.Request) { panic("secret-text") })
	d.server.mux = mux
	a := d.must(500, call{method: "GET", path: "/v1/network"})
	if a.problem() != api.CodeInternal || !strings.Contains(log.String(), "chain.go") {
		t.Errorf("%s; log %s", a.body, log.String())
	}
	if strings.Contains(a.body+log.String(), "secret-text") {
		t.Error("the panic's value is shown")
	}
}

func TestUnknownOperations(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		call
		want api.Code
	}{
		{call{method: "GET", path: "/v1/none"}, api.CodeNotFound},
		{call{method: "GET", path: "/"}, api.CodeNotFound},
		{call{method: "GET", path: "/v1//status"}, api.CodeNotFound},
		{call{method: "GET", path: "/v1/contacts/"}, api.CodeNotFound},
		{call{method: "POST", path: "/v1/status"}, api.CodeMethodNotAllowed},
		{call{method: "TRACE", path: "/v1/status"}, api.CodeMethodNotAllowed},
		{call{method: "GET", path: "/v1/conversations/cv_x"}, api.CodeNotFound},
		{call{method: "GET", path: "/v1/invites/in_" + zeros}, api.CodeNotFound},
		{call{method: "GET", path: "/v1/tokens/tk_" + zeros}, api.CodeNotFound},
		{call{method: "GET", path: "/v1/messages/ms_" + zeros}, api.CodeNotFound},
		{call{method: "GET", path: "/v1/contacts/ct_" + zeros}, api.CodeNotFound},
		{call{method: "POST", path: "/v1/requests/rq_x/accept"}, api.CodeNotFound},
		{call{method: "PUT", path: "/v1/consumers/a%20b", body: "{}"}, api.CodeValidationFailed},
		{call{method: "POST", path: "/v1/conversations", body: `{"kind":"direct"}`}, api.CodeValidationFailed},
		{call{method: "POST", path: "/v1/conversations", body: `{"kind":"self","contact_id":"ct_x"}`}, api.CodeValidationFailed},
		{call{method: "POST", path: "/v1/invites/accept", body: `{"uri":"hello"}`}, api.CodeInviteInvalid},
		{call{method: "POST", path: "/v1/invites/inspect", body: `{"uri":"hello"}`}, api.CodeInviteInvalid},
		{call{method: "POST", path: "/v1/invites", body: `{"expires_in":999999999999}`}, api.CodeInvalidLifetime},
		{call{method: "POST", path: "/v1/invites", body: `{"kind":"contact","uses":2}`}, api.CodeValidationFailed},
	} {
		if a := w.d.do(c.call); a.problem() != c.want {
			t.Errorf("%s %s = %d %s, want %s", c.method, c.path, a.status, a.body, c.want)
		}
	}
}

func TestOwnLink(t *testing.T) {
	w := newWorld(t)
	var i api.Invite
	w.d.must(201, call{method: "POST", path: "/v1/invites", body: `{"note":"for Jiwoo","ask":true}`}).into(t, &i)
	if len(i.Warnings) != 1 || i.Warnings[0].Code != api.WarningNoPublicPath || fmt.Sprint(i.Warnings[0].Params["ways"]) != "[lan forward courier home]" {
		t.Errorf("warned %+v", i.Warnings)
	}
	var seen api.Inspection
	w.d.must(200, call{method: "POST", path: "/v1/invites/inspect", body: `{"uri":"see ` + *i.URI + ` !"}`}).into(t, &seen)
	if !seen.Own || seen.Kind != "contact" || seen.Expired {
		t.Errorf("inspected %+v", seen)
	}
	if a := w.d.must(409, call{method: "POST", path: "/v1/invites/accept", body: `{"uri":"` + *i.URI + `"}`}); a.problem() != api.CodeInviteOwn {
		t.Errorf("accepted: %s", a.body)
	}
	code, err := qr.Encode("한글 앞에 "+*i.URI, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	var scanned api.Scan
	scan := call{method: "POST", path: "/v1/invites/scan", body: string(code.PNG()), header: map[string]string{"Content-Type": api.PictureType}}
	w.d.must(200, scan).into(t, &scanned)
	if !reflect.DeepEqual(scanned, api.Scan{URI: *i.URI, Inspection: seen}) {
		t.Errorf("scanned %+v", scanned)
	}
	svg := w.d.must(200, call{method: "GET", path: "/v1/invites/" + i.ID + "/qr.svg"})
	if svg.header.Get("Content-Type") != svgType || !strings.HasPrefix(svg.body, "<svg") {
		t.Errorf("%v %.80s", svg.header, svg.body)
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/invites/" + i.ID})
	w.d.must(410, call{method: "GET", path: "/v1/invites/" + i.ID + "/qr.svg"})
	w.d.must(200, call{method: "GET", path: "/v1/invites/" + i.ID}).into(t, &i)
	if i.State != api.InviteRevoked || i.URI != nil {
		t.Errorf("revoked %+v", i)
	}
}

func TestReadyAndFullDisk(t *testing.T) {
	w := newWorld(t)
	w.d.must(200, call{method: "GET", path: "/readyz"})
	w.d.fail = store.ErrFull
	a := w.d.must(503, call{method: "GET", path: "/readyz"})
	if a.problem() != api.CodeNotReady || !strings.Contains(a.body, "storage_full") {
		t.Errorf("%s", a.body)
	}
	a = w.d.must(507, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: `{"text":"x"}`})
	if a.problem() != api.CodeStorageFull {
		t.Errorf("%s", a.body)
	}
	w.d.fail = nil
	w.d.set(api.StateLocked)
	if a := w.d.must(503, call{method: "GET", path: "/readyz"}); !strings.Contains(a.body, "locked") {
		t.Errorf("%s", a.body)
	}
	w.d.set(api.StateReady)
}

// TestConfirm: what a page may do once the owner has shown to sit there, and what it still may not.
func TestConfirm(t *testing.T) {
	d := start(t)
	if err := d.Setup(t.Context(), Setup{DisplayName: "Mina", Passphrase: []byte(testPassphrase)}); err != nil {
		t.Fatal(err)
	}
	w := &world{d: d}
	session, other := w.session(t), w.session(t)
	bot := d.token(api.TokenRequest{Preset: api.PresetFrontend})
	with := func(secret, method, path, body, confirm string) answer {
		return d.do(call{method: method, path: path, body: body, token: secret, header: map[string]string{api.HeaderConfirm: confirm}})
	}
	refused := func(what string, a answer, status int, code api.Code) {
		t.Helper()
		if a.status != status || a.problem() != code {
			t.Errorf("%s = %d %s, want %d %s", what, a.status, a.body, status, code)
		}
	}
	confirm := func(secret, body string) answer {
		return d.do(call{method: "POST", path: "/v1/auth/confirm", body: body, token: secret})
	}
	refused("not confirmed", with(session, "GET", "/v1/warrant", "", ""), 403, api.CodeConfirmationNeeded)
	refused("a wrong passphrase", confirm(session, `{"passphrase":"horse battery"}`), 401, api.CodeBadPassphrase)
	refused("nothing", confirm(session, `{}`), 422, api.CodeValidationFailed)
	refused("both", confirm(session, `{"passphrase":"x","code":"y"}`), 422, api.CodeValidationFailed)
	refused("a token", confirm(bot, `{"passphrase":"`+testPassphrase+`"}`), 403, api.CodeConfirmRequired)
	var c api.Confirmation
	d.must(201, call{method: "POST", path: "/v1/auth/confirm", body: `{"passphrase":"` + testPassphrase + `"}`, token: session}).into(t, &c)

	for _, path := range []string{"/v1/warrant", "/v1/tokens", "/v1/tokens/" + api.TokenID(bot)} {
		if a := with(session, "GET", path, "", c.Secret); a.status != 200 {
			t.Errorf("confirmed, %s = %d %s", path, a.status, a.body)
		}
	}
	refused("another session", with(other, "GET", "/v1/warrant", "", c.Secret), 403, api.CodeConfirmationNeeded)
	refused("a token", with(bot, "GET", "/v1/warrant", "", c.Secret), 403, api.CodeScopeMissing)
	refused("another secret", with(session, "GET", "/v1/warrant", "", session), 403, api.CodeConfirmationNeeded)
	refused("a backup", with(session, "POST", "/v1/backups", `{"passphrase":"eight bytes"}`, c.Secret), 403, api.CodeConfirmRequired)
	for _, preset := range []api.Preset{api.PresetFrontend, api.PresetBot, api.PresetReader, api.PresetNotifier, api.PresetMetrics} {
		if a := with(session, "POST", "/v1/tokens", `{"name":"t","preset":"`+string(preset)+`"}`, c.Secret); a.status != 201 {
			t.Errorf("a token %s = %d %s", preset, a.status, a.body)
		}
	}
	for _, scope := range []api.Scope{api.ScopeOwner, api.ScopeTokensManage, api.ScopeIdentityManage} {
		refused("a token "+string(scope), with(session, "POST", "/v1/tokens", `{"name":"t","scopes":["`+string(scope)+`"]}`, c.Secret), 403, api.CodeTokenTooStrong)
	}
	if a := with(session, "DELETE", "/v1/tokens/"+api.TokenID(bot), "", c.Secret); a.status != 204 {
		t.Errorf("revoking = %d %s", a.status, a.body)
	}

	later := time.Now().Add(confirmLifetime)
	d.setClock(func() time.Time { return later })
	refused("later", with(session, "GET", "/v1/warrant", "", c.Secret), 403, api.CodeConfirmationNeeded)
	var l api.LoginLink
	d.must(201, call{method: "POST", path: "/v1/login-links"}).into(t, &l)
	refused("a code where there is a passphrase", confirm(session, `{"code":"`+l.Code+`"}`), 422, api.CodePassphraseRequired)
	d.must(201, call{method: "POST", path: "/v1/auth/confirm", body: `{"passphrase":"` + testPassphrase + `"}`, token: session}).into(t, &c)
	if a := with(session, "GET", "/v1/warrant", "", c.Secret); a.status != 200 {
		t.Errorf("confirmed anew = %d %s", a.status, a.body)
	}
	if err := d.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Unlock(t.Context(), []byte(testPassphrase)); err != nil {
		t.Fatal(err)
	}
	refused("opened anew", with(session, "GET", "/v1/warrant", "", c.Secret), 403, api.CodeConfirmationNeeded)
	for range failuresBurst {
		confirm(session, `{"passphrase":"guess"}`)
	}
	refused("guesses", confirm(session, `{"passphrase":"guess"}`), 429, api.CodeRateLimited)
}

// TestConfirmByCode: without a passphrase the code of a login link for a whole page shows the
// owner. One for less does not: whoever was given two of them is not the owner.
func TestConfirmByCode(t *testing.T) {
	d := startReady(t)
	w := &world{d: d}
	session := w.session(t)
	link := func(body string) (l api.LoginLink) {
		t.Helper()
		d.must(201, call{method: "POST", path: "/v1/login-links", body: body}).into(t, &l)
		return l
	}
	confirm := func(status int, secret, code string) (c api.Confirmation) {
		t.Helper()
		a := d.must(status, call{method: "POST", path: "/v1/auth/confirm", body: `{"code":"` + code + `"}`, token: secret})
		if status == 201 {
			a.into(t, &c)
		} else if a.problem() != api.CodeBadPassphrase {
			t.Errorf("refused with %s", a.body)
		}
		return c
	}
	exchange := func(code string) (out api.ExchangeResponse) {
		t.Helper()
		d.must(200, call{method: "POST", path: "/v1/auth/exchange", body: `{"code":"` + code + `"}`, token: "-"}).into(t, &out)
		return out
	}
	few := `{"scopes":["status:read"]}`
	narrow := exchange(link(few).Code).Secret
	second := link(few)
	confirm(401, narrow, second.Code)
	confirm(401, session, second.CodeDigits)
	exchange(second.Code) // it was not used up

	whole := link(`{}`)
	c := confirm(201, session, whole.CodeDigits)
	d.must(200, call{path: "/v1/warrant", token: session, header: map[string]string{api.HeaderConfirm: c.Secret}})
	confirm(401, session, whole.CodeDigits)
	confirm(201, session, link(`{}`).Code)

	login, proof := link(`{}`), link(`{}`)
	for range loginTriesMax {
		confirm(401, narrow, "nothing")
	}
	exchange(login.CodeDigits) // another's wrong codes end no logins
	confirm(401, session, proof.CodeDigits)
	confirm(201, session, link(`{}`).CodeDigits)
}

// TestConfirmOneAtATime: passphrases of sessions do not queue up before a lock.
func TestConfirmOneAtATime(t *testing.T) {
	d := start(t)
	if err := d.Setup(t.Context(), Setup{DisplayName: "Mina", Passphrase: []byte(testPassphrase)}); err != nil {
		t.Fatal(err)
	}
	session := (&world{d: d}).session(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	d.verifying = func() { close(entered); <-leave }
	first := make(chan answer, 1)
	confirm := call{method: "POST", path: "/v1/auth/confirm", body: `{"passphrase":"` + testPassphrase + `"}`, token: session}
	go func() { first <- d.do(confirm) }()
	<-entered
	second := d.do(confirm)
	close(leave)
	if a := <-first; a.status != 201 {
		t.Errorf("the first = %d %s", a.status, a.body)
	}
	if second.status != 429 || second.problem() != api.CodeRateLimited {
		t.Errorf("beside another = %d %s", second.status, second.body)
	}
	d.verifying = nil
	d.must(201, confirm)
}

// TestConfirmEndsWithLock: who unlocks again has shown nothing yet, whichever lock it was and
// however it came.
func TestConfirmEndsWithLock(t *testing.T) {
	d := start(t)
	if err := d.Setup(t.Context(), Setup{DisplayName: "Mina", Passphrase: []byte(testPassphrase)}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	pass := func(by time.Duration) {
		now = now.Add(by)
		later := now
		d.setClock(func() time.Time { return later })
	}
	pass(0)
	d.must(200, call{method: "PATCH", path: "/v1/settings", body: `{"lock_idle_seconds":60}`})
	session := (&world{d: d}).session(t)
	confirm := call{method: "POST", path: "/v1/auth/confirm", body: `{"passphrase":"` + testPassphrase + `"}`, token: session}
	unlock := call{method: "POST", path: "/v1/unlock", body: `{"passphrase":"` + testPassphrase + `"}`}
	var c api.Confirmation
	warrant := func(want int) {
		t.Helper()
		d.must(want, call{path: "/v1/warrant", token: session, header: map[string]string{api.HeaderConfirm: c.Secret}})
	}
	for _, lock := range []struct {
		name string
		do   func()
	}{
		{"screen", func() { d.must(204, call{method: "POST", path: "/v1/lock", body: lockScreen}) }},
		{"keys", func() { d.must(204, call{method: "POST", path: "/v1/lock"}) }},
		{"idle", func() { pass(61 * time.Second); d.must(423, call{path: "/v1/contacts"}) }},
	} {
		t.Log(lock.name)
		d.must(201, confirm).into(t, &c)
		warrant(200)
		lock.do()
		for _, a := range d.server.auth.sessions {
			if a.confirmed.Load() != nil {
				t.Error("the confirmation is kept")
			}
		}
		d.must(204, unlock)
		warrant(403)
	}
	d.verifying = func() {
		d.verifying = nil
		d.must(204, call{method: "POST", path: "/v1/lock", body: lockScreen})
		d.must(204, unlock)
	}
	if a := d.must(423, confirm); a.problem() != api.CodeLocked {
		t.Errorf("locked and unlocked meanwhile: %s", a.body)
	}
}

// TestGuessesOfOnePage has one page guess wrong until it may not any more: the owner at another
// page is not kept out. All pages together have a bound.
func TestGuessesOfOnePage(t *testing.T) {
	h := newAuthority(func() *store.Store { return nil })
	now := time.Unix(1e9, 0)
	page := func() *actor { return &actor{kind: api.ActorSession} }
	guess := func(a *actor) (n int) {
		for range 2 * failuresBurst {
			if h.mayGuess(a, now) {
				n++
			}
		}
		return n
	}
	bad, good := page(), page()
	if n := guess(bad); n != failuresBurst {
		t.Errorf("one page guesses %d times", n)
	}
	for range 100 { // as often as it may, for long
		now = now.Add(failuresEvery)
		if !h.mayGuess(bad, now) {
			t.Fatal("a guess is not given back")
		}
		if !h.mayGuess(good, now) {
			t.Fatal("one page keeps another out")
		}
		h.guessed(good)
	}
	all := 0
	for range 3 * guessersMax {
		all += guess(page())
	}
	if all > guessersMax*failuresBurst {
		t.Errorf("all pages guess %d times", all)
	}
	if !h.mayGuess(&actor{kind: api.ActorOwner}, now) {
		t.Error("the owner is kept out")
	}
}

// TestTokensOfAnUnlockMeanwhile has a request that found the profile locked go on after it was
// unlocked, and one that found it open after it was locked: what is known of tokens stays that of now.
func TestTokensOfAnUnlockMeanwhile(t *testing.T) {
	w := newWorld(t)
	secret := w.d.token(api.TokenRequest{Preset: api.PresetReader})
	h, open := w.d.server.auth, w.d.Store()
	a := h.bySecret(secret, open, time.Now())
	if a == nil {
		t.Fatal("the token is not known")
	}
	h.load(nil) // by a request that saw it locked
	if h.bySecret(secret, open, time.Now()) != a {
		t.Error("the token was read anew")
	}
	select {
	case <-a.revoked:
		t.Error("its streams have ended")
	default:
	}
	if err := w.d.LockScreen(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.load(nil)
	h.load(open) // by a request that saw it open
	if h.store != nil || len(h.tokens) > 0 {
		t.Error("tokens are known behind a locked screen")
	}
}
