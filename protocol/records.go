package protocol

import (
	"io"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// record makes the address record that a contact gets from us now.
func (p *Peer) record(now time.Time, c *contact) wire.AddressRecord {
	return p.recordNaming(now, c, func(b *box) bool { return b.Standing })
}

// acceptRecord makes the record of an accept. It names mailboxes that are only ordered, too:
// by courier its reader finds them when it finds the accept, and until it answers it may
// hear of no others.
func (p *Peer) acceptRecord(now time.Time, c *contact) wire.AddressRecord {
	return p.recordNaming(now, c, func(b *box) bool { return !b.Refused })
}

func (p *Peer) recordNaming(now time.Time, c *contact, named func(*box) bool) wire.AddressRecord {
	// The time, too: an old disk that was put back has forgotten how many there were.
	p.self.state.RecordSequence = max(p.self.state.RecordSequence+1, uint64(max(now.Unix(), 0)))
	p.self.dirty = true
	first, keys := p.self.recordKeys(dayOf(now))
	if p.self.state.Fixed != nil {
		first, keys = p.transportKeys(now, 1)
	}
	record := wire.AddressRecord{
		Sequence: p.self.state.RecordSequence,
		Expiry:   uint32(now.Add(rendezvous.RecordLifetime).Unix()),
		FirstDay: first, Keys: keys,
		Addresses: p.place(now).Advertised(recordAddressesMax, p.pairTag(c)), Candidates: p.candidates(now),
	}
	p.whereToLeaveMail(now, c, &record, named)
	return record
}

// recordOf makes a record of a request's reply path: it is where the contact is found
// until its first own one comes, whatever becomes of the request. Loopback addresses
// of our machine get the tag of the pair in place of the link's.
func (p *Peer) recordOf(now time.Time, c *contact, reply wire.ReplyPath, linkTag [8]byte) *wire.AddressRecord {
	record := &wire.AddressRecord{
		Expiry: uint32(now.Add(rendezvous.RecordLifetime).Unix()), FirstDay: reply.FirstDay,
		Keys: reply.Keys, Addresses: slices.Clone(reply.Addresses), Couriers: byTCPToo(reply.Couriers),
	}
	for i := range record.Addresses {
		if a := &record.Addresses[i]; a.IP.IsLoopback() && a.HostTag == linkTag {
			a.HostTag = p.pairTag(c)
		}
	}
	return record
}

// pushIntroduction queues what a new session begins with: our device list, our
// name, where we are, which list of theirs we know, and what we keep for them: an old
// disk may know otherwise, on either side.
func (p *Peer) pushIntroduction(now time.Time, c *contact, ps *pairSession) {
	list := p.self.presented().list
	p.pushInline(c, wire.Content{Type: wire.ContentDeviceList, List: &list})
	p.pushProfile(c)
	p.pushStock(c)
	c.groupsDue = true
	c.state.PictureDue = (p.self.state.PictureSequence > 0 || ps.generation > 0) && c.row.Role == RolePerson
	p.pushRecord(now, c)
	p.pushListHead(c)
	p.pushTimer(now, c)
	if c.state.Helping != nil || c.row.Phase == ContactEstablished && c.row.Role != RoleHome { // to which no terms say that all is over
		p.pushTerms(c)
	}
}

func (p *Peer) pushProfile(c *contact) {
	if len(c.sessions) == 0 {
		return // a session begins with it
	}
	p.dropInline(c, wire.ContentProfile)
	p.pushInline(c, wire.Content{Type: wire.ContentProfile, Sequence: p.self.state.NameSequence + 1, Text: p.self.name})
}

func (p *Peer) pushRecord(now time.Time, c *contact) {
	record := p.record(now, c)
	c.state.RecordAt = now.Unix()
	p.pushInline(c, wire.Content{Type: wire.ContentAddressRecord, Record: &record})
}

func (p *Peer) pushListHead(c *contact) {
	if c.state.List == (identity.ListHead{}) {
		return
	}
	head := c.state.List
	p.dropInline(c, wire.ContentListHead)
	p.pushInline(c, wire.Content{Type: wire.ContentListHead, Head: &head})
}

// pushRecords tells every contact that our addresses changed.
func (p *Peer) pushRecords(now time.Time) {
	for _, c := range p.contactsInOrder() {
		if len(c.sessions) > 0 && !c.row.Blocked {
			p.dropInline(c, wire.ContentAddressRecord)
			p.pushRecord(now, c)
		}
	}
}

// renewRecord sends a record again when half of its days are used, or if it was made
// when our clock was ahead: its keys are of other days.
func (p *Peer) renewRecord(now time.Time, c *contact) {
	if len(c.sessions) == 0 || c.row.Blocked {
		return
	}
	if age := now.Sub(time.Unix(c.state.RecordAt, 0)); age > rendezvous.RecordRefresh || age < -24*time.Hour {
		p.dropInline(c, wire.ContentAddressRecord)
		p.pushRecord(now, c)
	}
}

// dropInline takes contents of one type out of what waits: a newer one follows.
func (p *Peer) dropInline(c *contact, t wire.ContentType) {
	stale := func(b []byte) bool {
		content, _, err := wire.DecodeContent(b)
		return err == nil && content.Type == t
	}
	c.state.Inline = slices.DeleteFunc(c.state.Inline, stale)
	c.queue.RemoveInline(stale)
	p.touchContact(c)
}

// reseed gives the pair chain fresh randomness once a month; the contact with
// the smaller account key does it.
func (p *Peer) reseed(now time.Time, c *contact) {
	ps := c.sending()
	own := p.self.account
	if ps == nil || c.row.Phase != ContactEstablished || slices.Compare(own[:], c.row.Account[:]) > 0 {
		return
	}
	last := max(ps.since, c.state.ReseededAt)
	if now.Sub(time.Unix(last, 0)) < reseedEvery {
		return
	}
	r := wire.Reseed{Day: dayOf(now) + identity.ReseedDaysAheadMin}
	if _, err := io.ReadFull(p.random, r.Random[:]); err != nil {
		return // the next scan tries again
	}
	chain, err := ps.chain.Reseed(dayOf(now), r.Day, r.Random, true)
	if err != nil {
		return
	}
	ps.chain, ps.dirty = chain, true
	c.state.ReseededAt = now.Unix()
	p.pushInline(c, wire.Content{Type: wire.ContentReseed, Reseed: &r})
}

func (p *Peer) reseedReceived(now time.Time, c *contact, ps *pairSession, r *wire.Reseed) {
	own := p.self.account
	if r == nil || slices.Compare(own[:], c.row.Account[:]) < 0 {
		return
	}
	chain, err := ps.chain.Reseed(dayOf(now), r.Day, r.Random, false)
	if err != nil {
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "malformed_content"})
		return
	}
	ps.chain, ps.dirty = chain, true
}
