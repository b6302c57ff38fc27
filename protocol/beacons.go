package protocol

import (
	"net/netip"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// Near is one own address on a local network.
type Near struct {
	IP      netip.Addr
	Network [16]byte // stands for the network, as long as we are in it
	Trusted bool     // the user lets us be heard there
}

// nearby is what the Peer knows of the local networks that it is in.
type nearby struct {
	places []Near
	calls  rendezvous.Calls
	ear    rendezvous.Ear
	turn   int // of the contacts, the first that the next beacon names
}

// sighting is where a contact's beacon was heard last.
type sighting struct {
	addresses []wire.Address
	at        time.Time
	dialing   uint64    // the Dial there, 0 = none
	dialled   time.Time // when it began last
}

// nearChanged takes note of the local networks. Where contacts were heard on others
// is forgotten, and we are heard anew.
func (p *Peer) nearChanged(now time.Time, in NearChanged) {
	if slices.Equal(p.near.places, in.Near) {
		return
	}
	p.near.places = in.Near
	for _, c := range p.contactsInOrder() {
		c.seen.addresses, c.seen.at = nil, time.Time{}
	}
	p.callOut(now)
	p.reconnect(now)
}

// callOut has beacons sent from now on, if there is anywhere to send them.
func (p *Peer) callOut(now time.Time) {
	p.near.calls.Begin(now)
	p.dueBy(now)
}

// callNear sends the beacons that are due.
func (p *Peer) callNear(now time.Time) {
	links := p.linkMarks(now)
	heard := func(n Near) bool { return n.Trusted || len(links) > 0 }
	if !slices.ContainsFunc(p.near.places, heard) {
		return
	}
	if next := p.near.calls.Next(); next.After(now) {
		p.dueBy(next)
		return
	}
	p.near.calls.Made(now, p.randomByte())
	p.dueBy(p.near.calls.Next())
	marks := p.contactMarks(now, wire.BeaconMarksMax-len(links))
	for _, n := range p.near.places {
		keys := links
		if n.Trusted {
			keys = slices.Concat(links, marks)
		}
		if port := p.portAt(n.IP); port != 0 && heard(n) {
			p.beacon(now, n, port, keys)
		}
	}
}

func (p *Peer) beacon(now time.Time, n Near, port uint16, keys []rendezvous.BeaconKey) {
	b, err := rendezvous.NewBeacon(p.random, now, netip.AddrPortFrom(n.IP, port), keys)
	if err != nil {
		return // without randomness nothing is sent
	}
	p.send(Beacon{From: n.IP, Network: n.Network, Datagram: b.Append(nil)})
}

// portAt returns the port that we listen on at an own address, over QUIC and TCP; 0 if
// on none.
func (p *Peer) portAt(ip netip.Addr) uint16 {
	for _, a := range p.net.Own {
		if a.IP.Unmap() == ip {
			return a.Port
		}
	}
	return 0
}

// linkMarks returns the keys of the open invites that were made for the local network.
func (p *Peer) linkMarks(now time.Time) []rendezvous.BeaconKey {
	var out []rendezvous.BeaconKey
	for _, v := range p.invitesInOrder() {
		if v.state.LAN && v.open(now) && v.row.UsesLeft > 0 && len(out) < linkMarksMax {
			out = append(out, rendezvous.BeaconKey{Key: v.state.Hello, Way: rendezvous.FromLower})
		}
	}
	return out
}

// contactMarks returns the keys of at most n contacts; of more than these some by turns.
func (p *Peer) contactMarks(now time.Time, n int) []rendezvous.BeaconKey {
	var all []rendezvous.BeaconKey
	for _, c := range p.contactsInOrder() {
		ps := c.first()
		if ps == nil || !c.mayMeet() {
			continue
		}
		if key, ok := ps.chain.Speak(dayOf(now)); ok {
			all = append(all, rendezvous.BeaconKey{Key: key.Key, Way: way(p.self.account, c.row.Account)})
		}
	}
	if len(all) <= n {
		return all
	}
	from := p.near.turn % len(all)
	p.near.turn = from + n
	return slices.Concat(all[from:], all[:from])[:n]
}

// mayMeet reports whether a contact may find us and we it.
func (c *contact) mayMeet() bool { return !c.row.Blocked && c.row.Phase != ContactFailed }

// way returns the direction of a beacon from one account to the other.
func way(from, to identity.AccountPublic) rendezvous.BeaconWay {
	if slices.Compare(from[:], to[:]) < 0 {
		return rendezvous.FromLower
	}
	return rendezvous.FromHigher
}

// beaconHeard looks whose beacon it is, and dials a contact that turns out to be near.
// Whatever else it is costs a bounded look and has no effect.
func (p *Peer) beaconHeard(now time.Time, in BeaconHeard) {
	from := in.From.Unmap()
	if !p.heardNear(from) || !p.near.ear.Spend(now) {
		return
	}
	b, err := wire.ParseBeacon(in.Datagram)
	if err != nil {
		return
	}
	heard := rendezvous.Hear(now, from, b)
	for _, c := range p.contactsInOrder() {
		if port, ok := p.recogniseBeacon(now, c, heard); ok && p.near.ear.New(heard) {
			p.sighted(now, c, netip.AddrPortFrom(from, port))
		}
	}
}

// heardNear reports whether an address is in a network where we may listen.
func (p *Peer) heardNear(from netip.Addr) bool {
	return slices.ContainsFunc(p.near.places, func(n Near) bool {
		return n.Trusted && slices.ContainsFunc(p.net.Subnets, func(s netip.Prefix) bool {
			return s.Contains(n.IP) && s.Contains(from)
		})
	})
}

func (p *Peer) recogniseBeacon(now time.Time, c *contact, heard rendezvous.Heard) (port uint16, ok bool) {
	if !c.mayMeet() {
		return 0, false
	}
	if c.state.Asking != nil {
		if port, ok = heard.By(rendezvous.BeaconKey{Key: c.state.Hello, Way: rendezvous.FromLower}); ok {
			return port, true
		}
	}
	theirs := way(c.row.Account, p.self.account)
	for _, ps := range c.sessions {
		for _, k := range ps.listen(dayOf(now)) {
			if port, ok = heard.By(rendezvous.BeaconKey{Key: k.Key, Way: theirs}); ok {
				return port, true
			}
		}
	}
	return 0, false
}

// sighted takes note of where a contact was heard, and dials it there if something
// waits for it, or if it has just come.
func (p *Peer) sighted(now time.Time, c *contact, at netip.AddrPort) {
	var received []wire.Address
	for _, network := range [2]wire.Network{wire.QUIC, wire.TCP} {
		received = append(received, wire.Address{Network: network, IP: at.Addr(), Port: at.Port()})
	}
	addresses := p.net.Dialable(received, [8]byte{})
	if len(addresses) == 0 {
		return
	}
	came := c.seen.at.IsZero() || now.Sub(c.seen.at) > sightingKept || !slices.Equal(c.seen.addresses, addresses)
	c.seen.addresses, c.seen.at = addresses, now
	direct := slices.ContainsFunc(c.conns, func(k *conn) bool { return k.rung != RungRelay })
	if !direct && (came || c.needsPath(now)) {
		p.dialNear(now, c)
	}
}

// dialNear dials a contact where its beacon was heard, beside whatever else is tried.
func (p *Peer) dialNear(now time.Time, c *contact) {
	s := &c.seen
	if s.dialing != 0 || len(s.addresses) == 0 || now.Sub(s.at) > sightingKept || now.Sub(s.dialled) < sightingDialEvery {
		return
	}
	keys := p.keysOf(now, c)
	if len(keys) == 0 {
		return
	}
	s.dialled = now
	s.dialing = p.startDial(now, dialing{contact: c.row.ID, rung: RungLAN}, Dial{Keys: keys, Addresses: s.addresses, Rung: RungLAN, For: c.row.ID})
}
