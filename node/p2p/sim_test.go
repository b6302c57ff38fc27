package p2p

import (
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
	msmux "github.com/multiformats/go-multistream"
)

// world is a simulated network with a simulated clock: hosts at public addresses,
// 20 ms apart, and a switch that cuts everything.
type world struct {
	net     *simnet.Simnet
	cut     atomic.Bool
	cutHost atomic.Int32 // nobody hears this host, and it hears nobody
	link    simnet.NodeBiDiLinkSettings
}

const oneWay = 20 * time.Millisecond

func newWorld() *world {
	w := &world{}
	rate := simnet.LinkSettings{BitsPerSecond: 50 * simlibp2p.OneMbps}
	w.link = simnet.NodeBiDiLinkSettings{Downlink: rate, Uplink: rate}
	w.net = &simnet.Simnet{LatencyFunc: func(p *simnet.Packet) time.Duration {
		gone := fmt.Sprintf("1.0.0.%d:8000", w.cutHost.Load())
		if w.cut.Load() || p.From.String() == gone || p.To.String() == gone {
			return 100_000 * time.Hour // lost
		}
		return oneWay
	}}
	return w
}

func (w *world) host(t *testing.T, n byte) *Host {
	t.Helper()
	return w.hostWith(t, n, Config{})
}

func (w *world) hostWith(t *testing.T, n byte, c Config) *Host {
	t.Helper()
	ip := netip.AddrFrom4([4]byte{1, 0, 0, n})
	c.Seed, c.Listen = identity.TransportSeed{n}, []string{fmt.Sprintf("%s:8000", ip)}
	c.simulated = simlibp2p.QUICSimnet(w.net, w.link)
	if c.interfaces == nil {
		c.interfaces = func() ([]netip.Prefix, error) { return []netip.Prefix{netip.PrefixFrom(ip, 8)}, nil }
	}
	h, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// foreign is a host of this world that is none of ours.
func (w *world) foreign(t *testing.T, n byte) host.Host {
	t.Helper()
	silenceLibp2p()
	h, err := libp2p.New(libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/1.0.0.%d/udp/8000/quic-v1", n)),
		libp2p.DisableIdentifyAddressDiscovery(), libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}), simlibp2p.QUICSimnet(w.net, w.link))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPartitionIsNoticedAndHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		a, b := w.host(t, 1), w.host(t, 2)
		w.net.Start()
		defer w.net.Close()
		defer b.Close()
		defer a.Close()
		atA, atB := connectSimulated(t, a, b)
		a.SetActive(atA, true)
		time.Sleep(time.Hour)
		select {
		case e := <-a.Events():
			t.Fatalf("event %T in a quiet hour", e)
		default:
		}

		w.cut.Store(true)
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
		a.Dial(Dial{ID: 1, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, 0), Deadline: time.Now().Add(3 * time.Second)})
		if got := next[DialFailed](t, a); got.Code != CodeTimeout {
			t.Fatalf("%+v", got)
		}

		w.cut.Store(false)
		start = time.Now()
		connectSimulated(t, a, b)
		if took := time.Since(start); took > 20*oneWay {
			t.Errorf("connected %v after healing", took)
		}
	})
}

// connectSimulated is connectPair without its assumption of loopback.
func connectSimulated(t *testing.T, a, b *Host) (atA, atB uint64) {
	t.Helper()
	a.Dial(Dial{ID: 7, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, wire.QUIC)})
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
			w := newWorld()
			h, s := w.host(t, 1), w.foreign(t, 2)
			w.net.Start()
			defer w.net.Close()
			defer s.Close()
			defer h.Close()
			go hangUpOnWrongTag(h)
			info := infoOf(t, h, wire.QUIC)
			s.Peerstore().AddAddrs(info.ID, info.Addrs, time.Hour)
			start := time.Now()
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
			lived[name] = time.Since(start)
		})
	}
	for name, took := range lived {
		// Not exactly 0: handshakes differ by some bytes, at 160 ns each.
		if (took - lived["nothing"]).Abs() > 20*time.Microsecond {
			t.Errorf("%q: the end came after %v, for a silent one after %v", name, took, lived["nothing"])
		}
		if took < strangerLifetime || took > strangerLifetime+10*oneWay {
			t.Errorf("%q: the end came after %v", name, took)
		}
	}
}

func TestClearEndsDeadPathsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		a, b, c := w.host(t, 1), w.host(t, 2), w.host(t, 3)
		w.net.Start()
		defer w.net.Close()
		for _, h := range []*Host{a, b, c} {
			defer h.Close()
		}
		toB, _ := connectSimulated(t, a, b)
		connectSimulated(t, a, c)
		w.cutHost.Store(2)
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
		w := newWorld()
		a, b := w.host(t, 1), w.host(t, 2)
		w.net.Start()
		defer w.net.Close()
		defer a.Close()
		defer b.Close()
		a.Dial(Dial{ID: 1, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, 0)})
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
		w := newWorld()
		a, b := w.host(t, 1), w.host(t, 2)
		w.net.Start()
		defer w.net.Close()
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
