// Package archive seals a stream of records in a file under a passphrase of its own: a
// backup, or a profile on its way to another computer.
//
//	magic 16 | parameters 16 | salt 32 | check 16 | chunks of 65,536 + 16 bytes
//
//	parameters: version, kind, lanes, 0, passes u32, KiB u32, 0000 (little endian)
//	K          = Argon2id(passphrase, salt)
//	check      = HKDF(K, "pabal archive check"  ‖ magic ‖ parameters)[:16]
//	key        = HKDF(K, "pabal archive chunks" ‖ magic ‖ parameters)
//	chunk n    = ChaCha20-Poly1305(key, nonce 000 ‖ n u64 big endian ‖ last)
//
// last is 1 in the last chunk, else 0: chunks cannot change places, and a file that was
// cut is known to be. A record is type u8 ‖ length u32 big endian ‖ body, and may lie across
// chunks. Type 0 is the end: behind it come zeros, so many that the number of chunks tells
// little of what is in them.
//
// [Writer] and [Reader] hold one chunk in memory, and never touch a file themselves.
package archive
