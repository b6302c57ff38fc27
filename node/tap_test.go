package node_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"

	"pabal/protocol/wire"
)

// tap is a relay on the path to one node. It carries UDP datagrams or a TCP
// stream between whoever comes to it and the node, and keeps every byte: it is
// what an observer of the line has.
type tap struct {
	t       testing.TB
	target  netip.AddrPort
	udp     *net.UDPConn
	tcp     *net.TCPListener
	running sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	closers   []io.Closer
	datagrams [][]byte
	streams   []*bytes.Buffer // each direction of each connection
}

// tapped starts a tap of one network at a port of loopback.
func tapped(t testing.TB, network wire.Network, at, target uint16) *tap {
	t.Helper()
	p := &tap{t: t, target: loopbackPort(target)}
	var err error
	if network == wire.QUIC {
		p.udp, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopbackPort(at)))
		p.closers = append(p.closers, p.udp)
	} else {
		p.tcp, err = net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(loopbackPort(at)))
		p.closers = append(p.closers, p.tcp)
	}
	if err != nil {
		t.Fatal(err)
	}
	if network == wire.QUIC {
		p.running.Go(p.relayDatagrams)
	} else {
		p.running.Go(p.relayStreams)
	}
	t.Cleanup(p.close)
	return p
}

// close ends the tap and everything it carries.
func (p *tap) close() {
	p.mu.Lock()
	p.closed = true
	closers := p.closers
	p.mu.Unlock()
	for _, c := range closers {
		c.Close()
	}
	p.running.Wait()
}

// keep has something closed at the end; false if that has come.
func (p *tap) keep(c io.Closer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return false
	}
	p.closers = append(p.closers, c)
	return true
}

func (p *tap) relayDatagrams() {
	upstreams := map[netip.AddrPort]*net.UDPConn{} // by who came
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := p.udp.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		p.record(buffer[:n])
		up := upstreams[from]
		if up == nil {
			if up, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(p.target)); err != nil || !p.keep(up) {
				return
			}
			upstreams[from] = up
			p.running.Go(func() { p.answerDatagrams(up, from) })
		}
		up.Write(buffer[:n]) // a datagram may be lost: the node may be off
	}
}

func (p *tap) answerDatagrams(up *net.UDPConn, to netip.AddrPort) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := up.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the node was off and the kernel says so
		}
		p.record(buffer[:n])
		p.udp.WriteToUDPAddrPort(buffer[:n], to)
	}
}

func (p *tap) record(datagram []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.datagrams = append(p.datagrams, bytes.Clone(datagram))
}

func (p *tap) relayStreams() {
	for {
		down, err := p.tcp.AcceptTCP()
		if err != nil {
			return
		}
		up, err := net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(p.target))
		if err != nil {
			down.Close()
			continue
		}
		if !p.keep(down) || !p.keep(up) {
			return
		}
		p.running.Go(func() { p.relayStream(down, up) })
		p.running.Go(func() { p.relayStream(up, down) })
	}
}

func (p *tap) relayStream(from, to *net.TCPConn) {
	seen := new(bytes.Buffer)
	p.mu.Lock()
	p.streams = append(p.streams, seen)
	p.mu.Unlock()
	buffer := make([]byte, 1<<14)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		seen.Write(buffer[:n])
		p.mu.Unlock()
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			from.Close()
			to.Close()
			return
		}
	}
}

// captured returns what was seen: datagrams one by one, streams whole. It may
// be called when the tap is closed.
func (p *tap) captured() (blobs [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	blobs = append(blobs, p.datagrams...)
	for _, s := range p.streams {
		blobs = append(blobs, s.Bytes())
	}
	return blobs
}

// size returns how many bytes were seen until now.
func (p *tap) size() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.datagrams {
		n += len(d)
	}
	for _, s := range p.streams {
		n += s.Len()
	}
	return n
}

// loopbackPort is a port at an address of this machine that only this process uses:
// no other test, and no daemon of one, can take the port.
func loopbackPort(port uint16) netip.AddrPort { return netip.AddrPortFrom(ownLoopback(1), port) }

// ownLoopback returns an address of loopback with the process in it.
func ownLoopback(net byte) netip.Addr {
	if runtime.GOOS != "linux" { // elsewhere there is one address
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	pid := os.Getpid()
	return netip.AddrFrom4([4]byte{127, net<<6 | byte(pid>>16)&0x3f, byte(pid >> 8), byte(pid)})
}

// freePort finds a port that is free for UDP and for TCP, outside the range from
// which systems give out ports by themselves. No other call finds it before the
// test ends.
func freePort(t testing.TB) uint16 {
	t.Helper()
	for range 100 {
		port := uint16(10000 + rand.IntN(22000))
		mark, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(ownLoopback(2), port)))
		if err != nil {
			continue
		}
		if runtime.GOOS == "linux" {
			t.Cleanup(func() { mark.Close() })
		} else {
			mark.Close()
		}
		if isFree(loopbackPort(port)) {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func isFree(at netip.AddrPort) bool {
	udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return false
	}
	defer udp.Close()
	tcp, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return false
	}
	return tcp.Close() == nil
}
