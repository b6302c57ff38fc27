package main

import "golang.org/x/sys/unix"

// inMemory reports whether a directory is on a file system without a disk.
func inMemory(dir string) bool {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return false
	}
	return stat.Type == unix.TMPFS_MAGIC || stat.Type == unix.RAMFS_MAGIC
}
