package p2p

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"pabal/node/egress"
	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"
)

type readWriter = io.ReadWriter

// Dial asks for a conn with the holder of any of Keys at any of Addresses. The
// addresses must have been filtered: what is here is dialled, and nothing else.
type Dial struct {
	ID        uint64
	Keys      []identity.TransportKey // the likeliest first
	Addresses []wire.Address
	Relays    []uint64      // conns to relays through which the keys are dialled, too
	Deadline  time.Time     // zero: dialTimeout after the dial starts
	Why       egress.Reason // goes into the ledger; without one nothing is dialled
}

// Dial starts a dial. It is answered by Opened with its ID, or by DialFailed.
// Addresses are tried for the first key at once, for each next one a little later;
// QUIC has a head start over TCP.
func (h *Host) Dial(d Dial) {
	if h.waiting.Add(1) > dialsWaiting || !h.spawn(func() { h.runDial(d) }) {
		h.waiting.Add(-1)
		h.spawn(func() { h.emit(DialFailed{Dial: d.ID, Code: CodeBusy}, nil) })
	}
}

func (h *Host) runDial(d Dial) {
	defer h.waiting.Add(-1)
	select {
	case h.dialing <- struct{}{}:
	case <-h.closing:
		return
	}
	code := h.dialAndOpen(d)
	<-h.dialing
	if code != "" {
		h.emit(DialFailed{Dial: d.ID, Code: code}, nil)
	}
}

// dialAndOpen connects, opens the stream and starts its conn. An empty code means
// that Opened was reported.
func (h *Host) dialAndOpen(d Dial) Code {
	if d.Deadline.IsZero() {
		d.Deadline = time.Now().Add(dialTimeout)
	}
	ctx, cancel := context.WithDeadline(network.WithAllowLimitedConn(context.Background(), "message"), d.Deadline)
	defer cancel()
	h.spawn(func() { h.cancelWhenClosing(ctx, cancel) })

	connection, code := h.connectAny(ctx, d)
	if code != "" {
		return code
	}
	return h.openOn(ctx, connection, d.ID)
}

// openOn opens the stream of a conn on a connection, and reports Opened as the answer to
// a dial. An empty code means that it did.
func (h *Host) openOn(ctx context.Context, connection network.Conn, dial uint64) Code {
	s, err := connection.NewStream(ctx)
	if err == nil {
		err = s.SetProtocol(messageProtocol)
	}
	if err != nil {
		h.release(connection)
		return codeOfDial(err)
	}
	c, ok := h.register(s, msmux.NewMSSelect(s, messageProtocol), dial)
	if !ok {
		s.Reset()
		return CodeUnreachable
	}
	defer h.running.Done()
	c.setReadDeadline(time.Now().Add(answerTimeout))
	c.open()
	h.spawn(c.write)
	h.spawn(c.read)
	return ""
}

// attempt is the result of dialling one key.
type attempt struct {
	connection network.Conn
	err        error
}

// connectAny dials the keys, each a little after the one before or as soon as that
// one failed, and keeps the first connection.
func (h *Host) connectAny(ctx context.Context, d Dial) (network.Conn, Code) {
	if d.Why.Rung == "" {
		return nil, CodeNoReason
	}
	keys, addresses := dialTargets(d)
	addresses = append(addresses, h.circuitsThrough(d.Relays)...)
	if len(keys) == 0 || len(addresses) == 0 {
		return nil, CodeNoAddress
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan attempt) // each attempt is received below
	next := time.NewTimer(0)
	defer next.Stop()
	var won network.Conn
	var failed []error
	for started, pending := 0, 0; ; {
		select {
		case <-next.C:
			if won == nil && started < len(keys) && ctx.Err() == nil {
				id := keys[started]
				started++
				pending++
				go func() {
					c, err := h.connect(ctx, id, addresses, d.Why)
					results <- attempt{c, err}
				}()
				next.Reset(dialKeyStagger)
				continue
			}
		case r := <-results:
			pending--
			switch {
			case r.err != nil:
				failed = append(failed, r.err)
				next.Reset(0)
			case won == nil:
				won = r.connection
				cancel()
			default:
				h.release(r.connection)
			}
		}
		if pending == 0 && (won != nil || started == len(keys) || ctx.Err() != nil) {
			cancel()
			return won, codeOfDials(won, failed)
		}
	}
}

// dialTargets is the bounded and parsed form of a Dial.
func dialTargets(d Dial) (keys []peer.ID, addresses []ma.Multiaddr) {
	for _, k := range d.Keys[:min(len(d.Keys), dialKeysMax)] {
		if id, err := peerID(k); err == nil {
			keys = append(keys, id)
		}
	}
	for _, a := range d.Addresses[:min(len(d.Addresses), dialAddressesMax)] {
		if m, ok := multiaddr(a); ok {
			addresses = append(addresses, m)
		}
	}
	return keys, addresses
}

// connect dials one key. A connection that stands already is used again.
func (h *Host) connect(ctx context.Context, id peer.ID, addresses []ma.Multiaddr, why egress.Reason) (network.Conn, error) {
	h.gater.grant(id, addresses, why)
	defer func() {
		if h.gater.revoke(id, addresses, why) {
			h.libp2p.Peerstore().ClearAddrs(id)
		}
	}()
	h.swarm.Backoff().Clear(id)
	h.libp2p.Peerstore().AddAddrs(id, addresses, peerstore.TempAddrTTL)
	return h.swarm.DialPeer(ctx, id)
}

// release closes a connection that no conn uses.
func (h *Host) release(connection network.Conn) {
	h.mu.Lock()
	l := h.links[connection]
	unused := l != nil && l.trusted && len(l.conns) == 0
	h.mu.Unlock()
	if unused {
		connection.Close()
	}
}

func codeOfDials(won network.Conn, failed []error) Code {
	if won != nil {
		return ""
	}
	worst := CodeTimeout
	for _, err := range failed {
		switch code := codeOfDial(err); {
		case code == CodeWrongKey:
			return code
		case code != CodeTimeout:
			worst = code
		}
	}
	return worst
}

// codeOfDial says why a dial failed, from the errors of all its addresses.
func codeOfDial(err error) Code {
	if _, ok := errors.AsType[sec.ErrPeerIDMismatch](err); ok || strings.Contains(err.Error(), "peer id mismatch") {
		return CodeWrongKey
	}
	switch {
	case errors.Is(err, network.ErrResourceLimitExceeded):
		return CodeBusy
	case errors.Is(err, swarm.ErrNoGoodAddresses), errors.Is(err, swarm.ErrDialToSelf), errors.Is(err, swarm.ErrNoAddresses):
		return CodeNoAddress
	case errors.Is(err, context.DeadlineExceeded):
		return CodeTimeout
	}
	return CodeUnreachable
}
