package rendezvous

import (
	"bytes"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

var update = flag.Bool("update", false, "rewrite the test vectors")

func noon() time.Time { return time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC) }

func beaconOf(t *testing.T, seed byte, now time.Time, from string, keys ...BeaconKey) *wire.Beacon {
	t.Helper()
	b, err := NewBeacon(rand.NewChaCha8([32]byte{seed}), now, netip.MustParseAddrPort(from), keys)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBeaconIsRecognisedByTheKeyAlone(t *testing.T) {
	key := BeaconKey{Key: [32]byte{1}, Way: FromLower}
	b := beaconOf(t, 1, noon(), "192.168.1.20:4001", BeaconKey{Key: [32]byte{7}, Way: FromHigher}, key)
	from := netip.MustParseAddr("192.168.1.20")
	if port, ok := Hear(noon(), from, b).By(key); !ok || port != 4001 {
		t.Fatalf("port %d, %v", port, ok)
	}
	for name, row := range map[string]struct {
		now  time.Time
		from string
		key  BeaconKey
		want bool
	}{
		"another key":              {noon(), "192.168.1.20", BeaconKey{[32]byte{2}, FromLower}, false},
		"the sender itself":        {noon(), "192.168.1.20", BeaconKey{[32]byte{1}, FromHigher}, false},
		"sent on by somebody else": {noon(), "192.168.1.21", key, false},
		"a slow clock":             {noon().Add(-14 * time.Minute), "192.168.1.20", key, true},
		"a fast clock":             {noon().Add(29 * time.Minute), "192.168.1.20", key, true},
		"a recording":              {noon().Add(31 * time.Minute), "192.168.1.20", key, false},
		"IPv4 in IPv6 form":        {noon(), "::ffff:192.168.1.20", key, true},
	} {
		if _, ok := Hear(row.now, netip.MustParseAddr(row.from), b).By(row.key); ok != row.want {
			t.Errorf("%s: recognised is %v", name, ok)
		}
	}
}

// TestBeaconsHaveNothingInCommon makes beacons of one node minutes, a day and a network
// apart: no 8 bytes come twice, at any place, whatever the number of contacts.
func TestBeaconsHaveNothingInCommon(t *testing.T) {
	random := rand.NewChaCha8([32]byte{5})
	seen := map[[8]byte]bool{}
	for n := range 24 {
		var keys []BeaconKey
		for i := range n * 6 {
			keys = append(keys, BeaconKey{Key: [32]byte{1, byte(i)}, Way: FromLower})
		}
		now := noon().Add(time.Duration(n%12)*2*time.Minute).AddDate(0, 0, n/12)
		b, err := NewBeacon(random, now, netip.MustParseAddrPort("192.168.1.20:4001"), keys)
		if err != nil {
			t.Fatal(err)
		}
		datagram := b.Append(nil)
		if len(datagram) != wire.BeaconSize {
			t.Fatalf("%d bytes", len(datagram))
		}
		for i := range len(datagram) - 7 {
			w := [8]byte(datagram[i:])
			if seen[w] {
				t.Fatalf("beacon %d has 8 bytes of an earlier one", n)
			}
			seen[w] = true
		}
	}
}

func TestEarIsBounded(t *testing.T) {
	var e Ear
	heard := 0
	for range 10 * beaconsPerSpan {
		if e.Spend(noon()) {
			heard++
		}
	}
	if heard != beaconsPerSpan {
		t.Errorf("%d beacons are looked at", heard)
	}
	if !e.Spend(noon().Add(beaconsSpan)) || !e.Spend(noon().Add(-time.Hour)) {
		t.Error("later, or with the clock set back, none is looked at")
	}
	h := Hear(noon(), netip.MustParseAddr("10.0.0.1"), beaconOf(t, 3, noon(), "10.0.0.1:1"))
	if !e.New(h) || e.New(h) {
		t.Error("a beacon counts twice")
	}
}

func TestCallsBecomeRare(t *testing.T) {
	var c Calls
	now := noon()
	c.Begin(now)
	for n := range 10 {
		if c.Next().Before(now) || n < beaconsFirst && c.Next().Sub(now) > beaconFirstGap {
			t.Errorf("beacon %d is due in %v", n, c.Next().Sub(now))
		}
		if gap := c.Next().Sub(now); n >= beaconsFirst && (gap < beaconEvery*3/4 || gap > beaconEvery) {
			t.Errorf("beacon %d is due in %v", n, gap)
		}
		now = c.Next()
		c.Made(now, byte(n*25))
	}
}

func TestBeaconVectors(t *testing.T) {
	type vector struct {
		Key      string `json:"key"`
		Way      byte   `json:"way"`
		Time     int64  `json:"time"`
		Slot     uint32 `json:"slot"`
		From     string `json:"from"`
		Nonce    string `json:"nonce"`
		Tag      string `json:"tag"`
		Port     string `json:"masked_port"`
		Datagram string `json:"datagram_sha256"`
	}
	var out []vector
	for i, from := range []string{"192.168.1.20:4001", "[2001:db8::7]:65535"} {
		key := BeaconKey{Key: [32]byte(bytes.Repeat([]byte{byte(0x11 * (i + 1))}, 32)), Way: BeaconWay(i + 1)}
		b := beaconOf(t, byte(i), noon(), from, key)
		sum := identity.Hash(b.Append(nil))
		out = append(out, vector{
			Key: hex.EncodeToString(key.Key[:]), Way: byte(key.Way), Time: noon().Unix(), Slot: BeaconSlot(noon()), From: from,
			Nonce: hex.EncodeToString(b.Nonce[:]), Tag: hex.EncodeToString(b.Marks[0].Tag[:]),
			Port: hex.EncodeToString(b.Marks[0].Port[:]), Datagram: hex.EncodeToString(sum[:]),
		})
	}
	checkVectors(t, "beacon.json", out)
}

func FuzzHear(f *testing.F) {
	f.Add(make([]byte, wire.BeaconSize), int64(0))
	f.Fuzz(func(t *testing.T, datagram []byte, at int64) {
		b, err := wire.ParseBeacon(datagram)
		if err != nil {
			return
		}
		if _, ok := Hear(time.Unix(at, 0), netip.MustParseAddr("10.0.0.1"), b).By(BeaconKey{Key: [32]byte{1}, Way: FromLower}); ok {
			t.Error("bytes of somebody without the key are recognised")
		}
	})
}
