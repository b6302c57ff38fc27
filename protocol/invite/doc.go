// Package invite makes two strangers' devices into contacts: invite links, the sealed
// bundle behind a link, and the handshake of request and accept that ends with the first
// keys of a session. The same moves, without a link, renew the session of two contacts
// after one of them lost its state (a repair).
//
// Everything here is a pure function of its arguments; randomness comes as an io.Reader
// and time as an argument. (The KEM takes its encapsulation randomness from the system.)
// The caller keeps the small state values: [Offer] with the inviter, [Asking] with the
// invitee, [Incoming] while a person decides. A function that returns an error has
// changed nothing, and every error of hostile bytes is one of few constants.
//
//	inviter                                invitee
//	offer := NewOffer(…)
//	offer.Link(…), offer.SealBundle(…)  →  OpenBundle(link, sealed, now)
//	offer.OpenRequest(self, request)    ←  Ask(…).Request
//	incoming.Accept(…)                  →  asking.OpenAccept(self, accept)
//	          both hold the same session.Root: the session begins
//
// Spec: protocol/doc/spec.md, "Links" and "Bundle, request, accept".
package invite
