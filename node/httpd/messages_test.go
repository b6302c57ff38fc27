package httpd

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pabal/node/api"
)

func TestPutIsIdempotent(t *testing.T) {
	w := newWorld(t)
	id := "ms_abcdefghijklmnopqrstuvwxy2" // no id of ours ends so
	path := "/v1/conversations/" + w.conversation + "/messages/" + id
	put := func(body string) answer { return w.d.do(call{method: "PUT", path: path, body: body}) }
	var first, second api.Message
	a := put(`{"text":"once"}`)
	a.into(t, &first)
	if a.status != 201 || *first.ID != id || first.Status.State != api.StateDelivered {
		t.Fatalf("first = %d %s", a.status, a.body)
	}
	a = put(` { "text" : "once" } `) // the same, written otherwise
	a.into(t, &second)
	if a.status != 200 || second.Position != first.Position {
		t.Errorf("second = %d %s", a.status, a.body)
	}
	for _, body := range []string{`{"text":"twice"}`, `{"text":"once","disappearing":null}`} {
		if a := put(body); a.status != 409 || a.problem() != api.CodeIdempotencyMismatch {
			t.Errorf("%s = %d %s", body, a.status, a.body)
		}
	}
	other := "/v1/conversations/" + otherConversation(w) + "/messages/" + id
	if a := w.d.do(call{method: "PUT", path: other, body: `{"text":"once"}`}); a.problem() != api.CodeIdempotencyMismatch {
		t.Errorf("in another conversation = %d %s", a.status, a.body)
	}
	w.d.must(200, call{method: "GET", path: "/v1/messages/" + id})
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + id})
	w.d.must(404, call{method: "GET", path: "/v1/messages/" + id})
	if a := put(`{"text":"once"}`); a.status != 410 {
		t.Errorf("a late retry of a deleted message = %d %s", a.status, a.body)
	}
}

// otherConversation makes a direct conversation with a contact that was asked.
func otherConversation(w *world) string {
	var m api.Message
	w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages", body: `{"text":"hi"}`}).into(w.d.t, &m)
	return m.ConversationID
}

func TestPutOfAnOwnIDOfTheDaemon(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.conversation + "/messages/" + w.message
	w.d.must(200, call{method: "PUT", path: path, body: `{"text":"hello"}`})
	w.d.must(409, call{method: "PUT", path: path, body: `{"text":"other"}`})
	for _, id := range []string{"ms_short", "ms_" + strings.Repeat("A", 26), "cv_" + zeros, "ms_" + strings.Repeat("1", 26)} {
		a := w.d.must(422, call{method: "PUT", path: "/v1/conversations/" + w.conversation + "/messages/" + id, body: `{"text":"x"}`})
		if a.problem() != api.CodeInvalidID {
			t.Errorf("%s: %s", id, a.body)
		}
	}
}

func TestConcurrentPutsSendOnce(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.conversation + "/messages/" + api.NewMessageID()
	statuses := make([]int, 16)
	var wait sync.WaitGroup
	for i := range statuses {
		wait.Go(func() { statuses[i] = w.d.do(call{method: "PUT", path: path, body: `{"text":"once"}`}).status })
	}
	wait.Wait()
	created := 0
	for _, s := range statuses {
		switch s {
		case http.StatusCreated:
			created++
		case http.StatusOK:
		default:
			t.Errorf("status %d", s)
		}
	}
	if created != 1 {
		t.Errorf("%d of %d created it", created, len(statuses))
	}
	var page api.MessagePage
	w.d.must(200, call{method: "GET", path: "/v1/conversations/" + w.conversation + "/messages"}).into(t, &page)
	if len(page.Items) != 2 { // hello, once
		t.Errorf("%d messages", len(page.Items))
	}
}

// TestIdempotencySurvivesARestart is what a client sees that was cut off between
// the commit and the answer.
func TestIdempotencySurvivesARestart(t *testing.T) {
	w := newWorld(t)
	header := map[string]string{"Idempotency-Key": "key-1"}
	path := "/v1/contacts/" + w.contact + "/messages"
	put := "/v1/conversations/" + w.conversation + "/messages/" + api.NewMessageID()
	var first, again, invite, inviteAgain map[string]any
	w.d.must(201, call{method: "POST", path: path, body: `{"text":"one"}`, header: header}).into(t, &first)
	w.d.must(201, call{method: "PUT", path: put, body: `{"text":"two"}`})
	w.d.must(201, call{method: "POST", path: "/v1/invites", body: `{}`, header: map[string]string{"Idempotency-Key": "key-2"}}).into(t, &invite)
	w.bring(t, api.StateLocked)
	w.bring(t, api.StateReady)
	w.d.must(201, call{method: "POST", path: path, body: `{"text":"one"}`, header: header}).into(t, &again)
	if first["id"] != again["id"] || first["id"] == nil {
		t.Errorf("a repeat made %v after %v", again["id"], first["id"])
	}
	w.d.must(200, call{method: "PUT", path: put, body: `{"text":"two"}`})
	w.d.must(201, call{method: "POST", path: "/v1/invites", body: `{}`, header: map[string]string{"Idempotency-Key": "key-2"}}).into(t, &inviteAgain)
	if invite["id"] != inviteAgain["id"] || invite["uri"] != inviteAgain["uri"] {
		t.Errorf("a repeat made invite %v after %v", inviteAgain["id"], invite["id"])
	}
	for _, c := range []call{
		{method: "POST", path: path, body: `{"text":"other"}`, header: header},
		{method: "POST", path: "/v1/invites", body: `{}`, header: header},
	} {
		if a := w.d.must(409, c); a.problem() != api.CodeIdempotencyMismatch {
			t.Errorf("%s: %s", c.path, a.body)
		}
	}
	a := w.d.must(400, call{method: "POST", path: "/v1/tokens", body: `{"name":"t","preset":"bot"}`, header: header})
	if a.problem() != api.CodeIdempotencyNotAllowed {
		t.Errorf("a secret is repeated: %s", a.body)
	}
	a = w.d.must(422, call{method: "POST", path: path, body: `{"text":"x"}`, header: map[string]string{"Idempotency-Key": strings.Repeat("k", 129)}})
	if !strings.Contains(a.body, "header:Idempotency-Key") {
		t.Errorf("a long key: %s", a.body)
	}
}

func TestKeysOfTwoActorsDiffer(t *testing.T) {
	w := newWorld(t)
	header := map[string]string{"Idempotency-Key": "same"}
	token := w.d.token(api.TokenRequest{Preset: api.PresetBot})
	path := "/v1/contacts/" + w.contact + "/messages"
	w.d.must(201, call{method: "POST", path: path, body: `{"text":"owner"}`, header: header})
	w.d.must(201, call{method: "POST", path: path, body: `{"text":"bot"}`, header: header, token: token})
}

func TestFailedCommitSendsNothing(t *testing.T) {
	w := newWorld(t)
	w.d.fail = errTest
	path := "/v1/conversations/" + w.conversation + "/messages/" + api.NewMessageID()
	a := w.d.must(500, call{method: "PUT", path: path, body: `{"text":"lost"}`})
	if a.problem() != api.CodeInternal || strings.Contains(a.body, errTest.Error()) {
		t.Errorf("an unknown error is answered with %s", a.body)
	}
	w.d.fail = nil
}

func TestTextsAreChecked(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.conversation + "/messages"
	long := strings.Repeat("가", api.TextBytesMax/3)
	w.d.must(201, call{method: "POST", path: path, body: `{"text":"` + long + `"}`})
	for name, c := range map[string]struct {
		body   string
		status int
		code   api.Code
	}{
		"64 KiB":         {`{"text":"` + strings.Repeat("a", 64<<10) + `"}`, 413, api.CodeTextTooLong},
		"one too many":   {`{"text":"` + long + `abc"}`, 413, api.CodeTextTooLong},
		"empty":          {`{"text":""}`, 422, api.CodeInvalidText},
		"only spaces":    {`{"text":" \n "}`, 422, api.CodeInvalidText},
		"no text":        {`{}`, 422, api.CodeInvalidText},
		"null":           {`{"text":null}`, 422, api.CodeInvalidText},
		"no such file":   {`{"text":"a","files":["fl_` + zeros + `"]}`, 404, api.CodeNotFound},
		"17 files":       {`{"files":[` + strings.Repeat(`"fl_x",`, 16) + `"fl_x"]}`, 422, api.CodeValidationFailed},
		"number":         {`{"text":7}`, 422, api.CodeValidationFailed},
		"invalid UTF-8":  {"{\"text\":\"\xff\"}", 400, api.CodeInvalidUTF8},
		"half a pair":    {`{"text":"\ud83d"}`, 400, api.CodeInvalidUTF8},
		"twice":          {`{"text":"a","text":"b"}`, 400, api.CodeMalformedJSON},
		"not JSON":       {`{"text":`, 400, api.CodeMalformedJSON},
		"an array":       {`["text"]`, 422, api.CodeValidationFailed},
		"no body":        {``, 400, api.CodeMalformedJSON},
		"other format":   {`{"text":"a","format":"md"}`, 422, api.CodeValidationFailed},
		"bad timer mode": {`{"text":"a","disappearing":{"mode":"never","seconds":1}}`, 422, api.CodeValidationFailed},
		"no timer time":  {`{"text":"a","disappearing":{"mode":"sent","seconds":0}}`, 422, api.CodeValidationFailed},
		"a century":      {`{"text":"a","disappearing":{"mode":"sent","seconds":3155760000}}`, 422, api.CodeValidationFailed},
		"2 MiB":          {`{"text":"` + strings.Repeat("a", 2<<20) + `"}`, 413, api.CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.d.do(call{method: "POST", path: path, body: c.body})
			if a.status != c.status || a.problem() != c.code {
				t.Errorf("%d %s, want %d %s", a.status, a.body, c.status, c.code)
			}
		})
	}
}

// TestHugeTextIsNotRead sends a text of 200 MB: it is refused long before its end, and nothing is
// kept.
func TestHugeTextIsNotRead(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.conversation + "/messages"
	shown := func() int {
		var page list[api.Message]
		w.d.must(200, call{method: "GET", path: path}).into(t, &page)
		return len(page.Items)
	}
	before := shown()
	conn, err := net.Dial("unix", w.d.server.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: pabal.sock\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{\"text\":\"", path, 200_000_000)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan int)
	go func() {
		n, err := 0, error(nil)
		for part := bytes.Repeat([]byte("a"), 1<<20); err == nil && n < 200<<20; n += len(part) {
			_, err = conn.Write(part)
		}
		sent <- n
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	conn.Close()
	if n := <-sent; resp.StatusCode != http.StatusRequestEntityTooLarge || n > 100<<20 {
		t.Errorf("status %d behind %d bytes", resp.StatusCode, n)
	}
	if n := shown(); n != before {
		t.Errorf("%d messages, %d before", n, before)
	}
}

// TestDeletedOfNobody deletes what never was here, and answers what was deleted: both are refused.
func TestDeletedOfNobody(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.conversation + "/messages"
	for _, suffix := range []string{"", "?for=everyone"} {
		a := w.d.must(404, call{method: "DELETE", path: "/v1/messages/ms_" + zeros + suffix})
		if a.problem() != api.CodeNotFound {
			t.Errorf("a message never seen, %q: %s", suffix, a.problem())
		}
	}
	var m api.Message
	w.d.must(201, call{method: "POST", path: path, body: `{"text":"soon gone"}`}).into(t, &m)
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *m.ID})
	a := w.d.must(404, call{method: "POST", path: path, body: `{"text":"an answer","reply_to":"` + *m.ID + `"}`})
	if a.problem() != api.CodeNotFound {
		t.Errorf("an answer to a deleted one: %s", a.problem())
	}
}

func TestPlainText(t *testing.T) {
	w := newWorld(t)
	text := map[string]string{"Content-Type": "text/plain; charset=utf-8"}
	var m api.Message
	w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages", body: "한 줄\n", header: text}).into(t, &m)
	if m.Body.Text != "한 줄" || m.Status.State != api.StateQueued {
		t.Errorf("%+v %+v", m.Body, m.Status)
	}
	a := w.d.must(415, call{method: "POST", path: "/v1/invites", body: "x", header: text})
	if a.problem() != api.CodeUnsupportedMediaType {
		t.Errorf("text for JSON: %s", a.body)
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	w.d.must(415, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages", body: "text=x", header: form})
}

func TestContactsByName(t *testing.T) {
	w := newWorld(t)
	second := w.newContact()
	alias := func(id, name string) {
		w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + id, body: `{"alias":"` + name + `"}`})
	}
	alias(w.contact, "Jürgen 민수")
	alias(second, "other")
	for _, name := range []string{"@Jürgen%20민수", "@JU%CC%88RGEN%20민수"} {
		var c api.Contact
		w.d.must(200, call{method: "GET", path: "/v1/contacts/" + name}).into(t, &c)
		if c.ID != w.contact {
			t.Errorf("%s is %s, want %s", name, c.ID, w.contact)
		}
	}
	w.d.must(404, call{method: "GET", path: "/v1/contacts/@nobody"})
	w.d.must(404, call{method: "GET", path: "/v1/contacts/other"})
	if a := w.d.must(409, call{method: "PATCH", path: "/v1/contacts/" + second, body: `{"alias":"JÜRGEN 민수"}`}); a.problem() != api.CodeAliasTaken {
		t.Errorf("alias twice: %s", a.body)
	}
	for _, bad := range []string{`\u0007`, `  `, `a\u202eb`, strings.Repeat("x", 257)} {
		if a := w.d.must(422, call{method: "PATCH", path: "/v1/contacts/" + second, body: `{"alias":"` + bad + `"}`}); a.problem() != api.CodeInvalidName {
			t.Errorf("alias %q: %s", bad, a.body)
		}
	}
	var c api.Contact
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + second, body: `{"alias":null}`}).into(t, &c)
	if c.Alias != nil {
		t.Errorf("alias %q after null", *c.Alias)
	}
}

func TestContactSearch(t *testing.T) {
	for _, c := range []struct {
		name, query string
		want        bool
	}{
		{"김민수", "ㅁㅅ", true}, {"김민수", "ㄱㅁㅅ", true}, {"김민수", "민수", true}, {"김민수", "ㅅㅁ", false}, {"Jürgen", "JÜR", true},
		{"Jürgen", "gen", true}, {"ㄱ", "ㄱ", true}, {"힣", "ㅎ", true}, {"a", "", true}, {"a", "b", false},
	} {
		if nameHas(c.name, foldName(c.query)) != c.want {
			t.Errorf("%q has %q: %t", c.name, c.query, !c.want)
		}
	}
}

func TestMessagePages(t *testing.T) {
	w := newWorld(t)
	for i := 2; i <= 7; i++ {
		w.d.must(201, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: fmt.Sprintf(`{"text":"m%d"}`, i)})
	}
	path := "/v1/conversations/" + w.conversation + "/messages"
	for query, want := range map[string]string{
		"": "1-7 false false", "?limit=3": "5-7 true false", "?limit=2&before=3": "1-2 false true",
		"?limit=2&after=3": "4-5 true true", "?limit=2&after=0": "1-2 false true", "?limit=2&after=5": "6-7 true false",
		"?after=7": "none true false",
	} {
		var page api.MessagePage
		w.d.must(200, call{method: "GET", path: path + query}).into(t, &page)
		got := "none"
		if n := len(page.Items); n > 0 {
			got = fmt.Sprintf("%d-%d", page.Items[0].Position, page.Items[n-1].Position)
		}
		if got = fmt.Sprintf("%s %t %t", got, page.HasBefore, page.HasAfter); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=201", "?before=0", "?after=x", "?before=1&after=1", "?after=9999999999999999999"} {
		w.d.must(422, call{method: "GET", path: path + query})
	}
	for i := range 4 { // holes at the beginning
		var page api.MessagePage
		w.d.must(200, call{method: "GET", path: path + "?limit=1&after=0"}).into(t, &page)
		if len(page.Items) != 1 || page.Items[0].Position != uint64(i+1) {
			t.Fatalf("the first page after %d deletions: %+v", i, page.Items)
		}
		w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *page.Items[0].ID})
	}
}

func TestTakeBackAndOutbox(t *testing.T) {
	w := newWorld(t)
	var m api.Message
	w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages", body: `{"text":"wait"}`}).into(t, &m)
	var out list[api.OutboxItem]
	w.d.must(200, call{method: "GET", path: "/v1/outbox"}).into(t, &out)
	if len(out.Items) != 1 || *out.Items[0].Message.ID != *m.ID || out.Items[0].Why.Reason == "" || out.Items[0].Why.Subject != *m.ID {
		t.Fatalf("outbox %+v", out.Items)
	}
	var status api.Status
	w.d.must(200, call{method: "GET", path: "/v1/status"}).into(t, &status)
	if status.OutboxTotal != 1 {
		t.Errorf("outbox_total %d", status.OutboxTotal)
	}
	var second api.Message
	w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages", body: `{"text":"wait, too"}`}).into(t, &second)
	asked := w.d.asked
	w.d.must(200, call{method: "GET", path: "/v1/outbox"}).into(t, &out)
	if len(out.Items) != 2 || *out.Items[1].Message.ID != *second.ID || w.d.asked != asked+1 {
		t.Errorf("outbox of two asks the loop %d times: %+v", w.d.asked-asked, out.Items)
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *second.ID})
	var why api.Why
	w.d.must(200, call{method: "GET", path: "/v1/messages/" + *m.ID + "/why"}).into(t, &why)
	if why.State != api.StateQueued || why.Reason == "" {
		t.Errorf("why %+v", why)
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *m.ID})
	w.d.must(200, call{method: "GET", path: "/v1/outbox"}).into(t, &out)
	if len(out.Items) != 0 {
		t.Errorf("outbox after taking back: %+v", out.Items)
	}
	w.d.must(404, call{method: "DELETE", path: "/v1/messages/" + *m.ID})
}

// TestWait answers when the state is reached, or when the time is over.
func TestWait(t *testing.T) {
	w := newWorld(t)
	var m api.Message
	w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages?wait=delivered&timeout_ms=20", body: `{"text":"x"}`}).into(t, &m)
	if m.Status.State != api.StateQueued {
		t.Errorf("state %s", m.Status.State)
	}
	w.d.must(201, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages?wait=delivered", body: `{"text":"x"}`}).into(t, &m)
	if m.Status.State != api.StateDelivered {
		t.Errorf("note to self is %s", m.Status.State)
	}
	for state, want := range map[string]bool{
		"queued": false, "carried": false, "delivered": true, "read": true, "failed": true, "expired": true,
	} {
		if reached(state, api.StateDelivered) != want {
			t.Errorf("reached(%s, delivered) = %t", state, !want)
		}
	}
	if !reached(api.StateQueued, "") || !reached(api.StateQueued, api.StateQueued) || reached(api.StateQueued, api.StateCarried) {
		t.Error("queued")
	}
}

func TestMarkRead(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.conversation + "/read"
	var c api.Conversation
	w.d.must(200, call{method: "POST", path: path, body: `{"up_to":99}`}).into(t, &c)
	if c.Unread.ReadUpTo != 1 || c.Unread.Count != 0 {
		t.Errorf("unread %+v", c.Unread)
	}
	w.d.must(200, call{method: "POST", path: path, body: `{"up_to":0}`}).into(t, &c)
	if c.Unread.ReadUpTo != 1 {
		t.Errorf("reading went back to %d", c.Unread.ReadUpTo)
	}
	w.d.must(422, call{method: "POST", path: path, body: `{"up_to":-1}`})
}

// BenchmarkPut sends over the socket, one after the other.
func BenchmarkPut(b *testing.B) {
	d := startReady(b)
	var conv api.Conversation
	d.must(200, call{method: "POST", path: "/v1/conversations", body: `{"kind":"self"}`}).into(b, &conv)
	c := api.NewUnixClient(d.server.Socket())
	defer c.Close()
	for b.Loop() {
		_, err := c.PutMessage(b.Context(), conv.ID, api.NewMessageID(), api.MessageRequest{Text: strings.Repeat("x", 100)}, api.SendOptions{})
		if err != nil {
			b.Fatal(err)
		}
	}
}
