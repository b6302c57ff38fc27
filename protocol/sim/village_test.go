package sim

import (
	"cmp"
	"fmt"
	"testing"
	"time"
)

// villagesUsual is how many villages a plain test runs.
const villagesUsual = 10

// TestVillages runs villages by seed, each twice: the two must be equal.
func TestVillages(t *testing.T) {
	eachSeed(t, villagesUsual, NewVillage)
}

// TestVillagesThatFailed runs villages that have shown a mistake: an offer of help that came
// behind its end; two who asked each other, of whom one declined; a courier that had forgotten
// whom it helped.
func TestVillagesThatFailed(t *testing.T) {
	for _, seed := range []uint64{380, 1950, 1991, 2033} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulate(t, NewVillage(seed)) })
	}
}

// TestTown runs a town of 40 people for two days; with -peers and -hours, as cmd/dev
// gives them, a city.
func TestTown(t *testing.T) {
	people, hours := cmp.Or(*peersFlag, 40), cmp.Or(*hoursFlag, 48)
	eachSeed(t, 1, func(seed uint64) Plan { return NewCity(seed, people, time.Duration(hours)*time.Hour) })
}

// eachSeed runs the world of a plan for each of the seeds that are asked for.
func eachSeed(t *testing.T, usual int, plan func(seed uint64) Plan) {
	first, count := max(*seedFlag, 1), usual
	switch {
	case *seedsFlag > 0:
		count = *seedsFlag
	case *seedFlag > 0:
		count = 1
	}
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runTwice(t, asked(plan(seed))) })
	}
}
