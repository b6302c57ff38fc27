package node

import (
	"crypto/rand"
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

// TestHereBehindALockedScreen hands over that the user is here just before the screen is locked: a
// core that takes it behind that hears that nobody is.
func TestHereBehindALockedScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &core{requests: make(chan request), done: make(chan struct{})}
		n := &Node{config: Config{Log: slog.New(slog.DiscardHandler)}, core: c}
		ended := make(chan error, 1)
		go func() {
			_, err := n.Submit(t.Context(), func(ref uint64) protocol.Input {
				return protocol.SetPresence{Ref: ref, Here: true, To: []protocol.ContactID{{1}}}
			}, nil)
			ended <- err
		}()
		synctest.Wait()
		if err := n.LockScreen(t.Context()); err != nil { // the core is busy for longer than it waits
			t.Fatal(err)
		}
		r := <-c.requests
		if in, ok := r.input(7).(protocol.SetPresence); !ok || in.Here || len(in.To) > 0 || in.Ref != 7 {
			t.Errorf("the core is told %+v", in)
		}
		r.answer <- answer{}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestGoneBeforeTheBatchEnds has a core know that the user is here, and the screen be locked before
// the batch in which it heard it ends: it says nothing to anybody.
func TestGoneBeforeTheBatchEnds(t *testing.T) {
	config := Config{Log: slog.New(slog.DiscardHandler)}
	peer, _, err := protocol.Create(rand.Reader, protocol.Config{BootID: [32]byte{1}}, time.Now(), "Mina")
	if err != nil {
		t.Fatal(err)
	}
	c := &core{config: &config, log: config.Log, peer: peer}
	var b batch
	c.take(&b, request{input: func(ref uint64) protocol.Input { return protocol.SetPresence{Ref: ref, Here: true} }, answer: make(chan answer, 1)})
	inputs := b.inputs
	c.left.Store(true)
	c.leave(&b)
	c.leave(&b)
	if b.inputs != inputs+1 {
		t.Errorf("the Peer hears of it %d times", b.inputs-inputs)
	}
}
