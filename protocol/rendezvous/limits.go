package rendezvous

import (
	"net/netip"
	"time"
)

// BeaconGroups returns the multicast groups that beacons are sent to, of IPv4 and of
// IPv6 (protocol). Neither leaves the local network.
func BeaconGroups() (v4, v6 netip.Addr) {
	return netip.AddrFrom4([4]byte{239, 255, 142, 37}),
		netip.AddrFrom16([16]byte{0xff, 0x12, 8: 0x9d, 9: 0x41, 10: 0x6b, 11: 0xe2, 12: 0x30, 13: 0xc8, 14: 0x5f, 15: 0x17})
}

const (
	// RecordDays is how many days of transport keys an address record names (protocol).
	RecordDays = 90
	// RecordLifetime is how long a contact may use a record (protocol).
	RecordLifetime = RecordDays * 24 * time.Hour
	// RecordRefresh is how long before its end a record is sent again (implementation).
	RecordRefresh = RecordDays / 2 * 24 * time.Hour
	// ChainDaysMax bounds how far the transport chain is followed in one go: a
	// clock further off than this has no key (implementation).
	ChainDaysMax = 4000

	// BeaconPort is the UDP port that beacons are sent to (protocol).
	BeaconPort = 38547

	beaconSlot     = 15 * time.Minute // in which a beacon is recognised, and those beside it (protocol)
	beaconsFirst   = 3                // beacons on a network that is new
	beaconFirstGap = 2 * time.Second
	beaconEvery    = 2 * time.Minute // later, less up to a quarter
	beaconsPerSpan = 128             // beacons that are looked at
	beaconsSpan    = 10 * time.Second
	noncesKept     = 256 // of beacons that were recognised: none counts twice

	saidMax       = 32             // by whom we were seen
	reachedMax    = 4              // addresses of ours that somebody came to by itself
	outsideKept   = 24 * time.Hour // and since when
	candidatesMax = 2              // addresses that nobody has confirmed, in a record

	daySeconds = 86400

	backoffMin = time.Second
	backoffMax = 15 * time.Minute
	// pathLasted is how long a connection must have stood for its end to begin the pace anew.
	pathLasted = time.Minute
	// HastenEvery is how often, at most, a contact has us dial sooner by what it tells.
	HastenEvery = 30 * time.Second
)
