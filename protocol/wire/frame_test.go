package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"pabal/protocol/identity"
)

func TestFrameTable(t *testing.T) {
	names := map[string]bool{}
	for typ := TypeHello; typ <= TypePong; typ++ {
		least, most, known := typ.bodySizes()
		if !known || names[typ.Name()] || typ.Name() == "unknown" {
			t.Errorf("type %d is not in the table, or has the name of another", typ)
		}
		names[typ.Name()] = true
		for _, n := range []int{least, most} {
			frame := AppendFrame([]byte{7}, typ, make([]byte, n))[1:]
			got, bodyLen, err := ParseHeader([5]byte(frame))
			if got != typ || bodyLen != n || err != nil || len(frame) != FrameHeaderSize+n {
				t.Errorf("%s of %d bytes: %v, %d, %v", typ.Name(), n, got, bodyLen, err)
			}
		}
		if typ.BodyBytesMax() != most {
			t.Errorf("%s: largest body", typ.Name())
		}
		mustPanic(t, func() { AppendFrame(nil, typ, make([]byte, most+1)) })
	}
	mustPanic(t, func() { AppendFrame(nil, 200, []byte{1}) })
	if Type(0).Name() != "unknown" || Type(200).Name() != "unknown" {
		t.Error("unknown types have a name")
	}
}

func TestParseHeaderRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		header [5]byte
		want   error
	}{
		"empty":          {[5]byte{}, ErrFrame},
		"short hello":    {[5]byte{0, 0, 0, 16, byte(TypeHello)}, ErrFrame},
		"long hello":     {[5]byte{0, 0, 0, 18, byte(TypeHello)}, ErrFrame},
		"huge envelope":  {[5]byte{0xff, 0xff, 0xff, 0xff, byte(TypeEnvelope)}, ErrFrame},
		"empty envelope": {[5]byte{0, 0, 0, 1, byte(TypeEnvelope)}, ErrFrame},
		"unknown":        {[5]byte{0, 0, 1, 0, 99}, ErrFrameUnknown},
		"unknown, huge":  {[5]byte{0, 2, 0, 0, 99}, ErrFrame},
	} {
		typ, n, err := ParseHeader(row.header)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, ErrFrameUnknown) && (typ != 99 || n != 255) {
			t.Errorf("%s: type %d, %d bytes", name, typ, n)
		}
	}
}

func TestSmallBodies(t *testing.T) {
	tag := identity.HelloTag{1, 2}
	if got, err := ParseHello(tag[:]); err != nil || got != tag {
		t.Errorf("hello: %v", err)
	}
	capability := Capability{3}
	if got, err := ParseCapability(capability[:]); err != nil || got != capability {
		t.Errorf("capability: %v", err)
	}
	u := Unsupported{Version: 1, Suite: 2}
	if got, err := ParseUnsupported(u.Append(nil)); err != nil || got != u {
		t.Errorf("unsupported: %v", err)
	}
	d := &DepositedRequest{Capability: capability, Stamp: Stamp{Day: 20600, Nonce: [16]byte{4}}, Request: [RequestSize]byte{5}}
	if got, err := ParseDepositedRequest(d.Append(nil)); err != nil || *got != *d {
		t.Errorf("deposited request: %v", err)
	}
	for name, err := range map[string]error{
		"hello":             second(ParseHello(tag[:15])),
		"capability":        second(ParseCapability(nil)),
		"unsupported":       second(ParseUnsupported([]byte{1})),
		"deposited request": second(ParseDepositedRequest(make([]byte, RequestSize))),
	} {
		if !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestAddresses(t *testing.T) {
	zoned := Address{Network: TCP, IP: netip.MustParseAddr("fe80::1%eth0"), Port: 1}
	mapped := Address{Network: TCP, IP: netip.MustParseAddr("::ffff:192.0.2.1"), Port: 1}
	plain := []Address{
		{Network: TCP, IP: netip.MustParseAddr("fe80::1"), Port: 1},
		{Network: TCP, IP: netip.MustParseAddr("192.0.2.1"), Port: 1},
		{Network: QUIC, IP: netip.MustParseAddr("127.0.0.1"), Port: 1},
		{Network: QUIC, IP: netip.MustParseAddr("::1"), Port: 65535, HostTag: [8]byte{1}},
	}
	packed := AppendAddresses(nil, []Address{zoned, mapped, plain[2], plain[3]})
	if len(packed) != 19+7+7+27 {
		t.Errorf("packed addresses take %d bytes", len(packed))
	}
	if got, err := ParseAddresses(packed, 4); err != nil || !reflect.DeepEqual(got, plain) {
		t.Errorf("addresses changed on the way: %v, %v", got, err)
	}
	if plain[3].AddrPort().String() != "[::1]:65535" {
		t.Error("AddrPort")
	}
	if _, err := ParseAddresses(packed, 3); !errors.Is(err, ErrAddress) {
		t.Errorf("more than the limit: %v", err)
	}
	for name, bad := range map[string]Address{
		"no network":  {IP: plain[0].IP, Port: 1},
		"no port":     {Network: TCP, IP: plain[0].IP},
		"no IP":       {Network: TCP, Port: 1},
		"unspecified": {Network: TCP, IP: netip.IPv4Unspecified(), Port: 1},
		"multicast":   {Network: TCP, IP: netip.MustParseAddr("224.0.0.1"), Port: 1},
		"foreign tag": {Network: TCP, IP: plain[1].IP, Port: 1, HostTag: [8]byte{1}},
	} {
		if bad.Valid() {
			t.Errorf("%s is valid", name)
		}
		mustPanic(t, func() { bad.Append(nil) })
	}
	for name, b := range map[string][]byte{
		"cut":             packed[:18],
		"unknown bit":     {0x41, 1, 2, 3, 4, 0, 1},
		"network":         {0x03, 1, 2, 3, 4, 0, 1},
		"zero tag":        {0x21, 127, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"v4 in v6":        append([]byte{0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 1, 2, 3, 4, 0, 1),
		"tag on a public": {0x21, 1, 2, 3, 4, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0},
	} {
		if _, err := ParseAddresses(b, 8); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAddresses(f *testing.F) {
	f.Add(AppendAddresses(nil, sampleRecord().Addresses))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseAddresses(b, RecordAddressesMax)
		if err == nil && !bytes.Equal(AppendAddresses(nil, list), b) {
			t.Error("addresses have a second encoding")
		}
	})
}

func FuzzFrameHeader(f *testing.F) {
	f.Add([]byte{0, 0, 0, 17, 1})
	f.Add([]byte{0, 0, 1, 0, 99})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < FrameHeaderSize {
			return
		}
		typ, n, err := ParseHeader([5]byte(b))
		if err != nil {
			return
		}
		frame := AppendFrame(nil, typ, make([]byte, n))
		if !bytes.Equal(frame[:FrameHeaderSize], b[:FrameHeaderSize]) {
			t.Error("a header has a second encoding")
		}
	})
}
