package protocol

import (
	"testing"
	"time"

	"pabal/protocol/wire"
)

// rung returns how a contact is tried by a rung now.
func (w *town) rung(s, to *side, by Rung) Attempt {
	w.t.Helper()
	why, _ := s.p.Why(w.now, s.of(to).row.ID, nil)
	for _, a := range why.Rungs {
		if a.Rung == by {
			return a
		}
	}
	w.t.Fatalf("no rung %s among %+v", by, why.Rungs)
	return Attempt{}
}

// sent returns the frames of a type that a side has sent and nobody has got.
func (s *side) sent(kind wire.Type) (n int) {
	for _, send := range s.out.Sends {
		if f, ok := send.(SendFrame); ok && f.Type == kind {
			n++
		}
	}
	return n
}

// TestRungsBeginAtTheirTime has the next rung begin when the one before it has been given
// its time, as Why has said, and not before.
func TestRungsBeginAtTheirTime(t *testing.T) {
	w, a, b, _ := behind(t)
	w.walled[a] = true
	w.pass(time.Minute)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.pass(10 * time.Second) // the courier is reached, and has it
	a.step(w.now, Reconnect{})
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "are you there?"})
	start, dial := w.now, a.dial()

	direct := w.rung(a, b, RungDirect)
	if !direct.Trying || !direct.Deadline.Equal(dial.Deadline) || !direct.Deadline.Equal(start.Add(dialTimeout)) {
		t.Errorf("direct: %+v", direct)
	}
	relay := w.rung(a, b, RungRelay)
	if relay.Trying || !relay.NextTry.Equal(direct.Alone) || !direct.Alone.Equal(start.Add(relayHeadStart)) {
		t.Errorf("alone until %v, the relay from %v", direct.Alone, relay.NextTry)
	}
	w.now = direct.Alone.Add(-time.Millisecond)
	if a.step(w.now, Woke{}); a.sent(wire.TypeReach) > 0 {
		t.Error("the relay is asked before its time")
	}
	w.now = direct.Alone
	if a.step(w.now, Woke{}); a.sent(wire.TypeReach) != 1 {
		t.Error("the relay is not asked at its time")
	}
	relay, courier := w.rung(a, b, RungRelay), w.rung(a, b, RungCourier)
	if !relay.Trying || !relay.Deadline.Equal(w.now.Add(relayAnswered)) || !relay.Alone.Equal(courier.NextTry) || !relay.Alone.After(w.now) {
		t.Errorf("relay: %+v, courier: %+v", relay, courier)
	}
	if a.sent(wire.TypeDeposit) > 0 {
		t.Error("mail is left before its time")
	}
	w.now = courier.NextTry
	if a.step(w.now, Woke{}); a.sent(wire.TypeDeposit) != 1 {
		t.Error("mail is not left at its time")
	}
	if last := w.rung(a, b, RungRelay); !last.Alone.IsZero() {
		t.Errorf("something is said to begin after the last rung: %+v", last)
	}
}

// TestSilentPathIsGivenItsTime: mail for somebody who seems to be on goes to a courier,
// too, from the moment that Why has told.
func TestSilentPathIsGivenItsTime(t *testing.T) {
	w, a, b, _ := behind(t)
	w.pass(time.Minute)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.run()
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "who hears this?"})
	live := w.rung(a, b, RungLive)
	if !live.Trying || !live.Alone.After(w.now) || live.Alone.Sub(w.now) > 5*time.Second {
		t.Fatalf("%+v", live)
	}
	a.out.Sends = nil // the path is silent
	w.now = live.Alone
	if a.step(w.now, Woke{}); a.sent(wire.TypeDeposit) != 1 {
		t.Error("a silent path is trusted for longer")
	}
}

// TestHelloIsGivenItsTime: somebody else may sit where the contact was.
func TestHelloIsGivenItsTime(t *testing.T) {
	w, a, b, _ := behind(t)
	w.pass(time.Minute)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	dial := a.dial()
	opened := ConnOpened{Conn: 700, Local: a.p.Transport(w.now).Public(), Remote: dial.Keys[0], Dial: dial.Dial}
	a.step(w.now, opened)
	direct := w.rung(a, b, RungDirect)
	if !direct.Trying || !direct.Deadline.Equal(w.now.Add(helloAnswered)) {
		t.Fatalf("%+v", direct)
	}
	w.now = direct.Deadline
	a.step(w.now, Woke{})
	if direct = w.rung(a, b, RungDirect); direct.LastError != WhyNoAnswer || !direct.LastTry.Equal(w.now) {
		t.Errorf("%+v", direct)
	}
	if a.p.conns[700] != nil {
		t.Error("the connection is kept")
	}
}

// TestDialsWaitForRoom: who has more contacts than may be dialled at once dials the others
// when there is room.
func TestDialsWaitForRoom(t *testing.T) {
	w, a, b, _ := behind(t)
	w.pass(time.Minute)
	w.switchOff(b)
	for i := range uint64(dialsMax) {
		a.p.dials[1e6+i] = &dialing{}
	}
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	for _, send := range a.out.Sends {
		if d, ok := send.(Dial); ok && d.Rung == RungDirect {
			t.Error("one dial too many")
		}
	}
	direct := w.rung(a, b, RungDirect)
	if direct.Trying || !direct.NextTry.Equal(w.now.Add(dialAgain)) {
		t.Errorf("%+v", direct)
	}
	delete(a.p.dials, 1e6)
	a.out.Sends = nil
	w.now = direct.NextTry
	a.step(w.now, Woke{})
	if d := a.dial(); d.Rung != RungDirect {
		t.Errorf("%+v", d)
	}
}
