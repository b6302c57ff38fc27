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
	// indexDelay is how long the loop must be idle before it indexes for search.
	indexDelay = 200 * time.Millisecond
	// expiryEvery is how often the store is asked what is due, at the least.
	expiryEvery = time.Minute
)
