package outbox

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// without returns an item whose content is in the history only.
func without(it Item) Item {
	it.Content = nil
	return it
}

func TestFetchFillsWhatWaits(t *testing.T) {
	var q Queue
	there, gone := message(1, 20), message(2, 30)
	q.Push(without(there))
	q.Push(inline(7, 10))
	q.Push(without(gone))
	q.Push(message(3, 40))

	ids := q.Fetch(true, nil)
	if !slices.Equal(ids, [][16]byte{there.Message, gone.Message}) {
		t.Fatalf("%d messages asked", len(ids))
	}
	if q.Fetch(true, nil) != nil {
		t.Fatal("a second fetch began before the first ended")
	}
	longer := append(bytes.Clone(there.Content), 1) // an edit of the history changes its size
	lost, whole := q.Fetched(ids, map[[16]byte][]byte{there.Message: longer})
	if !slices.Equal(lost, []uint64{2}) || whole != nil {
		t.Fatalf("gone %v, %d whole", lost, len(whole))
	}
	if got := sequences(q.waiting); !slices.Equal(got, []uint64{1, 0, 3}) || !q.AllAtHand() {
		t.Fatalf("waiting %v", got)
	}
	if q.waiting[0].Size != len(longer) || q.cachedBytes != len(longer)+40 {
		t.Fatalf("%d bytes counted", q.cachedBytes)
	}
	if q.Fetch(true, nil) != nil || q.fetching {
		t.Fatal("a fetch of nothing is under way")
	}
}

func TestFetchOnlyWhileSealing(t *testing.T) {
	var q Queue
	q.Push(without(message(1, 20)))
	if q.Fetch(false, nil) != nil || q.fetching {
		t.Error("what waits was asked for although nothing can be sealed")
	}
}

func TestFetchIsBounded(t *testing.T) {
	var q Queue
	for n := range uint64(FetchMessagesMax + 10) {
		q.Push(without(message(n+1, 1)))
	}
	if got := len(q.Fetch(true, nil)); got != FetchMessagesMax {
		t.Errorf("%d small messages asked", got)
	}
	var large Queue
	const size = 60 << 10
	for n := range uint64(20) {
		large.Push(without(message(n+1, size)))
	}
	if got := len(large.Fetch(true, nil)); got*size > FetchBytesMax+size || got*size < FetchBytesMax {
		t.Errorf("%d large messages asked", got)
	}
}

func TestRebuild(t *testing.T) {
	var q Queue
	now := start()
	first, second := message(1, 20), message(2, 30)
	kept := &Entry{Index: 1, Frame: make([]byte, 512), Items: []Item{{Message: [16]byte{9}, Size: 10}}}
	stored := &Entry{Index: 0, Items: []Item{without(first), inline(7, 5), without(second)}}
	q.Restore(stored, time.Time{})
	q.Sealed(kept, now)

	due := q.Due(now)
	if !slices.Equal(due, []*Entry{stored}) {
		t.Fatal("an envelope of an earlier run is not due at once")
	}
	ids := q.Fetch(false, []*Entry{stored, kept})
	if !slices.Equal(ids, [][16]byte{first.Message, second.Message}) {
		t.Fatalf("%d messages asked: inline contents and envelopes with a frame need none", len(ids))
	}
	if _, whole := q.Fetched(ids, map[[16]byte][]byte{first.Message: first.Content}); whole != nil {
		t.Fatal("an envelope that lacks a content is whole")
	}
	mailbox := Mailbox{ID: [16]byte{1}}
	if left := q.ToCarry(now, mailbox, []Mailbox{mailbox}, false, 10); !slices.Equal(left, []*Entry{kept}) {
		t.Fatalf("%d envelopes for a courier: what cannot be read would be read again and again", len(left))
	}
	ids = q.Fetch(false, []*Entry{stored})
	_, whole := q.Fetched(ids, map[[16]byte][]byte{first.Message: first.Content, second.Message: second.Content})
	if len(whole) != 1 || whole[0].Entry != stored {
		t.Fatalf("%d envelopes are whole", len(whole))
	}
	want := [][]byte{first.Content, bytes.Repeat([]byte{7}, 5), second.Content}
	if !slices.EqualFunc(whole[0].Contents, want, bytes.Equal) {
		t.Fatal("contents in another order than sealed")
	}
	q.Rebuilt(stored, make([]byte, 3072))
	if len(stored.Frame) != 3072 || q.cachedBytes != 512+3072 {
		t.Fatalf("%d bytes counted", q.cachedBytes)
	}
}

func TestRebuiltFrameWithoutRoom(t *testing.T) {
	var q Queue
	q.Sealed(&Entry{Index: 0, Frame: make([]byte, CacheBytesMax)}, start())
	e := &Entry{Index: 1, Items: []Item{without(message(1, 20))}}
	q.Restore(e, time.Time{})
	q.Rebuilt(e, make([]byte, 512))
	if e.Frame != nil || q.cachedBytes != CacheBytesMax {
		t.Error("a frame was kept beyond the bound")
	}
}

func TestLargeResendIsBounded(t *testing.T) {
	var q Queue
	var list []*Entry
	for n := range uint64(20) {
		e := &Entry{Index: uint32(n), Items: []Item{without(message(n+1, 60<<10))}}
		q.Restore(e, time.Time{})
		list = append(list, e)
	}
	if got := len(q.Fetch(false, list)); got == 0 || got > FetchBytesMax/(60<<10)+1 {
		t.Errorf("%d messages asked", got)
	}
}
