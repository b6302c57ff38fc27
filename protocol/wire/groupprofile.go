package wire

import (
	"bytes"
	"encoding/binary"
	"slices"

	"pabal/protocol/identity"
)

// MemberHint lets one contact of a member find out which of a group's keys is that contact's, and
// tells nobody else anything ([identity.GroupHint]).
type MemberHint [8]byte

// GroupProfile is a member's word of what they are called in a group, and by what their contacts
// know them (spec, "Messages in a group"). It is no operation: whoever is no admin makes none.
type GroupProfile struct {
	Group  OperationID
	Member identity.MemberKey
	// Revision orders a member's profiles, of which the highest counts: the milliseconds of their
	// clock, or one more than the last.
	Revision uint64
	// Name is as in a [ContentProfile].
	Name string
	// Hints are ascending. Their number is a multiple of GroupHintsStep, at most GroupHintsMax; some are
	// random, so that it does not tell how many contacts the member has.
	Hints     []MemberHint
	Signature identity.Signature
}

// Sign puts the member's signature on the profile, and their key. Error: ErrGroupOperation, if the profile breaks a
// limit.
func (p *GroupProfile) Sign(seed identity.MemberSeed) error {
	p.Member = seed.Public()
	if !p.valid() {
		return ErrGroupOperation
	}
	p.Signature = seed.Sign(p.signed())
	return nil
}

// Verify reports whether the member has said so.
func (p *GroupProfile) Verify() bool { return p.Member.Verify(p.signed(), p.Signature) }

// Later reports whether a profile counts instead of another one of the same member: two of one revision, which a disk
// that was put back makes, are ordered by their bytes.
func (p *GroupProfile) Later(than *GroupProfile) bool {
	if p.Revision != than.Revision {
		return p.Revision > than.Revision
	}
	return bytes.Compare(p.Append(nil), than.Append(nil)) > 0
}

// Hash is what a sync says of the profile.
func (p *GroupProfile) Hash() [8]byte {
	hash := identity.Hash(p.Append(nil))
	return [8]byte(hash[:8])
}

// Has reports whether a hint is among the profile's.
func (p *GroupProfile) Has(hint MemberHint) bool {
	_, found := slices.BinarySearchFunc(p.Hints, hint, compareHints)
	return found
}

func compareHints(a, b MemberHint) int { return bytes.Compare(a[:], b[:]) }

func (p *GroupProfile) valid() bool {
	for i := 1; i < len(p.Hints); i++ {
		if compareHints(p.Hints[i-1], p.Hints[i]) >= 0 {
			return false
		}
	}
	return p.Revision >= 1 && p.Revision <= GroupSequenceMax && ValidName(p.Name) && len(p.Hints) <= GroupHintsMax && len(p.Hints)%GroupHintsStep == 0
}

// Append appends the profile's bytes to dst.
func (p *GroupProfile) Append(dst []byte) []byte {
	return append(p.appendUnsigned(dst), p.Signature[:]...)
}

func (p *GroupProfile) signed() []byte {
	return p.appendUnsigned(identity.LabelGroupProfile.Append(nil))
}

func (p *GroupProfile) appendUnsigned(dst []byte) []byte {
	dst = append(dst, operationVersion)
	dst = append(dst, p.Group[:]...)
	dst = append(dst, p.Member[:]...)
	dst = binary.BigEndian.AppendUint64(dst, p.Revision)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Name)))
	dst = append(dst, p.Name...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Hints)))
	for _, h := range p.Hints {
		dst = append(dst, h[:]...)
	}
	return dst
}

// ParseGroupProfile reads a profile; it does not check the signature. Error: ErrGroupOperation.
func ParseGroupProfile(b []byte) (GroupProfile, error) {
	r := reader{b: b}
	version := r.byte()
	var p GroupProfile
	r.bytes(p.Group[:])
	r.bytes(p.Member[:])
	p.Revision = r.uint64()
	p.Name = string(r.take(int(r.uint16())))
	n := int(r.uint16())
	if r.failed() || version != operationVersion || n > GroupHintsMax {
		return GroupProfile{}, ErrGroupOperation
	}
	for range n {
		var h MemberHint
		r.bytes(h[:])
		p.Hints = append(p.Hints, h)
	}
	r.bytes(p.Signature[:])
	if !r.done() || !p.valid() {
		return GroupProfile{}, ErrGroupOperation
	}
	return p, nil
}
