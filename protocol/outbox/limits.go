package outbox

import "time"

// All limits here are of this implementation, but ItemsMax; the protocol's own are
// in wire and session.
const (
	// ItemsMax bounds the contents of one envelope: a peer refuses a body that has
	// more (wire.ContentsPerBodyMax).
	ItemsMax = 1024
	// CacheBytesMax bounds the contents and frames that one queue keeps in memory.
	CacheBytesMax = 1 << 20
	// FetchBytesMax bounds what one fetch asks for.
	FetchBytesMax = 256 << 10
	// FetchMessagesMax bounds how many messages one fetch names.
	FetchMessagesMax = 2048

	silentAfter  = 2 * time.Second // what a live path has not acknowledged goes to couriers too
	leftAgain    = time.Minute     // a courier has not answered, then twice as long each time
	leftAgainMax = time.Hour
	leftTwiceMax = 6              // times, until it is the longest
	storedAgain  = 24 * time.Hour // the peer has not: the courier may have lost it

	retryMin = 4 * time.Second // first retransmission on a live path
	retryMax = 5 * time.Minute
)
