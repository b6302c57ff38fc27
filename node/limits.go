package node

import "time"

const (
	// queueLen is how many requests may wait for the loop; a caller waits when
	// it is full.
	queueLen = 1024
	// batchFramesMax bounds the frames that one commit covers, beside
	// store.BatchMax inputs.
	batchFramesMax = 2048
	// stampsMax bounds the stamps that are made or checked at once, 64 MiB each.
	stampsMax = 2
	// jobRetry is how long after a job that could not read the store it is tried again.
	jobRetry = time.Second
	// retryFull is how often a full disk is tried again.
	retryFull = 5 * time.Second
	// aliveWithin is how old the last step and commit may be for readyz.
	aliveWithin = 5 * time.Second
	// rotateSpread is how far from midnight UTC the transport key may change.
	rotateSpread = 3 * time.Hour
	// trustedMax bounds the local networks that are remembered as trusted.
	trustedMax = 256
	// tasksKept is how many jobs of clients are remembered.
	tasksKept = 16
	// drillTimer is when the notes of a drill that was cut short end by themselves.
	drillTimer = time.Hour
	// goneMax is how long a locked screen waits for a core that is busy to take that the user has gone.
	goneMax = 2 * time.Second
	// indexDelay is how long the loop must be idle before it indexes for search.
	indexDelay = 200 * time.Millisecond
	// rotationAskedEvery is how often a loop that is idle looks whether the database's key is old.
	rotationAskedEvery = time.Hour
	// fetchesMax and fetchesPerContactMax bound the files that are fetched at once, servesMax and
	// servesPerContactMax those that are served.
	fetchesMax           = 3
	fetchesPerContactMax = 2
	servesMax            = 8
	servesPerContactMax  = 3
	// turnTime is how long a file keeps its place though others wait; it keeps it longer if
	// turnBytesMin of it moved meanwhile. One that yields waits as long for its next turn.
	turnTime     = 5 * time.Minute
	turnBytesMin = 4 << 20
	// wantedMax bounds the wanted files that are looked at for the next to fetch,
	// wantedPerContactMax those of one contact.
	wantedMax           = 1024
	wantedPerContactMax = 32
	// fetchWindow bounds the chunks of a file that are asked for and not yet recorded,
	// fetchWriters those that are checked and written at once: each chunk is memory, and
	// what is under way travels again after a crash.
	fetchWindow  = 6
	fetchWriters = 3
	// servedAhead bounds what is asked for on a stream before it is answered, servedBuffers the
	// chunks that are read and sealed ahead, or sent.
	servedAhead   = 8
	servedBuffers = 3
	// chunkWait and askWait are how long the other side of a file stream may be silent.
	chunkWait = time.Minute
	askWait   = 2 * time.Minute
	// offeredEvery is how often it is looked whether a file that is served is still offered.
	offeredEvery = time.Second
	// progressEvery is how often the progress of a file is told.
	progressEvery = time.Second
	// stirEvery is how often the core is told that a connection is in use by files.
	stirEvery = time.Minute
	// fetchAgainMin and fetchAgainMax are between tries to fetch a file that was cut off,
	// pathAgainMax the longest between those for which there is no path.
	fetchAgainMin = time.Second
	fetchAgainMax = time.Minute
	pathAgainMax  = 15 * time.Minute
	// staleEvery is how often what was brought for a message that was never sent is erased.
	staleEvery = time.Hour
	// expiryEvery is how often the store is asked what is due, at the least.
	expiryEvery = time.Minute
)
