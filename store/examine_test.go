package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/protocol"
)

// testHands writes into one conversation of a store without a core.
type testHands struct {
	f       *fixture
	s       *Store
	planted []protocol.Write
}

func (h *testHands) Plant(_ context.Context, texts []string) error {
	for _, text := range texts {
		m := h.f.message(0, protocol.In, text)
		h.planted = append(h.planted, protocol.EraseMessage{ID: m.ID})
		if _, err := h.s.Commit(Batch{Now: h.f.tick(), Writes: []protocol.Write{m, h.f.convs[0]}}); err != nil {
			return err
		}
	}
	_, err := h.s.IndexStep(IndexStepMax)
	return err
}

func (h *testHands) Erase(context.Context) error {
	for batch := range slices.Chunk(h.planted, DeleteBatchMax) {
		if _, err := h.s.Commit(Batch{Now: h.f.tick(), Writes: batch}); err != nil {
			return err
		}
	}
	h.planted = nil
	return nil
}

// drillOn fills a store as a user would, erases the half of it, and drills.
func drillOn(t *testing.T, s *Store, size int) Drilled {
	t.Helper()
	f := newFixture(t, 20)
	for i := range f.convs {
		f.commit(s, protocol.PutContact{ID: f.convs[i].Contact, Name: fmt.Sprintf("친구 %d of many", i)}, f.session[i], f.convs[i])
	}
	f.eraseAll(s, plant(f, s, size))
	found, err := s.Drill(t.Context(), &testHands{f: f, s: s}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestDrillFindsNothing drills a profile as it is meant to be.
func TestDrillFindsNothing(t *testing.T) {
	d := drillOn(t, create(t), 20)
	if d.Hits() != 0 {
		t.Errorf("%+v", d)
	}
	if d.Planted < 2*drillSentinels || d.Pages == 0 || d.Outside.Files < 6 || d.Outside.Directories != 2 || !d.Guess.Keyfile {
		t.Errorf("the drill saw too little: %+v", d)
	}
}

// TestDrillFindsEachWeakness takes one guard away at a time: the drill that users run
// must find it.
func TestDrillFindsEachWeakness(t *testing.T) {
	for _, tt := range guards() {
		t.Run(tt.name, func(t *testing.T) {
			s := reopenWeak(t, create(t), tt.weak)
			mustExec(t, s, tt.sql)
			d := drillOn(t, s, 20)
			if d.Hits() == 0 {
				t.Error("the drill finds nothing without this guard")
			}
			t.Logf("left %d, later %d, cached %d, gaps %d, free %d, log %d, terms %d", d.Left, d.Later, d.CachedBytes, d.GapBytes, d.FreeBytes, d.LogUnits, d.StaleTerms)
		})
	}
}

// TestEveryTableHasAnOwner fails for a table that the drill would not know.
func TestEveryTableHasAnOwner(t *testing.T) {
	s := create(t)
	tables, err := collect(s.write.c.query(`SELECT name FROM sqlite_schema WHERE type = 'table'`),
		func(q *query) string { return q.text() }, "list tables")
	if err != nil {
		t.Fatal(err)
	}
	known := ownerships()
	for _, table := range tables {
		if !slices.ContainsFunc(known, func(o ownership) bool { return o.table == table }) {
			t.Errorf("who owns the rows of %s? Say so in ownerships: the drill looks for rows that nothing owns", table)
		}
	}
	for _, o := range known {
		if !slices.Contains(tables, o.table) {
			t.Errorf("no table %s", o.table)
		}
	}
}

// orphanRows are rows that nothing owns, one for each rule of ownerships.
var orphanRows = map[string]string{
	"sessions":      `INSERT INTO sessions(contact, sid) VALUES (x'01', x'02')`,
	"conversations": `INSERT INTO conversations VALUES (99, x'01', 'direct', x'02', 0, 0, 0, 0, 0, 0, 0, x'', 0, 0, 0, x'', x'')`,
	"messages":      `INSERT INTO messages VALUES (999, x'01', NULL, 98, 1, 0, 1, 0, 0, 0, 0, '', '', '', x'', NULL, 0, NULL)`,
	"operations":    `INSERT INTO operations VALUES (99, x'01', x'01', 98, 0, 1, 5, x'02', 1, 0, x'', 1, 0)`,
	"pictures":      `INSERT INTO pictures VALUES (99, x'01', 1, x'ff')`,
	"gaps":          `INSERT INTO gaps VALUES (98, 1, 1)`,
	"flags":         `INSERT INTO flags VALUES (98, 1, 1)`,
	"drafts":        `INSERT INTO drafts VALUES (98, 1, NULL, 'a draft')`,
	"approvals":     `INSERT INTO approvals VALUES ('ap_a', 'ms_a', 'tk_gone', 98, 1, 1, x'', 'a text')`,
	"marks":         `INSERT INTO marks VALUES (1, 98)`,
	"search_edited": `INSERT INTO search_edited VALUES (98, 0)`,
	"outbox":        `INSERT INTO outbox VALUES (99, 98, 1, x'', x'', x'')`,
	"tombstones":    `INSERT INTO tombstones VALUES (x'01', 1)`,
	"events":        `INSERT INTO events VALUES (99, 1, 1, 'message.created', NULL, NULL, NULL, 1, 'a text!')`,
	"audit":         `INSERT INTO audit VALUES (1, 1, 'token.created', 'owner', '', 'ok', 'a text!', 1)`,
	"consumers":     `INSERT INTO consumers VALUES ('bot', 1, 1, 'tk_gone')`,
	"files":         `INSERT INTO files VALUES (99, x'01', 'a.txt', '', 1, x'', 0, 0, 0, x'', 1, 'available', '', 0, x'', x'')`,
	"chunks":        `INSERT INTO chunks VALUES (98, 0, x'01', x'')`,
	"attachments":   `INSERT INTO attachments VALUES (97, 0, 96)`,
	"parts":         `INSERT INTO parts VALUES (99, 98, x'01', 0, 0, 0, 1, x'02')`,
	"groups":        `INSERT INTO groups VALUES (98, x'')`,
	"members":       `INSERT INTO members VALUES (1, 98, x'01', x'02', x'')`,
	"words":         `INSERT INTO words VALUES (1, x'01', 98, 1, x'02', x'')`,
	"heads":         `INSERT INTO conversations VALUES (97, x'97', 'group', NULL, 0, 0, 0, 0, 0, 0, 0, x'', 0, 0, 0, x'', x''); INSERT INTO groups VALUES (97, x''); INSERT INTO heads VALUES (1, x'01', 97, x'02', 1, 0, x'', x'03', NULL)`,
	"mailboxes":     `INSERT INTO mailboxes VALUES (x'01', x'02', x'')`,
	"held":          `INSERT INTO held VALUES (1, x'99', x'01', 1, 1, x'')`,
}

// TestExamineFindsOrphans gives each table a row that nothing owns.
func TestExamineFindsOrphans(t *testing.T) {
	for _, o := range ownerships() {
		if o.orphans == "" {
			continue
		}
		s := create(t)
		sql, ok := orphanRows[o.table]
		if !ok {
			t.Errorf("no orphan of %s is tried", o.table)
			continue
		}
		mustExec(t, s, sql)
		e, err := s.Examine()
		if err != nil || !slices.ContainsFunc(e.Orphans, func(f Orphans) bool { return f.Table == o.table && f.Rows == 1 }) {
			t.Errorf("%s: found %v, %v", o.table, e.Orphans, err)
		}
	}
	s := create(t)
	mustExec(t, s, `CREATE TABLE news(body TEXT); INSERT INTO news VALUES ('hello')`)
	if e, err := s.Examine(); err != nil || !slices.Contains(e.Orphans, Orphans{"news", 1}) {
		t.Errorf("a table that nobody knows: %v, %v", e.Orphans, err)
	}
}

// TestExamineFindsStrays finds terms of a text that is gone, envelopes of a message that
// is gone, and chunks.
func TestExamineFindsStrays(t *testing.T) {
	s, f := create(t), newFixture(t, 1)
	f.commit(s, f.message(0, protocol.In, "a text that changes"), f.message(0, protocol.In, "점심 먹자"), f.convs[0])
	indexAll(t, s)
	if e, err := s.Examine(); err != nil || e.StaleTerms != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	mustExec(t, s, `DELETE FROM messages WHERE position = 2`)
	f.commit(s, protocol.PutOutbox{Contact: f.session[0].Contact, SID: f.session[0].SID, Index: 1, Envelope: []byte{1},
		Contents: []protocol.OutboxContent{{Message: f.id()}}})
	shelf := filepath.Join(s.profile.path, s.slot.directoryName(), filesName, "ab")
	chunk := make([]byte, 4096)
	rand.Read(chunk)
	writeFile(t, filepath.Join(shelf, "abcdef"), chunk)
	hour := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(shelf, "abcdef"), hour, hour); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(shelf, "abcd"), chunk[:2048]) // is being written
	e, err := s.Examine()
	if err != nil || e.StaleTerms != 1 || e.Chunks != 1 || !slices.Contains(e.Orphans, Orphans{"outbox", 1}) {
		t.Errorf("%+v, %v", e, err)
	}
}

func writeFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOutsideFindsEachTrace puts into a profile what an examiner could use.
func TestOutsideFindsEachTrace(t *testing.T) {
	random := make([]byte, 64<<10)
	rand.Read(random)
	with := func(at int, what string) []byte {
		b := slices.Clone(random)
		copy(b[at:], what)
		return b
	}
	s := create(t)
	s.spendReserve() // most of a new profile, of which TestEveryFileIsKnown looks at every byte
	for _, tt := range []struct {
		name  string
		file  string // in the directory of a slot
		b     []byte
		trace Trace
	}{
		{"nothing", "att/ab/cdef", random, ""},
		{"an unknown file", "notes.txt", random, TraceUnknown},
		{"an unknown file among the chunks", "att/ab/photo.jpg", random, TraceUnknown},
		{"a database in clear", "db-9", with(0, "SQLite format 3\x00"), TraceStructure},
		{"a page in clear", "db-9", with(8192, string(make([]byte, 3000))), TraceStructure},
		{"two blocks alike", "att/ab/cdef", slices.Concat(random, random), TraceStructure},
		{"readable text", "db-9-shm", with(777, "The quick brown fox jumps over the lazy dog."), TraceText},
		{"readable Hangul", "db-9-wal", with(777, "키스의고유조건은입술끼리만나야"), TraceText},
		{"a name of the profile", "db-9", with(1<<10-4, "Jiwoo Kim"), TraceWord},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(s.profile.path, s.slot.directoryName(), filepath.FromSlash(tt.file))
			writeFile(t, name, tt.b)
			defer os.Remove(name)
			o, err := LookOutside(t.Context(), s.profile.path, [][]byte{[]byte("Jiwoo Kim"), []byte("short")})
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(o.Findings, func(f Finding) bool { return f.Trace == tt.trace })
			if tt.trace == "" && len(o.Findings) > 0 || tt.trace != "" && !found {
				t.Errorf("found %+v", o.Findings)
			}
		})
	}
}

// TestOutsideCountsDirectories finds the directory of a slot that is of nobody.
func TestOutsideCountsDirectories(t *testing.T) {
	s := create(t)
	name := filepath.Join(s.profile.path, string(bytes.Repeat([]byte("ab"), directoryBytes)))
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	if o, err := LookOutside(t.Context(), s.profile.path, nil); err != nil || o.Directories != 3 || len(o.Findings) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestEveryFileIsKnown walks a profile with a passphrase, and one without, through all
// that makes files, and looks at it from outside all the time.
func TestEveryFileIsKnown(t *testing.T) {
	s, err := Create(t.TempDir(), Options{Argon: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := newFixture(t, 1)
	look := func(when string) {
		t.Helper()
		words, err := s.Words()
		if err != nil {
			t.Fatal(err)
		}
		if o, err := LookOutside(t.Context(), s.profile.path, words); err != nil || len(o.Findings) > 0 {
			t.Errorf("%s: %+v, %v", when, o.Findings, err)
		}
	}
	look("new")
	s.spendReserve()
	f.commit(s, f.message(0, protocol.In, "무엇이든 쓸 수 있는 긴 글"), f.convs[0], protocol.PutSelf{Name: "김민서라는 사람"})
	look("with a message")
	if err := s.Rotate(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	look("rotated")
	if err := s.ChangePassphrase([]byte("correct horse")); err != nil {
		t.Fatal(err)
	}
	look("with a passphrase")
	g, err := MeasureGuess(s.profile.path)
	if err != nil || g.Keyfile || g.Took <= 0 || g.Argon.MemoryKiB < ArgonMemoryMin {
		t.Errorf("a guess: %+v, %v", g, err)
	}
}

// TestPagesHoldWhatTheReportCounts counts messages in the pages, some hundred of them, of which
// some were deleted or left a stub, and finds one that the report's count leaves out.
func TestPagesHoldWhatTheReportCounts(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	var writes []protocol.Write
	for i := range 300 {
		writes = append(writes, f.message(0, protocol.Direction(i%2), strings.Repeat("긴 글 ", 1+i*10)))
	}
	stub, gone := writes[7].(protocol.PutMessage), writes[8].(protocol.PutMessage)
	f.commit(s, append(writes, f.convs[0])...)
	f.commit(s, protocol.EraseMessage{ID: gone.ID}, protocol.StubMessage{Conversation: stub.Conversation, Message: stub.Wire, At: f.now.UnixMilli()})
	e, err := s.Examine([]byte("nothing that is there"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Recount{Messages: 298, ClaimedMessages: 298}); e.Recount != want {
		t.Errorf("counted %+v, want %+v", e.Recount, want)
	}
	if d := (&Recount{Messages: 3, ClaimedMessages: 2, Held: 1, ClaimedHeld: 4}).Differs(); d != 4 {
		t.Errorf("%d differ", d)
	}
	s.write.Lock()
	err = s.write.c.query(`UPDATE messages SET conversation = 99 WHERE position = 20`).run()
	s.write.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if e, err = s.Examine([]byte("nothing that is there")); err != nil || e.Recount.Differs() != 1 {
		t.Errorf("of a row that no conversation has: %+v, %v", e.Recount, err)
	}
}
