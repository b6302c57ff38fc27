package session

import (
	"crypto/hpke"
	"errors"
	"slices"

	"pabal/protocol/identity"
)

// ErrKEM reports a public key or a ciphertext that is malformed. A ciphertext that is
// well formed but wrong gives a wrong secret and no error: only a seal made under the
// secret tells.
var ErrKEM = errors.New("session: malformed KEM key or ciphertext")

// secretContext is the exporter context of every encapsulated secret.
const secretContext = "pabal/1 secret"

// Encapsulate makes a fresh secret for the holder of key and the ciphertext that
// tells it (about 0.16 ms). purpose and context are bound to the secret, and so is the
// key, which the KEM itself does not bind; the caller must bind the ciphertext by
// hashing it into its transcript. Error: ErrKEM.
//
// It takes system randomness, because ML-KEM in the standard library accepts no other;
// it is the only place of the protocol that does.
func Encapsulate(key identity.KEMPublic, purpose identity.Label, context []byte) (ciphertext [identity.KEMCiphertextSize]byte, secret [identity.KeySize]byte, err error) {
	public, err := hpke.MLKEM768X25519().NewPublicKey(key[:])
	if err != nil {
		return ciphertext, secret, ErrKEM
	}
	enc, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.ExportOnly(), kemInfo(key, purpose, context))
	if err != nil || len(enc) != len(ciphertext) {
		return ciphertext, secret, ErrKEM
	}
	exported, err := sender.Export(secretContext, len(secret))
	if err != nil {
		return ciphertext, secret, ErrKEM
	}
	return [identity.KEMCiphertextSize]byte(enc), [identity.KeySize]byte(exported), nil
}

// Decapsulate returns the secret that a ciphertext made for the public key of seed
// tells (about 0.23 ms). Error: ErrKEM.
func Decapsulate(seed identity.KEMSeed, purpose identity.Label, context []byte, ciphertext [identity.KEMCiphertextSize]byte) (secret [identity.KeySize]byte, err error) {
	secret, _, err = decapsulate(seed, purpose, context, ciphertext)
	return secret, err
}

// decapsulate is Decapsulate; it also returns the public key, which it has to make.
func decapsulate(seed identity.KEMSeed, purpose identity.Label, context []byte, ciphertext [identity.KEMCiphertextSize]byte) (secret [identity.KeySize]byte, public identity.KEMPublic, err error) {
	private, err := hpke.MLKEM768X25519().NewPrivateKey(seed[:])
	if err != nil {
		return secret, public, ErrKEM
	}
	public = identity.KEMPublic(private.PublicKey().Bytes())
	recipient, err := hpke.NewRecipient(ciphertext[:], private, hpke.HKDFSHA256(), hpke.ExportOnly(), kemInfo(public, purpose, context))
	if err != nil {
		return secret, public, ErrKEM
	}
	exported, err := recipient.Export(secretContext, len(secret))
	if err != nil {
		return secret, public, ErrKEM
	}
	return [identity.KeySize]byte(exported), public, nil
}

func kemInfo(key identity.KEMPublic, purpose identity.Label, context []byte) []byte {
	hash := identity.Hash(key[:])
	return slices.Concat(purpose.Append(nil), hash[:], context)
}
