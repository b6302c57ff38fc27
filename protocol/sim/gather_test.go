package sim

import "testing"

// TestGatherings runs worlds in which people talk in groups.
func TestGatherings(t *testing.T) {
	eachSeed(t, int(usually(10, 2)), func(t *testing.T, seed uint64) { runTwice(t, asked(NewGathering(seed))) })
}
