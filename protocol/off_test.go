package protocol

import (
	"fmt"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// tries is what one day of trying for those who do not answer consists of.
type tries struct {
	all, whole int               // dials, and those of UDP, too
	each       map[ContactID]int // dials for each contact
	longest    time.Duration     // without a try, of any contact
}

// inVain lets a side try for a day and nobody answer, and counts the last of days.
func (w *town) inVain(s *side, days int) (day tries) {
	failed := map[uint64]time.Time{}
	last := map[ContactID]time.Time{}
	end := w.now.AddDate(0, 0, days)
	counted := end.AddDate(0, 0, -1)
	day.each = map[ContactID]int{}
	for wake := w.now; ; {
		var in Input = Woke{}
		at := wake
		for dial, when := range failed {
			if when.Before(at) {
				in, at = DialFailed{Dial: dial, Code: "timeout"}, when
			}
		}
		if !at.Before(end) {
			return day
		}
		if f, ok := in.(DialFailed); ok {
			delete(failed, f.Dial)
		}
		w.now = later(at, w.now)
		s.out.Sends = nil
		s.step(w.now, in)
		for _, send := range s.out.Sends {
			d, ok := send.(Dial)
			if !ok {
				continue
			}
			failed[d.Dial] = w.now.Add(15 * time.Second)
			if w.now.Before(counted) {
				continue
			}
			day.all++
			day.each[d.For]++
			if before, ok := last[d.For]; ok {
				day.longest = max(day.longest, w.now.Sub(before))
			}
			last[d.For] = w.now
			for _, a := range d.Addresses {
				if a.Network != wire.TCP {
					day.whole++
					break
				}
			}
		}
		wake = later(s.p.nextDue, w.now.Add(time.Second))
	}
}

// TestManyWhoAreOffCostNoMore has a message wait for each of few and of many people who
// are off for a week: trying for many costs what trying for some costs, and nobody is
// forgotten.
func TestManyWhoAreOffCostNoMore(t *testing.T) {
	turns := int(24 * time.Hour / offTryEvery)
	for _, people := range []int{1, 8, 32} {
		names := []string{"Mina"}
		for i := range people {
			names = append(names, fmt.Sprint("Friend ", i))
		}
		w, all := newTown(t, names...)
		for _, s := range all { // as on a real machine: by UDP and by TCP
			own := s.p.net.Own[0]
			other := own
			other.Network = wire.TCP
			s.step(w.now, NetworkChanged{Own: []wire.Address{own, other}})
		}
		mina := all[0]
		for _, friend := range all[1:] {
			w.meet(mina, friend)
			w.pass(4 * time.Second) // the record that tells of TCP
			w.switchOff(friend)
			mina.step(w.now, SendText{Contact: mina.of(friend).row.ID, Text: "for when you are back"})
			w.run()
		}
		day := w.inVain(mina, 8)
		if day.all > turns+people || day.all < min(people*90, turns*9/10) {
			t.Errorf("%d people: %d dials a day, with %d turns", people, day.all, turns)
		}
		if day.whole > day.all/offAllEvery+people {
			t.Errorf("%d people: %d dials of %d are by UDP, too", people, day.whole, day.all)
		}
		if len(day.each) != people || day.longest > max(backoffOfAll, time.Duration(people+8)*offTryEvery) {
			t.Errorf("%d people: %d are tried, at most %v apart", people, len(day.each), day.longest)
		}
		friend := all[people]
		w.switchOn(friend) // who comes back tries at once: nobody waits for a turn
		if c := mina.of(friend); len(c.conns) == 0 || c.waits() || c.off() {
			t.Errorf("%d people: one came back and has not got its message", people)
		}
	}
}

// backoffOfAll is more than any contact waits by itself for its next try.
const backoffOfAll = 16 * time.Minute

// TestRotationHurriesNobodyWhoIsOff changes the transport key while a contact is off: it is
// not tried for that. A change of the network does that.
func TestRotationHurriesNobodyWhoIsOff(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	w.meet(all[0], all[1])
	w.switchOff(all[1])
	c := all[0].of(all[1])
	all[0].step(w.now, SendText{Contact: c.row.ID, Text: "for when you are back"})
	w.pass(10 * time.Minute)
	before := c.backoff.Tries()
	if !c.off() {
		t.Fatalf("it is not off after %d tries", before)
	}
	next := c.backoff.Next()
	all[0].step(w.now, Rotated{Key: identity.TransportKey{1}})
	w.run()
	if got := c.backoff.Tries(); got != before || c.backoff.Next() != next {
		t.Errorf("after a rotation: %d tries behind %d, the next at %v", got, before, c.backoff.Next().Sub(w.now))
	}
	all[0].step(w.now, Reconnect{})
	w.run()
	if c.off() {
		t.Errorf("behind a change of the network: it is off after %d tries", c.backoff.Tries())
	}
}

// TestSparingTries checks what tries in vain consist of.
func TestSparingTries(t *testing.T) {
	keys := []identity.TransportKey{{1}, {2}, {3}}
	udp, tcp := wire.Address{Network: wire.QUIC, Port: 1}, wire.Address{Network: wire.TCP, Port: 1}
	for n := range 2*offAllEvery + 1 {
		k, a := sparing(keys, 1, []wire.Address{udp, tcp}, n)
		if n == 0 {
			if len(k) != 3 || len(a) != 2 {
				t.Errorf("the first try: %d keys, %v", len(k), a)
			}
			continue
		}
		whole := n%2 == 0 && n < offAfter || n%offAllEvery == 0
		if whole && (len(k) != 1 || k[0] != keys[0] || len(a) != 2) || !whole && (len(k) != 3 || len(a) != 1 || a[0] != tcp) {
			t.Errorf("try %d: %d keys, %v", n, len(k), a)
		}
		if k, a := sparing(keys, 1, []wire.Address{udp}, n); len(k) == 0 || len(a) != 1 {
			t.Errorf("try %d of somebody without TCP: %d keys, %v", n, len(k), a)
		}
	}
}
