package sim

import (
	"strings"
	"testing"
	"testing/cryptotest"
	"time"
)

// TestMutationsAreCaught shows that the simulation can fail: each mistake of the
// daemon around the Peer breaks a promise that is looked at.
func TestMutationsAreCaught(t *testing.T) {
	for _, mistake := range []struct {
		name     string
		mutation Mutation
		broken   string // in the promise that breaks
	}{
		{"acknowledge before commit", AckBeforeCommit, "is called delivered and never arrived"},
		{"reuse a chain key", ReuseChain, "one chain key sealed two envelopes"},
		{"acknowledge what is lost", FalseReceipt, "is called delivered and never arrived"},
		{"drop receipts", DropReceipt, "after healing"},
		{"forward as one's own", ForwardAsOwn, "is not what was to be sent"},
	} {
		t.Run(mistake.name, func(t *testing.T) { caught(t, mistake.mutation, mistake.broken) })
	}
}

// mutationSeeds is within how many worlds a mistake must show.
const mutationSeeds = 12

func caught(t *testing.T, mutation Mutation, broken string) {
	for seed := uint64(1); seed <= mutationSeeds; seed++ {
		plan := Plan{
			Seed: seed, Peers: 2, Life: 4 * time.Hour, Quiet: true, Burst: 4, Talk: 5 * time.Minute, Act: time.Hour,
			Forward: 20 * time.Minute, ConnLife: 30 * time.Minute, Crash: 20 * time.Minute, SlowDisk: true,
		}
		if err := mutated(t, plan); err != nil {
			t.Fatalf("without the mistake: %v", err)
		}
		plan.Mutation = mutation
		switch err := mutated(t, plan); {
		case err == nil:
		case strings.Contains(err.Error(), broken):
			t.Logf("caught: %v", err)
			return
		default:
			t.Logf("caught otherwise: %v", err)
		}
	}
	t.Fatalf("not caught in %d worlds", mutationSeeds)
}

func mutated(t *testing.T, plan Plan) error {
	cryptotest.SetGlobalRandom(t, plan.Seed)
	return NewWorld(plan, nil).Run()
}
