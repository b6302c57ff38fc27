package p2p

import (
	"errors"
	"testing"

	"pabal/node/egress"

	ma "github.com/multiformats/go-multiaddr"
)

// TestDHTServersAreOfOnePlace refuses a list of servers nearby and on the internet: these
// would have us dial addresses nearby.
func TestDHTServersAreOfOnePlace(t *testing.T) {
	const id = "/p2p/12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay"
	near, global := "/ip4/192.168.1.2/tcp/4001"+id, "/ip4/104.131.131.82/tcp/4001"+id
	for _, c := range []struct {
		servers []string
		refused bool
	}{
		{[]string{near, near}, false}, {[]string{global, global}, false},
		{[]string{near, global}, true}, {[]string{global, near}, true},
	} {
		if _, err := NewDHT(DHTConfig{Servers: c.servers}); errors.Is(err, ErrBootstrap) != c.refused {
			t.Errorf("%v: %v", c.servers, err)
		}
	}
}

// TestDHTDialsTheInternetOnly has servers of a public DHT name addresses nearby: these are
// not dialled. Names and circuits are not, either.
func TestDHTDialsTheInternetOnly(t *testing.T) {
	const id = "/p2p/12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay"
	for _, c := range []struct {
		profile         Profile
		server, address string
		dialled         bool
	}{
		{Laptop, "/ip4/104.131.131.82/tcp/4001", "/ip4/145.40.96.233/tcp/4001", true},
		{Laptop, "/ip4/104.131.131.82/udp/4001/quic-v1", "/ip6/2604:1380:45e3:6e00::1/udp/4001/quic-v1", true},
		{Laptop, "/ip4/104.131.131.82/tcp/4001", "/ip4/127.0.0.1/tcp/4001", false},
		{Laptop, "/ip4/104.131.131.82/tcp/4001", "/ip4/192.168.1.1/tcp/80", false},
		{Laptop, "/ip4/104.131.131.82/tcp/4001", "/dns4/example.com/tcp/4001", false},
		{Laptop, "/ip4/104.131.131.82/tcp/4001", "/ip4/145.40.96.233/tcp/4001" + id + "/p2p-circuit", false},
		{Laptop, "/ip4/192.168.1.2/tcp/4001", "/ip4/192.168.1.3/tcp/4001", true},
		{Laptop, "/ip4/192.168.1.2/tcp/4001", "/ip4/145.40.96.233/tcp/4001", true},
		{LAN, "/ip4/192.168.1.2/tcp/4001", "/ip4/192.168.1.3/tcp/4001", true},
		{LAN, "/ip4/192.168.1.2/tcp/4001", "/ip4/145.40.96.233/tcp/4001", false},
		{LAN, "/ip4/104.131.131.82/tcp/4001", "/ip4/145.40.96.233/tcp/4001", false},
	} {
		d, err := NewDHT(DHTConfig{Servers: []string{c.server + id}, Profile: c.profile})
		if err != nil {
			t.Fatal(err)
		}
		g := dhtGater{dht: d, why: egress.Reason{Rung: egress.DHT}}
		if got := g.InterceptAddrDial("", ma.StringCast(c.address)); got != c.dialled {
			t.Errorf("%s, entered by %s: %v", c.address, c.server, got)
		}
		if g.why = (egress.Reason{}); g.InterceptAddrDial("", ma.StringCast(c.address)) {
			t.Errorf("%s is dialled without a reason", c.address)
		}
	}
}
