package store

import (
	"fmt"
	"slices"
	"time"

	"pabal/protocol"
)

// Batch is what one transaction makes durable: the effects of 1 to BatchMax
// inputs. It belongs to Commit until that returns.
type Batch struct {
	Now    time.Time
	Writes []protocol.Write
	Events []protocol.Event // the durable ones are logged, in this order
	Rows   []Row            // the daemon's own
}

// Committed says what a Commit did.
type Committed struct {
	// Cursor is the newest event of the log.
	Cursor Cursor
	// First is the cursor of each event of the batch, in its order, and zero
	// for those that are not durable.
	First []Cursor
	// Scrubbed is false if the batch erased something that may still be found
	// in a file of the profile. Then it must not be called deleted yet: see
	// [Store.Scrub]. The sealed chunks of a large file, whose key is in no file any more,
	// are removed within moments after it.
	Scrubbed bool
}

// Row is a row of the daemon's own, beside those of the protocol.
type Row interface {
	put(w *writer, now int64) error
}

// Commit makes a batch durable in one transaction, or changes nothing. A batch
// that erases ends with a scrub: when Commit says Scrubbed, nothing that it
// erased is left in any file. ErrFull means the disk is full and the store goes
// on being readable; after any other error it should be closed.
func (s *Store) Commit(b Batch) (Committed, error) {
	s.write.Lock()
	defer s.write.Unlock()
	w := &s.write
	if w.c == nil {
		return Committed{}, ErrClosed
	}
	first, err := w.transact(b)
	if isFull(err) && erases(&b) {
		s.spendReserve() // room to delete is kept for this
		first, err = w.transact(b)
	} else if err == nil {
		s.saveReserve(b.Now)
	}
	if err != nil {
		return Committed{}, dbError("commit", err)
	}
	done := Committed{Cursor: Cursor{w.epoch, w.counts.event - 1}, First: first, Scrubbed: true}
	if w.scrub {
		done.Scrubbed = s.scrubLocked() == nil
	} else {
		s.scrubLater()
	}
	return done, nil
}

// transact runs a batch in a transaction; when it fails, the counters are those
// of the database again.
func (w *writer) transact(b Batch) (first []Cursor, err error) {
	if err := w.c.begin(); err != nil {
		return nil, err
	}
	unlinked := len(w.unlink)
	first, err = w.apply(b)
	if err == nil {
		err = w.c.commit()
	}
	if err == nil {
		return first, nil
	}
	w.unlink = w.unlink[:unlinked]
	if rerr := w.c.rollback(); rerr != nil {
		return nil, fmt.Errorf("%w; take it back: %w", err, rerr)
	}
	if rerr := w.reload(); rerr != nil {
		return nil, fmt.Errorf("%w; load counters: %w", err, rerr)
	}
	return nil, err
}

func (w *writer) apply(b Batch) ([]Cursor, error) {
	now := b.Now.UnixMilli()
	w.now = now
	for _, write := range b.Writes {
		if err := w.put(write); err != nil {
			return nil, fmt.Errorf("write %T: %w", write, err)
		}
	}
	for _, row := range b.Rows {
		if err := row.put(w, now); err != nil {
			return nil, fmt.Errorf("write %T: %w", row, err)
		}
	}
	first, err := w.putEvents(b.Events, now)
	if err != nil {
		return nil, fmt.Errorf("log events: %w", err)
	}
	if err := w.trim(b.Now); err != nil {
		return nil, fmt.Errorf("trim: %w", err)
	}
	return first, nil
}

// Frees reports whether a row only takes something away, which needs no more room than is kept
// for that.
func Frees(r Row) bool {
	switch r.(type) {
	case EraseToken, EraseWebhook, EraseConsumer, EraseDraft, EraseApproval, EraseUpload, EraseStaleUploads, DropChunks, FailFile:
		return true
	}
	return false
}

// erases reports whether a batch makes room.
func erases(b *Batch) bool {
	if len(b.Writes) == 0 && len(b.Rows) > 0 && !slices.ContainsFunc(b.Rows, func(r Row) bool { return !Frees(r) }) {
		return true
	}
	for _, w := range b.Writes {
		switch w := w.(type) {
		case protocol.EraseMessage, protocol.StubMessage, protocol.EraseConversation, protocol.EraseContact:
			return true
		case protocol.PutInvite: // a link that is of no use any more
			if w.RevokedAt != 0 {
				return true
			}
		}
	}
	return false
}

// put maps one write of the core to its rows.
func (w *writer) put(write protocol.Write) error {
	switch r := write.(type) {
	case protocol.PutMessage:
		return w.putMessage(&r)
	case protocol.PutSession:
		return w.putSession(&r)
	case protocol.PutOutbox:
		return w.putOutbox(&r)
	case protocol.EraseOutbox:
		return w.eraseOutbox(&r)
	case protocol.PutConversation:
		return w.putConversation(&r)
	case protocol.PutContact:
		return putContact(w.c, &r)
	case protocol.PutPicture:
		return w.putPicture(&r)
	case protocol.SetMessageState:
		return w.c.query(`UPDATE messages SET state = ?, code = ? WHERE id = ?`).
			bindText(string(r.State)).bindText(r.Code).bindBlob(r.ID[:]).run()
	case protocol.SetMessageExpiry:
		return w.c.query(`UPDATE messages SET expires_at = ?, from_read = 0 WHERE id = ?`).
			bindInt(r.ExpiresAt).bindBlob(r.ID[:]).run()
	case protocol.RenumberMessage:
		return w.renumber(&r)
	case protocol.PutOperation:
		return w.putOperation(&r)
	case protocol.PutPart:
		return w.putPart(&r)
	case protocol.PutGroup:
		return w.putGroup(&r)
	case protocol.PutMember:
		return w.putMember(&r)
	case protocol.PutShared:
		return w.putShared(&r)
	case protocol.EraseWaiting:
		return w.eraseWaiting(&r)
	case protocol.SetDeletion:
		return w.setDeletion(&r)
	case protocol.PutGap:
		return w.putGap(&r)
	case protocol.EraseGap:
		return w.eraseGap(&r)
	case protocol.PutSelf:
		return w.c.query(`INSERT INTO self(one, name, state) VALUES (1, ?, ?)
			ON CONFLICT DO UPDATE SET name = excluded.name, state = excluded.state`).
			bindText(r.Name).bindBlob(r.State).run()
	case protocol.PutInvite:
		return putInvite(w.c, &r)
	case protocol.PutRequest:
		return putRequest(w.c, &r)
	case protocol.PutMailbox:
		return w.c.query(`INSERT INTO mailboxes(id, owner, state) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET owner = excluded.owner, state = excluded.state`).
			bindBlob(r.ID[:]).bindBlob(r.Owner[:]).bindBlob(r.State).run()
	case protocol.PutHeld:
		return w.c.query(`INSERT INTO held(number, mailbox, hash, type, expires, body) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (mailbox, hash) DO NOTHING`).
			bindUint(r.Number).bindBlob(r.Mailbox[:]).bindBlob(r.Hash[:]).bindInt(int64(r.Type)).bindInt(r.Expires).bindBlob(r.Body).run()
	case protocol.PutTombstone:
		return w.putTombstone(&r)
	}
	return w.erase(write)
}

// erase maps the writes that remove; what they remove is scrubbed after the
// transaction. Sessions need no scrub: their deletion is a renewal.
func (w *writer) erase(write protocol.Write) error {
	switch r := write.(type) {
	case protocol.EraseMessage:
		return w.eraseMessage(r.ID)
	case protocol.StubMessage:
		return w.stubMessage(&r)
	case protocol.EraseConversation:
		return w.eraseConversation(r.ID)
	case protocol.EraseContact:
		return w.eraseContact(r.ID)
	case protocol.EraseSession:
		return w.eraseSession(sessionID{r.Contact, r.SID})
	case protocol.EraseMailbox:
		if err := w.c.query(`DELETE FROM held WHERE mailbox = ?`).bindBlob(r.ID[:]).run(); err != nil {
			return err
		}
		return w.c.query(`DELETE FROM mailboxes WHERE id = ?`).bindBlob(r.ID[:]).run()
	case protocol.EraseHeld:
		return w.c.query(`DELETE FROM held WHERE mailbox = ? AND hash = ?`).bindBlob(r.Mailbox[:]).bindBlob(r.Hash[:]).run()
	case protocol.EraseInvite:
		w.scrub = true
		return w.c.query(`DELETE FROM invites WHERE id = ?`).bindBlob(r.ID[:]).run()
	case protocol.EraseRequest:
		w.scrub = true
		return w.c.query(`DELETE FROM requests WHERE id = ?`).bindBlob(r.ID[:]).run()
	}
	return fmt.Errorf("unknown write")
}
