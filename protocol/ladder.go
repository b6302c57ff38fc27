package protocol

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
)

// Attempt is how a contact is tried by one rung of the ladder.
type Attempt struct {
	Rung Rung
	// Trying says that a dial, a hello or a question is under way; it ends at Deadline, if
	// not before.
	Trying   bool
	Deadline time.Time // zero: what is tried has none
	// Alone is until when later rungs are not tried: the next one begins then, if nothing
	// has come of this one. Zero: none waits for it.
	Alone     time.Time
	LastTry   time.Time // that failed; zero: none since the start, or since it was reached
	LastError string    // code of that
	NextTry   time.Time // zero: none is due
}

// ladder returns the rungs by which a contact may be reached, or mail for it left, and how
// each stands.
func (p *Peer) ladder(now time.Time, c *contact) []Attempt {
	var out []Attempt
	if c.live() != nil {
		out = append(out, Attempt{Rung: RungLive, Trying: len(c.queue.Unacknowledged()) > 0})
	} else {
		out = append(out, p.directRung(now, c))
		if len(c.seen.addresses) > 0 {
			out = append(out, p.lanRung(c))
		}
	}
	places := p.mailboxesOf(now, c)
	if len(places) > 0 && c.live() == nil {
		out = append(out, p.relayRung(now, c))
	}
	if couriers := c.couriersNamed(places); len(couriers) > 0 {
		out = append(out, p.courierRung(now, c, couriers))
	}
	if dht, on := p.dhtRung(now, c); on {
		out = append(out, dht)
	}
	for i := range out {
		out[i].Alone = nextOf(now, out[i:])
	}
	return out
}

// nextOf returns when the first rung after the first one begins, if that one is tried and
// the others wait.
func nextOf(now time.Time, rungs []Attempt) (next time.Time) {
	if !rungs[0].Trying {
		return next
	}
	for _, r := range rungs[1:] {
		if !r.Trying && r.NextTry.After(now) && (next.IsZero() || r.NextTry.Before(next)) {
			next = r.NextTry
		}
	}
	return next
}

// trying notes that an Attempt is under way by a dial, if there is one, or by a connection on
// which our hello is not answered.
func (p *Peer) trying(a *Attempt, dial uint64, by func(*conn) bool) {
	if d := p.dials[dial]; d != nil {
		a.Trying, a.Deadline = true, later(d.deadline, a.Deadline)
	}
	for _, k := range p.conns {
		if !k.proved && !k.inbound && by(k) {
			a.Trying, a.Deadline = true, later(k.opened.Add(helloAnswered), a.Deadline)
		}
	}
}

// of reports whether a connection was dialled for a contact by the rung of an Attempt.
func (a *Attempt) of(c *contact) func(*conn) bool {
	return func(k *conn) bool { return k.contact == c && k.rung == a.Rung }
}

// directRung is how the addresses stand that the contact told us, or its link.
func (p *Peer) directRung(now time.Time, c *contact) Attempt {
	a := Attempt{Rung: c.ownRung()}
	p.trying(&a, c.dialing, a.of(c))
	if c.triedBy != RungLAN && c.tried != "" {
		a.LastTry, a.LastError = c.triedAt, c.tried
	}
	if c.needsPath(now) && !a.Trying {
		a.NextTry = later(c.backoff.Next(), now)
	}
	return a
}

// lanRung is how the place stands where the contact was heard.
func (p *Peer) lanRung(c *contact) Attempt {
	a := Attempt{Rung: RungLAN}
	p.trying(&a, c.seen.dialing, a.of(c))
	if c.triedBy == RungLAN && c.tried != "" {
		a.LastTry, a.LastError = c.triedAt, c.tried
	}
	return a
}

// relayRung is how it stands to be connected by the contact's couriers.
func (p *Peer) relayRung(now time.Time, c *contact) Attempt {
	a := Attempt{Rung: RungRelay, LastTry: c.relay.triedAt, LastError: c.relay.tried}
	if c.relay.dialing == 0 && c.relay.hold.After(now) {
		a.Trying, a.Deadline = true, c.relay.hold
	}
	p.trying(&a, c.relay.dialing, a.of(c))
	if c.relayable(now) && !a.Trying {
		a.NextTry = later(c.relay.due(c.dialing != 0), now)
	}
	return a
}

// couriersNamed returns the couriers at which mail for a contact is left, or our request.
func (c *contact) couriersNamed(places []place) (out []identity.TransportKey) {
	for _, at := range places {
		out = append(out, at.Courier)
	}
	if c.asksByCourier() {
		for _, at := range c.state.Asking.Link.Couriers {
			out = append(out, at.Key)
		}
	}
	return out
}

// courierRung returns how these couriers stand, at which mail for a contact is left: when
// that is due, and of those that are not reached the one that is tried next.
func (p *Peer) courierRung(now time.Time, c *contact, couriers []identity.TransportKey) Attempt {
	a := Attempt{Rung: RungCourier}
	reached := false
	for _, key := range couriers {
		if p.counter(key) != nil {
			reached = true
			continue
		}
		t := p.posts[key]
		if t == nil {
			continue
		}
		p.trying(&a, t.dialing, func(k *conn) bool { return k.remote == key })
		if next := later(t.backoff.Next(), now); !a.Trying && (a.NextTry.IsZero() || next.Before(a.NextTry)) {
			a.NextTry = next
		}
		if t.tried != "" && !t.triedAt.Before(a.LastTry) {
			a.LastTry, a.LastError = t.triedAt, t.tried
		}
	}
	switch due := c.carryDue; {
	case a.Trying, c.left() && !c.asksByCourier(), reached && due.IsZero():
		a.NextTry = time.Time{}
	case reached:
		a.NextTry = later(due, now)
	default:
		a.NextTry = later(due, a.NextTry)
	}
	return a
}

// left reports whether all that waits is with a courier, or on its way to one.
func (c *contact) left() bool {
	return c.queue.WaitingLen() == 0 && !slices.ContainsFunc(c.queue.Unacknowledged(), func(e *outbox.Entry) bool { return len(e.Copies()) == 0 })
}
