package protocol

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// dueBy notes that something is due at t; the zero time is nothing.
func (p *Peer) dueBy(t time.Time) {
	if !t.IsZero() && (p.nextDue.IsZero() || t.Before(p.nextDue)) {
		p.nextDue = t
	}
}

// woke is the input at Output.Wake: the Flush that ends its batch scans.
func (p *Peer) woke(now time.Time) {
	if p.nextDue.After(now) { // the caller woke for another reason
		return
	}
	p.nextDue = now
}

// clockWentBack forgets what was to happen at times that now lie far ahead: the clock
// was wrong before, or is now.
func (p *Peer) clockWentBack(now time.Time) {
	p.nextDue = now
	if !p.recordDue.IsZero() {
		p.recordDue = now
	}
	p.saidNext = time.Time{}
	p.near.calls.Begin(now)
	p.here.until = earlier(p.here.until, now.Add(HereFor))
	p.search.until = earlier(p.search.until, now.Add(dhtGoesOn))
	p.search.next, p.search.began, p.search.made = time.Time{}, earlier(p.search.began, now), 0
	if !p.olderUntil.IsZero() {
		p.olderUntil = earlier(p.olderUntil, now.Add(keyOverlap))
	}
	for _, t := range p.posts {
		t.backoff.Clear()
		t.triedAt = earlier(t.triedAt, now)
	}
	for _, k := range p.conns {
		k.opened, k.used = earlier(k.opened, now), earlier(k.used, now)
		clear(k.ordered)
		for id, at := range k.reaching {
			k.reaching[id] = earlier(at, now)
		}
	}
	for _, m := range p.groups {
		m.x.ClockWentBack(now)
	}
	for _, c := range p.contactsInOrder() {
		c.backoff.Clear()
		c.relay = relaying{dialing: c.relay.dialing}
		c.queue.Reconnected()
		c.queue.ClockWentBack(now)
		for _, d := range c.dealings {
			d.full, d.asked = earlier(d.full, now), earlier(d.asked, now)
			d.fullParts, d.partsGone = earlier(d.fullParts, now), earlier(d.partsGone, now)
		}
		c.signals.clockWentBack(now)
		c.activity, c.triedAt = earlier(c.activity, now), earlier(c.triedAt, now)
		c.seen.at, c.seen.dialled = earlier(c.seen.at, now), earlier(c.seen.dialled, now)
		c.find.toldAt, c.find.lookedAt = earlier(c.find.toldAt, now), earlier(c.find.lookedAt, now)
		c.syncedAt, c.repairAt, c.repairSent, c.strayAt, c.there = time.Time{}, time.Time{}, time.Time{}, time.Time{}, presenceAt{}
		c.tellAt, c.toldAt = time.Time{}, earlier(c.toldAt, now)
		p.hasOpened(c)
		if pleaded := &c.state.PleadedAt; *pleaded > now.Unix() {
			*pleaded = now.Unix()
			p.touchContact(c)
		}
		c.asks.Clear()
		c.waitingSince, c.ackBy = earlier(c.waitingSince, now), earlier(c.ackBy, now)
		c.partsSince = earlier(c.partsSince, now)
		for s, at := range c.withdrawn {
			c.withdrawn[s] = earlier(at, now)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// scan does all that the clock brings, for every contact and invite, and finds
// out when the next thing is due.
func (p *Peer) scan(now time.Time) error {
	p.nextDue = now.Add(scanEvery)
	if !p.recordDue.IsZero() && !p.recordDue.After(now) {
		p.recordDue = time.Time{}
		p.self.state.Told, p.self.dirty = p.placePrint(now), true
		p.pushRecords(now)
	}
	if len(p.net.Own) > 0 { // what others say of it grows old
		p.placeSaid(now)
	}
	p.dueBy(p.recordDue)
	p.scanPresence(now)
	if p.config.Home {
		p.fixKey(now)
	}
	for _, c := range p.contactsInOrder() {
		p.scanContact(now, c)
		p.dueBy(c.nextDue(now))
	}
	if err := p.scanGroups(now); err != nil {
		return err
	}
	p.dueBy(p.nextKey(now))
	p.callNear(now)
	p.forgetPosts(now)
	p.seek(now)
	p.scanShelves(now)
	p.furnishDue = true
	p.scanStrangers(now)
	p.scanInvites(now)
	p.scanRequests(now)
	return nil
}

// scanStrangers hangs up on connections of a link's holder that became nobody's, and on
// those where our hello gets no answer.
func (p *Peer) scanStrangers(now time.Time) {
	for _, id := range slices.Sorted(maps.Keys(p.conns)) {
		k := p.conns[id]
		end := k.used.Add(linkIdleMax + time.Second)
		switch {
		case k.path(), !k.proved && k.inbound: // of which the network layer thinks
			continue
		case !k.proved:
			end = k.opened.Add(helloAnswered)
		}
		if !end.After(now) {
			p.hangup(k)
			continue
		}
		p.dueBy(end)
	}
}

func (p *Peer) scanContact(now time.Time, c *contact) {
	if c.parted(now) {
		p.forget(c)
		return
	}
	p.noteLost(now, c)
	p.scanSignals(now, c)
	p.showPicture(now, c)
	p.resend(now, c)
	if c.recordDue {
		c.recordDue = false
		p.dropInline(c, wire.ContentAddressRecord)
		p.pushRecord(now, c)
	}
	if c.waits() || len(c.state.Parts) > 0 || !c.ackBy.IsZero() || len(c.state.Withdraw) > 0 || c.asksByCourier() || c.repairsByCourier() || !c.tellAt.IsZero() {
		p.stir(c) // it may be time to leave mail
	}
	p.tellDaily(now, c)
	p.closeIdle(now, c)
	p.dial(now, c)
	if a := c.state.Asking; a != nil && now.After(time.Unix(int64(a.Link.Expiry), 0).Add(requestKept)) {
		if c.row.Phase == ContactRequested {
			p.failContact(c, CodeInviteExpired)
		}
		c.state.Asking = nil
		p.touchContact(c)
	}
	if ps := c.session(c.state.AcceptSID); ps != nil && len(c.state.Accept) > 0 && now.Sub(time.Unix(ps.since, 0)) > acceptKept {
		p.dropAccept(c)
	}
	p.dropDrained(now, c)
	p.renewRecord(now, c)
	p.reseed(now, c)
	p.makeEqual(now, c)
	p.repairIfForked(now, c)
	if k := c.live(); k != nil && c.state.Repair != nil && now.Sub(c.repairSent) >= repairAgain {
		p.sendRepair(c, k) // it may grant by now what it did not before
	}
}

// closeIdle hangs up on paths by which nothing came for a while, whether or not
// we wait for an answer: then a new path may do better. It ends the liveness
// pings of conversations that are not in use.
func (p *Peer) closeIdle(now time.Time, c *contact) {
	for _, k := range slices.Clone(c.conns) {
		if now.Sub(k.used) > connIdleMax && !c.courier() && c.state.Helping == nil {
			p.hangup(k)
			continue
		}
		if open := c.open(now) || c.courier() || c.state.Helping != nil; open != k.active {
			k.active = open
			p.send(Authenticate{Conn: k.id, Active: open})
		}
	}
}

// dropDrained ends sessions that another one has replaced, once nothing of ours
// is on the way in them and the peer had time to finish too.
func (p *Peer) dropDrained(now time.Time, c *contact) {
	first := c.first()
	for _, ps := range slices.Clone(c.sessions) {
		offered := len(c.state.Accept) > 0 && ps.sid == c.state.AcceptSID
		if ps == first || offered || c.queue.HasSession(ps.sid) || now.Sub(time.Unix(max(first.since, ps.since), 0)) < keepOldSession {
			continue
		}
		p.dropSession(c, ps)
	}
}

func (p *Peer) dropSession(c *contact, ps *pairSession) {
	if _, granted := c.takeGrant(ps.sid); granted {
		p.touchContact(c)
	}
	if ps.sid == c.state.AcceptSID { // nobody can go on by it any more
		p.dropAccept(c)
	}
	c.sessions = slices.DeleteFunc(c.sessions, func(o *pairSession) bool { return o == ps })
	p.write(EraseSession{Contact: c.row.ID, SID: ps.sid})
	p.stir(c)
}

// nextDue returns when scanContact has something to do for a contact.
func (c *contact) nextDue(now time.Time) time.Time {
	var next time.Time
	add := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if len(c.conns) > 0 {
		add(c.queue.NextDue())
		for _, k := range c.conns {
			if !c.courier() && c.state.Helping == nil {
				add(k.used.Add(connIdleMax + time.Second))
			}
			if k.active && c.open(now) {
				add(c.activity.Add(openConversationFor + time.Second))
			}
		}
	}
	if c.dialing == 0 && c.needsPath(now) {
		add(later(c.backoff.Next(), now))
	}
	if c.relayable(now) && c.relay.dialing == 0 {
		add(later(c.relay.due(c.dialing != 0), now))
	}
	if !c.carryDue.IsZero() {
		add(later(c.carryDue, now))
	}
	if c.recordDue {
		add(now)
	}
	if c.partsSince.After(now) {
		add(c.partsSince)
	}
	add(c.nextSignal(now))
	add(c.pictureShown(now))
	if c.state.PartingSince != 0 {
		add(now.Add(partingAgain))
	}
	if c.forked && c.state.Repair == nil && !c.row.Blocked {
		add(later(c.repairAt, now))
	}
	if c.state.Repair != nil && c.live() != nil {
		add(later(c.repairSent.Add(repairAgain), now))
	}
	return next
}

func later(t, floor time.Time) time.Time {
	if t.Before(floor) {
		return floor
	}
	return t
}

// append encodes a session's row: generation u32 ‖ since i64 ‖ confirmed u8 ‖
// recovery 32 ‖ pair chain ‖ session.
func (ps *pairSession) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, ps.generation)
	dst = binary.BigEndian.AppendUint64(dst, uint64(ps.since))
	confirmed := byte(0)
	if ps.confirmed {
		confirmed = 1
	}
	dst = append(dst, confirmed)
	dst = append(dst, ps.recovery[:]...)
	dst = ps.chain.Append(dst)
	return ps.s.AppendState(dst)
}

func loadPairSession(row PutSession) (*pairSession, error) {
	const fixed = 4 + 8 + 1 + 32 + identity.PairChainSize
	b := row.State
	if len(b) < fixed {
		return nil, errState
	}
	chain, err := identity.LoadPairChain(b[fixed-identity.PairChainSize : fixed])
	if err != nil {
		return nil, err
	}
	s, err := session.Load(b[fixed:])
	if err != nil {
		return nil, err
	}
	return &pairSession{
		sid: row.SID, s: s, withdrew: len(s.Withdrawn()) > 0, chain: chain, recovery: [32]byte(b[13:]), confirmed: b[12] == 1,
		generation: binary.BigEndian.Uint32(b), since: int64(binary.BigEndian.Uint64(b[4:])),
	}, nil
}
