package session

import (
	"cmp"
	"crypto/sha256"
	"slices"

	"pabal/protocol/wire"
)

// digest is a running digest over the body tags of messages in the order of their
// index; zero at the beginning.
type digest [wire.DigestSize]byte

type bodyTag = [wire.BodyTagSize]byte

// extend returns the digest with one more tag in it.
func (d digest) extend(tag bodyTag) digest {
	var b [wire.DigestSize + wire.BodyTagSize]byte
	copy(b[:], d[:])
	copy(b[wire.DigestSize:], tag[:])
	h := sha256.Sum256(b[:])
	return digest(h[:wire.DigestSize])
}

// sentState says what became of a message of ours.
type sentState uint8

const (
	sentWaiting sentState = iota
	sentAcked             // acknowledged beyond one that is not
	sentVoid              // withdrawn
	sentStates
)

// sent is a message of ours at or beyond the lowest one that is not acknowledged.
type sent struct {
	tag   bodyTag
	state sentState
}

// outgoing counts the messages we seal.
type outgoing struct {
	next   uint32 // index of the next message
	base   uint32 // lowest index that is not acknowledged
	digest digest // over all below base
	sent   []sent // of base..next-1
}

func (o *outgoing) add(tag bodyTag) {
	o.sent = append(o.sent, sent{tag: tag})
	o.next++
}

// compare checks an ack against what we sent and returns our digest of all below cum.
// An ack that knows less than an earlier one is not compared: stale is true. Errors:
// ErrFork.
func (o *outgoing) compare(cum uint32, theirs digest, beyond []wire.Beyond) (stale bool, err error) {
	if cum > o.next {
		return false, ErrForkBehind
	}
	if cum < o.base {
		return true, nil
	}
	d := o.digest
	for _, m := range o.sent[:cum-o.base] {
		d = d.extend(m.tag)
	}
	if d != theirs {
		return false, ErrForkDigest
	}
	for _, b := range beyond {
		if b.Index >= o.next {
			return false, ErrForkBehind
		}
		if tag := o.sent[b.Index-o.base].tag; [wire.ShortTagSize]byte(tag[:]) != b.Tag {
			return false, ErrForkDigest
		}
	}
	return false, nil
}

// take applies an ack that compare found in order, and returns the indices that are
// acknowledged for the first time, ascending, without those that were withdrawn.
func (o *outgoing) take(cum uint32, at digest, beyond []wire.Beyond) []uint32 {
	var acked []uint32
	for i, m := range o.sent[:cum-o.base] {
		if m.state == sentWaiting {
			acked = append(acked, o.base+uint32(i))
		}
	}
	o.sent = o.sent[cum-o.base:]
	o.base, o.digest = cum, at
	for _, b := range beyond {
		if m := &o.sent[b.Index-o.base]; m.state == sentWaiting {
			m.state = sentAcked
			acked = append(acked, b.Index)
		}
	}
	return acked
}

// mark is a message that has arrived beyond one that is missing.
type mark struct {
	index uint32
	tag   bodyTag
}

// skipped is the key of a message that is missing.
type skipped struct {
	index uint32
	key   [32]byte
}

// oldChain is a finished chain of the peer's that it may still repeat messages of.
type oldChain struct {
	number uint32
	first  uint32
	end    uint32 // index behind its last message
	header [32]byte
}

// incoming counts the peer's messages. Each index from cum to next-1 is either in marks
// or in skipped; all lists ascend.
type incoming struct {
	next    uint32 // lowest index that no message has passed
	cum     uint32 // lowest index that is missing
	digest  digest // over all below cum
	base    uint32 // the peer repeats nothing below
	marks   []mark
	skipped []skipped
	old     []oldChain

	turn uint32 // index from which on the next ack names marks; not stored
}

// key returns the place of a skipped message key.
func (in *incoming) key(index uint32) (int, bool) {
	return slices.BinarySearchFunc(in.skipped, index, func(k skipped, index uint32) int { return cmp.Compare(k.index, index) })
}

func markIndex(m mark, index uint32) int { return cmp.Compare(m.index, index) }

// forget erases the skipped key at place i. Delete clears the memory behind.
func (in *incoming) forget(i int) { in.skipped = slices.Delete(in.skipped, i, i+1) }

// arrived counts a message whose index is at or beyond cum.
func (in *incoming) arrived(index uint32, tag bodyTag) {
	if index != in.cum {
		i, _ := slices.BinarySearchFunc(in.marks, index, markIndex)
		in.marks = slices.Insert(in.marks, i, mark{index, tag})
		return
	}
	in.cum++
	in.digest = in.digest.extend(tag)
	n := 0
	for n < len(in.marks) && in.marks[n].index == in.cum {
		in.digest = in.digest.extend(in.marks[n].tag)
		in.cum++
		n++
	}
	in.marks = slices.Delete(in.marks, 0, n)
}

// heard takes note of the peer's base: it repeats nothing below, so chains that end
// there are over.
func (in *incoming) heard(base uint32) {
	in.base = max(in.base, base)
	in.old = slices.DeleteFunc(in.old, func(c oldChain) bool { return c.end <= in.base })
}

// beyond returns what an ack names beyond the first missing message, at most n: all,
// or by turns, so that each is named in the end. A sender that was rolled back and
// sealed another message under one of their indices would otherwise never learn of it
// while one before them is missing.
func (in *incoming) beyond(n int) []wire.Beyond {
	n = min(n, wire.BeyondMax, len(in.marks))
	if n <= 0 {
		return nil
	}
	from := 0
	if n < len(in.marks) {
		from, _ = slices.BinarySearchFunc(in.marks, in.turn, markIndex)
	}
	list := make([]wire.Beyond, n)
	for i := range list {
		m := in.marks[(from+i)%len(in.marks)]
		list[i] = wire.Beyond{Index: m.index, Tag: [wire.ShortTagSize]byte(m.tag[:])}
	}
	in.turn = list[n-1].Index + 1
	slices.SortFunc(list, func(a, b wire.Beyond) int { return cmp.Compare(a.Index, b.Index) })
	return list
}

// Withdraw takes back one of our messages that is not cleared: its envelope must not be
// sent again. It returns the body tag, which the caller declares in a content to the
// peer, so that its index is no gap for ever. It returns false if the index is cleared,
// withdrawn or not ours. One that is acknowledged already stays delivered; it is
// declared all the same, for a peer that is rolled back.
func (s *Session) Withdraw(index uint32) (tag [wire.BodyTagSize]byte, ok bool) {
	if index < s.out.base || index >= s.out.next {
		return tag, false
	}
	m := &s.out.sent[index-s.out.base]
	if m.state == sentVoid {
		return tag, false
	}
	m.state = sentVoid
	return m.tag, true
}

// Withdrawn returns our messages that were withdrawn and that the peer has not passed
// yet, by index: what must be declared to it, in this session.
func (s *Session) Withdrawn() []wire.EnvelopeVoid {
	var list []wire.EnvelopeVoid
	for i, m := range s.out.sent {
		if m.state == sentVoid {
			list = append(list, wire.EnvelopeVoid{Index: s.out.base + uint32(i), Tag: m.tag})
		}
	}
	return list
}

// Void takes note that the peer declares one of its messages void: its key is erased
// and the digest goes on with the declared tag. It returns false, and does nothing, if
// the message has arrived before or if the index is not one that the peer can have
// passed.
func (s *Session) Void(index uint32, tag [wire.BodyTagSize]byte) bool {
	i, ok := s.in.key(index)
	if !ok {
		return false
	}
	s.in.forget(i)
	s.in.arrived(index, tag)
	return true
}
