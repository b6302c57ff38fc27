package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

const smallDiskBytes = 24 << 20

// startCramped runs "cramped PROFILE args…": as daemon, but the profile's data are on
// a small file system in a mount namespace of its own. The variable DISK is where
// others reach it.
func startCramped(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: cramped PROFILE [args…]")
	}
	dir := filepath.Join(ts.Getenv("PABAL_HOME"), args[0], "data")
	ts.Check(os.MkdirAll(dir, 0o700))
	d := start(ts, args, "smalldisk", dir)
	ts.Setenv("DISK", filepath.Join("/proc", strconv.Itoa(d.cmd.Process.Pid), "root", dir))
}

// cramp gives smalldisk the namespaces that it needs.
func cramp(cmd *exec.Cmd, program string) {
	if program != "smalldisk" {
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}

// onSmallDisk is the program "smalldisk DIR args…": pabal with a small file system
// at DIR.
func onSmallDisk() {
	if err := unix.Mount("", os.Args[1], "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", smallDiskBytes)); err != nil {
		fmt.Fprintln(os.Stderr, "mount a small file system (user namespaces must be allowed):", err)
		os.Exit(exitError)
	}
	os.Args = append(os.Args[:1], os.Args[2:]...)
	os.Exit(run())
}
