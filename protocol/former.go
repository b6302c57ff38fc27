package protocol

import (
	"slices"
	"time"
)

// This file is for two of whom one knows an earlier recovery secret only: its disk is an old one, or a
// backup was restored (spec, "Renewal").

// goBy makes the recovery secret of a session that of the contact. The ones before stay known: an
// old disk of the contact, or a backup, has no other.
func (c *contact) goBy(ps *pairSession) {
	old := c.state.Recovery
	c.state.Recovery = ps.recovery
	if old == ps.recovery || old == [32]byte{} {
		return
	}
	all := slices.DeleteFunc(c.state.Former, func(s [32]byte) bool { return s == old || s == ps.recovery })
	all = slices.Insert(all, 0, old)
	c.state.Former = all[:min(len(all), formerMax)]
}

// lag is how the maker of a request for a renewal is behind us.
type lag uint8

const (
	abreast  lag = iota
	lagging      // it asks for a generation that we have had: it has forgotten that
	outdated     // it asks by a secret that we do not go by any more
	unknown      // it asks by one that we do not know, if by any
)

// former is what a renewal was asked for by whose maker does not know the secret that we go by.
type former struct {
	secret     [32]byte
	generation uint32
}

// isFormer reports whether no session of ours, and no renewal that we ask for, is of a secret: we
// have gone on by another one since. A grant whose accept is on offer no more counts for none.
func (p *Peer) isFormer(c *contact, secret [32]byte) bool {
	ofSecret := func(ps *pairSession) bool {
		return ps.recovery == secret && (c.granted(ps.sid) < 0 || ps.sid == c.state.AcceptSID)
	}
	return slices.Contains(c.state.Former, secret) && !slices.ContainsFunc(c.sessions, ofSecret) &&
		(c.state.Repair == nil || c.state.Repair.Recovery != secret)
}

// askedFormerly notes by which secret a contact has asked who does not know the one that we go by:
// its disk is an old one, or a backup was restored. It may also be a late copy, so nothing is granted.
// If we ask, then by that secret: by ours nothing would come.
func (p *Peer) askedFormerly(now time.Time, c *contact, by former) {
	by.generation = min(by.generation, c.knownGeneration()+formerJumpMax) // nothing is granted for it: the contact must be able to take ours
	if by.secret == c.former.secret {
		by.generation = max(by.generation, c.former.generation)
	}
	c.former = by
	if r := c.state.Repair; r != nil {
		c.former.generation = max(by.generation, r.Generation) // it may have been granted
		if r.Recovery == c.state.Recovery {
			c.repairAt = time.Time{} // once: then it is that of an earlier secret
		}
		c.state.Repair = nil
		p.touchContact(c)
		p.repairIfForked(now, c)
	}
}

// askByNext has us ask by the next secret, at most once a day: the contact asks by one that we do not
// know, so it may not know ours.
func (p *Peer) askByNext(now time.Time, c *contact) {
	r := c.state.Repair
	if r == nil || len(c.state.Former) == 0 || !p.pleads(now, c) {
		return
	}
	all := c.secrets()
	next := all[(slices.Index(all, r.Recovery)+1)%len(all)]
	c.state.Repair, c.former, c.repairAt = nil, former{next, r.Generation}, time.Time{}
	p.repairIfForked(now, c)
}

// pleads counts a renewal that is asked for because of what somebody else may have made: it reports
// false if there was one in the last day.
func (p *Peer) pleads(now time.Time, c *contact) bool {
	if since := now.Sub(time.Unix(c.state.PleadedAt, 0)); since >= 0 && since < pleadEvery {
		return false
	}
	c.state.PleadedAt = now.Unix()
	p.touchContact(c)
	return true
}
