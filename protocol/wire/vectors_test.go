package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"pabal/protocol/identity"
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

// hexBytes shows bytes in hexadecimal in a vector.
type hexBytes []byte

// MarshalText makes JSON show hexadecimal.
func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// addressVector is an address in a vector.
type addressVector struct {
	Network Network  `json:"network"`
	IP      string   `json:"ip"`
	Port    uint16   `json:"port"`
	HostTag hexBytes `json:"host_tag,omitempty"`
	Packed  hexBytes `json:"packed"`
}

func addressVectorOf(a Address) addressVector {
	v := addressVector{Network: a.Network, IP: a.IP.String(), Port: a.Port, Packed: a.Append(nil)}
	if a.HostTag != [8]byte{} {
		v.HostTag = a.HostTag[:]
	}
	return v
}

func TestAddressVectors(t *testing.T) {
	var out []addressVector
	for _, a := range append(sampleRecord().Addresses, v4(1), v6(2)) {
		out = append(out, addressVectorOf(a))
	}
	checkVectors(t, "address.json", out)
}

func TestLinkVectors(t *testing.T) {
	type courier struct {
		Key     hexBytes      `json:"key"`
		Address addressVector `json:"address"`
	}
	type vector struct {
		Kind      LinkKind        `json:"kind"`
		Expiry    uint32          `json:"expiry"`
		Secret    hexBytes        `json:"secret"`
		Pin       hexBytes        `json:"pin"`
		StampBits uint8           `json:"stamp_bits"`
		Keys      []hexBytes      `json:"transport_keys"`
		Addresses []addressVector `json:"addresses"`
		Couriers  []courier       `json:"couriers"`
		Link      string          `json:"link"`
	}
	var out []vector
	for _, l := range []Link{sampleLink(), sampleCard()} {
		v := vector{Kind: l.Kind, Expiry: l.Expiry, Secret: l.Secret[:], Pin: l.Pin[:], StampBits: l.StampBits, Link: mustEncode(t, l)}
		for _, k := range l.Keys {
			v.Keys = append(v.Keys, k[:])
		}
		for _, a := range l.Addresses {
			v.Addresses = append(v.Addresses, addressVectorOf(a))
		}
		for _, c := range l.Couriers {
			v.Couriers = append(v.Couriers, courier{c.Key[:], addressVectorOf(c.Address)})
		}
		if back, err := ParseLink(v.Link); err != nil || !reflect.DeepEqual(back, l) {
			t.Fatalf("vector is not valid: %v", err)
		}
		out = append(out, v)
	}
	checkVectors(t, "link.json", out)
}

func TestContentVectors(t *testing.T) {
	type vector struct {
		Comment string   `json:"comment"`
		Content hexBytes `json:"content"`
	}
	comments := []string{
		"text of sequence 70000, one parent, timer of a week from reading",
		"read receipt for 3 to 9", "profile 2 with a name", "profile 3 without a name", "address record 7",
		"envelopes 4 and 9 are void", "message 5 was withdrawn", "device list with one device",
		"head of a device list", "manifest of a picture, a voice note and an empty file, with a caption", "reseed for day 20700",
		"asks that message 7 be deleted", "deletion of the peer's message 70 is refused",
		"timer of a day from sending, revision 2", "no timer, revision 3, at the beginning of a session",
		"reply to the peer's message 70", "two emojis on the peer's message 70", "no emoji any more on message 10",
		"edit of the own message 10", "forwarded text", "typing", "picture 4", "picture 5: none any more", "text that mentions its receiver and its sender",
		"manifest of two pictures, the second with a thumbnail", "last part of the second file of message 16",
	}
	var out []vector
	var body []byte
	for i, c := range sampleContents() {
		b := mustAppend(t, nil, c)
		out = append(out, vector{comments[i], b})
		body = append(body, b...)
	}
	unknown := hexBytes{0xa4, 0x01, 0x19, 0x03, 0x84, 0x03, 0x0c, 0x05, 0x1b, 0x00, 0x00, 0x01, 0xa0, 0xc4, 0xff, 0x98, 0x00, 0x18, 0x1e, 0x82, 0x01, 0x02}
	if list, err := DecodeContents(append(body, unknown...)); err != nil || list[len(list)-1].Raw == nil {
		t.Fatalf("vector is not valid: %v", err)
	}
	checkVectors(t, "contents.json", append(out, vector{"type 900 with key 30, of a later version: kept as it is", unknown}))
}

func TestFrameVectors(t *testing.T) {
	type vector struct {
		Name  string   `json:"name"`
		Type  Type     `json:"type"`
		Least int      `json:"body_bytes_min"`
		Most  int      `json:"body_bytes_max"`
		Head  hexBytes `json:"header_of_smallest"`
	}
	var out []vector
	for typ := TypeHello; typ <= TypeFileRefused; typ++ {
		least, most, _ := typ.bodySizes()
		out = append(out, vector{typ.Name(), typ, least, most, AppendFrame(nil, typ, make([]byte, least))[:FrameHeaderSize]})
	}
	checkVectors(t, "frames.json", out)
}

func TestBundleFileVectors(t *testing.T) {
	secret, maker, salt := [32]byte{1, 2, 3}, identity.AccountPublic{4, 5, 6}, [32]byte{7, 8, 9}
	file := sampleBundleFile()
	b := mustSealFile(t, file, secret, maker, salt)
	hash := identity.Hash(b)
	checkVectors(t, "bundlefile.json", struct {
		Recovery  hexBytes   `json:"recovery"`
		Maker     hexBytes   `json:"maker"`
		Salt      hexBytes   `json:"salt"`
		At        uint32     `json:"at"`
		Envelopes []hexBytes `json:"envelopes"`
		Bytes     int        `json:"file_bytes"`
		Begin     hexBytes   `json:"file_begins_with"`
		Hash      hexBytes   `json:"file_sha256"`
	}{
		secret[:], maker[:], salt[:], file.At, []hexBytes{file.Envelopes[0], file.Envelopes[1], file.Envelopes[2]},
		len(b), b[:64], hash[:],
	})
}
