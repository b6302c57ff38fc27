package api

import "encoding/json"

// Conversation is what messages are written in.
type Conversation struct {
	ID               string             `json:"id"`
	Kind             string             `json:"kind" enum:"direct,self"`
	ContactID        *string            `json:"contact_id" doc:"null in note to self"`
	Title            string             `json:"title"`
	TitleSource      string             `json:"title_source" enum:"mine,peer,derived"`
	CreatedAt        Time               `json:"created_at"`
	LastPosition     uint64             `json:"last_position" doc:"0: empty"`
	Last             *LastMessage       `json:"last"`
	Unread           Unread             `json:"unread"`
	MutedUntil       *Time              `json:"muted_until" doc:"frontends stay quiet until then; null: not muted"`
	Archived         bool               `json:"archived" doc:"out of the way; stays so when a message comes"`
	Pinned           bool               `json:"pinned" doc:"before the others, in frontends"`
	Draft            *Draft             `json:"draft" doc:"null: none, or the token may not see drafts"`
	PeerReadPosition *uint64            `json:"peer_read_position,omitempty"`
	Disappearing     *Disappearing      `json:"disappearing" doc:"null = never"`
	Can              Can                `json:"can"`
	Security         ConversationSafety `json:"security"`
}

// The kinds of conversations.
const (
	KindDirect = "direct"
	KindSelf   = "self"
)

// LastMessage is the newest message of a conversation in short.
type LastMessage struct {
	MessageID string  `json:"message_id"`
	Excerpt   *string `json:"excerpt" doc:"the beginning of the text, null where it may not be shown"`
	At        Time    `json:"at"`
}

// Unread counts what the user has not read.
type Unread struct {
	Count    uint64 `json:"count"`
	ReadUpTo uint64 `json:"read_up_to" doc:"the position up to which all is read"`
	Marked   bool   `json:"marked" doc:"the user marked the conversation as unread; reading ends it"`
}

// Can says what may be done in a conversation now.
type Can struct {
	Send bool `json:"send"`
}

// ConversationSafety says whether the other side is who they were.
type ConversationSafety struct {
	State string `json:"state" enum:"ok,unverified,key_changed"`
}

// ConversationRequest asks for a conversation; the one there is, if there is one.
type ConversationRequest struct {
	Kind      string `json:"kind" enum:"direct,self"`
	ContactID string `json:"contact_id,omitempty" doc:"of a direct one"`
}

// ConversationPatch changes a conversation; absent fields stay.
type ConversationPatch struct {
	Disappearing Optional[*Disappearing] `json:"disappearing,omitzero"`
	MutedUntil   Optional[*Time]         `json:"muted_until,omitzero" doc:"9999-12-31T23:59:59.999Z: until it is taken back by null"`
	Archived     *bool                   `json:"archived,omitempty"`
	Pinned       *bool                   `json:"pinned,omitempty"`
}

// ReadRequest says that the user has read up to a position.
type ReadRequest struct {
	UpTo uint64 `json:"up_to"`
}

// Message is one item of a conversation.
type Message struct {
	ID             *string       `json:"id" doc:"null of a gap"`
	ConversationID string        `json:"conversation_id"`
	Position       uint64        `json:"position" doc:"orders a conversation"`
	Kind           string        `json:"kind" enum:"text,file,system,gap,unsupported"`
	Direction      string        `json:"direction" enum:"in,out"`
	Sender         Sender        `json:"sender"`
	CreatedAt      *Time         `json:"created_at" doc:"by the sender's clock"`
	ReceivedAt     *Time         `json:"received_at" doc:"by our clock; null of our own"`
	Body           *Body         `json:"body" doc:"null of system, gap and deleted items; of files the caption, null without one"`
	Attachments    []File        `json:"attachments" doc:"of kind file"`
	Status         *MessageState `json:"status" doc:"null of a gap"`
	Trust          string        `json:"trust" enum:"verified,unverified,changed" doc:"of the sender when it came"`
	Disappearing   *Disappearing `json:"disappearing" doc:"this message's timer; null = never"`
	ExpiresAt      *Time         `json:"expires_at" doc:"null: no timer is running"`
	ReplyTo        *Quote        `json:"reply_to" doc:"what it answers; null: nothing"`
	Reactions      []Reaction    `json:"reactions" doc:"emojis that were put on it, the oldest first"`
	Forwarded      bool          `json:"forwarded" doc:"its sender has it from another message; nobody says from whose"`
	Revision       uint32        `json:"revision" doc:"how often it was edited, at most 50"`
	EditedAt       *Time         `json:"edited_at" doc:"when the text shown was written, by the sender's clock; null: it was never edited"`
	EditUntil      *Time         `json:"edit_until" doc:"of one of ours: until when its text can be changed; null: it cannot, or not any more"`
	Deleted        *Deletion     `json:"deleted" doc:"it was deleted for everyone: nothing of it is left but its place; else null"`
	Count          uint64        `json:"count,omitempty" doc:"of a gap: how many are missing"`
	Pinned         bool          `json:"pinned" doc:"by the user, for themselves"`
	Starred        bool          `json:"starred" doc:"by the user, for themselves"`
	System         *System       `json:"system" doc:"of a system item, for a frontend to translate"`
}

// The kinds of items.
const (
	MessageText        = "text"
	MessageFile        = "file" // one or more files, with a caption or without
	MessageSystem      = "system"
	MessageGap         = "gap"
	MessageUnsupported = "unsupported" // made by a newer version
)

// The directions of a message.
const (
	DirectionIn  = "in"
	DirectionOut = "out"
)

// Quote is the message that another one answers, as it is now: nothing of it is kept.
type Quote struct {
	ID      *string `json:"id" doc:"null: it is gone, or never came"`
	Excerpt *string `json:"excerpt" doc:"the beginning of its text; null where it has none, or may not be shown"`
	Sender  *Sender `json:"sender" doc:"null: it is gone"`
}

// Reaction is an emoji on a message.
type Reaction struct {
	Emoji string `json:"emoji" doc:"one emoji"`
	Count int    `json:"count" minimum:"1" doc:"by how many"`
	Mine  bool   `json:"mine" doc:"by ourselves, too"`
}

// EditRequest gives a message of ours a new text.
type EditRequest struct {
	Text     string    `json:"text" doc:"1 to 32768 bytes of UTF-8"`
	Mentions []Mention `json:"mentions,omitempty" nullable:"false" maxItems:"32" doc:"as of a message; those of the text before are gone"`
}

// ForwardRequest sends what a message says to others.
type ForwardRequest struct {
	To []string `json:"to" nullable:"false" minItems:"1" maxItems:"16" doc:"contacts, by id or by @ and a name, and conversations, by id"`
}

// ForwardMax is how many a message can be forwarded to at once.
const ForwardMax = 16

// Forwarded are the new messages, in the order of ForwardRequest.To.
type Forwarded struct {
	Items []Message `json:"items" nullable:"false"`
}

// MessageVersion is a text that a message had, or has.
type MessageVersion struct {
	Revision uint32  `json:"revision" doc:"0: as it was sent"`
	At       Time    `json:"at" doc:"by the sender's clock"`
	Text     *string `json:"text" doc:"null where there was none, or it may not be shown"`
}

// History is what a message said, oldest first: both sides have it as long as the message.
type History struct {
	Items []MessageVersion `json:"items"`
}

// Deletion says that a message was deleted for everyone. What the other side's machine
// really does nobody can see: it has confirmed, or not.
type Deletion struct {
	At    Time    `json:"at"`
	By    string  `json:"by" enum:"me,sender"`
	State *string `json:"state" enum:"asked,confirmed,refused" doc:"of one of ours: what the other side has answered"`
}

// Who has deleted a message.
const (
	DeletedByMe     = "me"
	DeletedBySender = "sender"
)

// Sender is who wrote a message.
type Sender struct {
	ContactID string `json:"contact_id" doc:"a contact's id, or self"`
	Name      string `json:"name"`
}

// SenderSelf is the contact id of ourselves as a sender.
const SenderSelf = "self"

// Body is what a message says.
type Body struct {
	Text   string `json:"text" doc:"as it was typed. Frontends may draw **bold**, *italic*, ~~struck~~, code in backticks, fenced blocks, > quotes and - lists, and must fetch nothing that it names"`
	Format string `json:"format" enum:"plain"`
	// Mentions are in the order of the text.
	Mentions []Mention `json:"mentions" nullable:"false" doc:"places in the text that name people; what the text says there may be any name"`
}

// Mention is a place in a text that names somebody of the conversation.
type Mention struct {
	ContactID string `json:"contact_id" doc:"self: the user"`
	Start     uint32 `json:"start" doc:"in Unicode code points from the beginning of the text"`
	Length    uint32 `json:"length" minimum:"1" doc:"in Unicode code points"`
}

// FormatPlain is the format of plain text.
const FormatPlain = "plain"

// MessageState is how far a message has come. Each state has evidence of the
// other side; see [Client.WhyMessage] for what it waits for.
type MessageState struct {
	State    string      `json:"state" enum:"held,queued,carried,delivered,read,expired,failed,deleted"`
	At       *Time       `json:"at" doc:"since when; null where it is not recorded, or not any more"`
	Carriers int         `json:"carriers" doc:"couriers that hold it"`
	Error    *StateError `json:"error" doc:"of a failed message"`
}

// StateError says why a message failed.
type StateError struct {
	Code string `json:"code"`
}

// The states of a message.
const (
	StateHeld      = "held"      // waits for the owner: see [Client.Approvals]
	StateQueued    = "queued"    // durable here
	StateCarried   = "carried"   // durable at a courier
	StateDelivered = "delivered" // durable there
	StateRead      = "read"
	StateExpired   = "expired"
	StateFailed    = "failed"
	StateDeleted   = "deleted" // for everyone
)

// System is an item that nobody wrote.
type System struct {
	Code   string         `json:"code"`
	Params map[string]any `json:"params,omitempty"`
}

// SystemTimer is the code of a system item: its sender has set the conversation's timer to
// the parameter disappearing, a [Disappearing] or null.
const SystemTimer = "timer_changed"

// Timer returns the parameter of a SystemTimer, nil for never.
func (s *System) Timer() (*Disappearing, error) {
	b, err := json.Marshal(s.Params["disappearing"])
	if err != nil {
		return nil, err
	}
	var d *Disappearing
	return d, json.Unmarshal(b, &d)
}

// MessagePage answers the list of messages: oldest first.
type MessagePage struct {
	Items     []Message `json:"items"`
	HasBefore bool      `json:"has_before"`
	HasAfter  bool      `json:"has_after"`
}

// MessageRequest is a message to send. An absent Disappearing means the
// conversation's timer, null means never.
type MessageRequest struct {
	Text         string                  `json:"text,omitempty" doc:"1 to 32768 bytes of UTF-8; with files their caption, which may be absent"`
	Files        []string                `json:"files,omitempty" maxItems:"16" doc:"ids of files that lie here"`
	ReplyTo      string                  `json:"reply_to,omitempty" doc:"the id of the message of the same conversation that a text without files answers"`
	Format       string                  `json:"format,omitempty" enum:"plain"`
	Mentions     []Mention               `json:"mentions,omitempty" nullable:"false" maxItems:"32" doc:"in order, none over another; the text must be in NFC, so that they stay where they are"`
	Disappearing Optional[*Disappearing] `json:"disappearing,omitzero"`
}

// Why says what a contact or a message waits for.
type Why struct {
	Subject   string         `json:"subject" doc:"the id that was asked for"`
	State     string         `json:"state" doc:"of the message or the contact"`
	Reason    string         `json:"reason" doc:"code, empty: it waits for nothing; for example no_answer, offline, carried, peer_needs_update, not_established, window_full"`
	Params    map[string]any `json:"params,omitempty" doc:"of the reason; couriers: how many hold a message that is carried; ways: what helps where there is no public path"`
	Path      *string        `json:"path" doc:"the way used now, null: none"`
	LastTryAt *Time          `json:"last_try_at"`
	LastError *string        `json:"last_error" doc:"code"`
	NextTryAt *Time          `json:"next_try_at"`
	// ExportedAt is when the last bundle file was made that holds the message too.
	ExportedAt *Time     `json:"exported_at,omitempty" doc:"a message is in a bundle file, too, that was made then; absent: in none"`
	Rungs      []Attempt `json:"rungs" doc:"by which ways the contact is tried; none if nothing waits for it"`
	// PartCouriers are couriers that hold parts of the files of the message.
	PartCouriers int `json:"part_couriers,omitempty" doc:"how many couriers hold parts of small files of the message, which the contact has not fetched; absent: none"`
	// Couriers are those of the contact, those first that are tried first.
	Couriers []TriedCourier `json:"couriers,omitempty" doc:"of the contact, as they are tried; absent: it has told of none, or nothing waits for it"`
}

// TriedCourier is how a courier of a contact stands, at which we leave mail for it.
type TriedCourier struct {
	Reached bool    `json:"reached" doc:"there is a connection with it"`
	Holds   bool    `json:"holds" doc:"it has said that it holds the message that was asked for"`
	Trouble *string `json:"trouble" enum:"unreachable,silent,full,loses_mail" doc:"why others come before it; null: nothing speaks against it"`
}

// Attempt is one way to reach a contact, and how it stands.
type Attempt struct {
	Rung       string  `json:"rung" enum:"live,link,direct,lan,relay,courier,dht" doc:"a connection that stands; addresses in a link, or told by the contact, or heard on the LAN; through its courier; to its courier; what it has said in the public DHT"`
	Trying     bool    `json:"trying" doc:"a try is under way"`
	DeadlineAt *Time   `json:"deadline_at" doc:"the try ends then, if not before; null: none is under way, or only an answer on a connection is awaited"`
	AloneUntil *Time   `json:"alone_until" doc:"the next way is begun then, if this one has not led to the contact; null: none waits for it"`
	LastTryAt  *Time   `json:"last_try_at" doc:"that failed"`
	LastError  *string `json:"last_error" doc:"code"`
	NextTryAt  *Time   `json:"next_try_at"`
}

// OutboxItem is a message of ours that is not delivered.
type OutboxItem struct {
	Message   Message `json:"message"`
	ContactID *string `json:"contact_id"`
	Why       Why     `json:"why"`
}

// Network answers GET /v1/network.
type Network struct {
	Reachability string            `json:"reachability" enum:"direct,relay,unconfirmed,lan,offline" doc:"as in the status"`
	Listen       []string          `json:"listen" doc:"our addresses"`
	Observed     []ObservedAddress `json:"observed" doc:"where others see us from the internet, as they say"`
	Peers        []NetworkPeer     `json:"peers" doc:"contacts that are live now"`
	Networks     []LocalNetwork    `json:"networks" doc:"local networks: those that we are in, then those that are trusted and elsewhere"`
	DHT          DHT               `json:"dht" doc:"the last way to contacts to whom no path works"`
}

// ObservedAddress is where others see us from outside.
type ObservedAddress struct {
	Address   string `json:"address" doc:"for example quic://192.0.2.1:4001"`
	Confirmed bool   `json:"confirmed" doc:"a contact has come there by itself in the last 24 hours; else it is only tried"`
}

// NetworkPeer is a contact with an authenticated connection.
type NetworkPeer struct {
	ContactID string `json:"contact_id"`
	Path      string `json:"path" enum:"direct,lan,relay"`
	Since     Time   `json:"since"`
	Typing    bool   `json:"typing" doc:"they write to us, and let us know"`
	Here      bool   `json:"here" doc:"they are in front of a frontend, and let us know"`
}
