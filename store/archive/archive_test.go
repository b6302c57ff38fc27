package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

var cheap = Cost{Time: 1, MemoryKiB: memoryMinKiB, Threads: 2}

type record struct {
	typ  byte
	body []byte
}

func write(t testing.TB, records ...record) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, Backup, []byte("secret words"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.Record(r.typ, r.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func read(file []byte, passphrase string) (records []record, err error) {
	r, err := NewReader(bytes.NewReader(file), []byte(passphrase))
	if err != nil {
		return nil, err
	}
	for {
		typ, body, err := r.Next()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		records = append(records, record{typ, body})
	}
}

// TestRecordsComeBack seals records of every awkward size.
func TestRecordsComeBack(t *testing.T) {
	var in []record
	for i, size := range []int{0, 1, chunkBytes - 2*frameBytes - 1, chunkBytes, 3*chunkBytes + 7, 0} {
		in = append(in, record{byte(1 + i), bytes.Repeat([]byte{byte(7 + i)}, size)})
	}
	file := write(t, in...)
	out, err := read(file, "secret words")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(in) != fmt.Sprint(out) {
		t.Error("other records came back")
	}
	if bytes.Contains(file, bytes.Repeat([]byte{8}, 16)) {
		t.Error("a record can be read in the file")
	}
	if kind, err := KindOf(file); kind != Backup || err != nil {
		t.Errorf("kind %v, %v", kind, err)
	}
}

// TestEveryChangeIsSeen cuts the file at every chunk, exchanges and repeats chunks, adds
// bytes and changes every byte of the header.
func TestEveryChangeIsSeen(t *testing.T) {
	file := write(t, record{1, make([]byte, 5*chunkBytes)})
	chunk := func(b []byte, n int) []byte { return b[headerBytes+n*sealedBytes:][:sealedBytes] }
	refuse := func(what string, b []byte, want ...error) {
		t.Helper()
		_, err := read(b, "secret words")
		for _, w := range want {
			if errors.Is(err, w) {
				return
			}
		}
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	for end := headerBytes; end < len(file); end += sealedBytes {
		refuse(fmt.Sprint("cut at ", end), file[:end], ErrCut)
		refuse(fmt.Sprint("cut at ", end+9), file[:end+9], ErrCut)
	}
	refuse("empty", nil, ErrForeign)
	refuse("cut header", file[:headerBytes-1], ErrForeign)
	refuse("one more byte", append(bytes.Clone(file), 0), ErrDamaged)

	swapped := bytes.Clone(file)
	copy(chunk(swapped, 1), chunk(file, 2))
	copy(chunk(swapped, 2), chunk(file, 1))
	refuse("two chunks exchanged", swapped, ErrDamaged)
	refuse("a chunk left out", append(bytes.Clone(file[:headerBytes]), file[headerBytes+sealedBytes:]...), ErrDamaged)
	changed := bytes.Clone(file)
	chunk(changed, 3)[100] ^= 1
	refuse("a bit changed", changed, ErrDamaged)
	for _, at := range []int{0, 17, 18, 20, saltAt, checkAt} { // not all: each costs an Argon2id
		changed := bytes.Clone(file)
		changed[at] ^= 3
		refuse(fmt.Sprint("header byte ", at), changed, ErrForeign, ErrPassphrase, ErrDamaged)
	}
	newer := bytes.Clone(file)
	newer[16] = version + 1
	refuse("newer", newer, ErrNewer)
	greedy := bytes.Clone(file)
	binary.LittleEndian.PutUint32(greedy[24:], 1<<31)
	refuse("more memory than is allowed", greedy, ErrDamaged)
	if _, err := read(file, "secret word"); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
}

// TestFinishHoldsTheEndBack writes all but the last chunk: without it there is no archive.
func TestFinishHoldsTheEndBack(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, Move, []byte("secret words"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Record(1, []byte("all that there is")); err != nil {
		t.Fatal(err)
	}
	last, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := read(file.Bytes(), "secret words"); !errors.Is(err, ErrCut) || len(out) > 0 {
		t.Errorf("without the last chunk: %v, %v", out, err)
	}
	if out, err := read(append(file.Bytes(), last...), "secret words"); err != nil || len(out) != 1 {
		t.Errorf("with it: %v, %v", out, err)
	}
}

// TestSizesTellLittle compares the sizes of archives with a little more or less in them.
func TestSizesTellLittle(t *testing.T) {
	sizes := make(map[uint64]bool)
	for n := uint64(1); n <= 4096; n++ {
		p := padded(n)
		if p < n || p > n+n/8 {
			t.Fatalf("%d chunks become %d", n, p)
		}
		sizes[p] = true
	}
	if len(sizes) > 120 {
		t.Errorf("%d sizes up to 4096 chunks", len(sizes))
	}
}

// FuzzReader opens what an attacker with the passphrase may have made: records of any
// lengths. It must end, without taking more memory than there is in the file.
func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 255, 255, 255})
	f.Add([]byte{0, 0, 0, 0, 1})
	aead, err := chacha20poly1305.New(make([]byte, keyBytes))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) > chunkBytes {
			return
		}
		n := nonceOf(0, true)
		sealed := aead.Seal(nil, n[:], append(plain, make([]byte, chunkBytes-len(plain))...), nil)
		r := &Reader{from: bytes.NewReader(sealed), aead: aead, sealed: make([]byte, sealedBytes)}
		for range chunkBytes {
			if _, _, err := r.Next(); err != nil {
				return
			}
		}
		t.Error("more records than bytes")
	})
}
