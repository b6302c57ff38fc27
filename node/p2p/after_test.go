package p2p

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pabal/node/p2p/lab"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// after opens the host that follows h under another key, where h listens.
func after(t testing.TB, h *Host, c Config, seed byte) *Host {
	t.Helper()
	c.Seed, c.After, c.Conns = identity.TransportSeed{seed}, h, h.ids
	c.Listen = []string{h.listed[0].AddrPort().String()}
	next, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// dialled dials a key at the addresses of a host and returns what comes of it.
func dialled(t testing.TB, from *Host, key identity.TransportKey, at []wire.Address) Event {
	t.Helper()
	from.Dial(Dial{ID: 9, Keys: []identity.TransportKey{key}, Addresses: at, Why: forTests()})
	for {
		switch e := (<-from.Events()).(type) {
		case Opened:
			return e
		case DialFailed:
			return e
		}
	}
}

func sorted(list []wire.Address) []wire.Address {
	list = slices.Clone(list)
	slices.SortFunc(list, compareAddresses)
	return list
}

// receivedOn waits for something to be received on a conn.
func receivedOn(t testing.TB, h *Host, conn uint64) {
	t.Helper()
	for {
		select {
		case e := <-h.Events():
			if r, ok := e.(Received); ok && r.Conn == conn {
				return
			}
		case <-time.After(time.Minute):
			t.Fatalf("nothing is received on conn %d", conn)
		}
	}
}

// TestNextHostTakesThePort changes the key of a host that is in the middle of a
// conversation. Its connections go on, both ways; who dials the port finds the new key.
func TestNextHostTakesThePort(t *testing.T) {
	for name, on := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		t.Run(name, func(t *testing.T) {
			old, peer, other := loopback(t, 1), loopback(t, 2), loopback(t, 3)
			atOld, atPeer := connectPair(t, old, peer, on)
			atOther, inOld := connectPair(t, other, old, on)
			next := after(t, old, Config{}, 4)
			defer next.Close()
			if !slices.Equal(sorted(next.listed), sorted(old.listed)) {
				t.Fatalf("listens at %v, not at %v", next.listed, old.listed)
			}
			if e, ok := dialled(t, other, next.Key(), addresses(next, on)).(Opened); !ok || e.Remote != next.Key() {
				t.Errorf("the new key is not found at the port: %+v", e)
			}
			stranger := loopback(t, 5)
			if e, ok := dialled(t, stranger, old.Key(), addresses(old, on)).(DialFailed); !ok || e.Code != CodeWrongKey {
				t.Errorf("the old key is still found at the port: %+v", e)
			}
			send(t, old, atOld, numbered(1, 100))
			receivedOn(t, peer, atPeer)
			send(t, peer, atPeer, numbered(2, 100))
			receivedOn(t, old, atOld)
			send(t, other, atOther, numbered(3, 60<<10))
			receivedOn(t, old, inOld)

			if e, ok := dialled(t, next, peer.Key(), addresses(peer, on)).(Opened); !ok || e.Local != next.Key() {
				t.Fatalf("the next host does not dial: %+v", e)
			}
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			if e, ok := dialled(t, stranger, next.Key(), addresses(next, on)).(Opened); !ok {
				t.Errorf("without the old host the new one is not found: %+v", e)
			}
		})
	}
}

// TestHostsFollowEachOther changes the key thirty times, each host living as long as
// the one after the next comes. Each is found at the same port.
func TestHostsFollowEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		place := w.Join(1)
		config := Config{Simulation: &Simulation{Sockets: place.Sockets, Interfaces: place.Interfaces}}
		h, peer := join(t, w, 1), join(t, w, 2)
		w.Start()
		defer w.Close()
		defer peer.Close()
		for i := range 30 {
			at, in := connectSimulated(t, peer, h)
			follows := after(t, h, config, byte(10+i))
			time.Sleep(time.Hour)
			send(t, peer, at, numbered(1, 100))
			receivedOn(t, h, in)
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			next[Closed](t, peer)
			h = follows
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		again := join(t, w, 1) // nothing is left of the sockets
		again.Close()
	})
}

// TestWhoWasSpokenToDidNotComeByHimself: what the host before has sent to somebody opens a
// firewall for him at the port that the next one has.
func TestWhoWasSpokenToDidNotComeByHimself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		a, b := apart(t, w, 1), apart(t, w, 2)
		w.Start()
		defer w.Close()
		defer b.Close()
		connectSimulated(t, a, b)
		time.Sleep(2 * unaskedAfter) // long since it was dialled, and they still speak
		place := w.Join(1)
		follows := after(t, a, Config{Simulation: &Simulation{Sockets: place.Sockets}, interfaces: a.interfaces}, 9)
		defer follows.Close()
		defer a.Close()
		connectSimulated(t, b, follows)
		if got := next[Seen](t, follows); got.Unasked {
			t.Errorf("%+v", got)
		}
	})
}

// TestDeafSocketIsReported: when a socket takes no connections any more, the host that
// listens says so, and the one before it does not.
func TestDeafSocketIsReported(t *testing.T) {
	old := loopback(t, 1)
	h := after(t, old, Config{}, 2)
	defer h.Close()
	next[Addresses](t, old)
	h.socks.silent.Do(func() { close(h.socks.deaf) })
	next[Deaf](t, h)
	select {
	case e := <-old.Events():
		t.Errorf("%T", e)
	case <-time.After(50 * time.Millisecond):
	}
}
