package store

// schemaWebhooks is what addWebhooks adds: programs on this machine that are told of events. The
// place of each in the log is a row of consumers, whose owner it is.
const schemaWebhooks = `
CREATE TABLE webhooks(id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, detail BLOB NOT NULL) WITHOUT ROWID;
`

func addWebhooks(c *conn) error { return c.db.Exec(schemaWebhooks) }

// PutWebhook is a webhook; key ID.
type PutWebhook struct {
	ID        string
	CreatedAt int64  // Unix milliseconds
	Detail    []byte // JSON of the daemon's: address, rights, secret, how it goes; a move sets disabled_at in it
}

func (r PutWebhook) put(w *writer, _ int64) error {
	return w.c.query(`INSERT INTO webhooks(id, created_at, detail) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET detail = excluded.detail`).
		bindText(r.ID).bindInt(r.CreatedAt).bindBlob(r.Detail).run()
}

// UpdateWebhook changes how a webhook goes, and moves its place in the log; one that was erased
// since stays so.
type UpdateWebhook struct {
	ID     string
	Detail []byte
	Cursor Cursor
}

func (r UpdateWebhook) put(w *writer, now int64) error {
	if err := w.c.query(`UPDATE webhooks SET detail = ? WHERE id = ?`).bindBlob(r.Detail).bindText(r.ID).run(); err != nil {
		return err
	}
	if w.c.db.Changes() == 0 {
		return nil
	}
	return PutConsumer{Name: r.ID, Owner: r.ID, Cursor: r.Cursor}.put(w, now)
}

// disableWebhooks disables all webhooks, for whoever listens on their ports on another machine is
// not whom the owner meant.
func disableWebhooks(c *conn, now int64) error {
	return c.query(`UPDATE webhooks SET detail = CAST(json_set(CAST(detail AS TEXT), '$.disabled_at', ?) AS BLOB)`).bindInt(now).run()
}

// EraseWebhook forgets a webhook, its secret and its place in the log.
type EraseWebhook struct{ ID string }

func (r EraseWebhook) put(w *writer, _ int64) error {
	w.scrub = true
	if err := w.c.query(`DELETE FROM consumers WHERE owner = ?`).bindText(r.ID).run(); err != nil {
		return err
	}
	return w.c.query(`DELETE FROM webhooks WHERE id = ?`).bindText(r.ID).run()
}

// Webhooks returns all webhooks in the order they were made.
func (v *View) Webhooks() ([]PutWebhook, error) {
	return collect(v.c.query(`SELECT id, created_at, detail FROM webhooks ORDER BY created_at, id`), func(q *query) PutWebhook {
		return PutWebhook{ID: q.text(), CreatedAt: q.int(), Detail: q.blob()}
	}, "read webhooks")
}
