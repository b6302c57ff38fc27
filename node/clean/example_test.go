package clean_test

import (
	"bytes"
	"fmt"

	"pabal/node/clean"
)

func ExampleClean() {
	gif := []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00!\xfe\x04Mina\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02L\x01\x00;")
	if _, verdict := clean.Look(gif, gif); verdict != clean.Picture {
		return
	}
	var out bytes.Buffer
	size, err := clean.Clean(&out, bytes.NewReader(gif))
	fmt.Println(size, err, bytes.Contains(out.Bytes(), []byte("Mina")))
	// Output: {1 1} <nil> false
}
