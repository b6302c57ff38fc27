package profile

import (
	"encoding/json"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBusyDaemonIsThere fills the queue of a socket that nobody accepts from just
// now: that a daemon is busy does not mean that there is none.
func TestBusyDaemonIsThere(t *testing.T) {
	p := places(t, t.TempDir(), nil)
	paths, err := p.Paths("mina")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.MakeRun(paths); err != nil {
		t.Fatal(err)
	}
	listener := socket(t)
	address := &unix.SockaddrUnix{Name: paths.Socket}
	if err := unix.Bind(listener, address); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 0); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = unix.Connect(socket(t), address)
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"pid": 7, "unix": paths.Socket})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths.API, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := p.Choose("mina"); err != nil || d.PID != 7 {
		t.Errorf("got %+v, %v", d, err)
	}
}

func socket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}
