package protocol_test

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// A Peer is driven by inputs; what it wants done comes back as output. Here one person
// makes an invite and another one takes it up: the network is still to be dialled.
func ExamplePeer_Step() {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	listening := protocol.NetworkChanged{Own: []wire.Address{
		{Network: wire.QUIC, IP: netip.MustParseAddr("203.0.113.7"), Port: 4001},
	}, Subnets: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}

	mina, stored, err := protocol.Create(rand.Reader, protocol.Config{}, now, "Mina")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("rows to commit first:", len(stored.Writes))
	step(mina, now, listening)
	out := step(mina, now, protocol.CreateInvite{Ref: 1, Kind: protocol.InviteOnce})
	link := out.Replies[0].Result.(protocol.InviteCreated).Link

	jiwoo, _, err := protocol.Create(rand.Reader, protocol.Config{}, now, "Jiwoo")
	if err != nil {
		fmt.Println(err)
		return
	}
	step(jiwoo, now, listening)
	out = step(jiwoo, now, protocol.AddContact{Ref: 2, Link: "Here is my link: " + link})
	fmt.Println("phase:", out.Replies[0].Result.(protocol.Added).Phase)
	for _, s := range out.Sends {
		if dial, ok := s.(protocol.Dial); ok {
			fmt.Println("dial:", dial.Addresses[0].AddrPort(), "as one of", len(dial.Keys), "keys")
		}
	}
	// Output:
	// rows to commit first: 1
	// phase: requested
	// dial: 203.0.113.7:4001 as one of 3 keys
}

// step steps one input and the Flush that ends its batch.
func step(p *protocol.Peer, now time.Time, in protocol.Input) protocol.Output {
	out, err := p.Step(now, in)
	if err != nil {
		fmt.Println(err)
		return protocol.Output{}
	}
	rest, err := p.Step(now, protocol.Flush{})
	if err != nil {
		fmt.Println(err)
	}
	out.Writes = append(out.Writes, rest.Writes...)
	out.Sends = append(out.Sends, rest.Sends...)
	return out
}

// InspectLink tells what a pasted text is before anything is done with it.
func ExamplePeer_InspectLink() {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	p, _, err := protocol.Create(rand.Reader, protocol.Config{}, now, "Mina")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = p.InspectLink(now, "see you tomorrow")
	fmt.Println(err)
	// Output: protocol: invite_invalid
}
