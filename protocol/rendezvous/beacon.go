package rendezvous

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// BeaconKey is what one contact recognises us by on a local network.
type BeaconKey struct {
	// Key is one that both sides have and nobody else: the pair's of the day, or a
	// link's hello key.
	Key [identity.KeySize]byte
	// Way tells the two directions apart, so that no one recognises itself.
	Way BeaconWay
}

// BeaconWay says who sends a beacon to whom.
type BeaconWay byte

// The ways.
const (
	// FromLower is from the account whose key sorts first, or from an inviter.
	FromLower BeaconWay = 1
	// FromHigher is from the other account.
	FromHigher BeaconWay = 2
)

// BeaconSlot is the span of time in which a beacon was made: it is recognised in this
// one and those beside it alone, so that a recording is soon worth nothing.
func BeaconSlot(now time.Time) uint32 {
	return uint32(max(now.Unix(), 0) / int64(beaconSlot/time.Second))
}

// mark returns the tag and the mask of the port: what the key, the way, the slot, the
// nonce and the address that the beacon comes from give.
func (k BeaconKey) mark(slot uint32, nonce [16]byte, from netip.Addr) (tag [8]byte, mask uint16) {
	ip := from.As16()
	sum := identity.MAC(k.Key[:], identity.LabelBeacon.Join([]byte{byte(k.Way)}, identity.Uint32(slot), nonce[:], ip[:]))
	return [8]byte(sum[:8]), binary.BigEndian.Uint16(sum[8:10])
}

// NewBeacon makes the beacon of a node that listens on a port of the address it is sent
// from. Of the keys the first [wire.BeaconMarksMax] count; what is left of the marks is
// random, so that nobody sees how many there are. It reads wire.BeaconSize random bytes.
func NewBeacon(random io.Reader, now time.Time, from netip.AddrPort, keys []BeaconKey) (*wire.Beacon, error) {
	var noise [wire.BeaconSize]byte
	if _, err := io.ReadFull(random, noise[:]); err != nil {
		return nil, err
	}
	b, err := wire.ParseBeacon(noise[:])
	if err != nil {
		return nil, err
	}
	for i, k := range keys[:min(len(keys), wire.BeaconMarksMax)] {
		tag, mask := k.mark(BeaconSlot(now), b.Nonce, from.Addr())
		b.Marks[i].Tag = tag
		binary.BigEndian.PutUint16(b.Marks[i].Port[:], from.Port()^mask)
	}
	return b, nil
}

// Heard is a beacon that came from an address at a time.
type Heard struct {
	from  netip.Addr
	slot  uint32
	nonce [16]byte
	ports map[[8]byte][2]byte // by tag
}

// Hear prepares a beacon for [Heard.By].
func Hear(now time.Time, from netip.Addr, b *wire.Beacon) Heard {
	h := Heard{from: from, slot: BeaconSlot(now), nonce: b.Nonce, ports: make(map[[8]byte][2]byte, len(b.Marks))}
	for _, m := range b.Marks {
		h.ports[m.Tag] = m.Port
	}
	return h
}

// By reports whether the beacon is of the holder of a key, and on which port of the
// address that it came from the holder listens.
func (h Heard) By(k BeaconKey) (port uint16, ok bool) {
	for _, slot := range [3]uint32{h.slot, h.slot - 1, h.slot + 1} {
		tag, mask := k.mark(slot, h.nonce, h.from)
		if masked, found := h.ports[tag]; found {
			return binary.BigEndian.Uint16(masked[:]) ^ mask, true
		}
	}
	return 0, false
}

// Ear bounds what beacons cost whoever hears them. The zero value hears.
type Ear struct {
	spent  int // beacons looked at since
	since  time.Time
	nonces [noncesKept][16]byte // of beacons that were recognised, in a ring
	next   int
}

// Spend reports whether one more beacon may be looked at now.
func (e *Ear) Spend(now time.Time) bool {
	if passed := now.Sub(e.since); passed < 0 || passed >= beaconsSpan {
		e.spent, e.since = 0, now
	}
	e.spent++
	return e.spent <= beaconsPerSpan
}

// New reports whether a recognised beacon was not recognised before, and remembers it.
func (e *Ear) New(h Heard) bool {
	for _, n := range e.nonces {
		if n == h.nonce {
			return false
		}
	}
	e.nonces[e.next] = h.nonce
	e.next = (e.next + 1) % len(e.nonces)
	return true
}

// Calls paces our own beacons on a network: some at once when it is new, then rarely.
type Calls struct {
	made int
	next time.Time
}

// Next returns when the next beacon is due.
func (c *Calls) Next() time.Time { return c.next }

// Begin has the first beacon sent at now.
func (c *Calls) Begin(now time.Time) { *c = Calls{next: now} }

// Made notes a beacon that was sent; a random byte spreads those that follow.
func (c *Calls) Made(now time.Time, jitter byte) {
	c.made++
	if c.made < beaconsFirst {
		c.next = now.Add(beaconFirstGap)
		return
	}
	c.next = now.Add(beaconEvery - beaconEvery/4*time.Duration(jitter)/256)
}
