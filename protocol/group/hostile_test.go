package group

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// made returns a message that somebody signs, made of their next one by a change.
func (w *world) made(i int, change func(*wire.GroupMessage)) wire.GroupMessage {
	w.t.Helper()
	p := w.people[i]
	m := wire.GroupMessage{GroupHead: p.x.Next()}
	m.Commit([16]byte{1}, []byte("made"))
	change(&m)
	if err := m.Sign(p.seed); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// TestTraffic checks what a message costs when all is well: in a group in which all know each
// other little more than one copy for each, and in one in which each knows two exactly that.
func TestTraffic(t *testing.T) {
	for name, c := range map[string]struct {
		chain, friends bool
		most           int // copies of 80 messages for 7 each
	}{"all know each other": {friends: true, most: 660}, "a star": {most: 560}, "a chain": {chain: true, most: 560}} {
		w := gather(t, 8, c.chain, c.friends)
		for range 2 { // at first some come twice
			clear(w.sent)
			for i := range 80 {
				w.write(i % 8)
				w.pass(20 * time.Second)
			}
			w.pass(24 * time.Hour)
		}
		for _, p := range w.people {
			if len(p.history) != 160 {
				t.Errorf("%s: %s has %d messages", name, p.name, len(p.history))
			}
		}
		t.Logf("%s: %v", name, w.sent)
		if w.sent["message"] > c.most {
			t.Errorf("%s: %d copies of 80 messages for 7, at most %d", name, w.sent["message"], c.most)
		}
	}
}

// TestTwoOfOneNumber puts back the disk of an author who has written meanwhile, and writes on:
// everybody gets both messages, the author, too.
func TestTwoOfOneNumber(t *testing.T) {
	w := gather(t, 4, true, false)
	w.write(1)
	w.pass(time.Hour)
	w.copyDisk(1)
	w.write(1)
	w.write(1)
	w.pass(time.Hour)
	w.turn(1, true)
	w.turn(1, false)
	w.restart(1, true)
	w.write(1) // before anybody has said what it wrote
	w.pass(48 * time.Hour)
	w.write(1)
	w.pass(48 * time.Hour)
	w.check()
	for _, p := range w.people {
		if len(p.history) != 5 {
			t.Errorf("%s has %d of 5 messages", p.name, len(p.history))
		}
	}
	last := w.people[1].x.author(w.people[1].key())
	if tips := last.tips(last.top()); len(tips) != 1 {
		t.Errorf("behind the next message there are %d that none names", len(tips))
	}
}

// TestWhoIsOut checks that whoever knows of a removal sends nothing to the removed, and that what
// the removed write from then on does not count, whatever number they give it.
func TestWhoIsOut(t *testing.T) {
	w := gather(t, 4, false, true)
	for range 3 {
		w.write(3)
	}
	w.pass(time.Hour)
	w.turn(3, true) // does not hear of it
	late := w.made(3, func(*wire.GroupMessage) {})
	second := w.people[3].x.author(w.people[3].key()).Recent[1]
	past := w.made(3, func(m *wire.GroupMessage) {
		m.Sequence, m.Previous = 3, []wire.GroupTip{{Sequence: 2, Tag: second.Tag}}
	})
	w.remove(0, 3)
	w.pass(time.Hour)
	for i := range 3 {
		w.write(i)
	}
	w.pass(time.Hour)
	if _, err := w.people[1].x.Message(w.now, key(3), late); !errors.Is(err, ErrRemoved) {
		t.Errorf("behind the last that counts: %v", err)
	}
	if out, err := w.people[1].x.Message(w.now, key(3), past); err != nil || len(out.Accepted) > 0 {
		t.Errorf("another one with a number that counts: %v, %v", out.Accepted, err)
	}
	w.turn(3, false)
	w.pass(72 * time.Hour)
	for _, p := range w.people[:3] {
		if len(p.x.asking) > 0 {
			t.Errorf("%s goes on asking for what does not count", p.name)
		}
		if len(p.history) != 6 {
			t.Errorf("%s has %d of 6 messages that count", p.name, len(p.history))
		}
	}
	p := w.people[3]
	if p.x.in(p.key()) {
		t.Error("who was removed is not told")
	}
	for _, m := range p.history {
		if m.Author != p.key() {
			t.Error("who was removed got what was written behind it")
		}
	}
}

// TestNotAMembers checks that nothing is shown that no member says.
func TestNotAMembers(t *testing.T) {
	w := gather(t, 3, false, true)
	x := w.people[1].x
	stranger := identity.MemberSeed{9}
	for name, c := range map[string]struct {
		m    wire.GroupMessage
		want error
	}{
		"of another group":    {w.made(2, func(m *wire.GroupMessage) { m.Group = wire.OperationID{1} }), ErrForeign},
		"of later knowledge":  {w.made(2, func(m *wire.GroupMessage) { m.Heads = []wire.OperationID{{1}} }), ErrUnknown},
		"before they were in": {w.made(2, func(m *wire.GroupMessage) { m.Heads = []wire.OperationID{x.log.ID()} }), ErrNotMember},
		"changed": {func() wire.GroupMessage {
			m := w.made(2, func(*wire.GroupMessage) {})
			m.Expires++
			return m
		}(), ErrForged},
		"of a stranger": {func() wire.GroupMessage {
			m := w.made(2, func(*wire.GroupMessage) {})
			if err := m.Sign(stranger); err != nil {
				t.Fatal(err)
			}
			return m
		}(), ErrNotMember},
	} {
		out, err := x.Message(w.now, key(2), c.m)
		if !errors.Is(err, c.want) || len(out.Accepted) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := x.Message(w.now, key(200), w.made(2, func(*wire.GroupMessage) {})); !errors.Is(err, ErrNotMember) {
		t.Errorf("by nobody known: %v", err)
	}
}

// TestSaidToBeDeleted checks that a member cannot have others believe that what somebody wrote
// is gone, unless its time has come.
func TestSaidToBeDeleted(t *testing.T) {
	w := gather(t, 3, false, true)
	x := w.people[1].x
	gone := w.made(2, func(*wire.GroupMessage) {})
	expired := w.made(2, func(m *wire.GroupMessage) {
		m.Sequence, m.Previous, m.Expires = 2, []wire.GroupTip{gone.Tip()}, uint64(w.now.UnixMilli())
	})
	author := w.people[2].key()
	for _, m := range []wire.GroupMessage{gone, expired} {
		bare := m
		bare.Content = nil
		out, err := x.Message(w.now, key(0), bare)
		if shown := func(m wire.GroupMessage) bool { return m.Content != nil }; err != nil || slices.ContainsFunc(out.Accepted, shown) {
			t.Fatal(out.Accepted, err)
		}
	}
	if a := x.author(author); a.settled(1) || !a.settled(2) {
		t.Errorf("settled is %v", a.Settled)
	}
	if n := x.Missing(author); n != 1 {
		t.Errorf("%d are missed, not the one that was only said to be deleted", n)
	}
	if out, err := x.Message(w.now, key(2), gone); err != nil || len(out.Accepted) != 1 {
		t.Errorf("the author's own comes: %v, %v", out.Accepted, err)
	}
	x.Settle(w.now, author, wire.GroupTip{Sequence: 3, Tag: wire.MessageTag{1}})
	if !x.author(author).settled(3) {
		t.Error("what its author has deleted is still missed")
	}
}

// TestBounded checks that what a member says takes no more room and no more work than is set.
func TestBounded(t *testing.T) {
	w := gather(t, 3, false, true)
	x, liar := w.people[1].x, key(2)
	author := w.people[0].key()
	x.Synced(w.now, liar, wire.GroupSync{Group: x.log.ID(), Held: x.log.HeldHash(), Left: x.log.LeftHash(), Authors: []wire.GroupAuthor{
		{Mark: wire.MarkOf(author), Tips: []wire.GroupTip{{Sequence: wire.GroupSequenceMax, Tag: wire.MessageTag{1}}}},
		{Mark: wire.MemberMark{1}, Tips: []wire.GroupTip{{Sequence: 1}}},
	}})
	if n := x.Missing(author); n != 0 {
		t.Errorf("a member's word makes %d messages of another missed", n)
	}
	asked := 0
	for range 50 {
		w.now = w.now.Add(time.Hour)
		for _, s := range x.Due(w.now).Sends {
			if s.Want != nil {
				asked++
				if s.To != liar || len(s.Want.Ranges) > askRangesMax {
					t.Errorf("asked is %v for %v", s.To, s.Want.Ranges)
				}
				x.Absent(w.now, liar, *s.Want)
			}
		}
	}
	if asked != 1 {
		t.Errorf("who lies is asked %d times", asked)
	}
	fetches := x.Wanted(w.now, liar, wire.GroupRanges{Group: x.log.ID(), Ranges: slices.Repeat([]wire.GroupRange{
		{Mark: wire.MarkOf(author), First: 1, Last: wire.GroupSequenceMax},
	}, 2*wire.GroupRangesMax)}).Fetches
	numbers := uint64(0)
	for _, f := range fetches {
		numbers += f.Last - f.First + 1
	}
	if numbers > servedMax {
		t.Errorf("%d numbers are looked up for one want", numbers)
	}
	for i := range uint64(3 * spansMax) { // every other number, each with something before it that does not come
		m := w.made(2, func(m *wire.GroupMessage) {
			m.Sequence, m.Previous = 2*i+2, []wire.GroupTip{{Sequence: 2*i + 1, Tag: wire.MessageTag{byte(i), byte(i >> 8)}}}
		})
		if _, err := x.Message(w.now, liar, m); err != nil {
			t.Fatal(err)
		}
	}
	a := x.author(w.people[2].key())
	if len(a.Settled) > spansMax || len(a.Recent) > recentMax || len(a.Missed) > missedMax {
		t.Errorf("%d runs, %d remembered, %d missed", len(a.Settled), len(a.Recent), len(a.Missed))
	}
}

// TestNewcomer checks that a new member is asked for nothing of before, and that the first
// message from somebody who knew is shown at once.
func TestNewcomer(t *testing.T) {
	w := gather(t, 3, false, false)
	for range askNumbersMax + 44 {
		w.write(1)
		w.pass(time.Minute)
	}
	w.people = append(w.people, newWorld(t, 5, 1).people[0])
	w.add(0, 3, wire.RoleMember)
	w.pass(time.Hour)
	clear(w.sent)
	w.write(1)
	w.pass(24 * time.Hour)
	p := w.people[3]
	if len(p.history) != 1 || p.x.Missing(w.people[1].key()) != 0 {
		t.Errorf("the newcomer has %d messages and misses %d", len(p.history), p.x.Missing(w.people[1].key()))
	}
	if w.sent["want"] > 1 || w.sent["message"] > 4 {
		t.Errorf("to find that out cost %v", w.sent)
	}
	w.check()
}
