package node

import (
	"bytes"
	"maps"
	"testing"

	"pabal/protocol/attachment"
	"pabal/protocol/wire"
	"pabal/store"
)

// inParts makes a file of two chunks, and its parts as they travel.
func inParts() (want *store.Fetch, content []byte, parts map[int][]byte) {
	content = make([]byte, attachment.ChunkBytes+100_000)
	for i := range content {
		content[i] = byte(i >> 8 * 31 >> 3)
	}
	size := uint64(len(content))
	want = &store.Fetch{Info: wire.File{SizeBytes: size, Key: [32]byte{7}}}
	hashes := []attachment.Hash{attachment.HashOf(content[:attachment.ChunkBytes]), attachment.HashOf(content[attachment.ChunkBytes:])}
	want.Info.Root = attachment.RootOf(size, hashes)
	parts = make(map[int][]byte)
	for i := range wire.Parts(size) {
		at := i * wire.PartBytes
		parts[i] = attachment.Key(want.Info.Key).SealPart(nil, i, wire.Parts(size), content[at:at+wire.PartSize(size, i)])
	}
	return want, content, parts
}

// TestWrongPartsMakeNoFile has a file made of its parts, and of nothing else.
func TestWrongPartsMakeNoFile(t *testing.T) {
	want, content, parts := inParts()
	chunks, hashes, ok := openParts(want, parts)
	if !ok || len(chunks) != 2 || len(hashes) != 2 || !bytes.Equal(append(bytes.Clone(chunks[0].Bytes), chunks[1].Bytes...), content) {
		t.Fatal("the parts do not make the file")
	}
	key, count := attachment.Key(want.Info.Key), wire.Parts(want.Info.SizeBytes)
	for name, change := range map[string]func(parts map[int][]byte){
		"one lacks":          func(p map[int][]byte) { delete(p, 3) },
		"two changed places": func(p map[int][]byte) { p[1], p[2] = p[2], p[1] },
		"one is of another":  func(p map[int][]byte) { p[1] = attachment.Key{8}.SealPart(nil, 1, count, make([]byte, wire.PartBytes)) },
		"one is not what was promised": func(p map[int][]byte) {
			p[1] = key.SealPart(nil, 1, count, make([]byte, wire.PartBytes))
		},
		"one is short": func(p map[int][]byte) { p[1] = key.SealPart(nil, 1, count, make([]byte, 1)) },
	} {
		wrong := maps.Clone(parts)
		change(wrong)
		if _, _, ok := openParts(want, wrong); ok {
			t.Errorf("a file is made where %s", name)
		}
	}
}
