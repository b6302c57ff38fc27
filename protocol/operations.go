package protocol

import (
	"time"

	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// operate queues an operation of ours.
func (p *Peer) operate(now time.Time, c *contact, v *conversation, content wire.Content) error {
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	content.ID, content.Sequence, content.At = id, v.row.OwnSequence+1, now.UnixMilli()
	encoded, err := wire.AppendContent(nil, content)
	if err != nil {
		panic("protocol: an operation of ours does not encode")
	}
	op := PutOperation{
		ID: id, Wire: id, Conversation: v.row.ID, Direction: Out, Sequence: content.Sequence, Type: content.Type,
		Message: content.About.ID, Own: content.About.Own, At: content.At, Content: encoded, Revision: content.Revision,
	}
	p.queueOwn(now, c, v, outbox.Item{Message: id, Sequence: op.Sequence, Size: len(encoded), Content: encoded, About: op.About()})
	p.write(op)
	return nil
}

// operationReceived takes what the contact says about a message. Whether the message is
// here only the disk knows.
func (p *Peer) operationReceived(now time.Time, c *contact, content *wire.Content) error {
	if content.Raw != nil { // of a newer version: what it is about cannot be read
		return p.messageReceived(now, c, content)
	}
	v, position, err := p.admit(now, c, content)
	if err != nil || position == 0 {
		return err
	}
	switch content.Type {
	case wire.ContentReaction:
		return p.keepOperation(now, v, content, MessageReaction)
	case wire.ContentEdit:
		return p.editReceived(now, v, content)
	case wire.ContentDelete:
		return p.deletionReceived(now, c, v, content.About)
	case wire.ContentDeleteAnswer:
		code := DeletionConfirmed
		if content.Answer == wire.DeleteRefused {
			code = DeletionRefused
		}
		p.write(SetDeletion{Conversation: v.row.ID, Message: content.About.ID, Code: code})
		p.event(Event{Type: MessageDeleted, Conversation: v.row.ID, Message: content.About.ID})
	}
	return nil
}

// keepOperation stores what the contact says about a message. What is about one of the
// contact's that has not come waits for it.
func (p *Peer) keepOperation(now time.Time, v *conversation, content *wire.Content, happened EventType) error {
	encoded, err := wire.AppendContent(nil, *content)
	if err != nil { // it decoded, so it encodes; a contact must not end us
		p.event(Event{Type: SecurityAlert, Contact: v.row.Contact, Code: "malformed_content"})
		return nil
	}
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	about := content.About
	op := PutOperation{
		ID: id, Wire: content.ID, Conversation: v.row.ID, Direction: In, Sequence: content.Sequence, Type: content.Type,
		Message: about.ID, Own: !about.Own, At: now.UnixMilli(), Content: encoded, Revision: content.Revision,
	}
	if about.Own && v.have.inGap(about.Sequence) >= 0 {
		op.Waits = about.Sequence
	}
	p.write(op)
	p.event(Event{Type: happened, Conversation: v.row.ID, Message: about.ID})
	return nil
}

// deleteForEveryone erases a message of ours, whether the peer has it or not, and has it
// erased there.
func (p *Peer) deleteForEveryone(now time.Time, in DeleteForEveryone) error {
	v := p.conversations[in.Conversation]
	switch {
	case v == nil:
		return refuse(CodeNotFound)
	case v.row.Kind == ConversationGroup:
		return refuse(CodeNotInGroups)
	case in.Direction != Out:
		return refuse(CodeNotOwnMessage)
	case in.Sequence == 0 || in.Sequence > v.row.OwnSequence:
		return refuse(CodeNotFound)
	}
	c := p.contacts[v.row.Contact]
	if c == nil || c.row.Phase == ContactFailed { // nobody else can have it
		return p.deleteMessage(now, DeleteMessage{
			Ref: in.Ref, ID: in.ID, Conversation: in.Conversation, Position: in.Position, Sequence: in.Sequence, Direction: Out,
		})
	}
	p.unqueue(now, v, in.ID, in.Sequence)
	p.unqueueAbout(now, v, in.ID)
	about := wire.Reference{Own: true, Sequence: in.Sequence, ID: in.ID}
	if err := p.operate(now, c, v, wire.Content{Type: wire.ContentDelete, About: &about}); err != nil {
		return err
	}
	p.write(StubMessage{Conversation: v.row.ID, Message: in.ID, Own: true, At: now.UnixMilli(), Code: DeletionAsked})
	p.event(Event{Type: MessageDeleted, Conversation: v.row.ID, Ref: in.ID})
	p.reply(in.Ref, nil)
	return nil
}

// deletionReceived erases a message of the contact's, here and wherever it still is, and
// says so; or says that we keep it.
func (p *Peer) deletionReceived(now time.Time, c *contact, v *conversation, about *wire.Reference) error {
	answer := wire.Content{Type: wire.ContentDeleteAnswer, Answer: wire.DeleteRefused}
	answer.About = &wire.Reference{Sequence: about.Sequence, ID: about.ID}
	if !p.self.state.RefuseDeletions {
		answer.Answer = wire.DeleteConfirmed
		if v.have.inGap(about.Sequence) >= 0 || v.have.void(about.Sequence) {
			p.closeGap(v, about.Sequence, about.Sequence)
			v.have.remember(about.Sequence, about.ID) // a late copy is a copy
		}
		p.unqueueAbout(now, v, about.ID)
		p.write(StubMessage{Conversation: v.row.ID, Message: about.ID, At: now.UnixMilli(), Code: DeletedBySender})
		p.event(Event{Type: MessageDeleted, Conversation: v.row.ID, Message: about.ID})
	}
	if c.queue.WaitingLen() >= answersMax {
		return nil // it asks for more answers than it takes
	}
	return p.operate(now, c, v, answer)
}

// unqueue takes a message or an operation of ours out of the outbox, for good. Where the
// peer has acknowledged it, its envelope may be kept all the same, with its key.
func (p *Peer) unqueue(now time.Time, v *conversation, id MessageID, sequence uint64) {
	c := p.contacts[v.row.Contact]
	switch {
	case c == nil:
	case !inRanges(v.row.Delivered, sequence):
		p.withdraw(now, v, id, sequence)
	default:
		if e, ok := c.queue.Carrying(id); ok {
			p.voidEnvelope(c, e, id)
		}
	}
}

// unqueueAbout does the same with all that we have said about a message that is erased,
// by its author's id.
func (p *Peer) unqueueAbout(now time.Time, v *conversation, message [16]byte) {
	c := p.contacts[v.row.Contact]
	if c == nil || message == ([16]byte{}) {
		return
	}
	p.dropParts(c, func(part outbox.Part) bool { return part.Message == message })
	for _, it := range c.queue.About(message) {
		p.unqueue(now, v, it.Message, it.Sequence)
	}
}
