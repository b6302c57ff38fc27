package main

import (
	"testing"

	"pabal/cmd/crash"
	"pabal/node/api"
)

// TestInPlace counts what came as it was sent, without what else is in the history.
func TestInPlace(t *testing.T) {
	in := func(text string) crash.Item {
		return crash.Item{Text: text, Kind: api.MessageText, Direction: api.DirectionIn}
	}
	own := crash.Item{Text: "a", Kind: api.MessageText, Direction: api.DirectionOut}
	sent := []string{"a", "b", "c"}
	for name, c := range map[string]struct {
		items []crash.Item
		want  int
	}{
		"all":          {[]crash.Item{own, in("a"), in("b"), {Kind: api.MessageGap}, in("c")}, 3},
		"one missing":  {[]crash.Item{in("a"), in("c")}, 1},
		"one doubled":  {[]crash.Item{in("a"), in("b"), in("b"), in("c")}, 2},
		"out of order": {[]crash.Item{in("b"), in("a"), in("c")}, 1},
		"one too many": {[]crash.Item{in("a"), in("b"), in("c"), in("d")}, 3},
		"nothing":      {nil, 0},
	} {
		if got := inPlace(sent, c.items); got != c.want {
			t.Errorf("%s: %d in place, want %d", name, got, c.want)
		}
	}
}

func TestLettersDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, text := range letters(&side{&crash.Side{Name: "sender1"}}, 50, offlineTextBytes) {
		if len(text) != offlineTextBytes || seen[text] {
			t.Errorf("%q", text)
		}
		seen[text] = true
	}
}
