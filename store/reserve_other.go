//go:build !linux

package store

import "os"

// allocate gives f room for size bytes on the disk.
func allocate(f *os.File, size int64) error { return fillRandom(f, size) }
