package node_test

import (
	"testing"

	"pabal/protocol"
)

// TestReadingSendsNothing reads a message: this version tells nobody.
func TestReadingSendsNothing(t *testing.T) {
	mina, jiwoo := newBare(t, "Mina", 1001, &source{sourceOf("a")}), newBare(t, "Jiwoo", 1002, &source{sourceOf("b")})
	p := meet(t, peerNoon, mina, jiwoo)
	var conversation protocol.ConversationID
	for _, w := range jiwoo.early {
		if c, ok := w.(protocol.PutConversation); ok {
			conversation = c.ID
		}
	}
	mina.step(peerNoon, protocol.SendText{Contact: p.contact[0], Text: "read me"})
	p.carry(peerNoon)
	out := jiwoo.step(peerNoon, protocol.MarkRead{Conversation: conversation, UpTo: 1})
	if len(out.Events) != 1 || out.Events[0].Type != protocol.ConversationRead {
		t.Fatalf("it was not read: %+v", out.Events)
	}
	if len(out.Sends) > 0 {
		t.Errorf("reading sends %d frames", len(out.Sends))
	}
}
