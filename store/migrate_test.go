package store

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/protocol/wire"
)

// update writes the stored profile of the newest schema version anew. Once a release has
// written that version, it must never be done again: the stored profile stands for those
// of users. The profiles of older versions no code can write any more.
var update = flag.Bool("update", false, "write the stored profile of the newest version")

func storedDirectory(version int64) string {
	return filepath.Join("testdata", fmt.Sprintf("v%d", version))
}

// storedRows is what the stored profile of a version holds: all that its tables can.
func storedRows(version int64) (Batch, []protocol.PutMessage) {
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
		PutToken{ID: "tk_stored", Detail: []byte("{}")}, PutSetting{"lang", []byte("ko")}, PutConsumer{Name: "bot", Cursor: Cursor{0, 1}},
		PutIdempotency{Actor: "owner", Key: "k", Status: 201, Ref: "r"},
	}, Events: []protocol.Event{{Type: protocol.MessageCreated, Conversation: f.convs[0].ID, First: 1, Count: 2}}}
	if version >= 2 {
		f.convs[0].Carried = [3][]protocol.Range{{{First: 1, Last: 1}}, nil, {{First: 3, Last: 5}, {First: 9, Last: 9}}}
		b.Writes = append(b.Writes, storedCourier(f)...)
	}
	if version >= 3 {
		b.Rows = append(b.Rows, PutConsumer{"of-token", "tk_stored", Cursor{0, 2}})
		f.convs[0].Delivered = []protocol.Range{{First: 1, Last: 1}}
		b.Events = append(b.Events, protocol.Event{Type: protocol.MessageStatus, Conversation: f.convs[0].ID, First: 1, Count: 1, Code: protocol.StatusDelivered})
	}
	if version >= flagsSince {
		b.Rows = append(b.Rows, PutDraft{f.convs[1].ID, 5, messages[0].ID, "반쯤 쓴"}, SetFlag{f.convs[1].ID, FlagMuted, 1 << 40},
			SetMark{messages[1].ID, MarkStar, true})
	}
	if version >= auditSince {
		b.Rows = append(b.Rows, PutAudit{storedAudit})
	}
	if version >= webhooksSince {
		b.Rows = append(b.Rows, storedWebhook, PutConsumer{storedWebhook.ID, storedWebhook.ID, Cursor{0, 2}})
	}
	if version >= approvalsSince {
		b.Rows = append(b.Rows, storedApproval(f))
	}
	messages[1].Wire = wireID(messages[1].Content)
	if version >= picturesSince {
		b.Writes = append(b.Writes, protocol.PutPicture{Contact: f.convs[0].Contact, Sequence: 7, JPEG: []byte("jpeg")})
	}
	if version >= operationsSince {
		b.Writes = append(b.Writes, f.operation(0, wire.ContentDelete, messages[0].ID))
	}
	for i := range f.convs {
		b.Writes = append(b.Writes, f.session[i], f.convs[i])
	}
	for _, m := range messages {
		b.Writes = append(b.Writes, m)
	}
	if version >= groupsSince {
		b.Writes = append(b.Writes, storedGroup(f)...)
	}
	if version >= filesSince {
		b.Writes = append(b.Writes, f.manifest(1, protocol.In, map[protocol.FileID]wire.File{storedFile: {
			Name: "바다.jpg", MediaType: "image/jpeg", SizeBytes: 2 << 20, Root: [32]byte{1}, Width: 40, Height: 30,
		}}), f.convs[1])
		b.Rows = append(b.Rows, SetHashes{File: storedFile, Hashes: make([]attachment.Hash, 2)},
			PutChunks{File: storedFile, Chunks: []WrittenChunk{{Index: 1, name: chunkName{1}}}})
	}
	return b, messages
}

// storedCourier is what couriers hold for us, and we for others.
func storedCourier(f *fixture) []protocol.Write {
	box := protocol.PutMailbox{ID: wire.MailboxID{1}, Owner: f.convs[1].Contact, State: []byte("mailbox")}
	return []protocol.Write{
		protocol.PutOutbox{Contact: f.session[1].Contact, SID: f.session[1].SID, Index: 8, Envelope: []byte("carried"),
			Contents: []protocol.OutboxContent{{Inline: []byte("inline")}},
			Stored:   []protocol.Stored{{Mailbox: wire.MailboxID{2}, Hash: wire.ItemHash{3}}, {Mailbox: wire.MailboxID{4}, Hash: wire.ItemHash{5}}}},
		box, protocol.PutHeld{Mailbox: box.ID, Hash: wire.ItemHash{6}, Number: 7, Expires: 8, Type: wire.TypeEnvelope, Body: []byte("held")},
	}
}

// TestStoredProfiles opens the profiles that earlier versions wrote, for ever: each
// version has one.
func TestStoredProfiles(t *testing.T) {
	if *update {
		writeStored(t, storedDirectory(schemaVersion()))
	}
	for version := int64(1); version <= schemaVersion(); version++ {
		stored := storedDirectory(version)
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(stored)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Unlock{Passphrase: []byte("wrong")}); err == nil {
			t.Fatalf("%s opens with a wrong passphrase", stored)
		}
		if had := storedVersion(t, dir); had != version {
			t.Errorf("%s is of version %d", stored, had)
		}
		s, err := Open(dir, Unlock{Passphrase: []byte("stored profile")})
		if err != nil {
			t.Fatalf("%s: %v", stored, err)
		}
		checkStored(t, s, version)
		if version >= 2 {
			checkStoredCourier(t, s)
		}
		if version >= 3 {
			checkStored3(t, s)
		}
		if version >= filesSince {
			checkStoredFile(t, s)
		}
		if version >= flagsSince {
			checkStoredFlags(t, s)
		}
		if version >= picturesSince {
			checkStoredPicture(t, s)
		}
		if version >= auditSince {
			rows := view(t, s, func(v *View) ([]Audited, error) { return v.Audit(0, 5) })
			if len(rows) == 1 {
				rows[0].Sequence = 0
			}
			if len(rows) != 1 || rows[0] != storedAudit {
				t.Errorf("the audit log is %+v", rows)
			}
		}
		if version >= approvalsSince {
			if all := view(t, s, (*View).Approvals); len(all) != 1 || !reflect.DeepEqual(all[0], storedApproval(newFixture(nil, 2))) {
				t.Errorf("the approvals are %+v", all)
			}
		}
		if version >= groupsSince {
			checkStoredGroup(t, s)
		}
		if version >= webhooksSince {
			if hooks := view(t, s, (*View).Webhooks); len(hooks) != 1 || !reflect.DeepEqual(hooks[0], storedWebhook) {
				t.Errorf("the webhooks are %+v", hooks)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// filesSince is the version of the schema that has files.
const filesSince = 5

// picturesSince is the version of the schema that has pictures of people.
const picturesSince = 10

// auditSince is the version of the schema that has the audit log.
const auditSince = 11

var storedAudit = Audited{At: 5, What: "token.created", Kind: "owner", Outcome: AuditOK, About: "tk_stored", Count: 1}

// webhooksSince is the version of the schema that has webhooks.
const webhooksSince = 12

var storedWebhook = PutWebhook{ID: "wh_stored", CreatedAt: 7, Detail: []byte("{}")}

// approvalsSince is the version of the schema that has messages that wait for the owner.
const approvalsSince = 13

func storedApproval(f *fixture) PutApproval {
	return PutApproval{ID: "ap_stored", Message: "ms_stored", Token: "tk_stored", Conversation: f.convs[1].ID, At: 3, ExpiresAt: 4, Fingerprint: [16]byte{5}, Content: []byte("{}")}
}

// flagsSince is the version of the schema that has what the user sets for themselves.
const flagsSince = 6

var storedFile = protocol.FileID{5}

func checkStoredFile(t *testing.T, s *Store) {
	t.Helper()
	row := view(t, s, func(v *View) (File, error) { return v.File(storedFile) })
	if row.State != FileRemote || row.Wanted != WantedNow || row.Chunks != 1 || row.Info.Name != "바다.jpg" || row.Info.Width != 40 {
		t.Errorf("the file is %+v", row)
	}
	o := view(t, s, func(v *View) (*Opened, error) { return v.Open(storedFile) })
	if len(o.Hashes) != 2 || !o.Has(1) || o.Has(0) {
		t.Errorf("its chunks are %v, %v", o.chunks, o.Hashes)
	}
	if w := view(t, s, func(v *View) ([]Fetch, error) { return v.Wanted(2, 2) }); len(w) != 1 {
		t.Errorf("wanted are %+v", w)
	}
}

// storedVersion returns the schema version of a stored profile before it is migrated.
func storedVersion(t *testing.T, dir string) int64 {
	t.Helper()
	p, err := Lock(dir, Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	h, err := readHeader(p.root)
	if err != nil {
		t.Fatal(err)
	}
	key := h.passphraseKey([]byte("stored profile"))
	_, sl, err := h.open(&key)
	if err != nil {
		t.Fatal(err)
	}
	seal := p.registerSeal(sl.pagesKey())
	defer seal.unregister()
	c, err := openConn(p.databasePath(sl), seal.name, connOpen, readerCacheKiB)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		t.Fatal(err)
	}
	return version
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
	b, _ := storedRows(schemaVersion())
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

func checkStored(t *testing.T, s *Store, version int64) {
	t.Helper()
	checkIntegrity(t, s)
	_, messages := storedRows(version)
	for _, m := range messages {
		got := view(t, s, func(v *View) (Message, error) { return v.Message(m.ID) })
		if textOf(got.Content, got.Edit) != textOf(m.Content, nil) || m.Direction == protocol.In && got.Wire != wireID(m.Content) || got.Position != m.Position || got.Direction != m.Direction {
			t.Errorf("message %v is %+v", m.ID, got)
		}
	}
	state, err := s.Load()
	if err != nil || state.Self.Name != "지우" || len(state.Contacts) != 1 || state.Contacts[0].Name != "민수" ||
		len(state.Sessions) != 2 || len(state.Invites) != 1 || len(state.Requests) != 1 || len(state.Conversations) != 2+int(min(version/groupsSince, 1)) ||
		len(state.Outbox) < 1 || len(state.Outbox[0].Contents) != 2 || len(state.Waiting) != 1+int(min(version/operationsSince, 1)) {
		t.Errorf("state %+v, %v", state, err)
	}
	if got := found(t, s, SearchQuery{Text: "번째"}); got != "첫 번째 메시지" {
		t.Errorf("found %q", got)
	}
	page := view(t, s, func(v *View) (EventPage, error) { return v.Events(EventQuery{Types: []string{"message.created"}}) })
	if told(page) != "1 message.created 1+2" {
		t.Errorf("events %q", told(page))
	}
	err = s.View(func(v *View) error {
		expiries, err := v.Unstarted(messages[1].Conversation, messages[1].Position, 0)
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

func checkStoredCourier(t *testing.T, s *Store) {
	t.Helper()
	f := newFixture(nil, 2)
	want := storedCourier(f)
	state, err := s.Load()
	if err != nil || len(state.Outbox) != 2 || !reflect.DeepEqual(state.Outbox[1], want[0]) {
		t.Errorf("outbox %+v, %v", state.Outbox, err)
	}
	if len(state.Mailboxes) != 1 || !reflect.DeepEqual(state.Mailboxes[0], want[1]) {
		t.Errorf("mailboxes %+v", state.Mailboxes)
	}
	held := want[2].(protocol.PutHeld)
	if len(state.Held) != 1 || state.Held[0] != (protocol.Held{Mailbox: held.Mailbox, Hash: held.Hash, Number: held.Number,
		Expires: held.Expires, SizeBytes: len(held.Body)}) {
		t.Errorf("held %+v", state.Held)
	}
	items := view(t, s, func(v *View) ([]wire.Item, error) { return v.Held(held.Mailbox, []wire.ItemHash{held.Hash}) })
	if len(items) != 1 || items[0].Type != held.Type || string(items[0].Body) != string(held.Body) {
		t.Errorf("items %+v", items)
	}
	c := view(t, s, func(v *View) (protocol.PutConversation, error) { return v.Conversation(f.convs[0].ID) })
	for sequence, want := range map[uint64]int{1: 1, 2: 0, 3: 3, 5: 3, 9: 3} {
		if got := CarriedBy(&c, sequence); got != want {
			t.Errorf("message %d is carried by %d, want %d", sequence, got, want)
		}
	}
}

func checkStoredPicture(t *testing.T, s *Store) {
	t.Helper()
	contact := newFixture(nil, 2).convs[0].Contact
	jpeg := view(t, s, func(v *View) ([]byte, error) { return v.Picture(contact) })
	sequence := view(t, s, func(v *View) (uint64, error) { return v.PictureSequence(contact) })
	if string(jpeg) != "jpeg" || sequence != 7 {
		t.Errorf("the picture is %q, sequence %d", jpeg, sequence)
	}
}

func checkStoredFlags(t *testing.T, s *Store) {
	t.Helper()
	_, messages := storedRows(flagsSince)
	id := newFixture(nil, 2).convs[1].ID
	draft := view(t, s, func(v *View) (PutDraft, error) { return v.Draft(id) })
	flags := view(t, s, func(v *View) (map[Flag]int64, error) { return v.Flags(id) })
	marks := view(t, s, func(v *View) (map[Mark]bool, error) { return v.Marks(messages[1].ID) })
	if draft.Text != "반쯤 쓴" || draft.ReplyTo != messages[0].ID || flags[FlagMuted] != 1<<40 || !marks[MarkStar] || marks[MarkPin] {
		t.Errorf("draft %+v, flags %v, marks %v", draft, flags, marks)
	}
}

func checkStored3(t *testing.T, s *Store) {
	t.Helper()
	b, messages := storedRows(3)
	consumers := view(t, s, (*View).Consumers)
	if len(consumers) < 2 || consumers[0].Owner != "" || consumers[1].Owner != "tk_stored" {
		t.Errorf("consumers %+v", consumers)
	}
	c := view(t, s, func(v *View) (protocol.PutConversation, error) { return v.Conversation(messages[0].Conversation) })
	since := view(t, s, func(v *View) (int64, error) { return v.StatusSince(&c, &Message{PutMessage: messages[0]}) })
	if since != b.Now.UnixMilli() {
		t.Errorf("delivered since %d, want %d", since, b.Now.UnixMilli())
	}
}
