package rendezvous

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

var outsideNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func quicAt(text string) wire.Address {
	at := netip.MustParseAddrPort(text)
	return wire.Address{Network: wire.QUIC, IP: at.Addr(), Port: at.Port()}
}

func TestCandidatesAreWhatMostSay(t *testing.T) {
	var o Outside
	for i, text := range []string{"5.6.7.1:4001", "5.6.7.1:9", "5.6.7.1:4001", "5.6.8.1:1", "5.6.9.1:1"} {
		o.Told(outsideNow, [16]byte{byte(i)}, quicAt(text), false)
	}
	got := o.Candidates(outsideNow, nil)
	if want := []wire.Address{quicAt("5.6.7.1:4001"), quicAt("5.6.9.1:1")}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := o.Candidates(outsideNow, []wire.Address{quicAt("5.6.7.1:1")}); slices.Contains(got, quicAt("5.6.7.1:4001")) {
		t.Error("an own address is no candidate")
	}
	if len(o.Confirmed(outsideNow)) > 0 {
		t.Error("nobody has come by itself")
	}
}

// TestOneTellerHasOneWord: whoever says something new takes back what he said before, and
// nobody fills the list.
func TestOneTellerHasOneWord(t *testing.T) {
	var o Outside
	by := [16]byte{1}
	o.Told(outsideNow, by, quicAt("5.6.7.1:1"), false)
	o.Told(outsideNow, by, quicAt("5.6.7.2:1"), false)
	if got := o.Candidates(outsideNow, nil); len(got) != 1 || got[0] != quicAt("5.6.7.2:1") {
		t.Errorf("%v", got)
	}
	for i := range 2 * reachedMax {
		o.Told(outsideNow, by, quicAt(fmt.Sprintf("5.6.7.2:%d", 1+i)), true)
	}
	if got := o.Confirmed(outsideNow); len(got) != 1 {
		t.Errorf("one confirms %v", got)
	}
	for i := range 10 * saidMax {
		o.Told(outsideNow, [16]byte{byte(i), byte(i >> 8), 1}, quicAt("5.6.7.3:1"), true)
	}
	if len(o.said) > saidMax || len(o.reached) > reachedMax {
		t.Errorf("%d and %d are remembered", len(o.said), len(o.reached))
	}
}

func TestOutsideIsForgotten(t *testing.T) {
	var o Outside
	by := [16]byte{1}
	o.Told(outsideNow, by, quicAt("5.6.7.1:4001"), true)
	o.Told(outsideNow, by, quicAt("[2a00:1450::1]:4001"), false)
	if got := o.Confirmed(outsideNow.Add(outsideKept)); len(got) != 1 || got[0] != quicAt("5.6.7.1:4001") {
		t.Errorf("%v", got)
	}
	if got := o.Candidates(outsideNow, nil); len(got) != 1 || !got[0].IP.Is6() {
		t.Errorf("%v", got)
	}
	o.Moved(false)
	if got := o.Candidates(outsideNow, nil); len(got) != 0 {
		t.Errorf("of the network before: %v", got)
	}
	if got := o.Confirmed(outsideNow.Add(outsideKept + 1)); len(got) != 0 {
		t.Errorf("a day later: %v", got)
	}
	o.Told(outsideNow.Add(100*outsideKept), by, quicAt("5.6.7.1:4001"), true)
	if got := o.Confirmed(outsideNow); len(got) != 0 {
		t.Errorf("of a clock that was ahead: %v", got)
	}
}

// TestOutsideIsTheInternet: nobody makes us tell others an address that is none there.
func TestOutsideIsTheInternet(t *testing.T) {
	for _, text := range []string{"192.168.1.1:1", "127.0.0.1:1", "100.64.0.1:1", "203.0.113.1:1", "[fd00::1]:1", "[2001:db8::1]:1", "5.6.7.1:0", "224.0.0.1:1"} {
		var o Outside
		o.Told(outsideNow, [16]byte{1}, quicAt(text), true)
		if got := slices.Concat(o.Confirmed(outsideNow), o.Candidates(outsideNow, nil)); len(got) > 0 {
			t.Errorf("%v", got)
		}
	}
}
