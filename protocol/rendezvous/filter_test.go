package rendezvous

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"

	"pabal/protocol/wire"
)

// at makes a QUIC address of an IP in words.
func at(ip string) wire.Address {
	return wire.Address{Network: wire.QUIC, IP: netip.MustParseAddr(ip), Port: 4001}
}

// tagged adds a host tag.
func tagged(a wire.Address, tag [8]byte) wire.Address {
	a.HostTag = tag
	return a
}

// home is a machine in a home network with a global IPv6 prefix.
func home() Network {
	return Network{
		Own: []wire.Address{at("127.0.0.1"), at("192.168.1.20"), at("2001:4860:1::20")},
		Subnets: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
			netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("2001:4860:1::/64"),
			netip.MustParsePrefix("fe80::/64"), netip.MustParsePrefix("169.254.0.0/16"),
		},
	}
}

func TestDialable(t *testing.T) {
	own, other := [8]byte{1}, [8]byte{2}
	for name, row := range map[string]struct {
		address wire.Address
		want    bool
	}{
		"global IPv4":                        {at("8.8.8.8"), true},
		"global IPv6":                        {at("2a00:1450::1"), true},
		"own subnet":                         {at("192.168.1.7"), true},
		"own IPv6 subnet":                    {at("2001:4860:1::7"), true},
		"a host tag elsewhere means nothing": {tagged(at("8.8.8.8"), other), true},
		"loopback, our tag":                  {tagged(at("127.0.0.1"), own), true},
		"IPv6 loopback, our tag":             {tagged(at("::1"), own), true},
		"all of 127/8 is loopback":           {tagged(at("127.9.9.9"), own), true},

		"loopback without a tag":      {at("127.0.0.1"), false},
		"loopback of another machine": {tagged(at("127.0.0.1"), other), false},
		"mapped loopback":             {tagged(at("::ffff:127.0.0.1"), other), false},
		"other private network":       {at("192.168.2.7"), false},
		"10/8":                        {at("10.0.0.1"), false},
		"172.16/12":                   {at("172.31.255.1"), false},
		"unique local":                {at("fd00::1"), false},
		"carrier NAT":                 {at("100.64.0.1"), false},
		"link-local IPv4":             {at("169.254.1.1"), false},
		"link-local IPv6":             {at("fe80::1"), false},
		"documentation IPv4":          {at("192.0.2.1"), false},
		"documentation IPv6":          {at("2001:db8::1"), false},
		"benchmarking":                {at("198.18.0.1"), false},
		"IETF protocols":              {at("192.0.0.8"), false},
		"reserved":                    {at("250.0.0.1"), false},
		"broadcast":                   {at("255.255.255.255"), false},
		"this network":                {at("0.1.2.3"), false},
		"unspecified":                 {at("0.0.0.0"), false},
		"unspecified IPv6":            {at("::"), false},
		"multicast":                   {at("224.0.0.251"), false},
		"multicast IPv6":              {at("ff02::1"), false},
		"NAT64 of a private address":  {at("64:ff9b::c0a8:107"), false},
		"6to4 of a private address":   {at("2002:c0a8:107::1"), false},
		"mapped private address":      {at("::ffff:10.0.0.1"), false},
		"no port":                     {wire.Address{Network: wire.QUIC, IP: netip.MustParseAddr("8.8.8.8")}, false},
		"no IP":                       {wire.Address{Network: wire.QUIC, Port: 1}, false},
	} {
		got := home().Dialable([]wire.Address{row.address}, own)
		if (len(got) == 1) != row.want {
			t.Errorf("%s (%v): dialable is %v", name, row.address.IP, !row.want)
		}
	}
}

func TestDialableWithoutOwnTag(t *testing.T) {
	zero := [8]byte{}
	if got := home().Dialable([]wire.Address{at("127.0.0.1"), at("::1")}, zero); got != nil {
		t.Errorf("a machine that does not know its boot dials %v", got)
	}
}

func TestDialableInsideADocumentationRange(t *testing.T) {
	n := Network{Subnets: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("100.64.0.0/10")}}
	list := []wire.Address{at("192.0.2.9"), at("100.64.3.3"), at("198.51.100.1")}
	if got := n.Dialable(list, [8]byte{}); !slices.Equal(got, list[:2]) {
		t.Errorf("dialable: %v", got)
	}
}

func TestDialableKeepsOrderOnce(t *testing.T) {
	a, b := at("8.8.8.8"), at("192.168.1.7")
	got := home().Dialable([]wire.Address{b, a, at("10.0.0.1"), b, a}, [8]byte{})
	if !slices.Equal(got, []wire.Address{b, a}) {
		t.Errorf("dialable: %v", got)
	}
}

func TestAdvertised(t *testing.T) {
	tag := [8]byte{5}
	tcp := at("8.8.4.4")
	tcp.Network = wire.TCP
	n := Network{Own: []wire.Address{
		at("127.0.0.1"), at("fe80::1"), at("192.168.1.20"), tcp, at("2a00:1450::1"), at("169.254.3.3"),
		at("8.8.4.4"), at("::1"), tagged(at("192.168.1.21"), [8]byte{9}), at("0.0.0.0"),
	}}
	got := n.Advertised(20, tag)
	want := []wire.Address{
		at("8.8.4.4"), at("2a00:1450::1"), tcp, at("192.168.1.20"),
		tagged(at("127.0.0.1"), tag), tagged(at("::1"), tag),
	}
	if !slices.Equal(got, want) {
		t.Errorf("advertised %v", got)
	}
	if n.Own[0].HostTag != [8]byte{} {
		t.Error("our own list was changed")
	}
}

func TestAdvertisedKeepsOneLoopback(t *testing.T) {
	tag := [8]byte{5}
	n := Network{Own: []wire.Address{at("127.0.0.1"), at("8.8.8.1"), at("8.8.8.2"), at("8.8.8.3"), at("::1")}}
	got := n.Advertised(3, tag)
	if !slices.Equal(got, []wire.Address{at("8.8.8.1"), at("8.8.8.2"), tagged(at("127.0.0.1"), tag)}) {
		t.Errorf("advertised %v", got)
	}
	alone := Network{Own: []wire.Address{at("8.8.8.1"), at("8.8.8.2"), at("8.8.8.3")}}
	if got := alone.Advertised(2, tag); !slices.Equal(got, []wire.Address{at("8.8.8.1"), at("8.8.8.2")}) {
		t.Errorf("advertised %v", got)
	}
}

func TestPublic(t *testing.T) {
	if !home().Public() {
		t.Error("a global IPv6 address is not public")
	}
	for _, ip := range []string{"192.168.1.1", "100.64.0.1", "127.0.0.1", "198.51.100.1", "fd00::1", "fe80::1"} {
		if (Network{Own: []wire.Address{at(ip)}}).Public() {
			t.Errorf("%s is public", ip)
		}
	}
}

// anAddress makes an address of 20 bytes of the fuzzer's.
func anAddress(b []byte) wire.Address {
	a := wire.Address{Network: wire.Network(b[0] & 3), Port: uint16(b[1])}
	switch b[0] >> 2 & 3 {
	case 0:
		a.IP = netip.AddrFrom4([4]byte(b[2:]))
	case 1:
		a.IP = netip.AddrFrom16([16]byte(b[2:]))
	case 2:
		a.IP = netip.AddrFrom4([4]byte{127, 0, 0, b[2]})
	case 3:
		a.IP = netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: b[2], 13: b[3], 14: b[4], 15: b[5]})
	}
	if b[0]&0x10 != 0 {
		a.HostTag = [8]byte(b[12:])
	}
	return a
}

// FuzzDialable checks what must hold for every list of received addresses: what is
// dialled was received, once, and leads nowhere that a stranger may not choose.
func FuzzDialable(f *testing.F) {
	f.Add(make([]byte, 60), uint64(1))
	f.Add([]byte("\x18\x01\x01..........\x01\x02\x03\x04\x05\x06\x07\x08"), uint64(0x0102030405060708))
	f.Add(append([]byte{1, 1, 192, 168, 1, 9}, make([]byte, 14)...), uint64(0))
	f.Fuzz(func(t *testing.T, raw []byte, tag uint64) {
		var own [8]byte
		for i := range own {
			own[i] = byte(tag >> (8 * i))
		}
		var received []wire.Address
		for len(raw) >= 20 && len(received) < 16 {
			received = append(received, anAddress(raw))
			raw = raw[20:]
		}
		n := home()
		got := n.Dialable(received, own)
		for i, a := range got {
			ip := a.IP.Unmap()
			local := slices.ContainsFunc(n.Subnets, func(p netip.Prefix) bool { return p.Contains(ip) })
			switch {
			case !slices.Contains(received, a) || slices.Contains(got[:i], a):
				t.Fatalf("%v was not received, or is dialled twice", a.IP)
			case a.Port == 0 || ip.IsMulticast() || ip.IsUnspecified() || ip.IsLinkLocalUnicast():
				t.Fatalf("%v is dialled", a.IP)
			case ip.IsLoopback() && (a.HostTag != own || own == [8]byte{}):
				t.Fatal("loopback is dialled without our tag")
			case ip.IsPrivate() && !local:
				t.Fatalf("%v is dialled from elsewhere", a.IP)
			}
		}
	})
}

// FuzzAdvertised checks what must hold for every list of own addresses.
func FuzzAdvertised(f *testing.F) {
	f.Add(make([]byte, 60), byte(4))
	f.Add(append([]byte{9, 1, 1}, make([]byte, 37)...), byte(1))
	f.Fuzz(func(t *testing.T, raw []byte, limit byte) {
		var n Network
		for len(raw) >= 20 && len(n.Own) < 40 {
			n.Own = append(n.Own, anAddress(raw))
			raw = raw[20:]
		}
		tag := [8]byte{5}
		most := 1 + int(limit%8)
		got := n.Advertised(most, tag)
		if len(got) > most {
			t.Fatalf("%d addresses", len(got))
		}
		loopback := func(a wire.Address) bool {
			return a.IP.Unmap().IsLoopback() && a.Port != 0 && a.Network != 0 && a.Network != 3
		}
		if slices.ContainsFunc(n.Own, loopback) != slices.ContainsFunc(got, loopback) {
			t.Fatal("no loopback address is told, or one that is not ours")
		}
		for _, a := range got {
			if !a.Valid() || a.IP.IsLinkLocalUnicast() || (a.HostTag == tag) != a.IP.IsLoopback() {
				t.Fatalf("%v is told", a.IP)
			}
		}
		wire.AppendAddresses(nil, got) // panics if one cannot be packed
		wide := func(a wire.Address) int {
			switch {
			case a.IP.IsLoopback():
				return 2
			case !global(a.IP):
				return 1
			}
			return 0
		}
		if !slices.IsSortedFunc(got, func(a, b wire.Address) int { return cmp.Compare(wide(a), wide(b)) }) {
			t.Fatal("a narrower address comes before a wider one")
		}
	})
}
