package store

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/protocol"
)

var (
	trueWords   = []byte("four words of mine")
	duressWords = []byte("four other words")
)

// guarded makes a profile with a passphrase, and a letter in it.
func guarded(t *testing.T) (*fixture, *Profile, *Store) {
	t.Helper()
	p, err := Lock(t.TempDir(), Self(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	s, err := p.Create(Options{Passphrase: trueWords, Argon: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, 1)
	f.commit(s, f.message(0, protocol.In, "the true one"), f.convs[0])
	return f, p, s
}

// openBy closes what is open and opens the profile with a passphrase.
func openBy(t *testing.T, p *Profile, s *Store, passphrase []byte) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := p.Open(Unlock{Passphrase: passphrase})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// decoyBatch is what the decoy of these tests holds first.
func decoyBatch(t *testing.T) (*fixture, Batch) {
	f := newFixture(t, 1)
	return f, Batch{Now: f.tick(), Writes: []protocol.Write{f.message(0, protocol.In, "a harmless one"), f.convs[0]}}
}

func TestEachPassphraseOpensItsOwn(t *testing.T) {
	f, p, s := guarded(t)
	d, first := decoyBatch(t)
	if err := s.SetDecoy(duressWords, first); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(Unlock{Passphrase: duressWords}); !errors.Is(err, ErrBadPassphrase) || !OpensElsewhere(err) {
		t.Errorf("the duress passphrase for the true profile: %v", err)
	}
	if err := s.Verify(Unlock{Passphrase: []byte("neither of them")}); !errors.Is(err, ErrBadPassphrase) || OpensElsewhere(err) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if err := s.ChangePassphrase(duressWords); !errors.Is(err, ErrPassphraseTaken) {
		t.Errorf("one passphrase for both: %v", err)
	}
	s = openBy(t, p, s, duressWords)
	if got := texts(t, s, d); len(got) != 1 || !strings.Contains(got[0], "a harmless one") {
		t.Errorf("the decoy shows %q", got)
	}
	if err := errors.Join(s.Rotate(t.Context(), time.Now()), s.ChangePassphrase([]byte("the third of them"))); err != nil {
		t.Errorf("the decoy cannot do what a profile can: %v", err)
	}
	s = openBy(t, p, s, trueWords)
	if got := texts(t, s, f); len(got) != 1 || !strings.Contains(got[0], "the true one") {
		t.Errorf("the true profile shows %q", got)
	}
	if err := s.Rotate(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	s = openBy(t, p, s, []byte("the third of them"))
	if got := texts(t, s, d); len(got) != 1 {
		t.Errorf("after a rotation of the true profile the decoy shows %q", got)
	}
}

// shape lists the files of a profile, each with the size that its first run gave it, in no order
// that tells which directory is whose.
func shape(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files(t, dir))) {
		if name == reserveName || name == lockName {
			continue // of the whole profile
		}
		if directory, rest, ok := strings.Cut(name, "/"); ok && isDirectoryName(directory) {
			name = rest
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// TestADecoyShowsInNoName sets a decoy and clears it: the same files lie there as before the
// first time, the header is as long, and only who has the passphrase can tell.
func TestADecoyShowsInNoName(t *testing.T) {
	_, p, s := guarded(t)
	before := shape(t, p.path)
	size := otherSize(t, s)
	_, first := decoyBatch(t)
	if err := s.SetDecoy(duressWords, first); err != nil {
		t.Fatal(err)
	}
	if got := shape(t, p.path); !slices.Equal(got, before) {
		t.Errorf("with a decoy: %v, before: %v", got, before)
	}
	if err := s.SetDecoy([]byte("a newer passphrase"), first); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(Unlock{Passphrase: duressWords}); !errors.Is(err, ErrBadPassphrase) {
		t.Errorf("the passphrase of the decoy before: %v", err)
	}
	if err := s.ClearDecoy(); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(Unlock{Passphrase: []byte("a newer passphrase")}); !errors.Is(err, ErrBadPassphrase) {
		t.Errorf("a passphrase that was cleared: %v", err)
	}
	if got := shape(t, p.path); !slices.Equal(got, before) || otherSize(t, s) != size {
		t.Errorf("cleared: %v of %d bytes, before: %v of %d", got, otherSize(t, s), before, size)
	}
	if header := files(t, p.path)[headerName]; len(header) != headerBytes || bytes.Contains(header, make([]byte, 8)) {
		t.Errorf("the header is %d bytes, or has a hole", len(header))
	}
	if err := s.SetDecoy(trueWords, first); !errors.Is(err, ErrPassphraseTaken) {
		t.Errorf("its own passphrase for the decoy: %v", err)
	}
}

// otherSize is the size of the database in the directory that is not the store's.
func otherSize(t *testing.T, s *Store) int64 {
	t.Helper()
	for name, b := range files(t, s.profile.path) {
		if directory, rest, _ := strings.Cut(name, "/"); rest == "db-1" && directory != s.slot.directoryName() {
			return int64(len(b))
		}
	}
	t.Fatal("there is no second database")
	return 0
}

// TestADecoyCutShort has the second directory half emptied, as a crash leaves it, or gone: the
// profile opens, and a decoy can be set.
func TestADecoyCutShort(t *testing.T) {
	f, p, s := guarded(t)
	_, first := decoyBatch(t)
	for _, left := range []string{"db-1", ""} {
		for name := range files(t, p.path) {
			directory, rest, ok := strings.Cut(name, "/")
			if ok && directory != s.slot.directoryName() && strings.HasPrefix(rest, left) {
				if err := os.RemoveAll(filepath.Join(p.path, directory, left)); err != nil {
					t.Fatal(err)
				}
			}
		}
		s = openBy(t, p, s, trueWords)
		if err := s.SetDecoy(duressWords, first); err != nil {
			t.Errorf("without %q: %v", left, err)
		}
		s = openBy(t, p, s, duressWords)
		s = openBy(t, p, s, trueWords)
		if got := texts(t, s, f); len(got) != 1 {
			t.Errorf("the true profile shows %q", got)
		}
	}
}

// TestWhatIsClearedInTheDecoyIsGone: each treats the other alike.
func TestWhatIsClearedInTheDecoyIsGone(t *testing.T) {
	_, p, s := guarded(t)
	_, first := decoyBatch(t)
	if err := s.SetDecoy(duressWords, first); err != nil {
		t.Fatal(err)
	}
	s = openBy(t, p, s, duressWords)
	if err := s.ClearDecoy(); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(Unlock{Passphrase: trueWords}); !errors.Is(err, ErrBadPassphrase) {
		t.Errorf("the other passphrase still opens something: %v", err)
	}
}

// TestRemoveLeavesWhatIsNotOurs: all of a profile goes, its directory only if nothing else is in it.
func TestRemoveLeavesWhatIsNotOurs(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "p")
		s, err := Create(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if foreign {
			if err := os.WriteFile(filepath.Join(dir, "note"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if !Remains(dir) {
			t.Error("a profile is not seen")
		}
		p, err := Lock(dir, Self(""))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Remove(); err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(dir)
		if foreign && (len(left) != 1 || left[0].Name() != "note") || !foreign && !errors.Is(err, os.ErrNotExist) || Remains(dir) {
			t.Errorf("with something foreign %v: %v, %v", foreign, left, err)
		}
	}
}
