package node_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// frame is one frame as it passed between two nodes, out of libp2p's encryption.
type frame struct {
	from string // who sent it
	kind wire.Type
	body []byte
}

// middle stands between two nodes with the transport keys of both: all that
// libp2p protects lies open to it. It passes every frame on and keeps a copy.
type middle struct {
	sides  [2]*side
	frames []frame

	stop, done chan struct{}
}

// side is one of the two nodes, and the host that plays it towards the other.
type side struct {
	name   string
	host   *p2p.Host
	real   []wire.Address // where the node itself listens
	paired map[uint64]*passage
}

// passage is one conn at each side.
type passage struct {
	conn  [2]uint64 // by side; 0: not yet
	asked int       // the side of the node that was dialled
	wait  []p2p.Frame
}

// playing is what middle needs of a node.
type playing struct {
	person   *person
	peer     *protocol.Peer // of the profile, for the transport seeds
	at, real uint16         // where it is played, where it is
}

// between starts a middle. Both nodes run.
func between(t testing.TB, nodes [2]playing) *middle {
	t.Helper()
	m := &middle{stop: make(chan struct{}), done: make(chan struct{})}
	for i, n := range nodes {
		s := &side{name: n.person.config.Profile, paired: map[uint64]*passage{}}
		for _, network := range []wire.Network{wire.QUIC, wire.TCP} {
			s.real = append(s.real, wire.Address{Network: network, IP: loopbackPort(0).Addr(), Port: n.real})
		}
		s.host = openHost(t, seedInUse(t, n.peer, s.real), n.at)
		m.sides[i] = s
	}
	go m.run()
	t.Cleanup(m.close)
	return m
}

// close ends the middle; its frames may be read then.
func (m *middle) close() {
	select {
	case <-m.stop:
	default:
		close(m.stop)
	}
	<-m.done
}

func (m *middle) run() {
	defer close(m.done)
	for {
		var at int
		var e p2p.Event
		select {
		case <-m.stop:
			return
		case e = <-m.sides[0].host.Events():
		case e = <-m.sides[1].host.Events():
			at = 1
		}
		m.event(at, e)
	}
}

// event handles what the host that plays node number at tells: it talks with the
// other node.
func (m *middle) event(at int, e p2p.Event) {
	plays, other := m.sides[at], m.sides[1-at]
	switch e := e.(type) {
	case p2p.Opened:
		if !e.Inbound {
			p := other.paired[e.Dial] // dials are numbered by the conn they are for
			p.conn[at] = e.Conn
			plays.paired[e.Conn] = p
			plays.host.Send(e.Conn, p.wait)
			return
		}
		p := &passage{asked: at}
		p.conn[at] = e.Conn
		plays.paired[e.Conn] = p
		other.host.Dial(p2p.Dial{ID: e.Conn, Keys: []identity.TransportKey{plays.host.Key()}, Addresses: plays.real, Why: forTests()})
	case p2p.Received:
		m.pass(at, plays.paired[e.Conn], e)
	case p2p.Closed:
		if p := plays.paired[e.Conn]; p.conn[1-at] != 0 {
			other.host.Hangup(p.conn[1-at])
		}
	case p2p.DialFailed:
		other.host.Hangup(e.Dial)
	}
}

// pass hands frames of the other node on to the node that is played here.
func (m *middle) pass(at int, p *passage, r p2p.Received) {
	for _, f := range r.Frames {
		m.frames = append(m.frames, frame{from: m.sides[1-at].name, kind: f.Type, body: f.Body})
	}
	if at != p.asked { // the node that was dialled answers: it knows who dialled
		m.sides[at].host.Authenticate(r.Conn)
		m.sides[1-at].host.Authenticate(p.conn[1-at])
	}
	if p.conn[1-at] == 0 {
		p.wait = append(p.wait, r.Frames...)
		return
	}
	m.sides[1-at].host.Send(p.conn[1-at], r.Frames) // one that is gone has reported Closed
}

// kinds counts the frames by type.
func (m *middle) kinds() map[wire.Type]int {
	n := map[wire.Type]int{}
	for _, f := range m.frames {
		n[f.kind]++
	}
	return n
}

// openHost opens a transport host on a port of loopback, 0 for any.
func openHost(t testing.TB, seed identity.TransportSeed, port uint16) *p2p.Host {
	t.Helper()
	h := must[*p2p.Host](t)(p2p.Open(p2p.Config{Seed: seed, Listen: []string{loopbackPort(port).String()}}))
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// seedInUse finds out which of a profile's transport seeds its node uses now: up
// to three hours around midnight UTC it may be that of the day beside ours.
func seedInUse(t testing.TB, p *protocol.Peer, at []wire.Address) identity.TransportSeed {
	t.Helper()
	seeds := map[identity.TransportKey]identity.TransportSeed{}
	for _, days := range []int{0, -1, 1} {
		seed := p.Transport(time.Now().AddDate(0, 0, days))
		seeds[seed.Public()] = seed
	}
	h := openHost(t, identity.TransportSeed{byte(len(at)), byte(at[0].Port), byte(at[0].Port >> 8)}, 0)
	return seeds[whoIs(t, h, p2p.Dial{ID: 1, Keys: slices.Collect(maps.Keys(seeds)), Addresses: at, Why: forTests()})]
}
