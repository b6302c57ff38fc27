//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRootOnly(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "bin", "pabal")
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	check := func(what, want string) {
		t.Helper()
		if os.Getuid() != 0 {
			want = program // ours, not root's
		}
		if got, err := rootOnly(program); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", what, got, err, want)
		}
	}
	check("all is root's", "")
	for path, mode := range map[string]os.FileMode{program: 0o775, filepath.Dir(program): 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		check("others may write", path)
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rootOnly(program + ".not"); err == nil {
		t.Error("what is not there is taken")
	}
}
