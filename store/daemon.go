package store

import "pabal/protocol"

// PutIdempotency remembers how a request with an idempotency key ended; key
// (Actor, Key). It holds no body: Ref names what the request made, and the
// answer is rebuilt from that.
type PutIdempotency struct {
	Actor, Key  string
	Fingerprint [16]byte // of the request, see [Store.Fingerprint]
	Status      int      // the HTTP status
	Ref         string
}

func (r PutIdempotency) put(w *writer, now int64) error {
	return w.c.query(`INSERT INTO idempotency(actor, key, fingerprint, status, ref, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`).
		bindText(r.Actor).bindText(r.Key).bindBlob(r.Fingerprint[:]).bindInt(int64(r.Status)).bindText(r.Ref).
		bindInt(now).run()
}

// PutToken is an API token; key ID, which is public. The secret is kept hashed.
type PutToken struct {
	ID        string
	Hash      [32]byte
	CreatedAt int64 // Unix milliseconds, as are the others
	ExpiresAt int64 // 0 = never
	UsedAt    int64
	Detail    []byte // the daemon's own encoding: name, scopes, constraints
}

func (r PutToken) put(w *writer, _ int64) error {
	return w.c.query(`INSERT INTO tokens(id, hash, created_at, expires_at, used_at, detail) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET hash = excluded.hash, created_at = excluded.created_at,
		expires_at = excluded.expires_at, used_at = excluded.used_at, detail = excluded.detail`).
		bindText(r.ID).bindBlob(r.Hash[:]).bindInt(r.CreatedAt).bindInt(r.ExpiresAt).bindInt(r.UsedAt).
		bindBlob(r.Detail).run()
}

// EraseToken revokes a token, and forgets its consumers and what of it waits for the owner.
type EraseToken struct{ ID string }

func (r EraseToken) put(w *writer, _ int64) error {
	if err := w.c.query(`DELETE FROM consumers WHERE owner = ?`).bindText(r.ID).run(); err != nil {
		return err
	}
	if err := w.eraseApprovalsOf(r.ID); err != nil {
		return err
	}
	return w.c.query(`DELETE FROM tokens WHERE id = ?`).bindText(r.ID).run()
}

// PutSetting keeps a value of the daemon's; key Name.
type PutSetting struct {
	Name  string
	Value []byte
}

func (r PutSetting) put(w *writer, _ int64) error {
	return w.c.query(`INSERT INTO settings(name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`).
		bindText(r.Name).bindBlob(r.Value).run()
}

// EraseSetting removes a value.
type EraseSetting struct{ Name string }

func (r EraseSetting) put(w *writer, _ int64) error {
	w.scrub = true
	return w.c.query(`DELETE FROM settings WHERE name = ?`).bindText(r.Name).run()
}

// Idempotency returns how the request with this key ended, or ErrNotFound.
func (v *View) Idempotency(actor, key string) (PutIdempotency, error) {
	r := PutIdempotency{Actor: actor, Key: key}
	q := v.c.query(`SELECT fingerprint, status, ref FROM idempotency WHERE actor = ? AND key = ?`).
		bindText(actor).bindText(key)
	found := q.next()
	if found {
		q.array(r.Fingerprint[:])
		r.Status, r.Ref = int(q.int()), q.text()
	}
	return r, v.one(found, q.done(), "read idempotency key")
}

const selectToken = `SELECT id, hash, created_at, expires_at, used_at, detail FROM tokens`

// Token returns the token with a public id, or ErrNotFound.
func (v *View) Token(id string) (PutToken, error) {
	var t PutToken
	q := v.c.query(selectToken + ` WHERE id = ?`).bindText(id)
	found := q.next()
	if found {
		t = scanToken(q)
	}
	return t, v.one(found, q.done(), "read token")
}

// Tokens returns all tokens in the order they were made.
func (v *View) Tokens() ([]PutToken, error) {
	return collect(v.c.query(selectToken+` ORDER BY created_at, id`), scanToken, "read tokens")
}

func scanToken(q *query) PutToken {
	t := PutToken{ID: q.text()}
	q.array(t.Hash[:])
	t.CreatedAt, t.ExpiresAt, t.UsedAt, t.Detail = q.int(), q.int(), q.int(), q.blob()
	return t
}

// Setting returns a value, or ErrNotFound.
func (v *View) Setting(name string) ([]byte, error) {
	var value []byte
	q := v.c.query(`SELECT value FROM settings WHERE name = ?`).bindText(name)
	found := q.next()
	if found {
		value = q.blob()
	}
	return value, v.one(found, q.done(), "read setting")
}

// Settings returns all values by name.
func (v *View) Settings() ([]PutSetting, error) {
	return collect(v.c.query(`SELECT name, value FROM settings ORDER BY name`), func(q *query) PutSetting {
		return PutSetting{Name: q.text(), Value: q.blob()}
	}, "read settings")
}

// Tombstone reports whether a message was deleted here whose author's id has this HMAC.
func (v *View) Tombstone(mac [16]byte) (bool, error) {
	return v.c.buried(mac)
}

func (c *conn) buried(mac [16]byte) (bool, error) {
	q := c.query(`SELECT 1 FROM tombstones WHERE mac = ?`).bindBlob(mac[:])
	found := q.next()
	return found, dbError("read tombstone", q.done())
}

// Tombstones returns all tombstones.
func (v *View) Tombstones() ([]protocol.PutTombstone, error) {
	return collect(v.c.query(`SELECT mac, at FROM tombstones`), func(q *query) (t protocol.PutTombstone) {
		q.array(t.MAC[:])
		t.At = q.int()
		return t
	}, "read tombstones")
}
