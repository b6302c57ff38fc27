package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	module       = "pabal"
	maxFileLines = 800
	maxFuncLines = 80
)

// mayImport lists, for each of our packages, which others of ours it may
// import; the longest path that fits a package counts, and a path ending in
// "/..." stands for itself and everything below. A new edge is a design
// decision: change it together with a decision record.
var mayImport = map[string][]string{
	"protocol/identity":   {},
	"protocol/wire":       {"protocol/identity"},
	"protocol/session":    {"protocol/identity", "protocol/wire"},
	"protocol/invite":     {"protocol/identity", "protocol/wire", "protocol/session"},
	"protocol/outbox":     {"protocol/identity", "protocol/wire", "protocol/session"},
	"protocol/attachment": {"protocol/identity", "protocol/wire"},
	"protocol/group":      {"protocol/identity", "protocol/wire"},
	"protocol/mailbox":    {"protocol/identity", "protocol/wire"},
	"protocol/rendezvous": {"protocol/identity", "protocol/wire"},
	"protocol": {
		"protocol/identity", "protocol/wire", "protocol/session", "protocol/invite", "protocol/outbox", "protocol/mailbox", "protocol/rendezvous", "protocol/attachment", "protocol/group",
	},
	"protocol/sim":      {"protocol/..."},
	"store/archive":     {},
	"store":             {"protocol/...", "store/..."},
	"node/api":          {},
	"node/egress":       {},
	"node/surroundings": {},
	"node/lan":          {"protocol/rendezvous", "protocol/wire", "node/egress"},
	"node/p2p":          {"protocol/identity", "protocol/rendezvous", "protocol/wire", "node/egress"},
	"node/clean":        {},
	"node/portrait":     {"protocol/wire", "node/clean"},
	"node/scan":         {"node/portrait"},
	"node/p2p/lab":      {"protocol/identity", "protocol/wire", "node/p2p"},
	"node/httpd":        {"protocol/...", "store/...", "node/api", "node/clean", "node/egress", "node/portrait", "node/scan"},
	"node":              {"protocol/...", "store/...", "node/..."},
	"cmd/crash":         {"store", "node/api"},
	"cmd/pabal":         {"store", "node/...", "cmd/pabal/...", "cmd/crash"}, // store: the errors that run tells apart
	"cmd/dev":           {"protocol/...", "store/...", "node/...", "cmd/crash"},
}

// layers is the direction of the whole: a layer imports only those before it.
// Test files are held to this alone.
var layers = []string{"protocol", "store", "node", "cmd"}

// onlyIn says which packages may import a module of others; no packages means
// that nobody may. Keys are prefixes of import paths.
var onlyIn = map[string][]string{
	"github.com/libp2p/":              {"node/p2p/..."},
	"github.com/multiformats/":        {"node/p2p/..."},
	"github.com/ipfs/":                {"node/p2p/..."},
	"github.com/marcopolo/simnet":     {"node/p2p/..."},
	"github.com/danielgtaylor/huma/":  {"node/httpd"},
	"github.com/prometheus/":          {"node/..."},
	"github.com/spf13/":               {"cmd/pabal/..."},
	"github.com/ncruces/":             {"store/..."},
	"lukechampine.com/":               {"store/..."},
	"github.com/fxamacker/cbor/":      {"protocol/...", "store/..."},
	"rsc.io/qr":                       {"node/httpd/...", "node/scan", "cmd/pabal/..."},
	"github.com/makiuchi-d/":          {"node/scan"},
	"github.com/rogpeppe/go-internal": {"cmd/..."},
	"github.com/stretchr/":            {},
}

// impure are the packages that the sans-IO core must not import, with all below them.
var impure = []string{
	"context", "crypto/rand", "log", "math/rand", "net", "os", "path/filepath", "runtime", "sync", "syscall", "testing",
}

// clock are the functions of package time that the core must not call.
var clock = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// vague are names for files and packages that say nothing.
var vague = []string{"base", "common", "helper", "helpers", "misc", "types", "util", "utils"}

// foreign are method names that an interface of others asks for: huma's StatusError.
var foreign = []string{"GetStatus"}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME)\b`)

// source is one parsed file; its path is relative to the top, with slashes.
type source struct {
	path  string
	text  []byte
	files *token.FileSet
	file  *ast.File
}

func parse(files *token.FileSet, name string, text []byte) (source, error) {
	file, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return source{name, text, files, file}, err
}

func (s source) dir() string   { return path.Dir(s.path) }
func (s source) test() bool    { return strings.HasSuffix(s.path, "_test.go") }
func (s source) layer() string { layer, _, _ := strings.Cut(s.path, "/"); return layer }

// pure reports whether the file belongs to the core.
func (s source) pure() bool {
	return s.layer() == "protocol" && !s.test() && !strings.HasPrefix(s.path, "protocol/sim/")
}

func (s source) complaint(n ast.Node, text string, args ...any) string {
	return fmt.Sprintf("%s: %s", s.files.Position(n.Pos()), fmt.Sprintf(text, args...))
}

// within reports whether dir is the package named by pattern, or is below it if
// the pattern ends in "/...".
func within(dir, pattern string) bool {
	below, all := strings.CutSuffix(pattern, "/...")
	return dir == below || all && strings.HasPrefix(dir, below+"/")
}

// fileComplaints says what is wrong with one file.
func fileComplaints(s source) []string {
	var all []string
	if formatted, err := format.Source(s.text); err == nil && !bytes.Equal(s.text, formatted) {
		all = append(all, s.complaint(s.file, "not gofmt-ed"))
	}
	if ast.IsGenerated(s.file) {
		return all
	}
	if n := bytes.Count(s.text, []byte("\n")); n > maxFileLines && !s.test() {
		all = append(all, s.complaint(s.file, "file is %d lines long", n))
	}
	if name := strings.TrimSuffix(path.Base(s.path), ".go"); slices.Contains(vague, name) || slices.Contains(vague, s.file.Name.Name) {
		all = append(all, s.complaint(s.file, "a name that says nothing"))
	}
	for _, group := range s.file.Comments {
		if unfinished.MatchString(group.Text()) {
			all = append(all, s.complaint(group, "unfinished: write it or file it"))
		}
	}
	for _, imported := range s.file.Imports {
		all = append(all, importComplaints(s, imported)...)
	}
	for _, decl := range s.file.Decls {
		all = append(all, declComplaints(s, decl)...)
	}
	if s.pure() {
		all = append(all, purityComplaints(s)...)
	}
	if s.test() {
		all = append(all, testComplaints(s)...)
	}
	return all
}

func importComplaints(s source, imported *ast.ImportSpec) []string {
	name, _ := strconv.Unquote(imported.Path.Value)
	var all []string
	if ours, ok := strings.CutPrefix(name, module+"/"); ok && !allowedInside(s, ours) {
		all = append(all, s.complaint(imported, "%s must not import %s", s.dir(), ours))
	}
	for prefix, dirs := range onlyIn {
		allowed := slices.ContainsFunc(dirs, func(dir string) bool { return within(s.dir(), dir) })
		if strings.HasPrefix(name, prefix) && !allowed {
			all = append(all, s.complaint(imported, "only %q may import %s", dirs, name))
		}
	}
	if within(s.dir(), "node/api/...") && strings.Contains(name, ".") {
		all = append(all, s.complaint(imported, "node/api has only the standard library, not %s", name))
	}
	if s.pure() && name != "net/netip" && slices.ContainsFunc(impure, func(p string) bool { return within(name, p+"/...") }) {
		all = append(all, s.complaint(imported, "the core is sans-IO: no %s", name))
	}
	return all
}

// allowedInside reports whether a file may import a package of ours.
func allowedInside(s source, to string) bool {
	if s.test() || to == s.dir() {
		layer, _, _ := strings.Cut(to, "/")
		return slices.Index(layers, layer) <= slices.Index(layers, s.layer())
	}
	from := s.dir()
	for mayImport[from] == nil && from != "." {
		from = path.Dir(from)
	}
	return slices.ContainsFunc(mayImport[from], func(pattern string) bool { return within(to, pattern) })
}

// declComplaints judges one top-level declaration of code that is not a test.
func declComplaints(s source, decl ast.Decl) []string {
	if s.test() {
		return nil
	}
	var all []string
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		name := decl.Name.Name
		if lines := s.files.Position(decl.End()).Line - s.files.Position(decl.Pos()).Line + 1; lines > maxFuncLines {
			all = append(all, s.complaint(decl, "%s is %d lines long", name, lines))
		}
		if name == "init" && decl.Recv == nil {
			all = append(all, s.complaint(decl, "no init: say what to do where it is needed"))
		}
		if rest, getter := strings.CutPrefix(name, "Get"); getter && token.IsExported(rest) && !slices.Contains(foreign, name) {
			all = append(all, s.complaint(decl, "%s: no Get in front of a name", name))
		}
		if decl.Name.IsExported() && exportedReceiver(decl) && decl.Doc == nil {
			all = append(all, s.complaint(decl, "%s has no comment", name))
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			if name, documented := exportedSpec(spec); name != "" && decl.Doc == nil && !documented {
				all = append(all, s.complaint(spec, "%s has no comment", name))
			}
		}
	}
	return all
}

// exportedReceiver reports whether a function is no method, or one of an
// exported type.
func exportedReceiver(decl *ast.FuncDecl) bool {
	if decl.Recv == nil {
		return true
	}
	exported := true
	ast.Inspect(decl.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			exported = id.IsExported()
			return false
		}
		_, index := n.(*ast.IndexExpr)
		return !index || exported
	})
	return exported
}

// exportedSpec returns the first exported name that a declaration makes, and
// whether it has a comment of its own.
func exportedSpec(spec ast.Spec) (name string, documented bool) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() {
			return spec.Name.Name, spec.Doc != nil || spec.Comment != nil
		}
	case *ast.ValueSpec:
		for _, id := range spec.Names {
			if id.IsExported() {
				return id.Name, spec.Doc != nil || spec.Comment != nil
			}
		}
	}
	return "", false
}

// purityComplaints finds in a file of the core what makes it more than a function.
func purityComplaints(s source) []string {
	var all []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			all = append(all, s.complaint(n, "the core starts no goroutine"))
		case *ast.ChanType:
			all = append(all, s.complaint(n, "the core has no channel"))
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
				all = append(all, s.complaint(n, "time is passed in: no time.%s", n.Sel.Name))
			}
			if n.Sel.Name == "GenerateKey" {
				all = append(all, s.complaint(n, "GenerateKey may ignore its reader: derive keys from a seed"))
			}
		}
		return true
	})
	return all
}

// testComplaints finds skips that are not for -short, and sleeps outside a
// test of virtual time.
func testComplaints(s source) []string {
	virtual := slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
	var all []string
	var excused []ast.Node // bodies of if testing.Short()
	ast.Inspect(s.file, func(n ast.Node) bool {
		if branch, ok := n.(*ast.IfStmt); ok && mentions(branch.Cond, "testing", "Short") {
			excused = append(excused, branch.Body)
		}
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		inside := slices.ContainsFunc(excused, func(b ast.Node) bool { return b.Pos() <= n.Pos() && n.End() <= b.End() })
		switch selector.Sel.Name {
		case "Skip", "Skipf", "SkipNow":
			if _, method := selector.X.(*ast.Ident); method && !inside {
				all = append(all, s.complaint(n, "a test is skipped for another reason than -short"))
			}
		}
		if mentions(selector, "time", "Sleep") && !virtual {
			all = append(all, s.complaint(n, "a test sleeps where it could wait"))
		}
		return true
	})
	return all
}

// mentions reports whether an expression has the selector x.name in it.
func mentions(n ast.Node, x, name string) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok && selector.Sel.Name == name {
			id, ok := selector.X.(*ast.Ident)
			found = found || ok && id.Name == x
		}
		return true
	})
	return found
}

// packageComplaints judges what only the files of a package together show: its
// comment, and package variables that are more than constants.
func packageComplaints(dir string, sources []source) []string {
	var all []string
	var code []source
	documented := false
	for _, s := range sources {
		if s.test() {
			continue
		}
		code = append(code, s)
		documented = documented || path.Base(s.path) == "doc.go" && s.file.Doc != nil
	}
	if len(code) > 0 && !documented {
		all = append(all, dir+": no doc.go with a package comment")
	}
	for _, s := range code {
		for _, decl := range s.file.Decls {
			all = append(all, variableComplaints(s, decl)...)
		}
	}
	return append(all, writeComplaints(dir, code)...)
}

// variableComplaints refuses package variables without a value: they can only
// be there to be changed.
func variableComplaints(s source, decl ast.Decl) []string {
	group, ok := decl.(*ast.GenDecl)
	if !ok || group.Tok != token.VAR {
		return nil
	}
	var all []string
	for _, spec := range group.Specs {
		spec := spec.(*ast.ValueSpec)
		embedded := commentHas(group.Doc, "go:embed") || commentHas(spec.Doc, "go:embed")
		if name := spec.Names[0].Name; len(spec.Values) == 0 && name != "_" && !embedded {
			all = append(all, s.complaint(spec, "package variable %s is mutable state", name))
		}
	}
	return all
}

func commentHas(group *ast.CommentGroup, text string) bool {
	return group != nil && slices.ContainsFunc(group.List, func(c *ast.Comment) bool { return strings.Contains(c.Text, text) })
}

// writeComplaints finds where a package changes its own package variables, in
// whole or in part, or takes their address. The type checker runs without the
// imported packages, which is enough to tell whose variable a name is.
func writeComplaints(dir string, code []source) []string {
	if len(code) == 0 {
		return nil
	}
	var files []*ast.File
	for _, s := range code {
		files = append(files, s.file)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	lenient := types.Config{Error: func(error) {}, Importer: noImporter{}}
	pkg, _ := lenient.Check(module+"/"+dir, code[0].files, files, &info) // errors are the compiler's business

	var all []string
	for _, s := range code {
		ast.Inspect(s.file, func(n ast.Node) bool {
			for _, id := range written(n) {
				if v, ok := info.Uses[id].(*types.Var); ok && v.Parent() == pkg.Scope() {
					all = append(all, s.complaint(n, "package variable %s is written to: it must be a constant table", id.Name))
				}
			}
			return true
		})
	}
	return all
}

// noImporter imports nothing.
type noImporter struct{}

func (noImporter) Import(name string) (*types.Package, error) {
	return nil, fmt.Errorf("import of %s left out", name)
}

// written returns the variables that a node assigns to or whose address it takes.
func written(n ast.Node) []*ast.Ident {
	var targets []ast.Expr
	switch n := n.(type) {
	case *ast.AssignStmt:
		targets = n.Lhs
	case *ast.IncDecStmt:
		targets = []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			targets = []ast.Expr{n.X}
		}
	}
	var ids []*ast.Ident
	for _, target := range targets {
		if id := rootOf(target); id != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// rootOf returns the variable at the bottom of x[i].y.z, or nil.
func rootOf(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
