package p2p

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// loopback opens a host that listens on 127.0.0.1 only.
func loopback(t testing.TB, seed byte) *Host {
	t.Helper()
	return open(t, Config{Seed: identity.TransportSeed{seed}, Listen: []string{"127.0.0.1:0"}})
}

func open(t testing.TB, c Config) *Host {
	t.Helper()
	h, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		go drain(h) // Close does not need it, a test that failed may have left events
		h.Close()
	})
	return h
}

func drain(h *Host) {
	for range h.Events() {
	}
}

// next waits for the next event of type E, and fails on a different one, except
// that those are skipped that come when they come. Of these, Seen is kept.
func next[E Event](t testing.TB, h *Host) E {
	t.Helper()
	if e, ok := passedBy[E](h); ok {
		return e
	}
	timeout := time.After(time.Minute)
	for {
		select {
		case e, ok := <-h.Events():
			if !ok {
				t.Fatal("events are closed")
			}
			if want, ok := e.(E); ok {
				return want
			}
			switch e := e.(type) { // they come when they come
			case Seen:
				early.Lock()
				early.of[h] = append(early.of[h], e)
				early.Unlock()
				continue
			case Addresses, Reserved:
				continue
			}
			t.Fatalf("event %T %+v, want %T", e, e, *new(E))
		case <-timeout:
			t.Fatalf("no %T in time", *new(E))
		}
	}
}

// early is what came to hosts before somebody waited for it.
var early = struct {
	sync.Mutex
	of map[*Host][]Event
}{of: map[*Host][]Event{}}

// passedBy returns the last event of a kind that came to a host before somebody waited for
// it, and forgets those before it.
func passedBy[E Event](h *Host) (last E, ok bool) {
	early.Lock()
	defer early.Unlock()
	early.of[h] = slices.DeleteFunc(early.of[h], func(e Event) bool {
		found, is := e.(E)
		if is {
			last, ok = found, true
		}
		return is
	})
	return last, ok
}

// addresses lists where a host listens, on one network or (0) on all.
func addresses(h *Host, network wire.Network) (list []wire.Address) {
	for _, a := range h.listed {
		if network == 0 || a.Network == network {
			list = append(list, a)
		}
	}
	return list
}

// connectPair dials from a to b, says hello both ways and authenticates both.
// It returns the numbers of the conn at a and at b.
func connectPair(t testing.TB, a, b *Host, network wire.Network) (atA, atB uint64) {
	t.Helper()
	a.Dial(Dial{ID: 7, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, network), Why: forTests()})
	opened := next[Opened](t, a)
	if opened.Dial != 7 || opened.Inbound || opened.Remote != b.Key() || opened.Local != a.Key() || opened.Class != Loopback {
		t.Fatalf("dialled: %+v", opened)
	}
	if network != 0 && opened.Network != network {
		t.Fatalf("network %d, want %d", opened.Network, network)
	}
	send(t, a, opened.Conn, hello(1))
	accepted := next[Opened](t, b)
	if !accepted.Inbound || accepted.Remote != a.Key() || accepted.Local != b.Key() || accepted.Dial != 0 {
		t.Fatalf("accepted: %+v", accepted)
	}
	next[Received](t, b)
	b.Authenticate(accepted.Conn)
	send(t, b, accepted.Conn, hello(2))
	next[Received](t, a)
	a.Authenticate(opened.Conn)
	return opened.Conn, accepted.Conn
}

func hello(n byte) Frame {
	body := make([]byte, identity.HelloTagSize)
	body[0] = n
	return Frame{Type: wire.TypeHello, Body: body}
}

// numbered is an envelope frame of some size that starts with n.
func numbered(n uint64, size int) Frame {
	body := make([]byte, size)
	binary.BigEndian.PutUint64(body, n)
	return Frame{Type: wire.TypeEnvelope, Body: body}
}

func send(t testing.TB, h *Host, conn uint64, frames ...Frame) {
	t.Helper()
	if err := h.Send(conn, frames); err != nil {
		t.Fatal(err)
	}
}

// expectNumbered reads n envelopes of a conn and checks that they come in order.
func expectNumbered(t testing.TB, h *Host, conn uint64, n, size int) {
	t.Helper()
	for i := uint64(0); i < uint64(n); {
		r := next[Received](t, h)
		if r.Conn != conn {
			t.Fatalf("conn %d, want %d", r.Conn, conn)
		}
		for _, f := range r.Frames {
			if f.Type != wire.TypeEnvelope || len(f.Body) != size || binary.BigEndian.Uint64(f.Body) != i {
				t.Fatalf("frame %d: type %d, %d bytes, number %d", i, f.Type, len(f.Body), binary.BigEndian.Uint64(f.Body))
			}
			i++
		}
	}
}

func TestFramesGoBothWaysInOrder(t *testing.T) {
	networks := map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP, "both": 0}
	for name, network := range networks {
		t.Run(name, func(t *testing.T) {
			a, b := loopback(t, 1), loopback(t, 2)
			atA, atB := connectPair(t, a, b, network)
			const frames, size = 10_000, 512
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := range uint64(frames) {
					if a.Send(atA, []Frame{numbered(i, size)}) != nil || b.Send(atB, []Frame{numbered(i, size)}) != nil {
						return
					}
				}
			}()
			received := make(chan struct{})
			go func() { // b's side reads at the same time
				defer close(received)
				expectNumbered(t, b, atB, frames, size)
			}()
			expectNumbered(t, a, atA, frames, size)
			<-received
			<-done
		})
	}
}

func TestDialTellsWhyItFailed(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	other := identity.TransportSeed{3}.Public()
	closed := wire.Address{Network: wire.TCP, IP: netip.MustParseAddr("127.0.0.1"), Port: 1}
	rows := map[string]struct {
		dial Dial
		want Code
	}{
		"wrong key QUIC": {Dial{Keys: []identity.TransportKey{other}, Addresses: addresses(b, wire.QUIC), Why: forTests()}, CodeWrongKey},
		"wrong key TCP":  {Dial{Keys: []identity.TransportKey{other}, Addresses: addresses(b, wire.TCP), Why: forTests()}, CodeWrongKey},
		"closed port":    {Dial{Keys: []identity.TransportKey{other}, Addresses: []wire.Address{closed}, Why: forTests()}, CodeUnreachable},
		"no address":     {Dial{Keys: []identity.TransportKey{other}, Why: forTests()}, CodeNoAddress},
		"no key":         {Dial{Addresses: addresses(b, 0), Why: forTests()}, CodeNoAddress},
		"own key":        {Dial{Keys: []identity.TransportKey{a.Key()}, Addresses: addresses(b, 0), Why: forTests()}, CodeNoAddress},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			row.dial.ID = 9
			a.Dial(row.dial)
			if got := next[DialFailed](t, a); got.Dial != 9 || got.Code != row.want {
				t.Errorf("%+v, want %s", got, row.want)
			}
		})
	}
}

func TestDialFindsTheRightKeyAmongOthers(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	keys := []identity.TransportKey{{1, 2, 3}, identity.TransportSeed{9}.Public(), b.Key()}
	a.Dial(Dial{ID: 1, Keys: keys, Addresses: addresses(b, 0), Why: forTests()})
	if got := next[Opened](t, a); got.Remote != b.Key() {
		t.Fatal("another key answered")
	}
}

// A new day's key takes the port of the old one: contacts reach it at the address
// they know.
func TestNewKeyOnTheOldPort(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	atA, _ := connectPair(t, a, b, 0)
	where := addresses(b, 0)
	b.Close()
	if got := next[Closed](t, a); got.Conn != atA {
		t.Fatalf("%+v", got)
	}
	renewed := open(t, Config{Seed: identity.TransportSeed{3}, Listen: []string{where[0].AddrPort().String()}})
	a.Dial(Dial{ID: 2, Keys: []identity.TransportKey{b.Key(), renewed.Key()}, Addresses: where, Why: forTests()})
	if got := next[Opened](t, a); got.Remote != renewed.Key() {
		t.Fatal("another key answered")
	}
}

func TestConnNumbersAreSharedAmongHosts(t *testing.T) {
	var conns atomic.Uint64
	a := open(t, Config{Seed: identity.TransportSeed{1}, Listen: []string{"127.0.0.1:0"}, Conns: &conns})
	b := open(t, Config{Seed: identity.TransportSeed{2}, Listen: []string{"127.0.0.1:0"}, Conns: &conns})
	if atA, atB := connectPair(t, a, b, 0); atA == atB {
		t.Error("one number names two conns")
	}
}
