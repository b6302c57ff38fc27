package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// interruptGrace is how long a program may take to end by itself when we are interrupted.
const interruptGrace = 10 * time.Second

// tree is the source tree that the commands work on, and where they print.
type tree struct {
	root   string
	stdout io.Writer // results
	stderr io.Writer // talk
}

// findTree finds the tree around the working directory.
func findTree(ctx context.Context, stdout, stderr io.Writer) (tree, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return tree{}, fmt.Errorf("find the tree: %w", err)
	}
	name := strings.TrimSpace(string(mod))
	if filepath.Base(name) != "go.mod" {
		return tree{}, errors.New("find the tree: the working directory is in no module")
	}
	return tree{root: filepath.Dir(name), stdout: stdout, stderr: stderr}, nil
}

// command prepares a program that runs in the top directory and is asked to end when ctx is done.
func (t tree) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = t.root
	cmd.Stderr = t.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptGrace
	return cmd
}

// run runs a program with its output shown on standard output.
func (t tree) run(ctx context.Context, name string, args ...string) error {
	cmd := t.command(ctx, name, args...)
	cmd.Stdout = t.stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", commandLine(name, args), err)
	}
	return nil
}

// output runs a program and returns what it prints. What it printed is shown if it fails.
func (t tree) output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := t.command(ctx, name, args...).Output()
	if err != nil {
		_, _ = t.stderr.Write(out)
		return "", fmt.Errorf("%s: %w", commandLine(name, args), err)
	}
	return string(out), nil
}

// commandLine is a command as a person would type it, to be found in an error.
func commandLine(name string, args []string) string {
	return strings.Join(append([]string{name}, args...), " ")
}
