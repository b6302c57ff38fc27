package main

import (
	"testing"

	"pabal/node/api"
)

// TestInPlace counts what came as it was sent, without what else is in the history.
func TestInPlace(t *testing.T) {
	in := func(text string) item { return item{text: text, kind: api.MessageText, direction: api.DirectionIn} }
	own := item{text: "a", kind: api.MessageText, direction: api.DirectionOut}
	sent := []string{"a", "b", "c"}
	for name, c := range map[string]struct {
		items []item
		want  int
	}{
		"all":          {[]item{own, in("a"), in("b"), {kind: api.MessageGap}, in("c")}, 3},
		"one missing":  {[]item{in("a"), in("c")}, 1},
		"one doubled":  {[]item{in("a"), in("b"), in("b"), in("c")}, 2},
		"out of order": {[]item{in("b"), in("a"), in("c")}, 1},
		"one too many": {[]item{in("a"), in("b"), in("c"), in("d")}, 3},
		"nothing":      {nil, 0},
	} {
		if got := inPlace(sent, c.items); got != c.want {
			t.Errorf("%s: %d in place, want %d", name, got, c.want)
		}
	}
}

func TestLettersDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, text := range letters(&side{name: "sender1"}, 50, offlineTextBytes) {
		if len(text) != offlineTextBytes || seen[text] {
			t.Errorf("%q", text)
		}
		seen[text] = true
	}
}
