package egress_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pabal/node/egress"
)

// ticking returns a clock that goes on by a second at each look.
func ticking() func() time.Time {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func TestNothingWithoutAReason(t *testing.T) {
	l := egress.New(ticking())
	err := l.Enter(egress.QUIC, netip.MustParseAddrPort("192.0.2.1:4001"), egress.Reason{Contact: [16]byte{1}})
	if !errors.Is(err, egress.ErrNoReason) {
		t.Errorf("error %v", err)
	}
	if seen := l.Seen(); len(seen.Entries) != 0 {
		t.Errorf("what was refused is recorded: %+v", seen)
	}
}

func TestEachReasonIsAnEntry(t *testing.T) {
	l := egress.New(ticking())
	at := netip.MustParseAddrPort("192.0.2.1:4001")
	direct, courier := egress.Reason{Rung: egress.Direct, Contact: [16]byte{1}}, egress.Reason{Rung: egress.Courier, Contact: [16]byte{2}}
	for _, why := range []egress.Reason{direct, courier, direct, direct} {
		if err := l.Enter(egress.QUIC, at, why); err != nil {
			t.Fatal(err)
		}
	}
	seen := l.Seen()
	if len(seen.Entries) != 2 || seen.Forgotten != 0 {
		t.Fatalf("%+v", seen)
	}
	if e := seen.Entries[0]; e.Why != direct || e.Times != 3 || e.Last.Sub(e.First) != 3*time.Second || !e.First.After(seen.Since) {
		t.Errorf("%+v", e)
	}
	if e := seen.Entries[1]; e.Why != courier || e.Times != 1 || e.First != e.Last {
		t.Errorf("%+v", e)
	}
}

func TestLedgerIsBoundedAndSaysSo(t *testing.T) {
	l := egress.New(ticking())
	at := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(n >> 8), byte(n)}), 4001)
	}
	enter := func(n int) {
		if err := l.Enter(egress.TCP, at(n), egress.Reason{Rung: egress.Direct}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range egress.EntriesMax {
		enter(n)
	}
	enter(0) // is not the oldest any more
	for n := range 10 {
		enter(egress.EntriesMax + n)
	}
	seen := l.Seen()
	if len(seen.Entries) != egress.EntriesMax || seen.Forgotten != 10 {
		t.Fatalf("%d entries, %d forgotten", len(seen.Entries), seen.Forgotten)
	}
	for _, e := range seen.Entries {
		if e.To == at(5) {
			t.Error("the oldest was not the one to be forgotten")
		}
		if e.To == at(0) && e.Times != 2 {
			t.Errorf("%+v", e)
		}
	}
}

func ExampleLedger() {
	l := egress.New(nil)
	to := netip.MustParseAddrPort("192.0.2.1:4001")
	fmt.Println(l.Enter(egress.QUIC, to, egress.Reason{}))
	fmt.Println(l.Enter(egress.QUIC, to, egress.Reason{Rung: egress.Direct, Contact: [16]byte{1}}))
	fmt.Println(len(l.Seen().Entries))
	// Output:
	// egress: no reason to send
	// <nil>
	// 1
}
