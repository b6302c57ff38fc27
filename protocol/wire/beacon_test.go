package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestParseBeaconSize(t *testing.T) {
	for _, n := range []int{0, 1, BeaconSize - 1, BeaconSize + 1, 65507} {
		if _, err := ParseBeacon(make([]byte, n)); !errors.Is(err, ErrBeacon) {
			t.Errorf("%d bytes: error %v", n, err)
		}
	}
	if BeaconSize > 1232 {
		t.Errorf("%d bytes do not fit one datagram on every network", BeaconSize)
	}
}

// FuzzBeacon checks that what parses has one encoding.
func FuzzBeacon(f *testing.F) {
	f.Add(make([]byte, BeaconSize))
	f.Add(bytes.Repeat([]byte{0xa5}, BeaconSize))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		b, err := ParseBeacon(datagram)
		if err != nil {
			return
		}
		if !bytes.Equal(b.Append(nil), datagram) {
			t.Error("changed on the way")
		}
	})
}
