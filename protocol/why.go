package protocol

import (
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// Why says what a contact, or a message to it, waits for. Codes are stable.
type Why struct {
	Phase     ContactPhase
	Reason    string // empty: it waits for nothing
	Live      bool   // there is an authenticated connection
	LastTry   time.Time
	Path      Rung   // by which the connection was dialled; empty if the contact dialled
	LastError string // of the last dial
	LastRung  Rung   // by which it was tried
	NextTry   time.Time
	Rungs     []Attempt      // by which it may be reached; none if nothing waits for it
	Carried   int            // couriers that hold the message
	Parts     int            // couriers that hold parts of files of the message
	Couriers  []CourierState // of the contact, as long as something waits for it
	// ExportedAt is when the last file was made that holds the message; zero is never.
	ExportedAt time.Time
}

// Reasons of a Why.
const (
	WhyNoAnswer       = "no_answer"         // the contact has not answered our request
	WhyOffline        = "offline"           // no path stands now
	WhyNoPath         = "no_path"           // we know no address that may be dialled
	WhyNoPublicPath   = "no_public_path"    // neither side is found from outside its own network
	WhyPending        = "not_established"   // accepted, the first frame has not come
	WhyUnacknowledged = "unacknowledged"    // sent on a live path, no answer yet
	WhyWindow         = "window_full"       // too much is unacknowledged already
	WhyCarried        = "carried"           // couriers hold it until the contact comes
	WhyRenewal        = "session_renewal"   // a side lost its state; a new session is being made
	WhyNeedsUpdate    = "peer_needs_update" // the peer does not speak our version
	WhyBlocked        = "blocked"
	WhyNoRecord       = "no_record" // the contact has not said in the DHT where it is, as far as is known
	WhyVerify         = "verification_required"
)

// Why tells what a contact waits for; with a message, what that message does.
// It changes nothing. found is false for an unknown contact.
func (p *Peer) Why(now time.Time, id ContactID, message *MessageID) (why Why, found bool) {
	c := p.contacts[id]
	if c == nil {
		return Why{}, false
	}
	why = Why{Phase: c.row.Phase, Live: c.live() != nil, LastTry: c.triedAt, LastError: c.tried, LastRung: c.triedBy}
	if k := c.live(); k != nil {
		why.Path = k.rung
	}
	if c.needsPath(now) && c.dialing == 0 {
		why.NextTry = later(c.backoff.Next(), now)
	}
	if c.needsPath(now) || c.live() != nil && c.waits() {
		why.Rungs = p.ladder(now, c)
	}
	why.Reason = c.waitsFor(message)
	var carrying *outbox.Entry
	if message != nil {
		why.Parts = c.partCouriers(*message)
		if e, ok := c.queue.Carrying(*message); ok {
			carrying, why.ExportedAt = e, c.exportedAt(e)
		}
	}
	if carrying != nil && (why.Reason == WhyOffline || why.Reason == WhyNoPath) {
		if n := c.carried(carrying); n > 0 {
			why.Reason, why.Carried = WhyCarried, n
		}
	}
	switch why.Reason {
	case WhyOffline, WhyNoPath, WhyNoAnswer:
		if c.live() == nil && c.tried != "" && !p.foundFromOutside(now) && !p.findable(now, c) {
			why.Reason = WhyNoPublicPath
		}
	}
	if why.Reason != "" && c.waits() {
		why.Couriers = p.courierStates(now, c, carrying)
	}
	return why, true
}

func (c *contact) waitsFor(message *MessageID) string {
	switch {
	case c.row.Phase == ContactFailed:
		return c.row.Reason
	case c.row.Blocked:
		return WhyBlocked
	case c.row.Phase == ContactRequested && len(c.conns) == 0 && c.tried == WhyNoPath:
		return WhyNoPath
	case c.row.Phase == ContactRequested:
		return WhyNoAnswer
	case c.unsupported:
		return WhyNeedsUpdate
	case c.row.Verification == VerifiedChanged:
		return WhyVerify
	case c.forked:
		return WhyRenewal
	}
	sealed := false
	if message != nil {
		_, sealed = c.queue.Carrying(*message)
		if !sealed && !c.queue.HasWaiting(*message) {
			return "" // delivered, or not ours to deliver
		}
	} else if !c.waits() {
		return ""
	}
	switch {
	case c.live() == nil && c.tried == WhyNoPath:
		return WhyNoPath
	case c.live() == nil:
		return WhyOffline
	case c.row.Phase == ContactPending:
		return WhyPending
	case message != nil && !sealed:
		return WhyWindow
	}
	return WhyUnacknowledged
}

// LivePeer is a contact with an authenticated connection.
type LivePeer struct {
	Contact ContactID
	Path    Rung // by which we dialled; empty if the contact did
	Since   time.Time
	Writes  bool // to us, as it lets us know
	Here    bool // as it lets us know
}

// Live returns the contacts that are live now, by id.
func (p *Peer) Live() []LivePeer {
	var out []LivePeer
	for _, c := range p.contactsInOrder() {
		if k := c.live(); k != nil {
			out = append(out, LivePeer{Contact: c.row.ID, Path: k.rung, Since: k.opened, Writes: !c.signals.writes.IsZero(), Here: !c.signals.here.IsZero()})
		}
	}
	return out
}

// LiveCount returns how many contacts are live now.
func (p *Peer) LiveCount() int { return p.live }

// Addresses returns our own addresses, as last told by NetworkChanged.
func (p *Peer) Addresses() []wire.Address { return p.net.Own }

// Account returns our account's public key, for fingerprints.
func (p *Peer) Account() identity.AccountPublic { return p.self.account }

// Devices returns the devices of our account.
func (p *Peer) Devices() []identity.ListedDevice { return p.self.presented().list.Devices }

// Name returns our display name.
func (p *Peer) Name() string { return p.self.name }
