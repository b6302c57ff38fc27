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
	// FetchPartsMax bounds how many parts of files one fetch names, of 60 KiB each.
	FetchPartsMax = 4
	// FetchMessagesMax bounds how many messages one fetch names.
	FetchMessagesMax = 2048
	// CopiesUsual is how many couriers get an envelope at once.
	CopiesUsual = 2
	// CopiesMax bounds the couriers that get one at all.
	CopiesMax = 3

	silentAfter  = 2 * time.Second // what a live path has not acknowledged goes to couriers too
	leftAgain    = time.Minute     // a courier has not answered, then twice as long each time
	leftAgainMax = time.Hour
	leftTwiceMax = 6              // times, until it is the longest
	storedAgain  = 24 * time.Hour // the peer has not: the courier may have lost it
	thirdAfter   = 24 * time.Hour // so may two of them: a third gets a copy
	passedAfter  = time.Hour      // for which an envelope lay there when a later one was sealed

	partHeld = 16 * time.Second // a part of a file on a new path: the peer fetches the whole there

	retryMin = 4 * time.Second // first retransmission on a live path
	retryMax = 5 * time.Minute
)
