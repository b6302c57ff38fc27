package store

import (
	"fmt"
	"slices"
	"testing"

	"pabal/protocol"
)

func marked(t *testing.T, s *Store, q MarkedQuery) (texts []string) {
	t.Helper()
	for _, m := range view(t, s, func(v *View) ([]Message, error) { return v.Marked(q) }) {
		texts = append(texts, textOf(m.Content, m.Edit))
	}
	return texts
}

// TestMarks follows pins and stars until their messages are erased.
func TestMarks(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	var ids []protocol.MessageID
	writes := []protocol.Write{f.convs[0], f.convs[1]}
	for i := range 5 {
		m := f.message(i%2, protocol.In, fmt.Sprintf("m%d", i))
		ids, writes = append(ids, m.ID), append(writes, m)
	}
	f.commit(s, writes...)
	for _, i := range []int{0, 1, 2, 4} {
		f.rows(s, SetMark{ids[i], MarkStar, true}, SetMark{ids[i], MarkStar, true})
	}
	f.rows(s, SetMark{ids[0], MarkPin, true}, SetMark{protocol.MessageID{9}, MarkPin, true}, SetMark{ids[1], MarkStar, false})
	stars := MarkedQuery{Mark: MarkStar, Limit: 10}
	if got := marked(t, s, stars); !slices.Equal(got, []string{"m4", "m2", "m0"}) {
		t.Errorf("stars %v", got)
	}
	if got := marked(t, s, MarkedQuery{Mark: MarkStar, Before: ids[4], Limit: 1}); !slices.Equal(got, []string{"m2"}) {
		t.Errorf("page %v", got)
	}
	if got := marked(t, s, MarkedQuery{Mark: MarkStar, Conversations: []protocol.ConversationID{f.convs[1].ID}, Limit: 10}); got != nil {
		t.Errorf("stars of the other conversation %v", got)
	}
	if got := marked(t, s, MarkedQuery{Mark: MarkPin, Limit: 10}); !slices.Equal(got, []string{"m0"}) {
		t.Errorf("pins %v", got)
	}
	f.commit(s, protocol.EraseMessage{ID: ids[2]})
	s = reopen(t, s)
	if got := marked(t, s, stars); !slices.Equal(got, []string{"m4", "m0"}) {
		t.Errorf("stars after erasing %v", got)
	}
	f.commit(s, protocol.EraseConversation{ID: f.convs[0].ID})
	if n, err := s.reader.c.number(`SELECT count(*) FROM marks`); n != 0 || err != nil {
		t.Errorf("%d marks of nothing, %v", n, err)
	}
}

// TestDraftIsErased looks for a draft in the files after each way it ends.
func TestDraftIsErased(t *testing.T) {
	for name, end := range map[string]func(f *fixture, s *Store){
		"erased":       func(f *fixture, s *Store) { f.rows(s, EraseDraft{Conversation: f.convs[0].ID}) },
		"conversation": func(f *fixture, s *Store) { f.commit(s, protocol.EraseConversation{ID: f.convs[0].ID}) },
		"sent and deleted": func(f *fixture, s *Store) {
			m := f.message(0, protocol.Out, "ein halber Gedanke")
			f.commit(s, m)
			f.rows(s, EraseDraft{f.convs[0].ID, "something else"})
			f.rows(s, EraseDraft{f.convs[0].ID, "ein halber Gedanke"})
			f.commit(s, protocol.EraseMessage{ID: m.ID})
		},
		"replaced": func(f *fixture, s *Store) {
			f.rows(s, PutDraft{Conversation: f.convs[0].ID, Text: "etwas anderes"})
			s.Scrub() // comes within ScrubWithin
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := create(t)
			f := newFixture(t, 1)
			f.commit(s, f.convs[0])
			f.rows(s, PutDraft{Conversation: f.convs[0].ID, Text: "ein halber Gedanke"})
			word := []byte("halber Gedanke")
			if sight, err := s.Look(word); err != nil || sight.Hits[0] == 0 {
				t.Fatalf("hits %v, %v", sight.Hits, err)
			}
			end(f, s)
			if sight, err := s.Look(word); err != nil || sight.Hits[0] != 0 {
				t.Errorf("hits %v, %v", sight.Hits, err)
			}
		})
	}
}

func TestFlags(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	f.commit(s, f.convs[0], f.convs[1])
	id := f.convs[0].ID
	f.rows(s, SetFlag{id, FlagArchived, 1}, SetFlag{id, FlagMuted, 5}, SetFlag{id, FlagMuted, 7}, SetFlag{id, FlagPinned, 1},
		SetFlag{id, FlagPinned, 0}, SetFlag{protocol.ConversationID{9}, FlagPinned, 1}, PutDraft{Conversation: protocol.ConversationID{9}, Text: "x"})
	s = reopen(t, s)
	if got := view(t, s, func(v *View) (map[Flag]int64, error) { return v.Flags(id) }); fmt.Sprint(got) != "map[1:7 2:1]" {
		t.Errorf("flags %v", got)
	}
	if got := view(t, s, func(v *View) (map[Flag]int64, error) { return v.Flags(f.convs[1].ID) }); len(got) != 0 {
		t.Errorf("flags of another %v", got)
	}
	f.commit(s, protocol.EraseConversation{ID: id})
	if n, err := s.reader.c.number(`SELECT (SELECT count(*) FROM flags) + (SELECT count(*) FROM drafts)`); n != 0 || err != nil {
		t.Errorf("%d rows of nothing, %v", n, err)
	}
}
