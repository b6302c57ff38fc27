package httpd

import (
	"fmt"
	"strings"
	"testing"

	"pabal/node/api"
)

// places says where copies are, as "place content certainty".
func (w *world) places(t *testing.T, id, token string) (items, unknown string) {
	t.Helper()
	var out api.Copies
	w.d.must(200, call{method: "GET", path: "/v1/messages/" + id + "/copies", token: token}).into(t, &out)
	var all []string
	for _, c := range out.Items {
		all = append(all, fmt.Sprint(c.Place, " ", c.Content, " ", c.Certainty))
	}
	return strings.Join(all, ", "), strings.Join(out.Unknown, " ")
}

func TestCopies(t *testing.T) {
	w := newWorld(t)
	items, unknown := w.places(t, w.message, "")
	if items != "this_device readable known" || unknown != "own_backups owner_programs" {
		t.Errorf("note to self: %s; unknown %s", items, unknown)
	}
	sent := w.say(t, otherConversation(w), "hello")
	items, unknown = w.places(t, *sent.ID, "")
	if items != "this_device readable known, contact_device readable possible" || unknown != "own_backups owner_programs screenshots contact_backups" {
		t.Errorf("queued: %s; unknown %s", items, unknown)
	}
	reader := w.d.token(api.TokenRequest{Name: "reads", Preset: api.PresetReader})
	blind := w.d.token(api.TokenRequest{Name: "blind", Preset: api.PresetNotifier})
	bound := w.d.token(api.TokenRequest{Name: "bound", Preset: api.PresetReader, Constraints: api.Constraints{Conversations: []string{w.conversation}}})
	if items, _ = w.places(t, *sent.ID, ""); strings.Contains(items, "token") {
		t.Errorf("tokens that were never used: %s", items)
	}
	for _, token := range []string{reader, blind, bound} {
		w.d.must(200, call{method: "GET", path: "/v1/status", token: token})
	}
	items, _ = w.places(t, *sent.ID, "")
	if strings.Count(items, "token readable possible") != 1 {
		t.Errorf("one token may have read it: %s", items)
	}
	if items, _ = w.places(t, *sent.ID, reader); strings.Contains(items, "token") {
		t.Errorf("a token learns of tokens: %s", items)
	}
	w.d.must(404, call{method: "GET", path: "/v1/messages/" + *sent.ID + "/copies", token: bound})
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *sent.ID})
	w.d.must(404, call{method: "GET", path: "/v1/messages/" + *sent.ID + "/copies"})
}
