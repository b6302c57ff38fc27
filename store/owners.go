package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"pabal/protocol"
	"pabal/protocol/outbox"
)

// ownership says of one table of the database what a row of it must belong to.
type ownership struct {
	table string
	// orphans counts the rows that belong to nothing, or hold what they must not; ""
	// if every row stands for itself.
	orphans string
}

// ownerships names every table of the schema. A table that is not here is one that
// nobody looks after: all its rows count as orphans, and a test fails.
func ownerships() []ownership {
	return []ownership{
		{"meta", ""}, {"keks", ""}, {"self", ""}, {"contacts", ""}, {"invites", ""}, {"requests", ""},
		{"tokens", ""}, {"webhooks", ""}, {"settings", ""}, {"idempotency", ""},
		{"sessions", `SELECT count(*) FROM sessions WHERE contact NOT IN (SELECT id FROM contacts)`},
		{"pictures", `SELECT count(*) FROM pictures WHERE contact <> zeroblob(16) AND contact NOT IN (SELECT id FROM contacts)`},
		{"conversations", `SELECT count(*) FROM conversations WHERE contact IS NOT NULL AND contact NOT IN (SELECT id FROM contacts)`},
		{"messages", `SELECT count(*) FROM messages WHERE conversation NOT IN (SELECT key FROM conversations)`},
		{"operations", `SELECT count(*) FROM operations o WHERE o.conversation NOT IN (SELECT key FROM conversations)
			OR ` + strayOperations},
		{"gaps", `SELECT count(*) FROM gaps WHERE conversation NOT IN (SELECT key FROM conversations)`},
		{"flags", `SELECT count(*) FROM flags WHERE conversation NOT IN (SELECT key FROM conversations)`},
		{"drafts", `SELECT count(*) FROM drafts WHERE conversation NOT IN (SELECT key FROM conversations)`},
		{"approvals", `SELECT count(*) FROM approvals WHERE conversation NOT IN (SELECT key FROM conversations) OR token NOT IN (SELECT id FROM tokens)`},
		{"marks", `SELECT count(*) FROM marks WHERE message NOT IN (SELECT seq FROM messages)`},
		{"search_edited", `SELECT count(*) FROM search_edited WHERE seq NOT IN (SELECT seq FROM messages)`},
		{"outbox", `SELECT count(*) FROM outbox WHERE session NOT IN (SELECT key FROM sessions)`}, // and see lostContents
		{"tombstones", `SELECT count(*) FROM tombstones WHERE length(mac) <> 16`},
		{"events", `SELECT count(*) FROM events WHERE length(ref) > 16 OR type || code GLOB '*[^a-z0-9_.]*'`},        // references, no texts
		{"audit", `SELECT count(*) FROM audit WHERE what || kind || actor || outcome || about GLOB '*[^a-z0-9_.]*'`}, // codes and ids, no texts
		{"consumers", `SELECT count(*) FROM consumers WHERE owner <> '' AND owner NOT IN (SELECT id FROM tokens UNION ALL SELECT id FROM webhooks)`},
		{"files", fmt.Sprintf(`SELECT count(*) FROM files WHERE key NOT IN (SELECT file FROM attachments) AND at < unixepoch() * 1000 - %d`,
			2*UploadAge.Milliseconds())},
		{"chunks", `SELECT count(*) FROM chunks WHERE file NOT IN (SELECT key FROM files)`},
		{"attachments", `SELECT count(*) FROM attachments WHERE message NOT IN (SELECT seq FROM messages) OR file NOT IN (SELECT key FROM files)`},
		{"parts", `SELECT count(*) FROM parts AS p WHERE p.conversation NOT IN (SELECT key FROM conversations) OR ` + strayParts},
		{"groups", `SELECT count(*) FROM groups WHERE conversation NOT IN (SELECT key FROM conversations)`},
		{"members", `SELECT count(*) FROM members WHERE conversation NOT IN (SELECT conversation FROM groups)`},
		{"words", `SELECT count(*) FROM words WHERE conversation NOT IN (SELECT conversation FROM groups)`},
		{"heads", `SELECT count(*) FROM heads WHERE conversation NOT IN (SELECT conversation FROM groups) OR ` + strayHeads},
		{"mailboxes", `SELECT count(*) FROM mailboxes WHERE owner NOT IN (SELECT id FROM contacts)`},
		{"held", `SELECT count(*) FROM held WHERE mailbox NOT IN (SELECT id FROM mailboxes)`},
		{"search", ""}, {"search_config", ""}, {"search_data", ""}, {"search_idx", ""}, // see staleTerms
	}
}

// Orphans are rows that no live row owns.
type Orphans struct {
	Table string
	Rows  int
}

// Examined is what an Examine saw.
type Examined struct {
	Sight
	Orphans    []Orphans
	StaleTerms int // messages, or places of none, whose search terms are not those of their text
	Chunks     int // chunk files that no row owns
	// CachedBytes belong to no row and would be written to the log again by the next
	// change of their page.
	CachedBytes int
	Recount     Recount // of what the warrant report counts
}

// Examine is a Scrub, a Look, and a search for anything that no live row owns: rows of
// what is gone, search terms, chunk files. Commits wait: the time grows with the history.
func (s *Store) Examine(words ...[]byte) (Examined, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return Examined{}, ErrClosed
	}
	if err := s.scrubAllLocked(); err != nil { // the log has only what follows
		return Examined{}, err
	}
	var e Examined
	var err error
	if e.CachedBytes, err = s.cachedBytes(); err != nil {
		return Examined{}, err
	}
	if e.Sight, err = s.look(words); err != nil {
		return Examined{}, err
	}
	if e.Orphans, err = s.write.orphans(); err != nil {
		return Examined{}, dbError("look for orphans", err)
	}
	if e.StaleTerms, err = s.write.staleTerms(); err != nil {
		return Examined{}, dbError("look for stale terms", err)
	}
	if e.Recount, err = s.recount(); err != nil {
		return Examined{}, fmt.Errorf("count again: %w", err)
	}
	if e.Chunks, err = s.strayChunks(); err != nil {
		return Examined{}, fmt.Errorf("look for chunks: %w", err)
	}
	return e, nil
}

// cachedBytes has the newest pages of tables logged as they are in the writer's cache, by
// a change that is taken back in the same transaction, and counts what no row owns
// there. The log is empty before and after.
func (s *Store) cachedBytes() (int, error) {
	c := s.write.c
	if err := c.begin(); err != nil {
		return 0, dbError("log pages", err)
	}
	err := c.db.Exec(relog("+") + relog("-"))
	if err == nil {
		err = c.commit()
	}
	if err != nil {
		return 0, errors.Join(dbError("log pages", err), c.rollback())
	}
	sight, err := s.look(nil)
	if err != nil {
		return 0, err
	}
	return sight.LogGapBytes, s.scrubLocked()
}

// relog changes a number in rows, in place, one up or one down.
func relog(sign string) string {
	return strings.ReplaceAll(`
		UPDATE contacts SET created_at = created_at + 1;
		UPDATE conversations SET created_at = created_at + 1;
		UPDATE invites SET created_at = created_at + 1;
		UPDATE requests SET at = at + 1;
		UPDATE messages SET at = at + 1 WHERE seq > (SELECT max(seq) - 2000 FROM messages);`, "+", sign)
}

// orphans counts the rows of every table that belong to nothing.
func (w *writer) orphans() (all []Orphans, err error) {
	tables, err := collect(w.c.query(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`),
		func(q *query) string { return q.text() }, "list tables")
	if err != nil {
		return nil, err
	}
	known := ownerships()
	for _, table := range tables {
		at := slices.IndexFunc(known, func(o ownership) bool { return o.table == table })
		count := `SELECT count(*) FROM "` + strings.ReplaceAll(table, `"`, `""`) + `"`
		switch {
		case at >= 0 && known[at].orphans == "":
			continue
		case at >= 0:
			count = known[at].orphans
		}
		n, err := w.c.number(count)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			all = append(all, Orphans{table, int(n)})
		}
	}
	lost, err := w.lostContents()
	if lost > 0 {
		all = append(all, Orphans{"outbox", lost})
	}
	return all, err
}

// lostContents counts the envelopes that name a message which is gone.
func (w *writer) lostContents() (lost int, err error) {
	rows, err := collect(w.c.query(`SELECT contents FROM outbox`), func(q *query) []byte { return q.blob() }, "read outbox")
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		contents, err := decodeContents(row)
		if err != nil {
			return 0, err
		}
		for _, c := range contents {
			if c.Part != (outbox.Part{}) {
				c.Message = c.Part.Message
			}
			if c.Message == (protocol.MessageID{}) {
				continue
			}
			q := w.c.query(`SELECT 1 FROM messages WHERE id = ?1 UNION ALL SELECT 1 FROM operations WHERE id = ?1
				UNION ALL SELECT 1 FROM words WHERE name = ?1 UNION ALL SELECT 1 FROM heads WHERE name = ?1 AND message IS NOT NULL`).bindBlob(c.Message[:])
			if !q.next() {
				lost++
			}
			if err := q.done(); err != nil {
				return 0, err
			}
		}
	}
	return lost, nil
}

// staleTerms compares the search index with the history: for each place a sum over the
// hashes of its terms, which must be that of the message's own.
func (w *writer) staleTerms() (stale int, err error) {
	if err := w.c.db.Exec(`CREATE VIRTUAL TABLE IF NOT EXISTS temp.terms USING fts5vocab(main, search, instance)`); err != nil {
		return 0, err
	}
	seed, sums := maphash.MakeSeed(), make(map[int64]uint64)
	q := w.c.query(`SELECT doc, term FROM temp.terms`)
	for q.next() {
		doc := q.int()
		sums[doc] += maphash.String(seed, q.text())
	}
	if err := q.done(); err != nil {
		return 0, err
	}
	q = w.c.query(selectIndexed + ` WHERE m.seq <= ? ORDER BY m.seq`).bindInt(w.counts.indexed)
	for q.next() {
		m := scanText(q)
		words := strings.Fields(tokens(m.text))
		slices.Sort(words)
		for _, word := range slices.Compact(words) {
			sums[m.seq] -= maphash.String(seed, word)
		}
	}
	for _, sum := range sums {
		if sum != 0 {
			stale++
		}
	}
	return stale, q.done()
}

// strayChunks counts the files under our directory of attachments that no row names. One
// that is being written has none yet.
func (s *Store) strayChunks() (stray int, err error) {
	names, err := collect(s.write.c.query(`SELECT name FROM chunks`), func(q *query) (n chunkName) {
		q.array(n[:])
		return n
	}, "read chunks")
	if err != nil {
		return 0, err
	}
	owned := make(map[string]bool, len(names))
	for _, n := range names {
		owned[s.dir+"/"+n.path()] = true
	}
	all, _, err := listFiles(s.profile.root)
	for _, f := range all {
		if f.kind == FileChunk && strings.HasPrefix(f.name, s.dir+"/") && !owned[f.name] && time.Since(f.written) > chunkGrace {
			stray++
		}
	}
	return stray, err
}
