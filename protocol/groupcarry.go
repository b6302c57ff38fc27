package protocol

import (
	"errors"
	"slices"
	"time"

	"pabal/protocol/group"
	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// This file is for what goes between contacts who are in one group (spec, "Groups in contents"). What is for a
// neighbour waits in memory only: whatever is lost with that, the next sync finds.

// groupTook does what a group's exchange has found that is to be done.
func (p *Peer) groupTook(now time.Time, m *membership, out group.Output) error {
	for i := range out.Operations {
		if err := p.operationTaken(now, m, &out.Operations[i]); err != nil {
			return err
		}
	}
	for i := range out.Leaves {
		b := out.Leaves[i].Append(nil)
		p.share(m, SharedLeave, out.Leaves[i].Member, b)
	}
	for i := range out.Profiles {
		b := out.Profiles[i].Append(nil)
		p.share(m, SharedProfile, out.Profiles[i].Member, b)
	}
	for i := range out.Accepted {
		if err := p.groupMessageTaken(now, m, &out.Accepted[i]); err != nil {
			return err
		}
	}
	for _, key := range out.Authors {
		if _, err := p.member(now, m, key); err != nil {
			return err
		}
		p.touchMember(m, key)
	}
	for i := range out.Sends {
		p.groupSend(m, &out.Sends[i])
	}
	for i := range out.Fetches {
		f := out.Fetches[i]
		p.lookUpShared(m, lookup{fetch: &f}, f.Author, f.First, f.Last)
	}
	for i := range out.Doubted {
		d := out.Doubted[i]
		p.lookUpShared(m, lookup{doubted: &d}, d.Message.Author, d.Message.Sequence, d.Message.Sequence)
	}
	clear(m.lying)
	if len(out.Operations)+len(out.Leaves)+len(out.Profiles) > 0 {
		p.event(Event{Type: ConversationUpdated, Conversation: m.v.row.ID})
		p.leaveSpare(now, m)
	}
	p.dueBy(m.x.NextDue())
	for i := range out.Profiles {
		if err := p.recogniseMember(now, m, &out.Profiles[i]); err != nil {
			return err
		}
	}
	return nil
}

// share keeps something that members hand on.
func (p *Peer) share(m *membership, kind SharedKind, member identity.MemberKey, b []byte) {
	hash := identity.Hash(b)
	p.write(PutShared{Name: [16]byte(hash[:]), Conversation: m.v.row.ID, Kind: kind, Member: member, Bytes: b})
}

// operationTaken keeps an operation, and what it makes of the conversation.
func (p *Peer) operationTaken(now time.Time, m *membership, op *wire.GroupOperation) error {
	p.write(PutShared{Name: operationName(op), Conversation: m.v.row.ID, Kind: SharedOperation, Member: op.Author, Bytes: op.Append(nil)})
	if timer := m.x.Log().State().Timer; !sameTimer(timer, m.v.row.Timer) {
		m.v.row.Timer = timer
	}
	p.touchConversation(m.v)
	who := op.Subject
	if op.Kind == wire.OperationCreate {
		who = op.Author
	}
	if op.Kind != wire.OperationCreate && op.Kind != wire.OperationAdd {
		return nil
	}
	_, err := p.member(now, m, who)
	return err
}

func operationName(op *wire.GroupOperation) [16]byte { return wire.NameOf(op.ID()) }

// groupSend queues something for a neighbour. Of messages and operations only the name waits, and no more than
// groupWaitingMax of all: who was to get more is told later what is held.
func (p *Peer) groupSend(m *membership, s *group.Send) {
	c := p.contacts[ContactID(s.To)]
	if c == nil {
		return
	}
	if c.queue.SharedLen() >= groupWaitingMax {
		c.groupsOverran = true
		return
	}
	var word wire.GroupWord
	switch {
	case s.Message != nil:
		p.groupMessageSend(m, c, s.Message)
		return
	case s.Operation != nil:
		word.Operation = s.Operation
		b := encodeWord(&word)
		c.queue.Push(outbox.Item{Message: operationName(s.Operation), Size: len(b), Content: b, Shared: true})
		p.stir(c)
		return
	case s.Sync != nil:
		word.Sync = s.Sync
	case s.Leave != nil:
		word.Leave = s.Leave
	case s.Profile != nil:
		word.Profile = s.Profile
	case s.Want != nil:
		word.Want = s.Want
	case s.Absent != nil:
		word.Absent = s.Absent
	case s.Holding != nil:
		word.Holding = s.Holding
	}
	p.pushWord(c, &word)
}

func encodeWord(word *wire.GroupWord) []byte {
	b, err := wire.AppendContent(nil, wire.Content{Type: wire.ContentGroup, Word: word})
	if err != nil {
		panic("protocol: a content of ours does not encode")
	}
	return b
}

// pushWord queues a word as it is; it is not kept.
func (p *Peer) pushWord(c *contact, word *wire.GroupWord) {
	b := encodeWord(word)
	c.queue.Push(outbox.Item{Size: len(b), Content: b, Shared: true})
	p.stir(c)
}

// passing reports whether a content is of a group and is not kept: what it says the next sync says.
func passing(content []byte) bool {
	c, _, err := wire.DecodeContent(content)
	return err == nil && (c.GroupMessage != nil || c.Word != nil && c.Word.Stock == nil && c.Word.Admission == nil)
}

// groupMessageSend queues a message by its name, or what proves that there is one.
func (p *Peer) groupMessageSend(m *membership, c *contact, h *group.Held) {
	lies := m.lying[h.Tip.Tag]
	if h.Bare {
		b, err := wire.AppendContent(nil, wire.Content{Type: wire.ContentGroupMessage, GroupMessage: &wire.GroupMessage{GroupHead: lies.head}})
		if err == nil { // it was taken, so it encodes
			c.queue.Push(outbox.Item{Size: len(b), Content: b, Shared: true})
			p.stir(c)
		}
		return
	}
	if _, sealed := c.queue.Carrying(h.Tip.Tag); lies.content == nil && (sealed || c.queue.HasWaiting(h.Tip.Tag)) {
		return // it was asked for while it was on its way
	}
	it := outbox.Item{Message: h.Tip.Tag, Size: lies.size, Content: lies.content, Shared: true}
	if h.Author == m.seed.Public() {
		it.Sequence, it.About = h.Tip.Sequence, m.v.row.ID
	}
	c.queue.Push(it)
	p.stir(c)
}

// sharedDelivered notes that a member has a message of ours.
func (p *Peer) sharedDelivered(it outbox.Item) {
	v := p.conversations[ConversationID(it.About)]
	if v == nil || inRanges(v.row.Delivered, it.Sequence) {
		return
	}
	v.row.Delivered = addRange(v.row.Delivered, it.Sequence, it.Sequence)
	p.touchConversation(v)
	p.statusEvent(v, it.Sequence, StatusDelivered)
}

// lookUpShared asks which messages of an author lie in the history.
func (p *Peer) lookUpShared(m *membership, l lookup, author identity.MemberKey, first, last uint64) {
	n := p.number()
	m.lookups[n] = l
	p.out.Jobs = append(p.out.Jobs, FetchShared{Job: n, Conversation: m.v.row.ID, Member: author, First: first, Last: last})
}

// sharedFetched goes on with what was looked up.
func (p *Peer) sharedFetched(now time.Time, in SharedFetched) error {
	m := p.groups[in.Conversation]
	if m == nil {
		return nil
	}
	l, asked := m.lookups[in.Job]
	delete(m.lookups, in.Job)
	if !asked {
		return nil
	}
	var there []group.Lying
	had := false
	for _, item := range in.Items {
		message, err := wire.ParseGroupMessage(item.Bytes)
		if err != nil {
			continue // the row is damaged: as if it were not there
		}
		tag := message.Tag()
		m.lying[tag] = lying{head: message.GroupHead, size: item.SizeBytes}
		there = append(there, group.Lying{Head: message.GroupHead, Gone: item.Gone})
		had = had || l.doubted != nil && tag == l.doubted.Message.Tag()
	}
	if l.doubted != nil {
		return p.groupTook(now, m, m.x.Looked(now, *l.doubted, had))
	}
	return p.groupTook(now, m, m.x.Fetched(*l.fetch, there))
}

// wordReceived takes what a contact says of groups.
func (p *Peer) wordReceived(now time.Time, c *contact, w *wire.GroupWord) error {
	switch {
	case w == nil || !p.config.Groups || c.row.Role != RolePerson: // of a later version, or of nobody to be in a group with
		return nil
	case w.Stock != nil:
		p.stockReceived(c, w.Stock)
		return nil
	case w.Admission != nil:
		return p.admitted(now, c, w.Admission)
	}
	m := p.membershipIn(groupOf(w))
	if m == nil {
		return nil
	}
	from := group.Neighbour(c.row.ID)
	if n := m.near(c.row.ID); n != nil && n.Untold {
		n.Untold = false
		p.touchMembership(m)
	}
	var out group.Output
	var err error
	switch {
	case w.Operation != nil:
		out, err = m.x.Operation(now, from, *w.Operation)
	case w.Leave != nil:
		out, err = m.x.Leave(now, from, *w.Leave)
	case w.Profile != nil:
		out, err = m.x.Introduce(now, from, *w.Profile)
	case w.Sync != nil:
		out = m.x.Synced(now, from, *w.Sync)
	case w.Want != nil:
		out = m.x.Wanted(now, from, *w.Want)
	case w.Absent != nil:
		out = m.x.Absent(now, from, *w.Absent)
	case w.Holding != nil:
		out = m.x.Holding(now, from, *w.Holding)
	}
	p.groupRefused(m, c, err)
	return p.groupTook(now, m, out)
}

// groupOf is which group a word is about; zero if none.
func groupOf(w *wire.GroupWord) wire.OperationID {
	switch {
	case w.Operation != nil:
		return w.Operation.Group
	case w.Leave != nil:
		return w.Leave.Group
	case w.Profile != nil:
		return w.Profile.Group
	case w.Sync != nil:
		return w.Sync.Group
	case w.Want != nil:
		return w.Want.Group
	case w.Absent != nil:
		return w.Absent.Group
	case w.Holding != nil:
		return w.Holding.Group
	}
	return wire.OperationID{}
}

// groupRefused tells the user of what no honest member sends.
func (p *Peer) groupRefused(m *membership, c *contact, err error) {
	if errors.Is(err, group.ErrForged) {
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Conversation: m.v.row.ID, Code: "forged_in_group"})
	}
}

// groupMessageReceived takes a message in a group that a contact has sent or handed on.
func (p *Peer) groupMessageReceived(now time.Time, c *contact, message *wire.GroupMessage) error {
	if message == nil || !p.config.Groups {
		return nil
	}
	m := p.membershipIn(message.Group)
	if m == nil {
		return nil
	}
	out, err := m.x.Message(now, group.Neighbour(c.row.ID), *message)
	p.groupRefused(m, c, err)
	return p.groupTook(now, m, out)
}

// groupMessageTaken gives a message its place in the history, and keeps what is handed on of it.
func (p *Peer) groupMessageTaken(now time.Time, m *membership, message *wire.GroupMessage) error {
	bare := wire.GroupMessage{GroupHead: message.GroupHead}
	row := PutShared{
		Name: message.Tag(), Conversation: m.v.row.ID, Kind: SharedMessage, Member: message.Author,
		Sequence: message.Sequence, Expires: int64(message.Expires), Bytes: bare.Append(nil),
	}
	lies := lying{head: message.GroupHead}
	if content, ok := groupContent(message); ok {
		put, err := p.groupPut(now, m, message, content)
		if err != nil {
			return err
		}
		row.Message, row.Salt = put.ID, message.Salt
		lies.content = SharedContent(row, message.Content)
		lies.size = len(lies.content)
		p.write(put)
		p.createdEvent(m.v, put.Position)
	}
	m.lying[row.Name] = lies
	p.write(row)
	return nil
}

// SharedContent returns what is handed on by its name as it travels: for a message, of its row and its content.
// It is nil if the row is damaged.
func SharedContent(row PutShared, content []byte) []byte {
	c := wire.Content{Type: wire.ContentGroup}
	switch row.Kind {
	case SharedOperation:
		op, err := wire.ParseGroupOperation(row.Bytes)
		if err != nil {
			return nil
		}
		c.Word = &wire.GroupWord{Operation: &op}
	case SharedMessage:
		message, err := wire.ParseGroupMessage(slices.Concat(row.Bytes, row.Salt[:], content))
		if err != nil {
			return nil
		}
		c = wire.Content{Type: wire.ContentGroupMessage, GroupMessage: &message}
	default: // these go as they are, and not by a name
		return nil
	}
	b, err := wire.AppendContent(nil, c)
	if err != nil {
		return nil
	}
	return b
}

// groupContent reads what a message says; it reports false if that is nothing that can be shown.
func groupContent(message *wire.GroupMessage) (*wire.Content, bool) {
	if message.Content == nil {
		return nil, false
	}
	content, rest, err := wire.DecodeContent(message.Content)
	if err != nil || len(rest) > 0 || content.Sequence != message.Sequence {
		return nil, false
	}
	return &content, content.Type == wire.ContentText || content.Type == wire.ContentReply
}

// groupPut gives a message its place in the history.
func (p *Peer) groupPut(now time.Time, m *membership, message *wire.GroupMessage, content *wire.Content) (PutMessage, error) {
	v := m.v
	put := PutMessage{Direction: In}
	switch {
	case m.writing != nil:
		put, m.writing = *m.writing, nil
	case message.Author == m.seed.Public(): // from before our disk was put back
		put.Direction = Out
		fallthrough
	default:
		id, err := p.newID(now)
		if err != nil {
			return put, err
		}
		put.ID = MessageID(id)
	}
	if put.Direction == Out {
		v.row.OwnSequence = max(v.row.OwnSequence, message.Sequence)
		v.row.SealedUpTo = v.row.OwnSequence
	} else {
		row, err := p.member(now, m, message.Author)
		if err != nil {
			return put, err
		}
		put.Sender = row.ID
	}
	v.row.LastPosition++
	v.row.LastAt = now.UnixMilli()
	p.touchConversation(v)
	put.Wire, put.Conversation, put.Position, put.Sequence = message.Tag(), v.row.ID, v.row.LastPosition, message.Sequence
	put.SentAt, put.At, put.Content = content.At, now.UnixMilli(), message.Content
	put.ExpiresAt = expiryOf(content.Timer, content.At, now, put.Direction)
	if all := int64(message.Expires); all > 0 && (put.ExpiresAt == 0 || all < put.ExpiresAt) {
		put.ExpiresAt = all
	}
	return put, nil
}
