package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/network"
)

func TestUnreadEventsHoldTheSenderBack(t *testing.T) {
	for name, on := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		t.Run(name, func(t *testing.T) {
			a, b := loopback(t, 1), loopback(t, 2)
			atA, atB := connectPair(t, a, b, on)
			const size, frames = 60 << 10, 500 // 30 MB: less than the send queue, more than all windows
			for i := range uint64(frames) {
				send(t, a, atA, numbered(i, size))
			}
			waitFor(t, "the readers to stand still", func() bool { return len(b.events) == eventsQueued })
			if queued := a.queued.Load(); queued == 0 {
				t.Error("everything was taken although nobody reads")
			}
			expectNumbered(t, b, atB, frames, size)
			waitFor(t, "the queue to be empty", func() bool { return a.queued.Load() == 0 })
		})
	}
}

func TestConnOverItsBoundIsClosed(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	atA, _ := connectPair(t, a, b, wire.QUIC)
	frame := numbered(0, wire.EnvelopeBytesMax)
	var err error
	for i := 0; err == nil && i < 2*sendQueueBytesMax/wire.EnvelopeBytesMax; i++ {
		err = a.Send(atA, []Frame{frame})
	}
	if !errors.Is(err, ErrSlow) {
		t.Fatalf("error %v", err)
	}
	if got := next[Closed](t, a); got.Conn != atA || got.Code != CodeSlow {
		t.Fatalf("%+v", got)
	}
	if err := a.Send(atA, []Frame{frame}); !errors.Is(err, ErrNoConn) {
		t.Fatalf("error %v", err)
	}
	waitFor(t, "the bytes to be given back", func() bool { return a.queued.Load() == 0 })
}

// waitFor polls: what it waits for is inside, and no event tells of it.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); runtime.Gosched() {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestHangupDeliversWhatIsQueued(t *testing.T) {
	for name, on := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		t.Run(name, func(t *testing.T) {
			a, b := loopback(t, 1), loopback(t, 2)
			atA, atB := connectPair(t, a, b, on)
			const frames, size = 200, 3000
			for i := range uint64(frames) {
				send(t, a, atA, numbered(i, size))
			}
			a.Hangup(atA)
			if got := next[Closed](t, a); got.Conn != atA || got.Code != CodeHangup {
				t.Fatalf("%+v", got)
			}
			expectNumbered(t, b, atB, frames, size)
			if got := next[Closed](t, b); got.Conn != atB || got.Code != CodeClosed {
				t.Fatalf("%+v", got)
			}
			waitFor(t, "the connection to go", func() bool {
				a.mu.Lock()
				defer a.mu.Unlock()
				return len(a.links) == 0 && len(a.conns) == 0
			})
		})
	}
}

func TestMalformedFrameEndsTheConn(t *testing.T) {
	rows := map[string][]byte{
		"length 0":  make([]byte, 5),
		"type 0":    append(binary.BigEndian.AppendUint32(nil, 1<<20), 0),
		"oversize":  append(binary.BigEndian.AppendUint32(nil, wire.EnvelopeBytesMax+2), byte(wire.TypeEnvelope)),
		"4 GiB":     {255, 255, 255, 255, byte(wire.TypeEnvelope)},
		"odd hello": {0, 0, 0, 2, byte(wire.TypeHello), 0},
	}
	for name, raw := range rows {
		t.Run(name, func(t *testing.T) {
			a, b := loopback(t, 1), loopback(t, 2)
			atA, atB := connectPair(t, a, b, 0)
			sendRaw(a, atA, raw)
			if got := next[Closed](t, b); got.Conn != atB || got.Code != CodeMalformed {
				t.Fatalf("%+v", got)
			}
			if got := next[Closed](t, a); got.Conn != atA {
				t.Fatalf("%+v", got)
			}
		})
	}
}

// sendRaw puts bytes in the send queue that Send would not make.
func sendRaw(h *Host, conn uint64, raw []byte) {
	c := h.find(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = append(c.pending, raw...)
	c.account(len(raw))
	c.signal()
}

func TestUnknownFrameTypeIsDelivered(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	atA, _ := connectPair(t, a, b, 0)
	sendRaw(a, atA, []byte{0, 0, 0, 3, 200, 1, 2})
	if got := next[Received](t, b).Frames[0]; got.Type != 200 || len(got.Body) != 2 {
		t.Fatalf("%+v", got)
	}
}

func TestTooMuchBeforeAuthentication(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	a.Dial(Dial{ID: 1, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, 0), Why: forTests()})
	atA := next[Opened](t, a).Conn
	send(t, a, atA, hello(1))
	atB := next[Opened](t, b).Conn
	next[Received](t, b)
	send(t, b, atB, hello(2)) // waits for an authentication that never comes
	for i := range uint64(5) {
		send(t, a, atA, numbered(i, 4000))
	}
	for got := 0; got < 4; {
		got += len(next[Received](t, b).Frames)
	}
	if got := next[Closed](t, b); got.Conn != atB || got.Code != CodeLimit {
		t.Fatalf("%+v", got)
	}
	waitFor(t, "the bytes to be given back", func() bool { return b.queued.Load() == 0 })
	b.Authenticate(atB) // too late: nothing happens
	b.Hangup(atB)
	if c := a.find(atA); c == nil {
		t.Error("the stranger saw the end before its time")
	}
}

func TestBothDialAtOnce(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	a.Dial(Dial{ID: 1, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, 0), Why: forTests()})
	b.Dial(Dial{ID: 1, Keys: []identity.TransportKey{a.Key()}, Addresses: addresses(a, 0), Why: forTests()})
	// Both conns live, on one connection or on two.
	seen := make(chan error)
	for _, h := range []*Host{a, b} {
		go func() { seen <- awaitBothWays(h) }()
	}
	for range 2 {
		if err := <-seen; err != nil {
			t.Fatal(err)
		}
	}
}

// awaitBothWays says hello on the conn that h dialled, and returns when the one
// that the other side dialled has said it too.
func awaitBothWays(h *Host) error {
	for dialled, inbound := false, false; !dialled || !inbound; {
		switch e := (<-h.Events()).(type) {
		case Opened:
			if inbound = inbound || e.Inbound; !e.Inbound {
				dialled = true
				h.Send(e.Conn, []Frame{hello(1)})
			}
		case Received, Addresses:
		default:
			return fmt.Errorf("event %T %+v", e, e)
		}
	}
	return nil
}

func TestStrangerStreamBesideATrustedOne(t *testing.T) {
	a := open(t, Config{Seed: identity.TransportSeed{1}, Listen: []string{"127.0.0.1:0"}, lifetime: testLifetime})
	b := open(t, Config{Seed: identity.TransportSeed{2}, Listen: []string{"127.0.0.1:0"}, lifetime: testLifetime})
	atA, _ := connectPair(t, a, b, wire.QUIC)
	second := openRaw(t, a, atA)
	start := time.Now()
	if seen, err := io.ReadAll(second); err == nil || len(seen) > 0 {
		t.Fatalf("%d bytes, %v", len(seen), err)
	}
	if took := time.Since(start); took < testLifetime/2 || took > testLifetime+10*time.Second {
		t.Errorf("the second stream lived %v", took)
	}
	send(t, a, atA, hello(9)) // the first one lives on
	next[Received](t, b)
}

// openRaw opens one more message stream on the connection of a conn.
func openRaw(t *testing.T, h *Host, conn uint64) network.Stream {
	t.Helper()
	s, err := h.libp2p.NewStream(t.Context(), h.find(conn).stream.Conn().RemotePeer(), messageProtocol)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		a, b := loopback(t, 1), loopback(t, 2)
		atA, atB := connectPair(t, a, b, 0)
		a.SetActive(atA, true)
		b.SetActive(atB, true)
		a.Clear()
		a.Dial(Dial{ID: 3, Keys: []identity.TransportKey{{9}}, Addresses: addresses(b, 0), Why: forTests()})
		a.Close()
		b.Close()
		a.Dial(Dial{ID: 4, Why: forTests()})
		if err := a.Send(atA, nil); !errors.Is(err, ErrNoConn) {
			t.Fatalf("error %v", err)
		}
	}
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before+1 })
}

func TestLogsNameNoPeer(t *testing.T) {
	var log strings.Builder
	c := Config{Seed: identity.TransportSeed{1}, Listen: []string{"127.0.0.1:0"}, Log: textLog(&log)}
	h, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	if id := h.libp2p.ID().String(); log.Len() == 0 || strings.Contains(log.String(), id) || strings.Contains(log.String(), "127.0.0.1") {
		t.Errorf("log: %q", log.String())
	}
}
