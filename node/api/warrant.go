package api

import (
	"context"
	"net/url"
	"time"
)

// Warrant says what would be obtained from whom, computed from what there is now. It
// has counts and times, no texts.
type Warrant struct {
	At      Time            `json:"at"`
	Since   *Time           `json:"since" doc:"what fresh counts from; null: it was not asked for"`
	Targets []WarrantTarget `json:"targets" nullable:"false"`
}

// WarrantTarget is somebody or something that can be seized or ordered to hand over.
type WarrantTarget struct {
	Target   string   `json:"target" enum:"machine_locked,machine_unlocked,contact,courier,contact_couriers,network,notifications,token,webhooks"`
	ID       *string  `json:"id" doc:"of a contact, courier or token"`
	Name     string   `json:"name,omitempty"`
	Messages uint64   `json:"messages" doc:"that can be read there"`
	Sealed   uint64   `json:"sealed" doc:"items without the key to them; of a courier of ours it is not known here"`
	Oldest   *Time    `json:"oldest" doc:"of the messages"`
	Fresh    uint64   `json:"fresh" doc:"of the messages, those since; what was deleted meanwhile is in no count"`
	Key      string   `json:"key" enum:"none,passphrase,keyfile,theirs,devices" doc:"what protects it: nothing; our passphrase; a file beside it; what the other side has, which is not known here; keys that only the two devices have"`
	Obtains  []string `json:"obtains" nullable:"false" doc:"codes: texts, files, names, contacts, drafts, held_mail, addresses, times, sizes, sealed_mail; of notifications by the most that was ever set"`
}

// The targets of a warrant.
const (
	TargetMachineLocked   = "machine_locked" // or stopped
	TargetMachineUnlocked = "machine_unlocked"
	TargetContact         = "contact" // its device
	TargetCourier         = "courier" // that keeps mail for us
	// The couriers of contacts, all together: what we left there and was not fetched.
	TargetContactCouriers = "contact_couriers"
	TargetNetwork         = "network" // whoever runs it
	TargetNotifications   = "notifications"
	TargetToken           = "token"
	TargetExports         = "exports" // files that conversations were written to
	TargetWebhooks        = "webhooks"
)

// What protects it.
const (
	KeyNone       = "none"
	KeyPassphrase = "passphrase"
	KeyKeyfile    = "keyfile"
	KeyTheirs     = "theirs"
	KeyDevices    = "devices"
)

// What is obtained.
const (
	ObtainsTexts      = "texts"
	ObtainsFiles      = "files"
	ObtainsNames      = "names"
	ObtainsContacts   = "contacts"
	ObtainsDrafts     = "drafts"
	ObtainsHeldMail   = "held_mail" // kept for others, sealed
	ObtainsAddresses  = "addresses"
	ObtainsTimes      = "times"
	ObtainsSizes      = "sizes"
	ObtainsSealedMail = "sealed_mail"
)

// Warrant says what would be obtained from whom; a since that is not zero has it count
// what came since then.
func (c *Client) Warrant(ctx context.Context, since time.Time) (Warrant, error) {
	q := url.Values{}
	if !since.IsZero() {
		q.Set("since", NewTime(since).String())
	}
	return fetch[Warrant](ctx, c, "/v1/warrant", q)
}
