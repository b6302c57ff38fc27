package main

import "testing"

func TestSize(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "1023": "1023", "1024": "1KiB", "64KiB": "64KiB", "1536KiB": "1.5MiB", "32MiB": "32MiB", "1GiB": "1GiB",
	} {
		var v sizeValue
		if err := v.Set(text); err != nil || v.String() != want {
			t.Errorf("%q is %q, %v, want %q", text, v.String(), err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "32 MiB", "32mib", "9223372036854775808", "8589934592GiB"} {
		if err := new(sizeValue).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
