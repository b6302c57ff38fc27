package protocol

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// This file is about our transport keys: which one is ours on which day, and how the
// connections under the one of the day before are replaced (spec, "Transport keys by day").

// KeyDay is the day whose transport key is ours at now.
func (p *Peer) KeyDay(now time.Time) uint32 { return dayOf(now.Add(p.config.KeyOffset)) }

// transportKeys returns the first day of our transport keys and those of n days from
// then on; one if we keep it.
func (p *Peer) transportKeys(now time.Time, n int) (first uint32, keys []identity.TransportKey) {
	chain := p.self.transport(p.KeyDay(now))
	if f := p.self.state.Fixed; f != nil {
		return chain.Day, []identity.TransportKey{f.Public()}
	}
	return chain.Day, chain.Keys(n)
}

// KeepsTransport reports whether our transport key is the same on every day.
func (p *Peer) KeepsTransport() bool { return p.self.state.Fixed != nil }

// Transport returns the seed of the transport key that is ours at now.
func (p *Peer) Transport(now time.Time) identity.TransportSeed {
	if p.self.state.Fixed != nil {
		return *p.self.state.Fixed
	}
	return p.self.transport(p.KeyDay(now)).Seed
}

// nextKey returns when our transport key changes; zero is never.
func (p *Peer) nextKey(now time.Time) time.Time {
	if p.KeepsTransport() {
		return time.Time{}
	}
	return time.Unix(int64(p.KeyDay(now)+1)*86400, 0).Add(-p.config.KeyOffset)
}

// leaving reports whether another path is to take the place of a connection: the transport
// key of one of its ends is another one by now.
func (k *conn) leaving() bool { return k.older || k.moved }

// moving reports whether a contact has paths, but only such.
func (c *contact) moving() bool {
	return len(c.conns) > 0 && !slices.ContainsFunc(c.conns, func(k *conn) bool { return !k.leaving() })
}

// rotated begins to move to the transport key that is ours from now on: who is connected is
// dialled anew, or asked to do so if it was the one who dialled. Those who are not know
// our keys of the days.
func (p *Peer) rotated(now time.Time, key identity.TransportKey) {
	p.key, p.olderUntil = key, now.Add(keyOverlap)
	for _, k := range p.conns {
		k.older = k.local != key
	}
	for _, c := range p.contactsInOrder() {
		if !c.off() { // a dial under way was given up
			c.backoff.Again()
			c.relay.backoff.Again()
			c.relay.hold = time.Time{}
		}
		if c.moving() {
			p.askToMove(now, c)
		}
		p.stir(c)
	}
}

// askToMove asks a contact to dial us anew on the connections that it made. If it has made
// all of them it may be that we cannot: it is given a while.
func (p *Peer) askToMove(now time.Time, c *contact) {
	mine := false
	for _, k := range c.conns {
		switch {
		case k.older && k.inbound:
			p.send(SendFrame{Conn: k.id, Type: wire.TypeMoved})
		case k.older:
			mine = true
		}
	}
	if !mine {
		c.backoff.Hold(now.Add(moveAnswered))
	}
}

// peerMoved dials a contact anew that has another transport key by now.
func (p *Peer) peerMoved(now time.Time, k *conn) {
	if !k.path() || k.inbound || k.moved {
		return
	}
	c := k.contact
	k.moved = true
	if !c.backoff.Hasten(now) { // it asks time and again
		c.backoff.Hold(now.Add(rendezvous.HastenEvery))
	}
	p.stir(c)
}

// proving reports whether there is a connection with a contact on which we prove ourselves.
func (p *Peer) proving(c *contact) bool {
	for _, k := range p.conns {
		if k.contact == c && !k.proved && !k.inbound {
			return true
		}
	}
	return false
}

// unmoved leaves out the keys that a contact has no more: to dial one would find the
// connection that is to be replaced.
func (c *contact) unmoved(keys []identity.TransportKey) []identity.TransportKey {
	return slices.DeleteFunc(slices.Clone(keys), func(key identity.TransportKey) bool {
		return slices.ContainsFunc(c.conns, func(k *conn) bool { return k.moved && k.remote == key })
	})
}

// replace ends the paths whose place a new one takes. A direct one stays until there is a
// direct one again.
func (p *Peer) replace(c *contact, k *conn) {
	if k.leaving() {
		if !k.inbound { // whatever has us dial under a key that is not ours any more, it is no reason to do so at once again
			c.backoff.Hold(later(c.backoff.Next(), p.lastNow.Add(rendezvous.HastenEvery)))
		}
		return
	}
	for _, other := range slices.Clone(c.conns) {
		if other.leaving() && (other.relayed || !k.relayed) {
			p.hangup(other)
		}
	}
}

// leaveKey ends what goes on under an older transport key, when nothing does any more or its
// time is over.
func (p *Peer) leaveKey(now time.Time) {
	if p.olderUntil.IsZero() {
		return
	}
	var left []*conn
	for _, k := range p.connsInOrder() {
		if k.older {
			left = append(left, k)
		}
	}
	if len(left) == 0 {
		p.olderUntil = earlier(p.olderUntil, now.Add(keyLinger)) // until the last words are out
	}
	if p.olderUntil.After(now) {
		p.dueBy(p.olderUntil)
		return
	}
	for _, k := range left {
		p.hangup(k)
	}
	p.olderUntil = time.Time{}
	p.send(LeaveKey{})
}
