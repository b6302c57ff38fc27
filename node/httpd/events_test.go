package httpd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// eventLines is an open stream.
type eventLines struct {
	t     *testing.T
	body  io.ReadCloser
	lines *bufio.Scanner
}

func (d *testDaemon) openStream(t *testing.T, query, accept, token string) *eventLines {
	t.Helper()
	base, dial := "http://pabal.sock", "unix"
	address := d.server.Socket()
	if token != "" {
		base, dial, address = d.server.Base(), "tcp", strings.TrimPrefix(d.server.Base(), "http://")
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, dial, address)
	}}
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close(); transport.CloseIdleConnections() })
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("stream = %d %s", resp.StatusCode, b)
	}
	return &eventLines{t: t, body: resp.Body, lines: bufio.NewScanner(resp.Body)}
}

// next returns the next event of an NDJSON stream; io.EOF ends the test.
func (l *eventLines) next() api.Event {
	l.t.Helper()
	for l.lines.Scan() {
		var e api.Event
		if err := json.Unmarshal(l.lines.Bytes(), &e); err != nil {
			l.t.Fatalf("decode %q: %v", l.lines.Text(), err)
		}
		if e.Type != api.EventHeartbeat {
			return e
		}
	}
	l.t.Fatalf("the stream ended: %v", l.lines.Err())
	return api.Event{}
}

// want reads events up to one of a type and returns it.
func (l *eventLines) want(kind string) api.Event {
	l.t.Helper()
	for {
		e := l.next()
		if e.Type == kind {
			return e
		}
		if e.Type == api.EventBye {
			l.t.Fatalf("bye %s before %s", e.Data, kind)
		}
	}
}

func decode[T any](t testing.TB, e api.Event) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(e.Data, &v); err != nil {
		t.Fatalf("%s: decode %s: %v", e.Type, e.Data, err)
	}
	return v
}

func TestEventStreamReplaysAndFollows(t *testing.T) {
	w := newWorld(t)
	s := w.d.openStream(t, "types=message.*", ndjsonType, "")
	hello := decode[api.Hello](t, s.next())
	if hello.HeartbeatMS != 15000 || !strings.HasPrefix(hello.Cursor, "e") {
		t.Errorf("hello %+v", hello)
	}
	old := s.want(api.EventMessageCreated)
	if m := decode[api.Message](t, old); *m.ID != w.message || m.Body.Text != "hello" {
		t.Errorf("replayed %+v, want message %s", m, w.message)
	}
	fresh := w.newMessage() // while the stream is open
	e := s.want(api.EventMessageCreated)
	if m := decode[api.Message](t, e); *m.ID != fresh {
		t.Errorf("followed %s, want %s", *m.ID, fresh)
	}
	again := w.d.openStream(t, "types=message.*&after="+old.Cursor, ndjsonType, "")
	again.want(api.EventHello)
	if got := again.next(); got.Cursor != e.Cursor {
		t.Errorf("resumed at %s, want %s", got.Cursor, e.Cursor)
	}
}

func TestEventStreamAsSSE(t *testing.T) {
	w := newWorld(t)
	w.newMessage()
	s := w.d.openStream(t, "types=message.created", sseType, w.owner)
	var block []string
	for s.lines.Scan() {
		if line := s.lines.Text(); line != "" {
			block = append(block, line)
			continue
		}
		if len(block) == 3 && block[1] == "event: message.created" {
			cursor := strings.TrimPrefix(block[0], "id: ")
			var e api.Event
			if err := json.Unmarshal([]byte(strings.TrimPrefix(block[2], "data: ")), &e); err != nil || e.Cursor != cursor {
				t.Errorf("data %q under id %s: %v", block[2], cursor, err)
			}
			return
		}
		block = nil
	}
	t.Fatal("no message.created event")
}

// TestLastEventID is how a browser's reader resumes.
func TestLastEventID(t *testing.T) {
	w := newWorld(t)
	var all, rest api.EventPage
	w.d.must(200, call{method: "GET", path: "/v1/events"}).into(t, &all)
	last := map[string]string{"Last-Event-ID": all.Events[len(all.Events)-2].Cursor}
	w.d.must(200, call{method: "GET", path: "/v1/events", header: last}).into(t, &rest)
	if len(rest.Events) != 1 || rest.Events[0].Cursor != all.Cursor {
		t.Errorf("the rest is %+v", rest)
	}
}

func TestEventLongPoll(t *testing.T) {
	w := newWorld(t)
	var first api.EventPage
	w.d.must(200, call{method: "GET", path: "/v1/events?types=message.created"}).into(t, &first)
	if len(first.Events) != 1 || first.Cursor == "" || first.Gap != nil {
		t.Fatalf("first page %+v", first)
	}
	got := make(chan answer, 1)
	go func() { got <- w.d.do(call{method: "GET", path: "/v1/events?wait_ms=60000&after=" + first.Cursor}) }()
	w.newMessage()
	var next api.EventPage
	(<-got).into(t, &next)
	if len(next.Events) == 0 || next.Events[0].Type != api.EventMessageCreated {
		t.Errorf("long poll gave %+v", next)
	}
	var none api.EventPage
	w.d.must(200, call{method: "GET", path: "/v1/events?wait_ms=1&after=latest"}).into(t, &none)
	if len(none.Events) != 0 || none.Cursor < next.Cursor {
		t.Errorf("empty page %+v after %s", none, next.Cursor)
	}
	var one api.EventPage
	w.d.must(200, call{method: "GET", path: "/v1/events?limit=1"}).into(t, &one)
	if len(one.Events) != 1 || one.Cursor != one.Events[0].Cursor {
		t.Errorf("page of one: %+v", one)
	}
}

func TestEventQueriesAreChecked(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]api.Code{
		"after=x": api.CodeCursorInvalid, "after=e1": api.CodeCursorInvalid, "after=e01.1": api.CodeCursorInvalid,
		"limit=0": api.CodeValidationFailed, "limit=1001": api.CodeValidationFailed, "limit=x": api.CodeValidationFailed,
		"wait_ms=60001": api.CodeValidationFailed, "ephemeral=yes": api.CodeValidationFailed,
		"types=Message": api.CodeValidationFailed, "types=message.*.*": api.CodeValidationFailed,
		"body=all": api.CodeValidationFailed, "consumer=nobody": api.CodeNotFound, "conversation=cv_x": api.CodeNotFound,
		"nothing=1": api.CodeUnknownField, "%zz": api.CodeValidationFailed,
	} {
		if a := w.d.do(call{method: "GET", path: "/v1/events?" + query}); a.problem() != want {
			t.Errorf("%s = %d %s, want %s", query, a.status, a.body, want)
		}
	}
}

// TestCursorOfAnotherLog says gap and goes on from the oldest event.
func TestCursorOfAnotherLog(t *testing.T) {
	w := newWorld(t)
	s := w.d.openStream(t, "after=e7.3", ndjsonType, "")
	s.want(api.EventHello)
	gap := decode[api.Gap](t, s.next())
	if gap.Reason != "epoch" {
		t.Errorf("gap %+v", gap)
	}
	if e := s.next(); e.Cursor == "" {
		t.Errorf("after the gap came %+v", e)
	}
	var page api.EventPage
	w.d.must(200, call{method: "GET", path: "/v1/events?after=e7.3"}).into(t, &page)
	if page.Gap == nil || len(page.Events) == 0 {
		t.Errorf("page %+v", page)
	}
}

// TestDeletedTextIsNotReplayed: the log holds references only.
func TestDeletedTextIsNotReplayed(t *testing.T) {
	w := newWorld(t)
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + w.message})
	a := w.d.must(200, call{method: "GET", path: "/v1/events"})
	if strings.Contains(a.body, "hello") {
		t.Errorf("the replay shows a deleted text: %s", a.body)
	}
	var page api.EventPage
	a.into(t, &page)
	found := false
	for _, e := range page.Events {
		if e.Type == api.EventMessageDeleted {
			ref := decode[api.Reference](t, e)
			found = ref.ID == w.message && ref.Position > 0
		}
	}
	if !found {
		t.Errorf("no message.deleted for %s in %s", w.message, a.body)
	}
}

func TestEventsOfOneConversation(t *testing.T) {
	w := newWorld(t)
	w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages", body: `{"text":"for a contact"}`})
	var page api.EventPage
	w.d.must(200, call{method: "GET", path: "/v1/events?conversation=" + w.conversation}).into(t, &page)
	if len(page.Events) == 0 {
		t.Error("no events")
	}
	for _, e := range page.Events {
		if e.ConversationID != w.conversation {
			t.Errorf("event %+v", e)
		}
	}
}

func TestEventReferences(t *testing.T) {
	w := newWorld(t)
	var page api.EventPage
	w.d.must(200, call{method: "GET", path: "/v1/events?body=refs&types=message.*,contact.*"}).into(t, &page)
	for _, e := range page.Events {
		ref := decode[map[string]any](t, e)
		if _, ok := ref["id"]; !ok || len(ref) > 2 {
			t.Errorf("%s refers by %s", e.Type, e.Data)
		}
	}
	if len(page.Events) < 2 {
		t.Errorf("%d events", len(page.Events))
	}
}

func TestConsumers(t *testing.T) {
	w := newWorld(t)
	var c api.Consumer
	w.d.must(200, call{method: "PUT", path: "/v1/consumers/bot", body: `{}`}).into(t, &c)
	start := c.Cursor
	w.newMessage()
	w.newMessage()
	var page api.EventPage
	w.d.must(200, call{method: "GET", path: "/v1/events?consumer=bot&types=message.created"}).into(t, &page)
	if len(page.Events) != 2 {
		t.Fatalf("consumer reads %d events, want 2", len(page.Events))
	}
	ack := func(cursor string) api.Consumer {
		w.d.must(200, call{method: "POST", path: "/v1/events/ack", body: `{"consumer":"bot","cursor":"` + cursor + `"}`}).into(t, &c)
		return c
	}
	if got := ack(page.Events[0].Cursor); got.Cursor != page.Events[0].Cursor || got.Lag == 0 {
		t.Errorf("after the ack %+v", got)
	}
	if got := ack(start); got.Cursor != page.Events[0].Cursor {
		t.Errorf("a late ack moved it back to %s", got.Cursor)
	}
	w.d.must(200, call{method: "GET", path: "/v1/events?consumer=bot&types=message.created"}).into(t, &page)
	if len(page.Events) != 1 {
		t.Errorf("consumer reads %d events after the ack, want 1", len(page.Events))
	}
	for body, want := range map[string]api.Code{
		`{"consumer":"nobody","cursor":"` + start + `"}`: api.CodeNotFound,
		`{"consumer":"bot","cursor":"e1.1"}`:             api.CodeCursorInvalid,
		`{"consumer":"bot","cursor":""}`:                 api.CodeValidationFailed,
	} {
		if a := w.d.do(call{method: "POST", path: "/v1/events/ack", body: body}); a.problem() != want {
			t.Errorf("ack %s = %s, want %s", body, a.body, want)
		}
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/consumers/bot"})
	w.d.must(404, call{method: "DELETE", path: "/v1/consumers/bot"})
}

// TestSessionMakesNoConsumer: what a session made would lie there for ever.
func TestSessionMakesNoConsumer(t *testing.T) {
	w := newWorld(t)
	before := w.d.must(200, call{method: "GET", path: "/v1/consumers"}).body
	a := w.d.must(403, call{method: "PUT", path: "/v1/consumers/web", body: `{}`, token: w.session(t)})
	if a.problem() != api.CodeConsumerNeedsToken {
		t.Errorf("refused with %s", a.problem())
	}
	if after := w.d.must(200, call{method: "GET", path: "/v1/consumers"}).body; after != before {
		t.Errorf("there are %s", after)
	}
}

// TestConsumersOfTokens: a consumer is its token's and the owner's, and nobody else's.
func TestConsumersOfTokens(t *testing.T) {
	w := newWorld(t)
	one, other := w.d.token(api.TokenRequest{Preset: api.PresetBot}), w.d.token(api.TokenRequest{Preset: api.PresetBot})
	var mine, owners api.Consumer
	w.d.must(200, call{method: "PUT", path: "/v1/consumers/bot", body: `{}`, token: one}).into(t, &mine)
	w.d.must(200, call{method: "PUT", path: "/v1/consumers/own", body: `{}`}).into(t, &owners)
	if mine.TokenID == nil || *mine.TokenID != api.TokenID(one) || owners.TokenID != nil {
		t.Errorf("consumers %+v and %+v", mine, owners)
	}
	w.newMessage()
	for _, name := range []string{"bot", "own"} {
		for method, path := range map[string]string{"GET": "/v1/events?consumer=" + name, "DELETE": "/v1/consumers/" + name} {
			w.d.must(404, call{method: method, path: path, token: other})
		}
		w.d.must(404, call{method: "POST", path: "/v1/events/ack", body: `{"consumer":"` + name + `","cursor":"` + mine.Cursor + `"}`, token: other})
		w.d.must(409, call{method: "PUT", path: "/v1/consumers/" + name, body: `{}`, token: other})
	}
	names := func(token string) string {
		var all list[api.Consumer]
		w.d.must(200, call{method: "GET", path: "/v1/consumers", token: token}).into(t, &all)
		var b strings.Builder
		for _, c := range all.Items {
			b.WriteString(c.Name + " ")
		}
		return b.String()
	}
	if a, b, c := names(one), names(other), names(""); a != "bot " || b != "" || c != "bot c1 own " {
		t.Errorf("the tokens see %q and %q, the owner %q", a, b, c)
	}
	w.d.must(200, call{method: "POST", path: "/v1/events/ack", body: `{"consumer":"bot","cursor":"` + mine.Cursor + `"}`}).into(t, &mine)
	if mine.TokenID == nil {
		t.Error("the owner took the consumer by moving it")
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/tokens/" + api.TokenID(one)})
	if left := names(""); left != "c1 own " {
		t.Errorf("after the token was revoked: %q", left)
	}
}

func TestRevokedTokenEndsItsStream(t *testing.T) {
	w := newWorld(t)
	token := w.d.token(api.TokenRequest{Preset: api.PresetBot})
	s := w.d.openStream(t, "after=latest", ndjsonType, token)
	s.want(api.EventHello)
	w.d.must(204, call{method: "DELETE", path: "/v1/tokens/" + api.TokenID(token)})
	if bye := decode[api.Bye](t, s.next()); bye.Reason != api.ByeTokenRevoked {
		t.Errorf("bye %+v", bye)
	}
}

func TestNewPassphraseEndsLogins(t *testing.T) {
	w := newWorld(t)
	token := w.d.token(api.TokenRequest{Preset: api.PresetBot})
	page := w.d.openStream(t, "after=latest", ndjsonType, w.session(t))
	page.want(api.EventHello)
	w.d.must(202, call{method: "POST", path: "/v1/self/passphrase", body: `{"old":"so far","new":"eight bytes"}`})
	if bye := decode[api.Bye](t, page.next()); bye.Reason != api.ByeTokenRevoked {
		t.Errorf("bye %+v", bye)
	}
	w.d.must(200, call{method: "GET", path: "/v1/contacts", token: token})
}

func TestLockEndsStreamsAndUnlockStartsThem(t *testing.T) {
	w := newWorld(t)
	s := w.d.openStream(t, "after=latest", ndjsonType, "")
	s.want(api.EventHello)
	w.d.must(204, call{method: "POST", path: "/v1/lock"})
	if bye := decode[api.Bye](t, s.next()); bye.Reason != api.ByeLocked {
		t.Errorf("bye %+v", bye)
	}
	locked := w.d.openStream(t, "", ndjsonType, "")
	locked.want(api.EventHello)
	if state := decode[api.DaemonState](t, locked.next()); state.State != api.StateLocked {
		t.Errorf("state %+v", state)
	}
	w.d.must(204, call{method: "POST", path: "/v1/unlock"})
	if bye := decode[api.Bye](t, locked.want(api.EventBye)); bye.Reason != api.ByeUnlocked {
		t.Errorf("bye %+v", bye)
	}
}

func TestAnnouncements(t *testing.T) {
	w := newWorld(t)
	s := w.d.openStream(t, "after=latest&ephemeral=1", ndjsonType, "")
	s.want(api.EventHello)
	contact, err := protocol.ParseContactID(w.contact)
	if err != nil {
		t.Fatal(err)
	}
	w.d.server.Announce(protocol.Event{Type: protocol.PeerState, Contact: contact, Code: "live"})
	e := s.want(api.EventPeerState)
	if e.Cursor != "" || decode[api.PeerState](t, e) != (api.PeerState{ContactID: w.contact, State: "live"}) {
		t.Errorf("announced %+v", e)
	}
	a := new(announcements)
	for i := range announcementsMax + 10 {
		a.add(protocol.Event{Type: protocol.PeerState, Contact: protocol.ContactID{byte(i), byte(i >> 8)}})
	}
	a.add(protocol.Event{Type: protocol.PeerState, Contact: protocol.ContactID{9, 1}, Code: "off"})
	waiting := a.take()
	if last := waiting[len(waiting)-1]; len(waiting) != announcementsMax || last.Code != "off" {
		t.Errorf("%d announcements wait, the last is %+v", len(waiting), last)
	}
}

func TestStreamLimit(t *testing.T) {
	w := newWorld(t)
	token := w.d.token(api.TokenRequest{Preset: api.PresetBot})
	for range streamsPerToken {
		w.d.openStream(t, "after=latest", ndjsonType, token).want(api.EventHello)
	}
	a := w.d.must(429, call{method: "GET", path: "/v1/events", token: token})
	if a.problem() != api.CodeTooManyStreams || a.header.Get("Retry-After") != "1" {
		t.Errorf("%v %s", a.header, a.body)
	}
	w.d.must(200, call{method: "GET", path: "/v1/events"})
}

func TestServerSaysByeWhenItStops(t *testing.T) {
	w := newWorld(t)
	s := w.d.openStream(t, "after=latest", ndjsonType, "")
	s.want(api.EventHello)
	w.d.set(api.StateStopping)
	if bye := decode[api.Bye](t, s.next()); bye.Reason != api.ByeShutdown {
		t.Errorf("bye %+v", bye)
	}
	w.d.set(api.StateReady)
}

// TestManyEventsInOneRow expands a row that stands for many events, over the
// borders of views, and leaves none out for a slow reader.
func TestManyEventsInOneRow(t *testing.T) {
	w := newWorld(t)
	contact := w.newContact()
	const n = 3*pullMax + 7
	for i := range n {
		w.d.must(201, call{method: "POST", path: "/v1/contacts/" + contact + "/messages", body: fmt.Sprintf(`{"text":"m%d"}`, i)})
	}
	var c api.Contact
	w.d.must(200, call{method: "GET", path: "/v1/contacts/" + contact}).into(t, &c)
	id, err := protocol.ParseConversationID(*c.ConversationID)
	if err != nil {
		t.Fatal(err)
	}
	event := protocol.Event{Type: protocol.MessageCreated, Conversation: id, First: 1, Count: n}
	status := protocol.Event{Type: protocol.MessageStatus, Conversation: id, First: 1, Count: n}
	var before api.EventPage
	w.d.must(200, call{method: "GET", path: "/v1/events?after=latest"}).into(t, &before)
	if err := w.d.Write(t.Context(), []store.Row{}, []protocol.Event{event, status}); err != nil {
		t.Fatal(err)
	}
	s := w.d.openStream(t, "after="+before.Cursor, ndjsonType, "")
	s.want(api.EventHello)
	last := before.Cursor
	for _, kind := range []string{api.EventMessageCreated, api.EventMessageStatus} {
		for i := range n {
			e := s.next()
			m := decode[api.Message](t, e)
			if e.Type != kind || m.Body == nil || m.Body.Text != fmt.Sprintf("m%d", i) {
				t.Fatalf("event %d is %s %s", i, e.Type, e.Data)
			}
			if e.Cursor == last {
				t.Fatalf("cursor %s twice", last)
			}
			last = e.Cursor
		}
	}
}

func TestHeartbeat(t *testing.T) {
	recorder := &heldResponse{header: make(http.Header)}
	for _, format := range []eventFormat{formatSSE, formatNDJSON} {
		st := stream{w: recorder, control: http.NewResponseController(flusher{recorder}), query: eventQuery{format: format}}
		if err := st.heartbeat(); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := recorder.body.String(), ": \n\n"+`{"type":"heartbeat"}`+"\n"; got != want {
		t.Errorf("heartbeats %q, want %q", got, want)
	}
}

// flusher is a response that can do what a stream needs.
type flusher struct{ http.ResponseWriter }

func (flusher) FlushError() error                { return nil }
func (flusher) SetWriteDeadline(time.Time) error { return nil }

// TestEventReadsItsMessageOnly shows the event of a new message in a short and in a long conversation:
// the second takes no more than the first.
func TestEventReadsItsMessageOnly(t *testing.T) {
	w := newWorld(t)
	id, err := protocol.ParseConversationID(w.conversation)
	if err != nil {
		t.Fatal(err)
	}
	sent := uint64(0)
	cost := func() (allocations float64) {
		err := w.d.server.view(owner(), func(r *reader) error {
			c, err := r.conversation(id)
			if err != nil {
				return err
			}
			e := protocol.Event{Type: protocol.MessageCreated, Conversation: id, First: c.LastPosition, Count: 1}
			allocations = testing.AllocsPerRun(10, func() {
				if objects, err := r.createdMessages(&e, false); err != nil || len(objects) != 1 {
					t.Fatal(objects, err)
				}
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return allocations
	}
	send := func(n int) {
		for range n {
			sent++
			w.d.must(http.StatusCreated, call{
				method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: fmt.Sprintf(`{"text":"number %d"}`, sent),
			})
		}
	}
	send(2)
	short := cost()
	send(100)
	if long := cost(); long > 1.5*short {
		t.Errorf("%.0f allocations behind 2 messages, %.0f behind 102", short, long)
	}
}
