// Command signalbench prints the reference of the bench figure "ratchet": how
// many times a second a pure-Go port of the Signal protocol encrypts,
// serialises, parses and decrypts a message of 100 bytes within one chain, as
// a whole number of nanoseconds a message.
//
// It is a module of its own because go.mau.fi/libsignal is under the GPL and
// nothing that ships may depend on it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/serialize"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/tests"
	"go.mau.fi/libsignal/util/keyhelper"
)

const textBytes = 100

func main() {
	messages := flag.Int("messages", 20000, "messages in the timed chain")
	flag.Parse()
	each, err := measure(context.Background(), *messages)
	if err != nil {
		fmt.Fprintln(os.Stderr, "signalbench:", err)
		os.Exit(1)
	}
	fmt.Println(each.Nanoseconds())
}

// measure returns the time one message takes from plaintext to plaintext.
func measure(ctx context.Context, messages int) (time.Duration, error) {
	serializer := serialize.NewProtoBufSerializer()
	alice, err := newUser(ctx, "alice", 1, serializer)
	if err != nil {
		return 0, err
	}
	bob, err := newUser(ctx, "bob", 2, serializer)
	if err != nil {
		return 0, err
	}
	sender, receiver, err := connect(ctx, alice, bob)
	if err != nil {
		return 0, err
	}
	text := make([]byte, textBytes)
	start := time.Now()
	for range messages {
		sealed, err := sender.Encrypt(ctx, text)
		if err != nil {
			return 0, err
		}
		parsed, err := protocol.NewSignalMessageFromBytes(sealed.Serialize(), serializer.SignalMessage)
		if err != nil {
			return 0, err
		}
		opened, err := receiver.Decrypt(ctx, parsed)
		if err != nil {
			return 0, err
		}
		if len(opened) != textBytes {
			return 0, errors.New("a message came back with another length")
		}
	}
	return time.Since(start) / time.Duration(messages), nil
}

// user is one side, with everything in memory.
type user struct {
	address      *protocol.SignalAddress
	registration uint32
	bundle       *prekey.Bundle
	serializer   *serialize.Serializer
	identities   *tests.InMemoryIdentityKey
	prekeys      *tests.InMemoryPreKey
	signed       *tests.InMemorySignedPreKey
	sessions     *tests.InMemorySession
}

func newUser(ctx context.Context, name string, device uint32, serializer *serialize.Serializer) (*user, error) {
	identity, err := keyhelper.GenerateIdentityKeyPair()
	if err != nil {
		return nil, err
	}
	prekeys, err := keyhelper.GeneratePreKeys(1, 2, serializer.PreKeyRecord)
	if err != nil {
		return nil, err
	}
	signed, err := keyhelper.GenerateSignedPreKey(identity, 0, serializer.SignedPreKeyRecord)
	if err != nil {
		return nil, err
	}
	u := &user{
		address:      protocol.NewSignalAddress(name, device),
		registration: keyhelper.GenerateRegistrationID(),
		serializer:   serializer,
		prekeys:      tests.NewInMemoryPreKey(),
		signed:       tests.NewInMemorySignedPreKey(),
		sessions:     tests.NewInMemorySession(serializer),
	}
	u.identities = tests.NewInMemoryIdentityKey(identity, u.registration)
	for _, key := range prekeys {
		id := key.ID().Value
		if err := u.prekeys.StorePreKey(ctx, id, record.NewPreKey(id, key.KeyPair(), serializer.PreKeyRecord)); err != nil {
			return nil, err
		}
	}
	if err := u.signed.StoreSignedPreKey(ctx, signed.ID(), signed); err != nil {
		return nil, err
	}
	u.bundle = prekey.NewBundle(u.registration, device, prekeys[0].ID(), signed.ID(),
		prekeys[0].KeyPair().PublicKey(), signed.KeyPair().PublicKey(), signed.Signature(), identity.PublicKey())
	return u, nil
}

func (u *user) builder(remote *user) *session.Builder {
	return session.NewBuilder(u.sessions, u.prekeys, u.signed, u.identities, remote.address, u.serializer)
}

// connect opens a session both ways, so that the timed messages are plain ones
// without prekeys, and returns the sender's and the receiver's end.
func connect(ctx context.Context, alice, bob *user) (sender, receiver *session.Cipher, err error) {
	aliceBuilder, bobBuilder := alice.builder(bob), bob.builder(alice)
	if err := aliceBuilder.ProcessBundle(ctx, bob.bundle); err != nil {
		return nil, nil, err
	}
	sender, receiver = session.NewCipher(aliceBuilder, bob.address), session.NewCipher(bobBuilder, alice.address)
	first, err := sender.Encrypt(ctx, []byte("hello"))
	if err != nil {
		return nil, nil, err
	}
	opening, err := protocol.NewPreKeySignalMessageFromBytes(first.Serialize(), alice.serializer.PreKeySignalMessage, alice.serializer.SignalMessage)
	if err != nil {
		return nil, nil, err
	}
	if _, err := receiver.DecryptMessage(ctx, opening); err != nil {
		return nil, nil, err
	}
	answer, err := receiver.Encrypt(ctx, []byte("hello"))
	if err != nil {
		return nil, nil, err
	}
	parsed, err := protocol.NewSignalMessageFromBytes(answer.Serialize(), alice.serializer.SignalMessage)
	if err != nil {
		return nil, nil, err
	}
	_, err = sender.Decrypt(ctx, parsed)
	return sender, receiver, err
}
