package lan

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"net"
	"net/netip"
	"reflect"
	"slices"
)

// ID stands for a network. It is a hash and says nothing of where the network is.
type ID [16]byte

// Network is a local network that an interface of this machine is in.
type Network struct {
	Interface string
	Index     int          // of the interface
	Addresses []netip.Addr // ours there: neither loopback nor link-local
	Gateway   netip.Addr   // invalid if there is none
	ID        ID
	// Lasting says that the ID will be the same the next time: it is made of the
	// gateway's addresses. Without it the ID ends when the network is left.
	Lasting bool
	// Known says that it is noticed when we leave the network for another one. A
	// network that is not must not be trusted.
	Known bool
}

// gateway is what leads out of a network.
type gateway struct {
	ip  netip.Addr
	mac net.HardwareAddr // empty while the system has not asked for it
}

// identify fills in ID and Lasting. carrier changes whenever the line was cut.
func (n *Network) identify(g gateway, carrier uint32) {
	h := sha256.New()
	h.Write([]byte("network by gateway\x00"))
	n.Gateway = g.ip
	if n.Lasting = len(g.mac) > 0 && !shared(g.mac); !n.Lasting {
		h.Write([]byte("for this stay\x00"))
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(n.Index)))
		h.Write(binary.BigEndian.AppendUint32(nil, carrier))
		for _, a := range n.Addresses {
			b := a.As16()
			h.Write(b[:])
		}
	}
	if g.ip.IsValid() {
		b := g.ip.As16()
		h.Write(b[:])
	}
	h.Write(g.mac)
	n.ID = ID(h.Sum(nil))
}

// shared reports whether many networks have a gateway with this address: that of a
// protocol for spare routers (VRRP, HSRP).
func shared(mac net.HardwareAddr) bool {
	return slices.ContainsFunc([][]byte{
		{0x00, 0x00, 0x5e, 0x00, 0x01}, {0x00, 0x00, 0x5e, 0x00, 0x02}, {0x00, 0x00, 0x0c, 0x07, 0xac}, {0x00, 0x00, 0x0c, 0x9f}, {0x00, 0x05, 0x73, 0xa0},
	}, func(prefix []byte) bool { return bytes.HasPrefix(mac, prefix) })
}

// interfaces returns the networks of this machine's interfaces, not identified yet.
func interfaces() ([]Network, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []Network
	for _, i := range all {
		const wanted = net.FlagUp | net.FlagMulticast
		if i.Flags&wanted != wanted || i.Flags&(net.FlagLoopback|net.FlagPointToPoint) != 0 || len(out) == networksMax {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue // it went down since
		}
		if own := usable(addresses); len(own) > 0 {
			out = append(out, Network{Interface: i.Name, Index: i.Index, Addresses: own})
		}
	}
	return out, nil
}

func usable(addresses []net.Addr) (out []netip.Addr) {
	for _, a := range addresses {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		if ip = ip.Unmap(); ok && ip.IsGlobalUnicast() && len(out) < addressesMax {
			out = append(out, ip)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

func same(a, b []Network) bool { return reflect.DeepEqual(a, b) }
