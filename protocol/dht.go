package protocol

import (
	"io"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// This file is the last rung: contacts to whom no path worked for long are told where we
// are, and looked for, by sealed records in a public DHT (spec, "Public DHT"). It is off
// until the user wants it.

// search is what the last rung does, for all contacts together. At each turn one record
// is published or one name looked up, in turn, and none of it says whether it is for a
// contact: a turn that no contact needs is spent on a name that nobody else knows.
type search struct {
	on     bool
	next   time.Time // of the next turn; zero: none is planned
	until  time.Time // turns go on until then; zero: nobody is sought
	made   uint32    // of the record published last
	number uint64    // of the turn under way, 0 = none
	began  time.Time
	target ContactID // for whom; zero: for nobody
	name   rendezvous.DHTName
}

// finding is how a contact is sought by the last rung.
type finding struct {
	told     *wire.DHTRecord // what was published for it last,
	toldAs   identity.RecordName
	toldAt   time.Time // when
	lookedAt time.Time // when a name of its was looked up last
	looks    int       // that found nothing new
	tried    string    // code of the last look-up or publication that failed
	triedAt  time.Time
}

// setDHT begins or ends the last rung.
func (p *Peer) setDHT(now time.Time, in SetDHT) {
	if in.On && p.search.on {
		return
	}
	p.search = search{on: in.On, number: p.search.number, began: p.search.began}
	for _, c := range p.contactsInOrder() {
		c.find = finding{}
		if !in.On && c.state.LostSince != 0 {
			c.state.LostSince = 0
			p.touchContact(c)
		}
		p.stir(c)
	}
	p.dueBy(now)
}

// noteLost keeps since when something waits for a contact and no path works. Before a Peer
// that was loaded is told whether the last rung is on, what was kept stays.
func (p *Peer) noteLost(now time.Time, c *contact) {
	if !p.search.on {
		return
	}
	since := c.state.LostSince
	switch lost := c.seekable() && c.waits() && len(c.conns) == 0; {
	case !lost:
		since = 0
	case since == 0 || since > now.Unix():
		since = now.Unix()
	}
	if since != c.state.LostSince {
		c.state.LostSince = since
		p.touchContact(c)
	}
}

// heardOf begins to count anew for a contact: a courier has taken mail for it, or has
// had some from it.
func (p *Peer) heardOf(now time.Time, c *contact) {
	if c.state.LostSince != 0 {
		c.state.LostSince = now.Unix()
		p.touchContact(c)
	}
}

// seekable reports whether a contact may be sought by the last rung at all: it must have
// proved itself before, since our addresses go to it.
func (c *contact) seekable() bool {
	return c.row.Phase == ContactEstablished && !c.row.Blocked && c.state.PartingSince == 0 && c.first() != nil
}

// soughtFrom returns when a contact begins to be sought; zero is never. If couriers hold
// all that waits, they are given time to hand it over.
func (p *Peer) soughtFrom(c *contact) time.Time {
	if !p.search.on || c.state.LostSince == 0 || !c.seekable() {
		return time.Time{}
	}
	wait := dhtAfter
	if c.queue.WaitingLen() == 0 && len(c.state.Voids) == 0 &&
		!slices.ContainsFunc(c.queue.Unacknowledged(), func(e *outbox.Entry) bool { return c.carried(e) == 0 }) {
		wait = dhtAfterCarried
	}
	return time.Unix(c.state.LostSince, 0).Add(wait)
}

// sought reports whether a contact is sought now by what was done for it last at a time:
// in every turn at first, later rarely.
func (p *Peer) sought(now time.Time, c *contact, last time.Time) bool {
	from := p.soughtFrom(c)
	if from.IsZero() || from.After(now) {
		return false
	}
	return now.Sub(from) < dhtEagerFor || now.Sub(last) >= dhtRarely
}

// seek takes a turn of the last rung when one is due, and finds out when the next is.
func (p *Peer) seek(now time.Time) {
	s := &p.search
	if !s.on {
		return
	}
	for _, c := range p.contactsInOrder() {
		switch from := p.soughtFrom(c); {
		case from.IsZero():
		case from.After(now):
			p.dueBy(from)
		default:
			s.until = now.Add(dhtGoesOn)
		}
	}
	switch {
	case s.until.Before(now):
		s.next, s.until = time.Time{}, time.Time{}
		return
	case s.number != 0 && now.Sub(s.began) < dhtAnswered:
		p.dueBy(s.began.Add(dhtAnswered))
		return
	case s.next.IsZero():
		s.next = now.Add(dhtFirst * time.Duration(p.randomByte()) / 256)
		if kept := time.Unix(p.self.state.NextTurn, 0); kept.Before(now.Add(dhtEvery)) { // a restart brings no turn nearer
			s.next = later(s.next, kept)
		}
	}
	if !s.next.After(now) {
		p.turn(now)
	}
	p.dueBy(s.next)
}

// turn publishes or looks up, by turns also over restarts.
func (p *Peer) turn(now time.Time) {
	p.search.next = now.Add(dhtEvery - dhtEvery/4*time.Duration(p.randomByte())/256)
	state := &p.self.state
	state.NextTurn, state.Published, p.self.dirty = p.search.next.Unix(), !state.Published, true
	if state.Published {
		p.publish(now)
	} else {
		p.lookUp(now)
	}
}

// publish publishes our record for the contact whose turn it is, or noise.
func (p *Peer) publish(now time.Time) {
	s := &p.search
	made := max(uint32(now.Unix()), s.made+1)
	c := p.toTell(now)
	if c == nil {
		p.publishNoise(now, made)
		return
	}
	record := p.whereabouts(now, c)
	name, _ := p.ownName(now, c)
	record.Made = made
	sealed, err := name.Seal(p.random, &record)
	if err != nil {
		return // without randomness nothing is sent
	}
	c.find.told, c.find.toldAs, c.find.toldAt = &record, name.Seed.Public(), now
	p.published(now, made, c.row.ID, name, sealed)
}

// publishNoise publishes what looks like a record under a name that nobody looks up.
func (p *Peer) publishNoise(now time.Time, made uint32) {
	seed, err := identity.NewRecordSeed(p.random)
	sealed := make([]byte, wire.DHTRecordSize)
	if err == nil {
		_, err = io.ReadFull(p.random, sealed)
	}
	if err == nil {
		p.published(now, made, ContactID{}, rendezvous.DHTName{Seed: seed}, sealed)
	}
}

func (p *Peer) published(now time.Time, made uint32, target ContactID, name rendezvous.DHTName, sealed []byte) {
	p.search.made = made
	p.beginTurn(now, target, name)
	p.send(PublishRecord{
		Number: p.search.number, Seed: name.Seed, Sequence: uint64(made), Until: now.Add(dhtKept), Sealed: sealed,
		Deadline: now.Add(dhtAnswered), For: target,
	})
}

// inTurn returns the contacts that are sought now, those served longest ago first; last is
// when one was.
func (p *Peer) inTurn(now time.Time, last func(*finding) time.Time) (out []*contact) {
	for _, c := range p.contactsInOrder() {
		if p.sought(now, c, last(&c.find)) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b *contact) int { return last(&a.find).Compare(last(&b.find)) })
	return out
}

// toTell returns the first contact in turn under whose name of the day something else lies
// than should; nil if there is none. Who was told long ago is one, so that few are looked at.
func (p *Peer) toTell(now time.Time) *contact {
	for _, c := range p.inTurn(now, func(f *finding) time.Time { return f.toldAt }) {
		name, ok := p.ownName(now, c)
		if !ok {
			continue
		}
		f, record := &c.find, p.whereabouts(now, c)
		if f.told == nil || f.toldAs != name.Seed.Public() || now.Sub(f.toldAt) >= dhtKept/2 || !record.SameAs(f.told) {
			return c
		}
	}
	return nil
}

// whereabouts is what a contact is told, but for the time.
func (p *Peer) whereabouts(now time.Time, c *contact) wire.DHTRecord {
	first, keys := p.transportKeys(now, wire.DHTRecordKeysMax)
	var at wire.AddressRecord
	p.whereToLeaveMail(now, c, &at, func(b *box) bool { return b.Standing })
	return wire.DHTRecord{
		FirstDay: first, Keys: keys, Mailboxes: at.Mailboxes, Couriers: at.Couriers,
		Addresses: slices.Concat(p.candidates(now), p.place(now).Advertised(recordAddressesMax, p.pairTag(c))),
	}
}

// ownName is the name under which a contact looks for us now.
func (p *Peer) ownName(now time.Time, c *contact) (rendezvous.DHTName, bool) {
	key, ok := c.first().chain.Speak(rendezvous.DHTDay(now, c.state.Recovery))
	return rendezvous.NewDHTName(key.Key, way(p.self.account, c.row.Account)), ok
}

// lookUp looks up a name of the contact whose turn it is, or one that nobody has.
func (p *Peer) lookUp(now time.Time) {
	target, name, ok := ContactID{}, rendezvous.DHTName{}, false
	if list := p.inTurn(now, func(f *finding) time.Time { return f.lookedAt }); len(list) > 0 {
		c := list[0]
		if name, ok = p.theirName(now, c); ok {
			target = c.row.ID
		}
		c.find.lookedAt = now
		c.find.looks++
	}
	if !ok {
		var err error
		if name.Seed, err = identity.NewRecordSeed(p.random); err != nil {
			return // without randomness nothing is sent
		}
	}
	p.beginTurn(now, target, name)
	p.send(LookUpRecord{Number: p.search.number, Name: name.Seed.Public(), Deadline: now.Add(dhtAnswered), For: target})
}

// theirName is a name under which a contact may tell us where it is: every other time one
// of today, else one of the days beside it and of the last day that both sides know of.
func (p *Peer) theirName(now time.Time, c *contact) (rendezvous.DHTName, bool) {
	day := rendezvous.DHTDay(now, c.state.Recovery)
	var keys, others []identity.HelloKey
	for _, ps := range c.sessions {
		for _, k := range ps.chain.Listen(day) {
			if k.Day == day {
				keys = append(keys, k)
			} else {
				others = append(others, k)
			}
		}
	}
	if len(keys) == 0 || c.find.looks%2 == 1 && len(others) > 0 {
		keys = others
	}
	if len(keys) == 0 {
		return rendezvous.DHTName{}, false
	}
	return rendezvous.NewDHTName(keys[c.find.looks/2%len(keys)].Key, way(c.row.Account, p.self.account)), true
}

func (p *Peer) beginTurn(now time.Time, target ContactID, name rendezvous.DHTName) {
	s := &p.search
	s.number, s.began, s.target, s.name = p.number(), now, target, name
}

// endTurn ends the turn with a number, and returns for whom it was; nil: for nobody, or for
// somebody who is none of ours any more.
func (p *Peer) endTurn(number uint64) (c *contact, name rendezvous.DHTName) {
	s := &p.search
	if number == 0 || number != s.number {
		return nil, name
	}
	c, name = p.contacts[s.target], s.name
	s.number, s.target, s.name = 0, ContactID{}, rendezvous.DHTName{}
	p.dueBy(s.next)
	return c, name
}

func (p *Peer) recordPublished(now time.Time, in RecordPublished) {
	c, _ := p.endTurn(in.Number)
	if c == nil || in.Code == "" {
		return
	}
	c.find.told, c.find.tried, c.find.triedAt = nil, in.Code, now
}

// recordLookedUp takes what was found under a contact's name, if the contact made it and
// it is newer than what was found before.
func (p *Peer) recordLookedUp(now time.Time, in RecordLookedUp) {
	c, name := p.endTurn(in.Number)
	if c == nil {
		return
	}
	c.find.tried, c.find.triedAt = in.Code, now
	if in.Code != "" {
		return
	}
	record, err := name.Open(in.Sealed)
	if err != nil {
		c.find.tried = WhyNoRecord
		return
	}
	if made := int64(record.Made); made <= c.state.FoundMade && c.state.FoundMade <= now.Add(dhtAhead).Unix() {
		return // played again
	}
	c.state.FoundMade, c.find.looks = int64(record.Made), 0
	p.found(c, record)
}

// found has a record take the place of what the last address record said, until one comes
// that does not go by the DHT. What it does not name stays behind it as far as there is
// room: mail of ours may lie there.
func (p *Peer) found(c *contact, record *wire.DHTRecord) {
	var known wire.AddressRecord
	if c.state.Record != nil {
		known = *c.state.Record
	}
	if !names(&known, record) {
		known.FirstDay, known.Keys = record.FirstDay, record.Keys
	}
	boxes, couriers := slices.Clone(record.Mailboxes), slices.Clone(record.Couriers)
	for _, m := range known.Mailboxes {
		if !slices.ContainsFunc(boxes, func(o wire.Mailbox) bool { return o.Courier == m.Courier }) && len(boxes) < wire.RecordMailboxesMax {
			boxes = append(boxes, m)
		}
	}
	for _, at := range known.Couriers {
		if !slices.ContainsFunc(record.Couriers, func(o wire.Courier) bool { return o.Key == at.Key }) && len(couriers) < wire.RecordCouriersMax {
			couriers = append(couriers, at)
		}
	}
	known.Mailboxes, known.Couriers = boxes, couriers
	known.Addresses, known.Candidates = record.Addresses, nil
	p.takeRecord(c, &known)
}

// names reports whether an address record has the keys of the days of a record of the DHT
// already, and those of more days.
func names(known *wire.AddressRecord, record *wire.DHTRecord) bool {
	from := int64(record.FirstDay) - int64(known.FirstDay)
	until := from + int64(len(record.Keys))
	return len(record.Keys) > 1 && from >= 0 && until <= int64(len(known.Keys)) && slices.Equal(known.Keys[from:until], record.Keys)
}

// dhtRung is how a contact stands on the last rung; false if that is off, or nothing waits.
func (p *Peer) dhtRung(now time.Time, c *contact) (a Attempt, on bool) {
	from := p.soughtFrom(c)
	if from.IsZero() {
		return a, false
	}
	a = Attempt{Rung: RungDHT}
	if c.find.tried != "" {
		a.LastTry, a.LastError = c.find.triedAt, c.find.tried
	}
	if s := &p.search; s.number != 0 && s.target == c.row.ID {
		a.Trying, a.Deadline = true, s.began.Add(dhtAnswered)
	} else {
		a.NextTry = later(later(s.next, from), now)
	}
	return a, true
}
