package sim

import (
	"cmp"
	"math/rand/v2"
	"testing"
	"time"
)

// apart returns a world of two who know each other, both of whom have moved while they
// were off: no address that either knows leads to the other, and there is no courier.
func apart(t *testing.T, dht bool) *story {
	t.Helper()
	s := acquainted(t, 2)
	s.w.plan.DHT = dht
	for i := range 2 {
		s.machine(i).crash()
	}
	for i := range 2 {
		s.w.network.move(s.machine(i))
		s.machine(i).restart()
	}
	s.write(0, 1, "where are you")
	return s
}

// TestBothMoved lets two who have both moved find each other by the DHT, and not without.
func TestBothMoved(t *testing.T) {
	for _, dht := range []bool{true, false} {
		s := apart(t, dht)
		s.wait(11 * time.Hour)
		if n := len(s.w.network.dht.owners); n > 0 {
			t.Errorf("%d records are published before half a day is over", n)
		}
		s.wait(37 * time.Hour)
		if dht {
			s.write(1, 0, "here")
			s.wait(time.Minute)
			equal(t, "at A", s.texts(0, 1), "where are you", "here")
			equal(t, "at B", s.texts(1, 0), "where are you", "here")
			s.settled()
			continue
		}
		equal(t, "at B without the DHT", s.texts(1, 0))
	}
}

// TestMovers lets people who move all the time find each other by a DHT that promises
// nothing.
func TestMovers(t *testing.T) {
	found := 0
	first := cmp.Or(*seedFlag, usually(1, 2)) // the first one takes as long as all others
	for seed := first; seed < first+max(uint64(*seedsFlag), usually(6, 2)); seed++ {
		plan := NewPlan(seed)
		plan.movers(rand.New(newSource(seed, 1<<39)))
		w := simulate(t, plan)
		t.Log(seed, w.Summary())
		found += w.network.dht.found
	}
	if found == 0 && !testing.Short() {
		t.Error("nothing was ever found")
	}
}
