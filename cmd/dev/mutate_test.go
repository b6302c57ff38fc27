package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMutationsApply checks that the code still has the places where the bugs go.
func TestMutationsApply(t *testing.T) {
	for _, m := range mutations() {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
		if err != nil {
			t.Fatal(err)
		}
		mutant, err := m.apply(string(text))
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
		} else if mutant == string(text) {
			t.Errorf("%s changes nothing", m.name)
		}
	}
}

func TestFirstViolation(t *testing.T) {
	out := []byte("--- FAIL: TestSeeds (1.72s)\n    sim_test.go:39: seed 14 at 144h: lost a letter\n    plan {}\nFAIL\n")
	if got, want := firstViolation(out, 14), "seed 14 at 144h: lost a letter"; got != want {
		t.Errorf("got %q", got)
	}
	if got, want := firstViolation([]byte("panic\n"), 3), "seed 3 failed"; got != want {
		t.Errorf("got %q", got)
	}
}
