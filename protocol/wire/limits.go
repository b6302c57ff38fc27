package wire

// What this implementation speaks.
const (
	// Version is the version of the protocol, in bundles, requests and accepts.
	Version = 1
	// Suite is the one suite of version 1: MLKEM768-X25519, HKDF-SHA256, export
	// only, ChaCha20-Poly1305, Ed25519.
	Suite = 1
)

// Fixed sizes of the protocol, in bytes.
const (
	// FrameHeaderSize is the size of a frame's length and type.
	FrameHeaderSize = 5
	// BundleSize is the size of a bundle in clear.
	BundleSize = 1 + 1 + 4 + 1352 + 1216 + 64
	// SealedBundleSize is the size of a sealed bundle: nonce, padded bundle, tag.
	SealedBundleSize = 3072
	// RequestSize is the size of a request, whatever its kind.
	RequestSize = 8192
	// AcceptSize is the size of an accept.
	AcceptSize = 8192
	// EnvelopeBytesMax is the size of the largest envelope.
	EnvelopeBytesMax = 64 << 10
	// CapabilitySize is the size of a bearer capability.
	CapabilitySize = 32
	// RequestTagSize is the size of the tag of a request.
	RequestTagSize = 16
	// StampNonceSize is the size of a stamp's nonce.
	StampNonceSize = 16
)

// Limits of links, which the protocol fixes.
const (
	// LinkCharactersMax bounds a link, prefix included: QR code 13-L, 77 columns.
	LinkCharactersMax = 420
	// LinkAddressesMax bounds the inviter's addresses in a link.
	LinkAddressesMax = 4
	// LinkCouriersMax bounds the couriers in a link and in a reply path.
	LinkCouriersMax = 2
	// LinkKeysMax bounds the transport keys in a link: today and two days more.
	LinkKeysMax = 3
	// StampBitsMax bounds the zero bits a card may ask for.
	StampBitsMax = 8
	// LinkTextBytesMax bounds the text a link is looked for in.
	LinkTextBytesMax = 64 << 10
)

// Limits of a request and an accept, which the protocol fixes.
const (
	// NameRunesMax and NameBytesMax bound a person's name.
	NameRunesMax = 64
	NameBytesMax = 256
	// GreetingBytesMax bounds the greeting of a request.
	GreetingBytesMax = 1024
	// ReplyPathBytesMax bounds the encoded reply path of a request.
	ReplyPathBytesMax = 512
	// ReplyPathKeysMax bounds the transport keys of a reply path: a week.
	ReplyPathKeysMax = 7
	// ReplyPathAddressesMax bounds the addresses of a reply path.
	ReplyPathAddressesMax = 4
	// HaveEntriesMax bounds the have vector of a repair.
	HaveEntriesMax = 32
)

// Limits of an address record, which the protocol fixes.
const (
	// RecordAddressesMax bounds each list of addresses of a record.
	RecordAddressesMax = 8
	// RecordCouriersMax bounds the couriers of a record.
	RecordCouriersMax = 4
	// RecordMailboxesMax bounds the mailboxes of a record: two copies, at most three.
	RecordMailboxesMax = 3
	// RecordBytesMax bounds an encoded address record, so that an accept holds one.
	RecordBytesMax = 3840
)

// Limits of records in the DHT, which the protocol fixes.
const (
	// DHTRecordSize is the size of every record in the DHT, sealed.
	DHTRecordSize = 768
	// DHTRecordKeysMax bounds the transport keys of one: until it is replaced.
	DHTRecordKeysMax = 3
)

// Limits of what goes to and from couriers, which the protocol fixes.
const (
	// ItemsMax bounds the items of a mailbox, and of a frame that names some: the window.
	ItemsMax = 512
	// CollectKeysMax bounds the mailboxes that one frame collects.
	CollectKeysMax = 256
	// CourierDaysMax bounds the days that a courier holds an item.
	CourierDaysMax = 90
	// MailboxOrdersMax bounds the mailboxes that one frame opens or closes.
	MailboxOrdersMax = 128
)

// Limits of bundle files, which the protocol fixes.
const (
	// BundleFileBytesMax is the size of the largest bundle file.
	BundleFileBytesMax = 36 << 20
	// BundleFileEnvelopesMax bounds the envelopes in one: a window, and the acks and sync
	// frames of some sessions.
	BundleFileEnvelopesMax = 544
)

// Limits of contents, which the protocol fixes.
const (
	// TextBytesMax bounds a text message, in bytes of UTF-8.
	TextBytesMax = 32 << 10
	// ContentBytesMax bounds one encoded content.
	ContentBytesMax = 60 << 10
	// ContentsPerBodyMax bounds the contents of one body.
	ContentsPerBodyMax = 1024
	// ParentsMax bounds the parents of a content.
	ParentsMax = 3
	// RangesMax bounds the ranges of a read receipt or of withdrawn messages.
	RangesMax = 64
	// VoidsMax bounds the envelopes one void content declares: the window.
	VoidsMax = 512
	// ReactionsMax bounds the emojis of one person on one message.
	ReactionsMax = 8
	// EmojiBytesMax bounds one of them, in bytes of UTF-8: a family of four with skin
	// colours has 41.
	EmojiBytesMax = 64
	// PictureBytesMax bounds the picture of a person, PictureSideMax its width and its height
	// in pixels.
	PictureBytesMax = 16 << 10
	PictureSideMax  = 256
	// MentionsMax bounds the mentions in one text.
	MentionsMax = 32
	// FilesMax bounds the files of one message.
	FilesMax = 16
	// FileNameBytesMax bounds a file's name, in bytes of UTF-8.
	FileNameBytesMax = 255
	// MediaTypeBytesMax bounds a file's media type.
	MediaTypeBytesMax = 127
	// WaveformBytesMax bounds the waveform of a voice note, a byte of loudness each.
	WaveformBytesMax = 128
	// FileBytesMax bounds a file.
	FileBytesMax = 4 << 30
	// PartsMax bounds the parts of a small file, each a content that goes by courier.
	PartsMax = 32
	// PartBytes is how much of the file is in each part but the last: as much as fits into a
	// content, sealed.
	PartBytes = 61_376
	// PartTagSize is how much longer it is when it is sealed.
	PartTagSize = 16
	// PixelsMax bounds the width and the height that a file may be said to have.
	PixelsMax = 1 << 20
	// ThumbnailBytesMax bounds the thumbnail of a file, ThumbnailSideMax its width and its
	// height in pixels.
	ThumbnailBytesMax = 12 << 10
	ThumbnailSideMax  = 320
	// TimerSecondsMax bounds a timer: ten years.
	TimerSecondsMax = 10 * 366 * 24 * 3600
	// CBORDepthMax bounds the nesting of a content.
	CBORDepthMax = 6

	// cborElementsMax bounds the elements of an array or map that is not known.
	cborElementsMax = 4096
)

// Limits of operations on groups, which the protocol fixes.
const (
	// OperationParentsMax bounds the operations that one names as known.
	OperationParentsMax = 16
	// IntroductionBytesMax bounds what an add says for the other members.
	IntroductionBytesMax = 512
	// OperationBodyBytesMax bounds what an operation of a kind that is not known says.
	OperationBodyBytesMax = 1024
	// GroupSequenceMax bounds the number of an author's message in a group.
	GroupSequenceMax = 1 << 62
	// GroupTipsMax bounds the newest messages of one author.
	GroupTipsMax = 4
	// GroupBesidesMax bounds the members whom a message names besides its operations: all of them.
	GroupBesidesMax = 250
	// GroupContentBytesMax bounds the content of a group's message, so that the message is a content that can travel.
	GroupContentBytesMax = 56 << 10
	// GroupHoldingMax bounds the operations that a member says it holds: those that are kept, and
	// those that wait.
	GroupHoldingMax = 2048 + 256
	// GroupSyncAuthorsMax bounds the authors that a member speaks of at once.
	GroupSyncAuthorsMax = 448
	// GroupHintsMax bounds the hints of a member's profile, whose number is a multiple of GroupHintsStep.
	GroupHintsMax  = 256
	GroupHintsStep = 16
	// GroupStockMax bounds the member keys that a contact is given at once.
	GroupStockMax = 8
	// GroupRangesMax bounds the ranges that are asked for, or told to be absent, at once.
	GroupRangesMax = 64
)
