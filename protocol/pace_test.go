package protocol

import (
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// dialsTo counts the dials that a side asks for in a while, and what each leads to is done.
func (w *town) dialsTo(s *side, d time.Duration, then func()) (n int) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(time.Second)
		s.step(w.now, Woke{})
		for range 10 { // whatever follows in the same second
			dialled := 0
			for _, send := range s.out.Sends {
				if _, ok := send.(Dial); ok {
					dialled++
				}
			}
			n += dialled
			w.run()
			if then(); dialled == 0 {
				break
			}
		}
	}
	return n
}

// hangUpOn has a side end all its connections with another one.
func (w *town) hangUpOn(s, other *side) {
	for id, ends := range w.ends {
		if ends == [2]*side{s, other} || ends == [2]*side{other, s} {
			delete(w.ends, id)
			s.step(w.now, ConnClosed{Conn: id})
			other.step(w.now, ConnClosed{Conn: id})
		}
	}
}

// TestWhoHangsUpAtOnceIsNotPressed: a contact that proves itself and hangs up, whoever
// dialled, is tried less and less often, until a connection has lasted.
func TestWhoHangsUpAtOnceIsNotPressed(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.hangUpOn(b, a)
	w.off[b] = true // its Peer says nothing that this test does not have it say
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.pass(10 * time.Minute)
	delete(w.off, b)
	a.of(b).backoff.Clear()
	proved := 0
	n := w.dialsTo(a, 10*time.Minute, func() {
		if a.of(b).live() != nil {
			proved++
		}
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "again"})
		w.hangUpOn(b, a)
	})
	if proved == 0 || n > 15 {
		t.Errorf("%d dials in ten minutes, %d times the contact proved itself", n, proved)
	}

	a.step(w.now, Reconnect{}) // as the user asks
	w.run()
	if a.of(b).live() == nil {
		t.Fatal("no connection")
	}
	w.pass(time.Minute)
	w.hangUpOn(b, a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "again"})
	w.run()
	if a.of(b).live() == nil {
		t.Error("a connection that lasted is not made anew at once")
	}
}

// TestRecordsChooseNoDials: a contact that is not reached sends a record every second, by
// courier. It is dialled little more often for that.
func TestRecordsChooseNoDials(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	record := func() {
		r := *a.of(b).state.Record
		r.Sequence++
		a.p.recordReceived(a.of(b), &r)
		a.step(w.now, Flush{})
	}
	quiet := w.dialsTo(a, 30*time.Minute, func() {})
	a.of(b).backoff.Clear()
	if n := w.dialsTo(a, 30*time.Minute, record); n > 2*quiet+1 {
		t.Errorf("%d dials in half an hour, %d without records", n, quiet)
	}

	w.pass(time.Hour) // long after the last record that came too often
	was := w.now
	record()
	if n := w.dialsTo(a, time.Second, func() {}); n == 0 {
		t.Errorf("a new record hastens nothing: the next try is in %v", a.of(b).backoff.Next().Sub(was))
	}
}

// TestRecordsChooseNoCouriers: nor is a courier, by records that name it in turns with
// another one, or always others.
func TestRecordsChooseNoCouriers(t *testing.T) {
	for name, keys := range map[string]int{"in turns": 2, "others": 1000} {
		w, a, b, _ := friends(t)
		w.switchOff(b)
		w.all = w.all[:2] // the courier is gone, too
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"})
		i := 0
		n := w.dialsTo(a, 10*time.Minute, func() {
			r := *a.of(b).state.Record
			r.Sequence++
			i++
			key := identity.TransportKey{1, byte(i % keys), byte(i % keys >> 8)}
			r.Couriers = []wire.Courier{{Key: key, Address: r.Couriers[0].Address}}
			r.Mailboxes = []wire.Mailbox{r.Mailboxes[0]}
			r.Mailboxes[0].Courier = key
			a.p.recordReceived(a.of(b), &r)
			a.step(w.now, Flush{})
		})
		if n > 120 {
			t.Errorf("%s: %d dials in ten minutes", name, n)
		}
	}
}
