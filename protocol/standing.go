package protocol

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// This file is what we remember of couriers, to rely on those that do what they say: of
// the couriers of our contacts as depositors, and of our own ones as owners. Most of it is
// found out again within minutes, and so is not stored; that mail was lost is not.

// Codes of what speaks against a courier. They are stable.
const (
	TroubleUnreachable = "unreachable" // it was tried again and again
	TroubleSilent      = "silent"      // it does not say that it has what is left with it
	TroubleFull        = "full"        // the mailbox there takes no more for now
	TroubleLosesMail   = "loses_mail"  // its owner has collected later mail, but not what lay there
	TroubleRefuses     = "refuses"     // it has no room for a mailbox of ours
)

// doubt is what the receipts of a contact say against a courier of its.
type doubt struct {
	Courier identity.TransportKey `cbor:"1,keyasint"`
	Times   int                   `cbor:"2,keyasint"`
	At      int64                 `cbor:"3,keyasint"` // Unix seconds of the last time
}

// holds reports whether the courier is not relied on because of the doubt.
func (d *doubt) holds(now time.Time) bool { return d.Times >= doubtsMax && d.fresh(now) }

func (d *doubt) fresh(now time.Time) bool {
	age := now.Sub(time.Unix(d.At, 0))
	return age < doubtKept && age > -time.Minute
}

// dealings is how a mailbox of a contact has answered since the start.
type dealings struct {
	full       time.Time // it took no more: left alone until then
	unanswered int       // times in a row that something had to be left once more
	asked      time.Time // the last of these

	fullParts time.Time // it took no more, parts of files among others: those are left elsewhere until then
	partsGone time.Time // the last time that parts made room there
}

// noParts reports whether parts of files are not to be left in the mailbox.
func (d *dealings) noParts(now time.Time) bool { return d != nil && d.fullParts.After(now) }

// dealingsWith returns what there is to know of a mailbox of the contact.
func (c *contact) dealingsWith(id wire.MailboxID) *dealings {
	if c.dealings == nil {
		c.dealings = make(map[wire.MailboxID]*dealings)
	}
	if c.dealings[id] == nil {
		c.dealings[id] = &dealings{}
	}
	return c.dealings[id]
}

// trouble returns what speaks against leaving mail for a contact in a mailbox of its, or "".
func (p *Peer) trouble(now time.Time, c *contact, m wire.Mailbox) string {
	t, d := p.posts[m.Courier], c.dealings[m.ID]
	i := c.doubtOf(m.Courier)
	switch {
	case i >= 0 && c.state.Doubts[i].holds(now):
		return TroubleLosesMail
	case d != nil && d.full.After(now):
		return TroubleFull
	case d != nil && d.unanswered >= unansweredMax && now.Sub(d.asked) < troubleKept:
		return TroubleSilent
	case t != nil && t.backoff.Tries() >= unreachedMax && now.Sub(t.triedAt) < unreachedKept && p.counter(m.Courier) == nil:
		return TroubleUnreachable
	}
	return ""
}

func (c *contact) doubtOf(courier identity.TransportKey) int {
	return slices.IndexFunc(c.state.Doubts, func(d doubt) bool { return d.Courier == courier })
}

// notAnswered notes that something had to be left once more.
func (d *dealings) notAnswered(now time.Time) {
	if now.Sub(d.asked) >= troubleKept {
		d.unanswered = 0
	}
	d.unanswered++
	d.asked = now
}

// judgeCouriers takes what receipts that came by courier, or in a file, say of the
// couriers of the contact that we left mail with: the contact was on to collect it.
func (p *Peer) judgeCouriers(now time.Time, c *contact, session [32]byte, acked []uint32) {
	if c.live() != nil || c.state.Record == nil || len(acked) == 0 {
		return
	}
	for _, index := range acked {
		if id, ok := c.queue.OnlyIn(session, index); ok {
			if i := c.doubtOf(c.courierAt(id)); i >= 0 && now.Sub(time.Unix(c.state.Doubts[i].At, 0)) >= doubtEased {
				c.state.Doubts = slices.Delete(c.state.Doubts, i, i+1)
				p.touchContact(c)
			}
		}
	}
	for _, id := range c.queue.Passed(session, slices.Max(acked)) {
		if courier := c.courierAt(id); courier != (identity.TransportKey{}) {
			p.doubtCourier(now, c, courier)
		}
	}
}

// courierAt returns the courier of a mailbox that the contact names, or zero.
func (c *contact) courierAt(id wire.MailboxID) (courier identity.TransportKey) {
	for _, m := range c.state.Record.Mailboxes {
		if m.ID == id {
			return m.Courier
		}
	}
	return courier
}

// doubtCourier counts that a contact has not got from a courier what lay there. What lay
// there together was missed once. The user is told when that is enough.
func (p *Peer) doubtCourier(now time.Time, c *contact, courier identity.TransportKey) {
	i := c.doubtOf(courier)
	if i < 0 {
		i = len(c.state.Doubts)
		c.state.Doubts = append(c.state.Doubts, doubt{Courier: courier})
	}
	d := &c.state.Doubts[i]
	switch {
	case !d.fresh(now):
		d.Times = 0
	case now.Sub(time.Unix(d.At, 0)) < doubtEvery:
		return
	}
	d.Times = min(d.Times+1, doubtsMax)
	d.At = now.Unix()
	if d.Times == doubtsMax {
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "courier_loses_mail"})
	}
	p.touchContact(c)
}

// forgetCouriers forgets what is known of couriers and mailboxes that a contact names no
// more.
func (c *contact) forgetCouriers(record *wire.AddressRecord) {
	named := func(courier identity.TransportKey) bool {
		return slices.ContainsFunc(record.Mailboxes, func(m wire.Mailbox) bool { return m.Courier == courier })
	}
	c.state.Doubts = slices.DeleteFunc(c.state.Doubts, func(d doubt) bool { return !named(d.Courier) })
	for id := range c.dealings {
		if !slices.ContainsFunc(record.Mailboxes, func(m wire.Mailbox) bool { return m.ID == id }) {
			delete(c.dealings, id)
		}
	}
}

// courierAddresses returns where one of some couriers is.
func courierAddresses(couriers []wire.Courier, key identity.TransportKey) (received []wire.Address) {
	for _, at := range couriers {
		if at.Key == key {
			received = append(received, at.Address)
		}
	}
	return received
}

// lost reports whether a courier of ours was not reached for long: others come before it.
func (c *contact) lost() bool { return len(c.conns) == 0 && c.backoff.Tries() >= lostTries }

// better compares two couriers of ours: those that are reached come first, of these our
// home nodes, then whoever was reached last.
func better(a, b *contact) int {
	first := func(x, y bool) int {
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	}
	if n := first(!a.lost(), !b.lost()); n != 0 {
		return n
	}
	if n := first(a.row.Role == RoleHome, b.row.Role == RoleHome); n != 0 {
		return n
	}
	return a.backoff.Tries() - b.backoff.Tries()
}

// CourierState is how a courier stands at which mail for a contact is left.
type CourierState struct {
	Reached bool   // there is a connection
	Holds   bool   // it has said that it holds the message that was asked for
	Trouble string // code of what speaks against it, empty = nothing
}

// courierStates returns how the couriers of a contact stand, those first that are tried
// first; e is the envelope that is asked for, or nil.
func (p *Peer) courierStates(now time.Time, c *contact, e *outbox.Entry) (out []CourierState) {
	for _, at := range p.mailboxesOf(now, c) {
		out = append(out, CourierState{
			Reached: p.counter(at.Courier) != nil, Holds: e != nil && e.StoredIn(at.ID), Trouble: at.trouble,
		})
	}
	return out
}
