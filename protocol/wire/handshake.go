package wire

import (
	"encoding/binary"
	"errors"

	"pabal/protocol/identity"
)

// Errors of bundles, requests and accepts.
var (
	// ErrHandshake reports a bundle, request or accept that breaks its layout, or
	// one of ours that breaks a limit.
	ErrHandshake = errors.New("wire: malformed handshake message")
	// ErrVersion reports a handshake message of a version that is not known.
	ErrVersion = errors.New("wire: unsupported version")
	// ErrSuite reports a handshake message of a suite that is not known.
	ErrSuite = errors.New("wire: unsupported suite")
)

// Bundle is what an inviter offers to whoever holds the link. Its bytes (BundleSize):
//
//	version u8 ‖ suite u8 ‖ expiry u32 ‖ device entry 1352 ‖ prekey 1216 ‖ signature 64
type Bundle struct {
	// Expiry is in seconds since 1970-01-01 UTC.
	Expiry    uint32
	Entry     identity.DeviceEntry
	Prekey    identity.KEMPublic
	Signature identity.Signature
}

// Append appends the bundle's bytes to dst.
func (b *Bundle) Append(dst []byte) []byte {
	return append(b.AppendUnsigned(dst), b.Signature[:]...)
}

// AppendUnsigned appends the bytes that the signature covers, after its label.
func (b *Bundle) AppendUnsigned(dst []byte) []byte {
	dst = append(dst, Version, Suite)
	dst = binary.BigEndian.AppendUint32(dst, b.Expiry)
	dst = b.Entry.Append(dst)
	return append(dst, b.Prekey[:]...)
}

// Padded returns the bundle with the zeros that fill a sealed bundle.
func (b *Bundle) Padded() []byte {
	size := SealedBundleSize - identity.NonceSize - identity.Overhead
	return b.Append(make([]byte, 0, size))[:size]
}

// ParseBundle reads a padded bundle. It checks no signature, key or expiry. Errors:
// ErrHandshake, ErrVersion, ErrSuite.
func ParseBundle(padded []byte) (*Bundle, error) {
	if len(padded) < BundleSize || !zeros(padded[BundleSize:]) {
		return nil, ErrHandshake
	}
	r := reader{b: padded[:BundleSize]}
	if err := r.version(); err != nil {
		return nil, err
	}
	b := &Bundle{Expiry: r.uint32(), Entry: r.entry()}
	r.bytes(b.Prekey[:])
	r.bytes(b.Signature[:])
	return b, nil
}

// version reads version and suite.
func (r *reader) version() error {
	if version := r.byte(); version != Version {
		return ErrVersion
	}
	if suite := r.byte(); suite != Suite {
		return ErrSuite
	}
	return nil
}

// RequestKind says which keys a request is made to.
type RequestKind uint8

// The kinds of requests.
const (
	// RequestInvite is made to a bundle's prekey and device key.
	RequestInvite RequestKind = 1
	// RequestRepair renews the session of two contacts; it has no prekey.
	RequestRepair RequestKind = 2
)

// Ciphertext is an encapsulation.
type Ciphertext [identity.KEMCiphertextSize]byte

// RequestHead is the clear part of a request:
//
//	version u8 ‖ suite u8 ‖ kind u8 ‖ tag 16 ‖ [ciphertext to the prekey 1120] ‖ ciphertext to the device key 1120
type RequestHead struct {
	Kind RequestKind
	Tag  [RequestTagSize]byte
	// Prekey is the ciphertext to the bundle's prekey; a repair has none.
	Prekey Ciphertext
	Device Ciphertext
}

// size returns the size of a head of this kind, or 0 for a kind that is not known.
func (k RequestKind) headSize() int {
	switch k {
	case RequestInvite:
		return 3 + RequestTagSize + 2*identity.KEMCiphertextSize
	case RequestRepair:
		return 3 + RequestTagSize + identity.KEMCiphertextSize
	}
	return 0
}

// plainSize returns the size of a padded payload.
func (k RequestKind) plainSize() int {
	return RequestSize - k.headSize() - identity.Overhead
}

// Append appends the head's bytes to dst.
func (h *RequestHead) Append(dst []byte) []byte {
	dst = append(dst, Version, Suite, byte(h.Kind))
	dst = append(dst, h.Tag[:]...)
	if h.Kind == RequestInvite {
		dst = append(dst, h.Prekey[:]...)
	}
	return append(dst, h.Device[:]...)
}

// RequestTag reads the tag of a request without looking at the rest, so that a listener
// finds the invite it is for. It returns false for bytes that are no request.
func RequestTag(request []byte) (tag [RequestTagSize]byte, ok bool) {
	if len(request) != RequestSize {
		return tag, false
	}
	copy(tag[:], request[3:])
	return tag, true
}

// ParseRequest splits a request into its head, the head's bytes and the sealed payload,
// both parts of the input. Errors: ErrHandshake, ErrVersion, ErrSuite.
func ParseRequest(request []byte) (h *RequestHead, head, sealed []byte, err error) {
	if len(request) != RequestSize {
		return nil, nil, nil, ErrHandshake
	}
	r := reader{b: request}
	if err := r.version(); err != nil {
		return nil, nil, nil, err
	}
	h = &RequestHead{Kind: RequestKind(r.byte())}
	size := h.Kind.headSize()
	if size == 0 {
		return nil, nil, nil, ErrVersion
	}
	r.bytes(h.Tag[:])
	if h.Kind == RequestInvite {
		r.bytes(h.Prekey[:])
	}
	r.bytes(h.Device[:])
	return h, request[:size], request[size:], nil
}

// AcceptHead is the clear part of an accept:
//
//	version u8 ‖ suite u8 ‖ ciphertext to the device key 1120 ‖ ciphertext to the ratchet key 1120
type AcceptHead struct {
	Device  Ciphertext
	Ratchet Ciphertext
}

const (
	acceptHeadSize  = 2 + 2*identity.KEMCiphertextSize
	acceptPlainSize = AcceptSize - acceptHeadSize - identity.Overhead
)

// Append appends the head's bytes to dst.
func (h *AcceptHead) Append(dst []byte) []byte {
	dst = append(dst, Version, Suite)
	dst = append(dst, h.Device[:]...)
	return append(dst, h.Ratchet[:]...)
}

// ParseAccept splits an accept into its head, the head's bytes and the sealed payload,
// both parts of the input. Errors: ErrHandshake, ErrVersion, ErrSuite.
func ParseAccept(accept []byte) (h *AcceptHead, head, sealed []byte, err error) {
	if len(accept) != AcceptSize {
		return nil, nil, nil, ErrHandshake
	}
	r := reader{b: accept}
	if err := r.version(); err != nil {
		return nil, nil, nil, err
	}
	h = new(AcceptHead)
	r.bytes(h.Device[:])
	r.bytes(h.Ratchet[:])
	return h, accept[:acceptHeadSize], accept[acceptHeadSize:], nil
}
