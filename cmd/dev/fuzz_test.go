package main

import (
	"slices"
	"testing"
)

func TestParseTargets(t *testing.T) {
	listing := "?   \tpabal/cmd/pabal\t[no test files]\n" +
		"FuzzFrame\nFuzzLink\nok  \tpabal/protocol/wire\t0.003s\n" +
		"ok  \tpabal/store\t0.1s\n" +
		"FuzzHeader\nok  \tpabal/protocol/session\t0.002s\n"
	want := []target{
		{"pabal/protocol/wire", "FuzzFrame"},
		{"pabal/protocol/wire", "FuzzLink"},
		{"pabal/protocol/session", "FuzzHeader"},
	}
	if got := parseTargets(listing); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestOnlyTimeUp has what Go printed when it took the end of the time for a
// failure, and what it prints for findings.
func TestOnlyTimeUp(t *testing.T) {
	const count = "fuzz: elapsed: 3s, execs: 51344 (0/sec), new interesting: 1 (total: 29)\n"
	for _, tt := range []struct {
		name, shown string
		want        bool
	}{
		{"time is up", count + "--- FAIL: FuzzAddresses (3.08s)\n    context deadline exceeded\nFAIL\nexit status 1\nFAIL\tpabal/protocol/wire\t3.115s\n", true},
		{"a finding", "--- FAIL: FuzzAddresses (0.02s)\n    --- FAIL: FuzzAddresses (0.00s)\n        frame_test.go:150: lost\n    \n    Failing input written to testdata/fuzz/FuzzAddresses/771e938e4458e983\n", false},
		{"a finding that speaks of a deadline", "--- FAIL: FuzzAddresses (0.02s)\n    --- FAIL: FuzzAddresses (0.00s)\n        context deadline exceeded\n", false},
		{"both", "--- FAIL: FuzzAddresses (3.02s)\n    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzAddresses/771e938e4458e983\n", false},
		{"another target", "--- FAIL: FuzzAddressesOfMany (3.08s)\n    context deadline exceeded\nFAIL\n", false},
		{"no build", "FAIL\tpabal/protocol/wire [build failed]\n", false},
	} {
		if got := onlyTimeUp(tt.shown, "FuzzAddresses"); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
