package protocol

import (
	"net/netip"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// Input is one thing that happened. Commands carry a Ref that their Reply
// repeats. Byte slices in an Input belong to the Peer from then on.
type Input interface{ input() }

// The commands of the user.
type (
	// CreateInvite makes a one-time invite or a card. Answer: InviteCreated.
	CreateInvite struct {
		Ref      uint64
		Kind     InviteKind
		Lifetime time.Duration // 0 = the default of the kind
		Uses     int           // 0 = 1 for one-time invites, unlimited for cards
		Ask      bool
		LAN      bool // while it is open, its holders may hear us on any local network
		Note     string
		Direct   bool // the link says where we are although couriers take requests
	}
	// RevokeInvite makes a link useless; to its holders we look like off.
	RevokeInvite struct {
		Ref uint64
		ID  InviteID
	}
	// AddContact accepts someone else's link. Answer: Added.
	AddContact struct {
		Ref      uint64
		Link     string // may have text around it
		Alias    string
		Greeting string
		Home     bool // the link must be a home node's, else it must not
	}
	// AnswerRequest accepts, declines or blocks a waiting request. Answer: Answered.
	AnswerRequest struct {
		Ref    uint64
		ID     RequestID
		Answer RequestPhase // RequestAccepted, RequestDeclined or RequestBlocked
	}
	// SetName changes our own display name and tells the contacts.
	SetName struct {
		Ref  uint64
		Name string
	}
	// SetPicture changes our own picture and tells the contacts; empty: none.
	SetPicture struct {
		Ref     uint64
		Picture []byte // a valid wire picture
	}
	// SetAlias changes our name for a contact; empty removes it.
	SetAlias struct {
		Ref     uint64
		Contact ContactID
		Alias   string
	}
	// SetVerified records or withdraws the comparison of safety numbers.
	SetVerified struct {
		Ref      uint64
		Contact  ContactID
		Verified bool
	}
	// SetBlocked blocks or unblocks a contact: a blocked one sees us off.
	SetBlocked struct {
		Ref     uint64
		Contact ContactID
		Blocked bool
	}
	// RemoveContact erases a contact and its conversation.
	RemoveContact struct {
		Ref     uint64
		Contact ContactID
	}
	// SetTimer sets the timer of new messages in a conversation.
	SetTimer struct {
		Ref          uint64
		Conversation ConversationID
		Timer        *wire.Timer
	}
	// SetDefaultTimer sets the timer of conversations that begin from now on.
	SetDefaultTimer struct {
		Ref   uint64
		Timer *wire.Timer
	}
	// OpenConversation opens the direct conversation with a contact, or, with a
	// zero Contact, note to self. Answer: Opened.
	OpenConversation struct {
		Ref     uint64
		Contact ContactID
	}
	// SendText sends a text. Answer: Sent.
	SendText struct {
		Ref          uint64
		Conversation ConversationID  // or zero:
		Contact      ContactID       // the conversation with this contact
		ClientID     string          // empty, or a valid client id that no message has
		Text         string          // with Files their caption, which may be empty
		Files        []FileToSend    // at most wire.FilesMax
		ReplyTo      *wire.Reference // what a text without files answers, of the same conversation, or nil
		Timer        *wire.Timer     // nil = the conversation's
		NoTimer      bool            // true = never, whatever the conversation says
		Mentions     []wire.Mention  // in Text
		Forwarded    bool            // it was somebody's message already; not with ReplyTo
	}
	// FilesStir says that a file of a contact is on its way on a connection, or, without
	// one, that some wait for a path to the contact.
	FilesStir struct {
		Contact ContactID
		Conn    ConnID // 0 = none
	}
	// FileFetched says that a contact has fetched the whole of a file on a connection.
	FileFetched struct {
		Contact ContactID
		Message [16]byte
		Item    uint8
	}
	// MarkRead says that the user has read up to a position. Expiries holds the
	// incoming messages up to it whose from-read timers start now. Receipt is the highest sequence of those messages if the contact is to
	// hear of it, 0 if not.
	MarkRead struct {
		Ref          uint64
		Conversation ConversationID
		UpTo         uint64
		Expiries     []SetMessageExpiry
		Receipt      uint64
	}
	// TakeBack deletes a message of ours that is not delivered.
	TakeBack struct {
		Ref          uint64
		ID           MessageID
		Conversation ConversationID
		Position     uint64 // told to clients; 0: not known
		Sequence     uint64
	}
	// DeleteForEveryone erases a message of ours here and asks the peer to do the same.
	DeleteForEveryone struct {
		Ref          uint64
		ID           MessageID
		Conversation ConversationID
		Position     uint64 // told to clients; 0: not known
		Sequence     uint64
		Direction    Direction
	}
	// React says which emojis the user puts on a message from now on, all of them.
	React struct {
		Ref          uint64
		ID           MessageID // of the message
		Conversation ConversationID
		About        wire.Reference
		Emojis       []string
		Before       *Reaction // what the user has said about it last, or nil
	}
	// EditMessage gives a message of ours a new text, on both sides.
	EditMessage struct {
		Ref          uint64
		ID           MessageID
		Conversation ConversationID
		Sequence     uint64
		Direction    Direction
		Revision     uint32 // of its newest edit; 0: there is none
		Text         string
		Mentions     []wire.Mention
	}
	// SetDeletions says whether contacts may delete here what they wrote.
	SetDeletions struct {
		Ref    uint64
		Refuse bool
	}
	// DeleteMessage deletes a message here only.
	DeleteMessage struct {
		Ref          uint64
		ID           MessageID
		Wire         [16]byte // as PutMessage has it
		Conversation ConversationID
		Position     uint64 // told to clients; 0: not known
		Sequence     uint64
		Direction    Direction
		Expired      bool // its timer ran out
	}
	// OfferHelp makes us a contact's courier, or changes the terms.
	OfferHelp struct {
		Ref          uint64
		Contact      ContactID
		QuotaBytes   uint64
		LifetimeDays uint32
	}
	// AcceptHelp takes back that we do not let a contact keep mail for us.
	AcceptHelp struct {
		Ref     uint64
		Contact ContactID
	}
	// EndHelp ends it, in both directions: what we keep for the contact is erased, and
	// what it keeps for us is not used any more.
	EndHelp struct {
		Ref     uint64
		Contact ContactID
	}
	// ExportBundle asks for a file with all that the contact has not acknowledged, and
	// what it needs to know of us. Answer: BundleExported, or a *Problem, in some later
	// Output, as contents may have to be read.
	ExportBundle struct {
		Ref     uint64
		Contact ContactID
	}
	// ImportBundle takes what is in a file of a contact. The same file again has no
	// effect. Answer: BundleImported. File belongs to the Peer from then on.
	ImportBundle struct {
		Ref  uint64
		File []byte
	}
	// SetDHT has contacts to whom no path works looked for in a public DHT, or ends that.
	// The caller keeps it: no Peer that was loaded or created does so before.
	SetDHT struct{ On bool }
	// SetTyping says that the user writes in a conversation, or has paused. It is asked for
	// again as long as it is so, and ends by itself. Who is to hear of it at all is the
	// caller's matter.
	SetTyping struct {
		Ref          uint64
		Conversation ConversationID
		On           bool
	}
	// SetPresence says that the user is here, or has gone, and which contacts may know. It is
	// asked for again as long as it is so, and ends by itself.
	SetPresence struct {
		Ref  uint64
		Here bool
		To   []ContactID
	}
	// CreateGroup begins a group of ours and some contacts, all or none of whom are added. Answer: GroupCreated.
	CreateGroup struct {
		Ref     uint64
		Title   string
		Members []ContactID
	}
	// AddMember adds a contact to a group, whether they are on or off.
	AddMember struct {
		Ref          uint64
		Conversation ConversationID
		Contact      ContactID
	}
	// RemoveMember ends a member's membership, for good.
	RemoveMember struct {
		Ref          uint64
		Conversation ConversationID
		Member       ContactID // as PutMember has it
	}
	// SetRole makes a member an admin, or one no longer.
	SetRole struct {
		Ref          uint64
		Conversation ConversationID
		Member       ContactID
		Admin        bool
	}
	// SetTitle names a group.
	SetTitle struct {
		Ref          uint64
		Conversation ConversationID
		Title        string
	}
	// JoinGroup says that the user has seen a group to which a contact has added them: from now on its members are told
	// who we are. To write there, or to mark what was written as read, says the same.
	JoinGroup struct {
		Ref          uint64
		Conversation ConversationID
	}
	// LeaveGroup leaves a group; what was said there stays here.
	LeaveGroup struct {
		Ref          uint64
		Conversation ConversationID
	}
	// CloseGroup ends a group for all.
	CloseGroup struct {
		Ref          uint64
		Conversation ConversationID
	}
	// Reconnect clears all back-offs: the machine woke up, the user asks.
	Reconnect struct{ Ref uint64 }
)

// What the network and the clock say.
type (
	// ConnOpened is a new connection whose remote transport key is proved.
	ConnOpened struct {
		Conn          ConnID
		Local, Remote identity.TransportKey
		Inbound       bool
		Dial          uint64 // of the Dial or Punch that it answers, else 0
		Relayed       bool   // through a relay
	}
	// ConnClosed says that a connection is gone.
	ConnClosed struct{ Conn ConnID }
	// FrameReceived is one frame from a connection.
	FrameReceived struct {
		Conn ConnID
		Type wire.Type
		Body []byte
	}
	// DialFailed answers a Dial or Punch that found nobody.
	DialFailed struct {
		Dial uint64
		Code string
	}
	// Rotated says that our transport key is another one from now on: that of Transport.
	// Dials under way have failed; connections go on under the older one until LeaveKey.
	Rotated struct{ Key identity.TransportKey }
	// NetworkChanged tells our own addresses and the subnets of our interfaces.
	NetworkChanged struct {
		Own     []wire.Address
		Subnets []netip.Prefix
	}
	// SeenAt tells where the holder of a transport key sees us. It counts if that is a contact
	// with whom there is a connection: others may have as many keys as they like.
	SeenAt struct {
		By      identity.TransportKey
		At      wire.Address
		Unasked bool // it came there from the internet, and nothing of ours had made it a way
	}
	// RelayReserved answers RelayReserve: whether the relay connects others with us.
	RelayReserved struct {
		Conn ConnID
		On   bool
	}
	// NearChanged tells our own addresses on local networks. None is assumed before.
	NearChanged struct{ Near []Near }
	// BeaconHeard is a datagram that came by multicast, whoever sent it.
	BeaconHeard struct {
		From     netip.Addr
		Datagram []byte
	}
	// RecordPublished answers PublishRecord. An empty code: somebody keeps the record.
	RecordPublished struct {
		Number uint64
		Code   string
	}
	// RecordLookedUp answers LookUpRecord: what lies under the name, published by whoever
	// has its secret, though it may be old. With a code, nothing was found.
	RecordLookedUp struct {
		Number uint64
		Sealed []byte
		Code   string
	}
	// Woke says that the time asked for in Output.Wake has come.
	Woke struct{}
	// Flush ends a batch: what waits is sealed, changed rows are written, Wake is set.
	Flush struct{}
)

// Results of jobs.
type (
	// ContentsFetched answers FetchContents; a message that is gone is absent.
	ContentsFetched struct {
		Contact  ContactID
		Contents map[MessageID][]byte
	}
	// PartsFetched answers FetchParts: each part, sealed under the file's key; of a file that is
	// gone, or of which anything is, none.
	PartsFetched struct {
		Contact ContactID
		Parts   map[outbox.Part][]byte
		// Later says that some could not be read, and perhaps can in a while.
		Later bool
	}
	// SequencesFetched answers FetchSequences: our messages by sequence.
	SequencesFetched struct {
		Conversation ConversationID
		First, Last  uint64
		Compare      bool // as in FetchSequences
		Messages     []Waiting
	}
	// SharedFetched answers FetchShared.
	SharedFetched struct {
		Job          uint64
		Conversation ConversationID
		Items        []SharedItem
	}
	// HeldFetched answers FetchHeld; an item that is gone is absent.
	HeldFetched struct {
		Conn    ConnID
		Mailbox wire.MailboxID
		Items   []wire.Item
	}
	// StampChecked answers CheckStamp.
	StampChecked struct {
		Job uint64
		OK  bool
	}
	// StampMade answers MakeStamp.
	StampMade struct {
		Job   uint64
		Stamp wire.Stamp
		OK    bool // false: none was found, or the job was ended
	}
)

// SharedItem is a message in a group that lies here, or what is left of it.
type SharedItem struct {
	Bytes     []byte // as PutShared has them
	Gone      bool   // its content is not here
	SizeBytes int    // of the whole as it travels, about
}

func (SharedFetched) input()    {}
func (CreateGroup) input()      {}
func (AddMember) input()        {}
func (RemoveMember) input()     {}
func (SetRole) input()          {}
func (SetTitle) input()         {}
func (JoinGroup) input()        {}
func (LeaveGroup) input()       {}
func (CloseGroup) input()       {}
func (CreateInvite) input()     {}
func (OfferHelp) input()        {}
func (AcceptHelp) input()       {}
func (EndHelp) input()          {}
func (ExportBundle) input()     {}
func (ImportBundle) input()     {}
func (HeldFetched) input()      {}
func (RevokeInvite) input()     {}
func (AddContact) input()       {}
func (AnswerRequest) input()    {}
func (SetName) input()          {}
func (SetAlias) input()         {}
func (SetVerified) input()      {}
func (SetBlocked) input()       {}
func (RemoveContact) input()    {}
func (SetTimer) input()         {}
func (SetDefaultTimer) input()  {}
func (OpenConversation) input() {}
func (SendText) input()         {}
func (FileFetched) input()      {}
func (PartsFetched) input()     {}
func (FilesStir) input()        {}
func (MarkRead) input()         {}
func (TakeBack) input()         {}
func (DeleteMessage) input()    {}

func (DeleteForEveryone) input() {}
func (SetDeletions) input()      {}
func (React) input()             {}
func (EditMessage) input()       {}
func (SetDHT) input()            {}
func (SetTyping) input()         {}
func (SetPicture) input()        {}
func (SetPresence) input()       {}
func (RecordPublished) input()   {}
func (RecordLookedUp) input()    {}
func (Reconnect) input()         {}
func (ConnOpened) input()        {}
func (ConnClosed) input()        {}
func (FrameReceived) input()     {}
func (DialFailed) input()        {}
func (Rotated) input()           {}
func (NetworkChanged) input()    {}
func (SeenAt) input()            {}
func (RelayReserved) input()     {}
func (NearChanged) input()       {}
func (BeaconHeard) input()       {}
func (Woke) input()              {}
func (Flush) input()             {}
func (ContentsFetched) input()   {}
func (StampChecked) input()      {}
func (StampMade) input()         {}

func (SequencesFetched) input() {}
