package store

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"pabal/protocol"
	"pabal/protocol/wire"

	"github.com/ncruces/go-sqlite3"
)

// rebuildShare says when an index is cheaper to rebuild than to mend: when more
// than one in so many of its messages go at once.
const rebuildShare = 250

// IndexStep puts at most limit messages, or IndexStepMax, into the search index, or one anew
// that was edited, and returns how many there were. The index runs behind the history; call
// IndexStep when no input waits, until it returns 0.
func (s *Store) IndexStep(limit int) (indexed int, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	w := &s.write
	if w.c == nil {
		return 0, ErrClosed
	}
	if w.counts.indexed >= w.counts.message {
		return w.reindexStep()
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

// reindexStep has the index know one message by its newest text: no more in a step, for commits
// wait meanwhile.
func (w *writer) reindexStep() (indexed int, err error) {
	seq, found, err := w.edited()
	if err != nil || !found {
		return 0, dbError("index", err)
	}
	err = w.c.begin()
	if err == nil {
		err = w.reindex(seq)
	}
	if err == nil {
		err = w.c.commit()
	}
	if err != nil {
		return 0, errors.Join(dbError("index", err), w.c.rollback(), w.reload())
	}
	return 1, nil
}

// index adds the next messages to the index and returns how many there were and
// up to which one it now goes.
func (w *writer) index(limit int) (n int, last int64, err error) {
	batch, err := collect(w.c.query(selectTexts+` WHERE m.seq > ? ORDER BY m.seq LIMIT ?`).
		bindInt(w.counts.indexed).bindInt(int64(limit)), scanText, "read messages")
	if err != nil {
		return 0, 0, err
	}
	last = w.counts.message
	for _, m := range batch {
		last = m.seq
		if err := w.putTerms(m); err != nil {
			return 0, 0, err
		}
	}
	return len(batch), last, putMeta(w.c, metaIndexed, last)
}

// shownText is the text of a message by its place in the order of arrival, as it is after
// all edits.
type shownText struct {
	seq  int64
	text string
}

// selectTexts selects messages m for scanText.
const selectTexts = `SELECT m.seq, m.content, ` + newestEdit + ` FROM messages m`

func scanText(q *query) shownText { return shownText{q.int(), textOf(q.blob(), q.blob())} }

// putTerms puts a message into the index.
func (w *writer) putTerms(m shownText) error {
	words := tokens(m.text)
	if words == "" {
		return nil
	}
	return w.addTerms(m.seq, words)
}

func (w *writer) addTerms(seq int64, words string) error {
	return w.c.query(`INSERT INTO search(rowid, tokens) VALUES (?, ?)`).bindInt(seq).bindText(words).run()
}

// dropTerms takes words of a message out of the index, which must know it by them.
func (w *writer) dropTerms(seq int64, words string) error {
	err := w.c.query(`INSERT INTO search(search, rowid, tokens) VALUES ('delete', ?, ?)`).bindInt(seq).bindText(words).run()
	if errors.Is(err, sqlite3.CORRUPT_VTAB) { // the index knows of other words: it is filled anew
		return w.emptyIndex()
	}
	return err
}

// textOf returns the text that a content shows, or its newest edit, with the names of its
// files, "" for contents without one.
func textOf(content, edit []byte) string {
	c, _, err := wire.DecodeContent(content)
	if e, _, eerr := wire.DecodeContent(edit); eerr == nil {
		c.Text = e.Text
	}
	switch {
	case err != nil:
		return ""
	case c.Type == wire.ContentText, c.Type == wire.ContentReply:
		return c.Text
	case c.Type == wire.ContentManifest:
		text := c.Text
		for _, f := range c.Files {
			text += "\n" + f.Name
		}
		return text
	}
	return ""
}

// unindex takes a message out of the index, by exactly the tokens it was given: m is of
// selectIndexed.
func (w *writer) unindex(m shownText) error {
	if m.seq > w.counts.indexed {
		return nil
	}
	if err := w.c.query(`DELETE FROM search_edited WHERE seq = ?`).bindInt(m.seq).run(); err != nil {
		return err
	}
	words := tokens(m.text)
	if words == "" {
		return nil
	}
	return w.dropTerms(m.seq, words)
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
	if w.rebuilds(n) {
		return w.emptyIndex()
	}
	all, err := collect(w.c.query(selectIndexed+` WHERE m.conversation = ? AND m.seq <= ?`).
		bindInt(key).bindInt(w.counts.indexed), scanText, "read messages")
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := w.unindex(m); err != nil {
			return err
		}
	}
	return nil
}

// ExpectErasures empties the search index if so many messages are about to be erased that
// filling it again, by IndexStep, costs less than taking them out one by one.
func (s *Store) ExpectErasures(messages int64) error {
	s.write.Lock()
	defer s.write.Unlock()
	w := &s.write
	switch {
	case w.c == nil:
		return ErrClosed
	case !w.rebuilds(messages):
		return nil
	}
	err := w.c.begin()
	if err == nil {
		err = w.emptyIndex()
	}
	if err == nil {
		err = w.c.commit()
	}
	if err == nil {
		return nil
	}
	return errors.Join(dbError("empty the index", err), w.c.rollback(), w.reload())
}

// rebuilds reports whether erasing so many messages of the index is more work than
// filling it again.
func (w *writer) rebuilds(messages int64) bool {
	return messages > IndexStepMax && messages > w.counts.indexed/rebuildShare
}

func (w *writer) emptyIndex() error {
	for _, sql := range []string{`INSERT INTO search(search) VALUES ('delete-all')`, `DELETE FROM search_edited`} {
		if err := w.c.query(sql).run(); err != nil {
			return err
		}
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

// SearchQuery looks for messages that have all words of Text. The other fields
// narrow it; their zero values do not.
type SearchQuery struct {
	Text          string
	Conversations []protocol.ConversationID // only in these
	Direction     *protocol.Direction       // only ours, or only theirs
	Since, Until  int64                     // Unix milliseconds of arrival: from Since on, before Until
	Before        protocol.MessageID        // only what came before it: the last hit of the page before
	Limit         int                       // at most SearchMax, 0 = SearchMax
}

// Found is the answer to a SearchQuery, newest first. More means that there is
// another page. Partial means that not all was looked at: of older messages nothing while the
// index is being filled, and of older long ones only the words that the index knows.
type Found struct {
	Messages      []Message
	More, Partial bool
}

// Search finds messages. Hangul and Han match anywhere, other words from their
// start (whole, if the term is shorter than three letters), and single
// consonants as the initials of a word from its start. A text without any word,
// see [Searchable], finds nothing. If the message Before is gone, the error is
// ErrNotFound.
func (v *View) Search(sq SearchQuery) (Found, error) {
	wanted := parseTerms(sq.Text)
	if sq.Limit <= 0 || sq.Limit > SearchMax {
		sq.Limit = SearchMax
	}
	if len(wanted) == 0 {
		return Found{}, nil
	}
	before, err := v.arrival(sq.Before)
	if err != nil {
		return Found{}, err
	}
	keys, err := v.conversationKeys(sq.Conversations)
	if err != nil || len(keys) == 0 && len(sq.Conversations) > 0 {
		return Found{}, err
	}
	indexed, err := getMeta(v.c, metaIndexed)
	if err != nil {
		return Found{}, err
	}
	var found Found
	tail := v.c.query(selectHit + ` FROM messages m JOIN conversations c ON c.key = m.conversation
		WHERE m.seq > ?1 AND m.seq < ?2` + sq.narrowed(keys) + ` ORDER BY m.seq DESC LIMIT ?`).
		bindInt(indexed).bindInt(before)
	took, err := found.take(sq.bindTimes(tail).bindInt(searchScanMax), sq.Limit, wanted, searchScanMax)
	if err != nil {
		return Found{}, err
	}
	found.Partial = took.scanned == searchScanMax
	if found.More {
		return found, nil
	}
	edited, since, err := v.edited()
	if err != nil {
		return Found{}, err
	}
	found.Partial = found.Partial || edited == searchScanMax
	misses := searchMissesMax + int(edited) // what was edited since is no long text for that
	hits := func(match string, before int64) (taken, error) {
		q := sq.bindTimes(v.c.query(selectHits(sq.narrowed(keys), edited > 0)).bindText(match).bindInt(before))
		if edited > 0 {
			q.bindInt(since)
		}
		return found.take(q, sq.Limit, wanted, misses)
	}
	took, err = hits(wanted.matchOrLong(), before)
	for err == nil && took.missed == misses { // from here on what the index knows of long ones, too
		found.Partial = true
		if before, err = v.arrival(took.last); err == nil {
			took, err = hits(wanted.match(), before)
		}
	}
	return found, err
}

// selectHits selects what the index knows of, and what was edited since it was indexed, if
// there is any: the index knows that by other words.
func selectHits(narrowed string, edited bool) string {
	const joined = ` JOIN conversations c ON c.key = m.conversation`
	indexed := ` FROM search f JOIN messages m ON m.seq = f.rowid` + joined + ` WHERE f.search MATCH ?1 AND f.rowid < ?2` + narrowed
	if !edited {
		return selectHit + indexed + ` ORDER BY f.rowid DESC`
	}
	return selectHit + `, f.rowid AS place` + indexed + ` AND NOT EXISTS (SELECT 1 FROM search_edited r WHERE r.seq = f.rowid)
		UNION ALL ` + selectHit + `, r.seq FROM search_edited r JOIN messages m ON m.seq = r.seq` + joined + `
		WHERE r.seq < ?2` + narrowed + ` AND r.seq >= ?5 ORDER BY place DESC`
}

// edited counts the messages that were edited since they were indexed, at most searchScanMax, and
// returns the place of the oldest of these.
func (v *View) edited() (n, since int64, err error) {
	q := v.c.query(`SELECT count(*), coalesce(min(seq), 0) FROM (SELECT seq FROM search_edited ORDER BY seq DESC LIMIT ?)`).bindInt(searchScanMax)
	if q.next() {
		n, since = q.int(), q.int()
	}
	return n, since, dbError("search", q.done())
}

const selectHit = `SELECT ` + messageColumns

// arrival returns the place of a message in the order of arrival, and behind all
// for none.
func (v *View) arrival(id protocol.MessageID) (int64, error) {
	if id == (protocol.MessageID{}) {
		return math.MaxInt64, nil
	}
	q := v.c.query(`SELECT seq FROM messages WHERE id = ?`).bindBlob(id[:])
	var seq int64
	found := q.next()
	if found {
		seq = q.int()
	}
	return seq, v.one(found, q.done(), "read message")
}

// conversationKeys returns the keys of those conversations that there are.
func (v *View) conversationKeys(ids []protocol.ConversationID) (keys []int64, err error) {
	for _, id := range ids {
		q := v.c.query(`SELECT key FROM conversations WHERE id = ?`).bindBlob(id[:])
		if q.next() {
			keys = append(keys, q.int())
		}
		if err := q.done(); err != nil {
			return nil, dbError("read conversation", err)
		}
	}
	return keys, nil
}

// narrowed is what the query's filters add to the condition of a statement of two parameters;
// bindTimes binds the next ones.
func (sq *SearchQuery) narrowed(keys []int64) string {
	sql := inConversations(keys)
	if sq.Direction != nil {
		sql += ` AND m.direction = ` + strconv.Itoa(int(*sq.Direction))
	}
	return sql + ` AND m.at >= ?3 AND m.at < ?4`
}

// inConversations is the condition that a message is in one of some conversations;
// none means that it may be in any.
func inConversations(keys []int64) string {
	if len(keys) == 0 {
		return ""
	}
	texts := make([]string, len(keys))
	for i, key := range keys {
		texts[i] = strconv.FormatInt(key, 10)
	}
	return ` AND m.conversation IN (` + strings.Join(texts, `, `) + `)`
}

func (sq *SearchQuery) bindTimes(q *query) *query {
	until := sq.Until
	if until == 0 {
		until = math.MaxInt64
	}
	return q.bindInt(sq.Since).bindInt(until)
}

// taken says how many candidates a search saw, how many of them did not have what was looked for,
// and the last.
type taken struct {
	scanned, missed int
	last            protocol.MessageID
}

// take reads candidates until the page is full, or so many did not have what was looked for.
func (f *Found) take(q *query, limit int, wanted terms, missesMax int) (took taken, err error) {
	for took.missed < missesMax && q.next() {
		took.scanned++
		m := scanMessage(q)
		took.last = m.ID
		if !wanted.has(textOf(m.Content, m.Edit)) {
			took.missed++
			continue
		}
		if f.More = len(f.Messages) == limit; f.More {
			break
		}
		f.Messages = append(f.Messages, m)
	}
	return took, dbError("search", q.done())
}
