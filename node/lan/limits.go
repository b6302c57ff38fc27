package lan

import "time"

// All of these are limits of this implementation.
const (
	// watchInterval is how often the networks are looked at.
	watchInterval = 5 * time.Second
	// eventsQueued is the capacity of the events channel: when it is full, beacons are
	// dropped, and the news of a change waits.
	eventsQueued = 64
	// networksMax bounds the networks that are told of.
	networksMax = 32
	// addressesMax bounds the addresses of a network that are told of.
	addressesMax = 8
	// readPause is how long a socket is left alone that fails to be read.
	readPause = time.Second
	// sendTimeout bounds one datagram.
	sendTimeout = time.Second
)
