package lab

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
)

const (
	// OneWay is how long a packet is under way in a [World].
	OneWay = 20 * time.Millisecond
	// worldPort is the port that every host of a World listens on.
	worldPort = 8000
	// worldBitsPerSecond is the rate of each host's link, up and down.
	worldBitsPerSecond = 50_000_000
	// holeOpen is how long a firewall lets in what comes from where something went.
	holeOpen = 3 * time.Minute
	// lost is a delay that no test waits for.
	lost = 100_000 * time.Hour
)

// World is a simulated internet for real libp2p hosts: QUIC only, each host at a
// public address of its own, every two of them OneWay apart. It runs inside
// testing/synctest, where an hour takes a moment. Its methods may be called from
// any goroutine of the bubble.
//
//	world := lab.NewWorld()
//	place := world.Join(1)   // as often as there are hosts
//	world.Start()
//	defer world.Close()      // after the hosts are closed
type World struct {
	net  *simnet.Simnet
	link simnet.NodeBiDiLinkSettings

	mu  sync.Mutex
	cut map[netip.Addr]bool // hosts that hear nobody
	all bool                // everybody is cut off

	walls map[netip.Addr]bool             // hosts behind a firewall
	apart map[[2]netip.Addr]bool          // hosts of which one never hears the other
	went  map[[2]netip.AddrPort]time.Time // when something last went from one to the other
}

// Place is where one host of a World lives.
type Place struct {
	Sockets    []quicreuse.Option // in place of the machine's network; for hosts that share their sockets
	Network    libp2p.Option      // the same for one host that is none of ours
	Interfaces []netip.Prefix     // what the host sees of its surroundings
	Listen     string             // "ip:port", the only address of the place
}

// NewWorld makes a world in which nobody is cut off.
func NewWorld() *World {
	rate := simnet.LinkSettings{BitsPerSecond: worldBitsPerSecond}
	w := &World{link: simnet.NodeBiDiLinkSettings{Downlink: rate, Uplink: rate}, cut: map[netip.Addr]bool{},
		walls: map[netip.Addr]bool{}, apart: map[[2]netip.Addr]bool{}, went: map[[2]netip.AddrPort]time.Time{}}
	w.net = &simnet.Simnet{LatencyFunc: w.delay}
	return w
}

// Join gives host number n a place. A host that comes back joins again.
func (w *World) Join(n byte) Place {
	ip := worldAddress(n)
	return Place{
		Sockets: []quicreuse.Option{
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return onlyPlace(ip), nil }),
			quicreuse.OverrideListenUDP(func(_ string, at *net.UDPAddr) (net.PacketConn, error) { return w.net.NewEndpoint(at, w.link), nil }),
		},
		Network:    simlibp2p.QUICSimnet(w.net, w.link),
		Interfaces: []netip.Prefix{netip.PrefixFrom(ip, 8)},
		Listen:     netip.AddrPortFrom(ip, worldPort).String(),
	}
}

// onlyPlace is the one address that packets leave from.
type onlyPlace netip.Addr

func (p onlyPlace) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return netip.Addr(p).AsSlice(), nil
}

// Start lets packets flow. The first hosts must have joined and listen.
func (w *World) Start() { w.net.Start() }

// Close ends the world.
func (w *World) Close() { w.net.Close() }

// CutAll loses every packet from now on, or no longer.
func (w *World) CutAll(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = cut
}

// Cut loses every packet from and to host number n from now on, or no longer.
func (w *World) Cut(n byte, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[worldAddress(n)] = cut
}

// Firewall puts host number n behind a firewall: only what answers comes in.
func (w *World) Firewall(n byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.walls[worldAddress(n)] = true
}

// Part loses every packet between hosts number a and b from now on.
func (w *World) Part(a, b byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.apart[[2]netip.Addr{worldAddress(a), worldAddress(b)}] = true
	w.apart[[2]netip.Addr{worldAddress(b), worldAddress(a)}] = true
}

// delay is how long a packet takes. Packets under way arrive even if their sender
// is cut off in the meantime.
func (w *World) delay(p *simnet.Packet) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	from, to := placeOf(p.From), placeOf(p.To)
	if w.all || w.cut[from.Addr()] || w.cut[to.Addr()] || w.apart[[2]netip.Addr{from.Addr(), to.Addr()}] {
		return lost
	}
	now := time.Now()
	w.went[[2]netip.AddrPort{from, to}] = now
	if answers, ok := w.went[[2]netip.AddrPort{to, from}]; w.walls[to.Addr()] && (!ok || now.Sub(answers) > holeOpen) {
		return lost
	}
	return OneWay
}

func placeOf(at fmt.Stringer) netip.AddrPort {
	ap, err := netip.ParseAddrPort(at.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// worldAddress is a public address: libp2p treats private ones differently.
func worldAddress(n byte) netip.Addr { return netip.AddrFrom4([4]byte{1, 0, 0, n}) }
