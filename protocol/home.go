package protocol

import (
	"time"

	"pabal/protocol/mailbox"
	"pabal/protocol/wire"
)

// This file is the pairing of a home node with its owner: a contact without a
// conversation, whom the home node helps on its own terms.

// What a home node keeps for its owner.
const (
	homeQuotaBytes   = 1 << 30
	homeLifetimeDays = 30
)

// An end of a pairing that is over stays until the other one has been told, and its own
// ack is out.
const (
	partingMin   = 5 * time.Second
	partingAgain = time.Minute
	partingMax   = 30 * 24 * time.Hour
)

func roleBy(is bool, role ContactRole) ContactRole {
	if is {
		return role
	}
	return RolePerson
}

// paired begins the help of a home node, unless it has ended before it began: then the
// owner is told.
func (p *Peer) paired(c *contact) {
	switch {
	case c.row.Role != RoleOwner:
	case c.state.PartingSince != 0:
		p.pushTerms(c)
	case c.state.Helping == nil:
		c.state.Helping = &mailbox.Terms{QuotaBytes: homeQuotaBytes, LifetimeDays: homeLifetimeDays}
		p.pushTerms(c)
		p.greetRelays(c)
	}
}

// pairedAnew begins a pairing again whose end one side has not been told of, or whose
// disk is old.
func (p *Peer) pairedAnew(c *contact) {
	switch c.row.Role {
	case RoleHome:
		c.state.PartingSince, c.state.Declined = 0, false
		p.dropInline(c, wire.ContentCourier) // it says that all is over
		p.touchContact(c)
	case RoleOwner:
		c.state.PartingSince = 0
		p.paired(c)
		p.touchContact(c)
	}
}

// ownerLeft takes note that the owner has ended the pairing.
func (p *Peer) ownerLeft(c *contact) {
	c.state.Helping = nil
	p.eraseShelves(c)
	p.greetRelays(c)
	p.part(p.lastNow, c)
}

// part begins the end of a pairing: it is forgotten when the other side has been told.
func (p *Peer) part(now time.Time, c *contact) {
	if c.row.Role == RolePerson || c.state.PartingSince != 0 {
		return
	}
	c.state.PartingSince = now.Unix()
	p.touchContact(c)
	p.dueBy(now.Add(partingMin))
}

// parted reports whether nothing is left to say at the end of a pairing.
func (c *contact) parted(now time.Time) bool {
	if c.state.PartingSince == 0 {
		return false
	}
	age := now.Sub(time.Unix(c.state.PartingSince, 0)) // less than zero: it began by a clock that was ahead
	return age > partingMax || (age >= partingMin || age < 0) && !c.waits() && len(c.state.Closing) == 0
}
