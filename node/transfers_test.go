package node

import (
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// TestNothingIsDueWhileItIsFetched has a file fetched that waited before: the loop that
// fetches must sleep meanwhile.
func TestNothingIsDueWhileItIsFetched(t *testing.T) {
	f, now := newFiles(nil), time.Now()
	want := &store.Fetch{File: protocol.FileID{1}, Info: wire.File{SizeBytes: 1}}
	stop := func() {}
	first := f.take(want, now, stop)
	f.leave(first)
	f.wait(want, first, waitsBroken)
	if next := f.next(); next.IsZero() || f.take(want, now, stop) != nil {
		t.Fatalf("a file that was cut off waits until %v", next)
	}
	later := now.Add(time.Hour)
	again := f.take(want, later, stop)
	if next := f.next(); again == nil || !next.IsZero() {
		t.Fatalf("while it is fetched it is due at %v", next)
	}
	f.leave(again)
	f.wait(want, again, waitsBroken)
	if w := f.waiting[want.File]; w.tries != 2 {
		t.Errorf("it was cut off twice in a row, and %d are counted", w.tries)
	}
}

// TestHastenedFileHidesNone has one file wait no longer beside one that still waits.
func TestHastenedFileHidesNone(t *testing.T) {
	f, later := newFiles(nil), time.Now().Add(time.Hour)
	f.waiting[protocol.FileID{1}] = waiting{reason: waitsBroken, until: later}
	f.waiting[protocol.FileID{2}] = waiting{reason: waitsBroken, until: later}
	f.hasten(func(id protocol.FileID) bool { return id == protocol.FileID{1} })
	if next := f.next(); next.IsZero() || next.After(time.Now()) {
		t.Errorf("the next is due at %v", next)
	}
}

// TestRoomIsForAll has two files fetched at once: there must be room for both, and the one
// that began first does not give way.
func TestRoomIsForAll(t *testing.T) {
	f, now, stop := newFiles(nil), time.Now(), func() {}
	first := f.take(&store.Fetch{File: protocol.FileID{1}, Info: wire.File{SizeBytes: 10 << 20}, Chunks: 4}, now, stop)
	second := f.take(&store.Fetch{File: protocol.FileID{2}, Info: wire.File{SizeBytes: 5 << 20}}, now, stop)
	first.moved.Add(1 << 20)
	if a, b := f.left(first), f.left(second); a != 5<<20 || b != 10<<20 {
		t.Errorf("there must be room for %d bytes of the first, and %d with the second", a, b)
	}
}

// TestSlowTransfersYield has three contacts send next to nothing for an hour: the file of a
// fourth has its turn, one that moves keeps its place, and nobody yields to nobody.
func TestSlowTransfersYield(t *testing.T) {
	f, now := newFiles(nil), time.Now()
	stopped := make(map[byte]bool)
	want := func(n byte) *store.Fetch {
		return &store.Fetch{File: protocol.FileID{n}, Contact: protocol.ContactID{n}, Info: wire.File{SizeBytes: 1 << 30}}
	}
	take := func(n byte, at time.Duration) *transfer {
		return f.take(want(n), now.Add(at), func() { stopped[n] = true })
	}
	var all []*transfer
	for n := range byte(fetchesMax) {
		all = append(all, take(n, 0))
	}
	if next := f.next(); !next.IsZero() {
		t.Errorf("nobody waits, and it is looked again at %v", next)
	}
	all[1].moved.Add(turnBytesMin)
	if take(9, turnTime-time.Second) != nil || len(stopped) > 0 {
		t.Fatalf("before their time is over %v are stopped", stopped)
	}
	if next := f.next(); !next.Equal(now.Add(turnTime)) {
		t.Errorf("it is looked again at %v", next.Sub(now))
	}
	if take(9, turnTime) != nil || len(stopped) != 2 || stopped[1] {
		t.Errorf("stopped are %v", stopped)
	}
	f.leave(all[0])
	f.wait(want(0), all[0], waitsBusy)
	if w := f.waiting[protocol.FileID{0}]; w.until.Before(now.Add(turnTime)) {
		t.Errorf("one that has yielded waits for %v", w.until.Sub(now))
	}
	if take(9, turnTime) == nil {
		t.Error("who waited does not have its turn")
	}
}

// TestSlowReadersYield has contacts take next to nothing of what is served.
func TestSlowReadersYield(t *testing.T) {
	f, now := newFiles(nil), time.Now()
	stopped := 0
	for n := range byte(servesMax) {
		if f.offer(protocol.ContactID{n}, now, func() { stopped++ }) == nil {
			t.Fatal("too early")
		}
	}
	if f.offer(protocol.ContactID{99}, now.Add(turnTime/2), nil) != nil || stopped > 0 {
		t.Errorf("%d are stopped before their time", stopped)
	}
	if f.offer(protocol.ContactID{99}, now.Add(turnTime), nil) != nil || stopped != servesMax {
		t.Errorf("%d are stopped of %d", stopped, servesMax)
	}
}
