//go:build !linux

package main

import (
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
)

func startCramped(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("only on Linux") }

func cramp(*exec.Cmd, string) {}

func onSmallDisk() {}
