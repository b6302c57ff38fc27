// Package attachment says how a file is cut, sealed and checked on its way between two
// contacts and where it lies.
//
// A file is a list of chunks of [ChunkBytes], the last one shorter. What names it is its
// [Root], a hash over its size and the hashes of its chunks; it travels with a [Key] of its
// own in the manifest (package wire), inside an envelope. Chunks travel sealed under that
// key. A chunk that lies on a disk is sealed in the same form under another key, which never
// leaves that disk: what is seen on the wire, or with one of the two, is not found with the
// other.
//
//	sealed := key.Seal(nil, nonce, 3, attachment.Chunks(size), chunk)
//	chunk, err := key.Open(nil, sealed, 3, attachment.Chunks(size), attachment.ChunkSize(size, 3))
//	ok := attachment.HashOf(chunk) == hashes[3] && attachment.RootOf(size, hashes) == root
//
// Spec: "Attachments".
package attachment
