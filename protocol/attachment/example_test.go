package attachment_test

import (
	"fmt"

	"pabal/protocol/attachment"
)

// A sender seals a chunk; a receiver that has key and root from the manifest, and the list
// of hashes, opens and checks it.
func Example() {
	file := []byte("바다에 갈까요?")
	size := uint64(len(file))
	key := attachment.Key{1} // random, in the manifest
	hashes := []attachment.Hash{attachment.HashOf(file)}
	root := attachment.RootOf(size, hashes)
	sealed := key.Seal(nil, [attachment.NonceSize]byte{2}, 0, attachment.Chunks(size), file)

	chunk, err := key.Open(nil, sealed, 0, attachment.Chunks(size), attachment.ChunkSize(size, 0))
	list, ok := attachment.ParseHashes(attachment.AppendHashes(nil, hashes), size, root)
	fmt.Println(string(chunk), err, ok && attachment.HashOf(chunk) == list[0])
	// Output: 바다에 갈까요? <nil> true
}
