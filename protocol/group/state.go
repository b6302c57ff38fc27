package group

import (
	"bytes"
	"cmp"
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

	heir    bool                        // no admin is left, and the first member is one for it
	entered map[identity.MemberKey]bool // whose add counts, members or not
	addedBy map[identity.MemberKey]identity.MemberKey
	raised  map[identity.MemberKey]int // by which operation each admin is one
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

// State returns what the group is, without those who have left. It is the log's; nobody may
// change what it points to.
func (l *Log) State() State {
	s := *l.reckoned()
	s.Members = slices.DeleteFunc(slices.Clone(s.Members), func(m Member) bool { _, left := l.left[m.Key]; return left })
	return s
}

// reckoned is the group by all operations known, with those who have left.
func (l *Log) reckoned() *State {
	if l.now == nil {
		all := make(bits, (len(l.nodes)+63)/64)
		for i := range l.nodes {
			all.set(i)
		}
		s := l.state(all)
		l.now = &s
	}
	return l.now
}

// Check reports whether its author may do what an operation says, by what is known here, and
// whether that does anything. Errors: ErrClosed, ErrNotAdmin, ErrNotMember, ErrMember, ErrTooMany.
func (l *Log) Check(op wire.GroupOperation) error {
	s := l.State()
	author, _ := s.Find(op.Author)
	_, in := s.Find(op.Subject)
	switch {
	case s.Closed:
		return ErrClosed
	case author.Role != wire.RoleAdmin:
		return ErrNotAdmin
	case op.Kind == wire.OperationAdd && len(l.added[op.Subject]) > 0:
		return ErrMember
	case op.Kind == wire.OperationAdd && len(s.Members) >= MembersMax:
		return ErrTooMany
	case op.Kind == wire.OperationRemove && len(l.added[op.Subject]) == 0, op.Kind == wire.OperationRole && !in:
		return ErrNotMember // of whom has left the rights are taken by a removal
	}
	return nil
}

// CheckLeave reports whether a member may leave as things are. Errors: ErrNotMember, ErrLastAdmin.
func (l *Log) CheckLeave(key identity.MemberKey) error {
	s := l.State()
	m, in := s.Find(key)
	if !in {
		return ErrNotMember
	}
	another := func(other Member) bool { return other.Key != key && other.Role == wire.RoleAdmin }
	if m.Role == wire.RoleAdmin && len(s.Members) > 1 && !slices.ContainsFunc(s.Members, another) {
		return ErrLastAdmin
	}
	return nil
}

// life is what operations say of one member key.
type life struct {
	entries bits // creates and adds that count
	raised  bits // what makes an admin and counts
	removed bits // removals
	lowered bits // removals, and roles that take an admin's rights
}

// reckoning is one look at a set of operations that holds, with each, all those before it.
type reckoning struct {
	log   *Log
	view  bits
	lives map[identity.MemberKey]*life
	all   []int // what counts of creates, titles, timers and ends
}

// state reckons what a group is by a set of its operations.
func (l *Log) state(view bits) State {
	r := reckoning{log: l, view: view, lives: make(map[identity.MemberKey]*life)}
	for i := range l.nodes {
		if view.has(i) {
			r.takeAway(i)
		}
	}
	for i := range l.nodes { // each behind its parents
		if view.has(i) && r.counts(i) {
			r.give(i)
		}
	}
	return r.result()
}

func (r *reckoning) life(key identity.MemberKey) *life {
	m := r.lives[key]
	if m == nil {
		m = &life{}
		r.lives[key] = m
	}
	return m
}

// takeAway notes what an operation takes from its subject, whatever happens beside it.
func (r *reckoning) takeAway(i int) {
	op := &r.log.nodes[i].op
	if !lowers(op, op.Subject) {
		return
	}
	r.life(op.Subject).lowered.set(i)
	if op.Kind == wire.OperationRemove {
		r.life(op.Subject).removed.set(i)
	}
}

// lowers reports whether an operation takes an admin's rights from somebody.
func lowers(op *wire.GroupOperation, whom identity.MemberKey) bool {
	return op.Subject == whom && (op.Kind == wire.OperationRemove || op.Kind == wire.OperationRole && op.Role == wire.RoleMember)
}

// counts reports whether what an operation gives counts: its author is an admin by something
// that counts itself, and no operation beside it takes that away. What operations take away
// always counts, and is not asked here.
func (r *reckoning) counts(i int) bool {
	n := &r.log.nodes[i]
	if n.op.Kind == wire.OperationCreate {
		return true
	}
	author := r.life(n.op.Author)
	switch {
	case n.beside.meets(r.view):
		return false
	case n.heir:
		return author.entries.meets(n.before)
	}
	_, admin := r.admin(author.raised.and(n.before), author.lowered.and(n.before))
	return admin
}

// admin returns which of what makes an admin was done in knowledge of all that takes it, if any.
func (r *reckoning) admin(raised, lowered bits) (int, bool) {
	for i := range raised.down {
		if r.log.nodes[i].before.covers(lowered) {
			return i, true
		}
	}
	return 0, false
}

func (r *reckoning) give(i int) {
	n := &r.log.nodes[i]
	author, subject := r.life(n.op.Author), r.life(n.op.Subject)
	switch n.op.Kind {
	case wire.OperationCreate:
		author.entries.set(i)
		author.raised.set(i)
		r.all = append(r.all, i)
	case wire.OperationAdd:
		subject.entries.set(i)
	case wire.OperationTitle, wire.OperationTimer, wire.OperationClose:
		r.all = append(r.all, i)
	}
	if (n.op.Kind == wire.OperationAdd || n.op.Kind == wire.OperationRole) && n.op.Role == wire.RoleAdmin {
		subject.raised.set(i)
	}
	if n.heir { // from now on an admin as others are
		author.raised.set(i)
	}
}

// result reads the state off what counts.
func (r *reckoning) result() State {
	l := r.log
	slices.SortFunc(r.all, l.order)
	s := State{
		entered: make(map[identity.MemberKey]bool), addedBy: make(map[identity.MemberKey]identity.MemberKey),
		raised: make(map[identity.MemberKey]int),
	}
	for _, i := range r.all {
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
	for key, m := range r.lives {
		if len(m.entries) == 0 {
			continue
		}
		s.entered[key] = true
		if len(m.removed) > 0 {
			continue
		}
		entry := slices.MinFunc(slices.Collect(m.entries.down), l.order)
		op := &l.nodes[entry].op
		member := Member{Key: key, Role: wire.RoleMember, AddedBy: op.Author, Introduction: op.Introduction}
		if by, admin := r.admin(m.raised, m.lowered); admin {
			member.Role, s.raised[key] = wire.RoleAdmin, by
		}
		seats = append(seats, seat{entry, member})
	}
	slices.SortFunc(seats, func(a, b seat) int {
		return cmp.Or(l.order(a.entry, b.entry), bytes.Compare(a.Key[:], b.Key[:]))
	})
	for _, m := range seats[:min(len(seats), MembersMax)] {
		s.Members = append(s.Members, m.Member)
		s.addedBy[m.Key] = m.AddedBy
	}
	if len(s.Members) > 0 && !slices.ContainsFunc(s.Members, func(m Member) bool { return m.Role == wire.RoleAdmin }) {
		s.Members[0].Role, s.heir = wire.RoleAdmin, true
	}
	return s
}
