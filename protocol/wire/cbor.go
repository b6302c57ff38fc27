package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// Contents are read and written for every message, so this file does by hand what they
// need of deterministic CBOR (RFC 8949, section 4.2.1): six times as fast as
// reflection, and a reader that takes the shortest form only needs no second pass.
// Everything else, and contents that are not known, go through the library below.

// The major types of CBOR, as they stand in an item's first byte.
const (
	majorUint  = 0 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	majorMap   = 5 << 5
)

// appendHead appends the head of an item in its shortest form.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

// appendUint appends a pair of a small key and an unsigned integer.
func appendUint(b []byte, key byte, v uint64) []byte {
	return appendHead(append(b, key), majorUint, v)
}

// appendBytes appends a byte string.
func appendBytes(b, s []byte) []byte {
	return append(appendHead(b, majorBytes, uint64(len(s))), s...)
}

// item walks through deterministic CBOR. After the first item that is not of the wanted
// kind, or not in its shortest form, bad is set and every read gives zeros.
type item struct {
	b   []byte
	bad bool
}

// head reads the head of an item of the given major type and returns its number.
func (r *item) head(major byte) uint64 {
	if r.bad || len(r.b) == 0 || r.b[0]&0xe0 != major {
		r.bad = true
		return 0
	}
	info := r.b[0] & 0x1f
	if info < 24 {
		r.b = r.b[1:]
		return uint64(info)
	}
	size := 1 << (info - 24)
	if info > 27 || len(r.b) < 1+size {
		r.bad = true
		return 0
	}
	var n uint64
	for _, x := range r.b[1 : 1+size] {
		n = n<<8 | uint64(x)
	}
	// The shortest form: the number would not fit in half the bytes.
	if info == 24 && n < 24 || info > 24 && n < 1<<(4*size) {
		r.bad = true
		return 0
	}
	r.b = r.b[1+size:]
	return n
}

func (r *item) uint() uint64 { return r.head(majorUint) }

func (r *item) uint32() uint32 {
	n := r.uint()
	if n > math.MaxUint32 {
		r.bad = true
		return 0
	}
	return uint32(n)
}

// fixed reads a head that must have the number n.
func (r *item) fixed(major byte, n uint64) {
	if r.head(major) != n {
		r.bad = true
	}
}

// bytes reads a byte string or a text, which it does not copy. A text is valid UTF-8.
func (r *item) bytes(major byte) []byte {
	n := r.head(major)
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	s := r.b[:n]
	r.b = r.b[n:]
	if major == majorText && !utf8.Valid(s) {
		r.bad = true
		return nil
	}
	return s
}

// fill reads a byte string of exactly len(dst) bytes.
func (r *item) fill(dst []byte) {
	s := r.bytes(majorBytes)
	if len(s) != len(dst) {
		r.bad = true
		return
	}
	copy(dst, s)
}

// strictDecoder and strictEncoder are set once and never changed. Together they accept
// only deterministic CBOR: what decodes must encode to the same bytes.
var (
	strictDecoder = newStrictDecoder()
	strictEncoder = newStrictEncoder()
)

func newStrictDecoder() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   CBORDepthMax,
		MaxArrayElements:  cborElementsMax,
		MaxMapPairs:       cborElementsMax,
	}.DecMode()
	if err != nil {
		panic("wire: options of the CBOR decoder")
	}
	return mode
}

func newStrictEncoder() cbor.EncMode {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic("wire: options of the CBOR encoder")
	}
	return mode
}

// encodeMap encodes a struct with integer keys.
func encodeMap(v any) []byte {
	b, err := strictEncoder.Marshal(v)
	if err != nil {
		panic("wire: a row of ours does not encode")
	}
	return b
}

// decodeMap decodes the deterministic encoding of a struct with integer keys from the
// front of b and returns its size. It returns false for anything else.
func decodeMap(b []byte, into any) (size int, ok bool) {
	rest, err := strictDecoder.UnmarshalFirst(b, into)
	if err != nil {
		return 0, false
	}
	size = len(b) - len(rest)
	again, err := strictEncoder.Marshal(into)
	return size, err == nil && bytes.Equal(again, b[:size])
}

// deterministicMap reads one deterministic map of any content from the front of b and
// returns its size. It returns false for anything else.
func deterministicMap(b []byte) (values map[any]any, size int, ok bool) {
	if len(b) == 0 || b[0]&0xe0 != majorMap {
		return nil, 0, false
	}
	size, ok = decodeMap(b, &values)
	return values, size, ok
}
