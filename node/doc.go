// Package node is the daemon: it owns every long-lived goroutine, the loop that
// steps the protocol's core, and the states of a profile from "uninitialised"
// to "stopping".
//
//	err := node.Run(ctx, node.Config{Profile: "default", DataDir: d, RuntimeDir: r})
//
// One goroutine (core.run) owns the [protocol.Peer], the network host and the
// writing side of the store. Everything else hands it requests over a channel.
// It takes every input that waits, steps them all, commits once, then sends:
// that is where the throughput comes from, and it costs a lone message nothing.
// The local HTTP server (package httpd) reads from the store on its own and
// writes only through the loop.
package node
