package protocol

import "time"

// Attempt is how a contact is tried by one rung of the ladder.
type Attempt struct {
	Rung Rung
	// Trying says that a dial or a question is under way: it ends by itself, with an
	// error or without.
	Trying    bool
	LastTry   time.Time // that failed; zero: none since the start, or since it was reached
	LastError string    // code of that
	NextTry   time.Time // zero: none is due
}

// ladder returns the rungs by which a contact may be reached, and how each stands.
func (p *Peer) ladder(now time.Time, c *contact) []Attempt {
	direct := Attempt{Rung: RungDirect, Trying: c.dialing != 0}
	if c.byLink() {
		direct.Rung = RungLink
	}
	if c.triedBy != RungLAN {
		direct.LastTry, direct.LastError = c.triedAt, c.tried
	}
	if c.tried == "" {
		direct.LastTry = time.Time{}
	}
	if c.needsPath(now) && c.dialing == 0 {
		direct.NextTry = later(c.backoff.Next(), now)
	}
	out := []Attempt{direct}
	if len(c.seen.addresses) > 0 {
		lan := Attempt{Rung: RungLAN, Trying: c.seen.dialing != 0}
		if c.triedBy == RungLAN && c.tried != "" {
			lan.LastTry, lan.LastError = c.triedAt, c.tried
		}
		out = append(out, lan)
	}
	places := p.mailboxesOf(now, c)
	if len(places) == 0 {
		return out
	}
	relay := Attempt{Rung: RungRelay, Trying: c.relay.dialing != 0 || c.relay.hold.After(now), LastTry: c.relay.triedAt, LastError: c.relay.tried}
	if c.relayable(now) && !relay.Trying {
		relay.NextTry = later(c.relay.due(c.dialing != 0), now)
	}
	return append(out, relay, p.couriersOf(now, c, places))
}

// couriersOf returns how the couriers stand at which mail for a contact is left: of those
// that are not reached the one that is tried next.
func (p *Peer) couriersOf(now time.Time, c *contact, places []place) Attempt {
	a := Attempt{Rung: RungCourier}
	for _, at := range places {
		t := p.posts[at.Courier]
		if t == nil || p.counter(at.Courier) != nil {
			continue
		}
		a.Trying = a.Trying || t.dialing != 0
		if next := later(t.backoff.Next(), now); c.waits() && t.dialing == 0 && (a.NextTry.IsZero() || next.Before(a.NextTry)) {
			a.NextTry = next
		}
		if t.tried != "" && !t.triedAt.Before(a.LastTry) {
			a.LastTry, a.LastError = t.triedAt, t.tried
		}
	}
	return a
}
