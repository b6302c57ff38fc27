package wire

import (
	"bytes"
	"encoding/binary"
	"errors"

	"pabal/protocol/identity"
)

// ErrGroupOperation reports bytes that are no operation on a group, or an operation of ours
// that breaks a limit.
var ErrGroupOperation = errors.New("wire: malformed operation on a group")

// OperationID names an operation on a group: the hash of what its author signed. That of the
// first operation names the group.
type OperationID [identity.HashSize]byte

// OperationKind is what an operation does.
type OperationKind uint8

// The kinds of operations. Others are kept and do nothing, for they may be of a later version.
const (
	OperationCreate OperationKind = 1 // begins the group; its author is its first admin
	OperationAdd    OperationKind = 2 // makes Subject a member
	OperationRemove OperationKind = 3 // ends Subject's membership for good
	OperationRole   OperationKind = 4 // makes Subject an admin, or one no longer
	OperationTitle  OperationKind = 5 // names the group Text
	OperationTimer  OperationKind = 6 // sets the timer of new messages
	OperationClose  OperationKind = 7 // ends the group for all
)

// GroupRole is what a member may do.
type GroupRole uint8

// The roles.
const (
	RoleMember GroupRole = 1 // writes
	RoleAdmin  GroupRole = 2 // adds, removes and names, too
)

// GroupOperation is one act on a group, signed by who did it. It names the operations it was
// done in knowledge of, so that all operations of a group form a graph without a cycle
// (spec, "Operations").
type GroupOperation struct {
	// Group is the id of the first operation; zero in that one.
	Group OperationID
	// Author is who acts.
	Author identity.MemberKey
	// Parents are the newest operations that the author knew, in the order of their bytes;
	// none in the first operation, else 1 to OperationParentsMax.
	Parents []OperationID
	// Kind says which of the others are set.
	Kind OperationKind
	// Subject is whom an add, a removal or a role is about.
	Subject identity.MemberKey
	// Last is, in a removal, the number of the last message of the subject that counts.
	Last uint64
	// Role is the subject's in an add and in a role.
	Role GroupRole
	// Introduction says, in an add, how the members get in touch with the subject, at most
	// IntroductionBytesMax bytes. The group does not read it.
	Introduction []byte
	// Text is the title in a create and in a title.
	Text string
	// Timer is that of a timer; nil: messages stay.
	Timer *Timer
	// Nonce makes the first operation, and so the group, one of its kind.
	Nonce [16]byte
	// Signature is the author's, of all the rest.
	Signature identity.Signature

	body []byte // as it came, of a kind that is not known
}

const operationVersion = 1

// Sign signs the operation as its author, whose secret seed is. Error: ErrGroupOperation if it
// breaks a limit.
func (o *GroupOperation) Sign(seed identity.MemberSeed) error {
	o.Author = seed.Public()
	if !o.valid() {
		return ErrGroupOperation
	}
	o.Signature = seed.Sign(o.signed())
	return nil
}

// Verify reports whether the author has signed the operation.
func (o *GroupOperation) Verify() bool { return o.Author.Verify(o.signed(), o.Signature) }

// ID returns the operation's name. The signature is no part of it, for there may be several
// of the same.
func (o *GroupOperation) ID() OperationID {
	return identity.LabelOperationID.Hash(o.appendUnsigned(nil))
}

// Append appends the operation's bytes to dst.
func (o *GroupOperation) Append(dst []byte) []byte {
	return append(o.appendUnsigned(dst), o.Signature[:]...)
}

func (o *GroupOperation) signed() []byte {
	return o.appendUnsigned(identity.LabelOperation.Append(nil))
}

func (o *GroupOperation) appendUnsigned(dst []byte) []byte {
	dst = append(dst, operationVersion)
	dst = append(dst, o.Group[:]...)
	dst = append(dst, o.Author[:]...)
	dst = appendOperationIDs(dst, o.Parents)
	body := o.bodyBytes()
	dst = append(dst, byte(o.Kind))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(body)))
	return append(dst, body...)
}

func (o *GroupOperation) bodyBytes() []byte {
	switch o.Kind {
	case OperationCreate:
		return append(o.Nonce[:], o.Text...)
	case OperationAdd:
		return append(append(o.Subject[:], byte(o.Role)), o.Introduction...)
	case OperationRemove:
		return binary.BigEndian.AppendUint64(bytes.Clone(o.Subject[:]), o.Last)
	case OperationRole:
		return append(o.Subject[:], byte(o.Role))
	case OperationTitle:
		return []byte(o.Text)
	case OperationTimer:
		if o.Timer == nil {
			return nil
		}
		return binary.BigEndian.AppendUint32([]byte{byte(o.Timer.Mode)}, o.Timer.Seconds)
	case OperationClose:
		return nil
	}
	return o.body
}

// ParseGroupOperation reads an operation; it does not check the signature. Error:
// ErrGroupOperation.
func ParseGroupOperation(b []byte) (GroupOperation, error) {
	r := reader{b: b}
	version := r.byte()
	var o GroupOperation
	r.bytes(o.Group[:])
	r.bytes(o.Author[:])
	o.Parents = r.operationIDs()
	o.Kind = OperationKind(r.byte())
	body := r.take(int(r.uint16()))
	r.bytes(o.Signature[:])
	if !r.done() || version != operationVersion || !o.parseBody(body) || !o.valid() {
		return GroupOperation{}, ErrGroupOperation
	}
	return o, nil
}

// parseBody reads what an operation of the kind says.
func (o *GroupOperation) parseBody(body []byte) bool {
	r := reader{b: body}
	switch o.Kind {
	case OperationCreate:
		r.bytes(o.Nonce[:])
		o.Text = string(r.take(len(r.b)))
	case OperationAdd:
		r.bytes(o.Subject[:])
		o.Role = GroupRole(r.byte())
		o.Introduction = bytes.Clone(r.take(len(r.b)))
	case OperationRemove:
		r.bytes(o.Subject[:])
		o.Last = r.uint64()
	case OperationRole:
		r.bytes(o.Subject[:])
		o.Role = GroupRole(r.byte())
	case OperationTitle:
		o.Text = string(r.take(len(r.b)))
	case OperationTimer:
		if len(body) > 0 {
			o.Timer = &Timer{Mode: TimerMode(r.byte()), Seconds: r.uint32()}
		}
	case OperationClose:
	default:
		o.body = bytes.Clone(r.take(len(r.b)))
	}
	return r.done()
}

// valid reports whether the operation keeps the limits.
func (o *GroupOperation) valid() bool {
	first := o.Kind == OperationCreate
	switch {
	case first != (o.Group == OperationID{}), first != (len(o.Parents) == 0), len(o.Parents) > OperationParentsMax:
		return false
	}
	if !ascendingIDs(o.Parents) {
		return false
	}
	role := o.Role == RoleMember || o.Role == RoleAdmin
	switch o.Kind {
	case OperationCreate, OperationTitle:
		return ValidName(o.Text)
	case OperationAdd:
		return role && len(o.Introduction) <= IntroductionBytesMax
	case OperationRemove:
		return o.Last <= GroupSequenceMax
	case OperationRole:
		return role
	case OperationTimer:
		return o.Timer == nil || o.Timer.valid()
	}
	return len(o.body) <= OperationBodyBytesMax
}
