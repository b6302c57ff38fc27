package surroundings

import (
	"bufio"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func swap() Row {
	f, err := os.Open("/proc/swaps")
	if err != nil {
		return Row{Check: "swap", Warn: true, Code: "swap_unknown"}
	}
	defer f.Close()
	if devices := swapDevices(f); len(devices) > 0 {
		return Row{Check: "swap", Warn: true, Code: "swap_on", Detail: strings.Join(devices, ", ")}
	}
	return Row{Check: "swap", Code: "swap_none"}
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

// coreDumps tells whether a crash of this process would leave its memory on the disk.
func coreDumps() Row {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		return Row{Check: "core", Warn: true, Code: "core_unknown"}
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	var limit unix.Rlimit
	if err == nil && dumpable != 0 {
		err = unix.Getrlimit(unix.RLIMIT_CORE, &limit)
	}
	return coreRow(strings.TrimSpace(string(pattern)), err == nil && dumpable != 0, limit.Cur)
}

// coreRow judges: a program that takes dumps gets them whatever the limit of their size is.
func coreRow(pattern string, dumpable bool, limit uint64) Row {
	program, piped := strings.CutPrefix(pattern, "|")
	switch {
	case !dumpable, pattern == "", !piped && limit == 0:
		return Row{Check: "core", Code: "core_none"}
	case piped:
		program, _, _ = strings.Cut(program, " ")
		return Row{Check: "core", Warn: true, Code: "core_program", Detail: program}
	}
	return Row{Check: "core", Warn: true, Code: "core_file", Detail: pattern}
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

func fileSystem(dir string) Row {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return Row{Check: "filesystem", Warn: true, Code: "filesystem_unknown"}
	}
	magic := int64(uint32(stat.Type)) // the type is signed on some machines
	if name, ok := copyOnWrite[magic]; ok {
		return Row{Check: "filesystem", Warn: true, Code: "filesystem_copies", Detail: name}
	}
	return Row{Check: "filesystem", Code: "filesystem_in_place"}
}
