package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/store/archive"
)

// TestOnlyAWholeBackupHasItsName writes archives that are whole, cut off, damaged and not
// written at all: only the first gets the name that was asked for, and of the others nothing
// is left.
func TestOnlyAWholeBackupHasItsName(t *testing.T) {
	const words = "four words of mine"
	var whole bytes.Buffer
	w, err := archive.NewWriter(&whole, archive.Backup, []byte(words), archive.Cost{Time: 1, MemoryKiB: 64 << 10, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	head := []byte{0, 0, 0, 1, 0, 0, 0, 1, 0x9a, 0, 0, 0, 0} // version 1, no history, a time
	if err := errors.Join(w.Record(1, head), w.Close()); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole.Bytes())
	damaged[len(damaged)-1] ^= 1
	dir := t.TempDir()
	name := filepath.Join(dir, "b")
	for title, c := range map[string]struct {
		content []byte
		fails   error
	}{
		"cut off":     {whole.Bytes()[:whole.Len()-10], nil},
		"damaged":     {damaged, nil},
		"not written": {nil, errors.New("the daemon ended")},
	} {
		_, err := writeArchive(name, words, func(to io.Writer) error {
			to.Write(c.content)
			return c.fails
		})
		left, _ := os.ReadDir(dir)
		if err == nil || len(left) > 0 {
			t.Errorf("%s: %v, left %v", title, err, left)
		}
		if c.fails == nil && !errors.Is(err, &api.Problem{Code: api.CodeArchiveCut}) && !errors.Is(err, &api.Problem{Code: api.CodeArchiveDamaged}) {
			t.Errorf("%s: %v", title, err)
		}
	}
	in, err := writeArchive(name, words, func(to io.Writer) error { _, err := to.Write(whole.Bytes()); return err })
	if err != nil || in.bytes != int64(whole.Len()) || in.MadeAt.After(time.Now()) {
		t.Errorf("a whole one: %+v, %v", in, err)
	}
	if b, err := os.ReadFile(name); err != nil || !bytes.Equal(b, whole.Bytes()) {
		t.Errorf("%d bytes lie there, %v", len(b), err)
	}
}
