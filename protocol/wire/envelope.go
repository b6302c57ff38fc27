package wire

import (
	"encoding/binary"
	"errors"

	"pabal/protocol/identity"
)

// An envelope is one of five sizes and looks like this:
//
//	suite u8 ‖ nonce 12 ‖ sealed header 13+16 ‖ [sealed keys 2336+16] ‖ sealed body n+16
//
// The top bit of the nonce is 0. Which of its three kinds an envelope is, message, ack
// or sync, only its opened header and the key that opened it tell; so does whether it
// has keys. This file knows the layouts; package session seals and opens.

// Errors of envelopes.
var (
	// ErrEnvelope reports bytes that are no envelope, or an opened part of one that
	// breaks its layout.
	ErrEnvelope = errors.New("wire: malformed envelope")
	// ErrEnvelopeSuite reports an envelope of a suite this version does not know.
	ErrEnvelopeSuite = errors.New("wire: unknown suite of an envelope")
)

// Sizes of an envelope's parts in bytes, which the protocol fixes.
const (
	// EnvelopeHeaderSize is the size of an opened header.
	EnvelopeHeaderSize = 1 + 4 + 4 + 4
	// SealedHeaderSize is the size of a sealed header.
	SealedHeaderSize = EnvelopeHeaderSize + identity.Overhead
	// EnvelopeKeysSize is the size of an opened keys block.
	EnvelopeKeysSize = identity.KEMPublicSize + identity.KEMCiphertextSize
	// SealedKeysSize is the size of a sealed keys block.
	SealedKeysSize = EnvelopeKeysSize + identity.Overhead
	// DigestSize is the size of a running digest.
	DigestSize = 16
	// BodyTagSize is the size of an envelope's last bytes, the tag of its body.
	BodyTagSize = identity.Overhead
	// ShortTagSize is how much of a body tag an ack repeats.
	ShortTagSize = 8
	// CheckSize is the size of the check value of a root key.
	CheckSize = 16
	// BeyondMax bounds the envelopes beyond the first missing one that an ack names.
	BeyondMax = 16
	// BeyondSize is what each of them takes.
	BeyondSize = 4 + ShortTagSize
	// BodyPrefixSizeMin is the size of a body's prefix that names none.
	BodyPrefixSizeMin = 4 + 4 + DigestSize + 1 + 2
	// SyncBodySize is the size of a sync frame's body before padding.
	SyncBodySize = 4*4 + DigestSize + 2*CheckSize

	envelopeStartSize = 1 + identity.NonceSize + SealedHeaderSize
)

// EnvelopeSizes returns the sizes an envelope may have, ascending.
func EnvelopeSizes() [5]int {
	return [5]int{512, 3 << 10, 8 << 10, 24 << 10, EnvelopeBytesMax}
}

// EnvelopeSizeFor returns the smallest size of an envelope that holds n bytes. It
// returns false if none does.
func EnvelopeSizeFor(n int) (int, bool) {
	for _, size := range EnvelopeSizes() {
		if n <= size {
			return size, true
		}
	}
	return 0, false
}

// EnvelopeOverhead returns what an envelope adds to its contents, with or without
// keys, if its ack names nothing beyond the first missing envelope.
func EnvelopeOverhead(kind KeysKind) int {
	n := envelopeStartSize + BodyPrefixSizeMin + identity.Overhead
	if kind == WithKeys {
		n += SealedKeysSize
	}
	return n
}

// KeysKind says whether an envelope has a keys block.
type KeysKind uint8

// The two kinds.
const (
	WithoutKeys KeysKind = iota
	WithKeys
)

// Envelope is a sealed envelope cut into its parts. The slices are parts of the
// bytes it was parsed from.
type Envelope struct {
	Nonce  [identity.NonceSize]byte
	Header []byte // sealed, SealedHeaderSize
	rest   []byte // sealed keys, if any, and sealed body
	whole  []byte
}

// ParseEnvelope cuts an envelope into its parts. Errors: ErrEnvelopeSuite for a suite
// that is not known, whatever follows; ErrEnvelope.
func ParseEnvelope(frame []byte) (Envelope, error) {
	if len(frame) == 0 {
		return Envelope{}, ErrEnvelope
	}
	if frame[0] != Suite {
		return Envelope{}, ErrEnvelopeSuite
	}
	if size, ok := EnvelopeSizeFor(len(frame)); !ok || size != len(frame) || frame[1]&0x80 != 0 {
		return Envelope{}, ErrEnvelope
	}
	return Envelope{
		Nonce:  [identity.NonceSize]byte(frame[1:]),
		Header: frame[1+identity.NonceSize : envelopeStartSize],
		rest:   frame[envelopeStartSize:],
		whole:  frame,
	}, nil
}

// Keys returns the sealed keys block. The opened header must say that there is one;
// Error: ErrEnvelope if the envelope is too small to hold it.
func (e Envelope) Keys() ([]byte, error) {
	if len(e.rest) < SealedKeysSize {
		return nil, ErrEnvelope
	}
	return e.rest[:SealedKeysSize], nil
}

// Body returns the sealed body and all the bytes before it, to which it is bound.
// Error: ErrEnvelope if the envelope is too small to hold keys and a body.
func (e Envelope) Body(kind KeysKind) (body, before []byte, err error) {
	start := envelopeStartSize
	if kind == WithKeys {
		start += SealedKeysSize
	}
	if len(e.whole) < start+BodyPrefixSizeMin+identity.Overhead {
		return nil, nil, ErrEnvelope
	}
	return e.whole[start:], e.whole[:start], nil
}

// KeysNonce returns the nonce that the keys block of an envelope is sealed under: the
// envelope's own, its top bit set.
func KeysNonce(nonce [identity.NonceSize]byte) [identity.NonceSize]byte {
	nonce[0] |= 0x80
	return nonce
}

// The flags of a header.
const (
	FlagAck  = 1 // a bare ack: it takes no index
	FlagKeys = 2 // a keys block follows the header
)

// EnvelopeHeader is the opened header of a message or a bare ack. In a sync frame all
// its bytes are zero.
//
//	flags u8 ‖ chain u32 ‖ first u32 ‖ index u32
type EnvelopeHeader struct {
	// Flags is made of FlagAck and FlagKeys.
	Flags byte
	// Chain is the number of the chain: the step that made it.
	Chain uint32
	// First is the index of the first message of the chain.
	First uint32
	// Index is the message's; in a bare ack, that of the next message.
	Index uint32
}

// KeysKind says whether the header announces a keys block.
func (h EnvelopeHeader) KeysKind() KeysKind {
	if h.Flags&FlagKeys != 0 {
		return WithKeys
	}
	return WithoutKeys
}

// IsAck reports whether the header is that of a bare ack.
func (h EnvelopeHeader) IsAck() bool { return h.Flags&FlagAck != 0 }

// Append appends the header's bytes to dst.
func (h EnvelopeHeader) Append(dst []byte) []byte {
	dst = append(dst, h.Flags)
	dst = binary.BigEndian.AppendUint32(dst, h.Chain)
	dst = binary.BigEndian.AppendUint32(dst, h.First)
	return binary.BigEndian.AppendUint32(dst, h.Index)
}

// ParseEnvelopeHeader reads the opened header of a message or a bare ack. Error:
// ErrEnvelope for a wrong size, an unknown flag, chain 0 or an index before the first.
func ParseEnvelopeHeader(b []byte) (EnvelopeHeader, error) {
	if len(b) != EnvelopeHeaderSize {
		return EnvelopeHeader{}, ErrEnvelope
	}
	r := reader{b: b}
	h := EnvelopeHeader{Flags: r.byte(), Chain: r.uint32(), First: r.uint32(), Index: r.uint32()}
	if h.Flags&^(FlagAck|FlagKeys) != 0 || h.Chain == 0 || h.Index < h.First {
		return EnvelopeHeader{}, ErrEnvelope
	}
	return h, nil
}

// EnvelopeKeys is the opened keys block: the sender's new ratchet key and the
// ciphertext of the step that made the chain.
//
//	ratchet key 1216 ‖ ciphertext 1120
type EnvelopeKeys struct {
	Ratchet    identity.KEMPublic
	Ciphertext [identity.KEMCiphertextSize]byte
}

// Append appends the block's bytes to dst.
func (k *EnvelopeKeys) Append(dst []byte) []byte {
	return append(append(dst, k.Ratchet[:]...), k.Ciphertext[:]...)
}

// ParseEnvelopeKeys reads an opened keys block. The ratchet key is not checked here.
// Error: ErrEnvelope.
func ParseEnvelopeKeys(b []byte) (*EnvelopeKeys, error) {
	if len(b) != EnvelopeKeysSize {
		return nil, ErrEnvelope
	}
	k := new(EnvelopeKeys)
	r := reader{b: b}
	r.bytes(k.Ratchet[:])
	r.bytes(k.Ciphertext[:])
	return k, nil
}

// Beyond names an envelope that has arrived although one before it is missing.
type Beyond struct {
	Index uint32
	Tag   [ShortTagSize]byte // the first bytes of its body tag
}

// BodyPrefix is what stands before the contents in the body of a message or an ack:
// the sender's lowest index that is not acknowledged, and its ack.
//
//	base u32 ‖ cum u32 ‖ digest 16 ‖ n u8 ‖ n × (index u32 ‖ tag 8) ‖ length u16
//
// The contents follow, a CBOR sequence of length bytes, and zeros up to the
// envelope's size.
type BodyPrefix struct {
	// Base is the sender's lowest index that is not acknowledged.
	Base uint32
	// Cum is the lowest index that has not arrived: all below are acknowledged.
	Cum uint32
	// Digest is the running digest over the body tags of all below Cum.
	Digest [DigestSize]byte
	// Beyond names, ascending, at most BeyondMax that have arrived beyond Cum.
	Beyond []Beyond
	// Length is the number of bytes of the contents.
	Length uint16
}

// Size returns the number of bytes of the prefix.
func (p BodyPrefix) Size() int { return BodyPrefixSizeMin + len(p.Beyond)*BeyondSize }

// Append appends the prefix to dst.
func (p BodyPrefix) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, p.Base)
	dst = binary.BigEndian.AppendUint32(dst, p.Cum)
	dst = append(dst, p.Digest[:]...)
	dst = append(dst, byte(len(p.Beyond)))
	for _, a := range p.Beyond {
		dst = binary.BigEndian.AppendUint32(dst, a.Index)
		dst = append(dst, a.Tag[:]...)
	}
	return binary.BigEndian.AppendUint16(dst, p.Length)
}

// ParseBody reads an opened body and returns its prefix and contents, which are a part
// of b. Error: ErrEnvelope.
func ParseBody(b []byte) (BodyPrefix, []byte, error) {
	r := reader{b: b}
	p := BodyPrefix{Base: r.uint32(), Cum: r.uint32()}
	r.bytes(p.Digest[:])
	n := int(r.byte())
	if n > BeyondMax {
		return BodyPrefix{}, nil, ErrEnvelope
	}
	if n > 0 {
		p.Beyond = make([]Beyond, n)
	}
	last := p.Cum
	for i := range p.Beyond {
		a := &p.Beyond[i]
		a.Index = r.uint32()
		r.bytes(a.Tag[:])
		if a.Index <= last {
			return BodyPrefix{}, nil, ErrEnvelope
		}
		last = a.Index
	}
	p.Length = r.uint16()
	contents := r.take(int(p.Length))
	if r.failed() || !zeros(r.b) {
		return BodyPrefix{}, nil, ErrEnvelope
	}
	return p, contents, nil
}

// SyncBody is the body of a sync frame: what its sender knows of both directions.
//
//	step u32 ‖ next u32 ‖ base u32 ‖ cum u32 ‖ digest 16 ‖ check 16 ‖ check before 16
//
// Zeros follow up to the envelope's size.
type SyncBody struct {
	// Step is the number of the last root step the sender knows.
	Step uint32
	// Next is the index of its next message, Base its lowest not acknowledged one.
	Next, Base uint32
	// Cum and Digest are its ack, as in a BodyPrefix.
	Cum    uint32
	Digest [DigestSize]byte
	// Check and CheckBefore are the check values of the last root key and of the
	// one before; at step 1 CheckBefore is zero.
	Check, CheckBefore [CheckSize]byte
}

// Append appends the body's bytes to dst.
func (s *SyncBody) Append(dst []byte) []byte {
	for _, v := range [...]uint32{s.Step, s.Next, s.Base, s.Cum} {
		dst = binary.BigEndian.AppendUint32(dst, v)
	}
	dst = append(dst, s.Digest[:]...)
	dst = append(dst, s.Check[:]...)
	return append(dst, s.CheckBefore[:]...)
}

// ParseSyncBody reads the opened body of a sync frame. Error: ErrEnvelope.
func ParseSyncBody(b []byte) (SyncBody, error) {
	r := reader{b: b}
	s := SyncBody{Step: r.uint32(), Next: r.uint32(), Base: r.uint32(), Cum: r.uint32()}
	r.bytes(s.Digest[:])
	r.bytes(s.Check[:])
	r.bytes(s.CheckBefore[:])
	if r.failed() || !zeros(r.b) || s.Step == 0 || s.Base > s.Next {
		return SyncBody{}, ErrEnvelope
	}
	return s, nil
}
