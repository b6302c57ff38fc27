package protocol

import (
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"time"

	"pabal/protocol/group"
	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// The codes of what cannot be done in a group.
const (
	CodeNotAdmin    = "not_admin"
	CodeMember      = "already_member"
	CodeLastAdmin   = "last_admin"
	CodeGroupClosed = "group_closed"
	CodeGroupFull   = "group_full"
	CodeNotInGroup  = "not_in_group"
	CodeNoMemberKey = "no_member_key" // of a contact: it must be on first
	CodeNotInGroups = "unsupported_in_group"
)

// groupProblem says why a group's log refuses something.
func groupProblem(err error) error {
	for problem, code := range map[error]string{
		group.ErrNotAdmin: CodeNotAdmin, group.ErrMember: CodeMember, group.ErrNotMember: CodeNotFound, group.ErrTooMany: CodeTooMany,
		group.ErrLastAdmin: CodeLastAdmin, group.ErrClosed: CodeGroupClosed, group.ErrFull: CodeGroupFull,
	} {
		if errors.Is(err, problem) {
			return refuse(code)
		}
	}
	return err
}

// pushStock gives a contact member keys by which it can add us to groups.
func (p *Peer) pushStock(c *contact) {
	if !p.config.Groups || c.row.Role != RolePerson {
		return
	}
	stock := make(wire.GroupStock, stockGiven)
	for i := range stock {
		var nonce [16]byte
		if _, err := io.ReadFull(p.random, nonce[:]); err != nil {
			return // the next session brings some
		}
		stock[i] = wire.NewStockedKey(p.self.state.Account, c.row.Account, nonce)
	}
	p.pushInline(c, wire.Content{Type: wire.ContentGroup, Word: &wire.GroupWord{Stock: stock}})
}

// stockReceived keeps member keys that a contact has given us.
func (p *Peer) stockReceived(c *contact, stock wire.GroupStock) {
	for _, k := range stock {
		if k.Verify(c.row.Account, p.self.account) && !c.stocked(k.Key) {
			c.state.Stock = append(c.state.Stock, k)
		}
	}
	c.state.Stock = c.state.Stock[max(0, len(c.state.Stock)-stockKept):]
	p.touchContact(c)
}

func (c *contact) stocked(key identity.MemberKey) bool {
	return slices.ContainsFunc(c.state.Stock, func(k wire.StockedKey) bool { return k.Key == key })
}

// membership returns the group of a conversation.
func (p *Peer) membership(id ConversationID) (*membership, error) {
	m := p.groups[id]
	if m == nil {
		return nil, refuse(CodeNotFound)
	}
	return m, nil
}

func (p *Peer) createGroup(now time.Time, in CreateGroup) error {
	title, err := cleanName(in.Title)
	if err != nil {
		return err
	}
	var members []*contact
	for i, id := range in.Members {
		c, err := p.addable(id)
		if err != nil {
			return err
		}
		if slices.Contains(in.Members[:i], id) {
			return refuse(CodeMember)
		}
		members = append(members, c)
	}
	if !p.config.Groups || len(p.groups) >= groupsMax || len(members) >= group.MembersMax {
		return refuse(CodeTooMany)
	}
	m, err := p.beginGroup(now, title)
	if err != nil {
		return err
	}
	for _, c := range members {
		if err := p.add(now, m, c); err != nil {
			return err
		}
	}
	p.reply(in.Ref, GroupCreated{Conversation: m.v.row.ID})
	return nil
}

// beginGroup makes a group with nobody in it but us.
func (p *Peer) beginGroup(now time.Time, title string) (*membership, error) {
	state := membershipState{From: p.self.account, Seen: true}
	first := wire.GroupOperation{Kind: wire.OperationCreate, Text: title}
	for _, b := range [][]byte{state.Nonce[:], first.Nonce[:]} {
		if _, err := io.ReadFull(p.random, b); err != nil {
			return nil, errRandom
		}
	}
	if err := first.Sign(p.self.state.Account.Member(state.From, state.Nonce)); err != nil {
		return nil, refuse(CodeInvalidName)
	}
	m, err := p.openGroup(now, state, first)
	if err != nil {
		return nil, err
	}
	return m, p.introduceSelf(now, m)
}

// openGroup makes the conversation of a group.
func (p *Peer) openGroup(now time.Time, state membershipState, first wire.GroupOperation) (*membership, error) {
	id, err := p.newID(now)
	if err != nil {
		return nil, err
	}
	v := &conversation{row: PutConversation{
		ID: ConversationID(id), Kind: ConversationGroup, CreatedAt: now.UnixMilli(), LastAt: now.UnixMilli(),
	}}
	m, err := p.newMembership(v, state, first)
	if err != nil {
		return nil, err
	}
	p.conversations[v.row.ID] = v
	p.keepMembership(m)
	if err := p.operationTaken(now, m, &first); err != nil {
		return nil, err
	}
	p.touchMembership(m)
	p.event(Event{Type: ConversationCreated, Conversation: v.row.ID})
	return m, nil
}

// addable returns a contact that can be added to a group.
func (p *Peer) addable(id ContactID) (*contact, error) {
	c := p.contacts[id]
	switch {
	case c == nil || c.row.Role != RolePerson:
		return nil, refuse(CodeNotFound)
	case c.row.Phase != ContactEstablished:
		return nil, refuse(CodeNotEstablished)
	case c.row.Blocked:
		return nil, refuse(CodeBlocked)
	case len(c.state.Stock) == 0:
		return nil, &Problem{Code: CodeNoMemberKey, Contact: id}
	}
	return c, nil
}

func (p *Peer) addMember(now time.Time, in AddMember) error {
	m, err := p.membership(in.Conversation)
	if err != nil {
		return err
	}
	c, err := p.addable(in.Contact)
	if err != nil {
		return err
	}
	if n := m.near(c.row.ID); n != nil && m.x.Log().In(n.Key) {
		return refuse(CodeMember)
	}
	if err := p.add(now, m, c); err != nil {
		return err
	}
	p.reply(in.Ref, nil)
	return nil
}

// add adds a contact by a key of its stock, and tells it so.
func (p *Peer) add(now time.Time, m *membership, c *contact) error {
	// One may have been used by another admin, or by us before our disk was put back.
	c.state.Stock = slices.DeleteFunc(c.state.Stock, func(k wire.StockedKey) bool { return m.x.Log().Known(k.Key) })
	if len(c.state.Stock) == 0 {
		return &Problem{Code: CodeNoMemberKey, Contact: c.row.ID}
	}
	key := c.state.Stock[0]
	if err := p.operateGroup(now, m, wire.GroupOperation{Kind: wire.OperationAdd, Subject: key.Key, Role: wire.RoleMember}); err != nil {
		return err
	}
	c.state.Stock = slices.Delete(c.state.Stock, 0, 1)
	var first *wire.GroupOperation
	for _, op := range m.x.Log().Operations {
		first = op
		break
	}
	admission := wire.NewGroupAdmission(*first, m.seed, key.Nonce, key.Key)
	p.pushInline(c, wire.Content{Type: wire.ContentGroup, Word: &wire.GroupWord{Admission: &admission}})
	return p.meetMember(now, m, nearMember{Contact: c.row.ID, Key: key.Key, Untold: true})
}

// operateGroup signs an operation on a group, takes it and hands it on.
func (p *Peer) operateGroup(now time.Time, m *membership, op wire.GroupOperation) error {
	log := m.x.Log()
	op.Group, op.Author, op.Parents = log.ID(), m.seed.Public(), log.Heads(m.seed.Public())
	if err := log.Check(op); err != nil {
		return groupProblem(err)
	}
	if err := op.Sign(m.seed); err != nil {
		return refuse(CodeInvalidName)
	}
	out, err := m.x.Operation(now, group.Neighbour{}, op)
	if err != nil {
		return groupProblem(err)
	}
	return p.groupTook(now, m, out)
}

// admitted takes it that a contact has added us to a group.
func (p *Peer) admitted(now time.Time, c *contact, a *wire.GroupAdmission) error {
	seed := p.self.state.Account.Member(c.row.Account, a.Nonce)
	if !a.Verify(seed.Public()) {
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "forged_in_group"})
		return nil
	}
	near := nearMember{Contact: c.row.ID, Key: a.By}
	if m := p.membershipIn(a.First.ID()); m != nil {
		if seed != m.seed {
			p.admittedAnew(now, m, c, a.Nonce)
		}
		return p.meetMember(now, m, near)
	}
	unseen := 0
	for _, m := range p.groups {
		if !m.state.Seen && m.state.From == c.row.Account {
			unseen++
		}
		if m.seed == seed {
			return nil // a key is for one group
		}
	}
	if len(p.groups) >= groupsMax || unseen >= groupsUnseenMax {
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "too_many_groups"})
		return nil
	}
	m, err := p.openGroup(now, membershipState{From: c.row.Account, Nonce: a.Nonce}, a.First)
	if errors.Is(err, group.ErrForged) {
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "forged_in_group"})
		return nil
	}
	if err != nil {
		return err
	}
	p.pushStock(c)
	return p.meetMember(now, m, near)
}

// admittedAnew takes another key for a group: for one by which we are out, or beside one by which we are in.
func (p *Peer) admittedAnew(now time.Time, m *membership, c *contact, nonce [16]byte) {
	key := spareKey{From: c.row.Account, Nonce: nonce}
	if slices.Contains(m.state.Spare, key) || len(m.state.Spare) >= spareKeysMax {
		return
	}
	p.pushStock(c)
	m.state.Spare = append(m.state.Spare, key)
	p.touchMembership(m)
	p.leaveSpare(now, m)
}

// leaveSpare leaves a group by those keys of ours that it has beside the one that we go by, or goes by one of them if
// that one is out.
func (p *Peer) leaveSpare(now time.Time, m *membership) {
	log := m.x.Log()
	for _, spare := range slices.Clone(m.state.Spare) {
		seed := p.self.state.Account.Member(spare.From, spare.Nonce)
		switch {
		case !log.In(seed.Public()): // its add has not come
			continue
		case log.Out(m.seed.Public()):
			p.goAs(m, spare, seed)
			continue
		case !m.in():
			continue
		}
		out, err := m.x.Leave(now, group.Neighbour{}, wire.NewGroupLeave(log.ID(), seed, 0))
		if err == nil {
			_ = p.groupTook(now, m, out)
		}
	}
}

// goAs has us go by another key in a group.
func (p *Peer) goAs(m *membership, key spareKey, seed identity.MemberSeed) {
	authors := make(map[identity.MemberKey]group.Author)
	for who := range m.members {
		authors[who] = m.x.Author(who)
	}
	m.seed, m.x = seed, group.NewExchange(m.x.Log(), seed.Public())
	for who, author := range authors {
		m.x.Restore(who, author)
	}
	m.state.From, m.state.Nonce, m.state.Introduced = key.From, key.Nonce, [32]byte{}
	m.state.Spare = slices.DeleteFunc(m.state.Spare, func(k spareKey) bool { return k == key })
	for _, n := range m.state.Near {
		if c := p.contacts[n.Contact]; c != nil {
			c.groupsDue = true
			p.stir(c)
		}
	}
	p.touchMembership(m)
}

// meetMember takes it that a contact is a member.
func (p *Peer) meetMember(now time.Time, m *membership, n nearMember) error {
	if old := m.near(n.Contact); old != nil {
		if old.Key == n.Key {
			return nil
		}
		*old = n
	} else {
		m.state.Near = append(m.state.Near, n)
	}
	p.touchMembership(m)
	return p.meet(now, m, n)
}

func (p *Peer) meet(now time.Time, m *membership, n nearMember) error {
	if err := p.groupTook(now, m, m.x.Meet(now, group.Neighbour(n.Contact), n.Key, n.Untold)); err != nil {
		return err
	}
	return p.reachedInGroup(now, m, n.Contact)
}

// reachedInGroup notes whether there is a path to a contact who is in a group.
func (p *Peer) reachedInGroup(now time.Time, m *membership, id ContactID) error {
	c := p.contacts[id]
	return p.groupTook(now, m, m.x.Reached(now, group.Neighbour(id), c != nil && c.live() != nil))
}

// meetInGroups tells a contact anew what is held of the groups that it is in: behind a start, in a new session, or when what
// was to wait for it was too much. What was to tell it before goes.
func (p *Peer) meetInGroups(now time.Time, c *contact) error {
	live := c.live() != nil
	overran := c.groupsOverran && c.queue.SharedLen() <= groupWaitingLow
	if !c.groupsDue && !overran && live == c.groupsLive {
		return nil
	}
	due := c.groupsDue || overran
	c.groupsOverran = c.groupsOverran && !overran
	c.groupsDue, c.groupsLive = false, live
	for _, m := range p.membershipsInOrder() {
		n := m.near(c.row.ID)
		if n == nil {
			continue
		}
		if due {
			c.queue.RemoveShared(func(it outbox.Item) bool { return it.Inline() && saysOf(it.Content, m.x.Log().ID()) })
			again := *n
			again.Untold = n.Untold && !overran // it asks for what did not fit
			if err := p.meet(now, m, again); err != nil {
				return err
			}
			continue
		}
		if err := p.reachedInGroup(now, m, c.row.ID); err != nil {
			return err
		}
	}
	return nil
}

// saysOf reports whether a content tells what is held of a group.
func saysOf(content []byte, id wire.OperationID) bool {
	c, _, err := wire.DecodeContent(content)
	return err == nil && c.Word != nil && groupOf(c.Word) == id
}

// recogniseMember looks whether a member is one of our contacts, by what the two share.
func (p *Peer) recogniseMember(now time.Time, m *membership, word *wire.GroupProfile) error {
	if word.Member == m.seed.Public() || m.contactAs(word.Member) != (ContactID{}) {
		return nil
	}
	for _, c := range p.contactsInOrder() {
		for _, secret := range c.secrets() {
			if word.Has(identity.GroupHint(secret, word.Group, word.Member, word.Revision)) {
				return p.meetMember(now, m, nearMember{Contact: c.row.ID, Key: word.Member})
			}
		}
	}
	return nil
}

// introduceSelf tells a group who we are, if the user has seen it, and if that has changed: what our contacts know us by at most
// once a day.
func (p *Peer) introduceSelf(now time.Time, m *membership) error {
	if !m.state.Seen || !m.in() {
		return nil
	}
	hash := sha256.New()
	io.WriteString(hash, p.self.name+"\x00")
	known := p.known()
	for _, c := range known {
		hash.Write(c.row.Account[:])
		hash.Write(c.state.Recovery[:])
	}
	said := [32]byte(hash.Sum(nil))
	if said == m.state.Introduced {
		return nil
	}
	word := wire.GroupProfile{Group: m.x.Log().ID(), Name: p.self.name, Revision: p.revision(now, m)}
	for _, c := range known {
		word.Hints = append(word.Hints, identity.GroupHint(c.state.Recovery, word.Group, m.seed.Public(), word.Revision))
	}
	for len(word.Hints)%wire.GroupHintsStep != 0 || len(word.Hints) == 0 {
		var hint wire.MemberHint
		if _, err := io.ReadFull(p.random, hint[:]); err != nil {
			return errRandom
		}
		word.Hints = append(word.Hints, hint)
	}
	slices.SortFunc(word.Hints, func(a, b wire.MemberHint) int { return slices.Compare(a[:], b[:]) })
	if err := word.Sign(m.seed); err != nil {
		return nil // two hints are equal: the next revision has others
	}
	m.state.Introduced, m.state.IntroducedDay = said, dayOf(now)
	p.touchMembership(m)
	out, err := m.x.Introduce(now, group.Neighbour{}, word)
	if err != nil {
		return nil
	}
	return p.groupTook(now, m, out)
}

// known are the contacts who can know us by a hint, of whom the hints of a profile are.
func (p *Peer) known() []*contact {
	var out []*contact
	for _, c := range p.contactsInOrder() {
		if c.row.Role == RolePerson && c.row.Phase == ContactEstablished && !c.row.Blocked && c.state.Recovery != [32]byte{} && len(out) < wire.GroupHintsMax {
			out = append(out, c)
		}
	}
	return out
}

// revision returns that of our next profile: the day and a count, so that it does not tell when in the day it was made.
func (p *Peer) revision(now time.Time, m *membership) uint64 {
	last, _ := m.x.Log().Profile(m.seed.Public())
	return max(uint64(dayOf(now))<<revisionDayShift, last.Revision+1)
}

// scanGroups does what the clock brings in groups.
func (p *Peer) scanGroups(now time.Time) error {
	for _, m := range p.membershipsInOrder() {
		if at := m.x.NextDue(); !at.IsZero() && !at.After(now) {
			if err := p.groupTook(now, m, m.x.Due(now)); err != nil {
				return err
			}
		}
		p.dueBy(m.x.NextDue())
		if dayOf(now) != m.state.IntroducedDay {
			if err := p.introduceSelf(now, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// memberIn returns the group of a conversation, and a member of it.
func (p *Peer) memberIn(conversation ConversationID, member ContactID) (*membership, identity.MemberKey, error) {
	m, err := p.membership(conversation)
	if err != nil {
		return nil, identity.MemberKey{}, err
	}
	key, ok := m.memberOf(member)
	if !ok {
		return nil, key, refuse(CodeNotFound)
	}
	return m, key, nil
}

func (p *Peer) removeMember(now time.Time, in RemoveMember) error {
	m, key, err := p.memberIn(in.Conversation, in.Member)
	if err != nil {
		return err
	}
	op := wire.GroupOperation{Kind: wire.OperationRemove, Subject: key, Last: m.x.Whole(key)}
	return p.replyOperation(now, m, in.Ref, op)
}

func (p *Peer) setRole(now time.Time, in SetRole) error {
	m, key, err := p.memberIn(in.Conversation, in.Member)
	if err != nil {
		return err
	}
	role := wire.RoleMember
	if in.Admin {
		role = wire.RoleAdmin
	}
	return p.replyOperation(now, m, in.Ref, wire.GroupOperation{Kind: wire.OperationRole, Subject: key, Role: role})
}

func (p *Peer) setTitle(now time.Time, in SetTitle) error {
	m, err := p.membership(in.Conversation)
	if err != nil {
		return err
	}
	title, err := cleanName(in.Title)
	if err != nil {
		return err
	}
	return p.replyOperation(now, m, in.Ref, wire.GroupOperation{Kind: wire.OperationTitle, Text: title})
}

func (p *Peer) closeGroup(now time.Time, in CloseGroup) error {
	m, err := p.membership(in.Conversation)
	if err != nil {
		return err
	}
	return p.replyOperation(now, m, in.Ref, wire.GroupOperation{Kind: wire.OperationClose})
}

func (p *Peer) replyOperation(now time.Time, m *membership, ref uint64, op wire.GroupOperation) error {
	if err := p.operateGroup(now, m, op); err != nil {
		return err
	}
	p.reply(ref, nil)
	return nil
}

func (p *Peer) joinGroup(now time.Time, in JoinGroup) error {
	m, err := p.membership(in.Conversation)
	if err != nil {
		return err
	}
	if err := p.seeGroup(now, m); err != nil {
		return err
	}
	p.reply(in.Ref, nil)
	return nil
}

// seeGroup notes that the user has seen a group.
func (p *Peer) seeGroup(now time.Time, m *membership) error {
	if m.state.Seen {
		return nil
	}
	m.state.Seen = true
	p.touchMembership(m)
	return p.introduceSelf(now, m)
}

func (p *Peer) leaveGroup(now time.Time, in LeaveGroup) error {
	m, err := p.membership(in.Conversation)
	if err != nil {
		return err
	}
	if err := m.x.Log().CheckLeave(m.seed.Public()); err != nil {
		return groupProblem(err)
	}
	out, err := m.x.Leave(now, group.Neighbour{}, wire.NewGroupLeave(m.x.Log().ID(), m.seed, m.v.row.OwnSequence))
	if err != nil {
		return groupProblem(err)
	}
	if err := p.groupTook(now, m, out); err != nil {
		return err
	}
	p.reply(in.Ref, nil)
	return nil
}

// mayWriteIn refuses what cannot be said in a group.
func (m *membership) mayWriteIn(in SendText) error {
	switch {
	case len(in.Files) > 0 || len(in.Mentions) > 0 || in.ReplyTo != nil:
		return refuse(CodeNotInGroups)
	case m.x.Log().State().Closed:
		return refuse(CodeGroupClosed)
	case !m.in():
		return refuse(CodeNotInGroup)
	}
	return nil
}

// sayInGroup sends a message to all members.
func (p *Peer) sayInGroup(now time.Time, m *membership, in SendText, content *wire.Content) error {
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	message := wire.GroupMessage{GroupHead: m.x.Next()}
	content.ID, content.Sequence, content.At, content.Timer = id, message.Sequence, now.UnixMilli(), p.timerFor(m.v, in)
	encoded, err := wire.AppendContent(nil, *content)
	switch {
	case err != nil:
		return refuse(CodeInvalidText)
	case len(encoded) > wire.GroupContentBytesMax:
		return refuse(CodeTextTooLong)
	}
	var salt [16]byte
	if _, err := io.ReadFull(p.random, salt[:]); err != nil {
		return errRandom
	}
	message.Expires = uint64(goneBy(content.Timer, content.At))
	message.Commit(salt, encoded)
	if err := message.Sign(m.seed); err != nil {
		return refuse(CodeTooMany)
	}
	if err := p.seeGroup(now, m); err != nil {
		return err
	}
	m.writing = &PutMessage{ID: MessageID(id), ClientID: in.ClientID, Direction: Out}
	defer func() { m.writing = nil }()
	out, err := m.x.Wrote(now, message)
	if err != nil {
		return groupProblem(err)
	}
	if err := p.groupTook(now, m, out); err != nil {
		return err
	}
	p.reply(in.Ref, Sent{ID: MessageID(id), Conversation: m.v.row.ID, Position: m.v.row.LastPosition})
	return nil
}

// timerFor returns the timer of a message that is composed.
func (p *Peer) timerFor(v *conversation, in SendText) *wire.Timer {
	switch {
	case in.Timer != nil || in.NoTimer:
		return in.Timer
	case v != nil:
		return v.row.Timer
	}
	return p.self.state.DefaultTimer
}

// goneBy returns when no copy of a message is left, in Unix milliseconds; 0: it stays.
func goneBy(t *wire.Timer, at int64) int64 {
	switch {
	case t == nil:
		return 0
	case t.Mode == wire.TimerFromSent:
		return at + int64(t.Seconds)*1000
	}
	return at + neverReadMax.Milliseconds() + int64(t.Seconds)*1000
}

// unqueueShared takes a message of a group that is deleted here out of what is on its way: who has not got it asks
// others.
func (p *Peer) unqueueShared(m *membership, tag [16]byte) {
	for _, n := range m.state.Near {
		c := p.contacts[n.Contact]
		if c == nil || c.queue.RemoveWaiting(tag) {
			continue
		}
		if e, ok := c.queue.Carrying(tag); ok {
			p.voidEnvelope(c, e, tag)
		}
	}
}

// leaveGroupsOf has a contact who is no more be none of the members that we know, or another one be it.
func (p *Peer) leaveGroupsOf(c, instead *contact) {
	for _, m := range p.membershipsInOrder() {
		i := slices.IndexFunc(m.state.Near, func(n nearMember) bool { return n.Contact == c.row.ID })
		if i < 0 {
			continue
		}
		m.x.Part(group.Neighbour(c.row.ID))
		if instead == nil || m.near(instead.row.ID) != nil {
			m.state.Near = slices.Delete(m.state.Near, i, i+1)
		} else {
			m.state.Near[i].Contact, instead.groupsDue = instead.row.ID, true
			p.stir(instead)
		}
		p.touchMembership(m)
	}
}
