package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	_ "github.com/ncruces/go-sqlite3/vfs/adiantum"
	"lukechampine.com/adiantum"
)

// rawFile is an ordinary file under the sealing layer.
type rawFile struct {
	*os.File
	syncs int
}

func (f *rawFile) Sync(vfs.SyncFlag) error          { f.syncs++; return nil }
func (f *rawFile) Size() (int64, error)             { return f.Seek(0, io.SeekEnd) }
func (f *rawFile) Lock(vfs.LockLevel) error         { return nil }
func (f *rawFile) Unlock(vfs.LockLevel) error       { return nil }
func (f *rawFile) CheckReservedLock() (bool, error) { return false, nil }
func (f *rawFile) SectorSize() int                  { return 512 }
func (f *rawFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE
}

func sealed(t *testing.T, log bool) (*sealedFile, *rawFile) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	raw := &rawFile{File: f}
	s := &sealedFile{File: raw, cipher: adiantum.New(testKey()), log: log}
	t.Cleanup(func() { s.Close() })
	return s, raw
}

func testKey() []byte {
	key := make([]byte, keyBytes)
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

// TestUnitVectors fixes the bytes on the disk: the cipher, the tweaks and the
// cut of the log into units.
func TestUnitVectors(t *testing.T) {
	plain := make([]byte, logHeaderBytes+2*frameBytes)
	for i := range plain {
		plain[i] = byte(i * 7)
	}
	for _, tt := range []struct {
		name string
		log  bool
		size int
		want string
	}{
		{"database", false, 2 * pageBytes, "69257b6671448e1f1a66d7df2443a9d344c9e575cf9cbb1f1b281914d761da03"},
		{"log", true, len(plain), "ca116e9fd81c1e8159fa8dd8c36df781ca0515a707662d91ac066f9f9c474baf"},
	} {
		s, raw := sealed(t, tt.log)
		if _, err := s.WriteAt(plain[:tt.size], 0); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(raw.Name())
		if err != nil || len(got) != tt.size {
			t.Fatalf("%s: %d bytes, %v", tt.name, len(got), err)
		}
		sum := sha256.Sum256(got)
		if h := hex.EncodeToString(sum[:]); h != tt.want {
			t.Errorf("%s: sha256 %s, want %s", tt.name, h, tt.want)
		}
	}
}

// TestSealedFileActsLikeAFile compares a sealed file with a plain slice under
// random reads and writes of all shapes.
func TestSealedFileActsLikeAFile(t *testing.T) {
	for _, log := range []bool{false, true} {
		r := rand.New(rand.NewPCG(3, 4))
		s, _ := sealed(t, log)
		s.weak.keepGaps = true
		model := make([]byte, logHeaderBytes+8*frameBytes)
		size := len(model)
		if !log {
			size = 8 * pageBytes
		}
		if _, err := s.WriteAt(model[:size], 0); err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			start, n := s.unit(int64(r.IntN(size)))
			off, length := int(start), n
			switch r.IntN(4) {
			case 0:
				off, length = r.IntN(size), r.IntN(2*pageBytes)+1
			case 1: // the parts of a padding frame
				cut := r.IntN(n)
				write(t, s, model, r, off, cut)
				if err := s.Sync(vfs.SYNC_FULL); err != nil {
					t.Fatal(err)
				}
				off, length = off+cut, n-cut
			}
			length = min(length, size-off)
			if r.IntN(3) > 0 {
				write(t, s, model, r, off, length)
				continue
			}
			got := make([]byte, length)
			if n, err := s.ReadAt(got, int64(off)); err != nil || n != length {
				t.Fatalf("read %d at %d: %d, %v", length, off, n, err)
			}
			if !bytes.Equal(got, model[off:off+length]) {
				t.Fatalf("log %v: read %d at %d differs", log, length, off)
			}
		}
	}
}

func write(t *testing.T, s *sealedFile, model []byte, r *rand.Rand, off, length int) {
	t.Helper()
	p := model[off : off+length]
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	before := bytes.Clone(p)
	if n, err := s.WriteAt(p, int64(off)); err != nil || n != length {
		t.Fatalf("write %d at %d: %d, %v", length, off, n, err)
	}
	if !bytes.Equal(p, before) {
		t.Fatal("WriteAt changed the caller's bytes")
	}
}

// TestSyncWaitsForTheUnit checks that the sync inside a padding frame comes
// after the whole unit, and once.
func TestSyncWaitsForTheUnit(t *testing.T) {
	s, raw := sealed(t, true)
	page := bytes.Repeat([]byte{9}, pageBytes)
	mustWrite := func(p []byte, off int64) {
		t.Helper()
		if _, err := s.WriteAt(p, off); err != nil {
			t.Fatal(err)
		}
	}
	mustWrite(page[:frameHeaderBytes], logHeaderBytes)
	mustWrite(page[:1000], logHeaderBytes+frameHeaderBytes)
	if err := s.Sync(vfs.SYNC_FULL); err != nil {
		t.Fatal(err)
	}
	if size, _ := raw.Size(); raw.syncs != 0 || size != logHeaderBytes+frameHeaderBytes {
		t.Fatalf("%d syncs and %d bytes before the unit is whole", raw.syncs, size)
	}
	mustWrite(page[1000:], logHeaderBytes+frameHeaderBytes+1000)
	if size, _ := raw.Size(); raw.syncs != 1 || size != logHeaderBytes+frameBytes {
		t.Fatalf("%d syncs and %d bytes after the unit is whole", raw.syncs, size)
	}
}

func TestReadBehindTheEnd(t *testing.T) {
	s, _ := sealed(t, false)
	if n, err := s.ReadAt(make([]byte, 100), 0); n != 0 || err != io.EOF {
		t.Errorf("empty file: %d, %v", n, err)
	}
	if _, err := s.WriteAt(make([]byte, pageBytes), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := s.ReadAt(make([]byte, 2*pageBytes), 0); n != pageBytes || err != io.EOF {
		t.Errorf("one page: %d, %v", n, err)
	}
}

// TestDatabaseIsPlainAdiantum opens a database of ours with the encrypting layer
// that SQLite's Go package ships: below the log nothing is of our own making.
func TestDatabaseIsPlainAdiantum(t *testing.T) {
	s := create(t)
	f := newFixture(t, 3)
	f.commit(s, f.batch(64).Writes...)
	if err := s.Scrub(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(s.profile.databasePath(s.slot))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite3.Open("file:" + copied + "?vfs=adiantum&hexkey=" + hex.EncodeToString(s.slot.pagesKey()))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stmt, _, err := db.Prepare(`SELECT count(*) FROM messages`)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if !stmt.Step() || stmt.ColumnInt(0) != 64 {
		t.Errorf("%d messages, %v", stmt.ColumnInt(0), stmt.Err())
	}
}

func TestOtherFilesStayInMemory(t *testing.T) {
	v := newSealingVFS(vfs.Find("os"), testKey(), weakness{})
	for _, kind := range []vfs.OpenFlag{
		vfs.OPEN_MAIN_JOURNAL, vfs.OPEN_TEMP_DB, vfs.OPEN_TRANSIENT_DB, vfs.OPEN_TEMP_JOURNAL, vfs.OPEN_SUBJOURNAL,
	} {
		f, _, err := v.OpenFilename(nil, kind|vfs.OPEN_CREATE|vfs.OPEN_READWRITE)
		if err != nil {
			t.Errorf("kind %x: %v", kind, err)
		} else if _, ok := f.(*vfsutil.SliceFile); !ok {
			t.Errorf("kind %x is a %T", kind, f)
		}
	}
	if _, _, err := v.OpenFilename(nil, vfs.OPEN_SUPER_JOURNAL); !errors.Is(err, sqlite3.CANTOPEN) {
		t.Errorf("super journal: %v", err)
	}
}

func TestClearGap(t *testing.T) {
	page := func(kind byte, cells, content int, first bool) []byte {
		b := bytes.Repeat([]byte{0xEE}, pageBytes)
		h := 0
		if first {
			h = 100
		}
		b[h] = kind
		b[h+3], b[h+4] = byte(cells>>8), byte(cells)
		b[h+5], b[h+6] = byte(content>>8), byte(content)
		return b
	}
	for _, tt := range []struct {
		name     string
		page     []byte
		first    bool
		from, to int
	}{
		{"table leaf", page(13, 3, 148, false), false, 14, 148},
		{"index leaf", page(10, 0, 4096, false), false, 8, 4096},
		{"interior", page(5, 2, 4000, false), false, 16, 4000},
		{"interior index", page(2, 1, 100, false), false, 14, 100},
		{"first page", page(13, 1, 3000, true), true, 110, 3000},
		{"overflow", page(0, 1, 3000, false), false, 0, 0},
		{"content at 65536", page(13, 1, 0, false), false, 0, 0},
		{"content behind the page", page(13, 1, 5000, false), false, 0, 0},
		{"no gap", page(13, 2000, 100, false), false, 0, 0},
	} {
		want := bytes.Clone(tt.page)
		clear(want[tt.from:tt.to])
		clearGap(tt.page, tt.first)
		if !bytes.Equal(tt.page, want) {
			t.Errorf("%s: cleared something else", tt.name)
		}
	}
}

func FuzzClearGap(f *testing.F) {
	f.Add(bytes.Repeat([]byte{13}, pageBytes), false)
	f.Add(bytes.Repeat([]byte{2}, pageBytes), true)
	f.Fuzz(func(t *testing.T, b []byte, first bool) {
		page := make([]byte, pageBytes)
		copy(page, b)
		clearGap(page, first) // must not panic, whatever the page holds
	})
}
