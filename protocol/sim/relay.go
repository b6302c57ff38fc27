package sim

import (
	"slices"
	"time"

	"pabal/protocol"
)

// relaySend does what a machine asks of its relay, or of others'.
func (n *network) relaySend(m *machine, s protocol.Send) {
	end := func(id protocol.ConnID) *end {
		e := m.conns[id]
		if e != nil && !e.authenticated {
			n.w.fail("%v: relays for somebody who has proved nothing", m)
		}
		return e
	}
	switch s := s.(type) {
	case protocol.RelayHelp:
		if e := end(s.Conn); e != nil {
			e.helped = s.Name
		}
	case protocol.RelayAdmit:
		if e := end(s.Conn); e != nil {
			if e.admitted == nil {
				e.admitted = make(map[protocol.ContactID]bool)
			}
			e.admitted[s.Name] = true
		}
	case protocol.RelayReserve:
		if e := end(s.Conn); e != nil {
			if e.conn.over {
				n.w.fail("%v: reserves by a relayed connection", m)
			}
			e.reserved = s.On
		}
	case protocol.LetPunch:
		if e := end(s.Conn); e != nil {
			e.punchable = true
		}
	case protocol.Punch:
		n.punch(m, end(s.Conn), s.Dial)
	}
}

// dialRelays connects a machine with the first that it finds through its relays.
func (n *network) dialRelays(m *machine, d protocol.Dial) bool {
	for _, key := range d.Keys {
		for _, id := range d.Relays {
			e := m.conns[id]
			if e == nil || !e.conn.up || e.other().m == nil || e.conn.over {
				continue
			}
			there, relay := e.other(), e.other().m
			for _, r := range relay.ends() {
				if r.remote != key || r.helped == (protocol.ContactID{}) || !there.admitted[r.helped] || !r.conn.up {
					continue
				}
				target := r.other()
				if target.m == nil || target.m == m || !target.reserved || !n.reach(m, relay) || !n.reach(relay, target.m) {
					continue
				}
				n.w.truth.relayed++
				c := &conn{over: true}
				e.conn.ride, r.conn.ride = append(e.conn.ride, c), append(r.conn.ride, c)
				n.establish(c, m, target.m, d.Dial)
				return true
			}
		}
	}
	return false
}

// punch makes a direct connection beside a relayed one, or does not.
func (n *network) punch(m *machine, e *end, dial uint64) {
	m.after(n.w.between(100*time.Millisecond, 5*time.Second), func() {
		if e != nil && e.conn.up && e.conn.over && e.other().m != nil && e.other().punchable && n.reach(m, e.other().m) && n.w.chance(punched) {
			n.w.truth.punched++
			n.connect(m, e.other().m, dial)
			return
		}
		m.push(protocol.DialFailed{Dial: dial, Code: "unreachable"})
	})
}

// cutRide cuts what goes over a connection.
func (n *network) cutRide(c *conn) {
	for _, over := range slices.Clone(c.ride) {
		n.cut(over)
	}
	c.ride = nil
}
