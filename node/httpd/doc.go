// Package httpd serves the local HTTP API on a unix socket and on loopback TCP:
// authentication, every operation, the event stream. The types that travel are
// in node/api, the work is done by a [Daemon].
//
// The main type is [Server]:
//
//	s, err := httpd.New(httpd.Config{RuntimeDir: dir, Profile: "default", Version: version}, daemon)
//	…
//	go func() { errs <- s.Run(ctx, nil) }()
//
// # Who is let in
//
// On the unix socket the kernel says who is at the other end: the same user is
// the owner and needs no token. On TCP every request needs a bearer token, and
// what has none learns nothing: the answer is an empty 421 for a wrong Host and
// an empty 401 otherwise, whatever the path. No cookie is ever set or read, so a
// web page has nothing to abuse. The chain in chain.go runs before any routing;
// routes.go is the one table of operations with their scopes and states, and a
// test walks it.
//
// # Reads and writes
//
// A read comes from the store, in one view with the log position that it
// reflects (header Pabal-Cursor). A write is an input to the core and is
// answered after its commit; what makes it idempotent is part of that commit.
// The event stream pulls from the durable log, so that a slow reader costs
// nothing and misses nothing.
package httpd
