package wire

import "errors"

const (
	// BeaconSize is the size of every beacon, in bytes: one datagram on any network.
	BeaconSize = beaconNonceSize + BeaconMarksMax*beaconMarkSize
	// BeaconMarksMax is how many marks a beacon has, whatever they are for.
	BeaconMarksMax = 120

	beaconNonceSize = 16
	beaconMarkSize  = 8 + 2
)

// ErrBeacon reports bytes that are no beacon.
var ErrBeacon = errors.New("wire: malformed beacon")

// Beacon is the datagram by which contacts on one local network find each other (spec,
// "Local network"). Its bytes:
//
//	nonce 16 ‖ 120 × (tag 8 ‖ masked port 2)
//
// To whoever lacks the secrets all of it is random.
type Beacon struct {
	Nonce [beaconNonceSize]byte
	Marks [BeaconMarksMax]BeaconMark
}

// BeaconMark is what one contact recognises, or nobody.
type BeaconMark struct {
	Tag  [8]byte
	Port [2]byte // masked
}

// Append appends the beacon's bytes to dst.
func (b *Beacon) Append(dst []byte) []byte {
	dst = append(dst, b.Nonce[:]...)
	for _, m := range b.Marks {
		dst = append(dst, m.Tag[:]...)
		dst = append(dst, m.Port[:]...)
	}
	return dst
}

// ParseBeacon reads a beacon. Error: ErrBeacon, for a wrong size alone.
func ParseBeacon(datagram []byte) (*Beacon, error) {
	if len(datagram) != BeaconSize {
		return nil, ErrBeacon
	}
	r := reader{b: datagram}
	b := new(Beacon)
	r.bytes(b.Nonce[:])
	for i := range b.Marks {
		r.bytes(b.Marks[i].Tag[:])
		r.bytes(b.Marks[i].Port[:])
	}
	return b, nil
}
