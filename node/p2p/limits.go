package p2p

import "time"

// All of these are limits of this implementation, none is part of the protocol.
const (
	// eventsQueued is the capacity of the events channel. When it is full, the
	// goroutines that read streams wait.
	eventsQueued = 64
	// batchFramesMax and batchBytesMax bound what one Received carries, except
	// that a single frame of any legal size always fits.
	batchFramesMax = 512
	batchBytesMax  = 64 << 10
	// readBufferBytes is the read buffer of each conn.
	readBufferBytes = 16 << 10
	// writeBytesMax is how much of the send queue goes into one write.
	writeBytesMax = 16 << 10
	// spareBytesMax is the largest empty send buffer that a conn keeps.
	spareBytesMax = 64 << 10
	// sendQueueBytesMax bounds the send queue of one conn. It holds a full session
	// window (512 envelopes) of the largest envelopes, so that a core that sends
	// its whole window again after a reconnect is never cut off for it.
	sendQueueBytesMax = 36 << 20
	// sendTotalBytesMax bounds the send queues of all conns together.
	sendTotalBytesMax = 96 << 20
	// writeStall is how long one write may wait for the other side to read.
	writeStall = 20 * time.Second

	// fileBufferBytes is the read buffer of a file stream: what it takes of a chunk is copied once
	// more. filePieceBytes is how much of a chunk goes into one write.
	fileBufferBytes = 4 << 10
	filePieceBytes  = 64 << 10

	// strangerLifetime is the age at which an inbound connection ends that was
	// not authenticated: always exactly this, whatever was said on it.
	strangerLifetime = 5 * time.Second
	// strangerBytesMax is how many bytes of frames a conn may receive before it is
	// authenticated.
	strangerBytesMax = 16 << 10
	// strangersMax and strangersPerNetworkMax bound the connections of strangers,
	// in all and from one IPv4 address or IPv6 /56.
	strangersMax           = 64
	strangersPerNetworkMax = 8

	// answerTimeout is how long a conn that we dialled may stay without the first
	// frame of the other side.
	answerTimeout = 10 * time.Second
	// lingerTimeout is how long a hung-up conn waits for its last bytes to be read.
	lingerTimeout = 2 * time.Second

	// pingInterval, pingTimeout: an active conn is pinged when nothing was received
	// for the interval, and closed when a ping has no answer in the timeout.
	pingInterval = 7 * time.Second
	pingTimeout  = 5 * time.Second
	pingBytes    = 8

	// dialTimeout is the deadline of a Dial that has none.
	dialTimeout = 15 * time.Second
	// dialKeyStagger is the head start of each key over the next one.
	dialKeyStagger = 400 * time.Millisecond
	// dialsRunning is how many Dials run at once; dialsWaiting how many may wait.
	dialsRunning = 96
	dialsWaiting = 8192
	// dialKeysMax and dialAddressesMax bound one Dial; what is above is ignored.
	dialKeysMax      = 8
	dialAddressesMax = 32

	// dialRelaysMax bounds the relays of one Dial; what is above is ignored.
	dialRelaysMax = 4

	// The relay: how long and how much a circuit carries (each way), how many there are of
	// one peer, how many may be reached through us, and for how long they ask.
	circuitLifetime     = time.Hour
	circuitBytesMax     = 32 << 20
	circuitsPerPeerMax  = 16
	circuitBufferBytes  = 16 << 10
	reservationLifetime = time.Hour
	reservationsMax     = 256
	admittedMax         = 64
	// reserveTimeout is how long one request for a reservation may take. A refused one is
	// repeated after reserveRetryMin, then twice as long each time up to reserveRetryMax.
	reserveTimeout  = 20 * time.Second
	reserveRetryMin = time.Second
	reserveRetryMax = time.Minute
	// keptMin is how long a connection stays at least that has no conn any more, or none yet.
	keptMin = 15 * time.Second

	// A hole punch: tries, the time of each and of all, and what either side tells.
	punchTries        = 3
	punchTryTimeout   = 5 * time.Second
	punchTimeout      = 20 * time.Second
	punchAddressesMax = 8
	punchBytesMax     = 256
	// unaskedAfter is for how long what we have sent may make a way through a firewall.
	unaskedAfter = 10 * time.Minute
	// observedQueued is how many of libp2p's reports wait for us; more make it wait.
	observedQueued = 64

	// The DHT: servers that the user may name, how long entering may take, the key in a record under which ours lies, what others may do with a record
	// instead of asking again, and the resources of the host of a call.
	dhtServersMax   = 16
	dhtEnterTimeout = 20 * time.Second
	dhtEnterPoll    = 10 * time.Millisecond
	dhtPayload      = "_"
	dhtCachedFor    = time.Minute
	dhtChecksMax    = 16
	dhtConnsMax     = 192
	dhtStreamsMax   = 512
	dhtMemoryMax    = 32 << 20

	// watchInterval is how often the interfaces and the clock are looked at.
	watchInterval = 5 * time.Second
	// wakeJump is the difference between wall clock and monotonic clock, over one
	// watchInterval, that means that the machine slept.
	wakeJump = 10 * time.Second
	// ownAddressesMax and ownSubnetsMax bound an Addresses event.
	ownAddressesMax = 64
	ownSubnetsMax   = 64
	// listenAttempts is how many free ports are tried until one is free for UDP
	// and TCP on every address family.
	listenAttempts = 16

	// The resource manager of libp2p: connections, streams and memory in all, and
	// per peer. Memory counts what libp2p itself buffers.
	connsMax         = 512
	connsInboundMax  = 320
	connsPeerMax     = 8
	connsNetworkMax  = 64 // of one IPv4 address or IPv6 /56: circuits count as from their relay
	connsBurst       = 32 // that come from there at once, and connsPerSecond later; not of this machine
	connsPerSecond   = 0.5
	connsRateKept    = time.Minute // how long an address that has its whole burst again is remembered
	protocolPeerMax  = 8           // streams of one of our protocols with one peer, half of them either way
	livenessBytesMax = 1 << 20     // that libp2p buffers for these of one peer
	streamsPeerMax   = 32 + circuitsPerPeerMax
	streamsMax       = 2048
	memoryBytesMax   = 192 << 20
	memoryPeerMax    = 32 << 20
	descriptorsMax   = 512
	peerAddressesMax = dialAddressesMax

	// What libp2p answers itself, in all and with one peer.
	identifyStreamsMax = 256
	identifyPeerMax    = 32
	identifyMemoryMax  = 8 << 20
	relayStreamsMax    = 640
	relayPeerMax       = 64
	relayMemoryMax     = 32 << 20

	// The peerstore of libp2p.
	addressesMax = 4096
	transientMax = 96
)
