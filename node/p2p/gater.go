package p2p

import (
	"sync"

	"pabal/node/egress"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// gater is asked by libp2p before each connection. Outbound: only what a running
// Dial named for this very key, and what the ledger takes the reason of. Inbound:
// Ed25519 keys only, strangers in bounded number, and on the LAN profile private
// addresses only.
type gater struct {
	lan       bool
	strangers *strangers
	ledger    *egress.Ledger

	mu    sync.Mutex
	dials map[peer.ID]*dialGrant
}

var _ connmgr.ConnectionGater = (*gater)(nil)

// dialGrant is what the running Dials allow for one key. Addresses are counted:
// two Dials may name the same one.
type dialGrant struct {
	dials     int
	addresses map[granted]int
}

// granted is an address that may be dialled, and why.
type granted struct {
	address string // the bytes of the multiaddr
	why     egress.Reason
}

// grant allows these addresses for id, for a reason, until revoke is called with the
// same ones.
func (g *gater) grant(id peer.ID, addresses []ma.Multiaddr, why egress.Reason) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.dials[id]
	if d == nil {
		d = &dialGrant{addresses: map[granted]int{}}
		g.dials[id] = d
	}
	d.dials++
	for _, a := range addresses {
		d.addresses[granted{string(a.Bytes()), why}]++
	}
}

// revoke takes a grant back and reports whether it was the last one for id.
func (g *gater) revoke(id peer.ID, addresses []ma.Multiaddr, why egress.Reason) (last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.dials[id]
	for _, a := range addresses {
		k := granted{string(a.Bytes()), why}
		if d.addresses[k]--; d.addresses[k] == 0 {
			delete(d.addresses, k)
		}
	}
	if d.dials--; d.dials == 0 {
		delete(g.dials, id)
	}
	return d.dials == 0
}

// InterceptPeerDial allows the keys that a Dial named.
func (g *gater) InterceptPeerDial(id peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dials[id] != nil
}

// InterceptAddrDial allows the addresses that a Dial named for this key, and enters
// each reason in the ledger.
func (g *gater) InterceptAddrDial(id peer.ID, m ma.Multiaddr) bool {
	a, _, ok := pathAddress(m)
	if !ok || !g.inReach(m) {
		return false
	}
	entered := false
	for _, why := range g.reasons(id, m) {
		entered = g.ledger.Enter(networkName(a.Network), a.AddrPort(), why) == nil || entered
	}
	return entered
}

// reasons returns why an address may be dialled for a key; none: it may not.
func (g *gater) reasons(id peer.ID, m ma.Multiaddr) []egress.Reason {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.dials[id]
	if d == nil {
		return nil
	}
	var out []egress.Reason
	for k := range d.addresses {
		if k.address == string(m.Bytes()) {
			out = append(out, k.why)
		}
	}
	return out
}

func networkName(n wire.Network) egress.Network {
	if n == wire.TCP {
		return egress.TCP
	}
	return egress.QUIC
}

// InterceptAccept refuses an inbound connection before its handshake (TCP) or
// just after it (QUIC).
func (g *gater) InterceptAccept(c network.ConnMultiaddrs) bool {
	a, _, ok := pathAddress(c.RemoteMultiaddr())
	return ok && g.inReach(c.RemoteMultiaddr()) && g.strangers.room(a.IP)
}

// InterceptSecured refuses keys that are not transport keys.
func (g *gater) InterceptSecured(_ network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	_, ok := transportKey(id)
	return ok
}

// InterceptUpgraded counts strangers again, now that the handshake is over: many
// handshakes may have run side by side.
func (g *gater) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	if c.Stat().Direction != network.DirInbound {
		return true, 0
	}
	return g.InterceptAccept(c), 0
}

// inReach reports whether the profile lets us go to an address; for a circuit its relay's
// counts.
func (g *gater) inReach(m ma.Multiaddr) bool {
	a, _, ok := pathAddress(m)
	return ok && (!g.lan || classOf(a.IP) != Global)
}
