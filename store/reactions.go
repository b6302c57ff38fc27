package store

import "pabal/protocol"

// supersede erases what an operation of a contact's takes the place of. It returns false if
// it does not count itself: its message is gone, or something later is known.
func (w *writer) supersede(conversation int64, o *protocol.PutOperation) (counts bool, err error) {
	q := byAuthor(w.c, `SELECT 1 FROM messages`, conversation, o.Message, o.Own)
	there := q.next()
	if err := q.done(); err != nil || !there && o.Waits == 0 {
		return false, err
	}
	reaction, ok := protocol.ReadReaction(o)
	if !ok {
		return true, nil
	}
	before, err := reactions(w.c, o.Conversation, o.Message, o.Own)
	if err != nil {
		return false, err
	}
	for _, b := range before {
		switch {
		case b.In != (o.Direction == protocol.In):
		case !reaction.After(&b.Reaction):
			return false, nil
		default:
			if err := w.c.query(`DELETE FROM operations WHERE id = ?`).bindBlob(b.ID[:]).run(); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// Reaction is what one side has said about a message with emojis.
type Reaction struct {
	protocol.Reaction
	In bool // of the contact
}

// reactions reads what is said about a message of one side, by its author's id.
func reactions(c *conn, conversation protocol.ConversationID, message [16]byte, own bool) ([]Reaction, error) {
	rows, err := collect(c.query(`SELECT m.id, m.wire, m.direction, m.sequence, m.content FROM operations m`+ofConversation+`
		AND m.message = ? AND m.own = ? AND m.type = 4`).bindBlob(conversation[:]).bindBlob(message[:]).bindBool(own),
		func(q *query) protocol.PutOperation {
			return protocol.PutOperation{ID: q.id(), Wire: q.id(), Direction: protocol.Direction(q.int()), Sequence: q.uint(), Content: q.blob()}
		}, "read reactions")
	var all []Reaction
	for i := range rows {
		if r, ok := protocol.ReadReaction(&rows[i]); ok {
			all = append(all, Reaction{Reaction: r, In: rows[i].Direction == protocol.In})
		}
	}
	return all, err
}

// Reactions returns what both sides say about a message, at most one reaction of each.
func (v *View) Reactions(m *Message) ([]Reaction, error) {
	id := m.Wire
	if m.Direction == protocol.Out {
		id = m.ID
	}
	return reactions(v.c, m.Conversation, id, m.Direction == protocol.Out)
}
