package attachment

import (
	"bytes"
	"strings"
	"testing"

	"pabal/protocol/wire"
)

func TestSealedChunkOpensInItsPlaceOnly(t *testing.T) {
	key := Key{1}
	for _, size := range []int{1, 4095, 4096, 4097, 70_000, ChunkBytes} {
		chunk := bytes.Repeat([]byte{7}, size)
		sealed := key.Seal([]byte("before"), [NonceSize]byte{9}, 3, 5, chunk)[len("before"):]
		if len(sealed) != SealedSize(size) || len(sealed) > SealedBytesMax {
			t.Fatalf("%d bytes are sealed in %d", size, len(sealed))
		}
		got, err := key.Open(nil, sealed, 3, 5, size)
		if err != nil || !bytes.Equal(got, chunk) {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if _, err := key.Open(nil, sealed, 2, 5, size); err == nil {
			t.Errorf("a chunk opens at another place")
		}
		if _, err := key.Open(nil, sealed, 3, 6, size); err == nil {
			t.Errorf("a chunk opens in a longer file")
		}
		if _, err := (Key{2}).Open(nil, sealed, 3, 5, size); err == nil {
			t.Errorf("a chunk opens under another key")
		}
		sealed[len(sealed)/2] ^= 1
		if _, err := key.Open(nil, sealed, 3, 5, size); err == nil {
			t.Errorf("a changed chunk opens")
		}
	}
}

// TestSealedWhereItStands goes from one key to another in one buffer, which held something else
// before: on the way nothing differs from what is made in new ones.
func TestSealedWhereItStands(t *testing.T) {
	wire, disk := Key{1}, Key{2}
	for _, size := range []int{1, 4095, 4096, 4097, 70_000, ChunkBytes} {
		chunk := bytes.Repeat([]byte{7}, size)
		buffer := bytes.Repeat([]byte{0xff}, SealedBytesMax)
		sealed := buffer[:copy(buffer, disk.Seal(nil, [NonceSize]byte{9}, 3, 5, chunk))]
		got, err := disk.OpenIn(sealed, 3, 5, size)
		if err != nil || !bytes.Equal(got, chunk) || &got[0] != &buffer[NonceSize] {
			t.Fatalf("%d bytes: %v", size, err)
		}
		again := wire.SealIn(buffer, [NonceSize]byte{8}, 3, 5, size)
		if !bytes.Equal(again, wire.Seal(nil, [NonceSize]byte{8}, 3, 5, chunk)) || &again[0] != &buffer[0] {
			t.Errorf("%d bytes are sealed in another way", size)
		}
		again[len(again)/2] ^= 1
		if got, err := wire.OpenIn(again, 3, 5, size); err == nil || got != nil {
			t.Error("a changed chunk opens")
		}
		if bytes.Contains(buffer, chunk[:min(size, 16)]) && size >= 16 {
			t.Error("of a chunk that does not open something is left")
		}
		if _, err := wire.OpenIn(again, 3, 5, size+paddedBytesMin*2); err == nil {
			t.Error("a chunk of another size opens")
		}
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		size   uint64
		chunks uint32
		last   int
	}{{1, 1, 1}, {ChunkBytes, 1, ChunkBytes}, {ChunkBytes + 1, 2, 1}, {FileBytesMax, ChunksMax, ChunkBytes}} {
		if Chunks(c.size) != c.chunks || ChunkSize(c.size, c.chunks-1) != c.last {
			t.Errorf("%d bytes: %d chunks, the last of %d", c.size, Chunks(c.size), ChunkSize(c.size, c.chunks-1))
		}
	}
	if Chunks(0) != 0 {
		t.Error("an empty file has chunks")
	}
}

func TestHashListIsCheckedAgainstTheRoot(t *testing.T) {
	hashes := []Hash{HashOf([]byte("a")), HashOf([]byte("b"))}
	size := uint64(ChunkBytes + 1)
	root := RootOf(size, hashes)
	list := AppendHashes(nil, hashes)
	if got, ok := ParseHashes(list, size, root); !ok || got[1] != hashes[1] {
		t.Fatal("the list does not give its root")
	}
	if _, ok := ParseHashes(list, size+1, root); ok {
		t.Error("the list is good for another size")
	}
	list[0] ^= 1
	if _, ok := ParseHashes(list, size, root); ok {
		t.Error("a changed list is good")
	}
	if _, ok := ParseHashes(list[:HashSize], size, root); ok {
		t.Error("a short list is good")
	}
}

func TestCleanName(t *testing.T) {
	for in, want := range map[string]string{
		"photo.jpg":              "photo.jpg",
		"../../etc/passwd":       "passwd",
		`C:\Users\me\letter.doc`: "letter.doc",
		"..":                     "file",
		"":                       "file",
		"\u202egpj.exe":          "gpj.exe",
		"line\nbreak\x00.txt":    "linebreak.txt",
		"  spaces .txt ":         "spaces .txt",
		"한글.txt":                 "한글.txt",
		"trailing. . .":          "trailing",
		"bad\xffutf8":            "badutf8",
		"A\x00\u0301":            "Á",
	} {
		if got := CleanName(in); got != want {
			t.Errorf("%q becomes %q, not %q", in, got, want)
		}
	}
	long := CleanName(strings.Repeat("긴", 300) + ".jpeg")
	if len(long) > wire.FileNameBytesMax || !strings.HasSuffix(long, ".jpeg") {
		t.Errorf("a long name becomes %d bytes, %q", len(long), long)
	}
}

func FuzzCleanName(f *testing.F) {
	f.Add("../a\u202e.txt")
	f.Add(strings.Repeat("\u0301", 400))
	f.Fuzz(func(t *testing.T, name string) {
		got := CleanName(name)
		if !wire.ValidFileName(got) {
			t.Errorf("%q becomes %q", name, got)
		}
		if again := CleanName(got); again != got {
			t.Errorf("%q is cleaned to %q, and that to %q", name, got, again)
		}
	})
}
