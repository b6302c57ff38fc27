//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// rootOnly returns the first of path and the directories above it that others than root can
// change, or "" if there is none: what root runs at each boot must be root's own.
func rootOnly(path string) (open string, err error) {
	for ; ; path = filepath.Dir(path) {
		info, err := os.Lstat(path)
		if err != nil {
			return "", err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		shared := info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0
		if !ok || stat.Uid != 0 || shared {
			return path, nil
		}
		if path == filepath.Dir(path) {
			return "", nil
		}
	}
}
