package lan

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Look returns the local networks that this machine is in, with their gateways, by three
// questions to the kernel.
func Look() ([]Network, error) {
	list, err := interfaces()
	if err != nil || len(list) == 0 {
		return nil, err
	}
	carriers, err := carriers()
	if err != nil {
		return nil, err
	}
	gateways, err := gateways()
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Known = true
		list[i].identify(gateways[list[i].Index], carriers[list[i].Index])
	}
	return list, nil
}

// attributes calls f for each attribute of a message of the kernel behind a head of
// fixed size.
func attributes(data []byte, head int, f func(kind uint16, value []byte)) {
	for b := data[min(head, len(data)):]; len(b) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[2:]), b[unix.SizeofRtAttr:size])
		b = b[min((size+3)&^3, len(b)):]
	}
}

// ask returns the kernel's answers of one type.
func ask(question int, answer uint16, head int) ([][]byte, error) {
	raw, err := syscall.NetlinkRIB(question, syscall.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("ask the kernel for networks: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(raw)
	if err != nil {
		return nil, fmt.Errorf("read the kernel's networks: %w", err)
	}
	var out [][]byte
	for _, m := range messages {
		if m.Header.Type == answer && len(m.Data) >= head {
			out = append(out, m.Data)
		}
	}
	return out, nil
}

// carriers returns how often the line of each interface came and went.
func carriers() (map[int]uint32, error) {
	links, err := ask(unix.RTM_GETLINK, unix.RTM_NEWLINK, unix.SizeofIfInfomsg)
	out := map[int]uint32{}
	for _, data := range links {
		index := int(binary.NativeEndian.Uint32(data[4:]))
		attributes(data, unix.SizeofIfInfomsg, func(kind uint16, value []byte) {
			if kind == unix.IFLA_CARRIER_CHANGES && len(value) == 4 {
				out[index] = binary.NativeEndian.Uint32(value)
			}
		})
	}
	return out, err
}

// route is a way out by an interface.
type route struct {
	gateway  netip.Addr
	priority uint32
}

// before reports whether a route is taken rather than another: IPv4 first, since the gateway's
// IPv6 address may come and go, then the lower priority number.
func (r route) before(o route) bool {
	if r.gateway.Is4() != o.gateway.Is4() {
		return r.gateway.Is4()
	}
	return r.priority < o.priority
}

// gateways returns the gateway of each interface that has one.
func gateways() (map[int]gateway, error) {
	const head = unix.SizeofRtMsg
	routes, err := ask(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, head)
	if err != nil {
		return nil, err
	}
	best := map[int]route{}
	for _, data := range routes {
		if data[1] != 0 || data[4] != unix.RT_TABLE_MAIN { // not a default route
			continue
		}
		var r route
		index := 0
		attributes(data, head, func(kind uint16, value []byte) {
			switch {
			case kind == unix.RTA_GATEWAY:
				r.gateway, _ = netip.AddrFromSlice(value)
			case kind == unix.RTA_OIF && len(value) == 4:
				index = int(binary.NativeEndian.Uint32(value))
			case kind == unix.RTA_PRIORITY && len(value) == 4:
				r.priority = binary.NativeEndian.Uint32(value)
			}
		})
		if old, known := best[index]; r.gateway.IsValid() && index != 0 && (!known || r.before(old)) {
			best[index] = r
		}
	}
	neighbours, err := neighbours()
	if err != nil {
		return nil, err
	}
	out := map[int]gateway{}
	for index, r := range best {
		out[index] = gateway{ip: r.gateway, mac: neighbours[neighbour{index, r.gateway}]}
	}
	return out, nil
}

type neighbour struct {
	index int
	ip    netip.Addr
}

// neighbours returns the link-layer addresses that the kernel knows.
func neighbours() (map[neighbour]net.HardwareAddr, error) {
	const head = unix.SizeofNdMsg
	entries, err := ask(unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, head)
	out := map[neighbour]net.HardwareAddr{}
	for _, data := range entries {
		if state := binary.NativeEndian.Uint16(data[8:]); state&(unix.NUD_INCOMPLETE|unix.NUD_FAILED) != 0 {
			continue
		}
		n := neighbour{index: int(binary.NativeEndian.Uint32(data[4:]))}
		var mac net.HardwareAddr
		attributes(data, head, func(kind uint16, value []byte) {
			switch kind {
			case unix.NDA_DST:
				n.ip, _ = netip.AddrFromSlice(value)
			case unix.NDA_LLADDR:
				mac = net.HardwareAddr(value)
			}
		})
		if n.ip.IsValid() && len(mac) > 0 {
			out[n] = mac
		}
	}
	return out, err
}
