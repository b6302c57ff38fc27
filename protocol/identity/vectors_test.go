package identity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the test vectors")

// checkVectors compares vectors, computed from their own inputs, with the file that
// other implementations read.
func checkVectors(t *testing.T, name string, vectors any) {
	t.Helper()
	got, err := json.MarshalIndent(vectors, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("..", "doc", "vectors", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: what we compute is not what the vectors say; if the protocol changed on purpose: go test -update", name)
	}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// repeated is a 32-byte secret of one byte, as vectors use it.
func repeated(b byte) (s [32]byte) {
	for i := range s {
		s[i] = b
	}
	return s
}

func TestLabelVectors(t *testing.T) {
	type vector struct {
		Label string `json:"label"`
		Bytes string `json:"bytes"`
		Hash  string `json:"hash_of_label_and_abc"`
	}
	var out []vector
	for _, l := range Labels() {
		h := l.Hash([]byte("abc"))
		out = append(out, vector{string(l), hexOf(l.Append(nil)), hexOf(h[:])})
	}
	checkVectors(t, "labels.json", out)
}

func TestKeyVectors(t *testing.T) {
	type vector struct {
		Seed            string `json:"seed"`
		AccountKey      string `json:"account_key"`
		TransportKey    string `json:"transport_key"`
		TransportDay    uint32 `json:"transport_day"`
		TransportNext   string `json:"transport_seed_of_the_next_day"`
		DeviceKey       string `json:"device_key"`
		DeviceKeyHashed string `json:"hash_of_device_key"`
	}
	var out []vector
	for _, b := range []byte{1, 2} {
		seed := repeated(b)
		device := KEMSeed(seed).Public()
		hash := Hash(device[:])
		account, transport := AccountSeed(seed).Public(), TransportSeed(seed).Public()
		next, _ := TransportChain{Day: 20600, Seed: seed}.At(20601)
		out = append(out, vector{hexOf(seed[:]), hexOf(account[:]), hexOf(transport[:]), 20600, hexOf(next.Seed[:]), hexOf(device[:]), hexOf(hash[:])})
	}
	checkVectors(t, "keys.json", out)
}

func TestEntryVectors(t *testing.T) {
	type vector struct {
		AccountSeed string   `json:"account_seed"`
		DeviceSeeds []string `json:"device_seeds"`
		Names       []string `json:"device_names"`
		AddedDays   []uint32 `json:"added_days"`
		Sequence    uint32   `json:"sequence"`
		Before      string   `json:"hash_of_list_before"`
		List        string   `json:"list"`
		ListHash    string   `json:"list_hash"`
		Entry       string   `json:"entry_of_first_device"`
	}
	account := AccountSeed(repeated(1))
	laptop := ListedDevice{Key: KEMSeed(repeated(2)).Public(), Name: "laptop", AddedDay: 20600}
	home := ListedDevice{Key: KEMSeed(repeated(3)).Public(), Name: "집", AddedDay: 20700}
	first := NewDeviceList(account, laptop)
	var out []vector
	for _, l := range []DeviceList{first, first.Next(account, []ListedDevice{laptop, home})} {
		entry, ok := NewDeviceEntry(account, l, laptop.Key)
		if !ok || !entry.Verify() || l.Check() != nil {
			t.Fatal("vector is not valid")
		}
		hash, seed := l.Hash(), repeated(1)
		v := vector{
			AccountSeed: hexOf(seed[:]), Sequence: l.Sequence, Before: hexOf(l.Before[:]),
			List: hexOf(l.Append(nil)), ListHash: hexOf(hash[:]), Entry: hexOf(entry.Append(nil)),
		}
		for i, d := range l.Devices {
			seed := repeated(byte(2 + i))
			v.DeviceSeeds = append(v.DeviceSeeds, hexOf(seed[:]))
			v.Names = append(v.Names, d.Name)
			v.AddedDays = append(v.AddedDays, d.AddedDay)
		}
		out = append(out, v)
	}
	checkVectors(t, "entry.json", out)
}

func TestFingerprintVectors(t *testing.T) {
	type vector struct {
		A           string `json:"account_a"`
		B           string `json:"account_b"`
		Fingerprint string `json:"fingerprint"`
	}
	var out []vector
	for _, pair := range [][2]byte{{1, 2}, {2, 1}, {3, 4}} {
		a, b := AccountSeed(repeated(pair[0])).Public(), AccountSeed(repeated(pair[1])).Public()
		out = append(out, vector{hexOf(a[:]), hexOf(b[:]), NewFingerprint(a, b).String()})
	}
	checkVectors(t, "fingerprint.json", out)
}

func TestPairChainVectors(t *testing.T) {
	type dayKey struct {
		Day uint32 `json:"day"`
		Key string `json:"key"`
	}
	type reseeded struct {
		Day    uint32 `json:"day"`
		Random string `json:"random"`
		Key    string `json:"key"`
	}
	type vectors struct {
		Days   []dayKey `json:"days"`
		Reseed reseeded `json:"reseed"`
	}
	chain := NewPairChain(repeated(5), 20600)
	var out vectors
	for _, day := range []uint32{20600, 20601, 20602, 20699} {
		k, ok := chain.Speak(day)
		if !ok {
			t.Fatal("day is out of reach")
		}
		out.Days = append(out.Days, dayKey{day, hexOf(k.Key[:])})
	}
	r := repeated(6)
	renewed, err := chain.Reseed(20600, 20610, r, false)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := renewed.Speak(20610)
	out.Reseed = reseeded{20610, hexOf(r[:]), hexOf(k.Key[:])}
	checkVectors(t, "pairchain.json", out)
}

func TestHelloVectors(t *testing.T) {
	type vector struct {
		Kind      string `json:"kind"`
		Secret    string `json:"secret"`
		Day       uint32 `json:"day,omitempty"`
		Key       string `json:"hello_key"`
		Direction byte   `json:"direction"`
		Dialer    string `json:"dialer"`
		Listener  string `json:"listener"`
		Tag       string `json:"tag"`
	}
	secret := repeated(7)
	dialer, listener := TransportSeed(repeated(8)).Public(), TransportSeed(repeated(9)).Public()
	var out []vector
	for _, row := range []struct {
		kind string
		day  uint32
		key  [32]byte
	}{{"pair chain, the key of the day", 0, secret}, {"link", 0, LinkHelloKey(secret)}, {"repair", 20600, RepairHelloKey(secret, 20600)}} {
		for _, direction := range []Direction{FromDialer, FromListener} {
			tag := NewHelloTag(row.key, direction, dialer, listener)
			out = append(out, vector{
				row.kind, hexOf(secret[:]), row.day, hexOf(row.key[:]), byte(direction), hexOf(dialer[:]), hexOf(listener[:]), hexOf(tag[:]),
			})
		}
	}
	checkVectors(t, "hello.json", out)
}
