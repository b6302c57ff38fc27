package store

import "time"

// Limits of this implementation (none is part of the protocol).
const (
	// BatchMax is the most inputs whose effects one Commit may hold.
	BatchMax = 512
	// DeleteBatchMax is the most messages that one Commit should erase: each
	// costs 7–11 ms in the search index of a million messages, the longest some times as much.
	DeleteBatchMax = 4
	// IndexStepMax is the most messages that one IndexStep indexes.
	IndexStepMax = 256
	// PageMax is the most items of one page of messages, events or hits.
	PageMax = 1000
	// SearchMax is the most hits of one search.
	SearchMax = 50
	// ReadMax is how long a View may go on while a deletion waits for it.
	ReadMax = 100 * time.Millisecond
	// ScrubWithin is how long what was replaced or acknowledged (keys, names) may stay
	// in the log where nothing is erased for the user.
	ScrubWithin = time.Minute
	// EventsMax is the most events the log keeps, whoever still wants them.
	EventsMax = 1_000_000
	// RotationAge is how long the database's key is used before a new one.
	RotationAge = 30 * 24 * time.Hour
	// EventsAgeMax is the longest time the log keeps an event.
	EventsAgeMax = 30 * 24 * time.Hour
	// EventsAge is how long the log keeps an event that every consumer has.
	EventsAge = 7 * 24 * time.Hour
	// IdempotencyAge is how long the answer to an idempotency key is kept.
	IdempotencyAge = 48 * time.Hour
	// TombstoneAge is how long a deleted message is remembered by its HMAC.
	TombstoneAge = 60 * 24 * time.Hour
	// UploadAge is how long a file is kept that is part of no message.
	UploadAge = 24 * time.Hour
	// ArgonMemoryMin is the least memory, in KiB, of a passphrase's Argon2id.
	ArgonMemoryMin = 64 << 10
	// ArgonMemoryMax is the most memory, in KiB, that a header may ask for.
	ArgonMemoryMax = 1 << 20

	argonTimeMax    = 16
	argonThreadsMax = 16

	argonTimeDefault    = 3
	argonMemoryDefault  = 256 << 10 // KiB
	argonThreadsDefault = 2

	pageBytes           = 4096
	pagesMax            = 1<<25 - 1 // above, gap clearing is not safe: see clearGap
	logPagesMax         = 4096      // a longer log is copied into the database while a commit waits: 16 MiB
	logPagesSoon        = 3072      // a longer one beside it
	logPagesAgain       = 256       // by which it grew since that did not catch up
	logCopiesMax        = 8         // tries to catch up
	writerCacheKiB      = 4096
	readerCacheKiB      = 2048
	connectionMemoryMax = 64 << 20
	readHardMax         = 10 * time.Second
	trimEvery           = 1024                          // events between two looks for old rows
	trimStepMax         = 512                           // old rows erased at once
	eventScanMax        = 4096                          // rows of the log that one query looks at
	statusScanMax       = 8                             // rows of the log looked at for the time of a status
	reserveBytes        = logPagesMax*pageBytes + 2<<20 // the log again, and a deletion
	decoyBytes          = 2 << 20                       // for a new decoy there must be so much room
	unlinkStepMax       = 64                            // chunk files removed while a commit waits
	unlinkPause         = time.Millisecond              // between two portions of them: a commit gets its turn
	shelfChunks         = 16                            // chunks of a file that are written to one directory
	chunkGrace          = time.Minute                   // within which a new chunk gets its row
	reserveEvery        = time.Minute                   // between two tries to fill the reserve again
	thumbnailTries      = 8                             // messages with one file that are looked at for its thumbnail
	searchScanMax       = 20_000                        // messages looked at by one search without the index
	termsMax            = 1024                          // of one message in the index: each is taken out one by one
	searchMissesMax     = 100                           // long messages that one search reads through for nothing
)
