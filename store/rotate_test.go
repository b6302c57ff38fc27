package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pabal/protocol"
)

func TestChangePassphrase(t *testing.T) {
	dir := t.TempDir()
	p, err := Lock(dir, Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := p.Create(Options{Argon: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, 1)
	f.commit(s, protocol.PutSelf{Name: "me"})
	foreign := foreignSlots(t, s)
	secrets := [][]byte{nil, []byte("one"), []byte("two"), nil}
	for i, secret := range secrets[1:] {
		if err := s.ChangePassphrase(secret); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, u := range secrets {
			want := ErrBadPassphrase
			if bytes.Equal(u, secret) && (u == nil) == (secret == nil) {
				want = nil
			}
			if err := p.Verify(Unlock{u}); !errors.Is(err, want) {
				t.Errorf("change %d: %q: %v, want %v", i, u, err, want)
			}
		}
		if _, keyfile, err := p.Exists(); keyfile != (secret == nil) || err != nil {
			t.Errorf("change %d: keyfile %v, %v", i, keyfile, err)
		}
		if s, err = p.Open(Unlock{secret}); err != nil {
			t.Fatal(err)
		}
	}
	if got := foreignSlots(t, s); !slices.Equal(got, foreign) {
		t.Error("slots that are not ours were changed")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// foreignSlots returns the bytes of the slots that do not open this database.
func foreignSlots(t *testing.T, s *Store) (all [][slotBytes]byte) {
	t.Helper()
	h, err := readHeader(s.profile.root)
	if err != nil {
		t.Fatal(err)
	}
	s.write.Lock()
	defer s.write.Unlock()
	own, _, err := s.ownSlot(h)
	if err != nil {
		t.Fatal(err)
	}
	for i, slot := range h.slots {
		if i != own {
			all = append(all, slot)
		}
	}
	return all
}

// TestStaleKeyfile is a change to a passphrase that was cut short.
func TestStaleKeyfile(t *testing.T) {
	dir := t.TempDir()
	s, err := Create(dir, Options{Passphrase: []byte("p"), Argon: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, keyfileName)
	if err := os.WriteFile(path, make([]byte, keyBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Unlock{Passphrase: []byte("p")}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the keyfile is still there: %v", err)
	}
}

// TestKeyfileBeforeItsHeader is a change to a keyfile that was cut short: the
// passphrase still opens the profile, and the keyfile is not taken for one.
func TestKeyfileBeforeItsHeader(t *testing.T) {
	p, err := Lock(t.TempDir(), Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := p.Create(Options{Passphrase: []byte("p"), Argon: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := newKeyfile(p.root); err != nil {
		t.Fatal(err)
	}
	if exists, keyfile, err := p.Exists(); !exists || keyfile || err != nil {
		t.Errorf("exists %v, keyfile %v, %v", exists, keyfile, err)
	}
	if s, err = p.Open(Unlock{Passphrase: []byte("p")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRotateWhileClosing has Close take the reader away while a rotation copies.
func TestRotateWhileClosing(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	f.commit(s, f.batch(64).Writes...)
	r := &rotation{s: s, old: s.slot, slot: newSlot()}
	r.slot.directory, r.slot.epoch = s.slot.directory, s.slot.epoch+1
	if err := r.begin(3); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	s.write.Lock()
	go func() { closed <- s.Close() }()
	for s.reader.open() {
	}
	err := r.reopen()
	s.write.Unlock()
	if !errors.Is(err, ErrClosed) {
		t.Errorf("reopen: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// open reports whether the reader has a connection.
func (r *reader) open() bool {
	r.Lock()
	defer r.Unlock()
	return r.c != nil
}

func TestRotate(t *testing.T) {
	s := create(t)
	f := newFixture(t, 3)
	f.commit(s, f.batch(300).Writes...)
	indexAll(t, s)
	before, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	oldKey, print, foreign := s.slot.pagesKey(), s.Fingerprint(), foreignSlots(t, s)
	oldPath := s.profile.databasePath(s.slot)
	for range 2 {
		if err := s.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Equal(s.slot.pagesKey(), oldKey) {
		t.Error("the key is the old one")
	}
	if !slices.Equal(foreignSlots(t, s), foreign) {
		t.Error("slots that are not ours were changed")
	}
	if _, err := os.Lstat(oldPath); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old database is still there: %v", err)
	}
	for range 2 {
		if s.Fingerprint() != print {
			t.Error("a repeated request would not be known any more")
		}
		after, err := s.Load()
		if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
			t.Fatalf("rows differ after rotation, %v", err)
		}
		checkIntegrity(t, s)
		s = reopen(t, s)
	}
	f.commit(s, f.batch(64).Writes...)
	mode, err := s.write.c.number("SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'")
	if mode != 1 || err != nil {
		t.Errorf("no log after rotation: %v", err)
	}
}

// begin takes the first n steps.
func (r *rotation) begin(n int) error {
	r.s.write.Lock()
	defer r.s.write.Unlock()
	for _, step := range r.steps()[:n] {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// TestRotateKilled ends a rotation after each of its steps: the profile opens,
// with all rows and one database.
func TestRotateKilled(t *testing.T) {
	for done := range 5 {
		s := create(t)
		f := newFixture(t, 2)
		f.commit(s, f.batch(64).Writes...)
		r := &rotation{s: s, old: s.slot, slot: newSlot()}
		r.slot.directory, r.slot.epoch = s.slot.directory, s.slot.epoch+1
		if err := r.begin(done); err != nil {
			t.Fatal(err)
		}
		want := "db-1"
		if done >= 3 {
			want = "db-2"
		}
		s = reopen(t, s)
		if got := filepath.Base(s.slot.databaseName()); got != want {
			t.Errorf("after %d steps: %s, want %s", done, got, want)
		}
		n := 0
		for name := range files(t, s.profile.path) {
			if strings.HasPrefix(name, s.slot.directoryName()) && !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("after %d steps: %d databases", done, n)
		}
		if got := view(t, s, (*View).Totals); got.Waiting != 64 {
			t.Errorf("after %d steps: %d messages", done, got.Waiting)
		}
		checkIntegrity(t, s)
	}
}

func TestWipe(t *testing.T) {
	dir := t.TempDir()
	p, err := Lock(dir, Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := p.Create(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // wiping nothing is no error: it may have been cut short
		if err := p.Wipe(); err != nil {
			t.Fatal(err)
		}
	}
	for name := range files(t, dir) {
		if name != lockName && name != cacheTagName {
			t.Errorf("%s is left", name)
		}
	}
	if _, err := p.Open(Unlock{}); err != ErrNoProfile {
		t.Errorf("open: %v", err)
	}
	if s, err = p.Create(Options{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestShredOverwrites keeps a second name of the file to see what is left of it.
func TestShredOverwrites(t *testing.T) {
	s := create(t)
	kept := filepath.Join(t.TempDir(), "kept")
	path := filepath.Join(s.profile.path, headerName)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, kept); err != nil {
		t.Fatal(err)
	}
	if err := s.ChangePassphrase(nil); err != nil { // replaces the header
		t.Fatal(err)
	}
	after, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for i := range before {
		if before[i] == after[i] {
			same++
		}
	}
	if len(after) != headerBytes || same > headerBytes/10 {
		t.Errorf("%d of %d bytes of the old header are left", same, len(after))
	}
}
