package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run is the whole program; it returns the exit code. The tests call it too.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &cli{
		in:     os.Stdin,
		out:    os.Stdout,
		talk:   os.Stderr,
		getenv: os.Getenv,
		uid:    os.Getuid(),
	}
	return c.execute(ctx, os.Args[1:])
}
