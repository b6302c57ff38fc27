package attachment

// Limits that the protocol fixes.
const (
	// ChunkBytes is the size of every chunk of a file but the last.
	ChunkBytes = 1 << 20
	// FileBytesMax is the size of the largest file.
	FileBytesMax = 4 << 30
	// ChunksMax bounds the chunks of a file.
	ChunksMax = FileBytesMax / ChunkBytes
	// KeySize, HashSize and NonceSize are the sizes of what they say, in bytes.
	KeySize   = 32
	HashSize  = 32
	NonceSize = 24
	// SealedBytesMax is the size of the largest sealed chunk.
	SealedBytesMax = NonceSize + ChunkBytes + tagSize

	// paddedBytesMin is what a chunk is padded to at least; larger ones to a power of two.
	paddedBytesMin = 4 << 10
	tagSize        = 16
)
