package group

import (
	"bytes"
	"slices"
	"time"

	"pabal/protocol/wire"
)

// ends reports whether an operation takes somebody out or ends the group: for such there is room
// when there is none for others.
func ends(op *wire.GroupOperation) bool {
	return op.Kind == wire.OperationRemove || op.Kind == wire.OperationClose
}

// full reports whether there is room for removals and the group's end only.
func (l *Log) full() bool { return len(l.nodes) >= OperationsMax-removalsKept }

// HeldHash is the hash of all operations known, by which two members see whether they know the same.
func (l *Log) HeldHash() [16]byte {
	if l.held == nil {
		ids := make([]wire.OperationID, 0, len(l.nodes))
		for i := range l.nodes {
			ids = append(ids, l.nodes[i].id)
		}
		slices.SortFunc(ids, func(a, b wire.OperationID) int { return bytes.Compare(a[:], b[:]) })
		hash := wire.HashOperations(ids)
		l.held = &hash
	}
	return *l.held
}

// holding names the operations that are here and need not be sent again, with those that wait.
func (l *Log) holding() wire.GroupHolding {
	h := wire.GroupHolding{Group: l.id, Full: l.full()}
	add := func(id wire.OperationID, op *wire.GroupOperation) {
		if !h.Full || ends(op) {
			h.Operations = append(h.Operations, wire.NameOf(id))
		}
	}
	for i := range l.nodes {
		add(l.nodes[i].id, &l.nodes[i].op)
	}
	for i := range l.waiting {
		add(l.waiting[i].id, &l.waiting[i].op)
	}
	slices.SortFunc(h.Operations, func(a, b wire.OperationName) int { return bytes.Compare(a[:], b[:]) })
	h.Operations = slices.Compact(h.Operations)
	return h
}

// listSoon has a neighbour told which operations are held, so that it sends the others: not at
// once, for what is missing may be on its way, and ever more seldom as long as no operation comes
// of it.
func (x *Exchange) listSoon(now time.Time, n *neighbour) {
	if n == nil || !n.listAt.IsZero() {
		return
	}
	n.listAt = later(now.Add(answerEvery), n.listedAt.Add(n.listWait))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// lists tells one neighbour which operations are held, who has waited for longest: what that one
// sends need not be sent by the others.
func (x *Exchange) lists(now time.Time) {
	for !x.listedAt.Add(answerEvery).After(now) {
		var next Neighbour
		var found *neighbour
		for k, n := range x.neighbours {
			if !n.listAt.IsZero() && !n.listAt.After(now) && (found == nil || n.listAt.Before(found.listAt)) {
				next, found = k, n
			}
		}
		if found == nil {
			return
		}
		x.list(now, next, found)
	}
}

// lack notes that a neighbour has sent what hangs on something that is not known here.
func (x *Exchange) lack(now time.Time, n *neighbour) {
	if n != nil {
		n.lacking = true
		x.listSoon(now, n)
	}
}

// list tells a neighbour which operations are held, if it has others by what it told last.
func (x *Exchange) list(now time.Time, k Neighbour, n *neighbour) {
	n.listAt = time.Time{}
	needs := n.lacking || n.held != x.log.HeldHash()
	member := x.in(n.member) && x.in(x.self) || !x.log.Known(x.self) // nobody's add is known yet to who was added
	if !needs || !member || x.log.Len() >= OperationsMax {
		return
	}
	n.lacking, n.listedAt, x.listedAt = false, now, now
	n.listWait = min(max(answerEvery, 2*n.listWait), askRarely)
	h := x.log.holding()
	x.send(Send{To: k, Holding: &h})
}

// came notes that operations came from a neighbour, or from nobody.
func (x *Exchange) came(now time.Time, n *neighbour) {
	if n != nil {
		n.listWait = 0
	}
	if len(x.log.waiting) == 0 {
		for _, other := range x.near {
			other.lacking = false
		}
	}
	x.retry(now)
}

// Holding takes which operations a neighbour holds: it is sent the others.
func (x *Exchange) Holding(now time.Time, from Neighbour, h wire.GroupHolding) Output {
	return x.step(func() {
		n := x.near[from]
		if n == nil || h.Group != x.log.ID() {
			return
		}
		known := make(map[wire.OperationName]bool, len(h.Operations))
		for _, name := range h.Operations {
			known[name] = true
		}
		for i := range x.log.nodes {
			op, name := &x.log.nodes[i].op, wire.NameOf(x.log.nodes[i].id)
			if !known[name] && (!h.Full || ends(op)) {
				x.tell(now, from, n, op)
			}
			delete(known, name)
		}
		if len(known) > 0 && x.in(n.member) {
			x.lack(now, n)
		}
	})
}

// tell sends a neighbour an operation because of what it says that it holds, at most all that
// there may be in an hour. Who is out is told of that only.
func (x *Exchange) tell(now time.Time, k Neighbour, n *neighbour, op *wire.GroupOperation) {
	if !x.in(n.member) && (op.Kind != wire.OperationRemove || op.Subject != n.member) {
		return
	}
	if now.Sub(n.toldAt) >= wholeEvery {
		n.toldAt, n.told = now, 0
	}
	if n.told < OperationsMax {
		n.told++
		x.send(Send{To: k, Operation: op})
	}
}
