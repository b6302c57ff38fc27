package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "first seed; 0 = 1")
	seedsFlag = flag.Int("seeds", 0, "number of seeds; 0 = one if -seed is given, else the default")
	peersFlag = flag.Int("peers", 0, "peers in each world; 0 = as the seed says")
	hoursFlag = flag.Int("hours", 0, "hours that each world lives; 0 = as the seed says")
	onceFlag  = flag.Bool("once", false, "run each seed once, not twice to see that both are equal")
	traceFlag = flag.Bool("trace", false, "print what happens")
)

const (
	seedsUsual = 20
	seedsShort = 6
)

// usually returns how much a test does, and how little when it is to be short, as beside
// the race detector, which has little to find in worlds of one thread.
func usually(much, little uint64) uint64 {
	if testing.Short() {
		return little
	}
	return much
}

// TestMain lets the heap of a world, which is small, grow further between collections
// than by default: that is a tenth of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestSeeds runs worlds by seed, each twice: the two must be equal.
func TestSeeds(t *testing.T) {
	first, count := *seedFlag, *seedsFlag
	switch {
	case count > 0:
	case first > 0:
		count = 1
	case testing.Short():
		count = seedsShort
	default:
		count = seedsUsual
	}
	first = max(first, 1)
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runTwice(t, asked(NewPlan(seed))) })
	}
}

// asBefore takes out of a plan what came into plans behind the mistake that its seed is kept for.
func asBefore(plan Plan) Plan {
	plan.Forward, plan.Signals = 0, false
	return plan
}

// TestRemovalsThatFailed runs worlds in which somebody had removed a contact who asked anew, or
// had forgotten it with an old disk: what had been removed came back with what was lost, behind
// newer texts; an old disk brought again what the contact had kept; and an accept waited for a
// courier while the two were on together.
func TestRemovalsThatFailed(t *testing.T) {
	seeds := []uint64{1025001, 1025107, 1020188, 1020140, 1030264, 1030337}
	for _, seed := range seeds[:usually(uint64(len(seeds)), 2)] {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulate(t, asBefore(NewPlan(seed))) })
	}
}

// TestPictureThatFailed runs a world in which somebody comes from a backup, without a session, is
// asked anew by a contact with an old disk and a clock that is behind, and is to show the picture
// that this one has now.
func TestPictureThatFailed(t *testing.T) { simulate(t, NewPlan(3030059)) }

// TestResendThatFailed runs a world in which somebody was on together with a contact who had lost
// the session, while more waited than is kept in memory and a courier was there: what was read for
// the courier was sent to the contact, and read for the courier again.
func TestResendThatFailed(t *testing.T) { simulate(t, NewPlan(5010189)) }

func runTwice(t *testing.T, plan Plan) {
	t.Helper()
	begin := time.Now()
	run := func() (digest uint64, summary string) { // and nothing of a world that may be big
		w := simulate(t, plan)
		return w.Digest(), w.Summary()
	}
	once, summary := run()
	if *traceFlag {
		return
	}
	if !*onceFlag {
		if again, other := run(); once != again {
			t.Fatalf("seed %d: two runs differ: %s and %s", plan.Seed, summary, other)
		}
	}
	if testing.Verbose() {
		fmt.Printf("seed %d: %s, %v\n", plan.Seed, summary, time.Since(begin).Round(time.Millisecond))
	}
}

// asked returns a plan with what the flags say in place of it.
func asked(plan Plan) Plan {
	if *peersFlag > 0 {
		plan.Peers = *peersFlag
	}
	if *hoursFlag > 0 {
		plan.Life = time.Duration(*hoursFlag) * time.Hour
	}
	return plan
}

// testName is the name of the test that a subtest is of.
func testName(t *testing.T) string {
	name, _, _ := strings.Cut(t.Name(), "/")
	return name
}

// simulate runs one world. It is one thread, so that the source of randomness of
// the whole process is part of the seed: it covers what takes none from us.
func simulate(t *testing.T, plan Plan) *World {
	t.Helper()
	cryptotest.SetGlobalRandom(t, plan.Seed)
	w := NewWorld(plan, nil)
	if *traceFlag {
		w.trace = os.Stdout
	}
	if err := w.Run(); err != nil {
		if *traceFlag {
			w.Dump(os.Stdout)
		}
		t.Fatalf("%v\n%s\nplan %+v\nrerun: go test ./protocol/sim -run '^%s$' -args -seed %d", err, w.Summary(), plan, testName(t), plan.Seed)
	}
	return w
}
