package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	mutateSeeds     = 40 // each bug must be found within these
	gremlinsKillBar = 80 // percent

	// gremlinsPatience is how many times as long as ever the tests may take before a bug counts as one that
	// never ends: on a machine that has more to do a small number takes slow tests for such.
	gremlinsPatience = 20
)

// mutation is a bug made on purpose: one text of one file becomes another.
type mutation struct {
	name, file string
	old, new   string
}

// mutations are the bugs that the simulator must find. Each is the only change
// of its build.
func mutations() []mutation {
	return []mutation{
		{
			name: "acknowledge before commit", file: "protocol/sim/machine.go",
			old: "if m.w.plan.Mutation == AckBeforeCommit {",
			new: "if m.w.plan.Mutation == Faithful {",
		}, {
			name: "reuse a chain key", file: "protocol/session/seal.go",
			old: "s.send.chain = nextChainKey(s.send.chain)",
			new: "if s.out.next%8 != 7 { s.send.chain = nextChainKey(s.send.chain) }",
		}, {
			name: "drop a receipt", file: "protocol/traffic.go",
			old: "for _, index := range o.Acked {",
			new: "for _, index := range o.Acked[:len(o.Acked)-len(o.Acked)%2] {",
		},
	}
}

// mutate shows that the simulator can fail: it must find each bug within some
// seeds that pass without it. With -package, gremlins makes the bugs and the
// package's own tests must find them.
func mutate(ctx context.Context, t tree, args []string) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	pkg := flags.String("package", "", "let gremlins change this `package`, for example ./protocol/session")
	seeds := flags.Uint64("seeds", mutateSeeds, "`number` of seeds within which the simulator must find a bug")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if *pkg != "" {
		return t.gremlins(ctx, *pkg)
	}
	dir, err := os.MkdirTemp("", "pabal-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	control := mutation{name: "no bug"}
	if found, err := t.simulateMutant(ctx, dir, control, *seeds); err != nil || found != "" {
		return errors.Join(err, errors.New("the simulator fails without a bug: "+found))
	}
	fmt.Fprintf(t.stdout, "no bug: %d seeds pass\n", *seeds)
	var missed []string
	for _, m := range mutations() {
		found, err := t.simulateMutant(ctx, dir, m, *seeds)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", m.name, err)
		case found == "":
			missed = append(missed, m.name)
			fmt.Fprintf(t.stdout, "%s: NOT FOUND within %d seeds\n", m.name, *seeds)
		default:
			fmt.Fprintf(t.stdout, "%s: found: %s\n", m.name, found)
		}
	}
	if len(missed) > 0 {
		return errors.New("not found: " + strings.Join(missed, ", "))
	}
	return nil
}

// simulateMutant builds the simulator with one bug, runs seeds one after the
// other, and returns what it found, or nothing.
func (t tree) simulateMutant(ctx context.Context, dir string, m mutation, seeds uint64) (string, error) {
	binary := filepath.Join(dir, "mutant.test")
	build := []string{"test", "-c", "-o", binary}
	if m.file != "" {
		overlay, err := t.overlay(dir, m)
		if err != nil {
			return "", err
		}
		build = append(build, "-overlay", overlay)
	}
	if _, err := t.output(ctx, "go", append(build, "./"+simPackage)...); err != nil {
		return "", err
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		cmd := t.command(ctx, binary, plainWorlds().arguments(seedRange{seed, 1})...)
		cmd.Dir = filepath.Join(t.root, filepath.FromSlash(simPackage))
		out, err := cmd.Output()
		var exit *exec.ExitError
		if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
			return "", errors.Join(ctx.Err(), err)
		}
		if err != nil {
			return firstViolation(out, seed), nil
		}
	}
	return "", nil
}

// firstViolation returns the line that says what a failed seed found.
func firstViolation(out []byte, seed uint64) string {
	prefix := []byte("seed " + strconv.FormatUint(seed, 10))
	for line := range bytes.Lines(out) {
		if i := bytes.Index(line, prefix); i >= 0 {
			return string(bytes.TrimSpace(line[i:]))
		}
	}
	return string(prefix) + " failed"
}

// overlay writes the changed file and the list that makes the go command take
// it for the original. The tree stays as it is.
func (t tree) overlay(dir string, m mutation) (string, error) {
	original := filepath.Join(t.root, filepath.FromSlash(m.file))
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	mutant, err := m.apply(string(text))
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, []byte(mutant), 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}

// apply makes the bug in the text of its file.
func (m mutation) apply(text string) (string, error) {
	if n := strings.Count(text, m.old); n != 1 {
		return "", fmt.Errorf("%s has %d times %q, must have it once: adapt the mutation to the code", m.file, n, m.old)
	}
	return strings.Replace(text, m.old, m.new, 1), nil
}

// gremlins changes a package operator by operator and wants its tests, run with
// -short, to notice most of it.
func (t tree) gremlins(ctx context.Context, pkg string) error {
	cmd := t.command(ctx, "go", "tool", "-modfile=.tools/go.mod", "gremlins", "unleash",
		"--threshold-efficacy", strconv.Itoa(gremlinsKillBar), "--workers", "1", "--timeout-coefficient", strconv.Itoa(gremlinsPatience), pkg)
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -short"))
	cmd.Stdout = t.stdout
	return cmd.Run()
}
