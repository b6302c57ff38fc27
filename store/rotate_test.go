package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
		if s.Keyfile() != (secret == nil) {
			t.Errorf("change %d: the store says of a keyfile: %v", i, s.Keyfile())
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
		if s.Keyfile() != (secret == nil) {
			t.Errorf("change %d: the open store says of a keyfile: %v", i, s.Keyfile())
		}
	}
	if got := foreignSlots(t, s); !slices.Equal(got, foreign) {
		t.Error("slots that are not ours were changed")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestChangePassphraseCutShort has the header not be written, and be written without that being
// known; the passphrase can be changed, and the database rotated, all the same.
func TestChangePassphraseCutShort(t *testing.T) {
	p, err := Lock(t.TempDir(), Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := p.Create(Options{Passphrase: []byte("old one"), Argon: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := p.root.Mkdir(headerTempName, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.ChangePassphrase([]byte("not to be")); err == nil {
		t.Fatal("changed without a header")
	}
	if err := p.Verify(Unlock{[]byte("old one")}); err != nil {
		t.Errorf("the old passphrase: %v", err)
	}
	if err := p.root.Remove(headerTempName); err != nil {
		t.Fatal(err)
	}

	h, err := readHeader(p.root)
	if err != nil {
		t.Fatal(err)
	}
	s.write.Lock()
	index, _, err := s.ownSlot(h)
	key := h.passphraseKey([]byte("in between"))
	err = errors.Join(err, s.write.keepNextKey(index, &key))
	h.seal(index, &key, s.slot)
	err = errors.Join(err, writeHeader(p.root, h))
	s.write.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(t.Context(), time.Now()); err != nil {
		t.Errorf("rotate: %v", err)
	}
	if err := s.ChangePassphrase([]byte("new one")); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]error{"old one": ErrBadPassphrase, "not to be": ErrBadPassphrase, "in between": ErrBadPassphrase, "new one": nil} {
		if err := p.Verify(Unlock{[]byte(secret)}); !errors.Is(err, want) {
			t.Errorf("%s: %v", secret, err)
		}
	}
	s.write.Lock()
	defer s.write.Unlock()
	if n, err := s.write.c.number(`SELECT count(*) FROM keks WHERE slot >= 0`); n != 1 || err != nil {
		t.Errorf("%d keys are kept, %v", n, err)
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
// TestVerifyTellsDatabasesApart has the header open two databases: what opens the one does
// not pass for the other.
func TestVerifyTellsDatabasesApart(t *testing.T) {
	p, err := Lock(t.TempDir(), Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := p.Create(Options{Passphrase: []byte("ours"), Argon: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h, err := readHeader(p.root)
	if err != nil {
		t.Fatal(err)
	}
	own, _, err := s.ownSlot(h)
	if err != nil {
		t.Fatal(err)
	}
	key := h.passphraseKey([]byte("another"))
	h.seal((own+1)%slots, &key, newSlot())
	if err := writeHeader(p.root, h); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string][2]error{
		"ours": {nil, nil}, "another": {nil, errElsewhere}, "none": {ErrBadPassphrase, ErrBadPassphrase},
	} {
		u := Unlock{[]byte(secret)}
		if got := [2]error{p.Verify(u), s.Verify(u)}; got != want {
			t.Errorf("%q: %v, want %v", secret, got, want)
		}
	}
}

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
	r := newRotation(t.Context(), s, time.Now())
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
		if err := s.Rotate(t.Context(), time.Now()); err != nil {
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

func TestRotationDue(t *testing.T) {
	s := create(t)
	day := func(n int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }
	for _, c := range []struct {
		day    int
		rotate bool
		want   bool
	}{
		{day: 10}, {day: 39}, {day: 40, want: true}, {day: 40, want: true, rotate: true}, {day: 69}, {day: 70, want: true},
		{day: 5}, {day: 34}, {day: 35, want: true}, // the clock was wrong
	} {
		if due, err := s.RotationDue(day(c.day)); due != c.want || err != nil {
			t.Errorf("day %d: %v, %v", c.day, due, err)
		}
		s = reopen(t, s)
		if c.rotate {
			if err := s.Rotate(t.Context(), day(c.day)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRotateBrokenOff(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	f.commit(s, f.batch(64).Writes...)
	before := s.slot.databaseName()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Rotate(ctx, time.Now()); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("a rotation nobody wants any more: %v", err)
	}
	if after := s.slot.databaseName(); after != before {
		t.Errorf("the database is %s, was %s", after, before)
	}
	f.commit(s, f.batch(64).Writes...)
	if err := s.Rotate(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	checkIntegrity(t, s)
}

// TestRotateBesideFiles has chunks written and read while the key changes.
func TestRotateBesideFiles(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	f.commit(s, f.batch(8).Writes...)
	done := make(chan error, 1)
	go func() { done <- errors.Join(s.Rotate(t.Context(), time.Now()), s.Rotate(t.Context(), time.Now())) }()
	content := bytes.Repeat([]byte("rotation "), 1000)
	for i := 0; ; i++ {
		id, _ := f.upload(s, content)
		if got, err := f.read(s, id); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("file %d is another one, %v", i, err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
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
		r := newRotation(t.Context(), s, time.Now())
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

// TestRotateFails has a rotation fail in every place around the header's rename: whatever is
// committed afterwards is there at the next start and behind the next rotation, or the store
// takes nothing any more.
func TestRotateFails(t *testing.T) {
	broken := errors.New("broken disk")
	for name, c := range map[string]struct {
		write  func(t *testing.T, r *rotation, root *os.Root, h *header) error
		epoch  uint64 // of the database in use afterwards
		closed bool
	}{
		"before the rename": {epoch: 1, write: func(*testing.T, *rotation, *os.Root, *header) error { return broken }},
		"behind the rename": {epoch: 2, write: func(_ *testing.T, _ *rotation, root *os.Root, h *header) error {
			return errors.Join(writeHeader(root, h), broken)
		}},
		"nobody knows where": {epoch: 2, closed: true, write: func(_ *testing.T, _ *rotation, root *os.Root, h *header) error {
			return errors.Join(writeHeader(root, h), root.Rename(headerName, "hidden"), broken)
		}},
		"the new database does not open": {epoch: 2, closed: true, write: func(_ *testing.T, r *rotation, root *os.Root, h *header) error {
			return errors.Join(writeHeader(root, h), root.Rename(r.slot.databaseName(), "hidden db"))
		}},
		"the old database cannot be erased": {epoch: 2, write: func(_ *testing.T, r *rotation, root *os.Root, h *header) error {
			return errors.Join(writeHeader(root, h), root.MkdirAll(r.slot.directoryName()+"/db-0/full", 0o700))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := create(t)
			f := newFixture(t, 1)
			f.commit(s, f.batch(64).Writes...)
			root := s.profile.root
			r := newRotation(t.Context(), s, time.Now())
			r.writeHeader = func(root *os.Root, h *header) error { return c.write(t, r, root, h) }
			s.write.Lock()
			err := r.run()
			s.write.Unlock()
			if err == nil {
				t.Error("the rotation did not fail")
			}
			want := uint64(64)
			if c.closed {
				if _, err := s.Commit(f.batch(64)); !errors.Is(err, ErrClosed) {
					t.Errorf("commit: %v", err)
				}
				root.Rename("hidden", headerName)
				root.Rename("hidden db", r.slot.databaseName())
			} else {
				f.commit(s, f.batch(64).Writes...)
				want += 64
			}
			root.RemoveAll(r.slot.directoryName() + "/db-0")
			if s = reopen(t, s); s.slot.epoch != c.epoch {
				t.Errorf("database %d is in use, want %d", s.slot.epoch, c.epoch)
			}
			if err := s.Rotate(t.Context(), time.Now()); err != nil {
				t.Error(err)
			}
			s = reopen(t, s)
			if got := view(t, s, (*View).Totals); got.Waiting != want {
				t.Errorf("%d messages, want %d", got.Waiting, want)
			}
			checkIntegrity(t, s)
		})
	}
}

// TestRotationNotesItself: the new database says how old its key is, whatever fails behind it.
func TestRotationNotesItself(t *testing.T) {
	s := create(t)
	old, now := time.Now().Add(-2*RotationAge), time.Now()
	if _, err := s.RotationDue(old); err != nil {
		t.Fatal(err)
	}
	r := newRotation(t.Context(), s, now)
	if err := r.begin(3); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	if due, err := s.RotationDue(now.Add(time.Hour)); due || err != nil {
		t.Errorf("a rotation is due an hour after the last one: %v", err)
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

// TestWipeGoesOn kills a wipe behind its first step, the keys: nothing opens the profile any
// more, and whoever locks it next removes the rest.
func TestWipeGoesOn(t *testing.T) {
	f, s := inhabited(t)
	dir := s.profile.path
	kept := filepath.Join(t.TempDir(), "kept") // the old blocks of the keyfile, as a disk may keep them
	if err := os.Link(filepath.Join(dir, keyfileName), kept); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.profile.DestroyKeys(); err != nil { // while it is open
		t.Fatal(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("destroying the keys took %v", took)
	}
	if after, err := os.ReadFile(kept); err != nil || bytes.Equal(after, key) {
		t.Errorf("the key is still there, %v", err)
	}
	f.commit(s, f.message(0, protocol.Out, "too late"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := Lock(dir, Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for name := range files(t, dir) {
		if name != lockName && name != cacheTagName {
			t.Errorf("%s is left", name)
		}
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
