package protocol

import (
	"maps"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// conn is a connection as the core sees it. Until proved it is a stranger's:
// nothing is answered on it.
type conn struct {
	id            ConnID
	local, remote identity.TransportKey
	inbound       bool
	relayed       bool
	older         bool // under a transport key that was ours before
	moved         bool // the other side says that it has another one by now
	opened        time.Time
	used          time.Time // last frame that was not ours

	key     identity.HelloKey // outbound: what our hello was made under
	greeted bool              // the other side said hello
	proved  bool
	active  bool // pinged: its conversation is in use

	watching   map[wire.MailboxID]*watch    // of ours that the other side collects
	pushing    int                          // bytes of mail on the way out of these
	crowded    bool                         // there was no room for more
	collecting map[wire.MailboxID]bool      // of ours at the other side that we collect
	reaching   map[wire.MailboxID]time.Time // when it was asked to connect us with whose owners, and has not answered
	ordered    map[orderOn]time.Time        // asked for there
	written    map[wire.MailboxID]bool      // boards and queues there that got what is to lie in them
	left       map[wire.MailboxID]bool      // of ours at the other side in which something lies that found no room here
	told       bool                         // that we do not help, having asked for something
	wanting    []wire.Key                   // the other side collects from them as soon as they stand here

	helped    ContactID // the name that it has at our relay
	reserved  bool      // we are to be reached through it
	reachable bool      // it has said that we are

	rung    Rung        // by which we dialled, or the other side did by a relay; empty if inbound
	contact *contact    // whom it belongs to, once proved or while we prove ourselves
	invite  *invitation // of ours, whose link the other side holds
	proof   proof       // by what
}

// proof says what a hello is made under.
type proof uint8

const (
	byPair     proof = iota + 1 // the pair's key of a day
	byLink                      // a link's secret
	byRecovery                  // the contact's recovery secret
	byMailbox                   // a capability of a mailbox
)

// dialing is a Dial or Punch under way.
type dialing struct {
	deadline time.Time // of a Dial
	contact  ContactID
	rung     Rung
	courier  identity.TransportKey // or a courier of others,
	access   wire.Access           // to which we have this
}

// crowded reports whether no more dials may begin now.
func (p *Peer) crowded() bool { return len(p.dials) >= dialsMax }

// startDial has somebody dialled, and returns the number of the dial.
func (p *Peer) startDial(now time.Time, d dialing, to Dial) uint64 {
	d.deadline = now.Add(dialTimeout)
	to.Dial, to.Deadline = p.number(), d.deadline
	p.dials[to.Dial] = &d
	p.send(to)
	return to.Dial
}

// dialer and listener of the connection, for hello tags.
func (k *conn) ends() (dialer, listener identity.TransportKey) {
	if k.inbound {
		return k.remote, k.local
	}
	return k.local, k.remote
}

// path reports whether the connection is one of its contact's: what waits goes by it.
func (k *conn) path() bool { return k.contact != nil && slices.Contains(k.contact.conns, k) }

func (p *Peer) connOpened(now time.Time, in ConnOpened) error {
	k := &conn{id: in.Conn, local: in.Local, remote: in.Remote, inbound: in.Inbound, relayed: in.Relayed, opened: now, used: now}
	k.older = p.key != (identity.TransportKey{}) && in.Local != p.key
	p.conns[in.Conn] = k
	if in.Inbound {
		if in.Relayed {
			k.rung = RungRelay
		}
		return nil
	}
	p.dueBy(now.Add(helloAnswered))
	d := p.dials[in.Dial]
	delete(p.dials, in.Dial)
	if d != nil && d.courier != (identity.TransportKey{}) {
		p.postOpened(now, k, d)
		return nil
	}
	c := (*contact)(nil)
	if d != nil {
		c = p.contacts[d.contact]
	}
	if c == nil || c.row.Blocked {
		p.hangup(k)
		return nil
	}
	c.endDial(in.Dial)
	k.rung = d.rung
	key, by := p.helloKey(now, c)
	if by == 0 {
		p.hangup(k)
		return nil
	}
	k.contact, k.key, k.proof = c, key, by
	tag := identity.NewHelloTag(key.Key, identity.FromDialer, k.local, k.remote)
	p.send(SendFrame{Conn: k.id, Type: wire.TypeHello, Body: tag[:]})
	return nil
}

// helloKey chooses the key that proves us to a contact: the link's while one
// side still waits for the accept, else the pair's of today. While tries fail it
// goes round the sessions, the recovery secret last: one side may not wait any more, or may have
// lost the session that the other speaks by. The proof is 0 if there is no key.
func (p *Peer) helloKey(now time.Time, c *contact) (key identity.HelloKey, by proof) {
	if c.byLink() {
		return identity.HelloKey{Key: c.state.Hello}, byLink
	}
	tries := c.backoff.Tries()
	turn := tries % 3
	// Whom we have asked, too, and who will not answer that, waits for our accept; so does a contact
	// that has forgotten us. Who has not gets the accept on a path of the pair.
	crossed := turn == 1 && tries%2 == 1 && (c.state.Asking != nil || c.confirmed())
	waits := turn == 0 && c.row.Phase != ContactRequested && !c.confirmed()
	if all := p.unanswered(c); len(all) > 0 && (waits || crossed) {
		turns := tries / 3
		if crossed {
			turns = tries / 6
		}
		if v := p.invites[all[turns%len(all)].row.Invite]; v != nil {
			return identity.HelloKey{Key: v.state.Hello}, byLink
		}
	}
	secret := c.state.Recovery
	if c.state.Repair != nil {
		secret = c.state.Repair.Recovery
	}
	others := slices.DeleteFunc(c.secrets(), func(s [32]byte) bool { return s == secret })
	if turn == 2 && len(others) > 0 && tries/3%2 == 1 { // it may know another one only
		secret = others[tries/6%len(others)]
	}
	recovery := secret != [32]byte{}
	if ps := c.spoken(); ps != nil && !(recovery && turn == 2) {
		if key, ok := ps.chain.Speak(dayOf(now)); ok {
			return key, byPair
		}
	}
	if recovery {
		return identity.HelloKey{Day: dayOf(now), Key: identity.RepairHelloKey(secret, dayOf(now))}, byRecovery
	}
	return key, 0
}

// spoken returns the session by whose pair chain we speak: the one that sends, or, while
// tries fail, the others by turns. The contact may have lost the one that sends.
func (c *contact) spoken() *pairSession {
	if tries := c.backoff.Tries(); tries%3 == 1 && len(c.sessions) > 1 {
		return c.sessions[tries/6%len(c.sessions)] // every other time it is a link's turn
	}
	return c.first()
}

func (p *Peer) connClosed(now time.Time, id ConnID) {
	k := p.conns[id]
	if k == nil {
		return
	}
	delete(p.conns, id)
	p.detach(now, k)
}

// detach takes a connection away from its contact.
func (p *Peer) detach(now time.Time, k *conn) {
	if k.proof == byMailbox {
		p.counterClosed(now, k)
		return
	}
	c := k.contact
	if c == nil {
		return
	}
	if !k.proved && k.relayed {
		p.relayFailed(now, c, "no_answer")
		return
	}
	if !k.proved { // the dial reached somebody who did not answer our hello
		p.missed(now, c)
		c.tried, c.triedBy, c.triedAt = "no_answer", k.rung, now
		p.stir(c)
		return
	}
	p.leave(c, k)
}

// leave takes a path away from a contact, if it is one of its.
func (p *Peer) leave(c *contact, k *conn) {
	i := slices.Index(c.conns, k)
	if i < 0 {
		return
	}
	c.conns = slices.Delete(c.conns, i, i+1)
	if len(c.conns) == 0 {
		lasted, jitter := p.lastNow.Sub(k.opened), p.randomByte()
		c.backoff.Ended(p.lastNow, lasted, jitter)
		c.relay.backoff.Ended(p.lastNow, lasted, jitter)
	}
	if c.row.Phase == ContactRequested && p.lastNow.Sub(k.opened) >= linkIdleMax {
		c.backoff.Hold(p.lastNow.Add(askAgain)) // the answer is a person's matter
	}
	if len(c.conns) == 0 {
		p.live--
		p.peerState(c, "off")
		p.silenced(c)
	} else {
		c.signals.again()
		c.queue.Reconnected() // what was on the way there goes by another path at once
		p.resend(p.lastNow, c)
	}
	p.stir(c)
}

func (p *Peer) hangup(k *conn) {
	p.send(Hangup{Conn: k.id})
	delete(p.conns, k.id)
	p.detach(p.lastNow, k)
}

// connsOf returns every connection that belongs to a contact, or on which we prove
// ourselves to it: its paths, and those that may become one.
func (p *Peer) connsOf(c *contact) []*conn {
	var out []*conn
	for _, id := range slices.Sorted(maps.Keys(p.conns)) {
		if k := p.conns[id]; k.contact == c {
			out = append(out, k)
		}
	}
	return out
}

func (p *Peer) dropConns(c *contact) {
	for _, k := range p.connsOf(c) {
		p.hangup(k)
	}
}

func (p *Peer) dialFailed(now time.Time, in DialFailed) {
	d := p.dials[in.Dial]
	delete(p.dials, in.Dial)
	if d == nil {
		return
	}
	if d.courier != (identity.TransportKey{}) {
		p.postEnded(now, d.courier, in.Code)
		return
	}
	c := p.contacts[d.contact]
	switch {
	case c == nil:
		return
	case d.rung == RungPunch:
		c.relay.punched = in.Code
		return
	case !c.endDial(in.Dial):
		return
	case d.rung == RungRelay:
		p.relayFailed(now, c, in.Code)
		return
	}
	c.tried, c.triedBy, c.triedAt = in.Code, d.rung, now
	if d.rung != RungLAN { // which is tried beside the others, when the contact is heard
		p.missed(now, c)
		p.stir(c) // the next try is due sooner than the next scan
	}
}

// missed notes that a try of a contact's addresses failed, and when the next one is due.
// Those who are off are tried by turns, so that they do not cost more the more they are.
func (p *Peer) missed(now time.Time, c *contact) {
	c.backoff.Failed(now, p.randomByte())
	c.wanted = c.wanted && c.backoff.Tries() < wantedTriesMax
	if !c.off() {
		return
	}
	var all time.Duration // until it is their turn again
	for _, other := range p.contacts {
		if other.off() && other.needsPath(now) {
			all += offTryEvery
		}
	}
	turn := earlier(p.lastTurn.Add(offTryEvery), now.Add(all))
	p.lastTurn = later(c.backoff.Next(), turn)
	c.backoff.Hold(p.lastTurn)
}

// off reports whether a contact was tried in vain so often that it counts as off.
func (c *contact) off() bool { return c.backoff.Tries() >= offAfter }

// sparing makes a try cheap behind one that was in vain: it is by TCP, of which a few small
// packets are lost when nobody is there. Every other time, for there may be a path for UDP
// only, it is of all addresses for the likeliest keys; of somebody who is off less often.
func sparing(keys []identity.TransportKey, likeliest int, addresses []wire.Address, tries int) ([]identity.TransportKey, []wire.Address) {
	every := 2
	if tries >= offAfter {
		every = offAllEvery
	}
	switch {
	case tries == 0:
		return keys, addresses
	case tries%every == 0:
		return keys[:likeliest], addresses
	}
	cheap := slices.DeleteFunc(slices.Clone(addresses), func(a wire.Address) bool { return a.Network != wire.TCP })
	if len(cheap) == 0 {
		return keys, addresses
	}
	return keys, cheap
}

// endDial notes that a dial is over, and reports whether it was this contact's.
func (c *contact) endDial(number uint64) bool {
	switch number {
	case c.dialing:
		c.dialing = 0
	case c.seen.dialing:
		c.seen.dialing = 0
	case c.relay.dialing:
		c.relay.dialing = 0
	default:
		return false
	}
	return true
}

// hello handles the first frame each way. A tag that nobody has looks like no
// tag at all: nothing happens.
func (p *Peer) hello(now time.Time, k *conn, tag identity.HelloTag) {
	if k.proved || k.greeted {
		return // one is looked at: it costs a look at every contact
	}
	k.greeted = true
	dialer, listener := k.ends()
	if !k.inbound {
		want := identity.NewHelloTag(k.key.Key, identity.FromListener, dialer, listener)
		if k.contact == nil && k.proof != byMailbox || !want.Equal(tag) {
			p.hangup(k)
			return
		}
		p.prove(now, k)
		return
	}
	if !p.recognise(now, k, tag) {
		return
	}
	answer := identity.NewHelloTag(k.key.Key, identity.FromListener, dialer, listener)
	p.send(SendFrame{Conn: k.id, Type: wire.TypeHello, Body: answer[:]})
	p.prove(now, k)
}

// recognise finds whose key a tag was made under: a contact's pair chain, a
// link that we asked by, one of our invites, a contact's recovery secret. All
// are tried whatever the outcome, so that time tells a stranger nothing.
func (p *Peer) recognise(now time.Time, k *conn, tag identity.HelloTag) bool {
	today := dayOf(now)
	dialer, listener := k.ends()
	matches := func(key [32]byte) bool {
		return identity.NewHelloTag(key, identity.FromDialer, dialer, listener).Equal(tag)
	}
	found := false
	take := func(c *contact, key identity.HelloKey, by proof) {
		if !found {
			k.contact, k.key, k.proof, found = c, key, by, true
		}
	}
	for _, c := range p.contactsInOrder() {
		if c.row.Blocked || c.row.Phase == ContactFailed {
			continue
		}
		for _, ps := range c.sessions {
			if key, ok := identity.Match(ps.listen(today), tag, identity.FromDialer, dialer, listener); ok {
				take(c, key, byPair)
			}
		}
		if c.state.Asking != nil && matches(c.state.Hello) {
			take(c, identity.HelloKey{Key: c.state.Hello}, byLink)
		}
		if key, ok := identity.Match(c.listen(today), tag, identity.FromDialer, dialer, listener); ok {
			take(c, key, byRecovery)
		}
	}
	for _, v := range p.invitesInOrder() {
		switch match := matches(v.state.Hello); {
		case !match || found:
		case v.open(now) || p.awaited(v):
			k.invite, k.proof, k.key, found = v, byLink, identity.HelloKey{Key: v.state.Hello}, true
		default: // to its holder we look like anybody's
			p.secondUse(now, v)
		}
	}
	if heard := p.hearMailbox(now, k, tag, found); heard {
		found = true
	}
	return found
}

// prove marks a connection as belonging to whom its hello named.
func (p *Peer) prove(now time.Time, k *conn) {
	k.proved, k.used = true, now
	c := k.contact
	k.active = c != nil && c.open(now)
	p.send(Authenticate{Conn: k.id, Active: k.active})
	if c == nil {
		p.dueBy(now.Add(linkIdleMax + time.Second))
		if k.proof == byMailbox && !k.inbound {
			p.postProved(now, k)
		}
		return
	}
	if k.proof == byRecovery { // it may be somebody who only has the secret
		if !k.inbound {
			c.backoff.Failed(now, p.randomByte())
		}
		p.dueBy(now.Add(linkIdleMax + time.Second))
		p.greetRenewal(now, c, k)
		if !k.inbound {
			p.sendSync(now, c, k)
		}
		return
	}
	if k.proof == byPair {
		p.confirmDay(now, c, k.key)
	}
	p.attach(now, c, k)
}

// attach makes a proved connection one of a contact's paths, and says what there
// is to say on it.
func (p *Peer) attach(now time.Time, c *contact, k *conn) {
	if slices.Contains(c.conns, k) {
		p.greet(now, c, k)
		return
	}
	if k.contact != nil { // of somebody who turns out to be this contact
		p.leave(k.contact, k)
	}
	k.contact = c
	first := len(c.conns) == 0
	c.conns = append(c.conns, k)
	if len(c.conns) > ConnsPerContactMax {
		p.hangup(c.conns[0])
	}
	c.backoff.Proved()
	c.relay.backoff.Proved()
	c.wanted, c.tried = false, ""
	c.relay = relaying{dialing: c.relay.dialing, backoff: c.relay.backoff}
	c.queue.Reconnected()
	p.touchContact(c)
	p.stirCarried(k.remote)
	if first {
		p.live++
		p.peerState(c, "live")
	}
	p.greet(now, c, k)
	p.settled(c, k)
	p.replace(c, k)
}

// confirmDay notes the day that an authenticated contact has reached, erases
// the pair keys that both have left behind, and notices a clock that is off.
func (p *Peer) confirmDay(now time.Time, c *contact, heard identity.HelloKey) {
	today := dayOf(now)
	for _, ps := range c.sessions {
		said := heard
		said.Renewed = heard.Renewed && ps.chain.Made(heard)
		if after := ps.chain.Confirm(today, said); after != ps.chain {
			ps.chain, ps.dirty = after, true
		}
	}
	p.stir(c)
	p.self.reached(min(today, heard.Day))
	p.clockDay = 0
	if heard.Day+1 < today || heard.Day > today+1 {
		p.clockDay = heard.Day
	}
}

// ClockSuspect reports whether the last authenticated contact lived on another
// day than our clock says.
func (p *Peer) ClockSuspect() bool { return p.clockDay != 0 }

func (p *Peer) networkChanged(now time.Time, in NetworkChanged) {
	before := p.net
	p.net = rendezvous.Network{Own: in.Own, Subnets: in.Subnets}
	if slices.Equal(before.Own, in.Own) && slices.Equal(before.Subnets, in.Subnets) {
		return
	}
	p.moved(before.Own)
	p.placeChanged(now)
	if len(p.near.places) > 0 {
		p.callOut(now)
	}
	p.reconnect(now)
}

// reconnect clears every back-off and tries each contact once.
func (p *Peer) reconnect(now time.Time) {
	for _, t := range p.posts {
		t.backoff.Clear()
	}
	found := p.foundFromOutside(now)
	for _, c := range p.contactsInOrder() {
		c.backoff.Clear()
		c.relay = relaying{dialing: c.relay.dialing}
		c.wanted = len(c.conns) == 0
		c.sought = !found
		p.stir(c)
	}
}

// placePrint stands for what our records say of where we are.
func (p *Peer) placePrint(now time.Time) [32]byte {
	told := wire.AppendAddresses(slices.Clone(p.config.BootID[:]), p.place(now).Advertised(recordAddressesMax, [8]byte{1}))
	return identity.Hash(wire.AppendAddresses(told, p.candidates(now)))
}

// hostTag is the tag of this machine in loopback addresses shared with the
// holder of a secret.
func (p *Peer) hostTag(secret [32]byte) (tag [8]byte) {
	if p.config.BootID == [32]byte{} {
		return tag
	}
	sum := identity.MAC(p.config.BootID[:], secret[:])
	return [8]byte(sum[:8])
}

// pairTag is the tag of this machine in loopback addresses shared with a contact.
func (p *Peer) pairTag(c *contact) [8]byte {
	a, b := p.self.account, c.row.Account
	if slices.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return p.hostTag(identity.LabelHost.Hash(a[:], b[:]))
}

// dial tries to reach a contact if something is waiting for that.
func (p *Peer) dial(now time.Time, c *contact) {
	p.dialDirect(now, c)
	p.dialRelayed(now, c)
}

// dialDirect tries the addresses that the contact told us.
func (p *Peer) dialDirect(now time.Time, c *contact) {
	if c.dialing != 0 || !c.needsPath(now) || c.backoff.Next().After(now) {
		return
	}
	if c.moving() && p.proving(c) {
		c.backoff.Hold(now.Add(helloAnswered))
		return
	}
	if p.crowded() {
		c.backoff.Hold(now.Add(dialAgain))
		return
	}
	p.dialNear(now, c)
	keys, addresses := c.unmoved(p.keysOf(now, c)), p.addressesOf(c)
	if len(keys) == 0 || len(addresses) == 0 {
		c.wanted = c.wanted && c.sought && len(p.mailboxesOf(now, c)) > 0 && c.backoff.Tries() < wantedTriesMax // a relay may do
		if !c.asksByCourier() && c.seen.dialing == 0 {
			c.tried, c.triedBy, c.triedAt = WhyNoPath, "", now
		}
		c.backoff.Failed(now, p.randomByte())
		return
	}
	likeliest := 1
	if c.byLink() { // whose keys are of the days from that on which it was made
		likeliest = len(keys)
	}
	keys, addresses = sparing(keys, likeliest, addresses, c.backoff.Tries())
	c.relay.head = now.Add(relayHeadStart)
	rung := c.ownRung()
	c.dialing = p.startDial(now, dialing{contact: c.row.ID, rung: rung}, Dial{Keys: keys, Addresses: addresses, Rung: rung, For: c.row.ID})
}

// ownRung says whose word the addresses are at which a contact is dialled.
func (c *contact) ownRung() Rung {
	if c.byLink() {
		return RungLink
	}
	return RungDirect
}

// byLink reports whether a contact is tried by the link that we asked by: as long as
// nothing shows that it holds a session, since a request in its name may be anybody's.
// One try of three is for the session that we made of such a request.
func (c *contact) byLink() bool {
	return c.state.Asking != nil && !c.confirmed() && (len(c.sessions) == 0 || c.backoff.Tries()%3 != 1)
}

// keysOf returns as whom a contact may be found: by the link while we ask, else by the
// record, of which a request's reply path is the first.
func (p *Peer) keysOf(now time.Time, c *contact) []identity.TransportKey {
	switch r := c.state.Record; {
	case c.byLink():
		return c.state.Asking.Link.Keys
	case r != nil:
		return keysInTurn(r.FirstDay, r.Keys, dayOf(now), c.backoff.Tries())
	}
	return nil
}

// addressesOf returns where a contact may be found, by the same.
func (p *Peer) addressesOf(c *contact) []wire.Address {
	switch r := c.state.Record; {
	case c.byLink():
		return p.net.Dialable(c.state.Asking.Link.Addresses, p.hostTag(c.state.Hello))
	case r != nil:
		return p.net.Dialable(slices.Concat(r.Addresses, r.Candidates), p.pairTag(c))
	}
	return nil
}

// keysInTurn returns the keys for a dial after a number of tries that failed. Every other
// time some others of those that we were told follow, going round: when both clocks were
// ahead the contact may have used days that have not come, and has no key of today left.
func keysInTurn(first uint32, keys []identity.TransportKey, today uint32, tries int) []identity.TransportKey {
	likely := keysAround(first, keys, today)
	if tries%2 == 0 || len(keys) <= keysInTurnMax {
		return likely
	}
	turns := (len(keys) + keysInTurnMax - 1) / keysInTurnMax
	from := tries / 2 % turns * keysInTurnMax
	return slices.Concat(likely, keys[from:min(from+keysInTurnMax, len(keys))])
}

// keysAround returns the keys of today, yesterday and tomorrow, in this order;
// a clock that is off falls back to the nearest days named.
func keysAround(first uint32, keys []identity.TransportKey, today uint32) []identity.TransportKey {
	var out []identity.TransportKey
	for _, day := range [3]uint32{today, today - 1, today + 1} {
		if i := int64(day) - int64(first); i >= 0 && i < int64(len(keys)) {
			out = append(out, keys[i])
		}
	}
	switch {
	case len(out) > 0 || len(keys) == 0:
		return out
	case today < first:
		return keys[:min(len(keys), keysInTurnMax)]
	}
	return keys[len(keys)-1:]
}
