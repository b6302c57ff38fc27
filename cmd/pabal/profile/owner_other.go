//go:build !unix

package profile

import (
	"fmt"
	"os"
)

// ours returns nil if dir is a directory. Its access list is inherited from the
// user's own directories, which is all that is checked here.
func (p Places) ours(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s", ErrNotOurs, dir)
	}
	return nil
}

// owned reports whether dir is a directory.
func (p Places) owned(dir string) bool { return p.ours(dir) == nil }
