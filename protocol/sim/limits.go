package sim

import "time"

// All limits here are of the simulation: how long its faults last, and how
// patient it is before it calls something a broken promise.
const (
	// walled is how many machines of a hundred are not reached by themselves, where there
	// are couriers; punched how many punches of a hundred make a hole.
	walled  = 30
	punched = 60

	// homeOwners is how many people of a hundred have a home node in villages and cities,
	// alwaysOn how many leave their machines on, helpers how many of the contacts one has
	// at first one offers to carry mail.
	homeOwners = 20
	alwaysOn   = 10
	helpers    = 40

	// convergeWithin is how long after healing everything must have arrived.
	convergeWithin = 4 * 24 * time.Hour
	// convergeEvery is how often it is looked whether it has.
	convergeEvery = 20 * time.Minute
	// answeredWithin is how much longer than until healing a link must be open for its
	// request to be answered.
	answeredWithin = 6 * time.Hour
	// renewalsMax is how many renewals two make in a day.
	renewalsMax = 3
	// tagsRemembered is of how many messages a peer knows that it has had them, should
	// their author send them again under other numbers.
	tagsRemembered = 256
	// spinsMax is how often a Peer may ask to be woken at once without anything
	// happening in between, idleSpinsMax how often if it does nothing then.
	spinsMax     = 1000
	idleSpinsMax = 50
	// unreadable is how many reads of parts of a hundred fail for now.
	unreadable = 5
	// resentMax is how often the same envelope may be sent or left, and the same contents be
	// read, within a minute: the queue sends again after 4 seconds at the earliest, and at
	// once by each new path.
	resentMax = 30

	// batchInputsMax bounds the inputs of one batch.
	batchInputsMax = 64
	// wakeEvery is how often a machine wakes at the least. Package node does each
	// minute; here it is rarer, so that nothing can hang on it.
	wakeEvery = 10 * time.Minute
	// rotateSpread is how far from midnight UTC a transport key may change, as in
	// package node.
	rotateSpread = 3 * time.Hour
	// snapshotsMax is how many old states of a disk are kept.
	snapshotsMax = 16
	// sticksMax is how many bundle files are about.
	sticksMax = 32
	// deleteBatchMax is how many messages whose timers ran out go in one batch.
	deleteBatchMax = 4
	// strangerLifetime is how long a connection without authentication lives.
	strangerLifetime = 10 * time.Second
	// restoresPerDayMax is how often a day a disk is put back to an older state.
	restoresPerDayMax = 2

	// What a peer may keep for one contact, in rows and bytes.
	sessionsPerContactMax = 4
	envelopesPerSession   = 512
	contactStateBytesMax  = 64 << 10
	sessionStateBytesMax  = 80 << 10
)
