package p2p

import (
	"context"
	"testing"

	"pabal/node/egress"
	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// forTests is why tests dial.
func forTests() egress.Reason { return egress.Reason{Rung: egress.Direct, Contact: [16]byte{1}} }

func multiaddrs(t *testing.T, list []wire.Address) (out []ma.Multiaddr) {
	t.Helper()
	for _, a := range list {
		m, ok := multiaddr(a)
		if !ok {
			t.Fatalf("%v has no multiaddr", a)
		}
		out = append(out, m)
	}
	return out
}

// TestNothingIsDialledWithoutAReason dials without one, as the core would and as a part
// of libp2p would by itself: nobody is reached, and the ledger is empty.
func TestNothingIsDialledWithoutAReason(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	a.Dial(Dial{ID: 1, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, 0)})
	if got := next[DialFailed](t, a); got.Dial != 1 || got.Code != CodeNoReason {
		t.Errorf("%+v", got)
	}
	a.Dial(Dial{ID: 2, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, 0), Why: egress.Reason{Contact: [16]byte{1}}})
	if got := next[DialFailed](t, a); got.Code != CodeNoReason {
		t.Errorf("%+v", got)
	}
	id, err := peerID(b.Key())
	if err != nil {
		t.Fatal(err)
	}
	where := peer.AddrInfo{ID: id, Addrs: multiaddrs(t, addresses(b, 0))}
	if err := a.libp2p.Connect(context.Background(), where); err == nil {
		t.Error("libp2p dials by itself")
	}
	a.gater.grant(id, where.Addrs, egress.Reason{})
	if err := a.libp2p.Connect(context.Background(), where); err == nil {
		t.Error("the gate takes a grant without a reason")
	}
	if seen := a.gater.ledger.Seen(); len(seen.Entries) != 0 {
		t.Errorf("recorded: %+v", seen.Entries)
	}
}

// TestEachDialIsInTheLedger dials one host for two reasons.
func TestEachDialIsInTheLedger(t *testing.T) {
	ledger := egress.New(nil)
	b := loopback(t, 2)
	a := open(t, Config{Seed: identity.TransportSeed{1}, Listen: []string{"127.0.0.1:0"}, Ledger: ledger})
	next[Addresses](t, a)
	courier := egress.Reason{Rung: egress.Courier, Contact: [16]byte{2}}
	a.Dial(Dial{ID: 1, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, wire.QUIC), Why: forTests()})
	conn := next[Opened](t, a).Conn
	a.Hangup(conn)
	for { // until a new connection must be made
		if e, ok := (<-a.Events()).(Closed); ok && e.Conn == conn {
			break
		}
	}
	a.Dial(Dial{ID: 2, Keys: []identity.TransportKey{{9}}, Addresses: addresses(b, wire.TCP), Why: courier})
	next[DialFailed](t, a)
	if seen := b.gater.ledger.Seen(); len(seen.Entries) != 0 {
		t.Errorf("whoever was dialled dialled: %+v", seen.Entries)
	}
	want := map[egress.Entry]bool{
		{Network: egress.QUIC, To: addresses(b, wire.QUIC)[0].AddrPort(), Why: forTests()}: true,
		{Network: egress.TCP, To: addresses(b, wire.TCP)[0].AddrPort(), Why: courier}:      true,
	}
	for _, e := range ledger.Seen().Entries {
		if !want[egress.Entry{Network: e.Network, To: e.To, Why: e.Why}] || e.Times == 0 || e.First.IsZero() {
			t.Errorf("recorded: %+v", e)
		}
		delete(want, egress.Entry{Network: e.Network, To: e.To, Why: e.Why})
	}
	for e := range want {
		t.Errorf("not recorded: %+v", e)
	}
}
