// Package group reckons who is in a group, and what it is called, from the operations that its
// members have signed. All who hold the same operations find the same, in whatever order these
// came, without a leader and without trusting a clock.
//
//   - Operations name those they were made in knowledge of: a graph without cycles ([Log]).
//   - What an operation may do is decided by what its author could know ([Log.Check] says so
//     before one is made).
//   - Removal wins: a removal counts if its author was entitled by what they knew, whatever
//     happens beside it; what the removed does beside it does not count, but for removals. So two
//     admins who remove each other are both out.
//   - A group of anybody has an admin: if the last one goes, the member who has been in for
//     longest becomes one.
//
// A [Log] keeps what it is given in memory and does nothing else; it is not safe for concurrent
// use. Signatures are checked where operations enter it.
//
// Spec: protocol/doc/spec.md, "Operations".
package group
