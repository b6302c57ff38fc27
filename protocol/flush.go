package protocol

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"pabal/protocol/outbox"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// flush ends a batch: it seals what waits, dials whom it must, writes every row
// that changed and says when to wake. Its cost grows with the contacts that
// the batch touched, not with all of them.
func (p *Peer) flush(now time.Time) error {
	if !p.nextDue.After(now) {
		if err := p.scan(now); err != nil {
			return err
		}
	}
	p.leaveKey(now)
	if p.furnishDue {
		p.furnish(now)
	}
	if p.roomDue {
		p.collectLeft(now)
	}
	for _, id := range sortedKeys(p.stirred) {
		c := p.contacts[id]
		p.askToCompare(c)
		if err := p.meetInGroups(now, c); err != nil {
			return err
		}
		if err := p.sealWaiting(now, c); err != nil {
			return err
		}
		if err := p.acknowledge(now, c); err != nil {
			return err
		}
		if err := p.signal(now, c); err != nil {
			return err
		}
		if err := p.carry(now, c); err != nil {
			return err
		}
		if err := p.exporting(now, c); err != nil {
			return err
		}
		p.noteLost(now, c)
		p.askByCourier(now, c)
		p.repairByCourier(now, c)
		p.dial(now, c)
		p.dueBy(c.nextDue(now))
	}
	if err := p.writeRows(); err != nil {
		return err
	}
	p.out.Wake = p.nextDue
	return nil
}

// sealWaiting seals as much as the window takes. Without a connection nothing is
// sealed: what piles up then shares envelopes later.
func (p *Peer) sealWaiting(now time.Time, c *contact) error {
	ps := c.sending()
	if ps == nil || c.live() == nil || c.row.Blocked || c.row.Verification == VerifiedChanged {
		return nil
	}
	if c.refetching > 0 || !p.renumber(now, c) {
		return nil
	}
	p.tellPicture(c)
	if err := p.sealAll(now, c, ps, 0); err != nil {
		return err
	}
	p.fetch(c, ps.s.WindowLeft() > 1, nil, toPath)
	return nil
}

// sealAll puts what waits, and is at hand, into envelopes of at least a size.
func (p *Peer) sealAll(now time.Time, c *contact, ps *pairSession, sizeMin int) error {
	return p.sealWhile(now, c, ps, sizeMin, func() bool { return true })
}

// sealWhile does the same as long as more is wanted.
func (p *Peer) sealWhile(now time.Time, c *contact, ps *pairSession, sizeMin int, more func() bool) error {
	p.queueVoids(now, c)
	if err := p.declareWithdrawn(now, c, ps); err != nil || c.forked {
		return err
	}
	for ps.s.WindowLeft() > 1 && more() { // the last one is for declaring what is withdrawn
		items := c.queue.Take(ps.s.ContentSizes(now))
		if len(items) == 0 {
			break
		}
		if ok, err := p.seal(now, c, ps, items, sizeMin); !ok || err != nil {
			return err
		}
	}
	return nil
}

// declareWithdrawn tells the peer, in the same session, which envelopes of the one
// that sends will not come.
func (p *Peer) declareWithdrawn(now time.Time, c *contact, ps *pairSession) error {
	if !ps.withdrew || !ps.s.WindowOpen() {
		return nil
	}
	ps.withdrew = false
	voids := ps.s.Withdrawn()
	if len(voids) == 0 {
		return nil
	}
	b, err := wire.AppendContent(nil, wire.Content{Type: wire.ContentVoidEnvelopes, Voids: voids})
	if err != nil {
		panic("protocol: a content of ours does not encode")
	}
	_, err = p.seal(now, c, ps, []outbox.Item{{Size: len(b), Content: b}}, 0)
	return err
}

// seal puts items into one envelope. It reports false if the session cannot go
// on: then they wait for the one that replaces it.
func (p *Peer) seal(now time.Time, c *contact, ps *pairSession, items []outbox.Item, sizeMin int) (bool, error) {
	e, _, err := p.sealEntry(now, c, ps, items, sizeMin)
	return e != nil, err
}

// sealEntry does that and returns the envelope, nil if the session cannot go on, and its frame.
func (p *Peer) sealEntry(now time.Time, c *contact, ps *pairSession, items []outbox.Item, sizeMin int) (*outbox.Entry, []byte, error) {
	contents := make([][]byte, len(items))
	for i, it := range items {
		contents[i] = it.Content
	}
	sealed, err := ps.s.Seal(now, p.random, contents, sizeMin)
	switch {
	case errors.Is(err, session.ErrKEM), errors.Is(err, session.ErrContents):
		c.queue.PushFront(c.outlasting(items))
		p.fork(now, c, ps)
		return nil, nil, nil
	case err != nil:
		return nil, nil, errRandom
	}
	ps.dirty = true
	for _, it := range items {
		if it.Part != (outbox.Part{}) {
			continue
		}
		if it.Inline() {
			p.carried(c, it.Content)
			continue
		}
		if it.Shared {
			continue
		}
		if v := c.conv; v != nil && it.Sequence > v.row.SealedUpTo {
			v.row.SealedUpTo = it.Sequence
			p.touchConversation(v)
		}
	}
	entry := &outbox.Entry{Session: ps.sid, Index: sealed.Index, Envelope: sealed.Parts(), Frame: sealed.Frame, Items: items}
	p.write(p.outboxRow(c, entry))
	c.queue.Sealed(entry, now)
	if k := c.live(); k != nil {
		ps.ackDue = false // it rides in every body
		p.send(SendFrame{Conn: k.id, Type: wire.TypeEnvelope, Body: sealed.Frame})
	}
	return entry, sealed.Frame, nil
}

// outboxRow returns the row of an envelope.
func (p *Peer) outboxRow(c *contact, e *outbox.Entry) PutOutbox {
	row := PutOutbox{
		Contact: c.row.ID, SID: e.Session, Index: e.Index, Envelope: e.Envelope,
		Contents: make([]OutboxContent, len(e.Items)),
	}
	for _, copy := range e.Copies() {
		if copy.Stored {
			row.Stored = append(row.Stored, Stored{Mailbox: copy.Mailbox, Hash: copy.Hash})
		}
	}
	for i, it := range e.Items {
		if it.Part != (outbox.Part{}) {
			row.Contents[i].Part = it.Part
			continue
		}
		if it.Inline() {
			row.Contents[i].Inline = it.Content
			continue
		}
		row.Contents[i].Message, row.Contents[i].Sequence, row.Contents[i].About = it.Message, it.Sequence, it.About
		row.Contents[i].Shared = it.Shared
	}
	return row
}

// queueVoids queues what says which of our messages will not come: one content for
// neighbours, each in its place among the messages that do come.
func (p *Peer) queueVoids(now time.Time, c *contact) {
	if !c.voidsChanged {
		return
	}
	c.voidsChanged = false
	c.queue.RemoveInline(func(b []byte) bool { _, ok := voidRange(b); return ok })
	items := make([]outbox.Item, len(c.state.Voids))
	for i, r := range c.state.Voids {
		b, err := wire.AppendContent(nil, wire.Content{Type: wire.ContentVoidMessages, At: now.UnixMilli(), First: r.First, Last: r.Last})
		if err != nil {
			panic("protocol: a content of ours does not encode")
		}
		items[i] = outbox.Item{Sequence: r.First, Size: len(b), Content: b}
	}
	c.queue.PutBack(items)
}

// voidRange returns what a content declares void, if it does.
func voidRange(b []byte) (Range, bool) {
	content, _, err := wire.DecodeContent(b)
	return Range{First: content.First, Last: content.Last}, err == nil && content.Type == wire.ContentVoidMessages
}

// carried notes that an envelope's row holds an inline content now.
func (p *Peer) carried(c *contact, content []byte) {
	if r, ok := voidRange(content); ok {
		c.state.Voids = removeRange(c.state.Voids, r)
		p.touchContact(c)
		return
	}
	if i := slices.IndexFunc(c.state.Inline, func(b []byte) bool { return bytes.Equal(b, content) }); i >= 0 {
		c.state.Inline = slices.Delete(c.state.Inline, i, i+1)
		p.touchContact(c)
	}
}

// acknowledge sends a bare ack in each session in which something came and
// nothing went out since.
func (p *Peer) acknowledge(now time.Time, c *contact) error {
	k := c.live()
	if k == nil || c.row.Blocked {
		return nil
	}
	c.ackBy = time.Time{}
	return p.sealAcks(now, c, 0, func(frame []byte) {
		p.send(SendFrame{Conn: k.id, Type: wire.TypeEnvelope, Body: frame})
	})
}

// sealAcks seals a bare ack of at least a size in each session that owes one.
func (p *Peer) sealAcks(now time.Time, c *contact, sizeMin int, leave func(frame []byte)) error {
	for _, ps := range slices.Clone(c.sessions) {
		if !ps.ackDue || c.forked && ps == c.first() {
			continue
		}
		frame, err := ps.s.Ack(now, p.random, nil, sizeMin)
		if errors.Is(err, session.ErrKEM) {
			p.fork(now, c, ps)
			continue
		}
		if err != nil {
			return errRandom
		}
		ps.ackDue, ps.dirty = false, true
		leave(frame)
	}
	return nil
}

// aim is where the envelopes go that a fetch is for.
type aim uint8

const (
	toCouriers aim = iota // and into a file, if one is being made
	toPath                // live
)

// fetch asks for contents that are needed and not in memory.
func (p *Peer) fetch(c *contact, sealing bool, resend []*outbox.Entry, to aim) {
	p.fetchParts(c, resend, nil, to)
	if ids := c.queue.Fetch(sealing, resend); len(ids) > 0 {
		c.asked, c.askedTo = ids, to
		job := FetchContents{Contact: c.row.ID, Messages: make([]MessageID, len(ids))}
		for i, id := range ids {
			job.Messages[i] = id
		}
		p.out.Jobs = append(p.out.Jobs, job)
	}
	if to != toPath {
		return
	}
	for _, e := range resend { // what no fetch under way reads for the path has its turn behind that
		if e.NeedsFetch() && !(c.askedTo == toPath && c.queue.Reads(e)) && !slices.Contains(c.askNext, e) {
			c.askNext = append(c.askNext, e)
		}
	}
}

func (p *Peer) contentsFetched(now time.Time, in ContentsFetched) {
	c := p.contacts[in.Contact]
	if c == nil {
		return
	}
	contents := make(map[[16]byte][]byte, len(in.Contents))
	for id, b := range in.Contents {
		contents[id] = b
	}
	gone, whole := c.queue.Fetched(c.asked, contents)
	c.asked = nil
	for _, sequence := range gone {
		p.pushVoid(c, sequence, sequence)
	}
	for _, w := range whole {
		p.rebuilt(now, c, w, c.askedTo)
	}
	if next := c.askNext; len(next) > 0 { // before couriers have their turn
		c.askNext = nil
		p.sendAgain(c, slices.DeleteFunc(next, func(e *outbox.Entry) bool { return !c.queue.Seals(e) }))
	}
	p.touchContact(c)
}

// rebuilt sends an envelope, or leaves it with couriers, that was not at hand. What was read for
// couriers goes to them, live path or not: else they would want it again, and at once.
func (p *Peer) rebuilt(now time.Time, c *contact, w outbox.Whole, to aim) {
	frame, err := session.Rebuild(w.Entry.Envelope, w.Contents)
	if err != nil { // the row is damaged: the message stays queued
		c.queue.Damaged(w.Entry)
		return
	}
	c.queue.Rebuilt(w.Entry, frame)
	if c.export != nil {
		c.export.frames[w.Entry] = frame
	}
	if k := c.live(); k != nil && to == toPath {
		p.send(SendFrame{Conn: k.id, Type: wire.TypeEnvelope, Body: frame})
	} else {
		p.leaveRebuilt(now, c, w.Entry, frame)
	}
}

// resend sends again what is due on the live path.
func (p *Peer) resend(now time.Time, c *contact) {
	if c.live() != nil && !c.row.Blocked {
		p.sendAgain(c, c.queue.Due(now))
	}
}

// sendAgain sends envelopes on the live path, if there is one: those that are not at hand when
// their contents have been read.
func (p *Peer) sendAgain(c *contact, entries []*outbox.Entry) {
	k := c.live()
	if k == nil {
		return
	}
	var rebuild []*outbox.Entry
	for _, e := range entries {
		frame := e.Frame
		if frame == nil {
			frame = p.rebuildInline(c, e)
		}
		if frame == nil {
			rebuild = append(rebuild, e)
			continue
		}
		p.send(SendFrame{Conn: k.id, Type: wire.TypeEnvelope, Body: frame})
	}
	p.fetch(c, false, rebuild, toPath)
}

// rebuildInline makes the frame of an envelope anew for which nothing must be
// fetched: all its contents are in its row. For others it returns nil.
func (p *Peer) rebuildInline(c *contact, e *outbox.Entry) []byte {
	contents := make([][]byte, len(e.Items))
	for i, it := range e.Items {
		if !it.Inline() || it.Part != (outbox.Part{}) {
			return nil
		}
		contents[i] = it.Content
	}
	frame, err := session.Rebuild(e.Envelope, contents)
	if err != nil {
		c.queue.Damaged(e)
		return nil
	}
	c.queue.Rebuilt(e, frame)
	return frame
}

// pushInline queues a content that is no message. It is kept in the contact's
// row until an envelope carries it.
func (p *Peer) pushInline(c *contact, content wire.Content) {
	b, err := wire.AppendContent(nil, content)
	if err != nil {
		panic("protocol: a content of ours does not encode")
	}
	c.state.Inline = append(c.state.Inline, b)
	c.queue.Push(outbox.Item{Size: len(b), Content: b})
	p.touchContact(c)
}

func (p *Peer) writeRows() error {
	if p.self.dirty {
		b, err := p.encode.Marshal(p.self.state)
		if err != nil {
			return err
		}
		p.write(PutSelf{Name: p.self.name, State: b})
		p.self.dirty = false
	}
	for _, id := range sortedKeys(p.stirred) {
		if err := p.writeContact(p.contacts[id]); err != nil {
			return err
		}
	}
	for _, id := range sortedKeys(p.dirtyConversations) {
		v := p.conversations[id]
		state := conversationState{have: v.have, Timer: v.timer, Told: v.told, Gone: v.gone}
		if v.acked.Sequence > 0 {
			state.Acked = &v.acked
		}
		b, err := p.encode.Marshal(state)
		if err != nil {
			return err
		}
		row := v.row
		row.Delivered = slices.Clone(row.Delivered)
		for n := range row.Carried {
			row.Carried[n] = slices.Clone(row.Carried[n])
		}
		row.State = b
		p.write(row)
		if m := p.groups[id]; m != nil {
			if err := p.writeMembership(m); err != nil {
				return err
			}
		}
	}
	for _, id := range sortedKeys(p.dirtyInvites) {
		v := p.invites[id]
		b, err := p.encode.Marshal(v.state)
		if err != nil {
			return err
		}
		v.row.State = b
		p.write(v.row)
	}
	for _, id := range sortedKeys(p.dirtyRequests) {
		r := p.requests[id]
		b, err := p.encode.Marshal(r.state)
		if err != nil {
			return err
		}
		r.row.State = b
		p.write(r.row)
	}
	clear(p.stirred)
	clear(p.dirtyConversations)
	clear(p.dirtyInvites)
	clear(p.dirtyRequests)
	return nil
}

// writeContact writes the row of a contact, if it changed, and those of its
// sessions that did.
func (p *Peer) writeContact(c *contact) error {
	if c.dirty {
		b, err := p.encode.Marshal(c.state)
		if err != nil {
			return err
		}
		row := c.row
		row.State = b
		p.write(row)
		c.dirty = false
	}
	for _, ps := range c.sessions {
		if ps.dirty {
			p.write(PutSession{Contact: c.row.ID, SID: ps.sid, State: ps.append(nil)})
			ps.dirty = false
		}
	}
	return nil
}
