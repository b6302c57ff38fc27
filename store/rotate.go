package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
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

// Wipe destroys the profile: first what opens it, which takes no time, then all
// the rest. The Store must be closed; the Profile stays held and is empty.
func (p *Profile) Wipe() error {
	var failed error
	for _, name := range []string{headerName, keyfileName} {
		failed = errors.Join(failed, p.shred(name))
	}
	failed = errors.Join(failed, syncDirectory(p.root, "."), p.eraseDirectories())
	for _, name := range []string{headerTempName, keyfileTempName, reserveName} {
		if err := p.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		return fmt.Errorf("wipe: %w", failed)
	}
	return syncDirectory(p.root, ".")
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
// old passphrase has the database's key: see [Store.Rotate].
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
	h.seal(index, &key, s.slot)
	if err := writeHeader(p.root, h); err != nil {
		return err
	}
	if err := s.write.keepSlotKey(index, &key); err != nil {
		return dbError("keep slot key", err)
	}
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
// as well. It takes about 9 s for 500 MB; writes and views wait. A crash leaves
// the old database or the new one.
func (s *Store) Rotate() error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return ErrClosed
	}
	r := &rotation{s: s, old: s.slot, slot: &slot{directory: s.slot.directory, epoch: s.slot.epoch + 1}}
	rand.Read(r.slot.key[:])
	for _, step := range r.steps() {
		if err := step(); err != nil {
			return fmt.Errorf("rotate: %w", err)
		}
	}
	return nil
}

// rotation is one run of Rotate, with the writer's lock held.
type rotation struct {
	s         *Store
	old, slot *slot
}

func (r *rotation) steps() []func() error {
	return []func() error{r.keepMAC, r.copy, r.publish, r.reopen, r.eraseOld}
}

// keepMAC has the key of fingerprints copied along: a request that is repeated after
// the rotation must still be known.
func (r *rotation) keepMAC() error {
	m := &r.s.mac
	m.Lock()
	defer m.Unlock()
	err := r.s.write.c.query(`INSERT INTO keks(slot, kek) VALUES (?, ?) ON CONFLICT DO NOTHING`).
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
	if err := r.s.write.c.query(`VACUUM INTO ?`).bindText(name.String()).run(); err != nil {
		return errors.Join(dbError("copy", err), p.eraseOthers(r.old)) // a part of a copy only takes room
	}
	c, err := openConn(p.databasePath(r.slot), seal.name, connOpen, writerCacheKiB)
	if err != nil {
		return dbError("open copy", err)
	}
	if err := errors.Join(c.check(), c.close()); err != nil {
		return dbError("check copy", err)
	}
	f, err := p.root.OpenFile(r.slot.databaseName(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncDirectory(p.root, r.slot.directoryName()))
}

// publish makes the header name the new database.
func (r *rotation) publish() error {
	h, err := readHeader(r.s.profile.root)
	if err != nil {
		return err
	}
	index, key, err := r.s.ownSlot(h)
	if err != nil {
		return err
	}
	defer clear(key[:])
	h.seal(index, key, r.slot)
	return writeHeader(r.s.profile.root, h)
}

// reopen closes the old database and opens the new one.
func (r *rotation) reopen() error {
	s := r.s
	s.reader.seize()
	defer s.reader.Unlock()
	if s.reader.c == nil { // Close is under way, and waits for the writer
		return ErrClosed
	}
	err := errors.Join(s.reader.c.close(), s.write.c.close())
	s.reader.c, s.write.c = nil, nil
	s.seal.unregister()
	s.slot, s.seal = r.slot, s.profile.registerSeal(r.slot.pagesKey())
	if err != nil {
		return err
	}
	if err := s.connect(); err != nil {
		return err
	}
	return s.write.reload()
}

// eraseOld removes the old database and its key.
func (r *rotation) eraseOld() error {
	clear(r.old.key[:])
	if err := r.s.profile.eraseOthers(r.slot); err != nil {
		return err
	}
	return syncDirectory(r.s.profile.root, filepath.ToSlash(r.slot.directoryName()))
}
