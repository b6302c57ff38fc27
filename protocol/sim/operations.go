package sim

import (
	"fmt"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// operation is a row of what one side has said about a message.
type operation struct{ protocol.PutOperation }

// content returns the bytes of a message or an operation, nil if it is gone.
func (d *disk) content(id protocol.MessageID) []byte {
	if m := d.messages[id]; m != nil {
		return m.Content
	}
	if o := d.operations[id]; o != nil {
		return o.Content
	}
	return nil
}

// copies returns the messages of one side with an id of its author's that say something:
// what an author sent again that had lost its state may be here twice.
func (d *disk) copies(conversation protocol.ConversationID, id [16]byte, own bool) (all []*message) {
	for _, m := range d.threads[conversation] {
		if m.wire == id && (m.Direction == protocol.Out) == own && m.state != protocol.MessageErased {
			all = append(all, m)
		}
	}
	return all
}

// operate applies what one side says about a message, as package store does.
func (d *disk) operate(w protocol.Write) error {
	switch r := w.(type) {
	case protocol.PutOperation:
		if _, rest, err := wire.DecodeContent(r.Content); err != nil || len(rest) > 0 {
			return fmt.Errorf("content does not parse: %w", err)
		}
		if d.operations[r.ID] != nil || d.messages[r.ID] != nil {
			return fmt.Errorf("id is taken")
		}
		if r.Direction == protocol.In {
			d.release(r.Conversation, r.Sequence, r.Wire)
			if r.Waits > 0 && d.here(r) {
				r.Waits = 0
			}
		}
		if d.keeps(r) {
			d.operations[r.ID] = &operation{r}
		}
	case protocol.EraseWaiting:
		d.eraseWaiting(r)
		d.eraseWaitingParts(r)
	case protocol.StubMessage:
		d.forgetAbout(r.Conversation, r.Message, r.Own)
		for _, old := range d.copies(r.Conversation, r.Message, r.Own) {
			m := *old
			m.state, m.code, m.text, m.Content = protocol.MessageErased, r.Code, "", nil
			if err := d.replace(&m); err != nil {
				return err
			}
		}
		if !r.Own {
			d.forgetParts(r.Conversation, r.Message)
		}
	case protocol.SetDeletion:
		old := d.messages[protocol.MessageID(r.Message)]
		if old == nil || old.Conversation != r.Conversation || old.Direction != protocol.Out || old.state != protocol.MessageErased {
			return nil
		}
		m := *old
		m.code = r.Code
		return d.replace(&m)
	}
	return nil
}

// keeps reports whether an operation counts, and erases what it takes the place of.
func (d *disk) keeps(r protocol.PutOperation) bool {
	if r.Type == wire.ContentEdit {
		return !d.dropsEdit(r)
	}
	return r.Direction == protocol.Out || d.supersede(r)
}

// forgetAbout erases what was said about a message, but for what outlives it.
func (d *disk) forgetAbout(conversation protocol.ConversationID, message [16]byte, own bool) {
	for _, id := range keysInOrder(d.operations) {
		if o := d.operations[id]; o.Conversation == conversation && o.Message == message && o.Own == own && o.About() == message {
			delete(d.operations, id)
		}
	}
}

// renumber gives an operation another sequence.
func (d *disk) renumber(r protocol.RenumberMessage) error {
	if old := d.operations[r.ID]; old != nil {
		o := *old
		o.Sequence, o.Content = r.Sequence, r.Content
		d.operations[r.ID] = &o
	}
	return nil
}

// said is an operation that was committed by its author.
type said struct {
	author *machine
	to     identity.AccountPublic
	lost   bool // the author's disk was put back to a state before it
}

// say takes note of an operation.
func (t *truth) say(m *machine, r protocol.PutOperation) {
	if r.Direction == protocol.Out {
		t.said[r.Wire] = &said{author: m, to: m.disk.contacts[m.disk.conversations[r.Conversation].Contact].Account}
	}
}

// unsaid takes note that a machine got an older disk.
func (t *truth) unsaid(m *machine, old *disk) {
	for _, o := range m.disk.operations {
		if s := t.said[o.Wire]; s != nil && s.author == m {
			s.lost = old.operations[o.ID] == nil
		}
	}
	for _, o := range old.operations {
		if s := t.said[o.Wire]; s != nil && s.author == m {
			s.lost = false
		}
	}
}

// watchStub returns the messages that a deletion by their author erases; only that one
// asks for it.
func (t *truth) watchStub(m *machine, r protocol.StubMessage) []*message {
	all := m.disk.copies(r.Conversation, r.Message, r.Own)
	for _, msg := range all {
		if l := t.letters[msg.wire]; l == nil || !l.forAll || (l.author == m) != r.Own {
			t.w.fail("%v: a message was deleted for everyone, which its author has not asked: %s", m, short(msg.text))
		}
	}
	return all
}

// deleteForAll deletes one of the last own messages for everyone.
func (w *World) deleteForAll(m *machine, c protocol.PutContact) {
	t := m.disk.threads[c.Conversation]
	msg, ok := pick(w, t[max(0, len(t)-16):])
	if !ok || msg.state == protocol.MessageErased {
		return
	}
	m.command(func(ref uint64) protocol.Input {
		return protocol.DeleteForEveryone{Ref: ref, ID: msg.ID, Conversation: msg.Conversation, Sequence: msg.Sequence, Direction: msg.Direction}
	}, func(_ any, code string) {
		if msg.Direction == protocol.In && code != protocol.CodeNotOwnMessage {
			w.fail("%v: another's message was deleted for everyone: %s", m, code)
		}
	})
}

// refuseDeletions says whether others may delete here.
func (w *World) refuseDeletions(m *machine, _ protocol.PutContact) {
	refuse := w.chance(30)
	m.command(func(ref uint64) protocol.Input { return protocol.SetDeletions{Ref: ref, Refuse: refuse} }, nil)
}

// unsettledOperations says whether something that was said about messages has not come to
// what it must.
func (w *World) unsettledOperations(m *machine, v protocol.PutConversation, other *machine) string {
	for _, id := range keysInOrder(m.disk.operations) {
		if o := m.disk.operations[id]; o.Conversation == v.ID && o.Direction == protocol.Out && !within(v.Delivered, o.Sequence) {
			return fmt.Sprintf("an operation of type %d for %v is not delivered", o.Type, other)
		}
	}
	theirs := other.contactWith(m)
	if theirs == nil || m.epoch+other.epoch > 0 || m.removed[other] || other.removed[m] {
		return ""
	}
	if mine, others := v.Timer, other.disk.conversations[theirs.Conversation].Timer; (mine == nil) != (others == nil) || mine != nil && *mine != *others {
		return fmt.Sprintf("its timer with %v is %v, and theirs %v", other, mine, others)
	}
	left := unsettledReactions(m, v.ID, other, theirs.Conversation)
	if left == "" {
		left = w.unsettledReceipts(m, v, other, other.disk.conversations[theirs.Conversation])
	}
	if left == "" {
		left = unsettledEdits(m, v, other, theirs.Conversation)
	}
	if left != "" {
		return left
	}
	for _, msg := range m.disk.threads[v.ID] {
		switch {
		case msg.Direction != protocol.Out || msg.state != protocol.MessageErased:
		case msg.code == protocol.DeletionAsked:
			return fmt.Sprintf("%v has not answered whether a message is deleted", other)
		case msg.code == protocol.DeletionConfirmed && len(other.disk.copies(theirs.Conversation, msg.wire, false)) > 0:
			return fmt.Sprintf("%v still has a message that it has deleted", other)
		}
	}
	return ""
}
