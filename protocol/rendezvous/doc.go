// Package rendezvous decides how contacts find each other, without a network:
// which transport key is ours on which day, which received addresses may be
// dialled, when a contact that does not answer is tried again, by what it is
// recognised on a local network, and under which names it is found in a public DHT.
//
// It is pure: the Peer asks, the node dials. See network.md's ladder and the
// spec, "Reach", "Local network" and "Public DHT".
package rendezvous
