package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pabal/node/api"
)

// serve answers on a unix socket and returns a client of it.
func serve(t *testing.T, handler http.HandlerFunc) *api.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: handler}
	over := make(chan struct{})
	go func() { defer close(over); srv.Serve(l) }()
	c := api.NewUnixClient(socket)
	t.Cleanup(func() { c.Close(); srv.Close(); <-over })
	return c
}

func TestReadDiscovery(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, api.DiscoveryFile)
	if _, err := api.ReadDiscovery(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for text, ok := range map[string]bool{
		`{"pid":7,"started_at":"2026-11-24T10:00:00.000Z","unix":"/s","tcp":"http://127.0.0.1:1","api":{"major":1,"minor":0},"version":"x","new":1}`: true,
		`{"pid":`: false,
		``:        false,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := api.ReadDiscovery(path)
		if (err == nil) != ok || ok && (d.PID != 7 || d.Unix != "/s" || d.API.Major != 1) {
			t.Errorf("%s: %+v, %v", text, d, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	answers := map[string]struct {
		status int
		body   string
		want   api.Code
	}{
		"/v1/contacts/a": {404, `{"code":"not_found","status":404,"title":"x"}`, api.CodeNotFound},
		"/v1/contacts/b": {401, ``, api.CodeUnauthenticated},
		"/v1/contacts/c": {421, ``, api.CodeHostNotAllowed},
		"/v1/contacts/d": {502, `<html>`, api.CodeInternal},
		"/v1/contacts/e": {409, `{"code":"of_a_later_version"}`, "of_a_later_version"},
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		a := answers[r.URL.Path]
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	})
	for path, a := range answers {
		_, err := c.Contact(t.Context(), strings.TrimPrefix(path, "/v1/contacts/"))
		p := (*api.Problem)(nil)
		if !errors.As(err, &p) || p.Code != a.want || p.Status != a.status {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestCalls calls every method once and looks at what arrives.
func TestCalls(t *testing.T) {
	var got []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		line := r.Method + " " + r.URL.RequestURI()
		if b, _ := io.ReadAll(r.Body); len(b) > 0 {
			line += " " + string(b)
			if r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: type %q", line, r.Header.Get("Content-Type"))
			}
		}
		if key := r.Header.Get("Idempotency-Key"); key != "" {
			line += " key=" + key
		}
		got = append(got, line)
		io.WriteString(w, "{}")
	})
	ctx := t.Context()
	var want []string
	expect := func(line string, call func() error) {
		t.Helper()
		want = append(want, line)
		if err := call(); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	call := func(line string, fn any, args ...any) {
		t.Helper()
		expect(line, func() error { return invoke(ctx, fn, args) })
	}
	call("GET /v1/status", c.Status)
	call(`POST /v1/setup {"display_name":"M","disappearing":null}`, c.Setup, api.SetupRequest{DisplayName: "M"})
	call(`POST /v1/unlock {"passphrase":"p"}`, c.Unlock, "p")
	call("POST /v1/lock", c.Lock)
	call("POST /v1/shutdown", c.Shutdown)
	call("GET /v1/snapshot?conversations=3&messages=2", c.Snapshot, api.SnapshotOptions{Conversations: 3, Messages: 2})
	call("GET /v1/settings", c.Settings)
	call(`PATCH /v1/settings {"disappearing":null}`, c.UpdateSettings, api.SettingsPatch{Disappearing: api.Some[*api.Disappearing](nil)})
	call("GET /v1/network", c.Network)
	call("GET /healthz", c.Healthy)
	call("GET /readyz", c.Ready)
	call("GET /metrics", c.Metrics)
	call("GET /v1/openapi.json", c.OpenAPI)
	call(`POST /v1/auth/exchange {"code":"123456"}`, c.Exchange, api.ExchangeRequest{Code: "123456"})
	call("GET /v1/auth/me", c.Me)
	call("DELETE /v1/auth/me", c.Logout)
	call(`POST /v1/login-links {"client_name":"w"}`, c.CreateLoginLink, api.LoginLinkRequest{ClientName: "w"})
	call("GET /v1/tokens", c.Tokens)
	call(`POST /v1/tokens {"name":"t","preset":"bot"}`, c.CreateToken, api.TokenRequest{Name: "t", Preset: api.PresetBot})
	call("GET /v1/tokens/tk_1", c.Token, "tk_1")
	call("DELETE /v1/tokens/tk_1", c.RevokeToken, "tk_1")
	call("GET /v1/self", c.Self)
	name := "N"
	call(`PATCH /v1/self {"display_name":"N"}`, c.UpdateSelf, api.SelfPatch{DisplayName: &name})
	call("GET /v1/self/fingerprint", c.SelfFingerprint)
	call("GET /v1/self/qr.svg", c.SelfQR)
	call("GET /v1/invites", c.Invites)
	call(`POST /v1/invites {"kind":"card"}`, c.CreateInvite, api.InviteRequest{Kind: "card"})
	call("GET /v1/invites/in_1", c.Invite, "in_1")
	call("DELETE /v1/invites/in_1", c.RevokeInvite, "in_1")
	call("GET /v1/invites/in_1/qr.svg", c.InviteQR, "in_1")
	call("GET /v1/contacts/c_1/verification/qr.svg", c.VerificationQR, "c_1")
	call(`POST /v1/invites/inspect {"uri":"u"}`, c.InspectInvite, api.InspectRequest{URI: "u"})
	call(`POST /v1/invites/accept {"uri":"u","alias":"A"}`, c.AcceptInvite, api.AcceptRequest{URI: "u", Alias: "A"})
	call("GET /v1/requests", c.Requests, "")
	call("GET /v1/requests?state=declined", c.Requests, "declined")
	call("POST /v1/requests/rq_1/accept", c.AcceptRequest, "rq_1")
	call("POST /v1/requests/rq_1/decline", c.DeclineRequest, "rq_1")
	call("POST /v1/requests/rq_1/block", c.BlockRequest, "rq_1")
	call("GET /v1/contacts?query=%E3%85%8E&state=failed", c.Contacts, api.ContactQuery{State: "failed", Query: "ㅎ"})
	call("GET /v1/contacts/@a%2Fb", c.Contact, "@a/b")
	call(`PATCH /v1/contacts/ct_1 {"alias":"N"}`, c.UpdateContact, "ct_1", api.ContactPatch{Alias: api.Some(&name)})
	call("DELETE /v1/contacts/ct_1", c.RemoveContact, "ct_1")
	call("GET /v1/contacts/ct_1/why", c.WhyContact, "ct_1")
	call("GET /v1/contacts/ct_1/verification", c.Verification, "ct_1")
	call(`POST /v1/contacts/ct_1/verify {"method":"number"}`, c.Verify, "ct_1", api.VerifyRequest{Method: "number"})
	call("DELETE /v1/contacts/ct_1/verification", c.Unverify, "ct_1")
	call("GET /v1/blocks", c.Blocks)
	call("PUT /v1/blocks/ct_1", c.Block, "ct_1")
	call("DELETE /v1/blocks/ct_1", c.Unblock, "ct_1")
	call("GET /v1/conversations", c.Conversations)
	call("GET /v1/conversations/cv_1", c.Conversation, "cv_1")
	call(`POST /v1/conversations {"kind":"self"}`, c.OpenConversation, api.ConversationRequest{Kind: "self"})
	call(`PATCH /v1/conversations/cv_1 {"disappearing":{"mode":"sent","seconds":60}}`, c.UpdateConversation, "cv_1",
		api.ConversationPatch{Disappearing: api.Some(&api.Disappearing{Mode: "sent", Seconds: 60})})
	call(`POST /v1/conversations/cv_1/read {"up_to":7}`, c.MarkRead, "cv_1", uint64(7))
	call("GET /v1/conversations/cv_1/messages?before=9&limit=3", c.Messages, "cv_1", api.MessageQuery{Before: 9, Limit: 3})
	call("GET /v1/conversations/cv_1/messages?after=0", c.Messages, "cv_1", api.MessageQuery{First: true})
	text := api.MessageRequest{Text: "hi"}
	call(`PUT /v1/conversations/cv_1/messages/ms_1?timeout_ms=50&wait=delivered {"text":"hi"}`, c.PutMessage, "cv_1", "ms_1", text,
		api.SendOptions{Wait: api.StateDelivered, Timeout: 50 * time.Millisecond})
	call(`POST /v1/conversations/cv_1/messages {"text":"hi"}`, c.SendMessage, "cv_1", text, api.SendOptions{})
	call(`POST /v1/contacts/@%EB%AF%BC%EC%88%98/messages {"text":"hi"}`, c.SendToContact, "@민수", text, api.SendOptions{})
	call("GET /v1/messages/ms_1", c.Message, "ms_1")
	call("DELETE /v1/messages/ms_1", c.DeleteMessage, "ms_1")
	call("PUT /v1/messages/ms_1/reactions/%F0%9F%91%8D", func(ctx context.Context, id string) error { return c.React(ctx, id, "👍") }, "ms_1")
	call("DELETE /v1/messages/ms_1/reactions/%F0%9F%91%8D", func(ctx context.Context, id string) error { return c.Unreact(ctx, id, "👍") }, "ms_1")
	call(`PATCH /v1/messages/ms_1 {"text":"new"}`, c.EditMessage, "ms_1", "new")
	call(`POST /v1/messages/ms_1/forward {"to":["@Mina"]}`, c.ForwardMessage, "ms_1", "@Mina")
	call("GET /v1/messages/ms_1/history", c.MessageHistory, "ms_1")
	call("DELETE /v1/messages/ms_1?for=everyone", c.DeleteForEveryone, "ms_1")
	call("GET /v1/messages/ms_1/why", c.WhyMessage, "ms_1")
	call("GET /v1/outbox", c.Outbox)
	call("GET /v1/consumers", c.Consumers)
	call(`PUT /v1/consumers/bot {}`, c.PutConsumer, "bot", api.ConsumerRequest{})
	call("DELETE /v1/consumers/bot", c.DeleteConsumer, "bot")
	call(`POST /v1/events/ack {"consumer":"bot","cursor":"e1.1"}`, c.Ack, api.Ack{Consumer: "bot", Cursor: "e1.1"})
	call("GET /v1/events?after=e1.2&limit=5&wait_ms=9", c.PollEvents, api.EventsOptions{After: "e1.2"}, 9*time.Millisecond, 5)
	ctx = api.WithIdempotencyKey(t.Context(), "k1")
	call(`POST /v1/invites {} key=k1`, c.CreateInvite, api.InviteRequest{})
	call(`POST /v1/contacts/ct_1/messages {"text":"hi"} key=k1`, c.SendToContact, "ct_1", text, api.SendOptions{})
	if !slices.Equal(got, want) {
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("call %d arrives as\n%q, want\n%q", i, got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
			}
		}
	}
}

// invoke calls a method of the client and returns its error.
func invoke(ctx context.Context, fn any, args []any) error {
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for _, a := range args {
		in = append(in, reflect.ValueOf(a))
	}
	out := reflect.ValueOf(fn).Call(in)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

func TestNewMessageID(t *testing.T) {
	a, b := api.NewMessageID(), api.NewMessageID()
	if len(a) != 29 || a == b || strings.Trim(a[3:], "abcdefghijklmnopqrstuvwxyz234567") != "" || a[:3] != "ms_" {
		t.Errorf("%s %s", a, b)
	}
}

// TestFollow resumes from the last cursor after breaks of every kind.
func TestFollow(t *testing.T) {
	var calls atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		after := r.URL.Query().Get("after")
		line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
		switch calls.Add(1) {
		case 1:
			if after != "latest" {
				t.Errorf("the first stream is after %q", after)
			}
			line(`{"type":"hello","data":{"cursor":"e1.5"}}`)
		case 2:
			if after != "e1.5" {
				t.Errorf("the second stream is after %q", after)
			}
			line(`{"type":"hello","data":{"cursor":"e1.7"}}`)
			line(`{"type":"heartbeat"}`)
			line(`{"cursor":"e1.6","type":"message.created"}`)
			line(`{"type":"bye","data":{"reason":"slow"}}`)
		case 3:
			w.WriteHeader(503)
			line(`{"code":"not_ready","status":503,"retryable":true}`)
		case 4:
			if after != "e1.6" {
				t.Errorf("the fourth stream is after %q", after)
			}
			line(`{"cursor":"e1.7","type":"message.created"}`)
		default:
			w.WriteHeader(403)
			line(`{"code":"scope_missing","status":403}`)
		}
	})
	var seen []string
	err := c.Follow(t.Context(), api.EventsOptions{Latest: true}, func(e api.Event) error {
		seen = append(seen, e.Type+e.Cursor)
		return nil
	})
	if !errors.Is(err, &api.Problem{Code: api.CodeScopeMissing}) {
		t.Errorf("Follow ends with %v", err)
	}
	if want := []string{"hello", "hello", "message.createde1.6", "bye", "message.createde1.7"}; !slices.Equal(seen, want) {
		t.Errorf("events %v, want %v", seen, want)
	}
}

func TestFollowEndsWithItsCaller(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"type":"hello"}`+"\n")
	})
	stop := errors.New("enough")
	if err := c.Follow(t.Context(), api.EventsOptions{}, func(api.Event) error { return stop }); err != stop {
		t.Errorf("the handler's error becomes %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Follow(ctx, api.EventsOptions{}, func(api.Event) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled Follow ends with %v", err)
	}
}

func TestStreamRefusal(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
	if _, err := c.Events(t.Context(), api.EventsOptions{}); !errors.Is(err, &api.Problem{Code: api.CodeUnauthenticated}) {
		t.Errorf("%v", err)
	}
	c = serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "not json\n") })
	s, err := c.Events(t.Context(), api.EventsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a broken line: %v", err)
	}
}

func TestTokenIDs(t *testing.T) {
	id := api.TokenID("pbl_token_abc")
	if !strings.HasPrefix(id, "tk_") || len(id) != 29 || id != api.TokenID("pbl_token_abc") || id == api.TokenID("pbl_token_abd") {
		t.Errorf("id %s", id)
	}
	if !strings.HasPrefix(api.TokenID(api.SessionSecretPrefix+"x"), "ss_") {
		t.Error("a session's id")
	}
	for _, p := range []api.Preset{api.PresetFrontend, api.PresetBot, api.PresetReader, api.PresetNotifier, api.PresetMetrics} {
		for _, s := range p.Scopes() {
			if !slices.Contains(api.Scopes(), s) || s == api.ScopeOwner {
				t.Errorf("preset %s has %s", p, s)
			}
		}
	}
	if api.Preset("x").Scopes() != nil {
		t.Error("an unknown preset has scopes")
	}
}

// ExampleClient sends a message and follows the answers.
func ExampleClient() {
	d, err := api.ReadDiscovery("/run/user/1000/pabal/default/" + api.DiscoveryFile)
	if err != nil {
		fmt.Println("no daemon runs")
		return
	}
	ctx := context.Background()
	c := api.NewUnixClient(d.Unix)
	defer c.Close()
	m, err := c.SendToContact(ctx, "@Mina", api.MessageRequest{Text: "안녕, 반가워요 👋"}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Status.State)
	err = c.Follow(ctx, api.EventsOptions{Latest: true, Types: []string{api.EventMessageCreated}}, func(e api.Event) error {
		var m api.Message
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return err
		}
		fmt.Println(m.Sender.Name, m.Body.Text)
		return nil
	})
	fmt.Println(err)
	// Output: no daemon runs
}
