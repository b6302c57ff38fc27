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
