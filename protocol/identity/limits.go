package identity

// Sizes in bytes that the protocol fixes.
const (
	// KeySize is the size of every symmetric key, shared secret and seed.
	KeySize = 32
	// HashSize is the size of a SHA-256 hash.
	HashSize = 32
	// NonceSize is the size of a ChaCha20-Poly1305 nonce.
	NonceSize = 12
	// Overhead is what sealing adds: the Poly1305 tag.
	Overhead = 16
	// SignatureSize is the size of an Ed25519 signature.
	SignatureSize = 64
	// KEMPublicSize is the size of an MLKEM768-X25519 public key.
	KEMPublicSize = 1216
	// KEMCiphertextSize is the size of an MLKEM768-X25519 encapsulation.
	KEMCiphertextSize = 1120
	// HelloTagSize is the size of a hello tag.
	HelloTagSize = 16
	// DeviceEntrySize is the size of an encoded device entry.
	DeviceEntrySize = 32 + KEMPublicSize + 4 + 4 + HashSize + SignatureSize
	// PairChainSize is the size of an encoded pair chain (our own storage only).
	PairChainSize = 4 + 2*(4+KeySize) + 1
)

// Limits that the protocol fixes: another implementation must not exceed them.
const (
	// DeviceListDevicesMax bounds the devices of one account.
	DeviceListDevicesMax = 16
	// DeviceNameBytesMax bounds a device's name, in bytes of UTF-8.
	DeviceNameBytesMax = 64
	// ReseedDaysAheadMin is how many days ahead of the sender's day a reseed must lie.
	ReseedDaysAheadMin = 3
	// ReseedDaysAheadMax bounds how far ahead a reseed may lie.
	ReseedDaysAheadMax = 60
	// ReseedDaysLateMax is how many days after its day a reseed is still taken.
	ReseedDaysLateMax = 20
	// ReseedDaysUnusedMax is how many days after its day the sender gives up a
	// reseed the contact has not used. It exceeds ReseedDaysLateMax, so that the
	// contact cannot take what was given up.
	ReseedDaysUnusedMax = 30
	// TransportDaysMax bounds how many days of transport keys are told in advance.
	TransportDaysMax = 90
)

// Limits of this implementation.
const (
	// DayDistanceMax bounds how many days a forward chain is advanced in one
	// call: about 22 years, so that a clock set to 2036 costs a millisecond
	// and a clock set to the year 100000 costs nothing.
	DayDistanceMax = 8000
)
