package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
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
		err := t.run(ctx, "go", "test", "-run=^$", "-fuzz=^"+f.name+"$", "-fuzztime="+each.String(), f.pkg)
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
