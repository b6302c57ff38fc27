package session

import (
	"errors"
	"testing"

	"pabal/protocol/identity"
)

// seedOf returns a KEM seed that consists of one byte repeated.
func seedOf(b byte) identity.KEMSeed {
	var s identity.KEMSeed
	for i := range s {
		s[i] = b
	}
	return s
}

func TestKEMAgrees(t *testing.T) {
	seed := seedOf(1)
	ct, ss, err := Encapsulate(seed.Public(), identity.LabelPrekey, []byte("context"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decapsulate(seed, identity.LabelPrekey, []byte("context"), ct)
	if err != nil || got != ss {
		t.Fatalf("secrets differ, error %v", err)
	}
	again, ss2, err := Encapsulate(seed.Public(), identity.LabelPrekey, []byte("context"))
	if err != nil || again == ct || ss2 == ss {
		t.Fatalf("two encapsulations are equal, error %v", err)
	}
}

func TestKEMBinds(t *testing.T) {
	seed := seedOf(1)
	ct, ss, err := Encapsulate(seed.Public(), identity.LabelPrekey, []byte("context"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := ct
	flipped[3] ^= 1
	for name, other := range map[string]func() ([32]byte, error){
		"purpose":    func() ([32]byte, error) { return Decapsulate(seed, identity.LabelInviter, []byte("context"), ct) },
		"context":    func() ([32]byte, error) { return Decapsulate(seed, identity.LabelPrekey, []byte("other"), ct) },
		"key":        func() ([32]byte, error) { return Decapsulate(seedOf(2), identity.LabelPrekey, []byte("context"), ct) },
		"ciphertext": func() ([32]byte, error) { return Decapsulate(seed, identity.LabelPrekey, []byte("context"), flipped) },
	} {
		if got, err := other(); err != nil || got == ss {
			t.Errorf("another %s gives the same secret, or error %v", name, err)
		}
	}
}

func TestKEMRefusesMalformed(t *testing.T) {
	var key identity.KEMPublic
	for i := range key {
		key[i] = 0xff // coefficients out of range
	}
	if _, _, err := Encapsulate(key, identity.LabelTurn, nil); !errors.Is(err, ErrKEM) {
		t.Errorf("malformed ML-KEM key: %v", err)
	}
	low := seedOf(1).Public()
	clear(low[len(low)-32:]) // the point of order one
	if _, _, err := Encapsulate(low, identity.LabelTurn, nil); !errors.Is(err, ErrKEM) {
		t.Errorf("low-order point: %v", err)
	}
	ct, _, err := Encapsulate(seedOf(1).Public(), identity.LabelTurn, nil)
	if err != nil {
		t.Fatal(err)
	}
	clear(ct[len(ct)-32:])
	if _, err := Decapsulate(seedOf(1), identity.LabelTurn, nil, ct); !errors.Is(err, ErrKEM) {
		t.Errorf("low-order point in a ciphertext: %v", err)
	}
}
