package sim

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// network carries frames between machines.
type network struct {
	w      *World
	owners map[netip.AddrPort][]*machine // who had an address, the newest last
	island []int                         // machines on different islands do not reach each other
	port   uint16
	dht    *dht
	past   map[route][]frame // what went from one to the other, the newest last
}

type route struct{ from, to int }

type frame struct {
	kind wire.Type
	body []byte
}

// pastMax is how many frames of a route are remembered to be repeated; pastMaxCrowd where
// there are many routes, since there are more than crowd people.
const (
	pastMax      = 64
	pastMaxCrowd = 6
	crowd        = 20
)

// end is one machine's end of a connection.
type end struct {
	conn          *conn
	m             *machine // nil for a stranger's end
	id            protocol.ConnID
	local, remote identity.TransportKey
	inbound       bool
	finder        bool // a stranger's, who holds a link
	replays       bool // and brings envelopes that were recorded
	open          bool // the machine has been told of it and not yet of its end
	helloSent     bool
	helloSeen     bool // a hello of the other end was delivered
	authenticated bool
	helped        protocol.ContactID          // the name under which this end's machine lets the other be reached
	admitted      map[protocol.ContactID]bool // whom this end's machine connects the other with
	reserved      bool                        // this end's machine is to be reached through the other
	punchable     bool                        // this end's machine lets the other punch
	busyUntil     time.Time                   // when the last frame to this end arrives
}

func (e *end) other() *end {
	if e.conn.ends[0] == e {
		return e.conn.ends[1]
	}
	return e.conn.ends[0]
}

// conn is a connection: the dialler's end is the first.
type conn struct {
	ends [2]*end
	up   bool
	over bool          // a relay
	ride []*conn       // relayed ones that go over it
	slow time.Duration // the latency of each way
}

func newNetwork(w *World) *network {
	return &network{
		w: w, owners: make(map[netip.AddrPort][]*machine), island: make([]int, w.plan.Peers+w.plan.Homes),
		port: 20000, dht: newDHT(), past: make(map[route][]frame),
	}
}

// move gives a machine a new address. Its old ones lead nowhere, until healing.
func (n *network) move(m *machine) {
	n.port++
	a := wire.Address{
		Network: wire.QUIC, Port: n.port,
		IP: netip.AddrFrom4([4]byte{11 + byte((m.index+1)>>8), byte(m.index + 1), byte(n.port >> 8), byte(n.port)}),
	}
	if old, ok := pick(n.w, n.used(m)); ok && n.w.chance(30) { // somebody else's address of yesterday
		a.IP, a.Port = old.Addr(), old.Port()
	}
	m.addresses = []wire.Address{a}
	m.walled = n.w.plan.Help+n.w.plan.Pair > 0 && !m.home && n.w.chance(walled)
	n.owners[a.AddrPort()] = append(n.owners[a.AddrPort()], m)
	m.lan, m.heard = 0, false
	if n.w.plan.LAN && !m.home && n.w.chance(80) {
		n.enter(m, 1+n.w.random.IntN(2), n.w.chance(70))
	}
}

// used returns the addresses that others have left.
func (n *network) used(m *machine) []netip.AddrPort {
	var out []netip.AddrPort
	for a, owners := range n.owners {
		if !a.Addr().IsPrivate() && len(owners) == 1 && owners[0] != m && owners[0].addresses[0].AddrPort() != a {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}

// at returns the machines that answer at an address.
func (n *network) at(a wire.Address) []*machine {
	owners := n.owners[a.AddrPort()]
	if n.w.healing {
		return owners
	}
	return slices.DeleteFunc(slices.Clone(owners), func(m *machine) bool { return !slices.Contains(m.addresses, a) })
}

// enters reports whether a machine is found at an address of its: it is not behind a wall,
// or the address is behind it, too.
func (n *network) enters(b *machine, a wire.Address) bool {
	return n.w.healing || !b.walled || a.IP.IsPrivate()
}

// reach reports whether packets go from one machine to the other.
func (n *network) reach(a, b *machine) bool {
	return b.on && !b.asleep && n.island[a.index] == n.island[b.index]
}

// send does one Send of a machine.
func (n *network) send(m *machine, s protocol.Send) {
	switch s := s.(type) {
	case protocol.SendFrame:
		n.sendFrame(m, s)
	case protocol.Authenticate:
		if e := m.conns[s.Conn]; e != nil {
			e.authenticated = true
		}
	case protocol.Hangup:
		if e := m.conns[s.Conn]; e != nil {
			delete(m.conns, s.Conn)
			e.open = false
			n.cut(e.conn)
		}
	case protocol.Dial:
		n.dial(m, s)
	case protocol.Beacon:
		n.beacon(m, s)
	case protocol.PublishRecord:
		n.publish(m, s)
	case protocol.LookUpRecord:
		n.lookUp(m, s)
	case protocol.LeaveKey:
		n.leaveKey(m)
	case protocol.Punch, protocol.LetPunch, protocol.RelayHelp, protocol.RelayAdmit, protocol.RelayReserve:
		n.relaySend(m, s)
	default:
		n.w.fail("%v: send %T", m, s)
	}
}

func (n *network) dial(m *machine, d protocol.Dial) {
	if len(d.Keys) == 0 || len(d.Addresses)+len(d.Relays) == 0 {
		n.w.fail("%v: dials nothing", m)
	}
	if d.Rung == "" || d.For == (protocol.ContactID{}) {
		n.w.fail("%v: dials for no reason", m)
	}
	if d.Deadline.IsZero() || d.Deadline.Sub(m.stepped) > time.Minute {
		n.w.fail("%v: a dial may last until %v", m, d.Deadline)
	}
	n.w.log("%v > dial %d", m, d.Dial)
	m.after(n.w.between(20*time.Millisecond, 2*time.Second), func() {
		if n.dialRelays(m, d) {
			return
		}
		for _, key := range d.Keys {
			for _, a := range d.Addresses {
				for _, target := range n.at(a) {
					if target != m && n.reach(m, target) && n.inReach(m, target, a) && n.enters(target, a) && target.hostKey == key {
						n.connect(m, target, d.Dial)
						return
					}
				}
			}
		}
		m.after(n.w.between(0, 13*time.Second), func() { m.push(protocol.DialFailed{Dial: d.Dial, Code: "unreachable"}) })
	})
}

func (n *network) connect(from, to *machine, dial uint64) {
	n.establish(&conn{}, from, to, dial)
}

// establish makes a connection stand.
func (n *network) establish(c *conn, from, to *machine, dial uint64) {
	c.up, c.slow = true, n.w.between(time.Millisecond, 150*time.Millisecond)
	c.ends[0] = n.attach(c, from, from.hostKey, to.hostKey)
	c.ends[1] = n.attach(c, to, to.hostKey, from.hostKey)
	c.ends[1].inbound = true
	n.openEnd(c.ends[0], dial)
	n.openEnd(c.ends[1], 0)
	if !n.w.healing && n.w.plan.ConnLife > 0 {
		n.w.after(n.w.about(n.w.plan.ConnLife), func() { n.cut(c) })
	}
}

// attach makes a machine's end of a connection.
func (n *network) attach(c *conn, m *machine, local, remote identity.TransportKey) *end {
	m.lastConn++
	e := &end{conn: c, m: m, id: m.lastConn, local: local, remote: remote, busyUntil: n.w.now}
	m.conns[e.id] = e
	return e
}

// openEnd tells a machine of its end, and ends it if nobody proves anything.
func (n *network) openEnd(e *end, dial uint64) {
	e.open = true
	e.m.push(protocol.ConnOpened{Conn: e.id, Local: e.local, Remote: e.remote, Inbound: e.inbound, Dial: dial, Relayed: e.conn.over})
	e.m.after(strangerLifetime, func() {
		if e.open && !e.authenticated {
			n.cut(e.conn)
		}
	})
}

// sendFrame checks what is sent, and carries it.
func (n *network) sendFrame(m *machine, s protocol.SendFrame) {
	e := m.conns[s.Conn]
	if e == nil {
		return // it is gone meanwhile
	}
	n.w.note(m, "frame", []byte{byte(s.Type)}, s.Body)
	n.w.log("%v > %s on %d to %v (%d B)", m, s.Type.Name(), s.Conn, e.other().m, len(s.Body))
	n.w.checkFrame(m, e, s)
	if s.Type == wire.TypeHello {
		e.helloSent = true
	}
	to := e.other()
	if to.m == nil || !e.conn.up {
		return
	}
	f := frame{s.Type, s.Body}
	if f.kind != wire.TypeMailbox {
		n.remember(m, to.m, f)
	}
	if said, any := n.distort(m, to, f); any {
		n.deliver(to, said, n.w.now.Add(e.conn.slow))
	}
	n.disturb(m, to, f)
}

// deliver has a frame arrive at an end at t, or as soon as those before it have.
func (n *network) deliver(to *end, f frame, t time.Time) {
	if t.Before(to.busyUntil) {
		t = to.busyUntil
	}
	to.busyUntil = t
	n.arrive(to, f, t.Sub(n.w.now))
}

// arrive has a frame arrive after a while, whatever else is on the way.
func (n *network) arrive(to *end, f frame, after time.Duration) {
	body := bytes.Clone(f.body)
	to.m.after(after, func() {
		if !to.open || !to.conn.up {
			return
		}
		if f.kind == wire.TypeHello {
			to.helloSeen = true
		}
		to.m.push(protocol.FrameReceived{Conn: to.id, Type: f.kind, Body: body})
	})
}

func (n *network) remember(from, to *machine, f frame) {
	r := route{from.index, to.index}
	most := pastMax
	if n.w.plan.Peers > crowd {
		most = pastMaxCrowd
	}
	list := append(n.past[r], f)
	if len(list) > most {
		list = slices.Delete(list, 0, len(list)-most)
	}
	n.past[r] = list
}

// cut ends a connection: what is on the way is lost, and each end learns it after
// a while.
func (n *network) cut(c *conn) {
	if !c.up {
		return
	}
	c.up = false
	n.cutRide(c)
	for _, e := range c.ends {
		if e.m == nil || !e.open {
			continue
		}
		wait := n.w.between(0, 200*time.Millisecond)
		if n.w.chance(20) {
			wait = n.w.between(0, 40*time.Second)
		}
		n.closeEnd(e, wait)
	}
}

func (n *network) closeEnd(e *end, wait time.Duration) {
	e.m.after(wait, func() {
		if e.open {
			e.open = false
			delete(e.m.conns, e.id)
			e.m.push(protocol.ConnClosed{Conn: e.id})
		}
	})
}

// silence cuts all connections of a machine that has stopped.
func (n *network) silence(m *machine) {
	for _, e := range m.ends() {
		if !e.conn.up {
			continue
		}
		e.conn.up = false
		n.cutRide(e.conn)
		if o := e.other(); o.m != nil && o.open {
			n.closeEnd(o, n.w.between(0, 40*time.Second))
		}
	}
}

// closeAll ends all connections of a machine at once; told says whether the core
// hears of it: after a crash there is none to hear.
func (n *network) closeAll(m *machine, told bool) {
	n.silence(m)
	for _, e := range m.ends() {
		e.open = false
		delete(m.conns, e.id)
		if told {
			m.inbox = append(m.inbox, protocol.ConnClosed{Conn: e.id})
		}
	}
}

// leaveKey ends what is left of a machine's connections under older keys.
func (n *network) leaveKey(m *machine) {
	for _, e := range m.ends() {
		if e.local != m.hostKey {
			n.cut(e.conn)
		}
	}
}

// ends returns a machine's ends by id.
func (m *machine) ends() []*end {
	out := make([]*end, 0, len(m.conns))
	for _, e := range m.conns {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *end) int { return int(a.id) - int(b.id) })
	return out
}

// partition puts machines on islands and cuts what goes between them.
func (n *network) partition(islands []int) {
	copy(n.island, islands)
	n.w.log("islands %v", islands)
	for _, m := range n.w.machines {
		for _, e := range m.ends() {
			if o := e.other(); o.m != nil && n.island[o.m.index] != n.island[m.index] {
				n.cut(e.conn)
			}
		}
	}
}
