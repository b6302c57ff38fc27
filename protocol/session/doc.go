// Package session holds the key agreement of two devices once they have met: the one
// KEM of the protocol and, built on it, a double ratchet that heals after a theft and
// withstands a quantum computer that recorded the wire.
//
// A [Session] belongs to one pair of devices. It seals contents into envelopes, opens
// the other side's, and keeps count of what the other side has acknowledged. It is a
// value of bytes without clock or randomness of its own: both are passed in.
//
// Spec: protocol/doc/spec-session.md.
package session
