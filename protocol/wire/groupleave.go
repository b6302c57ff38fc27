package wire

import (
	"encoding/binary"

	"pabal/protocol/identity"
)

// GroupLeave is a member's word that they have left a group. It is no operation: whoever is no
// admin makes none. Its bytes are of a fixed size, GroupLeaveSize.
type GroupLeave struct {
	Group  OperationID
	Member identity.MemberKey
	// Last is the number of the member's last message.
	Last      uint64
	Signature identity.Signature
}

// GroupLeaveSize is the size of a leave, in bytes.
const GroupLeaveSize = 1 + 32 + 32 + 8 + 64

// NewGroupLeave makes the word of the member whose secret seed is, behind their last message.
func NewGroupLeave(group OperationID, seed identity.MemberSeed, last uint64) GroupLeave {
	l := GroupLeave{Group: group, Member: seed.Public(), Last: last}
	l.Signature = seed.Sign(l.signed())
	return l
}

// Verify reports whether the member has said so.
func (l *GroupLeave) Verify() bool { return l.Member.Verify(l.signed(), l.Signature) }

// Append appends the leave's bytes to dst.
func (l *GroupLeave) Append(dst []byte) []byte {
	return append(l.appendUnsigned(dst), l.Signature[:]...)
}

func (l *GroupLeave) signed() []byte { return l.appendUnsigned(identity.LabelLeave.Append(nil)) }

func (l *GroupLeave) appendUnsigned(dst []byte) []byte {
	dst = append(dst, operationVersion)
	dst = append(dst, l.Group[:]...)
	dst = append(dst, l.Member[:]...)
	return binary.BigEndian.AppendUint64(dst, l.Last)
}

// ParseGroupLeave reads a leave; it does not check the signature. Error: ErrGroupOperation.
func ParseGroupLeave(b []byte) (GroupLeave, error) {
	r := reader{b: b}
	version := r.byte()
	var l GroupLeave
	r.bytes(l.Group[:])
	r.bytes(l.Member[:])
	l.Last = r.uint64()
	r.bytes(l.Signature[:])
	if !r.done() || version != operationVersion || l.Last > GroupSequenceMax {
		return GroupLeave{}, ErrGroupOperation
	}
	return l, nil
}
