package p2p

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// The protocol names are bland: identify shows them to everybody who connects.
const (
	agentName                    = "p2p"
	messageProtocol  protocol.ID = "/x/m/1"
	livenessProtocol protocol.ID = "/x/p/1"
	fileProtocol     protocol.ID = "/x/f/1"
)

// newLibp2p makes a libp2p host that does not listen yet. What every profile has
// in common is here:
//   - QUIC, and TCP with Noise only; no relay of libp2p's own choice, no port mapping, no mDNS,
//     no DNS, no AutoNAT: a new network is not trusted, and each of these talks to it.
//   - identify tells nobody an address: AddrsFactory is the only thing that stops
//     it, and contacts get our addresses in sealed records.
//   - the black-hole detectors are off: most dials of a messenger fail because
//     the contact sleeps, and a hundred of those would switch QUIC off.
//   - an address nearby has as long to answer as any other: it may be a busy machine.
//   - TCP does not share its port: two profiles on one port would be one too many.
func newLibp2p(c Config, key crypto.PrivKey, gater connmgr.ConnectionGater, sockets *quicreuse.ConnManager) (host.Host, network.ResourceManager, error) {
	silenceLibp2p()
	store, err := pstoremem.NewPeerstore(pstoremem.WithMaxAddresses(addressesMax),
		pstoremem.WithMaxAddressesPerPeer(peerAddressesMax))
	if err != nil {
		return nil, nil, err
	}
	var resources network.ResourceManager = &network.NullResourceManager{}
	if c.Simulation == nil {
		if resources, err = newResources(); err != nil {
			return nil, nil, errors.Join(err, store.Close())
		}
	}
	h, err := parts{key: key, peers: store, gater: gater, resources: resources, sockets: sockets, tcp: c.Simulation == nil}.assemble()
	return h, resources, err
}

// newResources makes the resource manager: a fixed limit for everything.
func newResources() (network.ResourceManager, error) {
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: connsMax, ConnsInbound: connsInboundMax, ConnsOutbound: connsMax,
			Streams: streamsMax, StreamsInbound: streamsMax, StreamsOutbound: streamsMax,
			FD: descriptorsMax, Memory: memoryBytesMax,
		},
		Transient: rcmgr.ResourceLimits{
			Conns: 2 * transientMax, ConnsInbound: transientMax, ConnsOutbound: 2 * transientMax,
			Streams: streamsMax, StreamsInbound: 2 * transientMax, StreamsOutbound: streamsMax,
			FD: descriptorsMax / 2, Memory: memoryBytesMax / 4,
		},
		PeerDefault: rcmgr.ResourceLimits{
			Conns: connsPeerMax, ConnsInbound: connsPeerMax, ConnsOutbound: connsPeerMax,
			Streams: streamsPeerMax, StreamsInbound: streamsPeerMax, StreamsOutbound: streamsPeerMax,
			FD: connsPeerMax, Memory: memoryPeerMax,
		},
		ProtocolPeer: map[protocol.ID]rcmgr.ResourceLimits{
			messageProtocol:  {Streams: protocolPeerMax, StreamsInbound: protocolPeerMax / 2, StreamsOutbound: protocolPeerMax / 2, Memory: memoryPeerMax},
			livenessProtocol: {Streams: protocolPeerMax, StreamsInbound: protocolPeerMax / 2, StreamsOutbound: protocolPeerMax / 2, Memory: livenessBytesMax},
			fileProtocol:     {Streams: protocolPeerMax, StreamsInbound: protocolPeerMax / 2, StreamsOutbound: protocolPeerMax / 2, Memory: memoryPeerMax},
		},
		Protocol: map[protocol.ID]rcmgr.ResourceLimits{
			messageProtocol:  {Streams: connsMax, StreamsInbound: connsMax, StreamsOutbound: connsMax, Memory: memoryBytesMax},
			livenessProtocol: {Streams: connsMax, StreamsInbound: connsMax, StreamsOutbound: connsMax, Memory: memoryBytesMax},
			fileProtocol:     {Streams: connsMax, StreamsInbound: connsMax, StreamsOutbound: connsMax, Memory: memoryBytesMax},
		},
	}
	limiter := rcmgr.NewFixedLimiter(limits.Build(serviceLimits().Scale(memoryBytesMax, descriptorsMax)))
	return rcmgr.NewResourceManager(limiter,
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsNetworkMax}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsNetworkMax}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: []rate.PrefixLimit{
				{Prefix: netip.MustParsePrefix("127.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")}},
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: rate.Limit{RPS: connsPerSecond, Burst: connsBurst}}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: rate.Limit{RPS: connsPerSecond, Burst: connsBurst}}},
				GracePeriod:      connsRateKept,
			}}))
}

// serviceLimits are libp2p's limits and, within them, those of what it answers itself:
// identify, and as a relay.
func serviceLimits() *rcmgr.ScalingLimitConfig {
	l := rcmgr.DefaultLimits
	none := rcmgr.BaseLimitIncrease{}
	l.AddServiceLimit(identify.ServiceName, serviceLimit(identifyStreamsMax, identifyMemoryMax), none)
	l.AddServicePeerLimit(identify.ServiceName, serviceLimit(identifyPeerMax, identifyMemoryMax), none)
	for _, id := range []protocol.ID{identify.ID, identify.IDPush} {
		l.AddProtocolLimit(id, serviceLimit(identifyStreamsMax, identifyMemoryMax), none)
		l.AddProtocolPeerLimit(id, serviceLimit(identifyPeerMax, identifyMemoryMax), none)
	}
	l.AddServiceLimit(relay.ServiceName, serviceLimit(relayStreamsMax, relayMemoryMax), none)
	l.AddServicePeerLimit(relay.ServiceName, serviceLimit(relayPeerMax, relayMemoryMax), none)
	for _, id := range []protocol.ID{proto.ProtoIDv2Hop, proto.ProtoIDv2Stop} {
		l.AddProtocolLimit(id, serviceLimit(relayStreamsMax, relayMemoryMax), none)
		l.AddProtocolPeerLimit(id, serviceLimit(relayPeerMax, relayMemoryMax), none)
	}
	return &l
}

// serviceLimit is a limit of streams, all of which may go one way, and of memory in bytes.
func serviceLimit(streams int, memory int64) rcmgr.BaseLimit {
	return rcmgr.BaseLimit{Streams: streams, StreamsInbound: streams, StreamsOutbound: streams, Memory: memory}
}

// silenceLibp2p discards what libp2p would log: peer IDs and addresses. It must
// run before the first line; running again changes nothing. quic-go would write a
// hint about the size of socket buffers to stderr; a variable is its only switch.
func silenceLibp2p() {
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
}

// noAddresses is the list of addresses that identify shows to anybody.
func noAddresses([]ma.Multiaddr) []ma.Multiaddr { return nil }

// noNames resolves no name: multiaddrs are made from IP addresses only.
type noNames struct{}

var errNoNames = errors.New("p2p: names are not resolved")

func (noNames) ResolveDNSAddr(context.Context, peer.ID, ma.Multiaddr, int, int) ([]ma.Multiaddr, error) {
	return nil, errNoNames
}

func (noNames) ResolveDNSComponent(context.Context, ma.Multiaddr, int) ([]ma.Multiaddr, error) {
	return nil, errNoNames
}
