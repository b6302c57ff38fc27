// Package session holds the key agreement of two devices once they have met: the one
// KEM of the protocol and, built on it, a double ratchet that heals after a theft and
// withstands a quantum computer that recorded the wire.
//
// A [Session] belongs to one pair of devices. It seals contents into envelopes, opens
// the other side's, keeps count of what the other side has acknowledged, and finds out
// when one of the two was rolled back or cloned. Clock and randomness are passed in,
// but for the randomness of [Encapsulate].
//
// The handshake gives both sides a [Root]; then:
//
//	s := session.NewInviter(root, ratchetSeed, now)         // or NewInvitee
//	sealed, err := s.Seal(now, random, contents, 0)         // a message
//	commit(s.AppendState(nil), sealed.Parts(), contents)    // before anything leaves
//	send(sealed.Frame)                                      // later again: Rebuild
//
//	opened, err := s.Open(frame)                            // changes nothing on error
//	commit(s.AppendState(nil), opened.Contents)
//	ack, err := s.Ack(now, random, nil, 0)                  // only after the commit
//
// What opened.Acked names is delivered; the envelopes in opened.Cleared may be erased. An
// error that is [ErrFork] ends the session: seal nothing more, repair. On
// [ErrUnopenable] from the contact answer with [Session.Sync] and [Session.Ack].
//
// Spec: protocol/doc/spec.md, "Session".
package session
