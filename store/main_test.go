package store

import (
	"flag"
	"os"
	"testing"
)

// longer lets the tests that draw their cases go on for that long.
var longer = flag.Duration("for", 0, "how long the crash tests go on")

// TestMain lets the test binary play other processes.
func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		hold(dir)
		return
	}
	if dir := os.Getenv(crashEnv); dir != "" {
		crashChild(dir)
		return
	}
	os.Exit(m.Run())
}
