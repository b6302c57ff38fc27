package group

import (
	"bytes"
	"errors"
	"math"
	"slices"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// The errors of a message in a group.
var (
	// ErrUnknown reports a message made in knowledge of operations that are not known here.
	ErrUnknown = errors.New("group: made in knowledge of what is not known here")
	// ErrRemoved reports a message behind the last that counts of a member who is out.
	ErrRemoved = errors.New("group: behind the last message that counts")
)

// viewsMax bounds the views that are kept: authors write by few.
const viewsMax = 64

// Speaks reports whether a message is a member's, by what its author knew and by what is known
// here. Errors: ErrForeign, ErrUnknown, ErrClosed, ErrNotMember, ErrRemoved, ErrForged.
func (l *Log) Speaks(h *wire.GroupHead) error {
	known := func(id wire.OperationID) bool { _, ok := l.index[id]; return ok }
	unknown := slices.ContainsFunc(h.Heads, func(id wire.OperationID) bool { return !known(id) })
	switch {
	case h.Group != l.id:
		return ErrForeign
	case unknown:
		return ErrUnknown
	case len(l.added[h.Author]) == 0:
		return ErrNotMember
	case h.Sequence > l.Last(h.Author):
		return ErrRemoved
	case !h.Verify(): // before what costs more
		return ErrForged
	}
	s, err := l.view(h.Heads)
	if err != nil {
		return err
	}
	switch {
	case s.Closed:
		return ErrClosed
	case !l.knewOf(h, h.Author), !l.entered(h.Author):
		return ErrNotMember
	}
	return nil
}

// For reports whether a message is for a member: its author knew them as one, and they still are.
func (l *Log) For(h *wire.GroupHead, who identity.MemberKey) bool {
	return l.In(who) && l.knewOf(h, who)
}

// knewOf reports whether a message's author knew somebody as a member: by the operations that it
// names, or besides those by an add that may have been known when they were the newest.
func (l *Log) knewOf(h *wire.GroupHead, who identity.MemberKey) bool {
	s, err := l.view(h.Heads)
	if err != nil {
		return false
	}
	if _, then := s.Find(who); then {
		return true
	}
	if !slices.Contains(h.Besides, wire.MarkOf(who)) {
		return false
	}
	var named bits
	for _, id := range h.Heads {
		named.set(l.index[id])
	}
	return slices.ContainsFunc(l.added[who], func(i int) bool { return !l.nodes[i].before.meets(named) })
}

// besides returns the members to whom some operations do not lead.
func (l *Log) besides(heads []wire.OperationID) (out []wire.MemberMark) {
	then, err := l.view(heads)
	if err != nil {
		return nil
	}
	for _, m := range l.reckoned().Members {
		if _, in := then.Find(m.Key); !in {
			out = append(out, wire.MarkOf(m.Key))
		}
	}
	slices.SortFunc(out, func(a, b wire.MemberMark) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(out)
}

// In reports whether somebody is a member, who has not left, either.
func (l *Log) In(who identity.MemberKey) bool {
	_, in := l.reckoned().addedBy[who]
	return in && l.Last(who) == math.MaxUint64
}

// Known reports whether there is an add of a key, whether it counts or not, or the create is its.
func (l *Log) Known(who identity.MemberKey) bool { return len(l.added[who]) > 0 }

// Out reports whether a member has left, or was removed.
func (l *Log) Out(who identity.MemberKey) bool { return l.Last(who) != math.MaxUint64 }

// Last is the number of the last message that counts of a member: of those who are out that of
// the first removal, or of their own word; else the largest there is.
func (l *Log) Last(who identity.MemberKey) uint64 {
	if l.lasts == nil {
		l.lasts = make(map[identity.MemberKey]uint64)
		lower := func(who identity.MemberKey, last uint64) {
			if was, ok := l.lasts[who]; !ok || last < was {
				l.lasts[who] = last
			}
		}
		for i := range l.nodes {
			if op := &l.nodes[i].op; op.Kind == wire.OperationRemove {
				lower(op.Subject, op.Last)
			}
		}
		for who, word := range l.left {
			lower(who, word.Last)
		}
	}
	if last, ok := l.lasts[who]; ok {
		return last
	}
	return math.MaxUint64
}

// entered reports whether somebody is a member, or would be if they had not been removed and had
// not left.
func (l *Log) entered(who identity.MemberKey) bool {
	return l.reckoned().entered[who]
}

// view returns the group by the operations that lead to some. The result is the log's. Error:
// ErrUnknown.
func (l *Log) view(heads []wire.OperationID) (*State, error) {
	var seen bits
	for _, id := range heads {
		i, ok := l.index[id]
		if !ok {
			return nil, ErrUnknown
		}
		seen = seen.or(l.nodes[i].before)
		seen.set(i)
	}
	i := slices.IndexFunc(l.views, func(v view) bool { return v.seen.covers(seen) && seen.covers(v.seen) })
	if i >= 0 {
		return l.views[i].state, nil
	}
	s := l.state(seen)
	if len(l.views) >= viewsMax {
		l.views = slices.Delete(l.views, 0, 1)
	}
	l.views = append(l.views, view{seen, &s})
	return &s, nil
}

// view is what the group is by some of its operations, which never changes.
type view struct {
	seen  bits
	state *State
}

// LeftHash is the hash of who has left, by which two members see whether they know the same.
func (l *Log) LeftHash() [8]byte {
	words := l.leaves()
	var b []byte
	for i := range words {
		b = words[i].Append(b)
	}
	hash := identity.Hash(b)
	return [8]byte(hash[:8])
}

// leaves returns the words of those who have left, in order.
func (l *Log) leaves() []wire.GroupLeave {
	return slices.SortedFunc(l.Leaves, func(a, b wire.GroupLeave) int { return slices.Compare(a.Member[:], b.Member[:]) })
}

// marks returns who is meant by the marks of those who are, or were, members.
func (l *Log) marks() map[wire.MemberMark]identity.MemberKey {
	out := make(map[wire.MemberMark]identity.MemberKey, len(l.added))
	for key := range l.added {
		mark := wire.MarkOf(key)
		if other, twice := out[mark]; twice && slices.Compare(other[:], key[:]) < 0 {
			continue // made to look alike: the smaller one is meant
		}
		out[mark] = key
	}
	return out
}

// addedBy returns who has added whom, by what counts.
func (l *Log) addedBy() map[identity.MemberKey]identity.MemberKey {
	return l.reckoned().addedBy
}
