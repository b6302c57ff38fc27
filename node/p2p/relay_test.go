package p2p

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pabal/node/egress"
	"pabal/node/p2p/lab"
	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	ma "github.com/multiformats/go-multiaddr"
)

// street is a relay, somebody whom it helps, and somebody who may reach him.
type street struct {
	world           *lab.World
	relay, at, from *Host
	relayToAt       uint64 // conns, named by their ends
	atToRelay       uint64
	relayToFrom     uint64
	fromToRelay     uint64
}

// theName is what the relay calls whom it helps.
func theName() RelayName { return RelayName{9} }

// inStreet runs a test in a world in which the relay helps the one behind a firewall.
func inStreet(t *testing.T, run func(t *testing.T, s *street)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		s := &street{world: w, relay: join(t, w, 1), at: join(t, w, 2), from: join(t, w, 3)}
		w.Firewall(2)
		w.Start()
		defer w.Close()
		for _, h := range []*Host{s.relay, s.at, s.from} {
			defer h.Close()
		}
		s.atToRelay, s.relayToAt = connectSimulated(t, s.at, s.relay)
		s.fromToRelay, s.relayToFrom = connectSimulated(t, s.from, s.relay)
		s.relay.Help(s.relayToAt, theName())
		s.at.Reserve(s.atToRelay, true)
		run(t, s)
	})
}

func (s *street) dial(t *testing.T) (Opened, Code) {
	t.Helper()
	s.from.Dial(Dial{ID: 5, Keys: []identity.TransportKey{s.at.Key()}, Relays: []uint64{s.fromToRelay}, Why: egress.Reason{Rung: egress.Relay}})
	for {
		switch e := (<-s.from.Events()).(type) {
		case Opened:
			return e, ""
		case DialFailed:
			return Opened{}, e.Code
		case Seen:
		default:
			t.Fatalf("%T", e)
		}
	}
}

// meet goes on until both have proved themselves.
func (s *street) meet(t *testing.T, opened Opened) (atFrom, atAt uint64) {
	t.Helper()
	send(t, s.from, opened.Conn, hello(1))
	in := next[Opened](t, s.at)
	next[Received](t, s.at)
	s.at.Authenticate(in.Conn)
	send(t, s.at, in.Conn, hello(2))
	next[Received](t, s.from)
	s.from.Authenticate(opened.Conn)
	s.at.LetPunch(in.Conn, egress.Reason{Rung: egress.Punch})
	if in.Relayed != opened.Relayed || in.Remote != s.from.Key() || opened.Remote != s.at.Key() {
		t.Fatalf("%+v, %+v", in, opened)
	}
	return opened.Conn, in.Conn
}

func TestRelayCarriesMessages(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		time.Sleep(time.Second)
		s.relay.Admit(s.relayToFrom, theName())
		opened, code := s.dial(t)
		if code != "" || !opened.Relayed {
			t.Fatalf("%q, %+v", code, opened)
		}
		atFrom, atAt := s.meet(t, opened)
		send(t, s.from, atFrom, numbered(0, 1<<10))
		next[Received](t, s.at)
		send(t, s.at, atAt, numbered(1, 60<<10))
		next[Received](t, s.from)

		// The conns to the relay go; the circuit stays, and its liveness is seen.
		s.from.SetActive(atFrom, true)
		s.from.Hangup(s.fromToRelay)
		next[Closed](t, s.from)
		next[Closed](t, s.relay)
		time.Sleep(30 * time.Minute)
		send(t, s.from, atFrom, numbered(2, 100))
		next[Received](t, s.at)

		// With its last circuit the connection to the relay goes, too.
		s.from.Hangup(atFrom)
		next[Closed](t, s.from)
		next[Closed](t, s.at)
		time.Sleep(time.Minute)
		if n := len(s.from.libp2p.Network().Conns()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestCircuitEndsAfterAnHour(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		time.Sleep(time.Second)
		s.relay.Admit(s.relayToFrom, theName())
		opened, _ := s.dial(t)
		atFrom, _ := s.meet(t, opened)
		time.Sleep(circuitLifetime - time.Minute)
		send(t, s.from, atFrom, numbered(1, 100))
		next[Received](t, s.at)
		time.Sleep(2 * time.Minute)
		if got := next[Closed](t, s.from); got.Conn != opened.Conn {
			t.Fatalf("%+v", got)
		}
		next[Closed](t, s.at)
		time.Sleep(5 * time.Hour) // the reservation is renewed
		if _, code := s.dial(t); code != "" {
			t.Errorf("after hours: %q", code)
		}
	})
}

func TestRelayServesWhomTheCoreNames(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(s *street)
		want    Code
	}{
		"nobody was admitted":     {func(*street) {}, CodeUnreachable},
		"admitted to another one": {func(s *street) { s.relay.Admit(s.relayToFrom, RelayName{8}) }, CodeUnreachable},
		"admitted to nobody":      {func(s *street) { s.relay.Admit(s.relayToFrom, RelayName{}) }, CodeUnreachable},
		"help has ended": {func(s *street) {
			s.relay.Admit(s.relayToFrom, theName())
			s.relay.Help(s.relayToAt, RelayName{})
		}, CodeUnreachable},
		"the conn went": {func(s *street) {
			s.relay.Admit(s.relayToFrom, theName())
			s.at.Hangup(s.atToRelay)
		}, CodeUnreachable},
		"admitted": {func(s *street) { s.relay.Admit(s.relayToFrom, theName()) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inStreet(t, func(t *testing.T, s *street) {
				time.Sleep(time.Second)
				c.prepare(s)
				time.Sleep(time.Second)
				if _, code := s.dial(t); code != c.want {
					t.Errorf("%q, want %q", code, c.want)
				}
			})
		})
	}
}

// TestReservationIsOnlyForWhomWeHelp asks for a reservation before help was offered.
func TestReservationIsOnlyForWhomWeHelp(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		reserve := func() error {
			_, err := client.Reserve(t.Context(), quietHost{s.from.libp2p, s.from}, peer.AddrInfo{ID: s.relay.libp2p.ID()})
			return err
		}
		if reserve() == nil {
			t.Error("anybody may reserve")
		}
		s.relay.Help(s.relayToFrom, RelayName{3})
		if err := reserve(); err != nil {
			t.Error(err)
		}
	})
}

// TestPathsComeBack cuts the helped one off for an hour, and lets it sleep: it is reached
// again as soon as it has its connection to the relay.
func TestPathsComeBack(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		time.Sleep(time.Second)
		s.relay.Admit(s.relayToFrom, theName())
		opened, _ := s.dial(t)
		atFrom, _ := s.meet(t, opened)
		s.from.SetActive(atFrom, true)
		start := time.Now()
		s.world.Cut(2, true)
		if got := next[Closed](t, s.from); got.Conn != atFrom || time.Since(start) > pingInterval+pingTimeout+time.Second {
			t.Fatalf("%+v after %v", got, time.Since(start))
		}
		time.Sleep(time.Hour)
		next[Closed](t, s.relay)
		for range 2 {
			next[Closed](t, s.at)
		}
		if _, code := s.dial(t); code != CodeUnreachable {
			t.Errorf("while it is cut off: %q", code)
		}
		s.world.Cut(2, false)
		start = time.Now()
		s.atToRelay, s.relayToAt = connectSimulated(t, s.at, s.relay)
		s.relay.Help(s.relayToAt, theName())
		s.at.Reserve(s.atToRelay, true)
		time.Sleep(20 * lab.OneWay)
		opened, code := s.dial(t)
		if code != "" {
			t.Fatal(code)
		}
		s.meet(t, opened)
		if took := time.Since(start); took > 100*lab.OneWay {
			t.Errorf("back after %v", took)
		}
	})
}

func TestPunchMakesADirectPath(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		s.world.Firewall(3)
		time.Sleep(time.Second)
		s.relay.Admit(s.relayToFrom, theName())
		s.from.Dial(Dial{ID: 4, Keys: []identity.TransportKey{s.at.Key()}, Addresses: addresses(s.at, 0),
			Deadline: time.Now().Add(3 * time.Second), Why: forTests()})
		if got := next[DialFailed](t, s.from); got.Code != CodeTimeout {
			t.Fatalf("the firewall lets us in: %+v", got)
		}
		opened, _ := s.dial(t)
		atFrom, _ := s.meet(t, opened)
		start := time.Now()
		s.from.Punch(6, atFrom, egress.Reason{Rung: egress.Punch})
		direct := next[Opened](t, s.from)
		if direct.Relayed || direct.Dial != 6 {
			t.Fatalf("%+v", direct)
		}
		if took := time.Since(start); took > 30*lab.OneWay {
			t.Errorf("it took %v", took)
		}
		atFrom2, _ := s.meet(t, direct)
		s.from.Hangup(atFrom)
		s.from.Hangup(s.fromToRelay)
		s.world.Cut(1, true) // the relay
		time.Sleep(time.Hour)
		send(t, s.from, atFrom2, numbered(1, 100))
		for {
			if e, ok := (<-s.at.Events()).(Received); ok && len(e.Frames[0].Body) == 100 {
				return
			}
		}
	})
}

// TestPunchFails has a firewall that lets nothing in: the relayed conn stays.
func TestPunchFails(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		time.Sleep(time.Second)
		s.relay.Admit(s.relayToFrom, theName())
		opened, _ := s.dial(t)
		atFrom, _ := s.meet(t, opened)
		s.world.Part(2, 3)
		s.from.Punch(6, atFrom, egress.Reason{Rung: egress.Punch})
		if got := next[DialFailed](t, s.from); got.Dial != 6 {
			t.Fatalf("%+v", got)
		}
		send(t, s.from, atFrom, numbered(1, 100))
		next[Received](t, s.at)
		s.from.Punch(7, s.fromToRelay, egress.Reason{Rung: egress.Punch}) // not relayed
		if got := next[DialFailed](t, s.from); got.Dial != 7 || got.Code != CodeNoAddress {
			t.Fatalf("%+v", got)
		}
	})
}

// TestStrangersLearnNothingByRelay: a relay, one whom it helps and one who is neither look
// alike to a stranger, and so does a stranger's end over a circuit.
func TestStrangersLearnNothingByRelay(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		time.Sleep(time.Second)
		plain, stranger := join(t, s.world, 4), joinForeign(t, s.world, 5)
		defer plain.Close()
		defer stranger.Close()
		var lists [][]protocol.ID
		for _, h := range []*Host{s.relay, plain} {
			info := infoOf(t, h, wire.QUIC)
			if err := stranger.Connect(t.Context(), info); err != nil {
				t.Fatal(err)
			}
			ids, err := stranger.Peerstore().GetProtocols(info.ID)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(ids)
			lists = append(lists, ids)
			for _, id := range []protocol.ID{relayProtocol, circuitProtocol, punchProtocol} {
				stream, err := stranger.NewStream(t.Context(), info.ID, id)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				stream.Write([]byte{2, 8, 0}) // circuit v2: a reservation, please
				if n, err := stream.Read(make([]byte, 1)); n != 0 || err == nil {
					t.Errorf("%s answers a stranger", id)
				}
				if took := time.Since(start); took > strangerLifetime {
					t.Errorf("%s ended after %v", id, took)
				}
				time.Sleep(time.Second) // the end of the connection is known to both
				if err := stranger.Connect(t.Context(), info); err != nil {
					t.Fatal(err)
				}
			}
			if stream, err := stranger.NewStream(t.Context(), info.ID, proto.ProtoIDv2Hop); err == nil {
				t.Error("circuit v2 answers by its own name")
				stream.Reset()
			}
		}
		if !slices.Equal(lists[0], lists[1]) {
			t.Errorf("a relay says %v, another host %v", lists[0], lists[1])
		}
	})
}

// TestStrangerOverACircuit: the hello rules hold on circuits, and identify says no more
// there than anywhere.
func TestStrangerOverACircuit(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		time.Sleep(time.Second)
		s.relay.Admit(s.relayToFrom, theName())
		go hangUpOnWrongTag(s.at)
		opened, code := s.dial(t)
		if code != "" {
			t.Fatal(code)
		}
		start := time.Now()
		send(t, s.from, opened.Conn, hello(1))
		s.from.Punch(6, opened.Conn, egress.Reason{Rung: egress.Punch}) // no answer either
		for range 2 {
			switch e := (<-s.from.Events()).(type) {
			case DialFailed:
			case Closed:
				if e.Conn != opened.Conn {
					t.Fatalf("%+v", e)
				}
			default:
				t.Fatalf("%+v", e)
			}
		}
		if took := time.Since(start); (took - strangerLifetime).Abs() > 10*lab.OneWay {
			t.Errorf("it took %v", took)
		}
		id := s.at.libp2p.ID()
		if list := s.from.libp2p.Peerstore().Addrs(id); len(list) != 0 {
			t.Errorf("identify told %v", list)
		}
	})
}

// TestOnlyOurRelaysBringCircuits: a circuit from somebody at whom we do not reserve is not taken.
func TestOnlyOurRelaysBringCircuits(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		time.Sleep(time.Second)
		s.relay.Admit(s.relayToFrom, theName())
		s.at.Reserve(s.atToRelay, false)
		if _, code := s.dial(t); code == "" {
			t.Error("a circuit was taken")
		}
	})
}

func TestPathAddress(t *testing.T) {
	const id = "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
	for text, want := range map[string]struct {
		at      string
		relayed bool
	}{
		"/ip4/1.2.3.4/udp/5/quic-v1":                       {"1.2.3.4:5", false},
		"/ip4/1.2.3.4/tcp/5":                               {"1.2.3.4:5", false},
		"/ip6/2a00::1/udp/5/quic-v1" + id + "/p2p-circuit": {"[2a00::1]:5", true},
		"/ip4/1.2.3.4/tcp/5/p2p-circuit":                   {"1.2.3.4:5", true},
		"/ip4/1.2.3.4/tcp/5" + id:                          {},
		"/p2p-circuit":                                     {},
		id + "/p2p-circuit":                                {},
		"/dns4/example.org/tcp/5" + id + "/p2p-circuit":    {},
	} {
		a, relayed, ok := pathAddress(ma.StringCast(text))
		if ok != (want.at != "") || ok && (a.AddrPort().String() != want.at || relayed != want.relayed) {
			t.Errorf("%s: %v, %v, %v", text, a, relayed, ok)
		}
	}
}

// TestWhereWeAreSeen takes what those whom we trust tell, and nobody else.
func TestWhereWeAreSeen(t *testing.T) {
	inStreet(t, func(t *testing.T, s *street) {
		time.Sleep(time.Second)
		seen := wire.Address{Network: wire.QUIC, IP: addresses(s.at, 0)[0].IP, Port: 8000}
		s.at.mu.Lock()
		told := 0
		for _, l := range s.at.links {
			if l.observed == seen {
				told++
			}
			l.observed.Port++
		}
		s.at.mu.Unlock()
		if told != 1 {
			t.Errorf("%d links know where we are seen", told)
		}
		if list := s.at.seenAt(); len(list) != 2 {
			t.Errorf("%v", list)
		}
		s.at.mu.Lock()
		for _, l := range s.at.links {
			l.trusted = false
		}
		s.at.mu.Unlock()
		if list := s.at.seenAt(); len(list) != 1 || list[0] != seen {
			t.Errorf("%v", list)
		}
	})
}

// TestPunchDialsGlobalAddressesOnly reads what the other side of a punch tells.
func TestPunchDialsGlobalAddressesOnly(t *testing.T) {
	address := func(network wire.Network, ip string) wire.Address {
		return wire.Address{Network: network, IP: netip.MustParseAddr(ip), Port: 4001}
	}
	told := []wire.Address{
		address(wire.QUIC, "8.8.8.8"), address(wire.QUIC, "192.168.1.1"), address(wire.QUIC, "127.0.0.1"), address(wire.TCP, "8.8.4.4"),
		address(wire.QUIC, "169.254.1.1"), address(wire.QUIC, "100.64.1.1"), address(wire.QUIC, "2a00::1"), address(wire.QUIC, "fd00::1"),
	}
	heard, err := hear(bytes.NewReader(packed(told)))
	if err != nil || !slices.Equal(heard, []wire.Address{told[0], told[6]}) {
		t.Errorf("%v, %v", heard, err)
	}
	for name, b := range map[string][]byte{
		"too many":     packed(append(told, told[0])),
		"too long":     {1, 1},
		"cut":          packed(told)[:9],
		"no addresses": {0, 2, 1, 1},
	} {
		if _, err := hear(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
