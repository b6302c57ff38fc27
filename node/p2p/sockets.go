package p2p

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// sockets are the UDP sockets of a host, and of the one that follows it under another key:
// that one listens at the same port while the connections of the first go on. QUIC knows by
// its connection ids whose a packet is. TCP needs nothing of the kind: there a connection has
// a socket of its own.
type sockets struct {
	quic      *quicreuse.ConnManager
	resources atomic.Pointer[network.ResourceManager] // of the host that listens
	deaf      chan struct{}                           // closed when a socket takes no connections any more

	mu     sync.Mutex // guards what follows
	users  int
	closed bool
	kept   map[string]quicreuse.Listener // by the address; each keeps a socket open, whoever listens
	ended  sync.WaitGroup                // goroutines that watch them
	silent sync.Once
}

// errNobody ends the handshake of whoever asks for what nobody speaks.
var errNobody = errors.New("p2p: nobody speaks that")

// newSockets makes sockets with one user. None is opened before somebody listens.
func newSockets(options []quicreuse.Option) (*sockets, error) {
	s := &sockets{deaf: make(chan struct{}), users: 1, kept: map[string]quicreuse.Listener{}}
	var reset quic.StatelessResetKey // not made of a transport key: these change
	var token quic.TokenGeneratorKey
	rand.Read(reset[:]) // never fails
	rand.Read(token[:])
	options = append(options[:len(options):len(options)], quicreuse.ConnContext(s.admit), quicreuse.VerifySourceAddress(func(from net.Addr) bool {
		return (*s.resources.Load()).VerifySourceAddress(from)
	}))
	var err error
	s.quic, err = quicreuse.NewConnManager(reset, token, options...)
	return s, err
}

// admit asks the resource manager of the host that listens for room for a connection,
// before its handshake, as libp2p does for a host that shares nothing.
func (s *sockets) admit(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
	from, err := quicreuse.ToQuicMultiaddr(client.RemoteAddr, quic.Version1)
	if err != nil {
		from = nil
	}
	scope, err := (*s.resources.Load()).OpenConnection(network.DirInbound, false, from)
	if err != nil {
		return ctx, err
	}
	ctx = network.WithConnManagementScope(ctx, scope)
	context.AfterFunc(ctx, scope.Done)
	return ctx, nil
}

// share adds a user.
func (s *sockets) share() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
}

// listenTo says whose limits count for connections that come in from now on.
func (s *sockets) listenTo(resources network.ResourceManager) { s.resources.Store(&resources) }

// keep has the sockets of these addresses stay open when their listener goes, so that the
// next one finds them: each gets a listener for a protocol that nobody can ask for.
func (s *sockets) keep(addresses []ma.Multiaddr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range addresses {
		if _, err := at.ValueForProtocol(ma.P_QUIC_V1); err != nil || s.closed || s.kept[at.String()] != nil {
			continue
		}
		nobody := &tls.Config{
			NextProtos:         []string{rand.Text()},
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errNobody },
		}
		l, err := s.quic.ListenQUIC(at, nobody, func(*quic.Conn, uint64) bool { return false })
		if err != nil {
			return fmt.Errorf("keep a socket: %w", err)
		}
		s.kept[at.String()] = l
		s.ended.Go(func() { s.watch(l) })
	}
	return nil
}

// watch notices when a socket takes no connections any more. That happens if a handshake
// ends just between two listeners: quicreuse gives up the socket then.
func (s *sockets) watch(l quicreuse.Listener) {
	for {
		c, err := l.Accept(context.Background())
		if err != nil {
			break
		}
		c.CloseWithError(0, "")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.silent.Do(func() { close(s.deaf) })
	}
}

// leave takes a user away. With the last one the sockets are closed.
func (s *sockets) leave() error {
	s.mu.Lock()
	s.users--
	last := s.users == 0
	s.closed = s.closed || last
	s.mu.Unlock()
	if !last {
		return nil
	}
	var errs []error
	for _, l := range s.kept { // nobody adds one any more
		errs = append(errs, l.Close())
	}
	s.ended.Wait()
	return errors.Join(append(errs, s.quic.Close())...)
}
