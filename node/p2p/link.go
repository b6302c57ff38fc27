package p2p

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pabal/node/egress"
	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/network"
)

// link is one libp2p connection and the conns on it. A link that we dialled is
// trusted: we asked for that key. An inbound one becomes trusted when one of its
// conns is authenticated or when we dial its key, and ends at strangerLifetime
// otherwise.
type link struct {
	connection network.Conn
	remote     identity.TransportKey
	address    wire.Address // a circuit's is its relay's
	relayed    bool
	born       time.Time
	received   atomic.Uint64 // batches read on any conn; tells the pinger of life
	liveness   liveness

	// Guarded by Host.mu.
	trusted bool
	counted bool        // among the strangers
	cutoff  *time.Timer // of a stranger
	conns   map[uint64]*conn
	active  int           // conns that are to be pinged
	stop    chan struct{} // ends the pinger; nil if there is none

	kept      time.Time          // since when it may live without a conn; zero: it may not
	observed  wire.Address       // where the other side sees us, as it says
	told      wire.Address       // of which Seen has told
	reserving chan struct{}      // ends the reservation there; nil if there is none
	punch     egress.Reason      // why we dial when the other side punches; none: we do not
	helped    RelayName          // who may be reached over it by our relay
	admitted  map[RelayName]bool // whom it may be connected to by our relay
}

// strangers counts the links that are not trusted.
type strangers struct {
	mu        sync.Mutex
	total     int
	byNetwork map[netip.Prefix]int
}

// room reports whether one more stranger from ip may come. Programs of this
// machine share only the limit in all.
func (s *strangers) room(ip netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total < strangersMax && (ip.IsLoopback() || s.byNetwork[networkOf(ip)] < strangersPerNetworkMax)
}

func (s *strangers) add(ip netip.Addr, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total += n
	key := networkOf(ip)
	if s.byNetwork[key] += n; s.byNetwork[key] == 0 {
		delete(s.byNetwork, key)
	}
}

// connected is called by libp2p for each new connection, before any stream on it.
func (h *Host) connected(_ network.Network, connection network.Conn) {
	remote, ok := transportKey(connection.RemotePeer())
	address, relayed, isIP := pathAddress(connection.RemoteMultiaddr())
	l := &link{connection: connection, remote: remote, address: address, relayed: relayed, born: time.Now(),
		trusted: connection.Stat().Direction == network.DirOutbound, conns: map[uint64]*conn{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || !ok || !isIP { // closing, or impossible: the gater lets no other in
		return
	}
	h.links[connection] = l
	if !l.trusted {
		h.strangers.add(address.IP, 1)
		l.counted = true
		l.cutoff = time.AfterFunc(h.lifetime, func() { h.cutOff(l) })
	}
}

// disconnected is called by libp2p when a connection is gone.
func (h *Host) disconnected(_ network.Network, connection network.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.links[connection]
	if l == nil {
		return
	}
	delete(h.links, connection)
	if l.trusted && !l.relayed { // strangers get nothing that opens a router for long, and are many
		h.gater.ledger.Ended(l.address.IP)
	}
	h.uncount(l)
	if l.stop != nil {
		close(l.stop)
		l.stop = nil
	}
	l.stopReserving()
}

// cutOff ends a link whose time as a stranger is over.
func (h *Host) cutOff(l *link) {
	h.mu.Lock()
	stranger := !l.trusted
	conns := slices.Collect(maps.Values(l.conns))
	h.mu.Unlock()
	if !stranger {
		return
	}
	for _, c := range conns {
		c.end(CodeStranger)
	}
	l.connection.Close()
}

// trust lifts the limits of a link. h.mu is held.
func (h *Host) trust(l *link) {
	l.trusted = true
	h.uncount(l)
	h.tellSeen(l)
}

// uncount takes a link from the strangers, if it is one. h.mu is held.
func (h *Host) uncount(l *link) {
	if !l.counted {
		return
	}
	l.counted = false
	l.cutoff.Stop()
	h.strangers.add(l.address.IP, -1)
}

// breakLink ends a link at once, and each of its conns with code.
func (h *Host) breakLink(l *link, code Code) {
	h.mu.Lock()
	conns := slices.Collect(maps.Values(l.conns))
	h.mu.Unlock()
	for _, c := range conns {
		c.end(code)
	}
	l.connection.Close()
}

// leave takes a conn off its link and closes the link when it was the last one and no
// circuit runs over it.
// A stranger's link is left alone: it ends when its time has come.
func (h *Host) leave(c *conn) {
	h.mu.Lock()
	delete(h.conns, c.id)
	delete(c.link.conns, c.id)
	h.setActive(c, false)
	idle := len(c.link.conns) == 0 && c.link.trusted
	if idle {
		c.link.stopReserving()
		c.link.helped, c.link.admitted = RelayName{}, nil
	}
	h.mu.Unlock()
	switch {
	case !idle:
	case carriesCircuits(c.link.connection):
		h.keep(c.link.connection)
	default:
		c.link.connection.Close()
	}
}

// setActive marks a conn as to be pinged or not. h.mu is held.
func (h *Host) setActive(c *conn, active bool) {
	l := c.link
	switch {
	case active && !c.active:
		l.active++
	case !active && c.active:
		l.active--
	}
	c.active = active
	switch {
	case l.active > 0 && l.stop == nil && h.links[l.connection] == l:
		stop := make(chan struct{})
		if h.spawnLocked(func() { h.keepAlive(l, stop) }) {
			l.stop = stop
		}
	case l.active == 0 && l.stop != nil:
		close(l.stop)
		l.stop = nil
	}
}
