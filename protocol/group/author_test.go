package group

import (
	"fmt"
	"testing"

	"pabal/protocol/wire"
)

// line makes the heads of an author's messages: each names those it is said to name.
func line(names ...string) (heads map[string]*wire.GroupHead, tips map[string]wire.GroupTip) {
	heads, tips = make(map[string]*wire.GroupHead), make(map[string]wire.GroupTip)
	for _, n := range names {
		h := &wire.GroupHead{Sequence: uint64(n[0] - '0')}
		var name string
		for _, p := range n[2:] {
			name += string(p)
			if len(name) == 2 {
				h.Previous, name = append(h.Previous, tips[name]), ""
			}
		}
		heads[n[:2]], tips[n[:2]] = h, wire.GroupTip{Sequence: h.Sequence, Tag: wire.MessageTag{n[0], n[1]}}
	}
	return heads, tips
}

// TestAuthor takes messages of one author in several orders. 3x and 3y have one number; 4x names
// 3x, 5z both lines.
func TestAuthor(t *testing.T) {
	heads, tips := line("1x", "2x1x", "3x2x", "3y2x", "4x3x", "5z3y4x")
	for _, c := range []struct {
		takes   string
		tips    string
		missing uint64
		settled string
	}{
		{"1x2x3x4x", "4x", 0, "[{1 4}]"},
		{"1x3x2x", "3x", 0, "[{1 3}]"},
		{"1x4x", "1x4x", 2, "[{1 1} {4 4}]"},
		{"1x4x3x2x", "4x", 0, "[{1 4}]"},
		{"1x2x3x3y", "3x3y", 0, "[{1 3}]"},
		{"1x2x3y4x", "3y4x", 1, "[{1 4}]"},
		{"1x2x3y4x3x", "3y4x", 0, "[{1 4}]"},
		{"1x2x3x4x5z", "5z", 1, "[{1 5}]"},
		{"1x2x3x4x5z3y", "5z", 0, "[{1 5}]"},
		{"5z", "5z", 4, "[{5 5}]"},
	} {
		var a Author
		for i := 0; i < len(c.takes); i += 2 {
			name := c.takes[i : i+2]
			if a.has(tips[name]) {
				t.Errorf("%s: %s is there before it came", c.takes, name)
			}
			a.take(heads[name], tips[name])
			if !a.has(tips[name]) {
				t.Errorf("%s: %s is not there", c.takes, name)
			}
		}
		got := ""
		for _, tip := range a.tips(9) {
			got += string(tip.Tag[:2])
		}
		if got != c.tips || a.missing(a.top()) != c.missing || fmt.Sprint(a.Settled) != c.settled {
			t.Errorf("%s: tips %s, %d missing, settled %v", c.takes, got, a.missing(a.top()), a.Settled)
		}
	}
}

// TestAuthorRemembers checks what is known of messages whose tags are forgotten: by their numbers
// they were there.
func TestAuthorRemembers(t *testing.T) {
	var a Author
	tip := func(n uint64) wire.GroupTip { return wire.GroupTip{Sequence: n, Tag: wire.MessageTag{byte(n)}} }
	for n := range uint64(recentMax + 10) {
		h := wire.GroupHead{Sequence: n + 1}
		if n > 0 {
			h.Previous = []wire.GroupTip{tip(n)}
		}
		a.take(&h, tip(n+1))
	}
	switch {
	case len(a.Recent) != recentMax, a.Evicted != 10, len(a.Settled) != 1, len(a.Missed) != 0:
		t.Errorf("%d remembered, %d forgotten, settled %v, missed %v", len(a.Recent), a.Evicted, a.Settled, a.Missed)
	case !a.has(wire.GroupTip{Sequence: 3, Tag: wire.MessageTag{99}}):
		t.Error("another message with a number that was forgotten is missed")
	case a.has(wire.GroupTip{Sequence: 30, Tag: wire.MessageTag{99}}):
		t.Error("another message with a number that is remembered is there")
	}
	a.before(&wire.GroupHead{Sequence: 5}, tip(5))
	if len(a.Settled) != 1 || a.has(wire.GroupTip{Sequence: 80}) {
		t.Errorf("settled %v", a.Settled)
	}
}
