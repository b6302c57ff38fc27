package store

import (
	"pabal/protocol"
	"pabal/protocol/identity"
)

// schemaGroups is what addGroups adds. words are what members have signed beside messages, heads what is handed on of
// messages: their contents are in messages. Of a head whose message was erased the salt goes, too, by which its
// commitment could tell whether a guess at the content is right.
const schemaGroups = `
CREATE TABLE groups(conversation INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE members(
	key INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, member BLOB NOT NULL, id BLOB NOT NULL, state BLOB NOT NULL);
CREATE UNIQUE INDEX members_member ON members(conversation, member);
CREATE UNIQUE INDEX members_id ON members(id);
CREATE TABLE words(
	key INTEGER PRIMARY KEY, name BLOB NOT NULL, conversation INTEGER NOT NULL, kind INTEGER NOT NULL, member BLOB NOT NULL, bytes BLOB NOT NULL);
CREATE UNIQUE INDEX words_name ON words(name);
CREATE INDEX words_member ON words(conversation, kind, member);
CREATE TABLE heads(
	key INTEGER PRIMARY KEY, name BLOB NOT NULL, conversation INTEGER NOT NULL, member BLOB NOT NULL, number INTEGER NOT NULL,
	expires INTEGER NOT NULL, bytes BLOB NOT NULL, salt BLOB, message INTEGER);
CREATE UNIQUE INDEX heads_name ON heads(name);
CREATE INDEX heads_member ON heads(conversation, member, number);
CREATE INDEX heads_message ON heads(message) WHERE message IS NOT NULL;
CREATE INDEX heads_expired ON heads(expires) WHERE message IS NULL AND expires > 0;
ALTER TABLE messages ADD COLUMN sender BLOB;
`

func addGroups(c *conn) error { return c.db.Exec(schemaGroups) }

// The heads that belong to nothing, or keep what they must not.
const strayHeads = `(message IS NOT NULL AND message NOT IN (SELECT seq FROM messages WHERE state <> 'deleted') OR message IS NULL AND salt IS NOT NULL)`

func (w *writer) putGroup(r *protocol.PutGroup) error {
	conversation, err := w.conversation(r.Conversation)
	if err != nil {
		return err
	}
	return w.c.query(`INSERT INTO groups(conversation, state) VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state`).
		bindInt(conversation).bindBlob(r.State).run()
}

func (w *writer) putMember(r *protocol.PutMember) error {
	conversation, err := w.conversation(r.Conversation)
	if err != nil {
		return err
	}
	return w.c.query(`INSERT INTO members(conversation, member, id, state) VALUES (?, ?, ?, ?)
		ON CONFLICT (conversation, member) DO UPDATE SET state = excluded.state`).
		bindInt(conversation).bindBlob(r.Key[:]).bindBlob(r.ID[:]).bindBlob(r.State).run()
}

func (w *writer) putShared(r *protocol.PutShared) error {
	conversation, err := w.conversation(r.Conversation)
	if err != nil {
		return err
	}
	if r.Kind == protocol.SharedMessage {
		return w.putHead(conversation, r)
	}
	if r.Kind != protocol.SharedOperation { // the last one of each member counts
		err := w.c.query(`DELETE FROM words WHERE conversation = ? AND kind = ? AND member = ?`).
			bindInt(conversation).bindInt(int64(r.Kind)).bindBlob(r.Member[:]).run()
		if err != nil {
			return err
		}
	}
	return w.c.query(`INSERT INTO words(name, conversation, kind, member, bytes) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`).
		bindBlob(r.Name[:]).bindInt(conversation).bindInt(int64(r.Kind)).bindBlob(r.Member[:]).bindBlob(r.Bytes).run()
}

// putHead keeps what is handed on of a message. If its content is not here, or not any more, nothing of it is kept
// by which a guess could be tested.
func (w *writer) putHead(conversation int64, r *protocol.PutShared) error {
	q := w.c.query(`INSERT INTO heads(name, conversation, member, number, expires, bytes, salt, message) VALUES (?, ?, ?, ?, ?, ?,
		CASE WHEN EXISTS (SELECT 1 FROM messages WHERE id = ?8) THEN ?7 END, (SELECT seq FROM messages WHERE id = ?8))
		ON CONFLICT (name) DO UPDATE SET salt = excluded.salt, message = excluded.message WHERE excluded.message IS NOT NULL`)
	q.bindBlob(r.Name[:]).bindInt(conversation).bindBlob(r.Member[:]).bindUint(r.Sequence).bindInt(r.Expires).bindBlob(r.Bytes)
	return q.bindBlob(r.Salt[:]).bindBlob(r.Message[:]).run()
}

// bareHead leaves of what is handed on of a message what does not tell what it said.
func (w *writer) bareHead(seq int64) error {
	return w.c.query(`UPDATE heads SET salt = NULL, message = NULL WHERE message = ?`).bindInt(seq).run()
}

// trimHeads erases heads of which every copy has gone by now.
func (w *writer) trimHeads(now int64) error {
	return w.c.query(`DELETE FROM heads WHERE key IN (SELECT key FROM heads WHERE message IS NULL AND expires > 0 AND expires < ? LIMIT ?)`).
		bindInt(now).bindInt(trimStepMax).run()
}

func (v *View) groups() ([]protocol.PutGroup, error) {
	return collect(v.c.query(`SELECT c.id, g.state FROM groups g JOIN conversations c ON c.key = g.conversation ORDER BY c.key`),
		func(q *query) protocol.PutGroup { return protocol.PutGroup{Conversation: q.id(), State: q.blob()} }, "read groups")
}

func (v *View) members() ([]protocol.PutMember, error) {
	return collect(v.c.query(`SELECT c.id, who.member, who.id, who.state FROM members who JOIN conversations c ON c.key = who.conversation ORDER BY who.key`),
		func(q *query) protocol.PutMember {
			r := protocol.PutMember{Conversation: q.id()}
			q.array(r.Key[:])
			r.ID, r.State = q.id(), q.blob()
			return r
		}, "read members")
}

// words returns what members have signed, but for messages, in the order in which it came.
func (v *View) words() ([]protocol.PutShared, error) {
	return collect(v.c.query(`SELECT w.name, c.id, w.kind, w.member, w.bytes FROM words w JOIN conversations c ON c.key = w.conversation ORDER BY w.key`),
		func(q *query) protocol.PutShared {
			r := protocol.PutShared{Name: q.id(), Conversation: q.id(), Kind: protocol.SharedKind(q.int())}
			q.array(r.Member[:])
			r.Bytes = q.blob()
			return r
		}, "read words")
}

// shared returns what is handed on by a name, as it travels; nil if it is not here.
func (v *View) shared(name [16]byte) (whole []byte, err error) {
	q := v.c.query(`SELECT kind, bytes, NULL, NULL FROM words WHERE name = ?1
		UNION ALL SELECT ?2, h.bytes, h.salt, m.content FROM heads h JOIN messages m ON m.seq = h.message WHERE h.name = ?1`)
	q.bindBlob(name[:]).bindInt(int64(protocol.SharedMessage))
	if q.next() {
		row := protocol.PutShared{Kind: protocol.SharedKind(q.int()), Bytes: q.blob()}
		q.array(row.Salt[:])
		whole = protocol.SharedContent(row, q.blob())
	}
	return whole, q.done()
}

// Shared returns which messages first..last of a member of a group lie here, or what is left of them. It is what a job
// FetchShared asks for.
func (v *View) Shared(id protocol.ConversationID, member identity.MemberKey, first, last uint64) ([]protocol.SharedItem, error) {
	return collect(v.c.query(`SELECT h.bytes, h.message IS NULL, coalesce(length(m.content), 0) FROM heads h LEFT JOIN messages m ON m.seq = h.message
		WHERE h.conversation = (SELECT key FROM conversations WHERE id = ?) AND h.member = ? AND h.number BETWEEN ? AND ? ORDER BY h.number LIMIT ?`).
		bindBlob(id[:]).bindBlob(member[:]).bindUint(first).bindUint(last).bindInt(PageMax),
		func(q *query) protocol.SharedItem {
			item := protocol.SharedItem{Bytes: q.blob(), Gone: q.int() != 0}
			item.SizeBytes = len(item.Bytes) + int(q.int()) + sharedFraming
			return item
		}, "read heads")
}

// sharedFraming is about what a message in a group has beside its head and content, as it travels.
const sharedFraming = 32
