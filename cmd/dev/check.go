package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a check costs beside compiling: a few minutes on two cores.
const (
	checkFuzzTime = 2 * time.Second // a target
	checkSeeds    = 50
)

// staticChecks are staticcheck's default checks without two: SA4005 takes a value
// receiver that a loop advances for a lost assignment, and S1016 wants one type
// converted to another where only their fields happen to be the same.
const staticChecks = "inherit,-SA4005,-S1016"

// raceExempt keeps the race detector out of SQLite, which is a machine's translation into
// Go. It would find nothing there: a connection's memory is mapped, not Go's, and the
// detector passes by all such; and calls of one connection by two goroutines at a time are
// seen above, in go-sqlite3. What it costs there is most of the time of the tests.
const raceExempt = "-gcflags=github.com/ncruces/go-sqlite3-wasm/...=-race=false"

// step is one part of a check.
type step struct {
	name string
	run  func(ctx context.Context) error
}

// check runs everything that a commit must pass. It goes on after a failed
// step, so that one run shows all that is wrong.
func check(ctx context.Context, t tree, args []string) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	only := flags.String("only", "", "comma-separated `steps` to run: format, vet, staticcheck, race, fuzz, sim")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	var failed []string
	for _, s := range t.checkSteps() {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), s.name) {
			continue
		}
		start := time.Now()
		err := s.run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		verdict := "ok"
		if err != nil {
			verdict = err.Error()
			failed = append(failed, s.name)
		}
		fmt.Fprintf(t.stdout, "== %s: %s (%v)\n", s.name, verdict, time.Since(start).Round(100*time.Millisecond))
	}
	if len(failed) > 0 {
		return errors.New("failed: " + strings.Join(failed, ", "))
	}
	return nil
}

func (t tree) checkSteps() []step {
	return []step{
		{"format", t.checkFormat},
		{"vet", func(ctx context.Context) error { return t.run(ctx, "go", "vet", "./...") }},
		{"staticcheck", func(ctx context.Context) error {
			return t.run(ctx, "go", "tool", "-modfile=.tools/go.mod", "staticcheck", "-checks="+staticChecks, "./...")
		}},
		// Without cmd: its scripts run the same code, in processes and against deadlines.
		{"race", func(ctx context.Context) error {
			return t.run(ctx, "go", "test", "-race", raceExempt, "-short", "-timeout=20m", "./protocol/...", "./store/...", "./node/...")
		}},
		{"fuzz", func(ctx context.Context) error { return t.fuzzAll(ctx, checkFuzzTime, nil) }},
		{"sim", func(ctx context.Context) error {
			return sim(ctx, t, []string{"-first=1", "-seeds=" + strconv.Itoa(checkSeeds)})
		}},
	}
}

func (t tree) checkFormat(ctx context.Context) error {
	files, err := t.output(ctx, "gofmt", "-l", "cmd", "node", "protocol", "store", ".tools")
	if err != nil {
		return err
	}
	if files != "" {
		return errors.New("not gofmt-ed: " + strings.Join(strings.Fields(files), " "))
	}
	return nil
}
