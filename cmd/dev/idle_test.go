package main

import (
	"crypto/rand"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// TestIdleLines checks that no address is of both lines, and that each is one that is
// dialled.
func TestIdleLines(t *testing.T) {
	on, off := netip.MustParsePrefix(lineOn.network()), netip.MustParsePrefix(lineOff.network())
	if on.Overlaps(off) {
		t.Fatal("the lines overlap")
	}
	for _, host := range []int{1, 2, idleFirstHost, idleFirstHost + idleContactMax} {
		if !on.Contains(lineOn.address(host)) || !off.Contains(lineOff.address(host)) {
			t.Errorf("host %d is on no line", host)
		}
	}
}

// TestIdleDay computes a day by hand.
func TestIdleDay(t *testing.T) {
	d := idleDay{
		contacts: 25, meetingBytes: 20_000, quietBytes: 1000, tried: offTries{quic: 7, tcp: 9}, quicBytes: 17_000, tcpBytes: 400,
		schedule: []offTries{{900, 900, 5000}, {720, 100, 750}},
	}
	if got := d.on(); math.Abs(got-1_001_000) > 1 {
		t.Errorf("with those who are on: %v bytes", got)
	}
	if got := d.off(); math.Abs(got-2_000_000) > 1 {
		t.Errorf("for those who are off: %v bytes", got)
	}
	for _, want := range []string{"50 connections of 20.0 kB", "17.00 kB by QUIC (of 7), 0.40 kB by TCP (of 9)", "day 2 of those who are off: 720 dials, 100 tries by QUIC, 750 by TCP, 2.00 MB"} {
		if !strings.Contains(d.String(), want) {
			t.Errorf("%q is not in:\n%s", want, d)
		}
	}
}

// TestTriesOf has a core that asked somebody who never answers live through the days.
func TestTriesOf(t *testing.T) {
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	at := func(host int) protocol.NetworkChanged {
		return protocol.NetworkChanged{Own: []wire.Address{{Network: wire.TCP, IP: lineOff.address(host), Port: 4001}}}
	}
	other, _, err := protocol.Create(rand.Reader, protocol.Config{}, start, "Other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Step(start, at(2)); err != nil {
		t.Fatal(err)
	}
	out, err := other.Step(start, protocol.CreateInvite{Kind: protocol.InviteOnce})
	if err != nil {
		t.Fatal(err)
	}
	peer, _, err := protocol.Create(rand.Reader, protocol.Config{}, start, "Peer")
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []protocol.Input{at(1), protocol.AddContact{Link: out.Replies[0].Result.(protocol.InviteCreated).Link}} {
		if _, err := peer.Step(start, in); err != nil {
			t.Fatal(err)
		}
	}
	days, err := triesOf(peer, start, func(a wire.Address) bool { return a.IP == lineOff.address(2) })
	if err != nil {
		t.Fatal(err)
	}
	last := days[len(days)-1]
	if days[0].dials < last.dials || last.dials < 80 || last.dials > 200 || last.quic != 0 || last.tcp < last.dials {
		t.Errorf("%+v", days)
	}
}
