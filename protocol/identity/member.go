package identity

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
)

// MemberKey is the Ed25519 public key by which one group knows a member. It is made for that
// group alone, so that who sees two groups cannot tell that one person is in both, and a
// signature ties nobody's account to what was said.
type MemberKey [32]byte

// MemberSeed is the secret of a MemberKey.
type MemberSeed [KeySize]byte

// NewMemberSeed reads the secret of a new member key from random.
func NewMemberSeed(random io.Reader) (MemberSeed, error) {
	s, err := NewSecret(random)
	return MemberSeed(s), err
}

// Verify reports whether signature is the member's signature of message.
func (k MemberKey) Verify(message []byte, signature Signature) bool {
	return ed25519.Verify(k[:], message, signature[:])
}

// Public returns the member's public key.
func (s MemberSeed) Public() MemberKey {
	return MemberKey(ed25519.NewKeyFromSeed(s[:]).Public().(ed25519.PublicKey))
}

// Sign signs message, which must begin with a label.
func (s MemberSeed) Sign(message []byte) Signature {
	return Signature(ed25519.Sign(ed25519.NewKeyFromSeed(s[:]), message))
}

// Format keeps the secret out of every formatted text.
func (s MemberSeed) Format(f fmt.State, _ rune) { formatSecret(f) }

// GroupHint is what a member's profile in a group says to one of their contacts: whoever shares the
// recovery secret with the member sees by it which key is theirs, and nobody else can make it for
// another key, or tell it from random bytes. It is another one in each revision, so that nobody sees what
// stays (spec, "Operations").
func GroupHint(recovery [KeySize]byte, group [HashSize]byte, member MemberKey, revision uint64) [8]byte {
	key := ExpandKey(recovery, LabelGroupHint.Join(group[:], member[:], binary.BigEndian.AppendUint64(nil, revision)))
	return [8]byte(key[:8])
}

// Member returns the secret of the member key that a contact was given with a nonce, so that they can add
// us to a group with it. It hangs on nothing else: who has the account has it, whatever else was lost.
func (s AccountSeed) Member(contact AccountPublic, nonce [16]byte) MemberSeed {
	return MemberSeed(ExpandKey([KeySize]byte(s), LabelMember.Join(contact[:], nonce[:])))
}
