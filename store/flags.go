package store

import "pabal/protocol"

// Flag is something that the user set of a conversation for themselves: no other
// side hears that it is set. The numbers are in the database.
type Flag int

// The flags of a conversation. One that has no row is 0.
const (
	FlagMuted    Flag = 1 // until this time, Unix milliseconds
	FlagArchived Flag = 2
	FlagPinned   Flag = 3
	FlagUnread   Flag = 4 // marked as unread, whatever was read
	FlagReceipts Flag = 5 // the contact hears up to where the user has read
	FlagTyping   Flag = 6 // the contact hears when the user writes to it
	FlagPresence Flag = 7 // the contact hears when the user is here
	FlagExported Flag = 8 // when it was last written to a file, Unix milliseconds
)

// Mark is something that the user set of a message for themselves.
type Mark int

// The marks of a message.
const (
	MarkPin  Mark = 1 // at hand in its conversation
	MarkStar Mark = 2 // at hand among all
)

// schemaFlags is what addFlags adds: what the user sets for themselves. A row of marks
// goes with its message, the others with their conversation.
const schemaFlags = `
CREATE TABLE flags(
	conversation INTEGER NOT NULL, flag INTEGER NOT NULL, value INTEGER NOT NULL,
	PRIMARY KEY (conversation, flag)) WITHOUT ROWID;
CREATE TABLE drafts(conversation INTEGER PRIMARY KEY, at INTEGER NOT NULL, reply_to BLOB, text TEXT NOT NULL);
CREATE TABLE marks(
	mark INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (mark, message)) WITHOUT ROWID;
CREATE INDEX marks_message ON marks(message);
`

func addFlags(c *conn) error { return c.db.Exec(schemaFlags) }

// SetFlag sets a flag of a conversation; 0 takes it back.
type SetFlag struct {
	Conversation protocol.ConversationID
	Flag         Flag
	Value        int64
}

func (r SetFlag) put(w *writer, _ int64) error {
	key, ok := w.conversations[r.Conversation]
	if !ok {
		return nil // erased since it was asked for
	}
	if r.Value == 0 {
		return w.c.query(`DELETE FROM flags WHERE conversation = ? AND flag = ?`).bindInt(key).bindInt(int64(r.Flag)).run()
	}
	return w.c.query(`INSERT INTO flags(conversation, flag, value) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET value = excluded.value`).bindInt(key).bindInt(int64(r.Flag)).bindInt(r.Value).run()
}

// SetMark sets a mark of a message or takes it back.
type SetMark struct {
	Message protocol.MessageID
	Mark    Mark
	On      bool
}

func (r SetMark) put(w *writer, _ int64) error {
	sql := `DELETE FROM marks WHERE mark = ? AND message = (SELECT seq FROM messages WHERE id = ?)`
	if r.On {
		sql = `INSERT INTO marks(mark, message) SELECT ?, seq FROM messages WHERE id = ? ON CONFLICT DO NOTHING`
	}
	return w.c.query(sql).bindInt(int64(r.Mark)).bindBlob(r.Message[:]).run()
}

// PutDraft keeps what the user has begun to write in a conversation; key
// Conversation.
type PutDraft struct {
	Conversation protocol.ConversationID
	At           int64              // Unix milliseconds
	ReplyTo      protocol.MessageID // zero = none
	Text         string
}

func (r PutDraft) put(w *writer, _ int64) error {
	key, ok := w.conversations[r.Conversation]
	if !ok {
		return nil
	}
	return w.c.query(`INSERT INTO drafts(conversation, at, reply_to, text) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET at = excluded.at, reply_to = excluded.reply_to, text = excluded.text`).
		bindInt(key).bindInt(r.At).bindID(r.ReplyTo).bindText(r.Text).run()
}

// EraseDraft removes a draft. If it was Sent, it is removed only if its text is
// that of the message, which then holds it: there is nothing to scrub.
type EraseDraft struct {
	Conversation protocol.ConversationID
	Sent         string
}

func (r EraseDraft) put(w *writer, _ int64) error {
	key := w.conversations[r.Conversation]
	if r.Sent != "" {
		return w.c.query(`DELETE FROM drafts WHERE conversation = ? AND text = ?`).bindInt(key).bindText(r.Sent).run()
	}
	w.scrub = true
	return w.c.query(`DELETE FROM drafts WHERE conversation = ?`).bindInt(key).run()
}

// eraseFlags removes what the user set of a conversation, but for the marks of its
// messages.
func (w *writer) eraseFlags(conversation int64) error {
	for _, sql := range []string{
		`DELETE FROM flags WHERE conversation = ?`,
		`DELETE FROM drafts WHERE conversation = ?`,
		`DELETE FROM approvals WHERE conversation = ?`,
		`DELETE FROM marks WHERE message IN (SELECT seq FROM messages WHERE conversation = ?)`,
	} {
		if err := w.c.query(sql).bindInt(conversation).run(); err != nil {
			return err
		}
	}
	return nil
}

// eraseMarks removes the marks of a message.
func (w *writer) eraseMarks(seq int64) error {
	return w.c.query(`DELETE FROM marks WHERE message = ?`).bindInt(seq).run()
}

// Flags returns the flags of a conversation that are set.
func (v *View) Flags(id protocol.ConversationID) (map[Flag]int64, error) {
	flags := make(map[Flag]int64)
	q := v.c.query(`SELECT flag, value FROM flags WHERE conversation = (SELECT key FROM conversations WHERE id = ?)`).bindBlob(id[:])
	for q.next() {
		flag := Flag(q.int())
		flags[flag] = q.int()
	}
	return flags, dbError("read flags", q.done())
}

// Flagged returns the contacts of the conversations in which a flag is set.
func (v *View) Flagged(flag Flag) ([]protocol.ContactID, error) {
	return collect(v.c.query(`SELECT c.contact FROM flags f JOIN conversations c ON c.key = f.conversation
		WHERE f.flag = ? AND f.value <> 0`).bindInt(int64(flag)), func(q *query) protocol.ContactID { return q.id() }, "read flagged conversations")
}

// Draft returns the draft of a conversation, or ErrNotFound.
func (v *View) Draft(id protocol.ConversationID) (PutDraft, error) {
	d := PutDraft{Conversation: id}
	q := v.c.query(`SELECT at, reply_to, text FROM drafts WHERE conversation = (SELECT key FROM conversations WHERE id = ?)`).bindBlob(id[:])
	found := q.next()
	if found {
		d.At, d.ReplyTo, d.Text = q.int(), q.id(), q.text()
	}
	return d, v.one(found, q.done(), "read draft")
}

// Marks returns the marks of a message.
func (v *View) Marks(id protocol.MessageID) (map[Mark]bool, error) {
	marks := make(map[Mark]bool)
	q := v.c.query(`SELECT mark FROM marks WHERE message = (SELECT seq FROM messages WHERE id = ?)`).bindBlob(id[:])
	for q.next() {
		marks[Mark(q.int())] = true
	}
	return marks, dbError("read marks", q.done())
}

// MarkedQuery lists messages with a mark.
type MarkedQuery struct {
	Mark          Mark
	Conversations []protocol.ConversationID // only in these; none = all
	Before        protocol.MessageID        // only what came before it: the last of the page before
	Limit         int
}

// Marked returns messages with a mark, the newest first. If the message Before is
// gone, the error is ErrNotFound.
func (v *View) Marked(mq MarkedQuery) ([]Message, error) {
	before, err := v.arrival(mq.Before)
	if err != nil {
		return nil, err
	}
	keys, err := v.conversationKeys(mq.Conversations)
	if err != nil || len(keys) == 0 && len(mq.Conversations) > 0 {
		return nil, err
	}
	return collect(v.c.query(`SELECT `+messageColumns+` FROM marks k CROSS JOIN messages m ON m.seq = k.message
		JOIN conversations c ON c.key = m.conversation
		WHERE k.mark = ? AND k.message < ?`+inConversations(keys)+` ORDER BY k.message DESC LIMIT ?`).
		bindInt(int64(mq.Mark)).bindInt(before).bindInt(int64(mq.Limit)), scanMessage, "read marked messages")
}
