package lan

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pabal/node/egress"
	"pabal/protocol/wire"
)

// loopback is this machine's own network: multicast works there as elsewhere, and
// nothing leaves it.
func loopback(t *testing.T) Network {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			n := Network{Interface: i.Name, Index: i.Index, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Known: true}
			n.identify(gateway{}, 0)
			return n
		}
	}
	t.Fatal("no loopback")
	return Network{}
}

func opened(t *testing.T, c Config) *LAN {
	t.Helper()
	l := Open(c)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func next[E Event](t *testing.T, l *LAN) E {
	t.Helper()
	e, ok := (<-l.Events()).(E)
	if !ok {
		t.Fatalf("event %T", e)
	}
	return e
}

func datagram(fill byte) []byte { return bytes.Repeat([]byte{fill}, wire.BeaconSize) }

// TestBeaconIsHeard sends on loopback: who listens hears it, each of two; who does not
// listen, or not any more, hears nothing.
func TestBeaconIsHeard(t *testing.T) {
	n := loopback(t)
	look := func() ([]Network, error) { return []Network{n}, nil }
	ledger := egress.New(nil)
	a, b, deaf := opened(t, Config{Look: look, Ledger: ledger}), opened(t, Config{Look: look}), opened(t, Config{Look: look})
	for _, l := range []*LAN{a, b, deaf} {
		if got := next[Changed](t, l); len(got.Networks) != 1 || got.Networks[0].ID != n.ID {
			t.Fatalf("%+v", got)
		}
	}
	a.Listen([]Network{n})
	b.Listen([]Network{n})
	if err := a.Send(n.ID, n.Addresses[0], datagram(1)); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*LAN{a, b} {
		if got := next[Heard](t, l); got.From != n.Addresses[0] || !bytes.Equal(got.Datagram, datagram(1)) {
			t.Errorf("%v, %d bytes", got.From, len(got.Datagram))
		}
	}
	b.Listen(nil)
	for _, size := range []int{1, wire.BeaconSize - 1, wire.BeaconSize + 1} {
		if err := a.Send(n.ID, n.Addresses[0], make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Send(n.ID, n.Addresses[0], datagram(2)); err != nil {
		t.Fatal(err)
	}
	if got := next[Heard](t, a); !bytes.Equal(got.Datagram, datagram(2)) {
		t.Errorf("a datagram of another size came through: %d bytes", len(got.Datagram))
	}
	if len(b.events)+len(deaf.events) != 0 {
		t.Error("somebody hears who does not listen")
	}
	seen := ledger.Seen().Entries
	if len(seen) != 1 || seen[0].Network != egress.Multicast || seen[0].Why.Rung != egress.Beacon || seen[0].Times != 5 {
		t.Errorf("the ledger says %+v", seen)
	}
}

// TestNothingIsSentElsewhere moves the machine to another network between the wish to
// send and the sending.
func TestNothingIsSentElsewhere(t *testing.T) {
	n := loopback(t)
	other := n
	other.identify(gateway{}, 1) // the line was cut in between
	var now atomic.Pointer[Network]
	now.Store(&n)
	ledger := egress.New(nil)
	l := opened(t, Config{Ledger: ledger, Look: func() ([]Network, error) { return []Network{*now.Load()}, nil }})
	next[Changed](t, l)
	now.Store(&other)
	if err := l.Send(n.ID, n.Addresses[0], datagram(1)); !errors.Is(err, ErrElsewhere) {
		t.Errorf("error %v", err)
	}
	if err := l.Send(other.ID, netip.MustParseAddr("192.0.2.1"), datagram(1)); !errors.Is(err, ErrElsewhere) {
		t.Errorf("from an address that is not ours: error %v", err)
	}
	if len(ledger.Seen().Entries) != 0 {
		t.Error("something was sent")
	}
}

func TestChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		home := Network{Interface: "eth0", Index: 2, Addresses: []netip.Addr{netip.MustParseAddr("192.168.1.20")}, Known: true}
		home.identify(gateway{netip.MustParseAddr("192.168.1.1"), net.HardwareAddr{2, 0, 0, 0, 0, 1}}, 0)
		cafe := home // the same addresses everywhere, but for the gateway's link-layer one
		cafe.identify(gateway{netip.MustParseAddr("192.168.1.1"), net.HardwareAddr{2, 0, 0, 0, 0, 2}}, 0)
		var now atomic.Pointer[Network]
		now.Store(&home)
		var broken atomic.Bool
		l := Open(Config{Look: func() ([]Network, error) {
			if broken.Load() {
				return nil, errors.New("no answer")
			}
			return []Network{*now.Load()}, nil
		}})
		defer l.Close()
		next[Changed](t, l)
		time.Sleep(time.Hour)
		if len(l.events) != 0 {
			t.Error("told although nothing changed")
		}
		now.Store(&cafe)
		if got := next[Changed](t, l); got.Networks[0].ID == home.ID || !got.Networks[0].Lasting {
			t.Errorf("%+v", got)
		}
		broken.Store(true)
		if got := next[Changed](t, l); len(got.Networks) != 0 {
			t.Errorf("what is not known: %+v", got)
		}
	})
}

func TestIdentify(t *testing.T) {
	ours := []netip.Addr{netip.MustParseAddr("192.168.1.20")}
	router := gateway{netip.MustParseAddr("192.168.1.1"), net.HardwareAddr{0xaa, 0, 0, 0, 0, 1}}
	identified := func(index int, own []netip.Addr, g gateway, carrier uint32) Network {
		n := Network{Index: index, Addresses: own}
		n.identify(g, carrier)
		return n
	}
	home := identified(2, ours, router, 1)
	if again := identified(7, []netip.Addr{netip.MustParseAddr("192.168.1.99")}, router, 5); again.ID != home.ID || !home.Lasting {
		t.Error("a network is not known again by its gateway")
	}
	for name, g := range map[string]gateway{
		"no gateway":             {},
		"a gateway not seen yet": {ip: router.ip},
		"VRRP":                   {router.ip, net.HardwareAddr{0, 0, 0x5e, 0, 1, 1}},
		"VRRP for IPv6":          {router.ip, net.HardwareAddr{0, 0, 0x5e, 0, 2, 9}},
		"HSRP":                   {router.ip, net.HardwareAddr{0, 0, 0x0c, 7, 0xac, 1}},
	} {
		n := identified(2, ours, g, 1)
		if n.Lasting || n.ID == home.ID {
			t.Errorf("%s: known again", name)
		}
		if identified(2, ours, g, 1).ID != n.ID {
			t.Errorf("%s: changes while we stay", name)
		}
		if identified(2, ours, g, 2).ID == n.ID || identified(3, ours, g, 1).ID == n.ID {
			t.Errorf("%s: the same after the line was cut, or by another interface", name)
		}
	}
}

// TestLook looks at this machine: whatever networks it is in, none is loopback, and each
// looks the same twice.
func TestLook(t *testing.T) {
	first, err := Look()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range first {
		if n.Interface == "" || n.Index == 0 || len(n.Addresses) == 0 || n.ID == (ID{}) {
			t.Errorf("%+v", n)
		}
		for _, a := range n.Addresses {
			if a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() {
				t.Errorf("%v is no address on a local network", a)
			}
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	n := loopback(t)
	l := Open(Config{Look: func() ([]Network, error) { return []Network{n}, nil }})
	l.Listen([]Network{n})
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	for range l.Events() {
	}
	l.Listen([]Network{n})
	if len(l.ears) != 0 {
		t.Error("listens after the end")
	}
}

func ExampleOpen() {
	l := Open(Config{})
	defer l.Close()
	for event := range l.Events() {
		switch e := event.(type) {
		case Changed:
			l.Listen(e.Networks[:0]) // none of them is trusted
			return
		case Heard:
		}
	}
}
