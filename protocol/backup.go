package protocol

import "slices"

// Backup returns what of a profile's rows belongs in a backup, which may lie about for
// years and be restored when everybody else has gone on: who we are, whom we know, what
// was taken and must not be taken again. No key is in it that opens anything sent by
// now: sessions and envelopes stay out, what these carried waits again, and every
// contact is asked for a new session as soon as the rows are loaded (spec, "Renewal").
// Mail that is kept for others stays out, too; their mailboxes stand empty.
//
// Without the history nothing is unread, and what of ours has not arrived never will.
// Waiting is not filled in: it follows from the conversations and the history.
func Backup(state State, history bool) (State, error) {
	p, err := Load(nil, Config{}, state)
	if err != nil {
		return State{}, err
	}
	p.out = new(Output)
	for _, c := range p.contactsInOrder() {
		p.forgetSessions(c)
	}
	for _, v := range p.conversations {
		v.row.Carried = [3][]Range{}
		if !history {
			p.forgetHistory(v)
		}
		p.touchConversation(v)
	}
	p.out = new(Output) // only the rows as they are now count
	if err := p.writeRows(); err != nil {
		return State{}, err
	}
	out := State{Self: state.Self, Invites: state.Invites, Requests: state.Requests, Mailboxes: state.Mailboxes}
	for _, w := range p.out.Writes {
		switch r := w.(type) {
		case PutContact:
			out.Contacts = append(out.Contacts, r)
		case PutConversation:
			out.Conversations = append(out.Conversations, r)
		}
	}
	return out, nil
}

// forgetSessions leaves of a contact what does not depend on any session, and that it needs
// a new one.
func (p *Peer) forgetSessions(c *contact) {
	if first := c.first(); first != nil && first.confirmed {
		c.goBy(first)
	}
	c.state.Generation = c.askedUpTo()
	c.state.Accept, c.state.AcceptTo = nil, [32]byte{}
	c.state.AcceptSlot, c.state.AcceptSID, c.state.AcceptByCourier = [32]byte{}, [32]byte{}, false
	c.state.Unheard = [32]byte{}
	for _, ps := range slices.Clone(c.sessions) {
		p.endSession(c, ps)
	}
	c.state.Inline = slices.DeleteFunc(c.state.Inline, ofSession)
	c.state.Repair = nil
	c.state.Exported = nil
	c.state.Bereft = c.state.Recovery != [32]byte{}
	c.state.Forked = c.state.Bereft
	p.touchContact(c)
}

// forgetHistory leaves of a conversation what does not depend on its messages.
func (p *Peer) forgetHistory(v *conversation) {
	v.row.ReadUpTo = v.row.LastPosition
	v.row.SealedUpTo = v.row.OwnSequence
	c := p.contacts[v.row.Contact]
	if c == nil {
		return // note to self
	}
	c.state.Parts = nil
	next := uint64(1)
	for _, r := range append(slices.Clone(v.row.Delivered), Range{v.row.OwnSequence + 1, v.row.OwnSequence + 1}) {
		if r.First > next {
			p.pushVoid(c, next, r.First-1)
		}
		next = r.Last + 1
	}
}
