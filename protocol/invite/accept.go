package invite

import (
	"errors"
	"io"

	"pabal/protocol/identity"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// Root is what both sides hold once the accept is made and opened: the session's id and
// its first keys. Inviter and invitee are the sides of the handshake; in a repair the
// device that asks is the invitee.
type Root struct {
	// SID is the session's id.
	SID [32]byte
	// Root, Chain, Ack and Header are of chain 1, which the inviter owns.
	Root, Chain, Ack, Header [32]byte
	// Header2 and Header3 are the header keys of chains 2 and 3.
	Header2, Header3 [32]byte
	// Pair is the pair chain's key of the accept's day.
	Pair [32]byte
	// Recovery is the secret of a later repair.
	Recovery [32]byte
	// SyncInviter and SyncInvitee seal the sync frames of each side.
	SyncInviter, SyncInvitee [32]byte
}

// Accepted is what the accepting side has to store, all in one commit: the accept's bytes,
// which answer every repetition of the request, and what the session begins with.
type Accepted struct {
	// Accept is wire.AcceptSize bytes.
	Accept []byte
	Root   Root
	// Ratchet is the seed of our ratchet key of chain 1.
	Ratchet identity.KEMSeed
	// PeerRatchet is the invitee's ratchet key.
	PeerRatchet identity.KEMPublic
}

// Answered is what the asking side has to store once the accept has opened.
type Answered struct {
	Payload *wire.AcceptPayload
	Root    Root
	// Ratchet is the seed of our ratchet key, which the inviter may step to.
	Ratchet identity.KEMSeed
	// PeerRatchet is the inviter's ratchet key, of chain 1.
	PeerRatchet identity.KEMPublic
}

// Accept answers a request. Of the payload the caller fills Day, Record and Have. Errors:
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

// newRoot derives the first keys of the session.
func newRoot(master, hash [32]byte, accept []byte) Root {
	r := Root{SID: identity.LabelSession.Hash(hash[:], accept)}
	keys := identity.Expand(master, identity.LabelRoot.Join(r.SID[:]), rootSize)
	for _, into := range [...]*[32]byte{
		&r.Root, &r.Chain, &r.Ack, &r.Header, &r.Header2, &r.Header3,
		&r.Pair, &r.Recovery, &r.SyncInviter, &r.SyncInvitee,
	} {
		copy(into[:], keys)
		keys = keys[32:]
	}
	return r
}
