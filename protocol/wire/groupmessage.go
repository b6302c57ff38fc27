package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"pabal/protocol/identity"
)

// ErrGroupMessage reports bytes that are no message in a group, or a message of ours that
// breaks a limit.
var ErrGroupMessage = errors.New("wire: malformed message in a group")

// MessageTag names a message in a group: the first bytes of the hash of what its author signed.
type MessageTag [16]byte

// GroupTip is a message of one author, by its number and its tag.
type GroupTip struct {
	Sequence uint64
	Tag      MessageTag
}

// GroupHead is what a member has signed of a message in a group. It outlives what the message
// said, so that who has no more than this can show it (spec, "Messages in a group").
type GroupHead struct {
	// Group is the id of the group's first operation.
	Group OperationID
	// Author is who wrote it.
	Author identity.MemberKey
	// Sequence counts the author's messages in the group from 1. Two have one number if the
	// author's disk was put back, or if the author tells different people different things.
	Sequence uint64
	// Previous are the author's messages that no other one names yet, ascending: one but for
	// the first message and behind such a double. The last has the number before this one.
	Previous []GroupTip
	// Heads are the newest operations that the author knew, as an operation's parents.
	Heads []OperationID
	// Besides are members whom the author knew by operations that these do not lead to, where
	// there were more newest ones than are named; ascending.
	Besides []MemberMark
	// Expires is when everybody's copy has gone at the latest, in Unix milliseconds; 0: it stays.
	Expires uint64
	// Commitment is the hash of the salt and the content.
	Commitment [identity.HashSize]byte
	// Signature is the author's, of all the rest.
	Signature identity.Signature
}

// GroupMessage is a message in a group as members hand it on: with its content, or without it
// where that was deleted.
type GroupMessage struct {
	GroupHead
	// Salt keeps who has only the head from guessing the content.
	Salt [16]byte
	// Content is an encoded content; nil: it was deleted.
	Content []byte
}

const groupMessageVersion = 1

// Commit sets what the head says of a content. The slice is kept.
func (m *GroupMessage) Commit(salt [16]byte, content []byte) {
	m.Salt, m.Content = salt, content
	m.Commitment = identity.LabelGroupBody.Hash(m.Salt[:], m.Content)
}

// Sign signs the message as its author, whose secret seed is. Error: ErrGroupMessage if it
// breaks a limit.
func (m *GroupMessage) Sign(seed identity.MemberSeed) error {
	m.Author = seed.Public()
	if !m.valid() {
		return ErrGroupMessage
	}
	m.Signature = seed.Sign(m.appendUnsigned(identity.LabelGroup.Append(nil)))
	return nil
}

// Verify reports whether the author has signed the head.
func (h *GroupHead) Verify() bool {
	return h.Author.Verify(h.appendUnsigned(identity.LabelGroup.Append(nil)), h.Signature)
}

// Tag returns the message's name. The signature is no part of it, for there may be several of
// the same.
func (h *GroupHead) Tag() MessageTag {
	hash := identity.LabelGroupTag.Hash(h.appendUnsigned(nil))
	return MessageTag(hash[:])
}

// Tip returns the message's number and name.
func (h *GroupHead) Tip() GroupTip { return GroupTip{Sequence: h.Sequence, Tag: h.Tag()} }

// Append appends the message's bytes to dst.
func (m *GroupMessage) Append(dst []byte) []byte {
	dst = append(m.appendUnsigned(dst), m.Signature[:]...)
	if m.Content == nil {
		return dst
	}
	return append(append(dst, m.Salt[:]...), m.Content...)
}

func (h *GroupHead) appendUnsigned(dst []byte) []byte {
	dst = append(dst, groupMessageVersion)
	dst = append(dst, h.Group[:]...)
	dst = append(dst, h.Author[:]...)
	dst = binary.BigEndian.AppendUint64(dst, h.Sequence)
	dst = appendTips(dst, h.Previous)
	dst = appendOperationIDs(dst, h.Heads)
	dst = append(dst, byte(len(h.Besides)))
	for _, mark := range h.Besides {
		dst = append(dst, mark[:]...)
	}
	dst = binary.BigEndian.AppendUint64(dst, h.Expires)
	return append(dst, h.Commitment[:]...)
}

// ParseGroupMessage reads a message; it does not check the signature. Error: ErrGroupMessage,
// also if the content is not what the head says.
func ParseGroupMessage(b []byte) (GroupMessage, error) {
	r := reader{b: b}
	version := r.byte()
	var m GroupMessage
	r.bytes(m.Group[:])
	r.bytes(m.Author[:])
	m.Sequence = r.uint64()
	m.Previous = r.tips()
	m.Heads = r.operationIDs()
	m.Besides = r.marks()
	m.Expires = r.uint64()
	r.bytes(m.Commitment[:])
	r.bytes(m.Signature[:])
	if len(r.b) > 0 {
		r.bytes(m.Salt[:])
		m.Content = bytes.Clone(r.take(len(r.b)))
	}
	if !r.done() || version != groupMessageVersion || !m.valid() {
		return GroupMessage{}, ErrGroupMessage
	}
	return m, nil
}

// valid reports whether the message keeps the limits, and its head speaks of its content.
func (m *GroupMessage) valid() bool {
	switch {
	case m.Sequence == 0, m.Sequence > GroupSequenceMax, (m.Sequence == 1) != (len(m.Previous) == 0), !validTips(m.Previous),
		len(m.Heads) == 0, len(m.Heads) > OperationParentsMax, !ascendingIDs(m.Heads), !ascendingMarks(m.Besides), len(m.Content) > GroupContentBytesMax:
		return false
	case len(m.Previous) > 0 && m.Previous[len(m.Previous)-1].Sequence != m.Sequence-1:
		return false
	}
	return m.Content == nil || len(m.Content) > 0 && m.Commitment == identity.LabelGroupBody.Hash(m.Salt[:], m.Content)
}

// CompareTips orders an author's messages by their numbers.
func CompareTips(a, b GroupTip) int {
	if a.Sequence != b.Sequence {
		if a.Sequence < b.Sequence {
			return -1
		}
		return 1
	}
	return bytes.Compare(a.Tag[:], b.Tag[:])
}

func validTips(tips []GroupTip) bool {
	for i, t := range tips {
		if t.Sequence == 0 || t.Sequence > GroupSequenceMax || i > 0 && CompareTips(tips[i-1], t) >= 0 {
			return false
		}
	}
	return len(tips) <= GroupTipsMax
}

func appendTips(dst []byte, tips []GroupTip) []byte {
	dst = append(dst, byte(len(tips)))
	for _, t := range tips {
		dst = binary.BigEndian.AppendUint64(dst, t.Sequence)
		dst = append(dst, t.Tag[:]...)
	}
	return dst
}

func (r *reader) tips() (out []GroupTip) {
	for range r.byte() {
		t := GroupTip{Sequence: r.uint64()}
		r.bytes(t.Tag[:])
		if r.failed() {
			return nil
		}
		out = append(out, t)
	}
	return out
}

func appendOperationIDs(dst []byte, ids []OperationID) []byte {
	dst = append(dst, byte(len(ids)))
	for _, id := range ids {
		dst = append(dst, id[:]...)
	}
	return dst
}

func (r *reader) operationIDs() (out []OperationID) {
	for range r.byte() {
		var id OperationID
		r.bytes(id[:])
		if r.failed() {
			return nil
		}
		out = append(out, id)
	}
	return out
}

func (r *reader) marks() (out []MemberMark) {
	for range r.byte() {
		var mark MemberMark
		r.bytes(mark[:])
		if r.failed() {
			return nil
		}
		out = append(out, mark)
	}
	return out
}

// ascendingMarks reports whether marks are in the order of their bytes, each once, and no more
// than may be.
func ascendingMarks(marks []MemberMark) bool {
	for i := 1; i < len(marks); i++ {
		if bytes.Compare(marks[i-1][:], marks[i][:]) >= 0 {
			return false
		}
	}
	return len(marks) <= GroupBesidesMax
}

// ascendingIDs reports whether ids are in the order of their bytes, each once.
func ascendingIDs(ids []OperationID) bool {
	for i := 1; i < len(ids); i++ {
		if slices.Compare(ids[i-1][:], ids[i][:]) >= 0 {
			return false
		}
	}
	return true
}
