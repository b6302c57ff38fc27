// Package group reckons who is in a group, and what it is called, from the operations that its
// admins have signed. All who hold the same operations find the same, in whatever order these
// came, without a leader and without trusting a clock.
//
//   - Operations name those they were made in knowledge of: a graph without cycles ([Log]).
//   - Only admins make operations. What an operation may do is decided by what its author knew
//     ([Log.Check] says so before one is made).
//   - Removal wins, and is for good: a member key that was removed never counts again, and who is
//     to come back gets a new one. A removal counts whatever happens beside it; whatever else the
//     removed, or who is an admin by them, does beside it does not count. So two admins who
//     remove each other are both out.
//   - Members leave by a word of their own ([Log.Leave]), which is no operation, and say by another
//     what they are called and by what their contacts know them ([Log.Introduce]).
//   - A group whose admins are all removed has the member as admin who has been in for longest.
//
// A [Log] keeps what it is given in memory and does nothing else; it is not safe for concurrent
// use. Signatures are checked where operations enter it.
//
// An [Exchange] decides which of these, and which messages, a member sends to which others, so
// that all get what is for them, and finds what is missed.
//
// Spec: protocol/doc/spec.md, "Operations", "Messages in a group".
package group
