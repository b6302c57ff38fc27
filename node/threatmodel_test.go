package node_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	// threatModel is where the claims are, as seen from here.
	threatModel = "../protocol/doc/threat-model.md"
	// shownBy heads the column that names the tests of a claim.
	shownBy = "shown by"
)

// reference is a test as the threat model names it: `file:Test`, or a script.
var reference = regexp.MustCompile("`([a-z0-9_/]+)(?:_test\\.go:((?:Test|Fuzz)\\w+)|(\\.txtar))`")

// claim is a row of the threat model.
type claim struct {
	line  int
	text  string
	tests string
}

// claimsOf returns the rows of every table of a document, and complains of tables
// without a column of tests.
func claimsOf(t *testing.T, document string) (claims []claim) {
	t.Helper()
	inTable := false
	number := 0
	for line := range strings.Lines(document) {
		number++
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			inTable = false
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		last := strings.TrimSpace(cells[len(cells)-1])
		switch {
		case !inTable && last != shownBy:
			t.Errorf("line %d: a table whose last column is %q: what it says must be shown by tests", number, last)
		case inTable && strings.Trim(last, "-") != "":
			claims = append(claims, claim{line: number, text: strings.TrimSpace(cells[0]), tests: last})
		}
		inTable = true
	}
	return claims
}

// TestThreatModelNamesItsTests checks that every claim of the threat model names
// tests that there are, and that run.
func TestThreatModelNamesItsTests(t *testing.T) {
	document := must[[]byte](t)(os.ReadFile(threatModel))
	claims := claimsOf(t, string(document))
	if len(claims) < 40 {
		t.Errorf("only %d claims", len(claims))
	}
	for _, c := range claims {
		named := reference.FindAllStringSubmatch(c.tests, -1)
		if len(named) == 0 {
			t.Errorf("line %d: no test shows that %s", c.line, c.text)
		}
		if rest := strings.TrimSpace(reference.ReplaceAllString(c.tests, "")); rest != "" {
			t.Errorf("line %d: %q is no test", c.line, rest)
		}
	}
	for _, named := range reference.FindAllStringSubmatch(string(document), -1) {
		if complaint := missing(named[1], named[2]); complaint != "" {
			t.Error(complaint)
		}
	}
}

// missing says what is wrong with a test that is named, or nothing.
func missing(file, test string) string {
	if test == "" {
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(file)+".txtar")); err != nil {
			return "there is no script " + file + ".txtar"
		}
		return ""
	}
	name := filepath.Join("..", filepath.FromSlash(file)+"_test.go")
	parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		return "there is no file " + file + "_test.go"
	}
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || f.Name.Name != test {
			continue
		}
		if len(calls(f, "Skip", "Skipf", "SkipNow")) > 0 {
			return test + " in " + file + "_test.go may skip itself: it shows nothing then"
		}
		return ""
	}
	return "there is no " + test + " in " + file + "_test.go"
}

// calls returns the names of the methods that are called in a piece of code, of
// those asked for.
func calls(in ast.Node, names ...string) (found []string) {
	ast.Inspect(in, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(names, s.Sel.Name) {
				found = append(found, s.Sel.Name)
			}
		}
		return true
	})
	return found
}

// TestThreatModelTestCanFail gives the checks what they must refuse.
func TestThreatModelTestCanFail(t *testing.T) {
	for _, named := range [][2]string{{"node/nowhere", "TestFirstConversation"}, {"node/node", "TestNothing"}, {"node/node", ""}} {
		if missing(named[0], named[1]) == "" {
			t.Errorf("%v is said to be there", named)
		}
	}
	if complaint := missing("node/node", "TestFirstConversation"); complaint != "" {
		t.Error(complaint)
	}
	claims := claimsOf(t, "| a | "+shownBy+" |\n|---|---|\n| one | `node/node_test.go:TestX` |\n| two | |\n\n| b | "+shownBy+" |\n|---|---|\n| three | no |\n")
	if len(claims) != 3 && claims[len(claims)-1].text != "three" {
		t.Errorf("claims %+v", claims)
	}
}

// TestOnlyKeysAreSigned looks through the protocol's code: the account signs device
// lists, device entries and bundles, and there is no other signature. So nothing that
// is written in a conversation can be proved to a third person by its bytes.
func TestOnlyKeysAreSigned(t *testing.T) {
	may := map[string]int{"identity/keys.go": 1, "identity/list.go": 2, "identity/entry.go": 1, "invite/offer.go": 1,
		// By keys of one group alone: of who is in it, what they are called there, and what is said there.
		"identity/member.go": 1, "wire/groupoperation.go": 1, "wire/groupleave.go": 1, "wire/groupmessage.go": 1, "wire/groupprofile.go": 1, "wire/groupword.go": 2, "groups.go": 4}
	found := map[string]int{}
	root := filepath.Join("..", "protocol")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if n := len(calls(parsed, "Sign", "SignMessage")); n > 0 {
			name, err := filepath.Rel(root, path)
			found[filepath.ToSlash(name)] = n
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range found {
		if may[name] != n {
			t.Errorf("%s signs %d times, want %d", name, n, may[name])
		}
	}
	if len(found) != len(may) {
		t.Errorf("signatures are made in %d files, want %d", len(found), len(may))
	}
}
