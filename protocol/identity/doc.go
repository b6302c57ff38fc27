// Package identity holds who takes part in the protocol: account, device and
// transport keys, the signed device entry and device list, the fingerprint two
// people compare, and the pair chain that lets two devices recognise each other
// without showing anything to others.
//
// It is the leaf of the protocol: it imports nothing of ours, and every other
// protocol package takes its primitives (hash, HKDF, HMAC, AEAD) and its labels
// from here, so that there is one list of labels and none is used for two things.
//
// Randomness is always passed in as an io.Reader and time as a day number (days
// since 1970-01-01 UTC), so equal inputs give equal outputs. The package makes
// bytes; package wire reads them.
//
// Main types: AccountSeed, KEMSeed, DeviceEntry, DeviceList, PairChain. Typical use:
//
//	account, err := identity.NewAccountSeed(random)
//	device, err := identity.NewKEMSeed(random)
//	list := identity.NewDeviceList(account, identity.ListedDevice{Key: device.Public(), Name: "laptop", AddedDay: today})
//	entry, ok := identity.NewDeviceEntry(account, list, device.Public())
//
// Spec: protocol/doc/spec.md, "Conventions and primitives" and "Identity".
package identity
