package protocol

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// This file is for the sessions of two who are never on together (spec, "Renewal", "By
// courier"): how they find out that one has lost its state, and how they renew.

// tellState has a sync frame left with a courier of a contact that is off, after a random
// while. Whoever asks for it often gets one an hour.
func (p *Peer) tellState(now time.Time, c *contact) {
	if c.live() != nil || !c.tellAt.IsZero() || now.Sub(c.toldAt) < tellAgain {
		return
	}
	c.tellAt = now.Add(p.courierDelay())
	p.stir(c)
}

// tellDaily does so once a day and after each start, which may be that of an old disk.
func (p *Peer) tellDaily(now time.Time, c *contact) {
	if now.Sub(c.toldAt) >= tellEvery && c.mayTell() && c.state.Record != nil && len(c.state.Record.Mailboxes) > 0 {
		p.tellState(now, c)
	}
}

// mayTell reports whether a contact holds a session that a sync frame can tell of.
func (c *contact) mayTell() bool {
	ps := c.first()
	return ps != nil && !c.forked && c.row.Phase == ContactEstablished && !c.row.Blocked
}

// tellByCourier leaves a sync frame with one courier, another one each day: two copies
// would only make the second one look like an old one. It is no mail: if no courier is
// reached soon, the next day will do.
func (p *Peer) tellByCourier(now time.Time, c *contact, open []place) error {
	if c.live() != nil || !c.mayTell() {
		c.tellAt = time.Time{}
		return nil
	}
	if c.tellAt.IsZero() || c.tellAt.After(now) {
		return nil
	}
	open = slices.DeleteFunc(slices.Clone(open), func(at place) bool { return at.spare })
	if len(open) == 0 {
		if now.Sub(c.tellAt) >= tellGivenUp {
			c.tellAt, c.toldAt = time.Time{}, now
		}
		return nil
	}
	frame, err := c.first().s.Sync(p.random, session.CourierSizeMin)
	if err != nil {
		return errRandom
	}
	c.tellAt, c.toldAt = time.Time{}, now
	p.deposit(open[int(dayOf(now))%len(open)], wire.Item{Type: wire.TypeEnvelope, Body: frame})
	return nil
}

// courierDelay is a random while before something goes by courier that answers something:
// prompt answers would tell the courier who answers whom.
func (p *Peer) courierDelay() time.Duration {
	return ackByCourierMin + time.Duration(p.randomByte())*(ackByCourierMax-ackByCourierMin)/256
}

// notOpened notes that mail by courier opens with no session, or asks for a renewal that
// we have had. It may be a late copy. If more of it comes, and nothing else, although the
// contact was told where we are, it has lost the session that we have, or we its: then a
// renewal is asked for, at most once a day, since a courier may make such mail.
func (p *Peer) notOpened(now time.Time, c *contact) {
	if !c.mayTell() || c.live() != nil { // over a path we talk by a session that both hold
		return
	}
	p.tellState(now, c)
	if c.unheard(now) {
		return // who has granted it goes on in the session before until our first frame has come
	}
	since := now.Sub(time.Unix(c.state.NotOpenedAt, 0))
	switch {
	case c.state.NotOpenedAt == 0 || since < 0: // or by a clock that was ahead
		c.state.NotOpenedAt = now.Unix() // also over restarts: who is on for minutes each day gets one such a day
		p.touchContact(c)
	case since >= strayAfter && p.pleads(now, c):
		c.state.NotOpenedAt = 0
		p.fork(now, c, c.first())
	}
}

// unheard reports whether the session that sends is a renewal that we have asked for, not long ago, and in
// which nothing has come.
func (c *contact) unheard(now time.Time) bool {
	ps := c.first()
	return ps != nil && ps.sid == c.state.Unheard && now.Sub(time.Unix(ps.since, 0)).Abs() < unheardKept // or taken by a clock that was ahead
}

// presenceAt is that a contact is there, as couriers of its say.
type presenceAt struct {
	boxes    map[wire.MailboxID]bool // which say so
	from, at time.Time               // the first and the last time without a break
}

// away notes that a contact is not there, as a courier of its says. Others may know better.
func (c *contact) away(box wire.MailboxID) {
	delete(c.there.boxes, box)
	if len(c.there.boxes) == 0 {
		c.there = presenceAt{}
	}
}

// silent notes that a contact is there, as a courier of its says. If it does not acknowledge in a while what it
// can have collected for a day, it cannot open that, and does not reach us by what it knows of us: then we
// ask for a renewal, at most once a day, since a courier may say so of anybody.
//
// Who is on for minutes each day hears of it in several runs; what has come meanwhile is collected first.
func (p *Peer) silent(now time.Time, c *contact, box wire.MailboxID) {
	if since := now.Sub(c.there.at); since < 0 || since >= silentFor {
		c.there = presenceAt{boxes: make(map[wire.MailboxID]bool), from: now}
	}
	c.there.boxes[box], c.there.at = true, now
	if r := c.state.Repair; !c.queue.CarriedBefore(now.Add(-silentMail)) && (r == nil || now.Sub(time.Unix(r.At, 0)).Abs() < silentMail) {
		p.heardAgain(c) // what waited does so no longer
		return
	}
	since := now.Sub(time.Unix(c.state.SilentSince, 0))
	switch {
	case c.state.SilentSince == 0 || since < 0: // or by a clock that was ahead
		c.state.SilentSince = now.Unix()
		p.touchContact(c)
	case since >= silentFor && now.Sub(c.there.from) >= silentHeard && p.asksPast(now, c):
		p.heardAgain(c)
	}
}

// heardAgain ends the watch on a contact who is there and silent.
func (p *Peer) heardAgain(c *contact) {
	if c.state.SilentSince != 0 {
		c.state.SilentSince = 0
		p.touchContact(c)
	}
}

// asksPast asks a contact for a renewal of a generation that its own requests do not reach: they cannot come here.
// It reports false if it is not time for that.
func (p *Peer) asksPast(now time.Time, c *contact) bool {
	r := c.state.Repair
	switch {
	case c.mayTell() && !c.unheard(now) && p.pleads(now, c):
		c.state.Repair, c.overtakes = nil, true // one that is open is of another secret, and no answer has come
		p.fork(now, c, c.first())
	case r != nil && c.repairsByCourier() && now.Sub(time.Unix(c.state.PleadedAt, 0)).Abs() >= unheardKept && p.pleads(now, c):
		// What we asked for is refused, for the contact asks, too.
		c.state.Repair, c.former, c.repairAt, c.overtakes = nil, former{r.Recovery, r.Generation}, time.Time{}, true
		p.touchContact(c)
		p.repairIfForked(now, c)
	default:
		return false
	}
	return true
}

// hasOpened notes that what came in a session with a contact opened.
func (p *Peer) hasOpened(c *contact) {
	p.heardAgain(c)
	if c.state.NotOpenedAt != 0 {
		c.state.NotOpenedAt = 0
		p.touchContact(c)
	}
}

// repairsByCourier reports whether a renewal that we ask for may go by courier.
func (c *contact) repairsByCourier() bool {
	return c.state.Repair != nil && c.live() == nil && c.row.Phase == ContactEstablished && !c.row.Blocked
}

// repairByCourier leaves a request for a renewal with the couriers of a contact, once a
// connection, and looks for the accept there.
func (p *Peer) repairByCourier(now time.Time, c *contact) {
	if !c.repairsByCourier() {
		return
	}
	asking := c.state.Repair.Request
	request := wire.DepositedRequest{Request: [wire.RequestSize]byte(asking.Request)}
	item := wire.Item{Type: wire.TypeRequest, Body: request.Append(nil)}
	for _, at := range p.mailboxesOf(now, c) {
		if at.conn = p.counter(at.Courier); at.conn == nil {
			if next := c.asks.Next(); next.After(now) {
				p.dueBy(next)
			} else {
				p.dialPost(now, c, at, p.pairTag(c))
			}
			continue
		}
		if id := slotID(invite.FetchCapability(asking.Slot(), at.Courier)); !at.conn.collecting[id] {
			p.deposit(at, item)
			p.collectOnce(at.conn, invite.FetchCapability(asking.Slot(), at.Courier))
		}
	}
}

// repairLeft takes a request for a renewal that a contact left with a courier of ours. The
// accept waits there, where the contact finds it even if it has forgotten its own couriers.
func (p *Peer) repairLeft(now time.Time, c *contact, body []byte) error {
	d, err := wire.ParseDepositedRequest(body)
	if err != nil {
		return nil
	}
	accept, lag, err := p.repairRequested(now, c, d.Request[:])
	if err != nil || accept == nil {
		if lag == outdated && !c.confirmed() {
			p.fork(now, c, c.first()) // it has not got what we granted, and may never
			return err
		}
		p.notOpened(now, c) // it may know of no session as new as ours
		return err
	}
	c.state.AcceptByCourier = true
	return p.answerRepair(now, c)
}

// answerRepair has our couriers open the boards for the accept of a renewal, those that
// have not yet.
func (p *Peer) answerRepair(now time.Time, c *contact) error {
	if !c.state.AcceptByCourier || len(c.state.Accept) == 0 {
		return nil
	}
	boards, err := p.acceptBoards(now, c.state.AcceptBoxes, c.state.AcceptSlot, p.couriers())
	if err != nil || len(boards) == 0 {
		return err
	}
	c.state.AcceptBoxes = append(c.state.AcceptBoxes, boards...)
	p.furnishDue = true
	p.touchContact(c)
	return nil
}

// acceptBoards makes the boards that an accept still lacks at some couriers: those whose
// transport key is known.
func (p *Peer) acceptBoards(now time.Time, have []box, slot [32]byte, couriers []*contact) (boards []box, err error) {
	for _, courier := range couriers {
		r := courier.state.Record
		stands := slices.ContainsFunc(have, func(b box) bool { return b.Courier == courier.row.ID })
		if stands || !courier.courier() || r == nil || len(r.Keys) != 1 {
			continue
		}
		fetch := invite.FetchCapability(slot, r.Keys[0])
		board := box{
			Courier: courier.row.ID, Opened: dayOf(now), ID: slotID(fetch), Read: fetch, Kind: wire.MailboxBoard,
			Until: dayOf(now) + uint32(acceptKept/(24*time.Hour)),
		}
		if err := p.drawCapabilities(&board.Write); err != nil {
			return nil, err
		}
		boards = append(boards, board)
	}
	return boards, nil
}

// dropAccept forgets the accept of a renewal: it has done its work, or never will. Then the same request
// is another one.
func (p *Peer) dropAccept(c *contact) {
	c.state.Accept, c.state.AcceptTo, c.state.AcceptSlot, c.state.AcceptSID, c.state.AcceptByCourier = nil, [32]byte{}, [32]byte{}, [32]byte{}, false
	c.state.AcceptBoxes = p.closeBoxes(c.state.AcceptBoxes, anyBox)
	p.touchContact(c)
}

// acceptLeft takes the accept of a renewal of ours from a courier, if it is one.
func (p *Peer) acceptLeft(now time.Time, c *contact, courier identity.TransportKey, in wire.Push) {
	if !c.repairsByCourier() || in.Item.Type != wire.TypeAccept || in.ID != slotID(invite.FetchCapability(c.state.Repair.Request.Slot(), courier)) {
		return
	}
	if p.repairAccepted(now, c, in.Item.Body) {
		p.acknowledgeLater(now, c, c.first())
	}
}
