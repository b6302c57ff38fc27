package api

import "time"

// The version of the API. The major number is in every path; the minor one
// grows with each addition and is in the header Pabal-Api.
const (
	Major = 1
	Minor = 0
)

// Limits that the daemon sets to requests.
const (
	// TextBytesMax bounds a message's text, in bytes of UTF-8.
	TextBytesMax = 32 << 10
	// NameBytesMax bounds names, aliases and the names of tokens, in bytes of UTF-8.
	NameBytesMax = 256
	// NoteBytesMax bounds the note of an invite, in bytes of UTF-8.
	NoteBytesMax = 256
	// GreetingBytesMax bounds the greeting of a contact request, in bytes of UTF-8.
	GreetingBytesMax = 1 << 10
	// BodyBytesMax bounds a request's body.
	BodyBytesMax = 1 << 20
	// BundleBytesMax bounds a bundle file.
	BundleBytesMax = 36 << 20
	// FileBytesMax bounds a file, FilesPerMessageMax the files of a message.
	FileBytesMax       = 4 << 30
	FilesPerMessageMax = 16
	// PassphraseBytesMin and PassphraseBytesMax bound a passphrase.
	PassphraseBytesMin = 8
	PassphraseBytesMax = 1024
	// DisappearingSecondsMax bounds a timer: ten years.
	DisappearingSecondsMax = 10 * 366 * 24 * 3600
	// CourierQuotaDefault and CourierDaysDefault are the terms of a courier that names
	// no others.
	CourierQuotaDefault = 32 << 20
	CourierDaysDefault  = 14
	// ListMax and ListDefault bound a page of a list.
	ListMax     = 200
	ListDefault = 50
	// SearchMax bounds a page of a search.
	SearchMax = 50
	// EventsMax bounds one long-poll answer.
	EventsMax = 1000
	// WaitMax bounds the long poll of events and timeout_ms of a send.
	WaitMax = 60 * time.Second
	// TypingEvery and PresenceEvery are how often it is said again that the user writes, or is
	// here, as long as that is so.
	TypingEvery   = 3 * time.Second
	PresenceEvery = time.Minute
	// PictureBytesMax bounds the picture that our own is made of.
	PictureBytesMax = 20 << 20
	// IdempotencyKeyBytesMax bounds the header Idempotency-Key.
	IdempotencyKeyBytesMax = 128
	// ConsumerNameBytesMax bounds the name of an event consumer.
	ConsumerNameBytesMax = 64
)

// Limits of [Client].
const (
	responseBytesMax  = 64 << 20        // of one JSON answer
	eventLineBytesMax = 4 << 20         // of one event
	discoveryBytesMax = 64 << 10        // of api.json
	dialTimeout       = 5 * time.Second // to connect
	followDelayMin    = 50 * time.Millisecond
	followDelayMax    = 5 * time.Second
	eventSilenceMax   = 45 * time.Second // three heartbeats
)
