package api

// DHT says whether contacts to whom no path works are looked for in a public DHT, and how
// it is entered.
type DHT struct {
	On        bool     `json:"on"`
	Bootstrap []string `json:"bootstrap" doc:"servers, as multiaddrs"`
	Since     *Time    `json:"since" doc:"on since; null: it is off"`
}

// DHTRequest switches it on. Whoever asks for it must have told its cost: each record that
// is published or looked up shows to 30 to 50 strangers that this program runs at our IP
// address, and those who keep the record see that our address and the contact's belong
// together. Changing keys does not hide that.
type DHTRequest struct {
	Bootstrap []string `json:"bootstrap" minItems:"1" maxItems:"16" doc:"servers to enter by, each an IP address as a multiaddr with /p2p, such as /ip4/192.0.2.1/tcp/4001/p2p/12D3…; names are refused, and none is built in"`
}
