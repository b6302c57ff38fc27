package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate gives f room for size bytes on the disk.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fillRandom(f, size)
	}
	return err
}
