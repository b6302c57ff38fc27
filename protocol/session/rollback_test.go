package session

import (
	"errors"
	"maps"
	"slices"
	"testing"
)

// snapshot returns a copy of a side as it stands on its disk.
func (w *world) snapshot(a *side) *side {
	s, err := Load(a.stored)
	if err != nil {
		w.fatalf("stored state: %v", err)
	}
	return &side{
		name: a.name, s: s, stored: slices.Clone(a.stored),
		outbox: maps.Clone(a.outbox), voids: slices.Clone(a.voids),
		got: maps.Clone(a.got), ever: a.ever, sealed: slices.Clone(a.sealed),
		acked: maps.Clone(a.acked), seen: slices.Clone(a.seen),
	}
}

// run lets the world act n times, or until a fork is found.
func (w *world) run(n, loss int) {
	for range n {
		if w.forked != nil {
			return
		}
		w.act(loss)
	}
}

// TestRollback takes one side back to an earlier state, or runs it twice, and lets all
// go on. Either a fork is found or nothing was lost and both sides agree; no body key
// seals twice and nothing is taken for delivered that is not.
func TestRollback(t *testing.T) {
	worlds := uint64(*rollbacksFlag)
	if testing.Short() {
		worlds = min(worlds, 60)
	}
	forks := make(map[error]int)
	keys, bySync := 0, 0
	for seed := uint64(1); seed <= worlds; seed++ {
		w := newWorld(t, seed)
		loss := w.rand.IntN(30)
		w.run(20+w.rand.IntN(300), loss)
		if w.forked != nil {
			w.fatalf("fork before the rollback: %v", w.forked)
		}
		i := w.rand.IntN(2)
		old := w.snapshot(w.sides[i])
		w.run(5+w.rand.IntN(200), loss)
		if w.forked != nil {
			w.fatalf("fork before the rollback: %v", w.forked)
		}
		w.rolled = true
		if seed%2 == 0 {
			w.clone(i, old, loss)
		} else {
			old.inFlight = w.sides[i].inFlight
			w.sides[i] = old
			w.run(w.rand.IntN(100), loss)
		}
		early := w.forked != nil
		if w.forked == nil && w.settle() {
			w.check()
		} else if w.forked == nil {
			w.fatalf("no fork is found and no rest either")
		}
		if w.forked != nil && !early {
			bySync++
		}
		forks[w.forked]++
		keys += len(w.bodyKeys)
	}
	for err, n := range forks {
		if err != nil && !errors.Is(err, ErrFork) {
			t.Errorf("%d times %v", n, err)
		}
		t.Logf("%d times %v", n, err)
	}
	t.Logf("%d body keys, %d forks found while settling", keys, bySync)
}

// clone lets both states of a side run by turns.
func (w *world) clone(i int, twin *side, loss int) {
	for range 6 {
		w.sides[i], twin = twin, w.sides[i]
		w.sides[i].inFlight, twin.inFlight = twin.inFlight, nil
		w.run(1+w.rand.IntN(40), loss)
		if w.forked != nil {
			return
		}
	}
	if w.settle() {
		w.sides[i] = twin
	}
}
