package attachment

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"

	"pabal/protocol/identity"
)

// ErrOpen reports sealed bytes that do not open: of another key, another place, or changed.
var ErrOpen = errors.New("attachment: sealed bytes do not open")

// Key seals the chunks of one file.
type Key [KeySize]byte

// Hash is the hash of a chunk.
type Hash [HashSize]byte

// Root names a file by what it holds.
type Root [HashSize]byte

// ListIndex stands for the list of hashes where a chunk's index is asked for.
const ListIndex = 1<<32 - 1

// Chunks returns how many chunks a file has.
func Chunks(sizeBytes uint64) uint32 {
	return uint32((sizeBytes + ChunkBytes - 1) / ChunkBytes)
}

// ChunkSize returns the bytes of one chunk of a file.
func ChunkSize(sizeBytes uint64, index uint32) int {
	return int(min(sizeBytes-uint64(index)*ChunkBytes, ChunkBytes))
}

// SealedSize returns the size of what Seal makes of so many bytes.
func SealedSize(plain int) int { return NonceSize + padded(plain) + tagSize }

// padded returns to what size so many bytes are padded.
func padded(plain int) int {
	if plain <= paddedBytesMin {
		return paddedBytesMin
	}
	return 1 << bits.Len(uint(plain-1))
}

// HashOf returns the hash of a chunk.
func HashOf(chunk []byte) Hash {
	h := sha256.New()
	h.Write(identity.LabelChunk.Append(nil))
	h.Write(chunk)
	return Hash(h.Sum(nil))
}

// RootOf returns the root of a file of that size whose chunks have these hashes.
func RootOf(sizeBytes uint64, hashes []Hash) Root {
	return Root(identity.LabelRootOfFile.Hash(binary.BigEndian.AppendUint64(nil, sizeBytes), AppendHashes(nil, hashes)))
}

// AppendHashes appends the list of hashes as it travels.
func AppendHashes(dst []byte, hashes []Hash) []byte {
	for _, h := range hashes {
		dst = append(dst, h[:]...)
	}
	return dst
}

// ParseHashes reads the list of hashes of a file. It returns false if it is not the one that
// root stands for.
func ParseHashes(list []byte, sizeBytes uint64, root Root) ([]Hash, bool) {
	if sizeBytes > FileBytesMax || len(list) != int(Chunks(sizeBytes))*HashSize {
		return nil, false
	}
	hashes := make([]Hash, len(list)/HashSize)
	for i := range hashes {
		hashes[i] = Hash(list[i*HashSize:])
	}
	return hashes, RootOf(sizeBytes, hashes) == root
}

// Seal appends a sealed chunk to dst: nonce, ciphertext, tag. The chunk is padded, so that
// what is seen of it says less of the file's size. A nonce must be random; index and count
// bind the chunk to its place in a file of so many.
func (k Key) Seal(dst []byte, nonce [NonceSize]byte, index, count uint32, chunk []byte) []byte {
	size := padded(len(chunk))
	dst = slices.Grow(dst, NonceSize+size+tagSize)
	start := len(dst)
	dst = append(dst, nonce[:]...)
	dst = append(dst, chunk...)
	dst = append(dst, make([]byte, size-len(chunk))...)
	text := dst[start+NonceSize:]
	return k.aead().Seal(dst[:start+NonceSize], nonce[:], text, place(index, count))
}

// Open appends the chunk to dst that Seal sealed, of which plain bytes are no padding.
// Error: ErrOpen. dst must not overlap sealed.
func (k Key) Open(dst, sealed []byte, index, count uint32, plain int) ([]byte, error) {
	if plain < 0 || len(sealed) != SealedSize(plain) {
		return dst, ErrOpen
	}
	start := len(dst)
	dst = slices.Grow(dst, len(sealed)-NonceSize)
	out, err := k.aead().Open(dst, sealed[:NonceSize], sealed[NonceSize:], place(index, count))
	if err != nil {
		return dst, ErrOpen
	}
	return out[:start+plain], nil
}

// SealIn seals a chunk where it stands: behind the room for a nonce in a buffer of at least
// SealedSize(plain) bytes, as OpenIn leaves it. What it returns is a part of the buffer, and
// the same as Seal gives.
func (k Key) SealIn(buffer []byte, nonce [NonceSize]byte, index, count uint32, plain int) []byte {
	sealed := buffer[:SealedSize(plain)]
	text := sealed[NonceSize : len(sealed)-tagSize]
	copy(sealed, nonce[:])
	clear(text[plain:])
	k.aead().Seal(text[:0], nonce[:], text, place(index, count))
	return sealed
}

// OpenIn is Open, but what it returns is a part of sealed, of which nothing else is left then.
func (k Key) OpenIn(sealed []byte, index, count uint32, plain int) ([]byte, error) {
	if plain < 0 || len(sealed) != SealedSize(plain) {
		return nil, ErrOpen
	}
	out, err := k.aead().Open(sealed[NonceSize:NonceSize], sealed[:NonceSize], sealed[NonceSize:], place(index, count))
	if err != nil {
		return nil, ErrOpen
	}
	return out[:plain], nil
}

func (k Key) aead() cipher.AEAD {
	aead, err := chacha20poly1305.NewX(k[:])
	if err != nil {
		panic("attachment: key size of XChaCha20-Poly1305")
	}
	return aead
}

// place is what a chunk is bound to.
func place(index, count uint32) []byte {
	return identity.LabelSealedChunk.Join(identity.Uint32(index), identity.Uint32(count))
}
