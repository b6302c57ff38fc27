package session

import (
	"errors"
	"fmt"
	"math"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Errors of a session.
var (
	// ErrUnopenable reports an envelope that no key of this session opens: noise, a
	// late copy of what was acknowledged long ago, or a sign that one side lost part
	// of its memory. On a path that names the contact it is answered with a sync
	// frame and an ack, at most once a minute each.
	ErrUnopenable = errors.New("session: no key opens the envelope")
	// ErrSuite reports an envelope of a suite this version does not know.
	ErrSuite = errors.New("session: unknown suite")
	// ErrRefused reports an envelope of the other side's that breaks a rule of the
	// protocol: beyond the window, a malformed ratchet key, a malformed body.
	ErrRefused = errors.New("session: envelope breaks the protocol")
	// ErrWindow reports that Seal must wait for an ack.
	ErrWindow = errors.New("session: too many messages are not acknowledged")
	// ErrContents reports contents that no envelope holds: none, or too many bytes.
	ErrContents = errors.New("session: contents do not fit an envelope")
	// ErrState reports stored bytes that are no session.
	ErrState = errors.New("session: malformed state")
)

// ErrFork reports that the memories of the two sides contradict each other: one of
// them was rolled back, restored or cloned. The session must seal nothing any more and
// be repaired. The errors below say what was seen; all of them are ErrFork.
var (
	ErrFork = errors.New("session: fork")
	// ErrForkBehind: the peer remembers more of us than we do.
	ErrForkBehind = fmt.Errorf("%w: the peer remembers more than we do", ErrFork)
	// ErrForkDigest: the peer acknowledges other messages than we sent.
	ErrForkDigest = fmt.Errorf("%w: the peer acknowledges what we did not send", ErrFork)
	// ErrForkStep: the peer uses a chain that does not follow on what we know.
	ErrForkStep = fmt.Errorf("%w: the peer's chain does not follow on ours", ErrFork)
	// ErrForkRoot: the two root keys of one step differ.
	ErrForkRoot = fmt.Errorf("%w: the root keys differ", ErrFork)
)

// Role says which side of the handshake a session belongs to.
type Role uint8

// The two roles. The inviter owns the chains of odd number, the invitee the others.
const (
	Inviter Role = 1
	Invitee Role = 2
)

// Session is one device's side of the double ratchet with one device of a contact.
//
// Every method either succeeds or leaves the session as it was. After Seal, Ack, Void,
// Withdraw and a successful Open, AppendState gives the bytes to commit before anything
// leaves the device. A Session is not safe for concurrent use.
type Session struct {
	sid  [32]byte
	role Role

	step        uint32 // number of the last root step we know
	root        [32]byte
	checkBefore [wire.CheckSize]byte // check value of the root before
	headers     [2][32]byte          // header keys of the chains step+1 and step+2
	syncOurs    [32]byte
	syncTheirs  [32]byte

	// Ratchet keys. If the last step was ours, we hold the seed of the key we offered
	// in it; if it was the peer's, the key that the peer offered. keys is what our
	// chain carries until the peer shows that it has it; immutable once made.
	seed *identity.KEMSeed
	peer *identity.KEMPublic
	keys *wire.EnvelopeKeys

	send sendChain
	out  outgoing
	recv receiveChain
	in   incoming

	bound bounds
}

// sendChain is the chain we seal under; number 0 means there is none yet.
type sendChain struct {
	number  uint32
	first   uint32 // index of its first message
	started int64  // Unix milliseconds by our clock
	chain   [32]byte
	ack     [32]byte
	header  [32]byte
}

// receiveChain is the peer's newest chain; number 0 means there is none yet.
type receiveChain struct {
	number uint32
	first  uint32
	chain  [32]byte // makes the key of incoming.next
	ack    [32]byte
	header [32]byte
}

// bounds are the beginnings of the data that seals are bound to: label, suite, sid.
type bounds struct {
	header, keys, body []byte
}

func newBounds(sid [32]byte) bounds {
	suite := []byte{wire.Suite}
	return bounds{
		header: identity.LabelHeader.Join(suite, sid[:]),
		keys:   identity.LabelKeys.Join(suite, sid[:]),
		body:   identity.LabelBody.Join(suite, sid[:]),
	}
}

// NewInviter makes the inviter's side of a session. seed is that of the ratchet key it
// offers in the accept.
func NewInviter(root Root, seed identity.KEMSeed, now time.Time) *Session {
	s := newSession(root, Inviter)
	s.syncOurs, s.syncTheirs = root.SyncInviter, root.SyncInvitee
	s.seed = &seed
	s.send = sendChain{number: 1, started: now.UnixMilli(), chain: root.Chain, ack: root.Ack, header: root.Headers[0]}
	return s
}

// NewInvitee makes the invitee's side of a session. ratchet is the key that the accept
// offers. Its first Seal or Ack, which should follow at once, proves to the inviter that
// it holds the session. Error: ErrKEM for a malformed key.
func NewInvitee(root Root, ratchet identity.KEMPublic) (*Session, error) {
	if ratchet.Check() != nil {
		return nil, ErrKEM
	}
	s := newSession(root, Invitee)
	s.syncOurs, s.syncTheirs = root.SyncInvitee, root.SyncInviter
	s.peer = &ratchet
	s.recv = receiveChain{number: 1, chain: root.Chain, ack: root.Ack, header: root.Headers[0]}
	return s, nil
}

func newSession(root Root, role Role) *Session {
	return &Session{
		sid: root.SID, role: role, step: 1, root: root.Root,
		headers: [2][32]byte{root.Headers[1], root.Headers[2]},
		bound:   newBounds(root.SID),
	}
}

// SID returns the session id.
func (s *Session) SID() [32]byte { return s.sid }

// Role returns the side this is.
func (s *Session) Role() Role { return s.role }

// Established reports whether the peer has proved that it holds the session: to the
// inviter by any frame, to the invitee already by the accept.
func (s *Session) Established() bool { return s.role == Invitee || s.step > 1 }

// WindowLeft returns how many messages Seal may seal before the peer acknowledges
// more. Callers keep one for declaring what was withdrawn: if the lowest message is
// withdrawn, nothing else opens the window again.
func (s *Session) WindowLeft() int {
	return int(min(Window-(s.out.next-s.out.base), math.MaxUint32-s.out.next))
}

// WindowOpen reports whether Seal may seal one more message.
func (s *Session) WindowOpen() bool { return s.WindowLeft() > 0 }

// Unacknowledged returns how many of our messages are not cleared: the peer does not
// have them, or lacks one before them. Withdrawn ones count until the peer has taken
// note.
func (s *Session) Unacknowledged() int { return int(s.out.next - s.out.base) }

// Acknowledged reports whether the peer has acknowledged our message at index. Beyond
// one that is missing an acknowledged message is not cleared yet: its envelope is kept
// and still repeated, but rarely, as only a peer that was rolled back needs it.
func (s *Session) Acknowledged(index uint32) bool {
	if index < s.out.base {
		return true
	}
	return index < s.out.next && s.out.sent[index-s.out.base].state == sentAcked
}

// ourStep reports whether the last root step was ours.
func (s *Session) ourStep() bool { return s.step%2 == uint32(s.role)%2 }
