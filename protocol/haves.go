package protocol

import (
	"slices"
	"time"

	"pabal/protocol/wire"
)

// This file is for what two tell each other of their conversation in a handshake, and what follows from
// it (spec, "Renewal").

// haves is our have vector for the direct conversation: up to which sequence we want
// nothing again, and, if that is another, the highest that we have seen. If both of us
// were put back we may hold other messages under these numbers than the peer remembers:
// so the last ones come again, as many as we recognise by their tags.
func (v *conversation) haves() []wire.Have {
	if v == nil {
		return []wire.Have{{}} // nothing at all
	}
	reached := v.have.next() - 1
	held := min(reached, max(v.have.Forgotten, max(reached, recentTagsMax)-recentTagsMax))
	var before *[8]byte // the tag of the message under held
	for _, g := range v.have.Gaps {
		if g.First-1 <= held {
			held, before = g.First-1, g.Before
		}
	}
	list := []wire.Have{{Sequence: held}}
	if before != nil {
		list = append(list, wire.Have{Conversation: tagged(*before), Sequence: held})
	}
	if reached != held {
		list = append(list, wire.Have{Sequence: reached})
	}
	if n := len(v.have.Recent); n > 0 && v.have.Recent[n-1].Sequence > 0 {
		i, _ := v.have.recent(v.have.Recent[n-1].Sequence) // of several under one number the one that came last
		last := v.have.Recent[i]
		list = append(list, wire.Have{Conversation: tagged(last.Tag), Sequence: last.Sequence})
	}
	return list
}

// tagged marks an entry of a have vector that says which message the peer holds last: by
// its tag, behind zeros.
func tagged(tag [8]byte) (conversation [16]byte) {
	copy(conversation[8:], tag[:])
	return conversation
}

// reached is the have vector of an accept: the highest sequence seen, behind which
// somebody who has forgotten the conversation must go on, our own highest, and the highest
// of ours that is delivered; then the last message that has come and the last of ours that is
// delivered, by their tags: the same numbers may be other messages there.
func (v *conversation) reached() []wire.Have {
	if v == nil {
		return nil
	}
	list := []wire.Have{{Sequence: v.have.next() - 1}, {Sequence: v.row.OwnSequence}, {Sequence: v.lastDelivered()}}
	var came recentTag
	if n := len(v.have.Recent); n > 0 {
		i, _ := v.have.recent(v.have.Recent[n-1].Sequence) // of several under one number the one that came last
		came = v.have.Recent[i]
	}
	for _, m := range []recentTag{came, v.acked} {
		list = append(list, wire.Have{Conversation: tagged(m.Tag), Sequence: m.Sequence})
	}
	return list
}

// lastDelivered is the highest of our sequences that the peer has acknowledged, 0 if none.
func (v *conversation) lastDelivered() uint64 {
	if n := len(v.row.Delivered); n > 0 {
		return v.row.Delivered[n-1].Last
	}
	return 0
}

// progress is how far the inviter of an accept outside a repair has come: the highest of
// our sequences that it has seen, its own highest, and the highest of its own that it
// knows to be delivered; and which message of ours came last to it, and which of its own is
// delivered last, sequence 0 if there is none.
type progress struct {
	seen, written, delivered uint64
	came, acked              recentTag
}

func progressOf(have []wire.Have) progress {
	named := func(h wire.Have) bool { return h.Conversation != [16]byte{} }
	if len(have) != 5 || slices.ContainsFunc(have[:3], named) {
		return progress{}
	}
	message := func(h wire.Have) recentTag {
		return recentTag{Sequence: h.Sequence, Tag: [8]byte(h.Conversation[8:])}
	}
	return progress{have[0].Sequence, have[1].Sequence, have[2].Sequence, message(have[3]), message(have[4])}
}

// compare is called when a handshake joins two who were contacts already. If one side
// knows of messages that the other has lost, they find out by a renewal which. What the
// inviter has written and we have not seen may be on its way.
func (p *Peer) compare(now time.Time, c *contact, ps *pairSession, have []wire.Have) {
	theirs := progressOf(have)
	if c.conv == nil {
		return // with a home node nothing is said
	}
	reached := c.conv.have.next() - 1
	if theirs.seen > c.conv.row.OwnSequence || theirs.seen < c.conv.lastDelivered() || theirs.written < reached || theirs.delivered > reached {
		p.fork(now, c, ps)
		return
	}
	if c.wroteOther(theirs.came) || c.conv.have.hasOther(theirs.acked) {
		c.state.Differs = true
		p.touchContact(c)
		p.makeEqual(now, c)
	}
}

// makeEqual has a renewal find out what is different, once it can. What none makes equal must not use up the
// renewals of a day: then it waits.
func (p *Peer) makeEqual(now time.Time, c *contact) {
	if c.state.Differs && c.mayTell() && c.renewalsToday(now) < renewalsPerDayMax-1 {
		c.state.Differs = false
		p.touchContact(c)
		p.fork(now, c, c.first())
	}
}

// wroteOther reports whether the last message of ours that has come to the contact is another than we
// know under its number, or is behind one that it has acknowledged: one of us was put back to an old
// state, and numbers are used twice.
func (c *contact) wroteOther(came recentTag) bool {
	if came.Sequence == 0 {
		return false
	}
	if id, waits := c.queue.Message(came.Sequence); waits {
		return messageTag(id) != came.Tag
	}
	return c.conv.acked.Sequence > came.Sequence || c.conv.acked.Sequence == came.Sequence && c.conv.acked.Tag != came.Tag
}

// hasOther reports whether the author's message that we have acknowledged last, by what it says, is
// another one here, or is not here.
func (h *have) hasOther(acked recentTag) bool {
	if acked.Sequence == 0 {
		return false
	}
	if i, ok := h.recent(acked.Sequence); ok {
		return h.Recent[i].Tag != acked.Tag
	}
	return h.void(acked.Sequence) || h.inGap(acked.Sequence) >= 0
}

// holdsOther reports whether the message that a peer holds last of ours is another one than it has acknowledged under
// that number: one of us was put back to an old state, or has forgotten the other, and numbers are used twice. If only
// the history can tell, it is asked, and so long nothing is sealed.
func (p *Peer) holdsOther(c *contact, last recentTag) bool {
	v := c.conv
	c.state.Compare = nil
	switch {
	case last.Sequence == 0 || v == nil || !inRanges(v.row.Delivered, last.Sequence):
		return false
	case v.acked.Sequence == last.Sequence:
		return v.acked.Tag != last.Tag
	}
	c.state.Compare = &last
	p.touchContact(c)
	return false
}

// askToCompare asks which message of ours has the number of the one that the peer holds last, also behind a start.
func (p *Peer) askToCompare(c *contact) {
	if last := c.state.Compare; last != nil && c.conv != nil && !c.comparing {
		c.comparing = true
		c.refetching++
		p.out.Jobs = append(p.out.Jobs, FetchSequences{Conversation: c.conv.row.ID, First: last.Sequence, Last: last.Sequence, Compare: true})
	}
}

// compared takes which of our messages has a number: if it is another than the peer holds, that holds none that we know up
// to there. One that is gone tells nothing.
func (p *Peer) compared(c *contact, in SequencesFetched) {
	last := c.state.Compare
	c.state.Compare, c.comparing = nil, false
	p.touchContact(c)
	switch {
	case last == nil:
	case last.Sequence != in.First: // of a renewal since
		c.state.Compare = last
	case len(in.Messages) == 1 && messageTag(in.Messages[0].ID) != last.Tag:
		p.reconcile(c, reconciling{alien: last.Sequence, other: true})
	}
}
