package group

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Limits of a group.
const (
	// MembersMax bounds the members. Of more, those who have been in for longest count.
	MembersMax = 250
	// OperationsMax bounds the operations that are kept of one group. An admin can use them up;
	// the group then stays as it is, and says so.
	OperationsMax = 4096
	// WaitingMax bounds the operations that wait for others which they name. The oldest goes
	// first; it comes again with what it waited for.
	WaitingMax = 256
)

// The errors of a log.
var (
	// ErrForged reports a signature that is not its author's.
	ErrForged = errors.New("group: forged operation")
	// ErrForeign reports an operation on another group.
	ErrForeign = errors.New("group: operation on another group")
	// ErrFull reports that no more operations are kept.
	ErrFull = errors.New("group: too many operations")
	// ErrNotAdmin reports an operation that its author may not do.
	ErrNotAdmin = errors.New("group: only an admin may do this")
	// ErrNotMember reports an author or a subject that is no member.
	ErrNotMember = errors.New("group: no member")
	// ErrMember reports an add of who is a member.
	ErrMember = errors.New("group: a member already")
	// ErrTooMany reports an add beyond MembersMax.
	ErrTooMany = errors.New("group: no room for another member")
	// ErrClosed reports an operation on a group that has ended.
	ErrClosed = errors.New("group: closed")
)

// Log is what is known of one group: its operations.
type Log struct {
	id       wire.OperationID
	nodes    []node // each behind its parents
	index    map[wire.OperationID]int
	waiting  []waiter
	byAuthor map[identity.MemberKey][]int
}

// node is an operation whose parents are known.
type node struct {
	op     wire.GroupOperation
	id     wire.OperationID
	before bits // the operations that it was made in knowledge of, directly or not
	depth  int  // one more than the largest of its parents
}

type waiter struct {
	op wire.GroupOperation
	id wire.OperationID
}

// New returns the log of the group that begins with an operation. Errors: ErrForged, ErrForeign
// if that does not begin one.
func New(first wire.GroupOperation) (*Log, error) {
	if first.Kind != wire.OperationCreate { // only that names no group
		return nil, ErrForeign
	}
	if !first.Verify() {
		return nil, ErrForged
	}
	l := &Log{id: first.ID(), index: make(map[wire.OperationID]int), byAuthor: make(map[identity.MemberKey][]int)}
	l.insert(first, l.id)
	return l, nil
}

// ID names the group.
func (l *Log) ID() wire.OperationID { return l.id }

// Len is how many operations are known, without those that wait.
func (l *Log) Len() int { return len(l.nodes) }

// Add takes an operation. One whose parents are not known waits for them. It reports how many
// operations became known by it, 0 if it was known or waits.
//
// One that its author might not do, by what they knew, is not kept: nobody keeps it, for that
// hangs on nothing else. Errors: ErrForged, ErrForeign, ErrFull, ErrNotMember, ErrNotAdmin,
// ErrClosed; the log is then as before.
func (l *Log) Add(op wire.GroupOperation) (known int, err error) {
	id := op.ID()
	if _, ok := l.index[id]; ok {
		return 0, nil
	}
	switch {
	case op.Group != l.id:
		return 0, ErrForeign
	case len(l.nodes) >= OperationsMax:
		return 0, ErrFull
	case !op.Verify():
		return 0, ErrForged
	}
	if !l.ready(op) {
		l.wait(op, id)
		return 0, nil
	}
	if err := l.insert(op, id); err != nil {
		return 0, err
	}
	return 1 + l.wake(), nil
}

func (l *Log) ready(op wire.GroupOperation) bool {
	return !slices.ContainsFunc(op.Parents, func(p wire.OperationID) bool { _, ok := l.index[p]; return !ok })
}

func (l *Log) wait(op wire.GroupOperation, id wire.OperationID) {
	if slices.ContainsFunc(l.waiting, func(w waiter) bool { return w.id == id }) {
		return
	}
	if len(l.waiting) == WaitingMax {
		l.waiting = slices.Delete(l.waiting, 0, 1)
	}
	l.waiting = append(l.waiting, waiter{op, id})
}

// wake inserts what has waited for nothing else, and reports how many.
func (l *Log) wake() int {
	woken := 0
	for {
		i := slices.IndexFunc(l.waiting, func(w waiter) bool { return l.ready(w.op) })
		if i < 0 || len(l.nodes) >= OperationsMax {
			return woken
		}
		w := l.waiting[i]
		l.waiting = slices.Delete(l.waiting, i, i+1)
		if l.insert(w.op, w.id) == nil {
			woken++
		}
	}
}

// insert puts an operation behind its parents, which are known, if its author might do it.
func (l *Log) insert(op wire.GroupOperation, id wire.OperationID) error {
	n := node{op: op, id: id, depth: 1}
	for _, p := range op.Parents {
		i := l.index[p]
		n.before = n.before.or(l.nodes[i].before)
		n.before = n.before.with(i)
		n.depth = max(n.depth, l.nodes[i].depth+1)
	}
	if len(l.nodes) > 0 {
		known := l.state(n.before)
		if err := known.entitles(op); err != nil {
			return err
		}
	}
	l.index[id] = len(l.nodes)
	l.byAuthor[op.Author] = append(l.byAuthor[op.Author], len(l.nodes))
	l.nodes = append(l.nodes, n)
	return nil
}

// Heads returns the newest operations known, of which at most wire.OperationParentsMax: the
// parents of the next one.
func (l *Log) Heads() []wire.OperationID {
	var named bits
	for i := range l.nodes {
		for _, p := range l.nodes[i].op.Parents {
			named = named.with(l.index[p])
		}
	}
	var heads []int
	for i := range l.nodes {
		if !named.has(i) {
			heads = append(heads, i)
		}
	}
	slices.SortFunc(heads, func(a, b int) int { return -l.order(a, b) })
	heads = heads[:min(len(heads), wire.OperationParentsMax)]
	out := make([]wire.OperationID, 0, len(heads))
	for _, i := range heads {
		out = append(out, l.nodes[i].id)
	}
	slices.SortFunc(out, func(a, b wire.OperationID) int { return bytes.Compare(a[:], b[:]) })
	return out
}

// Missing returns the operations that others wait for.
func (l *Log) Missing() []wire.OperationID {
	var out []wire.OperationID
	for _, w := range l.waiting {
		for _, p := range w.op.Parents {
			known := slices.Contains(out, p) || slices.ContainsFunc(l.waiting, func(w waiter) bool { return w.id == p })
			if _, ok := l.index[p]; !ok && !known {
				out = append(out, p)
			}
		}
	}
	return out
}

// Operations yields the operations known, each behind its parents.
func (l *Log) Operations(yield func(wire.OperationID, *wire.GroupOperation) bool) {
	for i := range l.nodes {
		if !yield(l.nodes[i].id, &l.nodes[i].op) {
			return
		}
	}
}

// Forked returns the members of whom two operations are known that do not know of each other:
// they have said different things to different people, or an old copy of their disk came back.
// That proves no malice; it is for showing.
func (l *Log) Forked() []identity.MemberKey {
	var out []identity.MemberKey
	for author, own := range l.byAuthor {
		for k := 1; k < len(own); k++ {
			// Each is behind its parents: one that knows all of its author's before it keeps to one line.
			if slices.ContainsFunc(own[:k], func(i int) bool { return !l.nodes[own[k]].before.has(i) }) {
				out = append(out, author)
				break
			}
		}
	}
	slices.SortFunc(out, func(a, b identity.MemberKey) int { return bytes.Compare(a[:], b[:]) })
	return out
}

// order is the order of two operations in which all replicas go through them: behind all that
// they were made in knowledge of, and else by their names.
func (l *Log) order(a, b int) int {
	return cmp.Or(cmp.Compare(l.nodes[a].depth, l.nodes[b].depth), bytes.Compare(l.nodes[a].id[:], l.nodes[b].id[:]))
}

// bits is a set of indices of nodes. Operations return a set and may change no other.
type bits []uint64

func (b bits) has(i int) bool { return i/64 < len(b) && b[i/64]>>(i%64)&1 != 0 }

func (b bits) with(i int) bits {
	out := make(bits, max(len(b), i/64+1))
	copy(out, b)
	out[i/64] |= 1 << (i % 64)
	return out
}

func (b bits) or(other bits) bits {
	out := make(bits, max(len(b), len(other)))
	copy(out, b)
	for i, x := range other {
		out[i] |= x
	}
	return out
}

// holds reports whether all of some indices are in the set.
func (b bits) holds(all []int) bool {
	return !slices.ContainsFunc(all, func(i int) bool { return !b.has(i) })
}
