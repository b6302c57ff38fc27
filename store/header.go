package store

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	headerName      = "header"
	headerTempName  = "header.new"
	keyfileName     = "keyfile"
	keyfileTempName = "keyfile.new"

	headerVersion   = 1
	saltBytes       = 32
	parametersBytes = 16
	slots           = 8
	sealedBytes     = 82
	slotBytes       = chacha20poly1305.NonceSizeX + sealedBytes + chacha20poly1305.Overhead // 122
	headerBytes     = saltBytes + parametersBytes + slots*slotBytes                         // 1,024
	keyBytes        = 32
	directoryBytes  = 16

	headerLabel = "pabal header 1"
	pagesLabel  = "pabal store pages"
	macLabel    = "pabal store mac"
)

// Argon is the cost of guessing a passphrase. The zero value asks for the
// defaults: 3 passes over 256 MiB on 2 lanes, about 0.3 s.
type Argon struct {
	Time      uint32 // passes
	MemoryKiB uint32 // ArgonMemoryMin to ArgonMemoryMax
	Threads   uint8  // lanes
}

func (a Argon) withDefaults() Argon {
	if a.Time == 0 {
		a.Time = argonTimeDefault
	}
	if a.MemoryKiB == 0 {
		a.MemoryKiB = argonMemoryDefault
	}
	if a.Threads == 0 {
		a.Threads = argonThreadsDefault
	}
	return a
}

func (a Argon) valid() bool {
	return a.Time >= 1 && a.Time <= argonTimeMax && a.Threads >= 1 && a.Threads <= argonThreadsMax &&
		a.MemoryKiB >= ArgonMemoryMin && a.MemoryKiB <= ArgonMemoryMax
}

// slotKey is the key that opens a slot of the header: Argon2id of the
// passphrase, or the contents of the keyfile.
type slotKey [keyBytes]byte

// slot is what a slot of the header holds when it is opened.
type slot struct {
	key       [keyBytes]byte // of the database
	directory [directoryBytes]byte
	epoch     uint64
}

// directoryName is the name of the directory that the slot opens.
func (s *slot) directoryName() string { return hex.EncodeToString(s.directory[:]) }

// databaseName is the path of the slot's database inside the profile.
func (s *slot) databaseName() string { return fmt.Sprintf("%s/db-%d", s.directoryName(), s.epoch) }

// pagesKey is the key of the cipher of pages.
func (s *slot) pagesKey() []byte { return derive(s.key[:], pagesLabel) }

// macKey is the key of fingerprints that the database keeps, until a rotation: see macRow.
func (s *slot) macKey() []byte { return derive(s.key[:], macLabel) }

func derive(key []byte, label string) []byte {
	out, err := hkdf.Key(sha256.New, key, nil, label, keyBytes)
	if err != nil {
		panic("store: hkdf of 32 bytes: " + err.Error()) // only a length can be wrong
	}
	return out
}

// header is the file that opens a profile:
//
//	salt 32 | parameters 16 | 8 slots of: nonce 24, sealed 82, tag 16
//
// A slot that nobody uses is random bytes and looks like one that is used.
type header struct {
	salt       [saltBytes]byte
	parameters [parametersBytes]byte
	slots      [slots][slotBytes]byte
}

// newHeader returns a header with eight unused slots.
func newHeader(a Argon) *header {
	h := new(header)
	rand.Read(h.salt[:])
	for i := range h.slots {
		rand.Read(h.slots[i][:])
	}
	h.parameters[0] = headerVersion
	h.parameters[1] = a.Threads
	binary.LittleEndian.PutUint32(h.parameters[4:], a.Time)
	binary.LittleEndian.PutUint32(h.parameters[8:], a.MemoryKiB)
	return h
}

// parseHeader reads a header. It returns ErrNewer for a version it does not
// know and ErrDamaged for a wrong length or for costs outside the limits, so
// that a changed header cannot make us take all memory.
func parseHeader(b []byte) (*header, error) {
	if len(b) != headerBytes {
		return nil, fmt.Errorf("header of %d bytes: %w", len(b), ErrDamaged)
	}
	h := new(header)
	rest := b[copy(h.salt[:], b):]
	rest = rest[copy(h.parameters[:], rest):]
	for i := range h.slots {
		rest = rest[copy(h.slots[i][:], rest):]
	}
	switch {
	case h.parameters[0] > headerVersion:
		return nil, ErrNewer
	case h.parameters[0] != headerVersion, !h.argon().valid():
		return nil, fmt.Errorf("header parameters: %w", ErrDamaged)
	}
	return h, nil
}

// bytes encodes the header.
func (h *header) bytes() []byte {
	b := make([]byte, 0, headerBytes)
	b = append(b, h.salt[:]...)
	b = append(b, h.parameters[:]...)
	for i := range h.slots {
		b = append(b, h.slots[i][:]...)
	}
	return b
}

func (h *header) argon() Argon {
	return Argon{
		Threads:   h.parameters[1],
		Time:      binary.LittleEndian.Uint32(h.parameters[4:]),
		MemoryKiB: binary.LittleEndian.Uint32(h.parameters[8:]),
	}
}

// passphraseKey is the key that a passphrase gives under this header's salt. It
// takes the time and memory of the header's parameters.
func (h *header) passphraseKey(passphrase []byte) slotKey {
	a := h.argon()
	b := argon2.IDKey(passphrase, h.salt[:], a.Time, a.MemoryKiB, a.Threads, keyBytes)
	defer clear(b)
	return slotKey(b)
}

// seal fills slot i.
func (h *header) seal(i int, key *slotKey, s *slot) {
	var plain [sealedBytes]byte
	defer clear(plain[:])
	n := copy(plain[:], s.key[:])
	n += copy(plain[n:], s.directory[:])
	binary.LittleEndian.PutUint64(plain[n:], s.epoch)
	nonce := h.slots[i][:chacha20poly1305.NonceSizeX]
	rand.Read(nonce)
	slotAEAD(key, func(a aead) {
		a.Seal(nonce[:len(nonce):slotBytes], nonce, plain[:], h.additional(i))
	})
}

// open tries key on all eight slots, whichever opens, and returns the number
// and contents of the one that did, or ErrBadPassphrase.
func (h *header) open(key *slotKey) (index int, s *slot, err error) {
	index = -1
	slotAEAD(key, func(a aead) {
		for i := range h.slots {
			nonce, sealed := h.slots[i][:chacha20poly1305.NonceSizeX], h.slots[i][chacha20poly1305.NonceSizeX:]
			plain, err := a.Open(nil, nonce, sealed, h.additional(i))
			if err != nil || index >= 0 {
				continue
			}
			index, s = i, new(slot)
			n := copy(s.key[:], plain)
			n += copy(s.directory[:], plain[n:])
			s.epoch = binary.LittleEndian.Uint64(plain[n:])
			clear(plain)
		}
	})
	if index < 0 {
		return 0, nil, ErrBadPassphrase
	}
	return index, s, nil
}

// additional is what a slot's tag covers besides its contents.
func (h *header) additional(i int) []byte {
	b := append([]byte(headerLabel), h.parameters[:]...)
	return append(b, byte(i))
}

type aead interface {
	Seal(dst, nonce, plaintext, additional []byte) []byte
	Open(dst, nonce, sealed, additional []byte) ([]byte, error)
}

func slotAEAD(key *slotKey, use func(aead)) {
	a, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic("store: cipher of 32 bytes: " + err.Error()) // only a length can be wrong
	}
	use(a)
}

// readHeader reads the header of the profile in root, or ErrNoProfile.
func readHeader(root *os.Root) (*header, error) {
	b, err := readSmall(root, headerName, headerBytes+1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoProfile
	}
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	return parseHeader(b)
}

// writeHeader replaces the header of the profile in root at once: after a
// crash there is the old one or the new one. Then the old one is overwritten.
func writeHeader(root *os.Root, h *header) error {
	old, err := root.OpenFile(headerName, os.O_WRONLY, 0)
	switch {
	case err == nil:
		defer old.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("open old header: %w", err)
	}
	if err := writeDurably(root, headerName, headerTempName, h.bytes()); err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	if old == nil {
		return nil
	}
	if err := overwrite(old); err != nil {
		return fmt.Errorf("overwrite old header: %w", err)
	}
	return nil
}

// readKeyfile reads the key of a profile without a passphrase.
func readKeyfile(root *os.Root) (key slotKey, err error) {
	b, err := readSmall(root, keyfileName, keyBytes+1)
	if errors.Is(err, fs.ErrNotExist) {
		return key, fmt.Errorf("no keyfile: %w", ErrBadPassphrase)
	}
	if err != nil {
		return key, fmt.Errorf("read keyfile: %w", err)
	}
	defer clear(b)
	if len(b) != keyBytes {
		return key, fmt.Errorf("keyfile of %d bytes: %w", len(b), ErrDamaged)
	}
	return slotKey(b), nil
}

func newKeyfile(root *os.Root) (key slotKey, err error) {
	rand.Read(key[:])
	if err := writeDurably(root, keyfileName, keyfileTempName, key[:]); err != nil {
		return key, fmt.Errorf("write keyfile: %w", err)
	}
	return key, nil
}

// readSmall reads at most limit bytes of a file.
func readSmall(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// writeDurably writes a file beside its place, syncs it, moves it there and
// syncs the directory.
func writeDurably(root *os.Root, name, temp string, b []byte) error {
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	return syncDirectory(root, ".")
}

// syncDirectory makes the names in a directory durable.
func syncDirectory(root *os.Root, name string) error {
	if runtime.GOOS == "windows" { // directories cannot be synced there
		return nil
	}
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
