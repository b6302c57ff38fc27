package rendezvous_test

import (
	"fmt"
	"net/netip"
	"time"

	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

func ExampleNetwork_Dialable() {
	n := rendezvous.Network{Subnets: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}}
	address := func(ip string) wire.Address {
		return wire.Address{Network: wire.QUIC, IP: netip.MustParseAddr(ip), Port: 4001}
	}
	received := []wire.Address{address("8.8.8.8"), address("192.168.1.7"), address("10.0.0.1"), address("127.0.0.1")}
	for _, a := range n.Dialable(received, [8]byte{1}) {
		fmt.Println(a.IP)
	}
	// Output:
	// 8.8.8.8
	// 192.168.1.7
}

func ExampleBackoff() {
	var b rendezvous.Backoff
	now := time.Unix(1_800_000_000, 0)
	for range 4 {
		b.Failed(now, 0)
		fmt.Println(b.Next().Sub(now))
	}
	b.Clear()
	fmt.Println(b.Next().IsZero())
	// Output:
	// 1s
	// 2s
	// 4s
	// 8s
	// true
}
