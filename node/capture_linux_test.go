package node_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// capture is all that the loopback of a network namespace carries, as the kernel shows it
// to whoever may watch the device: what an observer of the line has.
type capture struct {
	t       testing.TB
	socket  *os.File
	running sync.WaitGroup

	mu        sync.Mutex
	datagrams [][]byte
	streams   map[string]*bytes.Buffer // what TCP carries, by both ends
	order     []*bytes.Buffer
}

// The ring into which the kernel writes packets: room for a machine that is busy with
// something else. A frame holds the header that the kernel writes and a packet.
const (
	ringFrames     = 1 << 14
	ringFrameBytes = 1 << 11
	ringBlockBytes = 1 << 17

	// Where things are in a frame on a machine of 64 bits: struct tpacket_hdr, whose first
	// word is the status, and behind it struct sockaddr_ll.
	frameLength  = 8
	frameCaught  = 12
	frameNetwork = 18
	frameKind    = 32 + 10
)

// openCapture begins to watch the loopback. It needs the right to, which whoever makes a
// namespace has in it.
func openCapture(t testing.TB) *capture {
	t.Helper()
	const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in the order of the network
	fd := must[int](t)(unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, everything))
	c := &capture{t: t, socket: os.NewFile(uintptr(fd), "capture"), streams: map[string]*bytes.Buffer{}}
	err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq{
		Block_size: ringBlockBytes, Block_nr: ringFrames * ringFrameBytes / ringBlockBytes,
		Frame_size: ringFrameBytes, Frame_nr: ringFrames,
	})
	if err != nil {
		t.Fatal(err)
	}
	ring := must[[]byte](t)(unix.Mmap(fd, 0, ringFrames*ringFrameBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED))
	c.running.Go(func() { c.read(ring) })
	t.Cleanup(func() {
		c.socket.Close()
		c.running.Wait()
		if err := unix.Munmap(ring); err != nil {
			t.Error(err)
		}
	})
	return c
}

// read keeps what comes. The loopback shows each packet twice, as sent and as received.
func (c *capture) read(ring []byte) {
	raw, err := c.socket.SyscallConn()
	if err != nil {
		c.t.Error(err)
		return
	}
	for i := 0; ; i = (i + 1) % ringFrames {
		frame := ring[i*ringFrameBytes : (i+1)*ringFrameBytes]
		status := (*uint64)(unsafe.Pointer(&frame[0]))
		err := raw.Read(func(uintptr) bool { return atomic.LoadUint64(status)&unix.TP_STATUS_USER != 0 })
		if err != nil {
			return // closed
		}
		word := func(at int) int { return int(binary.NativeEndian.Uint32(frame[at:])) }
		if word(frameCaught) != word(frameLength) {
			c.t.Errorf("a packet of %d bytes does not fit a frame", word(frameLength))
		}
		if frame[frameKind] != unix.PACKET_OUTGOING {
			network := int(binary.NativeEndian.Uint16(frame[frameNetwork:]))
			c.keep(frame[network : network+word(frameCaught)])
		}
		atomic.StoreUint64(status, unix.TP_STATUS_KERNEL)
	}
}

// keep takes what a packet of IPv4 carries.
func (c *capture) keep(packet []byte) {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return
	}
	ends, protocol := string(packet[12:20]), packet[9]
	packet = packet[:min(int(binary.BigEndian.Uint16(packet[2:])), len(packet))]
	body := packet[int(packet[0]&15)*4:]
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case protocol == unix.IPPROTO_UDP && len(body) > 8:
		c.datagrams = append(c.datagrams, bytes.Clone(body[8:]))
	case protocol == unix.IPPROTO_TCP && len(body) >= 20:
		ends += string(body[:4])
		s := c.streams[ends]
		if s == nil {
			s = new(bytes.Buffer)
			c.streams[ends], c.order = s, append(c.order, s)
		}
		s.Write(body[int(body[12]>>4)*4:])
	}
}

// take returns what was seen since the last time: datagrams one by one, streams whole. The
// test fails if the kernel had no room for a packet.
func (c *capture) take() (datagrams, streams [][]byte) {
	c.t.Helper()
	raw, err := c.socket.SyscallConn()
	if err != nil {
		c.t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		if seen, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err != nil || seen.Drops > 0 {
			c.t.Errorf("the capture has a hole: %+v, %v", seen, err)
		}
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.order {
		streams = append(streams, s.Bytes())
	}
	datagrams = c.datagrams
	c.datagrams, c.order, c.streams = nil, nil, map[string]*bytes.Buffer{}
	return datagrams, streams
}

// shows reports whether something was seen on TCP, waiting a while for the last packets.
func (c *capture) shows(needle []byte) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		c.mu.Lock()
		for _, s := range c.order {
			if bytes.Contains(s.Bytes(), needle) {
				c.mu.Unlock()
				return true
			}
		}
		c.mu.Unlock()
	}
	return false
}
