package main

import (
	"bufio"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// surroundings reports what the system may keep of what we delete: swap, and a
// file system that writes changes elsewhere and can snapshot. data is the
// directory to look at, "" if it is not known.
func surroundings(data string) []check {
	checks := []check{swapCheck("/proc/swaps")}
	if data != "" {
		checks = append(checks, fileSystemCheck(data))
	}
	return checks
}

func swapCheck(list string) check {
	k := check{Check: "swap", Verdict: verdictOK, Code: "swap_none"}
	f, err := os.Open(list)
	if err != nil {
		k.Verdict, k.Code = verdictWarn, "swap_unknown"
		return k
	}
	defer f.Close()
	if devices := swapDevices(f); len(devices) > 0 {
		k.Verdict, k.Code, k.Detail = verdictWarn, "swap_on", strings.Join(devices, ", ")
	}
	return k
}

// swapDevices names the swap areas but those in compressed memory.
func swapDevices(list io.Reader) []string {
	var devices []string
	lines := bufio.NewScanner(list)
	lines.Scan() // the heading
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 0 && !strings.HasPrefix(fields[0], "/dev/zram") {
			devices = append(devices, fields[0])
		}
	}
	return devices
}

// copyOnWrite names the file systems that never write over old data.
var copyOnWrite = map[int64]string{
	unix.BTRFS_SUPER_MAGIC:     "btrfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs",
	unix.F2FS_SUPER_MAGIC:      "f2fs",
	unix.NILFS_SUPER_MAGIC:     "nilfs2",
	0x2FC12FC1:                 "zfs",
	0xCA451A4E:                 "bcachefs",
}

func fileSystemCheck(dir string) check {
	k := check{Check: "filesystem", Verdict: verdictOK, Code: "filesystem_in_place"}
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		k.Verdict, k.Code = verdictWarn, "filesystem_unknown"
		return k
	}
	magic := int64(uint32(stat.Type)) // the type is signed on some machines
	if name, ok := copyOnWrite[magic]; ok {
		k.Verdict, k.Code, k.Detail = verdictWarn, "filesystem_copies", name
	}
	return k
}
