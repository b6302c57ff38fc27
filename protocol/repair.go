package protocol

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// repair is a request of ours that renews the session with a contact.
type repair struct {
	Request    *invite.Asking `cbor:"1,keyasint"`
	Generation uint32         `cbor:"2,keyasint"`
	Recovery   [32]byte       `cbor:"3,keyasint"` // the secret it was made with
	At         int64          `cbor:"4,keyasint"` // Unix seconds
}

// fork is what happens when a session shows that one side lost or cloned its
// state: sealing stops, the past of the session is not trusted any more, and
// both devices make a new session.
func (p *Peer) fork(now time.Time, c *contact, ps *pairSession) {
	if ps != c.first() {
		granted := c.granted(ps.sid) >= 0
		p.endSession(c, ps)
		if !granted || c.first() == nil {
			return
		}
		// Only the contact's device speaks in what we have granted, and it holds no earlier session then.
		c.state.Generation = max(c.state.Generation, ps.generation)
	}
	if !c.forked {
		c.forked, c.state.Forked = true, true
		p.touchContact(c)
	}
	p.repairIfForked(now, c)
}

// repairIfForked asks for a new session, at most once in ten minutes and three
// times a day: more often means that this device runs twice.
func (p *Peer) repairIfForked(now time.Time, c *contact) {
	if !c.forked || c.state.Repair != nil || now.Before(c.repairAt) || c.row.Blocked {
		return
	}
	c.repairAt = now.Add(repairEvery)
	if !p.mayRenew(now, c) {
		return
	}
	ps := c.first()
	recovery, generation := c.state.Recovery, c.askedUpTo()
	if ps != nil && ps.confirmed {
		recovery, generation = ps.recovery, max(generation, ps.generation)
	}
	if c.former.secret != [32]byte{} {
		recovery, generation = c.former.secret, max(generation, c.former.generation)
	}
	if c.overtakes {
		generation++
	}
	list := p.self.presented().list
	day, keys := p.transportKeys(now, wire.ReplyPathKeysMax)
	asking, err := invite.AskRepair(p.random, p.ourself(), invite.PeerDevice{Account: c.row.Account, Device: c.state.Device}, recovery,
		wire.RequestPayload{
			Generation: generation + 1, List: &list, Have: c.conv.haves(),
			Reply: wire.ReplyPath{
				FirstDay: day, Keys: keys,
				Addresses: p.ownAddresses(now, wire.ReplyPathAddressesMax, p.pairTag(c)),
			},
		})
	if err != nil {
		return // the next scan tries again
	}
	c.state.Repair, c.former, c.overtakes = &repair{Request: asking, Generation: generation + 1, Recovery: recovery, At: now.Unix()}, former{}, false
	c.asks.Clear()
	p.touchContact(c)
	if k := c.live(); k != nil {
		p.sendRepair(c, k)
	}
}

// renewalsToday counts the renewals of the last day, and forgets those of before.
func (c *contact) renewalsToday(now time.Time) int {
	dayAgo := now.Add(-24 * time.Hour).Unix()
	c.state.Renewals = slices.DeleteFunc(c.state.Renewals, func(at int64) bool { return at <= dayAgo || at > now.Unix() })
	return len(c.state.Renewals)
}

// mayRenew reports whether one more is allowed.
func (p *Peer) mayRenew(now time.Time, c *contact) bool {
	if c.renewalsToday(now) < renewalsPerDayMax {
		return true
	}
	c.repairAt = time.Unix(c.state.Renewals[0], 0).Add(24*time.Hour + time.Second)
	p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "device_runs_twice"})
	return false
}

func (p *Peer) sendRepair(c *contact, k *conn) {
	if c.state.Repair == nil {
		return
	}
	c.repairSent = p.lastNow
	d := wire.DepositedRequest{Request: [wire.RequestSize]byte(c.state.Repair.Request.Request)}
	p.send(SendFrame{Conn: k.id, Type: wire.TypeRequest, Body: d.Append(nil)})
}

// repairAsked takes a request for a renewal that came on a connection. Who has proved itself
// by the recovery secret and is behind holds no session of ours: we ask in its place.
func (p *Peer) repairAsked(now time.Time, k *conn, bytes []byte) error {
	c := k.contact
	var sent *repair // in the greeting
	if c != nil {
		sent = c.state.Repair
	}
	accept, lag, err := p.repairRequested(now, c, bytes)
	if accept != nil {
		p.send(SendFrame{Conn: k.id, Type: wire.TypeAccept, Body: accept})
	}
	if lag == abreast || err != nil || c.first() == nil {
		return err
	}
	var asks bool
	switch lag {
	case lagging:
		asks = k.proof == byRecovery
	case outdated, unknown: // who only stole the secret gets one renewal a day out of us, and none while the contact is here
		asks = k.path() || k.proof == byRecovery && c.live() == nil && (c.state.Repair != nil || p.pleads(now, c))
	}
	if asks {
		p.fork(now, c, c.first())
		if c.state.Repair != sent && !k.path() { // else two who open nothing of each other would go on so
			p.sendRepair(c, k)
		}
	}
	return nil
}

// repairRequested accepts a contact's renewal. A device that we know is taken at
// once; a new one needs a device list that follows the one we know.
// It returns the bytes of the accept, nil if there is none.
func (p *Peer) repairRequested(now time.Time, c *contact, bytes []byte) (accept []byte, lags lag, err error) {
	if c == nil || c.row.Account == (identity.AccountPublic{}) {
		return nil, abreast, nil
	}
	print := identity.Hash(bytes)
	if print == c.state.AcceptTo { // who asks for it again when the session has long begun has lost it
		if ps := c.first(); len(c.state.Accept) == 0 && ps != nil && now.Sub(time.Unix(ps.since, 0)) >= strayAfter {
			return nil, lagging, nil
		}
		return c.state.Accept, abreast, nil
	}
	in, recovery := p.openRepair(c, bytes)
	switch {
	case in == nil:
		p.askByNext(now, c)
		return nil, unknown, nil
	case in.Payload.Generation > c.knownGeneration()+generationJumpMax:
		return nil, abreast, nil
	case p.isFormer(c, recovery):
		p.askedFormerly(now, c, former{recovery, in.Payload.Generation})
		return nil, outdated, nil
	case in.Payload.Generation <= c.state.Generation:
		return nil, lagging, nil
	case p.oursGoesOn(c, in.Payload.Generation, recovery) || !p.knownDevice(c, in.Payload) || !p.mayRenew(now, c):
		return nil, abreast, nil
	}
	done, err := in.Accept(p.random, wire.AcceptPayload{Day: dayOf(now), Record: p.acceptRecord(now, c), Have: c.conv.haves()})
	if err != nil {
		return nil, abreast, errRandom
	}
	p.dropAccept(c) // of an earlier one
	c.state.Accept, c.state.AcceptTo, c.state.AcceptSlot, c.state.AcceptSID = done.Accept, print, in.Slot(), done.Root.SID
	n := newSession{
		root: done.Root, ratchet: done.Ratchet, peer: done.PeerRatchet, day: dayOf(now), generation: in.Payload.Generation,
		recovery: recovery,
	}
	if c.confirmed() {
		p.grantUnproved(now, c, n, in.Payload.Have)
	} else {
		p.renewed(now, c, p.begin(now, c, n), in.Payload.Have)
	}
	return done.Accept, abreast, nil
}

// oursGoesOn reports whether a renewal that we asked for comes before one that the
// contact asks for at the same time: of the higher generation, then of the smaller
// account. If they were made with different secrets, the contact may not open ours.
func (p *Peer) oursGoesOn(c *contact, theirs uint32, secret [32]byte) bool {
	r := c.state.Repair
	if r == nil || r.Recovery != secret || r.Generation < theirs {
		return false
	}
	own := p.self.account
	return r.Generation > theirs || slices.Compare(own[:], c.row.Account[:]) < 0
}

// openRepair opens a renewal with a recovery secret that we share with the contact, and returns
// that, too.
func (p *Peer) openRepair(c *contact, bytes []byte) (*invite.Incoming, [32]byte) {
	for _, s := range c.secrets() {
		if in, err := invite.OpenRepair(p.ourself(), c.row.Account, s, bytes); err == nil {
			return in, s
		}
	}
	return nil, [32]byte{}
}

// knownDevice reports whether a renewal comes from the device that we know, or
// from one that the account's next list names. The latter changes what was
// verified.
func (p *Peer) knownDevice(c *contact, payload *wire.RequestPayload) bool {
	if payload.Entry.Device.Equal(c.state.Device) {
		return true
	}
	if payload.List == nil {
		return false
	}
	relation, err := c.state.List.Follow(c.row.Account, *payload.List)
	if err != nil || relation != identity.ListNewer {
		return false
	}
	if _, listed := payload.List.Find(payload.Entry.Device); !listed {
		return false
	}
	p.listReceived(c, payload.List)
	c.state.Device = payload.Entry.Device
	return true
}

// repairAccepted takes the accept of a renewal that we asked for. It reports false if
// the accept is not one: then the request goes on waiting.
func (p *Peer) repairAccepted(now time.Time, c *contact, body []byte) bool {
	r := c.state.Repair
	answered, err := r.Request.OpenAccept(p.ourself(), body)
	if err != nil {
		return false
	}
	c.state.Repair = nil
	if len(c.state.Accept) > 0 {
		p.dropAccept(c) // of a session that this one replaces
	}
	ps := p.begin(now, c, newSession{
		root: answered.Root, invitee: true, ratchet: answered.Ratchet, peer: answered.PeerRatchet,
		day: answered.Payload.Day, generation: r.Generation, recovery: r.Recovery,
	})
	c.state.Unheard = ps.sid
	p.renewed(now, c, ps, answered.Payload.Have)
	p.recordReceived(c, &answered.Payload.Record)
	ps.ackDue = true // the first frame, sent at once
	return true
}

// renewed has the session of a renewal replace those of earlier generations. What was not
// acknowledged in them is sealed anew.
//
// A session by a link that is not proved yet is kept: whoever asked for both may have taken that one,
// and then its first frame comes.
func (p *Peer) renewed(now time.Time, c *contact, ps *pairSession, have []wire.Have) {
	for _, old := range slices.Clone(c.sessions) {
		if old.generation < ps.generation && (old.confirmed || old.recovery == ps.recovery) {
			p.endSession(c, old)
		}
	}
	c.forked, c.state.Forked, c.state.Bereft = false, false, false
	c.state.RenewedAt, c.state.Differs = now.Unix(), false
	c.startAnew()
	if r := c.state.Repair; r != nil && r.Recovery == ps.recovery {
		c.state.Repair = nil // else it may have been granted: the first frame tells
	}
	c.state.Renewals = append(c.state.Renewals, now.Unix())
	c.state.Inline = slices.DeleteFunc(c.state.Inline, ofSession)
	c.queue.RemoveInline(ofSession)
	p.pushIntroduction(now, c, ps)
	c.goBy(ps) // the asker has shown that it knows this one, whatever came by links meanwhile
	c.state.Generation = max(c.state.Generation, ps.generation)
	if c.row.Phase == ContactEstablished { // else the first frame does
		p.settleRequests(c)
	}
	p.contactEvent(ContactRenewed, c)
	p.reconcileAll(c, have)
}

// settleRequests erases the contact's requests that we accepted with sessions of which nothing is
// left: they ended, or did not come along in a backup. Nobody could talk in them.
func (p *Peer) settleRequests(c *contact) {
	for _, r := range p.requestsInOrder() {
		if r.row.Contact == c.row.ID && c.session(r.state.SID) == nil {
			p.eraseRequest(r)
		}
	}
}

// startAnew lets the next name, the next picture and the next record of a contact count,
// whatever their numbers: who was put back to an old state counts from there again.
func (c *contact) startAnew() {
	c.state.TheirName, c.state.PictureAnew = 0, true
	if c.state.Record != nil {
		again := *c.state.Record
		again.Sequence = 0
		c.state.Record = &again
	}
}

// endEarlier ends the sessions of generations before that of one that the peer is
// known to hold, and reports whether there were any.
func (p *Peer) endEarlier(c *contact, ps *pairSession) bool {
	if !p.endBefore(c, ps.generation) {
		return false
	}
	c.forked, c.state.Forked = false, false
	c.state.Repair = nil
	c.startAnew()
	return true
}

func (p *Peer) endBefore(c *contact, generation uint32) (ended bool) {
	for _, old := range slices.Clone(c.sessions) {
		if old.generation < generation {
			p.endSession(c, old)
			ended = true
		}
	}
	return ended
}

// mayAskAnew reports whether a contact may have removed us, so that a link of its leads to
// something: who is on a path to us has not.
func (c *contact) mayAskAnew() bool {
	return c.row.Role == RolePerson && !c.row.Blocked && len(c.conns) == 0
}

// firstSID is the sid of the first session, zeros if there is none.
func (c *contact) firstSID() *[32]byte {
	sid := new([32]byte)
	if ps := c.first(); ps != nil {
		*sid = ps.sid
	}
	return sid
}

// startOver is called when a contact whom we have asked anew held no session with us: it had
// removed us. It has nothing of what was said and counts from 1: what it wrote before does
// not come any more, and of what we wrote it gets what waits.
func (p *Peer) startOver(now time.Time, c *contact, ps *pairSession) {
	for _, old := range slices.Clone(c.sessions) {
		if old != ps {
			p.endSession(c, old)
		}
	}
	c.forked, c.state.Forked, c.state.Repair, c.state.Reasked = false, false, nil, [32]byte{}
	c.goBy(ps)
	c.state.Generation = ps.generation
	p.dropAccept(c)
	c.startAnew()
	if c.state.TheirPicture > 0 { // like a stranger's: the session begins with it, if there is one
		p.takePicture(now, c, 0, nil)
	}
	if v := c.conv; v != nil {
		for _, g := range slices.Clone(v.have.Gaps) {
			p.closeGap(v, g.First, g.First+g.Count-1)
		}
		v.have, v.told = v.have.anew(), 0
		p.touchConversation(v)
	}
	if c.state.Courier != nil { // an offer of its own that it has forgotten, too
		p.termsReceived(c, nil)
	}
	p.forgotten(now, c)
}

// forgotten is called when somebody who was a contact has forgotten us: it has asked anew
// and, as the first thing, withdrawn all that it ever wrote, or has accepted us as somebody
// new. Of what we wrote only what still waits will come, the rest is no gap, and no renewal
// brings it back.
func (p *Peer) forgotten(now time.Time, c *contact) {
	c.state.Former, c.former = nil, former{} // what an old disk of its has to say is of another conversation: it asks anew
	p.touchContact(c)
	if c.conv == nil {
		return
	}
	c.state.Parts = slices.DeleteFunc(c.state.Parts, func(f fileParts) bool { return inRanges(c.conv.row.Delivered, f.Sequence) })
	p.touchContact(c)
	c.conv.acked, c.state.Differs = recentTag{}, false // it holds nothing of that
	next := uint64(1)
	for _, sequence := range append(c.queue.Sequences(), c.conv.row.OwnSequence+1) {
		if sequence > next {
			c.conv.gone = addRange(c.conv.gone, next, sequence-1)
			p.pushVoid(c, next, sequence-1)
		}
		next = max(next, sequence+1)
	}
	p.touchConversation(c.conv)
}

// ofSession reports whether a content belongs to one session, or is sent anew at
// the start of each.
func ofSession(b []byte) bool {
	content, _, err := wire.DecodeContent(b)
	if err == nil && content.Word != nil && content.Word.Admission != nil { // of which nothing else tells
		return false
	}
	return err != nil || content.Type != wire.ContentVoidMessages && content.Type != wire.ContentReadReceipt
}

// endSession drops a session; what its envelopes carried waits again.
func (p *Peer) endSession(c *contact, ps *pairSession) {
	var items []outbox.Item
	for _, e := range c.queue.RemoveSession(ps.sid) {
		items = append(items, c.outlasting(e.Items)...)
	}
	p.waitAgain(c, items)
	p.dropSession(c, ps)
}

// unseal takes back what was sealed in other sessions than the one that sends now:
// the peer may not hold them. What it has got all the same it knows.
func (p *Peer) unseal(c *contact) {
	for _, ps := range c.sessions {
		if ps == c.first() {
			continue
		}
		var items []outbox.Item
		for _, e := range c.queue.RemoveSession(ps.sid) {
			p.write(EraseOutbox{Contact: c.row.ID, SID: ps.sid, First: e.Index, Last: e.Index})
			p.withdrawEnvelope(ps, e.Index)
			items = append(items, c.outlasting(e.Items)...)
		}
		p.waitAgain(c, items)
	}
}

// outlasting returns the contents that the peer must still get when the session they
// were sealed in is over, and that mean the same in another.
func (c *contact) outlasting(items []outbox.Item) []outbox.Item {
	return slices.DeleteFunc(slices.Clone(items), func(it outbox.Item) bool {
		if it.Part != (outbox.Part{}) {
			return true // it is sealed anew if it must be: see partsToSeal
		}
		if it.Inline() {
			content, _, err := wire.DecodeContent(it.Content)
			return err != nil || content.Type == wire.ContentVoidEnvelopes || content.Type == wire.ContentReseed || it.Shared
		}
		return !it.Shared && c.conv != nil && inRanges(c.conv.row.Delivered, it.Sequence)
	})
}

// waitAgain puts contents that were in envelopes back into what waits.
func (p *Peer) waitAgain(c *contact, items []outbox.Item) {
	again := items[:0:0]
	for _, it := range items {
		if r, ok := voidRange(it.Content); ok && it.Inline() {
			p.pushVoid(c, r.First, r.Last)
			continue
		}
		again = append(again, it)
		if it.Shared {
			continue
		}
		if it.Inline() {
			c.state.Inline = append(c.state.Inline, it.Content)
			continue
		}
		if v := c.conv; v != nil && it.Sequence <= v.row.SealedUpTo {
			v.row.SealedUpTo = it.Sequence - 1
			p.touchConversation(v)
		}
	}
	c.queue.PutBack(again)
	p.onlyNewest(c)
	p.touchContact(c)
}

// onlyNewest drops, of what waits of a kind of which the newest is all that counts, the others:
// whoever is off for months has one in each envelope.
func (p *Peer) onlyNewest(c *contact) {
	versions := make(map[wire.ContentType]uint64)
	for _, b := range c.state.Inline {
		if t, version, ok := versionOf(b); ok {
			versions[t] = max(versions[t], version)
		}
	}
	old := func(b []byte) bool {
		t, version, ok := versionOf(b)
		return ok && version < versions[t]
	}
	c.state.Inline = slices.DeleteFunc(c.state.Inline, old)
	c.queue.RemoveInline(old)
}

// versionOf returns which version of something a content tells, if the newest is all that counts.
func versionOf(b []byte) (t wire.ContentType, version uint64, ok bool) {
	content, _, err := wire.DecodeContent(b)
	switch {
	case err != nil:
	case content.Type == wire.ContentAddressRecord && content.Record != nil:
		return content.Type, content.Record.Sequence, true
	case content.Type == wire.ContentProfile, content.Type == wire.ContentPicture:
		return content.Type, content.Sequence, true
	}
	return 0, 0, false
}

func (p *Peer) reconcileAll(c *contact, have []wire.Have) {
	var direct []uint64
	var last wire.Have // of those with a tag
	alien := uint64(0)
	for _, h := range have {
		switch {
		case h.Conversation != [16]byte{}:
			if last.Sequence < h.Sequence {
				last = h
			}
			if id, waits := c.queue.Message(h.Sequence); waits && h.Conversation != tagged(messageTag(id)) {
				alien = max(alien, h.Sequence)
			}
		case p.plausible(c, h.Sequence):
			direct = append(direct, h.Sequence)
		}
	}
	id, waits := c.queue.Message(last.Sequence)
	ours := waits && last.Conversation == tagged(messageTag(id))
	if len(direct) == 0 {
		return
	}
	held, other := slices.Min(direct), p.holdsOther(c, recentTag{Sequence: last.Sequence, Tag: [8]byte(last.Conversation[8:])})
	if other {
		held, alien = 0, max(alien, last.Sequence)
	}
	p.reconcile(c, reconciling{held: held, reached: slices.Max(direct), ours: ours, alien: alien, other: other})
}

// plausible reports whether a peer may say that a sequence was used. Nobody gets as far as
// sequenceMax: such a number would leave us none, and is told to the user. Whoever says a
// smaller one that is not true only harms its own conversation.
func (p *Peer) plausible(c *contact, sequence uint64) bool {
	if sequence <= sequenceMax {
		return true
	}
	p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "absurd_sequence"})
	return false
}

// goOnBehind is called when the peer knows our messages up to a sequence and we know
// none of them: we go on behind it, also with what waits, and what it misses will not
// come. That the whole beginning is void tells it that we know nothing. What it has
// written so far we do not want again: it was removed here.
func (p *Peer) goOnBehind(now time.Time, c *contact, reached, written uint64) {
	v := c.conv
	if v == nil {
		return
	}
	v.have.Forgotten = written
	v.row.OwnSequence = max(v.row.OwnSequence, reached)
	c.state.Renumber = v.row.OwnSequence
	p.touchConversation(v)
	p.pushVoid(c, 1, reached)
}

// reconciling is what a peer says that it holds of our messages.
type reconciling struct {
	held    uint64 // everything up to it,
	reached uint64 // and something up to it
	ours    bool   // the last one of that waits here for its acknowledgement
	alien   uint64 // under which it holds another message than the one that waits, or lies, here; 0: none
	other   bool   // all that it holds may be other messages than ours; it has removed none of these
}

// reconcile makes our outgoing messages fit what the peer holds.
func (p *Peer) reconcile(c *contact, r reconciling) {
	v, held, reached, ours, alien := c.conv, r.held, r.reached, r.ours, r.alien
	if v == nil {
		return
	}
	p.voidMissing(c, held)
	since := max(c.state.Apart, 1) - 1
	if r.other { // its numbers say nothing of ours
		since = 0
	}
	switch {
	case reached > v.row.OwnSequence || c.state.Apart != 0 && reached > since && !ours:
		// It is we who lost messages: numbers up to reached are used, and what we have
		// written since then must not take them again. What was written before is the
		// same message under its number, if the peer has it; but where the peer remembers
		// no tags it would take any for a copy.
		v.row.OwnSequence = max(v.row.OwnSequence, reached)
		c.state.Renumber, c.state.RenumberFrom = v.row.OwnSequence, since
		c.state.RenumberTo = max(reached, recentTagsMax) - recentTagsMax
		p.touchContact(c)
	case alien > since:
		// What lies behind it the peer has got of us since, but not what we have written under
		// the numbers that were used before, by what our disk has lost.
		if c.state.Renumber > 0 {
			since = min(since, c.state.RenumberFrom)
		}
		c.state.Renumber, c.state.RenumberFrom, c.state.RenumberTo = max(c.state.Renumber, alien), since, 0
		p.touchContact(c)
	}
	lost := removeRange(v.heldByPeer(), Range{0, held})
	for _, gone := range lost { // what it had acknowledged: it gets it again, or is told
		v.row.Delivered = removeRange(v.row.Delivered, gone)
		if v.acked.Sequence >= gone.First {
			v.acked = recentTag{}
		}
		p.event(Event{Type: MessageStatus, Conversation: v.row.ID, First: gone.First, Count: gone.Last - gone.First + 1, Code: StatusQueued})
	}
	if n := len(lost); n > 0 {
		v.row.SealedUpTo = min(v.row.SealedUpTo, held)
		c.refetching++
		p.out.Jobs = append(p.out.Jobs, FetchSequences{Conversation: v.row.ID, First: held + 1, Last: lost[n-1].Last})
	}
	p.touchConversation(v)
}

// heldByPeer returns the sequences that the peer has acknowledged and not removed since.
func (v *conversation) heldByPeer() []Range {
	held := slices.Clone(v.row.Delivered)
	for _, r := range v.gone {
		held = removeRange(held, r)
	}
	return held
}

// voidMissing declares void again, of our sequences that the peer does not hold, those
// that were: it may have forgotten.
func (p *Peer) voidMissing(c *contact, held uint64) {
	if c.refetching > 1 || c.refetching == 1 && !c.comparing {
		return // what is there is not known; the answer declares the rest void
	}
	known := c.conv.heldByPeer()
	for _, sequence := range c.queue.Sequences() {
		known = addRange(known, sequence, sequence)
	}
	own, next := c.conv.row.OwnSequence, held+1
	for _, r := range append(known, Range{own + 1, own + 1}) {
		if r.First > next {
			p.pushVoid(c, next, r.First-1)
		}
		next = max(next, r.Last+1)
	}
}

// sequencesFetched queues what a peer lost; what we do not have any more is void.
func (p *Peer) sequencesFetched(now time.Time, in SequencesFetched) {
	v := p.conversations[in.Conversation]
	if v == nil {
		return
	}
	c := p.contacts[v.row.Contact]
	if c == nil {
		return
	}
	c.refetching = max(c.refetching-1, 0)
	if in.Compare {
		p.compared(c, in)
		return
	}
	items := make([]outbox.Item, 0, len(in.Messages))
	next := in.First
	for _, m := range in.Messages {
		if inRanges(v.gone, m.Sequence) {
			continue
		}
		if m.Sequence > next {
			p.pushVoid(c, next, m.Sequence-1)
		}
		next = m.Sequence + 1
		if !inRanges(v.row.Delivered, m.Sequence) {
			items = append(items, outbox.Item{Message: m.ID, Sequence: m.Sequence, Size: m.SizeBytes, About: m.About})
		}
	}
	if next <= in.Last {
		p.pushVoid(c, next, in.Last)
	}
	c.queue.Merge(items)
	p.touchContact(c)
}

// pushVoid has the peer told that our messages first..last will not come.
func (p *Peer) pushVoid(c *contact, first, last uint64) {
	c.state.Voids = addRange(c.state.Voids, first, last)
	c.voidsChanged = true
	p.touchContact(c)
}

// renumber gives every waiting message whose number the peer has seen used the next free one, and
// with it what is about it: that comes behind it. The old number is void, should the peer not have
// seen it after all.
// It returns false until their contents are at hand.
func (p *Peer) renumber(now time.Time, c *contact) bool {
	v := c.conv
	if c.state.Renumber == 0 || v == nil {
		return true
	}
	if !c.queue.AllAtHand() {
		p.fetch(c, true, nil, toCouriers)
		return false
	}
	items := c.queue.TakeWaiting()
	var left []Range
	moved := make(map[[16]byte]uint64)
	for i := range items {
		it := &items[i]
		if it.Inline() || it.Shared {
			continue
		}
		used := it.Sequence <= c.state.Renumber && (it.Sequence > c.state.RenumberFrom || it.Sequence <= c.state.RenumberTo)
		if !used && (it.About == [16]byte{} || moved[it.About] == 0) {
			continue
		}
		content, _, err := wire.DecodeContent(it.Content)
		if err != nil {
			continue
		}
		v.row.OwnSequence++
		left = addRange(left, it.Sequence, it.Sequence)
		content.Sequence, it.Sequence = v.row.OwnSequence, v.row.OwnSequence
		moved[content.ID] = it.Sequence
		if about := content.About; about != nil && about.Own && moved[about.ID] != 0 {
			about.Sequence = moved[about.ID]
		}
		encoded, err := wire.AppendContent(nil, content)
		if err != nil {
			continue
		}
		it.Content, it.Size = encoded, len(encoded)
		p.write(RenumberMessage{ID: it.Message, Sequence: it.Sequence, Content: encoded})
		c.renumberParts(it.Message, it.Sequence)
	}
	c.queue.PutBack(items)
	for _, r := range left {
		p.pushVoid(c, r.First, r.Last)
	}
	c.state.Renumber, c.state.RenumberFrom, c.state.RenumberTo = 0, 0, 0
	p.touchContact(c)
	p.touchConversation(v)
	return true
}

// voidEnvelope withdraws an envelope because of one message in it: the rest of
// its contents is sealed anew, unless it has arrived.
func (p *Peer) voidEnvelope(c *contact, e *outbox.Entry, withdrawn MessageID) {
	c.queue.Remove(e.Session, e.Index)
	p.write(EraseOutbox{Contact: c.row.ID, SID: e.Session, First: e.Index, Last: e.Index})
	for _, copy := range e.Copies() {
		c.state.Withdraw = append(c.state.Withdraw, Stored{Mailbox: copy.Mailbox, Hash: copy.Hash})
	}
	if ps := c.session(e.Session); ps != nil {
		p.withdrawEnvelope(ps, e.Index)
	}
	if e.Acknowledged() {
		p.touchContact(c)
		return // the rest has arrived
	}
	rest := slices.DeleteFunc(slices.Clone(e.Items), func(it outbox.Item) bool {
		return it.Part != (outbox.Part{}) || !it.Inline() && it.Message == withdrawn
	})
	p.waitAgain(c, rest)
}

// withdrawEnvelope has the peer told, in the same session, that an envelope will not
// come.
func (p *Peer) withdrawEnvelope(ps *pairSession, index uint32) {
	if _, ok := ps.s.Withdraw(index); ok {
		ps.dirty, ps.withdrew = true, true
	}
}

// moveQueue is called when the session that sends may have changed: envelopes of
// the old one stay until they are acknowledged in it.
func (p *Peer) moveQueue(now time.Time, c *contact) {
	c.queue.Reconnected()
	p.resend(now, c)
}
