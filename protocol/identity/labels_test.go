package identity

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// notUsedYet are the labels of what is specified and not built: groups and channels.
func notUsedYet() []string {
	return []string{"LabelPair", "LabelEpoch", "LabelTopic", "LabelPost"}
}

// TestLabels checks that the list holds every label, that no two are the same, that each
// is used in exactly one file of the protocol (making and reading may lie side by side
// there), and that nothing makes a label by hand.
func TestLabels(t *testing.T) {
	declared := declaredLabels(t)
	values := map[Label]bool{}
	for _, l := range Labels() {
		if values[l] || l == "" || strings.ContainsRune(string(l), 0) {
			t.Errorf("label %q is listed twice, empty or holds a zero byte", l)
		}
		values[l] = true
	}
	if len(declared) != len(Labels()) {
		t.Errorf("%d labels are declared, %d are listed", len(declared), len(Labels()))
	}
	for name, value := range declared {
		if !values[value] {
			t.Errorf("%s is not listed", name)
		}
	}
	uses := labelUses(t)
	for name := range declared {
		switch n := len(uses[name]); {
		case n > 1:
			t.Errorf("%s is used in %d files: %s", name, n, strings.Join(uses[name], ", "))
		case n == 0 && !slices.Contains(notUsedYet(), name):
			t.Errorf("%s is not used", name)
		}
	}
}

// declaredLabels reads the constants of primitives.go.
func declaredLabels(t *testing.T) map[string]Label {
	file, err := parser.ParseFile(token.NewFileSet(), "primitives.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Label{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Label") {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			out[spec.Names[0].Name] = Label(strings.Trim(literal.Value, `"`))
		}
		return true
	})
	return out
}

// labelUses returns which files use each label, by its constant's name.
func labelUses(t *testing.T) map[string][]string {
	uses := map[string][]string{}
	fset := token.NewFileSet()
	use := func(name, path string) {
		if !slices.Contains(uses[name], path) {
			uses[name] = append(uses[name], path)
		}
	}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "primitives.go" {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		here := filepath.Base(filepath.Dir(path)) == "identity" || file.Name.Name == "identity"
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "identity" && strings.HasPrefix(n.Sel.Name, "Label") {
					use(n.Sel.Name, path)
				}
			case *ast.Ident:
				if here && strings.HasPrefix(n.Name, "Label") && n.Name != "Labels" {
					use(n.Name, path)
				}
			case *ast.BasicLit:
				// The exporter context of the KEM is no label: it has no zero byte.
				if strings.Contains(n.Value, labelPrefix) && n.Value != `"pabal/1 secret"` {
					t.Errorf("%s makes a label by hand", fset.Position(n.Pos()))
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return uses
}
