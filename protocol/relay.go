package protocol

import (
	"slices"
	"time"

	"pabal/protocol/mailbox"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// This file reaches contacts through their couriers while they are on, and is the courier's
// part in that (spec, "Relays"). A courier that keeps mail for its owner also connects with
// it whoever may leave mail.

// relaying is how we try to reach a contact through its couriers.
type relaying struct {
	dialing uint64    // the Dial under way, 0 = none
	head    time.Time // until then a direct dial under way has its head start
	hold    time.Time // until then an answer is awaited
	backoff rendezvous.Backoff
	tried   string    // code of the last failure
	triedAt time.Time // when
	punched string    // code of the last hole punch that failed
}

// due returns when the contact is tried next.
func (r *relaying) due(direct bool) time.Time {
	due := later(r.backoff.Next(), r.hold)
	if direct {
		due = later(due, r.head)
	}
	return due
}

func (p *Peer) relayFailed(now time.Time, c *contact, code string) {
	c.relay.tried, c.relay.triedAt = code, now
	c.relay.hold = time.Time{}
	c.relay.backoff.Failed(now, p.randomByte())
	p.stir(c)
}

// relayable reports whether a contact is tried through its couriers: something waits for
// it, or perhaps it waits for us, and it has named one.
func (c *contact) relayable(now time.Time) bool {
	waits := c.waits() || c.state.Repair != nil || c.wanted && c.sought || c.moving()
	return c.needsPath(now) && waits && c.row.Phase == ContactEstablished &&
		c.state.Record != nil && len(c.state.Record.Mailboxes) > 0
}

// dialRelayed asks the contact's couriers to connect us with it.
func (p *Peer) dialRelayed(now time.Time, c *contact) {
	if !c.relayable(now) || c.relay.dialing != 0 || c.relay.due(c.dialing != 0).After(now) {
		return
	}
	c.relay.hold = now.Add(relayAnswered)
	inVain := false
	for _, at := range p.mailboxesOf(now, c) {
		k := p.counter(at.Courier)
		switch {
		case k == nil || k.older: // only the host of today dials
			p.dialPost(now, c, at, p.pairTag(c))
		case !k.relayed && now.Sub(k.reaching[at.ID]) >= relayAnswered:
			if k.reaching == nil {
				k.reaching = make(map[wire.MailboxID]time.Time)
			}
			inVain = inVain || !k.reaching[at.ID].IsZero()
			k.reaching[at.ID] = now
			body := wire.AppendReach(nil, wire.Key{ID: at.ID, Capability: at.Write})
			p.send(SendFrame{Conn: k.id, Type: wire.TypeReach, Body: body})
		}
	}
	if inVain { // what was asked the last time has not been answered
		c.relay.tried, c.relay.triedAt = WhyNoAnswer, now
		c.relay.backoff.Failed(now, p.randomByte())
	}
}

// reachAnswered dials through a courier that says that the contact is there.
func (p *Peer) reachAnswered(now time.Time, c *contact, k *conn, a wire.Acknowledge) {
	if _, asked := k.reaching[a.ID]; !asked {
		return
	}
	delete(k.reaching, a.ID)
	if !c.relayable(now) || c.relay.dialing != 0 {
		return
	}
	if a.Word == wire.MailboxAway {
		c.away(a.ID)
		p.relayFailed(now, c, WhyOffline)
		return
	}
	p.silent(now, c, a.ID)
	record := c.state.Record
	c.relay.dialing = p.startDial(now, dialing{contact: c.row.ID, rung: RungRelay}, Dial{
		Relays: []ConnID{k.id}, Rung: RungRelay, For: c.row.ID,
		Keys: keysInTurn(record.FirstDay, record.Keys, dayOf(now), c.relay.backoff.Tries()),
	})
}

// settled does for a path that is new what depends on where it leads: a relayed one is
// tried to be made direct, a direct one takes its place, and a courier and whom it helps
// agree on relaying.
func (p *Peer) settled(c *contact, k *conn) {
	p.greetRelay(c, k)
	switch {
	case !k.relayed:
		for _, other := range slices.Clone(c.conns) {
			if other.relayed && !other.inbound {
				p.hangup(other)
			}
		}
	case k.inbound:
		p.send(LetPunch{Conn: k.id, For: c.row.ID})
	default:
		dial := p.number()
		p.dials[dial] = &dialing{contact: c.row.ID, rung: RungPunch}
		p.send(Punch{Dial: dial, Conn: k.id, For: c.row.ID})
	}
}

// greetRelay says on a direct path whether either side relays for the other.
func (p *Peer) greetRelay(c *contact, k *conn) {
	if k.relayed {
		return
	}
	name := ContactID{}
	if c.state.Helping != nil {
		name = c.row.ID
	}
	if name != k.helped {
		k.helped = name
		p.send(RelayHelp{Conn: k.id, Name: name})
	}
	if on := c.courier(); on != k.reserved {
		k.reserved, k.reachable = on, false
		p.send(RelayReserve{Conn: k.id, On: on})
	}
}

// greetRelays does so on every path of a contact.
func (p *Peer) greetRelays(c *contact) {
	for _, k := range c.conns {
		p.greetRelay(c, k)
	}
}

// reachReceived lets whoever shows the write capability of a mailbox be connected with
// its owner. The holder of a link, who may leave a request, is none of them.
func (p *Peer) reachReceived(k *conn, body []byte) {
	key, err := wire.ParseReach(body)
	if err != nil || k.relayed {
		return
	}
	box := p.shelves.Writer(key)
	if box == nil || box.OfLink() {
		return
	}
	owner := p.owner(box)
	if owner == nil {
		return
	}
	p.send(RelayAdmit{Conn: k.id, Name: owner.row.ID})
	word := wire.MailboxAway
	if slices.ContainsFunc(owner.conns, func(k *conn) bool { return !k.relayed }) {
		word = wire.MailboxReachable
	}
	p.say(k, wire.Acknowledge{ID: key.ID, Word: word})
}

// owner returns whose mailbox it is, or nil if we do not help him any more.
func (p *Peer) owner(box *mailbox.Box) *contact {
	owner := p.contacts[ContactID(box.Owner)]
	if owner == nil || owner.state.Helping == nil {
		return nil
	}
	return owner
}
