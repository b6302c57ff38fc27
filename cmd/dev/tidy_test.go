package main

import (
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// topLevel is everything that may stand at the top of the tree, beside dotfiles.
var topLevel = []string{"LICENSE", "README.md", "cmd", "go.mod", "go.sum", "node", "protocol", "store"}

// root is the top of the tree as seen from this package's directory.
var root = filepath.Join("..", "..")

// TestTidy checks what the compiler does not: the direction of dependencies,
// the purity of the protocol core, formatting, documentation, and the size of
// things. The rules are in tidyrules_test.go.
func TestTidy(t *testing.T) {
	for _, dir := range goDirectories(t) {
		sources := parseDirectory(t, dir)
		for _, complaint := range packageComplaints(dir, sources) {
			t.Error(complaint)
		}
		for _, s := range sources {
			for _, complaint := range fileComplaints(s) {
				t.Error(complaint)
			}
		}
	}
}

// TestTopLevel checks that the tree has exactly its fixed top.
func TestTopLevel(t *testing.T) {
	ignored, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && !isIgnored(string(ignored), entry.Name()) {
			found = append(found, entry.Name())
		}
	}
	if !slices.Equal(found, topLevel) {
		t.Errorf("the top level is %q, want %q", found, topLevel)
	}
}

// isIgnored reports whether a name at the top matches a line of .gitignore.
func isIgnored(patterns, name string) bool {
	for pattern := range strings.Lines(patterns) {
		pattern = strings.Trim(strings.TrimSpace(pattern), "/")
		if matched, err := path.Match(pattern, name); err == nil && matched {
			return true
		}
	}
	return false
}

// TestEveryDependencyHasItsReason checks that each module that go.mod requires
// directly is named in the decision record on dependencies.
func TestEveryDependencyHasItsReason(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile(filepath.Join(root, "node", "doc", "adr", "0003-dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) != 2 || !strings.HasPrefix(fields[1], "v") {
			continue // not a requirement, or an indirect one with its comment
		}
		if !strings.Contains(string(record), "`"+fields[0]+"`") {
			t.Errorf("go.mod requires %s, which no decision record explains", fields[0])
		}
	}
}

// goDirectories lists the directories of our code, relative to the top and
// with slashes. Directories called testdata are left out, as the go tool does.
func goDirectories(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, layer := range []string{"cmd", "node", "protocol", "store"} {
		err := filepath.WalkDir(filepath.Join(root, layer), func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && entry.Name() == "testdata" {
				return fs.SkipDir
			}
			if entry.IsDir() || filepath.Ext(name) != ".go" {
				return nil
			}
			relative, err := filepath.Rel(root, filepath.Dir(name))
			if dir := filepath.ToSlash(relative); !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dirs
}

// parseDirectory parses the Go files of one directory.
func parseDirectory(t *testing.T, dir string) []source {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var sources []source
	files := token.NewFileSet()
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parse(files, dir+"/"+filepath.Base(name), text)
		if err != nil {
			t.Error(err)
			continue
		}
		sources = append(sources, s)
	}
	return sources
}
