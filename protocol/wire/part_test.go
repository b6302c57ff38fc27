package wire

import (
	"errors"
	"math"
	"testing"
)

// TestLargestPartTravels has the largest part there is, of whatever message, fit into a content.
func TestLargestPartTravels(t *testing.T) {
	c := Content{
		Type: ContentPart, About: &Reference{Own: true, Sequence: math.MaxUint64, ID: [16]byte{1}},
		Part: &Part{Item: FilesMax - 1, Index: PartsMax - 1, Sealed: make([]byte, PartBytes+PartTagSize)},
	}
	b := mustAppend(t, nil, c)
	if got, rest, err := DecodeContent(b); err != nil || len(rest) > 0 || len(got.Part.Sealed) != PartBytes+PartTagSize {
		t.Errorf("%v", err)
	}
	if room := ContentBytesMax - len(b); room < 0 || room > 64 {
		t.Errorf("%d bytes are left", room)
	}
}

func TestPartsOfSizes(t *testing.T) {
	for _, row := range []struct {
		size  uint64
		parts int
		last  int
	}{{0, 0, 0}, {1, 1, 1}, {PartBytes, 1, PartBytes}, {PartBytes + 1, 2, 1}, {PartsMax * PartBytes, PartsMax, PartBytes}, {PartsMax*PartBytes + 1, 0, 0}, {FileBytesMax, 0, 0}} {
		if got := Parts(row.size); got != row.parts || got > 0 && PartSize(row.size, got-1) != row.last {
			t.Errorf("%d bytes go in %d parts", row.size, got)
		}
	}
}

// TestPartsThatDoNotTravel refuses what is received with a place that no file or part has.
func TestPartsThatDoNotTravel(t *testing.T) {
	good := mustAppend(t, nil, Content{Type: ContentPart, About: &Reference{Own: true, Sequence: 1, ID: [16]byte{1}}, Part: &Part{Item: 3, Index: 5, Sealed: make([]byte, 17)}})
	at := len(good) - 17 - 1 - 2 // item, index, a head of one byte
	if good[at] != 3 || good[at+1] != 5 {
		t.Fatalf("another form: %x", good)
	}
	for name, change := range map[string]func(b []byte){
		"item":  func(b []byte) { b[at] = FilesMax },
		"index": func(b []byte) { b[at+1] = 23; b[at] = 23 },
		"array": func(b []byte) { b[at-1] = 0x82 },
		"text":  func(b []byte) { b[at+2] ^= 0x20 },
	} {
		b := append([]byte(nil), good...)
		change(b)
		if _, err := DecodeContents(b); !errors.Is(err, ErrContent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
