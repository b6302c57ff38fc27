package p2p

import (
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"pabal/node/p2p/lab"
	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	msmux "github.com/multiformats/go-multistream"
)

// join opens host number n of a world.
func join(t *testing.T, w *lab.World, n byte) *Host {
	t.Helper()
	return joinWith(t, w, n, Config{})
}

func joinWith(t *testing.T, w *lab.World, n byte, c Config) *Host {
	t.Helper()
	place := w.Join(n)
	c.Seed, c.Listen = identity.TransportSeed{n}, []string{place.Listen}
	c.Simulation = &Simulation{Sockets: place.Sockets, Interfaces: place.Interfaces}
	h, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// joinForeign makes host number n of a world one that is none of ours.
func joinForeign(t *testing.T, w *lab.World, n byte) host.Host {
	t.Helper()
	silenceLibp2p()
	place := w.Join(n)
	at, _ := listenMultiaddr(wire.QUIC, netip.MustParseAddrPort(place.Listen))
	h, err := libp2p.New(libp2p.ListenAddrs(at), place.Network,
		libp2p.DisableIdentifyAddressDiscovery(), libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPartitionIsNoticedAndHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		a, b := join(t, w, 1), join(t, w, 2)
		w.Start()
		defer w.Close()
		defer b.Close()
		defer a.Close()
		atA, atB := connectSimulated(t, a, b)
		a.SetActive(atA, true)
		next[Seen](t, a)
		time.Sleep(time.Hour)
		select {
		case e := <-a.Events():
			t.Fatalf("event %T in a quiet hour", e)
		default:
		}

		w.CutAll(true)
		start := time.Now()
		send(t, a, atA, numbered(0, 100)) // succeeds, although the path is dead
		if got := next[Closed](t, a); got.Conn != atA || got.Code != CodeTimeout {
			t.Fatalf("%+v", got)
		}
		if took := time.Since(start); took > pingInterval+pingTimeout+time.Second {
			t.Errorf("the dead path was noticed after %v", took)
		}
		if got := next[Closed](t, b); got.Conn != atB { // by libp2p: b was not active
			t.Fatalf("%+v", got)
		}
		a.Dial(Dial{ID: 1, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, 0), Deadline: time.Now().Add(3 * time.Second), Why: forTests()})
		if got := next[DialFailed](t, a); got.Code != CodeTimeout {
			t.Fatalf("%+v", got)
		}

		w.CutAll(false)
		start = time.Now()
		connectSimulated(t, a, b)
		if took := time.Since(start); took > 20*lab.OneWay {
			t.Errorf("connected %v after healing", took)
		}
	})
}

// connectSimulated is connectPair without its assumption of loopback.
func connectSimulated(t *testing.T, a, b *Host) (atA, atB uint64) {
	t.Helper()
	a.Dial(Dial{ID: 7, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, wire.QUIC), Why: forTests()})
	atA = next[Opened](t, a).Conn
	send(t, a, atA, hello(1))
	atB = next[Opened](t, b).Conn
	next[Received](t, b)
	b.Authenticate(atB)
	send(t, b, atB, hello(2))
	next[Received](t, a)
	a.Authenticate(atA)
	return atA, atB
}

// TestStrangersAreTreatedAlikeToTheMoment is TestStrangersAreTreatedAlike with a
// clock that is exact: whatever a stranger says, the end comes at the same moment.
func TestStrangersAreTreatedAlikeToTheMoment(t *testing.T) {
	says := strangerSays()
	lived := map[string]time.Duration{}
	for name, say := range says {
		synctest.Test(t, func(t *testing.T) {
			w := lab.NewWorld()
			h, s := join(t, w, 1), joinForeign(t, w, 2)
			w.Start()
			defer w.Close()
			defer s.Close()
			defer h.Close()
			go hangUpOnWrongTag(h)
			opened := make(chan time.Time, 1)
			h.libp2p.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
				opened <- c.Stat().Opened
			}})
			info := infoOf(t, h, wire.QUIC)
			s.Peerstore().AddAddrs(info.ID, info.Addrs, time.Hour)
			connection, err := s.Network().DialPeer(t.Context(), info.ID)
			if err != nil {
				t.Fatal(err)
			}
			stream, err := connection.NewStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			pipe := msmux.NewMSSelect(stream, messageProtocol)
			if _, err := pipe.Write(say); err != nil {
				t.Fatal(err)
			}
			if seen, err := io.ReadAll(pipe); err == nil || len(seen) > 0 {
				t.Errorf("%s: %d bytes, %v", name, len(seen), err)
			}
			// From the moment the connection was made: how long its handshake took
			// depends on the bytes of its keys, and is none of our doing.
			lived[name] = time.Since(<-opened)
		})
	}
	for name, took := range lived {
		// Not exactly 0: handshakes differ by some bytes, at 160 ns each.
		if (took - lived["nothing"]).Abs() > 20*time.Microsecond {
			t.Errorf("%q: the end came after %v, for a silent one after %v", name, took, lived["nothing"])
		}
		if took < strangerLifetime || took > strangerLifetime+10*lab.OneWay {
			t.Errorf("%q: the end came after %v", name, took)
		}
	}
}

func TestClearEndsDeadPathsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		a, b, c := join(t, w, 1), join(t, w, 2), join(t, w, 3)
		w.Start()
		defer w.Close()
		for _, h := range []*Host{a, b, c} {
			defer h.Close()
		}
		toB, _ := connectSimulated(t, a, b)
		connectSimulated(t, a, c)
		w.Cut(2, true)
		start := time.Now()
		a.Clear()
		if got := next[Closed](t, a); got.Conn != toB || got.Code != CodeTimeout {
			t.Fatalf("%+v", got)
		}
		if took := time.Since(start); took > pingTimeout {
			t.Errorf("it took %v", took)
		}
		time.Sleep(time.Minute)
		if n := len(a.events); n != 0 {
			t.Errorf("%d events about a path that lives", n)
		}
	})
}

func TestNoAnswerIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		a, b := join(t, w, 1), join(t, w, 2)
		w.Start()
		defer w.Close()
		defer a.Close()
		defer b.Close()
		a.Dial(Dial{ID: 1, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, 0), Why: forTests()})
		opened := next[Opened](t, a)
		send(t, a, opened.Conn, hello(1))
		start := time.Now()
		if got := next[Closed](t, a); got.Code != CodeNoAnswer { // b cuts us off as a stranger
			t.Fatalf("%+v", got)
		}
		if took := time.Since(start); took > strangerLifetime+time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestReaderThatStallsIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		a, b := join(t, w, 1), join(t, w, 2)
		w.Start()
		defer w.Close()
		defer a.Close()
		defer b.Close()
		atA, _ := connectSimulated(t, a, b)
		for i := range uint64(400) { // 24 MB: the windows end at 10 to 16 MB
			send(t, a, atA, numbered(i, 60<<10))
		}
		start := time.Now()
		if got := next[Closed](t, a); got.Code != CodeSlow { // b reads no events
			t.Fatalf("%+v", got)
		}
		if took := time.Since(start); took > 2*writeStall {
			t.Errorf("it took %v", took)
		}
	})
}
