package wire

import (
	"bytes"
	"encoding/binary"
	"errors"

	"pabal/protocol/identity"
)

// ErrGroupSync reports bytes that are not what members tell each other of a group.
var ErrGroupSync = errors.New("wire: malformed word between members")

// MemberMark names a member among the others of a group: the first bytes of their key.
type MemberMark [8]byte

// MarkOf returns the mark of a member.
func MarkOf(key identity.MemberKey) MemberMark { return MemberMark(key[:]) }

// GroupSync is what one member tells another of what it holds (spec, "Messages in a group").
type GroupSync struct {
	Group OperationID
	// Answer asks the other side for the same.
	Answer bool
	// Held is the hash of all operations known ([HashOperations]).
	Held [16]byte
	// Left is the hash of who has left, by what is known.
	Left [8]byte
	// Authors are some of those whose messages are held, by their marks, or all.
	Authors []GroupAuthor
}

// GroupAuthor is what is held of one author.
type GroupAuthor struct {
	Mark MemberMark
	// Revision and Profile are those of the author's profile that is held, and its hash
	// ([GroupProfile.Hash]); 0: there is none.
	Revision uint64
	Profile  [8]byte
	// Ask asks for the author's profile, if another one is held.
	Ask bool
	// Tips are the newest messages that are held; none: nothing is.
	Tips []GroupTip
	// Push asks for the author's next messages to be sent unasked; else they come by
	// somebody else.
	Push bool
}

// GroupRange is a run of one author's messages.
type GroupRange struct {
	Mark        MemberMark
	First, Last uint64
}

// GroupRanges are messages that a member is asked for, or those of them that it does not hold.
type GroupRanges struct {
	Group OperationID
	// Ranges are ascending by mark and number, and do not overlap.
	Ranges []GroupRange
}

// OperationName names an operation among those of a group: the first bytes of its id.
type OperationName [16]byte

// NameOf returns the name of an operation.
func NameOf(id OperationID) OperationName { return OperationName(id[:]) }

// GroupHolding is which operations a member holds, so that it is sent the others.
type GroupHolding struct {
	Group OperationID
	// Full says that there is room for removals and the group's end only: others are neither
	// named nor to be sent.
	Full bool
	// Operations are ascending, at most GroupHoldingMax.
	Operations []OperationName
}

// HashOperations returns what a sync says of the operations known, whose ids are ascending.
func HashOperations(ids []OperationID) [16]byte {
	var b []byte
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	hash := identity.Hash(b)
	return [16]byte(hash[:])
}

const groupSyncVersion = 1

const (
	syncAnswer  = 1 << 0
	authorPush  = 1 << 0
	authorAsk   = 1 << 1
	holdingFull = 1 << 0
)

// Append appends the word's bytes to dst.
func (s *GroupSync) Append(dst []byte) []byte {
	dst = append(dst, groupSyncVersion)
	dst = append(dst, s.Group[:]...)
	dst = append(dst, bitIf(s.Answer, syncAnswer))
	dst = append(dst, s.Held[:]...)
	dst = append(dst, s.Left[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s.Authors)))
	for _, a := range s.Authors {
		dst = append(dst, a.Mark[:]...)
		dst = append(dst, bitIf(a.Push, authorPush)|bitIf(a.Ask, authorAsk))
		dst = binary.BigEndian.AppendUint64(dst, a.Revision)
		dst = append(dst, a.Profile[:]...)
		dst = appendTips(dst, a.Tips)
	}
	return dst
}

func bitIf(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

// ParseGroupSync reads a GroupSync. Error: ErrGroupSync.
func ParseGroupSync(b []byte) (GroupSync, error) {
	r := reader{b: b}
	version := r.byte()
	var s GroupSync
	r.bytes(s.Group[:])
	flags := r.byte()
	s.Answer = flags == syncAnswer
	r.bytes(s.Held[:])
	r.bytes(s.Left[:])
	n := int(r.uint16())
	if r.failed() || version != groupSyncVersion || flags > syncAnswer || n > GroupSyncAuthorsMax {
		return GroupSync{}, ErrGroupSync
	}
	for i := range n {
		var a GroupAuthor
		r.bytes(a.Mark[:])
		flags := r.byte()
		a.Push, a.Ask, a.Revision = flags&authorPush != 0, flags&authorAsk != 0, r.uint64()
		r.bytes(a.Profile[:])
		a.Tips = r.tips()
		profile := a.Revision <= GroupSequenceMax && (a.Revision > 0 || a.Profile == [8]byte{})
		ascends := i == 0 || bytes.Compare(s.Authors[i-1].Mark[:], a.Mark[:]) < 0
		if r.failed() || flags > authorPush|authorAsk || !profile || !ascends || !validTips(a.Tips) {
			return GroupSync{}, ErrGroupSync
		}
		s.Authors = append(s.Authors, a)
	}
	if !r.done() {
		return GroupSync{}, ErrGroupSync
	}
	return s, nil
}

// Append appends the word's bytes to dst.
func (x *GroupRanges) Append(dst []byte) []byte {
	dst = append(dst, groupSyncVersion)
	dst = append(dst, x.Group[:]...)
	dst = append(dst, byte(len(x.Ranges)))
	for _, one := range x.Ranges {
		dst = append(dst, one.Mark[:]...)
		dst = binary.BigEndian.AppendUint64(dst, one.First)
		dst = binary.BigEndian.AppendUint64(dst, one.Last)
	}
	return dst
}

// ParseGroupRanges reads GroupRanges. Error: ErrGroupSync.
func ParseGroupRanges(b []byte) (GroupRanges, error) {
	r := reader{b: b}
	version := r.byte()
	var x GroupRanges
	r.bytes(x.Group[:])
	n := int(r.byte())
	if version != groupSyncVersion || n == 0 || n > GroupRangesMax {
		return GroupRanges{}, ErrGroupSync
	}
	for range n {
		var one GroupRange
		r.bytes(one.Mark[:])
		one.First, one.Last = r.uint64(), r.uint64()
		if one.First == 0 || one.Last < one.First || one.Last > GroupSequenceMax {
			return GroupRanges{}, ErrGroupSync
		}
		if k := len(x.Ranges) - 1; k >= 0 {
			before := x.Ranges[k]
			if c := bytes.Compare(before.Mark[:], one.Mark[:]); c > 0 || c == 0 && before.Last >= one.First {
				return GroupRanges{}, ErrGroupSync
			}
		}
		x.Ranges = append(x.Ranges, one)
	}
	if !r.done() {
		return GroupRanges{}, ErrGroupSync
	}
	return x, nil
}

// Append appends the word's bytes to dst.
func (h *GroupHolding) Append(dst []byte) []byte {
	dst = append(dst, groupSyncVersion)
	dst = append(dst, h.Group[:]...)
	dst = append(dst, bitIf(h.Full, holdingFull))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(h.Operations)))
	for _, name := range h.Operations {
		dst = append(dst, name[:]...)
	}
	return dst
}

// ParseGroupHolding reads a GroupHolding. Error: ErrGroupSync.
func ParseGroupHolding(b []byte) (GroupHolding, error) {
	r := reader{b: b}
	version := r.byte()
	var h GroupHolding
	r.bytes(h.Group[:])
	flags := r.byte()
	h.Full = flags == holdingFull
	n := int(r.uint16())
	if version != groupSyncVersion || flags > holdingFull || n > GroupHoldingMax {
		return GroupHolding{}, ErrGroupSync
	}
	for i := range n {
		var name OperationName
		r.bytes(name[:])
		if r.failed() || i > 0 && bytes.Compare(h.Operations[i-1][:], name[:]) >= 0 {
			return GroupHolding{}, ErrGroupSync
		}
		h.Operations = append(h.Operations, name)
	}
	if !r.done() {
		return GroupHolding{}, ErrGroupSync
	}
	return h, nil
}
