package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
)

// receiver is a program that is told of events.
type receiver struct {
	url    string
	secret string
	status chan int // how the next deliveries are answered; none: 200
	got    chan api.WebhookDelivery
	raw    chan *http.Request // with the body of got
	bodies chan []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: make(chan int, 64), got: make(chan api.WebhookDelivery, 64), raw: make(chan *http.Request, 64), bodies: make(chan []byte, 64)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		status := http.StatusOK
		select {
		case status = <-r.status:
		default:
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		var d api.WebhookDelivery
		if err := json.Unmarshal(body, &d); err != nil || q.URL.Path != "/in" {
			t.Errorf("%s gets %q, %v", q.URL.Path, body, err)
		}
		r.got <- d
		r.raw <- q
		r.bodies <- body
	}))
	t.Cleanup(server.Close)
	r.url = server.URL + "/in"
	return r
}

// next returns the next delivery, which must be signed.
func (r *receiver) next(t *testing.T) api.WebhookDelivery {
	t.Helper()
	d, q, body := <-r.got, <-r.raw, <-r.bodies
	if err := api.VerifyWebhook(r.secret, q.Header, body, time.Now()); err != nil {
		t.Error(err)
	}
	return d
}

func (d *testDaemon) webhook(req api.WebhookRequest) api.WebhookCreated {
	d.t.Helper()
	if req.Name == "" {
		req.Name = "hook"
	}
	b, err := json.Marshal(req)
	if err != nil {
		d.t.Fatal(err)
	}
	var out api.WebhookCreated
	d.must(201, call{method: "POST", path: "/v1/webhooks", body: string(b)}).into(d.t, &out)
	return out
}

// hookState waits until a webhook is in a state, and returns it.
func (d *testDaemon) hookState(id, state string) api.Webhook {
	d.t.Helper()
	for {
		changed := d.server.feed.next()
		var page list[api.Webhook]
		d.must(200, call{method: "GET", path: "/v1/webhooks"}).into(d.t, &page)
		for _, h := range page.Items {
			if h.ID == id && h.State == state {
				return h
			}
		}
		<-changed
	}
}

func types(d api.WebhookDelivery) string {
	var all []string
	for _, e := range d.Events {
		all = append(all, e.Type)
	}
	return strings.Join(all, " ")
}

// TestWebhookIsTold: a receiver gets what happens from then on, signed, with the text or without,
// and only of the conversations and types that it is for.
func TestWebhookIsTold(t *testing.T) {
	w := newWorld(t)
	other := otherConversation(w)
	full, meta := newReceiver(t), newReceiver(t)
	full.secret = w.d.webhook(api.WebhookRequest{URL: full.url, Preset: api.PresetReader, Types: []string{"message.created"}, Conversations: []string{w.conversation}}).Secret
	meta.secret = w.d.webhook(api.WebhookRequest{URL: meta.url, Preset: api.PresetNotifier}).Secret
	w.say(t, other, "not for the first")
	w.say(t, w.conversation, "hello receiver")
	if d := full.next(t); len(d.Events) != 1 || !strings.Contains(string(d.Events[0].Data), "hello receiver") {
		t.Errorf("the reader is told %+v", d)
	}
	for told := 0; told < 2; {
		d := meta.next(t)
		for _, e := range d.Events {
			told++
			if strings.Contains(string(e.Data), "first") || strings.Contains(string(e.Data), "receiver") || e.Type != api.EventMessageCreated {
				t.Errorf("the notifier is told %s %s", e.Type, e.Data)
			}
		}
	}
	var page list[api.Consumer]
	w.d.must(200, call{method: "GET", path: "/v1/consumers"}).into(t, &page)
	for _, c := range page.Items {
		if strings.HasPrefix(c.Name, "wh_") {
			t.Errorf("a webhook's place is anybody's: %+v", c)
		}
	}
}

// TestWebhookIsToldAgain: what was not taken comes again, in order, also behind a lock, and what was
// deleted meanwhile does not.
func TestWebhookIsToldAgain(t *testing.T) {
	w := newWorld(t)
	w.d.server.hooks.retry = func(int) time.Duration { return 0 }
	r := newReceiver(t)
	r.status <- http.StatusFound // no redirect is followed
	r.status <- http.StatusInternalServerError
	hook := w.d.webhook(api.WebhookRequest{URL: r.url, Preset: api.PresetReader, Types: []string{"message.created"}})
	r.secret = hook.Secret
	w.say(t, w.conversation, "first")
	first := r.next(t)
	for range 2 {
		if again := r.next(t); again.Cursor != first.Cursor || types(again) != "message.created" {
			t.Errorf("told again %+v, first %+v", again, first)
		}
	}
	w.d.hookState(hook.ID, api.WebhookActive)
	w.d.must(204, call{method: "POST", path: "/v1/lock"})
	w.d.must(204, call{method: "POST", path: "/v1/unlock"})
	w.say(t, w.conversation, "second")
	if d := r.next(t); len(d.Events) != 1 || !strings.Contains(string(d.Events[0].Data), "second") {
		t.Errorf("behind a lock it is told %+v", d)
	}
}

// TestWebhookGivesUp: one that fails for days is disabled and says so, until it is enabled.
func TestWebhookGivesUp(t *testing.T) {
	w := newWorld(t)
	w.d.server.hooks.retry = func(int) time.Duration { return 0 }
	gone := httptest.NewServer(nil)
	hook := w.d.webhook(api.WebhookRequest{URL: gone.URL, Preset: api.PresetReader})
	gone.Close()
	w.say(t, w.conversation, "nobody hears this")
	h := w.d.hookState(hook.ID, api.WebhookFailing)
	if h.LastError == nil || *h.LastError != api.WebhookUnreachable || h.Lag == 0 {
		t.Errorf("it says %+v", h)
	}
	w.d.setClock(func() time.Time { return time.Now().Add(webhookGiveUp) })
	w.d.hookState(hook.ID, api.WebhookDisabled)
	page := w.d.must(200, call{method: "GET", path: "/v1/events?types=webhook.*"}).body
	if !strings.Contains(page, `"webhook.disabled"`) || !strings.Contains(page, hook.ID) {
		t.Errorf("the events are %s", page)
	}
	w.d.must(200, call{method: "POST", path: "/v1/webhooks/" + hook.ID + "/enable"})
	w.d.must(204, call{method: "DELETE", path: "/v1/webhooks/" + hook.ID})
	w.d.must(404, call{method: "POST", path: "/v1/webhooks/" + hook.ID + "/enable"})
	w.d.must(404, call{method: "DELETE", path: "/v1/webhooks/" + hook.ID})
}

// TestWebhookStaysHere: only addresses of this machine are taken, and only such are dialled.
func TestWebhookStaysHere(t *testing.T) {
	d := startReady(t)
	post := func(body string) answer { return d.do(call{method: "POST", path: "/v1/webhooks", body: body}) }
	for _, url := range []string{"http://192.0.2.1:80/", "http://0.0.0.0:80/", "http://example.com:80/", "http://localhost.example.com:80/",
		"http://127.0.0.1.example.com:80/", "http://[2001:db8::1]:80/", "http://169.254.1.1:80/", "http://[fe80::1%25eth0]:80/"} {
		if a := post(`{"name":"x","preset":"notifier","url":"` + url + `"}`); a.status != 422 || a.problem() != api.CodeForeignAddress || strings.Contains(a.body, url) {
			t.Errorf("%s: %d %s", url, a.status, a.body)
		}
	}
	for _, url := range []string{"https://127.0.0.1:80/", "http://127.0.0.1/", "127.0.0.1:80", "http://a:b@127.0.0.1:80/", "http://127.0.0.1:0/", "http://127.0.0.1:99999/",
		"http://127.0.0.1:80/#x", "file:///etc/passwd", "http://127.0.0.1:x/"} {
		if a := post(`{"name":"x","preset":"notifier","url":"` + url + `"}`); a.status != 422 || a.problem() != api.CodeValidationFailed {
			t.Errorf("%s: %d %s", url, a.status, a.body)
		}
	}
	for _, address := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "10.0.0.1:80", "nonsense"} {
		if !errors.Is(loopbackOnly("tcp", address, nil), errForeign) {
			t.Errorf("%s is dialled", address)
		}
	}
	for _, address := range []string{"127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"} {
		if err := loopbackOnly("tcp", address, nil); err != nil {
			t.Errorf("%s is not dialled: %v", address, err)
		}
	}
}

func TestWebhookRefusals(t *testing.T) {
	d := startReady(t)
	const url = `"url":"http://127.0.0.1:9/"`
	for body, want := range map[string]api.Code{
		`{"name":"x",` + url + `}`:                                                 api.CodeValidationFailed,
		`{"name":"x","preset":"bot",` + url + `}`:                                  api.CodeValidationFailed,
		`{"name":"x","scopes":["messages:send"],` + url + `}`:                      api.CodeValidationFailed,
		`{"name":"x","scopes":["owner"],` + url + `}`:                              api.CodeValidationFailed,
		`{"name":"x","preset":"reader","scopes":["events"],` + url + `}`:           api.CodeValidationFailed,
		`{"name":"","preset":"reader",` + url + `}`:                                api.CodeValidationFailed,
		`{"name":"x","preset":"reader","types":["message"," "],` + url + `}`:       api.CodeValidationFailed,
		`{"name":"x","preset":"reader","conversations":["cv_x"],` + url + `}`:      api.CodeValidationFailed,
		`{"name":"x","preset":"reader","content":"some",` + url + `}`:              api.CodeValidationFailed,
		`{"name":"x","preset":"reader","secret":"mine",` + url + `}`:               api.CodeUnknownField,
		`{"name":7,"preset":"reader",` + url + `}`:                                 api.CodeValidationFailed,
		`{"name":"x","preset":"reader","url":"http://127.0.0.1:9/","url":"again"}`: api.CodeMalformedJSON,
	} {
		if a := d.do(call{method: "POST", path: "/v1/webhooks", body: body}); a.problem() != want {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	for range webhooksMax {
		d.webhook(api.WebhookRequest{URL: "http://127.0.0.1:9/", Preset: api.PresetNotifier})
	}
	if a := d.must(409, call{method: "POST", path: "/v1/webhooks", body: `{"name":"x","preset":"reader",` + url + `}`}); a.problem() != api.CodeTooMany {
		t.Errorf("one too many: %s", a.body)
	}
	token := d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeTokensManage, api.ScopeEvents}})
	d.must(403, call{method: "GET", path: "/v1/webhooks", token: token})
	if a := d.must(403, call{method: "GET", path: "/v1/webhooks", token: d.session()}); a.problem() != api.CodeConfirmationNeeded {
		t.Errorf("a session: %s", a.body)
	}
}

// TestWebhookSignature: neither another body, nor another secret, nor an old request is taken.
func TestWebhookSignature(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	header := http.Header{}
	header.Set(api.HeaderWebhookTime, "1800000000")
	header.Set(api.HeaderWebhookSignature, "v1="+api.SignWebhook("s", "1800000000", []byte("body")))
	if err := api.VerifyWebhook("s", header, []byte("body"), now); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"another body":   api.VerifyWebhook("s", header, []byte("bodY"), now),
		"another secret": api.VerifyWebhook("t", header, []byte("body"), now),
		"a replay":       api.VerifyWebhook("s", header, []byte("body"), now.Add(api.WebhookSkew+time.Second)),
		"from ahead":     api.VerifyWebhook("s", header, []byte("body"), now.Add(-api.WebhookSkew-time.Second)),
		"none":           api.VerifyWebhook("s", http.Header{}, []byte("body"), now),
	} {
		if !errors.Is(err, api.ErrSignature) {
			t.Errorf("%s is taken: %v", name, err)
		}
	}
	header.Set(api.HeaderWebhookTime, "1800000001")
	if err := api.VerifyWebhook("s", header, []byte("body"), now); err == nil {
		t.Error("another time is taken")
	}
}

// TestWebhookIsInTheReports: the warrant report and the copies of a message tell of it.
func TestWebhookIsInTheReports(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t)
	hook := w.d.webhook(api.WebhookRequest{Name: "archive", URL: r.url, Preset: api.PresetReader, Types: []string{"message.created"}})
	r.secret = hook.Secret
	m := w.say(t, w.conversation, "kept elsewhere")
	r.next(t)
	for h := w.d.hookState(hook.ID, api.WebhookActive); h.LastDeliveredAt == nil; h = w.d.hookState(hook.ID, api.WebhookActive) {
	}
	var report api.Warrant
	w.d.must(200, call{method: "GET", path: "/v1/warrant"}).into(t, &report)
	found := false
	for _, target := range report.Targets {
		if target.Target == api.TargetWebhooks {
			found = target.Messages == 1 && target.Name == "archive" && target.Oldest != nil && fmt.Sprint(target.Obtains) == "[times texts names]"
			if !found {
				t.Errorf("the warrant report says %+v", target)
			}
		}
	}
	if !found {
		t.Error("the warrant report does not tell of it")
	}
	copies := w.d.must(200, call{method: "GET", path: "/v1/messages/" + *m.ID + "/copies"}).body
	if !strings.Contains(copies, `"webhook"`) || !strings.Contains(copies, hook.ID) {
		t.Errorf("the copies are %s", copies)
	}
}
