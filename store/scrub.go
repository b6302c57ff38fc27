package store

import (
	"errors"
	"fmt"
	"time"

	"pabal/protocol"
)

// errBusy says that a reader kept the log from being cut.
var errBusy = errors.New("store: log in use")

// Scrub makes sure that what was erased is in no file of the profile: it copies
// the log into the database, cuts it to nothing, and lets both connections
// forget their pages, which still hold what the file does not. Commit and Open
// do it themselves; Scrub tries again where Commit said it was not done.
func (s *Store) Scrub() error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return ErrClosed
	}
	s.write.scrub = true
	return s.scrubAllLocked()
}

// scrubAllLocked is Scrub with the writer's lock held.
func (s *Store) scrubAllLocked() error {
	if err := s.scrubLocked(); err != nil {
		return err
	}
	return s.unlinkLocked(len(s.write.unlink))
}

// scrubLater has the log scrubbed within ScrubWithin: old states of sessions and
// keys of acknowledged envelopes are no deletion that a user waits for, but must
// not lie there until there is one.
func (s *Store) scrubLater() {
	if s.write.later != nil {
		return
	}
	s.write.later = time.AfterFunc(ScrubWithin, func() {
		s.write.Lock()
		defer s.write.Unlock()
		s.write.later = nil
		if s.write.c != nil {
			s.scrubLocked() // tried again if it fails
		}
	})
}

// scrubbed takes note that the log is empty.
func (w *writer) scrubbed() {
	w.scrub, w.stuck = false, false
	if w.later != nil {
		w.later.Stop()
		w.later = nil
	}
}

// scrubLocked empties the log and the caches, with the writer's lock held, and removes the
// chunks whose rows are gone: of many, the rest follows beside whoever writes meanwhile. Their
// keys are in no file any more by then. One that fails is tried again within ScrubWithin,
// whether or not anybody commits until then.
func (s *Store) scrubLocked() error {
	if s.profile.weak.keepLog {
		return nil
	}
	err := s.forgetLocked()
	if err == nil {
		s.write.scrubbed()
		err = s.unlinkLocked(unlinkStepMax)
		s.write.scrub = err != nil
	}
	if err != nil {
		s.write.stuck = true
		s.scrubLater()
		return err
	}
	s.unlinkLater()
	return nil
}

// forgetLocked empties the log and the caches; readers wait. Where something was erased the
// reserve is given up for it on a full disk.
func (s *Store) forgetLocked() error {
	s.write.copies.Wait() // who copies the log lets nobody cut it
	s.reader.seize()
	defer s.reader.Unlock()
	err := truncateLog(s.write.c)
	if isFull(err) && s.write.scrub {
		s.spendReserve()
		err = truncateLog(s.write.c)
	}
	if err != nil {
		return fmt.Errorf("scrub: %w", err)
	}
	for _, c := range []*conn{s.write.c, s.reader.c} {
		if c == nil || s.profile.weak.keepCache {
			continue
		}
		if err := c.db.ReleaseMemory(); err != nil {
			return dbError("scrub", err)
		}
	}
	return nil
}

// truncateLog copies the log into the database and cuts it to nothing. That a
// reader was in the way is no error to SQLite but a number in its answer.
func truncateLog(c *conn) error {
	q := c.query(`PRAGMA wal_checkpoint(TRUNCATE)`)
	busy := !q.next() || q.int() != 0
	if err := q.done(); err != nil {
		return dbError("cut log", err)
	}
	if busy {
		return errBusy
	}
	return nil
}

// eraseMessage removes a message, what the search index knows of it, and its
// place in the order of arrival.
func (w *writer) eraseMessage(id protocol.MessageID) error {
	q := w.c.query(`SELECT m.seq, m.content, ` + indexedEdit + `, m.conversation, m.direction, coalesce(m.wire, m.id) FROM messages m WHERE m.id = ?`).bindBlob(id[:])
	found := q.next()
	var text shownText
	var conversation, direction int64
	var wireID [16]byte
	if found {
		text = scanText(q)
		conversation, direction, wireID = q.int(), q.int(), q.id()
	}
	if err := q.done(); err != nil {
		return err
	}
	w.scrub = true
	if !found {
		return w.c.query(`DELETE FROM operations WHERE id = ?`).bindBlob(id[:]).run()
	}
	seq := text.seq
	if err := w.unindex(text); err != nil {
		return err
	}
	if err := w.eraseAttachments(seq); err != nil {
		return err
	}
	if err := w.eraseAboutLast(seq, conversation, wireID, protocol.Direction(direction) == protocol.Out); err != nil {
		return err
	}
	if seq == w.counts.message { // its number must not come again
		if err := putMeta(w.c, metaMessage, seq); err != nil {
			return err
		}
	}
	if err := w.eraseMarks(seq); err != nil {
		return err
	}
	if err := w.bury(wireID); err != nil {
		return err
	}
	if err := w.countRead(seq); err != nil {
		return err
	}
	if err := w.bareHead(seq); err != nil {
		return err
	}
	if err := w.c.query(`DELETE FROM messages WHERE seq = ?`).bindInt(seq).run(); err != nil {
		return err
	}
	return w.dropParts()
}

// eraseConversation removes a conversation with all messages and gaps.
func (w *writer) eraseConversation(id protocol.ConversationID) error {
	key, ok := w.conversations[id]
	if !ok {
		return nil
	}
	w.scrub = true
	if err := w.unindexConversation(key); err != nil {
		return err
	}
	if err := w.eraseConversationFiles(key); err != nil {
		return err
	}
	if err := putMeta(w.c, metaMessage, w.counts.message); err != nil {
		return err
	}
	if err := w.eraseFlags(key); err != nil {
		return err
	}
	for _, sql := range []string{
		`DELETE FROM messages WHERE conversation = ?`,
		`DELETE FROM operations WHERE conversation = ?`,
		`DELETE FROM parts WHERE conversation = ?`,
		`DELETE FROM gaps WHERE conversation = ?`,
		`DELETE FROM heads WHERE conversation = ?`,
		`DELETE FROM words WHERE conversation = ?`,
		`DELETE FROM members WHERE conversation = ?`,
		`DELETE FROM groups WHERE conversation = ?`,
		`DELETE FROM conversations WHERE key = ?`,
	} {
		if err := w.c.query(sql).bindInt(key).run(); err != nil {
			return err
		}
	}
	delete(w.conversations, id)
	return w.bury(id)
}
