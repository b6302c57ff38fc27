package protocol

import (
	"net/netip"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// Output is what the caller must do, in this order: commit Writes in one
// transaction, do Sends, publish Events and Replies, start Jobs, and call Step
// with Woke at Wake. A caller may gather the Outputs of several Inputs, the last
// of them Flush, and commit once.
type Output struct {
	Writes  []Write
	Sends   []Send
	Events  []Event
	Replies []Reply
	Jobs    []Job
	Wake    time.Time // zero = nothing is due; only Flush sets it
}

// Send is something to do on the network after the commit.
type Send interface{ send() }

type (
	// SendFrame sends one frame on a connection.
	SendFrame struct {
		Conn ConnID
		Type wire.Type
		Body []byte
	}
	// Authenticate says that a connection has proved to belong to a contact or
	// to the holder of an open link: its stranger limits are lifted.
	Authenticate struct {
		Conn   ConnID
		Active bool // an open conversation: keep it alive and ping it
	}
	// Hangup closes a connection.
	Hangup struct{ Conn ConnID }
	// Dial tries every key on every address until one connects, or until Deadline.
	// The answer is ConnOpened or DialFailed with the same Dial number.
	Dial struct {
		Dial      uint64
		Deadline  time.Time
		Keys      []identity.TransportKey
		Addresses []wire.Address
		Relays    []ConnID  // to relays, through which every key is tried, too
		Rung      Rung      // why these addresses
		For       ContactID // on whose behalf
	}
	// LeaveKey ends what goes on under older transport keys of ours.
	LeaveKey struct{}
	// Beacon sends a datagram to everybody on a local network, from our address there,
	// unless we are in another network by now.
	Beacon struct {
		From     netip.Addr
		Network  [16]byte // as in Near
		Datagram []byte
	}
)

// Rung says by which rung of the ladder a contact is tried (network.md, "The ladder").
type Rung string

// The rungs.
const (
	RungLive    Rung = "live"    // a connection that stands; nothing is dialled
	RungLink    Rung = "link"    // addresses of the link that we ask by
	RungDirect  Rung = "direct"  // addresses that the contact told us
	RungLAN     Rung = "lan"     // where the contact's beacon was heard
	RungRelay   Rung = "relay"   // through a courier of the contact
	RungPunch   Rung = "punch"   // where the contact is seen from outside, while it dials us
	RungCourier Rung = "courier" // a courier of the contact, to leave mail for it
	RungDHT     Rung = "dht"     // a public DHT, where the contact may have said where it is
)

// What is asked of a public DHT (spec, "Public DHT"). Each of these must be done by a host
// of its own, with a key that is used for nothing else.
type (
	// PublishRecord publishes a record; the answer is RecordPublished.
	PublishRecord struct {
		Number   uint64
		Seed     identity.RecordSeed // of the name
		Sequence uint64              // rises for each name
		Until    time.Time           // the record is worth nothing afterwards
		Sealed   []byte
		Deadline time.Time // of the answer
		For      ContactID // on whose behalf; zero: on nobody's
	}
	// LookUpRecord looks a name up; the answer is RecordLookedUp.
	LookUpRecord struct {
		Number   uint64
		Name     identity.RecordName
		Deadline time.Time // of the answer
		For      ContactID // on whose behalf; zero: on nobody's
	}
)

func (PublishRecord) send() {}
func (LookUpRecord) send()  {}

// What is asked of the network layer's relay, and of relays (spec, "Relays").
type (
	// Punch tries to make a direct connection beside a relayed one that we dialled.
	// The answer is ConnOpened or DialFailed with the same Dial number.
	Punch struct {
		Dial uint64
		Conn ConnID
		For  ContactID
	}
	// LetPunch allows the other side of a relayed connection to do so.
	LetPunch struct {
		Conn ConnID
		For  ContactID
	}
	// RelayHelp says that the other side of a connection may be reached through our
	// relay, and under which name; the zero name ends it.
	RelayHelp struct {
		Conn ConnID
		Name ContactID
	}
	// RelayAdmit says that the other side of a connection may be connected by our
	// relay with whom it helps under that name.
	RelayAdmit struct {
		Conn ConnID
		Name ContactID
	}
	// RelayReserve keeps us reachable through the other side of a connection, as
	// long as it lasts, or ends that.
	RelayReserve struct {
		Conn ConnID
		On   bool
	}
)

func (Punch) send()        {}
func (LetPunch) send()     {}
func (RelayHelp) send()    {}
func (RelayAdmit) send()   {}
func (RelayReserve) send() {}

func (SendFrame) send()    {}
func (Authenticate) send() {}
func (Hangup) send()       {}
func (Dial) send()         {}
func (LeaveKey) send()     {}
func (Beacon) send()       {}

// ConnID names a connection; the network layer never uses one twice in a run.
type ConnID uint64

// EventType is the type of an event as the API names it.
type EventType string

// The types of events. All but those listed in [EventType.Durable] are logged.
const (
	MessageCreated      EventType = "message.created"      // Conversation; First position, Count
	MessageStatus       EventType = "message.status"       // Conversation; First own sequence, Count; Code a Status…
	MessageEdited       EventType = "message.edited"       // Conversation, Ref or Message
	MessageDeleted      EventType = "message.deleted"      // Conversation, Ref, First position; or Message
	MessageReaction     EventType = "message.reaction"     // Conversation, Ref or Message
	MessageExpiredEvent EventType = "message.expired"      // Conversation, Ref, First position
	ConversationCreated EventType = "conversation.created" // Conversation, Contact
	ConversationUpdated EventType = "conversation.updated" // Conversation
	ConversationRead    EventType = "conversation.read"    // Conversation
	ContactAdded        EventType = "contact.added"        // Contact
	ContactUpdated      EventType = "contact.updated"      // Contact
	ContactRemoved      EventType = "contact.removed"      // Contact
	ContactBlocked      EventType = "contact.blocked"      // Contact
	ContactVerified     EventType = "contact.verified"     // Contact
	ContactKeyChanged   EventType = "contact.key_changed"  // Contact
	ContactRenewed      EventType = "contact.renewed"      // Contact: session renewed
	ContactUnsupported  EventType = "contact.unsupported"  // Contact
	RequestReceived     EventType = "request.received"     // Ref
	RequestResolved     EventType = "request.resolved"     // Ref
	InviteUsed          EventType = "invite.used"          // Ref
	InviteSecondUse     EventType = "invite.second_use"    // Ref
	InviteExpired       EventType = "invite.expired"       // Ref
	SelfUpdated         EventType = "self.updated"
	CourierUpdated      EventType = "courier.updated"   // Contact
	SecurityAlert       EventType = "security.alert"    // Contact, Code
	FileAvailable       EventType = "file.available"    // Conversation; Ref a file: all of it lies here
	FileFailed          EventType = "file.failed"       // Conversation; Ref a file; Code why it does not come
	TransferProgress    EventType = "transfer.progress" // Conversation; Ref a file; not logged
	PeerState           EventType = "peer.state"        // Contact; Code "live" or "off"; not logged
	Typing              EventType = "typing"            // Contact, Conversation; Code TypingOn or TypingOff; not logged
	Presence            EventType = "presence"          // Contact; Code PresenceHere or PresenceGone; not logged
	Draft               EventType = "draft"             // Conversation; not logged
)

// The codes of MessageStatus: what the messages came to with this event. Messages that the
// peer had acknowledged and lost are queued again.
const (
	StatusQueued    = "queued"
	StatusCarried   = "carried" // by one courier more
	StatusDelivered = "delivered"
	StatusRead      = "read"
)

// The codes of Typing and Presence.
const (
	TypingOn     = "on"
	TypingOff    = "off"
	PresenceHere = "here"
	PresenceGone = "gone" // or not known
)

// Durable reports whether events of this type are kept in the log.
func (t EventType) Durable() bool {
	return t != PeerState && t != Typing && t != Presence && t != Draft && t != TransferProgress
}

// Event tells frontends what happened, by reference only: no text, no name.
// Count consecutive events of one type are one Event (0 counts as 1): the log
// gives each its own cursor.
type Event struct {
	Type         EventType
	Contact      ContactID
	Conversation ConversationID
	Ref          [16]byte // a message, file, invite or request id; of ContactRemoved the contact that it turned out to be
	First, Count uint64
	Code         string
	// Message stands for Ref where the core only knows the author's id of a message: the
	// log has its own. If there is no such message, nothing is logged.
	Message [16]byte
}

// Reply is the result of the Input with the same Ref. Refusals are not
// replies: they are the error of Step.
type Reply struct {
	Ref    uint64
	Result any // one of the types below, or nil; a *Problem if what was begun cannot be finished
}

type (
	// InviteCreated answers CreateInvite.
	InviteCreated struct {
		ID        InviteID
		Link      string
		ExpiresAt int64
		Warnings  []string // codes, for example no_public_path
	}
	// Added answers AddContact.
	Added struct {
		Contact ContactID
		Phase   ContactPhase
	}
	// Answered answers AnswerRequest.
	Answered struct{ Contact ContactID }
	// BundleExported answers ExportBundle.
	BundleExported struct {
		File     []byte
		Messages int // of ours in the file
		Waiting  int // of ours that are not: too much is unacknowledged already
	}
	// BundleImported answers ImportBundle.
	BundleImported struct {
		Contact   ContactID
		At        int64 // Unix seconds, by the clock of whoever made the file
		Messages  int   // that had not come before
		Delivered int   // messages of ours that the file acknowledges for the first time
		Renewal   bool  // the session must be renewed, over a connection or by couriers
	}
	// Opened answers OpenConversation.
	Opened struct{ Conversation ConversationID }
	// GroupCreated answers CreateGroup.
	GroupCreated struct{ Conversation ConversationID }
	// Sent answers SendText.
	Sent struct {
		ID           MessageID
		Conversation ConversationID
		Position     uint64
	}
)

// Job is pure work or a read that must not run inside Step; its result comes
// back as the Input named at each type.
type Job interface{ job() }

type (
	// FetchContents asks for the contents of messages, or for what has such a name of a PutShared, as
	// [SharedContent] has it; answer ContentsFetched.
	FetchContents struct {
		Contact  ContactID
		Messages []MessageID
	}
	// FetchParts asks for parts of files in messages of ours to a contact; answer PartsFetched.
	FetchParts struct {
		Contact ContactID
		Parts   []outbox.Part
	}
	// FetchSequences asks for those of our messages First..Last of a
	// conversation that the history still has; answer SequencesFetched.
	FetchSequences struct {
		Conversation ConversationID
		First, Last  uint64
		Compare      bool // to compare it; SequencesFetched says so, too
	}
	// CheckStamp asks for one Argon2id check; answer StampChecked.
	CheckStamp struct {
		Job     uint64
		Stamp   wire.Stamp
		Tag     [wire.RequestTagSize]byte
		Today   uint32
		Request []byte
		Bits    uint8
	}
	// MakeStamp asks for the search of a stamp; answer StampMade.
	MakeStamp struct {
		Job     uint64
		Tag     [wire.RequestTagSize]byte
		Day     uint32
		Request []byte
		Bits    uint8
	}
)

// FetchShared asks which messages of a member of a group lie here, First..Last of theirs, or what is
// left of them; answer SharedFetched.
type FetchShared struct {
	Job          uint64
	Conversation ConversationID
	Member       identity.MemberKey
	First, Last  uint64
}

func (FetchShared) job() {}

// FetchHeld asks for items of a mailbox; answer HeldFetched.
type FetchHeld struct {
	Conn    ConnID
	Mailbox wire.MailboxID
	Items   []wire.ItemHash
}

func (FetchHeld) job()      {}
func (FetchContents) job()  {}
func (FetchParts) job()     {}
func (FetchSequences) job() {}
func (CheckStamp) job()     {}
func (MakeStamp) job()      {}

// Problem is why an input was refused. Its code is stable and safe to show.
type Problem struct {
	Code    string
	Contact ContactID // that stands in the way, or zero
}

// Error returns the code.
func (p *Problem) Error() string { return "protocol: " + p.Code }
