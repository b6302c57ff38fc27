package p2p

import (
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// peerID is the libp2p name of a transport key.
func peerID(key identity.TransportKey) (peer.ID, error) {
	public, err := crypto.UnmarshalEd25519PublicKey(key[:])
	if err != nil {
		return "", err
	}
	return peer.IDFromPublicKey(public)
}

// transportKey is the key behind a libp2p name; false if it is not Ed25519.
func transportKey(id peer.ID) (identity.TransportKey, bool) {
	public, err := id.ExtractPublicKey()
	if err != nil || public.Type() != crypto.Ed25519 {
		return identity.TransportKey{}, false
	}
	raw, err := public.Raw()
	if err != nil || len(raw) != len(identity.TransportKey{}) {
		return identity.TransportKey{}, false
	}
	return identity.TransportKey(raw), true
}

// multiaddr is the libp2p form of an address; false if it is of no known network
// or cannot be dialled from anywhere.
func multiaddr(a wire.Address) (ma.Multiaddr, bool) {
	ip := a.IP.Unmap()
	if a.Port == 0 || !ip.IsValid() || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() {
		return nil, false
	}
	return listenMultiaddr(a.Network, netip.AddrPortFrom(ip, a.Port))
}

// listenMultiaddr is like multiaddr for an address to listen on, which may be
// unspecified in address and port.
func listenMultiaddr(network wire.Network, at netip.AddrPort) (ma.Multiaddr, bool) {
	family := "/ip4/"
	if at.Addr().Is6() {
		family = "/ip6/"
	}
	text := family + at.Addr().String()
	switch port := strconv.Itoa(int(at.Port())); network {
	case wire.QUIC:
		text += "/udp/" + port + "/quic-v1"
	case wire.TCP:
		text += "/tcp/" + port
	default:
		return nil, false
	}
	m, err := ma.NewMultiaddr(text)
	return m, err == nil
}

// wireAddress is our form of a libp2p address; false for all but QUIC and TCP on IP.
func wireAddress(m ma.Multiaddr) (wire.Address, bool) {
	var a wire.Address
	var port []byte
	known := true
	ma.ForEach(m, func(c ma.Component) bool {
		switch c.Protocol().Code {
		case ma.P_IP4, ma.P_IP6:
			a.IP, _ = netip.AddrFromSlice(c.RawValue())
		case ma.P_TCP:
			a.Network, port = wire.TCP, c.RawValue()
		case ma.P_UDP:
			port = c.RawValue()
		case ma.P_QUIC_V1:
			a.Network = wire.QUIC
		default:
			known = false
		}
		return known
	})
	if !known || !a.IP.IsValid() || a.Network == 0 || len(port) != 2 {
		return wire.Address{}, false
	}
	a.IP, a.Port = a.IP.Unmap(), binary.BigEndian.Uint16(port)
	return a, true
}

// pathAddress is where a connection leads at first: for a circuit to its relay, for any
// other to its end.
func pathAddress(m ma.Multiaddr) (a wire.Address, relayed, ok bool) {
	direct, rest := ma.SplitFunc(m, func(c ma.Component) bool { return c.Protocol().Code == ma.P_P2P || c.Protocol().Code == ma.P_CIRCUIT })
	if len(rest) > 0 {
		_, err := m.ValueForProtocol(ma.P_CIRCUIT)
		if relayed = err == nil; !relayed {
			return wire.Address{}, false, false
		}
	}
	a, ok = wireAddress(direct)
	return a, relayed, ok
}

// classOf says what kind of address ip is.
func classOf(ip netip.Addr) Class {
	m, err := manet.FromIP(ip.AsSlice())
	switch {
	case ip.IsLoopback():
		return Loopback
	case err == nil && manet.IsPublicAddr(m):
		return Global
	}
	return Private
}

// networkOf is the part of an address that one person is assumed to control.
func networkOf(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 56
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// machineInterfaces lists the addresses of every interface that is up.
func machineInterfaces() ([]netip.Prefix, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var list []netip.Prefix
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue // it went down since
		}
		for _, a := range addresses {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, ok := netip.AddrFromSlice(n.IP)
			ones, _ := n.Mask.Size()
			if ip = ip.Unmap(); ok && !ip.IsMulticast() {
				list = append(list, netip.PrefixFrom(ip, ones))
			}
		}
	}
	return list, nil
}

// ownAddresses lists where a host is reached that listens on these addresses of a
// machine with these interfaces, and the subnets of these. Link-local IPv6
// addresses are left out: they mean nothing without an interface name.
func ownAddresses(listening []wire.Address, interfaces []netip.Prefix) Addresses {
	var found Addresses
	for _, l := range listening {
		if !l.IP.IsUnspecified() {
			found.Own = append(found.Own, l)
			continue
		}
		for _, i := range interfaces {
			ip := i.Addr()
			if ip.Is4() == l.IP.Is4() && !(ip.Is6() && ip.IsLinkLocalUnicast()) {
				found.Own = append(found.Own, wire.Address{Network: l.Network, IP: ip, Port: l.Port})
			}
		}
	}
	for _, i := range interfaces {
		found.Subnets = append(found.Subnets, i.Masked())
	}
	slices.SortFunc(found.Own, compareAddresses)
	found.Own = slices.Compact(found.Own)
	slices.SortFunc(found.Subnets, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	found.Subnets = slices.Compact(found.Subnets)
	found.Own = found.Own[:min(len(found.Own), ownAddressesMax)]
	found.Subnets = found.Subnets[:min(len(found.Subnets), ownSubnetsMax)]
	return found
}

func compareAddresses(a, b wire.Address) int {
	return cmp.Or(a.IP.Compare(b.IP), cmp.Compare(a.Network, b.Network), cmp.Compare(a.Port, b.Port))
}
