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
