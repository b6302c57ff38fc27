package identity_test

import (
	"fmt"

	"pabal/protocol/identity"
)

func ExampleNewFingerprint() {
	a, b := identity.AccountSeed{1}, identity.AccountSeed{2}
	ours := identity.NewFingerprint(a.Public(), b.Public())
	theirs := identity.NewFingerprint(b.Public(), a.Public())
	fmt.Println(len(ours.String()), ours == theirs)
	// Output: 71 true
}

func ExampleListHead_Follow() {
	account, device := identity.AccountSeed{1}, identity.KEMSeed{2}
	laptop := identity.ListedDevice{Key: device.Public(), Name: "laptop", AddedDay: 20600}
	first := identity.NewDeviceList(account, laptop)
	home := identity.ListedDevice{Key: identity.KEMSeed{3}.Public(), Name: "home", AddedDay: 20700}
	second := first.Next(account, []identity.ListedDevice{laptop, home})

	known := first.Head() // from the device entry of the handshake
	relation, err := known.Follow(account.Public(), second)
	fmt.Println(relation == identity.ListNewer, err)
	// Output: true <nil>
}

func ExamplePairChain() {
	alice := identity.NewPairChain([32]byte{7}, 20000)
	bob := alice
	dialer, listener := identity.TransportKey{1}, identity.TransportKey{2}

	spoken, _ := alice.Speak(20001)
	tag := identity.NewHelloTag(spoken.Key, identity.FromDialer, dialer, listener)
	heard, known := identity.Match(bob.Listen(20001), tag, identity.FromDialer, dialer, listener)
	bob = bob.Confirm(20001, heard)
	fmt.Println(known, bob.Confirmed)
	// Output: true 20001
}
