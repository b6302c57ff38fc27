package profile

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func places(t *testing.T, home string, env map[string]string) Places {
	t.Helper()
	if env == nil {
		env = map[string]string{}
	}
	if env["TMPDIR"] == "" {
		env["TMPDIR"] = t.TempDir()
	}
	return Places{Home: home, Getenv: func(k string) string { return env[k] }, UID: os.Getuid()}
}

func TestPathsWithHome(t *testing.T) {
	paths, err := places(t, "/h", nil).Paths("mina")
	if err != nil {
		t.Fatal(err)
	}
	want := Paths{Name: "mina", Data: "/h/mina/data", Run: "/h/mina/run", Socket: "/h/mina/run/pabal.sock", API: "/h/mina/run/api.json"}
	if paths != want {
		t.Errorf("got %+v, want %+v", paths, want)
	}
}

func TestPathsOfXDG(t *testing.T) {
	p := places(t, "", map[string]string{"XDG_DATA_HOME": "/d", "XDG_RUNTIME_DIR": "/r"})
	paths, err := p.Paths("default")
	if err != nil {
		t.Fatal(err)
	}
	want := Paths{Name: "default", Data: "/d/pabal/default", Run: "/r/pabal/default", Socket: "/r/pabal/default/pabal.sock", API: "/r/pabal/default/api.json"}
	if paths != want {
		t.Errorf("got %+v, want %+v", paths, want)
	}
}

func TestNames(t *testing.T) {
	p := places(t, "/h", nil)
	for _, good := range []string{"a", "미나", "work-2", "a.b_c", "e\u0301"} {
		if _, err := p.Paths(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "-a", "a/b", "a b", "a\x00", "\xff", strings.Repeat("a", 65), ".hidden"} {
		if _, err := p.Paths(bad); !errors.Is(err, ErrName) {
			t.Errorf("%q was taken as a name", bad)
		}
	}
}

func TestLongPathGetsShortSocket(t *testing.T) {
	tmp := t.TempDir()
	p := places(t, filepath.Join(tmp, strings.Repeat("long", 30)), map[string]string{"TMPDIR": "/tmp"})
	paths, err := p.Paths("mina")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths.Socket) > socketBytesMax {
		t.Errorf("socket path has %d bytes", len(paths.Socket))
	}
	other, err := p.Paths("jiwoo")
	if err != nil {
		t.Fatal(err)
	}
	if paths.Socket == other.Socket {
		t.Error("two profiles share a socket")
	}
	defer os.Remove(filepath.Dir(paths.Socket))
	if err := p.MakeRun(paths); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Dir(paths.Socket))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}

func TestForeignTemporaryDirectoryIsRefused(t *testing.T) {
	p := places(t, "", nil)
	dir, err := p.temporary()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := p.temporary(); err != nil {
		t.Errorf("our own directory is refused: %v", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := p.temporary(); !errors.Is(err, ErrNotOurs) {
		t.Errorf("a directory open to all gave %v", err)
	}
	p.UID++
	if err := p.ours(dir); !errors.Is(err, ErrNotOurs) {
		t.Errorf("another user's directory gave %v", err)
	}
}

// listen pretends to be a daemon of that profile.
func listen(t *testing.T, p Places, name string) net.Listener {
	t.Helper()
	paths, err := p.Paths(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.MakeRun(paths); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", paths.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	b, err := json.Marshal(map[string]any{"pid": 7, "unix": paths.Socket})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths.API, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestChoose(t *testing.T) {
	p := places(t, t.TempDir(), nil)
	if _, err := p.Choose(""); !errors.Is(err, ErrNone) {
		t.Errorf("nothing runs, got %v", err)
	}
	mina := listen(t, p, "mina")
	if d, err := p.Choose(""); err != nil || d.Name != "mina" || d.PID != 7 {
		t.Errorf("one runs, got %+v, %v", d, err)
	}
	listen(t, p, "jiwoo")
	var several *SeveralError
	if _, err := p.Choose(""); !errors.As(err, &several) || len(several.Names) != 2 {
		t.Errorf("two run, got %v", err)
	}
	if d, err := p.Choose("jiwoo"); err != nil || d.Name != "jiwoo" {
		t.Errorf("named, got %+v, %v", d, err)
	}
	listen(t, p, "default")
	if d, err := p.Choose(""); err != nil || d.Name != "default" {
		t.Errorf("default among three, got %+v, %v", d, err)
	}
	mina.Close()
	if _, err := p.Choose("mina"); !errors.Is(err, ErrNone) {
		t.Errorf("a file of a daemon that is gone gave %v", err)
	}
	if _, err := p.Choose("../x"); !errors.Is(err, ErrName) {
		t.Errorf("got %v", err)
	}
}

func TestBrokenDiscoveryFileIsPassedOver(t *testing.T) {
	p := places(t, t.TempDir(), nil)
	listen(t, p, "mina")
	for name, content := range map[string]string{"cut": `{"pid":`, "relative": `{"unix":"pabal.sock"}`, "empty": ``} {
		paths, err := p.Paths(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.MakeRun(paths); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(paths.API, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := p.Choose(""); err != nil || d.Name != "mina" {
		t.Errorf("got %+v, %v", d, err)
	}
}
