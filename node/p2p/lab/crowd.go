package lab

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/netip"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"
)

const (
	// namedToAll is the protocol of messages: whoever connects is told its name.
	namedToAll protocol.ID = "/x/m/1"
	// visitorStreamsMax is how many streams one visitor opens, visitorStreamsKept how many
	// of them it holds at a time.
	visitorStreamsMax  = 1000
	visitorStreamsKept = 32
	visitorPause       = 200 * time.Millisecond // of one who is slow
	visitorFlood       = 64 << 10               // bytes of one who talks much
	letInAfter         = time.Second            // a connection that lasts so long was let in
)

// Manner is how a stranger behaves who was let in.
type Manner int

// The manners.
const (
	Silent      Manner = iota // connects and does nothing
	NoTag                     // opens a stream of messages and says nothing
	WrongTag                  // says a hello that is nobody's
	HalfHello                 // says half of one
	Slow                      // says a hello byte by byte
	Talkative                 // says much instead of a hello
	ManyStreams               // opens streams without end, each with a hello
	manners
)

// Manners is how many there are.
const Manners = int(manners)

// Visit is what became of a stranger.
type Visit struct {
	LetIn   bool // the connection was not ended at once
	Streams int  // opened
	Answers int  // bytes that it was told on streams of messages
}

// Crowd is strangers who come to a node: each has a key of its own, that nobody knows.
type Crowd struct{ sockets *quicreuse.ConnManager }

// NewCrowd makes a crowd. The caller must close it.
func NewCrowd() (*Crowd, error) {
	sockets, err := quicreuse.NewConnManager(randomKey(), randomKey())
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return &Crowd{sockets}, nil
}

// Close ends the crowd.
func (c *Crowd) Close() error { return c.sockets.Close() }

// Visit has one stranger come to a node by a network and stay until the node ends the
// connection, or ctx does. An error says that there was no connection at all.
func (c *Crowd) Visit(ctx context.Context, by wire.Network, at netip.AddrPort, node identity.TransportKey, manner Manner) (Visit, error) {
	connection, err := c.connect(ctx, by, at, node)
	if err != nil {
		return Visit{}, err
	}
	defer connection.Close()
	start := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	said := make(chan Visit, 1)
	go func() { said <- behave(ctx, connection, manner) }()
	ended := context.AfterFunc(ctx, func() { connection.Close() })
	for { // what the node asks of us is not answered
		s, err := connection.AcceptStream()
		if err != nil {
			break
		}
		s.Reset()
	}
	ended()
	cancel()
	connection.Close()
	v := <-said
	v.LetIn = time.Since(start) >= letInAfter
	return v, nil
}

// connect makes a connection with a new key.
func (c *Crowd) connect(ctx context.Context, by wire.Network, at netip.AddrPort, node identity.TransportKey) (transport.CapableConn, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	public, err := crypto.UnmarshalEd25519PublicKey(node[:])
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPublicKey(public)
	if err != nil {
		return nil, err
	}
	path, dialer := "/ip4/%s/udp/%d/quic-v1", c.overQUIC
	if by == wire.TCP {
		path, dialer = "/ip4/%s/tcp/%d", overTCP
	}
	t, err := dialer(key)
	if err != nil {
		return nil, err
	}
	to, err := ma.NewMultiaddr(fmt.Sprintf(path, at.Addr(), at.Port()))
	if err != nil {
		return nil, err
	}
	return t.Dial(ctx, to, id)
}

func (c *Crowd) overQUIC(key crypto.PrivKey) (transport.Transport, error) {
	return quic.NewTransport(key, c.sockets, nil, nil, &network.NullResourceManager{})
}

func overTCP(key crypto.PrivKey) (transport.Transport, error) {
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	secure, err := noise.New(noise.ID, key, muxers)
	if err != nil {
		return nil, err
	}
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, &network.NullResourceManager{}, nil)
	if err != nil {
		return nil, err
	}
	return tcp.NewTCPTransport(up, nil, nil, tcp.DisableReuseport())
}

// behave does what a stranger does on a connection, until it is done or ctx is.
func behave(ctx context.Context, connection transport.CapableConn, manner Manner) (v Visit) {
	if manner == Silent {
		return v
	}
	hello := wire.AppendFrame(nil, wire.TypeHello, randomBody(identity.HelloTagSize))
	if manner == ManyStreams {
		return manyStreams(ctx, connection, hello)
	}
	s, err := connection.OpenStream(ctx)
	if err != nil {
		return v
	}
	v.Streams = 1
	defer s.Reset()
	pipe := msmux.NewMSSelect(s, namedToAll)
	switch manner {
	case NoTag:
		hello = nil
	case HalfHello:
		hello = hello[:len(hello)/2]
	case Talkative:
		hello = wire.AppendFrame(nil, wire.TypeEnvelope, randomBody(visitorFlood))
	case Slow:
		for len(hello) > 1 {
			if _, err := pipe.Write(hello[:1]); err != nil || !waits(ctx, visitorPause) {
				return v
			}
			hello = hello[1:]
		}
	}
	if _, err := pipe.Write(hello); err != nil {
		return v
	}
	answer, _ := io.ReadAll(pipe) // until the node ends it
	v.Answers = len(answer)
	return v
}

// manyStreams opens one stream after the other, each with a hello, and holds the last ones.
func manyStreams(ctx context.Context, connection transport.CapableConn, hello []byte) (v Visit) {
	var held []network.MuxedStream
	defer func() {
		for _, s := range held {
			s.Reset()
		}
	}()
	for range visitorStreamsMax {
		s, err := connection.OpenStream(ctx)
		if err != nil {
			return v
		}
		v.Streams++
		if held = append(held, s); len(held) > visitorStreamsKept {
			held[0].Reset()
			held = held[1:]
		}
		if _, err := msmux.NewMSSelect(s, namedToAll).Write(hello); err != nil && ctx.Err() != nil {
			return v
		}
	}
	return v
}

func waits(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func randomKey() (k [32]byte) {
	rand.Read(k[:]) // never fails
	return k
}

func randomBody(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
