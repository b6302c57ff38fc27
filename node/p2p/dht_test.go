package p2p

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pabal/node/egress"
	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// servers is a DHT of unmodified servers on loopback, and what they have seen.
type servers struct {
	hosts []host.Host

	mu     sync.Mutex
	asked  map[peer.ID]map[string]bool // by whom, for which keys
	values int                         // requests to keep one
}

func newServers(t *testing.T, n int) *servers {
	t.Helper()
	s := &servers{asked: make(map[peer.ID]map[string]bool)}
	for i := range n {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Transport(tcp.NewTCPTransport),
			libp2p.DisableMetrics(), libp2p.DisableRelay(), libp2p.ResourceManager(&network.NullResourceManager{}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		d, err := dht.New(h, dht.Mode(dht.ModeServer), dht.DisableAutoRefresh(), dht.OnRequestHook(s.heard))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		for k := range min(i, 3) {
			before := s.hosts[(i*7+k*5)%i]
			if err := h.Connect(t.Context(), peer.AddrInfo{ID: before.ID(), Addrs: before.Addrs()}); err != nil {
				t.Fatal(err)
			}
		}
		s.hosts = append(s.hosts, h)
	}
	return s
}

func (s *servers) heard(_ context.Context, stream network.Stream, m *pb.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := stream.Conn().RemotePeer()
	if s.asked[from] == nil {
		s.asked[from] = make(map[string]bool)
	}
	if key := string(m.GetKey()); strings.HasPrefix(key, "/ipns/") {
		s.asked[from][key] = true
	}
	if m.GetType() == pb.Message_PUT_VALUE {
		s.values++
	}
}

// clients returns who asked for a name and is no server.
func (s *servers) clients() (out []peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, keys := range s.asked {
		if len(keys) > 0 {
			out = append(out, id)
		}
	}
	return out
}

// entrance is the multiaddr of one of the servers.
func (s *servers) entrance(i int) string {
	return s.hosts[i].Addrs()[0].String() + "/p2p/" + s.hosts[i].ID().String()
}

var seekReason = egress.Reason{Rung: egress.DHT, Contact: [16]byte{7}}

// TestDHTPublishAndLookUp publishes a record at servers that nobody has changed and reads
// it, each time as somebody else who is gone afterwards.
func TestDHTPublishAndLookUp(t *testing.T) {
	s := newServers(t, 30)
	ledger := egress.New(nil)
	d, err := NewDHT([]string{s.entrance(0), s.entrance(1)}, ledger)
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	seed := identity.RecordSeed{1}
	payload := bytes.Repeat([]byte{0xa5}, wire.DHTRecordSize)
	if _, code := d.LookUp(t.Context(), seed.Public(), seekReason); code != CodeNoRecord {
		t.Errorf("before it is published: %q", code)
	}
	for i := range 2 { // a later one takes the place of an earlier one
		payload[0] = byte(i)
		if code := d.Publish(t.Context(), seed, uint64(10+i), time.Now().Add(48*time.Hour), payload, seekReason); code != "" {
			t.Fatalf("publish: %q", code)
		}
	}
	found, code := d.LookUp(t.Context(), seed.Public(), seekReason)
	if code != "" || !bytes.Equal(found, payload) {
		t.Errorf("look up: %q, %d bytes", code, len(found))
	}
	if s.values == 0 {
		t.Error("no server was asked to keep anything")
	}
	if n := len(s.clients()); n != 4 {
		t.Errorf("four calls were made by %d clients", n)
	}
	for _, e := range ledger.Seen().Entries {
		if e.Why != seekReason || !e.To.Addr().IsLoopback() {
			t.Errorf("the ledger has %v", e)
		}
	}
	if len(ledger.Seen().Entries) == 0 {
		t.Error("the ledger has nothing")
	}
	waitFor(t, "the goroutines of the calls to end", func() bool { return runtime.NumGoroutine() <= before+8 }) // some of the servers'
}

// TestDHTFails says why nothing was found or kept.
func TestDHTFails(t *testing.T) {
	s := newServers(t, 1)
	gone := s.entrance(0)
	s.hosts[0].Close()
	d, err := NewDHT([]string{gone}, egress.New(nil))
	if err != nil {
		t.Fatal(err)
	}
	name := identity.RecordSeed{1}.Public()
	if _, code := d.LookUp(t.Context(), name, seekReason); code != CodeUnreachable {
		t.Errorf("nobody is there: %q", code)
	}
	if _, code := d.LookUp(t.Context(), name, egress.Reason{}); code != CodeNoReason {
		t.Errorf("without a reason: %q", code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := d.Publish(ctx, identity.RecordSeed{1}, 1, time.Now().Add(time.Hour), nil, seekReason); code == "" {
		t.Error("published although the program ends")
	}
}

// TestDHTDialsTheInternetOnly has servers of a public DHT name addresses nearby: these are
// not dialled. Names and circuits are not, either.
func TestDHTDialsTheInternetOnly(t *testing.T) {
	const id = "/p2p/12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay"
	for _, c := range []struct {
		server, address string
		dialled         bool
	}{
		{"/ip4/104.131.131.82/tcp/4001", "/ip4/145.40.96.233/tcp/4001", true},
		{"/ip4/104.131.131.82/udp/4001/quic-v1", "/ip6/2604:1380:45e3:6e00::1/udp/4001/quic-v1", true},
		{"/ip4/104.131.131.82/tcp/4001", "/ip4/127.0.0.1/tcp/4001", false},
		{"/ip4/104.131.131.82/tcp/4001", "/ip4/192.168.1.1/tcp/80", false},
		{"/ip4/104.131.131.82/tcp/4001", "/dns4/example.com/tcp/4001", false},
		{"/ip4/104.131.131.82/tcp/4001", "/ip4/145.40.96.233/tcp/4001" + id + "/p2p-circuit", false},
		{"/ip4/192.168.1.2/tcp/4001", "/ip4/192.168.1.3/tcp/4001", true},
	} {
		d, err := NewDHT([]string{c.server + id}, egress.New(nil))
		if err != nil {
			t.Fatal(err)
		}
		g := dhtGater{dht: d, why: seekReason}
		if got := g.InterceptAddrDial("", ma.StringCast(c.address)); got != c.dialled {
			t.Errorf("%s, entered by %s: %v", c.address, c.server, got)
		}
		if g.why = (egress.Reason{}); g.InterceptAddrDial("", ma.StringCast(c.address)) {
			t.Errorf("%s is dialled without a reason", c.address)
		}
	}
}

// TestDHTServers takes servers by IP address only.
func TestDHTServers(t *testing.T) {
	const id = "/p2p/12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay"
	for _, text := range []string{
		"", "example.com:4001", "/ip4/104.131.131.82/tcp/4001", "/dns4/example.com/tcp/4001" + id, "/dnsaddr/bootstrap.libp2p.io" + id,
		"/ip4/104.131.131.82/tcp/4001/ws" + id, "/ip4/104.131.131.82/tcp/4001" + id + "/p2p-circuit" + id, id,
	} {
		if _, err := NewDHT([]string{text}, egress.New(nil)); !errors.Is(err, ErrBootstrap) {
			t.Errorf("%q: error %v", text, err)
		}
	}
	if _, err := NewDHT(nil, egress.New(nil)); !errors.Is(err, ErrBootstrap) {
		t.Errorf("none: error %v", err)
	}
}
