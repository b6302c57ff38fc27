// Package rendezvous decides how contacts find each other, without a network:
// which transport key is ours on which day, which received addresses may be
// dialled, and when a contact that does not answer is tried again.
//
// It is pure: the Peer asks, the node dials. See network.md's ladder and the
// spec, "Reach".
package rendezvous
