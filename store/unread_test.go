package store

import (
	"encoding/hex"
	"testing"

	"pabal/protocol"
)

// TestUnread checks that what is unread is what the user has not read and what is there: when messages come, also at
// places that were kept for them, when they are read, and when they go.
func TestUnread(t *testing.T) {
	f := newFixture(t, 2)
	s := create(t)
	unread := func(when string, want uint64) {
		t.Helper()
		c := view(t, s, func(v *View) (protocol.PutConversation, error) { return v.Conversation(f.convs[0].ID) })
		n, err := s.write.c.number(`SELECT count(*) FROM messages m JOIN conversations c ON c.key = m.conversation
			WHERE c.id = x'` + hex.EncodeToString(f.convs[0].ID[:]) + `' AND m.direction = 1 AND m.state <> 'deleted' AND m.position > c.read_up_to`)
		if err != nil || c.Unread != want || uint64(n) != want {
			t.Errorf("%s: %d are unread, and %d are counted, want %d, %v", when, c.Unread, n, want, err)
		}
	}
	var m []protocol.PutMessage
	for range 3 {
		m = append(m, f.message(0, protocol.In, "in"))
	}
	m = append(m, f.message(0, protocol.Out, "out"))
	gap := f.message(0, protocol.In, "late")
	m = append(m, f.message(0, protocol.In, "in"), f.message(0, protocol.In, "in"))
	f.commit(s, m[0], m[1], m[2], m[3], m[4], m[5], f.message(1, protocol.In, "elsewhere"), f.convs[0], f.convs[1])
	unread("all have come", 5)
	f.commit(s, m[0], f.convs[0])
	unread("one came again", 5)
	f.convs[0].ReadUpTo = 2
	f.commit(s, f.convs[0])
	unread("two are read", 3)
	f.commit(s, gap, f.convs[0])
	unread("one has come late", 4)
	f.commit(s, protocol.EraseMessage{ID: m[0].ID})
	unread("one that was read goes", 4)
	f.commit(s, protocol.EraseMessage{ID: m[4].ID}, protocol.EraseMessage{ID: m[3].ID})
	unread("one that was not read goes, and one of ours", 3)
	f.commit(s, protocol.StubMessage{Conversation: m[5].Conversation, Message: m[5].Wire, At: 1, Code: protocol.DeletedBySender})
	unread("one is deleted for everyone", 2)
	f.commit(s, protocol.EraseMessage{ID: m[5].ID})
	unread("what is left of it goes", 2)
	last := f.message(0, protocol.In, "in")
	f.convs[0].ReadUpTo = last.Position
	f.commit(s, last, f.convs[0])
	unread("all are read, as one comes", 0)
	f.commit(s, protocol.EraseMessage{ID: last.ID})
	unread("it goes", 0)
}
