// Package lab is for benchmarks and tests that need libp2p: baselines of libp2p
// alone, and a simulated internet.
//
// The baselines are the floor that benchmarks of the whole compare with.
// [PingPong] times a round trip on an open stream, [DialEcho] a new connection with
// its first round trip. Both make two plain libp2p hosts on 127.0.0.1, with QUIC
// only and no limits, and put one short message's worth of bytes on the wire:
//
//	stats, err := lab.PingPong(5000)
//	fmt.Println(stats.P50, stats.P99)
//
// A [World] connects real hosts on virtual time (testing/synctest): hours in a
// moment, partitions at will. A host takes its place in it with
// p2p.Config.Simulation.
//
// A [DHT] is a few unmodified servers of a public DHT on 127.0.0.1, which tell what they
// were asked.
//
// What our own streams cost is measured by the benchmarks of package p2p; the
// design's figures are in network.md, "Streams".
package lab
