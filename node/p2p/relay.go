package p2p

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
)

// This file is libp2p's circuit relay v2 under our rules: under bland names, the same on
// every host, silent to strangers, and between those only whom the core has named. What a
// circuit carries is a connection like any other, with a handshake of its own: the relay
// sees two transport keys, sizes and times.

// The names of circuit v2's two protocols on our hosts.
const (
	relayProtocol   protocol.ID = "/x/r/1" // to a relay
	circuitProtocol protocol.ID = "/x/c/1" // from a relay
)

// RelayName is whom our relay helps, as the core calls it. Zero is nobody.
type RelayName [16]byte

// Help says that the other side of a conn may have itself reached through our relay,
// and under which name; the zero name ends it. It holds for the connection below the
// conn as long as a conn is on it.
func (h *Host) Help(conn uint64, name RelayName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.conns[conn]; c != nil {
		c.link.helped = name
	}
}

// Admit says that the other side of a conn may be connected, by our relay, to whom we
// help under a name. Above admittedMax names on a connection others are forgotten.
func (h *Host) Admit(conn uint64, name RelayName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.conns[conn]
	if c == nil {
		return
	}
	if c.link.admitted == nil || len(c.link.admitted) >= admittedMax {
		c.link.admitted = map[RelayName]bool{}
	}
	c.link.admitted[name] = true
}

// Reserve keeps us reachable through the node at the other side of a conn, as long as
// the connection lasts, or ends that. A relayed conn is left as it is.
func (h *Host) Reserve(conn uint64, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.conns[conn]
	if c == nil || c.link.relayed {
		return
	}
	l := c.link
	switch {
	case on && l.reserving == nil && h.links[l.connection] == l:
		stop := make(chan struct{})
		if h.spawnLocked(func() { h.keepReservation(conn, l, stop) }) {
			l.reserving = stop
		}
	case !on:
		l.stopReserving()
	}
}

// stopReserving ends the goroutine that renews the reservation. Host.mu is held.
func (l *link) stopReserving() {
	if l.reserving != nil {
		close(l.reserving)
		l.reserving = nil
	}
}

// keepReservation asks for a reservation, and again when half of its time is over. A
// refusal is asked again a little later each time: the other side may not have heard
// yet that it helps us.
func (h *Host) keepReservation(conn uint64, l *link, stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wait := reserveRetryMin; ; {
		select {
		case <-stop:
			return
		case <-h.closing:
			return
		case <-timer.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), reserveTimeout)
		h.spawn(func() { h.cancelWhenClosing(ctx, cancel) })
		_, err := client.Reserve(ctx, quietHost{h.libp2p, h}, peer.AddrInfo{ID: l.connection.RemotePeer()})
		cancel()
		h.emit(Reserved{Conn: conn, On: err == nil}, stop)
		if err == nil {
			wait = reserveRetryMin
			timer.Reset(reservationLifetime / 2)
			continue
		}
		timer.Reset(wait)
		wait = min(2*wait, reserveRetryMax)
	}
}

// startRelaying adds circuits to a host: as one who dials and is dialled through a relay,
// and as a relay, which serves nobody until Help and Admit say so.
func (h *Host) startRelaying(key crypto.PrivKey) error {
	up, err := parts{key: key, gater: h.gater, resources: h.libp2p.Network().ResourceManager()}.upgrader()
	if err != nil {
		return err
	}
	quiet := quietHost{h.libp2p, h}
	if err := client.AddTransport(quiet, up); err != nil {
		return err
	}
	h.relay, err = relay.New(quiet, relay.WithACL(relayRules{h}), relay.WithResources(relay.Resources{
		Limit:          &relay.RelayLimit{Duration: circuitLifetime, Data: circuitBytesMax},
		ReservationTTL: reservationLifetime,
		MaxCircuits:    circuitsPerPeerMax, BufferSize: circuitBufferBytes,
		MaxReservations:      reservationsMax,
		MaxReservationsPerIP: reservationsMax, MaxReservationsPerASN: reservationsMax,
	}))
	return err
}

// relayRules tells libp2p's relay who may do what.
type relayRules struct{ h *Host }

var _ relay.ACLFilter = relayRules{}

// AllowReserve allows those whom we help.
func (r relayRules) AllowReserve(id peer.ID, _ ma.Multiaddr) bool {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	for _, l := range r.h.linksOf(id) {
		if l.helped != (RelayName{}) {
			return true
		}
	}
	return false
}

// AllowConnect allows those who were admitted to the one whom we help.
func (r relayRules) AllowConnect(from peer.ID, _ ma.Multiaddr, to peer.ID) bool {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	for _, helped := range r.h.linksOf(to) {
		if helped.helped == (RelayName{}) {
			continue
		}
		for _, l := range r.h.linksOf(from) {
			if l.admitted[helped.helped] {
				return true
			}
		}
	}
	return false
}

// linksOf returns the direct links with a peer. h.mu is held.
func (h *Host) linksOf(id peer.ID) (out []*link) {
	for _, connection := range h.swarm.ConnsToPeer(id) {
		if l := h.links[connection]; l != nil && !l.relayed {
			out = append(out, l)
		}
	}
	return out
}

// quietHost is the host that libp2p's circuits run on: their names are ours, their
// streams are handled only on connections of those whom we know, and nothing is dialled
// for them.
type quietHost struct {
	host.Host
	h *Host
}

func ourName(id protocol.ID) protocol.ID {
	switch id {
	case proto.ProtoIDv2Hop:
		return relayProtocol
	case proto.ProtoIDv2Stop:
		return circuitProtocol
	}
	return id
}

// SetStreamHandler handles streams of a protocol, on links that may open them. On others
// a stream just hangs until its link ends.
func (q quietHost) SetStreamHandler(id protocol.ID, handle network.StreamHandler) {
	q.Host.SetStreamHandler(ourName(id), func(s network.Stream) {
		if q.h.mayOpen(s.Conn(), ourName(id)) {
			handle(s)
		}
	})
}

// RemoveStreamHandler undoes SetStreamHandler.
func (q quietHost) RemoveStreamHandler(id protocol.ID) { q.Host.RemoveStreamHandler(ourName(id)) }

// NewStream opens a stream on a connection that stands.
func (q quietHost) NewStream(ctx context.Context, to peer.ID, ids ...protocol.ID) (network.Stream, error) {
	names := make([]protocol.ID, len(ids))
	for i, id := range ids {
		names[i] = ourName(id)
	}
	return q.Host.NewStream(network.WithNoDial(ctx, "relay"), to, names...)
}

// mayOpen reports whether the other side of a connection may open a stream: of a relay
// to anybody whom we trust, and from a relay of ours.
func (h *Host) mayOpen(connection network.Conn, name protocol.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.links[connection]
	return l != nil && l.trusted && (name == relayProtocol || l.reserving != nil)
}

// carriesCircuits reports whether circuits run over a connection.
func carriesCircuits(connection network.Conn) bool {
	for _, s := range connection.GetStreams() {
		if p := s.Protocol(); p == relayProtocol || p == circuitProtocol {
			return true
		}
	}
	return false
}

// sweep closes links that were kept without a conn, once nothing runs over them.
func (h *Host) sweep() {
	h.mu.Lock()
	var idle []network.Conn
	for connection, l := range h.links {
		if !l.kept.IsZero() && len(l.conns) == 0 && time.Since(l.kept) > keptMin && !carriesCircuits(connection) {
			idle = append(idle, connection)
		}
	}
	h.mu.Unlock()
	for _, connection := range idle {
		connection.Close()
	}
}

// circuitsThrough returns where somebody is dialled through the relays at the other sides of
// these conns.
func (h *Host) circuitsThrough(conns []uint64) (out []ma.Multiaddr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range conns[:min(len(conns), dialRelaysMax)] {
		c := h.conns[id]
		if c == nil || c.link.relayed {
			continue
		}
		through, err := ma.NewMultiaddr("/p2p/" + c.link.connection.RemotePeer().String() + "/p2p-circuit")
		if err == nil {
			out = append(out, ma.Join(c.link.connection.RemoteMultiaddr(), through))
		}
	}
	return out
}
