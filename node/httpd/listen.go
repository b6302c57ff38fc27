package httpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"pabal/node/api"
)

// transport tells the two listeners apart.
type transport int

const (
	overTCP transport = iota
	overUnix
)

// String returns the name that api.Constraints uses.
func (t transport) String() string {
	if t == overUnix {
		return api.TransportUnix
	}
	return api.TransportTCP
}

// socketPathMax is what a sun_path holds on every system that we build for.
const socketPathMax = 103

// listenUnix opens the socket in a directory that only we may enter. A socket
// that a killed daemon left behind is replaced: the profile's lock, which the
// caller holds, says that nobody serves it.
func listenUnix(dir string) (net.Listener, string, error) {
	if err := ownDirectory(dir); err != nil {
		return nil, "", err
	}
	path := SocketPath(dir)
	if len(path) > socketPathMax {
		return nil, "", fmt.Errorf("open socket: the path has %d bytes, the system allows %d", len(path), socketPathMax)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != os.ModeSocket {
			return nil, "", errors.New("open socket: something else has its name")
		}
		if err := os.Remove(path); err != nil {
			return nil, "", fmt.Errorf("open socket: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, "", fmt.Errorf("open socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, "", fmt.Errorf("open socket: %w", err)
	}
	return newBoundedListener(&ownListener{l}, connsMax), path, nil
}

// ownDirectory makes dir, or checks that nobody else can enter or change it.
func ownDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("make runtime directory: %w", err)
	}
	if !info.IsDir() || !ownedByUs(info) {
		return errors.New("make runtime directory: it belongs to someone else")
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("make runtime directory: %w", err)
		}
	}
	return nil
}

// listenTCP opens a fresh port on loopback: a port that was ours in an earlier
// run may since have been someone else's, with what they left in the browser.
func listenTCP() (net.Listener, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open loopback port: %w", err)
	}
	return newBoundedListener(l, connsMax), nil
}

// ownListener drops connections of other users' processes without an answer.
type ownListener struct{ net.Listener }

func (l *ownListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if peerIsUs(conn) {
			return conn, nil
		}
		conn.Close()
	}
}

// boundedListener keeps at most so many connections open. A further one takes the place of the
// oldest that nobody has been served on, or that rests: who opens many connections and says nothing
// keeps nobody out. While every one is being served, a further one waits.
type boundedListener struct {
	net.Listener
	most int

	mu     sync.Mutex // guards what follows
	change sync.Cond  // on mu: a place may be free, or the listener is closed
	open   map[*boundedConn]struct{}
	order  uint64 // of the last connection that came, or came to rest
	closed bool
}

func newBoundedListener(l net.Listener, most int) *boundedListener {
	b := &boundedListener{Listener: l, most: most, open: make(map[*boundedConn]struct{})}
	b.change.L = &b.mu
	return b
}

func (l *boundedListener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &boundedConn{Conn: inner, listener: l}
	loser, err := l.admit(conn)
	if loser != nil {
		loser.Close()
	}
	if err != nil {
		inner.Close()
		return nil, err
	}
	return conn, nil
}

// admit gives a connection a place, and returns the one that has lost its own for it.
func (l *boundedListener) admit(conn *boundedConn) (loser *boundedConn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.open) >= l.most {
		if loser = l.oldest(); loser != nil {
			delete(l.open, loser)
			break
		}
		l.change.Wait()
	}
	if l.closed {
		return loser, net.ErrClosed
	}
	l.open[conn] = struct{}{}
	l.touch(conn)
	return loser, nil
}

// oldest returns the connection that is not served for longest; nil = all are served.
func (l *boundedListener) oldest() (found *boundedConn) {
	for c := range l.open {
		if c.served == 0 && (found == nil || c.since < found.since) {
			found = c
		}
	}
	return found
}

func (l *boundedListener) touch(c *boundedConn) {
	l.order++
	c.since = l.order
}

func (l *boundedListener) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.change.Broadcast()
	return l.Listener.Close()
}

// boundedConn is a connection of a boundedListener, which guards all but Conn.
type boundedConn struct {
	net.Conn
	listener *boundedListener
	served   int // requests of somebody known that are under way
	since    uint64
}

// serve notes that a request is served, and returns what to call when it is no more.
func (c *boundedConn) serve() (end func()) {
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	c.served++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if c.served--; c.served == 0 {
			l.touch(c)
			l.change.Signal()
		}
	}
}

func (c *boundedConn) Close() error {
	l := c.listener
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
	l.change.Signal()
	return c.Conn.Close()
}

// CloseWrite lets net/http end a connection whose request it has not read to the
// end, without the client losing the answer.
func (c *boundedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// withConn has requests know the connection that they come by.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// serving notes that a request of somebody known is served on its connection, which keeps its place
// until end is called.
func serving(ctx context.Context) (end func()) {
	if conn, ok := ctx.Value(connKey{}).(*boundedConn); ok {
		return conn.serve()
	}
	return func() {}
}

type transportKey struct{}

func withTransport(ctx context.Context, t transport) context.Context {
	return context.WithValue(ctx, transportKey{}, t)
}

// transportOf returns how a request came. Without a mark it counts as TCP,
// where nothing is trusted.
func transportOf(ctx context.Context) transport {
	t, ok := ctx.Value(transportKey{}).(transport)
	if !ok {
		return overTCP
	}
	return t
}
