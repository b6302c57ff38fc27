package httpd

import "time"

// Limits of this implementation. Those that clients see are in node/api.
const (
	// drainMax bounds what is read and dropped of a body that is too large.
	drainMax = 8 << 20

	connsMax         = 256 // open connections a listener
	streamsMax       = 64  // event streams
	streamsPerToken  = 8
	callsPerToken    = 32 // requests under way, streams among them
	callsRetry       = time.Second
	headerBytesMax   = 32 << 10
	headerTimeout    = 5 * time.Second
	bodyTimeout      = 10 * time.Second
	uploadStall      = time.Minute // for a chunk of a file to come
	idleTimeout      = 2 * time.Minute
	writeTimeout     = 30 * time.Second // of one answer, and of one event
	shutdownTimeout  = 3 * time.Second  // for answers that are being written
	heartbeatEvery   = 15 * time.Second
	streamRetry      = time.Second // what a bye tells the client
	announcementsMax = 256         // events that are not logged and wait for one stream

	rateDefault   = 50 // requests a second and token
	burstFactor   = 4  // burst = rate × burstFactor
	sendRate      = 10 // messages a second and token
	sendBurst     = 40
	scanBurst     = 5 // pictures in which a code is looked for, of a token
	scanEvery     = 2 * time.Second
	failuresBurst = 10 // wrong codes and passphrases: 10 at once,
	failuresEvery = 6 * time.Second
	guessersMax   = 4 // so many times as many passphrases at once of all sessions together, and no more later

	readyTimeout = 5 * time.Second
	operationMax = 2 * time.Minute // of setup and unlock, which run Argon2id

	tokensMax          = 256
	sessionsMax        = 64
	sessionLifetime    = 7 * 24 * time.Hour
	confirmLifetime    = 10 * time.Minute
	loginCodesMax      = 16
	loginTTLDefault    = time.Minute
	loginTriesMax      = 5
	pairingsMax        = 16
	pairingsBurst      = 20
	pairingGuestsMax   = 4 // of those that tokens and pages ask for,
	pairingGuestsBurst = 8 // and so many of theirs at once
	pairingLifetime    = 5 * time.Minute
	pairingPoll        = 2                // seconds between two looks, as the program is told
	pairingEvery       = 30 * time.Second // after so many at once
	tokenUseEvery      = time.Hour        // how exactly last_used_at survives a restart

	auditWaitingMax = 64 // rows of the audit log that wait for the store
	auditTimeout    = 5 * time.Second
	auditFirstMax   = 100 * time.Millisecond // that a lock or a wipe waits for its row

	approvalsMax      = 256 // messages that wait for the owner
	approvalsPerToken = 32
	approvalLook      = time.Hour      // at least so often, since a token may end by disuse
	approvalAge       = 24 * time.Hour // as long as a file is kept that is part of no message

	webhooksMax      = 16
	webhookBatchMax  = 64               // events of one delivery
	webhookSkipMax   = 1000             // events that it is not shown, behind which its place is saved
	webhookTimeout   = 10 * time.Second // of one delivery
	webhookAnswerMax = 64 << 10         // of its answer is read
	webhookRetryMin  = time.Second      // doubled each time
	webhookRetryMax  = time.Hour
	webhookTriesMin  = 10 // before it is disabled
	webhookGiveUp    = 3 * 24 * time.Hour

	outboxMax       = 200
	excerptRunesMax = 120
	consumersMax    = 64
)
