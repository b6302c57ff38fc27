package p2p

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// gater is asked by libp2p before each connection. Outbound: only what a running
// Dial named for this very key. Inbound: Ed25519 keys only, strangers in bounded
// number, and on the LAN profile private addresses only.
type gater struct {
	lan       bool
	strangers *strangers

	mu    sync.Mutex
	dials map[peer.ID]*dialGrant
}

var _ connmgr.ConnectionGater = (*gater)(nil)

// dialGrant is what the running Dials allow for one key. Addresses are counted:
// two Dials may name the same one.
type dialGrant struct {
	dials     int
	addresses map[string]int // by the bytes of the multiaddr
}

// grant allows these addresses for id until revoke is called with the same ones.
func (g *gater) grant(id peer.ID, addresses []ma.Multiaddr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.dials[id]
	if d == nil {
		d = &dialGrant{addresses: map[string]int{}}
		g.dials[id] = d
	}
	d.dials++
	for _, a := range addresses {
		d.addresses[string(a.Bytes())]++
	}
}

// revoke takes a grant back and reports whether it was the last one for id.
func (g *gater) revoke(id peer.ID, addresses []ma.Multiaddr) (last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.dials[id]
	for _, a := range addresses {
		k := string(a.Bytes())
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

// InterceptAddrDial allows the addresses that a Dial named for this key.
func (g *gater) InterceptAddrDial(id peer.ID, m ma.Multiaddr) bool {
	g.mu.Lock()
	d := g.dials[id]
	granted := d != nil && d.addresses[string(m.Bytes())] > 0
	g.mu.Unlock()
	return granted && g.inReach(m)
}

// InterceptAccept refuses an inbound connection before its handshake (TCP) or
// just after it (QUIC).
func (g *gater) InterceptAccept(c network.ConnMultiaddrs) bool {
	a, ok := wireAddress(c.RemoteMultiaddr())
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

func (g *gater) inReach(m ma.Multiaddr) bool {
	a, ok := wireAddress(m)
	return ok && (!g.lan || classOf(a.IP) != Global)
}
