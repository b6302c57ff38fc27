package p2p

import (
	"testing"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// BenchmarkFrames sends frames of a short message (512 B) one way, as fast as the
// other side takes them; at most a window of 4096 is under way.
func BenchmarkFrames(b *testing.B) {
	for name, on := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		b.Run(name, func(b *testing.B) {
			x, y := loopback(b, 1), loopback(b, 2)
			atX, _ := connectPair(b, x, y, on)
			go drain(x)
			frames := []Frame{numbered(0, 512)}
			credit := make(chan struct{}, 4096)
			b.SetBytes(512)
			b.ReportAllocs()
			b.ResetTimer()
			go func() {
				for range b.N {
					credit <- struct{}{}
					if x.Send(atX, frames) != nil {
						return
					}
				}
			}()
			for n := 0; n < b.N; {
				got := len(next[Received](b, y).Frames)
				n += got
				for range got {
					<-credit
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

// BenchmarkPingPong sends one frame there and one back.
func BenchmarkPingPong(b *testing.B) {
	for name, on := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		b.Run(name, func(b *testing.B) {
			x, y := loopback(b, 1), loopback(b, 2)
			atX, atY := connectPair(b, x, y, on)
			frames := []Frame{numbered(0, 512)}
			go func() {
				for e := range y.Events() {
					if _, ok := e.(Received); ok && y.Send(atY, frames) != nil {
						return
					}
				}
			}()
			b.ResetTimer()
			for range b.N {
				send(b, x, atX, frames...)
				next[Received](b, x)
			}
		})
	}
}

// BenchmarkDialEcho makes a new connection, a conn on it and one round trip. Compare
// with lab.DialEcho.
func BenchmarkDialEcho(b *testing.B) {
	for name, on := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		b.Run(name, func(b *testing.B) {
			x, y := loopback(b, 1), loopback(b, 2)
			go func() {
				for e := range y.Events() {
					if r, ok := e.(Received); ok {
						y.Authenticate(r.Conn)
						y.Send(r.Conn, r.Frames)
					}
				}
			}()
			b.ResetTimer()
			for range b.N {
				x.Dial(Dial{ID: 1, Keys: []identity.TransportKey{y.Key()}, Addresses: addresses(y, on), Why: forTests()})
				conn := next[Opened](b, x).Conn
				send(b, x, conn, numbered(0, 512))
				next[Received](b, x)
				b.StopTimer()
				x.Hangup(conn)
				next[Closed](b, x)
				for gone := false; !gone; {
					x.mu.Lock()
					gone = len(x.links) == 0
					x.mu.Unlock()
				}
				b.StartTimer()
			}
		})
	}
}
