package p2p

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
)

// foreign is a libp2p host that is none of ours, as a stranger would use.
func foreign(t testing.TB, seed byte) host.Host {
	t.Helper()
	silenceLibp2p()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(append(make([]byte, 31), seed)))
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// infoOf is what a foreign host needs to find h.
func infoOf(t testing.TB, h *Host, network wire.Network) peer.AddrInfo {
	t.Helper()
	id, err := peerID(h.Key())
	if err != nil {
		t.Fatal(err)
	}
	var list []ma.Multiaddr
	for _, a := range addresses(h, network) {
		m, _ := multiaddr(a)
		list = append(list, m)
	}
	return peer.AddrInfo{ID: id, Addrs: list}
}

// treatment is what a stranger sees of us.
type treatment struct {
	bytes []byte        // read from the stream
	after time.Duration // from the connection to the end of the stream
}

// visit connects as a stranger, says something and watches until the end.
func visit(t *testing.T, seed byte, to peer.AddrInfo, say []byte) treatment {
	t.Helper()
	s := foreign(t, seed)
	start := time.Now()
	if err := s.Connect(context.Background(), to); err != nil {
		t.Error(err)
		return treatment{}
	}
	stream, err := s.NewStream(context.Background(), to.ID, messageProtocol)
	if err != nil {
		t.Error(err)
		return treatment{}
	}
	if _, err := stream.Write(say); err != nil {
		t.Error(err)
	}
	seen, err := io.ReadAll(stream)
	if err == nil {
		t.Errorf("the stream of stranger %d ended politely", seed)
	}
	return treatment{bytes: seen, after: time.Since(start)}
}

// testLifetime is in place of strangerLifetime where the clock is real; the test
// with a simulated clock uses strangerLifetime itself.
const testLifetime = 3 * time.Second

// The exact moment is checked where the clock is simulated; here it is that real
// sockets show nothing else, and no early end.
func TestStrangersAreTreatedAlike(t *testing.T) {
	for name, network := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, Config{Seed: identity.TransportSeed{1}, Listen: []string{"127.0.0.1:0"}, lifetime: testLifetime})
			go hangUpOnWrongTag(h)
			compareTreatments(t, h, network, strangerSays())
		})
	}
}

// strangerSays is what strangers say, by its name.
func strangerSays() map[string][]byte {
	tag := func(n byte) []byte { return wire.AppendFrame(nil, wire.TypeHello, hello(n).Body) }
	return map[string][]byte{
		"nothing":        {},
		"wrong tag":      tag(66),
		"unknown tag":    tag(67),
		"half a frame":   tag(66)[:9],
		"malformed":      binary.BigEndian.AppendUint32(nil, 1<<31),
		"too much":       slices.Repeat(wire.AppendFrame(nil, wire.TypeEnvelope, make([]byte, 8<<10)), 3),
		"frame too long": append(binary.BigEndian.AppendUint32(nil, wire.EnvelopeBytesMax+2), byte(wire.TypeEnvelope)),
	}
}

// hangUpOnWrongTag plays a core that hangs up on one tag and leaves others alone.
func hangUpOnWrongTag(h *Host) {
	for e := range h.Events() {
		if r, ok := e.(Received); ok && r.Frames[0].Body[0] == 66 {
			h.Hangup(r.Conn)
		}
	}
}

func compareTreatments(t *testing.T, h *Host, network wire.Network, says map[string][]byte) {
	t.Helper()
	info := infoOf(t, h, network)
	results := make(chan treatment)
	seed := byte(10)
	for name, say := range says {
		who := seed
		go func() {
			r := visit(t, who, info, say)
			if len(r.bytes) > 0 {
				t.Errorf("%s: we wrote %d bytes to a stranger", name, len(r.bytes))
			}
			if r.after < testLifetime || r.after > testLifetime+10*time.Second { // a busy test machine
				t.Errorf("%s: it took %v", name, r.after)
			}
			results <- r
		}()
		seed++
	}
	for range says {
		<-results
	}
}

func TestAnswerWaitsForAuthentication(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	a.Dial(Dial{ID: 1, Keys: []identity.TransportKey{b.Key()}, Addresses: addresses(b, 0), Why: forTests()})
	atA := next[Opened](t, a).Conn
	send(t, a, atA, hello(1))
	atB := next[Opened](t, b).Conn
	next[Received](t, b)
	send(t, b, atB, hello(2))
	if err := b.Send(atB, []Frame{numbered(0, strangerBytesMax)}); !errors.Is(err, ErrStranger) {
		t.Fatalf("error %v", err)
	}
	send(t, a, atA, hello(3)) // when this has come, an answer would have gone out
	next[Received](t, b)
	select {
	case e := <-a.Events():
		if _, ok := e.(Addresses); !ok {
			t.Fatalf("a stranger was answered: %T", e)
		}
	default:
	}
	b.Authenticate(atB)
	if got := next[Received](t, a); got.Frames[0].Body[0] != 2 {
		t.Fatal("another frame came")
	}
}

func TestIdentifyTellsNothing(t *testing.T) {
	h := loopback(t, 1)
	s, info := foreign(t, 9), infoOf(t, h, 0)
	if err := s.Connect(context.Background(), info); err != nil {
		t.Fatal(err)
	}
	agent, err := s.Peerstore().Get(info.ID, "AgentVersion")
	if err != nil || agent != "p2p" {
		t.Errorf("agent %v, %v", agent, err)
	}
	protocols, err := s.Peerstore().GetProtocols(info.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range protocols {
		switch p {
		case messageProtocol, livenessProtocol, fileProtocol, relayProtocol, circuitProtocol, punchProtocol, "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0":
		default:
			t.Errorf("a stranger is told of protocol %s", p)
		}
	}
	if own := h.libp2p.Addrs(); len(own) != 0 {
		t.Errorf("identify shows %d addresses", len(own))
	}
	if book, ok := peerstore.GetCertifiedAddrBook(s.Peerstore()); ok {
		if envelope := book.GetPeerRecord(info.ID); envelope != nil {
			t.Errorf("identify shows a signed record")
		}
	}
}

func TestFloodOfStrangersIsBounded(t *testing.T) {
	h := loopback(t, 1)
	go drain(h)
	info := infoOf(t, h, wire.QUIC)
	var refused int
	for i := range strangersMax + 12 {
		s := foreign(t, byte(20+i))
		if s.Connect(context.Background(), info) != nil {
			refused++
		}
	}
	h.mu.Lock()
	links := len(h.links)
	h.mu.Unlock()
	if links > strangersMax {
		t.Errorf("%d strangers at once, at most %d are allowed", links, strangersMax)
	}
	t.Logf("%d strangers stay, %d saw the refusal at once", links, refused)
}

func TestStrangersOfOneNetworkAreFew(t *testing.T) {
	s := &strangers{byNetwork: map[netip.Prefix]int{}}
	near := netip.MustParseAddr("2001:db8:1:2::1")
	for range strangersPerNetworkMax {
		if !s.room(near) {
			t.Fatal("no room for the first ones")
		}
		s.add(near, 1)
	}
	if s.room(netip.MustParseAddr("2001:db8:1:3::9")) { // the same /56
		t.Error("one network may have more than its share")
	}
	if !s.room(netip.MustParseAddr("2001:db8:2::1")) {
		t.Error("one network takes the share of another")
	}
	for range strangersPerNetworkMax {
		s.add(near, -1)
	}
	if len(s.byNetwork) != 0 || s.total != 0 {
		t.Error("counts are left behind")
	}
}

func TestTrustAfterTheEndIsNotCounted(t *testing.T) {
	h, s := loopback(t, 1), foreign(t, 9)
	if err := s.Connect(t.Context(), infoOf(t, h, wire.QUIC)); err != nil {
		t.Fatal(err)
	}
	links := func() (list []*link) {
		h.mu.Lock()
		defer h.mu.Unlock()
		return slices.Collect(maps.Values(h.links))
	}
	waitFor(t, "the stranger", func() bool { return len(links()) == 1 })
	l := links()[0]
	s.Close()
	waitFor(t, "the end", func() bool { return len(links()) == 0 })
	h.mu.Lock()
	h.trust(l)
	h.mu.Unlock()
	if h.strangers.total != 0 || len(h.strangers.byNetwork) != 0 {
		t.Errorf("%d strangers are counted", h.strangers.total)
	}
}
