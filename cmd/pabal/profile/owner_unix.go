//go:build unix

package profile

import (
	"fmt"
	"os"
	"syscall"
)

// ours returns nil if dir is a directory of ours that nobody else may enter.
func (p Places) ours(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != p.UID || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w: %s", ErrNotOurs, dir)
	}
	return nil
}

// owned reports whether dir is a directory of ours, whoever may enter it.
func (p Places) owned(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == p.UID
}
