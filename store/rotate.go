package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Verify reports whether u opens the profile, with ErrBadPassphrase if not. It
// costs as much as Open's derivation, and needs no lock.
func (p *Profile) Verify(u Unlock) error {
	h, err := readHeader(p.root)
	if err != nil {
		return err
	}
	key, err := p.unlockKey(h, u)
	if err != nil {
		return err
	}
	defer clear(key[:])
	_, s, err := h.open(&key)
	if err == nil {
		clear(s.key[:])
	}
	return err
}

// Verify reports whether u opens this very database, with ErrBadPassphrase if not: what
// opens another one of the same profile does not; see [OpensElsewhere]. It costs as much as
// [Profile.Open].
func (s *Store) Verify(u Unlock) error {
	h, err := readHeader(s.profile.root)
	if err != nil {
		return err
	}
	key, err := s.profile.unlockKey(h, u)
	if err != nil {
		return err
	}
	defer clear(key[:])
	s.write.Lock()
	defer s.write.Unlock()
	own, err := s.opens(h, &key)
	if err == nil && !own {
		err = errElsewhere
	}
	return err
}

// wipeName is the file that says that a wipe has begun: it goes on until it is done.
const wipeName = "wipe"

// DestroyKeys begins a wipe with what takes no time: what opens the profile is overwritten
// and removed. The Store may be open; it still holds its keys in memory. From then on every
// [Lock] goes on with the wipe.
func (p *Profile) DestroyKeys() error {
	failed := p.root.WriteFile(wipeName, nil, 0o600) // a full disk must not keep the keys alive
	for _, name := range keyNames() {
		failed = errors.Join(failed, p.shred(name))
	}
	if failed = errors.Join(failed, syncDirectory(p.root, ".")); failed != nil {
		return fmt.Errorf("wipe: %w", failed)
	}
	return nil
}

// Wipe destroys the profile: first what opens it, then all the rest. The Store must be
// closed; the Profile stays held and is empty. One that was cut short goes on at the next
// [Lock].
func (p *Profile) Wipe() error {
	failed := errors.Join(p.DestroyKeys(), p.eraseDirectories())
	for _, name := range []string{reserveName, departingName, arrivingName, movedName, moveTempName, wipeName} {
		if failed != nil && name == wipeName {
			break // it goes on
		}
		if err := p.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		return fmt.Errorf("wipe: %w", failed)
	}
	return syncDirectory(p.root, ".")
}

// Remove is a Wipe that leaves no directory either, unless there is something in it that is not
// of a profile. It closes the Profile.
func (p *Profile) Remove() error {
	err := p.Wipe()
	if err == nil {
		err = errors.Join(p.root.Remove(cacheTagName), p.root.Remove(lockName))
	}
	if err = errors.Join(err, p.Close()); err == nil {
		os.Remove(p.path) // if it is empty
	}
	return err
}

// Remains reports whether a directory holds a profile, or what is left of one.
func Remains(dir string) bool {
	tag, err := os.ReadFile(filepath.Join(dir, cacheTagName))
	return err == nil && string(tag) == cacheTag
}

// Emptied reports whether there is nothing in a directory that a wipe would destroy: it is
// missing, or has no more in it than a wipe leaves. One that cannot be read is not.
func Emptied(dir string) bool {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != lockName && e.Name() != cacheTagName {
			return false
		}
	}
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

// finishWipe goes on with a wipe that was cut short.
func (p *Profile) finishWipe() error {
	switch _, err := p.root.Lstat(wipeName); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return p.Wipe()
}

// shred overwrites a small file in place and removes it.
func (p *Profile) shred(name string) error {
	f, err := p.root.OpenFile(name, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.Join(err, p.root.Remove(name))
	}
	return errors.Join(overwrite(f), f.Close(), p.root.Remove(name))
}

// overwrite fills an open file with random bytes and syncs it.
func overwrite(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b := make([]byte, info.Size())
	rand.Read(b)
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	return f.Sync()
}

// ChangePassphrase seals the profile's slot under another passphrase, or under
// a keyfile if passphrase is nil. Other slots stay as they are, so the cost of
// guessing stays too. Who can still read old blocks of the disk and knows the
// old passphrase has the database's key: see [Store.Rotate]. ErrPassphraseTaken: it opens the
// other database.
func (s *Store) ChangePassphrase(passphrase []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return ErrClosed
	}
	p := s.profile
	h, err := readHeader(p.root)
	if err != nil {
		return err
	}
	index, _, err := s.ownSlot(h)
	if err != nil {
		return err
	}
	var key slotKey
	switch _, hasKeyfile, err := p.Exists(); {
	case err != nil:
		return err
	case passphrase != nil:
		key = h.passphraseKey(passphrase)
		if own, err := s.opens(h, &key); err == nil && !own {
			return ErrPassphraseTaken
		}
	case hasKeyfile: // a new one would not open the header until that is written
		key, err = readKeyfile(p.root)
		if err != nil {
			return err
		}
	default:
		if key, err = newKeyfile(p.root); err != nil {
			return err
		}
	}
	defer clear(key[:])
	// Kept before the header has it: a header whose writing failed may have been written.
	if err := s.write.keepNextKey(index, &key); err != nil {
		return dbError("keep next slot key", err)
	}
	h.seal(index, &key, s.slot)
	if err := writeHeader(p.root, h); err != nil {
		return err
	}
	err = s.write.keepSlotKey(index, &key)
	if isFull(err) { // it opens by this key already: there is no way back
		s.spendReserve()
		err = s.write.keepSlotKey(index, &key)
	}
	if err != nil {
		return dbError("keep slot key", err)
	}
	s.bare.Store(passphrase == nil)
	s.write.scrub = true // the old key is in the log
	if passphrase != nil {
		err = p.shred(keyfileName)
	}
	return errors.Join(err, s.scrubLocked())
}

// ownSlot finds the slot of the header that opens this database, by the keys
// that the database keeps.
func (s *Store) ownSlot(h *header) (int, *slotKey, error) {
	keys, err := collect(s.write.c.query(`SELECT kek FROM keks WHERE slot >= 0`), func(q *query) (key slotKey) {
		q.array(key[:])
		return key
	}, "read slot keys")
	if err != nil {
		return 0, nil, err
	}
	for i := range keys {
		index, sl, err := h.open(&keys[i])
		if err != nil {
			continue
		}
		clear(sl.key[:])
		if sl.directory == s.slot.directory {
			return index, &keys[i], nil
		}
	}
	return 0, nil, fmt.Errorf("no slot of the header is ours: %w", ErrDamaged)
}

// Rotate copies the database under a new key and destroys the old one: then old
// blocks of the disk, which no deletion reaches, need an old block of the header
// as well. It takes about 9 s for 500 MB; writes and views wait, chunks of files do not. A
// crash, or the end of ctx, leaves the old database or the new one. ErrFull says that there
// is no room for both. Any other error may leave the new one in use, with something of the old
// one still there; or, if it is not known which one the next start opens, the store closed.
func (s *Store) Rotate(ctx context.Context, now time.Time) error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return ErrClosed
	}
	size, err := s.write.c.number(`SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`)
	if err == nil {
		err = s.Room(uint64(size))
	}
	if err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	if err := newRotation(ctx, s, now).run(); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	return nil
}

// RotationDue reports whether the last rotation, or else the first call of this method, was
// longer ago than a rotation is to last.
func (s *Store) RotationDue(now time.Time) (bool, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return false, ErrClosed
	}
	last, err := s.write.c.number(`SELECT coalesce((SELECT value FROM meta WHERE name = 'rotated'), 0)`)
	if err != nil {
		return false, dbError("read last rotation", err)
	}
	if last == 0 || last > now.UnixMilli() { // a new profile, or a clock that was wrong
		return false, dbError("note the rotation", s.write.c.rotated(now))
	}
	return now.Sub(time.UnixMilli(last)) >= RotationAge, nil
}

// rotated notes that the key is as young as now.
func (c *conn) rotated(now time.Time) error { return putMeta(c, metaRotated, now.UnixMilli()) }

// rotation is one run of Rotate, with the writer's lock held.
type rotation struct {
	ctx         context.Context
	s           *Store
	now         time.Time
	old, slot   *slot
	writeHeader func(*os.Root, *header) error // tests have it fail
	remains     error                         // what of the old header could not be overwritten
}

func newRotation(ctx context.Context, s *Store, now time.Time) *rotation {
	r := &rotation{ctx: ctx, s: s, now: now, old: s.slot, writeHeader: writeHeader}
	r.slot = &slot{directory: s.slot.directory, epoch: s.slot.epoch + 1}
	rand.Read(r.slot.key[:])
	return r
}

func (r *rotation) steps() []func() error {
	return []func() error{r.s.keepMAC, r.copy, r.publish, r.reopen, r.eraseOld}
}

func (r *rotation) run() error {
	for _, step := range r.steps() {
		if err := step(); err != nil {
			return errors.Join(err, r.remains)
		}
	}
	return r.remains
}

// keepMAC has the key of fingerprints copied along, with the writer's lock held: a request
// that is repeated after a rotation or a move must still be known.
func (s *Store) keepMAC() error {
	m := &s.mac
	m.Lock()
	defer m.Unlock()
	err := s.write.c.query(`INSERT INTO keks(slot, kek) VALUES (?, ?) ON CONFLICT DO NOTHING`).
		bindInt(macRow).bindBlob(m.key[:]).run()
	return dbError("keep key of fingerprints", err)
}

// copy writes the new database beside the old one.
func (r *rotation) copy() error {
	p := r.s.profile
	if err := p.eraseOthers(r.old); err != nil { // left by a rotation that failed
		return err
	}
	seal := p.registerSeal(r.slot.pagesKey())
	defer seal.unregister()
	name := url.URL{Scheme: "file", OmitHost: true, Path: p.databasePath(r.slot)}
	name.RawQuery = url.Values{"vfs": {seal.name}}.Encode()
	r.s.write.c.db.SetInterrupt(r.ctx)
	err := r.s.write.c.query(`VACUUM INTO ?`).bindText(name.String()).run()
	r.s.write.c.db.SetInterrupt(context.Background())
	if err != nil {
		return errors.Join(dbError("copy", err), p.eraseOthers(r.old)) // a part of a copy only takes room
	}
	c, err := openConn(p.databasePath(r.slot), seal.name, connOpen, writerCacheKiB)
	if err != nil {
		return dbError("open copy", err)
	}
	if err := errors.Join(c.check(), c.rotated(r.now), c.close()); err != nil {
		return dbError("finish copy", err)
	}
	f, err := p.root.OpenFile(r.slot.databaseName(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncDirectory(p.root, r.slot.directoryName()))
}

// publish makes the header name the new database. A write that fails may have done so all the
// same; the database that is not named is erased at the next start, with all that was committed
// to it. So the header itself says how to go on, and if it does not, nothing is committed any more.
func (r *rotation) publish() error {
	root := r.s.profile.root
	h, err := readHeader(root)
	if err != nil {
		return err
	}
	index, key, err := r.s.ownSlot(h)
	if err != nil {
		return err
	}
	defer clear(key[:])
	h.seal(index, key, r.slot)
	failed := r.writeHeader(root, h)
	if failed == nil {
		return nil
	}
	epoch, err := namedEpoch(root, key)
	switch {
	case err == nil && epoch == r.old.epoch:
		return errors.Join(failed, r.s.profile.eraseOthers(r.old)) // the copy only takes room
	case err == nil && epoch == r.slot.epoch:
		if err = syncDirectory(root, "."); err == nil {
			r.remains = failed
			return nil
		}
	}
	return errors.Join(failed, err, r.s.halt())
}

// namedEpoch returns the epoch of the database that the header names for a key.
func namedEpoch(root *os.Root, key *slotKey) (uint64, error) {
	h, err := readHeader(root)
	if err != nil {
		return 0, err
	}
	_, sl, err := h.open(key)
	if err != nil {
		return 0, err
	}
	clear(sl.key[:])
	return sl.epoch, nil
}

// halt closes the connections, with the writer's lock held: every commit and view ends with
// ErrClosed. Close is called as ever.
func (s *Store) halt() error {
	s.reader.seize()
	defer s.reader.Unlock()
	return s.disconnect()
}

// disconnect closes the connections, with the locks of both held.
func (s *Store) disconnect() (err error) {
	s.write.copies.Wait()
	for _, c := range []**conn{&s.reader.c, &s.write.c} {
		if *c != nil {
			err = errors.Join(err, (*c).close())
			*c = nil
		}
	}
	return err
}

// reopen closes the old database and opens the new one. If that fails there is none: what would
// be committed to the old one is lost.
func (r *rotation) reopen() error {
	s := r.s
	s.reader.seize()
	defer s.reader.Unlock()
	closing := s.reader.c == nil // Close is under way, and waits for the writer
	err := s.disconnect()
	if closing {
		return errors.Join(ErrClosed, err)
	}
	s.seal.unregister()
	s.slot, s.seal = r.slot, s.profile.registerSeal(r.slot.pagesKey())
	if err == nil {
		err = s.connect()
	}
	if err == nil {
		err = s.write.reload()
	}
	if err != nil {
		return errors.Join(err, s.disconnect())
	}
	return nil
}

// eraseOld removes the old database and its key.
func (r *rotation) eraseOld() error {
	clear(r.old.key[:])
	if err := r.s.profile.eraseOthers(r.slot); err != nil {
		return err
	}
	return syncDirectory(r.s.profile.root, filepath.ToSlash(r.slot.directoryName()))
}
