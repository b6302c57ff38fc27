package archive

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	magic       = "pabal archive\r\n\x00"
	version     = 1
	headerBytes = 80
	saltAt      = 32
	checkAt     = 64
	chunkBytes  = 64 << 10
	sealedBytes = chunkBytes + chacha20poly1305.Overhead
	frameBytes  = 5
	keyBytes    = chacha20poly1305.KeySize
	typeEnd     = 0

	// BodyBytesMax bounds the body of a record.
	BodyBytesMax = 16 << 20

	memoryMinKiB = 64 << 10
	memoryMaxKiB = 1 << 20
	timeMax      = 16
	threadsMax   = 16
)

// Kind says what an archive is for. It is not secret, but cannot be changed.
type Kind uint8

// The kinds of archives.
const (
	Backup Kind = 1 // what a person keeps
	Move   Kind = 2 // a whole profile, which is nowhere else
)

// Cost is what a guess at the passphrase costs: passes, KiB of memory, and lanes of Argon2id.
type Cost struct {
	Time, MemoryKiB uint32
	Threads         uint8
}

func (c Cost) valid() bool {
	return c.Time >= 1 && c.Time <= timeMax && c.Threads >= 1 && c.Threads <= threadsMax &&
		c.MemoryKiB >= memoryMinKiB && c.MemoryKiB <= memoryMaxKiB
}

var (
	// ErrForeign says that a file is no archive.
	ErrForeign = errors.New("archive: this is no archive")
	// ErrNewer says that a newer release wrote it.
	ErrNewer = errors.New("archive: written by a newer version")
	// ErrPassphrase says that the passphrase is another one.
	ErrPassphrase = errors.New("archive: wrong passphrase")
	// ErrCut says that the end is missing.
	ErrCut = errors.New("archive: cut short")
	// ErrDamaged says that something in it is not what was written.
	ErrDamaged = errors.New("archive: damaged")
)

// header is the first headerBytes of a file.
type header [headerBytes]byte

func newHeader(kind Kind, cost Cost) *header {
	h := new(header)
	copy(h[:], magic)
	h[16], h[17], h[18] = version, byte(kind), cost.Threads
	binary.LittleEndian.PutUint32(h[20:], cost.Time)
	binary.LittleEndian.PutUint32(h[24:], cost.MemoryKiB)
	rand.Read(h[saltAt:checkAt])
	return h
}

func (h *header) cost() Cost {
	return Cost{
		Threads: h[18], Time: binary.LittleEndian.Uint32(h[20:]), MemoryKiB: binary.LittleEndian.Uint32(h[24:]),
	}
}

// keys returns the cipher of the chunks and what check must be. It costs what the
// parameters say.
func (h *header) keys(passphrase []byte) (cipher.AEAD, []byte) {
	cost := h.cost()
	k := argon2.IDKey(passphrase, h[saltAt:checkAt], cost.Time, cost.MemoryKiB, cost.Threads, keyBytes)
	defer clear(k)
	key := derive(k, "pabal archive chunks"+string(h[:saltAt]), keyBytes)
	defer clear(key)
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		panic("archive: cipher of 32 bytes: " + err.Error()) // only a length can be wrong
	}
	return aead, derive(k, "pabal archive check"+string(h[:saltAt]), headerBytes-checkAt)
}

func derive(key []byte, label string, size int) []byte {
	out, err := hkdf.Key(sha256.New, key, nil, label, size)
	if err != nil {
		panic("archive: hkdf of a few bytes: " + err.Error()) // only a length can be wrong
	}
	return out
}

// KindOf reads what kind of archive begins with b, without opening it.
func KindOf(b []byte) (Kind, error) {
	if len(b) < headerBytes || string(b[:len(magic)]) != magic {
		return 0, ErrForeign
	}
	if b[16] > version {
		return 0, ErrNewer
	}
	kind := Kind(b[17])
	if b[16] != version || kind != Backup && kind != Move {
		return 0, ErrForeign
	}
	return kind, nil
}

// HeaderBytes is how much of a file [KindOf] needs, and what must be destroyed so that nobody
// opens the rest.
const HeaderBytes = headerBytes

// nonce numbers the chunks.
type nonce [chacha20poly1305.NonceSize]byte

func nonceOf(number uint64, last bool) (n nonce) {
	binary.BigEndian.PutUint64(n[3:], number)
	if last {
		n[11] = 1
	}
	return n
}

// Writer seals records. The caller must Close it, or throw away what was written.
type Writer struct {
	to     io.Writer
	aead   cipher.AEAD
	plain  []byte // of the chunk that is being filled
	sealed []byte
	number uint64
}

// NewWriter begins an archive. It takes the time and memory of cost; a cost outside the limits
// is an error.
func NewWriter(to io.Writer, kind Kind, passphrase []byte, cost Cost) (*Writer, error) {
	if !cost.valid() {
		return nil, errors.New("archive: cost of the passphrase outside the limits")
	}
	h := newHeader(kind, cost)
	aead, check := h.keys(passphrase)
	copy(h[checkAt:], check)
	if _, err := to.Write(h[:]); err != nil {
		return nil, fmt.Errorf("write archive: %w", err)
	}
	return &Writer{to: to, aead: aead, plain: make([]byte, 0, chunkBytes), sealed: make([]byte, 0, sealedBytes)}, nil
}

// Record adds a record of a type that is not 0.
func (w *Writer) Record(typ byte, body []byte) error {
	if typ == typeEnd || len(body) > BodyBytesMax {
		return errors.New("archive: no such record")
	}
	var frame [frameBytes]byte
	frame[0] = typ
	binary.BigEndian.PutUint32(frame[1:], uint32(len(body)))
	if err := w.add(frame[:]); err != nil {
		return err
	}
	return w.add(body)
}

// add fills chunks. A full one is written once there is more: the last is sealed otherwise.
func (w *Writer) add(b []byte) error {
	for len(b) > 0 {
		if len(w.plain) == chunkBytes {
			if _, err := w.to.Write(w.seal(false)); err != nil {
				return fmt.Errorf("write archive: %w", err)
			}
		}
		n := copy(w.plain[len(w.plain):chunkBytes], b)
		w.plain, b = w.plain[:len(w.plain)+n], b[n:]
	}
	return nil
}

// seal seals the chunk and begins the next one.
func (w *Writer) seal(last bool) []byte {
	n := nonceOf(w.number, last)
	w.sealed = w.aead.Seal(w.sealed[:0], n[:], w.plain, nil)
	clear(w.plain)
	w.plain = w.plain[:0]
	w.number++
	return w.sealed
}

// Finish ends the archive but for its last chunk, which it returns: before that is behind
// the others nobody can read the end.
func (w *Writer) Finish() ([]byte, error) {
	if err := w.add([]byte{typeEnd, 0, 0, 0, 0}); err != nil {
		return nil, err
	}
	var zeros [chunkBytes]byte
	for chunks := padded(w.number + 1); ; {
		if err := w.add(zeros[:chunkBytes-len(w.plain)]); err != nil {
			return nil, err
		}
		if w.number+1 == chunks {
			return w.seal(true), nil
		}
		if _, err := w.to.Write(w.seal(false)); err != nil {
			return nil, fmt.Errorf("write archive: %w", err)
		}
	}
}

// Close ends the archive. It does not close what it was written to.
func (w *Writer) Close() error {
	last, err := w.Finish()
	if err != nil {
		return err
	}
	if _, err := w.to.Write(last); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// padded rounds a number up so that few numbers are possible (Padmé): at most an eighth more.
func padded(n uint64) uint64 {
	if n < 2 {
		return n
	}
	exponent := bits.Len64(n) - 1
	low := uint64(1)<<(exponent-bits.Len64(uint64(exponent))) - 1
	if bits.Len64(uint64(exponent)) > exponent {
		return n
	}
	return (n + low) &^ low
}

// Reader opens records. Nothing that it returns was changed or has changed places, but only
// at the end it is known that nothing is missing: what comes before io.EOF is provisional.
type Reader struct {
	kind   Kind
	from   io.Reader
	aead   cipher.AEAD
	sealed []byte
	plain  []byte // of the chunk, what is left of it
	number uint64
	last   bool // the chunk is the last one
	err    error
}

// NewReader begins to read an archive. It takes the time and memory that the file says, up
// to the limits.
func NewReader(from io.Reader, passphrase []byte) (*Reader, error) {
	h := new(header)
	if _, err := io.ReadFull(from, h[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, ErrForeign
		}
		return nil, fmt.Errorf("read archive: %w", err)
	}
	kind, err := KindOf(h[:])
	if err != nil {
		return nil, err
	}
	if !h.cost().valid() {
		return nil, ErrDamaged
	}
	aead, check := h.keys(passphrase)
	if subtle.ConstantTimeCompare(check, h[checkAt:]) != 1 {
		return nil, ErrPassphrase
	}
	return &Reader{kind: kind, from: from, aead: aead, sealed: make([]byte, sealedBytes)}, nil
}

// Kind is what the archive is for.
func (r *Reader) Kind() Kind { return r.kind }

// Next returns the next record, or io.EOF at the end of the archive. The body is the caller's.
func (r *Reader) Next() (typ byte, body []byte, err error) {
	if r.err == nil {
		typ, body, r.err = r.next()
	}
	return typ, body, r.err
}

func (r *Reader) next() (byte, []byte, error) {
	var frame [frameBytes]byte
	if err := r.fill(frame[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(frame[1:])
	if frame[0] == typeEnd {
		if size != 0 {
			return 0, nil, ErrDamaged
		}
		return 0, nil, r.end()
	}
	if size > BodyBytesMax {
		return 0, nil, ErrDamaged
	}
	body := make([]byte, 0, min(size, chunkBytes)) // a length is believed as far as there are bytes
	for uint32(len(body)) < size {
		n := min(int(size)-len(body), chunkBytes)
		body = append(body, make([]byte, n)...)
		if err := r.fill(body[len(body)-n:]); err != nil {
			return 0, nil, err
		}
	}
	return frame[0], body, nil
}

// fill fills b from the chunks.
func (r *Reader) fill(b []byte) error {
	for len(b) > 0 {
		if len(r.plain) == 0 {
			if r.last {
				return ErrDamaged // records end with one that says so
			}
			if err := r.chunk(); err != nil {
				return err
			}
		}
		n := copy(b, r.plain)
		r.plain, b = r.plain[n:], b[n:]
	}
	return nil
}

// chunk opens the next chunk.
func (r *Reader) chunk() error {
	if _, err := io.ReadFull(r.from, r.sealed); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return ErrCut
		}
		return fmt.Errorf("read archive: %w", err)
	}
	for _, last := range [2]bool{false, true} {
		n := nonceOf(r.number, last)
		plain, err := r.aead.Open(nil, n[:], r.sealed, nil)
		if err == nil {
			r.plain, r.last = plain, last
			r.number++
			return nil
		}
	}
	return ErrDamaged
}

// end reads the padding: zeros to the last chunk, and nothing behind that.
func (r *Reader) end() error {
	for {
		for _, b := range r.plain {
			if b != 0 {
				return ErrDamaged
			}
		}
		if r.last {
			break
		}
		if err := r.chunk(); err != nil {
			return err
		}
	}
	var more [1]byte
	switch _, err := io.ReadFull(r.from, more[:]); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return fmt.Errorf("read archive: %w", err)
	}
	return ErrDamaged
}
