package httpd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
)

func (w *world) getConversation(t *testing.T, id, token string) (c api.Conversation) {
	t.Helper()
	w.d.must(200, call{method: "GET", path: "/v1/conversations/" + id, token: token}).into(t, &c)
	return c
}

func TestMuteArchivePin(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.conversation
	patch := func(body string) (c api.Conversation) {
		t.Helper()
		w.d.must(200, call{method: "PATCH", path: path, body: body}).into(t, &c)
		return c
	}
	if c := w.getConversation(t, w.conversation, ""); c.MutedUntil != nil || c.Archived || c.Pinned || c.Unread.Marked {
		t.Errorf("a new conversation is %+v", c)
	}
	if c := patch(`{"muted_until":"` + api.MutedForever + `","archived":true,"pinned":true}`); c.MutedUntil.String() != api.MutedForever || !c.Archived || !c.Pinned {
		t.Errorf("all set: %+v", c)
	}
	if c := patch(`{"archived":false,"disappearing":{"mode":"sent","seconds":60}}`); c.Archived || !c.Pinned || c.Disappearing == nil {
		t.Errorf("with a timer: %+v", c)
	}
	if c := patch(`{"muted_until":"2001-01-01T00:00:00Z"}`); c.MutedUntil != nil {
		t.Errorf("muted until long ago: %+v", c)
	}
	soon := api.NewTime(time.Now().Add(time.Hour))
	if c := patch(`{"muted_until":"` + soon.String() + `"}`); c.MutedUntil == nil {
		t.Errorf("muted for an hour: %+v", c)
	}
	if c := patch(`{"muted_until":null}`); c.MutedUntil != nil {
		t.Errorf("no longer muted: %+v", c)
	}
	w.d.must(404, call{method: "PATCH", path: "/v1/conversations/cv_" + zeros, body: `{"pinned":true}`})
	w.d.must(422, call{method: "PATCH", path: path, body: `{"muted_until":"tomorrow"}`})
}

func TestMarkedUnread(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.conversation
	w.d.must(200, call{method: "POST", path: path + "/read", body: `{"up_to":1}`})
	w.d.must(200, call{method: "POST", path: path + "/unread"})
	if c := w.getConversation(t, w.conversation, ""); !c.Unread.Marked {
		t.Errorf("unread %+v", c.Unread)
	}
	w.d.must(200, call{method: "POST", path: path + "/read", body: `{"up_to":1}`})
	if c := w.getConversation(t, w.conversation, ""); c.Unread.Marked {
		t.Errorf("after reading again %+v", c.Unread)
	}
}

func TestConversationFilters(t *testing.T) {
	w := newWorld(t)
	var all []string
	for range 5 {
		var m api.Message
		w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.newContact() + "/messages", body: `{"text":"hi"}`}).into(t, &m)
		all = append(all, m.ConversationID)
	}
	for _, i := range []int{1, 3} {
		w.d.must(200, call{method: "PATCH", path: "/v1/conversations/" + all[i], body: `{"archived":true}`})
	}
	w.d.must(200, call{method: "PATCH", path: "/v1/conversations/" + all[0], body: `{"pinned":true}`})
	w.d.must(200, call{method: "POST", path: "/v1/conversations/" + all[2] + "/unread"})
	list := func(query string) (ids []string) {
		t.Helper()
		for after := ""; ; {
			var page conversationPage
			w.d.must(200, call{method: "GET", path: "/v1/conversations?limit=1&" + query + after}).into(t, &page)
			for _, c := range page.Items {
				ids = append(ids, c.ID)
			}
			if page.Next == nil {
				return ids
			}
			after = "&after=" + *page.Next
		}
	}
	for query, want := range map[string][]string{
		"state=archived":             {all[3], all[1]},
		"state=inbox":                {all[4], all[2], all[0], w.conversation},
		"pinned=true":                {all[0]},
		"unread=true":                {all[2]},
		"state=archived&pinned=true": nil,
		"pinned=false":               {all[4], all[3], all[2], all[1], all[0], w.conversation},
	} {
		if got := list(query); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s lists %v, want %v", query, got, want)
		}
	}
}

func TestPinsAndStars(t *testing.T) {
	w := newWorld(t)
	other := otherConversation(w)
	first, second := w.say(t, w.conversation, "one"), w.say(t, other, "two")
	for _, path := range []string{"/v1/messages/" + *first.ID + "/star", "/v1/messages/" + *second.ID + "/star", "/v1/messages/" + *first.ID + "/pin"} {
		w.d.must(204, call{method: "PUT", path: path})
		w.d.must(204, call{method: "PUT", path: path})
	}
	var m api.Message
	w.d.must(200, call{method: "GET", path: "/v1/messages/" + *first.ID}).into(t, &m)
	if !m.Pinned || !m.Starred {
		t.Errorf("marks %v, %v", m.Pinned, m.Starred)
	}
	list := func(token, query string) string {
		t.Helper()
		var texts []string
		for after := ""; ; {
			var page api.MarkedPage
			w.d.must(200, call{method: "GET", path: "/v1/messages?limit=1&marked=" + query + after, token: token}).into(t, &page)
			for _, m := range page.Items {
				texts = append(texts, m.Body.Text)
			}
			if page.Next == nil {
				return strings.Join(texts, "|")
			}
			after = "&after=" + *page.Next
		}
	}
	bound := w.d.token(api.TokenRequest{Preset: api.PresetReader, Constraints: api.Constraints{Conversations: []string{other}}})
	for _, tt := range []struct{ token, query, want string }{
		{"", "star", "two|one"}, {"", "pin", "one"}, {"", "star&in=" + w.conversation, "one"}, {bound, "star", "two"}, {bound, "pin", ""},
	} {
		if got := list(tt.token, tt.query); got != tt.want {
			t.Errorf("%s lists %q, want %q", tt.query, got, tt.want)
		}
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *second.ID + "/star"})
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *first.ID})
	if got := list("", "star"); got != "" {
		t.Errorf("stars are left: %q", got)
	}
	w.d.must(404, call{method: "PUT", path: "/v1/messages/" + *first.ID + "/star"})
	w.d.must(422, call{method: "GET", path: "/v1/messages"})
	w.d.must(422, call{method: "GET", path: "/v1/messages?marked=heart"})
	w.d.must(400, call{method: "GET", path: "/v1/messages?marked=star&after=" + *first.ID})
}

func TestDrafts(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.conversation
	put := func(text string) {
		t.Helper()
		w.d.must(200, call{method: "PUT", path: path + "/draft", body: fmt.Sprintf(`{"text":%q}`, text)})
	}
	draft := func() string {
		t.Helper()
		if c := w.getConversation(t, w.conversation, ""); c.Draft != nil {
			return c.Draft.Text
		}
		return ""
	}
	put("half a thought")
	put("half a thought more")
	if got := draft(); got != "half a thought more" {
		t.Errorf("draft %q", got)
	}
	reader := w.d.token(api.TokenRequest{Preset: api.PresetReader})
	if c := w.getConversation(t, w.conversation, reader); c.Draft != nil {
		t.Error("a token without the scope sees drafts")
	}
	w.say(t, w.conversation, "by somebody else")
	if got := draft(); got == "" {
		t.Error("another message ended the draft")
	}
	w.say(t, w.conversation, "half a thought more")
	if got := draft(); got != "" {
		t.Errorf("sent, and still a draft: %q", got)
	}
	put("again")
	w.d.must(201, call{method: "PUT", path: path + "/messages/" + api.NewMessageID(), body: `{"text":"again"}`})
	if got := draft(); got != "" {
		t.Errorf("sent by PUT, and still a draft: %q", got)
	}
	answered := w.say(t, w.conversation, "a question")
	w.d.must(200, call{method: "PUT", path: path + "/draft", body: `{"text":"an answer","reply_to":"` + *answered.ID + `"}`})
	if c := w.getConversation(t, w.conversation, ""); c.Draft.ReplyTo == nil || *c.Draft.ReplyTo != *answered.ID {
		t.Errorf("draft %+v", c.Draft)
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *answered.ID})
	if c := w.getConversation(t, w.conversation, ""); c.Draft.ReplyTo != nil {
		t.Errorf("answers what is gone: %+v", c.Draft)
	}
	w.d.must(204, call{method: "DELETE", path: path + "/draft"})
	w.d.must(204, call{method: "DELETE", path: path + "/draft"})
	if got := draft(); got != "" {
		t.Errorf("erased, and still a draft: %q", got)
	}
	for body, status := range map[string]int{
		`{"text":""}`: 422, `{"text":"x","reply_to":"ms_` + zeros + `"}`: 422, `{"text":"` + strings.Repeat("a", api.TextBytesMax+1) + `"}`: 413,
	} {
		w.d.must(status, call{method: "PUT", path: path + "/draft", body: body})
	}
	w.d.must(404, call{method: "PUT", path: "/v1/conversations/cv_" + zeros + "/draft", body: `{"text":"x"}`})
}

// TestReceiptsNeedAConversation asks for receipts before there is anything to read.
func TestReceiptsNeedAConversation(t *testing.T) {
	w := newWorld(t)
	a := w.d.must(409, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"alias":"M","read_receipts":true}`})
	if a.problem() != api.CodeNotEstablished {
		t.Errorf("code %s", a.problem())
	}
	if a := w.d.must(200, call{method: "GET", path: "/v1/contacts/" + w.contact}); !strings.Contains(string(a.body), `"alias":null`) {
		t.Errorf("half of it was done: %s", a.body)
	}
}

// TestForwardNeedsReading: a token that may only send cannot read by forwarding to itself.
func TestForwardNeedsReading(t *testing.T) {
	w := newWorld(t)
	sender := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeMessagesSend}})
	forward := call{method: "POST", path: "/v1/messages/" + w.message + "/forward", body: `{"to":["` + w.conversation + `"]}`, token: sender}
	if a := w.d.must(403, forward); a.problem() != api.CodeScopeMissing {
		t.Errorf("code %s", a.problem())
	}
}
