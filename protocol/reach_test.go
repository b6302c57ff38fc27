package protocol

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

func address(text string) wire.Address {
	at := netip.MustParseAddrPort(text)
	return wire.Address{Network: wire.QUIC, IP: at.Addr(), Port: at.Port()}
}

// houses puts people into networks of their own: each has an address that is worth nothing
// outside.
func (w *town) houses(people ...*side) {
	for i, s := range people {
		ip := netip.AddrFrom4([4]byte{192, 168, byte(10 + i), 2})
		own := wire.Address{Network: wire.QUIC, IP: ip, Port: 4001}
		s.step(w.now, NetworkChanged{Own: []wire.Address{own}, Subnets: []netip.Prefix{netip.PrefixFrom(ip, 24).Masked()}})
	}
	w.pass(2 * recordDebounce)
}

// TestReach says how far an own address leads: one of a range that nobody on the internet
// can reach is one of a local network.
func TestReach(t *testing.T) {
	w, all := newTown(t, "Mina")
	for text, want := range map[string]Reach{
		"8.8.8.8:1": ReachUnconfirmed, "[2a00:1450::1]:1": ReachUnconfirmed,
		"192.168.1.2:1": ReachLAN, "192.0.2.2:1": ReachLAN, "100.64.0.1:1": ReachLAN,
		"[2001:db8::1]:1": ReachLAN, "[fd00::2]:1": ReachLAN,
		"127.0.0.1:1": ReachOffline, "[fe80::1]:1": ReachOffline,
	} {
		all[0].step(w.now, NetworkChanged{Own: []wire.Address{address("[::1]:1"), address(text)}})
		if got := all[0].p.Reach(w.now); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// sees has a side see another one at an address, which it came to by itself or not.
func (w *town) sees(by, a *side, at wire.Address, unasked bool) {
	a.step(w.now, SeenAt{By: by.p.Transport(w.now).Public(), At: at, Unasked: unasked})
}

// TestReachIsConfirmed follows somebody behind a router: seen from outside, then come to
// by a contact, then a day without that, or in another network.
func TestReachIsConfirmed(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.houses(a, b)
	outside := address("5.6.7.1:4001")
	known := func(want Reach, addresses, candidates int) {
		t.Helper()
		w.pass(2 * recordDebounce)
		record := b.of(a).state.Record
		if got := a.p.Reach(w.now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := len(record.Candidates); got != candidates {
			t.Errorf("%s: %d candidates are told", want, got)
		}
		if got := slices.Contains(record.Addresses, outside); got != (addresses == 2) || len(record.Addresses) != addresses {
			t.Errorf("%s: told are %v", want, record.Addresses)
		}
	}
	known(ReachLAN, 1, 0)
	w.sees(b, a, outside, false)
	known(ReachUnconfirmed, 1, 1)
	w.sees(b, a, outside, true)
	known(ReachDirect, 2, 0)
	if got := a.p.Reach(w.now.Add(25 * time.Hour)); got != ReachLAN {
		t.Errorf("a day later: %q", got)
	}
	w.sees(b, a, outside, true)
	known(ReachDirect, 2, 0)
	a.step(w.now, NetworkChanged{Own: []wire.Address{address("192.168.11.3:4001")}, Subnets: []netip.Prefix{netip.MustParsePrefix("192.168.11.0/24")}})
	known(ReachLAN, 1, 0)
}

// TestReachByRelay: who has a courier is reached through it once its relay says so, and
// tells nobody a candidate.
func TestReachByRelay(t *testing.T) {
	w, a, b, c := friends(t)
	w.houses(a, b)
	if got := b.p.Reach(w.now); got != ReachLAN {
		t.Errorf("before the relay has said anything: %q", got)
	}
	w.sees(c, b, address("5.6.7.2:4001"), false)
	var conn ConnID
	for _, k := range b.of(c).conns {
		if k.reserved {
			conn = k.id
		}
	}
	b.step(w.now, RelayReserved{Conn: conn, On: true})
	w.pass(2 * recordDebounce)
	if got := b.p.Reach(w.now); got != ReachRelay {
		t.Errorf("%q", got)
	}
	if got := a.of(b).state.Record.Candidates; len(got) > 0 {
		t.Errorf("candidates %v beside a courier", got)
	}
	b.step(w.now, RelayReserved{Conn: conn})
	if got := b.p.Reach(w.now); got != ReachUnconfirmed {
		t.Errorf("refused: %q", got)
	}
	b.step(w.now, RelayReserved{Conn: conn, On: true})
	w.switchOff(c)
	if got := b.p.Reach(w.now); got != ReachUnconfirmed {
		t.Errorf("the courier is off: %q", got)
	}
	b.step(w.now, RelayReserved{Conn: 4711, On: true})
}

// TestOthersWordCountsNot: where somebody sees us who is no contact, or is not here, is
// nothing that we tell.
func TestOthersWordCountsNot(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.houses(a, b)
	a.step(w.now, SeenAt{By: identity.TransportKey{1}, At: address("5.6.7.1:4001"), Unasked: true})
	w.switchOff(b)
	w.sees(b, a, address("5.6.7.2:4001"), true)
	if confirmed, candidates := a.p.Outside(w.now); len(confirmed)+len(candidates) > 0 {
		t.Errorf("%v, %v", confirmed, candidates)
	}
}

// TestOthersWordIsToldSeldom: somebody who is seen elsewhere all the time tells his contacts
// a few times at once, and then every ten minutes where he is by then.
func TestOthersWordIsToldSeldom(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.houses(a, b)
	known := func(want ...wire.Address) {
		t.Helper()
		if got := b.of(a).state.Record.Candidates; !slices.Equal(got, want) {
			t.Errorf("known: %v, want %v", got, want)
		}
	}
	w.sees(b, a, address("5.6.7.1:4001"), false)
	w.pass(2 * recordDebounce)
	known(address("5.6.7.1:4001"))
	records, last := 0, b.of(a).state.Record.Sequence
	for i := range 50 {
		w.sees(b, a, address(fmt.Sprintf("5.6.7.1:%d", 5000+i)), false)
		w.pass(10 * time.Second)
		if s := b.of(a).state.Record.Sequence; s != last {
			records, last = records+1, s
		}
	}
	known(address("5.6.7.1:5001"))
	w.pass(recordEvery)
	known(address("5.6.7.1:5049"))
	if records != 2 {
		t.Errorf("%d records before", records)
	}
}

// TestCandidatesAreTried: what a contact says of itself without being sure is dialled, under
// the same rules as any address, and what leads elsewhere is not.
func TestCandidatesAreTried(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.houses(a, b)
	w.sees(b, a, address("5.6.7.1:4001"), false)
	w.pass(2 * recordDebounce)
	b.of(a).state.Record.Candidates = append(b.of(a).state.Record.Candidates, address("192.168.99.1:80"), address("127.0.0.1:80"))
	w.pass(2 * time.Minute)
	w.switchOff(a)
	b.out.Sends = nil
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "hello"})
	if d := b.dial(); !slices.Equal(d.Addresses, []wire.Address{address("5.6.7.1:4001")}) {
		t.Errorf("dialled: %v", d.Addresses)
	}
}

// TestLinkNamesACandidate: the link of somebody whom nobody helps says where he may be.
func TestLinkNamesACandidate(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.houses(a, b)
	w.sees(b, a, address("5.6.7.1:4001"), false)
	link, err := wire.ParseLink(a.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link)
	if err != nil || !slices.Contains(link.Addresses, address("5.6.7.1:4001")) || !slices.Contains(link.Addresses, address("192.168.10.2:4001")) {
		t.Errorf("%v, %v", link.Addresses, err)
	}
}

// TestNoPublicPath says so while neither side is found from outside, and not any more when
// one is, or when they share a network.
func TestNoPublicPath(t *testing.T) {
	for name, c := range map[string]struct {
		help func(w *town, a, b *side)
		want bool
	}{
		"two homes": {func(*town, *side, *side) {}, true},
		"an uncertain hint": {func(w *town, a, b *side) {
			w.sees(b, a, address("5.6.7.1:1"), false)
		}, true},
		"a forwarded port": {func(w *town, a, b *side) {
			w.sees(b, a, address("5.6.7.1:1"), true)
		}, false},
		"a forwarded port of theirs": {func(w *town, a, b *side) {
			w.sees(a, b, address("5.6.7.1:1"), true)
		}, false},
		"the same network": {func(w *town, a, b *side) {
			b.step(w.now, NetworkChanged{Own: []wire.Address{address("192.168.10.3:4001")}})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, all := newTown(t, "Mina", "Jiwoo")
			a, b := all[0], all[1]
			w.meet(a, b)
			w.houses(a, b)
			c.help(w, a, b)
			w.pass(2 * time.Minute)
			if got := a.p.Pathless(w.now); got != 0 {
				t.Errorf("%d contacts without a path, and they are connected", got)
			}
			w.switchOff(b)
			sent := a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"}).Replies[0].Result.(Sent)
			w.pass(10 * time.Second)
			why, _ := a.p.Why(w.now, a.of(b).row.ID, &sent.ID)
			if got := why.Reason == WhyNoPublicPath; got != c.want {
				t.Errorf("the reason is %s", why.Reason)
			}
			if got := a.p.Pathless(w.now) == 1; got != c.want {
				t.Errorf("%d contacts without a path", a.p.Pathless(w.now))
			}
		})
	}
}

// TestHomesNumberedAlike: an address that seems to be in our own network is no path when
// nobody was found there for long.
func TestHomesNumberedAlike(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.houses(a, b)
	b.step(w.now, NetworkChanged{Own: []wire.Address{address("192.168.10.3:4001")}})
	w.pass(2 * time.Minute)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.pass(10 * time.Minute)
	if !a.of(b).off() || a.p.Pathless(w.now) != 1 {
		t.Error("a home that is numbered like ours is taken for ours")
	}
}

// TestFriendWithABox: a courier on either side is a path.
func TestFriendWithABox(t *testing.T) {
	w, a, b, _ := friends(t)
	w.houses(a, b)
	w.switchOff(b)
	if n := a.p.Pathless(w.now) + b.p.Pathless(w.now); n != 0 {
		t.Errorf("%d contacts without a path", n)
	}
}

// TestWarningOfALink says of each place that a link leads to how sure it is.
func TestWarningOfALink(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.houses(a, b)
	warned := func(want ...string) {
		t.Helper()
		created := a.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated)
		if !slices.Equal(created.Warnings, want) {
			t.Errorf("%v, want %v", created.Warnings, want)
		}
	}
	warned(WarningNoPublicPath)
	w.sees(b, a, address("5.6.7.1:1"), false)
	warned(WarningUnconfirmedPath)
	w.sees(b, a, address("5.6.7.1:1"), true)
	warned()
}
