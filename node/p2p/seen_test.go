package p2p

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"pabal/node/egress"
	"pabal/node/p2p/lab"
	"pabal/protocol/wire"
)

// apart opens host number n of a world, far from all others.
func apart(t *testing.T, w *lab.World, n byte) *Host {
	t.Helper()
	own := netip.PrefixFrom(netip.AddrFrom4([4]byte{1, 0, 0, n}), 32)
	return joinWith(t, w, n, Config{interfaces: func() ([]netip.Prefix, error) { return []netip.Prefix{own}, nil }})
}

// seen returns what a host is told of where it is seen, and ends what was between it and
// another one.
func seen(t *testing.T, h *Host, conn uint64) Seen {
	t.Helper()
	got := next[Seen](t, h)
	h.Hangup(conn)
	next[Closed](t, h)
	time.Sleep(2 * lingerTimeout)
	return got
}

// TestSeenByWhoCame tells a host where others see it, and which of them came by itself: who
// is answered does not, as long as a firewall may remember what was sent to him.
func TestSeenByWhoCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		a, b := apart(t, w, 1), apart(t, w, 2)
		w.Start()
		defer w.Close()
		defer b.Close()
		defer a.Close()
		at := wire.Address{Network: wire.QUIC, IP: netip.AddrFrom4([4]byte{1, 0, 0, 1}), Port: a.listed[0].Port}

		_, atA := connectSimulated(t, b, a)
		if got := seen(t, a, atA); got != (Seen{By: b.Key(), At: at, Unasked: true}) {
			t.Errorf("somebody came: %+v", got)
		}
		next[Closed](t, b)
		atA, _ = connectSimulated(t, a, b)
		if got := seen(t, a, atA); got != (Seen{By: b.Key(), At: at}) {
			t.Errorf("somebody was dialled: %+v", got)
		}
		next[Closed](t, b)
		for _, wait := range []time.Duration{unaskedAfter / 2, unaskedAfter} {
			time.Sleep(wait)
			_, atA = connectSimulated(t, b, a)
			if got := seen(t, a, atA); got.Unasked != (wait == unaskedAfter) {
				t.Errorf("%v later: %+v", wait, got)
			}
			next[Closed](t, b)
		}
		_, atA = connectSimulated(t, b, a) // dialled by it, and for long: what went back kept the way open
		time.Sleep(2 * unaskedAfter)
		seen(t, a, atA)
		next[Closed](t, b)
		_, atA = connectSimulated(t, b, a)
		if got := seen(t, a, atA); got.Unasked {
			t.Errorf("right after a long connection: %+v", got)
		}
	})
}

// TestSeenByNeighbours: who comes from the network that a host is in has passed no router.
func TestSeenByNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		a, b := join(t, w, 1), join(t, w, 2)
		w.Start()
		defer w.Close()
		defer b.Close()
		defer a.Close()
		connectSimulated(t, b, a)
		if got := next[Seen](t, a); got.Unasked {
			t.Errorf("%+v", got)
		}
	})
}

// TestReservedIsTold tells whoever asks to be reached through a relay what comes of it.
func TestReservedIsTold(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		if got := next[Reserved](t, s.at); got != (Reserved{Conn: s.atToRelay, On: true}) {
			t.Errorf("%+v", got)
		}
		s.from.Reserve(s.fromToRelay, true)
		if got := next[Reserved](t, s.from); got != (Reserved{Conn: s.fromToRelay}) {
			t.Errorf("nobody helps: %+v", got)
		}
	})
}

// TestSentTo is what a ledger knows of an address, whatever the port.
func TestSentTo(t *testing.T) {
	now := time.Unix(1000, 0)
	l := egress.New(func() time.Time { return now })
	to := netip.MustParseAddrPort("1.2.3.4:5")
	if err := l.Enter(egress.QUIC, to, forTests()); err != nil {
		t.Fatal(err)
	}
	if !l.SentTo(to.Addr(), now) || l.SentTo(to.Addr(), now.Add(1)) || l.SentTo(netip.MustParseAddr("1.2.3.5"), now) {
		t.Error("the ledger does not know to whom was sent, and when")
	}
	other := netip.MustParseAddr("1.2.3.6")
	l.Ended(other)
	if !l.SentTo(other, now) || l.SentTo(other, now.Add(1)) {
		t.Error("the ledger does not know that a connection has ended, and when")
	}
}
