package node

import (
	"net/netip"
	"slices"
	"testing"

	"pabal/node/api"
	"pabal/node/egress"
	"pabal/node/lan"
	"pabal/protocol"
)

// travel puts a core's machine into networks that a test makes up.
func (c *core) travel(t *testing.T, networks ...lan.Network) {
	t.Helper()
	if err := c.local.lan.Close(); err != nil {
		t.Fatal(err)
	}
	trusted, err := loadTrusted(c.store)
	if err != nil {
		t.Fatal(err)
	}
	c.local = local{
		lan:     lan.Open(lan.Config{Ledger: c.ledger, Look: func() ([]lan.Network, error) { return networks, nil }}),
		trusted: trusted, staying: map[lan.ID]trustedNetwork{},
	}
	c.local.sounds = c.local.lan.Events()
	c.batch(t, func(b *batch) { c.sound(b, <-c.local.sounds) })
}

// madeUp is a network that a test makes up: nothing is ever sent there, as it has no interface.
func madeUp(id byte, name string, gateway, lasting bool) lan.Network {
	n := lan.Network{Interface: name, Index: 4711, ID: lan.ID{id}, Lasting: lasting, Known: true}
	if gateway {
		n.Gateway = netip.MustParseAddr("192.0.2.1")
	}
	return n
}

// trustOf trusts by a word and returns the code of a refusal.
func (c *core) trustOf(t *testing.T, word string) (code api.Code) {
	t.Helper()
	c.batch(t, func(b *batch) {
		if _, err := c.trust(b, word); err != nil {
			code = err.(*api.Problem).Code
		}
	})
	return code
}

// trustedHere returns the networks that we are in and trusted.
func (c *core) trustedHere() (out []string) {
	for _, n := range c.local.views() {
		if n.Here && n.Trusted {
			out = append(out, n.Interface)
		}
	}
	return out
}

// TestTrustIsForOneNetwork trusts networks and travels: what is known again by its gateway is trusted
// again, what looks the same otherwise is not.
func TestTrustIsForOneNetwork(t *testing.T) {
	c := newTestCore(t, "127.0.0.1:0")
	home, cafe, cable := madeUp(1, "wlan0", true, true), madeUp(2, "wlan0", true, true), madeUp(3, "eth0", false, false)
	steps := []struct {
		in    []lan.Network
		trust string
		code  api.Code
		want  []string
	}{
		{[]lan.Network{home, cable}, "", "", []string{"wlan0"}}, // the one with a gateway
		{[]lan.Network{cafe, cable}, "eth0", "", []string{"eth0"}},
		{[]lan.Network{cafe, cable}, "eth1", api.CodeNotFound, nil}, // the cable's trust ended: this core was elsewhere
		{[]lan.Network{home}, "wlan0", "", []string{"wlan0"}},
		{[]lan.Network{cafe, madeUp(4, "wlan1", true, true)}, "", api.CodeNetworkAmbiguous, nil},
		{[]lan.Network{cable, madeUp(5, "eth1", false, false)}, "", api.CodeNetworkAmbiguous, nil},
		{[]lan.Network{{Interface: "en0", ID: lan.ID{6}}}, "", api.CodeNetworkUnsupported, nil},
		{nil, "", api.CodeNotFound, nil},
		{[]lan.Network{home, cafe}, "", api.CodeNetworkAmbiguous, []string{"wlan0"}},
	}
	for i, s := range steps {
		c.travel(t, s.in...)
		if code := c.trustOf(t, s.trust); code != s.code {
			t.Errorf("step %d: code %q", i, code)
		}
		if got := c.trustedHere(); !slices.Equal(got, s.want) {
			t.Errorf("step %d: trusted %q", i, got)
		}
	}
	c.batch(t, func(b *batch) {
		if err := c.distrust(b, networkText(home.ID)); err != nil {
			t.Error(err)
		}
	})
	c.travel(t, home)
	if got := c.trustedHere(); got != nil {
		t.Errorf("after the end: %q", got)
	}
	c.batch(t, func(b *batch) {
		if err := c.distrust(b, "wlan0"); err == nil {
			t.Error("ended twice")
		}
	})
	if seen := c.ledger.Seen(); slices.ContainsFunc(seen.Entries, func(e egress.Entry) bool { return e.Network == egress.Multicast }) {
		t.Errorf("something was sent: %+v", seen.Entries)
	}
}

// TestBeaconsEndWithTheNetwork has the machine leave a trusted network between a beacon's
// making and its sending.
func TestBeaconsEndWithTheNetwork(t *testing.T) {
	c := newTestCore(t, "127.0.0.1:0")
	c.travel(t, madeUp(1, "wlan0", true, true))
	c.beacon(protocol.Beacon{From: netip.MustParseAddr("192.0.2.7"), Network: lan.ID{1}, Datagram: []byte("for home")})
	c.beacon(protocol.Beacon{From: netip.MustParseAddr("192.0.2.7"), Network: lan.ID{2}, Datagram: []byte("for elsewhere")})
	if seen := c.ledger.Seen(); len(seen.Entries) != 0 {
		t.Errorf("sent: %+v", seen.Entries)
	}
}
