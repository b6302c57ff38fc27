package wire

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"pabal/protocol/identity"
)

func sampleBundleFile() BundleFile {
	return BundleFile{At: 1_800_000_000, Envelopes: [][]byte{
		bytes.Repeat([]byte{1}, 512), bytes.Repeat([]byte{2}, 3072), {3},
	}}
}

func mustSealFile(t testing.TB, f BundleFile, secret [32]byte, maker identity.AccountPublic, salt [32]byte) []byte {
	t.Helper()
	b, err := f.Seal(secret, maker, salt)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBundleFile(t *testing.T) {
	secret, maker, other := [32]byte{1}, identity.AccountPublic{2}, identity.AccountPublic{3}
	full := BundleFile{Envelopes: slices.Repeat([][]byte{bytes.Repeat([]byte{9}, EnvelopeBytesMax)}, 512)}
	for _, f := range []BundleFile{{}, sampleBundleFile(), full} {
		b := mustSealFile(t, f, secret, maker, [32]byte{4})
		if !slices.Contains(BundleFileSizes(), len(b)) {
			t.Errorf("a file has %d bytes", len(b))
		}
		s, err := ParseBundleFile(b)
		if err != nil {
			t.Fatal(err)
		}
		if !s.From(secret, maker) || s.From(secret, other) || s.From([32]byte{9}, maker) {
			t.Error("the tag fits others than its maker, or not that one")
		}
		back, err := s.Open(secret, maker)
		if err != nil || back.At != f.At || !slices.EqualFunc(back.Envelopes, f.Envelopes, bytes.Equal) {
			t.Errorf("%d envelopes of %d, %v", len(back.Envelopes), len(f.Envelopes), err)
		}
	}
	full.Envelopes = slices.Repeat([][]byte{{1}}, BundleFileEnvelopesMax+1)
	if _, err := full.Seal(secret, maker, [32]byte{}); !errors.Is(err, ErrBundleFileSize) {
		t.Errorf("one envelope too many: %v", err)
	}
	full.Envelopes = slices.Repeat([][]byte{make([]byte, EnvelopeBytesMax)}, BundleFileEnvelopesMax+32)
	if _, err := full.Seal(secret, maker, [32]byte{}); !errors.Is(err, ErrBundleFileSize) {
		t.Errorf("too many bytes: %v", err)
	}
}

func TestBundleFileRefused(t *testing.T) {
	secret, maker := [32]byte{1}, identity.AccountPublic{2}
	b := mustSealFile(t, sampleBundleFile(), secret, maker, [32]byte{4})
	for _, n := range []int{0, 1, 47, 48, len(b) - 1, len(b) / 2} {
		if _, err := ParseBundleFile(b[:n]); !errors.Is(err, ErrBundleFile) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	for _, at := range []int{bundleFileHeadSize, bundleFileHeadSize + 600, len(b) - 1} {
		changed := bytes.Clone(b)
		changed[at] ^= 1
		s, err := ParseBundleFile(changed)
		if err != nil || !s.From(secret, maker) {
			t.Fatalf("byte %d: not recognised, %v", at, err)
		}
		if _, err := s.Open(secret, maker); !errors.Is(err, ErrBundleFile) {
			t.Errorf("byte %d is changed: %v", at, err)
		}
	}
	for _, row := range []struct {
		name string
		text []byte
		want error
	}{
		{"nothing", nil, ErrBundleFile},
		{"version 2", []byte{2}, ErrBundleFileVersion},
		{"no time", []byte{1, 0, 0, 0}, ErrBundleFile},
		{"cut header", []byte{1, 0, 0, 0, 0, 0, 0, 0, 2}, ErrBundleFile},
		{"cut envelope", []byte{1, 0, 0, 0, 0, 0, 0, 0, 3, 6, 1}, ErrBundleFile},
		{"empty envelope", []byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 6, 1}, ErrBundleFile},
		{"another frame", AppendFrame([]byte{1, 0, 0, 0, 0}, TypePing, make([]byte, 8)), ErrBundleFile},
		{"unknown frame", []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 200, 1}, ErrBundleFile},
		{"padding that is not zero", []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, ErrBundleFile},
		{"too many", append([]byte{1, 0, 0, 0, 0}, bytes.Repeat([]byte{0, 0, 0, 2, 6, 1}, BundleFileEnvelopesMax+1)...), ErrBundleFile},
	} {
		if _, err := parseBundleFile(row.text); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// TestBundleFileLooksLikeNoise: two files with the same in them have no eight bytes in
// common, and about half of all bits are set.
func TestBundleFileLooksLikeNoise(t *testing.T) {
	seen := make(map[[8]byte]bool)
	for range 2 {
		var salt [32]byte
		rand.Read(salt[:])
		b := mustSealFile(t, sampleBundleFile(), [32]byte{1}, identity.AccountPublic{2}, salt)
		ones := 0
		for i, x := range b {
			for ; x != 0; x &= x - 1 {
				ones++
			}
			if i+8 <= len(b) {
				if at := [8]byte(b[i:]); seen[at] {
					t.Fatalf("the bytes at %d have come before", i)
				} else {
					seen[at] = true
				}
			}
		}
		if half := len(b) * 4; ones < half*98/100 || ones > half*102/100 {
			t.Errorf("%d of %d bits are set", ones, len(b)*8)
		}
	}
}

// FuzzBundleFile parses what is sealed in a bundle file, and encodes it again.
func FuzzBundleFile(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add(append([]byte{1, 1, 2, 3, 4, 0, 0, 0, 3, 6, 1, 2, 0, 0, 0, 2, 6, 7}, make([]byte, 20)...))
	f.Add([]byte{1, 1, 2, 3, 4, 0, 1, 0, 1, 6, 1})
	f.Add([]byte{2, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parseBundleFile(text)
		if err != nil {
			return
		}
		b := mustSealFile(t, file, [32]byte{1}, identity.AccountPublic{2}, [32]byte{3})
		s, err := ParseBundleFile(b)
		if err != nil {
			t.Fatal(err)
		}
		back, err := s.Open([32]byte{1}, identity.AccountPublic{2})
		if err != nil || back.At != file.At || !slices.EqualFunc(back.Envelopes, file.Envelopes, bytes.Equal) {
			t.Fatalf("decodes, and differs when encoded: %v", err)
		}
	})
}
