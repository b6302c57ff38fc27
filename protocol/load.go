package protocol

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"pabal/protocol/mailbox"
	"pabal/protocol/outbox"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// Load rebuilds a Peer from its rows: at the start, and after a commit that
// failed. Errors: a row does not parse.
func Load(random io.Reader, config Config, state State) (*Peer, error) {
	p, err := newPeer(random, config)
	if err != nil {
		return nil, err
	}
	if err := p.decode.Unmarshal(state.Self.State, &p.self.state); err != nil {
		return nil, fmt.Errorf("load self: %w", errors.Join(errState, err))
	}
	p.self.name = state.Self.Name
	p.self.account = p.self.state.Account.Public()
	for _, step := range []func(State) error{
		p.loadConversations, p.loadContacts, p.loadSessions, p.loadInvites, p.loadRequests, p.loadOutbox, p.loadShelves, p.loadGroups,
	} {
		if err := step(state); err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
	}
	return p, nil
}

func (p *Peer) loadConversations(state State) error {
	for _, row := range state.Conversations {
		v := &conversation{row: row}
		var state conversationState
		if err := p.load(row.State, &state); err != nil {
			return err
		}
		v.have, v.timer, v.told, v.gone = state.have, state.Timer, state.Told, state.Gone
		if state.Acked != nil {
			v.acked = *state.Acked
		}
		v.row.State = nil
		if h := &v.have; h.Newest.At == 0 && h.Next > 0 { // from before it was kept: all that is older is doubted
			h.Newest.At = uint64(max(row.LastAt, 0))
		}
		p.conversations[row.ID] = v
	}
	return nil
}

func (p *Peer) load(b []byte, into any) error {
	if err := p.decode.Unmarshal(b, into); err != nil {
		return errors.Join(errState, err)
	}
	return nil
}

func (p *Peer) loadContacts(state State) error {
	for _, row := range state.Contacts {
		c := &contact{row: row, wanted: true}
		if err := p.load(row.State, &c.state); err != nil {
			return err
		}
		c.row.State = nil
		c.forked = c.state.Forked
		if row.Conversation != (ConversationID{}) {
			c.conv = p.conversations[row.Conversation]
			if c.conv != nil && c.state.Apart == 0 {
				c.state.Apart = 1 + c.conv.row.OwnSequence
			}
		}
		for _, b := range c.state.Inline {
			c.queue.Push(outbox.Item{Size: len(b), Content: b})
		}
		c.voidsChanged = len(c.state.Voids) > 0
		p.keepContact(c)
		p.stir(c)
	}
	return nil
}

func (p *Peer) loadSessions(state State) error {
	for _, row := range state.Sessions {
		c := p.contacts[row.Contact]
		if c == nil {
			return errState
		}
		ps, err := loadPairSession(row)
		if err != nil {
			return errors.Join(errState, err)
		}
		c.addSession(ps)
	}
	return nil
}

func (p *Peer) loadInvites(state State) error {
	for _, row := range state.Invites {
		v := &invitation{row: row}
		if err := p.load(row.State, &v.state); err != nil {
			return err
		}
		v.row.State = nil
		p.invites[row.ID] = v
	}
	return nil
}

func (p *Peer) loadRequests(state State) error {
	for _, row := range state.Requests {
		r := &request{row: row}
		if err := p.load(row.State, &r.state); err != nil {
			return err
		}
		r.row.State = nil
		p.requests[row.ID] = r
	}
	return nil
}

// loadOutbox queues the envelopes that are not acknowledged and the messages
// that no envelope holds.
func (p *Peer) loadOutbox(state State) error {
	rows := slices.Clone(state.Outbox)
	slices.SortStableFunc(rows, func(a, b PutOutbox) int { return compareUint64(uint64(a.Index), uint64(b.Index)) })
	inEnvelope := make(map[MessageID]bool)
	waiting := make(map[*contact][]outbox.Item)
	for _, row := range rows {
		c := p.contacts[row.Contact]
		if c == nil || c.session(row.SID) == nil {
			return errState
		}
		e := &outbox.Entry{Session: row.SID, Index: row.Index, Envelope: row.Envelope}
		for _, s := range row.Stored {
			e.RestoreCopy(s.Mailbox, s.Hash)
		}
		var written time.Time
		for _, oc := range row.Contents {
			if oc.Part != (outbox.Part{}) {
				written = MessageID(oc.Part.Message).madeAt()
				e.Items = append(e.Items, outbox.Item{Part: oc.Part})
				continue
			}
			if oc.Message == (MessageID{}) {
				e.Items = append(e.Items, outbox.Item{Size: len(oc.Inline), Content: oc.Inline, Shared: passing(oc.Inline)})
				continue
			}
			if !oc.Shared { // whose name is no time
				inEnvelope[oc.Message] = true
				written = oc.Message.madeAt()
			}
			e.Items = append(e.Items, outbox.Item{Message: oc.Message, Sequence: oc.Sequence, About: oc.About, Shared: oc.Shared})
		}
		shareSize(e)
		c.queue.Restore(e, written)
	}
	for _, w := range state.Waiting {
		v := p.conversations[w.Conversation]
		if v == nil {
			return errState
		}
		c := p.contacts[v.row.Contact]
		if c == nil || inEnvelope[w.ID] || inRanges(v.row.Delivered, w.Sequence) {
			continue // note to self, or on its way already
		}
		waiting[c] = append(waiting[c], outbox.Item{Message: w.ID, Sequence: w.Sequence, Size: w.SizeBytes, About: w.About})
	}
	for c, items := range waiting {
		c.queue.PutBack(items)
	}
	return nil
}

// shareSize notes of each message in an envelope of an earlier run as many bytes as all of them can
// have together, divided among them: its row does not tell, and nobody reads too much at once.
func shareSize(e *outbox.Entry) {
	left, messages := session.FrameSize(e.Envelope), 0
	for _, it := range e.Items {
		if it.Inline() {
			left -= it.Size
		} else {
			messages++
		}
	}
	for i := range e.Items {
		if it := &e.Items[i]; !it.Inline() {
			it.Size = max(left, 0)/messages + 1
		}
	}
}

// loadShelves puts back what we keep for others.
func (p *Peer) loadShelves(state State) error {
	for _, row := range state.Mailboxes {
		orders, err := wire.ParseMailboxOrders(row.State)
		if err != nil || len(orders) != 1 {
			return errState
		}
		p.shelves.Restore(mailbox.Owner(row.Owner), orders[0])
	}
	for _, h := range state.Held {
		if !p.shelves.RestoreItem(h.Mailbox, mailbox.Held{Hash: h.Hash, Number: h.Number, SizeBytes: h.SizeBytes, Expires: h.Expires}) {
			return errState
		}
	}
	return nil
}
