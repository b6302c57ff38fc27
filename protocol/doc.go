// Package protocol is the core of Pabal: a [Peer] is one device of one account
// and everything it knows of its contacts, as a function of what happens to it.
//
//	out, err := peer.Step(now, input)
//
// Step does no input or output. The caller commits Output.Writes in one
// transaction, then does Output.Sends, then publishes Output.Events and
// Output.Replies, and calls Step with [Woke] at Output.Wake. It may gather
// several Inputs in a batch, the last of them [Flush], and commit once; only
// Flush seals messages and sets Wake. Saving comes before sending, always: a
// ratchet key that was used and not saved is a key used twice.
//
// The Peer holds sessions and indexes of the outbox in memory, never message
// history: cost per message does not grow with history. It has no clock and no
// randomness of its own but the ones passed in, with one exception that Go
// imposes: ML-KEM encapsulation (package session).
//
// The work is done by the packages below: identity (keys), wire (every byte
// format), session (the ratchet), invite (the handshake), outbox (delivery
// state) and rendezvous (how contacts find each other). The protocol itself is
// protocol/doc/spec.md.
package protocol
