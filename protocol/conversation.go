package protocol

import (
	"bytes"
	"slices"
	"sort"
	"time"

	"pabal/protocol/wire"
)

// conversation is what the core keeps of a conversation: counters, the have
// vector of the peer's device, and nothing of its history.
type conversation struct {
	row   PutConversation // State is filled when it is written
	have  have
	timer *timerSetting // of row.Timer; nil = it was never set
	told  uint64        // the peer's sequence up to which it knows that we have read; 0 = none
	gone  []Range       // our sequences that the peer does not want again: it has removed us
	acked recentTag     // the highest of ours that the peer has acknowledged; sequence 0 = none that is known
}

// conversationState is what PutConversation.State holds.
type conversationState struct {
	have
	Timer *timerSetting `cbor:"5,keyasint,omitempty"`
	Told  uint64        `cbor:"6,keyasint,omitempty"`
	Gone  []Range       `cbor:"7,keyasint,omitempty"`
	Acked *recentTag    `cbor:"10,keyasint,omitempty"`
}

// timerSetting says which of the timers that both sides set counts: that of the highest
// revision, of equal ones that of the greater id.
type timerSetting struct {
	Revision uint32   `cbor:"1,keyasint"`
	ID       [16]byte `cbor:"2,keyasint"` // of the content that set it
}

// after reports whether a setting counts instead of another one.
func (t timerSetting) after(o *timerSetting) bool {
	return o == nil || t.Revision > o.Revision || t.Revision == o.Revision && bytes.Compare(t.ID[:], o.ID[:]) > 0
}

// revision is the highest that is known.
func (t *timerSetting) revision() uint32 {
	if t == nil {
		return 0
	}
	return t.Revision
}

// empty reports whether nothing was ever written in the conversation.
func (c *conversation) empty() bool {
	return c.row.LastPosition == 0 && c.row.OwnSequence == 0 && c.have.Next == 0
}

// have is the have vector for one author's device: every sequence below Next
// was taken, declared void, or lies in one of Gaps. It is kept for ever, so
// that nothing that was deleted can come back (contracts.md, Core).
type have struct {
	Next uint64 `cbor:"1,keyasint"` // the first sequence is 1
	Gaps []gap  `cbor:"2,keyasint,omitempty"`
	// Recent has ascending sequences, ≤ recentTagsMax; 0 is that of what came before the author
	// had removed us and began anew, where that was written down before there was Former.
	Recent []recentTag `cbor:"3,keyasint,omitempty"`
	// Forgotten is up to which sequence the user has removed what came: the contact was
	// removed, and asked anew.
	Forgotten uint64 `cbor:"4,keyasint,omitempty"`
	// Former are the tags of what came before the author had removed us and began anew, oldest
	// first and one behind the other, ≤ formerTagsMax: nothing that comes pushes them out.
	Former []byte `cbor:"8,keyasint,omitempty"`
	// Newest is what came of all that was written last, by the times in the ids. What was written
	// before that may have come before, whatever its number.
	Newest newest `cbor:"9,keyasint"`
}

// gap is a run of sequences that are still on the way; their positions are
// reserved.
type gap struct {
	First    uint64 `cbor:"1,keyasint"`
	Count    uint64 `cbor:"2,keyasint"`
	Position uint64 `cbor:"3,keyasint"`
	// Before is the tag of the message before it, nil if that is not known: the author, if its
	// disk was put back, may have written another one under that sequence.
	Before *[8]byte `cbor:"4,keyasint,omitempty"`
}

// recentTag remembers which message had a sequence, by half of its random bits.
type recentTag struct {
	Sequence uint64  `cbor:"1,keyasint"`
	Tag      [8]byte `cbor:"2,keyasint"`
}

// newest is a message: when it was written, in Unix milliseconds, and its tag.
type newest struct {
	At  uint64  `cbor:"1,keyasint,omitempty"`
	Tag [8]byte `cbor:"2,keyasint"`
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
	known := h.former(tag) || h.remembers(tag)
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
	// If another had the sequence, or none and it was void, the author lost its state and
	// has used it again.
	i, ok := h.recent(sequence)
	if ok && h.Recent[i].Tag != tag || h.void(sequence) {
		return fresh
	}
	return duplicate
}

// doubts reports whether what has an id may have come before, though its number is new and its
// tag is not remembered: its author may have renumbered it, having lost its state. Who has the
// history knows.
func (h *have) doubts(id [16]byte) bool {
	at := idTime(id)
	return at < h.Newest.At || at == h.Newest.At && !h.remembers(h.Newest.Tag)
}

func (h *have) remembers(tag [8]byte) bool {
	return slices.ContainsFunc(h.Recent, func(r recentTag) bool { return r.Tag == tag })
}

// recent finds which message had a sequence, if that is remembered.
func (h *have) recent(sequence uint64) (i int, ok bool) {
	return slices.BinarySearchFunc(h.Recent, sequence, func(r recentTag, s uint64) int { return compareUint64(r.Sequence, s) })
}

// void reports whether a sequence below next is known to have been no message's. It may lie
// in a gap.
func (h *have) void(sequence uint64) bool {
	_, ok := h.recent(sequence)
	return sequence > 0 && sequence < h.next() && !ok && (len(h.Recent) < recentTagsMax || sequence > h.Recent[0].Sequence)
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
	if at := idTime(id); at >= h.Newest.At {
		h.Newest = newest{At: at, Tag: messageTag(id)}
	}
	i, _ := h.recent(sequence)
	h.Recent = slices.Insert(h.Recent, i, recentTag{Sequence: sequence, Tag: messageTag(id)})
	if over := len(h.Recent) - recentTagsMax; over > 0 {
		h.Recent = slices.Delete(h.Recent, 0, over)
	}
}

// anew returns the vector for an author that has removed us and counts from 1 again. What it
// wrote before may still come, if its old disk is put back: the tags tell, as many as there are.
func (h *have) anew() have {
	former := slices.Clone(h.Former)
	for _, r := range h.Recent {
		former = append(former, r.Tag[:]...)
	}
	return have{Former: former[max(0, len(former)-formerTagsMax*len(recentTag{}.Tag)):], Newest: h.Newest}
}

// former reports whether a message came before the author began anew, if that is remembered.
func (h *have) former(tag [8]byte) bool {
	for f := range slices.Chunk(h.Former, len(tag)) {
		if bytes.Equal(f, tag[:]) {
			return true
		}
	}
	return false
}

// place gives a fresh content its position. Missing predecessors reserve
// theirs; a late one takes the place that was kept for it.
func (c *conversation) place(sequence uint64, id [16]byte) (position uint64, writes []Write) {
	h := &c.have
	defer h.remember(sequence, id)
	if i := h.inGap(sequence); i >= 0 {
		position = h.Gaps[i].Position + (sequence - h.Gaps[i].First)
		writes = c.cutGap(i, sequence, sequence)
		if j := h.inGap(sequence + 1); j >= 0 {
			tag := messageTag(id)
			h.Gaps[j].Before = &tag
		}
		return position, writes
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
	if i, ok := c.have.recent(first - 1); ok && first > 1 {
		g.Before = &[8]byte{}
		*g.Before = c.have.Recent[i].Tag
	}
	c.have.Gaps = append(c.have.Gaps, g)
	c.row.LastPosition += count
	return []Write{PutGap{Conversation: c.row.ID, Position: g.Position, Count: g.Count}}
}

// cutGap takes first..last, all inside gap i, out of it.
func (c *conversation) cutGap(i int, first, last uint64) []Write {
	g := c.have.Gaps[i]
	left := gap{First: g.First, Count: first - g.First, Position: g.Position, Before: g.Before}
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
