package lan

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"pabal/node/egress"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// Config says how beacons are carried. The zero value works.
type Config struct {
	// Ledger records where beacons go. Nil means one of its own.
	Ledger *egress.Ledger
	// Look finds the networks; nil means [Look].
	Look func() ([]Network, error)
	// Log gets lifecycle lines without addresses. Nil discards them.
	Log *slog.Logger
}

// Event is [Changed] or [Heard].
type Event interface{ event() }

type (
	// Changed tells the networks that we are in. It comes first of all, and again
	// after each change.
	Changed struct{ Networks []Network }
	// Heard is a datagram of a beacon's size, whoever sent it.
	Heard struct {
		From     netip.Addr
		Datagram []byte
	}
)

func (Changed) event() {}
func (Heard) event()   {}

// Errors of Send. Nothing was sent then.
var (
	// ErrElsewhere says that we are not in that network under that address any more.
	ErrElsewhere = errors.New("lan: not in that network")
)

// LAN carries beacons. Its methods may be called from any goroutine.
type LAN struct {
	ledger *egress.Ledger
	look   func() ([]Network, error)
	log    *slog.Logger

	events  chan Event    // eventsQueued
	closing chan struct{} // closed when Close begins
	running sync.WaitGroup

	mu     sync.Mutex // guards what follows
	closed bool
	ears   map[ear]*net.UDPConn
}

// ear is a group that is listened to on an interface.
type ear struct {
	index int
	v6    bool
}

// Open begins to look at the networks. Nothing is sent and no group is joined.
func Open(c Config) *LAN {
	l := &LAN{
		ledger: c.Ledger, look: c.Look, log: c.Log, events: make(chan Event, eventsQueued), closing: make(chan struct{}),
		ears: make(map[ear]*net.UDPConn),
	}
	if l.ledger == nil {
		l.ledger = egress.New(nil)
	}
	if l.look == nil {
		l.look = Look
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.running.Go(l.watch)
	return l
}

// Events is where everything is reported. It is closed when Close has ended everything.
func (l *LAN) Events() <-chan Event { return l.events }

// Look looks at the networks now, whatever was told last.
func (l *LAN) Look() ([]Network, error) { return l.look() }

// watch reports changes of the networks.
func (l *LAN) watch() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	var reported []Network
	for first := true; ; first = false {
		now, err := l.look()
		if err != nil {
			l.log.Debug("networks not read", "error", err)
			now = nil // what is not known is not trusted
		}
		if first || !same(now, reported) {
			select {
			case l.events <- Changed{Networks: now}:
			case <-l.closing:
				return
			}
			reported = now
		}
		select {
		case <-l.closing:
			return
		case <-ticker.C:
		}
	}
}

// Listen has the groups listened to on the interfaces of these networks, and on no
// others. What cannot be joined is left out: others may still hear us.
func (l *LAN) Listen(on []Network) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted := map[ear]Network{}
	for _, n := range on {
		for _, a := range n.Addresses {
			wanted[ear{n.Index, a.Is6()}] = n
		}
	}
	for e, conn := range l.ears {
		if _, still := wanted[e]; !still {
			conn.Close()
			delete(l.ears, e)
		}
	}
	for e, n := range wanted {
		if l.closed || l.ears[e] != nil {
			continue
		}
		conn, err := join(e, n.Interface)
		if err != nil {
			l.log.Warn("beacons are not heard", "error", err)
			continue
		}
		l.ears[e] = conn
		l.running.Go(func() { l.hear(conn) })
	}
}

// group returns where beacons go of a family.
func group(v6 bool) (network string, at netip.AddrPort) {
	four, six := rendezvous.BeaconGroups()
	if v6 {
		return "udp6", netip.AddrPortFrom(six, rendezvous.BeaconPort)
	}
	return "udp4", netip.AddrPortFrom(four, rendezvous.BeaconPort)
}

func join(e ear, name string) (*net.UDPConn, error) {
	network, at := group(e.v6)
	return net.ListenMulticastUDP(network, &net.Interface{Index: e.index, Name: name}, net.UDPAddrFromAddrPort(at))
}

// hear reports what comes in by a socket, until it is closed. Another size than a
// beacon's, and what comes while nobody takes it, is dropped.
func (l *LAN) hear(conn *net.UDPConn) {
	buffer := make([]byte, wire.BeaconSize+1)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			select {
			case <-l.closing:
				return
			case <-time.After(readPause):
			}
			continue
		case n != wire.BeaconSize:
			continue
		}
		select {
		case l.events <- Heard{From: from.Addr().Unmap().WithZone(""), Datagram: slices.Clone(buffer[:n])}:
		default:
		}
	}
}

// Send sends a datagram to everybody on a network from our address there, if we are still
// in that network: it is looked at again. It is entered in the ledger. Errors wrap
// ErrElsewhere, or are those of the system.
func (l *LAN) Send(network ID, from netip.Addr, datagram []byte) error {
	now, err := l.look()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(now, func(n Network) bool { return n.ID == network && slices.Contains(n.Addresses, from) })
	if i < 0 {
		return ErrElsewhere
	}
	udp, to := group(from.Is6())
	if err := l.ledger.Enter(egress.Multicast, to, egress.Reason{Rung: egress.Beacon}); err != nil {
		return err
	}
	// Bound to the address, the datagram leaves by its interface; the port is a new one.
	conn, err := net.ListenUDP(udp, &net.UDPAddr{IP: from.AsSlice()})
	if err != nil {
		return fmt.Errorf("send a beacon: %w", err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	if from.Is6() {
		to = netip.AddrPortFrom(to.Addr().WithZone(now[i].Interface), to.Port())
	}
	_, err = conn.WriteToUDPAddrPort(datagram, to)
	return err
}

// Close leaves all groups and returns when every goroutine is gone.
func (l *LAN) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.running.Wait()
		return nil
	}
	l.closed = true
	close(l.closing)
	for e, conn := range l.ears {
		conn.Close()
		delete(l.ears, e)
	}
	l.mu.Unlock()
	l.running.Wait()
	close(l.events)
	return nil
}
