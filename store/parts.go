package store

import (
	"pabal/protocol"
	"pabal/protocol/wire"
)

// schemaParts is what addParts adds: parts of small files that have come by courier, sealed under
// the keys of the files, until these are whole. waits is the sequence of the message if that has
// not come, 0 if it is here.
const schemaParts = `
CREATE TABLE parts(
	key INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, message BLOB NOT NULL, item INTEGER NOT NULL, idx INTEGER NOT NULL,
	waits INTEGER NOT NULL, at INTEGER NOT NULL, sealed BLOB NOT NULL);
CREATE UNIQUE INDEX parts_place ON parts(conversation, message, item, idx);
`

func addParts(c *conn) error { return c.db.Exec(schemaParts) }

// ofPart joins a part p with its file f, by the message m that has it.
const ofPart = `messages m JOIN attachments a ON a.message = m.seq JOIN files f ON f.key = a.file`

// strayParts is the condition that a part p waits for no message and belongs to no file that is
// to come.
const strayParts = `p.waits = 0 AND NOT EXISTS (SELECT 1 FROM ` + ofPart + `
	WHERE f.state = 'remote' AND f.wanted = 1 AND m.conversation = p.conversation AND m.wire = p.message AND a.item = p.item)`

// putPart keeps a part, unless no file can need it.
func (w *writer) putPart(r *protocol.PutPart) error {
	conversation, err := w.conversation(r.Conversation)
	if err != nil {
		return err
	}
	here, err := w.here(conversation, r.Message)
	if err != nil {
		return err
	}
	waits := r.Waits
	if here {
		waits = 0
		if fits, err := w.fitsFile(conversation, r); err != nil || !fits {
			return err
		}
	} else if waits == 0 {
		return nil
	}
	if room, err := w.roomForPart(conversation); err != nil || !room {
		return err
	}
	return w.c.query(`INSERT INTO parts(conversation, message, item, idx, waits, at, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (conversation, message, item, idx) DO NOTHING`).
		bindInt(conversation).bindBlob(r.Message[:]).bindInt(int64(r.Item)).bindInt(int64(r.Index)).
		bindUint(waits).bindInt(r.At).bindBlob(r.Sealed).run()
}

// fitsFile reports whether a part may be one of a file that is to come.
func (w *writer) fitsFile(conversation int64, r *protocol.PutPart) (fits bool, err error) {
	q := w.c.query(`SELECT f.size FROM ` + ofPart + `
		WHERE f.state = 'remote' AND f.wanted = 1 AND m.conversation = ? AND m.wire = ? AND a.item = ? LIMIT 1`).
		bindInt(conversation).bindBlob(r.Message[:]).bindInt(int64(r.Item))
	if q.next() {
		size := q.uint()
		fits = int(r.Index) < wire.Parts(size) && len(r.Sealed) == wire.PartSize(size, int(r.Index))+wire.PartTagSize
	}
	return fits, q.done()
}

// roomForPart makes room for one more part of a conversation: of too many the oldest goes that
// waits for its message. It returns false if none does.
func (w *writer) roomForPart(conversation int64) (bool, error) {
	q := w.c.query(`SELECT count(*) FROM parts WHERE conversation = ?`).bindInt(conversation)
	full := q.next() && q.int() >= protocol.PartsKeptMax
	if err := q.done(); err != nil || !full {
		return err == nil, err
	}
	err := w.c.query(`DELETE FROM parts WHERE key = (SELECT min(key) FROM parts WHERE conversation = ? AND waits > 0)`).
		bindInt(conversation).run()
	return w.c.db.Changes() > 0, err
}

// releaseParts has parts wait no more for what came of the contact's, and drops those that waited
// for something else in its place, or of which it has no file that is wanted.
func (w *writer) releaseParts(conversation int64, sequence uint64, id [16]byte) error {
	if err := w.c.query(`UPDATE parts SET waits = 0 WHERE conversation = ? AND message = ?`).
		bindInt(conversation).bindBlob(id[:]).run(); err != nil {
		return err
	}
	return w.c.query(`DELETE FROM parts AS p WHERE p.conversation = ?1 AND (p.waits = ?2 AND p.waits > 0 OR p.message = ?3 AND ` + strayParts + `)`).
		bindInt(conversation).bindUint(sequence).bindBlob(id[:]).run()
}

// dropParts erases parts of files that are whole, not wanted any more, or gone.
func (w *writer) dropParts() error {
	return w.c.query(`DELETE FROM parts AS p WHERE ` + strayParts).run()
}

// eraseWaitingParts erases parts that wait for messages that will not come.
func (w *writer) eraseWaitingParts(conversation int64, first, last uint64) error {
	return w.c.query(`DELETE FROM parts WHERE conversation = ? AND waits > 0 AND waits BETWEEN ? AND ?`).
		bindInt(conversation).bindUint(first).bindUint(last).run()
}

// DropParts erases the parts of a file of which it cannot be made.
type DropParts struct{ File protocol.FileID }

func (r DropParts) put(w *writer, _ int64) error {
	return w.c.query(`DELETE FROM parts AS p WHERE EXISTS (SELECT 1 FROM ` + ofPart + `
		WHERE f.id = ? AND m.conversation = p.conversation AND m.wire = p.message AND a.item = p.item)`).bindBlob(r.File[:]).run()
}

// WholeInParts returns files that are wanted and of which all parts lie here, at most limit.
func (v *View) WholeInParts(limit int) ([]Fetch, error) {
	q := v.c.query(`SELECT EXISTS (SELECT 1 FROM parts)`)
	any := q.next() && q.bool()
	if err := q.done(); err != nil || !any {
		return nil, dbError("read parts", err)
	}
	type row struct {
		Fetch
		message int64
	}
	rows, err := collect(v.c.query(`SELECT f.id, c.contact, a.item, a.message FROM parts p CROSS JOIN `+ofPart+`
		JOIN conversations c ON c.key = m.conversation
		WHERE f.state = 'remote' AND f.wanted = 1 AND m.conversation = p.conversation AND m.wire = p.message AND a.item = p.item AND p.waits = 0
		GROUP BY f.key HAVING count(*) = (f.size + ?1 - 1) / ?1 LIMIT ?2`).bindInt(wire.PartBytes).bindInt(int64(limit)), func(q *query) row {
		return row{Fetch: Fetch{File: q.id(), Contact: q.id(), Item: uint8(q.int())}, message: q.int()}
	}, "read parts")
	if err != nil {
		return nil, err
	}
	var out []Fetch
	for _, r := range rows {
		m, err := v.manifest(r.message)
		if err != nil {
			return nil, err
		}
		if int(r.Item) < len(m.Files) {
			r.Message, r.Info = m.ID, m.Files[r.Item]
			out = append(out, r.Fetch)
		}
	}
	return out, nil
}

// Parts returns the parts of a file that lie here, by their places in it.
func (v *View) Parts(id protocol.FileID) (map[int][]byte, error) {
	type part struct {
		index  int
		sealed []byte
	}
	all, err := collect(v.c.query(`SELECT p.idx, p.sealed FROM `+ofPart+`
		JOIN parts p ON p.conversation = m.conversation AND p.message = m.wire AND p.item = a.item WHERE f.id = ?`).bindBlob(id[:]),
		func(q *query) part { return part{int(q.int()), q.blob()} }, "read parts")
	parts := make(map[int][]byte, len(all))
	for _, p := range all {
		parts[p.index] = p.sealed
	}
	return parts, err
}
