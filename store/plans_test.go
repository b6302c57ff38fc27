package store

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// growing are the tables that grow with what a profile lives through. A query that
// scans one of them, or sorts what it finds, gets slower for ever.
var growing = regexp.MustCompile(`^SCAN (m|messages|operations|heads|h|events|idempotency|tombstones|gaps)\b|TEMP B-TREE`)

// TestNoQueryGrowsWithTheHistory asks SQLite how it would run every query there is.
func TestNoQueryGrowsWithTheHistory(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	useAll(t, s, f)
	for name, c := range map[string]*conn{"writer": s.write.c, "reader": s.reader.c} {
		var all []string
		for sql := range c.queries {
			if strings.Contains(sql, "FROM ") && !strings.Contains(sql, "pragma_") && !strings.HasPrefix(sql, "EXPLAIN") {
				all = append(all, sql)
			}
		}
		if len(all) < 10 {
			t.Errorf("%s: only %d queries", name, len(all))
		}
		for _, sql := range all {
			q := c.query("EXPLAIN QUERY PLAN " + sql)
			for q.next() {
				q.at = 3
				if step := q.text(); growing.MatchString(step) && !bounded(sql) {
					t.Errorf("%s: %s\n%s", name, step, sql)
				}
			}
			if err := q.done(); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}

// bounded reports whether a query may scan or sort: it ends after the rows of a step, is
// for the whole table, its table is small, or what it sorts has an index of its own: the
// files that are wanted now.
func bounded(sql string) bool {
	for _, part := range []string{"FROM events ORDER BY seq LIMIT", "FROM events ORDER BY seq DESC LIMIT 1", "SELECT mac, at FROM tombstones", "FROM tokens", "FROM webhooks", "FROM approvals", "WHERE f.state = 'remote' AND f.wanted = 1"} {
		if strings.Contains(sql, part) {
			return true
		}
	}
	return false
}

// useAll calls everything that a store can do, so that its queries are there.
func useAll(t *testing.T, s *Store, f *fixture) {
	t.Helper()
	id, m := f.convs[0].ID, f.message(0, protocol.In, "회의 lunch")
	b := f.batch(8)
	edit := f.edit(0, m, 1, "edited")
	b.Writes = append(b.Writes, m, f.convs[0], edit, protocol.EraseWaiting{Conversation: id, First: 1, Last: 9}, protocol.PutPart{Conversation: id, Message: m.Wire},
		protocol.PutPart{Conversation: id, Message: [16]byte{9}, Waits: 70, Sealed: []byte("sealed")}, protocol.PutGap{Conversation: id, Position: 900, Count: 1},
		protocol.EraseGap{Conversation: id, Position: 900}, protocol.PutTombstone{MAC: [16]byte{1}},
		protocol.SetMessageState{ID: m.ID}, protocol.SetMessageExpiry{ID: m.ID}, protocol.RenumberMessage{ID: m.ID, Content: m.Content},
		f.operation(0, wire.ContentDelete, b.Writes[0].(protocol.PutMessage).ID), protocol.SetDeletion{Conversation: id}, protocol.PutPicture{Contact: f.convs[0].Contact, Sequence: 1, JPEG: []byte("jpeg")},
		protocol.PutGroup{Conversation: id}, protocol.PutMember{Conversation: id}, protocol.PutShared{Conversation: id, Kind: protocol.SharedOperation},
		protocol.PutShared{Name: [16]byte{1}, Conversation: id, Kind: protocol.SharedLeave}, protocol.PutShared{Name: [16]byte{2}, Conversation: id, Kind: protocol.SharedMessage, Message: m.ID},
		f.reaction(protocol.In, &m, 1, "👍"), protocol.StubMessage{Conversation: id, Message: m.Wire}, protocol.StubMessage{Conversation: id, Own: true})
	b.Events = append(b.Events, protocol.Event{Type: protocol.MessageCreated, Count: trimEvery},
		protocol.Event{Type: protocol.MessageDeleted, Conversation: id, Message: m.Wire})
	b.Rows = []Row{PutSetting{Name: "a"}, PutAudit{Audited{What: "a", Outcome: "b"}}, PutToken{ID: "t"}, PutApproval{ID: "a", Token: "t", Conversation: id}, EraseApproval{ID: "a"}, PutWebhook{ID: "w"}, UpdateWebhook{ID: "w"}, EraseWebhook{ID: "w"}, PutConsumer{Name: "c"}, PutIdempotency{Actor: "a", Key: "k"},
		PutUpload{ID: protocol.FileID{1}}, PutChunks{File: protocol.FileID{1}, Chunks: []WrittenChunk{{}}}, SetWanted{}, FinishFile{},
		FailFile{File: protocol.FileID{1}}, DropParts{File: protocol.FileID{1}}, EraseUpload{File: protocol.FileID{1}}, EraseStaleUploads{},
		PutDraft{Conversation: id, Text: "d"}, SetFlag{id, FlagPinned, 1}, SetFlag{id, FlagPinned, 0}, SetMark{m.ID, MarkStar, true},
		SetMark{m.ID, MarkPin, false}, EraseDraft{id, "d"}, EraseDraft{Conversation: id}}
	if _, err := s.Commit(b); err != nil {
		t.Fatal(err)
	}
	indexAll(t, s)
	again := f.message(0, protocol.In, "회의 again")
	f.commit(s, again)
	indexAll(t, s)
	f.commit(s, f.edit(0, again, 1, "edited, and not yet indexed so"))
	err := s.View(func(v *View) error { _, err := v.Search(SearchQuery{Text: "회의"}); return err })
	if err != nil {
		t.Fatal(err)
	}
	indexAll(t, s)
	if _, err := s.Load(); err != nil {
		t.Fatal(err)
	}
	err = s.View(func(v *View) error {
		for _, ask := range []func() error{
			func() error { _, err := v.Messages(id, PageQuery{Before: 3}); return err },
			func() error { _, err := v.Messages(id, PageQuery{After: 1}); return err },
			func() error { _, err := v.Message(m.ID); return err },
			func() error { _, err := v.LastMessage(id); return err },
			func() error { _, err := v.Edits(m.ID); return err },
			func() error { _, err := v.HighestRead(id, 1, 9); return err },
			func() error { _, err := v.OwnMessages(id, 1, 9); return err },
			func() error { _, err := v.Sequences(id, 1, 9); return err },
			func() error { _, err := v.Quoted(id, m.Wire, false); return err },
			func() error { v.Quoted(id, m.Wire, true); return nil },
			func() error {
				_, err := v.StatusSince(&protocol.PutConversation{Delivered: []protocol.Range{{First: 1, Last: 1}}}, &Message{PutMessage: protocol.PutMessage{Sequence: 1}})
				return err
			},
			func() error { _, err := v.Contents([]protocol.MessageID{m.ID, {7}}); return err },
			func() error { _, err := v.Shared(id, identity.MemberKey{}, 1, 9); return err },
			func() error { _, err := v.Outbox(5); return err },
			func() error { _, err := v.Unstarted(id, 5, 0); return err },
			func() error { _, err := v.Due(1, 4); return err },
			func() error { _, err := v.NextExpiry(); return err },
			func() error { _, err := v.Search(SearchQuery{Text: "회의"}); return err },
			func() error { _, err := v.Conversations(id, 5); return err },
			func() error { _, err := v.Conversations(protocol.ConversationID{}, 5); return err },
			func() error { _, err := v.Totals(); return err },
			func() error { _, err := v.Files(id, 5); return err },
			func() error { _, err := v.Files(protocol.ConversationID{}, 5); return err },
			func() error { _, err := v.FilesOf(m.ID); return err },
			func() error { _, err := v.ConversationsOf(protocol.FileID{1}); return err },
			func() error { _, err := v.Wanted(5, 5); return err },
			func() error {
				_, _, err := v.Offered(protocol.ContactID{1}, m.ID, 0)
				return notFoundIsFine(err)
			},
			func() error { _, err := v.WholeInParts(5); return err },
			func() error { _, err := v.Parts(protocol.FileID{1}); return err },
			func() error { _, err := v.Open(protocol.FileID{1}); return notFoundIsFine(err) },
			func() error { _, err := v.Flags(id); return err },
			func() error { _, err := v.Flagged(FlagPresence); return err },
			func() error { _, err := v.Picture(f.convs[0].Contact); return notFoundIsFine(err) },
			func() error { _, err := v.PictureSequence(f.convs[0].Contact); return err },
			func() error { _, err := v.Marks(m.ID); return err },
			func() error {
				_, err := v.Marked(MarkedQuery{Mark: MarkStar, Conversations: []protocol.ConversationID{id}, Limit: 5})
				return err
			},
			func() error { _, err := v.Events(EventQuery{}); return err },
			func() error { _, err := v.Consumers(); return err },
			func() error { _, err := v.Audit(0, 5); return err },
			func() error { _, err := v.Webhooks(); return err },
			func() error { _, err := v.Approvals(); return err },
			func() error { _, err := v.Tokens(); return err },
			func() error { _, err := v.Settings(); return err },
			func() error { _, err := v.Tombstones(); return err },
			func() error { _, err := v.Tombstone([16]byte{1}); return err },
			func() error { _, err := v.Idempotency("a", "k"); return err },
		} {
			if err := ask(); err != nil {
				return err
			}
		}
		if _, err := v.MessageByClientID("ms_none"); err != ErrNotFound {
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.commit(s, protocol.EraseMessage{ID: m.ID}, protocol.EraseConversation{ID: f.convs[1].ID},
		protocol.EraseOutbox{Contact: f.session[0].Contact, SID: f.session[0].SID, Last: 99},
		protocol.EraseContact{ID: f.session[0].Contact})
}

func notFoundIsFine(err error) error {
	if err == ErrNotFound {
		return nil
	}
	return err
}

// TestNothingIsPlannedAgain runs a statement of FTS5's with other values, as deleting a text does
// for each of its terms: it is not planned again for them, which would cost more than to run it.
func TestNothingIsPlannedAgain(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	useAll(t, s, f)
	for name, c := range map[string]*conn{"writer": s.write.c, "reader": s.reader.c} {
		const seek = `SELECT pgno FROM search_idx WHERE segid = ? AND term <= ? ORDER BY term DESC LIMIT 1`
		for i := range 100 {
			if err := c.query(seek).bindInt(int64(i%10 + 1)).bindBlob([]byte{byte(i)}).run(); err != nil {
				t.Fatal(err)
			}
		}
		for sql, q := range c.queries {
			const once = 1 // when the schema changed
			if n := q.s.Status(sqlite3.STMTSTATUS_REPREPARE, false); n > once && !strings.HasPrefix(sql, "PRAGMA") {
				t.Errorf("%s: planned again %d times: %s", name, n, sql)
			}
		}
	}
}
