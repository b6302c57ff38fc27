//go:build unix

package store

import "golang.org/x/sys/unix"

// freeBytes returns how much room there is on the disk of a directory, if that is known.
func freeBytes(dir string) (free uint64, known bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return uint64(st.Bavail) * uint64(st.Bsize), true
}
