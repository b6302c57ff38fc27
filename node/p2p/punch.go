package p2p

import (
	"context"
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"time"

	"pabal/node/egress"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"
)

// punchProtocol makes a direct connection of a relayed one (spec, "Relays"). The one who
// dialled speaks first; both tell where they may be seen from outside, and then dial each
// other at the same moment, so that each one's firewall lets the other in.
const punchProtocol protocol.ID = "/x/h/1"

// punchNow is the byte that says when.
const punchNow = 1

// Punch tries to make a direct connection to the other side of a relayed conn that we
// dialled, for a reason. It is answered like a Dial with this ID, by Opened or DialFailed;
// the relayed conn stays.
func (h *Host) Punch(id, conn uint64, why egress.Reason) {
	if h.waiting.Add(1) > dialsWaiting || !h.spawn(func() { h.runPunch(id, conn, why) }) {
		h.waiting.Add(-1)
		h.spawn(func() { h.emit(DialFailed{Dial: id, Code: CodeBusy}, nil) })
	}
}

// LetPunch allows the other side of a relayed conn to Punch, for a reason of ours.
func (h *Host) LetPunch(conn uint64, why egress.Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.conns[conn]; c != nil {
		c.link.punch = why
	}
}

func (h *Host) runPunch(id, conn uint64, why egress.Reason) {
	defer h.waiting.Add(-1)
	code := CodeNoAddress
	if c := h.find(conn); c != nil && c.link.relayed && !c.inbound {
		code = h.punch(id, c.link, why)
	}
	if code != "" {
		h.emit(DialFailed{Dial: id, Code: code}, nil)
	}
}

// punch leads. The one who leads is the client of the handshake that follows.
func (h *Host) punch(id uint64, l *link, why egress.Reason) Code {
	ctx, cancel := context.WithTimeout(network.WithAllowLimitedConn(context.Background(), "punch"), punchTimeout)
	defer cancel()
	h.spawn(func() { h.cancelWhenClosing(ctx, cancel) })
	s, err := l.connection.NewStream(ctx)
	if err != nil {
		return codeOfDial(err)
	}
	defer s.Reset()
	if err := s.SetProtocol(punchProtocol); err != nil {
		return codeOfDial(err)
	}
	deadline, _ := ctx.Deadline()
	s.SetDeadline(deadline)
	pipe := msmux.NewMSSelect(s, punchProtocol)
	code := CodeUnreachable
	for range punchTries {
		asked := time.Now()
		theirs, err := tell(pipe, h.seenAt())
		if err != nil {
			return CodeUnreachable
		}
		way := time.Since(asked) / 2
		if len(theirs) == 0 {
			return CodeNoAddress
		}
		if _, err := pipe.Write([]byte{punchNow}); err != nil {
			return CodeUnreachable
		}
		select {
		case <-time.After(way):
		case <-ctx.Done():
			return CodeTimeout
		}
		connection, err := h.dialAtOnce(ctx, l.connection.RemotePeer(), theirs, why, true)
		if err == nil {
			return h.openOn(ctx, connection, id)
		}
		code = codeOfDial(err)
	}
	return code
}

// answerPunch is the other side. Nobody gets an answer before LetPunch, nor on a direct
// connection.
func (h *Host) answerPunch(s network.Stream) {
	h.mu.Lock()
	l := h.links[s.Conn()]
	var why egress.Reason
	if l != nil && l.trusted && l.relayed {
		why = l.punch
	}
	h.mu.Unlock()
	if why.Rung == "" || !h.enter() {
		return
	}
	defer h.running.Done()
	defer s.Reset()
	ctx, cancel := context.WithTimeout(context.Background(), punchTimeout)
	defer cancel()
	h.spawn(func() { h.cancelWhenClosing(ctx, cancel) })
	deadline, _ := ctx.Deadline()
	s.SetDeadline(deadline)
	for range punchTries {
		theirs, err := hear(s)
		if err != nil {
			return
		}
		ours := h.seenAt()
		if _, err := s.Write(packed(ours)); err != nil || len(ours) == 0 {
			return
		}
		var now [1]byte
		if _, err := io.ReadFull(s, now[:]); err != nil || now[0] != punchNow || len(theirs) == 0 {
			return
		}
		if connection, err := h.dialAtOnce(ctx, s.Conn().RemotePeer(), theirs, why, false); err == nil {
			h.keep(connection)
			return
		}
	}
}

// keep lets a link live without a conn for a while.
func (h *Host) keep(connection network.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.links[connection]; l != nil && l.kept.IsZero() {
		l.kept = time.Now()
	}
}

// dialAtOnce dials somebody who dials us in the same moment.
func (h *Host) dialAtOnce(ctx context.Context, id peer.ID, addresses []wire.Address, why egress.Reason, client bool) (network.Conn, error) {
	var list []ma.Multiaddr
	for _, a := range addresses {
		if m, ok := multiaddr(a); ok {
			list = append(list, m)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, punchTryTimeout)
	defer cancel()
	ctx = network.WithForceDirectDial(network.WithSimultaneousConnect(ctx, client, "punch"), "punch")
	return h.connect(ctx, id, list, why)
}

// tell sends our addresses and returns those of the other side.
func tell(pipe io.ReadWriter, ours []wire.Address) ([]wire.Address, error) {
	if _, err := pipe.Write(packed(ours)); err != nil {
		return nil, err
	}
	return hear(pipe)
}

// packed is a list of addresses with its length in front.
func packed(list []wire.Address) []byte {
	b := wire.AppendAddresses([]byte{0, 0}, list)
	binary.BigEndian.PutUint16(b, uint16(len(b)-2))
	return b
}

// hear reads a list of addresses, and leaves out what must not be dialled: only addresses
// of the internet at large are where a hole leads.
func hear(in io.Reader) ([]wire.Address, error) {
	var size [2]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(size[:])
	if n > punchBytesMax {
		return nil, wire.ErrAddress
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, err
	}
	list, err := wire.ParseAddresses(b, punchAddressesMax)
	if err != nil {
		return nil, err
	}
	var out []wire.Address
	for _, a := range (rendezvous.Network{}).Dialable(list, [8]byte{}) {
		if a.Network == wire.QUIC { // a hole in TCP's way would need the port that we listen on
			out = append(out, a)
		}
	}
	return out, nil
}

// seenAt returns where we are seen from outside: what those whom we trust have told, and
// the global ones of our own.
func (h *Host) seenAt() []wire.Address {
	var list []wire.Address
	h.mu.Lock()
	for _, l := range h.links {
		if l.trusted && !l.relayed && l.observed.Valid() {
			list = append(list, l.observed)
		}
	}
	h.mu.Unlock()
	if interfaces, err := h.interfaces(); err == nil {
		list = append(list, ownAddresses(h.listed, interfaces).Own...)
	}
	var out []wire.Address
	for _, a := range (rendezvous.Network{}).Dialable(list, [8]byte{}) {
		if a.Network == wire.QUIC && len(out) < punchAddressesMax {
			out = append(out, a)
		}
	}
	return out
}

// observe notes on each link where its other side sees us.
func (h *Host) observe(told event.Subscription) {
	defer told.Close()
	for {
		select {
		case <-h.closing:
			return
		case e, ok := <-told.Out():
			if !ok {
				return
			}
			seen := e.(event.EvtPeerIdentificationCompleted)
			if seen.ObservedAddr == nil {
				continue
			}
			a, _ := wireAddress(seen.ObservedAddr)
			h.mu.Lock()
			if l := h.links[seen.Conn]; l != nil && !l.relayed && !l.observed.Valid() { // and nothing that it says later
				l.observed = a
				h.tellSeen(l)
			}
			h.mu.Unlock()
		}
	}
}

// tellSeen reports where the other side of a link sees us, once it is known and the link
// is trusted. Of TCP only the port counts that somebody came to. h.mu is held.
func (h *Host) tellSeen(l *link) {
	inbound := l.connection.Stat().Direction == network.DirInbound
	if !l.trusted || l.relayed || !rendezvous.Public(l.observed) || l.observed == l.told || l.observed.Network == wire.TCP && !inbound {
		return
	}
	l.told = l.observed
	seen := Seen{By: l.remote, At: l.observed, Unasked: inbound && h.unasked(l)}
	h.spawnLocked(func() { h.emit(seen, nil) })
}

// unasked reports whether the other side of a link came from the internet by itself: not
// from this machine, nor from behind the same router.
func (h *Host) unasked(l *link) bool {
	from := l.address.IP
	interfaces, err := h.interfaces()
	near := func(i netip.Prefix) bool {
		return i.Contains(from) || from.Is6() && networkOf(i.Addr()) == networkOf(from)
	}
	if err != nil || from == l.observed.IP || slices.ContainsFunc(interfaces, near) {
		return false
	}
	if h.linkedBefore(l) {
		return false
	}
	if h.before != nil { // it has the same port
		h.before.mu.Lock()
		defer h.before.mu.Unlock()
		if h.before.linkedBefore(l) {
			return false
		}
	}
	return rendezvous.Public(l.address) && !h.gater.ledger.SentTo(from, l.born.Add(-unaskedAfter))
}

// linkedBefore reports whether there is a link, older than this one, with the address that
// it comes from. h.mu is held.
func (h *Host) linkedBefore(l *link) bool {
	for _, other := range h.links {
		if other != l && other.address.IP == l.address.IP && !other.relayed && other.born.Before(l.born) {
			return true
		}
	}
	return false
}

// startPunching answers punches and listens to where others see us.
func (h *Host) startPunching() error {
	told, err := h.libp2p.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted), eventbus.BufSize(observedQueued))
	if err != nil {
		return err
	}
	h.libp2p.SetStreamHandler(punchProtocol, h.answerPunch)
	h.spawn(func() { h.observe(told) })
	return nil
}
