package p2p

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"pabal/node/egress"
	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	ma "github.com/multiformats/go-multiaddr"
)

// Host is one transport key on the network. Its methods may be called from any
// goroutine; none of them waits for the network, except Close.
type Host struct {
	key       identity.TransportKey
	log       *slog.Logger
	libp2p    host.Host
	relay     *relay.Relay
	resources network.ResourceManager
	swarm     *swarm.Swarm
	gater     *gater
	ids       *atomic.Uint64
	socks     *sockets
	listed    []wire.Address // what is listened on; fixed after Open

	events  chan Event    // eventsQueued; when full, readers of streams wait
	closing chan struct{} // closed when Close begins
	dialing chan struct{} // dialsRunning slots
	queued  atomic.Int64  // bytes in all send queues
	waiting atomic.Int64  // dials not finished

	serveFile  func(*FileStream) // nil: files are not served
	strangers  *strangers
	interfaces func() ([]netip.Prefix, error)
	lifetime   time.Duration // of strangers
	clocks     func() clocks

	mu      sync.Mutex
	closed  bool
	before  *Host          // that listened here until this one did; nil: none, or one that is long gone
	retired bool           // does not listen any more
	running sync.WaitGroup // every goroutine of the Host; added to under mu only
	links   map[network.Conn]*link
	conns   map[uint64]*conn
}

// Open makes a host and starts it. It listens when Open returns; the first event
// is Addresses. Errors wrap [ErrListen] when an address cannot be had.
func Open(c Config) (*Host, error) {
	ports, optional, err := c.listenPorts()
	if err != nil {
		return nil, err
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(c.Seed[:]))
	if err != nil {
		return nil, fmt.Errorf("transport key: %w", err)
	}
	h := &Host{
		key: c.Seed.Public(), log: c.Log, ids: c.Conns, interfaces: c.interfaces, clocks: c.clocks, serveFile: c.Files, lifetime: cmp.Or(c.lifetime, strangerLifetime),
		events: make(chan Event, eventsQueued), closing: make(chan struct{}), dialing: make(chan struct{}, dialsRunning),
		strangers: &strangers{byNetwork: map[netip.Prefix]int{}},
		links:     map[network.Conn]*link{}, conns: map[uint64]*conn{},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.ids == nil {
		h.ids = new(atomic.Uint64)
	}
	if s := c.Simulation; s != nil && h.interfaces == nil {
		h.interfaces = func() ([]netip.Prefix, error) { return s.Interfaces, nil }
	}
	if h.interfaces == nil {
		h.interfaces = machineInterfaces
	}
	if h.clocks == nil {
		h.clocks = machineClocks()
	}
	h.gater = &gater{lan: c.Profile == LAN, strangers: h.strangers, ledger: cmp.Or(c.Ledger, egress.New(nil)), dials: map[peer.ID]*dialGrant{}}
	if err := h.make(c, key); err != nil {
		return nil, fmt.Errorf("make host: %w", err)
	}
	h.swarm = h.libp2p.Network().(*swarm.Swarm)
	h.swarm.Notify(&network.NotifyBundle{ConnectedF: h.connected, DisconnectedF: h.disconnected})
	h.libp2p.SetStreamHandler(messageProtocol, h.accept)
	h.libp2p.SetStreamHandler(livenessProtocol, h.answerPings)
	h.libp2p.SetStreamHandler(fileProtocol, h.acceptFile)
	if err := h.start(c, key, ports, optional); err != nil {
		h.Close()
		return nil, err
	}
	h.spawn(h.watch)
	h.spawn(h.watchSockets)
	h.log.Info("network open", "addresses", len(h.listed))
	return h, nil
}

// make makes the host of libp2p, which does not listen yet, on sockets of its own or on
// those of the one before it.
func (h *Host) make(c Config, key crypto.PrivKey) error {
	if c.After != nil {
		h.socks, h.before = c.After.socks, c.After
		h.socks.share()
	} else {
		var options []quicreuse.Option
		if c.Simulation != nil {
			options = c.Simulation.Sockets
		}
		var err error
		if h.socks, err = newSockets(options); err != nil {
			return err
		}
	}
	var err error
	if h.libp2p, h.resources, err = newLibp2p(c, key, h.gater, h.socks.quic); err != nil {
		return errors.Join(err, h.socks.leave())
	}
	return nil
}

// start begins to listen, and what connections are made of and for.
func (h *Host) start(c Config, key crypto.PrivKey, ports []netip.AddrPort, optional bool) error {
	if err := h.startRelaying(key); err != nil {
		return fmt.Errorf("start relaying: %w", err)
	}
	if err := h.startPunching(); err != nil {
		return fmt.Errorf("start punching: %w", err)
	}
	if c.After != nil {
		c.After.retire()
	}
	h.socks.listenTo(h.resources)
	if err := h.listen(ports, optional, c.Simulation != nil); err != nil {
		return err
	}
	return h.socks.keep(h.swarm.ListenAddresses())
}

// retire has the host listen no longer. Its connections go on, and those that it makes.
func (h *Host) retire() {
	h.mu.Lock()
	h.retired, h.before = true, nil
	h.mu.Unlock()
	var direct []ma.Multiaddr
	for _, m := range h.swarm.ListenAddresses() {
		if _, ok := wireAddress(m); ok { // not what waits for circuits
			direct = append(direct, m)
		}
	}
	h.swarm.ListenClose(direct...)
}

// watchSockets reports when nobody can come in any more.
func (h *Host) watchSockets() {
	select {
	case <-h.closing:
		return
	case <-h.socks.deaf:
	}
	h.mu.Lock()
	retired := h.retired
	h.mu.Unlock()
	if !retired {
		h.emit(Deaf{}, nil)
	}
}

// end closes what libp2p has.
func (h *Host) end() error {
	var err error
	if h.relay != nil {
		err = h.relay.Close()
	}
	return errors.Join(err, h.libp2p.Close(), h.socks.leave())
}

// listen listens on every address for QUIC and for TCP.
func (h *Host) listen(ports []netip.AddrPort, optional, quicOnly bool) error {
	networks := []wire.Network{wire.QUIC, wire.TCP}
	if quicOnly {
		networks = networks[:1]
	}
	var err error
	for range listenAttempts {
		port, shared := freePort(), false
		var list []ma.Multiaddr
		for _, at := range ports {
			if at.Port() == 0 {
				at, shared = netip.AddrPortFrom(at.Addr(), port), true
			}
			for _, n := range networks {
				m, _ := listenMultiaddr(n, at)
				list = append(list, m)
			}
		}
		if err = h.listenAll(list, optional); err == nil || !shared {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrListen, err)
	}
	for _, m := range h.swarm.ListenAddresses() {
		if a, ok := wireAddress(m); ok {
			h.listed = append(h.listed, a)
		}
	}
	return nil
}

// listenAll listens on all of list or on nothing. If optional, IPv6 may be missing
// on this machine.
func (h *Host) listenAll(list []ma.Multiaddr, optional bool) error {
	var have []ma.Multiaddr
	for _, m := range list {
		err := h.swarm.AddListenAddr(m)
		if _, v4 := m.ValueForProtocol(ma.P_IP4); err != nil && optional && v4 != nil && !hasIPv6() {
			continue
		}
		if err != nil {
			h.swarm.ListenClose(have...)
			return err
		}
		have = append(have, m)
	}
	return nil
}

// freePort picks a port to try, outside the range that systems give out by
// themselves on most machines.
func freePort() uint16 {
	const low, high = 10000, 32000
	n, err := rand.Int(rand.Reader, big.NewInt(high-low))
	if err != nil {
		return low
	}
	return uint16(low + n.Int64())
}

// hasIPv6 reports whether an interface of this machine has an IPv6 address.
func hasIPv6() bool {
	list, err := machineInterfaces()
	if err != nil {
		return false
	}
	for _, p := range list {
		if p.Addr().Is6() {
			return true
		}
	}
	return false
}

// Key is the transport key of this host.
func (h *Host) Key() identity.TransportKey { return h.key }

// Events is where everything that happens is reported, in order. It holds
// eventsQueued events; when it is full, streams are not read. It is closed when
// Close has ended everything.
func (h *Host) Events() <-chan Event { return h.events }

// Send queues frames on a conn and returns at once; the bodies are copied. On an
// inbound conn they wait for Authenticate, and are never written without it. The
// error is [ErrNoConn], [ErrStranger] when too much waits so, or [ErrSlow] when the
// queue is over its bound, which ends the conn. Nil promises nothing: only an
// answer counts.
func (h *Host) Send(conn uint64, frames []Frame) error {
	c := h.find(conn)
	if c == nil {
		return ErrNoConn
	}
	return c.send(frames)
}

// Authenticate says that a conn belongs to somebody who may be answered: its
// limits as a stranger's are lifted, and those of its connection, and what Send
// was given is written. On a conn that is gone it does nothing.
func (h *Host) Authenticate(conn uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.conns[conn]
	if c == nil || c.authenticated.Load() || !c.authenticate() {
		return
	}
	h.trust(c.link)
	if c.inbound {
		h.spawnLocked(c.write)
	}
}

// SetActive says whether a conn is part of an open conversation. An active one is
// pinged when it is quiet, and closed with CodeTimeout when its path is dead; the
// others notice a dead path only after half a minute.
func (h *Host) SetActive(conn uint64, active bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.conns[conn]; c != nil {
		h.setActive(c, active)
	}
}

// Hangup ends a conn. What is queued is still sent, as far as that is done in
// lingerTimeout. Closed follows at once. To a stranger
// nothing is shown: his connection ends when it would have ended anyway.
func (h *Host) Hangup(conn uint64) {
	if c := h.find(conn); c != nil {
		c.hangup()
	}
}

// Clear is for the moment after a sleep or a change of network: it pings every
// connection at once, ends those that do not answer, and does not wait for them.
// Dial clears the back-off of its keys by itself.
func (h *Host) Clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.links {
		if !l.trusted {
			continue
		}
		h.spawnLocked(func() {
			if !l.ping() {
				h.breakLink(l, CodeTimeout)
			}
		})
	}
}

// Close ends every conn and returns when every goroutine is gone. The events
// channel is closed then; events not read are lost.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		h.running.Wait()
		return nil
	}
	h.closed = true
	close(h.closing)
	h.mu.Unlock()
	err := h.end()
	h.running.Wait()
	close(h.events)
	h.log.Info("network closed")
	return err
}

func (h *Host) find(id uint64) *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns[id]
}

// spawn runs f in a goroutine that Close waits for; false if Close has begun.
func (h *Host) spawn(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.spawnLocked(f)
}

func (h *Host) spawnLocked(f func()) bool {
	if h.closed {
		return false
	}
	h.running.Go(f)
	return true
}

// enter makes Close wait for a goroutine of libp2p, until running.Done.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.running.Add(1)
	return true
}

// emit hands an event on. It waits while the channel is full, and gives up when
// done is closed (nil: never) or the host closes.
func (h *Host) emit(e Event, done <-chan struct{}) bool {
	select {
	case h.events <- e:
		return true
	default:
	}
	select {
	case h.events <- e:
		return true
	case <-done:
		return false
	case <-h.closing:
		return false
	}
}

// accept is called by libp2p for each inbound message stream, in its goroutine.
func (h *Host) accept(s network.Stream) {
	c, ok := h.register(s, s, 0)
	if !ok {
		s.Reset()
		return
	}
	defer h.running.Done()
	c.setReadDeadline(c.born().Add(h.lifetime))
	c.read()
}

// register makes a conn of a stream. The caller runs it and calls running.Done.
func (h *Host) register(s network.Stream, pipe readWriter, dial uint64) (*conn, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.links[s.Conn()]
	if h.closed || l == nil {
		return nil, false
	}
	c := newConn(h, l, s, pipe)
	c.dial = dial
	if !c.inbound { // libp2p may have chosen a connection that the other side made
		h.trust(l)
	}
	h.conns[c.id] = c
	l.conns[c.id] = c
	h.running.Add(1)
	return c, true
}

// cancelWhenClosing cancels ctx when the host closes, and ends with ctx.
func (h *Host) cancelWhenClosing(ctx context.Context, cancel context.CancelFunc) {
	select {
	case <-ctx.Done():
	case <-h.closing:
		cancel()
	}
}
