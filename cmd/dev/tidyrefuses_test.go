package main

import (
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestTidyRefuses proves for each rule that it can fail, and that a good file passes.
func TestTidyRefuses(t *testing.T) {
	const core, daemon = "protocol/session/x.go", "node/x.go"
	rows := []struct {
		path, source string
		want         string // part of the only complaint; empty = none
	}{
		{core, "package session\n\nimport _ \"net/netip\"\n", ""},
		{core, "package session\n\nimport _ \"pabal/protocol/wire\"\n", ""},
		{core, "package session\n\nimport _ \"pabal/protocol/invite\"\n", "protocol/session must not import protocol/invite"},
		{"protocol/wire/x.go", "package wire\n\nimport _ \"pabal/protocol/session\"\n", "must not import protocol/session"},
		{"protocol/sim/x.go", "package sim\n\nimport _ \"pabal/store\"\n", "must not import store"},
		{"store/x.go", "package store\n\nimport _ \"pabal/node\"\n", "must not import node"},
		{"store/x_test.go", "package store\n\nimport _ \"pabal/node\"\n", "must not import node"},
		{"node/p2p/x.go", "package p2p\n\nimport _ \"pabal/protocol\"\n", "must not import protocol"},
		{"cmd/pabal/x.go", "package main\n\nimport _ \"pabal/protocol\"\n", "must not import protocol"},
		{"node/httpd/x.go", "package httpd\n\nimport _ \"github.com/danielgtaylor/huma/v2\"\n", ""},
		{daemon, "package node\n\nimport _ \"github.com/danielgtaylor/huma/v2\"\n", "may import github.com/danielgtaylor/huma"},
		{daemon, "package node\n\nimport _ \"github.com/libp2p/go-libp2p\"\n", "may import github.com/libp2p"},
		{"node/httpd/x.go", "package httpd\n\nimport _ \"github.com/spf13/cobra\"\n", "may import github.com/spf13"},
		{"node/api/x.go", "package api\n\nimport _ \"golang.org/x/text\"\n", "node/api has only the standard library"},
		{core, "package session\n\nimport _ \"sync/atomic\"\n", "no sync/atomic"},
		{core, "package session\n\nimport _ \"math/rand/v2\"\n", "no math/rand/v2"},
		{"protocol/sim/x.go", "package sim\n\nimport _ \"math/rand/v2\"\n", ""},
		{core, "package session\n\nfunc f() { go f() }\n", "no goroutine"},
		{core, "package session\n\nfunc f(chan int) {}\n", "no channel"},
		{core, "package session\n\nimport \"time\"\n\nfunc f() { time.Now() }\n", "no time.Now"},
		{daemon, "package node\n\nimport \"time\"\n\nfunc f() { time.Now() }\n", ""},
		{core, "package session\n\nfunc f(c curve) { c.GenerateKey(nil) }\n", "derive keys from a seed"},
		{core, "package session\n\nfunc  f() {}\n", "not gofmt-ed"},
		{core, "package session\n\nfunc f() {\n" + strings.Repeat("\tg()\n", maxFuncLines) + "}\n", "f is 82 lines long"},
		{core, "package session\n" + strings.Repeat("\n// x\n", maxFileLines/2), "file is 801 lines long"},
		{"store/helpers.go", "package store\n", "says nothing"},
		{core, "package session\n\n// TO" + "DO: more.\nfunc f() {}\n", "unfinished"},
		{daemon, "package node\n\nfunc init() {}\n", "no init"},
		{daemon, "package node\n\nfunc (x *thing) GetName() {}\n", "no Get"},
		{daemon, "package node\n\nfunc F() {}\n", "F has no comment"},
		{daemon, "package node\n\nfunc (x *Thing[T]) F() {}\n", "F has no comment"},
		{daemon, "package node\n\nfunc (x *thing) F() {}\n", ""},
		{daemon, "package node\n\ntype T int\n", "T has no comment"},
		{"node/x_test.go", "package node\n\nfunc TestX(t *testing.T) { t.Skip(\"later\") }\n", "skipped for another reason"},
		{"node/x_test.go", "package node\n\nfunc TestX(t *testing.T) {\n\tif testing.Short() {\n\t\tt.Skip(\"heavy\")\n\t}\n}\n", ""},
		{"node/x_test.go", "package node\n\nfunc TestX(t *testing.T) { time.Sleep(1) }\n", "sleeps"},
		{"node/x_test.go", "package node\n\nimport \"testing/synctest\"\n\nfunc TestX(t *testing.T) { time.Sleep(1) }\n", ""},
		{core, "package session\n\nvar cache map[string]int\n", "cache is mutable state"},
		{core, "package session\n\nvar n = 1\n\nfunc f() { n++ }\n", "n is written to"},
		{core, "package session\n\nvar table = [...]int{1, 2}\n\nfunc f() { table[0] = 3 }\n", "table is written to"},
		{core, "package session\n\nvar table = [...]int{1, 2}\n\nfunc f() int { table := 1; table++; return table }\n", ""},
		{core, "package session\n\nvar errShort = errors.New(\"short\")\n\nvar _ io.Reader\n", ""},
	}
	for _, row := range rows {
		got := complaints(t, row.path, row.source)
		if row.want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || row.want == "" || !strings.Contains(got[0], row.want) {
			t.Errorf("%s with\n%s\ncomplaints %q, want %q", row.path, row.source, got, row.want)
		}
	}
}

// TestTidyWantsPackageComments checks the one rule that needs a missing file.
func TestTidyWantsPackageComments(t *testing.T) {
	s, err := parse(token.NewFileSet(), "store/x.go", []byte("package store\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := packageComplaints("store", []source{s}); len(got) != 1 {
		t.Errorf("complaints %q", got)
	}
}

// complaints judges one file as if its package were documented.
func complaints(t *testing.T, name, text string) []string {
	t.Helper()
	files := token.NewFileSet()
	s, err := parse(files, name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	dir := path.Dir(name)
	doc, err := parse(files, dir+"/doc.go", []byte("// Package is documented.\npackage "+s.file.Name.Name+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(fileComplaints(s), packageComplaints(dir, []source{doc, s}))
}
