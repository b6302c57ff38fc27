package invite

import (
	"errors"
	"io"

	"pabal/protocol/identity"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// Asking is a request with the device that made it, from the request until the accept.
// It holds secrets and belongs in the store only.
type Asking struct {
	Kind wire.RequestKind
	// Peer is the device the request was made to: of the bundle, or of the contact.
	Peer PeerDevice
	// Secret is the link's secret, or the contact's recovery secret.
	Secret [32]byte
	// Shared is ss1 ‖ ss2, or only ss2 in a repair.
	Shared []byte
	// Hash is hr: it binds bundle and request.
	Hash [32]byte
	// Ratchet is the seed of the ratchet key offered in the request.
	Ratchet identity.KEMSeed
	// Request is the request, wire.RequestSize bytes. The same bytes are sent again on
	// each connect and daily until the accept.
	Request []byte
}

// PeerDevice names one device of one account.
type PeerDevice struct {
	Account identity.AccountPublic
	Device  identity.KEMPublic
}

// Ask makes the request to the inviter behind a bundle that OpenBundle returned. Of the
// payload the caller fills Reply, Name and Greeting. Errors: ErrOwn, ErrLimit, or one of
// reading random.
func Ask(random io.Reader, self Self, link wire.Link, bundle *wire.Bundle, payload wire.RequestPayload) (*Asking, error) {
	if bundle.Entry.Account.Equal(self.Entry.Account) {
		return nil, ErrOwn
	}
	a := &Asking{
		Kind: wire.RequestInvite, Secret: link.Secret,
		Peer: PeerDevice{Account: bundle.Entry.Account, Device: bundle.Entry.Device},
	}
	head := wire.RequestHead{Kind: a.Kind, Tag: RequestTag(link.Secret)}
	if err := a.seal(random, self, bundleHash(bundle.Append(nil)), &head, bundle.Prekey, payload); err != nil {
		return nil, err
	}
	return a, nil
}

// AskRepair makes the request that renews the session with a contact's device. recovery is
// the secret from the first root. Of the payload the caller fills Reply, Generation (one
// more than the session's), List and Have; List may be nil. Errors: ErrLimit, or one of
// reading random.
func AskRepair(random io.Reader, self Self, peer PeerDevice, recovery [32]byte, payload wire.RequestPayload) (*Asking, error) {
	a := &Asking{Kind: wire.RequestRepair, Secret: recovery, Peer: peer}
	head := wire.RequestHead{Kind: a.Kind}
	if _, err := io.ReadFull(random, head.Tag[:]); err != nil {
		return nil, err
	}
	if err := a.seal(random, self, repairHash(peer), &head, identity.KEMPublic{}, payload); err != nil {
		return nil, err
	}
	return a, nil
}

// seal fills in the secrets and the bytes of the request. binding is hb. prekey is used
// by invites only.
func (a *Asking) seal(random io.Reader, self Self, binding [32]byte, head *wire.RequestHead, prekey identity.KEMPublic, payload wire.RequestPayload) error {
	var err error
	if a.Ratchet, err = identity.NewKEMSeed(random); err != nil {
		return err
	}
	payload.Ratchet, payload.Entry = a.Ratchet.Public(), self.Entry
	padded, err := payload.Padded(a.Kind)
	if err != nil {
		return ErrLimit
	}
	if a.Kind == wire.RequestInvite {
		ct, ss, err := session.Encapsulate(prekey, purposePrekey, binding[:])
		if err != nil {
			return ErrBundle
		}
		head.Prekey, a.Shared = ct, ss[:]
	}
	ct, ss, err := session.Encapsulate(a.Peer.Device, purposeInviter, binding[:])
	if err != nil {
		return ErrBundle
	}
	head.Device, a.Shared = ct, append(a.Shared, ss[:]...)
	h := head.Append(nil)
	key, bound := requestSeal(a.Secret, a.Shared, binding, h)
	a.Request = identity.SealZero(h, key, padded, bound)
	a.Hash = requestHash(binding, a.Request)
	return nil
}

// Slot names the place where the accept is left at couriers.
func (a *Asking) Slot() [32]byte { return replySlot(a.Secret, a.Shared, a.Hash) }

// The purposes of the encapsulations of a handshake.
const (
	purposePrekey  = identity.LabelPrekey
	purposeInviter = identity.LabelInviter
	purposeInvitee = identity.LabelInvitee
	purposeRatchet = identity.LabelRatchet
)

// bundleHash is hb of an invite.
func bundleHash(bundle []byte) [32]byte {
	return identity.LabelBundleHash.Hash(bundle)
}

// repairHash stands for hb in a repair: it names the device that is asked.
func repairHash(asked PeerDevice) [32]byte {
	return identity.LabelRepair.Hash(asked.Account[:], asked.Device[:])
}

// requestHash is hr.
func requestHash(binding [32]byte, request []byte) [32]byte {
	return identity.LabelRequestHash.Hash(binding[:], request)
}

// requestSeal returns the key and the bound data of a request's payload.
func requestSeal(secret [32]byte, shared []byte, binding [32]byte, head []byte) (key [32]byte, bound []byte) {
	h := identity.Hash(head)
	key = identity.ExpandKey(identity.Extract(secret[:], shared), identity.LabelRequestKey.Join(binding[:], h[:]))
	return key, identity.LabelRequest.Join(head)
}

func replySlot(secret [32]byte, shared []byte, hash [32]byte) [32]byte {
	return identity.ExpandKey(identity.Extract(secret[:], shared), identity.LabelReply.Join(hash[:]))
}

// Incoming is a request that opened, with the device that was asked. It waits for a
// person's decision in the store: it holds secrets.
type Incoming struct {
	Kind wire.RequestKind
	// Secret, Shared and Hash are as in Asking.
	Secret [32]byte
	Shared []byte
	Hash   [32]byte
	// Payload is what the request says. Its entry is verified and its keys checked.
	Payload *wire.RequestPayload
}

// Slot names the place where the accept is left at couriers.
func (in *Incoming) Slot() [32]byte { return replySlot(in.Secret, in.Shared, in.Hash) }

// OpenRequest opens a request made with the offer's link. The caller has checked the
// stamp of a card and that the request is no repetition. Errors: ErrRequest, ErrOwn,
// wire.ErrVersion, wire.ErrSuite.
func (o *Offer) OpenRequest(self Self, request []byte) (*Incoming, error) {
	h, head, sealed, err := parseRequest(request, wire.RequestInvite)
	if err != nil {
		return nil, err
	}
	if h.Tag != RequestTag(o.Secret) {
		return nil, ErrRequest
	}
	for i := len(o.Bundles) - 1; i >= 0; i-- { // the newest is the likeliest
		in := &Incoming{Kind: wire.RequestInvite, Secret: o.Secret}
		binding := bundleHash(o.Bundles[i].Bundle)
		ss, err := session.Decapsulate(o.Bundles[i].Prekey, purposePrekey, binding[:], h.Prekey)
		if err != nil {
			continue
		}
		in.Shared = ss[:]
		if in.open(self, binding, h, head, sealed) {
			in.Hash = requestHash(binding, request)
			return in.checked(self)
		}
	}
	return nil, ErrRequest
}

// OpenRepair opens the request of a contact that renews its session. peer is the
// contact's account and recovery the secret both have from the first root. The device of
// the request may be a new one: the caller compares it with the devices it knows. Errors:
// ErrRequest, wire.ErrVersion, wire.ErrSuite.
func OpenRepair(self Self, peer identity.AccountPublic, recovery [32]byte, request []byte) (*Incoming, error) {
	h, head, sealed, err := parseRequest(request, wire.RequestRepair)
	if err != nil {
		return nil, err
	}
	binding := repairHash(PeerDevice{Account: self.Entry.Account, Device: self.Entry.Device})
	in := &Incoming{Kind: wire.RequestRepair, Secret: recovery}
	if !in.open(self, binding, h, head, sealed) || !in.Payload.Entry.Account.Equal(peer) {
		return nil, ErrRequest
	}
	in.Hash = requestHash(binding, request)
	return in.checked(self)
}

func parseRequest(request []byte, kind wire.RequestKind) (h *wire.RequestHead, head, sealed []byte, err error) {
	h, head, sealed, err = wire.ParseRequest(request)
	switch {
	case errors.Is(err, wire.ErrVersion) || errors.Is(err, wire.ErrSuite):
		return nil, nil, nil, err
	case err != nil || h.Kind != kind:
		return nil, nil, nil, ErrRequest
	}
	return h, head, sealed, nil
}

// open decapsulates for the device key and opens the payload. in.Shared holds ss1 before,
// if there is one.
func (in *Incoming) open(self Self, binding [32]byte, h *wire.RequestHead, head, sealed []byte) bool {
	ss, err := session.Decapsulate(self.Device, purposeInviter, binding[:], h.Device)
	if err != nil {
		return false
	}
	in.Shared = append(in.Shared, ss[:]...)
	key, bound := requestSeal(in.Secret, in.Shared, binding, head)
	padded, err := identity.OpenZero(nil, key, sealed, bound)
	if err != nil {
		return false
	}
	in.Payload, err = wire.ParseRequestPayload(in.Kind, padded)
	return err == nil
}

// checked returns the request if what it says of the device that asks is true.
func (in *Incoming) checked(self Self) (*Incoming, error) {
	e := in.Payload.Entry
	if e.Account.Equal(self.Entry.Account) {
		return nil, ErrOwn
	}
	if !e.Verify() || e.Device.Check() != nil || in.Payload.Ratchet.Check() != nil {
		return nil, ErrRequest
	}
	return in, nil
}
