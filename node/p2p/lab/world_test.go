package lab

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

func TestWorldCarriesAndCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld()
		join := func(n byte) host.Host {
			place := w.Join(n)
			h, err := libp2p.New(place.Network, libp2p.DisableMetrics(), libp2p.DisableIdentifyAddressDiscovery(),
				libp2p.ResourceManager(&network.NullResourceManager{}),
				libp2p.ListenAddrs(multiaddr.StringCast("/ip4/"+worldAddress(n).String()+"/udp/8000/quic-v1")))
			if err != nil {
				t.Fatal(err)
			}
			h.SetStreamHandler(echoProtocol, func(s network.Stream) { s.Close() })
			return h
		}
		a, b, c := join(1), join(2), join(3)
		w.Start()
		defer w.Close()
		for _, h := range []host.Host{a, b, c} {
			defer h.Close()
		}
		reach := func(h host.Host) error {
			ctx, cancel := context.WithTimeout(network.WithForceDirectDial(t.Context(), "no back-off"), time.Second)
			defer cancel()
			a.Network().ClosePeer(h.ID())
			return a.Connect(ctx, peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
		}
		w.Cut(2, true)
		if reach(b) == nil || reach(c) != nil {
			t.Error("host 2 alone must be cut off")
		}
		w.Cut(2, false)
		start := time.Now()
		if err := reach(b); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < 2*OneWay || took > 10*OneWay {
			t.Errorf("connecting took %v", took)
		}
		w.CutAll(true)
		if reach(b) == nil || reach(c) == nil {
			t.Error("everybody must be cut off")
		}
	})
}
