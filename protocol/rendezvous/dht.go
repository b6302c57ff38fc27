package rendezvous

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// DHTName is the name of one day under which one side of a pair publishes in a public
// DHT where it is, and the key by which the other side reads it. It holds a secret.
type DHTName struct {
	Seed identity.RecordSeed
	key  [identity.KeySize]byte
}

// Format keeps the secrets out of every formatted text.
func (n DHTName) Format(f fmt.State, _ rune) { n.Seed.Format(f, 'v') }

// NewDHTName makes the name of a day from the pair's key of that day: nobody else can,
// and with the key it is gone. The two sides of a pair have names of their own.
func NewDHTName(key [identity.KeySize]byte, way BeaconWay) (n DHTName) {
	b := identity.Expand(key, identity.LabelDHT.Join([]byte{byte(way)}), len(n.Seed)+len(n.key))
	copy(n.key[:], b[copy(n.Seed[:], b):])
	clear(b)
	return n
}

// DHTDay returns the day whose names a pair uses. It begins for each pair at a moment of
// its own, by a secret of the pair's, so that the names of all contacts do not change at
// once.
func DHTDay(now time.Time, secret [identity.KeySize]byte) uint32 {
	sum := identity.ExpandKey(secret, identity.LabelDHTShift.Join())
	shift := int64(binary.BigEndian.Uint32(sum[:]) % daySeconds)
	return uint32(max(now.Unix()-shift, 0) / daySeconds)
}

// Seal seals a record to be published under the name. It reads a nonce.
func (n DHTName) Seal(random io.Reader, record *wire.DHTRecord) ([]byte, error) {
	var nonce [identity.NonceSize]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return nil, err
	}
	return record.Seal(n.key, n.Seed.Public(), nonce), nil
}

// Open opens a record that was found under the name.
func (n DHTName) Open(sealed []byte) (*wire.DHTRecord, error) {
	return wire.OpenDHTRecord(sealed, n.key, n.Seed.Public())
}
