package protocol

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/mailbox"
	"pabal/protocol/outbox"
	"pabal/protocol/rendezvous"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// contact is a person we know or have asked, and this device's sessions with
// their device.
type contact struct {
	row   PutContact // State is filled when it is written
	state contactState

	conv     *conversation // nil until established or first written to
	sessions []*pairSession
	queue    outbox.Queue
	asked    [][16]byte // messages of the fetch under way
	askedTo  aim
	askNext  []*outbox.Entry // what is due on the live path, and was while a fetch was under way

	partsAsked []outbox.Part // of the fetch of parts under way
	partsTo    aim
	partsSince time.Time // since when it is off and there are parts that may go by courier

	conns   []*conn // proved, the newest last
	heard   hearing // of repairs
	backoff rendezvous.Backoff
	dialing uint64 // the Dial under way to its own addresses, 0 = none
	relay   relaying
	seen    sighting           // on a local network
	find    finding            // by the last rung
	signals signals            // of typing and presence
	tried   string             // code of the last failed dial
	triedBy Rung               // by which rung
	triedAt time.Time          // when
	asks    rendezvous.Backoff // of the couriers that a link names, behind connections that brought no accept
	wanted  bool               // tried some times at the start even if nothing waits
	sought  bool               // while it is wanted, by relay, too: it does not find us by itself

	apartNoted    bool                         // state.Apart is on the disk
	carryDue      time.Time                    // when carry has something to do
	waitingSince  time.Time                    // contents gather for an envelope that goes by courier
	ackBy         time.Time                    // a bare ack goes by courier then
	couriersSince time.Time                    // since when
	couriersNew   int                          // so many couriers were named that were not before
	recordDue     bool                         // our mailboxes for it changed
	dealings      map[wire.MailboxID]*dealings // with its mailboxes
	withdrawn     map[Stored]time.Time         // state.Withdraw that a courier was asked for, until when an answer is awaited
	export        *export                      // a file under way
	voidsChanged  bool                         // the queue does not hold state.Voids as they are

	groupsDue     bool       // as a neighbour in groups it is to be met anew
	groupsLive    bool       // what the groups know of whether there is a path
	groupsOverran bool       // so much of groups was to wait for it that some of it does not
	dirty         bool       // the row must be written
	activity      time.Time  // last message either way, for liveness
	syncedAt      time.Time  // last sync frame because of an unopenable envelope
	tellAt        time.Time  // when a sync frame goes by courier; zero = none does
	toldAt        time.Time  // the last that did
	strayAt       time.Time  // since when it speaks, but not in the session we send in
	there         presenceAt // what couriers say of it
	unsupported   bool       // it does not speak our version
	refetching    int        // lookups under way of what the peer lost: nothing later is sealed before it
	comparing     bool       // state.Compare is being looked up
	forked        bool       // sealing has stopped until the repair
	repairAt      time.Time  // not before
	repairSent    time.Time  // over a path
	former        former     // by what it has asked for a renewal
	overtakes     bool       // the next request for a renewal goes before one that it has open, and that cannot come
}

// contactState is what PutContact.State holds.
type contactState struct {
	Device       identity.KEMPublic  `cbor:"1,keyasint"`
	List         identity.ListHead   `cbor:"2,keyasint"`
	Recovery     [32]byte            `cbor:"4,keyasint"`
	Generation   uint32              `cbor:"5,keyasint"`
	Record       *wire.AddressRecord `cbor:"6,keyasint,omitempty"`
	Inline       [][]byte            `cbor:"7,keyasint,omitempty"` // contents that are no messages and wait
	Asking       *asking             `cbor:"8,keyasint,omitempty"`
	Repair       *repair             `cbor:"9,keyasint,omitempty"`
	Renewals     []int64             `cbor:"10,keyasint,omitempty"` // Unix seconds of the last day's
	VerifiedAt   identity.ListHead   `cbor:"11,keyasint"`
	TheirName    uint64              `cbor:"12,keyasint"` // sequence of the profile last taken
	Greeting     string              `cbor:"13,keyasint,omitempty"`
	Accept       []byte              `cbor:"15,keyasint,omitempty"` // of a repair we answered, until its first frame
	AcceptTo     [32]byte            `cbor:"16,keyasint"`           // the request that it answers
	RecordAt     int64               `cbor:"19,keyasint,omitempty"` // Unix seconds: when our record was queued last
	Forked       bool                `cbor:"20,keyasint,omitempty"`
	Renumber     uint64              `cbor:"21,keyasint,omitempty"` // waiting messages up to here need new sequences
	RenumberFrom uint64              `cbor:"22,keyasint,omitempty"` // but not those up to here, which were written before
	RenumberTo   uint64              `cbor:"26,keyasint,omitempty"` // unless they lie up to here, where the peer remembers no tags
	Apart        uint64              `cbor:"23,keyasint,omitempty"` // 1 + our newest sequence at the start since which no frame has shown that both sides agree
	Reasked      [32]byte            `cbor:"24,keyasint"`           // the session of somebody who asked anew, until it says whether it has forgotten us
	ReaskedSeen  uint64              `cbor:"55,keyasint,omitempty"` // what the accept said that we have seen of it: whoever has forgotten us takes all of that back
	ReseededAt   int64               `cbor:"18,keyasint,omitempty"` // Unix seconds
	Hello        [32]byte            `cbor:"17,keyasint"`           // link hello key of the link we asked by
	Voids        []Range             `cbor:"25,keyasint,omitempty"` // our sequences that will not come, which no envelope says yet
	Helping      *mailbox.Terms      `cbor:"32,keyasint,omitempty"` // we keep mail for it
	Courier      *mailbox.Terms      `cbor:"27,keyasint,omitempty"` // it keeps mail for us
	Declined     bool                `cbor:"28,keyasint,omitempty"` // but we do not let it
	Boxes        []box               `cbor:"29,keyasint,omitempty"` // where it leaves mail for us
	Withdraw     []Stored            `cbor:"31,keyasint,omitempty"` // what couriers are to erase of what we left for it
	Exported     []exported          `cbor:"33,keyasint,omitempty"` // what the last file holds
	PartingSince int64               `cbor:"34,keyasint,omitempty"` // Unix seconds: a pairing with a home node that ends
	LostSince    int64               `cbor:"37,keyasint,omitempty"` // Unix seconds: since when something waits and no path works; 0 while the last rung is off
	FoundMade    int64               `cbor:"38,keyasint,omitempty"` // Unix seconds: when it made the record of the DHT that was taken last
	Closing      []wire.MailboxID    `cbor:"30,keyasint,omitempty"` // mailboxes there that it is to close
	// Of the accept of a repair that we answered: the slot in which it is looked for, whether
	// it was asked for by courier, the boards on which it lies then, and its session.
	AcceptSlot      [32]byte `cbor:"40,keyasint"`
	AcceptByCourier bool     `cbor:"41,keyasint,omitempty"`
	AcceptBoxes     []box    `cbor:"42,keyasint,omitempty"`
	AcceptSID       [32]byte `cbor:"52,keyasint"`
	PleadedAt       int64    `cbor:"43,keyasint,omitempty"` // Unix seconds: when a renewal was asked for because of mail that did not open

	NotOpenedAt int64 `cbor:"54,keyasint,omitempty"` // Unix seconds: since when nothing by courier opens, and something came
	SilentSince int64 `cbor:"59,keyasint,omitempty"` // Unix seconds: since when it is there, as couriers say, with old mail waiting, and nothing comes of it

	Bereft bool `cbor:"44,keyasint,omitempty"` // it comes from a backup, and its sessions do not: Forked until there is one

	PictureDue   bool   `cbor:"45,keyasint,omitempty"` // it has not been told our picture
	TheirPicture uint64 `cbor:"46,keyasint,omitempty"` // sequence of the picture last taken
	PictureAnew  bool   `cbor:"47,keyasint,omitempty"` // the next picture counts whatever its sequence

	PictureUntold bool    `cbor:"48,keyasint,omitempty"` // there is one of which the user was not told
	PicturesTold  []int64 `cbor:"49,keyasint,omitempty"` // Unix seconds: when the user was told of one, the last day's

	Parts []fileParts `cbor:"50,keyasint,omitempty"` // small files that it has not got, oldest first

	Stock wire.GroupStock `cbor:"61,keyasint,omitempty"` // member keys of its, by which it can be added to groups, the oldest first

	Compare *recentTag `cbor:"62,keyasint,omitempty"` // the message that it holds last of ours, which the history is to be asked for

	Differs bool `cbor:"60,keyasint,omitempty"` // of what was said, as an accept by link has shown, and no renewal yet

	Unheard [32]byte `cbor:"58,keyasint"` // the session of a renewal that we asked for, in which nothing has come

	RenewedAt int64 `cbor:"57,keyasint,omitempty"` // Unix seconds: when both went on in a session by a renewal last

	Granted []grant `cbor:"56,keyasint,omitempty"` // renewals of which no frame has come, beside a session that is good

	Former [][32]byte `cbor:"53,keyasint,omitempty"` // the recovery secrets before Recovery, the newest first

	Links [][32]byte `cbor:"51,keyasint,omitempty"` // link hello keys of other links that turned out to lead to it, the newest last

	Doubts []doubt `cbor:"35,keyasint,omitempty"` // what its receipts say against couriers that it names
}

// pairSession is one session with the contact's device, and what its root gave
// beside it: the pair chain of hello tags and the secret of a later repair.
type pairSession struct {
	sid        [32]byte
	generation uint32
	since      int64    // Unix seconds
	confirmed  bool     // the peer is known to hold it too
	recovery   [32]byte // the secret of later repairs: of the first session, whatever was renewed since
	chain      identity.PairChain
	s          *session.Session
	heard      hearing
	ackDue     bool // something came that no frame of ours has acknowledged
	withdrew   bool // the peer must be told what was withdrawn in this session
	dirty      bool
}

// hearing keeps the keys that a contact's hello may be made under: to find them walks
// the days of a chain, and anybody who connects has them looked through.
type hearing struct {
	day     uint32
	chain   identity.PairChain
	secrets [][32]byte
	keys    []identity.HelloKey
}

// listen returns the keys of the session's pair chain on a day.
func (ps *pairSession) listen(day uint32) []identity.HelloKey {
	if ps.heard.keys == nil || ps.heard.day != day || ps.heard.chain != ps.chain {
		ps.heard = hearing{day: day, chain: ps.chain, keys: ps.chain.Listen(day)}
	}
	return ps.heard.keys
}

// listen returns the keys of a contact's repair hellos on a day and the days beside it, also by the
// secrets that were.
func (c *contact) listen(day uint32) []identity.HelloKey {
	if c.state.Recovery == [32]byte{} {
		return nil
	}
	h := &c.heard
	if h.keys != nil && h.day == day && h.secrets[0] == c.state.Recovery && slices.Equal(h.secrets[1:], c.state.Former) {
		return h.keys
	}
	*h = hearing{day: day, secrets: append([][32]byte{c.state.Recovery}, c.state.Former...)}
	for _, secret := range h.secrets {
		for _, d := range [3]uint32{day - 1, day, day + 1} {
			h.keys = append(h.keys, identity.HelloKey{Day: d, Key: identity.RepairHelloKey(secret, d)})
		}
	}
	return h.keys
}

// live returns the connection to send on, or nil: the newest, but a relayed one only if
// there is no other.
func (c *contact) live() *conn {
	if len(c.conns) == 0 {
		return nil
	}
	for _, k := range slices.Backward(c.conns) {
		if !k.relayed {
			return k
		}
	}
	return c.conns[len(c.conns)-1]
}

// first returns the session that sends: of those that the peer is known to hold
// the one of the highest generation with the smallest sid. The others receive
// until they are drained.
func (c *contact) first() *pairSession {
	for _, ps := range c.sessions {
		if ps.confirmed {
			return ps
		}
	}
	if len(c.sessions) > 0 {
		return c.sessions[0]
	}
	return nil
}

// sending returns the session that seals now, or nil.
func (c *contact) sending() *pairSession {
	if c.forked {
		return nil
	}
	return c.first()
}

// unconfirmed counts the sessions of which nothing shows that the peer holds them, but for those of
// grants: of these there is one for each secret.
func (c *contact) unconfirmed() (n int) {
	for _, ps := range c.sessions {
		if !ps.confirmed && c.granted(ps.sid) < 0 {
			n++
		}
	}
	return n
}

// regained ends the look for a session in place of those that stayed behind when the contact
// came from a backup: there is one that both sides hold.
func (c *contact) regained() {
	if c.state.Bereft {
		c.state.Bereft, c.state.Forked, c.forked = false, false, false
		c.state.Repair = nil
	}
}

// confirmed reports whether the peer is known to hold a session with us.
func (c *contact) confirmed() bool {
	return slices.ContainsFunc(c.sessions, func(ps *pairSession) bool { return ps.confirmed })
}

func (c *contact) addSession(ps *pairSession) {
	c.sessions = append(c.sessions, ps)
	slices.SortFunc(c.sessions, func(a, b *pairSession) int {
		if a.generation != b.generation {
			return compareUint64(uint64(b.generation), uint64(a.generation))
		}
		return slices.Compare(a.sid[:], b.sid[:])
	})
}

// highestGeneration returns that of the newest session, or of the newest that was.
func (c *contact) highestGeneration() uint32 {
	if len(c.sessions) == 0 {
		return c.state.Generation
	}
	return c.sessions[0].generation
}

func (c *contact) session(sid [32]byte) *pairSession {
	i := slices.IndexFunc(c.sessions, func(ps *pairSession) bool { return ps.sid == sid })
	if i < 0 {
		return nil
	}
	return c.sessions[i]
}

// reachable reports whether there is anything to dial for.
func (c *contact) needsPath(now time.Time) bool {
	switch {
	case c.row.Blocked || c.row.Phase == ContactFailed:
		return false
	case len(c.conns) > 0:
		return c.moving()
	case c.row.Phase == ContactRequested, c.wanted, c.courier(), len(c.state.Closing) > 0:
		return true
	}
	return c.waits() || c.state.Repair != nil || c.row.Phase == ContactPending
}

// waits reports whether the contact is to get anything, or has to acknowledge it.
func (c *contact) waits() bool { return !c.queue.Empty() || len(c.state.Voids) > 0 }

// open reports whether the conversation is in use, so that its path is pinged.
func (c *contact) open(now time.Time) bool {
	return !c.activity.IsZero() && now.Sub(c.activity) < openConversationFor
}
