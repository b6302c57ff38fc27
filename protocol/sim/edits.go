package sim

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// edit is a new text that an author gives to a message.
type edit struct {
	author   *machine
	message  protocol.MessageID
	revision uint32
}

// newText is what an edit says.
type newText struct {
	text     string
	mentions []wire.Mention
}

// after reports whether an edit counts instead of another one.
func (o *operation) after(other *operation) bool {
	return other == nil || o.Revision > other.Revision || o.Revision == other.Revision && bytes.Compare(o.Wire[:], other.Wire[:]) > 0
}

// newestEdit returns the edit of a message that counts, nil if there is none.
func (d *disk) newestEdit(m *message) (newest *operation) {
	for _, o := range d.operations {
		if o.Type == wire.ContentEdit && o.Conversation == m.Conversation && o.Message == m.wire && o.Own == (m.Direction == protocol.Out) && o.after(newest) {
			newest = o
		}
	}
	return newest
}

// dropsEdit reports whether an edit is of a message that is gone, or lower than all of too many;
// else it makes room.
func (d *disk) dropsEdit(r protocol.PutOperation) bool {
	if len(d.copies(r.Conversation, r.Message, r.Own)) == 0 && r.Waits == 0 {
		return true
	}
	kept, lowest := 0, &operation{r}
	for _, o := range d.operations {
		if o.Type == r.Type && o.Conversation == r.Conversation && o.Message == r.Message && o.Direction == protocol.In {
			kept++
			if lowest.after(o) {
				lowest = o
			}
		}
	}
	if r.Direction != protocol.In || kept < protocol.EditsKeptMax {
		return false
	}
	delete(d.operations, lowest.ID)
	return lowest.ID == r.ID
}

// here reports whether the message that an operation of the contact's is about has come, deleted or not.
func (d *disk) here(o protocol.PutOperation) bool {
	return slices.ContainsFunc(d.threads[o.Conversation], func(m *message) bool { return m.Direction == protocol.In && m.wire == o.Message })
}

// eraseWaiting erases what waits for messages that will not come.
func (d *disk) eraseWaiting(r protocol.EraseWaiting) {
	for id, o := range d.operations {
		waits := o.Conversation == r.Conversation && o.Waits >= max(r.First, 1) && o.Waits <= r.Last
		if here := slices.ContainsFunc(d.threads[r.Conversation], func(m *message) bool { return m.wire == o.Message }); waits && !here {
			delete(d.operations, id)
		}
	}
}

// release has nothing wait any more for what came, as package store does.
func (d *disk) release(conversation protocol.ConversationID, sequence uint64, came [16]byte) {
	for id, old := range d.operations {
		switch {
		case old.Conversation != conversation || old.Waits == 0:
		case old.Message == came && !old.Own:
			o := *old
			o.Waits = 0
			d.operations[id] = &o
		case old.Waits == sequence:
			delete(d.operations, id)
		}
	}
}

// edited checks that a new text that has come is one that its author has asked for.
func (t *truth) edited(m *machine, r protocol.PutOperation) {
	if r.Type != wire.ContentEdit || r.Direction == protocol.Out {
		return
	}
	content, _, err := wire.DecodeContent(r.Content)
	author := t.accounts[m.disk.contacts[m.disk.conversations[r.Conversation].Contact].Account]
	asked := func(n newText) bool { return n.text == content.Text && slices.Equal(n.mentions, content.Mentions) }
	if err != nil || !slices.ContainsFunc(t.editing[edit{author, r.Message, r.Revision}], asked) {
		t.w.fail("%v: got an edit that nobody has asked for: %s", m, short(content.Text))
	}
}

// edit gives one of the last messages a new text, once or in a burst.
func (w *World) edit(m *machine, c protocol.PutContact) {
	t := m.disk.threads[c.Conversation]
	msg, ok := pick(w, t[max(0, len(t)-8):])
	if !ok || msg.state == protocol.MessageErased || msg.text == "" {
		return
	}
	for range 1 + w.random.IntN(3) {
		w.after(w.between(0, 10*time.Second), func() { w.editNow(m, msg) })
	}
}

func (w *World) editNow(m *machine, msg *message) {
	if !m.present() {
		return
	}
	in := protocol.EditMessage{ID: msg.ID, Conversation: msg.Conversation, Direction: msg.Direction}
	if w.chance(30) {
		in.Mentions = mentions()
	}
	m.command(func(ref uint64) protocol.Input {
		w.truth.written++
		in.Ref, in.Text = ref, fmt.Sprintf("%s edit %d", marker, w.truth.written)
		if here := m.disk.messages[msg.ID]; here != nil { // as a node looks it up
			in.Sequence, in.Revision = here.Sequence, 0
			if o := m.disk.newestEdit(here); o != nil {
				in.Revision = o.Revision
			}
		}
		return in
	}, func(_ any, code string) {
		if msg.Direction == protocol.In && code != protocol.CodeNotOwnMessage {
			w.fail("%v: another's message was edited: %s", m, code)
		}
	})
}

// unsettledEdits says whether a message that both sides have says something else on the
// other.
func unsettledEdits(m *machine, v protocol.PutConversation, other *machine, theirs protocol.ConversationID) string {
	about := make(map[[16]byte]bool)
	for _, o := range m.disk.operations {
		about[o.Message] = about[o.Message] || o.Type == wire.ContentEdit && o.Conversation == v.ID && o.Own
	}
	for _, o := range other.disk.operations {
		about[o.Message] = about[o.Message] || o.Type == wire.ContentEdit && o.Conversation == theirs && !o.Own
	}
	for _, id := range keysInOrder(about) {
		for _, msg := range m.disk.copies(v.ID, id, true) {
			ours := m.disk.newestEdit(msg)
			for _, copied := range other.disk.copies(theirs, id, false) {
				got := other.disk.newestEdit(copied)
				if (ours == nil) != (got == nil) || ours != nil && (ours.Revision != got.Revision || ours.Wire != got.Wire) {
					return fmt.Sprintf("%v has not the newest text of %s", other, short(msg.text))
				}
			}
		}
	}
	return ""
}
