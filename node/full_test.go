//go:build linux

package node_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pabal/node"
	"pabal/node/api"
)

// smallDiskEnv tells the test binary that it is the child that lives on a small disk.
const smallDiskEnv = "PABAL_TEST_SMALL_DISK"

const smallDiskBytes = 24 << 20

// TestFullDisk fills the disk under a running node: what is acknowledged stays,
// new messages are refused with a code, reading and deleting go on, and it
// recovers by itself when there is room again. The disk is a small file system of
// a child's own mount namespace.
func TestFullDisk(t *testing.T) { onSmallDisk(t, smallDiskBytes, liveOnSmallDisk) }

// onSmallDisk runs a test in a child process that has a small file system of its own.
func onSmallDisk(t *testing.T, sizeBytes int, live func(t *testing.T, dir string)) {
	if dir := os.Getenv(smallDiskEnv); dir != "" {
		if err := unix.Mount("", dir, "tmpfs", 0, fmt.Sprintf("size=%d", sizeBytes)); err != nil {
			t.Fatalf("mount a small file system (user namespaces must be allowed): %v", err)
		}
		live(t, dir)
		return
	}
	if testing.Short() {
		t.Skip("fills a disk")
	}
	t.Parallel() // a process of its own
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), smallDiskEnv+"="+t.TempDir())
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("on a small disk: %v\n%s", err, out)
	}
}

func liveOnSmallDisk(t *testing.T, dir string) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina := newPerson(t, "Mina")
	jiwoo := &person{t: t, config: mina.config}
	jiwoo.config.Profile, jiwoo.config.Create = "Jiwoo", &node.NewProfile{Name: "Jiwoo"}
	jiwoo.config.DataDir, jiwoo.config.RuntimeDir = filepath.Join(dir, "data"), filepath.Join(t.TempDir(), "run")
	jiwoo.start()
	defer jiwoo.end()
	contact := befriend(ctx, mina, jiwoo)
	send := func() error {
		_, err := jiwoo.SendToContact(ctx, contact.ID, api.MessageRequest{Text: "is there room?"}, api.SendOptions{})
		return err
	}
	if err := send(); err != nil {
		t.Fatal(err)
	}
	listen := must[api.Network](t)(jiwoo.Network(ctx)).Listen
	ballast := fill(t, dir)
	var err error
	for err == nil {
		err = send()
	}
	if !isCode(err, api.CodeStorageFull) {
		t.Fatalf("on a full disk: %v", err)
	}
	if s := must[api.Status](t)(jiwoo.Status(ctx)); s.State != api.StateReadOnly {
		t.Fatalf("state %q", s.State)
	}
	texts := jiwoo.texts(ctx, contact.ID)
	if len(texts) == 0 {
		t.Fatal("nothing can be read on a full disk")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for must[api.Status](t)(jiwoo.Status(ctx)).State != api.StateReady {
		if ctx.Err() != nil {
			t.Fatal("it stays read only although there is room")
		}
	}
	if now := must[api.Network](t)(jiwoo.Network(ctx)).Listen; len(now) == 0 || !slices.Equal(now, listen) {
		t.Fatalf("with room again its addresses are %v, they were %v", now, listen)
	}
	if err := send(); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	for must[api.Status](t)(jiwoo.Status(ctx)).OutboxTotal > 0 {
	}
	if got := len(mina.texts(ctx, mina.onlyContact(ctx).ID)); got != len(texts)+1 {
		t.Fatalf("%d of %d messages arrived", got, len(texts)+1)
	}
}

// fill takes all the room of a file system and returns the file that holds it.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for {
		if _, err := f.Write(block); err != nil {
			return path
		}
	}
}
