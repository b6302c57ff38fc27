package store

import (
	"cmp"
	"slices"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// schemaOperations is what addOperations adds: what is said about messages (spec, "Operations"). wire is
// the author's id of an incoming message; ours are known to others by their own id. A row
// of operations is about the message of its conversation that has this id, one of ours if
// own is set.
const schemaOperations = `
ALTER TABLE messages ADD COLUMN wire BLOB;
ALTER TABLE messages ADD COLUMN deleted_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_wire ON messages(conversation, wire) WHERE wire IS NOT NULL;
CREATE TABLE operations(
	key INTEGER PRIMARY KEY, id BLOB NOT NULL, wire BLOB NOT NULL, conversation INTEGER NOT NULL, direction INTEGER NOT NULL,
	sequence INTEGER NOT NULL, type INTEGER NOT NULL, message BLOB NOT NULL, own INTEGER NOT NULL, at INTEGER NOT NULL,
	content BLOB NOT NULL);
CREATE UNIQUE INDEX operations_id ON operations(id);
CREATE INDEX operations_sequence ON operations(conversation, direction, sequence);
CREATE INDEX operations_message ON operations(conversation, message, own);
`

// addOperations also notes the authors' ids of the messages that are there.
func addOperations(c *conn) error {
	if err := c.db.Exec(schemaOperations); err != nil {
		return err
	}
	for seq := int64(-1); ; {
		type message struct {
			seq     int64
			content []byte
		}
		batch, err := collect(c.query(`SELECT seq, content FROM messages WHERE seq > ? AND direction = 1 ORDER BY seq LIMIT ?`).
			bindInt(seq).bindInt(PageMax), func(q *query) message { return message{q.int(), q.blob()} }, "read messages")
		if err != nil || len(batch) == 0 {
			return err
		}
		for _, m := range batch {
			seq = m.seq
			content, _, err := wire.DecodeContent(m.content)
			if err != nil {
				continue // nothing can be about it
			}
			if err := c.query(`UPDATE messages SET wire = ? WHERE seq = ?`).bindID(content.ID).bindInt(m.seq).run(); err != nil {
				return err
			}
		}
	}
}

// outlives are the operations that must arrive although the message is gone.
const outlives = `(6, 7)`

func (w *writer) putOperation(o *protocol.PutOperation) error {
	conversation, err := w.conversation(o.Conversation)
	if err == nil && o.Direction == protocol.In { // no message has its sequence
		if err = w.release(conversation, o.Sequence, o.Wire); err == nil {
			err = w.releaseParts(conversation, o.Sequence, o.Wire)
		}
	}
	if err != nil {
		return err
	}
	if o.Waits > 0 { // the contact says which sequence its message has; it may have come under another one
		here, err := w.here(conversation, o.Message)
		if err != nil {
			return err
		}
		if here {
			waitsNot := *o
			waitsNot.Waits = 0
			o = &waitsNot
		}
	}
	switch {
	case o.Type == wire.ContentEdit:
		return w.putEdit(conversation, o)
	case o.Direction == protocol.In:
		if counts, err := w.supersede(conversation, o); err != nil || !counts {
			return err
		}
	}
	return w.insertOperation(conversation, o)
}

func (w *writer) insertOperation(conversation int64, o *protocol.PutOperation) error {
	q := w.c.query(`INSERT INTO operations(id, wire, conversation, direction, sequence, type, message, own, at, content, revision, waits)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`)
	q.bindBlob(o.ID[:]).bindBlob(o.Wire[:]).bindInt(conversation).bindInt(int64(o.Direction)).bindUint(o.Sequence)
	q.bindInt(int64(o.Type)).bindBlob(o.Message[:]).bindBool(o.Own).bindInt(o.At).bindBlob(o.Content)
	if err := q.bindInt(int64(o.Revision)).bindUint(o.Waits).run(); err != nil || o.Waits == 0 {
		return err
	}
	return w.limitWaiting(conversation)
}

// renumber gives a message or an operation of ours another sequence.
func (w *writer) renumber(r *protocol.RenumberMessage) error {
	for _, sql := range []string{
		`UPDATE messages SET sequence = ?, content = ? WHERE id = ?`,
		`UPDATE operations SET sequence = ?, content = ? WHERE id = ?`,
	} {
		if err := w.c.query(sql).bindUint(r.Sequence).bindBlob(r.Content).bindBlob(r.ID[:]).run(); err != nil {
			return err
		}
	}
	return nil
}

// eraseAbout erases what was said about a message, but for what outlives it.
func (w *writer) eraseAbout(conversation int64, message [16]byte, own bool) error {
	return w.c.query(`DELETE FROM operations WHERE conversation = ? AND message = ? AND own = ? AND type NOT IN ` + outlives).
		bindInt(conversation).bindBlob(message[:]).bindBool(own).run()
}

// eraseAboutLast erases what was said about a message that goes, unless the author sent it
// again: then it is about the other one, too, which is shown and indexed by it.
func (w *writer) eraseAboutLast(seq, conversation int64, message [16]byte, own bool) error {
	all, err := collect(byAuthor(w.c, selectTexts, conversation, message, own), scanText, "read messages")
	if err != nil || slices.ContainsFunc(all, func(m shownText) bool { return m.seq != seq }) {
		return err
	}
	return w.eraseAbout(conversation, message, own)
}

// stubMessage empties a message. What an author sent again that had lost its state may be
// here twice, and goes everywhere.
func (w *writer) stubMessage(r *protocol.StubMessage) error {
	conversation, err := w.conversation(r.Conversation)
	if err != nil {
		return err
	}
	all, err := collect(byAuthor(w.c, selectIndexed, conversation, r.Message, r.Own), scanText, "read messages")
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := w.unindex(m); err != nil {
			return err
		}
		for _, erase := range []func(int64) error{w.eraseAttachments, w.eraseMarks, w.countRead, w.bareHead} {
			if err := erase(m.seq); err != nil {
				return err
			}
		}
		err := w.c.query(`UPDATE messages SET content = x'', state = 'deleted', code = ?, deleted_at = ? WHERE seq = ?`).
			bindText(r.Code).bindInt(r.At).bindInt(m.seq).run()
		if err != nil {
			return err
		}
	}
	err = w.eraseAbout(conversation, r.Message, r.Own)
	w.scrub = w.scrub || len(all) > 0 || w.c.db.Changes() > 0 // what has waited for it goes, too
	if err != nil {
		return err
	}
	return w.dropParts()
}

// byAuthor selects the messages of one side that have an id of their author's and are no
// stubs.
func byAuthor(c *conn, selects string, conversation int64, id [16]byte, own bool) *query {
	where := ` WHERE conversation = ? AND wire = ? AND state <> 'deleted'`
	if own {
		where = ` WHERE conversation = ? AND id = ? AND direction = 0 AND state <> 'deleted'`
	}
	return c.query(selects + where).bindInt(conversation).bindBlob(id[:])
}

func (w *writer) setDeletion(r *protocol.SetDeletion) error {
	return w.c.query(`UPDATE messages SET code = ? WHERE id = ? AND conversation = ? AND direction = 0 AND state = 'deleted'`).
		bindText(r.Code).bindBlob(r.Message[:]).bindInt(w.conversations[r.Conversation]).run()
}

// named returns our id of a message that an event knows by its author's, of either side;
// zero if there is none, or if it is said to be deleted and is not.
func (w *writer) named(e *protocol.Event) (id [16]byte, err error) {
	q := w.c.query(`SELECT id FROM messages WHERE conversation = ?1 AND wire = ?2 AND (state = 'deleted' OR ?3)
		UNION ALL SELECT id FROM messages WHERE id = ?2 AND conversation = ?1 AND direction = 0 AND (state = 'deleted' OR ?3) LIMIT 1`).
		bindInt(w.conversations[e.Conversation]).bindBlob(e.Message[:]).bindBool(e.Type != protocol.MessageDeleted)
	if q.next() {
		id = q.id()
	}
	return id, q.done()
}

// waitingOperations returns our operations that no envelope holds.
func (v *View) waitingOperations() ([]protocol.Waiting, error) {
	return collect(v.c.query(`SELECT m.id, c.id, m.sequence, length(m.content), CASE WHEN m.type IN `+outlives+` THEN m.id ELSE m.message END
		FROM conversations c CROSS JOIN operations m ON m.conversation = c.key AND m.direction = 0 AND m.sequence > c.sealed_up_to
		ORDER BY c.key, m.sequence`), func(q *query) protocol.Waiting {
		return protocol.Waiting{ID: q.id(), Conversation: q.id(), Sequence: q.uint(), SizeBytes: int(q.int()), About: q.id()}
	}, "read waiting operations")
}

// Sequences returns what the history still has of our messages and operations first..last,
// by sequence and at most PageMax: what a job FetchSequences asks for.
func (v *View) Sequences(id protocol.ConversationID, first, last uint64) ([]protocol.Waiting, error) {
	var all []protocol.Waiting
	for _, sql := range []string{
		`SELECT m.id, m.sequence, length(m.content), NULL FROM messages m` + ofConversation +
			` AND m.direction = 0 AND m.sequence BETWEEN ? AND ? AND m.state = '' ORDER BY m.sequence LIMIT ?`,
		`SELECT m.id, m.sequence, length(m.content), CASE WHEN m.type IN ` + outlives + ` THEN m.id ELSE m.message END FROM operations m` +
			ofConversation + ` AND m.direction = 0 AND m.sequence BETWEEN ? AND ? ORDER BY m.sequence LIMIT ?`,
	} {
		q := v.c.query(sql).bindBlob(id[:]).bindUint(first).bindUint(last).bindInt(PageMax)
		part, err := collect(q, func(q *query) protocol.Waiting {
			return protocol.Waiting{ID: q.id(), Conversation: id, Sequence: q.uint(), SizeBytes: int(q.int()), About: q.id()}
		}, "read own sequences")
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	slices.SortFunc(all, func(a, b protocol.Waiting) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return all[:min(len(all), PageMax)], nil
}

// Quoted returns the message that another one of its conversation names, or ErrNotFound if
// it is gone. own says that it is one of ours.
func (v *View) Quoted(conversation protocol.ConversationID, id [16]byte, own bool) (Message, error) {
	where := ofConversation + ` AND m.wire = ? ORDER BY m.seq DESC LIMIT 1`
	if own {
		where = ofConversation + ` AND m.id = ? AND m.direction = 0`
	}
	return v.message(v.c.query(selectMessage + where).bindBlob(conversation[:]).bindBlob(id[:]))
}
