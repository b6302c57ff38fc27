package store

import (
	"os"
	"testing"
)

// TestMain lets the test binary play other processes.
func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		hold(dir)
		return
	}
	os.Exit(m.Run())
}
