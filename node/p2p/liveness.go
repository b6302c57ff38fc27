package p2p

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	msmux "github.com/multiformats/go-multistream"
)

// liveness is the dialling side of the liveness protocol on one link: 8 random
// bytes there and back, on a stream of its own, so that a conn whose reader waits
// does not look dead.
type liveness struct {
	mu     sync.Mutex // held during a ping: one at a time
	stream network.Stream
	pipe   io.ReadWriter // stream after its lazy negotiation
}

// keepAlive pings a link that says nothing, and breaks it when it does not answer.
func (h *Host) keepAlive(l *link, stop <-chan struct{}) {
	ticker := time.NewTicker(pingInterval)
	defer ticker.Stop()
	defer func() {
		l.liveness.mu.Lock()
		defer l.liveness.mu.Unlock()
		l.liveness.reset()
	}()
	for seen := l.received.Load(); ; {
		select {
		case <-stop:
			return
		case <-h.closing:
			return
		case <-ticker.C:
		}
		now := l.received.Load()
		if now == seen && !l.ping() {
			h.breakLink(l, CodeTimeout)
			return
		}
		seen = now
	}
}

// ping reports whether the other side answered in time. Every answer counts, a
// refusal too; only silence means that the path is dead.
func (l *link) ping() bool {
	l.liveness.mu.Lock()
	defer l.liveness.mu.Unlock()
	err := l.liveness.exchange(l.connection)
	if err == nil {
		return true
	}
	l.liveness.reset()
	return !isTimeout(err)
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// reset gives the stream up; p.mu is held.
func (p *liveness) reset() {
	if p.stream != nil {
		p.stream.Reset()
		p.stream = nil
	}
}

func (p *liveness) exchange(connection network.Conn) error {
	deadline := time.Now().Add(pingTimeout)
	if p.stream == nil {
		ctx, cancel := context.WithDeadline(network.WithAllowLimitedConn(context.Background(), "liveness"), deadline)
		defer cancel()
		s, err := connection.NewStream(ctx)
		if err != nil {
			return err
		}
		p.stream, p.pipe = s, msmux.NewMSSelect(s, livenessProtocol)
		if err := s.SetProtocol(livenessProtocol); err != nil {
			return err
		}
	}
	if err := p.stream.SetDeadline(deadline); err != nil {
		return err
	}
	var sent, back [pingBytes]byte
	rand.Read(sent[:])
	if _, err := p.pipe.Write(sent[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(p.pipe, back[:]); err != nil {
		return err
	}
	if sent != back {
		return errors.New("p2p: a ping came back changed")
	}
	return nil
}

// answerPings is the other side. Strangers get no answer: their stream just hangs
// until the link ends.
func (h *Host) answerPings(s network.Stream) {
	h.mu.Lock()
	l := h.links[s.Conn()]
	trusted := l != nil && l.trusted
	h.mu.Unlock()
	if !trusted || !h.enter() {
		return
	}
	defer h.running.Done()
	defer s.Reset()
	var b [pingBytes]byte
	for {
		if _, err := io.ReadFull(s, b[:]); err != nil {
			return
		}
		if err := s.SetWriteDeadline(time.Now().Add(pingTimeout)); err != nil {
			return
		}
		if _, err := s.Write(b[:]); err != nil {
			return
		}
	}
}
