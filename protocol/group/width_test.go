package group

import (
	"fmt"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// signed has somebody sign an operation as they like and tell it to their own exchange.
func (w *world) signed(i int, parents []wire.OperationID, op wire.GroupOperation) wire.GroupOperation {
	w.t.Helper()
	p := w.people[i]
	op.Group, op.Parents = p.x.log.ID(), parents
	if err := op.Sign(p.seed); err != nil {
		w.t.Fatal(err)
	}
	out, err := p.x.Operation(w.now, Neighbour{}, op)
	if err != nil {
		w.t.Fatal(err)
	}
	w.do(i, out)
	return op
}

// siblings has somebody make operations beside each other.
func (w *world) siblings(i, count int, parents []wire.OperationID) {
	w.t.Helper()
	for n := range count {
		w.signed(i, parents, wire.GroupOperation{Kind: wire.OperationTitle, Text: fmt.Sprint("T", n)})
	}
}

// same checks that all hold the same operations.
func (w *world) same(want int) {
	w.t.Helper()
	for _, p := range w.people {
		if p.x.log.Len() != want {
			w.t.Errorf("%s has %d of %d operations", p.name, p.x.log.Len(), want)
		}
	}
}

// TestManySiblings has an admin make hundreds of operations beside each other. Each goes once from
// each to each; being off and on costs no more of them, and what one lacks costs a few times that.
func TestManySiblings(t *testing.T) {
	w := gather(t, 4, false, true)
	before, count := w.people[0].x.log.Len(), 100
	if testing.Short() {
		count = 40
	}
	w.siblings(1, count, w.people[1].x.log.Heads(w.people[1].key()))
	w.pass(time.Hour)
	w.same(before + count)
	if n := w.sent["operation"]; n > 12*(before+count) {
		t.Errorf("%d operations went around %d times", before+count, n)
	}
	clear(w.sent)
	for range 10 {
		for i := range w.people {
			w.turn(i, true)
			w.pass(2 * time.Hour)
			w.turn(i, false)
			w.write(i)
			w.pass(2 * time.Hour)
		}
	}
	if n := w.sent["operation"]; n > 0 {
		t.Errorf("where all hold the same, %d operations are sent", n)
	}
	w.copyDisk(3)
	lacks := 5
	w.siblings(1, lacks, w.people[1].x.log.Heads(w.people[1].key())[:1])
	w.pass(time.Hour)
	clear(w.sent)
	w.restart(3, true)
	w.pass(48 * time.Hour)
	t.Log(w.sent)
	w.same(before + count + lacks)
	if n := w.sent["operation"]; n > 6*lacks {
		t.Errorf("%d operations are sent to one who lacks %d", n, lacks)
	}
	w.check()
	w.quiet()
}

// hidden has the first person add the last, where the add is none of those that a message names,
// for more were made deeper beside it.
func hidden(t *testing.T, role wire.GroupRole) *world {
	t.Helper()
	w := gather(t, 3, false, true)
	heads := w.people[0].x.log.Heads(w.people[0].key())
	deep := w.signed(0, heads, wire.GroupOperation{Kind: wire.OperationTitle, Text: "deep"})
	w.siblings(0, wire.OperationParentsMax+4, []wire.OperationID{deep.ID()})
	w.people = append(w.people, newWorld(t, 5, 1).people[0])
	for i := range 3 {
		w.befriend(i, 3)
	}
	w.signed(0, heads, wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.people[3].key(), Role: role})
	w.do(0, w.people[0].x.Meet(w.now, key(3), w.people[3].key(), true))
	w.pass(time.Hour)
	return w
}

// TestHiddenAdd has an admin add somebody beside so many operations that no message can name the
// add: what is written is for the added all the same, is missed by them, and theirs counts.
func TestHiddenAdd(t *testing.T) {
	w := hidden(t, wire.RoleMember)
	p := w.people[3]
	w.write(1)
	for end := w.now.Add(20 * time.Second); w.arrive(end); {
		w.lose(func(x parcel) bool { return x.to == 3 })
	}
	w.write(1)
	w.pass(20 * time.Second)
	if n := p.x.Missing(w.people[1].key()); n != 1 || len(p.history) != 1 {
		t.Errorf("the added has %d of 2 and misses %d", len(p.history), n)
	}
	w.pass(24 * time.Hour)
	if len(p.history) != 2 {
		t.Errorf("the added has %d of 2", len(p.history))
	}
	w.write(3)
	w.pass(time.Hour)
	for _, p := range w.people {
		if len(p.history) != 3 {
			t.Errorf("%s has %d of 3", p.name, len(p.history))
		}
	}
	w.check()
	w.quiet()
}

// TestFullApart has two fill their logs with different operations: however often they meet, they
// tell each other next to nothing of it.
func TestFullApart(t *testing.T) {
	if testing.Short() {
		t.Skip("fills two logs")
	}
	w := gather(t, 2, false, true)
	w.turn(1, true)
	for i, p := range w.people {
		for n := 0; p.x.log.room(wire.GroupOperation{Kind: wire.OperationTitle}); n++ {
			op := wire.GroupOperation{Group: p.x.log.ID(), Parents: p.x.log.Heads(p.key()), Kind: wire.OperationTitle, Text: fmt.Sprint(i, n)}
			if err := op.Sign(p.seed); err != nil {
				t.Fatal(err)
			}
			if _, err := p.x.log.Add(op); err != nil {
				t.Fatal(err)
			}
			p.ops = append(p.ops, op)
		}
	}
	clear(w.sent)
	w.turn(1, false)
	for range 40 { // for ten days
		for i := range w.people {
			w.turn(i, true)
			w.pass(2 * time.Hour)
			w.turn(i, false)
			w.write(i)
			w.pass(time.Hour)
		}
	}
	t.Log(w.sent)
	if w.sent["operation"] > 0 || w.sent["holding"] > 2*(12+10) || w.sent["message"] > 80 {
		t.Errorf("ten days of full logs: %v", w.sent)
	}
}

// TestNamedBesides checks that whom a message names besides its operations counts only if they
// may have been known: not who was added in knowledge of those.
func TestNamedBesides(t *testing.T) {
	w := hidden(t, wire.RoleMember)
	x := w.people[1].x
	old := w.made(1, func(*wire.GroupMessage) {})
	if !x.log.For(&old.GroupHead, w.people[3].key()) {
		t.Error("who is named besides is not known")
	}
	w.people = append(w.people, newWorld(t, 6, 1).people[0])
	w.add(0, 4, wire.RoleMember)
	w.pass(time.Hour)
	lie := w.made(1, func(m *wire.GroupMessage) {
		m.Heads, m.Besides = old.Heads, []wire.MemberMark{wire.MarkOf(w.people[4].key())}
	})
	if x.log.For(&lie.GroupHead, w.people[4].key()) || x.log.For(&lie.GroupHead, w.people[3].key()) {
		t.Error("a message is for who came later, or for who is not named")
	}
	if m := w.made(1, func(*wire.GroupMessage) {}); len(m.Besides) > 1 || !x.log.For(&m.GroupHead, w.people[4].key()) {
		t.Errorf("behind the next operation %d are named besides", len(m.Besides))
	}
}

// TestHoldingFits checks that the limits of the wire hold what a log may have.
func TestHoldingFits(t *testing.T) {
	if wire.GroupHoldingMax != OperationsMax+WaitingMax || wire.GroupBesidesMax != MembersMax {
		t.Error("a holding has no place for all operations, or a message none for all members")
	}
}

// TestHiddenAdmin has somebody made an admin beside so many deeper operations that the newest 16 do
// not lead there: what they do counts all the same.
func TestHiddenAdmin(t *testing.T) {
	w := hidden(t, wire.RoleAdmin)
	if !w.operate(3, wire.GroupOperation{Kind: wire.OperationRemove, Subject: w.people[0].key()}) {
		t.Fatal("an admin may not")
	}
	w.pass(time.Hour)
	for _, p := range w.people[1:] {
		if p.x.in(w.people[0].key()) {
			t.Errorf("%s does not know of the removal", p.name)
		}
	}
}
