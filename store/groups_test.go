package store

import (
	"bytes"
	"reflect"
	"testing"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// groupsSince is the version of the schema that has groups.
const groupsSince = 15

// storedGroup are the rows of a group: those of its conversation first, then what others hang on.
func storedGroup(f *fixture) []protocol.Write {
	seed := identity.MemberSeed{1}
	first := wire.GroupOperation{Kind: wire.OperationCreate, Text: "점심", Nonce: [16]byte{1}}
	message := wire.GroupMessage{GroupHead: wire.GroupHead{Sequence: 1}}
	v := protocol.PutConversation{ID: protocol.ConversationID(f.id()), Kind: protocol.ConversationGroup, LastPosition: 1, State: []byte("\xa0")}
	m := protocol.PutMessage{ID: protocol.MessageID(f.id()), Conversation: v.ID, Position: 1, Direction: protocol.In, Sender: protocol.ContactID{9}, Sequence: 1, Content: f.content("in the group", nil)}
	if err := first.Sign(seed); err != nil {
		panic(err)
	}
	message.Group, message.Heads = first.ID(), []wire.OperationID{first.ID()}
	message.Commit([16]byte{7}, m.Content)
	if err := message.Sign(seed); err != nil {
		panic(err)
	}
	m.Wire = message.Tag()
	bare := wire.GroupMessage{GroupHead: message.GroupHead}
	leave := func(last uint64, name byte) protocol.PutShared {
		word := wire.NewGroupLeave(first.ID(), seed, last)
		return protocol.PutShared{Name: [16]byte{name}, Conversation: v.ID, Kind: protocol.SharedLeave, Member: seed.Public(), Bytes: word.Append(nil)}
	}
	return []protocol.Write{
		v, protocol.PutGroup{Conversation: v.ID, State: []byte("\xa0")},
		protocol.PutMember{Conversation: v.ID, Key: seed.Public(), ID: protocol.ContactID{9}, State: []byte("\xa0")},
		protocol.PutShared{Name: wire.NameOf(first.ID()), Conversation: v.ID, Kind: protocol.SharedOperation, Member: seed.Public(), Bytes: first.Append(nil)},
		leave(1, 1), leave(2, 2), m,
		protocol.PutShared{Name: message.Tag(), Conversation: v.ID, Kind: protocol.SharedMessage, Member: seed.Public(), Sequence: 1, Bytes: bare.Append(nil), Salt: message.Salt, Message: m.ID},
	}
}

func checkStoredGroup(t *testing.T, s *Store) {
	t.Helper()
	state, err := s.Load()
	if err != nil || len(state.Groups) != 1 || len(state.Members) != 1 || len(state.Shared) != 2 {
		t.Fatalf("%d groups, %d members, %d words, %v", len(state.Groups), len(state.Members), len(state.Shared), err)
	}
	m := state.Members[0]
	if string(state.Groups[0].State) != "\xa0" || string(m.State) != "\xa0" || m.ID != (protocol.ContactID{9}) || state.Shared[0].Kind != protocol.SharedOperation || state.Shared[1].Name != [16]byte{2} {
		t.Errorf("%+v, %+v, %+v", state.Groups, m, state.Shared)
	}
	items := view(t, s, func(v *View) ([]protocol.SharedItem, error) { return v.Shared(m.Conversation, m.Key, 1, 9) })
	if len(items) != 1 || items[0].Gone {
		t.Fatalf("of the messages there are %+v", items)
	}
	page := view(t, s, func(v *View) (Page, error) { return v.Messages(m.Conversation, PageQuery{}) })
	if len(page.Items) != 1 || page.Items[0].Message.Sender != m.ID {
		t.Errorf("the message is %+v", page.Items)
	}
}

// TestGroupRows keeps a group, hands on what is in it by name, and forgets what is deleted: of a message that is erased nothing
// stays by which a guess could be tested.
func TestGroupRows(t *testing.T) {
	s, f := create(t), newFixture(t, 1)
	rows := storedGroup(f)
	f.commit(s, append([]protocol.Write{f.session[0], protocol.PutContact{ID: f.session[0].Contact}}, rows...)...)
	checkStoredGroup(t, s)
	operation, m, head := rows[3].(protocol.PutShared), rows[6].(protocol.PutMessage), rows[7].(protocol.PutShared)
	out := protocol.PutOutbox{Contact: f.session[0].Contact, SID: f.session[0].SID, Index: 1, Envelope: []byte{1}, Contents: []protocol.OutboxContent{
		{Message: operation.Name, Shared: true}, {Message: head.Name, Shared: true, Sequence: 1, About: m.Conversation},
	}}
	f.commit(s, out)
	state, err := s.Load()
	if err != nil || len(state.Outbox) != 1 || !reflect.DeepEqual(state.Outbox[0], out) {
		t.Errorf("the outbox is %+v, %v", state.Outbox, err)
	}
	ask := []protocol.MessageID{operation.Name, head.Name, {8}}
	contents := view(t, s, func(v *View) (map[protocol.MessageID][]byte, error) { return v.Contents(ask) })
	if len(contents) != 2 || !bytes.Equal(contents[head.Name], protocol.SharedContent(head, m.Content)) || contents[head.Name] == nil || contents[operation.Name] == nil {
		t.Errorf("by their names there are %x", contents)
	}
	sight := func() int {
		t.Helper()
		seen, err := s.Look(head.Salt[:7], []byte("in the group"))
		if err != nil {
			t.Fatal(err)
		}
		return seen.Hits[1]
	}
	if sight() == 0 {
		t.Fatal("the text is not found while it is there")
	}
	f.commit(s, protocol.EraseOutbox{Contact: out.Contact, SID: out.SID, First: 1, Last: 1}, protocol.EraseMessage{ID: m.ID})
	if contents := view(t, s, func(v *View) (map[protocol.MessageID][]byte, error) { return v.Contents(ask) }); len(contents) != 1 {
		t.Errorf("after the deletion there are %x", contents)
	}
	items := view(t, s, func(v *View) ([]protocol.SharedItem, error) { return v.Shared(m.Conversation, head.Member, 1, 1) })
	if len(items) != 1 || !items[0].Gone || sight() != 0 {
		t.Errorf("what is left is %+v", items)
	}
	salts, err := s.write.c.number(`SELECT count(*) FROM heads WHERE salt IS NOT NULL`)
	if err != nil || salts != 0 {
		t.Errorf("%d salts are left, %v", salts, err)
	}
	if e, err := s.Examine(); err != nil || len(e.Orphans) > 0 {
		t.Errorf("%+v, %v", e.Orphans, err)
	}
	head.Message, head.Salt = protocol.MessageID{8}, [16]byte{7} // of a message that was deleted meanwhile
	head.Name = [16]byte{9}
	f.commit(s, head, protocol.EraseConversation{ID: m.Conversation})
	if e, err := s.Examine(); err != nil || len(e.Orphans) > 0 {
		t.Errorf("%+v, %v", e.Orphans, err)
	}
}

// TestGroupInBackups brings a group back from a backup, with its history and without.
func TestGroupInBackups(t *testing.T) {
	for _, history := range []bool{true, false} {
		f, s := inhabited(t)
		rows := storedGroup(f)
		f.commit(s, rows...)
		id := rows[0].(protocol.PutConversation).ID
		_, again := restore(t, backUp(t, s, f.now, history), f.now)
		heads, err := again.write.c.number(`SELECT count(*) FROM heads`)
		if want := map[bool]int64{true: 1}[history]; err != nil || heads != want {
			t.Errorf("history %v: %d heads, %v", history, heads, err)
		}
		if e, err := again.Examine(); err != nil || len(e.Orphans) > 0 {
			t.Errorf("%+v, %v", e.Orphans, err)
		}
		if page := view(t, again, func(v *View) (Page, error) { return v.Messages(id, PageQuery{}) }); (len(page.Items) == 1) != history {
			t.Errorf("history %v: %d messages", history, len(page.Items))
		}
	}
}
