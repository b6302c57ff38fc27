package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/protocol"
)

func TestCursorText(t *testing.T) {
	c := Cursor{Epoch: 12, Sequence: 345}
	if c.String() != "e12.345" {
		t.Errorf("got %s", c)
	}
	if got, err := ParseCursor(c.String()); err != nil || got != c {
		t.Errorf("got %v, %v", got, err)
	}
	for _, s := range []string{"", "e", "e1", "e1.", "e.1", "1.2", "e1.2 ", "e01.2", "e1.-2", "e1.9223372036854775808", "ee1.2"} {
		if c, err := ParseCursor(s); err != ErrCursor {
			t.Errorf("%q: %v, %v", s, c, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("e1.2")
	f.Add("e18446744073709551615.9223372036854775807")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseCursor(s); err == nil && c.String() != s {
			t.Fatalf("%q reads as %v", s, c)
		}
	})
}

// log commits events, each batch on its own.
func (f *fixture) log(s *Store, batches ...[]protocol.Event) (last Committed) {
	f.t.Helper()
	for _, events := range batches {
		done, err := s.Commit(Batch{Now: f.tick(), Events: events})
		if err != nil {
			f.t.Fatal(err)
		}
		last = done
	}
	return last
}

// told writes events as text: sequence, type, and first and count where they say more.
func told(p EventPage) string {
	var all []string
	for _, l := range p.Events {
		s := fmt.Sprint(l.First.Sequence, " ", l.Event.Type)
		if l.Event.Count > 1 {
			s += fmt.Sprintf(" %d+%d", l.Event.First, l.Event.Count)
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

func TestEvents(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	one, two := f.convs[0].ID, f.convs[1].ID
	done := f.log(s,
		[]protocol.Event{
			{Type: protocol.MessageCreated, Conversation: one, First: 10, Count: 5},
			{Type: protocol.Typing, Contact: f.convs[0].Contact},
			{Type: protocol.ContactAdded, Contact: f.convs[0].Contact},
		},
		[]protocol.Event{
			{Type: protocol.MessageStatus, Conversation: two, First: 3, Count: 2},
			{Type: protocol.MessageCreated, Conversation: two, First: 1},
		})
	epoch := done.Cursor.Epoch
	if want := []Cursor{{epoch, 7}, {epoch, 9}}; !slices.Equal(done.First, want) || done.Cursor != (Cursor{epoch, 9}) {
		t.Fatalf("committed %+v", done)
	}
	at := func(n uint64) Cursor { return Cursor{epoch, n} }
	for _, tt := range []struct {
		query EventQuery
		want  string
		last  uint64
	}{
		{EventQuery{}, "1 message.created 10+5, 6 contact.added, 7 message.status 3+2, 9 message.created", 9},
		{EventQuery{After: at(3)}, "4 message.created 13+2, 6 contact.added, 7 message.status 3+2, 9 message.created", 9},
		{EventQuery{After: at(5)}, "6 contact.added, 7 message.status 3+2, 9 message.created", 9},
		{EventQuery{After: at(9)}, "", 9},
		{EventQuery{Limit: 3}, "1 message.created 10+3", 3},
		{EventQuery{After: at(3), Limit: 4}, "4 message.created 13+2, 6 contact.added, 7 message.status", 7},
		{EventQuery{Types: []string{"contact.*"}}, "6 contact.added", 9},
		{EventQuery{Types: []string{"message.status", "contact.added"}}, "6 contact.added, 7 message.status 3+2", 9},
		{EventQuery{Conversations: []protocol.ConversationID{two}}, "6 contact.added, 7 message.status 3+2, 9 message.created", 9},
	} {
		page := view(t, s, func(v *View) (EventPage, error) { return v.Events(tt.query) })
		if got := told(page); got != tt.want || page.Cursor != at(tt.last) || page.More != (tt.last < 9) {
			t.Errorf("%+v: %q to %v, want %q to %d", tt.query, got, page.Cursor, tt.want, tt.last)
		}
	}
	s = reopen(t, s)
	if c := f.log(s, []protocol.Event{{Type: protocol.SelfUpdated}}).Cursor; c != at(10) {
		t.Errorf("after opening again the next event is %v", c)
	}
	for _, c := range []Cursor{{epoch + 1, 5}, {epoch, 11}} {
		err := s.View(func(v *View) error {
			page, err := v.Events(EventQuery{After: c})
			if page.Cursor != at(10) {
				t.Errorf("a reader is sent to %v", page.Cursor)
			}
			return err
		})
		if !errors.Is(err, ErrCursorExpired) {
			t.Errorf("cursor %v: %v", c, err)
		}
	}
}

// TestRetention checks who keeps events: 7 days all, then the slowest consumer,
// 30 days at most.
func TestRetention(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	fill := func() Cursor {
		return f.log(s, []protocol.Event{{Type: protocol.SelfUpdated, Count: trimEvery}}).Cursor
	}
	oldest := func() uint64 { return view(t, s, (*View).Oldest).Sequence }
	first := fill()
	f.now = f.now.Add(6 * 24 * time.Hour)
	fill()
	if oldest() != 0 {
		t.Fatal("events of 6 days are gone")
	}
	if _, err := s.Commit(Batch{Now: f.now, Rows: []Row{PutConsumer{Name: "bot", Cursor: Cursor{first.Epoch, 0}}}}); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(2 * 24 * time.Hour)
	fill()
	if oldest() != 0 {
		t.Fatal("events that a consumer wants are gone")
	}
	if _, err := s.Commit(Batch{Now: f.now, Rows: []Row{PutConsumer{Name: "bot", Cursor: first}}}); err != nil {
		t.Fatal(err)
	}
	fill()
	if oldest() != first.Sequence {
		t.Fatalf("the oldest event is behind %d, want %d", oldest(), first.Sequence)
	}
	f.now = f.now.Add(31 * 24 * time.Hour)
	last := fill()
	if got := oldest(); got != last.Sequence-trimEvery {
		t.Errorf("after 31 days the oldest event is behind %d of %d", got, last.Sequence)
	}
	s = reopen(t, s)
	f.now = f.now.Add(31 * 24 * time.Hour)
	if got := fill(); got.Sequence != last.Sequence+trimEvery {
		t.Errorf("cursor %v after opening again, want %d", got, last.Sequence+trimEvery)
	}
}

// TestEventsMax checks that the log is bounded whoever wants it.
func TestEventsMax(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	const part = EventsMax / 4
	var last Cursor
	for range 6 {
		last = f.log(s, []protocol.Event{{Type: protocol.SelfUpdated, Count: part}}).Cursor
	}
	oldest := view(t, s, (*View).Oldest)
	if kept := last.Sequence - oldest.Sequence; kept > EventsMax {
		t.Errorf("%d events are kept", kept)
	}
}

// TestEventsHoldNoText is the promise that lets the log outlive messages.
func TestEventsHoldNoText(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.In, "secretword")
	if _, err := s.Commit(Batch{Now: f.tick(), Writes: []protocol.Write{m, f.convs[0], protocol.EraseMessage{ID: m.ID}},
		Events: []protocol.Event{{Type: protocol.MessageCreated, Conversation: m.Conversation, Ref: m.ID, First: m.Position}}}); err != nil {
		t.Fatal(err)
	}
	if n := hits(t, s, "secretword"); n != 0 {
		t.Errorf("%d copies of the text", n)
	}
}
