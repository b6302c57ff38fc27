// Package p2p is a dumb pipe: it carries frames between transport keys over
// libp2p, and it is the only package that imports libp2p.
//
// It knows nothing of accounts, hellos, sessions or acknowledgements. The core
// (package protocol) decides whom to dial, what to say and when a stranger has
// become a contact; p2p proves that the other side holds a transport key, keeps
// strangers small, quiet and alike, and notices dead paths.
//
// # Use
//
//	host, err := p2p.Open(p2p.Config{Seed: seed})
//	for event := range host.Events() { … }   // Opened, Received, Closed, …
//	host.Dial(p2p.Dial{ID: 1, Keys: keys, Addresses: addresses, Why: reason})
//	host.Send(conn, frames)
//
// One goroutine should read [Host.Events] all the time. When it does not, the
// streams stop being read and the senders feel it through flow control: nothing
// is dropped and memory stays bounded.
//
// # Connections
//
// A "conn" is one long-lived libp2p stream with one remote transport key. The
// dialer opens it right after the connection stands. Two conns with one peer are
// normal (both dialled at once); each has its own number, and no number is used
// twice. On the stream there is nothing but frames (package wire): a length, a
// type, a body.
//
// # Public DHT
//
// A [DHT] has nothing to do with a Host: each of its calls makes a libp2p host of its own,
// with a new key, and closes it at the end. It carries sealed records that it cannot read.
//
//	dht, err := p2p.NewDHT(p2p.DHTConfig{Servers: servers, Ledger: ledger})
//	code := dht.Publish(ctx, seed, sequence, until, sealed, reason)
//	sealed, code := dht.LookUp(ctx, name, reason)
//
// # Strangers
//
// An inbound connection belongs to a stranger until [Host.Authenticate] is called
// for a conn on it. A stranger gets not one byte from us, may send 16 KiB in all,
// and is cut off strangerLifetime after its connection was made: whether it said
// nothing, said something malformed, said too much or was hung up on by the core
// makes no difference in bytes or in time. What libp2p itself says (its handshake
// and "identify") is the same for everybody and names no address.
//
// # Limits
//
// Every queue, count and time has its constant in limits.go. The design is in
// network.md ("Streams", "Profiles"); the frame layout is in spec.md, "Frames".
package p2p
