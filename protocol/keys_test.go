package protocol

import (
	"crypto/rand"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// rotate gives a side the transport key of the next day, with connections under the one of
// today going on, as a daemon does.
func (w *town) rotate(s *side) {
	s.p.config.KeyOffset += 24 * time.Hour
	s.step(w.now, Rotated{Key: s.p.Transport(w.now).Public()})
}

// paths returns of the paths of a side to another one how many are under its transport key
// of now, and how many under an older one.
func (w *town) paths(s, to *side) (now, older int) {
	for _, k := range s.of(to).conns {
		if k.local == s.p.Transport(w.now).Public() {
			now++
		} else {
			older++
		}
	}
	return now, older
}

// delivered reports whether the other side has all texts of a side.
func (s *side) delivered(to *side) bool { return !s.of(to).waits() }

// TestConversationMovesToTheNextKey changes the key of the one who has dialled, and of the
// one who was dialled. What is said before, meanwhile and after arrives at once, and the
// contact is live all the time.
func TestConversationMovesToTheNextKey(t *testing.T) {
	for _, who := range []int{0, 1} {
		w, all := newTown(t, "Mina", "Jiwoo")
		w.meet(all[0], all[1])
		w.pass(time.Minute) // a record has just hastened what could be
		s, other := all[who], all[1-who]
		s.out.Events, other.out.Events = nil, nil
		s.step(w.now, SendText{Contact: s.of(other).row.ID, Text: "before"})
		w.rotate(s)
		other.step(w.now, SendText{Contact: other.of(s).row.ID, Text: "meanwhile"})
		s.step(w.now, SendText{Contact: s.of(other).row.ID, Text: "meanwhile, too"})
		w.run()
		if now, older := w.paths(s, other); now != 1 || older != 0 {
			t.Errorf("%s has %d paths under its new key and %d older ones", s.name, now, older)
		}
		s.step(w.now, SendText{Contact: s.of(other).row.ID, Text: "after"})
		w.run()
		if !s.delivered(other) || !other.delivered(s) || len(s.history) != 4 || len(other.history) != 4 {
			t.Errorf("%s changes its key: %d and %d messages", s.name, len(s.history), len(other.history))
		}
		for _, e := range append(s.out.Events, other.out.Events...) {
			if e.Type == PeerState {
				t.Errorf("%s changes its key: the contact is %s", s.name, e.Code)
			}
		}
		s.out.Sends = nil
		for range 6 {
			w.now = w.now.Add(time.Second)
			s.step(w.now, Woke{})
		}
		left := 0
		for _, send := range s.out.Sends {
			if _, ok := send.(LeaveKey); ok {
				left++
			}
		}
		if left != 1 {
			t.Errorf("the older key is left %d times", left)
		}
	}
}

// TestMovesWhomItCannotDial: the one behind a wall is asked to dial anew. One that does not
// know how keeps its path until its time is over, and then comes back by itself.
func TestMovesWhomItCannotDial(t *testing.T) {
	for _, knows := range []bool{true, false} {
		w, all := newTown(t, "Mina", "Jiwoo")
		a, b := all[0], all[1]
		w.meet(a, b) // b has dialled
		w.pass(time.Minute)
		w.walled[b] = true
		w.rotate(a)
		if !knows {
			drop := a.out.Sends[:0]
			for _, s := range a.out.Sends {
				if f, ok := s.(SendFrame); !ok || f.Type != wire.TypeMoved {
					drop = append(drop, s)
				}
			}
			a.out.Sends = drop
		}
		w.run()
		now, older := w.paths(a, b)
		if knows && (now != 1 || older != 0) || !knows && (now != 0 || older != 1) {
			t.Fatalf("knows: %v; %d paths under the new key and %d older ones", knows, now, older)
		}
		for range 7 {
			b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "hello"})
			w.pass(9 * time.Minute)
			if !b.delivered(a) {
				t.Errorf("knows: %v; after %v nothing comes through", knows, w.now.Sub(testNow))
			}
		}
		b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "hello"})
		w.run()
		if now, older := w.paths(a, b); now != 1 || older != 0 {
			t.Errorf("knows: %v; after an hour %d paths under the new key and %d older ones", knows, now, older)
		}
	}
}

// TestMovedChoosesNoDials has a contact say again and again that it has another key.
func TestMovedChoosesNoDials(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.pass(time.Minute)
	n := w.dialsTo(b, 5*time.Minute, func() {
		for _, k := range b.of(a).conns {
			b.step(w.now, FrameReceived{Conn: k.id, Type: wire.TypeMoved})
		}
		w.rotate(a)
		a.p.config.KeyOffset %= 48 * time.Hour // always one of two that b tries
		a.step(w.now, Rotated{Key: a.p.Transport(w.now).Public()})
	})
	if n > 20 {
		t.Errorf("%d dials in five minutes", n)
	}
}

// TestOwnerMovesAtItsCourier changes the key of somebody who is reached through a courier:
// it is again at once, by whom it was, and mail for it goes on coming.
func TestOwnerMovesAtItsCourier(t *testing.T) {
	w, a, b, c := behind(t)
	w.walled[a] = true
	w.pass(time.Minute)
	w.rotate(b)
	w.run()
	if now, older := w.paths(b, c); now != 1 || older != 0 {
		t.Fatalf("to its courier it has %d paths under the new key and %d older ones", now, older)
	}
	w.pass(10 * time.Second)
	if w.reservations(b) != 1 {
		t.Errorf("%d reservations", w.reservations(b))
	}
	w.cut(a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.pass(30 * time.Second)
	if !a.delivered(b) {
		t.Error("the message does not arrive")
	}
	if relayed, _ := a.relayed(b); relayed == 0 {
		t.Error("it is not reached through its courier")
	}
}

// reservations counts the connections over which a side is reached.
func (w *town) reservations(s *side) (n int) {
	for id, ends := range w.ends {
		if w.reserved[id] && (ends[0] == s || ends[1] == s) {
			n++
		}
	}
	return n
}

// TestOldKeysAreOnNoDisk has two meet every day for a month. What is on the disk then yields
// the transport keys of today and of the two days before, which a clock that is set right
// may need, and of none before these. While they do not meet nothing is erased.
func TestOldKeysAreOnNoDisk(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	var keys []identity.TransportKey // the last one is today's
	day := func() {
		w.now = w.now.Add(24 * time.Hour)
		for _, s := range all {
			s.step(w.now, Rotated{Key: s.p.Transport(w.now).Public()})
		}
		w.run()
		keys = append(keys, a.p.Transport(w.now).Public())
	}
	yields := func() (n int) { // keys of the days
		p, err := Load(rand.Reader, Config{}, State{Self: w.rows[a].self})
		if err != nil {
			t.Fatal(err)
		}
		for ago := range keys {
			if p.Transport(w.now.AddDate(0, 0, -ago)).Public() == keys[len(keys)-1-ago] {
				n++
			}
		}
		return n
	}
	for range 30 {
		day()
		w.cut(b)
	}
	if n := yields(); n != 3 {
		t.Errorf("the keys of %d days are on the disk", n)
	}
	w.switchOff(b)
	for range 5 {
		day()
	}
	if n := yields(); n != 8 {
		t.Errorf("after five days alone the keys of %d days are on the disk", n)
	}
}

// TestKeyChangesAtItsTime: the core wakes when its key changes, and on every day but once.
func TestKeyChangesAtItsTime(t *testing.T) {
	s := newSide(t, "Mina", 1001, testNow)
	for _, offset := range []time.Duration{0, -3 * time.Hour, 179 * time.Minute} {
		s.p.config.KeyOffset = offset
		now, day := testNow, s.p.KeyDay(testNow)
		for range 3 {
			next := s.p.nextKey(now)
			if got := s.p.KeyDay(next.Add(-time.Second)); got != day {
				t.Errorf("offset %v: the day is %d before %v", offset, got, next)
			}
			if day++; s.p.KeyDay(next) != day {
				t.Errorf("offset %v: the day is %d at %v", offset, s.p.KeyDay(next), next)
			}
			now = next
		}
	}
}

// TestCourierKeepsItsKeyAroundMidnight: whoever begins to help keeps the key that it is found under, also
// when the days of its keys turn earlier or later than others'.
func TestCourierKeepsItsKeyAroundMidnight(t *testing.T) {
	midnight := testNow.Truncate(24 * time.Hour)
	for _, offset := range []time.Duration{-2 * time.Hour, 0, 2 * time.Hour} {
		for _, now := range []time.Time{midnight.Add(-time.Hour), midnight.Add(time.Hour)} {
			s := newSide(t, "Hana", 1002, now)
			s.p.config.KeyOffset = offset
			had := s.p.Transport(now).Public()
			s.p.fixKey(now)
			if kept := s.p.Transport(now).Public(); kept != had {
				t.Errorf("offset %v at %v: another key is kept", offset, now)
			}
		}
	}
}
