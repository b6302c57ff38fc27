// Package store keeps a profile in one encrypted SQLite database: what the core
// must not lose, the history, the event log, and the search index.
//
// A [Profile] is a directory held by this process; a [Store] is the open
// database in it. They are apart so that a daemon can forget the keys (close the
// Store) and still hold the profile.
//
//	p, err := store.Lock(dir, store.Self(socket))      // or *LockedError at once
//	s, err := p.Open(store.Unlock{Passphrase: …})      // or p.Create(store.Options{…})
//	state, err := s.Load()                             // for protocol.Load
//	done, err := s.Commit(store.Batch{Now: …, Writes: …, Events: …})
//	err = s.View(func(v *store.View) error { … })      // one consistent state
//
// # Sealing
//
// Pages and log are encrypted below SQLite, unit by unit (vfs.go). The key is in
// a slot of the file "header", under Argon2id of a passphrase or under the key
// in "keyfile". Eight slots and two directories exist from the first run: the
// unused ones are random bytes and an empty database whose key nobody has, and
// look like used ones.
//
// # Commit
//
// A batch of up to [BatchMax] inputs is one transaction: effects, events and
// idempotency rows together, on the disk when Commit returns. Only then may
// anything be sent. One connection writes and one reads.
//
// The search index follows the history, new messages and edits, by [Store.IndexStep] when nothing
// else is to be done; until then a [View.Search] reads the texts that it does not know.
//
// # Files
//
// The chunks of files lie beside the database (chunks.go), each sealed under the key of its
// file, which is a row. A chunk is on the disk before its row is; what a crash leaves without
// one is removed at the next open.
//
// # Deleted is gone
//
// Rows, their tokens in the search index and their copies in free space are
// overwritten. SQLite's secure_delete does not reach two places: the gap that
// page splits leave in b-tree pages, which the sealing layer clears as a page
// goes to the file, and old frames in the log, so that after a batch that erases
// the log is copied and cut to nothing and both page caches are dropped. Chunks of files go
// once that is done to their key. What is
// only replaced or acknowledged (states of sessions, keys of envelopes) leaves the
// log within [ScrubWithin]. A test decrypts every unit of every file and looks for
// what was deleted.
//
// The design is in node/doc/architecture.md, the threat model in
// protocol/doc/threat-model.md.
package store
