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
	return &boundedListener{Listener: &ownListener{l}, slots: make(chan struct{}, connsMax), closed: make(chan struct{})}, path, nil
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
	return &boundedListener{Listener: l, slots: make(chan struct{}, connsMax), closed: make(chan struct{})}, nil
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

// boundedListener accepts while fewer than cap(slots) connections are open;
// more wait in the system's queue.
type boundedListener struct {
	net.Listener
	slots  chan struct{} // one token an open connection
	closed chan struct{}
	once   sync.Once
}

func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &boundedConn{Conn: conn, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	release func()
}

func (c *boundedConn) Close() error {
	defer c.release()
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
