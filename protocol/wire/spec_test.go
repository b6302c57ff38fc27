package wire

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"pabal/protocol/identity"
)

// These tests hold the tables of the spec to the code, so that neither changes alone.

// specSection returns the lines of the section of the spec with this heading.
func specSection(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "doc", "spec.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the spec has no section %q", heading)
	}
	section, _, _ := strings.Cut(after, "\n## ")
	return strings.Split(section, "\n")
}

// specRows returns the cells of the table whose head begins with these cells.
func specRows(t *testing.T, lines []string, head ...string) [][]string {
	t.Helper()
	var rows [][]string
	inside := false
	for _, line := range lines {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "|---"):
			rows = append(rows, cells)
		case len(cells) >= len(head) && slices.Equal(cells[:len(head)], head):
			inside = true
		}
	}
	if len(rows) == 0 {
		t.Fatalf("the spec has no table %q", head)
	}
	return rows
}

// specNumbers returns the numbers in a cell, which has commas between thousands.
func specNumbers(cell string) []int {
	var list []int
	for _, s := range regexp.MustCompile(`[0-9]+(,[0-9]{3})*`).FindAllString(cell, -1) {
		if n, err := strconv.Atoi(strings.ReplaceAll(s, ",", "")); err == nil {
			list = append(list, n)
		}
	}
	return list
}

func TestSpecFrames(t *testing.T) {
	seen := map[Type]bool{}
	for _, row := range specRows(t, specSection(t, "Frames"), "type") {
		typ := Type(specNumbers(row[0])[0])
		seen[typ] = true
		if name := strings.ReplaceAll(typ.Name(), "_", " "); name != row[1] {
			t.Errorf("type %d is %q in the spec and %q in the code", typ, row[1], name)
		}
		least, most, _ := typ.bodySizes()
		if _, limit, ranged := strings.Cut(row[2], "≤"); ranged {
			if n := specNumbers(limit); n[len(n)-1] != most {
				t.Errorf("%s: at most %d bytes in the spec, %d in the code", row[1], n, most)
			}
			continue
		}
		if least != most {
			t.Errorf("%s has no fixed size, and the spec no limit", row[1])
		}
	}
	for typ := range Type(255) {
		if _, _, known := typ.bodySizes(); known != seen[typ] {
			t.Errorf("type %d: in the code %v, in the spec %v", typ, known, seen[typ])
		}
	}
	if _, most, _ := Type(255).bodySizes(); !strings.Contains(strings.Join(specSection(t, "Frames"), "\n"), "0 to 65,792 bytes") || most != 65792 {
		t.Errorf("an unknown type may have %d bytes", most)
	}
}

// contentNames returns the types of content by the words of their constants.
func contentNames(t *testing.T) map[string]ContentType {
	t.Helper()
	names := map[string]ContentType{}
	for name, value := range packageConstants(t, ".") {
		words, is := strings.CutPrefix(name, "Content")
		if !is || value.kind != "ContentType" {
			continue
		}
		var text strings.Builder
		for i, c := range words {
			if unicode.IsUpper(c) && i > 0 {
				text.WriteByte(' ')
			}
			text.WriteRune(unicode.ToLower(c))
		}
		names[text.String()] = ContentType(value.n)
	}
	return names
}

func TestSpecContents(t *testing.T) {
	names := contentNames(t)
	section := specSection(t, "Contents")
	listed := map[ContentType]bool{}
	for _, row := range specRows(t, section, "type", "", "keys") {
		typ := ContentType(specNumbers(row[0])[0])
		listed[typ] = true
		if got, ok := names[row[1]]; !ok || got != typ {
			t.Errorf("type %d is %q in the spec, which is %d in the code", typ, row[1], got)
		}
		must, may, known := typ.fields()
		if !known {
			t.Errorf("%s has fields in the spec and none in the code", row[1])
		}
		bold := keySet(0)
		for _, m := range regexp.MustCompile(`\*\*([0-9]+)\*\*`).FindAllStringSubmatch(row[2], -1) {
			bold |= keys(specNumbers(m[1])...)
		}
		common := keys(keyType, keyID, keySequence, keyParents, keyAt, keyTimer)
		if may&^common != bold || must&^common&^bold != 0 {
			t.Errorf("%s: keys %b in the spec, %b in the code", row[1], bold, may&^common)
		}
	}
	_, reserved, _ := strings.Cut(strings.Join(section, " "), "Reserved: ")
	reserved, _, _ = strings.Cut(reserved, ".")
	for _, m := range strings.Split(reserved, ",") {
		number, name, _ := strings.Cut(strings.TrimSpace(m), " ")
		n, err := strconv.Atoi(number)
		if got, ok := names[name]; err != nil || !ok || got != ContentType(n) || listed[got] {
			t.Errorf("reserved %q is %d in the code", m, got)
		}
		if _, _, known := ContentType(n).fields(); known {
			t.Errorf("reserved %q has fields in the code", m)
		}
		listed[ContentType(n)] = true
	}
	if len(listed) != len(names) {
		t.Errorf("%d types in the spec, %d in the code", len(listed), len(names))
	}
}

func TestSpecLabels(t *testing.T) {
	var listed []identity.Label
	for _, row := range specRows(t, specSection(t, "Conventions and primitives"), "labels", "for") {
		for _, name := range strings.Split(row[0], ", ") {
			listed = append(listed, identity.Label(name))
		}
	}
	want := identity.Labels()
	slices.Sort(listed)
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("labels in the spec: %q, in the code: %q", listed, want)
	}
}

// specConstant is the value of a constant of the code.
type specConstant struct {
	n    int64
	kind string // the name of its type
}

// packageConstants returns the integer constants that the package in dir declares. It
// needs no other package but time, whose units stand in the expressions.
func packageConstants(t *testing.T, dir string) map[string]specConstant {
	t.Helper()
	fset := token.NewFileSet()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, e.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	// What needs other packages fails to check, which is no matter: limits do not.
	config := types.Config{Importer: onlyTime{}, Error: func(error) {}, IgnoreFuncBodies: true}
	pkg, _ := config.Check(dir, fset, files, nil)
	out := map[string]specConstant{}
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if !ok || c.Val().Kind() != constant.Int {
			continue
		}
		n, exact := constant.Int64Val(c.Val())
		if named, is := c.Type().(*types.Named); is && exact {
			out[name] = specConstant{n, named.Obj().Name()}
		} else if exact {
			out[name] = specConstant{n: n}
		}
	}
	return out
}

// onlyTime imports the units of time, and every other package empty.
type onlyTime struct{}

// Import implements types.Importer.
func (onlyTime) Import(path string) (*types.Package, error) {
	pkg := types.NewPackage(path, filepath.Base(path))
	if path == "time" {
		duration := types.NewNamed(types.NewTypeName(token.NoPos, pkg, "Duration", nil), types.Typ[types.Int64], nil)
		pkg.Scope().Insert(duration.Obj())
		for name, d := range map[string]time.Duration{"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour, "Millisecond": time.Millisecond} {
			pkg.Scope().Insert(types.NewConst(token.NoPos, pkg, name, duration, constant.MakeInt64(int64(d))))
		}
	}
	pkg.MarkComplete()
	return pkg, nil
}

// specQuantities reads the numbers of a cell of the table of limits. A number without a
// unit has that of the one before or after it, as in "2 to 5 minutes".
func specQuantities(cell string) (plain []int64, durations []time.Duration) {
	cell = regexp.MustCompile(`,([0-9]{3})`).ReplaceAllString(cell, "$1")
	cell = strings.NewReplacer("2²⁰", "1048576", "2⁶²", "4611686018427387904", "KiB", "× 1024", "MiB", "× 1048576").Replace(cell)
	units := map[string]time.Duration{"s": time.Second, "minute": time.Minute, "minutes": time.Minute, "h": time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour}
	found := regexp.MustCompile(`([0-9]+)(?: (× 1024|× 1048576|s\b|minutes?|h\b|days?))?`).FindAllStringSubmatch(cell, -1)
	unit := time.Duration(0)
	for _, m := range found { // of a range the unit stands behind the last number
		unit = max(unit, units[m[2]])
	}
	for _, m := range found {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			continue
		}
		switch m[2] {
		case "× 1024":
			n *= 1024
		case "× 1048576":
			n *= 1 << 20
		}
		if u := units[m[2]]; u != 0 {
			unit = u
		}
		plain, durations = append(plain, n), append(durations, time.Duration(n)*unit)
	}
	return plain, durations
}

// TestSpecLimits checks each number in the table of limits against the constant that the
// table names for it.
func TestSpecLimits(t *testing.T) {
	places := map[string]string{
		"wire": ".", "identity": "../identity", "session": "../session", "invite": "../invite", "protocol": "..",
		"outbox": "../outbox", "attachment": "../attachment", "mailbox": "../mailbox", "rendezvous": "../rendezvous", "group": "../group", "p2p": "../../node/p2p", "node": "../../node",
	}
	known := map[string]map[string]specConstant{}
	for _, row := range specRows(t, specSection(t, "Limits"), "", "", "constant") {
		if row[2] == "" {
			continue
		}
		plain, durations := specQuantities(row[1])
		for i, name := range strings.Split(row[2], ", ") {
			pkg, name, _ := strings.Cut(strings.Trim(name, "`"), ".")
			if known[pkg] == nil {
				known[pkg] = packageConstants(t, places[pkg])
			}
			value, ok := known[pkg][name]
			switch {
			case !ok:
				t.Errorf("%s: there is no %s.%s", row[0], pkg, name)
			case i >= len(plain):
				t.Errorf("%s: the spec says nothing for %s.%s", row[0], pkg, name)
			case value.kind == "Duration" && time.Duration(value.n) != durations[i]:
				t.Errorf("%s: %s.%s is %v, in the spec %v", row[0], pkg, name, time.Duration(value.n), durations[i])
			case value.kind != "Duration" && value.n != plain[i]:
				t.Errorf("%s: %s.%s is %d, in the spec %d", row[0], pkg, name, value.n, plain[i])
			}
		}
	}
}
