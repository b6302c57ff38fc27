package lab

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// dhtNeighbours is how many servers each server of a [DHT] is told of at first.
const dhtNeighbours = 3

// DHT is a public DHT in small: unmodified servers on 127.0.0.1, by TCP, which say what
// they were asked. Its methods may be called from any goroutine.
type DHT struct {
	hosts []host.Host
	open  []io.Closer // the last opened last

	mu    sync.Mutex
	asked map[peer.ID]bool // who has asked for a name or brought one
	kept  int              // requests to keep a record
}

// NewDHT starts servers. Close ends them.
func NewDHT(ctx context.Context, servers int) (*DHT, error) {
	d := &DHT{asked: make(map[peer.ID]bool)}
	for range servers {
		if err := d.add(ctx); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	return d, nil
}

func (d *DHT) add(ctx context.Context) error {
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.DisableMetrics(), libp2p.DisableRelay(), libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		return err
	}
	d.open = append(d.open, h)
	server, err := dht.New(h, dht.Mode(dht.ModeServer), dht.DisableAutoRefresh(), dht.OnRequestHook(d.heard))
	if err != nil {
		return err
	}
	d.open = append(d.open, server)
	for n := range min(len(d.hosts), dhtNeighbours) {
		other := d.hosts[(len(d.hosts)*7+n*5)%len(d.hosts)]
		if err := h.Connect(ctx, peer.AddrInfo{ID: other.ID(), Addrs: other.Addrs()}); err != nil {
			return err
		}
	}
	d.hosts = append(d.hosts, h)
	return nil
}

func (d *DHT) heard(_ context.Context, s network.Stream, m *pb.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if strings.HasPrefix(string(m.GetKey()), "/ipns/") {
		d.asked[s.Conn().RemotePeer()] = true
	}
	if m.GetType() == pb.Message_PUT_VALUE {
		d.kept++
	}
}

// Seen returns how many different keys have asked for names or brought records, and how
// often a server was asked to keep a record.
func (d *DHT) Seen() (clients, kept int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked), d.kept
}

// Entrances returns the multiaddrs of the first n servers.
func (d *DHT) Entrances(n int) (out []string) {
	for _, h := range d.hosts[:n] {
		out = append(out, h.Addrs()[0].String()+"/p2p/"+h.ID().String())
	}
	return out
}

// Close ends the servers.
func (d *DHT) Close() error {
	var all error
	for i := len(d.open) - 1; i >= 0; i-- {
		all = errors.Join(all, d.open[i].Close())
	}
	d.open = nil
	return all
}
