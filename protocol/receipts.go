package protocol

import (
	"pabal/protocol/wire"
)

// tellRead tells the contact up to which of its messages the user has read. Only the newest
// of what waits is sent. A receipt speaks of all before it, and nobody has read what has not
// come: it ends before the first gap, and a later one says the rest.
func (p *Peer) tellRead(v *conversation, sequence uint64) {
	c := p.contacts[v.row.Contact]
	if gaps := v.have.Gaps; len(gaps) > 0 {
		sequence = min(sequence, gaps[0].First-1) // they ascend
	}
	if c == nil || c.row.Blocked || c.row.Phase == ContactFailed || sequence <= v.told || sequence >= v.have.next() {
		return
	}
	p.dropInline(c, wire.ContentReadReceipt)
	p.pushInline(c, wire.Content{Type: wire.ContentReadReceipt, First: 1, Last: sequence})
	v.told = sequence
}

// readReceived takes note of what the contact says it has read. It may come before the
// acknowledgement of the same message, which only then counts as read.
func (p *Peer) readReceived(c *contact, content *wire.Content) {
	v := c.conv
	if v == nil || content.Last > v.row.OwnSequence || content.Last <= v.row.PeerReadUpTo {
		return // nobody has read what was not written
	}
	first := v.row.PeerReadUpTo + 1
	v.row.PeerReadUpTo = content.Last
	p.touchConversation(v)
	for _, r := range v.row.Delivered {
		if from, to := max(r.First, first), min(r.Last, content.Last); from <= to {
			p.event(Event{Type: MessageStatus, Conversation: v.row.ID, First: from, Count: to - from + 1, Code: StatusRead})
		}
	}
}
