package identity

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// fixed returns the same stream of bytes for the same seed.
func fixed(seed byte) io.Reader {
	return bytes.NewReader(Expand([32]byte{seed}, []byte("test"), 4096))
}

func testAccount(t testing.TB, seed byte) (AccountSeed, KEMSeed) {
	t.Helper()
	random := fixed(seed)
	account, err := NewAccountSeed(random)
	if err != nil {
		t.Fatal(err)
	}
	device, err := NewKEMSeed(random)
	if err != nil {
		t.Fatal(err)
	}
	return account, device
}

func TestMACIsHMAC(t *testing.T) {
	for _, keyLen := range []int{0, 1, 32, 64, 65, 200} {
		for _, n := range []int{0, 1, 13, 64, 191, 192, 193, 1000} {
			key, msg := bytes.Repeat([]byte{7}, keyLen), bytes.Repeat([]byte{9}, n)
			h := hmac.New(sha256.New, key)
			h.Write(msg)
			if got := MAC(key, msg); !bytes.Equal(got[:], h.Sum(nil)) {
				t.Errorf("MAC differs from HMAC for a key of %d and a message of %d bytes", keyLen, n)
			}
		}
	}
	info := []byte("info")[:2:4]
	if key := ExpandKey([32]byte{1}, info); !bytes.Equal(key[:], Expand([32]byte{1}, info, 32)) {
		t.Error("ExpandKey differs from Expand")
	}
}

func TestSealOpens(t *testing.T) {
	key := [32]byte{1}
	sealed := SealZero([]byte("head"), key, []byte("text"), []byte("bound"))
	text, err := OpenZero(nil, key, sealed[4:], []byte("bound"))
	if err != nil || string(text) != "text" {
		t.Fatalf("open: %q, %v", text, err)
	}
	if _, err := OpenZero(nil, key, sealed[4:], []byte("other")); !errors.Is(err, ErrOpen) {
		t.Errorf("opened under other bound data: %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	account, device := testAccount(t, 1)
	text := fmt.Sprintf("%v %s %x %#v %d %v %x", account, account, account, account, device, TransportSeed{1}, RecordSeed{1})
	if strings.ReplaceAll(text, "secret", "") != strings.Repeat(" ", 6) {
		t.Errorf("a secret prints as %q", text)
	}
}

func TestShortRandomnessIsAnError(t *testing.T) {
	if _, err := NewTransportSeed(strings.NewReader("short")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error is %v", err)
	}
}

func TestKeysEqual(t *testing.T) {
	a, d := testAccount(t, 1)
	b, e := testAccount(t, 2)
	if !a.Equal(a) || a.Equal(b) || !d.Equal(d) || d.Equal(e) || a.Public().Equal(b.Public()) || d.Public().Equal(e.Public()) {
		t.Error("Equal does not tell keys apart")
	}
	if !(TransportSeed{1}).Equal(TransportSeed{1}) || (TransportKey{1}).Equal(TransportKey{2}) {
		t.Error("Equal does not tell transport keys apart")
	}
}

func TestKEMPublicCheck(t *testing.T) {
	_, device := testAccount(t, 1)
	good := device.Public()
	if err := good.Check(); err != nil {
		t.Fatalf("a good key: %v", err)
	}
	malformed, lowOrder := good, good
	copy(malformed[:], bytes.Repeat([]byte{0xff}, 64)) // coefficients beyond the modulus
	clear(lowOrder[KEMPublicSize-32:])
	for name, k := range map[string]KEMPublic{"malformed": malformed, "low order": lowOrder} {
		if err := k.Check(); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTransportChain(t *testing.T) {
	start := TransportChain{Day: 20000, Seed: TransportSeed{1}}
	keys := start.Keys(5)
	for i, k := range keys {
		c, ok := start.At(20000 + uint32(i))
		if !ok || c.Seed.Public() != k {
			t.Errorf("day %d: key told in advance is not the key of the day", i)
		}
	}
	if len(start.Keys(1000)) != TransportDaysMax || len(start.Keys(-1)) != 0 {
		t.Error("number of keys is not bounded")
	}
	if _, ok := start.At(19999); ok {
		t.Error("the chain went back")
	}
	if _, ok := start.At(20000 + DayDistanceMax + 1); ok {
		t.Error("the chain went too far")
	}
}

func TestDeviceEntry(t *testing.T) {
	account, device := testAccount(t, 1)
	list := NewDeviceList(account, ListedDevice{Key: device.Public(), Name: "노트북", AddedDay: 20600})
	entry, ok := NewDeviceEntry(account, list, device.Public())
	if !ok || !entry.Verify() {
		t.Fatal("entry of a listed device does not verify")
	}
	if n := len(entry.Append(nil)); n != DeviceEntrySize {
		t.Errorf("entry has %d bytes", n)
	}
	if entry.List != list.Head() || entry.AddedDay != 20600 {
		t.Error("entry does not say what the list says")
	}
	_, stranger := testAccount(t, 2)
	if _, ok := NewDeviceEntry(account, list, stranger.Public()); ok {
		t.Error("entry for a device that is not listed")
	}
	forged := entry
	forged.Device = stranger.Public()
	if forged.Verify() {
		t.Error("entry verifies with another device's key")
	}
}

func TestDeviceListFollow(t *testing.T) {
	account, device := testAccount(t, 1)
	_, second := testAccount(t, 2)
	first := ListedDevice{Key: device.Public(), Name: "laptop", AddedDay: 1}
	one := NewDeviceList(account, first)
	two := one.Next(account, []ListedDevice{first, {Key: second.Public(), Name: "home", AddedDay: 2}})
	three := two.Next(account, []ListedDevice{first})
	otherOne := NewDeviceList(account, ListedDevice{Key: second.Public(), Name: "x", AddedDay: 1})
	otherTwo := otherOne.Next(account, []ListedDevice{first})
	stranger, strangerDevice := testAccount(t, 3)
	foreign := NewDeviceList(stranger, ListedDevice{Key: strangerDevice.Public(), AddedDay: 1})
	unsigned := two
	unsigned.Devices = one.Devices

	rows := []struct {
		name  string
		known DeviceList
		next  DeviceList
		want  Relation
		err   error
	}{
		{"newer", one, two, ListNewer, nil},
		{"known", two, two, ListKnown, nil},
		{"older", three, one, ListOlder, nil},
		{"gap", one, three, 0, ErrListGap},
		{"fork at the same place", one, otherOne, 0, ErrListFork},
		{"fork of the next", one, otherTwo, 0, ErrListFork},
		{"another account", one, foreign, 0, ErrList},
		{"signature", one, unsigned, 0, ErrList},
	}
	for _, row := range rows {
		got, err := row.known.Head().Follow(account.Public(), row.next)
		if got != row.want || !errors.Is(err, row.err) {
			t.Errorf("%s: %v, %v", row.name, got, err)
		}
	}
}

func TestDeviceListCheck(t *testing.T) {
	account, device := testAccount(t, 1)
	first := ListedDevice{Key: device.Public(), Name: "laptop", AddedDay: 1}
	one := NewDeviceList(account, first)
	bad := map[string]func(l *DeviceList){
		"no device":       func(l *DeviceList) { l.Devices = nil },
		"too many":        func(l *DeviceList) { l.Devices = make([]ListedDevice, DeviceListDevicesMax+1) },
		"device twice":    func(l *DeviceList) { l.Devices = []ListedDevice{first, first} },
		"long name":       func(l *DeviceList) { l.Devices = []ListedDevice{{Key: first.Key, Name: strings.Repeat("n", 65)}} },
		"name not UTF-8":  func(l *DeviceList) { l.Devices = []ListedDevice{{Key: first.Key, Name: "\xff"}} },
		"bad key":         func(l *DeviceList) { l.Devices = []ListedDevice{{Key: KEMPublic{0xff, 0xff, 0xff}}} },
		"sequence 0":      func(l *DeviceList) { l.Sequence = 0 },
		"first has past":  func(l *DeviceList) { l.Before[0] = 1 },
		"second has none": func(l *DeviceList) { l.Sequence = 2 },
	}
	for name, spoil := range bad {
		l := one
		spoil(&l)
		l.Signature = account.Sign(l.signed())
		if err := l.Check(); !errors.Is(err, ErrList) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	a, _ := testAccount(t, 1)
	b, _ := testAccount(t, 2)
	f := NewFingerprint(a.Public(), b.Public())
	if f != NewFingerprint(b.Public(), a.Public()) {
		t.Error("the order of the accounts matters")
	}
	if groups := strings.Fields(f.String()); len(groups) != 12 || len(f.String()) != 71 {
		t.Errorf("fingerprint reads %q", f)
	}
	if f == NewFingerprint(a.Public(), a.Public()) {
		t.Error("another account, the same fingerprint")
	}
}
