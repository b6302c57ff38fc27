package p2p

import (
	"errors"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// parts are what a host of libp2p is put together of. What every host of ours has in common
// is in assemble. libp2p.New would do, but it links every transport and service that libp2p
// has, WebRTC among them: a third more program, all of it reachable, none of it used.
type parts struct {
	key       crypto.PrivKey
	peers     peerstore.Peerstore
	gater     connmgr.ConnectionGater
	resources network.ResourceManager
	sockets   *quicreuse.ConnManager // of QUIC; the caller closes them after the host
	tcp, tls  bool                   // TCP beside QUIC; TLS beside Noise on it
}

// assemble makes a host that does not listen yet. It owns the peers and the resources of the
// parts, also when it fails.
func (p parts) assemble() (_ host.Host, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, p.peers.Close(), p.resources.Close())
		}
	}()
	id, err := peer.IDFromPrivateKey(p.key)
	if err != nil {
		return nil, err
	}
	err = errors.Join(p.peers.AddPrivKey(id, p.key), p.peers.AddPubKey(id, p.key.GetPublic()))
	if err != nil {
		return nil, err
	}
	bus := eventbus.NewBus()
	net, err := swarm.NewSwarm(id, p.peers, bus,
		swarm.WithConnectionGater(p.gater), swarm.WithResourceManager(p.resources), swarm.WithMultiaddrResolver(noNames{}),
		swarm.WithUDPBlackHoleSuccessCounter(nil), swarm.WithIPv6BlackHoleSuccessCounter(nil),
		swarm.WithDialTimeout(dialTimeout), swarm.WithDialTimeoutLocal(dialTimeout))
	if err != nil {
		return nil, err
	}
	h, err := p.hostOf(net, &basichost.HostOpts{
		EventBus: bus, ConnManager: connmgr.NullConnMgr{}, AddrsFactory: noAddresses, UserAgent: agentName,
	})
	if err != nil {
		return nil, errors.Join(err, net.Close())
	}
	h.Start()
	return h, nil
}

// hostOf gives a swarm its transports, and makes its host.
func (p parts) hostOf(net *swarm.Swarm, options *basichost.HostOpts) (*basichost.BasicHost, error) {
	overQUIC, err := quic.NewTransport(p.key, p.sockets, nil, p.gater, p.resources)
	if err != nil {
		return nil, err
	}
	transports := []transport.Transport{overQUIC}
	if p.tcp {
		up, err := p.upgrader()
		if err != nil {
			return nil, err
		}
		overTCP, err := tcp.NewTCPTransport(up, p.resources, nil, tcp.DisableReuseport())
		if err != nil {
			return nil, err
		}
		transports = append(transports, overTCP)
	}
	for _, t := range transports {
		if err := net.AddTransport(t); err != nil {
			return nil, err
		}
	}
	return basichost.NewHost(net, options)
}

// upgrader makes what turns a stream of bytes into a connection: Noise and, if wanted, TLS,
// with yamux in it.
func (p parts) upgrader() (transport.Upgrader, error) {
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	withNoise, err := noise.New(noise.ID, p.key, muxers)
	if err != nil {
		return nil, err
	}
	secure := []sec.SecureTransport{withNoise}
	if p.tls {
		withTLS, err := libp2ptls.New(libp2ptls.ID, p.key, muxers)
		if err != nil {
			return nil, err
		}
		secure = append(secure, withTLS)
	}
	return upgrader.New(secure, muxers, nil, p.resources, p.gater)
}
