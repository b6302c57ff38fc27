package protocol

import (
	"errors"
	"maps"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/rendezvous"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// This file is the depositor's role: mail for a contact that is off, left where its
// record says.

// post is a courier of others, as we reach it to leave mail.
type post struct {
	dialing uint64
	backoff rendezvous.Backoff
	tried   string // code of the last failed dial
	triedAt time.Time
}

// reachable returns the mailboxes of a contact that take deposits today, by their order
// in its record, with where the courier of each is dialled.
func (p *Peer) mailboxesOf(now time.Time, c *contact) []place {
	r := c.state.Record
	if r == nil || len(r.Mailboxes) == 0 || c.row.Blocked || c.row.Phase != ContactEstablished {
		return nil
	}
	var out []place
	for _, m := range r.Mailboxes {
		if dayOf(now) <= m.ClosesDay {
			out = append(out, place{Mailbox: m, couriers: r.Couriers})
		}
	}
	return out
}

// place is a mailbox that takes our mail.
type place struct {
	wire.Mailbox
	couriers []wire.Courier // with addresses of the one that has it, among others
	conn     *conn          // to that one, nil = none yet
}

// received returns the addresses of the courier as we were told them.
func (at place) received() (out []wire.Address) {
	for _, courier := range at.couriers {
		if courier.Key == at.Courier {
			out = append(out, courier.Address)
		}
	}
	return out
}

// counter returns the first connection to the node with a transport key on which deposits
// are taken, or nil.
func (p *Peer) counter(key identity.TransportKey) (first *conn) {
	for id, k := range p.conns {
		if k.remote == key && k.proved && (k.proof == byMailbox || k.proof == byPair) && (first == nil || id < first.id) {
			first = k
		}
	}
	return first
}

func (p *Peer) connsInOrder() []*conn {
	out := make([]*conn, 0, len(p.conns))
	for _, id := range slices.Sorted(maps.Keys(p.conns)) {
		out = append(out, p.conns[id])
	}
	return out
}

// carry leaves what waits for a contact with its couriers: at once if it is off, and what
// it has not acknowledged for a while if it seems to be live.
func (p *Peer) carry(now time.Time, c *contact) error {
	c.carryDue = time.Time{}
	places := p.mailboxesOf(now, c)
	if len(places) == 0 {
		return nil
	}
	all := make([][16]byte, len(places))
	for i, at := range places {
		all[i] = at.ID
	}
	if c.carryDue = p.nextCarry(now, c, all); c.carryDue.IsZero() || c.carryDue.After(now) {
		return nil
	}
	c.carryDue = time.Time{} // a connection, or the next try to dial, has it looked at again
	var open []place
	var ids [][16]byte
	for _, at := range places {
		switch k := p.counter(at.Courier); {
		case len(open) == copiesMax || c.full[at.ID].After(now):
		case k == nil:
			p.dialPost(now, c, at, p.pairTag(c))
		default:
			at.conn = k
			open, ids = append(open, at), append(ids, at.ID)
		}
	}
	if len(open) == 0 {
		return nil
	}
	if err := p.sealForCouriers(now, c); err != nil {
		return err
	}
	for _, at := range open {
		p.withdrawAt(now, c, at)
		p.leaveAt(now, c, at)
	}
	if err := p.acknowledgeByCourier(now, c, open); err != nil {
		return err
	}
	if next := p.nextCarry(now, c, ids); !next.IsZero() {
		c.carryDue = later(next, now.Add(time.Second))
	}
	return nil
}

// leaveRebuilt leaves an envelope that was not at hand.
func (p *Peer) leaveRebuilt(now time.Time, c *contact, e *outbox.Entry, frame []byte) {
	item := wire.Item{Type: wire.TypeEnvelope, Body: frame}
	for _, at := range p.mailboxesOf(now, c) {
		if at.conn = p.counter(at.Courier); at.conn == nil || !slices.Contains(c.queue.ToCarry(now, at.ID, c.live() != nil, wire.ItemsMax), e) {
			continue
		}
		c.queue.Left(e, at.ID, item.Hash(), now)
		p.deposit(at, item)
	}
}

// nextCarry returns when there is something to leave with couriers; zero is never.
func (p *Peer) nextCarry(now time.Time, c *contact, boxes [][16]byte) time.Time {
	var next time.Time
	add := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	live := c.live() != nil
	if c.queue.WaitingLen() > 0 || len(c.state.Voids) > 0 {
		if ps := c.sending(); !live && ps != nil && ps.s.WindowLeft() > 1 {
			if c.waitingSince.IsZero() {
				c.waitingSince = now
			}
			if add(c.waitingSince.Add(gatherFor(c.queue.SealedLen()))); fullEnvelope(now, c, ps) {
				add(now)
			}
		}
	} else {
		c.waitingSince = time.Time{}
	}
	if t := c.queue.NextCarry(live, boxes); !t.IsZero() {
		add(t)
	}
	for _, s := range c.state.Withdraw {
		if slices.Contains(boxes, [16]byte(s.Mailbox)) {
			add(later(c.withdrawn[s], now))
		}
	}
	if !live && !c.ackBy.IsZero() {
		add(c.ackBy)
	}
	return next
}

// gatherFor is how long contents gather before an envelope carries them to a courier:
// longer the more envelopes are out, since no more than the window may be.
func gatherFor(out int) time.Duration {
	switch {
	case out < 64:
		return 2 * time.Second
	case out < 192:
		return 15 * time.Second
	case out < 320:
		return 5 * time.Minute
	}
	return time.Hour
}

// fullEnvelope reports whether so much waits that an envelope of the largest size takes no
// more: to gather longer would save nothing of the window.
func fullEnvelope(now time.Time, c *contact, ps *pairSession) bool {
	return c.queue.Overflows(largest(now, ps))
}

// largest returns the content bytes that the largest envelope holds now.
func largest(now time.Time, ps *pairSession) int {
	sizes := ps.s.ContentSizes(now)
	return sizes[len(sizes)-1]
}

// sealForCouriers seals what waits for a contact that is off: all of it when it has
// gathered, before that what fills envelopes.
func (p *Peer) sealForCouriers(now time.Time, c *contact) error {
	ps := c.sending()
	if c.live() != nil || ps == nil || c.row.Verification == VerifiedChanged || c.waitingSince.IsZero() {
		return nil
	}
	gathered := !now.Before(c.waitingSince.Add(gatherFor(c.queue.SealedLen())))
	due := func() bool { return c.queue.WaitingLen() > 0 && (gathered || fullEnvelope(now, c, ps)) }
	if c.refetching > 0 || !p.renumber(now, c) {
		return nil
	}
	err := p.sealWhile(now, c, ps, session.CourierSizeMin, func() bool { return due() && c.queue.AtHand(largest(now, ps)) })
	if err != nil {
		return err
	}
	switch {
	case due() && ps.s.WindowLeft() > 1:
		p.fetch(c, true, nil) // what waits has gathered, and goes on when it is at hand
	case gathered:
		c.waitingSince = time.Time{}
	}
	return nil
}

// withdrawAt has a courier erase what we have taken back. It is asked until it says so.
func (p *Peer) withdrawAt(now time.Time, c *contact, at place) {
	var items []wire.ItemHash
	for _, s := range c.state.Withdraw {
		if s.Mailbox == at.ID && len(items) < wire.ItemsMax && !c.withdrawn[s].After(now) {
			items = append(items, s.Hash)
			if c.withdrawn == nil {
				c.withdrawn = make(map[Stored]time.Time)
			}
			c.withdrawn[s] = now.Add(withdrawAgain)
		}
	}
	if len(items) > 0 {
		w := wire.Withdraw{Key: wire.Key{ID: at.ID, Capability: at.Write}, Items: items}
		p.send(SendFrame{Conn: at.conn.id, Type: wire.TypeWithdraw, Body: w.Append(nil)})
	}
}

// leaveAt leaves with a courier the envelopes that it does not hold, as far as they are
// at hand and not too many are on the way.
func (p *Peer) leaveAt(now time.Time, c *contact, at place) {
	var rebuild []*outbox.Entry
	for _, e := range c.queue.ToCarry(now, at.ID, c.live() != nil, depositsMax) {
		frame := e.Frame
		if frame == nil {
			frame = p.rebuildInline(c, e)
		}
		if frame == nil {
			rebuild = append(rebuild, e)
			continue
		}
		item := wire.Item{Type: wire.TypeEnvelope, Body: frame}
		c.queue.Left(e, at.ID, item.Hash(), now)
		p.deposit(at, item)
	}
	p.fetch(c, false, rebuild)
}

// forgetWithdrawn forgets when couriers were asked for what is not to be withdrawn any more.
func (c *contact) forgetWithdrawn() {
	maps.DeleteFunc(c.withdrawn, func(s Stored, _ time.Time) bool { return !slices.Contains(c.state.Withdraw, s) })
}

func (p *Peer) deposit(at place, item wire.Item) {
	at.conn.used = p.lastNow
	p.send(SendFrame{Conn: at.conn.id, Type: wire.TypeDeposit, Body: wire.Deposit{ID: at.ID, Write: at.Write, Item: item}.Append(nil)})
}

// acknowledgeLater has what came past a live connection acknowledged by courier, after a
// random while.
func (p *Peer) acknowledgeLater(now time.Time, c *contact, ps *pairSession) {
	if ps.ackDue && c.ackBy.IsZero() {
		c.ackBy = now.Add(ackByCourierMin + time.Duration(p.randomByte())*(ackByCourierMax-ackByCourierMin)/256)
	}
}

// acknowledgeByCourier leaves a bare ack for what came by courier, after a random while:
// prompt ones would tell the courier who answers whom.
func (p *Peer) acknowledgeByCourier(now time.Time, c *contact, places []place) error {
	if c.live() != nil || c.ackBy.IsZero() || c.ackBy.After(now) {
		return nil
	}
	c.ackBy = time.Time{}
	return p.sealAcks(now, c, session.CourierSizeMin, func(frame []byte) {
		for _, at := range places {
			p.deposit(at, wire.Item{Type: wire.TypeEnvelope, Body: frame})
		}
	})
}

// dialPost tries to reach a courier of a contact.
func (p *Peer) dialPost(now time.Time, c *contact, at place, tag [8]byte) {
	t := p.posts[at.Courier]
	if t == nil {
		t = &post{}
		p.posts[at.Courier] = t
	}
	if t.dialing != 0 {
		return
	}
	if next := t.backoff.Next(); next.After(now) {
		p.dueBy(next)
		return
	}
	addresses := p.net.Dialable(at.received(), tag)
	if len(addresses) == 0 {
		t.tried, t.triedAt = WhyNoPath, now
		t.backoff.Failed(now, p.randomByte())
		p.dueBy(t.backoff.Next())
		return
	}
	t.dialing = p.number()
	p.dials[t.dialing] = &dialing{courier: at.Courier, access: at.Write.Access()}
	p.send(Dial{
		Dial: t.dialing, Keys: []identity.TransportKey{at.Courier}, Addresses: addresses, Rung: RungCourier, For: c.row.ID,
	})
}

// postOpened says hello to a courier.
func (p *Peer) postOpened(now time.Time, k *conn, d *dialing) {
	if t := p.posts[d.courier]; t != nil {
		t.dialing = 0
	}
	day := dayOf(now)
	k.key, k.proof = identity.HelloKey{Day: day, Key: d.access.HelloKey(day)}, byMailbox
	tag := identity.NewHelloTag(k.key.Key, identity.FromDialer, k.local, k.remote)
	p.send(SendFrame{Conn: k.id, Type: wire.TypeHello, Body: tag[:]})
}

// postEnded notes that a courier was not reached, or hung up before it answered.
func (p *Peer) postEnded(now time.Time, key identity.TransportKey, code string) {
	t := p.posts[key]
	if t == nil {
		return
	}
	t.dialing, t.tried, t.triedAt = 0, code, now
	t.backoff.Failed(now, p.randomByte())
	p.dueBy(t.backoff.Next())
}

// counterClosed notes that a connection is gone on which mail was left: what was not
// answered is left again.
func (p *Peer) counterClosed(now time.Time, k *conn) {
	if k.inbound {
		return
	}
	if !k.proved {
		p.postEnded(now, k.remote, WhyNoAnswer)
	}
	for _, c := range p.contactsInOrder() {
		if r := c.state.Record; r != nil {
			for _, m := range r.Mailboxes {
				if m.Courier == k.remote {
					c.queue.Unanswered(m.ID)
					clear(c.withdrawn)
				}
			}
		}
	}
	for _, c := range p.contactsInOrder() {
		if c.asksAt(k.remote) && k.proved { // the answer is a person's matter
			c.asks.Failed(now, p.randomByte())
			p.dueBy(c.asks.Next())
		}
	}
	p.stirCarried(k.remote)
}

// postProved has everything left that waits for this courier.
func (p *Peer) postProved(now time.Time, k *conn) {
	if t := p.posts[k.remote]; t != nil {
		t.backoff.Clear()
		t.tried = ""
	}
	p.dueBy(now.Add(linkIdleMax + time.Second))
	p.stirCarried(k.remote)
}

// stirCarried looks again at the contacts whose mail goes to a courier.
func (p *Peer) stirCarried(key identity.TransportKey) {
	for _, c := range p.contactsInOrder() {
		r := c.state.Record
		if c.asksAt(key) || r != nil && slices.ContainsFunc(r.Mailboxes, func(m wire.Mailbox) bool { return m.Courier == key }) {
			c.relay.hold = time.Time{}
			p.stir(c)
		}
	}
}

// postSaid takes what a courier says of a deposit of ours.
func (p *Peer) postSaid(now time.Time, k *conn, a wire.Acknowledge) {
	for _, c := range p.contactsInOrder() {
		r := c.state.Record
		if r == nil || !slices.ContainsFunc(r.Mailboxes, func(m wire.Mailbox) bool { return m.ID == a.ID && m.Courier == k.remote }) {
			continue
		}
		switch a.Word {
		case wire.MailboxStored:
			for _, hash := range a.Items {
				if e := c.queue.Stored(a.ID, hash); e != nil {
					p.write(p.outboxRow(c, e))
					p.carriedTo(c, e)
				}
			}
		case wire.MailboxReachable, wire.MailboxAway:
			p.reachAnswered(now, c, k, a)
		case wire.MailboxWithdrawn:
			c.state.Withdraw = slices.DeleteFunc(c.state.Withdraw, func(s Stored) bool {
				return s.Mailbox == a.ID && slices.Contains(a.Items, s.Hash)
			})
			c.forgetWithdrawn()
			p.touchContact(c)
		case wire.MailboxFull, wire.MailboxClosed:
			if c.full == nil {
				c.full = make(map[wire.MailboxID]time.Time)
			}
			c.full[a.ID] = now.Add(fullAgain)
			c.queue.Unanswered(a.ID)
		}
		p.stir(c)
	}
}

// carried returns how many couriers have said that they hold an envelope, of those that
// the contact names now: it may have had another mailbox at one of them before.
func (c *contact) carried(e *outbox.Entry) int {
	couriers := make(map[identity.TransportKey]bool)
	if c.state.Record != nil {
		for _, m := range c.state.Record.Mailboxes {
			if e.StoredIn(m.ID) {
				couriers[m.Courier] = true
			}
		}
	}
	return len(couriers)
}

// carriedTo marks the messages of an envelope: one courier more has it on its disk.
func (p *Peer) carriedTo(c *contact, e *outbox.Entry) {
	n := min(c.carried(e), len(PutConversation{}.Carried))
	if c.conv == nil || n == 0 {
		return
	}
	for _, it := range e.Items {
		if it.Inline() || inRanges(c.conv.row.Delivered, it.Sequence) {
			continue
		}
		c.conv.row.Carried[n-1] = addRange(c.conv.row.Carried[n-1], it.Sequence, it.Sequence)
		p.statusEvent(c.conv, it.Sequence, StatusCarried)
	}
	p.touchConversation(c.conv)
}

// carriedEnvelope opens an envelope that came by courier: nothing of it makes the
// courier's connection a path to whoever sealed it, and it may be older than our disk.
func (p *Peer) carriedEnvelope(now time.Time, c *contact, frame []byte) error {
	for _, ps := range c.sessions {
		opened, err := ps.s.Open(frame)
		switch {
		case err == nil:
			if err := p.opened(now, c, ps, opened); err != nil {
				return err
			}
			p.acknowledgeLater(now, c, ps)
			return nil
		case errors.Is(err, session.ErrFork):
			p.fork(now, c, ps)
			return nil
		case errors.Is(err, session.ErrSuite):
			p.unsupported(c)
			return nil
		}
	}
	return nil // of an old session, or of nobody: the sender keeps its own
}
