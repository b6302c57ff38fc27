package httpd

import (
	"fmt"
	"testing"

	"pabal/node/api"
)

func TestSkeletons(t *testing.T) {
	for _, pair := range [][2]string{
		{"Mina", "МINA"}, {"mina", "Міna"}, {"Mina", "Mina "}, {"Mina", "M\u200bina"}, {"Mina", "M\u00ednà"}, {"Ilya", "llya"},
		{"Boris", "B0rіs"}, {"민수", "ㅁㅣㄴㅅㅜ"}, {"민수", "\u1106\u1175\u11ab\u1109\u116e"}, {"민 수", "민수\u3164"},
		{"Anna", "Ａｎｎａ"}, {"Αννα", "Avva"}, {"Warner", "VVamer"}, {"pay", "рау"}, {"김민수 1", "김민수 l"},
	} {
		if a, b := skeleton(pair[0]), skeleton(pair[1]); a != b {
			t.Errorf("%q is %q, %q is %q", pair[0], a, pair[1], b)
		}
	}
	for _, pair := range [][2]string{{"Mina", "Mira"}, {"민수", "민주"}, {"Anna", "Hanna"}, {"Jiwoo", "지우"}, {"Boris", "Борис"}} {
		if skeleton(pair[0]) == skeleton(pair[1]) {
			t.Errorf("%q and %q look alike", pair[0], pair[1])
		}
	}
	for name, mixed := range map[string]bool{"Mina": false, "Міna": true, "Борис Smith": false, "민수 Kim": false, "αlpha": true, "민수K": false} {
		if mixesAlphabets(name) != mixed {
			t.Errorf("%q mixes alphabets: %v", name, !mixed)
		}
	}
}

// TestNameWarnings: our own alias is above any doubt, what others call themselves is not.
func TestNameWarnings(t *testing.T) {
	w := newWorld(t)
	known := w.contact
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + known, body: `{"alias":"Boris"}`})
	warnings := func(a *actor, id, name string) (codes string) {
		t.Helper()
		err := w.d.server.view(a, func(r *reader) error {
			all, err := r.nameWarnings(id, name)
			codes = ""
			for _, warning := range all {
				codes += fmt.Sprint(warning.Code, warning.Params["contact_id"], " ")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return codes
	}
	for name, want := range map[string]string{
		"Bоris": "looks_like" + known + " mixed_alphabets<nil> ", "B0RIS": "looks_like" + known + " ", "Moris": "", "": "", "МІNА": "looks_likeself mixed_alphabets<nil> ",
	} {
		if got := warnings(owner(), "ct_new", name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := warnings(owner(), known, "Boris"); got != "" {
		t.Errorf("looks like itself: %q", got)
	}
	narrow := owner()
	narrow.constraints.Conversations = []string{w.conversation}
	if got := warnings(narrow, "ct_new", "B0RIS"); got != "" {
		t.Errorf("a token for some conversations learns of others: %q", got)
	}
	var c api.Contact
	w.d.must(200, call{method: "GET", path: "/v1/contacts/" + known}).into(t, &c)
	if len(c.Warnings) != 0 {
		t.Errorf("an alias has warnings %v", c.Warnings)
	}
}

// TestSameLinkFromTwoPeople: whoever passes on a link of somebody else must not find
// out unnoticed whether that one is a contact.
func TestSameLinkFromTwoPeople(t *testing.T) {
	w := newWorld(t)
	accept := func(status int, body string) answer {
		t.Helper()
		return w.d.must(status, call{method: "POST", path: "/v1/invites/accept", body: body})
	}
	var first api.Accepted
	accept(202, `{"uri":"`+w.link+`","alias":"Mina"}`).into(t, &first)
	for _, alias := range []string{"", `,"alias":"Mina"`, `,"alias":" MINA "`} {
		var again api.Accepted
		accept(202, `{"uri":"`+w.link+`"`+alias+`}`).into(t, &again)
		if again.ContactID != first.ContactID {
			t.Errorf("asked again: %s, not %s", again.ContactID, first.ContactID)
		}
	}
	a := accept(409, `{"uri":"`+w.link+`","alias":"Jiwoo"}`)
	var p api.Problem
	a.into(t, &p)
	if p.Code != api.CodeSameLink || p.Params["contact_id"] != first.ContactID {
		t.Errorf("as somebody else: %s", a.body)
	}
}
