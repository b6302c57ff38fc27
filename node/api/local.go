package api

// LocalNetwork is a network that this machine is in, or one that is trusted and
// elsewhere.
type LocalNetwork struct {
	ID        string   `json:"id" doc:"made of the gateway's addresses, or, without lasting, for this stay"`
	Interface string   `json:"interface"`
	Here      bool     `json:"here" doc:"we are in it now"`
	Addresses []string `json:"addresses" doc:"ours there"`
	Gateway   *string  `json:"gateway" doc:"its address; null: there is none, or we are elsewhere"`
	Trusted   bool     `json:"trusted" doc:"contacts on it may find us, and everybody on it can see that this program runs here"`
	Lasting   bool     `json:"lasting" doc:"it will be known again; if not, trust ends when it is left"`
	Since     *Time    `json:"since" doc:"trusted since; null: it is not"`
}

// TrustRequest trusts a local network that this machine is in.
type TrustRequest struct {
	Network string `json:"network,omitempty" maxLength:"64" doc:"id or interface; default: the one with a gateway, or the only one"`
}
