package store

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// positions tells a page as text: positions, and position×count for gaps.
func positions(p Page) string {
	var b strings.Builder
	if p.HasBefore {
		b.WriteString("<")
	}
	for i, item := range p.Items {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, item.Position)
		if item.Message == nil {
			fmt.Fprintf(&b, "×%d", item.Missing)
		}
	}
	if p.HasAfter {
		b.WriteString(">")
	}
	return b.String()
}

func TestPages(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	id := f.convs[0].ID
	var writes []protocol.Write
	for i := range 10 {
		if i == 4 {
			writes = append(writes, protocol.PutGap{Conversation: id, Position: 5, Count: 3})
			f.convs[0].LastPosition += 3 // 5, 6, 7
		}
		writes = append(writes, f.message(0, protocol.In, fmt.Sprint(i)), f.message(1, protocol.Out, "x"))
	}
	f.commit(s, append(writes, f.convs[0], f.convs[1])...)
	for _, tt := range []struct {
		query PageQuery
		want  string
	}{
		{PageQuery{}, "1 2 3 4 5×3 8 9 10 11 12 13"},
		{PageQuery{Limit: 3}, "<11 12 13"},
		{PageQuery{Limit: 4, Before: 10}, "<4 5×3 8 9>"},
		{PageQuery{Limit: 4, Before: 5}, "1 2 3 4>"},
		{PageQuery{Limit: 4, Before: 1}, ">"},
		{PageQuery{Limit: 3, After: 3}, "<4 5×3 8>"},
		{PageQuery{Limit: 3, After: 10}, "<11 12 13"},
		{PageQuery{Limit: 3, After: 13}, "<"},
	} {
		page := view(t, s, func(v *View) (Page, error) { return v.Messages(id, tt.query) })
		if got := positions(page); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.query, got, tt.want)
		}
	}
	none := view(t, s, func(v *View) (Page, error) { return v.Messages(protocol.ConversationID{9}, PageQuery{}) })
	if got := positions(none); got != "" {
		t.Errorf("unknown conversation: %q", got)
	}
	late := f.message(0, protocol.In, "late")
	late.Position = 5
	f.commit(s, late, protocol.EraseGap{Conversation: id, Position: 5}, protocol.PutGap{Conversation: id, Position: 6, Count: 2})
	page := view(t, s, func(v *View) (Page, error) { return v.Messages(id, PageQuery{Before: 9, After: 3}) })
	if got := positions(page); got != "1 2 3 4 5 6×2 8>" {
		t.Errorf("after a late message: %q", got)
	}
}

func TestMessageRow(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.Out, "hello")
	m.ClientID, m.ExpiresAt, m.Verification = "ms_"+strings.Repeat("b", 26), 77, protocol.Verified
	f.commit(s, m, f.convs[0])
	want := Message{PutMessage: m}
	byID := view(t, s, func(v *View) (Message, error) { return v.Message(m.ID) })
	byClient := view(t, s, func(v *View) (Message, error) { return v.MessageByClientID(m.ClientID) })
	byText := view(t, s, func(v *View) (Message, error) { return v.MessageByClientID(m.ID.String()) })
	last := view(t, s, func(v *View) (Message, error) { return v.LastMessage(m.Conversation) })
	for _, got := range []Message{byID, byClient, byText, last} {
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	f.commit(s, protocol.SetMessageState{ID: m.ID, State: protocol.MessageFailed, Code: "blocked"},
		protocol.SetMessageExpiry{ID: m.ID, ExpiresAt: 99})
	got := view(t, s, func(v *View) (Message, error) { return v.Message(m.ID) })
	if got.State != protocol.MessageFailed || got.Code != "blocked" || got.ExpiresAt != 99 {
		t.Errorf("got %+v", got)
	}
	renumbered := protocol.RenumberMessage{ID: m.ID, Sequence: 12, Content: f.content("hello", nil)}
	f.commit(s, renumbered)
	again := view(t, s, func(v *View) ([]Message, error) { return v.OwnMessages(m.Conversation, 12, 12) })
	if len(again) != 1 || again[0].ID != m.ID || string(again[0].Content) != string(renumbered.Content) {
		t.Errorf("renumbered: %+v", again)
	}
	m.Content = renumbered.Content
	err := s.View(func(v *View) error {
		_, err := v.MessageByClientID("ms_" + strings.Repeat("c", 26))
		return err
	})
	if err != ErrNotFound {
		t.Errorf("unknown client id: %v", err)
	}
	contents := view(t, s, func(v *View) (map[protocol.MessageID][]byte, error) {
		return v.Contents([]protocol.MessageID{{1}, m.ID})
	})
	if want := map[protocol.MessageID][]byte{m.ID: m.Content}; !reflect.DeepEqual(contents, want) {
		t.Errorf("contents %v", contents)
	}
}

func TestStatus(t *testing.T) {
	c := &protocol.PutConversation{
		ReadUpTo: 5, PeerReadUpTo: 2, Delivered: []protocol.Range{{First: 1, Last: 4}, {First: 6, Last: 9}},
	}
	for _, tt := range []struct {
		direction          protocol.Direction
		position, sequence uint64
		state              protocol.MessageState
		want               Status
	}{
		{protocol.In, 5, 100, "", StatusRead},
		{protocol.In, 6, 1, "", StatusDelivered},
		{protocol.Out, 1, 2, "", StatusRead},
		{protocol.Out, 1, 3, "", StatusDelivered},
		{protocol.Out, 1, 5, "", StatusQueued},
		{protocol.Out, 1, 9, "", StatusDelivered},
		{protocol.Out, 1, 10, "", StatusQueued},
		{protocol.Out, 1, 1, protocol.MessageExpired, StatusExpired},
		{protocol.Out, 1, 10, protocol.MessageFailed, StatusFailed},
	} {
		m := &Message{State: tt.state}
		m.Direction, m.Position, m.Sequence = tt.direction, tt.position, tt.sequence
		if got := StatusOf(c, m); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

// TestStatusSince asks for times of messages behind ten thousand others.
func TestStatusSince(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	c := &f.convs[0]
	const last = 10_000
	c.OwnSequence = last
	c.Delivered, c.PeerReadUpTo = []protocol.Range{{First: 1, Last: 400}, {First: 402, Last: last}}, 30
	c.Carried[1] = []protocol.Range{{First: 401, Last: 401}}
	for _, e := range []struct {
		at          int64
		code        string
		first, last uint64
	}{
		{1, protocol.StatusCarried, 1, 500}, {2, protocol.StatusCarried, 401, 401}, {3, protocol.StatusDelivered, 1, 300},
		{4, protocol.StatusRead, 1, 20}, {5, protocol.StatusQueued, 101, 300}, {6, protocol.StatusDelivered, 101, 400},
		{7, protocol.StatusRead, 21, 30}, {8, protocol.StatusDelivered, 402, last}, {9, "", 1, last},
	} {
		_, err := s.Commit(Batch{Now: time.UnixMilli(e.at), Writes: []protocol.Write{*c}, Events: []protocol.Event{
			{Type: protocol.MessageStatus, Conversation: c.ID, First: e.first, Count: e.last - e.first + 1, Code: e.code},
			{Type: protocol.MessageStatus, Conversation: f.convs[1].ID, First: 1, Count: last, Code: e.code},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for sequence, want := range map[uint64]int64{1: 4, 20: 4, 21: 7, 30: 7, 31: 3, 100: 3, 101: 6, 400: 6, 401: 2, 402: 8, last: 8, last + 1: 77} {
		m := &Message{}
		m.Direction, m.Sequence, m.At = protocol.Out, sequence, 77
		if got := view(t, s, func(v *View) (int64, error) { return v.StatusSince(c, m) }); got != want {
			t.Errorf("message %d is %s since %d, want %d", sequence, StatusOf(c, m), got, want)
		}
	}
}

func TestMissing(t *testing.T) {
	type ranges = []protocol.Range
	for _, tt := range []struct {
		have ranges
		last uint64
		want ranges
	}{
		{nil, 0, nil},
		{nil, 3, ranges{{First: 1, Last: 3}}},
		{ranges{{First: 1, Last: 3}}, 3, nil},
		{ranges{{First: 2, Last: 3}, {First: 6, Last: 6}}, 8, ranges{{First: 1, Last: 1}, {First: 4, Last: 5}, {First: 7, Last: 8}}},
		{ranges{{First: 5, Last: 9}}, 3, ranges{{First: 1, Last: 3}}},
		{ranges{{First: 1, Last: 1}, {First: 5, Last: 9}}, 1, nil},
	} {
		if got := missing(tt.have, tt.last); !slices.Equal(got, tt.want) {
			t.Errorf("%v of 1..%d: %v, want %v", tt.have, tt.last, got, tt.want)
		}
	}
}

func TestOutboxAndTotals(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	var own []protocol.PutMessage
	for i := range 6 {
		own = append(own, f.message(0, protocol.Out, fmt.Sprint(i)))
		f.tick()
	}
	writes := []protocol.Write{f.message(1, protocol.In, "in"), f.message(1, protocol.In, "in")}
	for _, m := range own {
		writes = append(writes, m)
	}
	f.convs[0].Delivered = []protocol.Range{{First: 1, Last: 2}, {First: 4, Last: 4}}
	writes = append(writes, f.convs[0], f.convs[1], protocol.SetMessageState{ID: own[4].ID, State: protocol.MessageExpired})
	f.commit(s, writes...)
	if got := view(t, s, (*View).Totals); got != (Totals{Unread: 2, Waiting: 2}) {
		t.Errorf("totals %+v", got)
	}
	outbox := view(t, s, func(v *View) ([]Message, error) { return v.Outbox(10) })
	if len(outbox) != 2 || outbox[0].ID != own[2].ID || outbox[1].ID != own[5].ID {
		t.Errorf("outbox %v", outbox)
	}
	some := view(t, s, func(v *View) ([]Message, error) { return v.OwnMessages(f.convs[0].ID, 2, 3) })
	if len(some) != 2 || some[0].ID != own[1].ID || some[1].ID != own[2].ID {
		t.Errorf("own messages %v", some)
	}
}

// TestHoldings counts at the contact what came from there and what was delivered, and
// nothing that waits, has failed or was deleted.
func TestHoldings(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	var writes []protocol.Write
	var all []protocol.PutMessage
	for i, d := range []protocol.Direction{protocol.Out, protocol.In, protocol.Out, protocol.Out, protocol.In, protocol.Out, protocol.Out} {
		all = append(all, f.message(0, d, fmt.Sprint(i)))
		writes = append(writes, all[i])
		f.tick()
	}
	f.convs[0].Delivered = []protocol.Range{{First: 1, Last: 1}, {First: 3, Last: 3}} // 0 and 3 are there, 2, 5 and 6 are not
	writes = append(writes, f.convs[0], f.convs[1], protocol.SetMessageState{ID: all[5].ID, State: protocol.MessageFailed})
	f.commit(s, writes...)
	holdings := func(since int64) Holding {
		t.Helper()
		got := view(t, s, func(v *View) ([]Holding, error) { return v.Holdings(since) })
		if len(got) != 2 || got[1].Here != (Tally{}) || got[1].There != (Tally{}) {
			t.Fatalf("holdings %+v", got)
		}
		return got[0]
	}
	h := holdings(all[3].At)
	if want := (Tally{7, all[0].At, 4}); h.Here != want {
		t.Errorf("here %+v, want %+v", h.Here, want)
	}
	if want := (Tally{4, all[0].At, 2}); h.There != want { // 0, 1, 3 and 4
		t.Errorf("there %+v, want %+v", h.There, want)
	}
	f.commit(s, protocol.EraseMessage{ID: all[0].ID})
	if want := (Tally{3, all[1].At, 2}); holdings(all[3].At).There != want {
		t.Errorf("after one was deleted: %+v, want %+v", holdings(all[3].At).There, want)
	}
}

func TestConversationsNewestFirst(t *testing.T) {
	s := create(t)
	f := newFixture(t, 5)
	var writes []protocol.Write
	for i := range f.convs {
		f.convs[i].LastAt = int64(100 + i/2)
		writes = append(writes, f.convs[i])
	}
	f.commit(s, writes...)
	var got []protocol.ConversationID
	for after := (protocol.ConversationID{}); ; {
		page := view(t, s, func(v *View) ([]protocol.PutConversation, error) { return v.Conversations(after, 2) })
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			got = append(got, c.ID)
		}
		after = page[len(page)-1].ID
	}
	var want []protocol.ConversationID
	for i := range f.convs {
		want = append(want, f.convs[len(f.convs)-1-i].ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTimers(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	id := f.convs[0].ID
	timer := &wire.Timer{Mode: wire.TimerFromRead, Seconds: 60}
	var m []protocol.PutMessage
	for i := range 4 {
		m = append(m, f.message(0, protocol.In, fmt.Sprint(i)))
		m[i].Content = f.content("disappearing", timer)
	}
	m[0].ExpiresAt, m[3].ExpiresAt = 1<<40, 1<<40 // when it goes if it is never read
	m[1].Content = f.content("stays", nil)
	m[2].Content, m[2].ExpiresAt = f.content("runs", &wire.Timer{Mode: wire.TimerFromSent, Seconds: 5}), 500
	f.commit(s, m[0], m[1], m[2], m[3], f.convs[0])
	ask := func(upTo uint64) []protocol.SetMessageExpiry {
		return view(t, s, func(v *View) ([]protocol.SetMessageExpiry, error) { return v.Unstarted(id, upTo, 1000) })
	}
	want := []protocol.SetMessageExpiry{{ID: m[0].ID, ExpiresAt: 61000}}
	if got := ask(3); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	f.commit(s, want[0])
	if got := ask(4); len(got) != 1 || got[0].ID != m[3].ID {
		t.Errorf("a started timer starts again: %+v", got)
	}
	if at := view(t, s, (*View).NextExpiry); at != 500 {
		t.Errorf("next expiry %d", at)
	}
	due := view(t, s, func(v *View) ([]protocol.DeleteMessage, error) { return v.Due(61000, 10) })
	if len(due) != 2 || due[0].ID != m[2].ID || due[1].ID != m[0].ID || due[0].Conversation != id ||
		due[0].Direction != protocol.In || due[0].Sequence != m[2].Sequence || !due[0].Expired {
		t.Errorf("due %+v", due)
	}
}

func TestDaemonRows(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	token := PutToken{ID: "tk_a", Hash: [32]byte{1}, CreatedAt: 1, ExpiresAt: 2, UsedAt: 3, Detail: []byte("{}")}
	other := PutToken{ID: "tk_b", CreatedAt: 2}
	print := s.Fingerprint([]byte("POST"), []byte("/x"))
	if print == s.Fingerprint([]byte("POST/"), []byte("x")) {
		t.Error("the parts of a fingerprint are not told apart")
	}
	once := PutIdempotency{Actor: "owner", Key: "k", Fingerprint: print, Status: 201, Ref: "ms_x"}
	rows := []Row{token, other, once, PutSetting{"lang", []byte("ko")}, PutSetting{"gone", nil},
		PutConsumer{Name: "bot", Cursor: Cursor{1, 5}}, PutConsumer{Name: "gone", Cursor: Cursor{}}}
	for _, rows := range [][]Row{rows, {EraseToken{"tk_b"}, EraseSetting{"gone"}, EraseConsumer{"gone"}}} {
		if _, err := s.Commit(Batch{Now: f.tick(), Rows: rows}); err != nil {
			t.Fatal(err)
		}
	}
	f.commit(s, protocol.PutTombstone{MAC: [16]byte{4}, At: 9})
	err := s.View(func(v *View) error {
		got, err := v.Token("tk_a")
		if !reflect.DeepEqual(got, token) {
			t.Errorf("token %+v, %v", got, err)
		}
		if all, err := v.Tokens(); len(all) != 1 {
			t.Errorf("tokens %+v, %v", all, err)
		}
		if got, err := v.Idempotency("owner", "k"); got != once {
			t.Errorf("idempotency %+v, %v", got, err)
		}
		if _, err := v.Idempotency("tk_a", "k"); err != ErrNotFound {
			t.Errorf("another actor's key: %v", err)
		}
		if got, err := v.Setting("lang"); string(got) != "ko" {
			t.Errorf("setting %q, %v", got, err)
		}
		if all, err := v.Settings(); len(all) != 1 {
			t.Errorf("settings %+v, %v", all, err)
		}
		if all, err := v.Consumers(); len(all) != 1 || all[0].Cursor.Sequence != 5 {
			t.Errorf("consumers %+v, %v", all, err)
		}
		if found, err := v.Tombstone([16]byte{4}); !found {
			t.Errorf("no tombstone, %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestViewIsOneState commits while a view is open: it must not see that.
func TestViewIsOneState(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	f.commit(s, f.message(0, protocol.In, "before"), f.convs[0])
	err := s.View(func(v *View) error {
		before, err := v.Cursor()
		if err != nil {
			return err
		}
		if _, err := s.Commit(Batch{Now: f.tick(), Writes: []protocol.Write{f.message(0, protocol.In, "during")},
			Events: []protocol.Event{{Type: protocol.MessageCreated}}}); err != nil {
			return err
		}
		after, err := v.Cursor()
		if err != nil {
			return err
		}
		page, err := v.Messages(f.convs[0].ID, PageQuery{})
		if before != after || len(page.Items) != 1 {
			t.Errorf("cursor %v then %v, %d messages", before, after, len(page.Items))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDeletionBreaksOffALongView lets a view hold its snapshot while a message
// is erased: the deletion must not wait for ever, and the view runs again.
func TestDeletionBreaksOffALongView(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.In, "gone")
	f.commit(s, m, f.convs[0])
	var erase sync.WaitGroup
	runs := 0
	err := s.View(func(v *View) error {
		runs++
		if _, err := v.Message(m.ID); runs > 1 {
			if err != ErrNotFound {
				t.Errorf("the second run sees the message: %v", err)
			}
			return nil
		}
		erase.Go(func() {
			done, err := s.Commit(Batch{Now: f.now, Writes: []protocol.Write{protocol.EraseMessage{ID: m.ID}}})
			if err != nil || !done.Scrubbed {
				t.Errorf("erase: %+v, %v", done, err)
			}
		})
		for {
			if _, err := v.Cursor(); err != nil {
				if !errors.Is(err, ErrInterrupted) {
					t.Errorf("broken off with %v", err)
				}
				return err
			}
		}
	})
	erase.Wait()
	if err != nil || runs != 2 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	s := create(t)
	f := newFixture(t, 3)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for range 20 {
				if _, err := s.Load(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for range 20 {
			if _, err := s.IndexStep(IndexStepMax); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range 20 {
		b := f.batch(8)
		if i%4 == 3 {
			b.Writes = append(b.Writes, protocol.EraseMessage{ID: b.Writes[0].(protocol.PutMessage).ID})
		}
		if _, err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
}

func TestCloseInterruptsAView(t *testing.T) {
	s := create(t)
	started := make(chan struct{})
	done := make(chan error)
	go func() {
		once := sync.OnceFunc(func() { close(started) })
		done <- s.View(func(v *View) error {
			for {
				once()
				if _, err := v.Cursor(); err != nil {
					return err
				}
			}
		})
	}()
	<-started
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, ErrClosed) && !errors.Is(err, ErrInterrupted) {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the view goes on")
	}
}
