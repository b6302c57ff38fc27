package sim

import (
	"cmp"
	"fmt"
	"testing"
	"time"
)

// TestVillages runs villages by seed, each twice: the two must be equal.
func TestVillages(t *testing.T) {
	eachSeed(t, int(usually(10, 2)), func(t *testing.T, seed uint64) { runTwice(t, asked(NewVillage(seed))) })
}

// TestVillagesThatFailed runs villages that have shown a mistake: an offer of help that came
// behind its end; two who asked each other, of whom one declined; a courier that had forgotten
// whom it helped. In all of them people met as they lived.
func TestVillagesThatFailed(t *testing.T) {
	seeds := []uint64{380, 1950, 1991, 2033}
	for _, seed := range seeds[:usually(uint64(len(seeds)), 1)] {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			plan := asBefore(NewVillage(seed))
			plan.Settle = 0
			simulate(t, plan)
		})
	}
}

// TestRenewalsThatWaited runs worlds in which somebody who had been put back too often asked
// once for a renewal, over a path that stood for days, or had one granted that he had forgotten.
func TestRenewalsThatWaited(t *testing.T) {
	plans := []Plan{NewPlan(2097), NewVillage(2033), NewVillage(700)}
	for _, plan := range plans[:usually(uint64(len(plans)), 1)] {
		t.Run(fmt.Sprint(plan.Seed), func(t *testing.T) { simulate(t, asBefore(plan)) })
	}
}

// TestTown runs a town of 40 people for two days; with -peers and -hours, as cmd/dev
// gives them, a city. That is long enough for it to run once only.
func TestTown(t *testing.T) {
	people, hours := cmp.Or(*peersFlag, int(usually(40, 6))), cmp.Or(*hoursFlag, int(usually(48, 12)))
	eachSeed(t, 1, func(t *testing.T, seed uint64) {
		w := simulate(t, NewCity(seed, people, time.Duration(hours)*time.Hour))
		if testing.Verbose() {
			fmt.Printf("seed %d: %s\n", seed, w.Summary())
		}
	})
}

// eachSeed runs something for each of the seeds that are asked for.
func eachSeed(t *testing.T, usual int, run func(t *testing.T, seed uint64)) {
	first, count := max(*seedFlag, 1), usual
	switch {
	case *seedsFlag > 0:
		count = *seedsFlag
	case *seedFlag > 0:
		count = 1
	}
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { run(t, seed) })
	}
}
