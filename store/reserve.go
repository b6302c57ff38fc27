package store

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
)

const reserveName = "reserve"

// fillReserve keeps as much room on the disk as a deletion may need: to log it
// and to copy the whole log into the database. When the disk is full the reserve
// is given up for that. Without room there is none, which is no error.
func (p *Profile) fillReserve() {
	if info, err := p.root.Lstat(reserveName); err == nil && info.Size() >= reserveBytes {
		return
	}
	f, err := p.root.OpenFile(reserveName, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	if errors.Join(allocate(f, reserveBytes), f.Close()) != nil {
		p.dropReserve()
	}
}

func (p *Profile) dropReserve() { p.root.Remove(reserveName) }

// fillRandom writes size bytes: a file system may keep zeros without room for
// them, but not these.
func fillRandom(f *os.File, size int64) error {
	if _, err := io.CopyN(f, rand.Reader, size); err != nil {
		return err
	}
	return f.Sync()
}
