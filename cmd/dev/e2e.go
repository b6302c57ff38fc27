package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// What drives the browser, and what looks for obstacles: no part of the tree, nor of what is
// built.
const (
	playwright = "playwright-core@1.65.1"
	axe        = "axe-core@4.14.1"
	toolsUsage = "`directory` for " + playwright + " and " + axe + ", which npm puts there if it is not; empty = one in the user's cache"
)

// errNoBrowser says why the web UI cannot be tried here.
var errNoBrowser = errors.New("no browser to try the web UI in")

// e2eOptions are the flags of e2e.
type e2eOptions struct {
	binary   string
	tools    string // where playwright-core is installed
	pictures string
	only     string
	units    bool
	optional bool
}

// e2e tries the web UI: its modules alone, then all of it in a real browser with real
// daemons on loopback.
func e2e(ctx context.Context, t tree, args []string) error {
	var o e2eOptions
	flags := flag.NewFlagSet("e2e", flag.ContinueOnError)
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.StringVar(&o.tools, "tools", "", toolsUsage)
	flags.StringVar(&o.pictures, "pictures", "", "`directory` for pictures of the screens; empty = none")
	flags.StringVar(&o.only, "run", ".", "only scenarios whose names fit this `pattern`")
	flags.BoolVar(&o.units, "units", false, "only what needs node alone")
	flags.BoolVar(&o.optional, "optional", false, "without node, npm or Chromium say NOT RUN and succeed")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	err := t.e2e(ctx, o)
	if o.optional && errors.Is(err, errNoBrowser) {
		fmt.Fprintf(t.stdout, "NOT RUN: %v\n", err)
		return nil
	}
	return err
}

func (t tree) e2e(ctx context.Context, o e2eOptions) error {
	if _, err := lookAny("node"); err != nil {
		return err
	}
	units, err := t.nodeTests("unit")
	if err == nil {
		err = t.run(ctx, "node", units...)
	}
	if err != nil || o.units {
		return err
	}
	browser, err := t.browser(ctx, o.tools)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pabal-e2e-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.binary == "" {
		o.binary = filepath.Join(dir, "pabal")
		if err := t.build(ctx, o.binary); err != nil {
			return err
		}
	}
	if o.pictures != "" {
		if o.pictures, err = filepath.Abs(o.pictures); err != nil {
			return err
		}
		if err := os.MkdirAll(o.pictures, 0o755); err != nil {
			return err
		}
	}
	// One file at a time: a browser and three daemons are enough for two cores.
	scenarios, err := t.nodeTests("browser", "--test-concurrency=1", "--test-timeout=300000", "--test-name-pattern="+o.only)
	if err != nil {
		return err
	}
	cmd := t.command(ctx, "node", scenarios...)
	cmd.Stdout = t.stdout
	cmd.Env = append(browser, "PABAL_PROGRAM="+o.binary, "PABAL_PICTURES="+o.pictures)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("browser scenarios: %w", err)
	}
	return nil
}

// browser returns the environment in which node drives a real browser: our own, where
// Chromium is, and where playwright-core was put.
func (t tree) browser(ctx context.Context, tools string) ([]string, error) {
	if _, err := lookAny("node"); err != nil {
		return nil, err
	}
	chromium, err := lookAny("chromium", "chromium-browser", "google-chrome")
	if err != nil {
		return nil, err
	}
	tools, err = t.playwright(ctx, tools)
	return append(os.Environ(), "PABAL_CHROMIUM="+chromium, "PABAL_PLAYWRIGHT="+tools), err
}

// nodeTests returns the arguments with which node runs the tests in one directory.
func (t tree) nodeTests(dir string, flags ...string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(t.root, "node", "httpd", "uitest", dir, "*.test.mjs"))
	if err == nil && len(files) == 0 {
		err = errors.New("no test files in " + dir)
	}
	return slices.Concat([]string{"--test", "--test-reporter=spec"}, flags, files), err
}

// lookAny finds the first of some programs.
func lookAny(names ...string) (string, error) {
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%w: none of the programs %v", errNoBrowser, names)
}

// playwright returns a directory that has playwright-core and axe-core, and puts them there by
// npm if need be.
func (t tree) playwright(ctx context.Context, dir string) (string, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w: %w", errNoBrowser, err)
		}
		dir = filepath.Join(cache, "pabal-e2e", playwright+"-"+axe)
	}
	_, errPlaywright := os.Stat(filepath.Join(dir, "node_modules", "playwright-core", "package.json"))
	_, errAxe := os.Stat(filepath.Join(dir, "node_modules", "axe-core", "package.json"))
	if errPlaywright == nil && errAxe == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := t.run(ctx, "npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, playwright, axe); err != nil {
		return "", fmt.Errorf("%w: %w", errNoBrowser, err)
	}
	return dir, nil
}
