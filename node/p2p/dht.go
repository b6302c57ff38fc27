package p2p

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"pabal/node/egress"
	"pabal/protocol/identity"
	"pabal/protocol/rendezvous"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	golog "github.com/ipfs/go-log/v2"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	ma "github.com/multiformats/go-multiaddr"
)

// ErrBootstrap says that a text does not name a server of a DHT by an IP address.
var ErrBootstrap = errors.New("p2p: not a server of a DHT")

// DHT is a public Kademlia DHT of IPFS's kind, entered by servers that the user chose.
// Each call speaks to it as somebody new: a host with a key of its own, which listens
// nowhere and is closed at the end of the call. Between calls there is nothing. Calls may
// come from any goroutine; their contexts must have deadlines.
type DHT struct {
	servers []peer.AddrInfo
	near    bool // the servers of the list are no global addresses: others may be near, too
	lan     bool // no global address is dialled
	ledger  *egress.Ledger
}

// DHTConfig says how a DHT is entered, and what it may dial.
type DHTConfig struct {
	// Servers to enter by, each a multiaddr such as "/ip4/192.0.2.1/tcp/4001/p2p/12D3…".
	// Names are not taken: whoever resolves them would learn of it.
	Servers []string
	// Profile is that of the host beside it: on LAN no global address is dialled.
	Profile Profile
	// Ledger records every address that is dialled, and why. Nil means one of its own.
	Ledger *egress.Ledger
}

// NewDHT makes a DHT. It speaks to nobody yet. Error: ErrBootstrap.
func NewDHT(c DHTConfig) (*DHT, error) {
	d := &DHT{ledger: c.Ledger, lan: c.Profile == LAN}
	if d.ledger == nil {
		d.ledger = egress.New(nil)
	}
	if len(c.Servers) == 0 || len(c.Servers) > dhtServersMax {
		return nil, fmt.Errorf("%w: %d servers", ErrBootstrap, len(c.Servers))
	}
	for _, text := range c.Servers {
		m, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, fmt.Errorf("%w: no multiaddr", ErrBootstrap)
		}
		info, err := peer.AddrInfoFromP2pAddr(m)
		if err != nil || len(info.Addrs) != 1 {
			return nil, fmt.Errorf("%w: a multiaddr without /p2p", ErrBootstrap)
		}
		a, ok := wireAddress(info.Addrs[0])
		if !ok {
			return nil, fmt.Errorf("%w: neither TCP nor QUIC on an IP address", ErrBootstrap)
		}
		near := !rendezvous.Public(a)
		if len(d.servers) > 0 && near != d.near { // the global ones would have us dial addresses nearby
			return nil, fmt.Errorf("%w: servers nearby and on the internet", ErrBootstrap)
		}
		d.near = near
		d.servers = append(d.servers, *info)
	}
	return d, nil
}

// Publish hands a record to the servers that are closest to its name. It is signed by the
// name's secret, and its sequence must rise. An empty code says that there were such
// servers; what they do with it nobody knows.
func (d *DHT) Publish(ctx context.Context, seed identity.RecordSeed, sequence uint64, until time.Time, payload []byte, why egress.Reason) Code {
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		return CodeMalformed
	}
	nowhere, err := path.NewPath(ipns.NoopValue)
	if err != nil {
		return CodeMalformed
	}
	record, err := ipns.NewRecord(key, nowhere, sequence, until, dhtCachedFor,
		ipns.WithV1Compatibility(false), ipns.WithMetadata(map[string]any{dhtPayload: payload}))
	if err != nil {
		return CodeMalformed
	}
	value, err := ipns.MarshalRecord(record)
	if err != nil {
		return CodeMalformed
	}
	name, code := dhtName(seed.Public())
	if code != "" {
		return code
	}
	return d.as(ctx, why, func(ctx context.Context, d *dht.IpfsDHT) error {
		return d.PutValue(ctx, string(name.RoutingKey()), value)
	})
}

// LookUp returns the payload of the first record that is found under a name, which may be
// an old one. CodeNoRecord says that servers were asked and had none.
func (d *DHT) LookUp(ctx context.Context, record identity.RecordName, why egress.Reason) (payload []byte, code Code) {
	name, code := dhtName(record)
	if code != "" {
		return nil, code
	}
	var found []byte
	code = d.as(ctx, why, func(ctx context.Context, d *dht.IpfsDHT) (err error) {
		found, err = d.GetValue(ctx, string(name.RoutingKey()), dht.Quorum(1))
		return err
	})
	if code != "" {
		return nil, code
	}
	r, err := ipns.UnmarshalRecord(found)
	if err != nil {
		return nil, CodeNoRecord
	}
	value, err := r.Metadata(dhtPayload)
	if err != nil {
		return nil, CodeNoRecord
	}
	if payload, err = value.AsBytes(); err != nil {
		return nil, CodeNoRecord
	}
	return payload, ""
}

// dhtName is libp2p's form of a name.
func dhtName(name identity.RecordName) (ipns.Name, Code) {
	id, err := peerID(identity.TransportKey(name))
	if err != nil {
		return ipns.Name{}, CodeMalformed
	}
	return ipns.NameFromPeer(id), ""
}

// as enters the DHT as somebody new, does one thing there, and leaves.
func (d *DHT) as(ctx context.Context, why egress.Reason, do func(context.Context, *dht.IpfsDHT) error) Code {
	if why.Rung == "" {
		return CodeNoReason
	}
	socks, err := newSockets(nil)
	if err != nil {
		return CodeUnreachable
	}
	defer socks.leave()
	h, err := d.newHost(why, socks)
	if err != nil {
		return CodeUnreachable
	}
	defer h.Close()
	table, err := dht.New(h, dht.Mode(dht.ModeClient), dht.DisableAutoRefresh(), dht.BootstrapPeers(d.servers...),
		dht.LookupCheckConcurrency(dhtChecksMax))
	if err != nil {
		return CodeUnreachable
	}
	defer table.Close()
	if !d.enter(ctx, h, table) {
		return CodeUnreachable
	}
	switch err := do(ctx, table); {
	case err == nil:
		return ""
	case errors.Is(err, routing.ErrNotFound):
		return CodeNoRecord
	case ctx.Err() != nil:
		return CodeTimeout
	}
	return CodeUnreachable
}

// enter connects with the servers of the list, and returns as soon as one of them can be
// asked.
func (d *DHT) enter(ctx context.Context, h host.Host, table *dht.IpfsDHT) bool {
	ctx, cancel := context.WithTimeout(ctx, dhtEnterTimeout)
	var dials sync.WaitGroup
	defer dials.Wait()
	defer cancel()
	failed := make(chan error, len(d.servers)) // each dial fails once at most
	for _, server := range d.servers {
		dials.Go(func() {
			if err := h.Connect(ctx, server); err != nil {
				failed <- err
			}
		})
	}
	poll := time.NewTicker(dhtEnterPoll)
	defer poll.Stop()
	for left := len(d.servers); left > 0; {
		select {
		case <-poll.C:
			if table.RoutingTable().Size() > 0 {
				return true
			}
		case <-failed:
			left--
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// newHost makes a host that nobody has met before. What is said of newLibp2p holds for it,
// too; beside that it takes no connection, and TLS, since servers are others' programs.
func (d *DHT) newHost(why egress.Reason, socks *sockets) (host.Host, error) {
	silenceLibp2p()
	golog.SetupLogging(golog.Config{Level: golog.LevelFatal}) // it would write peer IDs to stderr
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	limits := rcmgr.PartialLimitConfig{System: rcmgr.ResourceLimits{
		Conns: dhtConnsMax, ConnsInbound: rcmgr.BlockAllLimit, ConnsOutbound: dhtConnsMax, FD: dhtConnsMax,
		Streams: dhtStreamsMax, StreamsOutbound: dhtStreamsMax, Memory: dhtMemoryMax,
	}}
	resources, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.DefaultLimits.AutoScale())), rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, err
	}
	peers, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, errors.Join(err, resources.Close())
	}
	return parts{
		key: key, peers: peers, gater: &dhtGater{dht: d, why: why}, resources: resources, sockets: socks.quic, tcp: true, tls: true,
	}.assemble()
}

// dhtGater lets a host of the DHT dial what servers name, on the internet only unless
// the user's own list is nearer, and enters each dial in the ledger.
type dhtGater struct {
	dht *DHT
	why egress.Reason
}

var _ connmgr.ConnectionGater = (*dhtGater)(nil)

// InterceptPeerDial allows every key.
func (g *dhtGater) InterceptPeerDial(peer.ID) bool { return true }

// InterceptAddrDial allows direct addresses: global ones unless we are to stay on the LAN,
// and in a DHT nearby others, too.
func (g *dhtGater) InterceptAddrDial(_ peer.ID, m ma.Multiaddr) bool {
	a, relayed, ok := pathAddress(m)
	if !ok || relayed {
		return false
	}
	if global := rendezvous.Public(a); global && g.dht.lan || !global && !g.dht.near {
		return false
	}
	return g.dht.ledger.Enter(networkName(a.Network), a.AddrPort(), g.why) == nil
}

// InterceptAccept refuses whoever connects.
func (g *dhtGater) InterceptAccept(network.ConnMultiaddrs) bool { return false }

// InterceptSecured allows what we dialled.
func (g *dhtGater) InterceptSecured(d network.Direction, _ peer.ID, _ network.ConnMultiaddrs) bool {
	return d == network.DirOutbound
}

// InterceptUpgraded allows it, too.
func (g *dhtGater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
