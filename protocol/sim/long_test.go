package sim

import (
	"math/rand/v2"
	"testing"
)

// TestMonths lets worlds live for months.
func TestMonths(t *testing.T) {
	count := uint64(3)
	if testing.Short() {
		count = 1
	}
	for seed := max(*seedFlag, 1); seed < max(*seedFlag, 1)+count; seed++ {
		plan := NewPlan(seed)
		plan.long(rand.New(newSource(seed, 1<<33)))
		w := simulate(t, plan)
		t.Log(seed, w.Summary())
	}
}

// TestOldDisks lets disks be put back to old states again and again.
func TestOldDisks(t *testing.T) {
	count := uint64(40)
	if testing.Short() {
		count = 10
	}
	for seed := max(*seedFlag, 1); seed < max(*seedFlag, 1)+count; seed++ {
		plan := NewPlan(seed)
		plan.old(rand.New(newSource(seed, 1<<34)))
		simulate(t, plan)
	}
}

// TestShifts has two people with home nodes be on by turns, never together, who meet and
// talk all the same.
func TestShifts(t *testing.T) {
	for seed := max(*seedFlag, 1); seed < max(*seedFlag, 1)+4; seed++ {
		plan := NewPlan(seed)
		plan.shifts(rand.New(newSource(seed, 1<<36)))
		t.Log(seed, simulate(t, plan).Summary())
	}
}
