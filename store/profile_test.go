package store

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pabal/protocol"
)

// cheap is the least cost of a passphrase that a profile may have.
func cheap() Argon { return Argon{Time: 1, MemoryKiB: ArgonMemoryMin, Threads: 2} }

func TestHeaderLayout(t *testing.T) {
	if slotBytes != 122 || headerBytes != 1024 {
		t.Fatalf("slot %d, header %d bytes", slotBytes, headerBytes)
	}
	h := newHeader(cheap())
	want := newSlot()
	key := slotKey{1, 2, 3}
	h.seal(5, &key, want)
	parsed, err := parseHeader(h.bytes())
	if err != nil {
		t.Fatal(err)
	}
	index, got, err := parsed.open(&key)
	if err != nil || index != 5 || *got != *want {
		t.Fatalf("slot %d, %v", index, err)
	}
	if _, _, err := parsed.open(&slotKey{1, 2, 4}); err != ErrBadPassphrase {
		t.Errorf("wrong key: %v", err)
	}
	for i, b := range parsed.bytes() { // a changed salt only changes the passphrase's key
		if i < saltBytes || i >= saltBytes+parametersBytes+5*slotBytes && i < saltBytes+parametersBytes+6*slotBytes {
			continue
		}
		changed := parsed.bytes()
		changed[i] = b ^ 1
		h, err := parseHeader(changed)
		if i >= saltBytes+parametersBytes {
			if _, _, err := h.open(&key); err != nil {
				t.Fatalf("byte %d of another slot matters: %v", i, err)
			}
		} else if err == nil {
			if _, _, err := h.open(&key); err != ErrBadPassphrase {
				t.Fatalf("changed parameter byte %d: %v", i, err)
			}
		}
	}
}

// TestUnusedSlotsLookUsed checks what can be seen from outside: no two headers
// share a byte pattern, and no slot is all of one kind.
func TestUnusedSlotsLookUsed(t *testing.T) {
	h := newHeader(cheap())
	h.seal(2, &slotKey{1}, newSlot())
	for i := range h.slots {
		ones := 0
		for _, b := range h.slots[i] {
			for ; b != 0; b &= b - 1 {
				ones++
			}
		}
		if ones < 8*slotBytes*2/5 || ones > 8*slotBytes*3/5 {
			t.Errorf("slot %d has %d of %d bits set", i, ones, 8*slotBytes)
		}
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	good := newHeader(cheap()).bytes()
	if _, err := parseHeader(good); err != nil {
		t.Fatal(err)
	}
	change := func(i int, b byte) []byte {
		c := bytes.Clone(good)
		c[saltBytes+i] = b
		return c
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, ErrDamaged},
		{"short", good[:headerBytes-1], ErrDamaged},
		{"long", append(bytes.Clone(good), 0), ErrDamaged},
		{"newer", change(0, headerVersion+1), ErrNewer},
		{"version 0", change(0, 0), ErrDamaged},
		{"no threads", change(1, 0), ErrDamaged},
		{"1 GiB and more", change(11, 1), ErrDamaged},
		{"less than the floor", change(10, 0), ErrDamaged},
		{"no time", change(4, 0), ErrDamaged},
		{"too much time", change(7, 1), ErrDamaged},
	} {
		if _, err := parseHeader(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(newHeader(cheap()).bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err != nil {
			return
		}
		if !bytes.Equal(h.bytes(), b) {
			t.Fatal("decode and encode differ")
		}
	})
}

func TestPassphrase(t *testing.T) {
	dir := t.TempDir()
	s, err := Create(dir, Options{Passphrase: []byte("말도 안 되는 문장"), Argon: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, 1)
	f.commit(s, protocol.PutSelf{Name: "me"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Unlock{Passphrase: []byte("wrong")}); !errors.Is(err, ErrBadPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := Open(dir, Unlock{}); !errors.Is(err, ErrBadPassphrase) {
		t.Errorf("no passphrase: %v", err)
	}
	if _, err := Create(dir, Options{}); !errors.Is(err, ErrExists) {
		t.Errorf("create twice: %v", err)
	}
	s, err = Open(dir, Unlock{Passphrase: []byte("말도 안 되는 문장")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if self := view(t, s, (*View).Self); self.Name != "me" {
		t.Errorf("self is %q", self.Name)
	}
}

// TestLayout checks the names, the modes and that two directories look alike.
func TestLayout(t *testing.T) {
	s := create(t)
	dirs := 0
	err := fs.WalkDir(os.DirFS(s.profile.path), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
			if b, err := hex.DecodeString(d.Name()); err == nil && len(b) == directoryBytes {
				dirs++
				if _, err := os.Lstat(filepath.Join(s.profile.path, path, "db-1")); err != nil {
					return err
				}
			}
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if dirs != 2 {
		t.Errorf("%d directories, want 2", dirs)
	}
	for _, name := range []string{"header", "keyfile", "lock", "CACHEDIR.TAG"} {
		if _, err := os.Lstat(filepath.Join(s.profile.path, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestNothingIsReadable looks for plain text in all files: of SQLite, of the
// schema, of what is kept.
func TestNothingIsReadable(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	f.commit(s, protocol.PutSelf{Name: "plain name"}, f.message(0, protocol.In, "plain text"))
	for name, b := range files(t, s.profile.path) {
		for _, word := range []string{"plain name", "plain text", "SQLite format", "CREATE TABLE", "message"} {
			if bytes.Contains(b, []byte(word)) {
				t.Errorf("%s holds %q", name, word)
			}
		}
	}
}

// files reads all files below dir.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[path], err = os.ReadFile(filepath.Join(dir, path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOpenErasesOtherDatabases(t *testing.T) {
	s := create(t)
	dir := s.profile.path
	own := s.slot.directoryName()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(dir, own, "db-7-wal")
	if err := os.WriteFile(stray, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	var decoy string
	for name := range files(t, dir) {
		if strings.HasSuffix(name, "/db-1") && !strings.HasPrefix(name, own) {
			decoy = filepath.Join(dir, name)
		}
	}
	s, err := Open(dir, Unlock{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := os.Lstat(stray); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the other database is still there: %v", err)
	}
	if _, err := os.Lstat(decoy); err != nil {
		t.Errorf("the other directory was touched: %v", err)
	}
}

func TestDamage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, dir, db string)
		want   error
	}{
		{"no header", func(t *testing.T, dir, _ string) { mustRemove(t, filepath.Join(dir, "header")) }, ErrNoProfile},
		{"cut header", func(t *testing.T, dir, _ string) { mustTruncate(t, filepath.Join(dir, "header"), 1000) }, ErrDamaged},
		{"cut keyfile", func(t *testing.T, dir, _ string) { mustTruncate(t, filepath.Join(dir, "keyfile"), 31) }, ErrDamaged},
		{"other keyfile", func(t *testing.T, dir, _ string) { mustFlip(t, filepath.Join(dir, "keyfile"), 3) }, ErrBadPassphrase},
		{"no keyfile", func(t *testing.T, dir, _ string) { mustRemove(t, filepath.Join(dir, "keyfile")) }, ErrBadPassphrase},
		{"first page", func(t *testing.T, _, db string) { mustFlip(t, db, 30) }, ErrDamaged},
		{"cut database", func(t *testing.T, _, db string) { mustTruncate(t, db, 3*pageBytes) }, ErrDamaged},
		{"empty database", func(t *testing.T, _, db string) { mustTruncate(t, db, 0) }, ErrDamaged},
		{"no directory", func(t *testing.T, _, db string) {
			if err := os.RemoveAll(filepath.Dir(db)); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := create(t)
			dir, db := s.profile.path, s.profile.databasePath(s.slot)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			tt.damage(t, dir, db)
			if s, err := Open(dir, Unlock{}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
				if err == nil {
					s.Close()
				}
			}
		})
	}
}

func mustRemove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func mustTruncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func mustFlip(t *testing.T, path string, i int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[i] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	s := create(t)
	if err := s.write.c.db.Exec("PRAGMA user_version=99"); err != nil {
		t.Fatal(err)
	}
	dir := s.profile.path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Unlock{}); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
}

// holdEnv makes the test binary hold the profile that it names: see TestMain.
const holdEnv = "PABAL_STORE_HOLD"

func hold(dir string) {
	s, err := Open(dir, Unlock{})
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("held\n")
	bufio.NewReader(os.Stdin).ReadString('\n')
	s.Close()
}

func TestTwoProcesses(t *testing.T) {
	s := create(t)
	dir := s.profile.path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), holdEnv+"="+dir)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer stdin.Close()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	before := time.Now()
	_, err = Open(dir, Unlock{})
	var locked *LockedError
	if !errors.As(err, &locked) || !errors.Is(err, ErrLocked) {
		t.Fatalf("second process: %v", err)
	}
	if locked.Holder.PID != child.Process.Pid || locked.Holder.Start.IsZero() {
		t.Errorf("holder %+v, want process %d", locked.Holder, child.Process.Pid)
	}
	if waited := time.Since(before); waited > 5*time.Second {
		t.Errorf("waited %v", waited)
	}
	child.Process.Kill() // the lock must not outlive the process
	child.Wait()
	s, err = Open(dir, Unlock{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestLockWhileClosed checks that a profile stays held while its keys are gone.
func TestLockWhileClosed(t *testing.T) {
	dir := t.TempDir()
	p, err := Lock(dir, Self("/run/api.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := p.Create(Options{})
	if err != nil {
		t.Fatal(err)
	}
	slot := s.slot
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if slot.key != [keyBytes]byte{} || s.mac.key != [keyBytes]byte{} {
		t.Error("keys are still there")
	}
	if err := s.View(func(*View) error { return nil }); err != ErrClosed {
		t.Errorf("view of a closed store: %v", err)
	}
	if _, err := s.Commit(Batch{}); err != ErrClosed {
		t.Errorf("commit to a closed store: %v", err)
	}
	var locked *LockedError
	if _, err := Lock(dir, Self("")); !errors.As(err, &locked) || locked.Holder.Socket != "/run/api.sock" {
		t.Fatalf("second lock: %v", err)
	}
	if s, err = p.Open(Unlock{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
