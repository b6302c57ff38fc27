package wire

import (
	"encoding/binary"
	"errors"

	"pabal/protocol/identity"
)

// ErrRecord reports bytes that are no address record, or a record of ours that breaks a
// limit.
var ErrRecord = errors.New("wire: malformed address record")

// AddressRecord tells one contact where a device is reached. A record of a higher
// sequence replaces the one before. Its bytes are one deterministic CBOR map.
type AddressRecord struct {
	// Sequence grows with every record the device sends to this contact.
	Sequence uint64
	// Expiry is in seconds since 1970-01-01 UTC.
	Expiry uint32
	// FirstDay is the day of the first of Keys, in days since 1970-01-01 UTC.
	FirstDay uint32
	// Keys are the device's transport keys, one a day, at most
	// identity.TransportDaysMax. A device that keeps one key tells only that one.
	Keys []identity.TransportKey
	// Addresses are those known to work, LAN and loopback ones included.
	Addresses []Address
	// Candidates are addresses nobody has confirmed yet.
	Candidates []Address
	// Couriers take deposits for the device, or relay to it.
	Couriers []Courier
	// Mailboxes are what the couriers hold for this contact's deposits.
	Mailboxes []Mailbox
}

// Mailbox is where a contact may deposit envelopes.
type Mailbox struct {
	// Courier is the transport key of the courier that keeps the mailbox; the
	// capability is shown to nobody else.
	Courier identity.TransportKey
	ID      MailboxID
	// Write is the capability to deposit.
	Write Capability
	// ClosesDay is the last day on which deposits are taken.
	ClosesDay uint32
}

// mailboxSize is the packed size of a Mailbox.
const mailboxSize = 32 + 16 + CapabilitySize + 4

// recordRow is the map an address record travels as.
type recordRow struct {
	Sequence   uint64 `cbor:"1,keyasint"`
	Expiry     uint32 `cbor:"2,keyasint"`
	FirstDay   uint32 `cbor:"3,keyasint"`
	Keys       []byte `cbor:"4,keyasint,omitempty"`
	Addresses  []byte `cbor:"5,keyasint,omitempty"`
	Candidates []byte `cbor:"6,keyasint,omitempty"`
	Couriers   []byte `cbor:"7,keyasint,omitempty"`
	Mailboxes  []byte `cbor:"8,keyasint,omitempty"`
}

// Encode returns the record's bytes. Error: ErrRecord if a list is too long.
func (a *AddressRecord) Encode() ([]byte, error) {
	if len(a.Keys) > identity.TransportDaysMax || len(a.Addresses) > RecordAddressesMax ||
		len(a.Candidates) > RecordAddressesMax || len(a.Couriers) > RecordCouriersMax || len(a.Mailboxes) > RecordMailboxesMax {
		return nil, ErrRecord
	}
	row := recordRow{Sequence: a.Sequence, Expiry: a.Expiry, FirstDay: a.FirstDay}
	for _, k := range a.Keys {
		row.Keys = append(row.Keys, k[:]...)
	}
	row.Addresses = AppendAddresses(nil, a.Addresses)
	row.Candidates = AppendAddresses(nil, a.Candidates)
	for _, c := range a.Couriers {
		row.Couriers = c.append(row.Couriers)
	}
	for _, m := range a.Mailboxes {
		row.Mailboxes = m.append(row.Mailboxes)
	}
	b := encodeMap(row)
	if len(b) > RecordBytesMax {
		return nil, ErrRecord
	}
	return b, nil
}

func (m Mailbox) append(b []byte) []byte {
	b = append(b, m.Courier[:]...)
	b = append(b, m.ID[:]...)
	b = append(b, m.Write[:]...)
	return binary.BigEndian.AppendUint32(b, m.ClosesDay)
}

// ParseAddressRecord reads a record. Error: ErrRecord.
func ParseAddressRecord(b []byte) (*AddressRecord, error) {
	var row recordRow
	size, ok := decodeMap(b, &row)
	if !ok || size != len(b) || size > RecordBytesMax {
		return nil, ErrRecord
	}
	a := &AddressRecord{Sequence: row.Sequence, Expiry: row.Expiry, FirstDay: row.FirstDay}
	if len(row.Keys)%32 != 0 || len(row.Keys)/32 > identity.TransportDaysMax {
		return nil, ErrRecord
	}
	keys := reader{b: row.Keys}
	a.Keys = keys.transportKeys(len(row.Keys) / 32)
	var err error
	if a.Addresses, err = ParseAddresses(row.Addresses, RecordAddressesMax); err != nil {
		return nil, ErrRecord
	}
	if a.Candidates, err = ParseAddresses(row.Candidates, RecordAddressesMax); err != nil {
		return nil, ErrRecord
	}
	if a.Couriers, ok = parseCouriers(row.Couriers); !ok {
		return nil, ErrRecord
	}
	if a.Mailboxes, ok = parseMailboxes(row.Mailboxes); !ok {
		return nil, ErrRecord
	}
	return a, nil
}

func parseCouriers(b []byte) ([]Courier, bool) {
	r := reader{b: b}
	var list []Courier
	for len(r.b) > 0 {
		one, ok := r.couriers(1)
		if !ok || len(list) == RecordCouriersMax {
			return nil, false
		}
		list = append(list, one...)
	}
	return list, true
}

func parseMailboxes(b []byte) ([]Mailbox, bool) {
	if len(b)%mailboxSize != 0 || len(b)/mailboxSize > RecordMailboxesMax {
		return nil, false
	}
	r := reader{b: b}
	var list []Mailbox
	for len(r.b) > 0 {
		list = append(list, r.mailbox())
	}
	return list, true
}

func (r *reader) mailbox() (m Mailbox) {
	r.bytes(m.Courier[:])
	r.bytes(m.ID[:])
	r.bytes(m.Write[:])
	m.ClosesDay = r.uint32()
	return m
}
