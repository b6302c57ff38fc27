package group

import (
	"slices"

	"pabal/protocol/wire"
)

// Limits of what is kept of one author.
const (
	// recentMax is how many of an author's messages are remembered by their tags. An older
	// number that is settled counts as the message that is asked for.
	recentMax = 64
	// missedMax bounds the messages that are known to be missed by their tags.
	missedMax = 64
	// spansMax bounds the runs of numbers that are settled: what would make more is not taken
	// until the gaps before it are filled.
	spansMax = 256
)

// Span is a run of numbers.
type Span struct {
	First uint64 `cbor:"1,keyasint"`
	Last  uint64 `cbor:"2,keyasint"`
}

// Recent is a message that is remembered by its tag.
type Recent struct {
	Sequence uint64          `cbor:"1,keyasint"`
	Tag      wire.MessageTag `cbor:"2,keyasint"`
	// Named says that another message of the author names it.
	Named bool `cbor:"3,keyasint,omitempty"`
	// NotOurs says that it is not for us, and not here.
	NotOurs bool `cbor:"4,keyasint,omitempty"`
}

// Author is what is known of one author's messages, as a store keeps it.
type Author struct {
	// Settled are the numbers of which a message is here, or was, or is not for us; ascending
	// and with gaps between them.
	Settled []Span `cbor:"1,keyasint,omitempty"`
	// Recent are the newest messages, ascending, at most recentMax.
	Recent []Recent `cbor:"2,keyasint,omitempty"`
	// Evicted is the largest number of those that are remembered no longer.
	Evicted uint64 `cbor:"3,keyasint,omitempty"`
	// Ours is the smallest number of what was for us; 0: nothing was.
	Ours uint64 `cbor:"5,keyasint,omitempty"`
	// Missed are messages that others name and that have not come.
	Missed []Missed `cbor:"4,keyasint,omitempty"`
}

// Missed is a message that another one names.
type Missed struct {
	Sequence uint64          `cbor:"1,keyasint"`
	Tag      wire.MessageTag `cbor:"2,keyasint"`
}

// top is the largest number that is settled.
func (a *Author) top() uint64 {
	if len(a.Settled) == 0 {
		return 0
	}
	return a.Settled[len(a.Settled)-1].Last
}

func (a *Author) settled(n uint64) bool {
	_, ok := slices.BinarySearchFunc(a.Settled, n, func(s Span, n uint64) int {
		switch {
		case s.Last < n:
			return -1
		case s.First > n:
			return 1
		}
		return 0
	})
	return ok
}

// settle notes that nothing is missed of some numbers.
func (a *Author) settle(first, last uint64) {
	i, _ := slices.BinarySearchFunc(a.Settled, first, func(s Span, n uint64) int {
		if s.Last+1 < n {
			return -1
		}
		return 1
	})
	k := i
	for k < len(a.Settled) && a.Settled[k].First <= last+1 {
		first, last = min(first, a.Settled[k].First), max(last, a.Settled[k].Last)
		k++
	}
	a.Settled = slices.Replace(a.Settled, i, k, Span{first, last})
}

// gaps yields the numbers below an end that are not settled.
func (a *Author) gaps(end uint64) (out []Span) {
	next := uint64(1)
	for _, s := range a.Settled {
		if s.First > end {
			break
		}
		if s.First > next {
			out = append(out, Span{next, s.First - 1})
		}
		next = s.Last + 1
	}
	if next <= end {
		out = append(out, Span{next, end})
	}
	return out
}

func (a *Author) recent(t wire.GroupTip) int {
	return slices.IndexFunc(a.Recent, func(r Recent) bool { return r.Sequence == t.Sequence && r.Tag == t.Tag })
}

// has reports whether a message is here, or was, as far as that is remembered.
func (a *Author) has(t wire.GroupTip) bool {
	return a.recent(t) >= 0 || t.Sequence <= a.Evicted && a.settled(t.Sequence)
}

// room reports whether a number can be settled.
func (a *Author) room(n uint64) bool {
	return len(a.Settled) < spansMax || a.settled(n) || a.settled(n-1) || a.settled(n+1)
}

// take remembers a message that has come, and what it names.
func (a *Author) take(h *wire.GroupHead, tip wire.GroupTip) {
	a.settle(tip.Sequence, tip.Sequence)
	i, _ := slices.BinarySearchFunc(a.Recent, tip, func(r Recent, t wire.GroupTip) int {
		return wire.CompareTips(wire.GroupTip{Sequence: r.Sequence, Tag: r.Tag}, t)
	})
	a.Recent = slices.Insert(a.Recent, i, Recent{Sequence: tip.Sequence, Tag: tip.Tag, Named: a.found(tip)})
	for _, p := range h.Previous {
		switch i := a.recent(p); {
		case i >= 0:
			a.Recent[i].Named = true
		case !a.has(p):
			a.miss(p)
		}
	}
	if len(a.Recent) > recentMax {
		a.evict()
	}
}

// evict forgets the oldest message.
func (a *Author) evict() {
	a.Evicted = max(a.Evicted, a.Recent[0].Sequence)
	a.Recent = slices.Delete(a.Recent, 0, 1)
}

// tips are the newest messages that are here, up to a number: those that no other one names.
func (a *Author) tips(end uint64) (out []wire.GroupTip) {
	for _, r := range slices.Backward(a.Recent) {
		if r.Sequence <= end && !r.NotOurs && (!r.Named || len(out) == 0) {
			out = append(out, wire.GroupTip{Sequence: r.Sequence, Tag: r.Tag})
		}
	}
	out = out[:min(len(out), wire.GroupTipsMax)]
	slices.SortFunc(out, wire.CompareTips)
	return out
}

// forks are the messages that are missed though their numbers are settled.
func (a *Author) forks() (out []Missed) {
	for _, m := range a.Missed {
		if a.settled(m.Sequence) {
			out = append(out, m)
		}
	}
	return out
}

// missing is how many messages are known to be missed up to a number.
func (a *Author) missing(end uint64) (n uint64) {
	for _, g := range a.gaps(end) {
		n += g.Last - g.First + 1
	}
	return n + uint64(len(a.forks()))
}

// before notes that a message is not for us, nor what its author wrote before it, unless
// something of that was: then its author has forgotten us, and there may be more.
func (a *Author) before(h *wire.GroupHead, tip wire.GroupTip) {
	first := uint64(1)
	if a.Ours > 0 && a.Ours < tip.Sequence {
		first = tip.Sequence
	}
	a.take(&wire.GroupHead{Sequence: h.Sequence}, tip)
	if i := a.recent(tip); i >= 0 {
		a.Recent[i].NotOurs = true
	}
	a.settle(first, tip.Sequence)
}

// miss notes that a message that others name has not come.
func (a *Author) miss(t wire.GroupTip) {
	if len(a.Missed) < missedMax && !slices.Contains(a.Missed, Missed(t)) {
		a.Missed = append(a.Missed, Missed(t))
	}
}

// found notes that a message is not missed any more, and reports whether it was.
func (a *Author) found(t wire.GroupTip) bool {
	before := len(a.Missed)
	a.Missed = slices.DeleteFunc(a.Missed, func(m Missed) bool { return m == Missed(t) })
	return len(a.Missed) < before
}
