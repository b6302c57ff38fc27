package lab_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"pabal/node/p2p"
	"pabal/node/p2p/lab"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// TestCrowd has strangers of every manner come to a host by both networks: each is let in,
// told nothing, and sent away.
func TestCrowd(t *testing.T) {
	host, err := p2p.Open(p2p.Config{Seed: identity.TransportSeed{1}, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	own := (<-host.Events()).(p2p.Addresses).Own
	go func() {
		for range host.Events() { // nobody is known
		}
	}()
	crowd, err := lab.NewCrowd()
	if err != nil {
		t.Fatal(err)
	}
	defer crowd.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	type outcome struct {
		by     wire.Network
		manner lab.Manner
		visit  lab.Visit
		err    error
	}
	outcomes := make(chan outcome)
	for _, by := range []wire.Network{wire.QUIC, wire.TCP} {
		for manner := range lab.Manner(lab.Manners) {
			go func() {
				v, err := crowd.Visit(ctx, by, netip.AddrPortFrom(own[0].IP, own[0].Port), host.Key(), manner)
				outcomes <- outcome{by, manner, v, err}
			}()
		}
	}
	for range 2 * lab.Manners {
		o := <-outcomes
		streams := min(int(o.manner), 1)
		if o.manner == lab.ManyStreams {
			streams = 2
		}
		if o.err != nil || !o.visit.LetIn || o.visit.Answers > 0 || o.visit.Streams < streams {
			t.Errorf("network %d, manner %d: %+v, %v", o.by, o.manner, o.visit, o.err)
		}
	}
}
