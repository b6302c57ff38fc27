package sim

import (
	"bytes"
	"net/netip"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// enter puts a machine on a local network, under an address that it had on none before.
func (n *network) enter(m *machine, lan int, heard bool) {
	n.port++
	m.lan, m.heard = lan, heard
	span := 250 / max(n.w.plan.Peers, 5)
	a := wire.Address{
		Network: wire.QUIC, Port: n.port,
		IP: netip.AddrFrom4([4]byte{192, 168, byte(lan), byte(m.index*span + 1 + n.w.random.IntN(span-1))}),
	}
	m.addresses = append(m.addresses, a)
	n.owners[a.AddrPort()] = append(n.owners[a.AddrPort()], m)
}

// inReach reports whether an address of a machine means it where another one is.
func (n *network) inReach(m, target *machine, a wire.Address) bool {
	return !a.IP.IsPrivate() || m.lan == target.lan
}

// local returns the machine's address on its local network.
func (m *machine) local() (netip.Addr, bool) {
	for _, a := range m.addresses {
		if a.IP.IsPrivate() {
			return a.IP, true
		}
	}
	return netip.Addr{}, false
}

func (m *machine) subnets() []netip.Prefix {
	if ip, ok := m.local(); ok {
		return []netip.Prefix{netip.PrefixFrom(ip, 24).Masked()}
	}
	return nil
}

// tellPlace tells the core where the machine is.
func (m *machine) tellPlace() {
	m.push(m.networkChanged())
	if ip, ok := m.local(); ok {
		m.push(protocol.NearChanged{Near: []protocol.Near{{IP: ip, Network: [16]byte{byte(m.lan)}, Trusted: m.heard}}})
		return
	}
	if m.w.plan.LAN {
		m.push(protocol.NearChanged{})
	}
}

// beacon carries a datagram to those on the local network that listen. Some are lost, some come twice,
// late or damaged, and what is recorded on one network is played on the other.
func (n *network) beacon(m *machine, b protocol.Beacon) {
	ip, ok := m.local()
	n.w.checkBeacon(m, b.Datagram)
	if !ok || b.From != ip || b.Network != [16]byte{byte(m.lan)} { // it moved meanwhile
		return
	}
	n.w.note(m, "beacon", b.Datagram)
	for _, to := range n.w.machines {
		if to == m || !n.reach(m, to) {
			continue
		}
		if to.lan == m.lan && to.heard && !n.w.chance(10) {
			n.hear(to, ip, b.Datagram, n.w.between(0, time.Second))
		}
		if n.w.plan.Disturb > 0 && n.w.chance(20) {
			datagram := bytes.Clone(b.Datagram)
			if n.w.chance(50) {
				datagram[n.w.random.IntN(len(datagram))]++
			}
			n.hear(to, ip, datagram, n.w.about(20*time.Minute))
		}
	}
}

func (n *network) hear(to *machine, from netip.Addr, datagram []byte, after time.Duration) {
	datagram = bytes.Clone(datagram)
	to.after(after, func() { to.push(protocol.BeaconHeard{From: from, Datagram: datagram}) })
}
