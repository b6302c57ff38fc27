package node

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"pabal/protocol"
)

// TestScreenLockWaitsForNoCore locks the screen in front of a core that takes nothing for long:
// it is locked at once, and of one that takes something it is said that the user has gone.
func TestScreenLockWaitsForNoCore(t *testing.T) {
	for _, busy := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := &core{requests: make(chan request), done: make(chan struct{})}
			n := &Node{config: Config{Log: slog.New(slog.DiscardHandler)}, core: c}
			began := time.Now()
			ended := make(chan error, 1)
			go func() { ended <- n.LockScreen(t.Context()) }()
			synctest.Wait()
			if _, screen := n.behind(); !screen || !time.Now().Equal(began) {
				t.Error("the screen is open still")
			}
			if !busy {
				in := (<-c.requests).input(7)
				if gone, ok := in.(protocol.SetPresence); !ok || gone.Here || gone.Ref != 7 {
					t.Errorf("the core is told %+v", in)
				}
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if took := time.Since(began); busy != (took == goneMax) {
				t.Errorf("busy %v: it took %v", busy, took)
			}
			if err := n.LockScreen(t.Context()); err != nil {
				t.Error("locked again:", err)
			}
		})
	}
}
