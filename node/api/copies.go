package api

import "context"

// Copies says who may hold a message, as far as it can be known here.
type Copies struct {
	MessageID string   `json:"message_id"`
	Items     []Copy   `json:"items" nullable:"false" doc:"places that this daemon knows of; they grow fewer as copies are given up"`
	Unknown   []string `json:"unknown" nullable:"false" doc:"codes of what nobody can know from here: screenshots, contact_backups, own_backups, owner_programs, earlier_files, notifications"`
}

// Copy is one place that holds a message or may do so.
type Copy struct {
	Place     string  `json:"place" enum:"this_device,contact_device,courier,bundle_file,token,export,webhook"`
	Content   string  `json:"content" enum:"readable,sealed,none" doc:"sealed: it cannot be read there; none: by the word of who held it, nothing is left"`
	Certainty string  `json:"certainty" enum:"known,said,possible" doc:"known here; said by the other side; or possible, and nobody says"`
	At        *Time   `json:"at" doc:"since when, or of a token when it was last used; null: not known"`
	ID        *string `json:"id" doc:"of the contact or the token; null of the others"`
	Name      string  `json:"name,omitempty" doc:"of the contact or the token"`
	Deletion  *string `json:"deletion,omitempty" enum:"asked,confirmed,refused" doc:"at a contact whose copy was asked for to be deleted: what its device says"`
}

// The places of a copy.
const (
	CopyThisDevice    = "this_device"
	CopyContactDevice = "contact_device"
	CopyCourier       = "courier"     // one that the contact names, and that said it holds the message
	CopyBundleFile    = "bundle_file" // made here, carried by somebody
	CopyToken         = "token"       // whose program may have read it
	CopyExport        = "export"      // a file that the conversation was written to
	CopyWebhook       = "webhook"     // whose program was told of it
)

// What is held, and how that is known.
const (
	CopyReadable = "readable"
	CopySealed   = "sealed"
	CopyNone     = "none" // its holder says that it is gone
	CopyKnown    = "known"
	CopySaid     = "said"
	CopyPossible = "possible"
)

// CopyConfirmed is the Deletion of a copy whose holder says that it is gone.
const CopyConfirmed = "confirmed"

// What nobody can know from here.
const (
	UnknownScreenshots    = "screenshots"     // pictures of a screen, retelling
	UnknownContactBackups = "contact_backups" // of the contact's machine
	UnknownOwnBackups     = "own_backups"     // of this one, by other programs; snapshots, swap
	UnknownOwnerPrograms  = "owner_programs"  // of the same user, by the unix socket
	UnknownEarlierFiles   = "earlier_files"   // bundle files made before it was delivered
	UnknownNotifications  = "notifications"   // what the system may keep of those that showed texts
)

// Copies says who may hold a message.
func (c *Client) Copies(ctx context.Context, message string) (Copies, error) {
	return fetch[Copies](ctx, c, "/v1/messages/"+seg(message)+"/copies", nil)
}
