package protocol

import "time"

// The protocol's own limits are in wire, session and invite; those here are of
// this implementation, unless a comment says otherwise.
const (
	// TextBytesMax bounds the UTF-8 bytes of a text (protocol).
	TextBytesMax = 32 << 10
	// EditWindow is how long after it was written a message can be edited (protocol).
	EditWindow = 24 * time.Hour
	// EditsMax bounds the edits of one message (protocol).
	EditsMax = 50
	// EditsKeptMax bounds the edits of one message that are kept, more than EditsMax only of an
	// author that has lost its state and used revisions again (protocol).
	EditsKeptMax = 2 * EditsMax
	// NameBytesMax bounds the UTF-8 bytes of a name or an alias (protocol).
	NameBytesMax = 256
	// GreetingBytesMax bounds a greeting (protocol).
	GreetingBytesMax = 1 << 10
	// NoteBytesMax bounds the note on an invite.
	NoteBytesMax = 256

	// ContactsMax bounds the contacts of a profile: all their sessions are resident.
	ContactsMax = 4000
	// InvitesMax bounds the open invites.
	InvitesMax = 256
	// RequestsWaitingMax bounds the requests that wait on one invite side by side (protocol).
	RequestsWaitingMax = 4
	// RequestsMax bounds the requests that wait in all (protocol).
	RequestsMax = 32
	// FileWantedBytesMax bounds a contact's file that is fetched without asking the user.
	FileWantedBytesMax = 10 << 20
	// FileRelayedBytesMax bounds a file that goes over a relayed connection (protocol).
	FileRelayedBytesMax = 16 << 20
	// ConnsPerContactMax bounds the connections kept to one contact.
	ConnsPerContactMax = 4
	// HereFor is how long the user counts as here since that was said last.
	HereFor = 150 * time.Second

	// PartsKeptMax bounds the parts of files that are kept of one contact until the files are
	// whole: all that an honest one has under way at once, and what has come of the file before.
	PartsKeptMax = 2 * partsOutMax
	// PartWaitsFor is how long a part waits for its message.
	PartWaitsFor = 30 * 24 * time.Hour

	manifestFixedMax = 1 << 10 // of a manifest's bytes: all but its caption and files
	fileFixedMax     = 128     // of a file's in it: all but name, type, waveform and thumbnail

	partFilesMax      = 64      // small files of one contact whose parts may go by courier
	partsOutMax       = 32      // parts on their way to one contact: half of a mailbox of 4 MiB
	stockGiven        = 4       // member keys that a contact is given as a session begins
	stockKept         = 8       // of one contact
	groupsMax         = 256     // that we are in, or were
	groupsUnseenMax   = 8       // to which one contact has added us and that the user has not opened
	spareKeysMax      = 16      // of ours that others have added to one group
	revisionDayShift  = 20      // of a profile's revision: the bits below the day
	groupWaitingMax   = 512     // of groups that wait for one contact
	groupWaitingLow   = 64      // of groups that wait for a contact when it is told what did not fit
	waitingMax        = 1 << 20 // messages that wait for one contact
	rowElementsMax    = 1 << 22 // of one list in a row of ours: more than can ever wait, or a row would not load
	sequenceMax       = 1 << 62
	sequenceJumpMax   = 1 << 20  // a larger gap is absurd
	generationJumpMax = 1 << 16  // a request for a renewal that is further ahead is absurd
	formerJumpMax     = 1 << 10  // of the generation that we ask for because of what somebody else may have asked for
	formerMax         = 4        // recovery secrets of one contact, beside the one in use
	linksKept         = 16       // that turned out to lead to one contact, beside the one that it was asked by
	wrongBundlesMax   = 4        // that the user is told of, for one request
	seenMax           = 256      // hashes of requests remembered an invite
	linkMarksMax      = 16       // invites that a beacon names
	unconfirmedMax    = 4        // sessions with one contact that it has not shown to hold
	wantedTriesMax    = 5        // to reach a contact for whom nothing waits, at the start
	newCouriersMax    = 4        // couriers that one contact has us dial for the first time in rendezvous.HastenEvery
	offAfter          = 6        // tries in vain, one after the other, of a contact that then counts as off
	offAllEvery       = 7        // prime to the turns in which keys are tried. Of so many tries of a contact that is off one is of all its addresses
	gapsMax           = 1024     // gaps remembered a conversation: twice the window
	revisionMax       = 1 << 30  // of a timer; there the greater id counts (protocol)
	answersMax        = 4096     // contents that wait for a contact: beyond, it gets no answers to deletions
	revisionJumpMax   = 1 << 16  // a revision further above the one known is absurd (protocol)
	recentTagsMax     = 256      // message tags remembered a conversation (protocol)
	picturesToldMax   = 8        // pictures of one contact of which the user is told in a day
	formerTagsMax     = 512      // of these of what came before the author removed us and began anew (protocol)
	pushItemsMax      = 64       // items of a mailbox on the way to one reader
	pushBytesMax      = 4 << 20  // of these
	pushAllBytesMax   = 16 << 20 // of all mailboxes, on the way to one reader
	pushRequestsMax   = 8        // requests to one invite, on the way to the inviter
	depositsMax       = 64       // envelopes on the way into one mailbox
	exportFetchMax    = 16       // envelopes whose contents are read at once for a file
	quotaBytesMax     = 1 << 40  // that we offer to keep for one contact
	unansweredMax     = 2        // times in a row that a courier lets a depositor ask again
	unreachedMax      = 3        // and that it is not reached
	doubtsMax         = 2        // times that its owner has not got what lay there
	lostTries         = 12       // to reach a courier of ours, an hour or so, behind which others come first
	boxRenewDays      = 30       // a mailbox is renewed (protocol)
	boxKeptDays       = 60       // and the old one stays open (protocol)
	neverReadMax      = 30 * 24 * time.Hour

	linkLifetime        = 2 * 24 * time.Hour  // without a courier: a link names our keys of three days (protocol)
	linkCourierLifetime = 7 * 24 * time.Hour  // with couriers (protocol)
	usedInviteKept      = 60 * 24 * time.Hour // request tag and link hello, behind expiry (protocol)
	requestKept         = 30 * 24 * time.Hour // an answer is waited for, behind expiry (protocol)
	reseedEvery         = 30 * 24 * time.Hour
	cardRenewal         = 7 * 24 * time.Hour
	acceptKept          = 60 * 24 * time.Hour
	offTryEvery         = 2 * time.Minute  // between tries of contacts that are off, of all together
	sightingKept        = time.Hour        // where a contact's beacon was heard
	sightingDialEvery   = 10 * time.Second // there
	linkIdleMax         = 2 * time.Minute
	connIdleMax         = 10 * time.Minute
	recordDebounce      = 2 * time.Second
	recordEvery         = 10 * time.Minute // between records that others' word brings about
	recordBurst         = 2                // such records at once, besides the first
	syncEvery           = time.Minute
	repairEvery         = 10 * time.Minute
	repairAgain         = time.Hour // on a connection, the same one
	renewalsPerDayMax   = 3
	linkAddressesMax    = 4 // protocol
	recordAddressesMax  = 8 // protocol
	linkTransportDays   = 3
	ackByCourierMin     = time.Minute // a bare ack by courier waits a random while (protocol)
	ackByCourierMax     = 10 * time.Minute
	dialTimeout         = 15 * time.Second       // of a dial
	dialsMax            = 64                     // to contacts and couriers at once: the network layer starts each at once
	dialAgain           = time.Second            // when there are as many
	helloAnswered       = 10 * time.Second       // on a connection that we dialled
	keyOverlap          = time.Hour              // connections under an older transport key go on, at most
	keyLinger           = 5 * time.Second        // behind the end of the last one
	moveAnswered        = 10 * time.Second       // who is asked to dial anew is not dialled
	relayHeadStart      = 500 * time.Millisecond // of a direct dial
	relayAnswered       = 30 * time.Second       // a courier that was asked to connect us
	withdrawAgain       = time.Minute            // what a courier did not say it has erased
	partsAfter          = 5 * time.Second        // a contact is off, until parts of files go to its couriers
	partsReadAgain      = 5 * time.Minute        // behind parts that could not be read
	fullOfParts         = 10 * time.Second       // behind a mailbox that is full while it holds parts: they are withdrawn
	fullOfPartsKept     = time.Minute            // for which that may be why
	fullAgain           = time.Hour              // behind a mailbox that was full
	postAddressesMax    = 8                      // of a courier of others that are dialled at once
	courierAddressesMax = 2                      // of one courier in a record
	troubleKept         = 24 * time.Hour         // a courier that did not answer gets another chance
	unreachedKept       = time.Hour              // or was not reached
	doubtKept           = 3 * 24 * time.Hour     // or lost mail
	doubtEased          = 24 * time.Hour         // and then did what it should
	doubtEvery          = time.Hour              // what is missed together is missed once
	editSlack           = time.Hour              // behind the window, in which an edit is still taken (protocol)
	dhtAfter            = 12 * time.Hour         // without a path, until a contact is sought in the DHT: nobody who is off for a night
	dhtAfterCarried     = 3 * 24 * time.Hour     // if couriers hold all that waits for it
	dhtEvery            = time.Hour              // of the turns in the DHT, less up to a quarter: a record published or a name looked up
	dhtFirst            = 30 * time.Minute       // until the first turn, at most
	dhtGoesOn           = 24 * time.Hour         // turns go on behind the last need of one
	dhtEagerFor         = 7 * 24 * time.Hour     // a contact is sought in every turn that it gets, then
	dhtRarely           = 24 * time.Hour         // once in this time
	dhtKept             = 48 * time.Hour         // a record in the DHT
	dhtAnswered         = 2 * time.Minute        // a turn
	dhtAhead            = 24 * time.Hour         // a record may be of a clock that is ahead, and still not be played again
	tellEvery           = 24 * time.Hour         // a sync frame by courier, without a reason (protocol)
	tellAgain           = time.Hour              // with one
	tellGivenUp         = time.Minute            // if no courier is reached
	pleadEvery          = 24 * time.Hour         // a renewal because of mail that does not open
	silentFor           = 30 * time.Minute       // a contact is there by what a courier says, and acknowledges nothing, until it is asked for a renewal
	silentHeard         = 2 * time.Minute        // for so long of that at a stretch: what it has left for us is collected meanwhile
	silentMail          = 24 * time.Hour         // that long it has been able to collect mail
	unheardKept         = 3 * 24 * time.Hour     // that mail of the session before a renewal shows nothing, to who asked for it
	orderAgain          = 24 * time.Hour         // what a courier of ours has not done
	secondUseEvery      = time.Hour
	scanEvery           = time.Hour
	keysInTurnMax       = 4                // transport keys tried at once of a contact whose key of today is not known
	askAgain            = 10 * time.Minute // behind a connection on which a request was not answered
	acceptAnswered      = 10 * time.Second // an accept by the connection that it went out on
	clockSlack          = 2 * time.Second  // that the clock may go back by correction
	keepOldSession      = 7 * 24 * time.Hour
	strayAfter          = 10 * time.Minute // of sync frames in another session than ours
	typingFor           = 6 * time.Second  // since it was said last, on both sides (protocol)
	signalEvery         = 3 * time.Second  // of what one contact hears of typing and presence (protocol)
	hereSaidEvery       = 4 * time.Minute  // to one contact, as long as it is so
	hereHeardFor        = 5 * time.Minute  // since it was said last (protocol)
	openConversationFor = 2 * time.Minute  // since the last message, for liveness pings
)
