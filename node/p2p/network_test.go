package p2p

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pabal/node/egress"
	"pabal/node/p2p/lab"
	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestAddressesComeFirst(t *testing.T) {
	h := open(t, Config{Seed: identity.TransportSeed{1}})
	got, ok := (<-h.Events()).(Addresses)
	if !ok || len(got.Own) == 0 || len(got.Subnets) == 0 {
		t.Fatalf("%+v", got)
	}
	for _, network := range []wire.Network{wire.QUIC, wire.TCP} {
		want := wire.Address{Network: network, IP: netip.MustParseAddr("127.0.0.1"), Port: got.Own[0].Port}
		if !slices.Contains(got.Own, want) {
			t.Errorf("%v is missing; one port serves all", want)
		}
	}
	for _, a := range got.Own {
		if !a.Valid() {
			t.Errorf("%v is not valid", a)
		}
	}
}

func TestChangedInterfacesAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		var interfaces atomic.Pointer[[]netip.Prefix]
		set := func(list ...string) {
			var p []netip.Prefix
			for _, text := range list {
				p = append(p, netip.MustParsePrefix(text))
			}
			interfaces.Store(&p)
		}
		set("1.0.0.1/8")
		h := joinWith(t, w, 1, Config{interfaces: func() ([]netip.Prefix, error) { return *interfaces.Load(), nil }})
		w.Start()
		defer w.Close()
		defer h.Close()
		next[Addresses](t, h)
		set("1.0.0.1/8", "10.1.2.3/24")
		start := time.Now()
		got := next[Addresses](t, h)
		if took := time.Since(start); took > watchInterval {
			t.Errorf("it took %v", took)
		}
		if want := netip.MustParsePrefix("10.1.2.0/24"); !slices.Contains(got.Subnets, want) {
			t.Errorf("subnets %v", got.Subnets)
		}
		time.Sleep(time.Hour)
		if n := len(h.events); n != 0 {
			t.Errorf("%d events although nothing changed", n)
		}
	})
}

func TestOwnAddresses(t *testing.T) {
	prefixes := func(list ...string) (p []netip.Prefix) {
		for _, text := range list {
			p = append(p, netip.MustParsePrefix(text))
		}
		return p
	}
	address := func(n wire.Network, at string) wire.Address {
		ap := netip.MustParseAddrPort(at)
		return wire.Address{Network: n, IP: ap.Addr(), Port: ap.Port()}
	}
	listening := []wire.Address{address(wire.QUIC, "0.0.0.0:5"), address(wire.TCP, "[::]:6"), address(wire.TCP, "192.168.1.2:7")}
	got := ownAddresses(listening, prefixes("192.168.1.2/24", "127.0.0.1/8", "fe80::1/64", "2001:db8::5/64", "192.168.1.9/24"))
	want := []wire.Address{
		address(wire.QUIC, "127.0.0.1:5"), address(wire.QUIC, "192.168.1.2:5"), address(wire.TCP, "192.168.1.2:7"),
		address(wire.QUIC, "192.168.1.9:5"), address(wire.TCP, "[2001:db8::5]:6"),
	}
	if !slices.Equal(got.Own, want) {
		t.Errorf("own %v\nwant %v", got.Own, want)
	}
	if want := prefixes("127.0.0.0/8", "192.168.1.0/24", "2001:db8::/64", "fe80::/64"); !slices.Equal(got.Subnets, want) {
		t.Errorf("subnets %v", got.Subnets)
	}
}

func TestAddressesSurviveLibp2p(t *testing.T) {
	for _, at := range []string{"127.0.0.1:9", "8.8.8.8:65535", "[::1]:1", "[2001:db8::1]:443"} {
		for _, n := range []wire.Network{wire.QUIC, wire.TCP} {
			ap := netip.MustParseAddrPort(at)
			a := wire.Address{Network: n, IP: ap.Addr(), Port: ap.Port()}
			m, ok := multiaddr(a)
			if !ok {
				t.Fatalf("%v has no multiaddr", a)
			}
			if back, ok := wireAddress(m); !ok || back != a {
				t.Errorf("%v became %v", a, back)
			}
		}
	}
	for _, bad := range []wire.Address{{}, {Network: 7, IP: netip.MustParseAddr("1.2.3.4"), Port: 1},
		{Network: wire.TCP, IP: netip.MustParseAddr("0.0.0.0"), Port: 1}, {Network: wire.TCP, IP: netip.MustParseAddr("ff02::1"), Port: 1},
		{Network: wire.TCP, IP: netip.MustParseAddr("fe80::1%eth0"), Port: 1}, {Network: wire.TCP, IP: netip.MustParseAddr("1.2.3.4")}} {
		if m, ok := multiaddr(bad); ok {
			t.Errorf("%v became %v", bad, m)
		}
	}
	for _, text := range []string{"/dns4/example.com/tcp/1", "/ip4/1.2.3.4/tcp/1/ws", "/ip4/1.2.3.4/udp/1", "/ip4/1.2.3.4",
		"/ip4/1.2.3.4/tcp/1/p2p/12D3KooWEyopopk9ECHYCMiSRKzJ3Zs7xXw4iWxbEnbHJ6Uu8xz8/p2p-circuit"} {
		if a, ok := wireAddress(ma.StringCast(text)); ok {
			t.Errorf("%s became %v", text, a)
		}
	}
}

func TestGaterDialsWhatWasNamedOnly(t *testing.T) {
	g := &gater{strangers: &strangers{}, ledger: egress.New(nil), dials: map[peer.ID]*dialGrant{}}
	x, y := ma.StringCast("/ip4/10.0.0.1/tcp/1"), ma.StringCast("/ip4/8.8.8.8/tcp/1")
	if g.InterceptPeerDial("a") || g.InterceptAddrDial("a", x) {
		t.Error("a dial that nobody asked for is allowed")
	}
	g.grant("a", []ma.Multiaddr{x, y}, forTests())
	g.grant("a", []ma.Multiaddr{x}, forTests())
	if !g.InterceptPeerDial("a") || !g.InterceptAddrDial("a", x) || !g.InterceptAddrDial("a", y) {
		t.Error("a dial that was asked for is refused")
	}
	if g.InterceptAddrDial("b", x) || g.InterceptAddrDial("a", ma.StringCast("/ip4/10.0.0.2/tcp/1")) {
		t.Error("another key or address is allowed")
	}
	g.lan = true
	if g.InterceptAddrDial("a", y) || !g.InterceptAddrDial("a", x) {
		t.Error("the LAN profile must stay on the LAN")
	}
	if g.revoke("a", []ma.Multiaddr{x, y}, forTests()) || !g.InterceptAddrDial("a", x) {
		t.Error("the other dial lost its grant")
	}
	if !g.revoke("a", []ma.Multiaddr{x}, forTests()) || g.InterceptPeerDial("a") || len(g.dials) != 0 {
		t.Error("a grant is left behind")
	}
}

func TestListenErrors(t *testing.T) {
	h := loopback(t, 1)
	taken := h.listed[0].AddrPort().String()
	for name, listen := range map[string]string{"no port": "127.0.0.1", "name": "localhost:1", "zone": "[fe80::1%eth0]:1",
		"taken": taken, "not ours": "192.0.2.1:0"} {
		t.Run(name, func(t *testing.T) {
			other, err := Open(Config{Seed: identity.TransportSeed{2}, Listen: []string{listen}})
			if err == nil {
				other.Close()
			}
			if !errors.Is(err, ErrListen) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestSleepIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		var slept atomic.Int64
		start := time.Now()
		h := joinWith(t, w, 1, Config{clocks: func() clocks {
			ran := time.Since(start)
			return clocks{wall: ran + time.Duration(slept.Load()), monotonic: ran}
		}})
		w.Start()
		defer w.Close()
		defer h.Close()
		next[Addresses](t, h)
		slept.Add(int64(wakeJump)) // a leap second or a correction by ntp is no sleep
		time.Sleep(time.Minute)
		if len(h.events) != 0 {
			t.Fatal("a small step of the clock is taken for a sleep")
		}
		slept.Add(int64(time.Hour))
		if got := next[Woke](t, h); got.Jump != time.Hour {
			t.Errorf("%+v", got)
		}
		slept.Add(-int64(time.Hour)) // the clock is set back
		if got := next[Woke](t, h); got.Jump != -time.Hour {
			t.Errorf("%+v", got)
		}
	})
}

func TestMachineClocksAgree(t *testing.T) {
	read := machineClocks()
	first := read()
	if jump := read().since(first); jump.Abs() > time.Second {
		t.Errorf("a jump of %v", jump)
	}
}
