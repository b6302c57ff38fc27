package identity

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

// ErrKey reports bytes that are no valid public key of their kind.
var ErrKey = errors.New("identity: malformed public key")

// Signature is an Ed25519 signature.
type Signature [SignatureSize]byte

// AccountPublic is the Ed25519 public key of an account. It names a person to
// contacts and is never on the wire in clear.
type AccountPublic [32]byte

// AccountSeed is the secret of an account. It signs device entries, device lists
// and bundles, never a private message.
type AccountSeed [KeySize]byte

// KEMPublic is a public key of the one KEM of the protocol, MLKEM768-X25519: a
// device key, a prekey or a ratchet key.
type KEMPublic [KEMPublicSize]byte

// KEMSeed is the seed a KEM key pair is made from. Only the seed is ever stored.
type KEMSeed [KeySize]byte

// TransportKey is the Ed25519 public key a node shows to the network on one day
// (or always, for a courier host).
type TransportKey [32]byte

// TransportSeed is the secret of a TransportKey.
type TransportSeed [KeySize]byte

// NewAccountSeed reads a new account's secret from random.
func NewAccountSeed(random io.Reader) (AccountSeed, error) {
	s, err := NewSecret(random)
	return AccountSeed(s), err
}

// NewKEMSeed reads the seed of a new KEM key pair from random.
func NewKEMSeed(random io.Reader) (KEMSeed, error) {
	s, err := NewSecret(random)
	return KEMSeed(s), err
}

// NewTransportSeed reads the secret of a new transport key from random.
func NewTransportSeed(random io.Reader) (TransportSeed, error) {
	s, err := NewSecret(random)
	return TransportSeed(s), err
}

// NewSecret reads 32 bytes from random.
func NewSecret(random io.Reader) ([KeySize]byte, error) {
	var s [KeySize]byte
	if _, err := io.ReadFull(random, s[:]); err != nil {
		return [KeySize]byte{}, fmt.Errorf("read randomness: %w", err)
	}
	return s, nil
}

// Equal reports whether two accounts are the same, in constant time.
func (k AccountPublic) Equal(other AccountPublic) bool {
	return subtle.ConstantTimeCompare(k[:], other[:]) == 1
}

// Verify reports whether signature is the account's signature of message.
func (k AccountPublic) Verify(message []byte, signature Signature) bool {
	return ed25519.Verify(k[:], message, signature[:])
}

// Public returns the account's public key.
func (s AccountSeed) Public() AccountPublic {
	return AccountPublic(ed25519.NewKeyFromSeed(s[:]).Public().(ed25519.PublicKey))
}

// Sign signs message, which must begin with a label.
func (s AccountSeed) Sign(message []byte) Signature {
	return Signature(ed25519.Sign(ed25519.NewKeyFromSeed(s[:]), message))
}

// Equal reports whether two secrets are the same, in constant time.
func (s AccountSeed) Equal(other AccountSeed) bool {
	return subtle.ConstantTimeCompare(s[:], other[:]) == 1
}

// Format keeps the secret out of every formatted text.
func (s AccountSeed) Format(f fmt.State, _ rune) { formatSecret(f) }

// Equal reports whether two KEM keys are the same, in constant time.
func (k KEMPublic) Equal(other KEMPublic) bool {
	return subtle.ConstantTimeCompare(k[:], other[:]) == 1
}

// Check returns ErrKey if the bytes are no valid key, or if nothing can be encapsulated
// to it because its X25519 half is a point of low order. A received key must be checked
// before it is stored: a bad one would block the next step of a session. About 0.1 ms.
func (k KEMPublic) Check() error {
	if _, err := hpke.MLKEM768X25519().NewPublicKey(k[:]); err != nil {
		return ErrKey
	}
	const curveSize = 32
	point, err := ecdh.X25519().NewPublicKey(k[KEMPublicSize-curveSize:])
	if err != nil {
		return ErrKey
	}
	if _, err := lowOrderProbe.ECDH(point); err != nil {
		return ErrKey
	}
	return nil
}

// lowOrderProbe finds a point of low order, as any scalar does: it is what ECDH refuses.
var lowOrderProbe = func() *ecdh.PrivateKey {
	probe, err := ecdh.X25519().NewPrivateKey(make([]byte, KeySize))
	if err != nil {
		panic("identity: 32 zeros are an X25519 key")
	}
	return probe
}()

// Public returns the public key of the pair (about 0.1 ms).
func (s KEMSeed) Public() KEMPublic {
	private, err := hpke.MLKEM768X25519().NewPrivateKey(s[:])
	if err != nil {
		panic("identity: a 32-byte seed always gives a KEM key")
	}
	return KEMPublic(private.PublicKey().Bytes())
}

// Equal reports whether two seeds are the same, in constant time.
func (s KEMSeed) Equal(other KEMSeed) bool {
	return subtle.ConstantTimeCompare(s[:], other[:]) == 1
}

// Format keeps the secret out of every formatted text.
func (s KEMSeed) Format(f fmt.State, _ rune) { formatSecret(f) }

// Equal reports whether two transport keys are the same, in constant time.
func (k TransportKey) Equal(other TransportKey) bool {
	return subtle.ConstantTimeCompare(k[:], other[:]) == 1
}

// Public returns the transport key other nodes see.
func (s TransportSeed) Public() TransportKey {
	return TransportKey(ed25519.NewKeyFromSeed(s[:]).Public().(ed25519.PublicKey))
}

// Equal reports whether two seeds are the same, in constant time.
func (s TransportSeed) Equal(other TransportSeed) bool {
	return subtle.ConstantTimeCompare(s[:], other[:]) == 1
}

// Format keeps the secret out of every formatted text.
func (s TransportSeed) Format(f fmt.State, _ rune) { formatSecret(f) }

// RecordName is the public key under which a record is found in the DHT, for a day.
type RecordName [32]byte

// RecordSeed is the secret of a RecordName: whoever has it publishes under the name.
type RecordSeed [KeySize]byte

// NewRecordSeed reads the secret of a name that nobody looks up from random.
func NewRecordSeed(random io.Reader) (RecordSeed, error) {
	s, err := NewSecret(random)
	return RecordSeed(s), err
}

// Public returns the name.
func (s RecordSeed) Public() RecordName {
	return RecordName(ed25519.NewKeyFromSeed(s[:]).Public().(ed25519.PublicKey))
}

// Format keeps the secret out of every formatted text.
func (s RecordSeed) Format(f fmt.State, _ rune) { formatSecret(f) }

// next returns the seed of day, made from the seed of the day before.
func (s TransportSeed) next(day uint32) TransportSeed {
	return TransportSeed(ExpandKey(s, LabelTransport.Join(Uint32(day))))
}

// formatSecret is what every secret prints as, whatever the verb.
func formatSecret(f fmt.State) {
	// A fmt.State never fails to write; there is nobody to tell if it did.
	_, _ = io.WriteString(f, "secret")
}

// TransportChain is the forward chain a roaming device takes its transport keys
// from: one per UTC day, the seed of a past day cannot be computed again.
type TransportChain struct {
	// Day is the day of Seed, in days since 1970-01-01 UTC.
	Day uint32
	// Seed is the seed of Day.
	Seed TransportSeed
}

// At returns the chain moved forward to day. A day before c.Day, or more than
// DayDistanceMax ahead, is out of reach and gives false.
func (c TransportChain) At(day uint32) (TransportChain, bool) {
	if day < c.Day || day-c.Day > DayDistanceMax {
		return TransportChain{}, false
	}
	for c.Day < day {
		c.Seed = c.Seed.next(c.Day + 1)
		c.Day++
	}
	return c, true
}

// Keys returns the public keys of n days from c.Day on, to be told to contacts.
// n is cut to TransportDaysMax.
func (c TransportChain) Keys(n int) []TransportKey {
	n = min(n, TransportDaysMax)
	keys := make([]TransportKey, 0, max(n, 0))
	for len(keys) < n {
		keys = append(keys, c.Seed.Public())
		c.Seed = c.Seed.next(c.Day + 1)
		c.Day++
	}
	return keys
}
