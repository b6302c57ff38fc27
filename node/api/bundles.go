package api

// BundleRequest asks for a bundle file for a contact.
type BundleRequest struct {
	ContactID string `json:"contact_id" minLength:"1" doc:"an id, or @ and an alias or name"`
}

// Bundle is what one device has for one contact in a file that any hands may carry. It
// looks like noise and names nobody. Nothing in it counts as sent before the contact
// answers, and what is taken back later stays in it.
type Bundle struct {
	File     []byte // of one of few sizes
	Messages int    // of ours in it
	Waiting  int    // of ours that are not: too much is unconfirmed already
}

// The headers of the answer of POST /v1/bundles/export, beside the file.
const (
	BundleMessagesHeader = "Pabal-Bundle-Messages"
	BundleWaitingHeader  = "Pabal-Bundle-Waiting"
)

// BundleType is the media type of a bundle file.
const BundleType = "application/octet-stream"

// PictureType is the media type under which a picture is brought, whatever it is.
const PictureType = "application/octet-stream"

// BundleImported says what was in a bundle file.
type BundleImported struct {
	ContactID string `json:"contact_id" doc:"who made the file"`
	MadeAt    Time   `json:"made_at" format:"date-time" doc:"when, by their clock"`
	Messages  int    `json:"messages" doc:"that had not come before"`
	Delivered int    `json:"delivered" doc:"messages of ours that the file confirms for the first time"`
	Renewal   bool   `json:"renewal" doc:"the session must be renewed, over a connection or by couriers"`
}
