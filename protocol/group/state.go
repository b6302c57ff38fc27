package group

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// State is what a group is by the operations known.
type State struct {
	// Title is the newest one.
	Title string
	// Timer is that of new messages; nil: they stay.
	Timer *wire.Timer
	// Members are those who are in, those first who have been for longest.
	Members []Member
	// Closed says that the group has ended for all.
	Closed bool
}

// Member is one who is in a group.
type Member struct {
	Key  identity.MemberKey
	Role wire.GroupRole
	// AddedBy is who added them; their own key in the first member.
	AddedBy identity.MemberKey
	// Introduction is what the add said of them.
	Introduction []byte
}

// Find returns a member.
func (s *State) Find(key identity.MemberKey) (Member, bool) {
	i := slices.IndexFunc(s.Members, func(m Member) bool { return m.Key == key })
	if i < 0 {
		return Member{}, false
	}
	return s.Members[i], true
}

// State returns what the group is.
func (l *Log) State() State { return l.state(l.all()) }

// Check reports whether its author may do what an operation says, by what is known here, and
// whether that does anything. Errors: ErrClosed, ErrNotMember, ErrNotAdmin, ErrMember, ErrTooMany.
func (l *Log) Check(op wire.GroupOperation) error {
	s := l.State()
	if err := s.entitles(op); err != nil {
		return err
	}
	_, in := s.Find(op.Subject)
	switch op.Kind {
	case wire.OperationAdd:
		if in {
			return ErrMember
		}
		if len(s.Members) >= MembersMax {
			return ErrTooMany
		}
	case wire.OperationRemove, wire.OperationRole:
		if !in {
			return ErrNotMember
		}
	}
	return nil
}

// entitles reports whether an operation's author may do it where things are so.
func (s *State) entitles(op wire.GroupOperation) error {
	author, in := s.Find(op.Author)
	switch {
	case s.Closed:
		return ErrClosed
	case !in:
		return ErrNotMember
	case op.Kind == wire.OperationRemove && op.Subject == op.Author:
		return nil
	case author.Role != wire.RoleAdmin:
		return ErrNotAdmin
	}
	return nil
}

func (l *Log) all() bits {
	out := make(bits, (len(l.nodes)+63)/64)
	for i := range l.nodes {
		out[i/64] |= 1 << (i % 64)
	}
	return out
}

// reckoning is one look at a set of operations that holds, with each, all those before it.
type reckoning struct {
	log      *Log
	removals map[identity.MemberKey][]int // that count, by whom they remove
	lowered  map[identity.MemberKey][]int // the same of those that make an admin a member, and removals
	entries  map[identity.MemberKey][]int // creates and adds that count
	raised   map[identity.MemberKey][]int // what makes an admin and counts
	applied  []int                        // all that count
}

// state reckons what a group is by a set of its operations.
func (l *Log) state(view bits) State {
	r := reckoning{
		log: l, removals: make(map[identity.MemberKey][]int), lowered: make(map[identity.MemberKey][]int),
		entries: make(map[identity.MemberKey][]int), raised: make(map[identity.MemberKey][]int),
	}
	for i := range l.nodes {
		if view.has(i) {
			r.takeAway(i)
		}
	}
	for i := range l.nodes { // each behind its parents
		if view.has(i) && r.stands(i) {
			r.apply(i)
		}
	}
	return r.result()
}

// takeAway notes what a removal ends, whatever happens beside it.
func (r *reckoning) takeAway(i int) {
	n := &r.log.nodes[i]
	switch {
	case n.op.Kind == wire.OperationRemove:
		r.removals[n.op.Subject] = append(r.removals[n.op.Subject], i)
		r.lowered[n.op.Subject] = append(r.lowered[n.op.Subject], i)
	case n.op.Kind == wire.OperationRole && n.op.Role == wire.RoleMember:
		r.lowered[n.op.Subject] = append(r.lowered[n.op.Subject], i)
	}
}

// stands reports whether what an operation gives counts: its author has come in by something
// that counts itself, and was not removed, or made an admin no longer, beside it. What operations
// take away always counts, and is not asked here.
func (r *reckoning) stands(i int) bool {
	n := &r.log.nodes[i]
	if n.op.Kind == wire.OperationCreate {
		return true
	}
	beside := func(k int) bool { return !n.before.has(k) && !r.log.nodes[k].before.has(i) }
	return slices.ContainsFunc(r.entries[n.op.Author], n.before.has) && !slices.ContainsFunc(r.lowered[n.op.Author], beside)
}

func (r *reckoning) apply(i int) {
	op := &r.log.nodes[i].op
	r.applied = append(r.applied, i)
	switch op.Kind {
	case wire.OperationCreate:
		r.entries[op.Author] = append(r.entries[op.Author], i)
		r.raised[op.Author] = append(r.raised[op.Author], i)
	case wire.OperationAdd:
		r.entries[op.Subject] = append(r.entries[op.Subject], i)
		fallthrough
	case wire.OperationRole:
		if op.Role == wire.RoleAdmin {
			r.raised[op.Subject] = append(r.raised[op.Subject], i)
		}
	}
}

// result reads the state off what counts.
func (r *reckoning) result() State {
	l := r.log
	slices.SortFunc(r.applied, l.order)
	var s State
	for _, i := range r.applied {
		switch op := &l.nodes[i].op; op.Kind {
		case wire.OperationCreate, wire.OperationTitle:
			s.Title = op.Text
		case wire.OperationTimer:
			s.Timer = op.Timer
		case wire.OperationClose:
			s.Closed = true
		}
	}
	type seat struct {
		entry int
		Member
	}
	var seats []seat
	for key := range maps.Keys(r.entries) {
		// In is who came in behind every removal of them.
		entry, in := r.first(r.entries[key], r.removals[key])
		if !in {
			continue
		}
		op := &l.nodes[entry].op
		m := seat{entry, Member{Key: key, Role: wire.RoleMember, AddedBy: op.Author, Introduction: op.Introduction}}
		if _, admin := r.first(r.raised[key], r.lowered[key]); admin {
			m.Role = wire.RoleAdmin
		}
		seats = append(seats, m)
	}
	slices.SortFunc(seats, func(a, b seat) int {
		return cmp.Or(l.order(a.entry, b.entry), bytes.Compare(a.Key[:], b.Key[:]))
	})
	for _, m := range seats[:min(len(seats), MembersMax)] {
		s.Members = append(s.Members, m.Member)
	}
	if len(s.Members) > 0 && !slices.ContainsFunc(s.Members, func(m Member) bool { return m.Role == wire.RoleAdmin }) {
		s.Members[0].Role = wire.RoleAdmin
	}
	return s
}

// first returns the first of some operations that was made in knowledge of all of others.
func (r *reckoning) first(given, ends []int) (found int, ok bool) {
	found = -1
	for _, i := range given {
		if r.log.nodes[i].before.holds(ends) && (found < 0 || r.log.order(i, found) < 0) {
			found = i
		}
	}
	return found, found >= 0
}
