package group

import (
	"bytes"
	"cmp"
	"errors"
	mathbits "math/bits"
	"slices"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Limits of a group.
const (
	// MembersMax bounds the members. Of more, those who have been in for longest count.
	MembersMax = 250
	// OperationsMax bounds the operations that are kept of one group, of which the last
	// removalsKept are for removals and the group's end. An admin can use them up; the group then
	// stays as it is, and says so.
	OperationsMax = 2048
	removalsKept  = 256
	// WaitingMax bounds the operations that wait for others which they name, and
	// waitingOfOneMax those of one author. The oldest goes first, one of nobody known before
	// others; who has them brings them again ([Log.Missing]).
	WaitingMax      = 256
	waitingOfOneMax = 32
)

// The errors of a log.
var (
	// ErrForged reports a signature that is not its author's.
	ErrForged = errors.New("group: forged operation")
	// ErrForeign reports an operation on another group.
	ErrForeign = errors.New("group: operation on another group")
	// ErrFull reports that no more operations are kept.
	ErrFull = errors.New("group: too many operations")
	// ErrNotAdmin reports an operation of somebody who is no admin by what they knew.
	ErrNotAdmin = errors.New("group: only an admin may do this")
	// ErrNotMember reports a subject that is no member.
	ErrNotMember = errors.New("group: no member")
	// ErrMember reports an add of a key that is a member's, or was.
	ErrMember = errors.New("group: a member already, or one before")
	// ErrTooMany reports an add beyond MembersMax.
	ErrTooMany = errors.New("group: no room for another member")
	// ErrLastAdmin reports that the only admin would leave others behind.
	ErrLastAdmin = errors.New("group: make somebody else an admin first")
	// ErrClosed reports an operation on a group that has ended.
	ErrClosed = errors.New("group: closed")
)

// Log is what is known of one group: its operations, who has left, and what members say of themselves.
type Log struct {
	id       wire.OperationID
	nodes    []node // each behind its parents
	index    map[wire.OperationID]int
	byAuthor map[identity.MemberKey][]int
	heads    bits                         // the nodes that no other one names
	added    map[identity.MemberKey][]int // the create and the adds, counting or not
	waiting  []waiter
	left     map[identity.MemberKey]wire.GroupLeave
	profiles map[identity.MemberKey]wire.GroupProfile

	// now is the state of all operations; nil: it is to be reckoned.
	now   *State
	held  *[16]byte                     // of all operations; nil: it is to be hashed
	out   map[identity.MemberKey]bool   // who was removed
	lasts map[identity.MemberKey]uint64 // of those who are out; nil: it is to be gathered
	views []view
}

// node is an operation whose parents are known.
type node struct {
	op     wire.GroupOperation
	id     wire.OperationID
	before bits // the operations that it was made in knowledge of, directly or not
	beside bits // those beside it that take its author's rights
	depth  int  // one more than the largest of its parents
	heir   bool // its author was an admin as the member who had been in for longest
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
	l := &Log{
		id: first.ID(), index: make(map[wire.OperationID]int), byAuthor: make(map[identity.MemberKey][]int),
		added: make(map[identity.MemberKey][]int), left: make(map[identity.MemberKey]wire.GroupLeave),
		profiles: make(map[identity.MemberKey]wire.GroupProfile), out: make(map[identity.MemberKey]bool),
	}
	l.insert(node{op: first, id: l.id, depth: 1})
	return l, nil
}

// ID names the group.
func (l *Log) ID() wire.OperationID { return l.id }

// Len is how many operations are known, without those that wait.
func (l *Log) Len() int { return len(l.nodes) }

// Add takes an operation. One whose parents are not known waits for them. It reports how many
// operations became known by it, 0 if it was known or waits.
//
// One whose author was no admin by what they knew is not kept: nobody keeps it, for that hangs on
// nothing else. Errors: ErrForged, ErrForeign, ErrFull, ErrNotAdmin, ErrClosed; the log is then
// as before.
func (l *Log) Add(op wire.GroupOperation) (known int, err error) {
	id := op.ID()
	switch _, ok := l.index[id]; {
	case ok:
		return 0, nil
	case op.Group != l.id:
		return 0, ErrForeign
	case !l.room(op):
		return 0, ErrFull
	case !op.Verify():
		return 0, ErrForged
	case !l.ready(op):
		l.wait(op, id)
		return 0, nil
	}
	if err := l.take(op, id); err != nil {
		return 0, err
	}
	return 1 + l.wake(), nil
}

// Leave takes a member's word that they have left. It reports whether that is new. Of two the one
// with the smaller hash counts, so that nobody can go on for long, and none of who is removed.
// Errors:
// ErrForeign, ErrForged, ErrNotMember if no add of them is known.
func (l *Log) Leave(word wire.GroupLeave) (known bool, err error) {
	was, had := l.left[word.Member]
	switch {
	case word.Group != l.id:
		return false, ErrForeign
	case l.out[word.Member], had && !before(&word, &was):
		return false, nil
	case len(l.added[word.Member]) == 0:
		return false, ErrNotMember
	case !word.Verify():
		return false, ErrForged
	}
	l.left[word.Member] = word
	l.now, l.lasts = nil, nil
	return true, nil
}

// before reports which of two words of one member counts.
func before(a, b *wire.GroupLeave) bool {
	x, y := identity.Hash(a.Append(nil)), identity.Hash(b.Append(nil))
	return bytes.Compare(x[:], y[:]) < 0
}

// Leaves yields the words of those who have left.
func (l *Log) Leaves(yield func(wire.GroupLeave) bool) {
	for _, word := range l.left {
		if !yield(word) {
			return
		}
	}
}

// Full reports whether no more operations are kept, but for removals and the group's end.
func (l *Log) Full() bool { return l.full() }

func (l *Log) room(op wire.GroupOperation) bool {
	if ends(&op) {
		return len(l.nodes) < OperationsMax
	}
	return !l.full()
}

func (l *Log) ready(op wire.GroupOperation) bool {
	return !slices.ContainsFunc(op.Parents, func(p wire.OperationID) bool { _, ok := l.index[p]; return !ok })
}

// wait keeps an operation for when its parents are known.
func (l *Log) wait(op wire.GroupOperation, id wire.OperationID) {
	if slices.ContainsFunc(l.waiting, func(w waiter) bool { return w.id == id }) {
		return
	}
	ofOne := func(w waiter) bool { return w.op.Author == op.Author }
	nobodys := func(w waiter) bool { return len(l.added[w.op.Author]) == 0 }
	count := 0
	for _, w := range l.waiting {
		if ofOne(w) {
			count++
		}
	}
	switch {
	case count >= waitingOfOneMax:
		l.drop(slices.IndexFunc(l.waiting, ofOne))
	case len(l.waiting) >= WaitingMax:
		l.drop(max(0, slices.IndexFunc(l.waiting, nobodys)))
	}
	l.waiting = append(l.waiting, waiter{op, id})
}

func (l *Log) drop(i int) { l.waiting = slices.Delete(l.waiting, i, i+1) }

// wake takes what has waited for nothing else, and reports how many. What is refused, or finds no
// room, waits no longer.
func (l *Log) wake() int {
	woken := 0
	for {
		i := slices.IndexFunc(l.waiting, func(w waiter) bool { return l.ready(w.op) })
		if i < 0 {
			return woken
		}
		w := l.waiting[i]
		l.drop(i)
		if l.room(w.op) && l.take(w.op, w.id) == nil {
			woken++
		}
	}
}

// take puts an operation behind its parents, which are known, if its author was an admin by those.
func (l *Log) take(op wire.GroupOperation, id wire.OperationID) error {
	if len(l.added[op.Author]) == 0 { // spares reckoning for strangers
		return ErrNotAdmin
	}
	n := node{op: op, id: id, depth: 1}
	for _, p := range op.Parents {
		i := l.index[p]
		n.before = n.before.or(l.nodes[i].before)
		n.before.set(i)
		n.depth = max(n.depth, l.nodes[i].depth+1)
	}
	known := l.state(n.before)
	author, in := known.Find(op.Author)
	switch {
	case known.Closed:
		return ErrClosed
	case !in || author.Role != wire.RoleAdmin:
		return ErrNotAdmin
	}
	n.heir = known.heir
	l.insert(n)
	return nil
}

func (l *Log) insert(n node) {
	i := len(l.nodes)
	for k := range l.nodes {
		// What was here before cannot know of this one.
		if n.before.has(k) {
			continue
		}
		other := &l.nodes[k]
		if lowers(&other.op, n.op.Author) {
			n.beside.set(k)
		}
		if lowers(&n.op, other.op.Author) {
			other.beside.set(i)
		}
	}
	l.index[n.id] = i
	l.byAuthor[n.op.Author] = append(l.byAuthor[n.op.Author], i)
	switch n.op.Kind {
	case wire.OperationCreate:
		l.added[n.op.Author] = append(l.added[n.op.Author], i)
	case wire.OperationAdd:
		l.added[n.op.Subject] = append(l.added[n.op.Subject], i)
	case wire.OperationRemove:
		l.out[n.op.Subject] = true
		delete(l.left, n.op.Subject)
		delete(l.profiles, n.op.Subject)
	}
	for _, p := range n.op.Parents {
		l.heads.clear(l.index[p])
	}
	l.heads = l.heads.or(nil)
	l.heads.set(i)
	l.nodes = append(l.nodes, n)
	l.now, l.held, l.lasts = nil, nil, nil
}

// Heads returns the newest operations known, of which at most wire.OperationParentsMax: the
// parents of an author's next one. Of more there is one among them by which the author is an
// admin, or nobody would take what the author does.
func (l *Log) Heads(author identity.MemberKey) []wire.OperationID {
	var heads []int
	for i := range l.nodes {
		if l.heads.has(i) {
			heads = append(heads, i)
		}
	}
	slices.SortFunc(heads, func(a, b int) int { return -l.order(a, b) })
	if by, admin := l.reckoned().raised[author]; admin && len(heads) > wire.OperationParentsMax {
		i := slices.IndexFunc(heads, func(i int) bool { return i == by || l.nodes[i].before.has(by) })
		heads[0], heads[i] = heads[i], heads[0]
		slices.SortFunc(heads[1:], func(a, b int) int { return -l.order(a, b) })
	}
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

// bits is a set of indices of nodes.
type bits []uint64

func (b bits) has(i int) bool { return i/64 < len(b) && b[i/64]>>(i%64)&1 != 0 }

// set adds an index to a set that nobody else holds.
func (b *bits) set(i int) {
	for len(*b) <= i/64 {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

// clear takes an index out of a set that nobody else holds.
func (b bits) clear(i int) {
	if i/64 < len(b) {
		b[i/64] &^= 1 << (i % 64)
	}
}

// or returns a new set of what is in either.
func (b bits) or(other bits) bits {
	out := make(bits, max(len(b), len(other)))
	copy(out, b)
	for i, x := range other {
		out[i] |= x
	}
	return out
}

// meets reports whether anything is in both sets.
func (b bits) meets(other bits) bool {
	for i := range min(len(b), len(other)) {
		if b[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

// and returns a new set of what is in both.
func (b bits) and(other bits) bits {
	out := make(bits, min(len(b), len(other)))
	for i := range out {
		out[i] = b[i] & other[i]
	}
	return out
}

// down yields what is in the set, the last first.
func (b bits) down(yield func(int) bool) {
	for w, x := range slices.Backward(b) {
		for x != 0 {
			i := 63 - mathbits.LeadingZeros64(x)
			x &^= 1 << i
			if !yield(64*w + i) {
				return
			}
		}
	}
}

// covers reports whether all of another set is in the set.
func (b bits) covers(other bits) bool {
	for i, x := range other {
		if i < len(b) {
			x &^= b[i]
		}
		if x != 0 {
			return false
		}
	}
	return true
}
