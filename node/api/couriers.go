package api

// Courier is a contact that keeps sealed mail for us while we are off, or for whom
// we do, or both; or one end of a home node's pairing, which is no contact.
type Courier struct {
	ContactID string        `json:"contact_id" doc:"of a home node or owner: an id that is used here only"`
	Kind      string        `json:"kind" enum:"contact,home,owner" doc:"contact; home: our home node; owner: of this home node"`
	Name      string        `json:"name" doc:"theirs"`
	Pairing   string        `json:"pairing" enum:"requested,pending,established,failed"`
	Reason    *string       `json:"reason,omitempty" doc:"code: why the pairing failed"`
	Ready     bool          `json:"ready" doc:"every mailbox stands that we want there"`
	Gives     *CourierGives `json:"gives,omitempty" doc:"what we keep for the contact; absent: nothing"`
	Takes     *CourierTakes `json:"takes,omitempty" doc:"what the contact keeps for us; absent: nothing"`
	State     string        `json:"state" enum:"live,off"`
	LastError *string       `json:"last_error,omitempty" doc:"code: why it was not reached the last time"`
	Trouble   *string       `json:"trouble,omitempty" enum:"unreachable,refuses" doc:"why others of our couriers come before it; absent: nothing speaks against it"`
}

// CourierGives is what we keep for a contact. We see who leaves and fetches mail from
// which address, when and how large it is, and nothing of what it says.
type CourierGives struct {
	QuotaBytes   uint64 `json:"quota_bytes"`
	LifetimeDays uint32 `json:"lifetime_days" doc:"how long one item is kept"`
	UsedBytes    uint64 `json:"used_bytes"`
	Mailboxes    int    `json:"mailboxes" doc:"one for each of the contact's own contacts that may leave mail"`
	Items        int    `json:"items" doc:"kept now"`
}

// CourierTakes is what a contact offers to keep for us.
type CourierTakes struct {
	QuotaBytes   uint64 `json:"quota_bytes"`
	LifetimeDays uint32 `json:"lifetime_days" doc:"how long one item is kept"`
	Mailboxes    int    `json:"mailboxes" doc:"of ours that stand there: one for each contact that may leave mail"`
	Declined     bool   `json:"declined" doc:"we do not use the offer"`
}

// CourierRequest makes us a contact's courier, or changes the terms. From then on we
// keep one transport key: whoever leaves mail must find us.
type CourierRequest struct {
	ContactID    string  `json:"contact_id" minLength:"1" doc:"an id, or @ and an alias or name"`
	QuotaBytes   *uint64 `json:"quota_bytes,omitempty" doc:"default 32 MiB"`
	LifetimeDays *uint32 `json:"lifetime_days,omitempty" doc:"default 14, at most 90"`
}

// HomeRequest pairs us with the home node whose link it holds.
type HomeRequest struct {
	URI string `json:"uri" minLength:"1" maxLength:"65536" doc:"a link made with kind home; may have text around it"`
}

// The kinds of a courier.
const (
	CourierContact = "contact"
	CourierHome    = "home"
	CourierOwner   = "owner"
)

// The states of a courier.
const (
	CourierLive = "live" // there is an authenticated connection
	CourierOff  = "off"
)
