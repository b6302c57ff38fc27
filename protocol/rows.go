package protocol

import (
	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// Write is one durable change. The caller commits all Writes of a batch in one
// transaction before any Send. A Put is an upsert by the row's key, an Erase of
// a row that is not there is no error. Byte slices in a Write belong to the
// receiver of the Write. Times are Unix milliseconds, 0 means "not".
type Write interface{ write() }

// PutSelf is the one row of the account and its device.
type PutSelf struct {
	Name  string
	State []byte // the core's own encoding: keys, device list, transport chain
}

// ContactPhase is the state of a contact as the API shows it.
type ContactPhase string

// The phases of a contact (contracts.md, Daemon and API).
const (
	ContactRequested   ContactPhase = "requested"   // we asked and wait for the accept
	ContactPending     ContactPhase = "pending"     // we accepted, the first frame is not seen
	ContactEstablished ContactPhase = "established" // both sides hold the session
	ContactFailed      ContactPhase = "failed"      // see Reason
)

// Verification says what the fingerprint comparison is worth now.
type Verification string

// The verification states of a contact.
const (
	Unverified      Verification = "unverified"
	Verified        Verification = "verified"
	VerifiedChanged Verification = "changed" // devices changed since it was verified
)

// PutContact is a contact; key ID.
type PutContact struct {
	ID           ContactID
	Conversation ConversationID // zero until established
	Phase        ContactPhase
	Reason       string // a problem code when failed
	Name         string // theirs
	Alias        string // ours; unique among contacts in NFC and case folding when not empty
	Account      identity.AccountPublic
	Verification Verification
	Blocked      bool
	Invite       InviteID // the invite of ours that it came by, or zero
	Role         ContactRole
	CreatedAt    int64
	State        []byte // the core's own encoding
}

// ContactRole tells people from the two ends of a home node's pairing, which have no
// conversation and are shown as couriers only.
type ContactRole string

// The roles of a contact.
const (
	RolePerson ContactRole = ""
	RoleHome   ContactRole = "home"  // our home node
	RoleOwner  ContactRole = "owner" // whose home node we are
)

// PutPicture is the picture of a contact, or with a zero Contact our own; key Contact. An empty
// one removes it.
type PutPicture struct {
	Contact  ContactID
	Sequence uint64
	JPEG     []byte
}

// EraseContact removes a contact, its sessions and outbox rows.
type EraseContact struct{ ID ContactID }

// PutSession is one session with a contact; key (Contact, SID).
type PutSession struct {
	Contact ContactID
	SID     [32]byte
	State   []byte
}

// EraseSession removes a session and its outbox rows.
type EraseSession struct {
	Contact ContactID
	SID     [32]byte
}

// InviteKind tells one-time invites from reusable cards.
type InviteKind string

// The kinds of invites.
const (
	InviteOnce InviteKind = "contact"
	InviteCard InviteKind = "card"
	InviteHome InviteKind = "home" // whoever follows it gets this node as home node
)

// PutInvite is an invite that we made; key ID.
type PutInvite struct {
	ID        InviteID
	Kind      InviteKind
	Note      string
	Ask       bool   // requests wait for a person instead of being accepted at once
	UsesLeft  int    // accepts left; 0 = used up
	Used      int    // accepts made
	Link      string // empty once used up, expired or revoked: the secret is gone
	CreatedAt int64
	ExpiresAt int64
	RevokedAt int64
	State     []byte
}

// EraseInvite removes an invite for good.
type EraseInvite struct{ ID InviteID }

// RequestPhase is the state of an incoming contact request.
type RequestPhase string

// The phases of an incoming request.
const (
	RequestWaiting  RequestPhase = "waiting"
	RequestAccepted RequestPhase = "accepted"
	RequestDeclined RequestPhase = "declined"
	RequestBlocked  RequestPhase = "blocked"
)

// PutRequest is a contact request that reached one of our invites; key ID.
type PutRequest struct {
	ID       RequestID
	Invite   InviteID
	Contact  ContactID // zero until accepted
	Phase    RequestPhase
	Name     string
	Greeting string
	At       int64
	State    []byte
}

// EraseRequest removes a request.
type EraseRequest struct{ ID RequestID }

// ConversationKind tells direct conversations from note to self and from groups.
type ConversationKind string

// The kinds of conversations.
const (
	ConversationDirect ConversationKind = "direct"
	ConversationSelf   ConversationKind = "self"
	ConversationGroup  ConversationKind = "group"
)

// Range is a closed interval of sequence numbers.
type Range struct{ First, Last uint64 }

// PutConversation is a conversation's row; key ID. It is written once a batch,
// not once a message. Delivered holds our own sequences that the peer has
// acknowledged: with it and the message's row a message's state is known.
type PutConversation struct {
	ID           ConversationID
	Kind         ConversationKind
	Contact      ContactID // zero in note to self and in a group
	CreatedAt    int64
	LastAt       int64  // of the newest message, else CreatedAt
	LastPosition uint64 // highest position used
	ReadUpTo     uint64 // position up to which the user has read
	Unread       uint64 // incoming messages above ReadUpTo that are not deleted, as the store counts them; it is not written
	OwnSequence  uint64 // sequence of our newest message
	SealedUpTo   uint64 // our sequences up to here are in envelopes, void or acknowledged
	Delivered    []Range
	Carried      [3][]Range  // our sequences that are not delivered and that one, two, three couriers hold
	PeerReadUpTo uint64      // our sequence that the peer says it has read
	Timer        *wire.Timer // for new messages; nil = never
	State        []byte      // the core's own encoding: have vector and gaps
}

// EraseConversation removes a conversation with its messages and gaps.
type EraseConversation struct{ ID ConversationID }

// Direction tells our messages from theirs.
type Direction uint8

// The directions of a message.
const (
	Out Direction = iota
	In
)

// MessageState is a final state of a message that the ranges of its
// conversation cannot tell; empty for all others.
type MessageState string

// The final states that are kept in a message's row.
const (
	MessageExpired MessageState = "expired"
	MessageFailed  MessageState = "failed"
	MessageErased  MessageState = "deleted" // a stub: see StubMessage
)

// The codes of a stub.
const (
	DeletionAsked     = "asked"     // by us; the peer has not answered
	DeletionConfirmed = "confirmed" // by us; the peer has erased it
	DeletionRefused   = "refused"   // by us; the peer keeps it
	DeletedBySender   = "sender"    // a message of the peer's
)

// PutMessage is one message of the history; key ID, unique (Conversation,
// Position). It is inserted once and then only touched by SetMessageState,
// SetMessageExpiry, StubMessage and EraseMessage.
type PutMessage struct {
	ID           MessageID
	Wire         [16]byte // the author's id of an incoming one; zero for ours, whose ID it is; in a group its tag
	ClientID     string   // the client's own id, if it differs from ID's text
	Conversation ConversationID
	Position     uint64
	Direction    Direction
	Sender       ContactID // in a group, which member wrote an incoming one
	Sequence     uint64    // the author's, per conversation and device
	SentAt       int64     // by the author's clock
	At           int64     // by our clock: composed or received
	Content      []byte    // CBOR, exactly as sealed in the envelope (spec, "Contents")
	Verification Verification
	ExpiresAt    int64         // 0 = no timer running yet
	Files        []MessageFile // one for each file of a manifest, in its order
	// Doubted says of an incoming one that it may have come before under another sequence, since
	// its author has written later ones that came. If its conversation has a message of that id, or
	// a tombstone remembers it, then nothing is put.
	Doubted bool
}

// MessageFile is the local side of a file in a message. Of a message of ours it names what
// lies here; of an incoming one it is a new name for what is not here yet.
type MessageFile struct {
	ID     FileID
	Wanted bool // it is fetched without asking the user
}

// SetMessageState marks a message of ours as expired or failed(Code).
type SetMessageState struct {
	ID    MessageID
	State MessageState
	Code  string
}

// SetMessageExpiry starts a message's timer.
type SetMessageExpiry struct {
	ID        MessageID
	ExpiresAt int64
}

// RenumberMessage gives a message of ours another sequence: this device lost
// its state and the peer has seen its sequence used.
type RenumberMessage struct {
	ID       MessageID
	Sequence uint64
	Content  []byte
}

// EraseMessage deletes a message, with all operations that mean nothing without it, or
// one operation, as store.md's deletion contract says.
type EraseMessage struct{ ID MessageID }

// StubMessage erases what a message says in the same way, and what was said about it,
// but leaves its place and that it was deleted for everyone. No such message is no error.
type StubMessage struct {
	Conversation ConversationID
	Message      [16]byte // its author's id
	Own          bool     // of ours
	At           int64
	Code         string // DeletionAsked or DeletedBySender
}

// SetDeletion says what became of the deletion of a message of ours, if there is its stub.
type SetDeletion struct {
	Conversation ConversationID
	Message      [16]byte
	Code         string // DeletionConfirmed or DeletionRefused
}

// PutOperation is what one side says about a message (spec, "Operations"); key ID. It is
// queued and acknowledged like a message, but has no place in the history. One of ours is
// kept, since an envelope may hold it. One of the contact's is dropped if its message is
// gone; of its reactions to one message the last is kept (see [Reaction.After]).
type PutOperation struct {
	ID           MessageID
	Wire         [16]byte // its author's id
	Conversation ConversationID
	Direction    Direction
	Sequence     uint64
	Type         wire.ContentType
	Message      [16]byte // that it is about: its author's id
	Own          bool     // that message is ours
	At           int64
	Content      []byte
	Revision     uint32 // of one that takes the place of others
	// Waits is the sequence of the message if it has not come. What does not wait and finds
	// no message is dropped: the message is gone. So is what waits for a sequence that comes
	// as something else, and of more than WaitsMax in a conversation the oldest.
	Waits uint64
}

// PutPart is a part of a small file of the contact's that has come by courier; key
// (Conversation, Message, Item, Index), the first counts. It is dropped unless its message is
// here with such a file, which is wanted and not whole; or Waits is set: then it is kept until
// that message comes, or something else in its place. Of one contact there are at most
// PartsKeptMax. It goes with its message, and when the file is whole or not wanted any more.
type PutPart struct {
	Conversation ConversationID
	Message      [16]byte // its author's id
	Item         uint8
	Index        uint8
	Waits        uint64 // the sequence of the message if it has not come
	At           int64
	Sealed       []byte // under the file's key
}

// WaitsMax is how many operations of a conversation wait for messages that have not come: a
// contact can say no more than that about what it never sends.
const WaitsMax = 64

// EraseWaiting erases what waits, parts of files too, for messages First..Last of the contact's that will not
// come, unless they have come under another sequence.
type EraseWaiting struct {
	Conversation ConversationID
	First, Last  uint64
}

// About is what an item of the outbox says the operation is about: a deletion must arrive
// although the message is gone.
func (o *PutOperation) About() [16]byte {
	if o.Type == wire.ContentDelete || o.Type == wire.ContentDeleteAnswer {
		return o.ID
	}
	return o.Message
}

// PutGap says that Count positions from Position on are missing; key
// (Conversation, Position). PutMessage at a position inside it comes together
// with the PutGap or EraseGap that narrows it.
type PutGap struct {
	Conversation ConversationID
	Position     uint64
	Count        uint64
}

// EraseGap removes the gap that begins at Position.
type EraseGap struct {
	Conversation ConversationID
	Position     uint64
}

// OutboxContent is one content of an envelope: a message of the history, or,
// for contents that are no messages, its bytes.
type OutboxContent struct {
	Message  MessageID // zero if Inline
	Sequence uint64    // of Message, in its conversation
	About    [16]byte  // as PutOperation.About has it; zero of a message
	Inline   []byte
	Part     outbox.Part // not zero: a part of a file, and all else is
	Shared   bool        // Message is the name of a PutShared; of a message of ours Sequence is its number, About its conversation
}

// PutOutbox is an envelope that the peer has not acknowledged; key (Contact,
// SID, Index). Envelope holds all but the contents (session.Parts, encoded), so
// that the frame can be rebuilt byte for byte and each text is stored once.
type PutOutbox struct {
	Contact  ContactID
	SID      [32]byte
	Index    uint32
	Envelope []byte
	Contents []OutboxContent
	Stored   []Stored // where couriers have said that they hold it
}

// Stored is an item in a mailbox at a courier of others.
type Stored struct {
	Mailbox wire.MailboxID
	Hash    wire.ItemHash
}

// PutMailbox is a mailbox that we keep as a courier; key ID.
type PutMailbox struct {
	ID    wire.MailboxID
	Owner ContactID
	State []byte
}

// EraseMailbox removes a mailbox with all that lies in it.
type EraseMailbox struct{ ID wire.MailboxID }

// PutHeld is an item of a mailbox; key (Mailbox, Hash).
type PutHeld struct {
	Mailbox wire.MailboxID
	Hash    wire.ItemHash
	Number  uint64 // grows with every deposit
	Expires int64  // Unix seconds
	Type    wire.Type
	Body    []byte
}

// EraseHeld removes one item of a mailbox.
type EraseHeld struct {
	Mailbox wire.MailboxID
	Hash    wire.ItemHash
}

// EraseOutbox removes the envelopes First..Last of a session.
type EraseOutbox struct {
	Contact     ContactID
	SID         [32]byte
	First, Last uint32
}

// PutGroup is our membership in a group, whose conversation there is; key Conversation.
type PutGroup struct {
	Conversation ConversationID
	State        []byte // the core's own encoding
}

// PutMember is a member of a group, who is in or was; key (Conversation, Key).
type PutMember struct {
	Conversation ConversationID
	Key          identity.MemberKey
	ID           ContactID // in this profile, for ever; no contact has it
	State        []byte    // the core's own encoding: what is known of their messages
}

// SharedKind tells what a PutShared is.
type SharedKind uint8

// The kinds of what members hand on.
const (
	SharedOperation SharedKind = 1
	SharedLeave     SharedKind = 2 // one of each member, the last that was put
	SharedProfile   SharedKind = 3 // the same
	SharedMessage   SharedKind = 4
)

// PutShared is something that a member of a group has signed, and that members hand on; key
// Name. It lies here once, for however many it is. It goes with its conversation.
type PutShared struct {
	Name         [16]byte // the first bytes of its hash
	Conversation ConversationID
	Kind         SharedKind
	Member       identity.MemberKey // its author
	Sequence     uint64             // the author's, of a message
	Bytes        []byte             // all of it; of a message, all but salt and content
	Salt         [16]byte           // of a message whose content is here
	Message      MessageID          // that holds the content; zero: it is not here
	Expires      int64              // of a message, in Unix milliseconds: then it may go; 0: it stays
}

// PutTombstone remembers a deleted message by HMAC; key MAC.
type PutTombstone struct {
	MAC [16]byte
	At  int64
}

func (EraseWaiting) write()      {}
func (PutMailbox) write()        {}
func (EraseMailbox) write()      {}
func (PutHeld) write()           {}
func (EraseHeld) write()         {}
func (PutSelf) write()           {}
func (PutContact) write()        {}
func (PutPicture) write()        {}
func (EraseContact) write()      {}
func (PutSession) write()        {}
func (EraseSession) write()      {}
func (PutInvite) write()         {}
func (EraseInvite) write()       {}
func (PutRequest) write()        {}
func (EraseRequest) write()      {}
func (PutConversation) write()   {}
func (EraseConversation) write() {}
func (PutMessage) write()        {}
func (SetMessageState) write()   {}
func (SetMessageExpiry) write()  {}
func (RenumberMessage) write()   {}
func (EraseMessage) write()      {}
func (PutGap) write()            {}
func (EraseGap) write()          {}
func (PutOutbox) write()         {}
func (EraseOutbox) write()       {}
func (PutTombstone) write()      {}
func (StubMessage) write()       {}
func (SetDeletion) write()       {}
func (PutOperation) write()      {}
func (PutPart) write()           {}
func (PutGroup) write()          {}
func (PutMember) write()         {}
func (PutShared) write()         {}

// Waiting is a message or an operation of ours that no envelope holds yet.
type Waiting struct {
	ID           MessageID
	Conversation ConversationID
	Sequence     uint64
	SizeBytes    int      // of its content
	About        [16]byte // as PutOperation.About has it; zero of a message
}

// State is what [Load] rebuilds a Peer from: every row but the history. Waiting
// holds our messages above their conversation's SealedUpTo, without those that
// are expired, failed or deleted, and our operations, each by conversation and then by sequence.
type State struct {
	Self          PutSelf
	Contacts      []PutContact
	Sessions      []PutSession
	Invites       []PutInvite
	Requests      []PutRequest
	Conversations []PutConversation
	Outbox        []PutOutbox
	Waiting       []Waiting // messages in order, then operations
	Mailboxes     []PutMailbox
	Held          []Held // by Number
	Groups        []PutGroup
	Members       []PutMember
	Shared        []PutShared // all but messages, in the order in which they were put
}

// Held is an item of a mailbox, without its bytes.
type Held struct {
	Mailbox   wire.MailboxID
	Hash      wire.ItemHash
	Number    uint64
	Expires   int64
	SizeBytes int
}
