package httpd

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
)

// TestWebhookGetsNothingOld: of what is older than a webhook it is told that something happened to
// it, and not what it says, also where a new message answers it.
func TestWebhookGetsNothingOld(t *testing.T) {
	w := newWorld(t)
	old := w.say(t, w.conversation, "before it was made")
	for said := time.Now().UnixMilli(); time.Now().UnixMilli() == said; { // times are in milliseconds
	}
	r := newReceiver(t)
	hook := w.d.webhook(api.WebhookRequest{URL: r.url, Preset: api.PresetReader, Types: []string{"message.*"}})
	r.secret = hook.Secret
	of := "/v1/messages/" + *old.ID
	w.d.must(204, call{method: "PUT", path: of + "/star"})
	w.d.must(204, call{method: "PUT", path: of + "/pin"})
	w.d.must(200, call{method: "PATCH", path: of, body: `{"text":"before, in other words"}`})
	w.d.must(201, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: `{"text":"an answer","reply_to":"` + *old.ID + `"}`})
	seen := make(map[string]bool)
	for !seen[api.EventMessageCreated] {
		for _, e := range r.next(t).Events {
			seen[e.Type] = true
			if strings.Contains(string(e.Data), "before") {
				t.Errorf("it is told %s %s", e.Type, e.Data)
			}
			if e.Type != api.EventMessageCreated && !strings.Contains(string(e.Data), *old.ID) {
				t.Errorf("%s does not say of what: %s", e.Type, e.Data)
			}
		}
	}
	if !seen[api.EventMessageStarred] || !seen[api.EventMessagePinned] || !seen[api.EventMessageEdited] {
		t.Errorf("it is told only %v", seen)
	}
	if copies := w.d.must(200, call{method: "GET", path: of + "/copies"}).body; strings.Contains(copies, `"webhook"`) {
		t.Errorf("the copies are %s", copies)
	}
}

// TestWebhookThatRefusesHasReadIt: what a receiver does not take it was sent all the same.
func TestWebhookThatRefusesHasReadIt(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t)
	r.status <- http.StatusInternalServerError
	hook := w.d.webhook(api.WebhookRequest{URL: r.url, Preset: api.PresetReader, Types: []string{"message.created"}})
	r.secret = hook.Secret
	m := w.say(t, w.conversation, "read and refused")
	r.next(t)
	copies := w.d.must(200, call{method: "GET", path: "/v1/messages/" + *m.ID + "/copies"}).body
	if !strings.Contains(copies, `"webhook"`) || !strings.Contains(copies, hook.ID) {
		t.Errorf("the copies are %s", copies)
	}
	if h := w.d.hookState(hook.ID, api.WebhookFailing); h.LastDeliveredAt != nil {
		t.Errorf("it is said to have taken something: %+v", h)
	}
}

// TestWebhookFailsOnlyWhileTried: the days behind which it is disabled are days in which it was tried.
func TestWebhookFailsOnlyWhileTried(t *testing.T) {
	w := newWorld(t)
	w.d.server.hooks.retry = func(int) time.Duration { return 0 }
	tried, over := make(chan struct{}), make(chan struct{})
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		select {
		case tried <- struct{}{}:
		case <-over: // whoever does not read the body is not told that the other side is gone
		}
	}))
	defer refuses.Close()
	defer close(over)
	hook := w.d.webhook(api.WebhookRequest{URL: refuses.URL, Preset: api.PresetReader})
	w.say(t, w.conversation, "refused")
	for range 2 { // at the second one the first is known to have failed
		<-tried
	}
	w.d.hookState(hook.ID, api.WebhookFailing)
	w.d.must(204, call{method: "POST", path: "/v1/lock"})
	w.d.setClock(func() time.Time { return time.Now().Add(webhookGiveUp) })
	w.d.must(204, call{method: "POST", path: "/v1/unlock"})
	for range 3 * webhookTriesMin {
		<-tried
	}
	w.d.hookState(hook.ID, api.WebhookFailing)
}

// TestWebhookEnabledStays: what is being told meanwhile changes nothing behind the answer.
func TestWebhookEnabledStays(t *testing.T) {
	w := newWorld(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked <- struct{}{}
		select {
		case <-answer:
		case <-q.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(answer)
	hook := w.d.webhook(api.WebhookRequest{URL: slow.URL, Preset: api.PresetReader})
	w.say(t, w.conversation, "slowly")
	for range 2 { // each time the request under way is ended, and another made
		<-asked
		w.d.must(200, call{method: "POST", path: "/v1/webhooks/" + hook.ID + "/enable"})
	}
	<-asked
	w.d.must(204, call{method: "DELETE", path: "/v1/webhooks/" + hook.ID})
	w.d.server.hooks.mu.Lock()
	defer w.d.server.hooks.mu.Unlock()
	if n := len(w.d.server.hooks.running); n != 0 {
		t.Errorf("%d are told behind their end", n)
	}
}

// TestLocalhostIsOneAddress: another program can listen on the port of the other family.
func TestLocalhostIsOneAddress(t *testing.T) {
	for address, want := range map[string]string{
		"localhost:80": "127.0.0.1:80", "127.0.0.1:80": "127.0.0.1:80", "[::1]:80": "[::1]:80", "localhost.example:80": "localhost.example:80",
	} {
		if got := receiverAddress(address); got != want {
			t.Errorf("%s is %s", address, got)
		}
	}
}
