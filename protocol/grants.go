package protocol

import (
	"slices"
	"time"

	"pabal/protocol/wire"
)

// This file is for renewals that we have granted while a session was good: a request shows nothing but
// that its maker has the recovery secret, so nothing changes until the first frame of the new session
// (spec, "Renewal", "Granting").

// grant is a renewal of which no frame has come.
type grant struct {
	SID  [32]byte    `cbor:"1,keyasint"` // of the session that it begins
	Have []wire.Have `cbor:"2,keyasint"` // of the request
}

// grantUnproved begins the session of a renewal that somebody has asked for who has not shown that they
// hold a device key. It takes the place of one that was asked for with the same secret.
func (p *Peer) grantUnproved(now time.Time, c *contact, n newSession, have []wire.Have) {
	for _, old := range slices.Clone(c.sessions) {
		if c.granted(old.sid) >= 0 && old.recovery == n.recovery {
			p.endSession(c, old)
		}
	}
	c.state.Granted = append(c.state.Granted, grant{SID: n.root.SID, Have: have})
	p.begin(now, c, n)
}

// granted finds the grant that a session begins, -1 if there is none.
func (c *contact) granted(sid [32]byte) int {
	return slices.IndexFunc(c.state.Granted, func(g grant) bool { return g.SID == sid })
}

// takeGrant forgets the grant that a session begins, and returns the have vector of the request.
func (c *contact) takeGrant(sid [32]byte) (have []wire.Have, ok bool) {
	i := c.granted(sid)
	if i < 0 {
		return nil, false
	}
	have = c.state.Granted[i].Have
	c.state.Granted = slices.Delete(c.state.Granted, i, i+1)
	return have, true
}

// knownGeneration returns the highest generation that was, but for those of grants: these are what
// anybody who has the secret has named.
func (c *contact) knownGeneration() uint32 {
	known := c.state.Generation
	for _, ps := range c.sessions {
		if c.granted(ps.sid) < 0 {
			known = max(known, ps.generation)
		}
	}
	return known
}

// askedUpTo returns the generation above which we ask for a renewal: the contact may hold what we have
// granted, and must be able to take what we ask for, however far ahead somebody else has asked.
func (c *contact) askedUpTo() uint32 {
	known := c.knownGeneration()
	return max(known, min(c.highestGeneration(), known+formerJumpMax))
}

// awaited reports whether nothing is to be left for a contact with couriers but the accept of its
// renewal: what it collects before that opens with no session.
func (c *contact) awaited() bool { return c.state.AcceptByCourier && !c.confirmed() }
