package store

import (
	"pabal/protocol"
	"pabal/protocol/wire"
)

// rebuildShare says when an index is cheaper to rebuild than to mend: when more
// than one in so many of its messages go at once.
const rebuildShare = 250

// IndexStep puts at most limit messages, or IndexStepMax, into the search index
// and returns how many there were. The index runs behind the history; call
// IndexStep when no input waits, until it returns 0.
func (s *Store) IndexStep(limit int) (indexed int, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	w := &s.write
	if w.c == nil {
		return 0, ErrClosed
	}
	if w.counts.indexed >= w.counts.message {
		return 0, nil
	}
	if err := w.c.begin(); err != nil {
		return 0, dbError("index", err)
	}
	indexed, last, err := w.index(min(max(limit, 1), IndexStepMax))
	if err == nil {
		err = w.c.commit()
	}
	if err != nil {
		w.c.rollback()
		return 0, dbError("index", err)
	}
	w.counts.indexed = last
	return indexed, nil
}

// index adds the next messages to the index and returns how many there were and
// up to which one it now goes.
func (w *writer) index(limit int) (n int, last int64, err error) {
	type message struct {
		seq     int64
		content []byte
	}
	batch, err := collect(w.c.query(`SELECT seq, content FROM messages WHERE seq > ? ORDER BY seq LIMIT ?`).
		bindInt(w.counts.indexed).bindInt(int64(limit)), func(q *query) message {
		return message{q.int(), q.blob()}
	}, "read messages")
	if err != nil {
		return 0, 0, err
	}
	last = w.counts.message
	for _, m := range batch {
		last = m.seq
		if words := tokens(textOf(m.content)); words != "" {
			if err := w.c.query(`INSERT INTO search(rowid, tokens) VALUES (?, ?)`).
				bindInt(m.seq).bindText(words).run(); err != nil {
				return 0, 0, err
			}
		}
	}
	return len(batch), last, putMeta(w.c, metaIndexed, last)
}

// textOf returns the text that a content shows, "" for contents without one.
func textOf(content []byte) string {
	c, _, err := wire.DecodeContent(content)
	if err != nil || c.Type != wire.ContentText {
		return ""
	}
	return c.Text
}

// unindex takes a message out of the index, by exactly the tokens it was given.
func (w *writer) unindex(seq int64, content []byte) error {
	if seq > w.counts.indexed {
		return nil
	}
	words := tokens(textOf(content))
	if words == "" {
		return nil
	}
	return w.c.query(`INSERT INTO search(search, rowid, tokens) VALUES ('delete', ?, ?)`).
		bindInt(seq).bindText(words).run()
}

// unindexConversation takes all messages of a conversation out of the index, or
// empties it for IndexStep to fill again if that is cheaper.
func (w *writer) unindexConversation(key int64) error {
	q := w.c.query(`SELECT count(*) FROM messages WHERE conversation = ? AND seq <= ?`).
		bindInt(key).bindInt(w.counts.indexed)
	var n int64
	if q.next() {
		n = q.int()
	}
	if err := q.done(); err != nil {
		return err
	}
	if n > IndexStepMax && n > w.counts.indexed/rebuildShare {
		return w.emptyIndex()
	}
	type message struct {
		seq     int64
		content []byte
	}
	all, err := collect(w.c.query(`SELECT seq, content FROM messages WHERE conversation = ? AND seq <= ?`).
		bindInt(key).bindInt(w.counts.indexed), func(q *query) message {
		return message{q.int(), q.blob()}
	}, "read messages")
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := w.unindex(m.seq, m.content); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) emptyIndex() error {
	if err := w.c.query(`INSERT INTO search(search) VALUES ('delete-all')`).run(); err != nil {
		return err
	}
	w.counts.indexed = 0
	return putMeta(w.c, metaIndexed, 0)
}

// checkTokenizer empties an index that another version of the tokens filled.
func (w *writer) checkTokenizer() error {
	version, err := getMeta(w.c, metaTokenizer)
	if err != nil || version == tokenizerVersion {
		return err
	}
	if err := w.c.begin(); err != nil {
		return err
	}
	err = w.emptyIndex()
	if err == nil {
		err = putMeta(w.c, metaTokenizer, tokenizerVersion)
	}
	if err == nil {
		err = w.c.commit()
	}
	if err != nil {
		w.c.rollback()
	}
	return err
}

// SearchQuery looks for messages that have all words of Text.
type SearchQuery struct {
	Text         string
	Conversation protocol.ConversationID // zero = all
	Before       int64                   // Found.Next of the page before, else 0
	Limit        int                     // at most SearchMax, 0 = SearchMax
}

// Found is the answer to a SearchQuery, newest first. Partial means that the
// index is being filled and older messages were not looked at.
type Found struct {
	Messages []Message
	Next     int64 // 0 = that was all
	Partial  bool
}

// Search finds messages. Hangul and Han match anywhere, other words from their
// start (whole, if the term is shorter than three letters), and single
// consonants as the initials of a word from its start.
func (v *View) Search(sq SearchQuery) (Found, error) {
	wanted := parseTerms(sq.Text)
	if sq.Limit <= 0 || sq.Limit > SearchMax {
		sq.Limit = SearchMax
	}
	if sq.Before == 0 {
		sq.Before = 1<<63 - 1
	}
	if len(wanted) == 0 {
		return Found{}, nil
	}
	indexed, err := getMeta(v.c, metaIndexed)
	if err != nil {
		return Found{}, err
	}
	var found Found
	tail := v.c.query(selectHit + ` FROM messages m JOIN conversations c ON c.key = m.conversation
		WHERE m.seq > ? AND m.seq < ? ORDER BY m.seq DESC LIMIT ?`).
		bindInt(indexed).bindInt(sq.Before).bindInt(searchScanMax)
	scanned, err := found.take(tail, &sq, wanted)
	if err != nil {
		return Found{}, err
	}
	found.Partial = scanned == searchScanMax
	if found.Next != 0 {
		return found, nil
	}
	_, err = found.take(v.c.query(selectHit+` FROM search f JOIN messages m ON m.seq = f.rowid
		JOIN conversations c ON c.key = m.conversation
		WHERE f.search MATCH ? AND f.rowid < ? ORDER BY f.rowid DESC`).
		bindText(wanted.match()).bindInt(sq.Before), &sq, wanted)
	return found, err
}

const selectHit = `SELECT m.seq, ` + messageColumns

// take reads candidates until the page is full, and returns how many it saw.
func (f *Found) take(q *query, sq *SearchQuery, wanted terms) (scanned int, err error) {
	for q.next() {
		seq := q.int()
		if len(f.Messages) == sq.Limit {
			f.Next = seq + 1
			break
		}
		scanned++
		m := scanMessage(q)
		if sq.Conversation != (protocol.ConversationID{}) && m.Conversation != sq.Conversation {
			continue
		}
		if wanted.has(textOf(m.Content)) {
			f.Messages = append(f.Messages, m)
		}
	}
	return scanned, dbError("search", q.done())
}
