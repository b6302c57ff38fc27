package invite

import (
	"errors"
	"io"

	"pabal/protocol/identity"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// Accepted is what the accepting side has to store, all in one commit: the accept's bytes,
// which answer every repetition of the request, and what the session begins with. In a
// repair the device that asks is the session's invitee.
type Accepted struct {
	// Accept is wire.AcceptSize bytes.
	Accept []byte
	Root   session.Root
	// Ratchet is the seed of our ratchet key of chain 1.
	Ratchet identity.KEMSeed
	// PeerRatchet is the invitee's ratchet key.
	PeerRatchet identity.KEMPublic
}

// Answered is what the asking side has to store once the accept has opened.
type Answered struct {
	Payload *wire.AcceptPayload
	Root    session.Root
	// Ratchet is the seed of our ratchet key, which the inviter may step to.
	Ratchet identity.KEMSeed
	// PeerRatchet is the inviter's ratchet key, of chain 1.
	PeerRatchet identity.KEMPublic
}

// Accept answers a request. Of the payload the caller fills all but Ratchet. Errors:
// ErrLimit, or one of reading random.
func (in *Incoming) Accept(random io.Reader, payload wire.AcceptPayload) (*Accepted, error) {
	ratchet, err := identity.NewKEMSeed(random)
	if err != nil {
		return nil, err
	}
	payload.Ratchet = ratchet.Public()
	padded, err := payload.Padded()
	if err != nil {
		return nil, ErrLimit
	}
	ct3, ss3, err := session.Encapsulate(in.Payload.Entry.Device, purposeInvitee, in.Hash[:])
	if err != nil {
		return nil, ErrRequest
	}
	ct4, ss4, err := session.Encapsulate(in.Payload.Ratchet, purposeRatchet, in.Hash[:])
	if err != nil {
		return nil, ErrRequest
	}
	head := (&wire.AcceptHead{Device: ct3, Ratchet: ct4}).Append(nil)
	master := identity.Extract(in.Secret[:], in.Shared, ss3[:], ss4[:])
	key, bound := acceptSeal(master, in.Hash, head)
	accept := identity.SealZero(head, key, padded, bound)
	return &Accepted{
		Accept: accept, Root: newRoot(master, in.Hash, accept),
		Ratchet: ratchet, PeerRatchet: in.Payload.Ratchet,
	}, nil
}

// OpenAccept opens the accept of a request of ours. Errors: ErrAccept, wire.ErrVersion,
// wire.ErrSuite; the request then goes on waiting.
func (a *Asking) OpenAccept(self Self, accept []byte) (*Answered, error) {
	h, head, sealed, err := wire.ParseAccept(accept)
	if errors.Is(err, wire.ErrVersion) || errors.Is(err, wire.ErrSuite) {
		return nil, err
	}
	if err != nil {
		return nil, ErrAccept
	}
	ss3, err := session.Decapsulate(self.Device, purposeInvitee, a.Hash[:], h.Device)
	if err != nil {
		return nil, ErrAccept
	}
	ss4, err := session.Decapsulate(a.Ratchet, purposeRatchet, a.Hash[:], h.Ratchet)
	if err != nil {
		return nil, ErrAccept
	}
	master := identity.Extract(a.Secret[:], a.Shared, ss3[:], ss4[:])
	key, bound := acceptSeal(master, a.Hash, head)
	padded, err := identity.OpenZero(nil, key, sealed, bound)
	if err != nil {
		return nil, ErrAccept
	}
	payload, err := wire.ParseAcceptPayload(padded)
	if err != nil || payload.Ratchet.Check() != nil {
		return nil, ErrAccept
	}
	return &Answered{
		Payload: payload, Root: newRoot(master, a.Hash, accept),
		Ratchet: a.Ratchet, PeerRatchet: payload.Ratchet,
	}, nil
}

// acceptSeal returns the key and the bound data of an accept's payload. master is P.
func acceptSeal(master, hash [32]byte, head []byte) (key [32]byte, bound []byte) {
	h := identity.Hash(head)
	return identity.ExpandKey(master, identity.LabelAcceptKey.Join(hash[:], h[:])), identity.LabelAccept.Join(head)
}

// newRoot derives the session's id and its first keys.
func newRoot(master, hash [32]byte, accept []byte) session.Root {
	return session.SplitRoot(master, identity.LabelSession.Hash(hash[:], accept))
}
