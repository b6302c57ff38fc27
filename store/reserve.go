package store

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"time"
)

const reserveName = "reserve"

// fillReserve keeps as much room on the disk as a deletion may need: to log it
// and to copy the whole log into the database. When the disk is full the reserve
// is given up for that. It reports whether there is a reserve now.
func (p *Profile) fillReserve() bool {
	if info, err := p.root.Lstat(reserveName); err == nil && info.Size() >= reserveBytes {
		return true
	}
	f, err := p.root.OpenFile(reserveName, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return false
	}
	if errors.Join(allocate(f, reserveBytes), f.Close()) != nil {
		p.dropReserve()
		return false
	}
	return true
}

func (p *Profile) dropReserve() { p.root.Remove(reserveName) }

// spendReserve gives up the reserve for a deletion.
func (s *Store) spendReserve() {
	s.profile.dropReserve()
	s.write.spent = true
}

// saveReserve fills the reserve again, now and then, until that works.
func (s *Store) saveReserve(now time.Time) {
	w := &s.write
	if !w.spent || now.Sub(w.saved).Abs() < reserveEvery {
		return
	}
	w.saved = now
	w.spent = !s.profile.fillReserve()
}

// fillRandom writes size bytes: a file system may keep zeros without room for
// them, but not these.
func fillRandom(f *os.File, size int64) error {
	if _, err := io.CopyN(f, rand.Reader, size); err != nil {
		return err
	}
	return f.Sync()
}
