package protocol

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// invitation is an invite of ours.
type invitation struct {
	row   PutInvite // State is filled when it is written
	state invitationState

	alerted time.Time // of the last second use
}

// invitationState is what PutInvite.State holds. Once the invite is used up,
// revoked or expired, only the trace is left.
type invitationState struct {
	Offer   *invite.Offer             `cbor:"1,keyasint,omitempty"`
	Tag     [wire.RequestTagSize]byte `cbor:"2,keyasint"`
	Hello   [32]byte                  `cbor:"3,keyasint"`
	Seen    [][32]byte                `cbor:"4,keyasint,omitempty"` // hashes of the bytes of requests that were taken
	Renewed int64                     `cbor:"5,keyasint,omitempty"` // of a card: Unix seconds
	Boxes   []box                     `cbor:"6,keyasint,omitempty"` // at the couriers that the link names
	LAN     bool                      `cbor:"7,keyasint,omitempty"` // made to be heard of on local networks
}

// Codes of links.
const (
	CodeInviteInvalid     = "invite_invalid"
	CodeInviteUnsupported = "invite_unsupported"
	CodeInviteExpired     = "invite_expired"
	CodeInviteOwn         = "invite_own"
	CodeRequestExpired    = "request_expired"
	CodeInviteWrongKind   = "invite_wrong_kind"
	CodeInviteIsHome      = "invite_is_home"    // it pairs a home node
	CodeNotHome           = "not_a_home"        // this node does not serve as one
	CodeInviteLeadsHere   = "invite_leads_here" // it leads to its maker through us only, who do not help it
	CodeAlreadyContact    = "already_contact"
	CodeSameLink          = "same_link_two_people"
	CodeInvalidLifetime   = "invalid_lifetime"

	// WarningNoPublicPath says that nobody beyond the local network can follow a link.
	WarningNoPublicPath = "no_public_path"
	// WarningUnconfirmedPath says that they may, at an address to which nobody has come yet.
	WarningUnconfirmedPath = "unconfirmed_path"
)

func (p *Peer) invitesInOrder() []*invitation {
	out := make([]*invitation, 0, len(p.invites))
	for _, id := range sortedKeys(p.invites) {
		out = append(out, p.invites[id])
	}
	return out
}

// open reports whether requests to the invite are still opened.
func (v *invitation) open(now time.Time) bool {
	return v.state.Offer != nil && v.row.RevokedAt == 0 && now.UnixMilli() < v.row.ExpiresAt
}

func (p *Peer) ourself() invite.Self {
	return invite.Self{Entry: p.self.presented().entry, Device: p.self.state.Device}
}

func (p *Peer) createInvite(now time.Time, in CreateInvite) error {
	couriers, _ := p.linkCouriers([8]byte{1})
	lifetimeMax := linkLifetime
	if len(couriers) > 0 || in.Kind == InviteHome { // which keeps one key
		lifetimeMax = linkCourierLifetime
	}
	expires, err := p.checkInvite(now, &in, lifetimeMax)
	if err != nil {
		return err
	}
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	kind, stampBits := wire.LinkContact, uint8(0)
	switch in.Kind {
	case InviteCard:
		kind, stampBits = wire.LinkCard, invite.StampBitsDefault
	case InviteHome:
		kind, in.Ask = wire.LinkHome, false
		p.fixKey(now)
	}
	offer, err := invite.NewOffer(p.random, kind, uint32(expires.Unix()), stampBits, p.self.state.Account, p.ourself())
	if err != nil {
		return errRandom
	}
	trace := offer.Trace()
	couriers, at := p.invitePlaces(now, p.hostTag(trace.Hello), in)
	link, err := offer.Link(p.ourself(), at)
	if err != nil {
		return refuse(CodeInviteInvalid)
	}
	v := &invitation{
		row: PutInvite{
			ID: InviteID(id), Kind: in.Kind, Note: in.Note, Ask: in.Ask, UsesLeft: in.Uses, Link: link,
			CreatedAt: now.UnixMilli(), ExpiresAt: expires.UnixMilli(),
		},
		state: invitationState{Offer: offer, Tag: trace.Tag, Hello: trace.Hello, Renewed: now.Unix(), LAN: in.LAN},
	}
	if err := p.furnishInvite(now, v, couriers); err != nil {
		return err
	}
	p.invites[v.row.ID] = v
	p.touchInvite(v)
	p.dueBy(expires)
	if in.LAN {
		p.callOut(now)
	}
	created := InviteCreated{ID: v.row.ID, Link: link, ExpiresAt: v.row.ExpiresAt}
	if code := p.pathWarning(now, at); code != "" {
		created.Warnings = []string{code}
	}
	p.reply(in.Ref, created)
	return nil
}

// pathWarning says what is wrong with where a link leads, if anything is.
func (p *Peer) pathWarning(now time.Time, at invite.Places) string {
	switch {
	case slices.ContainsFunc(at.Couriers, func(c wire.Courier) bool { return rendezvous.Public(c.Address) }):
	case !slices.ContainsFunc(at.Addresses, rendezvous.Public):
		return WarningNoPublicPath
	case !p.place(now).Public():
		return WarningUnconfirmedPath
	}
	return ""
}

// invitePlaces returns what a link says of where we are: our couriers, or, if there are
// none or the user wants it, ourselves. A link that leaks then leads to no address of ours.
func (p *Peer) invitePlaces(now time.Time, tag [8]byte, in CreateInvite) ([]*contact, invite.Places) {
	couriers, named := p.linkCouriers(tag)
	if in.Kind == InviteHome {
		couriers, named = nil, nil
	}
	at := invite.Places{Couriers: named}
	if in.Direct || in.LAN || len(named) == 0 {
		_, at.Keys = p.transportKeys(now, linkTransportDays)
		at.Addresses = p.ownAddresses(now, linkAddressesMax, tag)
	}
	return couriers, at
}

// checkInvite fills in the defaults of a command and refuses what is out of
// bounds; it returns when the invite expires.
func (p *Peer) checkInvite(now time.Time, in *CreateInvite, lifetimeMax time.Duration) (time.Time, error) {
	open := 0
	for _, v := range p.invites {
		if v.open(now) {
			open++
		}
	}
	switch {
	case in.Kind != InviteOnce && in.Kind != InviteCard && in.Kind != InviteHome:
		return time.Time{}, refuse(CodeInviteWrongKind)
	case in.Kind == InviteHome && !p.config.Home:
		return time.Time{}, refuse(CodeNotHome)
	case open >= InvitesMax:
		return time.Time{}, refuse(CodeTooMany)
	case len(in.Note) > NoteBytesMax || in.Uses < 0 || in.Uses > ContactsMax:
		return time.Time{}, refuse(CodeInviteInvalid)
	}
	if in.Uses == 0 && in.Kind == InviteCard {
		in.Uses = ContactsMax
	}
	in.Uses = max(in.Uses, 1)
	if in.Kind != InviteCard && in.Uses != 1 {
		return time.Time{}, refuse(CodeInviteInvalid)
	}
	if in.Lifetime == 0 {
		in.Lifetime = lifetimeMax
	}
	if in.Lifetime < time.Minute || in.Lifetime > lifetimeMax {
		return time.Time{}, refuse(CodeInvalidLifetime)
	}
	return now.Add(in.Lifetime).Truncate(time.Second), nil
}

func (p *Peer) revokeInvite(now time.Time, in RevokeInvite) error {
	v := p.invites[in.ID]
	if v == nil {
		return refuse(CodeNotFound)
	}
	if v.row.RevokedAt == 0 {
		v.row.RevokedAt = now.UnixMilli()
		p.closeInvite(v)
		v.state.Boxes = p.closeBoxes(v.state.Boxes, anyBox)
	}
	p.reply(in.Ref, nil)
	return nil
}

// closeInvite erases an invite's secret; its requests that still wait go too.
// The trace stays: later requests are recognised and counted, never opened.
func (p *Peer) closeInvite(v *invitation) {
	p.eraseOffer(v)
	for _, r := range p.requestsInOrder() {
		if r.row.Invite == v.row.ID && r.row.Phase == RequestWaiting {
			p.eraseRequest(r)
			p.event(Event{Type: RequestResolved, Ref: r.row.ID})
		}
	}
}

func (p *Peer) eraseOffer(v *invitation) {
	v.state.Offer = nil
	v.state.Boxes = p.closeBoxes(v.state.Boxes, isBoard)
	v.row.Link, v.row.UsesLeft = "", 0
	p.touchInvite(v)
}

// scanInvites closes what expired, renews the bundles of cards and forgets the
// traces that nobody needs any more.
func (p *Peer) scanInvites(now time.Time) {
	for _, v := range p.invitesInOrder() {
		expires := time.UnixMilli(v.row.ExpiresAt)
		switch {
		case now.After(expires.Add(usedInviteKept)):
			p.closeBoxes(v.state.Boxes, anyBox)
			delete(p.invites, v.row.ID)
			delete(p.dirtyInvites, v.row.ID)
			p.write(EraseInvite{ID: v.row.ID})
			continue
		case v.state.Offer != nil && !now.Before(expires):
			p.eraseOffer(v) // whoever asked in time still waits for an answer
			p.event(Event{Type: InviteExpired, Ref: v.row.ID})
		case v.state.Offer != nil && v.row.Kind == InviteCard && now.Sub(time.Unix(v.state.Renewed, 0)) > cardRenewal:
			if v.state.Offer.Renew(p.random, uint32(expires.Unix()), p.self.state.Account, p.ourself()) == nil {
				v.state.Renewed = now.Unix()
				p.repost(v)
			}
		}
		if v.state.Offer != nil {
			p.dueBy(expires)
		}
	}
}

// awaited reports whether somebody who asked in time still comes for the accept.
func (p *Peer) awaited(v *invitation) bool {
	for _, r := range p.requests {
		if r.row.Invite == v.row.ID && (r.row.Phase == RequestWaiting || len(r.state.Accept) > 0) {
			return true
		}
	}
	return false
}

// secondUse tells the user, at most once an hour, that somebody follows a link that
// was used up by somebody else.
func (p *Peer) secondUse(now time.Time, v *invitation) {
	if v.row.Used == 0 || v.row.RevokedAt != 0 || now.Sub(v.alerted) < secondUseEvery && !now.Before(v.alerted) {
		return
	}
	v.alerted = now
	p.event(Event{Type: InviteSecondUse, Ref: v.row.ID})
}

// bundleFetch answers the holder of an open link with the sealed bundle.
func (p *Peer) bundleFetch(now time.Time, k *conn, body []byte) error {
	v := k.invite
	capability, err := wire.ParseCapability(body)
	if err != nil || v == nil {
		return nil
	}
	if !v.open(now) { // it closed while this connection stood
		p.secondUse(now, v)
		return nil
	}
	if capability != invite.FetchCapability(v.state.Offer.Secret, k.local) {
		return nil
	}
	sealed, err := v.state.Offer.SealBundle(p.random)
	if err != nil {
		return errRandom
	}
	p.send(SendFrame{Conn: k.id, Type: wire.TypeBundleAnswer, Body: sealed})
	return nil
}

// request is a contact request that reached one of our invites.
type request struct {
	row   PutRequest // State is filled when it is written
	state requestState
	conn  *conn // that it came by last, while it stands
}

// requestState is what PutRequest.State holds.
type requestState struct {
	Incoming *invite.Incoming `cbor:"1,keyasint,omitempty"` // while it waits
	Print    [32]byte         `cbor:"2,keyasint"`           // hash of the request's bytes
	Accept   []byte           `cbor:"3,keyasint,omitempty"` // until the first frame
	Reply    wire.ReplyPath   `cbor:"4,keyasint"`
	SID      [32]byte         `cbor:"5,keyasint"` // of the session that Accept begins
	Seen     uint64           `cbor:"9,keyasint"` // sequence of the asker that Accept names as seen

	ByCourier bool     `cbor:"6,keyasint,omitempty"` // its accept is left with couriers, too
	Slot      [32]byte `cbor:"7,keyasint"`           // that its boards are derived from
	Boxes     []box    `cbor:"8,keyasint,omitempty"`
}

func (p *Peer) requestsInOrder() []*request {
	out := make([]*request, 0, len(p.requests))
	for _, id := range sortedKeys(p.requests) {
		out = append(out, p.requests[id])
	}
	return out
}

// unanswered returns the requests of a contact whose accepts are not confirmed: no frame of
// the sessions that they began has come. Who has followed two links waits by one of them only,
// and we cannot tell by which.
func (p *Peer) unanswered(c *contact) (all []*request) {
	for _, r := range p.requestsInOrder() {
		if r.row.Contact == c.row.ID && len(r.state.Accept) > 0 && c.session(r.state.SID) != nil {
			all = append(all, r)
		}
	}
	return all
}

func (p *Peer) eraseRequest(r *request) {
	p.closeBoxes(r.state.Boxes, anyBox)
	delete(p.requests, r.row.ID)
	delete(p.dirtyRequests, r.row.ID)
	p.roomDue = true
	p.write(EraseRequest{ID: r.row.ID})
}

func (p *Peer) scanRequests(now time.Time) {
	for _, r := range p.requestsInOrder() {
		if age := now.Sub(time.UnixMilli(r.row.At)); r.row.Phase == RequestWaiting && age > requestKept ||
			r.row.Phase != RequestWaiting && age > acceptKept {
			if c := p.contacts[r.row.Contact]; c != nil && c.row.Phase == ContactPending {
				p.failContact(c, CodeRequestExpired)
			}
			p.eraseRequest(r)
			p.event(Event{Type: RequestResolved, Ref: r.row.ID})
		}
	}
}

// requestReceived handles a request: of a link's holder, who may be a contact
// already because both asked, or a contact's renewal.
func (p *Peer) requestReceived(now time.Time, k *conn, body []byte) error {
	d, err := wire.ParseDepositedRequest(body)
	if err != nil {
		return nil
	}
	tag, ok := wire.RequestTag(d.Request[:])
	v := p.inviteOf(tag)
	if !ok || v == nil {
		return p.repairAsked(now, k, d.Request[:])
	}
	_, err = p.takeRequest(now, v, arrival{node: k.local, conn: k}, d)
	return err
}

// arrival is how a request came to us.
type arrival struct {
	node     identity.TransportKey // at which it was left: ours, or a courier's
	conn     *conn                 // to who made it, nil by courier
	courier  *conn                 // that it was pushed on, else nil
	received wire.Acknowledge      // what the courier is told when the request is taken
}

// takeRequest takes a request to an invite. It reports false if there is no room for it
// now: whoever has it keeps it.
func (p *Peer) takeRequest(now time.Time, v *invitation, from arrival, d *wire.DepositedRequest) (taken bool, err error) {
	print := identity.Hash(d.Request[:])
	if r := p.requestBy(v, print); r != nil {
		return true, p.requestAgain(now, r, from)
	}
	if slices.Contains(v.state.Seen, print) {
		return true, nil
	}
	if !v.open(now) {
		p.secondUse(now, v)
		return true, nil
	}
	if d.Capability != invite.DepositCapability(v.state.Offer.Secret, from.node) {
		return true, nil
	}
	if p.full(v) {
		return false, nil
	}
	if v.state.Offer.StampBits > 0 {
		p.askStampCheck(now, from, v, d)
		return false, nil
	}
	return true, p.openRequest(now, from, v, d.Request[:])
}

// requestAgain answers a request that we have with the accept, if it is made.
func (p *Peer) requestAgain(now time.Time, r *request, from arrival) error {
	if from.conn != nil {
		r.conn = from.conn
		if len(r.state.Accept) > 0 {
			p.sendAccept(r, from.conn)
		}
		return nil
	}
	r.state.ByCourier = true
	p.touchRequest(r)
	return p.answerByCourier(now, r)
}

// inviteOf returns the invite whose requests carry a tag, or nil.
func (p *Peer) inviteOf(tag [wire.RequestTagSize]byte) *invitation {
	for _, v := range p.invitesInOrder() {
		if v.state.Tag == tag {
			return v
		}
	}
	return nil
}

func (p *Peer) requestBy(v *invitation, print [32]byte) *request {
	for _, r := range p.requestsInOrder() {
		if r.row.Invite == v.row.ID && r.state.Print == print {
			return r
		}
	}
	return nil
}

// full reports whether no more requests may wait on an invite, or in all.
func (p *Peer) full(v *invitation) bool {
	here, all := 0, 0
	for _, r := range p.requests {
		if r.row.Phase != RequestWaiting {
			continue
		}
		all++
		if r.row.Invite == v.row.ID {
			here++
		}
	}
	return here >= RequestsWaitingMax || all >= RequestsMax
}

// hasRoom reports whether a request to an invite can be taken now, if only to be dropped.
func (p *Peer) hasRoom(now time.Time, v *invitation) bool {
	return !v.open(now) || !p.full(v) && !(v.state.Offer.StampBits > 0 && p.checking())
}

// openRequest opens a request and stores it, or accepts it at once.
func (p *Peer) openRequest(now time.Time, from arrival, v *invitation, bytes []byte) error {
	in, err := v.state.Offer.OpenRequest(p.ourself(), bytes)
	if err != nil {
		return nil // whoever made it cannot be told more than that we look off
	}
	known := p.contactOf(in.Payload.Entry.Account, nil)
	if known != nil && (known.row.Blocked || known.unconfirmed() >= unconfirmedMax) {
		return nil
	}
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	r := &request{
		row: PutRequest{
			ID: RequestID(id), Invite: v.row.ID, Phase: RequestWaiting,
			Name: in.Payload.Name, Greeting: in.Payload.Greeting, At: now.UnixMilli(),
		},
		state: requestState{
			Incoming: in, Print: identity.Hash(bytes),
			Reply: in.Payload.Reply, ByCourier: from.courier != nil, Slot: in.Slot(),
		},
		conn: from.conn,
	}
	v.state.Seen = append(v.state.Seen, r.state.Print)
	if over := len(v.state.Seen) - seenMax; over > 0 {
		v.state.Seen = slices.Delete(v.state.Seen, 0, over)
	}
	p.requests[r.row.ID] = r
	p.touchRequest(r)
	p.touchInvite(v)
	p.event(Event{Type: RequestReceived, Ref: r.row.ID})
	if !v.row.Ask && (known != nil || len(p.contacts) < ContactsMax) {
		return p.accept(now, r)
	}
	return nil
}

func (p *Peer) answerRequest(now time.Time, in AnswerRequest) error {
	r := p.requests[in.ID]
	if r == nil {
		return refuse(CodeNotFound)
	}
	if r.row.Phase != RequestWaiting {
		if r.row.Phase != in.Answer {
			return refuse(CodeConflict)
		}
		p.reply(in.Ref, Answered{Contact: r.row.Contact})
		return nil
	}
	switch in.Answer {
	case RequestAccepted:
		if len(p.contacts) >= ContactsMax {
			return refuse(CodeTooMany)
		}
		if err := p.accept(now, r); err != nil {
			return err
		}
	case RequestDeclined, RequestBlocked:
		r.row.Phase = in.Answer
		r.state.Incoming = nil
		p.touchRequest(r)
		p.event(Event{Type: RequestResolved, Ref: r.row.ID})
	default:
		return refuse(CodeConflict)
	}
	p.reply(in.Ref, Answered{Contact: r.row.Contact})
	return nil
}
