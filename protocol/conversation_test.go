package protocol

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// author is the other side of a have vector: what it wrote and withdrew.
type author struct {
	random *rand.Rand
	ids    map[uint64][16]byte
	taken  map[uint64]bool
	void   map[uint64]bool
	places map[uint64]uint64
	gaps   map[uint64]uint64 // rows: count by position
}

// TestHaveVectorAgainstModel lets messages arrive in any order, twice and withdrawn,
// and compares the have vector with a map of all of them.
func TestHaveVectorAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		a := &author{
			random: rand.New(rand.NewPCG(seed, 1)), ids: make(map[uint64][16]byte), taken: make(map[uint64]bool),
			void: make(map[uint64]bool), places: make(map[uint64]uint64), gaps: make(map[uint64]uint64),
		}
		c := &conversation{}
		for range 300 {
			low := uint64(1 + a.random.IntN(60))
			if a.random.IntN(8) == 0 {
				a.withdraw(t, c, low, low+uint64(a.random.IntN(6)))
			} else {
				a.deliver(t, c, low)
			}
			a.check(t, c)
		}
	}
}

func (a *author) id(sequence uint64) [16]byte {
	id, ok := a.ids[sequence]
	if !ok {
		for i := range id {
			id[i] = byte(a.random.Uint32())
		}
		a.ids[sequence] = id
	}
	return id
}

// apply keeps the rows of the gaps, as the store does.
func (a *author) apply(t *testing.T, writes []Write) {
	t.Helper()
	for _, w := range writes {
		switch w := w.(type) {
		case PutGap:
			a.gaps[w.Position] = w.Count
		case EraseGap:
			delete(a.gaps, w.Position)
		default:
			t.Fatalf("write %T", w)
		}
	}
}

func (a *author) deliver(t *testing.T, c *conversation, sequence uint64) {
	t.Helper()
	verdict := c.have.judge(sequence, a.id(sequence))
	if want := a.taken[sequence]; (verdict == duplicate) != want || verdict == absurd {
		t.Fatalf("sequence %d, taken %v, void %v: judged %d", sequence, a.taken[sequence], a.void[sequence], verdict)
	}
	if verdict != fresh || a.void[sequence] { // what was withdrawn an honest author sends only after it has lost its state
		return
	}
	position, writes := c.place(sequence, a.id(sequence))
	a.apply(t, writes)
	a.taken[sequence], a.places[sequence] = true, position
}

func (a *author) withdraw(t *testing.T, c *conversation, first, last uint64) {
	t.Helper()
	writes, ok := c.void(first, last)
	if !ok {
		t.Fatalf("void %d..%d refused", first, last)
	}
	a.apply(t, writes)
	for s := first; s <= last; s++ {
		a.void[s] = a.void[s] || !a.taken[s]
	}
}

func (a *author) check(t *testing.T, c *conversation) {
	t.Helper()
	var missing uint64
	for s := uint64(1); s < c.have.next(); s++ {
		in := c.have.inGap(s) >= 0
		if known := a.taken[s] || a.void[s]; known == in {
			t.Fatalf("sequence %d: known %v, in a gap %v", s, known, in)
		}
		if in {
			missing++
		}
	}
	var rows uint64
	for _, count := range a.gaps {
		rows += count
	}
	if rows != missing {
		t.Fatalf("%d positions are reserved for %d that are missing", rows, missing)
	}
	a.checkOrder(t, c)
}

// checkOrder checks that positions follow sequences and that each is used once.
func (a *author) checkOrder(t *testing.T, c *conversation) {
	t.Helper()
	last := uint64(0)
	for s := uint64(1); s < c.have.next(); s++ {
		if !a.taken[s] {
			continue
		}
		p := a.places[s]
		if p <= last || p > c.row.LastPosition {
			t.Fatalf("sequence %d lies at %d, the one before at %d, the last position is %d", s, p, last, c.row.LastPosition)
		}
		for at, count := range a.gaps {
			if p >= at && p < at+count {
				t.Fatalf("sequence %d lies at %d in the gap of %d at %d", s, p, count, at)
			}
		}
		last = p
	}
}

// TestReusedSequence judges an author that has lost its state and uses a sequence
// again, for another message.
func TestReusedSequence(t *testing.T) {
	c := &conversation{}
	for s := uint64(1); s <= 3; s++ {
		c.place(s, [16]byte{8: byte(s)})
	}
	if v := c.have.judge(2, [16]byte{8: 2}); v != duplicate {
		t.Errorf("the same message again: %d", v)
	}
	if v := c.have.judge(2, [16]byte{8: 9}); v != fresh {
		t.Errorf("another message under a sequence taken: %d", v)
	}
	if v := c.have.judge(7, [16]byte{8: 2}); v != duplicate {
		t.Errorf("a message under a new sequence: %d", v)
	}
	if position, _ := c.place(2, [16]byte{8: 9}); position != 4 {
		t.Errorf("it lies at %d", position)
	}
	if v := c.have.judge(0, [16]byte{}); v != absurd {
		t.Errorf("sequence 0: %d", v)
	}
	if v := c.have.judge(4+sequenceJumpMax+1, [16]byte{}); v != absurd {
		t.Errorf("a jump past the limit: %d", v)
	}
}

// TestRangesAgainstModel compares the ranges of delivered sequences with a set.
func TestRangesAgainstModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var ranges []Range
		set := make(map[uint64]bool)
		for range 60 {
			first := uint64(1 + random.IntN(50))
			last := first + uint64(random.IntN(5))
			if random.IntN(10) == 0 {
				last += 10
				ranges = removeRange(ranges, Range{first, last})
				for s := range uint64(70) {
					set[s] = set[s] && (s < first || s > last)
				}
			} else {
				ranges = addRange(ranges, first, last)
				for s := first; s <= last; s++ {
					set[s] = true
				}
			}
			for s := range uint64(70) {
				if inRanges(ranges, s) != set[s] {
					t.Fatalf("%d in %v: want %v", s, ranges, set[s])
				}
			}
			for i := 1; i < len(ranges); i++ {
				if ranges[i].First <= ranges[i-1].Last+1 {
					t.Fatalf("ranges touch: %v", ranges)
				}
			}
		}
	}
}

// TestVoidSequence judges an author that has lost its state and uses sequences that it
// had declared void: what is there is new as far back as tags are remembered.
func TestVoidSequence(t *testing.T) {
	c := &conversation{}
	c.void(1, 3)
	for s := uint64(4); s < 4+recentTagsMax; s++ {
		if v := c.have.judge(2, [16]byte{8: 1}); v != fresh {
			t.Fatalf("after %d messages: judged %d", s-4, v)
		}
		c.place(s, [16]byte{8: byte(s), 9: byte(s >> 8), 10: 1})
	}
	if v := c.have.judge(2, [16]byte{8: 1}); v != duplicate {
		t.Errorf("beyond the tags: judged %d", v)
	}
}

// TestWhatCameBeforeStaysKnown has an author remove us and begin anew, twice: what it wrote before is
// a copy, however much comes, as far back as tags are remembered.
func TestWhatCameBeforeStaysKnown(t *testing.T) {
	id := func(life int, s uint64) [16]byte { return [16]byte{8: byte(life), 9: byte(s), 10: byte(s >> 8)} }
	const each = recentTagsMax + 50
	c := &conversation{}
	for life := range 4 {
		for s := uint64(1); s <= each; s++ {
			if v := c.have.judge(s, id(life, s)); v != fresh {
				t.Fatalf("message %d of life %d: judged %d", s, life, v)
			}
			c.place(s, id(life, s))
		}
		for before := max(0, life-formerTagsMax/recentTagsMax); before < life; before++ {
			for s := uint64(each - recentTagsMax + 1); s <= each; s++ {
				if v := c.have.judge(s, id(before, s)); v != duplicate {
					t.Fatalf("message %d of life %d in life %d: judged %d", s, before, life, v)
				}
			}
		}
		c.have = c.have.anew()
	}
	if n := len(c.have.Former); n != 8*formerTagsMax {
		t.Errorf("%d bytes of tags are kept", n)
	}
}

// TestDoubtsBehindAnOldState loads a conversation that was stored before it was kept what came
// last: what was written before its newest message is doubted at once.
func TestDoubtsBehindAnOldState(t *testing.T) {
	p, err := newPeer(nil, Config{})
	if err != nil {
		t.Fatal(err)
	}
	old, err := p.encode.Marshal(map[int]any{1: 300})
	if err != nil {
		t.Fatal(err)
	}
	id := ConversationID{1}
	if err := p.loadConversations(State{Conversations: []PutConversation{{ID: id, LastAt: 1 << 20, State: old}}}); err != nil {
		t.Fatal(err)
	}
	var before, behind [16]byte
	binary.BigEndian.PutUint64(before[:], (1<<20-1)<<16)
	binary.BigEndian.PutUint64(behind[:], (1<<20+1)<<16)
	if h := &p.conversations[id].have; !h.doubts(before) || h.doubts(behind) {
		t.Errorf("doubts what is older: %v, what is newer: %v", h.doubts(before), h.doubts(behind))
	}
}
