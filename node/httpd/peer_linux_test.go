package httpd

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestForeignUserIsDropped connects as another user, which only root can play;
// others see that their own connections are taken.
func TestForeignUserIsDropped(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	inner, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l := &ownListener{inner}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "hello")
			c.Close()
		}
	}()
	defer func() { l.Close(); <-over }()
	read := func() string {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		return string(b)
	}
	if got := read(); got != "hello" {
		t.Errorf("our own user reads %q", got)
	}
	if os.Geteuid() != 0 {
		return
	}
	for p := path; p != os.TempDir() && len(p) > 1; p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan string)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its user
		const nobody = 65534
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); e != 0 {
			t.Error(e)
		}
		got <- read()
	}()
	if s := <-got; s != "" {
		t.Errorf("another user reads %q", s)
	}
}
