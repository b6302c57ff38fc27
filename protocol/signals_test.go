package protocol

import (
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// heard returns the codes of typing and presence that came since it was asked last.
func (s *side) heardSignals() (codes []string) {
	for _, e := range s.out.Events {
		if e.Type == Typing || e.Type == Presence {
			codes = append(codes, string(e.Type)+" "+e.Code)
			if e.Contact != s.only().row.ID {
				s.t.Error("of another contact")
			}
			if e.Type.Durable() {
				s.t.Error("it is logged")
			}
		}
	}
	s.out.Events = nil
	return codes
}

// types has a user write, or pause.
func (s *side) types(now time.Time, on bool) {
	s.t.Helper()
	s.step(now, SetTyping{Conversation: s.only().row.Conversation, On: on})
}

// calm has two sides say all that a minute brings, and returns when it is over.
func calm(t *testing.T, a, b *side) time.Time {
	t.Helper()
	now := testNow.Add(time.Minute)
	for _, s := range []*side{a, b} {
		s.step(now, Woke{})
	}
	pump(t, now, a, b)
	a.out, b.out = Output{}, Output{}
	return now
}

// frames counts the frames that wait to be carried.
func (s *side) frames() (n int) {
	for _, send := range s.out.Sends {
		if _, ok := send.(SendFrame); ok {
			n++
		}
	}
	return n
}

func wantSignals(t *testing.T, what string, s *side, want ...string) {
	t.Helper()
	if got := s.heardSignals(); !slices.Equal(got, want) {
		t.Errorf("%s: heard %q, want %q", what, got, want)
	}
}

// TestTyping has one write: the other sees it, until it is said that it has ended, a message
// comes, or nothing is said any more.
func TestTyping(t *testing.T) {
	a, b := meet(t)
	now := calm(t, a, b)
	a.types(now, true)
	if n := a.frames(); n != 1 {
		t.Fatalf("%d frames", n)
	}
	if body := a.out.Sends[0].(SendFrame).Body; len(body) != wire.EnvelopeSizes()[0] {
		t.Errorf("typing is told by its size: %d", len(body))
	}
	pump(t, now, a, b)
	wantSignals(t, "begins", b, "typing on")
	for _, w := range b.out.Writes {
		if _, session := w.(PutSession); !session {
			t.Errorf("%T is written", w)
		}
	}

	now = now.Add(4 * time.Second)
	a.types(now, true)
	pump(t, now, a, b)
	b.step(now.Add(3*time.Second), Woke{})
	wantSignals(t, "goes on", b)
	now = now.Add(typingFor)
	if due := b.p.nextDue; due.After(now) {
		t.Errorf("it ends at %v", due)
	}
	b.step(now, Woke{})
	wantSignals(t, "ends by itself", b, "typing off")

	a.types(now, true)
	pump(t, now, a, b)
	wantSignals(t, "again", b, "typing on")
	a.types(now.Add(time.Second), false)
	if a.frames() != 0 {
		t.Error("the second within three seconds")
	}
	now = now.Add(signalEvery)
	a.step(now, Woke{})
	pump(t, now, a, b)
	wantSignals(t, "pauses", b, "typing off")

	now = now.Add(signalEvery)
	a.types(now, true)
	pump(t, now, a, b)
	a.step(now, SendText{Contact: a.only().row.ID, Text: "저녁 먹었어요?"})
	pump(t, now, a, b)
	wantSignals(t, "says it", b, "typing on", "typing off")
	now = now.Add(signalEvery)
	a.types(now, false)
	if a.frames() != 0 {
		t.Error("it is said that what was sent is not being written")
	}
}

// TestTypingIsNotKept has one write while the other is off: it hears nothing of it, whatever
// comes later, and nobody connects to say it.
func TestTypingIsNotKept(t *testing.T) {
	a, b := meet(t)
	part(a, b)
	now := testNow.Add(time.Hour)
	a.step(now, Woke{})
	a.out = Output{}
	a.types(now, true)
	for _, send := range a.out.Sends {
		t.Errorf("%T is asked for", send)
	}
	for _, w := range a.out.Writes {
		t.Errorf("%T is written", w)
	}
	now = now.Add(time.Second)
	b.step(now, SendText{Contact: b.only().row.ID, Text: "여보세요"})
	b.step(now, Reconnect{})
	pump(t, now, a, b)
	if a.received() != 1 {
		t.Fatal("the message has not come")
	}
	wantSignals(t, "it was written before the connection", b)
}

// TestPresence has one be here, for as long as the user says so and the contact may know.
func TestPresence(t *testing.T) {
	a, b := meet(t)
	now := calm(t, a, b)
	to := []ContactID{a.only().row.ID}
	here := func(on bool, to []ContactID) {
		a.step(now, SetPresence{Here: on, To: to})
		pump(t, now, a, b)
	}
	here(true, nil)
	wantSignals(t, "nobody may know", b)
	here(true, to)
	wantSignals(t, "here", b, "presence here")
	if l := b.p.Live(); len(l) != 1 || !l[0].Here {
		t.Errorf("live: %+v", l)
	}
	now = now.Add(time.Minute)
	here(true, to)
	wantSignals(t, "still here", b)
	here(true, nil)
	wantSignals(t, "it may not know any more", b, "presence gone")
	now = now.Add(time.Minute)
	here(true, to)
	wantSignals(t, "it may again", b, "presence here")
	now = now.Add(HereFor)
	a.step(now, Woke{})
	pump(t, now, a, b)
	wantSignals(t, "nobody says so any more", b, "presence gone")

	here(true, to)
	part(b)
	a.step(now, ConnClosed{Conn: a.p.connsOf(a.only())[0].id})
	a.out = Output{}
	if !b.only().signals.here.IsZero() || len(b.p.Live()) != 0 {
		t.Error("here without a connection")
	}
	a.step(now, SendText{Contact: a.only().row.ID, Text: "다시"})
	b.out = Output{}
	pump(t, now, a, b)
	now = now.Add(signalEvery)
	a.step(now, Woke{})
	pump(t, now, a, b)
	wantSignals(t, "on a new connection", b, "presence here")
}

// TestSignalsAreForContacts has nobody hear what a user does who is blocked, or whose devices
// changed and wait; and nobody be heard who is.
func TestSignalsAreForContacts(t *testing.T) {
	for name, spoil := range map[string]func(c *contact){
		"blocked":          func(c *contact) { c.row.Blocked = true },
		"a failed contact": func(c *contact) { c.row.Phase = ContactFailed },
		"changed devices":  func(c *contact) { c.row.Verification = VerifiedChanged },
		"a home node":      func(c *contact) { c.row.Role = RoleHome },
	} {
		for _, mine := range []bool{true, false} {
			a, b := meet(t)
			now := calm(t, a, b)
			if mine {
				spoil(a.only())
			} else {
				spoil(b.only())
			}
			a.types(now, true)
			a.step(now, SetPresence{Here: true, To: []ContactID{a.only().row.ID}})
			if mine && a.frames() != 0 {
				t.Errorf("%s: hears something", name)
			}
			for _, send := range a.out.Sends {
				if f, ok := send.(SendFrame); ok {
					b.step(now, FrameReceived{Conn: f.Conn, Type: f.Type, Body: f.Body})
				}
			}
			wantSignals(t, name, b)
		}
	}
}

// TestSignalsCountInAcksOnly has a contact say in a message that it writes, and in a bare ack
// other things: neither has an effect, and what is newer than us is no alarm.
func TestSignalsCountInAcksOnly(t *testing.T) {
	_, b := meet(t)
	b.out = Output{}
	b.take(wire.Content{Type: wire.ContentTyping, At: testNow.UnixMilli(), Signal: wire.SignalTyping})
	wantSignals(t, "in a message", b)
	b.p.out = &Output{}
	for _, content := range []wire.Content{textOf(1, 1), {Type: wire.ContentProfile, Sequence: 9, Text: "Mallory"}, {Type: wire.ContentTyping, At: testNow.UnixMilli(), Signal: 200}, {Type: wire.ContentTyping, Signal: wire.SignalTyping}} {
		body, err := wire.AppendContent(nil, content)
		if err != nil {
			t.Fatal(err)
		}
		b.p.signalsReceived(testNow, b.only(), body)
	}
	b.p.signalsReceived(testNow, b.only(), []byte{0xff})
	if out := b.p.out; len(out.Events) != 0 || len(out.Writes) != 0 || b.only().row.Name != "Mina" {
		t.Errorf("a bare ack says it: %+v", out)
	}
}

// TestOldSignalsComeToNothing repeats on a connection what was said there before: who carries
// frames can do that, but a newer word stands.
func TestOldSignalsComeToNothing(t *testing.T) {
	a, b := meet(t)
	now := calm(t, a, b)
	to := []ContactID{a.only().row.ID}
	a.step(now, SetPresence{Here: true, To: to})
	old := a.out.Sends[0].(SendFrame)
	repeated := FrameReceived{Conn: old.Conn, Type: old.Type, Body: slices.Clone(old.Body)}
	pump(t, now, a, b)
	now = now.Add(signalEvery)
	a.step(now, SetPresence{To: to})
	pump(t, now, a, b)
	wantSignals(t, "here and gone", b, "presence here", "presence gone")
	b.step(now, repeated)
	wantSignals(t, "repeated", b)
}

// TestPresenceIsSaidAgain has one be here for longer than is believed of one word.
func TestPresenceIsSaidAgain(t *testing.T) {
	a, b := meet(t)
	now := calm(t, a, b)
	for range 3 {
		a.step(now, SetPresence{Here: true, To: []ContactID{a.only().row.ID}})
		pump(t, now, a, b)
		b.step(now, Woke{})
		now = now.Add(2 * time.Minute)
	}
	wantSignals(t, "here for long", b, "presence here")
	end := a.only().signals.toldAt.Add(hereHeardFor)
	b.step(end.Add(-time.Second), Woke{})
	wantSignals(t, "not heard for a while", b)
	b.step(end, Woke{})
	wantSignals(t, "not heard for long", b, "presence gone")
}

// TestManySignalsAreFewEvents has a contact's program say more than one who writes can: all that
// a frame holds, and a frame after the other. The user hears of the last word, and that it
// begins at most once in three seconds.
func TestManySignalsAreFewEvents(t *testing.T) {
	a, b := meet(t)
	now := calm(t, a, b)
	at := now.UnixMilli()
	says := func(signals ...wire.Signal) (events int) {
		t.Helper()
		var body []byte
		for _, s := range signals {
			var err error
			if body, err = wire.AppendContent(body, wire.Content{Type: wire.ContentTyping, At: at, Signal: s}); err != nil {
				t.Fatal(err)
			}
		}
		at++
		b.p.out = &Output{}
		b.p.signalsReceived(now, b.only(), body)
		return len(b.p.out.Events)
	}
	for _, pair := range [][]wire.Signal{{wire.SignalTyping, wire.SignalPaused}, {wire.SignalHere, wire.SignalGone}} {
		if n := says(append(slices.Repeat(pair, 511), pair[0])...); n != 1 {
			t.Errorf("%v: one frame makes %d events", pair, n)
		}
		n := 0
		for range 100 {
			n += says(pair[1]) + says(pair[0])
		}
		if n != 1 {
			t.Errorf("%v: 200 frames at once make %d events", pair, n)
		}
	}
	due := now.Add(signalEvery)
	b.p.stir(b.only()) // as after each frame
	b.step(now, Woke{})
	wantSignals(t, "too early", b)
	if next := b.p.nextDue; next.After(due) {
		t.Errorf("the word that waits is shown at %v, not %v", next, due)
	}
	b.step(due, Woke{})
	wantSignals(t, "the last word", b, "typing on", "presence here")
}
