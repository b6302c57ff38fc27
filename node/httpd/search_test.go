package httpd

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pabal/node/api"
)

// searched is what a search with these parameters finds: texts, and names behind @.
func (w *world) searched(t *testing.T, token string, params ...string) string {
	t.Helper()
	page := w.searchPage(t, token, params...)
	var all []string
	for _, c := range page.Contacts {
		name := c.Name
		if c.Alias != nil {
			name = *c.Alias
		}
		all = append(all, "@"+name)
	}
	for _, hit := range page.Items {
		all = append(all, hit.Message.Body.Text)
	}
	return strings.Join(all, "|")
}

func (w *world) searchPage(t *testing.T, token string, params ...string) (page api.SearchPage) {
	t.Helper()
	w.d.must(200, call{method: "GET", path: searchPath(params...), token: token}).into(t, &page)
	return page
}

func searchPath(params ...string) string {
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return "/v1/search?" + q.Encode()
}

// say writes a message and returns it.
func (w *world) say(t *testing.T, conversation, text string) (m api.Message) {
	t.Helper()
	w.d.must(201, call{method: "POST", path: "/v1/conversations/" + conversation + "/messages", body: fmt.Sprintf(`{"text":%q}`, text)}).into(t, &m)
	return m
}

func TestSearchFindsMessagesAndNames(t *testing.T) {
	w := newWorld(t)
	other := otherConversation(w)
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"alias":"회의실 지우"}`})
	w.say(t, w.conversation, "내일 회의실 예약")
	w.say(t, other, "회의는 3시, meeting room")
	late := w.say(t, w.conversation, "Meet me 🙂 at 회의실")
	for _, tt := range []struct {
		params []string
		want   string
	}{
		{[]string{"q", "회의실"}, "@회의실 지우|Meet me 🙂 at 회의실|내일 회의실 예약"},
		{[]string{"q", "ㅎㅇㅅ", "kind", "text"}, "Meet me 🙂 at 회의실|내일 회의실 예약"},
		{[]string{"q", "ㅈㅇ", "kind", "contact"}, "@회의실 지우"},
		{[]string{"q", "meet"}, "Meet me 🙂 at 회의실|회의는 3시, meeting room"},
		{[]string{"q", "meet", "in", other}, "회의는 3시, meeting room"},
		{[]string{"q", "회의", "from", "self", "in", w.conversation}, "Meet me 🙂 at 회의실|내일 회의실 예약"},
		{[]string{"q", "회의", "from", w.contact}, ""},
		{[]string{"q", "회의", "from", "@회의실 지우"}, ""},
		{[]string{"q", "회의", "until", "2001-01-01T00:00:00Z"}, ""},
		{[]string{"q", "회의 예약", "since", "2001-01-01T00:00:00Z"}, "내일 회의실 예약"},
		{[]string{"q", "없는말"}, ""},
	} {
		if got := w.searched(t, "", tt.params...); got != tt.want {
			t.Errorf("%v finds %q, want %q", tt.params, got, tt.want)
		}
	}
	hit := w.searchPage(t, "", "q", "meet 회의", "limit", "1")
	if got := fmt.Sprint(hit.Items[0].Highlights); got != "[[0 4] [13 2]]" || hit.Next == nil || *hit.Next != *late.ID {
		t.Errorf("highlights %s, next %v", got, hit.Next)
	}
	if got := w.searched(t, "", "q", "meet 회의", "after", *hit.Next); got != "회의는 3시, meeting room" {
		t.Errorf("the next page has %q", got)
	}
}

// TestSearchOfDeleted: once a message is deleted nothing finds it, nor is there a
// word of it in the files.
func TestSearchOfDeleted(t *testing.T) {
	w := newWorld(t)
	m := w.say(t, w.conversation, "quixotropic 갈매기살구이")
	for {
		if n, err := w.d.Store().IndexStep(100); err != nil {
			t.Fatal(err)
		} else if n == 0 {
			break
		}
	}
	words := [][]byte{[]byte("quixotropic"), []byte("갈매기살"), []byte("갈매"), []byte("ㄱㅁㄱㅅㄱㅇ")}
	look := func() []int {
		t.Helper()
		sight, err := w.d.Store().Look(words...)
		if err != nil {
			t.Fatal(err)
		}
		return sight.Hits
	}
	if w.searched(t, "", "q", "quixo") == "" || fmt.Sprint(look()) == "[0 0 0 0]" {
		t.Fatal("it was never there")
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *m.ID})
	for _, q := range []string{"quixo", "갈매기", "ㄱㅁㄱ"} {
		if got := w.searched(t, "", "q", q); got != "" {
			t.Errorf("%s finds %q", q, got)
		}
	}
	if hits := look(); fmt.Sprint(hits) != "[0 0 0 0]" {
		t.Errorf("found in the files: %v", hits)
	}
	if a := w.d.must(400, call{method: "GET", path: searchPath("q", "quixo", "after", *m.ID)}); a.problem() != api.CodeCursorInvalid {
		t.Errorf("a page after it: %s", a.body)
	}
}

// TestSearchOfTokens: a token finds what it may read, and no more.
func TestSearchOfTokens(t *testing.T) {
	w := newWorld(t)
	other := otherConversation(w)
	w.say(t, w.conversation, "secret plan")
	w.say(t, other, "secret party")
	bound := w.d.token(api.TokenRequest{
		Scopes: []api.Scope{api.ScopeSearch, api.ScopeContactsRead}, Constraints: api.Constraints{Conversations: []string{w.conversation}},
	})
	if got := w.searched(t, bound, "q", "secret"); got != "secret plan" {
		t.Errorf("a bound token finds %q", got)
	}
	w.d.must(404, call{method: "GET", path: searchPath("q", "secret", "in", other), token: bound})
	w.d.must(404, call{method: "GET", path: searchPath("q", "secret", "from", w.contact), token: bound})
	for _, r := range []api.TokenRequest{
		{Scopes: []api.Scope{api.ScopeSearch, api.ScopeMessagesMeta}},
		{Scopes: []api.Scope{api.ScopeSearch, api.ScopeMessagesRead}, Constraints: api.Constraints{Content: api.ContentMeta}},
	} {
		a := w.d.must(403, call{method: "GET", path: searchPath("q", "secret"), token: w.d.token(r)})
		if a.problem() != api.CodeScopeMissing {
			t.Errorf("a token without texts: %s", a.body)
		}
	}
	nameless := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeSearch}})
	if page := w.searchPage(t, nameless, "q", "M", "kind", "contact"); len(page.Contacts) != 0 {
		t.Errorf("a token without contacts finds %d", len(page.Contacts))
	}
}

func TestSearchRefusals(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		params []string
		status int
		code   api.Code
	}{
		{nil, 422, api.CodeValidationFailed},
		{[]string{"q", ""}, 422, api.CodeValidationFailed},
		{[]string{"q", "🙂 !?"}, 422, api.CodeNothingToSearch},
		{[]string{"q", strings.Repeat("가", 257)}, 422, api.CodeValidationFailed},
		{[]string{"q", "a", "in", "cv_x"}, 404, api.CodeNotFound},
		{[]string{"q", "a", "in", "cv_" + zeros}, 404, api.CodeNotFound},
		{[]string{"q", "a", "from", "@nobody"}, 404, api.CodeNotFound},
		{[]string{"q", "a", "from", "me"}, 404, api.CodeNotFound},
		{[]string{"q", "a", "kind", "file?"}, 422, api.CodeValidationFailed},
		{[]string{"q", "a", "since", "yesterday"}, 422, api.CodeValidationFailed},
		{[]string{"q", "a", "after", "1"}, 400, api.CodeCursorInvalid},
		{[]string{"q", "a", "limit", "51"}, 422, api.CodeValidationFailed},
		{[]string{"q", `a"*) OR tokens MATCH (b`}, 200, ""},
	} {
		a := w.d.must(tt.status, call{method: "GET", path: searchPath(tt.params...)})
		if tt.status != 200 && a.problem() != tt.code {
			t.Errorf("%v: %s", tt.params, a.body)
		}
	}
}

// TestNamesSurviveAShorterList: whoever lists some contacts must not change what
// the others are called in the same answer.
func TestNamesSurviveAShorterList(t *testing.T) {
	w := newWorld(t)
	contacts := []string{w.contact, w.newContact()}
	for i, id := range contacts {
		w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + id, body: fmt.Sprintf(`{"alias":"name %d"}`, i)})
	}
	err := w.d.server.view(owner(), func(r *reader) error {
		if _, err := r.contactsCalled("name 1"); err != nil {
			return err
		}
		for i, id := range contacts {
			c, err := r.resolve(id)
			if err != nil || r.name(c) != fmt.Sprintf("name %d", i) {
				t.Errorf("%s is called %q, %v", id, c.Alias, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
