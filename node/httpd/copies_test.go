package httpd

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

// TestUseIsKnownBehindARestart: a token that was used for half an hour is not called unused behind a
// restart, nor left out of those that may have read what came meanwhile.
func TestUseIsKnownBehindARestart(t *testing.T) {
	w := newWorld(t)
	made := time.Now()
	token := w.d.token(api.TokenRequest{Name: "reads", Preset: api.PresetReader})
	unused := w.d.token(api.TokenRequest{Name: "unused", Preset: api.PresetReader})
	get := call{method: "GET", path: "/v1/status", token: token}
	w.d.must(200, get)
	sent := w.say(t, otherConversation(w), "hello")
	w.d.setClock(func() time.Time { return made.Add(30 * time.Minute) })
	w.d.must(200, get)
	if err := w.d.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.d.Unlock(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for of, used := range map[string]bool{token: true, unused: false} {
		var got api.Token
		w.d.must(200, call{method: "GET", path: "/v1/tokens/" + api.TokenID(of)}).into(t, &got)
		if (got.LastUsedAt != nil) != used {
			t.Errorf("%s was used at %v", got.Name, got.LastUsedAt)
		}
	}
	if items, _ := w.places(t, *sent.ID, ""); strings.Count(items, "token readable possible") != 1 {
		t.Errorf("one token may have read it: %s", items)
	}
}

// TestRevokedTokenStaysSo: the note of a token's first use does not bring back the row of one that
// was revoked meanwhile.
func TestRevokedTokenStaysSo(t *testing.T) {
	w := newWorld(t)
	secret := w.d.token(api.TokenRequest{Name: "reads", Preset: api.PresetReader})
	a, err := w.d.server.tokenOf(api.TokenID(secret))
	if err != nil {
		t.Fatal(err)
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/tokens/" + a.id})
	w.d.server.touch(t.Context(), a) // of a request that came before
	left, err := tokensOf(w.d.Store())
	if err != nil || left[a.id] != nil {
		t.Errorf("%v, %v", left[a.id], err)
	}
}
