package api

// Self is the account of this profile.
type Self struct {
	DisplayName string   `json:"display_name"`
	Picture     *string  `json:"picture" doc:"null: there is none; else another one for another picture"`
	AccountID   string   `json:"account_id" doc:"short form of the account key, to tell profiles apart"`
	Devices     []Device `json:"devices" doc:"read only in this version: one"`
}

// Device is a device of the account.
type Device struct {
	Name    string `json:"name"`
	AddedAt *Time  `json:"added_at"`
	This    bool   `json:"this"`
}

// SelfPatch changes the account; absent fields stay.
type SelfPatch struct {
	DisplayName *string `json:"display_name,omitempty" minLength:"1"`
}

// SelfFingerprint answers GET /v1/self/fingerprint. Safety numbers are made of
// two accounts: see [Verification]; this one is for reading out one's own.
type SelfFingerprint struct {
	Groups []string `json:"groups" doc:"groups of five digits"`
}

// InviteRequest makes an invite.
type InviteRequest struct {
	Kind      string `json:"kind,omitempty" enum:"contact,card,home" doc:"contact: for one person (default); card: reusable; home: pairs this home node with its owner"`
	Uses      int    `json:"uses,omitempty" minimum:"1" maximum:"10000" doc:"how many may be accepted; contact: always 1; card: default without limit"`
	ExpiresIn int64  `json:"expires_in,omitempty" minimum:"60" doc:"seconds; default by what can be reached"`
	Note      string `json:"note,omitempty" doc:"for oneself, never sent"`
	LAN       bool   `json:"lan,omitempty" doc:"while it is open, say so on every local network: its holder there finds us, and everybody there can see that this program runs here"`
	Ask       bool   `json:"ask,omitempty" doc:"requests wait for an answer instead of being accepted at once"`
	Direct    bool   `json:"direct,omitempty" doc:"the link says where this machine is although couriers take requests to it"`
}

// Invite is an invite of ours.
type Invite struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind" enum:"contact,card,home"`
	URI       *string   `json:"uri" doc:"the link; null once it is of no use"`
	State     string    `json:"state" enum:"open,used,expired,revoked"`
	UsesLeft  *int      `json:"uses_left" doc:"null: without limit"`
	Used      int       `json:"used"`
	Note      string    `json:"note"`
	Ask       bool      `json:"ask"`
	CreatedAt Time      `json:"created_at"`
	ExpiresAt *Time     `json:"expires_at"`
	RevokedAt *Time     `json:"revoked_at"`
	Warnings  []Warning `json:"warnings" doc:"no_public_path, unconfirmed_path, each with ways: what helps; only when just made"`
}

// The states of an invite.
const (
	InviteOpen    = "open"
	InviteUsed    = "used"
	InviteExpired = "expired"
	InviteRevoked = "revoked"
)

// InspectRequest asks what a link is. Text around the link does no harm.
type InspectRequest struct {
	URI string `json:"uri" minLength:"1" maxLength:"65536"`
}

// Inspection says what a link is, without touching the network.
type Inspection struct {
	Kind      string `json:"kind" enum:"contact,card,home,group"`
	Own       bool   `json:"own"`
	Expired   bool   `json:"expired"`
	ExpiresAt *Time  `json:"expires_at"`
}

// Scan is the link that was found in a picture, and what it is.
type Scan struct {
	URI string `json:"uri"`
	Inspection
}

// AcceptRequest answers someone's invite link.
type AcceptRequest struct {
	URI      string `json:"uri" minLength:"1" maxLength:"65536"`
	Alias    string `json:"alias,omitempty" doc:"what we call them"`
	Greeting string `json:"greeting,omitempty" doc:"shown with the request"`
}

// Accepted answers POST /v1/invites/accept: the request is durable and is being
// delivered.
type Accepted struct {
	ContactID      string  `json:"contact_id"`
	ConversationID *string `json:"conversation_id" doc:"null until established"`
	State          string  `json:"state" enum:"requested,pending,established,failed"`
}

// Request is a contact request that reached an invite of ours.
type Request struct {
	ID        string  `json:"id"`
	InviteID  string  `json:"invite_id"`
	ContactID *string `json:"contact_id" doc:"null until accepted"`
	State     string  `json:"state" enum:"waiting,accepted,declined,blocked"`
	Name      string  `json:"name" doc:"what they call themselves"`
	Greeting  string  `json:"greeting"`
	At        Time    `json:"at"`
	// Warnings are about the name.
	Warnings []Warning `json:"warnings" nullable:"false" doc:"about the name: looks_like, mixed_alphabets"`
}

// Contact is a person.
type Contact struct {
	ID             string  `json:"id"`
	Name           string  `json:"name" doc:"theirs"`
	Alias          *string `json:"alias" doc:"ours"`
	State          string  `json:"state" enum:"requested,pending,established,failed"`
	Reason         *string `json:"reason" doc:"a code, when failed"`
	ConversationID *string `json:"conversation_id" doc:"null until established"`
	Verification   string  `json:"verification" enum:"unverified,verified,changed"`
	Blocked        bool    `json:"blocked"`
	ReadReceipts   bool    `json:"read_receipts" doc:"they hear up to where we have read; at first they do not"`
	Picture        *string `json:"picture" doc:"null: they have none; else another one for another picture, see GET /v1/contacts/{id}/picture"`
	Typing         bool    `json:"typing" doc:"they see when we write to them; at first they do not"`
	Presence       bool    `json:"presence" doc:"they see when we are here; at first they do not"`
	InviteID       *string `json:"invite_id" doc:"the invite of ours that they came by"`
	CreatedAt      Time    `json:"created_at"`
	// Warnings are about the name; none if we gave an alias.
	Warnings []Warning `json:"warnings" nullable:"false" doc:"about the name they gave themselves: looks_like, mixed_alphabets; an alias ends them"`
}

// The states of a contact.
const (
	ContactRequested   = "requested"
	ContactPending     = "pending"
	ContactEstablished = "established"
	ContactFailed      = "failed"
)

// ContactPatch changes a contact; absent fields stay, a null alias removes it.
type ContactPatch struct {
	Alias        Optional[*string] `json:"alias,omitzero"`
	ReadReceipts *bool             `json:"read_receipts,omitempty" doc:"whether they hear, from the next reading on, up to where we have read; not before the contact is established"`
	Typing       *bool             `json:"typing,omitempty" doc:"whether they see when we write to them; not before the contact is established"`
	Presence     *bool             `json:"presence,omitempty" doc:"whether they see when we are here; not before the contact is established"`
}

// Verification is the comparison of safety numbers with a contact.
type Verification struct {
	State        string   `json:"state" enum:"unverified,verified,changed"`
	SafetyNumber []string `json:"safety_number" doc:"twelve groups of five digits, equal on both sides"`
	QRPayload    string   `json:"qr_payload" doc:"what the QR code for comparing holds"`
}

// VerifyRequest says that the numbers were compared. With a Payload the daemon
// compares and refuses what differs; without one a person has compared.
type VerifyRequest struct {
	Method  string `json:"method" enum:"number,qr"`
	Payload string `json:"payload,omitempty" maxLength:"512" doc:"the scanned QR payload or the digits"`
}

// Block is a blocked contact.
type Block struct {
	ContactID string `json:"contact_id"`
	Name      string `json:"name"`
}
