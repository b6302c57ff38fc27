package protocol

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// putBack gives a side that is off an old disk.
func (w *town) putBack(s *side, old *rows, history []PutMessage) {
	w.rows[s] = old
	s.reload(w.now, old.state(s))
	s.history = slices.Clone(history)
	w.off[s] = true
}

// turns has two be on by turns, never together, for so many turns; each writes in its own.
func (w *town) turns(n int, a, b *side) {
	on, off := a, b
	w.switchOff(off)
	for range n {
		w.switchOn(on)
		w.pass(15 * time.Minute) // what answers something goes by courier after up to ten
		w.switchOff(on)
		on, off = off, on
	}
}

// arrived checks that a side has texts of the other, each once.
func (w *town) arrived(at *side, texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		n := 0
		for _, m := range at.incoming() {
			if content, _, err := wire.DecodeContent(m.Content); err == nil && content.Text == text {
				n++
			}
		}
		if n != 1 {
			w.t.Errorf("%s has %q %d times", at.name, text, n)
		}
	}
}

// TestRenewalByCourier has somebody's disk be put back who is never on together with the
// other: the two find out, renew their session, and everything comes, by couriers alone.
func TestRenewalByCourier(t *testing.T) {
	for name, old := range map[string]int{"of the same chain": 1, "of an earlier chain": 3} {
		t.Run(name, func(t *testing.T) {
			w, a, b, _ := allFriends(t)
			w.switchOff(b)
			var before *rows
			var history []PutMessage
			for round := range 4 {
				if round == 4-old {
					before, history = w.rows[b].clone(), slices.Clone(b.history)
				}
				a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint("a", round)})
				w.turns(2, a, b)
				b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: fmt.Sprint("b", round)})
				w.turns(2, b, a)
			}
			w.putBack(b, before, history)
			generation := a.of(b).state.Generation
			a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
			b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "since b"})
			w.turns(10, b, a)
			// Both may find out, each by what the other still leaves in the old session.
			if got := a.of(b).state.Generation; got <= generation || got > generation+2 || b.of(a).state.Generation != got {
				t.Errorf("generation %d became %d, %d", generation, got, b.of(a).state.Generation)
			}
			w.arrived(b, "a0", "a1", "a2", "a3", "since a")
			w.arrived(a, "b0", "b1", "b2", "b3", "since b")
			w.turns(2, b, a)
			for _, s := range []*side{a, b} {
				if c := s.p.contactsInOrder()[0]; c.forked || c.state.Repair != nil || len(c.state.Accept)+len(c.state.AcceptBoxes) > 0 {
					t.Errorf("%s: forked %v, repair %v, %d bytes of an accept on %d boards", s.name, c.forked, c.state.Repair != nil, len(c.state.Accept), len(c.state.AcceptBoxes))
				}
			}
		})
	}
}

// TestRenewalFromBeforeARenewal puts a disk back to a state from before a renewal: the two
// share no session any more, only the secret.
func TestRenewalFromBeforeARenewal(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.turns(2, a, b)
	old, history := w.rows[b].clone(), slices.Clone(b.history)
	for round := range 2 {
		before, kept := w.rows[b].clone(), slices.Clone(b.history)
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint("a", round)})
		w.turns(2, a, b)
		b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: fmt.Sprint("b", round)})
		w.turns(2, b, a)
		if round == 0 {
			w.putBack(b, before, kept)
			w.turns(10, b, a)
		}
	}
	if a.of(b).state.Generation == 0 || a.of(b).forked {
		t.Fatalf("the first time: generation %d, forked %v", a.of(b).state.Generation, a.of(b).forked)
	}
	w.later(24 * time.Hour)
	w.putBack(b, old, history)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "since b"})
	w.turns(16, b, a)
	w.arrived(b, "a0", "a1", "since a")
	w.arrived(a, "b0", "b1", "since b")
}

// TestCourierMakesNoRenewals has a courier hand over what nobody has sealed, again and
// again: it gets one renewal a day out of the owner at most.
func TestCourierMakesNoRenewals(t *testing.T) {
	w, a, b, c := friends(t)
	box := b.of(a).state.Boxes[0]
	w.switchOff(a)
	for hour := range 47 {
		item := wire.Item{Type: wire.TypeEnvelope, Body: make([]byte, 3072)}
		item.Body[0], item.Body[1] = wire.Suite, byte(hour)
		b.step(w.now, FrameReceived{Conn: b.of(c).live().id, Type: wire.TypePush, Body: wire.Push{ID: box.ID, Item: item}.Append(nil)})
		w.later(time.Hour)
	}
	w.switchOn(a)
	w.pass(15 * time.Minute)
	if got := b.of(a).state.Generation; got > 2 || b.of(a).forked || slices.Contains(b.alerts(), "device_runs_twice") {
		t.Errorf("generation %d, forked %v, alerts %v", got, b.of(a).forked, b.alerts())
	}
}
