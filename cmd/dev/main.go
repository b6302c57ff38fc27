package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes.
const (
	exitFailed = 1 // a check failed or a program could not be run
	exitUsage  = 2
)

// errUsage says that the command line was wrong; what was wrong has been said.
var errUsage = errors.New("usage")

// command is one subcommand. Its function parses the arguments behind the name.
type command struct {
	name, purpose string
	run           func(ctx context.Context, t tree, args []string) error
}

func commands() []command {
	return []command{
		{"check", "format, vet, staticcheck, race tests, short fuzz, 50 simulation seeds", check},
		{"fuzz", "run every fuzz target for -for each", fuzz},
		{"sim", "simulate the protocol under faults, -seeds of them or -for a time, from the last one on", sim},
		{"crash", "kill two daemons under load and look for lost or repeated messages", crashTest},
		{"backup", "lose a profile, half of which was deleted, restore its backup, and move it under load", backup},
		{"drill", "delete half of a profile, have it expire, and look for it with the key and without", drill},
		{"offline", "have mail arrive at who is off: by a home node, a friend, a file; collect much of it", offline},
		{"file", "send a large file between two daemons, and again while both are killed", file},
		{"nat", "let daemons behind different routers reach each other, in network namespaces", nat},
		{"idle", "measure a daemon with many contacts, half of them off, that has nothing to do", idle},
		{"e2e", "try the web UI in a real browser, with real daemons", e2e},
		{"paint", "measure in a real browser what a page of a long history shows, and how soon", paint},
		{"events", "have consumers follow a fast event log, one asleep, while the daemon is killed", events},
		{"clients", "generate clients from openapi.json, and have them talk", clients},
		{"flood", "have strangers in great number come to a daemon, while two contacts talk", flood},
		{"siege", "have programs of this machine try to keep the owner from the local API", siege},
		{"mutate", "show that the simulator catches deliberate bugs", mutate},
		{"bench", "measure beside references of the same run; bench store: a store of a million messages", bench},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// dispatch runs the subcommand that args name and returns the exit code.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	for _, c := range commands() {
		if len(args) == 0 || args[0] != c.name {
			continue
		}
		t, err := findTree(ctx, stdout, stderr)
		if err == nil {
			err = c.run(ctx, t, args[1:])
		}
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return exitUsage
		}
		fmt.Fprintf(stderr, "dev %s: %v\n", c.name, err)
		return exitFailed
	}
	fmt.Fprintln(stderr, "usage: go run ./cmd/dev COMMAND [FLAGS]")
	for _, c := range commands() {
		fmt.Fprintf(stderr, "  %-8s %s\n", c.name, c.purpose)
	}
	return exitUsage
}

// parseFlags parses args, which must all be flags. The error is errUsage or
// flag.ErrHelp, and has been said.
func parseFlags(flags *flag.FlagSet, args []string, stderr io.Writer) error {
	flags.SetOutput(stderr)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if err == nil && flags.NArg() > 0 {
		fmt.Fprintf(stderr, "unexpected argument %q\n", flags.Arg(0))
		err = errUsage
	}
	if err != nil {
		return errUsage
	}
	return nil
}
