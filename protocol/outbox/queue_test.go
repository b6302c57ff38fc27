package outbox

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

// start is when the clock of every test stands at first.
func start() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// message makes the item of message n with a content of size bytes.
func message(n uint64, size int) Item {
	it := Item{Sequence: n, Size: size, Content: bytes.Repeat([]byte{byte(n)}, size)}
	binary.BigEndian.PutUint64(it.Message[8:], n)
	return it
}

// inline makes an item that is no message.
func inline(mark byte, size int) Item {
	return Item{Size: size, Content: bytes.Repeat([]byte{mark}, size)}
}

// sequences returns the sequences of items, 0 for those that are no message.
func sequences(items []Item) []uint64 {
	list := make([]uint64, len(items))
	for i, it := range items {
		list[i] = it.Sequence
	}
	return list
}

// seal takes the next envelope's contents and records an envelope with them.
func seal(t *testing.T, q *Queue, index uint32, frameBytes int, now time.Time) *Entry {
	t.Helper()
	items := q.Take([]int{427, 2987, 8107, 24491, 65451})
	if items == nil {
		t.Fatal("nothing to take")
	}
	e := &Entry{Index: index, Envelope: []byte{1}, Frame: make([]byte, frameBytes), Items: items}
	q.Sealed(e, now)
	return e
}

func TestTakePacks(t *testing.T) {
	sizes := []int{100, 1000, 4000}
	for name, row := range map[string]struct {
		waiting []int // sizes of what waits
		take    int   // how many of them share the first envelope
	}{
		"nothing":                      {nil, 0},
		"one small":                    {[]int{40}, 1},
		"all that fits the smallest":   {[]int{40, 40, 20}, 3},
		"a little over fills no half":  {[]int{40, 40, 40}, 2},
		"half of the next size":        {[]int{90, 90, 320}, 3},
		"one that alone needs more":    {[]int{120}, 1},
		"one that alone needs most":    {[]int{1001, 50}, 1},
		"the largest is the end":       {[]int{2000, 1900, 200}, 2},
		"exactly the largest":          {[]int{2000, 2000, 1}, 2},
		"never more than the largest":  {[]int{3999, 2}, 1},
		"too large for every envelope": {[]int{4001}, 0},
	} {
		var q Queue
		for i, size := range row.waiting {
			q.Push(message(uint64(i+1), size))
		}
		got := q.Take(sizes)
		if len(got) != row.take || q.WaitingLen() != len(row.waiting)-row.take {
			t.Errorf("%s: took %d, want %d", name, len(got), row.take)
		}
		for i, it := range got {
			if it.Sequence != uint64(i+1) || len(it.Content) != row.waiting[i] {
				t.Errorf("%s: item %d is message %d of %d bytes", name, i, it.Sequence, len(it.Content))
			}
		}
	}
}

func TestTakeStopsAtWhatMustBeFetched(t *testing.T) {
	var q Queue
	far := message(2, 10)
	far.Content = nil
	q.Push(message(1, 10))
	q.Push(far)
	q.Push(message(3, 10))
	if got := sequences(q.Take([]int{100})); !slices.Equal(got, []uint64{1}) {
		t.Fatalf("took %v", got)
	}
	if q.Take([]int{100}) != nil || q.AllAtHand() {
		t.Fatal("took a content that is not in memory")
	}
	if !q.HasWaiting(far.Message) || q.WaitingLen() != 2 {
		t.Fatal("what must be fetched was lost")
	}
}

func TestCacheIsBounded(t *testing.T) {
	var q Queue
	const size = 60 << 10
	for n := range uint64(40) {
		q.Push(message(n+1, size))
	}
	kept := 0
	for _, it := range q.waiting {
		if it.Size != size {
			t.Fatal("an item forgot its size")
		}
		kept += len(it.Content)
	}
	if kept != q.cachedBytes || kept > CacheBytesMax || kept < CacheBytesMax-size {
		t.Fatalf("%d bytes kept, %d counted", kept, q.cachedBytes)
	}
	q.Push(inline(7, size)) // is nowhere else: it is kept whatever it costs
	if last := q.waiting[len(q.waiting)-1]; len(last.Content) != size || q.cachedBytes != kept {
		t.Fatal("an inline content was forgotten or counted")
	}
}

func TestRetransmissionPace(t *testing.T) {
	var q Queue
	now := start()
	q.Push(message(1, 10))
	e := seal(t, &q, 0, 512, now)
	if got := q.Due(now.Add(retryMin - 1)); got != nil {
		t.Fatalf("%d due before the first delay", len(got))
	}
	var gaps []time.Duration
	for last := now; len(gaps) < 12; {
		now = q.NextDue()
		if got := q.Due(now); len(got) != 1 || got[0] != e {
			t.Fatalf("%d due at NextDue", len(got))
		}
		gaps = append(gaps, now.Sub(last))
		last = now
	}
	if gaps[0] != retryMin || gaps[len(gaps)-1] != retryMax {
		t.Errorf("delays run from %v to %v", gaps[0], gaps[len(gaps)-1])
	}
	for i := 2; i < len(gaps); i++ {
		if gaps[i] != min(2*gaps[i-1], retryMax) {
			t.Errorf("delay %d is %v after %v", i, gaps[i], gaps[i-1])
		}
	}
	q.Progress()
	q.Due(q.NextDue())
	if got := q.NextDue().Sub(now.Add(retryMax)); got != retryMin {
		t.Errorf("after progress the delay is %v", got)
	}
	q.Reconnected()
	if got := q.Due(now); len(got) != 1 {
		t.Error("a new path does not make everything due")
	}
	if _, ok := q.Remove(e.Session, e.Index); !ok || !q.NextDue().IsZero() || !q.Empty() {
		t.Error("an acknowledged envelope is still due")
	}
}

func TestRemoveKnowsSessions(t *testing.T) {
	var q Queue
	now := start()
	a, b := [32]byte{1}, [32]byte{2}
	for i := range uint64(4) {
		q.Push(message(i+1, 200))
		e := seal(t, &q, uint32(i/2), 512, now)
		if i%2 == 1 {
			e.Session = b
		} else {
			e.Session = a
		}
	}
	if _, ok := q.Remove([32]byte{3}, 0); ok {
		t.Error("an envelope of another session was taken")
	}
	if e, ok := q.Remove(a, 1); !ok || e.Items[0].Sequence != 3 {
		t.Error("the envelope with this index and session was not taken")
	}
	if _, ok := q.Remove(a, 1); ok {
		t.Error("an envelope was taken twice")
	}
	if !q.HasSession(a) || !q.HasSession(b) {
		t.Error("a session with envelopes is not known")
	}
	over := q.RemoveSession(b)
	if len(over) != 2 || over[0].Index != 0 || over[1].Index != 1 || q.HasSession(b) {
		t.Errorf("%d envelopes of a session that is over", len(over))
	}
	if q.SealedLen() != 1 || q.cachedBytes != 512 {
		t.Errorf("%d envelopes, %d bytes left", q.SealedLen(), q.cachedBytes)
	}
}

func TestCarryingAndWaiting(t *testing.T) {
	var q Queue
	now := start()
	first, second := message(1, 300), message(2, 300)
	q.Push(inline(9, 20))
	q.Push(first)
	q.Push(second)
	e := seal(t, &q, 0, 512, now)
	if got, ok := q.Carrying(first.Message); !ok || got != e {
		t.Error("the envelope of a message is not found")
	}
	if _, ok := q.Carrying([16]byte{}); ok {
		t.Error("an inline content was taken for a message")
	}
	if _, ok := q.Carrying(second.Message); ok {
		t.Error("what waits is in no envelope")
	}
	if q.RemoveWaiting([16]byte{}) || q.RemoveWaiting(first.Message) || !q.RemoveWaiting(second.Message) {
		t.Error("RemoveWaiting takes what does not wait, or leaves what does")
	}
	if q.cachedBytes != 512 || q.WaitingLen() != 0 {
		t.Errorf("%d bytes, %d waiting", q.cachedBytes, q.WaitingLen())
	}
}

func TestOverflows(t *testing.T) {
	var q Queue
	for _, size := range []int{400, 600} {
		q.Push(message(uint64(size), size))
		if q.Overflows(1000) {
			t.Fatalf("%d of 1000 bytes overflow", size)
		}
	}
	if q.Push(inline(1, 1)); !q.Overflows(1000) {
		t.Error("1001 of 1000 bytes do not")
	}
	for n := q.WaitingLen(); n < ItemsMax; n++ {
		q.Push(inline(1, 1))
	}
	if q.Overflows(1 << 20) {
		t.Error("as many contents as an envelope takes overflow")
	}
	if q.Push(inline(1, 1)); !q.Overflows(1 << 20) {
		t.Error("one content too many does not")
	}
}

func TestAtHand(t *testing.T) {
	var q Queue
	q.Push(message(1, 600))
	q.Push(message(2, CacheBytesMax)) // has no room in memory
	if !q.AtHand(1000) {
		t.Error("the first fits alone and is at hand")
	}
	if q.AtHand(600 + CacheBytesMax) {
		t.Error("the second fits, too, and is not at hand")
	}
	q.RemoveWaiting(message(1, 600).Message)
	if q.AtHand(1000) {
		t.Error("the next is never at hand")
	}
}

func TestMergeKeepsOrder(t *testing.T) {
	var q Queue
	now := start()
	q.Push(message(3, 300))
	seal(t, &q, 0, 512, now)
	q.Push(message(9, 10))
	q.Push(inline(1, 10))
	q.Push(message(10, 10))
	q.Push(inline(2, 10))
	q.Merge([]Item{message(4, 10), message(3, 10), message(9, 10), message(2, 10)})
	if got := sequences(q.waiting); !slices.Equal(got, []uint64{0, 0, 2, 4, 9, 10}) {
		t.Fatalf("order %v", got)
	}
	if q.waiting[0].Content[0] != 1 || q.waiting[1].Content[0] != 2 {
		t.Error("inline contents changed places")
	}
	if got := q.Sequences(); !slices.Equal(got, []uint64{2, 3, 4, 9, 10}) {
		t.Errorf("sequences %v", got)
	}
}

func TestPushFrontAndTakeWaiting(t *testing.T) {
	var q Queue
	q.Push(message(5, 10))
	q.PushFront([]Item{inline(1, 10), message(3, 10), message(4, 10)})
	if got := sequences(q.waiting); !slices.Equal(got, []uint64{0, 3, 4, 5}) {
		t.Fatalf("order %v", got)
	}
	items := q.TakeWaiting()
	if len(items) != 4 || q.WaitingLen() != 0 || q.cachedBytes != 0 {
		t.Fatalf("%d taken, %d bytes counted", len(items), q.cachedBytes)
	}
	q.PushFront(items)
	q.RemoveInline(func(content []byte) bool { return content[0] == 1 })
	if got := sequences(q.waiting); !slices.Equal(got, []uint64{3, 4, 5}) || q.cachedBytes != 30 {
		t.Fatalf("order %v, %d bytes", got, q.cachedBytes)
	}
}

func TestMessageBySequence(t *testing.T) {
	var q Queue
	q.Push(message(1, 20))
	q.Push(inline(7, 10))
	q.Sealed(&Entry{Items: []Item{message(2, 30)}}, start())
	for n := range uint64(4) {
		id, ok := q.Message(n)
		if want := n == 1 || n == 2; ok != want || ok && id != message(n, 1).Message {
			t.Errorf("sequence %d: %v", n, ok)
		}
	}
}
