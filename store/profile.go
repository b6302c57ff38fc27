package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3/vfs"
)

const (
	cacheTagName = "CACHEDIR.TAG"
	cacheTag     = "Signature: 8a477f597d28d172789f06886806bc55\n" +
		"# Backup programs should leave this directory out: a copy of it keeps what is deleted here.\n"
	filesName = "att"
)

// Profile is the directory of one profile, held by this process. All that is
// in it is reached through an os.Root:
//
//	header  keyfile?  lock  reserve  CACHEDIR.TAG  <dir>/db-<epoch>[-wal -shm]  <dir>/att/
//	while something is under way: wipe  move-out  move-in; when it has moved away: moved
//
// There are two directories from the first run on: which one a passphrase
// opens, only the header's slot tells.
type Profile struct {
	root *os.Root
	path string
	lock *os.File

	base vfs.VFS // under the sealing layer; tests put a failing disk here
	weak weakness
}

// Options says how a new profile is sealed.
type Options struct {
	// Passphrase seals the profile. Nil makes a keyfile instead, beside the
	// database: whoever has the disk then reads everything.
	Passphrase []byte
	// Argon is the cost of guessing the passphrase; zero is the default.
	Argon Argon
	// First is what the profile holds from its first moment on: one that was cut short
	// on the way there is none. It is committed as [Store.Commit] does, unless it is empty.
	First Batch
}

// Unlock says what opens a profile. The zero value is the keyfile.
type Unlock struct {
	// Passphrase opens a profile that was made with one. Nil means the keyfile.
	Passphrase []byte
}

// Lock takes the profile in dir for this process, making the directory if it
// is not there. A profile that another process holds is a *LockedError at once.
// The caller must Close the Profile after its Store.
func Lock(dir string, holder Holder) (*Profile, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("profile directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make profile directory: %w", err)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return nil, fmt.Errorf("protect profile directory: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open profile directory: %w", err)
	}
	lock, err := acquire(root, holder)
	if err != nil {
		root.Close()
		return nil, err
	}
	p := &Profile{root: root, path: path, lock: lock, base: vfs.Find("os")}
	if err := errors.Join(p.finishWipe(), p.finishDeparture(), p.writeCacheTag()); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close gives the profile back. Its Store must be closed before.
func (p *Profile) Close() error { return errors.Join(release(p.lock), p.root.Close()) }

// Exists reports whether the profile was created, and whether a keyfile lies
// beside it, so that it opens without a passphrase. A keyfile that opens nothing
// is none: a change of the passphrase was cut short. A profile that is moving, or has
// moved, is [ErrDeparting], [ErrArriving] or [ErrMoved].
func (p *Profile) Exists() (exists, keyfile bool, err error) {
	if err := p.unsettled(); err != nil {
		return false, false, err
	}
	h, err := readHeader(p.root)
	switch {
	case errors.Is(err, ErrNoProfile):
		return false, false, nil
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrNewer): // Open tells
		_, err = p.root.Lstat(keyfileName)
		if errors.Is(err, fs.ErrNotExist) {
			return true, false, nil
		}
		return true, err == nil, err
	case err != nil:
		return false, false, err
	}
	key, err := readKeyfile(p.root)
	switch {
	case errors.Is(err, ErrBadPassphrase): // there is none
		return true, false, nil
	case errors.Is(err, ErrDamaged): // Open tells
		return true, true, nil
	case err != nil:
		return true, false, err
	}
	defer clear(key[:])
	_, s, err := h.open(&key)
	if err != nil {
		return true, false, nil
	}
	clear(s.key[:])
	return true, true, nil
}

// Create makes a new profile, with what it holds first, and opens it. The header is
// written last: before it there is no profile, and the next Create begins anew.
func (p *Profile) Create(o Options) (*Store, error) {
	exists, _, err := p.Exists()
	if err != nil {
		return nil, err
	}
	if exists {
		return nil, ErrExists
	}
	o.Argon = o.Argon.withDefaults()
	if !o.Argon.valid() {
		return nil, errors.New("store: cost of the passphrase outside the limits")
	}
	if err := p.eraseDirectories(); err != nil {
		return nil, err
	}
	ours, decoy := newSlot(), newSlot()
	for _, s := range []*slot{decoy, ours} {
		if err := p.createDatabase(s); err != nil {
			return nil, err
		}
	}
	clear(decoy.key[:])
	s, h, err := p.sealSlot(o, ours)
	if err != nil {
		return nil, err
	}
	if err := s.begin(o.First, h); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// sealSlot opens the new database of a slot, and makes the header that names it.
func (p *Profile) sealSlot(o Options, sl *slot) (*Store, *header, error) {
	h := newHeader(o.Argon)
	key, err := p.newSlotKey(h, o.Passphrase)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key[:])
	var at [1]byte
	rand.Read(at[:])
	index := int(at[0] % slots)
	h.seal(index, &key, sl)
	s, err := p.openSlot(index, &key, sl)
	if err != nil {
		return nil, nil, err
	}
	s.bare.Store(o.Passphrase == nil)
	return s, h, nil
}

// begin commits what a new profile holds first, and only then writes the header.
func (s *Store) begin(first Batch, h *header) error {
	if len(first.Writes)+len(first.Rows)+len(first.Events) > 0 {
		if _, err := s.Commit(first); err != nil {
			return err
		}
	}
	if err := syncDirectory(s.profile.root, s.dir); err != nil { // the log's name
		return err
	}
	return writeHeader(s.profile.root, h)
}

// Open opens the profile with a passphrase or its keyfile. It returns
// ErrNoProfile, ErrBadPassphrase, ErrNewer, ErrDamaged, or what [Profile.Exists] returns.
func (p *Profile) Open(u Unlock) (*Store, error) {
	if err := p.unsettled(); err != nil {
		return nil, err
	}
	h, err := readHeader(p.root)
	if err != nil {
		return nil, err
	}
	key, err := p.unlockKey(h, u)
	if err != nil {
		return nil, err
	}
	defer clear(key[:])
	index, sl, err := h.open(&key)
	if err != nil {
		return nil, err
	}
	if u.Passphrase != nil {
		if err := p.dropStaleKeyfile(h); err != nil {
			return nil, err
		}
	}
	s, err := p.openSlot(index, &key, sl)
	if err != nil {
		return nil, err
	}
	s.bare.Store(u.Passphrase == nil)
	return s, nil
}

// dropStaleKeyfile removes a keyfile that opens nothing: a change to a
// passphrase was cut short.
func (p *Profile) dropStaleKeyfile(h *header) error {
	key, err := readKeyfile(p.root)
	switch {
	case errors.Is(err, ErrBadPassphrase): // there is none
		return nil
	case err == nil:
		defer clear(key[:])
		if _, s, err := h.open(&key); err == nil { // of another slot
			clear(s.key[:])
			return nil
		}
	case !errors.Is(err, ErrDamaged): // it may be good, and is not ours to judge
		return err
	}
	return p.shred(keyfileName)
}

func (p *Profile) unlockKey(h *header, u Unlock) (slotKey, error) {
	if u.Passphrase != nil {
		return h.passphraseKey(u.Passphrase), nil
	}
	return readKeyfile(p.root)
}

func (p *Profile) newSlotKey(h *header, passphrase []byte) (slotKey, error) {
	if passphrase == nil {
		return newKeyfile(p.root)
	}
	if err := p.root.Remove(keyfileName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return slotKey{}, fmt.Errorf("remove stale keyfile: %w", err)
	}
	return h.passphraseKey(passphrase), nil
}

func newSlot() *slot {
	s := &slot{epoch: 1}
	rand.Read(s.key[:])
	rand.Read(s.directory[:])
	return s
}

// createDatabase makes the directory and the empty database of a slot.
func (p *Profile) createDatabase(s *slot) error {
	if err := p.root.MkdirAll(s.directoryName()+"/"+filesName, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	seal := p.registerSeal(s.pagesKey())
	defer seal.unregister()
	c, err := openConn(p.databasePath(s), seal.name, connCreate, writerCacheKiB)
	if err != nil {
		return dbError("create database", err)
	}
	if err := migrate(c); err != nil {
		return c.closeAfter(err)
	}
	if err := c.close(); err != nil {
		return dbError("close new database", err)
	}
	return syncDirectory(p.root, s.directoryName())
}

// databasePath is the absolute path that SQLite gets.
func (p *Profile) databasePath(s *slot) string {
	return filepath.Join(p.path, filepath.FromSlash(s.databaseName()))
}

// eraseOthers erases every database in the slot's directory but its own: the
// header names the one that counts, others were left by a rotation.
func (p *Profile) eraseOthers(s *slot) error {
	d, err := p.root.Open(s.directoryName())
	if err != nil {
		return fmt.Errorf("directory of the header's slot: %w", errors.Join(ErrDamaged, err))
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list directory: %w", err)
	}
	own := filepath.Base(s.databaseName())
	for _, name := range names {
		if !strings.HasPrefix(name, "db-") || name == own || strings.HasPrefix(name, own+"-") {
			continue
		}
		if err := p.root.Remove(s.directoryName() + "/" + name); err != nil {
			return fmt.Errorf("erase old database: %w", err)
		}
	}
	return nil
}

// eraseDirectories removes what a Create or a MoveIn that was cut short left.
func (p *Profile) eraseDirectories() error {
	if err := p.removeSmall(arrivingName); err != nil {
		return err
	}
	d, err := p.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if b, err := hex.DecodeString(name); err != nil || len(b) != directoryBytes {
			continue
		}
		if err := p.root.RemoveAll(name); err != nil {
			return fmt.Errorf("remove unfinished profile: %w", err)
		}
	}
	return nil
}

func (p *Profile) writeCacheTag() error {
	if _, err := p.root.Lstat(cacheTagName); err == nil {
		return nil
	}
	return p.root.WriteFile(cacheTagName, []byte(cacheTag), 0o600)
}
