package rendezvous

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

func dhtRecord() *wire.DHTRecord {
	return &wire.DHTRecord{Made: 1_800_000_000, FirstDay: 20833, Keys: []identity.TransportKey{{1}, {2}, {3}}}
}

// TestDHTNamesHaveNothingInCommon compares the names of days, directions and pairs, and
// what is published there.
func TestDHTNamesHaveNothingInCommon(t *testing.T) {
	parts := map[[8]byte]bool{}
	for pair := range byte(4) {
		chain := identity.NewPairChain([32]byte{pair + 1}, 20833)
		for day := uint32(20833); day < 20843; day++ {
			key, ok := chain.Speak(day)
			if !ok {
				t.Fatal("no key")
			}
			for _, way := range []BeaconWay{FromLower, FromHigher} {
				n := NewDHTName(key.Key, way)
				name := n.Seed.Public()
				sealed, err := n.Seal(bytes.NewReader(make([]byte, identity.NonceSize)), dhtRecord())
				if err != nil {
					t.Fatal(err)
				}
				all := append(name[:], sealed[identity.NonceSize:]...) // the nonce, here not random
				for at := 0; at+8 <= len(all); at += 8 {
					part := [8]byte(all[at:])
					if parts[part] {
						t.Fatalf("pair %d, day %d, way %d: eight bytes come again", pair, day, way)
					}
					parts[part] = true
				}
			}
		}
	}
}

// TestDHTRecordIsReadByThePairAlone opens a record by the key that made the name, and by
// no other: not of another day, direction or pair.
func TestDHTRecordIsReadByThePairAlone(t *testing.T) {
	n := NewDHTName([32]byte{1}, FromLower)
	sealed, err := n.Seal(bytes.NewReader(bytes.Repeat([]byte{7}, identity.NonceSize)), dhtRecord())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := n.Open(sealed); err != nil || !r.SameAs(dhtRecord()) || r.Made != dhtRecord().Made {
		t.Errorf("read %+v, %v", r, err)
	}
	for _, other := range []DHTName{NewDHTName([32]byte{1}, FromHigher), NewDHTName([32]byte{2}, FromLower)} {
		if _, err := other.Open(sealed); err == nil {
			t.Error("somebody else reads it")
		}
	}
	if text := fmt.Sprintf("%v %x %+v", n, n, &n); text != "secret secret secret" {
		t.Errorf("a name prints as %q", text)
	}
	if _, err := n.Seal(bytes.NewReader(nil), dhtRecord()); err == nil {
		t.Error("sealed without a nonce")
	}
}

// TestDHTDay has the days of pairs begin at moments of their own, and last a day.
func TestDHTDay(t *testing.T) {
	begins := map[time.Time]bool{}
	for pair := range byte(16) {
		secret := [32]byte{pair}
		at := noon().Truncate(24 * time.Hour)
		first := DHTDay(at, secret)
		for ; DHTDay(at, secret) == first; at = at.Add(time.Minute) {
		}
		if day := at.Add(24*time.Hour - time.Minute); DHTDay(day, secret) != first+1 || DHTDay(at.Add(24*time.Hour), secret) != first+2 {
			t.Errorf("pair %d: a day does not last a day", pair)
		}
		if today := uint32(noon().Unix() / 86400); first != today && first != today-1 {
			t.Errorf("pair %d: day %d on day %d", pair, first, today)
		}
		begins[at] = true
	}
	if len(begins) < 14 {
		t.Errorf("16 pairs change their names at %d moments", len(begins))
	}
	if DHTDay(time.Unix(5, 0), [32]byte{1}) != 0 {
		t.Error("a day before the first")
	}
}

func TestDHTVectors(t *testing.T) {
	type vector struct {
		Key    string `json:"key"`
		Way    byte   `json:"way"`
		Secret string `json:"recovery"`
		Time   int64  `json:"time"`
		Day    uint32 `json:"day"`
		Seed   string `json:"seed"`
		Name   string `json:"name"`
		Nonce  string `json:"nonce"`
		Record string `json:"record"`
	}
	var out []vector
	for i, way := range []BeaconWay{FromLower, FromHigher} {
		key := [32]byte(bytes.Repeat([]byte{byte(0x11 * (i + 1))}, 32))
		secret := [32]byte(bytes.Repeat([]byte{byte(0x33 * (i + 1))}, 32))
		nonce := bytes.Repeat([]byte{byte(i + 1)}, identity.NonceSize)
		n := NewDHTName(key, way)
		name := n.Seed.Public()
		record, err := n.Seal(bytes.NewReader(nonce), dhtRecord())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, vector{
			Key: hex.EncodeToString(key[:]), Way: byte(way), Secret: hex.EncodeToString(secret[:]), Time: noon().Unix(),
			Day: DHTDay(noon(), secret), Seed: hex.EncodeToString(n.Seed[:]), Name: hex.EncodeToString(name[:]),
			Nonce: hex.EncodeToString(nonce), Record: hex.EncodeToString(record),
		})
	}
	checkVectors(t, "dht.json", out)
}

// checkVectors compares vectors with the file that other implementations read.
func checkVectors(t *testing.T, name string, vectors any) {
	t.Helper()
	got, err := json.MarshalIndent(vectors, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "doc", "vectors", name)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(append(got, '\n'), want) {
		t.Errorf("%s: what we compute is not what the vectors say (%v); if the protocol changed on purpose: go test -update", name, err)
	}
}
