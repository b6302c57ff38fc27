// Package outbox keeps the delivery state of what one contact must still get.
//
// A [Queue] holds, in order, the contents that no envelope carries yet
// (waiting) and the envelopes that the contact has not acknowledged (sealed).
// It decides which contents share the next envelope and when an envelope is
// sent again; it seals nothing and sends nothing. Contents of messages are
// stored once, in the history: the queue keeps a bounded number of bytes of
// them in memory and names the rest, to be fetched when their turn comes
// (spec, "Delivery").
//
// The Peer owns one Queue a contact. A Queue is not safe for concurrent use.
package outbox
