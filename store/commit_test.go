package store

import (
	"reflect"
	"testing"

	"pabal/protocol"
)

// TestCommitIsWhole gives a batch whose last write must fail: nothing of it is
// kept, and the next batch goes on as if it had not been.
func TestCommitIsWhole(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	first := f.message(0, protocol.In, "first")
	f.commit(s, first, f.convs[0])
	before, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	clash := f.message(0, protocol.In, "clash")
	clash.Position = first.Position
	bad := Batch{Now: f.tick(), Writes: []protocol.Write{
		protocol.PutSelf{Name: "not kept"}, f.session[0], protocol.PutConversation{ID: protocol.ConversationID{7}}, clash,
	}, Events: []protocol.Event{{Type: protocol.SelfUpdated}}, Rows: []Row{PutSetting{"not", nil}}}
	if done, err := s.Commit(bad); err == nil {
		t.Fatalf("two messages at one position: %+v", done)
	}
	after, err := s.Load()
	if err != nil || !reflect.DeepEqual(after, before) {
		t.Fatalf("after a refused batch\n%+v\nbefore\n%+v\n%v", after, before, err)
	}
	done, err := s.Commit(Batch{Now: f.tick(), Writes: []protocol.Write{f.session[0]},
		Events: []protocol.Event{{Type: protocol.SelfUpdated}}})
	if err != nil || done.Cursor.Sequence != 1 {
		t.Errorf("the next batch: %+v, %v", done, err)
	}
	second := f.message(0, protocol.In, "second")
	f.commit(s, second, f.convs[0])
	checkIntegrity(t, s)
}

// TestEraseWhatIsNotThere is no error: a batch may be given twice.
func TestEraseWhatIsNotThere(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	erase := []protocol.Write{
		protocol.EraseMessage{ID: protocol.MessageID{1}}, protocol.EraseConversation{ID: protocol.ConversationID{1}},
		protocol.EraseContact{ID: protocol.ContactID{1}}, protocol.EraseSession{Contact: protocol.ContactID{1}},
		protocol.EraseInvite{ID: protocol.InviteID{1}}, protocol.EraseRequest{ID: protocol.RequestID{1}},
		protocol.EraseGap{Conversation: protocol.ConversationID{1}, Position: 1},
		protocol.EraseOutbox{Contact: protocol.ContactID{1}, Last: 9},
		protocol.SetMessageState{ID: protocol.MessageID{1}}, protocol.SetMessageExpiry{ID: protocol.MessageID{1}},
	}
	f.commit(s, erase...)
	if got, err := s.Load(); err != nil || !reflect.DeepEqual(got, protocol.State{}) {
		t.Errorf("loaded %+v, %v", got, err)
	}
}

// TestEraseContact takes its sessions and envelopes along, and no others.
func TestEraseContact(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	var writes []protocol.Write
	for i := range f.convs {
		writes = append(writes, protocol.PutContact{ID: f.convs[i].Contact, Conversation: f.convs[i].ID}, f.session[i], f.convs[i])
		for index := range uint32(5) {
			writes = append(writes, protocol.PutOutbox{
				Contact: f.session[i].Contact, SID: f.session[i].SID, Index: index, Envelope: []byte{1},
			})
		}
	}
	f.commit(s, writes...)
	f.commit(s, protocol.EraseContact{ID: f.convs[0].Contact},
		protocol.EraseOutbox{Contact: f.session[1].Contact, SID: f.session[1].SID, First: 1, Last: 3})
	got, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Contacts) != 1 || got.Contacts[0].ID != f.convs[1].Contact || len(got.Sessions) != 1 || len(got.Outbox) != 2 ||
		got.Outbox[0].Index != 0 || got.Outbox[1].Index != 4 || len(got.Conversations) != 2 {
		t.Errorf("left: %+v", got)
	}
	f.commit(s, protocol.EraseSession{Contact: f.session[1].Contact, SID: f.session[1].SID})
	if got, err = s.Load(); err != nil || len(got.Sessions) != 0 || len(got.Outbox) != 0 {
		t.Errorf("left: %+v, %v", got, err)
	}
}

func FuzzRanges(f *testing.F) {
	f.Add(encodeRanges([]protocol.Range{{First: 1, Last: 4}, {First: 6, Last: 1 << 40}}))
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		ranges, err := decodeRanges(b)
		if err != nil {
			return
		}
		again, err := decodeRanges(encodeRanges(ranges))
		if err != nil || !reflect.DeepEqual(again, ranges) {
			t.Fatalf("%v became %v, %v", ranges, again, err)
		}
	})
}

func FuzzOutboxContents(f *testing.F) {
	f.Add(encodeContents([]protocol.OutboxContent{{Message: protocol.MessageID{1}}, {Inline: []byte("x")}}))
	f.Add([]byte{contentInline, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		contents, err := decodeContents(b)
		if err != nil {
			return
		}
		again, err := decodeContents(encodeContents(contents))
		if err != nil || len(again) != len(contents) {
			t.Fatalf("%v became %v, %v", contents, again, err)
		}
	})
}
