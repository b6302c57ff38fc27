package protocol

import (
	"net/netip"
	"slices"
	"time"

	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// This file says where others find us: at our own addresses, where those whom we speak with
// say that they see us, and through our couriers.

// Reach is how far others come to us by themselves.
type Reach string

// The values of a Reach, the best first.
const (
	ReachDirect      Reach = "direct"      // somebody has come to an address of ours from the internet
	ReachRelay       Reach = "relay"       // a courier of ours connects others with us
	ReachUnconfirmed Reach = "unconfirmed" // we know such an address, but nobody has come there
	ReachLAN         Reach = "lan"         // only those near us come
	ReachOffline     Reach = "offline"     // nobody comes
)

// Reach returns how far others come to us now.
func (p *Peer) Reach(now time.Time) Reach {
	confirmed, candidates := p.Outside(now)
	switch {
	case len(confirmed) > 0:
		return ReachDirect
	case p.relayedToUs():
		return ReachRelay
	case p.net.Public() || len(candidates) > 0:
		return ReachUnconfirmed
	case slices.ContainsFunc(p.net.Own, func(a wire.Address) bool { return !a.IP.IsLoopback() && !a.IP.IsLinkLocalUnicast() }):
		return ReachLAN
	}
	return ReachOffline
}

// Outside returns where others see us from outside: what somebody has come to by itself,
// and what nobody has.
func (p *Peer) Outside(now time.Time) (confirmed, candidates []wire.Address) {
	return p.outside.Confirmed(now), p.outside.Candidates(now, p.net.Own)
}

// relayedToUs reports whether a relay has said that it connects others with us.
func (p *Peer) relayedToUs() bool {
	for _, k := range p.conns {
		if k.reserved && k.reachable {
			return true
		}
	}
	return false
}

func (p *Peer) seenAt(now time.Time, in SeenAt) {
	for _, k := range p.conns {
		if k.remote == in.By && k.path() {
			p.outside.Told(now, k.contact.row.ID, in.At, in.Unasked)
			p.placeSaid(now)
			return
		}
	}
}

func (p *Peer) relayReserved(in RelayReserved) {
	if k := p.conns[in.Conn]; k != nil {
		k.reachable = in.On
	}
}

// place is what we know of our addresses: those of this machine, and those that others have
// come to.
func (p *Peer) place(now time.Time) rendezvous.Network {
	n := p.net
	for _, a := range p.outside.Confirmed(now) {
		if !slices.Contains(p.net.Own, a) {
			n.Own = append(n.Own[:len(n.Own):len(n.Own)], a)
		}
	}
	return n
}

// candidates returns the addresses that nobody has confirmed, and that others are told all
// the same: those of somebody for whom nobody keeps mail.
func (p *Peer) candidates(now time.Time) []wire.Address {
	candidates := p.outside.Candidates(now, p.net.Own)
	if len(candidates) > 0 && p.hasCourier() {
		return nil
	}
	return candidates
}

// hasCourier reports whether somebody keeps mail for us.
func (p *Peer) hasCourier() bool {
	for _, c := range p.contacts {
		if c.courier() {
			return true
		}
	}
	return false
}

// ownAddresses returns at most limit of our addresses for a link or a reply path, with our
// tag there. If there are candidates, the first of them is the last.
func (p *Peer) ownAddresses(now time.Time, limit int, tag [8]byte) []wire.Address {
	candidates := p.candidates(now)
	if len(candidates) == 0 {
		return p.place(now).Advertised(limit, tag)
	}
	return append(p.place(now).Advertised(limit-1, tag), candidates[0])
}

// placeChanged has the contacts told where we are if that is another place.
func (p *Peer) placeChanged(now time.Time) { p.tellPlace(now, now.Add(recordDebounce)) }

// placeSaid does the same if it is others who say so, but not as often as they do.
func (p *Peer) placeSaid(now time.Time) {
	at := now.Add(recordDebounce)
	if at.Before(p.saidNext) {
		at = p.saidNext
	}
	if p.tellPlace(now, at) {
		saved := now.Add(-recordBurst * recordEvery)
		if p.saidNext.After(saved) {
			saved = p.saidNext
		}
		p.saidNext = saved.Add(recordEvery)
	}
}

// tellPlace has it told at a time, or earlier if that was planned. It returns false if there
// is nothing new to tell.
func (p *Peer) tellPlace(now, at time.Time) bool {
	if p.placePrint(now) == p.self.state.Told {
		return false
	}
	planned := !p.recordDue.IsZero() && !at.Before(p.recordDue) // else who says something new all the time puts it off for ever
	if !planned {
		p.recordDue = at
	}
	p.dueBy(p.recordDue)
	return !planned
}

// moved forgets what others have said of our addresses in another network.
func (p *Peer) moved(before []wire.Address) {
	for _, v4 := range [2]bool{true, false} {
		if !slices.Equal(ipsOf(before, v4), ipsOf(p.net.Own, v4)) {
			p.outside.Moved(v4)
		}
	}
}

// ipsOf returns the IPs of a list that are of IPv4, or of IPv6.
func ipsOf(list []wire.Address, v4 bool) (out []netip.Addr) {
	for _, a := range list {
		if ip := a.IP.Unmap(); ip.Is4() == v4 && !ip.IsLoopback() && !slices.Contains(out, ip) {
			out = append(out, ip)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// foundFromOutside reports whether others beyond our own network find us, as far as we know:
// at an address of ours, or through a courier.
func (p *Peer) foundFromOutside(now time.Time) bool {
	return p.net.Public() || len(p.outside.Confirmed(now)) > 0 || p.hasCourier()
}

// findable reports whether there is anywhere that a contact may be found when it is on:
// a global address that it is sure of, a courier, or an address in our own network, unless it was
// looked for there in vain for long. Two homes often number their networks alike.
func (p *Peer) findable(now time.Time, c *contact) bool {
	if len(p.mailboxesOf(now, c)) > 0 || c.asksByCourier() || !c.seen.at.IsZero() && now.Sub(c.seen.at) < sightingKept {
		return true
	}
	var told []wire.Address
	tag := p.pairTag(c)
	switch r := c.state.Record; {
	case c.byLink():
		told, tag = c.state.Asking.Link.Addresses, p.hostTag(c.state.Hello)
	case r != nil:
		told = r.Addresses
	}
	return slices.ContainsFunc(p.net.Dialable(told, tag), func(a wire.Address) bool {
		return rendezvous.Public(a) || a.IP.IsLoopback() || !c.off()
	})
}

// Pathless returns how many contacts there are to whom no way leads that we know, nor one
// from them to us.
func (p *Peer) Pathless(now time.Time) (n int) {
	if p.foundFromOutside(now) {
		return 0
	}
	for _, c := range p.contacts {
		if c.row.Role == RolePerson && c.row.Phase == ContactEstablished && !c.row.Blocked && c.live() == nil && !p.findable(now, c) {
			n++
		}
	}
	return n
}
