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
	// Heads are the newest operations known, as an operation's parents.
	Heads []OperationID
	// Left is the hash of who has left, by what is known.
	Left [8]byte
	// Authors are some of those whose messages are held, by their marks, or all.
	Authors []GroupAuthor
}

// GroupAuthor is what is held of one author.
type GroupAuthor struct {
	Mark MemberMark
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

const groupSyncVersion = 1

const (
	syncAnswer = 1 << 0
	authorPush = 1 << 0
)

// Append appends the word's bytes to dst.
func (s *GroupSync) Append(dst []byte) []byte {
	dst = append(dst, groupSyncVersion)
	dst = append(dst, s.Group[:]...)
	dst = append(dst, bitIf(s.Answer, syncAnswer))
	dst = appendOperationIDs(dst, s.Heads)
	dst = append(dst, s.Left[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s.Authors)))
	for _, a := range s.Authors {
		dst = append(dst, a.Mark[:]...)
		dst = append(dst, bitIf(a.Push, authorPush))
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
	s.Heads = r.operationIDs()
	r.bytes(s.Left[:])
	n := int(r.uint16())
	if r.failed() || version != groupSyncVersion || flags > syncAnswer || n > GroupSyncAuthorsMax ||
		len(s.Heads) == 0 || len(s.Heads) > OperationParentsMax || !ascendingIDs(s.Heads) {
		return GroupSync{}, ErrGroupSync
	}
	for i := range n {
		var a GroupAuthor
		r.bytes(a.Mark[:])
		flags := r.byte()
		a.Push, a.Tips = flags == authorPush, r.tips()
		if r.failed() || flags > authorPush || !validTips(a.Tips) || i > 0 && bytes.Compare(s.Authors[i-1].Mark[:], a.Mark[:]) >= 0 {
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
