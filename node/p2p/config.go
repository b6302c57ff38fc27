package p2p

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"pabal/node/egress"
	"pabal/protocol/identity"

	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
)

// Profile is what kind of place a host lives in.
type Profile int

const (
	// Laptop is a machine that roams: it dials whatever the core asks for and
	// accepts anybody as a stranger.
	Laptop Profile = iota
	// LAN is a machine that talks to private and loopback addresses only.
	LAN
)

// Config says how a host is made. The zero value of each field but Seed works.
type Config struct {
	// Profile is the kind of place; Laptop by default.
	Profile Profile
	// Seed makes the transport key. It must be secret and used by one host only.
	Seed identity.TransportSeed
	// Listen names the addresses to listen on, each "ip:port" ("0.0.0.0:4001",
	// "[::1]:0"), for QUIC and for TCP. Port 0 means any port that is free for
	// both, and then all addresses with port 0 share one port. Empty means every
	// address of every interface; a machine without IPv6 is no error then.
	Listen []string
	// After is the host under the key that was ours before. It listens no longer when this
	// one does, in its place if the addresses are the same; its connections go on until it
	// is closed. Nil means none.
	After *Host
	// Conns numbers the conns; hosts of one process that live at the same time
	// share it so that no number is used twice. Nil means one of its own.
	Conns *atomic.Uint64
	// Ledger records every address that is dialled, and why. Nil means one of its own.
	Ledger *egress.Ledger
	// Files serves a stream that a contact has opened for a file, and returns when it is
	// done with it: Close waits for that, and ends the stream. Nil means that no files go.
	Files func(*FileStream)
	// Log gets lifecycle lines without keys or addresses. Nil discards them.
	Log *slog.Logger

	// Simulation takes the place of the machine's network, for tests with a
	// simulated clock. Nil means the machine's.
	Simulation *Simulation

	// Set by tests of this package only.
	interfaces func() ([]netip.Prefix, error) // in place of the machine's own
	lifetime   time.Duration                  // in place of strangerLifetime
	clocks     func() clocks                  // in place of the machine's own
}

// Simulation is a network in memory: QUIC only, and without limits of connections.
// A Place of package lab has what belongs in it.
type Simulation struct {
	Sockets    []quicreuse.Option // replaces the sockets
	Interfaces []netip.Prefix     // replaces the interfaces of the machine
}

// ErrListen says that an address that was asked for could not be listened on.
var ErrListen = errors.New("p2p: cannot listen")

// everywhere is what an empty Listen means.
var everywhere = [...]string{"0.0.0.0:0", "[::]:0"}

// listenPorts parses Listen. optional says that the list is the default one, of
// which an address family may be missing.
func (c Config) listenPorts() (list []netip.AddrPort, optional bool, err error) {
	texts := c.Listen
	if optional = len(texts) == 0; optional {
		texts = everywhere[:]
	}
	for _, text := range texts {
		at, err := netip.ParseAddrPort(text)
		if err != nil || at.Addr().Zone() != "" || at.Addr().Is4In6() {
			return nil, false, fmt.Errorf("%w: %q is not an address with a port", ErrListen, text)
		}
		list = append(list, at)
	}
	return list, optional, nil
}
