package wire

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"pabal/protocol/identity"
)

// ErrAddress reports bytes that are no packed address.
var ErrAddress = errors.New("wire: malformed address")

// Network is the transport an address is dialled with.
type Network uint8

// The networks of this version.
const (
	QUIC Network = 1 // QUIC over UDP
	TCP  Network = 2
)

// Address is where a node listens. Its packed form is 7 bytes for IPv4 and 19 for
// IPv6, 8 more for a loopback address with its host tag:
//
//	kind u8 ‖ IP 4 or 16 ‖ port u16 ‖ [host tag 8]
//	kind: bits 0–3 the network, bit 4 set for IPv6, bit 5 set if a host tag follows
type Address struct {
	Network Network
	// IP is neither zoned nor an IPv4 address in IPv6 form.
	IP   netip.Addr
	Port uint16
	// HostTag marks a loopback address with the machine it means. It is made from the
	// boot's id and a secret both sides share, so nobody makes us dial ourselves. It
	// is zero for all other addresses, and for loopback ones that are not to be sent.
	HostTag [8]byte
}

const (
	addressIPv6    = 1 << 4
	addressHostTag = 1 << 5
)

// Valid reports whether the address has a packed form.
func (a Address) Valid() bool {
	if a.Network != QUIC && a.Network != TCP || a.Port == 0 {
		return false
	}
	if !a.IP.IsValid() || a.IP.Zone() != "" || a.IP.Is4In6() || a.IP.IsUnspecified() || a.IP.IsMulticast() {
		return false
	}
	return a.IP.IsLoopback() || a.HostTag == [8]byte{}
}

// AddrPort returns IP and port.
func (a Address) AddrPort() netip.AddrPort { return netip.AddrPortFrom(a.IP, a.Port) }

// Append appends the packed address to dst. An IPv4 address in IPv6 form is packed as
// IPv4 and a zone is dropped. An address that is not valid even then is a mistake of
// ours and panics.
func (a Address) Append(dst []byte) []byte {
	a.IP = a.IP.Unmap().WithZone("")
	if !a.Valid() {
		panic("wire: packing an invalid address")
	}
	kind := byte(a.Network)
	if a.IP.Is6() {
		kind |= addressIPv6
	}
	if a.HostTag != [8]byte{} {
		kind |= addressHostTag
	}
	dst = append(dst, kind)
	dst = append(dst, a.IP.AsSlice()...)
	dst = binary.BigEndian.AppendUint16(dst, a.Port)
	if a.HostTag != [8]byte{} {
		dst = append(dst, a.HostTag[:]...)
	}
	return dst
}

// address reads one packed address; it returns false if it is none.
func (r *reader) address() (Address, bool) {
	kind := r.byte()
	a := Address{Network: Network(kind & 0x0f)}
	if kind&addressIPv6 != 0 {
		var ip [16]byte
		r.bytes(ip[:])
		a.IP = netip.AddrFrom16(ip)
	} else {
		var ip [4]byte
		r.bytes(ip[:])
		a.IP = netip.AddrFrom4(ip)
	}
	a.Port = r.uint16()
	if kind&addressHostTag != 0 {
		r.bytes(a.HostTag[:])
		if a.HostTag == [8]byte{} {
			return Address{}, false
		}
	}
	known := byte(0x0f | addressIPv6 | addressHostTag)
	return a, !r.failed() && kind&^known == 0 && a.Valid()
}

// addresses reads n packed addresses; it returns false if one is none.
func (r *reader) addresses(n int) ([]Address, bool) {
	var list []Address
	for range n {
		a, ok := r.address()
		if !ok {
			return nil, false
		}
		list = append(list, a)
	}
	return list, true
}

// AppendAddresses appends the packed addresses to dst, one after the other.
func AppendAddresses(dst []byte, list []Address) []byte {
	for _, a := range list {
		dst = a.Append(dst)
	}
	return dst
}

// ParseAddresses reads packed addresses until the end of b, at most limit.
// Error: ErrAddress.
func ParseAddresses(b []byte, limit int) ([]Address, error) {
	r := reader{b: b}
	var list []Address
	for len(r.b) > 0 {
		a, ok := r.address()
		if !ok || len(list) == limit {
			return nil, ErrAddress
		}
		list = append(list, a)
	}
	return list, nil
}

// Courier is a node that takes deposits: its address and its one transport key.
type Courier struct {
	Key     identity.TransportKey
	Address Address
}

func (c Courier) append(dst []byte) []byte {
	dst = append(dst, c.Key[:]...)
	return c.Address.Append(dst)
}

func (r *reader) couriers(n int) ([]Courier, bool) {
	var list []Courier
	for range n {
		var c Courier
		var ok bool
		r.bytes(c.Key[:])
		if c.Address, ok = r.address(); !ok {
			return nil, false
		}
		list = append(list, c)
	}
	return list, true
}

func (r *reader) transportKeys(n int) []identity.TransportKey {
	var list []identity.TransportKey
	for range n {
		if r.failed() {
			return nil
		}
		var k identity.TransportKey
		r.bytes(k[:])
		list = append(list, k)
	}
	return list
}
