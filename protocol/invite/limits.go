package invite

// Limits that the protocol fixes.
const (
	// StampBitsDefault is how many zero bits a card asks of a stamp if nothing is said.
	StampBitsDefault = 4
	// StampDaysOff is how many days a stamp's day may lie beside the checker's.
	StampDaysOff = 1
	// stampMemoryKiB, stampTime and stampThreads are Argon2id's parameters.
	stampMemoryKiB = 64 << 10
	stampTime      = 1
	stampThreads   = 1
)

// Limits of this implementation.
const (
	// BundlesMax bounds the bundles of one card: a prekey a week, each kept 60 days.
	BundlesMax = 10
	// stampTriesMax ends the search for a stamp: at 8 bits the chance to need more
	// is e^-32.
	stampTriesMax = 1 << 13
)
