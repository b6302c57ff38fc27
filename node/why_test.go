package node

import (
	"net/netip"
	"testing"

	"pabal/node/api"
	"pabal/protocol/wire"
)

// TestReachability says what an invite says: an address of a range that nobody on
// the internet can reach is one of a local network.
func TestReachability(t *testing.T) {
	for text, want := range map[string]string{
		"8.8.8.8": api.ReachabilityDirect, "2a00:1450::1": api.ReachabilityDirect,
		"192.168.1.2": api.ReachabilityLAN, "192.0.2.2": api.ReachabilityLAN, "100.64.0.1": api.ReachabilityLAN,
		"2001:db8::1": api.ReachabilityLAN, "fd00::2": api.ReachabilityLAN,
		"127.0.0.1": api.ReachabilityOffline, "fe80::1": api.ReachabilityOffline,
	} {
		own := []wire.Address{{Network: wire.QUIC, IP: netip.MustParseAddr("::1"), Port: 1}, {Network: wire.QUIC, IP: netip.MustParseAddr(text), Port: 1}}
		if got := reachability(own); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
