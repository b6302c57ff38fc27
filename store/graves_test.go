package store

import (
	"testing"

	"pabal/protocol"
)

// TestWhatHadComeBefore puts messages that may have come before under other sequences: those that
// are here, that were deleted for everyone, and that were erased, once by their timers, are nothing
// new and not unread; others are, and those of which the core is sure are not asked about.
func TestWhatHadComeBefore(t *testing.T) {
	f := newFixture(t, 2)
	s := create(t)
	here, gone, stub := f.message(0, protocol.In, "here"), f.message(0, protocol.In, "gone"), f.message(0, protocol.In, "taken back")
	elsewhere := f.message(1, protocol.In, "elsewhere")
	f.commit(s, here, gone, stub, elsewhere, f.convs[0], f.convs[1])
	f.commit(s, protocol.EraseMessage{ID: gone.ID},
		protocol.StubMessage{Conversation: stub.Conversation, Message: stub.Wire, At: 1, Code: protocol.DeletedBySender})

	again := func(m protocol.PutMessage, in int) protocol.PutMessage {
		c := &f.convs[in]
		c.LastPosition++
		m.ID, m.Conversation, m.Position, m.Sequence, m.Doubted = protocol.MessageID(f.id()), c.ID, c.LastPosition, c.LastPosition, true
		return m
	}
	edit := f.edit(0, gone, 1, "another")
	edit.Waits = f.convs[0].LastPosition + 2 // the sequence under which the message comes again
	part := protocol.PutPart{Conversation: gone.Conversation, Message: gone.Wire, Waits: edit.Waits, Sealed: []byte("a part")}
	f.commit(s, edit, part)
	writes := []protocol.Write{again(here, 0), again(gone, 0), again(stub, 0), again(elsewhere, 0)}
	fresh := f.message(0, protocol.In, "fresh")
	fresh.Doubted = true
	f.commit(s, append(writes, fresh, f.convs[0])...)
	c := view(t, s, func(v *View) (protocol.PutConversation, error) { return v.Conversation(here.Conversation) })
	if c.Unread != 3 { // here, elsewhere and fresh
		t.Errorf("%d are unread, want 3", c.Unread)
	}
	for want, n := range map[string]int{"here": 1, "gone": 0, "taken back": 0, "fresh": 1, "elsewhere": 1} {
		got := 0
		for _, m := range page(t, s, here.Conversation) {
			if textOf(m.Content, m.Edit) == want {
				got++
			}
		}
		if got != n {
			t.Errorf("%q is there %d times, want %d", want, got, n)
		}
	}
	if n, err := s.write.c.number(`SELECT (SELECT count(*) FROM operations) + (SELECT count(*) FROM parts)`); err != nil || n != 0 {
		t.Errorf("%d operations and parts are about nothing, %v", n, err)
	}
	sure := again(gone, 0)
	sure.Doubted = false
	f.commit(s, sure, f.convs[0])
	if n := len(page(t, s, here.Conversation)); n != 5 { // here, the stub, elsewhere and fresh
		t.Errorf("a message that was not doubted is not put: there are %d", n)
	}
}
