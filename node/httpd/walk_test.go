package httpd

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pabal/node/api"
)

// sample is a request that an operation accepts.
type sample struct {
	path   string // with ids filled in
	body   string
	status int
	state  api.State // in which it is tried; empty: ready
}

// samples has one request for each route. The objects that they name are made
// by world.
func samples(w *world) map[string]sample {
	conv, contact, message, invite := w.conversation, w.contact, w.message, w.invite
	return map[string]sample{
		"GET /v1/status":                                   {status: 200},
		"POST /v1/setup":                                   {body: `{"display_name":"Mina","keyfile":true,"disappearing":null}`, status: 201, state: api.StateUninitialised},
		"POST /v1/setup/restore":                           {status: 415, state: api.StateUninitialised},
		"POST /v1/backups":                                 {body: `{"passphrase":"eight bytes"}`, status: 200},
		"POST /v1/unlock":                                  {status: 204, state: api.StateLocked},
		"POST /v1/lock":                                    {status: 204},
		"POST /v1/self/passphrase":                         {body: `{"old":"x","new":"short"}`, status: 422},
		"POST /v1/rotation":                                {status: 202},
		"PUT /v1/duress":                                   {body: `{"passphrase":"x","duress_passphrase":"short"}`, status: 422},
		"POST /v1/wipe":                                    {body: `{"confirm":false}`, status: 422},
		"POST /v1/shutdown":                                {status: 202},
		"GET /v1/warrant":                                  {status: 200},
		"GET /v1/snapshot":                                 {status: 200},
		"GET /v1/settings":                                 {status: 200},
		"PATCH /v1/settings":                               {body: `{"language":"ko"}`, status: 200},
		"GET /v1/network":                                  {status: 200},
		"POST /v1/auth/proof":                              {body: `{"token_id":"` + w.tokenID + `","nonce":"AAAAAAAAAAAAAAAAAAAAAAAA"}`, status: 200},
		"POST /v1/auth/exchange":                           {body: `{"code":"@code@"}`, status: 200},
		"GET /v1/auth/me":                                  {status: 200},
		"DELETE /v1/auth/me":                               {status: 204},
		"POST /v1/auth/confirm":                            {body: `{"passphrase":"x"}`, status: 409},
		"POST /v1/login-links":                             {body: `{}`, status: 201},
		"GET /v1/tokens":                                   {status: 200},
		"POST /v1/tokens":                                  {body: `{"name":"t","preset":"bot"}`, status: 201},
		"GET /v1/tokens/{id}":                              {path: "/v1/tokens/" + w.tokenID, status: 200},
		"DELETE /v1/tokens/{id}":                           {path: "/v1/tokens/@token@", status: 204},
		"GET /v1/events":                                   {status: 200},
		"POST /v1/events/ack":                              {body: `{"consumer":"c1","cursor":"` + w.cursor + `"}`, status: 200},
		"GET /v1/consumers":                                {status: 200},
		"PUT /v1/consumers/{name}":                         {path: "/v1/consumers/c2", body: `{}`, status: 200},
		"DELETE /v1/consumers/{name}":                      {path: "/v1/consumers/@consumer@", status: 204},
		"GET /v1/self":                                     {status: 200},
		"PATCH /v1/self":                                   {body: `{"display_name":"Mina K"}`, status: 200},
		"GET /v1/self/fingerprint":                         {status: 200},
		"GET /v1/self/qr.svg":                              {status: 200},
		"GET /v1/invites":                                  {status: 200},
		"POST /v1/invites":                                 {body: `{}`, status: 201},
		"POST /v1/invites/inspect":                         {body: `{"uri":"` + w.link + `"}`, status: 200},
		"POST /v1/invites/accept":                          {body: `{"uri":"@link@"}`, status: 202},
		"GET /v1/invites/{id}":                             {path: "/v1/invites/" + invite, status: 200},
		"DELETE /v1/invites/{id}":                          {path: "/v1/invites/@invite@", status: 204},
		"GET /v1/invites/{id}/qr.svg":                      {path: "/v1/invites/" + invite + "/qr.svg", status: 200},
		"GET /v1/requests":                                 {status: 200},
		"POST /v1/requests/{id}/accept":                    {path: "/v1/requests/rq_" + zeros + "/accept", status: 404},
		"POST /v1/requests/{id}/decline":                   {path: "/v1/requests/rq_" + zeros + "/decline", status: 404},
		"POST /v1/requests/{id}/block":                     {path: "/v1/requests/rq_" + zeros + "/block", status: 404},
		"GET /v1/contacts":                                 {status: 200},
		"GET /v1/contacts/{id}":                            {path: "/v1/contacts/" + contact, status: 200},
		"PATCH /v1/contacts/{id}":                          {path: "/v1/contacts/" + contact, body: `{"alias":"지우"}`, status: 200},
		"DELETE /v1/contacts/{id}":                         {path: "/v1/contacts/@contact@", status: 204},
		"GET /v1/contacts/{id}/why":                        {path: "/v1/contacts/" + contact + "/why", status: 200},
		"GET /v1/contacts/{id}/verification":               {path: "/v1/contacts/" + contact + "/verification", status: 409},
		"GET /v1/contacts/{id}/verification/qr.svg":        {path: "/v1/contacts/" + contact + "/verification/qr.svg", status: 409},
		"POST /v1/contacts/{id}/verify":                    {path: "/v1/contacts/" + contact + "/verify", body: `{"method":"number"}`, status: 409},
		"DELETE /v1/contacts/{id}/verification":            {path: "/v1/contacts/" + contact + "/verification", status: 409},
		"POST /v1/contacts/{id}/key-change/acknowledge":    {path: "/v1/contacts/" + contact + "/key-change/acknowledge", status: 204},
		"GET /v1/blocks":                                   {status: 200},
		"PUT /v1/blocks/{id}":                              {path: "/v1/blocks/@contact@", status: 204},
		"DELETE /v1/blocks/{id}":                           {path: "/v1/blocks/" + contact, status: 204},
		"GET /v1/conversations":                            {status: 200},
		"POST /v1/conversations":                           {body: `{"kind":"self"}`, status: 200},
		"GET /v1/conversations/{id}":                       {path: "/v1/conversations/" + conv, status: 200},
		"PATCH /v1/conversations/{id}":                     {path: "/v1/conversations/" + conv, body: `{"disappearing":{"mode":"sent","seconds":60}}`, status: 200},
		"POST /v1/conversations/{id}/read":                 {path: "/v1/conversations/" + conv + "/read", body: `{"up_to":1}`, status: 200},
		"GET /v1/conversations/{id}/messages":              {path: "/v1/conversations/" + conv + "/messages", status: 200},
		"POST /v1/conversations/{id}/messages":             {path: "/v1/conversations/" + conv + "/messages", body: `{"text":"hi"}`, status: 201},
		"PUT /v1/conversations/{id}/messages/{message_id}": {path: "/v1/conversations/" + conv + "/messages/@mid@", body: `{"text":"hi"}`, status: 201},
		"POST /v1/contacts/{id}/messages":                  {path: "/v1/contacts/" + contact + "/messages", body: `{"text":"hi"}`, status: 201},
		"GET /v1/messages/{id}":                            {path: "/v1/messages/" + message, status: 200},
		"POST /v1/messages/{id}/forward":                   {path: "/v1/messages/" + message + "/forward", body: `{"to":["` + conv + `"]}`, status: 201},
		"PATCH /v1/messages/{id}":                          {path: "/v1/messages/" + message, body: `{"text":"edited"}`, status: 200},
		"GET /v1/messages/{id}/history":                    {path: "/v1/messages/" + message + "/history", status: 200},
		"DELETE /v1/messages/{id}":                         {path: "/v1/messages/@message@", status: 204},
		"GET /v1/messages/{id}/copies":                     {path: "/v1/messages/" + message + "/copies", status: 200},
		"GET /v1/messages/{id}/why":                        {path: "/v1/messages/" + message + "/why", status: 200},
		"GET /v1/outbox":                                   {status: 200},
		"GET /v1/messages":                                 {path: "/v1/messages?marked=star", status: 200},
		"PUT /v1/messages/{id}/pin":                        {path: "/v1/messages/" + message + "/pin", status: 204},
		"DELETE /v1/messages/{id}/pin":                     {path: "/v1/messages/" + message + "/pin", status: 204},
		"PUT /v1/messages/{id}/reactions/{emoji}":          {path: "/v1/messages/" + message + "/reactions/%F0%9F%91%8D", status: 204},
		"DELETE /v1/messages/{id}/reactions/{emoji}":       {path: "/v1/messages/" + message + "/reactions/%F0%9F%91%8D", status: 204},
		"PUT /v1/messages/{id}/star":                       {path: "/v1/messages/" + message + "/star", status: 204},
		"DELETE /v1/messages/{id}/star":                    {path: "/v1/messages/" + message + "/star", status: 204},
		"POST /v1/conversations/{id}/unread":               {path: "/v1/conversations/" + conv + "/unread", status: 200},
		"POST /v1/conversations/{id}/typing":               {path: "/v1/conversations/" + conv + "/typing", body: `{"active":true}`, status: 204},
		"GET /v1/self/picture":                             {status: 404},
		"PUT /v1/self/picture":                             {status: 422},
		"POST /v1/invites/scan":                            {status: 422},
		"DELETE /v1/self/picture":                          {status: 204},
		"GET /v1/contacts/{id}/picture":                    {path: "/v1/contacts/" + contact + "/picture", status: 404},
		"PUT /v1/presence":                                 {body: `{"here":true}`, status: 204},
		"PUT /v1/conversations/{id}/draft":                 {path: "/v1/conversations/" + conv + "/draft", body: `{"text":"half"}`, status: 200},
		"DELETE /v1/conversations/{id}/draft":              {path: "/v1/conversations/" + conv + "/draft", status: 204},
		"GET /v1/search":                                   {path: "/v1/search?q=hello", status: 200},
		"GET /v1/couriers":                                 {status: 200},
		"POST /v1/network/trust":                           {body: `{"network":"eth0"}`, status: 200},
		"DELETE /v1/network/trust/{network}":               {path: "/v1/network/trust/eth0", status: 204},
		"PUT /v1/network/dht":                              {body: `{"bootstrap":["/ip4/192.0.2.1/tcp/4001/p2p/12D3"]}`, status: 200},
		"DELETE /v1/network/dht":                           {status: 204},
		"GET /v1/network/egress":                           {status: 200},
		"POST /v1/couriers":                                {body: `{"contact_id":"` + contact + `"}`, status: 409},
		"POST /v1/couriers/home":                           {body: `{"uri":"@link@"}`, status: 422},
		"POST /v1/couriers/{id}/accept":                    {path: "/v1/couriers/" + contact + "/accept", status: 404},
		"DELETE /v1/couriers/{id}":                         {path: "/v1/couriers/" + contact, status: 404},
		"POST /v1/bundles/export":                          {body: `{"contact_id":"` + contact + `"}`, status: 409},
		"POST /v1/bundles/import":                          {status: 422},
		"POST /v1/drill":                                   {status: 202},
		"GET /v1/audit":                                    {status: 200},
		"POST /v1/exports":                                 {body: `{"conversation_id":"` + conv + `","format":"text"}`, status: 200},
		"GET /v1/approvals":                                {status: 200},
		"POST /v1/approvals/{id}/approve":                  {path: "/v1/approvals/@approval@/approve", status: 200},
		"POST /v1/approvals/{id}/refuse":                   {path: "/v1/approvals/@approval@/refuse", status: 204},
		"POST /v1/pairings":                                {body: `{"client_name":"p","preset":"reader"}`, status: 200},
		"GET /v1/pairings":                                 {status: 200},
		"POST /v1/pairings/{id}/collect":                   {path: "/v1/pairings/@pairing@/collect", body: `{"device_code":"x"}`, status: 404},
		"POST /v1/pairings/{id}/approve":                   {path: "/v1/pairings/@pairing@/approve", body: `{"user_code":"1234-5678"}`, status: 204},
		"POST /v1/pairings/{id}/deny":                      {path: "/v1/pairings/@pairing@/deny", status: 204},
		"GET /v1/webhooks":                                 {status: 200},
		"POST /v1/webhooks":                                {body: `{"name":"w","url":"http://127.0.0.1:9/","preset":"notifier"}`, status: 201},
		"POST /v1/webhooks/{id}/enable":                    {path: "/v1/webhooks/@webhook@/enable", status: 200},
		"DELETE /v1/webhooks/{id}":                         {path: "/v1/webhooks/@webhook@", status: 204},
		"GET /v1/jobs/{id}":                                {path: "/v1/jobs/jb_" + zeros, status: 200},
		"GET /v1/files":                                    {status: 200},
		"POST /v1/files":                                   {status: 201},
		"PATCH /v1/files/{id}":                             {path: "/v1/files/@file@", status: 422},
		"GET /v1/files/{id}":                               {path: "/v1/files/" + w.file, status: 200},
		"DELETE /v1/files/{id}":                            {path: "/v1/files/@file@", status: 204},
		"GET /v1/files/{id}/content":                       {path: "/v1/files/" + w.file + "/content", status: 200},
		"GET /v1/files/{id}/thumbnail":                     {path: "/v1/files/" + w.file + "/thumbnail", status: 404},
		"POST /v1/files/{id}/fetch":                        {path: "/v1/files/" + w.file + "/fetch", status: 409},
		"POST /v1/files/{id}/resume":                       {path: "/v1/files/" + w.file + "/resume", status: 409},
		"POST /v1/files/{id}/pause":                        {path: "/v1/files/" + w.file + "/pause", status: 409},
		"POST /v1/files/{id}/cancel":                       {path: "/v1/files/" + w.file + "/cancel", status: 409},
		"GET /v1/transfers":                                {status: 200},
		"GET /healthz":                                     {status: 200},
		"GET /readyz":                                      {status: 200},
		"GET /metrics":                                     {status: 200},
		"GET /v1/openapi.json":                             {status: 200},
	}
}

var zeros = strings.Repeat("a", 26)

// world is a ready profile with one of everything that samples name.
type world struct {
	d                                                             *testDaemon
	conversation, contact, message, invite, link, cursor, tokenID string
	file                                                          string
	owner                                                         string // a token with every scope but owner
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := startReady(t)
	w := &world{d: d, link: link(t)}
	all := slices.DeleteFunc(api.Scopes(), func(s api.Scope) bool { return s == api.ScopeOwner })
	w.owner = d.token(api.TokenRequest{Scopes: all, Constraints: api.Constraints{Rate: 1000, Origins: []string{"http://localhost:5173"}}})
	w.tokenID = api.TokenID(w.owner)
	var c api.Conversation
	d.must(200, call{method: "POST", path: "/v1/conversations", body: `{"kind":"self"}`}).into(t, &c)
	w.conversation = c.ID
	w.contact = w.newContact()
	w.message = w.newMessage()
	w.invite = w.newInvite()
	w.file = w.newFile()
	w.cursor = d.must(200, call{method: "PUT", path: "/v1/consumers/c1", body: `{}`}).header.Get("Pabal-Cursor")
	return w
}

func (w *world) newContact() string {
	var out api.Accepted
	w.d.must(202, call{method: "POST", path: "/v1/invites/accept", body: `{"uri":"` + link(w.d.t) + `"}`}).into(w.d.t, &out)
	return out.ContactID
}

func (w *world) newMessage() string {
	var out api.Message
	w.d.must(201, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: `{"text":"hello"}`}).into(w.d.t, &out)
	return *out.ID
}

func (w *world) newFile() string {
	var out api.File
	w.d.must(201, call{method: "POST", path: "/v1/files", body: "the bytes of a file"}).into(w.d.t, &out)
	return out.ID
}

func (w *world) newInvite() string {
	var out api.Invite
	w.d.must(201, call{method: "POST", path: "/v1/invites", body: `{}`}).into(w.d.t, &out)
	return out.ID
}

// fill replaces the marks of a sample by fresh objects.
func (w *world) fill(s sample) sample {
	for mark, make := range map[string]func() string{
		"@contact@": w.newContact, "@message@": w.newMessage, "@file@": w.newFile, "@invite@": w.newInvite, "@mid@": api.NewMessageID,
		"@link@":     func() string { return link(w.d.t) },
		"@approval@": w.newApproval,
		"@pairing@":  w.newPairing,
		"@webhook@": func() string {
			return w.d.webhook(api.WebhookRequest{URL: "http://127.0.0.1:9/", Preset: api.PresetNotifier}).ID
		},
		"@token@": func() string { return api.TokenID(w.d.token(api.TokenRequest{Preset: api.PresetBot})) },
		"@consumer@": func() string {
			w.d.must(200, call{method: "PUT", path: "/v1/consumers/gone", body: `{}`})
			return "gone"
		},
		"@code@": func() string {
			var out api.LoginLink
			w.d.must(201, call{method: "POST", path: "/v1/login-links"}).into(w.d.t, &out)
			return out.Code
		},
	} {
		if strings.Contains(s.path+s.body, mark) {
			made := make()
			s.path, s.body = strings.ReplaceAll(s.path, mark, made), strings.ReplaceAll(s.body, mark, made)
		}
	}
	return s
}

// TestEveryRouteHasASample makes the other tests here complete.
func TestEveryRouteHasASample(t *testing.T) {
	all := samples(new(world))
	for _, rt := range routes() {
		if _, ok := all[rt.name()]; !ok {
			t.Errorf("no sample for %s", rt.name())
		}
		delete(all, rt.name())
	}
	for name := range all {
		t.Errorf("sample for %s, which is no route", name)
	}
}

// each runs a function for every route with its sample, its path filled in.
func each(t *testing.T, w *world, run func(t *testing.T, rt *route, s sample)) {
	t.Helper()
	all := samples(w)
	table := routes()
	for i := range table {
		rt := &table[i]
		s := all[rt.name()]
		if s.path == "" {
			s.path = rt.path
		}
		t.Run(rt.name(), func(t *testing.T) { run(t, rt, s) })
	}
}

func TestRoutesAnswerTheOwner(t *testing.T) {
	w := newWorld(t)
	each(t, w, func(t *testing.T, rt *route, s sample) {
		w.bring(t, s.state)
		if s.state == api.StateUninitialised {
			return // TestSetup, TestRestore
		}
		s = w.fill(s)
		a := w.d.must(s.status, call{method: rt.method, path: s.path, body: s.body})
		if a.header.Get("Pabal-Request-Id") == "" || a.header.Get("Pabal-Api") != "1.0" {
			t.Errorf("headers %v lack the request's id or the version", a.header)
		}
		if got := a.header["Set-Cookie"]; got != nil {
			t.Errorf("sets a cookie")
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v lack nosniff or no-store", a.header)
		}
	})
}

// bring puts the daemon in a state; empty is ready.
func (w *world) bring(t *testing.T, state api.State) {
	t.Helper()
	if state == "" {
		state = api.StateReady
	}
	now := w.d.State().State
	switch {
	case state == now || state == api.StateUninitialised:
	case state == api.StateLocked:
		if err := w.d.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
	default:
		if err := w.d.Unlock(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRoutesAnswerATokenWithTheScope(t *testing.T) {
	w := newWorld(t)
	each(t, w, func(t *testing.T, rt *route, s sample) {
		if len(rt.scopes) == 0 || rt.stepUp || slices.Contains(rt.scopes, api.ScopeOwner) || s.state != "" || rt.path == "/v1/lock" {
			return
		}
		s = w.fill(s)
		for _, scope := range rt.scopes {
			granted := []api.Scope{scope}
			if rt.path == "/v1/messages/{id}/forward" { // it sends on what it may read only
				granted = append(granted, api.ScopeMessagesRead)
			}
			token := w.d.token(api.TokenRequest{Scopes: granted})
			again := w.fill(samples(w)[rt.name()])
			if again.path == "" {
				again.path = rt.path
			}
			if rt.name() == "POST /v1/tokens" { // it can only give what it has
				again.body = `{"name":"t","scopes":["tokens:manage"]}`
			}
			if rt.path == "/v1/events/ack" || rt.path == "/v1/consumers/{name}" { // it can only use its own
				w.d.must(200, call{method: "PUT", path: "/v1/consumers/c3", body: `{}`, token: token})
				again.body = strings.ReplaceAll(again.body, "c1", "c3")
				again.path = strings.ReplaceAll(again.path, "gone", "c3")
			}
			w.d.must(s.status, call{method: rt.method, path: again.path, body: again.body, token: token})
			w.d.must(204, call{method: "DELETE", path: "/v1/tokens/" + api.TokenID(token)})
		}
	})
}

func TestRoutesRefuseWithoutTheScope(t *testing.T) {
	w := newWorld(t)
	each(t, w, func(t *testing.T, rt *route, s sample) {
		if len(rt.scopes) == 0 || s.state != "" {
			return
		}
		other := slices.DeleteFunc(api.Scopes(), func(s api.Scope) bool {
			return s == api.ScopeOwner || slices.Contains(rt.scopes, s)
		})
		token := w.d.token(api.TokenRequest{Scopes: other})
		a := w.d.must(403, call{method: rt.method, path: s.path, body: s.body, token: token})
		want := api.CodeScopeMissing
		if rt.stepUp {
			want = api.CodeConfirmRequired
		}
		if a.problem() != want {
			t.Errorf("code %s, want %s", a.problem(), want)
		}
		w.d.must(204, call{method: "DELETE", path: "/v1/tokens/" + api.TokenID(token)})
	})
}

// TestStrangersLearnNothing: whatever the path, the answer has no body and one of
// two statuses, and nothing else tells what is there.
func TestStrangersLearnNothing(t *testing.T) {
	w := newWorld(t)
	check := func(t *testing.T, want int, c call) {
		t.Helper()
		a := w.d.must(want, c)
		names := make([]string, 0, len(a.header))
		for name := range a.header {
			names = append(names, name)
		}
		slices.Sort(names)
		const bare = "[Cache-Control Content-Length Cross-Origin-Resource-Policy Date X-Content-Type-Options]"
		if a.body != "" || fmt.Sprint(names) != bare {
			t.Errorf("%s %s answers %q with headers %v", c.method, c.path, a.body, names)
		}
	}
	each(t, w, func(t *testing.T, rt *route, s sample) {
		check(t, 421, call{method: rt.method, path: s.path, body: s.body, token: "-", host: "evil.test"})
		check(t, 421, call{method: rt.method, path: s.path, body: s.body, token: w.owner, host: "127.0.0.1"})
		check(t, 401, call{method: rt.method, path: s.path, body: s.body, token: w.owner + "x"})
		if rt.public {
			s.body = `{"code":"wrong-code","token_id":"tk_x","nonce":"AAAAAAAAAAAAAAAAAAAAAAAA"}`
		}
		check(t, 401, call{method: rt.method, path: s.path, body: s.body, token: "-"})
		check(t, 401, call{method: rt.method, path: s.path, body: s.body, token: "-", header: map[string]string{"Origin": "https://evil.test"}})
	})
	for _, path := range []string{"/", "/favicon.ico", "/openapi.json", "/v1", "/v1/none", "/w/", "/w/guess/app.js", "/docs", "//v1/status", "/v1/../v1/status"} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "HEAD", "TRACE"} {
			check(t, 401, call{method: method, path: path, token: "-"})
			check(t, 421, call{method: method, path: path, token: "-", host: "localhost.evil.test"})
		}
	}
	check(t, 401, call{method: "OPTIONS", path: "/v1/status", token: "-", header: map[string]string{
		"Origin": "https://evil.test", "Access-Control-Request-Method": "GET"}})
}

func TestRoutesRefuseForeignPages(t *testing.T) {
	w := newWorld(t)
	each(t, w, func(t *testing.T, rt *route, s sample) {
		for _, header := range []map[string]string{
			{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
			{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
		} {
			a := w.d.must(403, call{method: rt.method, path: s.path, body: s.body, token: w.owner, header: header})
			if a.problem() != api.CodeOriginNotAllowed {
				t.Errorf("%v: code %s", header, a.problem())
			}
		}
		for _, header := range []map[string]string{
			{"Origin": w.d.server.Base()}, {"Referer": "http://x/"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Dest": "empty"},
		} {
			a := w.d.must(403, call{method: rt.method, path: s.path, body: s.body, header: header})
			if a.problem() != api.CodeOriginNotAllowed {
				t.Errorf("unix %v: code %s", header, a.problem())
			}
		}
		if a := w.d.do(call{method: rt.method, path: s.path, body: s.body, host: "127.0.0.1"}); a.status != 421 || a.body != "" {
			t.Errorf("unix with another host = %d %q", a.status, a.body)
		}
	})
}

func TestRoutesRefuseUnknownFields(t *testing.T) {
	w := newWorld(t)
	each(t, w, func(t *testing.T, rt *route, s sample) {
		if s.state != "" {
			return
		}
		mark := "?"
		if strings.Contains(s.path, mark) {
			mark = "&"
		}
		a := w.d.do(call{method: rt.method, path: s.path + mark + "no_such=1", body: s.body})
		raw := strings.HasSuffix(rt.path, ".svg") || rt.path == "/metrics" || rt.path == "/v1/openapi.json"
		if !raw && (a.status != 422 || a.problem() != api.CodeUnknownField) {
			t.Errorf("unknown parameter = %d %s", a.status, a.body)
		}
		if s.body == "" {
			return
		}
		body := strings.Replace(s.body, "{", `{"no_such":"secret-value",`, 1)
		body = strings.Replace(body, ",}", "}", 1)
		a = w.d.must(422, call{method: rt.method, path: s.path, body: body})
		if a.problem() != api.CodeUnknownField || !strings.Contains(a.body, `"/no_such"`) || strings.Contains(a.body, "secret-value") {
			t.Errorf("unknown field: %s", a.body)
		}
	})
}

func TestRoutesWhileLocked(t *testing.T) {
	w := newWorld(t)
	w.bring(t, api.StateLocked)
	open := []string{
		"GET /v1/status", "POST /v1/unlock", "POST /v1/lock", "POST /v1/shutdown", "POST /v1/wipe", "GET /healthz", "GET /readyz", "GET /v1/openapi.json",
		"GET /v1/events", "GET /v1/auth/me", "DELETE /v1/auth/me", "POST /v1/auth/proof", "POST /v1/auth/exchange", "POST /v1/login-links",
	}
	each(t, w, func(t *testing.T, rt *route, s sample) {
		if slices.Contains(open, rt.name()) || rt.states == inUninitialised {
			return
		}
		if a := w.d.must(423, call{method: rt.method, path: s.path, body: s.body}); a.problem() != api.CodeLocked {
			t.Errorf("code %s", a.problem())
		}
		if a := w.d.must(401, call{method: rt.method, path: s.path, body: s.body, token: w.owner}); a.body != "" {
			t.Errorf("a token answers %q while the keys are erased", a.body)
		}
	})
}

func TestRoutesInOtherStates(t *testing.T) {
	w := newWorld(t)
	for state, want := range map[api.State]api.Code{
		api.StateStarting: api.CodeNotReady, api.StateStopping: api.CodeStopping, api.StateUninitialised: api.CodeUninitialised,
		api.StateReadOnly: api.CodeStorageFull,
	} {
		w.d.set(state)
		each(t, w, func(t *testing.T, rt *route, s sample) {
			if rt.states.has(state) {
				return
			}
			a := w.d.do(call{method: rt.method, path: s.path, body: s.body})
			code := want
			switch {
			case rt.states == inUninitialised && state == api.StateReadOnly:
				code = api.CodeAlreadyInitialised
			case rt.path == "/v1/unlock" && state == api.StateReadOnly:
				code = api.CodeNotLocked
			}
			if a.problem() != code {
				t.Errorf("%s: %d %s, want %s", state, a.status, a.body, code)
			}
		})
	}
	w.d.set(api.StateReady)
}

func (s states) has(state api.State) bool { return s&stateBit(state) != 0 }

func TestReadsChangeNothing(t *testing.T) {
	w := newWorld(t)
	before := w.d.writes
	each(t, w, func(t *testing.T, rt *route, s sample) {
		if rt.method == http.MethodGet {
			w.d.must(s.status, call{method: rt.method, path: s.path})
		}
	})
	if w.d.writes != before {
		t.Errorf("reading made %d commits", w.d.writes-before)
	}
}
