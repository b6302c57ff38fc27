package protocol

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/text/cases"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// asking is a contact request of ours, from the link to the accept.
type asking struct {
	Link    wire.Link      `cbor:"1,keyasint"`
	Request *invite.Asking `cbor:"2,keyasint,omitempty"` // nil until the bundle is here
	Stamp   wire.Stamp     `cbor:"3,keyasint"`
	Stamped bool           `cbor:"4,keyasint"`
	// Wrong are the bundles that were not the inviter's, of which the user was told.
	Wrong []wire.ItemHash `cbor:"5,keyasint,omitempty"`
	// Known is set if the inviter was a contact already when we asked: the sid of the
	// session with it, zeros if there was none.
	Known *[32]byte `cbor:"6,keyasint,omitempty"`
}

// addContact begins a request: the rest happens when the inviter is reached.
func (p *Peer) addContact(now time.Time, in AddContact) error {
	link, err := wire.ParseLink(in.Link)
	if err == nil {
		err = p.checkLink(now, link)
	}
	if err == nil && in.Home != (link.Kind == wire.LinkHome) {
		err = refuse(CodeInviteWrongKind)
		if link.Kind == wire.LinkHome {
			err = refuse(CodeInviteIsHome)
		}
	}
	if err != nil {
		return linkProblem(err)
	}
	if c := p.askedBy(link); c != nil {
		switch {
		case isAnother(c, in.Alias):
			return &Problem{Code: CodeSameLink, Contact: c.row.ID}
		case c.state.Asking == nil:
			return &Problem{Code: CodeAlreadyContact, Contact: c.row.ID}
		}
		p.reply(in.Ref, Added{Contact: c.row.ID, Phase: c.row.Phase})
		return nil
	}
	alias, err := p.freeAlias(in.Alias, nil)
	if err != nil {
		return err
	}
	if len(in.Greeting) > GreetingBytesMax {
		return refuse(CodeTextTooLong)
	}
	if len(p.contacts) >= ContactsMax {
		return refuse(CodeTooMany)
	}
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	c := &contact{
		row: PutContact{
			ID: ContactID(id), Phase: ContactRequested, Alias: alias,
			Verification: Unverified, CreatedAt: now.UnixMilli(), Role: roleBy(in.Home, RoleHome),
		},
		state: contactState{Asking: &asking{Link: link}, Greeting: in.Greeting, Hello: identity.LinkHelloKey(link.Secret)},
	}
	p.keepContact(c)
	p.touchContact(c)
	p.contactEvent(ContactAdded, c)
	p.dueBy(time.Unix(int64(link.Expiry), 0).Add(requestKept))
	p.reply(in.Ref, Added{Contact: c.row.ID, Phase: c.row.Phase})
	return nil
}

// isAnother reports whether the user means somebody else by an alias than the contact
// whom a link made: then two people gave out one link, and one of them may want to
// find out whether the user knows the other.
func isAnother(c *contact, alias string) bool {
	alias, err := cleanName(alias)
	if err != nil || c.row.Alias == "" && c.row.Name == "" {
		return false
	}
	fold := cases.Fold()
	return fold.String(alias) != fold.String(c.row.Alias) && fold.String(alias) != fold.String(c.row.Name)
}

// checkLink refuses a link that cannot become a contact.
func (p *Peer) checkLink(now time.Time, link wire.Link) error {
	switch {
	case link.Kind == wire.LinkGroup:
		return refuse(CodeInviteWrongKind)
	case now.Unix() >= int64(link.Expiry):
		return refuse(CodeInviteExpired)
	}
	hello := identity.LinkHelloKey(link.Secret)
	for _, v := range p.invites {
		if v.state.Hello == hello {
			return refuse(CodeInviteOwn)
		}
	}
	if len(link.Addresses) > 0 || len(link.Couriers) == 0 || slices.ContainsFunc(link.Couriers, func(at wire.Courier) bool { return !p.isOurs(at.Key) }) {
		return nil
	}
	if p.shelves.Box(slotID(invite.DepositCapability(link.Secret, link.Couriers[0].Key))) != nil {
		return refuse(CodeAlreadyContact) // whom we help
	}
	return refuse(CodeInviteLeadsHere)
}

// isOurs reports whether a transport key is the one that we keep as a courier.
func (p *Peer) isOurs(key identity.TransportKey) bool {
	f := p.self.state.Fixed
	if f == nil {
		return false
	}
	if p.self.fixed == (identity.TransportKey{}) {
		p.self.fixed = f.Public()
	}
	return p.self.fixed == key
}

func linkProblem(err error) error {
	if problem, ok := errors.AsType[*Problem](err); ok {
		return problem
	}
	if errors.Is(err, wire.ErrLinkVersion) || errors.Is(err, wire.ErrLinkSuite) {
		return refuse(CodeInviteUnsupported)
	}
	return refuse(CodeInviteInvalid)
}

// LinkInfo is what a link says by itself, with no network.
type LinkInfo struct {
	Kind      wire.LinkKind
	ExpiresAt int64
	Contact   ContactID // that was added by it, or zero
}

// InspectLink finds a link in a text and says what it is; the error is the
// *Problem that AddContact would give, but for a contact that was added by it.
func (p *Peer) InspectLink(now time.Time, text string) (LinkInfo, error) {
	link, err := wire.ParseLink(text)
	if err == nil {
		err = p.checkLink(now, link)
	}
	if err != nil {
		return LinkInfo{}, linkProblem(err)
	}
	info := LinkInfo{Kind: link.Kind, ExpiresAt: int64(link.Expiry) * 1000}
	if c := p.askedBy(link); c != nil {
		info.Contact = c.row.ID
	}
	return info, nil
}

// askedBy returns the contact that was added by a link.
func (p *Peer) askedBy(link wire.Link) *contact {
	hello := identity.LinkHelloKey(link.Secret)
	for _, c := range p.contactsInOrder() {
		if (c.state.Hello == hello || slices.Contains(c.state.Links, hello)) && c.row.Phase != ContactFailed {
			return c
		}
	}
	return nil
}

func (p *Peer) failContact(c *contact, code string) {
	p.dropConns(c)
	p.closeMailboxes(c)
	c.row.Phase, c.row.Reason = ContactFailed, code
	c.state.Asking = nil
	p.touchContact(c)
	p.contactEvent(ContactUpdated, c)
}

// greet is what is said first on a proved connection.
func (p *Peer) greet(now time.Time, c *contact, k *conn) {
	p.greetRenewal(now, c, k)
	p.sendSync(now, c, k)
	p.resend(now, c)
	p.greetCourier(c, k)
}

// greetRenewal says what belongs to handshakes: all of it is worth nothing to anybody
// but the contact.
func (p *Peer) greetRenewal(now time.Time, c *contact, k *conn) {
	if c.state.Asking != nil {
		p.ask(now, c, k) // if both asked, an accept and a session follow all the same
	}
	for _, r := range p.unanswered(c) {
		p.sendAccept(r, k)
	}
	if len(c.state.Accept) > 0 {
		p.send(SendFrame{Conn: k.id, Type: wire.TypeAccept, Body: c.state.Accept})
	}
	p.sendRepair(c, k)
}

// ask fetches the bundle, or sends the request again: always the same bytes.
func (p *Peer) ask(now time.Time, c *contact, k *conn) {
	a := c.state.Asking
	if a.Request == nil {
		capability := invite.FetchCapability(a.Link.Secret, k.remote)
		p.send(SendFrame{Conn: k.id, Type: wire.TypeBundleFetch, Body: capability[:]})
		return
	}
	if a.Link.StampBits > 0 && !a.Stamped {
		p.askStamp(now, c)
		return
	}
	d := wire.DepositedRequest{
		Capability: invite.DepositCapability(a.Link.Secret, k.remote),
		Stamp:      a.Stamp, Request: [wire.RequestSize]byte(a.Request.Request),
	}
	p.send(SendFrame{Conn: k.id, Type: wire.TypeRequest, Body: d.Append(nil)})
}

// bundleAnswered makes the request to the inviter behind a bundle.
func (p *Peer) bundleAnswered(now time.Time, k *conn, body []byte) error {
	if c := k.contact; c != nil && c.state.Asking != nil && c.state.Asking.Request == nil {
		return p.bundleArrived(now, c, k, body)
	}
	return nil
}

// bundleArrived makes the request to the inviter behind a bundle that came on a
// connection: with whoever holds the link, or with a courier.
func (p *Peer) bundleArrived(now time.Time, c *contact, k *conn, body []byte) error {
	a := c.state.Asking
	bundle, err := invite.OpenBundle(a.Link, body, uint32(now.Unix()))
	switch {
	case errors.Is(err, invite.ErrExpired):
		p.failContact(c, CodeInviteExpired)
		return nil
	case errors.Is(err, wire.ErrVersion), errors.Is(err, wire.ErrSuite):
		p.failContact(c, CodeInviteUnsupported)
		return nil
	case err != nil: // whoever answers holds the link but is not the inviter
		p.wrongBundle(now, c, k, body)
		return nil
	}
	if known := p.contactOf(bundle.Entry.Account, c); known != nil && known.row.Phase == ContactEstablished && known.state.PartingSince == 0 {
		if !known.mayAskAnew() || c.row.Role != RolePerson {
			p.failContact(c, CodeAlreadyContact)
			return nil
		}
		a.Known = known.firstSID()
	}
	day, keys := p.transportKeys(now, wire.ReplyPathKeysMax)
	a.Request, err = invite.Ask(p.random, p.ourself(), a.Link, bundle, wire.RequestPayload{
		Name: p.self.name, Greeting: c.state.Greeting,
		Reply: wire.ReplyPath{
			FirstDay: day, Keys: keys,
			Addresses: p.ownAddresses(now, wire.ReplyPathAddressesMax, p.hostTag(c.state.Hello)),
		},
	})
	if errors.Is(err, invite.ErrOwn) {
		p.failContact(c, CodeInviteOwn)
		return nil
	}
	if err != nil {
		a.Request = nil
		return errRandom
	}
	c.row.Account, c.state.List = bundle.Entry.Account, bundle.Entry.List
	p.touchContact(c)
	if k.contact == c {
		p.ask(now, c, k)
	} else {
		p.askByCourier(now, c)
	}
	return nil
}

// wrongBundle tells the user of a bundle that is not the inviter's, each once and not too
// many. Whoever holds the link and answers so is left alone for a while; a courier may lie,
// or have been given it, and may have other things for us.
func (p *Peer) wrongBundle(now time.Time, c *contact, k *conn, body []byte) {
	c.tried, c.triedBy, c.triedAt = "bundle_invalid", k.rung, now
	print := wire.HashItem(wire.TypeBundleAnswer, body)
	if a := c.state.Asking; len(a.Wrong) < wrongBundlesMax && !slices.Contains(a.Wrong, print) {
		a.Wrong = append(a.Wrong, print)
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "bundle_invalid"})
		p.touchContact(c)
	}
	if k.contact == c {
		p.hangup(k)
		c.backoff.Hold(now.Add(askAgain))
	}
}

// acceptReceived opens the accept of a request or of a repair of ours.
func (p *Peer) acceptReceived(now time.Time, k *conn, body []byte) error {
	c := k.contact
	if c == nil {
		return nil
	}
	for _, asks := range p.contactsInOrder() { // of a contact whom we ask anew it may come on its old path
		if asks != c && !asks.row.Account.Equal(c.row.Account) || asks.state.Asking == nil || asks.state.Asking.Request == nil {
			continue
		}
		if taken, err := p.accepted(now, asks, body); taken || err != nil {
			return err
		}
	}
	if c.state.Repair != nil && p.repairAccepted(now, c, body) {
		c.syncedAt = time.Time{}
	} else if ps := c.first(); ps != nil { // the same accept again: our first frame did not arrive
		ps.ackDue = true
		p.stir(c)
	}
	// Where it came is no path, and perhaps there is none: whoever granted it goes on in a session that we
	// do not hold any more until a frame comes.
	if ps := c.first(); ps != nil && ps.sid == c.state.Unheard && !k.path() && now.Sub(c.syncedAt) >= syncEvery {
		c.syncedAt = now
		p.sendSync(now, c, k)
	}
	return nil
}

// accepted takes the accept of a request of ours, on a connection or by courier. It
// reports false if the accept is not one: then the request goes on waiting.
func (p *Peer) accepted(now time.Time, c *contact, body []byte) (taken bool, err error) {
	a, known := c.state.Asking.Request, c.state.Asking.Known
	answered, err := a.OpenAccept(p.ourself(), body)
	if err != nil {
		if errors.Is(err, wire.ErrVersion) || errors.Is(err, wire.ErrSuite) {
			c.unsupported = true
		}
		return false, nil
	}
	switch other := p.contactOf(a.Peer.Account, c); {
	case other == nil:
	case len(other.sessions) == 0 && len(c.sessions) > 0:
		p.merge(now, c, other)
	default:
		p.merge(now, other, c)
		c = other
	}
	p.takeDevice(c, a.Peer.Device)
	c.row.Account = a.Peer.Account
	c.state.Asking, c.state.Greeting = nil, ""
	fresh := len(c.sessions) == 0 && !c.state.Bereft
	asIs := known != nil && *known == *c.firstSID() // of before we asked
	removed := asIs && answered.Payload.Generation == 0
	lost := asIs && !fresh && answered.Payload.Generation > 0 && c.first() != nil && answered.Payload.Generation <= c.first().generation
	ps := p.begin(now, c, newSession{
		root: answered.Root, invitee: true, ratchet: answered.Ratchet, peer: answered.PeerRatchet,
		day: answered.Payload.Day, generation: answered.Payload.Generation,
	})
	if lost { // who names that generation has not the session that we send in, and counts from this one
		p.endOthers(c, ps)
		c.forked, c.state.Forked = false, false
		c.state.Generation = ps.generation
	}
	if !fresh { // its disk may be an old one
		c.startAnew()
	}
	p.endEarlier(c, ps)
	if c.first() == ps {
		p.dropAccept(c) // of a renewal that nobody waits for any more
	}
	p.pairedAnew(c)
	c.state.Record = &answered.Payload.Record
	ps.ackDue = true // the first frame, sent at once, proves us
	if err := p.establish(now, c); err != nil {
		return true, err
	}
	switch {
	case removed:
		p.startOver(now, c, ps)
	case !fresh:
		p.compare(now, c, ps, answered.Payload.Have)
	case answered.Payload.Generation > 0:
		theirs := progressOf(answered.Payload.Have)
		if !p.plausible(c, max(theirs.seen, theirs.written)) {
			theirs = progress{}
		}
		p.goOnBehind(now, c, max(theirs.seen, 1), theirs.written)
		p.pushTerms(c) // it knew us, and may count on what we have forgotten that we offered
	}
	return true, nil
}

// accept turns a waiting request into a contact. If the same account has asked more than
// once, because its user has removed us and followed the link again, all are accepted:
// only one of them is remembered there.
func (p *Peer) accept(now time.Time, r *request) error {
	v := p.invites[r.row.Invite]
	if v == nil || r.state.Incoming == nil {
		return refuse(CodeNotFound)
	}
	account := r.state.Incoming.Payload.Entry.Account
	if err := p.acceptOne(now, v, r); err != nil {
		return err
	}
	for _, again := range p.requestsInOrder() {
		if again.row.Invite == v.row.ID && again.row.Phase == RequestWaiting && again.state.Incoming.Payload.Entry.Account.Equal(account) {
			if err := p.acceptOne(now, v, again); err != nil {
				return err
			}
		}
	}
	p.useInvite(v)
	return nil
}

func (p *Peer) acceptOne(now time.Time, v *invitation, r *request) error {
	in := r.state.Incoming
	c := p.contactOf(in.Payload.Entry.Account, nil)
	if c == nil {
		id, err := p.newID(now)
		if err != nil {
			return err
		}
		c = &contact{row: PutContact{ID: ContactID(id), Verification: Unverified, CreatedAt: now.UnixMilli()}}
	}
	before := c.row.Account
	c.row.Account = in.Payload.Entry.Account
	if v.row.Kind != InviteHome && !p.furnishContact(c, p.couriers(), dayOf(now)) {
		c.row.Account = before
		return errRandom
	}
	payload := wire.AcceptPayload{Day: dayOf(now), Record: p.acceptRecord(now, c), Have: c.conv.reached()}
	if len(c.sessions) > 0 || c.state.Bereft { // they ask anew: they have forgotten us, or asked before they knew
		payload.Generation = c.askedUpTo() + 1
	}
	done, err := in.Accept(p.random, payload)
	if err != nil {
		c.row.Account = before
		return errRandom
	}
	if p.contacts[c.row.ID] == nil { // what we know of a contact changes when it has shown itself
		p.keepContact(c)
		c.row.Phase, c.row.Name, c.row.Invite = ContactPending, in.Payload.Name, v.row.ID
		c.row.Role = roleBy(v.row.Kind == InviteHome, RoleOwner)
		p.contactEvent(ContactAdded, c)
	}
	p.takeDevice(c, in.Payload.Entry.Device)
	if in.Payload.Entry.List.Sequence >= c.state.List.Sequence {
		c.state.List = in.Payload.Entry.List
	}
	if c.state.Record == nil {
		c.state.Record = p.recordOf(now, c, in.Payload.Reply, p.hostTag(v.state.Hello))
	}
	p.begin(now, c, newSession{
		root: done.Root, ratchet: done.Ratchet, peer: done.PeerRatchet, day: dayOf(now), generation: payload.Generation,
	})
	r.row.Phase, r.row.Contact = RequestAccepted, c.row.ID
	r.state.Incoming, r.state.Accept, r.state.SID = nil, done.Accept, done.Root.SID
	r.state.Seen = progressOf(payload.Have).seen
	p.touchRequest(r)
	p.event(Event{Type: RequestResolved, Ref: r.row.ID})
	switch k := r.conn; {
	case k != nil && p.conns[k.id] == k:
		p.sendAccept(r, k)
		c.backoff.Hold(now.Add(acceptAnswered))
	case c.live() != nil: // a contact: by courier it may come late, or never
		p.sendAccept(r, c.live())
	}
	return p.answerByCourier(now, r)
}

// takeDevice notes the device of a contact that a handshake proved. A verified contact
// with another device is not the one that was verified: outgoing mail waits until the
// user has looked.
func (p *Peer) takeDevice(c *contact, device identity.KEMPublic) {
	if c.row.Verification == Verified && !c.state.Device.Equal(device) {
		c.row.Verification = VerifiedChanged
		p.contactEvent(ContactKeyChanged, c)
	}
	c.state.Device = device
	p.touchContact(c)
}

// useInvite counts an accept; the last one closes the invite.
func (p *Peer) useInvite(v *invitation) {
	v.row.Used++
	v.row.UsesLeft = max(v.row.UsesLeft-1, 0)
	if v.row.UsesLeft == 0 {
		p.closeInvite(v)
	}
	p.touchInvite(v)
	p.event(Event{Type: InviteUsed, Ref: v.row.ID})
}

// sendAccept answers a request where it came from. That may be somebody who holds
// the link and has the request's bytes from elsewhere: the connection becomes a path
// to the contact only when a frame of the session comes by it.
func (p *Peer) sendAccept(r *request, k *conn) {
	if k.contact == nil {
		k.contact = p.contacts[r.row.Contact]
	}
	p.send(SendFrame{Conn: k.id, Type: wire.TypeAccept, Body: r.state.Accept})
}

// newSession is what a handshake gives a session to begin with.
type newSession struct {
	root       session.Root
	invitee    bool
	ratchet    identity.KEMSeed   // ours, of the inviter
	peer       identity.KEMPublic // the inviter's, of the invitee
	day        uint32
	generation uint32
	recovery   [32]byte // of a repair: the secret that it was made with
}

// begin adds a session that a handshake made. The invitee knows that the other
// side holds it; the inviter learns it from the first frame.
func (p *Peer) begin(now time.Time, c *contact, n newSession) *pairSession {
	ps := &pairSession{
		sid: n.root.SID, generation: n.generation, since: now.Unix(), confirmed: n.invitee, dirty: true,
		recovery: n.recovery, chain: identity.NewPairChain(n.root.Pair, n.day),
	}
	if ps.recovery == [32]byte{} {
		ps.recovery = n.root.Recovery
	}
	if n.invitee {
		s, err := session.NewInvitee(n.root, n.peer)
		if err != nil {
			panic("protocol: a ratchet key that was checked is no key")
		}
		ps.s = s
	} else {
		ps.s = session.NewInviter(n.root, n.ratchet, now)
	}
	c.addSession(ps)
	if n.invitee {
		c.regained()
		p.unseal(c)
	}
	known := n.invitee || n.recovery != [32]byte{}
	if c.first() == ps && (known || c.state.Recovery == [32]byte{}) { // else the old secret is all that leads to the contact, until this session is proved
		c.goBy(ps)
		c.state.Generation = ps.generation
	}
	if n.recovery == [32]byte{} { // else when the renewal is one
		p.pushIntroduction(now, c, ps)
	}
	p.touchContact(c)
	return ps
}

// establish is the moment from which both sides hold the session.
func (p *Peer) establish(now time.Time, c *contact) error {
	if c.row.Phase == ContactEstablished {
		p.mergeOthers(now, c)
		return nil
	}
	if c.row.Role != RolePerson {
		p.paired(c)
	} else if _, err := p.openConversation(now, c); err != nil {
		return err
	}
	if a := c.state.Asking; a != nil && a.Request == nil {
		c.state.Asking = nil // they asked us meanwhile
	}
	c.row.Phase, c.row.Reason = ContactEstablished, ""
	p.settleRequests(c)
	p.furnishDue = true
	p.touchContact(c)
	p.contactEvent(ContactUpdated, c)
	p.mergeOthers(now, c)
	return nil
}

// mergeOthers gives a contact the other requests of ours that turned out to go to it.
func (p *Peer) mergeOthers(now time.Time, c *contact) {
	for other := p.contactOf(c.row.Account, c); other != nil; other = p.contactOf(c.row.Account, c) {
		p.merge(now, c, other)
	}
}

// merge gives a contact that we also asked by a link, and that turned out to be
// one we know, to the one we know: both invited each other. What was written to
// either stays; if both were written to, the one without a session fails.
func (p *Peer) merge(now time.Time, into, from *contact) {
	for _, k := range p.connsOf(from) {
		switch path := k.path(); {
		case path:
			p.leave(from, k)
			k.contact = nil
			p.attach(now, into, k)
		case k.proved:
			k.contact = into
		default: // it is to prove us by a link that has done its work
			p.hangup(k)
		}
	}
	for _, link := range slices.Concat(from.state.Links, [][32]byte{from.state.Hello, into.state.Hello}) {
		into.addLink(link)
	}
	if into.state.Asking == nil {
		into.state.Hello = from.state.Hello
		if from.state.Asking != nil && from.state.Asking.Request != nil {
			into.state.Asking = from.state.Asking // its answer may be on the way
		}
	}
	if from.row.Blocked && !into.row.Blocked {
		into.row.Blocked = true
		p.contactEvent(ContactBlocked, into)
	}
	if into.row.Blocked {
		p.sever(into)
	}
	p.touchContact(into)
	p.leaveGroupsOf(from, into)
	p.stockReceived(into, from.state.Stock)
	if !p.mergeConversations(into, from) {
		p.failContact(from, CodeAlreadyContact)
		return
	}
	if into.row.Alias == "" {
		into.row.Alias = from.row.Alias
	}
	p.loseContact(from.row.ID)
	delete(p.stirred, from.row.ID)
	p.write(EraseContact{ID: from.row.ID})
	if from.row.Role != RolePerson {
		p.contactEvent(ContactRemoved, from)
		return
	}
	p.event(Event{Type: ContactRemoved, Contact: from.row.ID, Ref: into.row.ID})
}

// addLink notes that a link leads to a contact, unless that is known. The oldest go when there are
// too many: who follows one again asks again.
func (c *contact) addLink(hello [32]byte) {
	if hello == [32]byte{} || slices.Contains(c.state.Links, hello) {
		return
	}
	c.state.Links = append(c.state.Links, hello)
	c.state.Links = slices.Delete(c.state.Links, 0, max(len(c.state.Links)-linksKept, 0))
}

// mergeConversations gives one contact the conversation of another, unless both
// hold messages.
func (p *Peer) mergeConversations(into, from *contact) bool {
	switch {
	case from.conv == nil:
		return true
	case from.conv.empty():
		p.eraseConversation(from.conv)
		return true
	case into.conv != nil && !into.conv.empty():
		return false
	case into.conv != nil:
		p.eraseConversation(into.conv)
	}
	into.conv, into.row.Conversation = from.conv, from.row.Conversation
	into.conv.row.Contact = into.row.ID
	p.touchConversation(into.conv)
	for _, it := range from.queue.TakeWaiting() {
		into.queue.Push(it)
	}
	into.state.Parts = append(into.state.Parts, from.state.Parts...)
	for _, r := range from.state.Voids {
		p.pushVoid(into, r.First, r.Last)
	}
	return true
}

func (p *Peer) eraseConversation(v *conversation) {
	delete(p.conversations, v.row.ID)
	delete(p.dirtyConversations, v.row.ID)
	p.write(EraseConversation{ID: v.row.ID})
}
