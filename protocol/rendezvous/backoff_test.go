package rendezvous

import (
	"testing"
	"time"
)

func TestBackoffDoubles(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var b Backoff
	if !b.Next().IsZero() || b.Tries() != 0 {
		t.Fatal("the first dial waits")
	}
	want := backoffMin
	for try := range 100 {
		b.Failed(now, 0)
		if got := b.Next().Sub(now); got != want || b.Tries() != try+1 {
			t.Fatalf("try %d: the next dial is in %v, want %v", b.Tries(), got, want)
		}
		want = min(2*want, backoffMax)
	}
	if want != backoffMax {
		t.Fatal("the delay never reached its bound")
	}
	b.Clear()
	if b != (Backoff{}) {
		t.Fatal("Clear left something")
	}
}

func TestBackoffJitter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for tries := range 25 {
		last := time.Duration(1 << 62)
		for jitter := range 256 {
			b := Backoff{pauses: tries}
			b.Failed(now, byte(jitter))
			d := b.Next().Sub(now)
			whole := min(backoffMin<<min(tries, 20), backoffMax)
			if d > whole || d <= whole*3/4 || d > last {
				t.Fatalf("try %d, jitter %d: %v of %v", tries, jitter, d, whole)
			}
			last = d
		}
	}
}

func TestBackoffAgain(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var b Backoff
	for range 3 {
		b.Failed(now, 0)
	}
	b.Again()
	if !b.Next().IsZero() || b.Tries() != 3 {
		t.Fatalf("the next dial is at %v behind %d tries", b.Next(), b.Tries())
	}
	if b.Failed(now, 0); b.Next().Sub(now) != 8*backoffMin {
		t.Fatalf("the next delay is %v", b.Next().Sub(now))
	}
}
