package api

// Egress answers GET /v1/network/egress: to whom this daemon has sent anything since it
// was unlocked. It is kept in memory only.
type Egress struct {
	Since     Time          `json:"since" doc:"when the record began"`
	Forgotten uint64        `json:"forgotten" doc:"entries that found no room any more, the oldest first"`
	Items     []EgressEntry `json:"items" doc:"the last used first"`
}

// EgressEntry is an address that was sent to, or was about to be, for one reason.
type EgressEntry struct {
	Address   string   `json:"address" doc:"IP and port"`
	Network   string   `json:"network" enum:"quic,tcp,multicast"`
	Reason    string   `json:"reason" enum:"link,direct,relay,punch,lan,courier,beacon,dht" doc:"link: an address in a link that was followed; direct: one that the contact told; relay: a courier, to be connected with the contact; punch: where the contact is seen from outside; lan: where its beacon was heard; courier: to leave mail for the contact; beacon: everybody on a local network; dht: a server of the public DHT"`
	ContactID *string  `json:"contact_id" doc:"on whose behalf; null: nobody in particular"`
	Learns    []string `json:"learns" doc:"codes: what whoever is there, or on the way, could learn"`
	FirstAt   Time     `json:"first_at"`
	LastAt    Time     `json:"last_at"`
	Times     uint64   `json:"times"`
}

// What an address that is sent to could learn.
const (
	LearnsAddress  = "ip_address"    // ours
	LearnsTimes    = "times"         // when we are on and speak to it
	LearnsKey      = "transport_key" // ours of the day
	LearnsVolume   = "volume"        // how much goes there and back
	LearnsIdentity = "identity"      // who we are, if it is the contact
	LearnsProgram  = "program"       // that this program runs here
	LearnsPair     = "pair"          // whose address belongs together with ours, if it keeps the record
)
