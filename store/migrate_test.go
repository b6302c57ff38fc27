package store

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// update writes testdata/v1 anew. Once a release has written version 1, that
// must never be done again: the stored profile stands for those of users.
var update = flag.Bool("update", false, "write the stored profile of the newest version")

// storedRows is what the stored profiles hold.
func storedRows() (Batch, []protocol.PutMessage) {
	f := newFixture(nil, 2)
	messages := []protocol.PutMessage{
		f.message(0, protocol.Out, "첫 번째 메시지"), f.message(0, protocol.In, "the second message"),
		f.message(1, protocol.In, strings.Repeat("긴 글 ", 2000)),
	}
	messages[1].Content = f.content("the second message", &wire.Timer{Mode: wire.TimerFromRead, Seconds: 60})
	b := Batch{Now: f.tick(), Writes: []protocol.Write{
		protocol.PutSelf{Name: "지우", State: []byte("self")},
		protocol.PutContact{ID: f.convs[0].Contact, Phase: protocol.ContactEstablished, Name: "민수", State: []byte("contact")},
		protocol.PutInvite{ID: protocol.InviteID(f.id()), Kind: protocol.InviteOnce, Link: "pabal:i1#x", State: []byte("invite")},
		protocol.PutRequest{ID: protocol.RequestID(f.id()), Phase: protocol.RequestWaiting, Name: "서연", State: []byte("request")},
		protocol.PutGap{Conversation: f.convs[1].ID, Position: 9, Count: 2},
		protocol.PutTombstone{MAC: [16]byte{1}, At: 1},
		protocol.PutOutbox{Contact: f.session[0].Contact, SID: f.session[0].SID, Index: 7, Envelope: []byte("envelope"),
			Contents: []protocol.OutboxContent{{Message: messages[0].ID}, {Inline: []byte("inline")}}},
	}, Rows: []Row{
		PutToken{ID: "tk_stored", Detail: []byte("{}")}, PutSetting{"lang", []byte("ko")}, PutConsumer{"bot", Cursor{0, 1}},
		PutIdempotency{Actor: "owner", Key: "k", Status: 201, Ref: "r"},
	}, Events: []protocol.Event{{Type: protocol.MessageCreated, Conversation: f.convs[0].ID, First: 1, Count: 2}}}
	for i := range f.convs {
		b.Writes = append(b.Writes, f.session[i], f.convs[i])
	}
	for _, m := range messages {
		b.Writes = append(b.Writes, m)
	}
	return b, messages
}

// TestStoredProfiles opens the profiles that earlier versions wrote, for ever.
func TestStoredProfiles(t *testing.T) {
	if *update {
		writeStored(t, filepath.Join("testdata", "v1"))
	}
	dirs, err := filepath.Glob(filepath.Join("testdata", "v*"))
	if err != nil || len(dirs) < 1 {
		t.Fatalf("%d stored profiles, %v", len(dirs), err)
	}
	for _, stored := range dirs {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(stored)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Unlock{Passphrase: []byte("wrong")}); err == nil {
			t.Fatalf("%s opens with a wrong passphrase", stored)
		}
		s, err := Open(dir, Unlock{Passphrase: []byte("stored profile")})
		if err != nil {
			t.Fatalf("%s: %v", stored, err)
		}
		checkStored(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func writeStored(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s, err := Create(dir, Options{Passphrase: []byte("stored profile"), Argon: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := storedRows()
	if _, err := s.Commit(b); err != nil {
		t.Fatal(err)
	}
	indexAll(t, s)
	own := s.slot.directoryName()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range names { // what opening needs, no more
		if name := d.Name(); name != headerName && name != own {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func checkStored(t *testing.T, s *Store) {
	t.Helper()
	checkIntegrity(t, s)
	_, messages := storedRows()
	for _, m := range messages {
		got := view(t, s, func(v *View) (Message, error) { return v.Message(m.ID) })
		if textOf(got.Content) != textOf(m.Content) || got.Position != m.Position || got.Direction != m.Direction {
			t.Errorf("message %v is %+v", m.ID, got)
		}
	}
	state, err := s.Load()
	if err != nil || state.Self.Name != "지우" || len(state.Contacts) != 1 || state.Contacts[0].Name != "민수" ||
		len(state.Sessions) != 2 || len(state.Invites) != 1 || len(state.Requests) != 1 || len(state.Conversations) != 2 ||
		len(state.Outbox) != 1 || len(state.Outbox[0].Contents) != 2 || len(state.Waiting) != 1 {
		t.Errorf("state %+v, %v", state, err)
	}
	if got := found(t, s, SearchQuery{Text: "번째"}); got != "첫 번째 메시지" {
		t.Errorf("found %q", got)
	}
	page := view(t, s, func(v *View) (EventPage, error) { return v.Events(EventQuery{}) })
	if told(page) != "1 message.created 1+2" {
		t.Errorf("events %q", told(page))
	}
	err = s.View(func(v *View) error {
		expiries, _, err := v.Unstarted(messages[1].Conversation, messages[1].Position, 0)
		if len(expiries) != 1 {
			t.Errorf("timers %v, %v", expiries, err)
		}
		if _, err := v.Token("tk_stored"); err != nil {
			return err
		}
		_, err = v.Setting("lang")
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
