package store

import "pabal/protocol"

// schemaPictures is what addPictures adds: pictures of contacts, and our own, whose contact is
// 16 zeros.
const schemaPictures = `
CREATE TABLE pictures(
	key INTEGER PRIMARY KEY, contact BLOB NOT NULL UNIQUE, sequence INTEGER NOT NULL, jpeg BLOB NOT NULL);
`

func addPictures(c *conn) error { return c.db.Exec(schemaPictures) }

// putPicture puts a picture in the place of the one before, of which nothing stays: of our own
// at once, for our user took it away; of a contact's within ScrubWithin, for a contact may change
// it as often as it likes.
func (w *writer) putPicture(r *protocol.PutPicture) error {
	due := w.scrub
	if err := w.erasePicture(r.Contact); err != nil {
		return err
	}
	if r.Contact != (protocol.ContactID{}) {
		w.scrub = due
	}
	if len(r.JPEG) == 0 {
		return nil
	}
	return w.c.query(`INSERT INTO pictures(contact, sequence, jpeg) VALUES (?, ?, ?)`).
		bindBlob(r.Contact[:]).bindUint(r.Sequence).bindBlob(r.JPEG).run()
}

func (w *writer) erasePicture(contact protocol.ContactID) error {
	before := w.c.db.TotalChanges()
	err := w.c.query(`DELETE FROM pictures WHERE contact = ?`).bindBlob(contact[:]).run()
	if w.c.db.TotalChanges() != before {
		w.scrub = true
	}
	return err
}

// Picture returns the picture of a contact, or with the zero id our own; ErrNotFound if there
// is none.
func (v *View) Picture(contact protocol.ContactID) ([]byte, error) {
	var jpeg []byte
	q := v.c.query(`SELECT jpeg FROM pictures WHERE contact = ?`).bindBlob(contact[:])
	found := q.next()
	if found {
		jpeg = q.blob()
	}
	return jpeg, v.one(found, q.done(), "read picture")
}

// PictureSequence tells one picture of a contact from the one before; 0: there is none.
func (v *View) PictureSequence(contact protocol.ContactID) (sequence uint64, err error) {
	q := v.c.query(`SELECT sequence FROM pictures WHERE contact = ?`).bindBlob(contact[:])
	if q.next() {
		sequence = q.uint()
	}
	return sequence, dbError("read picture", q.done())
}
