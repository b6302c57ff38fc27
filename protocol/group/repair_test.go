package group

import (
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// lose takes what is on its way out that somebody's old disk does not know of.
func (w *world) lose(what func(parcel) bool) { w.way = slices.DeleteFunc(w.way, what) }

// quiet checks that a long time of nothing costs nothing.
func (w *world) quiet() {
	w.t.Helper()
	clear(w.sent)
	w.pass(30 * 24 * time.Hour)
	if len(w.sent) > 0 {
		w.t.Errorf("30 quiet days cost %v", w.sent)
	}
}

// TestDeepFork puts back an author's disk behind more messages than are remembered by their tags,
// which have reached one member only: all of both lines reach everybody.
func TestDeepFork(t *testing.T) {
	for _, n := range []int{20, recentMax + 40} {
		w := gather(t, 4, true, false) // 0-1-2-3
		w.write(1)
		w.pass(time.Hour)
		w.copyDisk(1)
		w.turn(2, true)
		w.turn(3, true)
		for range n {
			w.write(1)
		}
		w.pass(2 * time.Minute)
		w.lose(func(x parcel) bool { return x.to == 2 })
		w.turn(0, true)
		w.restart(1, true)
		w.turn(2, false)
		w.turn(3, false)
		for range n {
			w.write(1)
		}
		w.pass(48 * time.Hour)
		w.turn(0, false)
		w.pass(48 * time.Hour)
		w.write(1)
		w.pass(10 * 24 * time.Hour)
		for _, p := range w.people {
			if len(p.history) != 2*n+2 || p.x.Missing(w.people[1].key()) > 0 {
				t.Errorf("%s has %d of %d and misses %d", p.name, len(p.history), 2*n+2, p.x.Missing(w.people[1].key()))
			}
		}
		w.quiet()
	}
}

// TestBusyAuthor checks that a message is asked for although its author goes on writing, and
// although somebody says that they have more and does not answer.
func TestBusyAuthor(t *testing.T) {
	w := gather(t, 4, false, true)
	w.write(0)
	w.pass(time.Hour)
	w.write(0)
	w.lose(func(x parcel) bool { return x.to == 3 && x.from == 0 })
	x := w.people[3].x
	x.Synced(w.now, key(1), wire.GroupSync{Group: x.log.ID(), Held: x.log.HeldHash(), Left: x.log.LeftHash(), Authors: []wire.GroupAuthor{
		{Mark: wire.MarkOf(w.people[0].key()), Tips: []wire.GroupTip{{Sequence: 1 << 40}}},
	}})
	for range 90 {
		w.write(0)
		for end := w.now.Add(20 * time.Second); w.arrive(end); {
			w.lose(func(x parcel) bool { return x.from == 3 && x.to == 1 && x.kind == "want" })
		}
	}
	if n := x.Missing(w.people[0].key()); n != 0 || len(w.people[3].history) != 92 {
		t.Errorf("half an hour later %d are missed", n)
	}
}

// TestSecondNewcomer has a new member add another one: that nothing is missed of before, the
// second learns from the first, who has no more than proofs of it.
func TestSecondNewcomer(t *testing.T) {
	w := gather(t, 2, false, false)
	for range 5 {
		w.write(0)
		w.pass(time.Hour)
	}
	w.people = append(w.people, newWorld(t, 5, 1).people[0], newWorld(t, 6, 1).people[0])
	w.add(1, 2, wire.RoleAdmin)
	w.pass(time.Hour)
	w.add(2, 3, wire.RoleMember)
	w.pass(time.Hour)
	w.write(0)
	w.pass(48 * time.Hour)
	for _, p := range w.people[2:] {
		if len(p.history) != 1 || p.x.Missing(w.people[0].key()) > 0 {
			t.Errorf("%s has %d of 1 and misses %d", p.name, len(p.history), p.x.Missing(w.people[0].key()))
		}
	}
	w.quiet()
}

// TestNamesWhatIsNot has an author name messages that never were: that costs little, and ever less.
func TestNamesWhatIsNot(t *testing.T) {
	w := gather(t, 6, false, true)
	for range 100 {
		w.write(1)
		w.pass(time.Minute)
	}
	w.pass(24 * time.Hour)
	m := w.made(1, func(m *wire.GroupMessage) {
		m.Previous = []wire.GroupTip{{Sequence: 50, Tag: wire.MessageTag{1}}, {Sequence: 75, Tag: wire.MessageTag{1}}, {Sequence: 100, Tag: wire.MessageTag{1}}}
	})
	out, err := w.people[1].x.Wrote(w.now, m)
	if err != nil {
		t.Fatal(err)
	}
	w.written[m.Tag()] = m
	w.do(1, out)
	w.pass(7 * 24 * time.Hour)
	clear(w.sent)
	w.pass(7 * 24 * time.Hour)
	if sent := w.sent["want"] + w.sent["message"]; sent > 7*6*5*4 {
		t.Errorf("in the second week 6 members ask each other for it with %v", w.sent)
	}
}

// TestForgotten has an author whose old disk did not know of a member yet: what was for that
// member is missed all the same, in whatever order it comes.
func TestForgotten(t *testing.T) {
	for _, first := range []bool{true, false} {
		w := gather(t, 3, false, true)
		x := w.people[2].x
		var old []wire.OperationID // the last one that knows of the author and not of the member
		for id, op := range w.people[0].x.log.Operations {
			if op.Kind == wire.OperationAdd && op.Subject == w.people[1].key() {
				old = []wire.OperationID{id}
			}
		}
		m1 := w.made(1, func(*wire.GroupMessage) {})
		next := func(before wire.GroupMessage, heads []wire.OperationID) wire.GroupMessage {
			return w.made(1, func(m *wire.GroupMessage) {
				m.Sequence, m.Previous = before.Sequence+1, []wire.GroupTip{before.Tip()}
				if heads != nil {
					m.Heads = heads
				}
			})
		}
		m2 := next(m1, nil)
		m3 := next(m2, nil)
		forgot := next(w.made(1, func(m *wire.GroupMessage) { m.Heads = old }), old)
		forgot.Content = nil
		come := []wire.GroupMessage{m3, forgot}
		if !first {
			slices.Reverse(come)
		}
		for _, m := range come {
			if _, err := x.Message(w.now, key(0), m); err != nil {
				t.Fatal(err)
			}
		}
		if n := x.Missing(w.people[1].key()); n == 0 {
			t.Errorf("m3 first, %v: what it names is not missed", first)
		}
		for _, m := range []wire.GroupMessage{m2, m1} {
			if out, err := x.Message(w.now, key(0), m); err != nil || len(out.Accepted) != 1 {
				t.Errorf("m3 first, %v: message %d: %v, %v", first, m.Sequence, out.Accepted, err)
			}
		}
		if n := x.Missing(w.people[1].key()); n != 0 {
			t.Errorf("m3 first, %v: %d are missed when all are there", first, n)
		}
	}
}

// TestManyWords checks that neither leaves, nor syncs, nor wants of one member make others say
// more and more.
func TestManyWords(t *testing.T) {
	w := gather(t, 4, false, true)
	for range 60 {
		w.write(1)
		w.pass(time.Minute)
	}
	x := w.people[1].x
	for range 60 {
		w.operate(0, wire.GroupOperation{Kind: wire.OperationTitle, Text: "x"})
	}
	w.pass(time.Hour)
	sends := 0
	for i := range byte(100) {
		sends += len(x.Holding(w.now, key(2), wire.GroupHolding{Group: x.log.ID(), Operations: []wire.OperationName{{i}}}).Sends)
	}
	if sends > OperationsMax {
		t.Errorf("holdings that name what is not known: %d sends", sends)
	}
	lists := 0
	for i := range byte(100) { // for more than a day
		sends = len(x.Synced(w.now, key(2), wire.GroupSync{Group: x.log.ID(), Held: [16]byte{i}, Left: x.log.LeftHash()}).Sends)
		w.now = w.now.Add(20 * time.Minute)
		for _, s := range x.Due(w.now).Sends {
			if s.Holding != nil {
				lists++
			}
		}
		if sends > 0 {
			t.Errorf("a sync that speaks of other operations: %d sends", sends)
		}
	}
	if lists > 12 {
		t.Errorf("to syncs that speak of other operations what is held is listed %d times", lists)
	}
	numbers := uint64(0)
	for range 100 {
		want := wire.GroupRanges{Group: x.log.ID(), Ranges: []wire.GroupRange{{Mark: wire.MarkOf(w.people[1].key()), First: 1, Last: 60}}}
		for _, f := range x.Wanted(w.now, key(2), want).Fetches {
			numbers += f.Last - f.First + 1
		}
	}
	if numbers > servedMax {
		t.Errorf("wants at one time: %d numbers are looked up", numbers)
	}
	leave := func(i int, from uint64) (sends int) {
		for n := range uint64(500) {
			out, err := x.Leave(w.now, key(i), wire.NewGroupLeave(x.log.ID(), w.people[i].seed, from-n))
			if err != nil {
				t.Fatal(err)
			}
			sends += len(out.Sends)
		}
		return sends
	}
	if n := leave(2, wire.GroupSequenceMax); n > 60 { // 2 for each that counts, of which there are some 7
		t.Errorf("of 500 words of one member %d are handed on", n)
	}
	w.remove(0, 3)
	w.pass(time.Hour)
	if n := leave(3, wire.GroupSequenceMax); n > 0 {
		t.Errorf("words of who is removed: %d sends", n)
	}
}

// TestManyAuthors checks that who says nothing takes no place in what is told of.
func TestManyAuthors(t *testing.T) {
	w := gather(t, 2, false, true)
	x := w.people[0].x
	for i := range 40 {
		var seed identity.MemberSeed
		seed[0], seed[1], seed[2] = 1, byte(i), byte(i>>8)
		w.operate(0, wire.GroupOperation{Kind: wire.OperationAdd, Subject: seed.Public(), Role: wire.RoleMember})
		x.Missing(seed.Public())
		w.operate(0, wire.GroupOperation{Kind: wire.OperationRemove, Subject: seed.Public()})
	}
	w.write(0)
	clear(w.sent)
	w.pass(24 * time.Hour)
	out := x.Meet(w.now, key(1), w.people[1].key(), false)
	for _, s := range out.Sends {
		if s.Sync != nil && (len(s.Sync.Authors) != 1 || len(s.Sync.Authors[0].Tips) != 1) {
			t.Errorf("told of are %d authors", len(s.Sync.Authors))
		}
	}
}
