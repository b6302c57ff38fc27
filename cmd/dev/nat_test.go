package main

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// packetFor is a packet of IPv4 that says something.
func packetFor(from, to netip.Addr, protocol byte, text string) []byte {
	b := make([]byte, ipHeaderBytes, ipHeaderBytes+len(text))
	b[0] = 0x45
	binary.BigEndian.PutUint16(b[ipLength:], uint16(ipHeaderBytes+len(text)))
	b[ipProtocol] = protocol
	source, destination := from.As4(), to.As4()
	copy(b[ipSource:], source[:])
	copy(b[ipDestination:], destination[:])
	return append(b, text...)
}

func TestFlowOf(t *testing.T) {
	whole := packetFor(addressHome, addressHelp, 17, "hello")
	if f, ok := flowOf(whole); !ok || f != (flow{addressHome, addressHelp, "udp"}) {
		t.Errorf("got %v, %v", f, ok)
	}
	other := append([]byte{0x65}, whole[1:]...)
	for _, packet := range [][]byte{nil, whole[:19], whole[:len(whole)-1], append(whole[:len(whole):len(whole)], 0), other} {
		if f, ok := flowOf(packet); ok {
			t.Errorf("%x is taken for a packet of %v", packet, f)
		}
	}
}

func TestInternetCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(natDelay)
		home, lineHome := net.Pipe()
		help, lineHelp := net.Pipe()
		n.connect(addressHome, lineHome)
		n.connect(addressHelp, lineHelp)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- n.run(ctx) }()

		start := time.Now()
		packets := [][]byte{
			packetFor(addressHome, addressAway, 17, "for nobody"),
			packetFor(addressHome, addressHelp, 17, "first"),
			packetFor(addressHome, addressHelp, 6, "second"),
		}
		for _, p := range packets {
			if _, err := home.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		buffer := make([]byte, packetBytesMax)
		for _, want := range packets[1:] {
			size, err := help.Read(buffer)
			if err != nil || string(buffer[:size]) != string(want) || time.Since(start) != natDelay {
				t.Errorf("got %q after %v, %v", buffer[:size], time.Since(start), err)
			}
		}
		carried := n.carried()
		for by, text := range map[string]string{"udp": "first", "tcp": "second"} {
			if got := carried[flow{addressHome, addressHelp, by}]; got != uint64(ipHeaderBytes+len(text)) {
				t.Errorf("%d bytes by %s", got, by)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestInternetEndsWithALine(t *testing.T) {
	n := newInternet(0)
	home, line := net.Pipe()
	n.connect(addressHome, line)
	home.Close()
	if err := n.run(t.Context()); err == nil {
		t.Error("the end of a line is no error")
	}
}

func TestCarrier(t *testing.T) {
	before := map[flow]uint64{{addressHome, addressHelp, "udp"}: natTextBytes}
	after := map[flow]uint64{
		{addressHome, addressHelp, "udp"}: 2*natTextBytes - 1,
		{addressHome, addressHelp, "tcp"}: natTextBytes,
	}
	if by := carrier(before, after, pathRelay); by != "tcp" {
		t.Errorf("by %q through the courier", by)
	}
	if by := carrier(before, after, pathDirect); by != "" {
		t.Errorf("by %q to the other side, where nothing went", by)
	}
}

func TestRouterRules(t *testing.T) {
	plain, odd := router{}.rules(), router{masquerade: "random", noUDP: true}.rules()
	if strings.Contains(plain, "random") || strings.Contains(plain, "udp") || strings.Contains(plain, "BLOCKED") {
		t.Error(plain)
	}
	blocks := strings.Index(odd, "meta l4proto udp drop")
	if !strings.Contains(odd, "masquerade random\n") || blocks < 0 || blocks > strings.Index(odd, "accept") {
		t.Error(odd)
	}
}

func TestNATLine(t *testing.T) {
	r := natResult{pair: "symmetric", path: "relay/udp", ack: 300 * time.Millisecond, trip: 20 * time.Millisecond}
	if got, want := r.String(), "symmetric\trelay/udp\t300.0\t20.0\t15.0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNATSaysWhatIsMissing takes the programs away; who is not root is told that first.
func TestNATSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := labRefusal(t.Context())
	if !errors.Is(err, errNoLab) {
		t.Fatal(err)
	}
	want := "apt-get install iproute2"
	if os.Geteuid() != 0 {
		want = "sudo"
	}
	if !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "Linux") {
		t.Error(err)
	}
	var said strings.Builder
	here := tree{stdout: &said, stderr: &said}
	if err := nat(t.Context(), here, []string{"-optional"}); err != nil || !strings.HasPrefix(said.String(), "NOT RUN: ") {
		t.Errorf("optional: %q, %v", said.String(), err)
	}
	if err := nat(t.Context(), here, nil); !errors.Is(err, errNoLab) {
		t.Errorf("not optional: %v", err)
	}
}
