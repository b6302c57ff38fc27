package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"pabal/cmd/crash"
)

// crashTest kills two daemons under load; see package crash.
func crashTest(ctx context.Context, t tree, args []string) error {
	var (
		o           crash.Options
		dir, binary string
		race        bool
	)
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	flags.Int64Var(&o.Kills, "kills", crash.Kills, "`number` of kills")
	flags.DurationVar(&o.Limit, "for", 0, "`time` after which no further kill is made; 0 = no limit")
	flags.IntVar(&o.Streams, "streams", 0, "`senders` a side; 0 = some")
	flags.IntVar(&o.Rate, "rate", 0, "`messages` a second and sender; 0 = many")
	flags.Uint64Var(&o.Seed, "seed", 0, "`seed` of the kills' times; 0 = a random one")
	flags.StringVar(&dir, "dir", "", "`directory` for the profiles; empty = a temporary one, kept after a failure")
	flags.StringVar(&binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.BoolVar(&race, "race", false, "build the daemons with the race detector")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	kept := dir != ""
	if !kept {
		var err error
		if dir, err = os.MkdirTemp("", "pabal-crash-"); err != nil {
			return err
		}
	}
	if binary == "" {
		var options []string
		if race {
			options = []string{"-race"}
		}
		binary = filepath.Join(dir, "pabal")
		if err := t.build(ctx, binary, options...); err != nil {
			return err
		}
	}
	summary, err := crash.Run(ctx, binary, dir, o)
	if summary != "" {
		fmt.Fprintln(t.stdout, summary)
	}
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		return fmt.Errorf("profiles and logs in %s: %w", dir, err)
	case !kept:
		return errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// build compiles the daemon.
func (t tree) build(ctx context.Context, binary string, flags ...string) error {
	return t.run(ctx, "go", slices.Concat([]string{"build", "-o", binary}, flags, []string{"./cmd/pabal"})...)
}

// buildAlone compiles the daemon without C libraries, as the README says. What tests other
// things than its size uses build: all packages are compiled for it already.
func (t tree) buildAlone(ctx context.Context, binary string) error {
	cmd := t.command(ctx, "go", "build", "-o", binary, "./cmd/pabal")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build without C libraries: %w", err)
	}
	return nil
}
