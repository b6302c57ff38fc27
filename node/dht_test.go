package node_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pabal/node/egress"
	"pabal/node/p2p"
	"pabal/node/p2p/lab"
	"pabal/protocol"
	"pabal/protocol/wire"
)

// moved is one of two who look for each other, at a place that the other does not know.
type moved struct {
	*bare
	place wire.Address
	dht   *p2p.DHT
}

// live does what a Peer asks for, and reports whether it dials a place.
func (m *moved) live(ctx context.Context, now time.Time, other wire.Address) (found bool) {
	m.step(now, protocol.Woke{})
	for len(m.sends) > 0 {
		send := m.sends[0]
		m.sends = m.sends[1:]
		switch s := send.(type) {
		case protocol.Dial:
			for _, a := range s.Addresses {
				found = found || a.AddrPort() == other.AddrPort()
			}
			m.step(now, protocol.DialFailed{Dial: s.Dial, Code: string(p2p.CodeTimeout)})
		case protocol.PublishRecord:
			code := m.dht.Publish(ctx, s.Seed, s.Sequence, s.Until, s.Sealed, egress.Reason{Rung: egress.DHT, Contact: s.For})
			m.step(now, protocol.RecordPublished{Number: s.Number, Code: string(code)})
		case protocol.LookUpRecord:
			sealed, code := m.dht.LookUp(ctx, s.Name, egress.Reason{Rung: egress.DHT, Contact: s.For})
			m.step(now, protocol.RecordLookedUp{Number: s.Number, Sealed: sealed, Code: string(code)})
		}
	}
	return found
}

// TestBothMovedAndMeetInARealDHT lets two who have both moved find each other by servers of
// a DHT that know nothing of us. The hours until they begin pass at once.
func TestBothMovedAndMeetInARealDHT(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	servers := must[*lab.DHT](t)(lab.NewDHT(t.Context(), 12))
	defer servers.Close()
	begin := time.Now().Add(-24 * time.Hour) // records must be valid by the servers' clock
	var both [2]*moved
	for i, name := range [2]string{"Mina", "Jiwoo"} {
		both[i] = &moved{
			bare:  newBare(t, name, uint16(1001+i), &source{sourceOf(name)}),
			place: wire.Address{Network: wire.QUIC, IP: netip.MustParseAddr("127.0.0.1"), Port: uint16(2001 + i)},
			dht:   must[*p2p.DHT](t)(p2p.NewDHT(p2p.DHTConfig{Servers: servers.Entrances(2)})),
		}
	}
	pair := meet(t, begin, both[0].bare, both[1].bare)
	pair.part(begin)
	for i, m := range both {
		m.step(begin, protocol.SetDHT{On: true})
		m.step(begin, protocol.NetworkChanged{Own: []wire.Address{m.place}})
		m.step(begin, protocol.SendText{Contact: pair.contact[i], Text: "where are you"})
	}
	var found [2]bool
	for now := begin; now.Before(begin.Add(24*time.Hour)) && slices.Contains(found[:], false); now = now.Add(5 * time.Minute) {
		for i, m := range both {
			found[i] = m.live(t.Context(), now, both[1-i].place) || found[i]
		}
		if passed := now.Sub(begin); slices.Contains(found[:], true) && passed < 12*time.Hour {
			t.Fatalf("found after %v", passed)
		}
	}
	if found != [2]bool{true, true} {
		t.Errorf("found each other: %v", found)
	}
}
