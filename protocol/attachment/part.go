package attachment

import (
	"crypto/cipher"

	"golang.org/x/crypto/chacha20poly1305"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// SealPart appends a part of a small file to dst, sealed under the file's key, so that it is
// worth nothing to whoever has lost that. The same part is the same bytes each time: an envelope
// can be made anew. index and count bind it to its place in a file of so many parts (spec,
// "Attachments"). dst must not overlap part.
func (k Key) SealPart(dst []byte, index, count int, part []byte) []byte {
	return k.partAEAD(index, count).Seal(dst, make([]byte, chacha20poly1305.NonceSize), part, nil)
}

// OpenPart appends the part to dst that SealPart sealed, of which a file of that size has so
// many bytes. Error: ErrOpen. dst must not overlap sealed.
func (k Key) OpenPart(dst, sealed []byte, index int, sizeBytes uint64) ([]byte, error) {
	count := wire.Parts(sizeBytes)
	if index < 0 || index >= count || len(sealed) != wire.PartSize(sizeBytes, index)+wire.PartTagSize {
		return dst, ErrOpen
	}
	out, err := k.partAEAD(index, count).Open(dst, make([]byte, chacha20poly1305.NonceSize), sealed, nil)
	if err != nil {
		return dst, ErrOpen
	}
	return out, nil
}

// partAEAD seals one part and nothing else, so that its nonce may be zero.
func (k Key) partAEAD(index, count int) cipher.AEAD {
	key := identity.ExpandKey(k, identity.LabelPart.Join(identity.Uint32(uint32(index)), identity.Uint32(uint32(count))))
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		panic("attachment: key size of ChaCha20-Poly1305")
	}
	return aead
}
