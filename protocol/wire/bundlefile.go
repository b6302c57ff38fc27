package wire

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"pabal/protocol/identity"
)

// Errors of bundle files.
var (
	// ErrBundleFile reports bytes that are no bundle file, or one that was cut or changed.
	ErrBundleFile = errors.New("wire: malformed bundle file")
	// ErrBundleFileVersion reports a bundle file of a version this one does not know.
	ErrBundleFileVersion = errors.New("wire: unknown version of a bundle file")
	// ErrBundleFileSize reports more than a bundle file holds.
	ErrBundleFileSize = errors.New("wire: too much for a bundle file")
)

// BundleFile is what one device has for one contact, in a file that any hands may carry
// (spec, "Bundle files"):
//
//	salt 32 ‖ tag 16 ‖ A(key, 0, version u8 ‖ at u32 ‖ n × frame ‖ zeros, …)
//
// It has one of few sizes and looks like noise: whoever does not share the secret learns
// no more than that.
type BundleFile struct {
	// At is when it was made, in Unix seconds by its maker's clock.
	At uint32
	// Envelopes are to be opened in this order; at most BundleFileEnvelopesMax.
	Envelopes [][]byte
}

const (
	bundleFileVersion = 1

	bundleFileSaltSize = 32
	bundleFileTagSize  = 16
	bundleFileHeadSize = bundleFileSaltSize + bundleFileTagSize
	bundleFileOverhead = bundleFileHeadSize + 1 + 4 + identity.Overhead
)

// BundleFileSizes returns the sizes that a bundle file may have, ascending, in bytes. The
// largest holds a whole window of the largest envelopes.
func BundleFileSizes() []int {
	return []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, BundleFileBytesMax}
}

// bundleFileKeys makes the tag by which a file is recognised and the key that seals it.
// Both are of this one file, by its salt; the maker's account stands in for a direction.
func bundleFileKeys(secret [identity.KeySize]byte, maker identity.AccountPublic, salt []byte) (tag [bundleFileTagSize]byte, key [identity.KeySize]byte) {
	b := identity.Expand(secret, identity.LabelBundleFile.Join(maker[:], salt), bundleFileTagSize+identity.KeySize)
	copy(key[:], b[copy(tag[:], b):])
	clear(b)
	return tag, key
}

// Seal makes the file. The secret is one that both sides hold as long as they are
// contacts, maker the account of whoever makes it, and salt must be random: it never
// comes again. Error: ErrBundleFileSize. Envelopes must have a size that an envelope
// may have.
func (f *BundleFile) Seal(secret [identity.KeySize]byte, maker identity.AccountPublic, salt [bundleFileSaltSize]byte) ([]byte, error) {
	size := bundleFileOverhead
	for _, e := range f.Envelopes {
		size += FrameHeaderSize + len(e)
	}
	whole, ok := bundleFileSizeFor(size)
	if !ok || len(f.Envelopes) > BundleFileEnvelopesMax {
		return nil, ErrBundleFileSize
	}
	tag, key := bundleFileKeys(secret, maker, salt[:])
	b := append(append(make([]byte, 0, whole), salt[:]...), tag[:]...)
	b = binary.BigEndian.AppendUint32(append(b, bundleFileVersion), f.At)
	for _, e := range f.Envelopes {
		b = AppendFrame(b, TypeEnvelope, e)
	}
	text := b[bundleFileHeadSize : whole-identity.Overhead] // what follows the frames is zeros
	sealed := identity.SealZero(text[:0], key, text, identity.LabelSealedFile.Join(b[:bundleFileHeadSize]))
	return b[:bundleFileHeadSize+len(sealed)], nil
}

func bundleFileSizeFor(n int) (size int, ok bool) {
	for _, size := range BundleFileSizes() {
		if n <= size {
			return size, true
		}
	}
	return 0, false
}

// SealedBundleFile is a bundle file that nobody has opened yet.
type SealedBundleFile struct {
	head   [bundleFileHeadSize]byte
	sealed []byte
}

// ParseBundleFile looks at the size of a file, which is all that can be told without a
// secret. The result shares b. Error: ErrBundleFile.
func ParseBundleFile(b []byte) (SealedBundleFile, error) {
	if size, ok := bundleFileSizeFor(len(b)); !ok || size != len(b) {
		return SealedBundleFile{}, ErrBundleFile
	}
	return SealedBundleFile{head: [bundleFileHeadSize]byte(b), sealed: b[bundleFileHeadSize:]}, nil
}

// From reports whether the file was made with a secret by an account.
func (s *SealedBundleFile) From(secret [identity.KeySize]byte, maker identity.AccountPublic) bool {
	tag, _ := bundleFileKeys(secret, maker, s.head[:bundleFileSaltSize])
	return subtle.ConstantTimeCompare(tag[:], s.head[bundleFileSaltSize:]) == 1
}

// Open opens a file that From has recognised, in the memory it lies in: afterwards it is
// no file any more. The envelopes share that memory. Errors: ErrBundleFile,
// ErrBundleFileVersion.
func (s *SealedBundleFile) Open(secret [identity.KeySize]byte, maker identity.AccountPublic) (BundleFile, error) {
	_, key := bundleFileKeys(secret, maker, s.head[:bundleFileSaltSize])
	text, err := identity.OpenZero(s.sealed[:0], key, s.sealed, identity.LabelSealedFile.Join(s.head[:]))
	if err != nil {
		return BundleFile{}, ErrBundleFile
	}
	return parseBundleFile(text)
}

// parseBundleFile reads what is sealed in a bundle file.
func parseBundleFile(text []byte) (f BundleFile, err error) {
	r := reader{b: text}
	switch version := r.byte(); {
	case r.failed():
		return BundleFile{}, ErrBundleFile
	case version != bundleFileVersion:
		return BundleFile{}, ErrBundleFileVersion
	}
	f.At = r.uint32()
	for len(r.b) >= FrameHeaderSize && !zeros(r.b[:FrameHeaderSize]) {
		typ, n, err := ParseHeader([FrameHeaderSize]byte(r.take(FrameHeaderSize)))
		if err != nil || typ != TypeEnvelope || len(f.Envelopes) == BundleFileEnvelopesMax {
			return BundleFile{}, ErrBundleFile
		}
		f.Envelopes = append(f.Envelopes, r.take(n))
	}
	if r.failed() || !zeros(r.b) {
		return BundleFile{}, ErrBundleFile
	}
	return f, nil
}
