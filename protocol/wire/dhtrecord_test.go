package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pabal/protocol/identity"
)

func sampleDHTRecord() DHTRecord {
	r := sampleRecord()
	return DHTRecord{Made: 1_800_000_000, FirstDay: 20600, Keys: r.Keys, Mailboxes: r.Mailboxes, Couriers: r.Couriers, Addresses: r.Addresses}
}

// fullDHTRecord has as much of everything as the limits allow, in its longest form.
func fullDHTRecord() DHTRecord {
	d := DHTRecord{Made: 1, FirstDay: 2}
	loopback := Address{Network: QUIC, IP: netip.MustParseAddr("::1"), Port: 1, HostTag: [8]byte{1}}
	for i := range byte(DHTRecordKeysMax) {
		d.Keys = append(d.Keys, identity.TransportKey{i, 1})
	}
	for i := range byte(RecordMailboxesMax) {
		d.Mailboxes = append(d.Mailboxes, Mailbox{Courier: identity.TransportKey{i, 2}, ID: MailboxID{i, 3}, Write: Capability{i, 4}})
	}
	for i := range byte(RecordCouriersMax) {
		d.Couriers = append(d.Couriers, Courier{Key: identity.TransportKey{i, 2}, Address: loopback})
	}
	for i := range uint16(RecordAddressesMax) {
		a := loopback
		a.Port = i + 1
		d.Addresses = append(d.Addresses, a)
	}
	return d
}

func TestDHTRecord(t *testing.T) {
	key, name := [32]byte{1}, identity.RecordName{2}
	sample := sampleDHTRecord()
	for _, d := range []DHTRecord{sample, {Keys: []identity.TransportKey{{1}}}} {
		sealed := d.Seal(key, name, [identity.NonceSize]byte{3})
		if len(sealed) != DHTRecordSize {
			t.Errorf("a record has %d bytes", len(sealed))
		}
		opened, err := OpenDHTRecord(sealed, key, name)
		if err != nil || !reflect.DeepEqual(*opened, d) || !opened.SameAs(&d) {
			t.Errorf("opened %+v (%v), sealed %+v", opened, err, d)
		}
	}
	other := sample
	other.Made++
	if !other.SameAs(&sample) {
		t.Error("a record made later says something else")
	}
	if other.Addresses = other.Addresses[1:]; other.SameAs(&sample) {
		t.Error("a record with fewer addresses says the same")
	}
}

// TestDHTRecordFits leaves out addresses, and nothing else, for one size.
func TestDHTRecordFits(t *testing.T) {
	d := fullDHTRecord()
	opened, err := OpenDHTRecord(d.Seal([32]byte{1}, identity.RecordName{2}, [identity.NonceSize]byte{3}), [32]byte{1}, identity.RecordName{2})
	if err != nil {
		t.Fatal(err)
	}
	n := len(opened.Addresses)
	if n == 0 || n == len(d.Addresses) || !slices.Equal(opened.Addresses, d.Addresses[:n]) {
		t.Errorf("%d addresses of %d", n, len(d.Addresses))
	}
	if d.Addresses = d.Addresses[:n]; !opened.SameAs(&d) {
		t.Error("something else is missing, too")
	}
}

func TestDHTRecordRefused(t *testing.T) {
	key, name := [32]byte{1}, identity.RecordName{2}
	d := sampleDHTRecord()
	sealed := d.Seal(key, name, [identity.NonceSize]byte{3})
	for what, try := range map[string]func() (*DHTRecord, error){
		"another key":  func() (*DHTRecord, error) { return OpenDHTRecord(sealed, [32]byte{9}, name) },
		"another name": func() (*DHTRecord, error) { return OpenDHTRecord(sealed, key, identity.RecordName{9}) },
		"cut":          func() (*DHTRecord, error) { return OpenDHTRecord(sealed[1:], key, name) },
		"nothing":      func() (*DHTRecord, error) { return OpenDHTRecord(nil, key, name) },
		"no keys":      func() (*DHTRecord, error) { return parseDHTRecord((&DHTRecord{}).append(nil)) },
		"too many keys": func() (*DHTRecord, error) {
			return parseDHTRecord((&DHTRecord{Keys: make([]identity.TransportKey, DHTRecordKeysMax+1)}).append(nil))
		},
		"more behind it": func() (*DHTRecord, error) { return parseDHTRecord(append(d.append(nil), 1)) },
	} {
		if _, err := try(); !errors.Is(err, ErrDHTRecord) {
			t.Errorf("%s: error %v", what, err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := OpenDHTRecord(changed, key, name); !errors.Is(err, ErrDHTRecord) {
			t.Fatalf("byte %d changed: error %v", i, err)
		}
	}
	later := d.append(nil)
	later[0]++
	if _, err := parseDHTRecord(later); !errors.Is(err, ErrDHTRecordVersion) {
		t.Errorf("a later version: error %v", err)
	}
}

// FuzzDHTRecord parses what is sealed in a record, and encodes it again. What is not sealed
// with the key never opens.
func FuzzDHTRecord(f *testing.F) {
	sample, full := sampleDHTRecord(), fullDHTRecord()
	f.Add(sample.append(nil))
	f.Add(full.append(nil))
	f.Add(make([]byte, DHTRecordSize))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := OpenDHTRecord(text, [32]byte{1}, identity.RecordName{2}); err == nil {
			t.Error("bytes of somebody without the key open")
		}
		d, err := parseDHTRecord(text)
		if err != nil {
			return
		}
		if again := d.append(nil); !bytes.HasPrefix(text, again) || !zeros(text[len(again):]) {
			t.Error("changed on the way")
		}
	})
}
