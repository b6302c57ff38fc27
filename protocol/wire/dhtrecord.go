package wire

import (
	"encoding/binary"
	"errors"
	"slices"

	"pabal/protocol/identity"
)

// Errors of records in the DHT.
var (
	// ErrDHTRecord reports bytes that are no record in the DHT, or none that opens.
	ErrDHTRecord = errors.New("wire: malformed record of the DHT")
	// ErrDHTRecordVersion reports a record of a version this one does not know.
	ErrDHTRecordVersion = errors.New("wire: unknown version of a record of the DHT")
)

// DHTRecord tells one contact where a device is reached, as an address record does, by
// way of a public DHT (spec, "Public DHT"):
//
//	nonce 12 ‖ A(key, nonce, pad(text), "Ldht record" ‖ name 32)
//	text: version u8 ‖ made u32 ‖ first day u32 ‖ n u8 ‖ n × transport key 32
//	      ‖ n u8 ‖ n × mailbox 84 ‖ n u8 ‖ n × courier ‖ n u8 ‖ n × address
//
// Every record has one size and looks like noise to whoever lacks the pair's key.
type DHTRecord struct {
	// Made is when, in Unix seconds by its maker's clock.
	Made uint32
	// FirstDay is the day of the first of Keys, in days since 1970-01-01 UTC.
	FirstDay uint32
	// Keys are the device's transport keys, one a day, at most DHTRecordKeysMax.
	Keys []identity.TransportKey
	// Mailboxes are where the contact may leave mail, and be connected with the device.
	Mailboxes []Mailbox
	// Couriers say where the mailboxes' couriers are.
	Couriers []Courier
	// Addresses are the device's own.
	Addresses []Address
}

const (
	dhtRecordVersion  = 1
	dhtRecordTextSize = DHTRecordSize - identity.NonceSize - identity.Overhead
)

// Seal makes the bytes that are published under a name. Addresses that do not fit are left
// out, the last first. The nonce must be random.
func (d *DHTRecord) Seal(key [identity.KeySize]byte, name identity.RecordName, nonce [identity.NonceSize]byte) []byte {
	text := make([]byte, dhtRecordTextSize)
	copy(text, d.fit().append(nil))
	return identity.Seal(append(make([]byte, 0, DHTRecordSize), nonce[:]...), key, nonce, text, identity.LabelDHTRecord.Join(name[:]))
}

// fit returns the record without what does not fit.
func (d *DHTRecord) fit() *DHTRecord {
	out := *d
	out.Keys = d.Keys[:min(len(d.Keys), DHTRecordKeysMax)]
	out.Mailboxes = d.Mailboxes[:min(len(d.Mailboxes), RecordMailboxesMax)]
	out.Couriers = d.Couriers[:min(len(d.Couriers), RecordCouriersMax)]
	out.Addresses = d.Addresses[:min(len(d.Addresses), RecordAddressesMax)]
	for len(out.append(nil)) > dhtRecordTextSize { // all but the addresses always fits
		out.Addresses = out.Addresses[:len(out.Addresses)-1]
	}
	return &out
}

func (d *DHTRecord) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, dhtRecordVersion), d.Made)
	b = binary.BigEndian.AppendUint32(b, d.FirstDay)
	b = append(b, byte(len(d.Keys)))
	for _, k := range d.Keys {
		b = append(b, k[:]...)
	}
	b = append(b, byte(len(d.Mailboxes)))
	for _, m := range d.Mailboxes {
		b = m.append(b)
	}
	b = append(b, byte(len(d.Couriers)))
	for _, c := range d.Couriers {
		b = c.append(b)
	}
	return AppendAddresses(append(b, byte(len(d.Addresses))), d.Addresses)
}

// SameAs reports whether two records say the same, whenever they were made.
func (d *DHTRecord) SameAs(other *DHTRecord) bool {
	return d.FirstDay == other.FirstDay && slices.Equal(d.Keys, other.Keys) && slices.Equal(d.Mailboxes, other.Mailboxes) &&
		slices.Equal(d.Couriers, other.Couriers) && slices.Equal(d.Addresses, other.Addresses)
}

// OpenDHTRecord opens what was published under a name. Errors: ErrDHTRecord,
// ErrDHTRecordVersion.
func OpenDHTRecord(sealed []byte, key [identity.KeySize]byte, name identity.RecordName) (*DHTRecord, error) {
	if len(sealed) != DHTRecordSize {
		return nil, ErrDHTRecord
	}
	nonce := [identity.NonceSize]byte(sealed)
	text, err := identity.Open(nil, key, nonce, sealed[identity.NonceSize:], identity.LabelDHTRecord.Join(name[:]))
	if err != nil {
		return nil, ErrDHTRecord
	}
	return parseDHTRecord(text)
}

// parseDHTRecord reads what is sealed in a record.
func parseDHTRecord(text []byte) (*DHTRecord, error) {
	r := reader{b: text}
	switch version := r.byte(); {
	case r.failed():
		return nil, ErrDHTRecord
	case version != dhtRecordVersion:
		return nil, ErrDHTRecordVersion
	}
	d := &DHTRecord{Made: r.uint32(), FirstDay: r.uint32()}
	n, ok := r.count(DHTRecordKeysMax)
	if !ok || n == 0 {
		return nil, ErrDHTRecord
	}
	d.Keys = r.transportKeys(n)
	if n, ok = r.count(RecordMailboxesMax); !ok {
		return nil, ErrDHTRecord
	}
	for range n {
		d.Mailboxes = append(d.Mailboxes, r.mailbox())
	}
	if n, ok = r.count(RecordCouriersMax); !ok {
		return nil, ErrDHTRecord
	}
	if d.Couriers, ok = r.couriers(n); !ok {
		return nil, ErrDHTRecord
	}
	if n, ok = r.count(RecordAddressesMax); !ok {
		return nil, ErrDHTRecord
	}
	if d.Addresses, ok = r.addresses(n); !ok || r.failed() || !zeros(r.b) {
		return nil, ErrDHTRecord
	}
	return d, nil
}

// count reads how many elements follow; it returns false if these are too many.
func (r *reader) count(limit int) (n int, ok bool) {
	n = int(r.byte())
	return n, !r.failed() && n <= limit
}
