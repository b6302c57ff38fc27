package protocol

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// has reports whether a text of somebody's has come to a side.
func (s *side) has(text string) bool {
	return slices.ContainsFunc(s.incoming(), func(m PutMessage) bool {
		c, _, err := wire.DecodeContent(m.Content)
		return err == nil && c.Text == text
	})
}

// only lets one of two dial, who has failed so often before, and has both write: it returns how long it
// took until both had heard the other.
func (w *town) only(dials, other *side, failed int, text string) time.Duration {
	w.walled[dials] = true
	c := dials.of(other)
	c.backoff.Clear()
	for range failed {
		c.backoff.Failed(w.now, 0)
	}
	c.backoff.Again()
	delete(w.off, dials)
	dials.step(w.now, SendText{Contact: c.row.ID, Text: text})
	other.step(w.now, SendText{Contact: other.of(dials).row.ID, Text: text})
	w.run()
	start := w.now
	for range 360 {
		w.pass(5 * time.Minute)
		if dials.has(text) && other.has(text) {
			break
		}
	}
	return w.now.Sub(start)
}

// TestOnlyTheGranterDials has somebody restore a backup, twice in a day, whom only the other can dial: by
// each hello that the other says, whichever it is by, one renewal is enough, and nobody is told that a device
// runs twice.
func TestOnlyTheGranterDials(t *testing.T) {
	tries := 24
	if testing.Short() {
		tries = 6
	}
	for n := range tries {
		w, a, b := talking(t)
		for loss := range 2 {
			w.switchOff(b)
			w.restoreBackup(a)
			if took := w.only(b, a, n, fmt.Sprint("loss ", loss)); took > 3*time.Hour {
				t.Errorf("behind %d dials, loss %d: they hear each other after %v", n, loss, took)
			}
			w.pass(20 * time.Minute)
		}
		if got := max(len(a.of(b).state.Renewals), len(b.of(a).state.Renewals)); got > 2 || len(a.alerts())+len(b.alerts()) > 0 {
			t.Errorf("behind %d dials: %d renewals, alerts %v %v", n, got, a.alerts(), b.alerts())
		}
	}
}

// TestOnlyOneDialsWhoHasAsked is the same where who dials has asked for a renewal, too.
func TestOnlyOneDialsWhoHasAsked(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		for n := range 18 {
			w, a, b := talking(t)
			if swapped {
				a, b = b, a
			}
			w.switchOff(b)
			w.forks(b, a)
			w.restoreBackup(a)
			if took := w.only(b, a, n, "since"); took > 3*time.Hour || len(a.alerts())+len(b.alerts()) > 0 {
				t.Errorf("swapped %v, behind %d dials: they hear each other after %v, alerts %v %v", swapped, n, took, a.alerts(), b.alerts())
			}
		}
	}
}

// TestThiefBesideARemoval has a thief of all secrets that two have had ask one of them for renewals, until nothing
// more is granted; the other, who has removed that one, comes back by a link all the same.
func TestThiefBesideARemoval(t *testing.T) {
	w, a, b := talking(t)
	for range 4 {
		w.followsLink(b, a)
		w.talkAgain(a, b)
	}
	w.switchOff(b)
	for _, secret := range a.of(b).secrets() {
		for i := range uint32(3) {
			w.steals(a, secret, wire.TypeRequest, formerRequest(t, a, b, secret, a.of(b).highestGeneration()+2+i))
			w.later(11 * time.Minute)
		}
	}
	if len(a.of(b).state.Granted) < unconfirmedMax {
		t.Fatalf("%d grants", len(a.of(b).state.Granted))
	}
	b.step(w.now, RemoveContact{Contact: b.of(a).row.ID})
	w.run()
	w.followsLink(b, a)
	w.switchOn(b)
	w.pass(time.Hour)
	if c := b.of(a); c == nil || c.row.Phase != ContactEstablished {
		t.Error("who has removed somebody does not come back")
	}
}

// TestGrantUnderAWrongClock has somebody take a renewal while their clock is ahead, of which the granter loses
// all with an old disk: that the other is not heard is noticed as it is with a right clock.
func TestGrantUnderAWrongClock(t *testing.T) {
	for _, ahead := range []time.Duration{0, 200 * 24 * time.Hour} {
		w, a, b, _ := allFriends(t)
		w.turns(2, a, b)
		w.switchOff(a)
		w.switchOff(b)
		disk, history := w.rows[a].clone(), slices.Clone(a.history)
		w.forks(b, a)
		w.run()
		for _, s := range []*side{b, a, b} { // asks, grants, takes it
			w.switchOn(s)
			w.pass(15 * time.Minute)
			w.switchOff(s)
		}
		if c := b.of(a); c.first().generation == 0 || c.state.Unheard != c.first().sid {
			t.Fatal("nothing was granted, or it was heard")
		}
		b.of(a).first().since += int64(ahead / time.Second)
		w.putBack(a, disk, history)
		w.home(a)
		w.forgetsRequests(a, b)
		heard := false
		for round := 0; round < 12 && !heard; round++ {
			for _, s := range []*side{a, b} {
				w.switchOn(s)
				if s == a && round == 0 {
					a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since"})
				}
				w.pass(15 * time.Minute)
				w.switchOff(s)
				w.later(8 * time.Hour)
			}
			heard = b.has("since")
		}
		if !heard {
			t.Errorf("a clock ahead by %v: not heard in 12 turns of each", ahead)
		}
	}
}

// forgetsRequests has couriers lose the requests for renewals that lie with them.
func (w *town) forgetsRequests(but ...*side) {
	for _, boxes := range w.held {
		for id, items := range boxes {
			boxes[id] = slices.DeleteFunc(items, func(h PutHeld) bool { return h.Type == wire.TypeRequest })
		}
	}
	for _, s := range w.all {
		if slices.Contains(but, s) {
			continue
		}
		for _, box := range s.p.shelves.Boxes() {
			for _, h := range slices.Clone(box.Items()) {
				if !slices.ContainsFunc(w.held[s][box.Order.ID], func(o PutHeld) bool { return o.Hash == h.Hash }) {
					s.p.shelves.Erase(box, []wire.ItemHash{h.Hash})
				}
			}
		}
	}
}

// TestForkOfAGrant puts back the disk of who has granted a renewal to while it was a grant, behind frames in
// its session: that the session is forked is not lost with it.
func TestForkOfAGrant(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.turns(2, a, b)
	w.switchOff(a)
	w.switchOff(b)
	w.forks(b, a)
	w.run()
	on := func(s *side) { w.switchOn(s); w.pass(15 * time.Minute); w.switchOff(s); w.later(8 * time.Hour) }
	on(b)
	on(a) // grants
	disk, history := w.rows[a].clone(), slices.Clone(a.history)
	on(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "in the new one"})
	for range 2 {
		on(a)
		on(b)
	}
	if !b.has("in the new one") || b.of(a).first().generation == 0 {
		t.Fatal("they have not gone on")
	}
	w.putBack(a, disk, history)
	w.home(a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "a since"})
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "b since"})
	w.switchOn(a)
	w.switchOn(b)
	w.pass(5 * time.Minute)
	w.arrived(b, "a since")
	w.arrived(a, "b since")
}

// TestSilentAtACourier has somebody restore a backup in which nothing of where the other is and collects mail is true
// any more, and who has another transport key than the other knows: mail for them goes on lying where they collect it,
// and does not open. The other finds out.
func TestSilentAtACourier(t *testing.T) {
	w, a, b, _ := silentTown(t)
	w.switchOn(a)
	w.pass(time.Hour)
	w.switchOn(b)
	w.pass(10 * time.Hour)
	if c := a.of(b); c.forked || b.has("since a") {
		t.Fatal("it is asked for a renewal too soon, or has got the mail")
	}
	w.pass(20 * time.Hour)
	w.arrived(b, "since a")
	w.arrived(a, "since b")
}

// TestLinksBehindAForgetfulContact has somebody who has forgotten a contact come back by a link, and follow links of that
// contact again and again: nothing is missed, so nothing is renewed.
func TestLinksBehindAForgetfulContact(t *testing.T) {
	w, a, b, nobody := metWith(t)
	w.say(a, b, 5, "old ")
	w.switchOff(b)
	w.putBack(b, nobody, nil)
	w.home(b)
	delete(w.off, b)
	w.followLinks(b, a, 6)
	w.say(b, a, 1, "hello ")
	w.say(a, b, 1, "hi ")
	w.pass(time.Hour)
	w.arrived(a, "hello 0")
	w.arrived(b, "hi 0")
	if n := len(b.of(a).state.Renewals); n > 1 || len(a.alerts())+len(b.alerts()) > 0 {
		t.Errorf("%d renewals, alerts %v %v", n, a.alerts(), b.alerts())
	}
}

// TestOldDiskOfSomebodyForgetful has somebody lose all, begin anew with a contact, and get their old disk back: by however
// many links the two go on then, one renewal or two are enough.
func TestOldDiskOfSomebodyForgetful(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		for _, since := range []int{3, 5, 7} {
			w, a, b, nobody := metWith(t)
			w.say(b, a, 5, "old ")
			w.switchOff(b)
			w.switchOff(a)
			before, history := w.rows[b].clone(), slices.Clone(b.history)
			w.putBack(b, nobody, nil)
			w.home(b)
			w.switchOn(b)
			w.followLinks(a, b, 1)
			w.say(b, a, since, "new ")
			w.switchOff(b)
			w.putBack(b, before, history)
			w.home(b)
			delete(w.off, b)
			asks, asked := b, a
			if swapped {
				asks, asked = a, b
			}
			w.followLinks(asks, asked, 5)
			w.say(b, a, 1, "hello ")
			w.pass(time.Minute)
			w.arrived(a, "hello 0")
			if n := max(len(a.of(b).state.Renewals), len(b.of(a).state.Renewals)); n > 2 || len(a.alerts())+len(b.alerts()) > 0 {
				t.Errorf("swapped %v, %d since: %d renewals, alerts %v %v", swapped, since, n, a.alerts(), b.alerts())
			}
		}
	}
}

// metWith returns two who have met, and the second one's disk of before that.
func metWith(t *testing.T) (w *town, a, b *side, nobody *rows) {
	t.Helper()
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b = all[0], all[1]
	w.run()
	nobody = w.rows[b].clone()
	w.meet(a, b)
	return w, a, b, nobody
}

// followLinks has somebody follow links of another, a quarter of an hour each.
func (w *town) followLinks(asks, asked *side, n int) {
	for range n {
		w.followsLink(asks, asked)
		w.switchOn(asks)
		w.pass(15 * time.Minute)
		w.switchOff(asks)
	}
	w.switchOn(asks)
}

// say has somebody write n texts to another, and returns them.
func (w *town) say(s, to *side, n int, text string) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprint(text, i))
		s.step(w.now, SendText{Contact: s.of(to).row.ID, Text: texts[i]})
	}
	w.run()
	w.pass(5 * time.Second)
	return texts
}

// silentTown has b come back from a backup that knows no way to a, and a none to b but b's couriers.
func silentTown(t *testing.T) (w *town, a, b *side, couriers []*side) {
	w, a, b, couriers = allFriends(t)
	w.switchOff(a)
	w.switchOff(b)
	w.restoreBackup(b)
	w.walled[a], w.walled[b] = true, true
	b.of(a).state.Record.Mailboxes, b.of(a).state.Record.Couriers = nil, nil
	a.of(b).state.Record.Keys = []identity.TransportKey{{1}}
	a.p.touchContact(a.of(b))
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "since b"})
	return w, a, b, couriers
}

// TestSilentWhileAnotherCourierDenies has a courier that the contact's backup does not know say that it is away.
func TestSilentWhileAnotherCourierDenies(t *testing.T) {
	w, a, b, couriers := silentTown(t)
	w.switchOn(a)
	w.pass(time.Hour)
	w.denies = couriers[0]
	w.switchOn(b)
	w.pass(30 * time.Hour)
	w.arrived(b, "since a")
	w.arrived(a, "since b")
}

// TestSilentForMinutesEachDay has the two on together for minutes each day only, and a restart each time.
func TestSilentForMinutesEachDay(t *testing.T) {
	w, a, b, _ := silentTown(t)
	w.switchOn(a)
	w.pass(time.Hour)
	w.switchOff(a)
	for range 6 {
		w.restart(a)
		w.switchOn(b)
		w.switchOn(a)
		w.pass(10 * time.Minute)
		w.switchOff(a)
		w.switchOff(b)
		w.pass(24*time.Hour - 10*time.Minute)
	}
	w.arrived(b, "since a")
	w.arrived(a, "since b")
}

// TestSilentBehindARequest has both ask for a renewal of one generation, of which the one that cannot come counts.
func TestSilentBehindARequest(t *testing.T) {
	smaller, greater := 0, 0 // whose account it is that asks so that it comes
	for smaller == 0 || greater == 0 {
		w, a, b, _ := silentTown(t)
		count := &smaller
		if slices.Compare(a.p.self.account[:], b.p.self.account[:]) > 0 {
			count = &greater
		}
		if *count++; *count > 1 {
			continue
		}
		w.forks(a, b)
		w.switchOn(a)
		w.pass(time.Hour)
		w.switchOn(b)
		w.pass(5 * 24 * time.Hour)
		w.arrived(b, "since a")
		w.arrived(a, "since b")
	}
}
