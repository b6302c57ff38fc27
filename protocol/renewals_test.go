package protocol

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pabal/protocol/outbox"
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

// TestRenewalIsAskedForAgain has a courier grant no more renewals today to whom it helps.
// The two stay connected, as such two do, and tomorrow it grants the one that waits.
func TestRenewalIsAskedForAgain(t *testing.T) {
	w, _, b, courier := friends(t)
	w.switchOff(b)
	before, history := w.rows[b].clone(), slices.Clone(b.history)
	w.switchOn(b)
	b.step(w.now, SendText{Contact: b.of(courier).row.ID, Text: "lost"})
	w.pass(time.Minute)
	w.switchOff(b)
	w.putBack(b, before, history)
	for range renewalsPerDayMax {
		courier.of(b).state.Renewals = append(courier.of(b).state.Renewals, w.now.Unix())
	}
	w.switchOn(b)
	courier.step(w.now, SendText{Contact: courier.of(b).row.ID, Text: "today"})
	b.step(w.now, SendText{Contact: b.of(courier).row.ID, Text: "too"})
	w.pass(12 * time.Hour)
	path := b.of(courier).live()
	if path == nil || b.of(courier).state.Repair == nil {
		t.Fatalf("a path: %v, a renewal is asked for: %v", path != nil, b.of(courier).state.Repair != nil)
	}
	w.pass(13 * time.Hour)
	if now := b.of(courier).live(); now != path {
		t.Error("they have parted meanwhile")
	}
	w.arrived(b, "today")
	w.arrived(courier, "too")
}

// TestRenewalThatNobodyAsksForAnyMore has a request for a renewal be granted whose maker was
// put back to a day before it was made: one side has the new session only, the other the old.
func TestRenewalThatNobodyAsksForAnyMore(t *testing.T) {
	w, _, b, courier := friends(t)
	w.switchOff(courier)
	before, history := w.rows[b].clone(), slices.Clone(b.history)
	b.p.out = new(Output)
	b.p.fork(w.now, b.of(courier), b.of(courier).first())
	late := wire.DepositedRequest{Request: [wire.RequestSize]byte(b.of(courier).state.Repair.Request.Request)}
	w.switchOff(b)
	w.putBack(b, before, history)
	w.switchOn(b)
	w.switchOn(courier)
	w.pass(time.Minute)
	courier.step(w.now, FrameReceived{Conn: courier.of(b).live().id, Type: wire.TypeRequest, Body: late.Append(nil)})
	w.run()
	if granted, has := courier.of(b).highestGeneration(), b.of(courier).first().generation; granted == has {
		t.Fatalf("both have generation %d", has)
	}
	courier.step(w.now, SendText{Contact: courier.of(b).row.ID, Text: "to the old one"})
	b.step(w.now, SendText{Contact: b.of(courier).row.ID, Text: "to the new one"})
	w.pass(2 * strayAfter)
	w.arrived(b, "to the old one")
	w.arrived(courier, "to the new one")
}

// TestRenewalGrantedTwice has somebody ask for a renewal that was granted long ago: it was put
// back to the moment of asking, and holds no session any more. The other asks in its place.
func TestRenewalGrantedTwice(t *testing.T) {
	w, _, b, courier := friends(t)
	w.switchOff(courier)
	b.p.out = new(Output)
	b.p.fork(w.now, b.of(courier), b.of(courier).first())
	asked := wire.DepositedRequest{Request: [wire.RequestSize]byte(b.of(courier).state.Repair.Request.Request)}
	w.switchOn(courier)
	w.pass(time.Minute)
	first := courier.of(b).first()
	if first.generation != 1 || !first.confirmed {
		t.Fatalf("generation %d, confirmed %v", first.generation, first.confirmed)
	}
	again := func() bool {
		courier.p.out = new(Output)
		accept, lag, err := courier.p.repairRequested(w.now, courier.of(b), asked.Request[:])
		if accept != nil || err != nil {
			t.Errorf("granted again: %v, %v", accept != nil, err)
		}
		return lag == lagging
	}
	if again() {
		t.Error("a late copy counts as a loss")
	}
	w.pass(strayAfter)
	if !again() {
		t.Error("who asks again has no session, and nobody notices")
	}
}

// TestNumbersUsedBeforeAGap has somebody write under numbers that its disk has lost, and the other
// side get, of what was written then, only the last: it held other messages under the first, whose
// tags it has forgotten since. What is there under these comes all the same, and nothing twice.
func TestNumbersUsedBeforeAGap(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.pass(time.Minute)
	w.switchOff(b)
	const texts, lost, missed = recentTagsMax + 44, 3, 6
	var want []string
	ids := make([][16]byte, texts+1)
	for n := 1; n <= texts; n++ {
		text := fmt.Sprint("text ", n)
		sent := a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: text}).Replies[0].Result.(Sent)
		ids[n] = sent.ID
		if n <= lost+missed {
			want = append(want, text)
		}
	}
	w.run()
	a.of(b).state.Apart = 1 // nothing has shown since the start that both agree
	v := b.of(a).conv
	for n := 1; n <= lost; n++ {
		v.place(uint64(n), [16]byte{8: byte(n), 9: 0xff})
	}
	for n := lost + missed + 1; n <= texts; n++ {
		v.place(uint64(n), ids[n])
	}
	b.p.fork(w.now, b.of(a), b.of(a).first())
	w.switchOn(b)
	w.pass(10 * time.Minute)
	if got := len(b.incoming()); got != lost+missed {
		t.Errorf("%d texts came, want %d", got, lost+missed)
	}
	w.arrived(b, want...)
	if n := len(b.of(a).conv.have.Gaps); n > 0 || !a.of(b).queue.Empty() {
		t.Errorf("%d gaps, %d wait", n, a.of(b).queue.WaitingLen())
	}
}

// TestOnlyTheNewestWaitsAgain ends a session with somebody who was off for months: of all that was
// told since, the newest waits.
func TestOnlyTheNewestWaitsAgain(t *testing.T) {
	a, b := meet(t)
	part(a, b)
	c := a.only()
	var items []outbox.Item
	add := func(content wire.Content) {
		encoded, err := wire.AppendContent(nil, content)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, outbox.Item{Size: len(encoded), Content: encoded})
	}
	for i := range uint64(40) {
		record := a.p.record(testNow, c)
		record.Sequence = 1 + i
		add(wire.Content{Type: wire.ContentAddressRecord, Record: &record})
		add(wire.Content{Type: wire.ContentProfile, Sequence: 1 + i, Text: fmt.Sprint("Mina ", i)})
	}
	c.state.Inline = nil
	c.queue.RemoveInline(func([]byte) bool { return true })
	a.p.waitAgain(c, items)
	if len(c.state.Inline) != 2 || c.queue.WaitingLen() != 2 {
		t.Fatalf("%d contents wait, and %d", len(c.state.Inline), c.queue.WaitingLen())
	}
	for _, encoded := range c.state.Inline {
		if _, version, ok := versionOf(encoded); !ok || version != 40 {
			t.Errorf("version %d waits", version)
		}
	}
}
