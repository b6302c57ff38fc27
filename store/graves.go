package store

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"

	"pabal/protocol"
)

// graveRow is the place in keks of the key of tombstones. It is made with the first open,
// and goes into every archive: of what was erased since one was made it tells.
const graveRow = -2

// loadGraveKey reads the key of tombstones, or makes it.
func (w *writer) loadGraveKey() error {
	var fresh [keyBytes]byte
	rand.Read(fresh[:])
	defer clear(fresh[:])
	q := w.c.query(`SELECT 1 FROM keks WHERE slot = ?`).bindInt(graveRow)
	there := q.next()
	if err := q.done(); err != nil {
		return err
	}
	if !there {
		if err := w.c.query(`INSERT INTO keks(slot, kek) VALUES (?, ?)`).bindInt(graveRow).bindBlob(fresh[:]).run(); err != nil {
			return err
		}
	}
	return readGraveKey(w.c, &w.graves)
}

func readGraveKey(c *conn, key *[keyBytes]byte) error {
	q := c.query(`SELECT kek FROM keks WHERE slot = ?`).bindInt(graveRow)
	if q.next() {
		q.array(key[:])
	}
	return q.done()
}

// bury remembers that what had an id was erased, a message by its author's: without the key the
// row says nothing.
func (w *writer) bury(id [16]byte) error {
	t := protocol.PutTombstone{MAC: graveOf(&w.graves, id), At: w.now}
	return w.putTombstone(&t)
}

func (w *writer) putTombstone(t *protocol.PutTombstone) error {
	return w.c.query(`INSERT INTO tombstones(mac, at) VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at`).
		bindBlob(t.MAC[:]).bindInt(t.At).run()
}

func graveOf(key *[keyBytes]byte, id [16]byte) (mac [16]byte) {
	h := hmac.New(sha256.New, key[:])
	h.Write(id[:])
	copy(mac[:], h.Sum(nil))
	return mac
}
