package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/store/archive"
)

// contents is every row of a profile but what opens it or is made anew, and every chunk.
func contents(t testing.TB, s *Store) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for name, held := range archivedTables() {
		columns, err := columnsOf(s.write.c, name)
		if err != nil {
			t.Fatal(err)
		}
		sql := "SELECT " + quoted(columns) + " FROM " + name
		if held.where != "" {
			sql += " WHERE " + held.where
		}
		if all[name], err = collect(s.write.c.query(sql), func(q *query) string { return fmt.Sprint(q.cells(len(columns))) }, "read"); err != nil {
			t.Fatal(err)
		}
		slices.Sort(all[name])
	}
	for name, b := range files(t, s.profile.path) {
		if kindOf(name) == FileChunk {
			all[filepath.Base(name)] = []string{string(b)}
		}
	}
	return all
}

// moving is a profile that moves, and the file.
type moving struct {
	dir, file string
	rows      map[string][]string
}

func aboutToMove(t testing.TB) *moving {
	t.Helper()
	f, s := inhabited(t)
	f.upload(s, f.bytes(3*attachment.ChunkBytes+9))
	f.log(s, []protocol.Event{{Type: protocol.MessageCreated, Conversation: f.convs[0].ID, First: 1}})
	m := &moving{dir: s.profile.path, file: filepath.Join(t.TempDir(), "profile.move")}
	if err := s.keepMAC(); err != nil {
		t.Fatal(err)
	}
	m.rows = contents(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return m
}

func held(t testing.TB, dir string) *Profile {
	t.Helper()
	p, err := Lock(dir, Self(""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (m *moving) departing(t testing.TB) *departing {
	t.Helper()
	p := held(t, m.dir)
	s, err := p.Open(Unlock{})
	if err != nil {
		t.Fatal(err)
	}
	return &departing{s: s, p: p, name: m.file, o: MoveOptions{Passphrase: secretWords, Argon: cheap()}}
}

// whole reports whether a file can be opened.
func whole(t testing.TB, name string) bool {
	t.Helper()
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = CheckArchive(f, secretWords)
	return err == nil
}

// opened says why a profile does not open, and, if it does, whether all is there.
func (m *moving) opened(t testing.TB, p *Profile) error {
	t.Helper()
	s, err := p.Open(Unlock{})
	if err != nil {
		return err
	}
	for name, rows := range contents(t, s) {
		if !slices.Equal(rows, m.rows[name]) {
			t.Errorf("table %s has %d rows, had %d", name, len(rows), len(m.rows[name]))
		}
	}
	return s.Close()
}

func (m *moving) in(p *Profile) error {
	return p.MoveIn(m.file, RestoreOptions{Archive: secretWords, Options: Options{Argon: cheap()}})
}

// TestMove moves a profile out and in: all rows come along, of both files and profiles one is
// left, and the old place says where it is not.
func TestMove(t *testing.T) {
	m := aboutToMove(t)
	d := m.departing(t)
	done, err := d.s.MoveOut(m.file, d.o)
	if err != nil || done.Contacts != 2 || done.Messages != 20 {
		t.Fatalf("moved out %+v, %v", done, err)
	}
	for name := range files(t, m.dir) {
		if kind := kindOf(name); kind != FileLock && kind != FileTag && kind != FileMoved {
			t.Errorf("%s is left", name)
		}
	}
	if _, err := d.p.Open(Unlock{}); !errors.Is(err, ErrMoved) {
		t.Errorf("open where it was: %v", err)
	}
	if _, err := d.p.Create(Options{}); !errors.Is(err, ErrMoved) {
		t.Errorf("a new one where it was: %v", err)
	}
	there := held(t, t.TempDir())
	if err := there.MoveIn(m.file, RestoreOptions{Archive: []byte("other words")}); !errors.Is(err, archive.ErrPassphrase) {
		t.Errorf("other words: %v", err)
	}
	if _, _, err := there.Restore(mustOpen(t, m.file), RestoreOptions{Archive: secretWords}); !errors.Is(err, ErrOtherArchive) {
		t.Errorf("restored: %v", err)
	}
	if err := m.in(there); err != nil {
		t.Fatal(err)
	}
	if err := m.opened(t, there); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(m.file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}

	// And back to where it was.
	s, err := there.Open(Unlock{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MoveOut(filepath.Join(there.path, "inside"), d.o); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("into itself: %v", err)
	}
	if s, err = there.Open(Unlock{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MoveOut(m.file, d.o); err != nil {
		t.Fatal(err)
	}
	if err := m.in(d.p); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.opened(t, d.p), d.p.Close(), there.Close()); err != nil {
		t.Error(err)
	}
}

func mustOpen(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestMoveOutKilled kills moving out behind each of its steps: one copy can be opened, or none
// and the same command goes on.
func TestMoveOutKilled(t *testing.T) {
	for n := 0; ; n += usually(1, 3) {
		m := aboutToMove(t)
		d := m.departing(t)
		steps := d.steps()
		if n > len(steps) {
			return
		}
		for _, step := range steps[:n] {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(d.s.Close(), d.p.Close()); err != nil { // what a kill does
			t.Fatal(err)
		}
		p := held(t, m.dir)
		err := m.opened(t, p)
		file := whole(t, m.file) || whole(t, partName(m.file))
		t.Logf("behind step %d: profile %v, file %v", n, err, file)
		switch {
		case err == nil && file:
			t.Errorf("behind step %d there are two", n)
		case err == nil:
		case errors.Is(err, ErrDeparting):
			if err := p.FinishMove(m.file + "x"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("with another file: %v", err)
			}
			if err := p.FinishMove(m.file); err != nil || !whole(t, m.file) {
				t.Errorf("behind step %d it does not go on: %v", n, err)
			}
			if err := m.opened(t, p); !errors.Is(err, ErrMoved) {
				t.Errorf("behind step %d it has not gone: %v", n, err)
			}
		case !errors.Is(err, ErrMoved) || !file:
			t.Errorf("behind step %d there is none: %v", n, err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMoveInKilled kills moving in behind each of its steps, in the same way.
func TestMoveInKilled(t *testing.T) {
	for n := 0; ; n += usually(1, 3) {
		m := aboutToMove(t)
		d := m.departing(t)
		if _, err := d.s.MoveOut(m.file, d.o); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		p := held(t, dir)
		f, err := os.OpenFile(m.file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		a := &arriving{p: p, file: f, o: RestoreOptions{Archive: secretWords, Options: Options{Argon: cheap()}}}
		steps := a.steps()
		if n > len(steps) {
			f.Close()
			return
		}
		for _, step := range steps[:n] {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if a.s != nil {
			a.s.Close()
		}
		if err := errors.Join(f.Close(), p.Close(), d.p.Close()); err != nil {
			t.Fatal(err)
		}
		p = held(t, dir)
		err = m.opened(t, p)
		file := whole(t, m.file)
		t.Logf("behind step %d: profile %v, file %v", n, err, file)
		if err == nil == file && !errors.Is(err, ErrArriving) {
			t.Errorf("behind step %d: profile %v, file %v", n, err, file)
		}
		if err != nil {
			if err := m.in(p); err != nil {
				t.Errorf("behind step %d it does not go on: %v", n, err)
			}
			if err := m.opened(t, p); err != nil || whole(t, m.file) {
				t.Errorf("behind step %d: %v", n, err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMoveThatFails leaves everything as it was: when the file cannot be written, and when
// it is there already.
func TestMoveThatFails(t *testing.T) {
	m := aboutToMove(t)
	if err := os.WriteFile(partName(m.file), []byte("of another move"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := m.departing(t)
	if _, err := d.s.MoveOut(m.file, d.o); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another file: %v", err)
	}
	if b, err := os.ReadFile(partName(m.file)); err != nil || string(b) != "of another move" {
		t.Errorf("the other file: %q, %v", b, err)
	}
	if err := m.opened(t, d.p); err != nil {
		t.Fatal(err)
	}
	s, err := d.p.Open(Unlock{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MoveOut(filepath.Join(m.dir, "..", "nowhere", "file"), d.o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no directory: %v", err)
	}
	if err := errors.Join(m.opened(t, d.p), d.p.Close()); err != nil {
		t.Error(err)
	}
}
