package identity

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// ErrReseed reports a reseed that names a day out of bounds.
var ErrReseed = errors.New("identity: reseed names a day out of bounds")

// ErrPairChain reports stored bytes that are no pair chain.
var ErrPairChain = errors.New("identity: malformed pair chain")

// Direction says who shows a hello tag to whom, so that a tag cannot be mirrored.
type Direction byte

// The two directions of a connection.
const (
	// FromDialer marks the tag the dialer shows first.
	FromDialer Direction = 1
	// FromListener marks the tag the listener answers with.
	FromListener Direction = 2
)

// HelloTag is the proof, shown right after a connection stands, that one end knows
// the key of a pair, a link or a repair. It is bound to both transport keys of the
// connection, so it is worth nothing on another one.
type HelloTag [HelloTagSize]byte

// NewHelloTag computes the tag for a connection under a hello key: a day's key of a
// pair chain, LinkHelloKey or RepairHelloKey.
func NewHelloTag(key [KeySize]byte, direction Direction, dialer, listener TransportKey) HelloTag {
	var msg [5 + 1 + 32 + 32]byte
	copy(msg[:], "hello")
	msg[5] = byte(direction)
	copy(msg[6:], dialer[:])
	copy(msg[38:], listener[:])
	sum := MAC(key[:], msg[:])
	return HelloTag(sum[:HelloTagSize])
}

// Equal compares two tags in constant time.
func (t HelloTag) Equal(other HelloTag) bool {
	return subtle.ConstantTimeCompare(t[:], other[:]) == 1
}

// LinkHelloKey derives from a link's secret the hello key that opens bundle fetch
// and request deposit only.
func LinkHelloKey(secret [KeySize]byte) [KeySize]byte {
	return ExpandKey(secret, LabelLinkHello.Join())
}

// RepairHelloKey derives the hello key of a day from a contact's recovery secret. It
// opens request and accept of a repair only.
func RepairHelloKey(recovery [KeySize]byte, day uint32) [KeySize]byte {
	return ExpandKey(recovery, LabelRepairHello.Join(Uint32(day)))
}

// ChainLine is one forward chain of day keys. The zero value is no line.
type ChainLine struct {
	// First is the earliest day whose key can still be computed.
	First uint32
	// Key is the key of First.
	Key [KeySize]byte
}

// at returns the key of day. Days before First, or too far ahead, give false.
func (l ChainLine) at(day uint32) ([KeySize]byte, bool) {
	if l == (ChainLine{}) || day < l.First || day-l.First > DayDistanceMax {
		return [KeySize]byte{}, false
	}
	key := l.Key
	for d := l.First; d < day; d++ {
		key = ExpandKey(key, LabelDay.Join(Uint32(d+1)))
	}
	return key, true
}

// forgetBefore returns the line with every key before day erased. A day before First
// or out of reach changes nothing.
func (l ChainLine) forgetBefore(day uint32) ChainLine {
	key, ok := l.at(day)
	if !ok {
		return l
	}
	return ChainLine{First: day, Key: key}
}

// PairChain is the chain of day keys two devices share, made at the accept. It is a
// value: methods return the changed chain, and the caller stores it in the commit
// that carries the cause.
//
// A day's key is erased only once our clock and an authenticated contact have both
// reached a day two later, so a wrong clock alone never locks two contacts out.
type PairChain struct {
	// Line is the chain in use, or the one made by the last reseed.
	Line ChainLine
	// Old is the chain before the last reseed, kept until the other side is seen
	// using Line. The zero value means there is none.
	Old ChainLine
	// Mine says that we made the last reseed: then we go on speaking under Old
	// until the other side shows, by using Line, that the reseed has arrived.
	Mine bool
	// Confirmed is the last day both sides are known to have reached.
	Confirmed uint32
}

// NewPairChain starts the chain with the key of day d0, both from the accept.
func NewPairChain(key [KeySize]byte, d0 uint32) PairChain {
	return PairChain{Line: ChainLine{First: d0, Key: key}, Confirmed: d0}
}

// HelloKey is one key a hello may be made under.
type HelloKey struct {
	Day uint32
	Key [KeySize]byte
	// Renewed says that the key is of the newest line.
	Renewed bool
}

// Speak returns the key to make our own hello under: of our day, or of the last
// confirmed day if ours is out of the chain's reach.
func (c PairChain) Speak(ownDay uint32) (HelloKey, bool) {
	for _, day := range [2]uint32{ownDay, c.Confirmed} {
		for _, renewed := range [2]bool{!c.holdsBack(), c.holdsBack()} {
			if k, ok := c.key(day, renewed); ok {
				return k, true
			}
		}
	}
	return HelloKey{}, false
}

// holdsBack reports whether we must not speak under Line yet.
func (c PairChain) holdsBack() bool {
	return c.Mine && c.Old != (ChainLine{})
}

func (c PairChain) key(day uint32, renewed bool) (HelloKey, bool) {
	line := c.Old
	if renewed {
		line = c.Line
	}
	key, ok := line.at(day)
	return HelloKey{Day: day, Key: key, Renewed: renewed}, ok
}

// Listen returns every key a hello of the other side may be made under: of our own
// day, the last confirmed day, and the days beside these, on both lines. At most 12. It
// walks every day since the chain's first: keep the result while day and chain stay.
func (c PairChain) Listen(ownDay uint32) []HelloKey {
	var keys []HelloKey
	days := [6]uint32{ownDay, ownDay - 1, ownDay + 1, c.Confirmed, c.Confirmed - 1, c.Confirmed + 1}
	for i, day := range days {
		if seen(days[:i], day) {
			continue
		}
		for _, renewed := range [2]bool{true, false} {
			if k, ok := c.key(day, renewed); ok {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func seen(days []uint32, day uint32) bool {
	for _, d := range days {
		if d == day {
			return true
		}
	}
	return false
}

// Match finds which of the keys a received tag was made under. All of them are tried,
// so that time tells nothing.
func Match(keys []HelloKey, tag HelloTag, direction Direction, dialer, listener TransportKey) (found HelloKey, ok bool) {
	for _, k := range keys {
		if NewHelloTag(k.Key, direction, dialer, listener).Equal(tag) && !ok {
			found, ok = k, true
		}
	}
	return found, ok
}

// Made reports whether a hello key is one of this chain's newest line.
func (c PairChain) Made(heard HelloKey) bool {
	k, ok := c.key(heard.Day, true)
	return ok && subtle.ConstantTimeCompare(k.Key[:], heard.Key[:]) == 1
}

// Confirm takes note that the contact, authenticated by the hello key heard, has
// reached that key's day. The days that both sides have left two days behind are
// erased, and Old is if the other side spoke under the new line. A reseed of ours
// that the contact has not taken ReseedDaysUnusedMax days after its day is given up.
func (c PairChain) Confirm(ownDay uint32, heard HelloKey) PairChain {
	switch {
	case heard.Renewed:
		c.Old, c.Mine = ChainLine{}, false
	case c.holdsBack() && heard.Day >= c.Line.First && heard.Day-c.Line.First >= ReseedDaysUnusedMax:
		c.Line, c.Old, c.Mine = c.Old, ChainLine{}, false
	}
	c.Confirmed = max(c.Confirmed, min(ownDay, heard.Day))
	if c.Confirmed > 0 {
		c.Old = c.Old.forgetBefore(c.Confirmed - 1)
		if !c.holdsBack() {
			c.Line = c.Line.forgetBefore(c.Confirmed - 1)
		}
	}
	return c
}

// Reseed starts a new line on the given day from fresh randomness r, which the
// contact of the smaller account sends inside the session; mine says that we are that
// contact. When we choose the day it must lie ReseedDaysAheadMin to ReseedDaysAheadMax
// days after ownDay, and no reseed may be under way; the receiver, whom it may reach
// late, takes it up to ReseedDaysLateMax days after the day. Errors: ErrReseed.
func (c PairChain) Reseed(ownDay, day uint32, r [KeySize]byte, mine bool) (PairChain, error) {
	if mine && (c.Old != (ChainLine{}) || day < ownDay || day-ownDay < ReseedDaysAheadMin) {
		return PairChain{}, ErrReseed
	}
	if day > ownDay && day-ownDay > ReseedDaysAheadMax || day < ownDay && ownDay-day > ReseedDaysLateMax {
		return PairChain{}, ErrReseed
	}
	key, ok := c.Line.at(day)
	if !ok {
		return PairChain{}, ErrReseed
	}
	// A second reseed is only ever made after we were seen using the line of the
	// first, so the line before that may go now.
	c.Old = c.Line
	c.Line = ChainLine{First: day, Key: ExpandKey(Extract(key[:], r[:]), LabelReseed.Join())}
	c.Mine = mine
	return c, nil
}

// Append appends the chain's bytes for our own storage to dst (PairChainSize).
func (c PairChain) Append(dst []byte) []byte {
	for _, l := range [2]ChainLine{c.Line, c.Old} {
		dst = binary.BigEndian.AppendUint32(dst, l.First)
		dst = append(dst, l.Key[:]...)
	}
	dst = binary.BigEndian.AppendUint32(dst, c.Confirmed)
	if c.Mine {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// LoadPairChain reads what Append wrote to our own storage.
func LoadPairChain(b []byte) (PairChain, error) {
	if len(b) != PairChainSize || b[PairChainSize-1] > 1 {
		return PairChain{}, ErrPairChain
	}
	return PairChain{
		Line:      ChainLine{First: binary.BigEndian.Uint32(b), Key: [KeySize]byte(b[4:36])},
		Old:       ChainLine{First: binary.BigEndian.Uint32(b[36:]), Key: [KeySize]byte(b[40:72])},
		Confirmed: binary.BigEndian.Uint32(b[72:]),
		Mine:      b[76] == 1,
	}, nil
}
