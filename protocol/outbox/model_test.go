package outbox

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// model drives a Queue and keeps beside it, in the plainest form, what must be in it.
type model struct {
	t       *testing.T
	q       Queue
	now     time.Time
	choose  func(n int) int // a number below n
	history map[[16]byte][]byte

	waiting []Item            // in order, all with content
	sealed  map[uint32][]Item // by index; all of one session
	index   uint32
	lastSeq uint64
}

func newModel(t *testing.T, choose func(n int) int) *model {
	return &model{t: t, now: start(), choose: choose, history: map[[16]byte][]byte{}, sealed: map[uint32][]Item{}}
}

// steps are everything that happens to a Queue.
func (m *model) steps() []func() {
	return []func(){
		m.push, m.push, m.pushInline, m.sealNext, m.sealNext, m.acknowledge, m.endSession, m.withdraw,
		m.fetch, m.resend, m.renumber, m.merge, m.putBack, m.dropInline, m.path,
	}
}

func (m *model) fresh() Item {
	m.lastSeq++
	sizes := [...]int{1, 30, 200, 900, 7000, 30000, 61440}
	it := message(m.lastSeq, sizes[m.choose(len(sizes))])
	m.history[it.Message] = it.Content
	return it
}

// some returns the item as the Peer hands it over: with its content or without.
func (m *model) some(it Item) Item {
	if m.choose(3) == 0 && !it.Inline() {
		it.Content = nil
	}
	return it
}

func (m *model) push() {
	it := m.fresh()
	m.q.Push(m.some(it))
	m.waiting = append(m.waiting, it)
}

func (m *model) pushInline() {
	it := inline(byte(m.choose(4)), 1+m.choose(100))
	m.q.Push(it)
	m.waiting = append(m.waiting, it)
}

func (m *model) sealNext() {
	sizes := []int{427, 2987, 8107, 24491, 65451}
	items := m.q.Take(sizes)
	if items == nil {
		return
	}
	total := 0
	for i, it := range items {
		if it.Message != m.waiting[i].Message || !bytes.Equal(it.Content, m.waiting[i].Content) {
			m.t.Fatalf("item %d of an envelope is not the next that waits", i)
		}
		total += it.Size
	}
	if total > sizes[len(sizes)-1] {
		m.t.Fatalf("%d bytes in one envelope", total)
	}
	m.sealed[m.index] = slices.Clone(m.waiting[:len(items)])
	m.waiting = m.waiting[len(items):]
	m.q.Sealed(&Entry{Index: m.index, Frame: make([]byte, 512+total), Items: items}, m.now)
	m.index++
}

// anySealed returns the index of an envelope.
func (m *model) anySealed() (index uint32, ok bool) {
	if len(m.sealed) == 0 {
		return 0, false
	}
	list := make([]uint32, 0, len(m.sealed))
	for i := range m.sealed {
		list = append(list, i)
	}
	slices.Sort(list)
	return list[m.choose(len(list))], true
}

func (m *model) acknowledge() {
	index, ok := m.anySealed()
	if !ok {
		return
	}
	e, ok := m.q.Remove([32]byte{}, index)
	if !ok || !slices.Equal(sequences(e.Items), sequences(m.sealed[index])) {
		m.t.Fatal("an acknowledged envelope is not there, or carries something else")
	}
	delete(m.sealed, index)
	m.q.Progress()
}

// putBack voids one envelope: what it carried waits again, in order.
func (m *model) putBack() {
	index, ok := m.anySealed()
	if !ok {
		return
	}
	e, _ := m.q.Remove([32]byte{}, index)
	m.q.PutBack(e.Items)
	m.waiting = append(slices.Clone(m.sealed[index]), m.waiting...)
	delete(m.sealed, index)
	m.sort()
}

// sort brings what waits into the order of sequences, contents that are no messages
// first: these have sequence 0.
func (m *model) sort() {
	slices.SortStableFunc(m.waiting, func(a, b Item) int { return int(int64(a.Sequence) - int64(b.Sequence)) })
}

// endSession puts everything that was in envelopes back in front.
func (m *model) endSession() {
	var items, again []Item
	for _, e := range m.q.RemoveSession([32]byte{}) {
		items = append(items, e.Items...)
		again = append(again, m.sealed[e.Index]...)
		delete(m.sealed, e.Index)
	}
	if len(m.sealed) > 0 {
		m.t.Fatal("an envelope of the session is left")
	}
	m.q.PushFront(items)
	m.waiting = append(again, m.waiting...)
}

func (m *model) withdraw() {
	if len(m.waiting) == 0 {
		return
	}
	i := m.choose(len(m.waiting))
	it := m.waiting[i]
	if m.q.RemoveWaiting(it.Message) == it.Inline() {
		m.t.Fatal("a waiting message cannot be taken out, or an inline content can")
	}
	if !it.Inline() {
		m.waiting = slices.Delete(m.waiting, i, i+1)
		delete(m.history, it.Message)
	}
}

// fetch answers a fetch from the history; now and then a message is gone.
func (m *model) fetch() {
	ids := m.q.Fetch(true, nil)
	if len(ids) > 0 && m.choose(4) == 0 {
		delete(m.history, ids[m.choose(len(ids))])
	}
	gone, _ := m.q.Fetched(ids, m.history)
	m.waiting = slices.DeleteFunc(m.waiting, func(it Item) bool {
		return !it.Inline() && slices.Contains(gone, it.Sequence)
	})
	for _, sequence := range gone {
		if m.history[message(sequence, 0).Message] != nil {
			m.t.Fatal("a message that is there was given up")
		}
	}
}

func (m *model) resend() {
	m.now = m.now.Add(time.Duration(m.choose(400)) * time.Second)
	var bare []*Entry
	for _, e := range m.q.Due(m.now) {
		if e.Frame == nil {
			bare = append(bare, e)
		}
	}
	ids := m.q.Fetch(false, bare)
	_, whole := m.q.Fetched(ids, m.history)
	for _, w := range whole {
		want := m.sealed[w.Entry.Index]
		for i, c := range w.Contents {
			if len(w.Contents) != len(want) || !bytes.Equal(c, want[i].Content) {
				m.t.Fatal("an envelope would be rebuilt from other contents")
			}
		}
		m.q.Rebuilt(w.Entry, make([]byte, 512))
	}
}

// renumber takes everything out and puts it back, as the Peer does after it lost state.
func (m *model) renumber() {
	items := m.q.TakeWaiting()
	if m.q.WaitingLen() != 0 {
		m.t.Fatal("something waits still")
	}
	m.q.PushFront(items)
}

// merge hands over messages that wait, that are in envelopes, and new ones.
func (m *model) merge() {
	items := []Item{m.some(m.fresh()), m.some(m.fresh())}
	for _, it := range items {
		it.Content = m.history[it.Message]
		m.waiting = append(m.waiting, it)
	}
	items = append(items, m.some(m.waiting[m.choose(len(m.waiting))]))
	items = slices.DeleteFunc(items, Item.Inline)
	if index, ok := m.anySealed(); ok {
		for _, it := range m.sealed[index] {
			if !it.Inline() {
				items = append(items, m.some(it))
			}
		}
	}
	m.q.Merge(items)
	m.sort()
}

func (m *model) dropInline() {
	mark := byte(m.choose(4))
	stale := func(content []byte) bool { return content[0] == mark }
	m.q.RemoveInline(stale)
	m.waiting = slices.DeleteFunc(m.waiting, func(it Item) bool { return it.Inline() && stale(it.Content) })
}

func (m *model) path() {
	m.q.Reconnected()
	if m.q.SealedLen() > 0 && m.q.NextDue().After(m.now) {
		m.t.Fatal("a new path leaves envelopes waiting")
	}
}

// check compares the Queue with the model.
func (m *model) check() {
	m.t.Helper()
	if m.q.WaitingLen() != len(m.waiting) || m.q.SealedLen() != len(m.sealed) {
		m.t.Fatalf("%d wait and %d are sealed, want %d and %d", m.q.WaitingLen(), m.q.SealedLen(), len(m.waiting), len(m.sealed))
	}
	if m.q.Empty() != (len(m.waiting) == 0 && len(m.sealed) == 0) || m.q.HasSession([32]byte{}) != (len(m.sealed) > 0) {
		m.t.Fatal("Empty or HasSession is wrong")
	}
	bytesKept := 0
	for i, it := range m.q.waiting {
		want := m.waiting[i]
		if it.Message != want.Message || it.Sequence != want.Sequence || it.Size != want.Size {
			m.t.Fatalf("place %d holds message %d, want %d", i, it.Sequence, want.Sequence)
		}
		if it.Content != nil && !bytes.Equal(it.Content, want.Content) {
			m.t.Fatalf("message %d has another content", it.Sequence)
		}
		if it.Inline() {
			continue
		}
		bytesKept += len(it.Content)
		if !m.q.HasWaiting(it.Message) {
			m.t.Fatal("HasWaiting does not know what waits")
		}
	}
	for _, e := range m.q.sealed {
		bytesKept += len(e.Frame)
		if !slices.Equal(sequences(e.Items), sequences(m.sealed[e.Index])) {
			m.t.Fatalf("envelope %d carries other messages", e.Index)
		}
	}
	if bytesKept != m.q.cachedBytes {
		m.t.Fatalf("%d bytes are kept, %d counted", bytesKept, m.q.cachedBytes)
	}
}

func (m *model) run(steps int) {
	for range steps {
		all := m.steps()
		all[m.choose(len(all))]()
		m.check()
	}
}

// TestQueueModel holds the Queue to its model in random runs, by seed.
func TestQueueModel(t *testing.T) {
	runs := uint64(200)
	if testing.Short() {
		runs = 20
	}
	for seed := range runs {
		r := rand.New(rand.NewPCG(seed, 1))
		m := newModel(t, r.IntN)
		m.run(300)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// FuzzQueue does the same with the fuzzer's choices.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3})
	f.Add([]byte{0, 6, 1, 0, 5, 1, 3, 9, 200, 6, 3, 8, 0, 0})
	f.Add(bytes.Repeat([]byte{0, 6, 0, 4, 9, 3, 6}, 30))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 1<<10 {
			return
		}
		choose := func(n int) int {
			if len(script) == 0 {
				return 0
			}
			v := int(script[0])
			script = script[1:]
			return v % n
		}
		m := newModel(t, choose)
		for len(script) > 0 {
			m.run(1)
		}
	})
}
