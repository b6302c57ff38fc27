package store

import (
	"slices"
	"strings"

	"pabal/protocol"
)

// schemaEdits is what addEdits adds: which of the operations of one kind about a message
// counts, and the sequence of the message that one waits for, 0 if it was there.
const schemaEdits = `
ALTER TABLE operations ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
CREATE INDEX operations_edits ON operations(conversation, message, own, revision, wire) WHERE type = 5;
CREATE INDEX operations_waiting ON operations(conversation, waits) WHERE waits > 0;
`

func addEdits(c *conn) error { return c.db.Exec(schemaEdits) }

// ofMessage is the condition that an operation e is an edit of a message m.
const ofMessage = `e.conversation = m.conversation AND e.message = coalesce(m.wire, m.id) AND e.own = (m.direction = 0) AND e.type = 5`

// newestKey is the key of the edit of a message m that counts, null if there is none.
const newestKey = `(SELECT e.key FROM operations e WHERE ` + ofMessage + ` ORDER BY e.revision DESC, e.wire DESC LIMIT 1)`

// newestEdit is the content of that edit. Only of that one the content is read.
const newestEdit = `(SELECT content FROM operations WHERE key = ` + newestKey + `)`

// schemaReindex is what addReindex adds: the messages that were edited since they were put into
// the search index, each with the key of the edit whose text the index knows, 0 = none. To take a
// long text out of the index costs as much as hundreds of commits: no commit of an edit does it.
const schemaReindex = `
CREATE TABLE search_edited(seq INTEGER PRIMARY KEY, edit INTEGER NOT NULL);
`

func addReindex(c *conn) error { return c.db.Exec(schemaReindex) }

// indexedEdit is the content of the edit of a message m that the search index knows.
const indexedEdit = `(SELECT content FROM operations WHERE key = coalesce((SELECT r.edit FROM search_edited r WHERE r.seq = m.seq), ` + newestKey + `))`

// selectIndexed selects messages m with the texts by which the index knows them, for scanText.
const selectIndexed = `SELECT m.seq, m.content, ` + indexedEdit + ` FROM messages m`

// putEdit stores an edit; the search index follows in an IndexStep. One of a message that is gone
// is dropped. Two with one revision both stay, only an author that has lost its state makes them;
// but no more of one message than protocol.EditsKeptMax: the lowest go.
func (w *writer) putEdit(conversation int64, o *protocol.PutOperation) error {
	type shown struct{ seq, edit int64 }
	all, err := collect(byAuthor(w.c, `SELECT m.seq, coalesce(`+newestKey+`, 0) FROM messages m`, conversation, o.Message, o.Own),
		func(q *query) shown { return shown{q.int(), q.int()} }, "read messages")
	if err != nil || len(all) == 0 && o.Waits == 0 {
		return err
	}
	if o.Direction == protocol.In {
		if counts, err := w.limitEdits(conversation, o); err != nil || !counts {
			return err
		}
	}
	if err := w.insertOperation(conversation, o); err != nil {
		return err
	}
	for _, m := range all {
		if m.seq > w.counts.indexed {
			continue
		}
		err := w.c.query(`INSERT INTO search_edited(seq, edit) SELECT m.seq, ?2 FROM messages m WHERE m.seq = ?1 AND ` + newestKey + ` <> ?2
			ON CONFLICT (seq) DO NOTHING`).bindInt(m.seq).bindInt(m.edit).run()
		if err != nil {
			return err
		}
	}
	return nil
}

// limitEdits makes room for one more edit of the contact's about a message. It returns false if
// that one is the lowest. What the search index knows a message by stays until it is reindexed.
func (w *writer) limitEdits(conversation int64, o *protocol.PutOperation) (counts bool, err error) {
	q := w.c.query(`SELECT count(*) FROM operations WHERE conversation = ? AND message = ? AND own = 0 AND type = 5`).
		bindInt(conversation).bindBlob(o.Message[:])
	full := q.next() && q.int() >= protocol.EditsKeptMax
	if err := q.done(); err != nil || !full {
		return err == nil, err
	}
	err = w.c.query(`DELETE FROM operations WHERE key = (SELECT e.key FROM operations e
		WHERE e.conversation = ?1 AND e.message = ?2 AND e.own = 0 AND e.type = 5 AND NOT EXISTS (
			SELECT 1 FROM messages m JOIN search_edited r ON r.seq = m.seq WHERE m.conversation = ?1 AND m.wire = ?2 AND r.edit = e.key)
		ORDER BY e.revision, e.wire LIMIT 1) AND (revision, wire) < (?3, ?4)`).
		bindInt(conversation).bindBlob(o.Message[:]).bindInt(int64(o.Revision)).bindBlob(o.Wire[:]).run()
	counts = w.c.db.Changes() > 0
	w.scrub = w.scrub || counts
	return counts, err
}

// edited returns the newest message that was edited since it was indexed.
func (w *writer) edited() (seq int64, found bool, err error) {
	q := w.c.query(`SELECT max(seq) FROM search_edited HAVING count(*) > 0`)
	if found = q.next(); found {
		seq = q.int()
	}
	return seq, found, q.done()
}

// reindex has the index know a message by its newest text: of both texts what they do not have
// in common.
func (w *writer) reindex(seq int64) error {
	old, err := w.text(selectIndexed, seq)
	if err != nil {
		return err
	}
	newest, err := w.text(selectTexts, seq)
	if err != nil {
		return err
	}
	err = w.c.query(`DELETE FROM search_edited WHERE seq = ?`).bindInt(seq).run()
	if err != nil || old.seq == 0 {
		return err
	}
	before, after := strings.Fields(tokens(old.text)), strings.Fields(tokens(newest.text))
	gone, came := without(before, after), without(after, before)
	if len(gone)+len(came) == 0 {
		return nil
	}
	if len(before) > 0 { // also if nothing of it goes: the index counts its rows
		if err := w.dropTerms(seq, strings.Join(gone, " ")); err != nil || seq > w.counts.indexed {
			return err
		}
	}
	if len(after) == 0 {
		return nil
	}
	return w.addTerms(seq, strings.Join(came, " "))
}

// without returns the words that are not among others.
func without(words, others []string) []string {
	there := make(map[string]bool, len(others))
	for _, word := range others {
		there[word] = true
	}
	return slices.DeleteFunc(slices.Clone(words), func(word string) bool { return there[word] })
}

// text returns what a message says, by one of the ways to select it; its seq is 0 if it is gone.
func (w *writer) text(selects string, seq int64) (m shownText, err error) {
	q := w.c.query(selects + ` WHERE m.seq = ?`).bindInt(seq)
	if q.next() {
		m = scanText(q)
	}
	return m, q.done()
}

// ofNothingHere is the condition that no message that an operation o of the contact's is about is
// here. What one is indexed by must not go without it.
const ofNothingHere = `NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = o.conversation AND m.wire = o.message AND m.state <> 'deleted')`

// here reports whether a message that an operation of the contact's is about has come, deleted or not.
func (w *writer) here(conversation int64, message [16]byte) (bool, error) {
	q := w.c.query(`SELECT 1 FROM messages WHERE conversation = ? AND wire = ?`).bindInt(conversation).bindBlob(message[:])
	found := q.next()
	return found, q.done()
}

// limitWaiting erases the oldest that waits in a conversation if there is too much.
func (w *writer) limitWaiting(conversation int64) error {
	err := w.c.query(`DELETE FROM operations WHERE key = (SELECT min(o.key) FROM operations o
		WHERE o.conversation = ? AND o.waits > 0 AND ` + ofNothingHere + ` HAVING count(*) > ?)`).
		bindInt(conversation).bindInt(protocol.WaitsMax).run()
	w.scrub = w.scrub || w.c.db.Changes() > 0
	return err
}

// release has nothing wait any more for what came of the contact's: neither what is about it,
// whichever sequence it has, nor what is about another message that should have had this one.
func (w *writer) release(conversation int64, sequence uint64, id [16]byte) error {
	err := w.c.query(`UPDATE operations SET waits = 0 WHERE conversation = ? AND waits > 0 AND message = ? AND own = 0`).
		bindInt(conversation).bindBlob(id[:]).run()
	if err != nil {
		return err
	}
	err = w.c.query(`DELETE FROM operations AS o WHERE o.conversation = ? AND o.waits > 0 AND o.waits = ? AND ` + ofNothingHere).
		bindInt(conversation).bindUint(sequence).run()
	w.scrub = w.scrub || w.c.db.Changes() > 0
	return err
}

// strayOperations is the condition that an operation o is about a message that is neither here
// nor can come.
const strayOperations = `o.type NOT IN ` + outlives + ` AND (o.waits = 0 OR NOT EXISTS (SELECT 1 FROM gaps g WHERE g.conversation = o.conversation))
	AND NOT EXISTS (SELECT 1 FROM messages m WHERE o.own AND m.id = o.message)
	AND NOT EXISTS (SELECT 1 FROM messages m WHERE NOT o.own AND m.conversation = o.conversation AND m.wire = o.message)`

// eraseWaiting erases what waits for messages that will not come.
func (w *writer) eraseWaiting(r *protocol.EraseWaiting) error {
	conversation, err := w.conversation(r.Conversation)
	if err != nil {
		return err
	}
	err = w.c.query(`DELETE FROM operations AS o WHERE o.conversation = ? AND o.waits > 0 AND o.waits BETWEEN ? AND ? AND ` + ofNothingHere).
		bindInt(conversation).bindUint(r.First).bindUint(r.Last).run()
	w.scrub = w.scrub || w.c.db.Changes() > 0
	if err != nil {
		return err
	}
	return w.eraseWaitingParts(conversation, r.First, r.Last)
}

// Edits returns the contents of all edits of a message, oldest first.
func (v *View) Edits(id protocol.MessageID) ([][]byte, error) {
	return collect(v.c.query(`SELECT e.content FROM messages m JOIN operations e ON `+ofMessage+`
		WHERE m.id = ? ORDER BY e.revision, e.wire`).bindBlob(id[:]), func(q *query) []byte { return q.blob() }, "read edits")
}
