package protocol

import (
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"pabal/protocol/identity"
	"pabal/protocol/mailbox"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// Config is what a Peer must be told about its machine.
type Config struct {
	// BootID changes at each boot of the machine and is equal for all profiles
	// on it: two profiles on one machine may then reach each other by loopback.
	// Zero means unknown: loopback addresses are then never dialled.
	BootID [32]byte
	// KeyOffset moves the moment at which our transport key changes away from
	// midnight UTC, at most 3 hours either way, so that not all nodes change at once.
	KeyOffset time.Duration
	// Home says that this node stays where it is and serves as a home node: it keeps one
	// transport key and may be paired with owners.
	Home bool
	// Groups has contacts be given keys by which they can add us to groups. Without it nothing of groups is sent or taken: a
	// program that cannot show them must not be in any.
	Groups bool
}

// Peer is one device of one account. It is not safe for concurrent use: one
// goroutine owns it and others send that goroutine Inputs.
type Peer struct {
	random io.Reader
	config Config
	encode cbor.EncMode
	decode cbor.DecMode

	self          self
	net           rendezvous.Network
	outside       rendezvous.Outside
	near          nearby
	search        search                 // by the last rung
	contacts      map[ContactID]*contact // changed by keepContact and loseContact
	ordered       []*contact             // the same by id; nil = to be put in order
	invites       map[InviteID]*invitation
	requests      map[RequestID]*request
	conversations map[ConversationID]*conversation
	groups        map[ConversationID]*membership // changed by keepMembership
	groupsByID    map[wire.OperationID]ConversationID
	conns         map[ConnID]*conn
	dials         map[uint64]*dialing
	posts         map[identity.TransportKey]*post
	shelves       mailbox.Shelves // what we keep for others
	furnishDue    bool            // our couriers or contacts changed
	roomDue       bool            // there may be room for a request that was left with a courier
	jobs          map[uint64]pendingJob
	lastNumber    uint64 // of dials and jobs

	stirred            map[ContactID]bool // their sessions, outbox or row changed in this batch
	dirtyConversations map[ConversationID]bool
	dirtyInvites       map[InviteID]bool
	dirtyRequests      map[RequestID]bool

	live       int                   // contacts with a connection
	nextDue    time.Time             // when scan has something to do; zero = at once
	clockDay   uint32                // of the last authenticated contact whose day differs from ours, 0 = none
	recordDue  time.Time             // our addresses changed: tell the contacts then
	saidNext   time.Time             // not before then because of what others say of them
	key        identity.TransportKey // ours now; zero until it changes the first time in a run
	olderUntil time.Time             // there may be connections under an older one until then; zero = there are none
	lastTurn   time.Time             // when the last contact of those who are off is tried
	lastNow    time.Time
	here       presence
	out        *Output // of the Step under way
}

var (
	errState  = errors.New("protocol: stored state does not parse")
	errRandom = errors.New("protocol: the random source failed")
)

// Create makes a new account with one device. The Output holds the rows to
// commit before the Peer is used.
func Create(random io.Reader, config Config, now time.Time, name string) (*Peer, Output, error) {
	name, err := cleanName(name)
	if err != nil {
		return nil, Output{}, err
	}
	p, err := newPeer(random, config)
	if err != nil {
		return nil, Output{}, err
	}
	if p.self, err = newSelf(random, now, name); err != nil {
		return nil, Output{}, err
	}
	out, err := p.Step(now, Flush{})
	return p, out, err
}

func newPeer(random io.Reader, config Config) (*Peer, error) {
	p := &Peer{
		random: random, config: config,
		contacts:           make(map[ContactID]*contact),
		invites:            make(map[InviteID]*invitation),
		requests:           make(map[RequestID]*request),
		conversations:      make(map[ConversationID]*conversation),
		groups:             make(map[ConversationID]*membership),
		groupsByID:         make(map[wire.OperationID]ConversationID),
		conns:              make(map[ConnID]*conn),
		dials:              make(map[uint64]*dialing),
		posts:              make(map[identity.TransportKey]*post),
		jobs:               make(map[uint64]pendingJob),
		stirred:            make(map[ContactID]bool),
		dirtyConversations: make(map[ConversationID]bool),
		dirtyInvites:       make(map[InviteID]bool),
		dirtyRequests:      make(map[RequestID]bool),
	}
	var err error
	if p.encode, err = cbor.CoreDetEncOptions().EncMode(); err != nil {
		return nil, err
	}
	if p.decode, err = (cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxArrayElements: rowElementsMax}).DecMode(); err != nil {
		return nil, err
	}
	return p, nil
}

// Step advances the Peer by one input. An error, always a *Problem unless the
// random source failed, means that the input was refused and nothing changed.
func (p *Peer) Step(now time.Time, in Input) (Output, error) {
	var out Output
	if now.Before(p.lastNow.Add(-clockSlack)) {
		p.clockWentBack(now)
	}
	p.out, p.lastNow = &out, now
	defer func() { p.out = nil }()
	err := p.route(now, in)
	return out, err
}

func (p *Peer) route(now time.Time, in Input) error {
	switch in := in.(type) {
	case Flush:
		return p.flush(now)
	case FrameReceived:
		return p.frameReceived(now, in)
	case ConnOpened:
		return p.connOpened(now, in)
	case ConnClosed:
		p.connClosed(now, in.Conn)
	case DialFailed:
		p.dialFailed(now, in)
	case Rotated:
		p.rotated(now, in.Key)
	case NetworkChanged:
		p.networkChanged(now, in)
	case SeenAt:
		p.seenAt(now, in)
	case RelayReserved:
		p.relayReserved(in)
	case NearChanged:
		p.nearChanged(now, in)
	case SetDHT:
		p.setDHT(now, in)
	case RecordPublished:
		p.recordPublished(now, in)
	case RecordLookedUp:
		p.recordLookedUp(now, in)
	case BeaconHeard:
		p.beaconHeard(now, in)
	case Woke:
		p.woke(now)
	case FilesStir:
		p.filesStir(now, in)
	case FileFetched:
		p.fileFetched(in)
	case PartsFetched:
		return p.partsFetched(now, in)
	case Reconnect:
		p.reconnect(now)
		p.reply(in.Ref, nil)
	case ContentsFetched:
		p.contentsFetched(now, in)
	case SequencesFetched:
		p.sequencesFetched(now, in)
	case HeldFetched:
		p.heldFetched(in)
	case SharedFetched:
		return p.sharedFetched(now, in)
	case StampChecked:
		return p.stampChecked(now, in)
	case StampMade:
		return p.stampMade(now, in)
	default:
		return p.command(now, in)
	}
	return nil
}

func (p *Peer) command(now time.Time, in Input) error {
	switch in := in.(type) {
	case SendText:
		return p.sendText(now, in)
	case MarkRead:
		return p.markRead(now, in)
	case TakeBack:
		return p.takeBack(now, in)
	case DeleteMessage:
		return p.deleteMessage(now, in)
	case EditMessage:
		return p.editMessage(now, in)
	case DeleteForEveryone:
		return p.deleteForEveryone(now, in)
	case React:
		return p.react(now, in)
	case SetDeletions:
		p.self.state.RefuseDeletions, p.self.dirty = in.Refuse, true
		p.reply(in.Ref, nil)
	case CreateInvite:
		return p.createInvite(now, in)
	case RevokeInvite:
		return p.revokeInvite(now, in)
	case AddContact:
		return p.addContact(now, in)
	case AnswerRequest:
		return p.answerRequest(now, in)
	case SetTyping:
		return p.setTyping(now, in)
	case SetPresence:
		p.setPresence(now, in)
	case SetName:
		return p.setName(in)
	case SetPicture:
		return p.setPicture(now, in)
	case SetAlias:
		return p.setAlias(in)
	case SetVerified:
		return p.setVerified(in)
	case SetBlocked:
		return p.setBlocked(in)
	case RemoveContact:
		return p.removeContact(in)
	case SetTimer:
		return p.setTimer(now, in)
	case SetDefaultTimer:
		return p.setDefaultTimer(in)
	case OfferHelp:
		return p.offerHelp(now, in)
	case AcceptHelp:
		return p.acceptHelp(in)
	case EndHelp:
		return p.endHelp(now, in)
	case ExportBundle:
		return p.exportBundle(in)
	case ImportBundle:
		return p.importBundle(now, in)
	case OpenConversation:
		return p.openCommand(now, in)
	default:
		return p.groupCommand(now, in)
	}
	return nil
}

func (p *Peer) groupCommand(now time.Time, in Input) error {
	switch in := in.(type) {
	case CreateGroup:
		return p.createGroup(now, in)
	case AddMember:
		return p.addMember(now, in)
	case RemoveMember:
		return p.removeMember(now, in)
	case SetRole:
		return p.setRole(now, in)
	case SetTitle:
		return p.setTitle(now, in)
	case JoinGroup:
		return p.joinGroup(now, in)
	case LeaveGroup:
		return p.leaveGroup(now, in)
	case CloseGroup:
		return p.closeGroup(now, in)
	default:
		panic("protocol: an input without a route")
	}
}

func (p *Peer) write(w ...Write) { p.out.Writes = append(p.out.Writes, w...) }
func (p *Peer) send(s Send)      { p.out.Sends = append(p.out.Sends, s) }
func (p *Peer) event(e Event)    { p.out.Events = append(p.out.Events, e) }

// contactEvent tells of a contact; what is no person is told of as a courier.
func (p *Peer) contactEvent(t EventType, c *contact) {
	if c.row.Role != RolePerson {
		t = CourierUpdated
	}
	p.event(Event{Type: t, Contact: c.row.ID})
}

func (p *Peer) peerState(c *contact, code string) {
	if c.row.Role != RolePerson {
		p.event(Event{Type: CourierUpdated, Contact: c.row.ID})
		return
	}
	p.event(Event{Type: PeerState, Contact: c.row.ID, Code: code})
}

func (p *Peer) reply(ref uint64, result any) {
	p.out.Replies = append(p.out.Replies, Reply{Ref: ref, Result: result})
}

// stir has a contact's mail sealed, its sessions written and its next due time found
// at the next Flush. One that was removed, of whom a connection may be left, stays so.
func (p *Peer) stir(c *contact) {
	if p.contacts[c.row.ID] == c {
		p.stirred[c.row.ID] = true
	}
}

// touchContact also has the contact's own row written.
func (p *Peer) touchContact(c *contact) {
	c.dirty = true
	p.stir(c)
}

func (p *Peer) touchConversation(v *conversation) { p.dirtyConversations[v.row.ID] = true }
func (p *Peer) touchInvite(v *invitation)         { p.dirtyInvites[v.row.ID] = true }

func (p *Peer) touchRequest(r *request) {
	p.dirtyRequests[r.row.ID] = true
	p.roomDue = true
}

func (p *Peer) number() uint64 {
	p.lastNumber++
	return p.lastNumber
}

func (p *Peer) newID(now time.Time) ([16]byte, error) {
	id, err := newID(now, p.random)
	if err != nil {
		return id, errRandom
	}
	return id, nil
}

func (p *Peer) randomByte() byte {
	var b [1]byte
	if _, err := io.ReadFull(p.random, b[:]); err != nil {
		return 0 // only jitter is made of it
	}
	return b[0]
}

// refuse makes the error of a refused input.
func refuse(code string) error { return &Problem{Code: code} }

// keepContact has there be a contact from now on.
func (p *Peer) keepContact(c *contact) {
	p.contacts[c.row.ID], p.ordered = c, nil
}

// loseContact has there be a contact no more.
func (p *Peer) loseContact(id ContactID) {
	delete(p.contacts, id)
	p.ordered = nil
}

// contactsInOrder returns the contacts by id: map order must not reach Output. The slice must not
// be changed; it stays what it is when contacts come and go.
func (p *Peer) contactsInOrder() []*contact {
	if p.ordered == nil {
		p.ordered = make([]*contact, 0, len(p.contacts))
		for _, id := range sortedKeys(p.contacts) {
			p.ordered = append(p.ordered, p.contacts[id])
		}
	}
	return p.ordered
}

// contactOf returns the contact with an account, other than one. There are several as long
// as requests of ours are not answered: then it is the one that is a contact, with a session
// or, behind a restored backup, without.
func (p *Peer) contactOf(account identity.AccountPublic, but *contact) *contact {
	if account == (identity.AccountPublic{}) {
		return nil
	}
	var found *contact
	rank := func(c *contact) int {
		switch {
		case c == nil:
			return 0
		case len(c.sessions) > 0:
			return 3
		case c.row.Phase != ContactRequested: // behind a restored backup
			return 2
		}
		return 1
	}
	for _, c := range p.contactsInOrder() {
		if c == but || !c.row.Account.Equal(account) || c.row.Phase == ContactFailed {
			continue
		}
		if rank(c) > rank(found) {
			found = c
		}
	}
	return found
}

func sortedKeys[K ~[16]byte, V any](m map[K]V) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int { return slices.Compare(a[:], b[:]) })
}
