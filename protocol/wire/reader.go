package wire

import "encoding/binary"

// reader walks through bytes of a fixed layout. After the first read past the end
// every read gives zeros and failed reports it, so a parser checks once, at its end.
type reader struct {
	b    []byte
	over bool
}

// take returns the next n bytes, or nil past the end.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.over = nil, true
		return nil
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

// bytes fills dst with the next len(dst) bytes.
func (r *reader) bytes(dst []byte) {
	copy(dst, r.take(len(dst)))
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// failed reports whether a read went past the end.
func (r *reader) failed() bool { return r.over }

// done reports whether all bytes were read and none was missing.
func (r *reader) done() bool { return !r.over && len(r.b) == 0 }

// zeros reports whether b is all zero: the padding of a bucket.
func zeros(b []byte) bool {
	var sum byte
	for _, x := range b {
		sum |= x
	}
	return sum == 0
}
