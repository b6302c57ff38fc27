package invite

import (
	"errors"
	"io"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Errors of the handshake. Hostile bytes give no other.
var (
	// ErrBundle reports a sealed bundle that is not the link's: it does not open,
	// breaks its layout, or is not signed by the pinned account and device.
	ErrBundle = errors.New("invite: bundle does not fit the link")
	// ErrExpired reports a link or bundle whose time is over.
	ErrExpired = errors.New("invite: expired")
	// ErrOwn reports an invite or a request of our own account.
	ErrOwn = errors.New("invite: made by this account")
	// ErrRequest reports a request that does not open or is not valid.
	ErrRequest = errors.New("invite: request does not open")
	// ErrAccept reports an accept that does not open or is not valid.
	ErrAccept = errors.New("invite: accept does not open")
	// ErrStamp reports a stamp that is missing, stale or too weak.
	ErrStamp = errors.New("invite: stamp does not hold")
	// ErrLimit reports an argument of ours that breaks a limit of the protocol.
	ErrLimit = errors.New("invite: argument out of bounds")
)

// Self is the device that takes part: its signed entry and the seed of its key.
type Self struct {
	Entry  identity.DeviceEntry
	Device identity.KEMSeed
}

// SignedBundle is one bundle of an offer with the seed of its prekey.
type SignedBundle struct {
	// Bundle is the bundle in clear, wire.BundleSize bytes.
	Bundle []byte
	// Prekey is erased, with the whole SignedBundle, once an accept is made (one-time
	// invite) or 60 days after its week (card).
	Prekey identity.KEMSeed
}

// Offer is an invite with the inviter. It holds secrets and belongs in the store only.
type Offer struct {
	Kind wire.LinkKind
	// Expiry is in seconds since 1970-01-01 UTC.
	Expiry uint32
	// Secret is the link's secret s.
	Secret [32]byte
	// StampBits is what a card asks of a stamp.
	StampBits uint8
	// Bundles holds one bundle for a one-time invite; for a card the current one and
	// those whose prekey is still kept, oldest first, at most BundlesMax.
	Bundles []SignedBundle
}

// NewOffer makes an invite of the given kind with its first bundle. stampBits is for
// cards and 0 for other kinds. Errors: ErrLimit, or one of reading random.
func NewOffer(random io.Reader, kind wire.LinkKind, expiry uint32, stampBits uint8, account identity.AccountSeed, self Self) (*Offer, error) {
	if kind < wire.LinkContact || kind > wire.LinkGroup || stampBits > wire.StampBitsMax || stampBits > 0 && kind != wire.LinkCard {
		return nil, ErrLimit
	}
	secret, err := identity.NewSecret(random)
	if err != nil {
		return nil, err
	}
	o := &Offer{Kind: kind, Expiry: expiry, Secret: secret, StampBits: stampBits}
	if err := o.Renew(random, expiry, account, self); err != nil {
		return nil, err
	}
	return o, nil
}

// Renew adds a bundle with a fresh prekey, which from now on is the one SealBundle
// seals. A card is renewed weekly, and when the device list changes. Of more than
// BundlesMax the oldest go.
func (o *Offer) Renew(random io.Reader, expiry uint32, account identity.AccountSeed, self Self) error {
	prekey, err := identity.NewKEMSeed(random)
	if err != nil {
		return err
	}
	b := wire.Bundle{Expiry: expiry, Entry: self.Entry, Prekey: prekey.Public()}
	b.Signature = account.Sign(bundleSigned(&b))
	kept := o.Bundles
	if len(kept) >= BundlesMax {
		kept = kept[len(kept)-BundlesMax+1:]
	}
	o.Bundles = append(append([]SignedBundle(nil), kept...), SignedBundle{Bundle: b.Append(nil), Prekey: prekey})
	return nil
}

// bundleSigned returns the bytes that a bundle's signature covers.
func bundleSigned(b *wire.Bundle) []byte {
	return b.AppendUnsigned(identity.LabelBundle.Append(nil))
}

// Pin binds an account and its device key to a link's secret.
func Pin(secret [32]byte, account identity.AccountPublic, device identity.KEMPublic) [32]byte {
	return identity.LabelPin.Hash(secret[:], account[:], device[:])
}

// Places are what a link says of where the inviter is.
type Places struct {
	Keys      []identity.TransportKey
	Addresses []wire.Address
	Couriers  []wire.Courier
}

// Link returns the offer's link. Addresses that would make it too long for a QR code are
// left out, from the last one on. Error: ErrLimit if it is too long even without any.
func (o *Offer) Link(self Self, at Places) (string, error) {
	l := wire.Link{
		Kind: o.Kind, Expiry: o.Expiry, Secret: o.Secret, StampBits: o.StampBits,
		Pin:       Pin(o.Secret, self.Entry.Account, self.Entry.Device),
		Keys:      at.Keys[:min(len(at.Keys), wire.LinkKeysMax)],
		Addresses: at.Addresses[:min(len(at.Addresses), wire.LinkAddressesMax)],
		Couriers:  at.Couriers[:min(len(at.Couriers), wire.LinkCouriersMax)],
	}
	for {
		text, err := l.Encode()
		if err == nil {
			return text, nil
		}
		if len(l.Addresses) == 0 {
			return "", ErrLimit
		}
		l.Addresses = l.Addresses[:len(l.Addresses)-1]
	}
}

// SealBundle seals the newest bundle for whoever holds the link. Each call draws a fresh
// nonce, because the key is always the same. Error: of reading random; an offer without
// a bundle, one that was used up, gives ErrExpired.
func (o *Offer) SealBundle(random io.Reader) ([]byte, error) {
	if len(o.Bundles) == 0 {
		return nil, ErrExpired
	}
	var nonce [identity.NonceSize]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return nil, err
	}
	b, err := wire.ParseBundle(o.Bundles[len(o.Bundles)-1].Bundle)
	if err != nil {
		return nil, ErrBundle
	}
	key, bound := bundleSeal(o.Secret)
	return identity.Seal(nonce[:], key, nonce, b.Padded(), bound), nil
}

// bundleSeal returns the key and the bound data of a sealed bundle.
func bundleSeal(secret [32]byte) (key [32]byte, bound []byte) {
	return identity.ExpandKey(secret, identity.LabelBundleKey.Join()), identity.LabelSealedBundle.Join()
}

// OpenBundle opens the bundle that a link leads to and checks all that can be checked:
// pin, signatures, keys, expiry. now is in seconds since 1970-01-01 UTC. Errors: ErrBundle
// (whoever answered does not hold what the link names), ErrExpired, wire.ErrVersion,
// wire.ErrSuite.
func OpenBundle(link wire.Link, sealed []byte, now uint32) (*wire.Bundle, error) {
	if now >= link.Expiry {
		return nil, ErrExpired
	}
	if len(sealed) != wire.SealedBundleSize {
		return nil, ErrBundle
	}
	key, bound := bundleSeal(link.Secret)
	nonce := [identity.NonceSize]byte(sealed)
	padded, err := identity.Open(nil, key, nonce, sealed[identity.NonceSize:], bound)
	if err != nil {
		return nil, ErrBundle
	}
	b, err := wire.ParseBundle(padded)
	if errors.Is(err, wire.ErrVersion) || errors.Is(err, wire.ErrSuite) {
		return nil, err
	}
	if err != nil || Pin(link.Secret, b.Entry.Account, b.Entry.Device) != link.Pin {
		return nil, ErrBundle
	}
	if !b.Entry.Verify() || !b.Entry.Account.Verify(bundleSigned(b), b.Signature) {
		return nil, ErrBundle
	}
	if b.Entry.Device.Check() != nil || b.Prekey.Check() != nil {
		return nil, ErrBundle
	}
	if now >= b.Expiry {
		return nil, ErrExpired
	}
	return b, nil
}

// RequestTag derives the tag of the requests made with a link.
func RequestTag(secret [32]byte) [wire.RequestTagSize]byte {
	return [wire.RequestTagSize]byte(identity.Expand(secret, identity.LabelRequestTag.Join(), wire.RequestTagSize))
}

// FetchCapability derives the capability to fetch the bundle from the node with the
// given transport key: a courier, or the inviter itself.
func FetchCapability(secret [32]byte, node identity.TransportKey) wire.Capability {
	return wire.Capability(identity.ExpandKey(secret, identity.LabelFetch.Join(node[:])))
}

// DepositCapability derives the capability to leave a request at a node.
func DepositCapability(secret [32]byte, node identity.TransportKey) wire.Capability {
	return wire.Capability(identity.ExpandKey(secret, identity.LabelDeposit.Join(node[:])))
}

// Trace is what is kept of an invite after it was used up, revoked or expired, until 60
// days past its expiry: enough to recognise and count a later request, too little to
// open one.
type Trace struct {
	Tag   [wire.RequestTagSize]byte
	Hello [32]byte
}

// Trace returns what to keep when the secret is erased.
func (o *Offer) Trace() Trace {
	return Trace{Tag: RequestTag(o.Secret), Hello: identity.LinkHelloKey(o.Secret)}
}
