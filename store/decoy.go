package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// A profile has two directories from its first run on. What is in the second one opens with a
// key that was thrown away, unless a duress passphrase is set: then it is the decoy, a profile of
// its own that this passphrase opens. Which of the two a passphrase opens, and whether any opens
// the second, is written nowhere but in the header's slots, which are random to who has not that
// passphrase. Neither database knows of the other. So each treats the other alike, and what is
// set or cleared inside the decoy destroys the profile that it hides.

// ErrPassphraseTaken says that a passphrase opens the one database already and cannot open the
// other, too.
var ErrPassphraseTaken = errors.New("store: the passphrase opens another database")

// errElsewhere is what Verify returns for a passphrase that opens the other database.
var errElsewhere = fmt.Errorf("%w of this database", ErrBadPassphrase)

// OpensElsewhere reports whether an error of [Store.Verify] says that the secret opens the other
// database of the profile.
func OpensElsewhere(err error) bool { return errors.Is(err, errElsewhere) }

// SetDecoy makes another profile in the second directory, with what it holds first, that a
// passphrase of its own opens. What lay there before is destroyed. ErrPassphraseTaken: the
// passphrase opens this database.
func (s *Store) SetDecoy(passphrase []byte, first Batch) error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return ErrClosed
	}
	h, err := readHeader(s.profile.root)
	if err != nil {
		return err
	}
	key := h.passphraseKey(passphrase)
	defer clear(key[:])
	if own, err := s.opens(h, &key); err == nil && own {
		return ErrPassphraseTaken
	}
	if err := s.Room(decoyBytes); err != nil { // before anything is destroyed for it
		return err
	}
	index, decoy, err := s.renewOther(h)
	if err != nil {
		return err
	}
	if err := s.profile.fillDecoy(index, &key, *decoy, first); err != nil {
		return err
	}
	defer clear(decoy.key[:])
	h.seal(index, &key, decoy)
	return writeHeader(s.profile.root, h)
}

// ClearDecoy destroys what any other passphrase opens, and leaves what the first run left.
func (s *Store) ClearDecoy() error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return ErrClosed
	}
	h, err := readHeader(s.profile.root)
	if err != nil {
		return err
	}
	_, other, err := s.renewOther(h)
	if err != nil {
		return err
	}
	clear(other.key[:])
	return nil
}

// opens reports whether a key opens this database; ErrBadPassphrase if it opens none.
func (s *Store) opens(h *header, key *slotKey) (own bool, err error) {
	_, sl, err := h.open(key)
	if err != nil {
		return false, err
	}
	clear(sl.key[:])
	return sl.directory == s.slot.directory, nil
}

// renewOther destroys what is in the second directory, its keys first, and puts an empty
// database there. It returns that database's slot, which is not in the header, and a place
// in the header for it. A crash in between leaves a second directory that opens with nothing, as
// it mostly does.
func (s *Store) renewOther(h *header) (index int, other *slot, err error) {
	own, key, err := s.ownSlot(h)
	if err != nil {
		return 0, nil, err
	}
	clear(key[:])
	for i := range h.slots {
		if i != own {
			rand.Read(h.slots[i][:])
		}
	}
	if err := writeHeader(s.profile.root, h); err != nil {
		return 0, nil, err
	}
	other = newSlot()
	if err := s.profile.emptyOther(s.slot, other); err != nil {
		return 0, nil, err
	}
	if err := s.profile.createDatabase(other); err != nil {
		return 0, nil, err
	}
	var b [1]byte
	rand.Read(b[:])
	return (own + 1 + int(b[0])%(slots-1)) % slots, other, nil
}

// emptyOther empties the directory that is not ours, and has other be the slot of that. More
// than one there should not be, and none is made good.
func (p *Profile) emptyOther(ours, other *slot) error {
	all, err := fs.ReadDir(p.root.FS(), ".")
	if err != nil {
		return err
	}
	found := false
	for _, d := range all {
		if !d.IsDir() || !isDirectoryName(d.Name()) || d.Name() == ours.directoryName() {
			continue
		}
		if found {
			if err := p.root.RemoveAll(d.Name()); err != nil {
				return fmt.Errorf("remove third directory: %w", err)
			}
			continue
		}
		found = true
		if _, err := hex.Decode(other.directory[:], []byte(d.Name())); err != nil {
			return err
		}
		inside, err := fs.ReadDir(p.root.FS(), d.Name())
		if err != nil {
			return err
		}
		for _, f := range inside {
			if err := p.root.RemoveAll(path.Join(d.Name(), f.Name())); err != nil {
				return fmt.Errorf("empty the other directory: %w", err)
			}
		}
	}
	return nil
}

// fillDecoy commits what a decoy holds first. It takes over sl.
func (p *Profile) fillDecoy(index int, key *slotKey, sl slot, first Batch) error {
	decoy, err := p.openSlot(index, key, &sl)
	if err != nil {
		return err
	}
	_, err = decoy.Commit(first)
	return errors.Join(err, decoy.Close())
}
