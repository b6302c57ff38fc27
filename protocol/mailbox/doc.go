// Package mailbox is what a courier keeps for others: mailboxes that an owner opened,
// and the sealed items in them, which the courier cannot read.
//
// It is pure: [Shelves] says what may be stored, handed over and erased; the Peer writes
// that to the disk and does the talking. The bytes of the items are not in memory, only
// their names, sizes and days: a home node may hold a gigabyte.
//
// Spec: protocol/doc/spec.md, "Couriers".
package mailbox
