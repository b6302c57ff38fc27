package store

import "pabal/protocol"

// schemaApprovals is what addApprovals adds: messages of programs that wait for the owner. Their
// content is a text, so they go with their conversation and with their token.
const schemaApprovals = `
CREATE TABLE approvals(
	id TEXT PRIMARY KEY, message TEXT NOT NULL UNIQUE, token TEXT NOT NULL, conversation INTEGER NOT NULL,
	at INTEGER NOT NULL, expires_at INTEGER NOT NULL, fingerprint BLOB NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
`

func addApprovals(c *conn) error { return c.db.Exec(schemaApprovals) }

// PutApproval is a message that waits for the owner; key ID.
type PutApproval struct {
	ID           string
	Message      string // the id that it will be sent under
	Token        string // whose program wrote it
	Conversation protocol.ConversationID
	At           int64 // Unix milliseconds, as is ExpiresAt
	ExpiresAt    int64
	Fingerprint  [16]byte // of the request, see [Store.Fingerprint]
	Content      []byte   // the daemon's own encoding
}

func (r PutApproval) put(w *writer, _ int64) error {
	key, ok := w.conversations[r.Conversation]
	if !ok {
		return nil // erased since it was asked for
	}
	return w.c.query(`INSERT INTO approvals(id, message, token, conversation, at, expires_at, fingerprint, content)
		SELECT ?1, ?2, id, ?4, ?5, ?6, ?7, ?8 FROM tokens WHERE id = ?3 ON CONFLICT DO NOTHING`).
		bindText(r.ID).bindText(r.Message).bindText(r.Token).bindInt(key).bindInt(r.At).bindInt(r.ExpiresAt).
		bindBlob(r.Fingerprint[:]).bindBlob(r.Content).run()
}

// EraseApproval forgets a message that waited: it was sent, refused, or waited too long.
type EraseApproval struct{ ID string }

func (r EraseApproval) put(w *writer, _ int64) error {
	w.scrub = true
	return w.c.query(`DELETE FROM approvals WHERE id = ?`).bindText(r.ID).run()
}

// eraseApprovalsOf forgets what a token's program wrote.
func (w *writer) eraseApprovalsOf(token string) error {
	before := w.c.db.TotalChanges()
	err := w.c.query(`DELETE FROM approvals WHERE token = ?`).bindText(token).run()
	w.scrub = w.scrub || w.c.db.TotalChanges() > before
	return err
}

// Approvals returns the messages that wait for the owner, the oldest first.
func (v *View) Approvals() ([]PutApproval, error) {
	return collect(v.c.query(`SELECT a.id, a.message, a.token, c.id, a.at, a.expires_at, a.fingerprint, a.content
		FROM approvals a JOIN conversations c ON c.key = a.conversation ORDER BY a.at, a.id`), func(q *query) PutApproval {
		a := PutApproval{ID: q.text(), Message: q.text(), Token: q.text(), Conversation: q.id(), At: q.int(), ExpiresAt: q.int()}
		q.array(a.Fingerprint[:])
		a.Content = q.blob()
		return a
	}, "read approvals")
}
