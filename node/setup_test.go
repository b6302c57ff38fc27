package node_test

import (
	"errors"
	"os"
	"testing"

	"pabal/node"
	"pabal/node/api"
	"pabal/store"
)

// TestSetupLeavesNothingHalfMade refuses a profile whose name is none: the next try
// must find none.
func TestSetupLeavesNothingHalfMade(t *testing.T) {
	mina := newPerson(t, "Mina")
	mina.end()
	if err := os.RemoveAll(mina.config.DataDir); err != nil {
		t.Fatal(err)
	}
	mina.config.Create = &node.NewProfile{Name: "\x00"}
	if err := mina.tryStart(); err == nil {
		t.Fatal("a name that cannot be shown was taken")
	}
	mina.config.Create = &node.NewProfile{Name: "Mina"}
	mina.start()
}

// TestUnlockOfDamagedProfile opens a profile without an account, which no setup
// leaves: that is said, and the daemon stays locked.
func TestUnlockOfDamagedProfile(t *testing.T) {
	ctx := t.Context()
	mina := newPerson(t, "Mina")
	mina.end()
	if err := os.RemoveAll(mina.config.DataDir); err != nil {
		t.Fatal(err)
	}
	const passphrase = "correct horse battery staple"
	profile := must[*store.Profile](t)(store.Lock(mina.config.DataDir, store.Self("")))
	empty := must[*store.Store](t)(profile.Create(store.Options{
		Passphrase: []byte(passphrase), Argon: store.Argon{Time: 1, Threads: 1, MemoryKiB: store.ArgonMemoryMin},
	}))
	if err := errors.Join(empty.Close(), profile.Close()); err != nil {
		t.Fatal(err)
	}
	mina.config.Create = nil
	mina.start()
	if err := mina.Unlock(ctx, passphrase); !isCode(err, api.CodeProfileDamaged) {
		t.Errorf("unlock: %v", err)
	}
	if s := must[api.Status](t)(mina.Status(ctx)); s.State != api.StateLocked {
		t.Errorf("state %q", s.State)
	}
}
