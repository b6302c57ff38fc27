package protocol

import (
	"slices"
	"sort"
	"time"

	"pabal/protocol/wire"
)

// conversation is what the core keeps of a conversation: counters, the have
// vector of the peer's device, and nothing of its history.
type conversation struct {
	row  PutConversation // State is filled when it is written
	have have
}

// empty reports whether nothing was ever written in the conversation.
func (c *conversation) empty() bool {
	return c.row.LastPosition == 0 && c.row.OwnSequence == 0 && c.have.Next == 0
}

// have is the have vector for one author's device: every sequence below Next
// was taken, declared void, or lies in one of Gaps. It is kept for ever, so
// that nothing that was deleted can come back (contracts.md, Core).
type have struct {
	Next   uint64      `cbor:"1,keyasint"` // the first sequence is 1
	Gaps   []gap       `cbor:"2,keyasint,omitempty"`
	Recent []recentTag `cbor:"3,keyasint,omitempty"` // ascending sequence, ≤ recentTagsMax
	// Forgotten is up to which sequence the user has removed what came: the contact was
	// removed, and asked anew.
	Forgotten uint64 `cbor:"4,keyasint,omitempty"`
}

// gap is a run of sequences that are still on the way; their positions are
// reserved.
type gap struct {
	First    uint64 `cbor:"1,keyasint"`
	Count    uint64 `cbor:"2,keyasint"`
	Position uint64 `cbor:"3,keyasint"`
}

// recentTag remembers which message had a sequence, by half of its random bits.
type recentTag struct {
	Sequence uint64  `cbor:"1,keyasint"`
	Tag      [8]byte `cbor:"2,keyasint"`
}

func messageTag(id [16]byte) [8]byte { return [8]byte(id[8:]) }

// verdict says what becomes of a content that carries a sequence.
type verdict uint8

const (
	fresh     verdict = iota // new: it takes a position
	duplicate                // taken before: acknowledged and dropped
	absurd                   // a jump past every limit: acknowledged, dropped and told
)

// judge decides about (sequence, id) without changing anything.
func (h *have) judge(sequence uint64, id [16]byte) verdict {
	tag := messageTag(id)
	known := slices.ContainsFunc(h.Recent, func(r recentTag) bool { return r.Tag == tag })
	switch {
	case sequence == 0 || sequence >= h.next() && sequence-h.next() > sequenceJumpMax:
		return absurd
	case sequence > h.next() && len(h.Gaps) >= gapsMax:
		return absurd // an honest author's window does not leave so many
	case known:
		return duplicate // under its own sequence, or under a new one after a renewal
	case sequence >= h.next() || h.inGap(sequence) >= 0:
		return fresh
	}
	i, ok := slices.BinarySearchFunc(h.Recent, sequence, func(r recentTag, s uint64) int {
		return compareUint64(r.Sequence, s)
	})
	// If another had the sequence, or none and it was void, the author lost its state and
	// has used it again.
	another := ok && h.Recent[i].Tag != tag
	void := !ok && (len(h.Recent) < recentTagsMax || sequence > h.Recent[0].Sequence)
	if another || void {
		return fresh
	}
	return duplicate
}

func compareUint64(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (h *have) next() uint64 { return max(h.Next, 1) }

func (h *have) inGap(sequence uint64) int {
	return slices.IndexFunc(h.Gaps, func(g gap) bool { return sequence >= g.First && sequence-g.First < g.Count })
}

func (h *have) remember(sequence uint64, id [16]byte) {
	i, _ := slices.BinarySearchFunc(h.Recent, sequence, func(r recentTag, s uint64) int {
		return compareUint64(r.Sequence, s)
	})
	h.Recent = slices.Insert(h.Recent, i, recentTag{Sequence: sequence, Tag: messageTag(id)})
	if over := len(h.Recent) - recentTagsMax; over > 0 {
		h.Recent = slices.Delete(h.Recent, 0, over)
	}
}

// place gives a fresh content its position. Missing predecessors reserve
// theirs; a late one takes the place that was kept for it.
func (c *conversation) place(sequence uint64, id [16]byte) (position uint64, writes []Write) {
	h := &c.have
	defer h.remember(sequence, id)
	if i := h.inGap(sequence); i >= 0 {
		position = h.Gaps[i].Position + (sequence - h.Gaps[i].First)
		return position, c.cutGap(i, sequence, sequence)
	}
	if missing := sequence - h.next(); sequence >= h.next() {
		if missing > 0 {
			writes = c.addGap(h.next(), missing)
		}
		h.Next = sequence + 1
	}
	c.row.LastPosition++
	return c.row.LastPosition, writes
}

func (c *conversation) addGap(first, count uint64) []Write {
	g := gap{First: first, Count: count, Position: c.row.LastPosition + 1}
	c.have.Gaps = append(c.have.Gaps, g)
	c.row.LastPosition += count
	return []Write{PutGap{Conversation: c.row.ID, Position: g.Position, Count: g.Count}}
}

// cutGap takes first..last, all inside gap i, out of it.
func (c *conversation) cutGap(i int, first, last uint64) []Write {
	g := c.have.Gaps[i]
	left := gap{First: g.First, Count: first - g.First, Position: g.Position}
	right := gap{First: last + 1, Count: g.First + g.Count - last - 1, Position: g.Position + (last + 1 - g.First)}
	writes := []Write{EraseGap{Conversation: c.row.ID, Position: g.Position}}
	var parts []gap
	for _, part := range [2]gap{left, right} {
		if part.Count > 0 {
			parts = append(parts, part)
			writes = append(writes, PutGap{Conversation: c.row.ID, Position: part.Position, Count: part.Count})
		}
	}
	c.have.Gaps = slices.Replace(c.have.Gaps, i, i+1, parts...)
	return writes
}

// void takes note that the author withdrew first..last: they are no gap.
func (c *conversation) void(first, last uint64) (writes []Write, ok bool) {
	h := &c.have
	if first == 0 || last < first || last > sequenceMax || first > h.next() && (first-h.next() > sequenceJumpMax || len(h.Gaps) >= gapsMax) {
		return nil, false
	}
	for i := 0; i < len(h.Gaps); i++ {
		g := h.Gaps[i]
		lo, hi := max(first, g.First), min(last, g.First+g.Count-1)
		if lo > hi {
			continue
		}
		before := len(h.Gaps)
		writes = append(writes, c.cutGap(i, lo, hi)...)
		i += len(h.Gaps) - before
	}
	if last >= h.next() {
		if first > h.next() {
			writes = append(writes, c.addGap(h.next(), first-h.next())...)
		}
		h.Next = last + 1
	}
	return writes, true
}

// addRange adds first..last to ascending, disjoint, non-adjacent ranges.
func addRange(ranges []Range, first, last uint64) []Range {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].Last+1 >= first })
	j := i
	for j < len(ranges) && ranges[j].First <= last+1 {
		first, last = min(first, ranges[j].First), max(last, ranges[j].Last)
		j++
	}
	return slices.Replace(ranges, i, j, Range{First: first, Last: last})
}

// removeFrom takes everything at or above first out of the ranges.
func removeFrom(ranges []Range, first uint64) []Range {
	out := ranges[:0]
	for _, r := range ranges {
		if r.First >= first {
			continue
		}
		r.Last = min(r.Last, first-1)
		out = append(out, r)
	}
	return out
}

// removeRange takes one range out of the ranges.
func removeRange(ranges []Range, gone Range) []Range {
	var out []Range
	for _, r := range ranges {
		if r.First < gone.First {
			out = append(out, Range{First: r.First, Last: min(r.Last, gone.First-1)})
		}
		if r.Last > gone.Last {
			out = append(out, Range{First: max(r.First, gone.Last+1), Last: r.Last})
		}
	}
	return out
}

func inRanges(ranges []Range, n uint64) bool {
	return slices.ContainsFunc(ranges, func(r Range) bool { return r.First <= n && n <= r.Last })
}

// expiryOf returns when a message goes, in Unix milliseconds: from sent counts
// from the author's clock, but never from a time that has not come; from read
// has the cap for mail that is never read, and for our own copy counts from now.
func expiryOf(t *wire.Timer, sentAt int64, now time.Time, dir Direction) int64 {
	if t == nil {
		return 0
	}
	start, ms := now.UnixMilli(), int64(t.Seconds)*1000
	switch {
	case t.Mode == wire.TimerFromSent:
		return min(sentAt, start) + ms
	case dir == Out:
		return start + ms
	}
	return start + max(ms, neverReadMax.Milliseconds())
}
