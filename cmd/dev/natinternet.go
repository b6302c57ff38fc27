package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	packetBytesMax  = 1 << 16
	packetsUnderWay = 4096 // to one address; what is above is lost
)

// flow is what goes from one address to another.
type flow struct {
	from, to netip.Addr
	by       string // udp, tcp, or empty
}

// internet carries packets of IPv4 between a few addresses, each a fixed time after it was
// sent, and counts them. What is for nobody is lost.
type internet struct {
	delay time.Duration
	lines map[netip.Addr]line // fixed before run

	mu   sync.Mutex // guards sent
	sent map[flow]uint64
}

// line is an address and what connects it; a Read or Write is one packet.
type line struct {
	device io.ReadWriteCloser
	queue  chan parcel // to the device; full: the packet is lost
}

// parcel is a packet under way.
type parcel struct {
	packet []byte
	due    time.Time
}

func newInternet(delay time.Duration) *internet {
	return &internet{delay: delay, lines: map[netip.Addr]line{}, sent: map[flow]uint64{}}
}

// connect adds an address. The internet closes the device when it ends.
func (n *internet) connect(at netip.Addr, device io.ReadWriteCloser) {
	n.lines[at] = line{device: device, queue: make(chan parcel, packetsUnderWay)}
}

// run carries packets until ctx is done or a device fails, and closes all devices.
func (n *internet) run(ctx context.Context) error {
	group, working := errgroup.WithContext(ctx)
	for at, l := range n.lines {
		group.Go(func() error { return lineError(working, at, n.collect(l)) })
		group.Go(func() error { return lineError(working, at, n.hand(working, l)) })
	}
	group.Go(func() error {
		<-working.Done()
		for _, l := range n.lines {
			l.device.Close()
		}
		return nil
	})
	return group.Wait()
}

// lineError is the error of a device that was not closed by us.
func lineError(ctx context.Context, at netip.Addr, err error) error {
	if ctx.Err() != nil || err == nil {
		return nil
	}
	return fmt.Errorf("the line of %v: %w", at, err)
}

// collect takes packets from a device.
func (n *internet) collect(l line) error {
	buffer := make([]byte, packetBytesMax)
	for {
		size, err := l.device.Read(buffer)
		if err != nil {
			return err
		}
		f, ok := flowOf(buffer[:size])
		if !ok {
			continue
		}
		n.mu.Lock()
		n.sent[f] += uint64(size)
		n.mu.Unlock()
		select {
		case n.lines[f.to].queue <- parcel{append([]byte(nil), buffer[:size]...), time.Now().Add(n.delay)}:
		default: // for nobody, or too much
		}
	}
}

// hand gives packets to a device when they are due: the order is that of their sending.
func (n *internet) hand(ctx context.Context, l line) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-l.queue:
			if !pause(ctx, time.Until(p.due)) {
				return nil
			}
			if _, err := l.device.Write(p.packet); err != nil {
				return err
			}
		}
	}
}

// carried returns how many bytes of packets were sent in each flow until now.
func (n *internet) carried() map[flow]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.sent)
}

// The parts of an IPv4 header that matter here (RFC 791, section 3.1).
const (
	ipHeaderBytes = 20
	ipLength      = 2
	ipProtocol    = 9
	ipSource      = 12
	ipDestination = 16
)

// flowOf reads from where to where a packet goes; false if it is none of IPv4.
func flowOf(packet []byte) (flow, bool) {
	if len(packet) < ipHeaderBytes || packet[0]>>4 != 4 || int(binary.BigEndian.Uint16(packet[ipLength:])) != len(packet) {
		return flow{}, false
	}
	f := flow{
		from: netip.AddrFrom4([4]byte(packet[ipSource:ipDestination])),
		to:   netip.AddrFrom4([4]byte(packet[ipDestination:ipHeaderBytes])),
	}
	switch packet[ipProtocol] {
	case 6:
		f.by = "tcp"
	case 17:
		f.by = "udp"
	}
	return f, true
}
