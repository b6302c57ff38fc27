package rendezvous

import (
	"net/netip"
	"slices"

	"pabal/protocol/wire"
)

// Network is what the node knows of this machine's place: our own addresses as
// listened on, and the subnets of the interfaces that are up.
type Network struct {
	Own     []wire.Address
	Subnets []netip.Prefix
}

// Dialable returns the received addresses that may be dialled: global ones,
// those in a subnet of an own interface, and loopback ones that carry our own
// host tag. Anything else would let a peer make us scan a network of its
// choice (contracts.md, Reach).
func (n Network) Dialable(received []wire.Address, ownTag [8]byte) []wire.Address {
	var out []wire.Address
	for _, a := range received {
		if n.mayDial(a, ownTag) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func (n Network) mayDial(a wire.Address, ownTag [8]byte) bool {
	ip := a.IP.Unmap()
	switch {
	case a.Port == 0 || !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast():
		return false
	case ip.IsLoopback():
		return a.HostTag == ownTag && ownTag != [8]byte{}
	case n.inSubnet(ip):
		return true
	default:
		return global(ip)
	}
}

func (n Network) inSubnet(ip netip.Addr) bool {
	return slices.ContainsFunc(n.Subnets, func(p netip.Prefix) bool {
		return !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() && p.Contains(ip)
	})
}

// global reports whether an address is reachable on the internet at large.
// Documentation and benchmarking ranges count as LAN: there they are reached
// only through an interface that is in them.
func global(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	return !slices.ContainsFunc(notGlobal(), func(p netip.Prefix) bool { return p.Contains(ip) })
}

func notGlobal() []netip.Prefix {
	return []netip.Prefix{
		prefix(100, 64, 10), prefix(192, 0, 24), prefix(198, 18, 15), prefix(240, 0, 4), prefix(0, 0, 8),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, 0}), 24),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, 0}), 24),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, 0}), 24),
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8}), 32),
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x00, 0x64, 0xff, 0x9b}), 96), // NAT64 would hide any IPv4
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x02}), 16),             // 6to4 likewise
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01}), 32),             // Teredo likewise
		netip.PrefixFrom(netip.AddrFrom16([16]byte{}), 96),                       // IPv4-compatible
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x00, 0x64, 0xff, 0x9b, 0, 1}), 48),
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x01}), 64),       // discard only
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x3f, 0xff}), 20), // documentation
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfe, 0xc0}), 10), // site-local
		netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 88, 99, 0}), 24),
	}
}

func prefix(a, b byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, 0, 0}), bits)
}

// Advertised returns at most limit of our addresses for a link or a record,
// the widest reaching first; loopback ones get tag beside them.
func (n Network) Advertised(limit int, tag [8]byte) []wire.Address {
	rank := func(a wire.Address) int {
		ip := a.IP.Unmap()
		r := 0
		switch {
		case ip.IsLoopback():
			r = 40
		case !global(ip):
			r = 20
		}
		if ip.Is6() {
			r += 4
		}
		if a.Network != wire.QUIC {
			r += 10
		}
		return r
	}
	out := make([]wire.Address, 0, len(n.Own))
	for _, a := range n.Own {
		a.IP = a.IP.Unmap().WithZone("")
		if !a.Valid() || a.IP.IsLinkLocalUnicast() || a.IP.IsLoopback() && tag == [8]byte{} {
			continue
		}
		a.HostTag = [8]byte{}
		if a.IP.IsLoopback() {
			a.HostTag = tag
		}
		out = append(out, a)
	}
	slices.SortStableFunc(out, func(a, b wire.Address) int { return rank(a) - rank(b) })
	return keepLoopback(out, limit)
}

// Public reports whether one of our addresses is reachable from the internet at
// large, as far as this machine can tell.
func (n Network) Public() bool {
	return slices.ContainsFunc(n.Own, Public)
}

// Public reports whether an address is reachable from the internet at large, as far as
// it shows.
func Public(a wire.Address) bool { return global(a.IP.Unmap()) }

// keepLoopback cuts a sorted list to limit but lets one loopback address in,
// if there is any: two profiles on one machine without a network must meet.
func keepLoopback(sorted []wire.Address, limit int) []wire.Address {
	if len(sorted) <= limit {
		return sorted
	}
	first := slices.IndexFunc(sorted, func(a wire.Address) bool { return a.IP.IsLoopback() })
	cut := slices.Clone(sorted[:limit])
	if first >= limit {
		cut[limit-1] = sorted[first]
	}
	return cut
}
