package api

import "encoding/json"

// Event is one entry of the event stream. A durable event has a Cursor;
// ephemeral and control events have none.
type Event struct {
	Cursor         string          `json:"cursor,omitempty"`
	Type           string          `json:"type"`
	At             *Time           `json:"at,omitempty"`
	ConversationID string          `json:"conversation_id,omitempty"`
	Data           json.RawMessage `json:"data,omitempty" doc:"the object as it is now, not as it was; see the type"`
}

// The types of events, with what their data is. The object is read when the
// event is delivered, so a replay never shows what was deleted since: Data is
// then a Reference.
const (
	EventMessageCreated      = "message.created"      // Message
	EventMessageStatus       = "message.status"       // Message
	EventMessageEdited       = "message.edited"       // Message
	EventMessageDeleted      = "message.deleted"      // Reference
	EventMessageExpired      = "message.expired"      // Reference
	EventMessageReaction     = "message.reaction"     // Message: with its emojis as they are now
	EventMessagePinned       = "message.pinned"       // Message: pinned or not
	EventMessageStarred      = "message.starred"      // Message: starred or not
	EventConversationCreated = "conversation.created" // Conversation
	EventConversationUpdated = "conversation.updated" // Conversation
	EventConversationRead    = "conversation.read"    // Conversation
	EventContactAdded        = "contact.added"        // Contact
	EventContactUpdated      = "contact.updated"      // Contact
	EventContactRemoved      = "contact.removed"      // Reference
	EventContactBlocked      = "contact.blocked"      // Contact
	EventContactVerified     = "contact.verified"     // Contact
	EventContactKeyChanged   = "contact.key_changed"  // Contact
	EventContactRenewed      = "contact.renewed"      // Contact
	EventContactUnsupported  = "contact.unsupported"  // Contact
	EventRequestReceived     = "request.received"     // Request
	EventRequestResolved     = "request.resolved"     // Request
	EventInviteUsed          = "invite.used"          // Invite
	EventInviteSecondUse     = "invite.second_use"    // Invite
	EventInviteExpired       = "invite.expired"       // Invite
	EventSelfUpdated         = "self.updated"         // SelfChange
	EventBackupMade          = "backup.made"          // nothing but that it was
	EventSettingsChanged     = "settings.changed"     // Settings
	EventTokenCreated        = "token.created"        // Reference
	EventTokenRevoked        = "token.revoked"        // Reference
	EventPairingRequested    = "pairing.requested"    // Reference: see [Client.Pairings]
	EventPairingResolved     = "pairing.resolved"     // Reference
	EventApprovalRequested   = "approval.requested"   // Reference
	EventApprovalApproved    = "approval.approved"    // Reference
	EventApprovalRefused     = "approval.refused"     // Reference
	EventApprovalExpired     = "approval.expired"     // Reference
	EventWebhookCreated      = "webhook.created"      // Reference
	EventWebhookDisabled     = "webhook.disabled"     // Reference: it has failed for days
	EventWebhookDeleted      = "webhook.deleted"      // Reference
	EventCourierUpdated      = "courier.updated"      // Reference: see [Client.Couriers]
	EventSecurityAlert       = "security.alert"       // Alert
	EventFileAvailable       = "file.available"       // File
	EventFileFailed          = "file.failed"          // File

	EventPeerState   = "peer.state"        // PeerState; ephemeral
	EventTyping      = "typing"            // TypingState; ephemeral
	EventPresence    = "presence"          // PresenceState; ephemeral
	EventTransfer    = "transfer.progress" // File; ephemeral
	EventDraft       = "draft"             // Draft, null: none any more; ephemeral
	EventDaemonState = "daemon.state"      // DaemonState; ephemeral, also while locked

	EventHello     = "hello"     // Hello; the first of every stream
	EventHeartbeat = "heartbeat" // nothing; NDJSON only, SSE has comments
	EventGap       = "gap"       // Gap: take a new snapshot
	EventBye       = "bye"       // Bye; the last of a stream that the daemon ends
)

// Reference is the data of an event about something that is gone, and of every
// event with body=refs.
type Reference struct {
	ID       string `json:"id,omitempty"`
	Became   string `json:"became,omitempty" doc:"of a contact that was removed because it turned out to be one there is: that one"`
	Position uint64 `json:"position,omitempty" doc:"of a message, for which a client may know another id: the one that it chose"`
}

// SelfChange is the data of self.updated.
type SelfChange struct {
	DisplayName string  `json:"display_name"`
	Picture     *string `json:"picture" doc:"as of the account"`
}

// Alert is the data of security.alert.
type Alert struct {
	Code      string  `json:"code" doc:"for example device_runs_twice, or courier_loses_mail: a courier of the contact has not handed over what we left there"`
	ContactID *string `json:"contact_id"`
}

// PeerState is the data of peer.state.
type PeerState struct {
	ContactID string `json:"contact_id"`
	State     string `json:"state" enum:"live,off"`
}

// DaemonState is the data of daemon.state.
type DaemonState struct {
	State State `json:"state"`
}

// Hello is the data of the first event of a stream.
type Hello struct {
	Cursor      string `json:"cursor" doc:"the newest event there is"`
	Oldest      string `json:"oldest" doc:"the oldest position that can be resumed from"`
	Epoch       uint64 `json:"epoch"`
	HeartbeatMS int64  `json:"heartbeat_ms"`
	ServerTime  Time   `json:"server_time"`
}

// Gap says that events before Oldest are no longer there.
type Gap struct {
	Oldest string `json:"oldest"`
	Reason string `json:"reason" enum:"expired,epoch"`
}

// Bye says why a stream ends.
type Bye struct {
	Reason  string `json:"reason" enum:"shutdown,locked,unlocked,token_revoked,slow,limit"`
	RetryMS int64  `json:"retry_ms"`
}

// The reasons of a Bye.
const (
	ByeShutdown     = "shutdown"
	ByeLocked       = "locked"
	ByeUnlocked     = "unlocked" // the stream was opened while locked: reconnect
	ByeTokenRevoked = "token_revoked"
	ByeSlow         = "slow"
	ByeLimit        = "limit"
)

// EventPage is the long-poll form of the event stream. Gap is set if events
// before the first are gone.
type EventPage struct {
	Events []Event `json:"events"`
	Cursor string  `json:"cursor" doc:"pass it as after the next time"`
	Gap    *Gap    `json:"gap,omitempty"`
}

// Ack moves a consumer's durable position forward.
type Ack struct {
	Consumer string `json:"consumer" minLength:"1" maxLength:"64"`
	Cursor   string `json:"cursor"`
}

// ConsumerRequest makes a consumer or moves it; without a cursor a new one
// stands at the end of the log.
type ConsumerRequest struct {
	Cursor string `json:"cursor,omitempty"`
}

// Consumer is a named durable position in the event log. Events after the
// slowest one are kept longer than others.
type Consumer struct {
	Name      string  `json:"name"`
	TokenID   *string `json:"token_id" doc:"whose it is: nobody else's, but for the owner, may read, move or forget it. null = the owner's"`
	Cursor    string  `json:"cursor"`
	Lag       uint64  `json:"lag" doc:"events after it"`
	LastAckAt Time    `json:"last_ack_at"`
}
