package sim

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"pabal/protocol"
)

// receipt returns the highest sequence of what a user reads with an input, if the contact is
// one of those that hear of it, and asks for it.
func (w *World) receipt(m *machine, v protocol.PutConversation, upTo uint64) (highest uint64) {
	if v.ID[len(v.ID)-1]%2 == 0 {
		return 0
	}
	for _, msg := range m.disk.threads[v.ID] {
		if msg.Direction == protocol.In && msg.Position > v.ReadUpTo && msg.Position <= upTo {
			highest = max(highest, msg.Sequence)
		}
	}
	return highest
}

// reading notes up to which message of a contact a user has read.
func (t *truth) reading(m *machine, in protocol.MarkRead) {
	if author := t.accounts[m.disk.contacts[m.disk.conversations[in.Conversation].Contact].Account]; author != nil {
		pair := [2]*machine{m, author}
		t.read[pair] = max(t.read[pair], in.Receipt)
	}
}

// unsettledReceipts says whether the other side does not know what it was told of reading,
// or believes more than that.
func (w *World) unsettledReceipts(m *machine, v protocol.PutConversation, other *machine, theirs protocol.PutConversation) string {
	var state struct {
		Told uint64 `cbor:"6,keyasint"`
	}
	if len(v.State) == 0 {
		return "" // of an owner and a home node
	}
	if err := cbor.Unmarshal(v.State, &state); err != nil {
		w.fail("%v: state of a conversation: %v", m, err)
	}
	switch known := theirs.PeerReadUpTo; {
	case known > w.truth.read[[2]*machine{m, other}]:
		w.fail("%v takes messages for read up to %d, which %v was never asked to say", other, known, m)
	case known < state.Told:
		return fmt.Sprintf("%v does not know that its messages are read up to %d", other, state.Told)
	}
	return ""
}
