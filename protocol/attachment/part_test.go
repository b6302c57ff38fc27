package attachment

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"pabal/protocol/wire"
)

func TestSealedPartOpensInItsPlaceOnly(t *testing.T) {
	key, size := Key{1}, uint64(2*wire.PartBytes+9)
	count := wire.Parts(size)
	for i := range count {
		part := bytes.Repeat([]byte{7}, wire.PartSize(size, i))
		sealed := key.SealPart([]byte("before"), i, count, part)[len("before"):]
		if again := key.SealPart(nil, i, count, part); !bytes.Equal(again, sealed) {
			t.Errorf("part %d is sealed in two ways", i)
		}
		got, err := key.OpenPart(nil, sealed, i, size)
		if err != nil || !bytes.Equal(got, part) {
			t.Fatalf("part %d: %v", i, err)
		}
		for name, open := range map[string]func() ([]byte, error){
			"place": func() ([]byte, error) { return key.OpenPart(nil, sealed, (i+1)%count, size) },
			"file":  func() ([]byte, error) { return key.OpenPart(nil, sealed, i, size+wire.PartBytes) },
			"key":   func() ([]byte, error) { return Key{2}.OpenPart(nil, sealed, i, size) },
			"none":  func() ([]byte, error) { return key.OpenPart(nil, sealed, count, size) },
			"cut":   func() ([]byte, error) { return key.OpenPart(nil, sealed[1:], i, size) },
		} {
			if _, err := open(); err == nil {
				t.Errorf("part %d opens in another %s", i, name)
			}
		}
		sealed[3] ^= 1
		if _, err := key.OpenPart(nil, sealed, i, size); err == nil {
			t.Error("a changed part opens")
		}
	}
}

var update = flag.Bool("update", false, "rewrite the test vectors")

// TestPartVectors compares what we seal with the file that other implementations read.
func TestPartVectors(t *testing.T) {
	type vector struct {
		Key    string `json:"key"`
		Size   uint64 `json:"size"` // of the file
		Index  int    `json:"index"`
		Part   string `json:"part"`
		Sealed string `json:"sealed"`
	}
	var out []vector
	for _, size := range []uint64{5, wire.PartBytes + 7, wire.PartsMax*wire.PartBytes - wire.PartBytes + 3} {
		key, index := Key{1, byte(size)}, wire.Parts(size)-1
		part := bytes.Repeat([]byte{9}, wire.PartSize(size, index))
		sealed := key.SealPart(nil, index, wire.Parts(size), part)
		out = append(out, vector{hex.EncodeToString(key[:]), size, index, hex.EncodeToString(part), hex.EncodeToString(sealed)})
	}
	got, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("..", "doc", "vectors", "parts.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("what we compute is not what the vectors say (%v); if the protocol changed on purpose: go test -update", err)
	}
}
