package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// target is one fuzz target.
type target struct{ pkg, name string }

func (f target) String() string { return f.pkg + "." + f.name }

// fuzz runs every fuzz target of the tree.
func fuzz(ctx context.Context, t tree, args []string) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	each := flags.Duration("for", 10*time.Second, "`time` a target")
	pattern := flags.String("run", "", "only targets whose package.Name matches this `expression`")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		fmt.Fprintln(t.stderr, err)
		return errUsage
	}
	return t.fuzzAll(ctx, *each, wanted)
}

// fuzzAll fuzzes every target that wanted matches, nil meaning all. It goes on
// after a finding: a run over night should bring all of them. Go keeps the input that
// failed in the package's testdata/fuzz, where it becomes a test.
func (t tree) fuzzAll(ctx context.Context, each time.Duration, wanted *regexp.Regexp) error {
	targets, err := t.targets(ctx)
	if err != nil {
		return err
	}
	var found []error
	ran := 0
	for _, f := range targets {
		if wanted != nil && !wanted.MatchString(f.String()) {
			continue
		}
		ran++
		err := t.fuzzOne(ctx, f, each)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			found = append(found, fmt.Errorf("%v: %w", f, err))
		}
	}
	if ran == 0 {
		return errors.New("no fuzz target matches")
	}
	fmt.Fprintf(t.stdout, "%d fuzz targets, %v each, %d with a finding\n", ran, each, len(found))
	return errors.Join(found...)
}

// fuzzTries is how often a target is run whose end Go takes for a failure.
const fuzzTries = 3

// fuzzOne fuzzes one target. Go before 1.27 now and then reports the end of
// -fuzztime itself as a failure (https://go.dev/issue/75804): such a run found
// nothing and shows nothing, so it is made again.
func (t tree) fuzzOne(ctx context.Context, f target, each time.Duration) error {
	for try := 1; ; try++ {
		var shown bytes.Buffer
		again := t
		again.stdout = io.MultiWriter(t.stdout, &shown)
		err := again.run(ctx, "go", "test", "-run=^$", "-fuzz=^"+f.name+"$", "-fuzztime="+each.String(), f.pkg)
		if err == nil || try == fuzzTries || !onlyTimeUp(shown.String(), f.name) {
			return err
		}
		fmt.Fprintf(t.stdout, "%v: Go took the end of the time for a failure (go.dev/issue/75804), again\n", f)
	}
}

// onlyTimeUp reports whether all that a run of a target complains of is that its time is up.
func onlyTimeUp(shown, name string) bool {
	_, complaint, failed := strings.Cut(shown, "--- FAIL: "+name+" (")
	_, complaint, closed := strings.Cut(complaint, ")\n")
	return failed && closed && strings.HasPrefix(complaint, "    context deadline exceeded\nFAIL\n")
}

// targets asks the tests of every package that seems to have fuzz targets for
// their names. To ask the others would mean to link them all.
func (t tree) targets(ctx context.Context) ([]target, error) {
	packages, err := t.output(ctx, "go", "list", "-f", "{{.ImportPath}}\t{{.Dir}}", "./...")
	if err != nil {
		return nil, err
	}
	list := []string{"test", "-list=^Fuzz"}
	for line := range strings.Lines(packages) {
		pkg, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		promising, err := mentionsFuzz(dir)
		if err != nil {
			return nil, err
		}
		if promising {
			list = append(list, pkg)
		}
	}
	listing, err := t.output(ctx, "go", list...)
	if err != nil {
		return nil, err
	}
	return parseTargets(listing), nil
}

// mentionsFuzz reports whether a test file in dir looks like it has a fuzz target.
func mentionsFuzz(dir string) (bool, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return false, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return false, err
		}
		if bytes.Contains(text, []byte("\nfunc Fuzz")) {
			return true, nil
		}
	}
	return false, nil
}

// parseTargets reads what `go test -list` prints: the names of a package, a
// line each, then "ok", the package and a time.
func parseTargets(listing string) []target {
	var targets []target
	var names []string
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 1 && strings.HasPrefix(fields[0], "Fuzz"):
			names = append(names, fields[0])
		case len(fields) > 1 && fields[0] == "ok":
			for _, name := range names {
				targets = append(targets, target{fields[1], name})
			}
			names = nil
		}
	}
	return targets
}
