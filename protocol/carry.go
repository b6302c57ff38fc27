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

// mailboxesOf returns the mailboxes of a contact that take deposits today, with where the
// courier of each is dialled: by their order in its record, but the bad ones last.
func (p *Peer) mailboxesOf(now time.Time, c *contact) []place {
	r := c.state.Record
	if r == nil || len(r.Mailboxes) == 0 || c.row.Blocked || c.row.Phase != ContactEstablished {
		return nil
	}
	var out []place
	for _, m := range r.Mailboxes {
		if dayOf(now) <= m.ClosesDay {
			out = append(out, place{Mailbox: m, couriers: r.Couriers, trouble: p.trouble(now, c, m), noParts: c.dealings[m.ID].noParts(now) || c.partsSince.After(now)})
		}
	}
	slices.SortStableFunc(out, func(a, b place) int { return min(len(a.trouble), 1) - min(len(b.trouble), 1) })
	return out
}

// place is a mailbox that takes our mail.
type place struct {
	wire.Mailbox
	couriers []wire.Courier // with addresses of the one that has it, among others
	conn     *conn          // to that one, nil = none yet
	trouble  string         // what speaks against leaving mail there, empty = nothing
	spare    bool           // what is left elsewhere is enough
	noParts  bool           // of files
}

// forQueue returns the places as the outbox knows them.
func forQueue(places []place) []outbox.Mailbox {
	out := make([]outbox.Mailbox, len(places))
	for i, at := range places {
		out[i] = at.forQueue()
	}
	return out
}

func (at place) forQueue() outbox.Mailbox {
	return outbox.Mailbox{ID: at.ID, Bad: at.trouble != "", NoParts: at.noParts}
}

// received returns the addresses of the courier as we were told them.
func (at place) received() []wire.Address { return courierAddresses(at.couriers, at.Courier) }

// counter returns the first connection to the node with a transport key on which deposits
// are taken, or nil.
func (p *Peer) counter(key identity.TransportKey) (first *conn) {
	for _, k := range p.conns {
		if k.remote == key && k.proved && (k.proof == byMailbox || k.proof == byPair) && (first == nil || k.before(first)) {
			first = k
		}
	}
	return first
}

// before reports whether a connection is better to speak with a courier on than another one:
// by it we are reached, or reach others, as long as our key is this one.
func (k *conn) before(other *conn) bool {
	if k.older != other.older {
		return other.older
	}
	return k.id < other.id
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
	if c.carryDue = p.nextCarry(now, c, places, places); c.carryDue.IsZero() || c.carryDue.After(now) {
		return nil
	}
	c.carryDue = time.Time{} // a connection, or the next try to dial, has it looked at again
	open := p.openPlaces(now, c, places)
	if err := p.tellByCourier(now, c, open); err != nil || len(open) == 0 || c.awaited() {
		return err
	}
	if err := p.sealForCouriers(now, c); err != nil {
		return err
	}
	p.partsByCourier(now, c)
	for _, at := range open {
		p.withdrawAt(now, c, at)
		p.leaveAt(now, c, at, places)
	}
	if err := p.acknowledgeByCourier(now, c, open); err != nil {
		return err
	}
	if next := p.nextCarry(now, c, open, places); !next.IsZero() {
		c.carryDue = later(next, now.Add(time.Second))
	}
	return nil
}

// openPlaces returns the places of a contact to whose couriers there is a connection, as
// many as copies are to be made, and those where something is to be taken back. It dials
// the first ones that it lacks; one that has just failed is no reason to pass over others.
func (p *Peer) openPlaces(now time.Time, c *contact, places []place) (open []place) {
	copies := outbox.CopiesUsual
	if c.queue.WantsThird(now, forQueue(places)) {
		copies = outbox.CopiesMax
	}
	for _, at := range places {
		at.spare = copies == 0
		if at.trouble == TroubleFull || at.spare && !c.withdraws(at.ID) {
			continue
		}
		at.conn = p.counter(at.Courier)
		if at.conn != nil {
			open = append(open, at)
		} else {
			p.dialPost(now, c, at, p.pairTag(c))
		}
		if t := p.posts[at.Courier]; !at.spare && (at.conn != nil || t != nil && t.dialing != 0 && t.backoff.Tries() == 0) {
			copies--
		}
	}
	return open
}

// withdraws reports whether something in a mailbox is to be taken back.
func (c *contact) withdraws(id wire.MailboxID) bool {
	return slices.ContainsFunc(c.state.Withdraw, func(s Stored) bool { return s.Mailbox == id })
}

// leaveRebuilt leaves an envelope that was not at hand.
func (p *Peer) leaveRebuilt(now time.Time, c *contact, e *outbox.Entry, frame []byte) {
	if c.awaited() {
		return
	}
	places := p.mailboxesOf(now, c)
	for _, at := range p.openPlaces(now, c, places) {
		if !at.spare && slices.Contains(p.toCarry(now, c, at, places, wire.ItemsMax), e) {
			p.leaveEnvelope(now, c, e, at, frame)
		}
	}
}

// toCarry returns what is to be left in a place now, at most limit on the way there.
func (p *Peer) toCarry(now time.Time, c *contact, at place, places []place, limit int) []*outbox.Entry {
	return c.queue.ToCarry(now, at.forQueue(), forQueue(places), c.live() != nil, limit)
}

// leaveEnvelope leaves an envelope in a place, and reports whether that had not answered before.
func (p *Peer) leaveEnvelope(now time.Time, c *contact, e *outbox.Entry, at place, frame []byte) (again bool) {
	item := wire.Item{Type: wire.TypeEnvelope, Body: frame}
	again = c.queue.Left(e, at.ID, item.Hash(), now) > 0
	p.deposit(at, item)
	return again
}

// nextCarry returns when there is something to leave in some of all places; zero is never.
func (p *Peer) nextCarry(now time.Time, c *contact, some, all []place) time.Time {
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
	if t := c.partsDue(now); !t.IsZero() {
		add(later(t, now))
	}
	if t, ok := c.queue.NextCarry(live, forQueue(some), forQueue(all)); ok {
		add(later(t, now))
	}
	for _, s := range c.state.Withdraw {
		if slices.ContainsFunc(some, func(at place) bool { return at.ID == s.Mailbox }) {
			add(later(c.withdrawn[s], now))
		}
	}
	if !live && !c.ackBy.IsZero() {
		add(c.ackBy)
	}
	if !live && !c.tellAt.IsZero() {
		add(c.tellAt)
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
		p.fetch(c, true, nil, toCouriers) // what waits has gathered, and goes on when it is at hand
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
func (p *Peer) leaveAt(now time.Time, c *contact, at place, places []place) {
	if at.spare {
		return
	}
	var rebuild []*outbox.Entry
	again := false
	for _, e := range p.toCarry(now, c, at, places, depositsMax) {
		frame := e.Frame
		if frame == nil {
			frame = p.rebuildInline(c, e)
		}
		if frame == nil {
			rebuild = append(rebuild, e)
			continue
		}
		again = p.leaveEnvelope(now, c, e, at, frame) || again
	}
	if again {
		c.dealingsWith(at.ID).notAnswered(now)
	}
	p.fetch(c, false, rebuild, toCouriers)
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
		c.ackBy = now.Add(p.courierDelay())
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
			if !at.spare {
				p.deposit(at, wire.Item{Type: wire.TypeEnvelope, Body: frame})
			}
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
	if p.crowded() {
		t.backoff.Hold(now.Add(dialAgain))
		p.dueBy(t.backoff.Next())
		return
	}
	addresses := p.postAddresses(c, at, tag)
	if len(addresses) == 0 {
		t.tried, t.triedAt = WhyNoPath, now
		t.backoff.Failed(now, p.randomByte())
		p.dueBy(t.backoff.Next())
		return
	}
	as, access := p.postCaller(c, at, t.backoff.Tries())
	t.dialing = p.startDial(now, dialing{courier: at.Courier, access: access}, Dial{
		Keys: []identity.TransportKey{at.Courier}, Addresses: addresses, Rung: RungCourier, For: as.row.ID,
	})
}

// postAddresses returns where a courier is dialled: as the contact says, and as the others
// say that name it. None of them can keep it from the mail of the others.
func (p *Peer) postAddresses(c *contact, at place, tag [8]byte) []wire.Address {
	out := p.net.Dialable(at.received(), tag)
	for _, other := range p.contactsAt(at.Courier) {
		if r := other.state.Record; r != nil && other != c && len(out) < postAddressesMax {
			told := p.net.Dialable(courierAddresses(r.Couriers, at.Courier), p.pairTag(other))
			for _, a := range told[:min(len(told), courierAddressesMax)] {
				if !slices.Contains(out, a) {
					out = append(out, a)
				}
			}
		}
	}
	return out[:min(len(out), postAddressesMax)]
}

// postCaller returns for whom a courier is dialled, and by what right: by turns for each of
// those whose mail is to go there, since what one of them has told may open nothing.
func (p *Peer) postCaller(c *contact, at place, tries int) (*contact, wire.Access) {
	callers := slices.DeleteFunc(p.contactsAt(at.Courier), func(other *contact) bool {
		return other != c && (!other.waits() || !other.leavesAt(at.Courier))
	})
	if len(callers) == 0 || callers[tries%len(callers)] == c {
		return c, at.Write.Access()
	}
	caller := callers[tries%len(callers)]
	i := slices.IndexFunc(caller.state.Record.Mailboxes, func(m wire.Mailbox) bool { return m.Courier == at.Courier })
	return caller, caller.state.Record.Mailboxes[i].Write.Access()
}

// forgetPosts forgets the couriers that no contact names any more, once they might be
// dialled again: to be named in turns must not have them dialled sooner.
func (p *Peer) forgetPosts(now time.Time) {
	named := make(map[identity.TransportKey]bool)
	for _, c := range p.contacts {
		if c.state.Record != nil {
			for _, m := range c.state.Record.Mailboxes {
				named[m.Courier] = true
			}
		}
	}
	for key, t := range p.posts {
		if !named[key] && t.dialing == 0 && t.backoff.Fresh(now) {
			delete(p.posts, key)
		}
	}
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
	for _, c := range p.contactsAt(key) { // another courier may do
		p.stir(c)
	}
}

// counterClosed notes that a connection is gone on which mail was left: what was not
// answered is left again.
func (p *Peer) counterClosed(now time.Time, k *conn) {
	if k.inbound {
		return
	}
	if t := p.posts[k.remote]; !k.proved {
		p.postEnded(now, k.remote, WhyNoAnswer)
	} else if t != nil {
		t.backoff.Ended(now, now.Sub(k.opened), p.randomByte())
		p.dueBy(t.backoff.Next())
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
		if (c.asksAt(k.remote) || c.repairsByCourier() && c.leavesAt(k.remote)) && k.proved { // the answer is a person's matter
			c.asks.Failed(now, p.randomByte())
			p.dueBy(c.asks.Next())
		}
	}
	p.stirCarried(k.remote)
}

// postProved has everything left that waits for this courier.
func (p *Peer) postProved(now time.Time, k *conn) {
	if t := p.posts[k.remote]; t != nil {
		t.backoff.Proved()
		t.tried = ""
	}
	p.dueBy(now.Add(linkIdleMax + time.Second))
	p.stirCarried(k.remote)
}

// stirCarried looks again at the contacts whose mail goes to a courier.
func (p *Peer) stirCarried(key identity.TransportKey) {
	for _, c := range p.contactsAt(key) {
		c.relay.hold = time.Time{}
		p.stir(c)
	}
}

// contactsAt returns the contacts whose mail, or the answer to whom, lies at a courier.
func (p *Peer) contactsAt(key identity.TransportKey) []*contact {
	return slices.DeleteFunc(slices.Clone(p.contactsInOrder()), func(c *contact) bool {
		return !c.asksAt(key) && !c.leavesAt(key)
	})
}

// leavesAt reports whether a contact names a courier at which mail for it is left.
func (c *contact) leavesAt(key identity.TransportKey) bool {
	r := c.state.Record
	return r != nil && slices.ContainsFunc(r.Mailboxes, func(m wire.Mailbox) bool { return m.Courier == key })
}

// postSaid takes what a courier says of a deposit of ours.
func (p *Peer) postSaid(now time.Time, k *conn, a wire.Acknowledge) {
	for _, c := range p.contactsInOrder() {
		r := c.state.Record
		if r == nil || !slices.ContainsFunc(r.Mailboxes, func(m wire.Mailbox) bool { return m.ID == a.ID && m.Courier == k.remote }) {
			continue
		}
		heard := c.dealingsWith(a.ID)
		switch a.Word {
		case wire.MailboxStored:
			heard.unanswered = 0
			for _, hash := range a.Items {
				if e := c.queue.Stored(a.ID, hash, now); e != nil {
					p.write(p.outboxRow(c, e))
					p.carriedTo(c, e)
					p.heardOf(now, c)
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
		case wire.MailboxFull:
			p.mailboxFull(now, c, a)
		case wire.MailboxClosed:
			heard.full, heard.unanswered = now.Add(fullAgain), 0
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
		if it.Inline() || it.Shared || inRanges(c.conv.row.Delivered, it.Sequence) {
			continue
		}
		c.conv.row.Carried[n-1] = addRange(c.conv.row.Carried[n-1], it.Sequence, it.Sequence)
		if it.About == [16]byte{} {
			p.statusEvent(c.conv, it.Sequence, StatusCarried)
		}
	}
	p.touchConversation(c.conv)
}

// carriedEnvelope opens an envelope that came by courier: nothing of it makes the
// courier's connection a path to whoever sealed it, and it may be older than our disk, or
// made by the courier. Error: errRandom.
func (p *Peer) carriedEnvelope(now time.Time, c *contact, frame []byte) error {
	err := p.filedEnvelope(now, c, frame)
	switch {
	case errors.Is(err, errRandom):
		return err
	case errors.Is(err, session.ErrUnopenable):
		p.notOpened(now, c)
	case err == nil:
		p.heardOf(now, c)
	}
	return nil
}
