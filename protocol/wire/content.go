package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"unicode"
	"unicode/utf8"

	"pabal/protocol/identity"
)

// ErrContent reports bytes that are no content, or a content of ours that breaks a
// limit.
var ErrContent = errors.New("wire: malformed content")

// ContentType says what a content is. The numbers are part of the protocol and are
// never used again.
type ContentType uint16

// All content types of the protocol. Those without fields below are reserved: this
// version keeps them unread, as it does with types it has never heard of.
const (
	ContentText          ContentType = 1  // a text message
	ContentReadReceipt   ContentType = 2  // First..Last of the peer's messages were read
	ContentReply         ContentType = 3  // a text that answers a message
	ContentReaction      ContentType = 4  // an emoji on a message
	ContentEdit          ContentType = 5  // a new text for a message
	ContentDelete        ContentType = 6  // asks that a message be deleted
	ContentDeleteAnswer  ContentType = 7  // deletion confirmed or refused
	ContentTyping        ContentType = 8  // typing and presence, in bare ack frames only
	ContentTimer         ContentType = 9  // the conversation's new timer
	ContentManifest      ContentType = 10 // an attachment's manifest
	ContentPart          ContentType = 11 // a piece of an attachment, by courier
	ContentIntroduction  ContentType = 12 // introduces two contacts
	ContentProfile       ContentType = 13 // the sender's name
	ContentAddressRecord ContentType = 14 // where the sender is reached
	ContentVoidEnvelopes ContentType = 15 // envelopes that will never arrive
	ContentVoidMessages  ContentType = 16 // First..Last were withdrawn by their author
	ContentDeviceList    ContentType = 17 // the sender's device list
	ContentListHead      ContentType = 18 // the head of the peer's device list, echoed
	ContentReseed        ContentType = 19 // fresh randomness for the pair chain
	ContentCourier       ContentType = 20 // the sender helps the peer as a courier, or no longer
	ContentGapRequest    ContentType = 21 // asks for missing messages
	ContentGroup         ContentType = 22 // what members of a group tell each other, but for messages
	ContentGroupMessage  ContentType = 23 // a signed message of a group
	ContentSync          ContentType = 24 // between the devices of one account
	ContentPreview       ContentType = 25 // a picture's preview: its thumbnail is in its manifest
	ContentPicture       ContentType = 26 // the sender's picture
)

// TimerMode says from when a timer counts.
type TimerMode uint8

// The modes of a timer.
const (
	TimerFromSent TimerMode = 1 // from the author's At
	TimerFromRead TimerMode = 2 // from the moment the recipient has read it
)

// Timer makes a message disappear. A nil *Timer is never.
type Timer struct {
	Mode TimerMode
	// Seconds is at least 1 and at most TimerSecondsMax.
	Seconds uint32
}

// EnvelopeVoid declares an envelope that will never arrive, or must not count: its
// index and its body tag, which the running digest of the acks needs.
type EnvelopeVoid struct {
	Index uint32
	Tag   [16]byte
}

// Reseed starts a new line of the pair chain on the given day.
type Reseed struct {
	Day    uint32
	Random [32]byte
}

// CourierTerms is what a courier holds for one owner.
type CourierTerms struct {
	// QuotaBytes bounds all that is held, at least one envelope of the largest size.
	QuotaBytes uint64
	// LifetimeDays is how long an item is held, at most CourierDaysMax.
	LifetimeDays uint32
}

// Valid reports whether the terms may travel.
func (t *CourierTerms) Valid() bool {
	return t.QuotaBytes >= EnvelopeBytesMax && t.LifetimeDays >= 1 && t.LifetimeDays <= CourierDaysMax
}

// Content is one thing that one device tells another: a message, or something about
// messages or devices. It travels in the body of an envelope, beside others. Its bytes
// are one deterministic CBOR map with integer keys (spec, "Contents"); what is zero is
// left out, and a content has only the fields of its type.
type Content struct {
	Type ContentType

	// ID, Sequence, Parents, At and Timer are common to all types, and stay
	// readable in types that are not known. ID is 48 bits of milliseconds and 80
	// random bits. Sequence counts the author device's contents per conversation
	// from 1; in a profile it counts the names, in a picture the pictures. Parents, at most ParentsMax, are the
	// ids this one was written after. At is the author's clock in milliseconds.
	ID       [16]byte
	Sequence uint64
	Parents  [][16]byte
	At       int64
	Timer    *Timer

	// Text is the text of a text message, a reply or an edit, at most TextBytesMax, and the
	// name of a profile.
	Text string
	// First and Last are a range of sequences: of messages read or withdrawn.
	First, Last uint64
	// Voids are the envelopes of a ContentVoidEnvelopes, 1 to VoidsMax, by index.
	Voids []EnvelopeVoid
	// List is the list of a ContentDeviceList; its signature is not checked here.
	List *identity.DeviceList
	// Head is the head of a ContentListHead.
	Head *identity.ListHead
	// Record is the record of a ContentAddressRecord.
	Record *AddressRecord
	// Reseed is the new line of a ContentReseed.
	Reseed *Reseed
	// Terms is what a ContentCourier offers; nil ends the help.
	Terms *CourierTerms
	// Files are the files of a ContentManifest, 1 to FilesMax; Text is their caption.
	Files []File
	// About is the message that an operation is about, or a reply answers.
	About *Reference
	// Answer is what became of a deletion that the peer asked for.
	Answer DeleteAnswer
	// Emojis are all that the sender of a ContentReaction puts on the message, at most
	// ReactionsMax; none takes back what there was.
	Emojis []string
	// Forwarded says of a text or of files that the sender has them from a message; not from
	// whose.
	Forwarded bool
	// Picture is the picture of a ContentPicture. Nil: none. Whether it is one that can be drawn
	// is not checked here, see [ValidPicture]: what comes beside it must not be lost with it.
	Picture []byte
	// Mentions are the places in Text that name people, at most MentionsMax, in order.
	Mentions []Mention
	// Signal is what a ContentTyping says.
	Signal Signal
	// Part is a part of a file of the message that a ContentPart is about.
	Part *Part
	// Word is what a ContentGroup says.
	Word *GroupWord
	// GroupMessage is the message of a ContentGroupMessage.
	GroupMessage *GroupMessage
	// Revision orders contents of which the highest counts, from 1: of equal ones that of
	// the greater ID.
	Revision uint32

	// Raw holds the whole content, as received, if its type or one of its fields is
	// not known to this version; then only the common fields are set. Such a content
	// is kept, acknowledged and shown as "needs a newer version".
	Raw []byte
}

// The keys of a content's map. Up to keyTimer they mean the same in every type.
const (
	keyType     = 1
	keyID       = 2
	keySequence = 3
	keyParents  = 4
	keyAt       = 5
	keyTimer    = 6
	keyTerms    = 7
	keyText     = 8
	keyFirst    = 9
	keyLast     = 10
	keyVoids    = 11
	keyList     = 12
	keyHead     = 13
	keyRecord   = 14
	keyReseed   = 15
	keyFiles    = 16
	keyAbout    = 17
	keyAnswer   = 18
	keyRevision = 19
	keyEmojis   = 20
	keyForward  = 21
	keySignal   = 22
	keyMentions = 23
	keyPicture  = 24
	keyThumbs   = 25
	keyPart     = 26
	keyWord     = 27
	keyMessage  = 28

	keyHighest = keyMessage // the highest that is known
)

// keySet is a set of keys below 32, one bit each.
type keySet uint32

func keys(list ...int) keySet {
	var s keySet
	for _, k := range list {
		s |= 1 << k
	}
	return s
}

// fields returns which keys above the common ones a content of this type must have and
// may have. It returns false for types whose fields this version does not know.
func (t ContentType) fields() (must, may keySet, known bool) {
	switch t {
	case ContentText:
		must, may = keys(keyID, keySequence, keyText), keys(keyForward, keyMentions)
	case ContentReply:
		must, may = keys(keyID, keySequence, keyText, keyAbout), keys(keyMentions)
	case ContentManifest:
		must, may = keys(keyID, keySequence, keyFiles), keys(keyText, keyForward, keyMentions, keyThumbs)
	case ContentPart:
		must = keys(keyAbout, keyPart)
	case ContentGroup:
		must = keys(keyWord)
	case ContentGroupMessage:
		must = keys(keyMessage)
	case ContentProfile:
		may = keys(keyText)
	case ContentTyping:
		must = keys(keySignal)
	case ContentPicture:
		must, may = keys(keySequence), keys(keyPicture)
	case ContentReadReceipt, ContentVoidMessages:
		must = keys(keyFirst, keyLast)
	case ContentVoidEnvelopes:
		must = keys(keyVoids)
	case ContentDeviceList:
		must = keys(keyList)
	case ContentListHead:
		must = keys(keyHead)
	case ContentAddressRecord:
		must = keys(keyRecord)
	case ContentReseed:
		must = keys(keyReseed)
	case ContentCourier:
		may = keys(keyTerms)
	case ContentTimer:
		must = keys(keyID, keyRevision)
	case ContentReaction:
		must, may = keys(keyID, keySequence, keyAbout, keyRevision), keys(keyEmojis)
	case ContentEdit:
		must, may = keys(keyID, keySequence, keyText, keyAbout, keyRevision), keys(keyMentions)
	case ContentDelete:
		must = keys(keyID, keySequence, keyAbout)
	case ContentDeleteAnswer:
		must = keys(keyID, keySequence, keyAbout, keyAnswer)
	default:
		return 0, 0, false
	}
	common := keys(keyType, keyID, keySequence, keyParents, keyAt, keyTimer)
	return must | keys(keyType), must | may | common, true
}

// present returns the keys that the content's map has.
func (c *Content) present() keySet {
	s := keys(keyType)
	for _, f := range [...]struct {
		key int
		has bool
	}{
		{keyID, c.ID != [16]byte{}},
		{keySequence, c.Sequence != 0},
		{keyParents, len(c.Parents) != 0},
		{keyAt, c.At != 0},
		{keyTimer, c.Timer != nil},
		{keyText, c.Text != ""},
		{keyFirst, c.First != 0},
		{keyLast, c.Last != 0},
		{keyVoids, len(c.Voids) != 0},
		{keyList, c.List != nil},
		{keyHead, c.Head != nil},
		{keyRecord, c.Record != nil},
		{keyReseed, c.Reseed != nil},
		{keyTerms, c.Terms != nil},
		{keyFiles, len(c.Files) != 0},
		{keyAbout, c.About != nil},
		{keyAnswer, c.Answer != 0},
		{keyRevision, c.Revision != 0},
		{keyEmojis, len(c.Emojis) != 0},
		{keyForward, c.Forwarded},
		{keySignal, c.Signal != 0},
		{keyMentions, len(c.Mentions) != 0},
		{keyPicture, len(c.Picture) != 0},
		{keyThumbs, hasThumbnail(c.Files)},
		{keyPart, c.Part != nil},
		{keyWord, c.Word != nil},
		{keyMessage, c.GroupMessage != nil},
	} {
		if f.has {
			s |= 1 << f.key
		}
	}
	return s
}

// check returns ErrContent if a value breaks a limit. That the content has the fields
// of its type is checked beside it.
func (c *Content) check() error {
	switch {
	case c.At < 0 || c.At > contentTimeMax:
	case len(c.Parents) > ParentsMax || len(c.Voids) > VoidsMax:
	case c.Timer != nil && !c.Timer.valid():
	case c.Terms != nil && !c.Terms.Valid():
	case c.Last < c.First:
	case !validFiles(c.Files):
	case (c.Type == ContentText || c.Type == ContentReply || c.Type == ContentEdit || c.Type == ContentManifest) && !validText(c.Text, TextBytesMax):
	case c.Type == ContentProfile && !ValidName(c.Text):
	case !ascending(c.Voids):
	case c.About != nil && !c.validAbout():
	case c.Answer > DeleteRefused:
	case !validEmojis(c.Emojis):
	case c.Part != nil && !c.Part.valid():
	case !ValidMentions(c.Text, c.Mentions):
	default:
		return nil
	}
	return ErrContent
}

// contentTimeMax is the last moment that a content's 48-bit clock can name.
const contentTimeMax = 1<<48 - 1

func (t *Timer) valid() bool {
	return (t.Mode == TimerFromSent || t.Mode == TimerFromRead) && t.Seconds >= 1 && t.Seconds <= TimerSecondsMax
}

func validText(s string, bytesMax int) bool {
	return len(s) <= bytesMax && utf8.ValidString(s)
}

// ValidName reports whether a person's name may travel: UTF-8 within NameRunesMax and
// NameBytesMax, no control characters and no line breaks. The empty name may.
func ValidName(s string) bool {
	if !validText(s, NameBytesMax) || utf8.RuneCountInString(s) > NameRunesMax {
		return false
	}
	for _, c := range s {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return false
		}
	}
	return true
}

func ascending(voids []EnvelopeVoid) bool {
	for i := 1; i < len(voids); i++ {
		if voids[i].Index <= voids[i-1].Index {
			return false
		}
	}
	return true
}

// AppendContent appends the bytes of a content to dst. Error: ErrContent if it breaks a
// limit or lacks, or has too many of, the fields of its type; dst is then unchanged.
func AppendContent(dst []byte, c Content) ([]byte, error) {
	if c.Raw != nil {
		return append(dst, c.Raw...), nil
	}
	present := c.present()
	must, may, known := c.Type.fields()
	if !known || present&must != must || present&^may != 0 {
		return dst, ErrContent
	}
	if err := c.check(); err != nil {
		return dst, err
	}
	start := len(dst)
	b := appendHead(dst, majorMap, uint64(bits.OnesCount32(uint32(present))))
	b = c.appendCommon(b, present)
	b, err := c.appendFields(b, present)
	if err != nil || len(b)-start > ContentBytesMax {
		return dst, ErrContent
	}
	return b, nil
}

func (c *Content) appendCommon(b []byte, present keySet) []byte {
	b = appendUint(b, keyType, uint64(c.Type))
	if present&keys(keyID) != 0 {
		b = appendBytes(append(b, keyID), c.ID[:])
	}
	if present&keys(keySequence) != 0 {
		b = appendUint(b, keySequence, c.Sequence)
	}
	if present&keys(keyParents) != 0 {
		b = appendHead(append(b, keyParents), majorArray, uint64(len(c.Parents)))
		for _, p := range c.Parents {
			b = appendBytes(b, p[:])
		}
	}
	if present&keys(keyAt) != 0 {
		b = appendUint(b, keyAt, uint64(c.At))
	}
	if present&keys(keyTimer) != 0 {
		b = appendHead(append(b, keyTimer), majorArray, 2)
		b = appendHead(b, majorUint, uint64(c.Timer.Mode))
		b = appendHead(b, majorUint, uint64(c.Timer.Seconds))
	}
	return b
}

func (c *Content) appendFields(b []byte, present keySet) ([]byte, error) {
	if present&keys(keyTerms) != 0 {
		b = appendHead(append(b, keyTerms), majorArray, 2)
		b = appendHead(b, majorUint, c.Terms.QuotaBytes)
		b = appendHead(b, majorUint, uint64(c.Terms.LifetimeDays))
	}
	if present&keys(keyText) != 0 {
		b = appendHead(append(b, keyText), majorText, uint64(len(c.Text)))
		b = append(b, c.Text...)
	}
	if present&keys(keyFirst) != 0 {
		b = appendUint(b, keyFirst, c.First)
	}
	if present&keys(keyLast) != 0 {
		b = appendUint(b, keyLast, c.Last)
	}
	if present&keys(keyVoids) != 0 {
		b = appendHead(append(b, keyVoids), majorBytes, uint64(len(c.Voids)*envelopeVoidSize))
		for _, v := range c.Voids {
			b = binary.BigEndian.AppendUint32(b, v.Index)
			b = append(b, v.Tag[:]...)
		}
	}
	if present&keys(keyList) != 0 {
		if len(c.List.Devices) > identity.DeviceListDevicesMax {
			return nil, ErrContent
		}
		b = appendBytes(append(b, keyList), c.List.Append(nil))
	}
	if present&keys(keyHead) != 0 {
		b = appendHead(append(b, keyHead), majorArray, 2)
		b = appendHead(b, majorUint, uint64(c.Head.Sequence))
		b = appendBytes(b, c.Head.Hash[:])
	}
	if present&keys(keyRecord) != 0 {
		record, err := c.Record.Encode()
		if err != nil {
			return nil, err
		}
		b = appendBytes(append(b, keyRecord), record)
	}
	if present&keys(keyReseed) != 0 {
		b = appendHead(append(b, keyReseed), majorArray, 2)
		b = appendHead(b, majorUint, uint64(c.Reseed.Day))
		b = appendBytes(b, c.Reseed.Random[:])
	}
	if present&keys(keyFiles) != 0 {
		b = appendFiles(b, c.Files)
	}
	return c.appendOperation(b, present), nil
}

// envelopeVoidSize is the packed size of an EnvelopeVoid.
const envelopeVoidSize = 4 + 16

// DecodeContents reads the contents of a body: one or more, one after the other, to the
// end of b. Error: ErrContent, and then none of them may be used. The contents keep no
// reference to b.
func DecodeContents(b []byte) ([]Content, error) {
	var list []Content
	for len(b) > 0 {
		if len(list) == ContentsPerBodyMax {
			return nil, ErrContent
		}
		c, rest, err := DecodeContent(b)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
		b = rest
	}
	if len(list) == 0 {
		return nil, ErrContent
	}
	return list, nil
}

// DecodeContent reads one content from the front of b and returns what follows it.
// Error: ErrContent. The content keeps no reference to b.
func DecodeContent(b []byte) (Content, []byte, error) {
	var c Content
	r := item{b: b}
	pairs := r.head(majorMap)
	present := keySet(0)
	for last := uint64(0); pairs > 0 && !r.bad; pairs-- {
		key := r.uint()
		if key <= last || key > keyHighest || !c.readField(&r, int(key)) {
			return decodeUnknown(b)
		}
		present |= 1 << key
		last = key
	}
	must, may, known := c.Type.fields()
	if r.bad || !known || present&^may != 0 {
		return decodeUnknown(b)
	}
	if present != c.present() || present&must != must || len(b)-len(r.b) > ContentBytesMax {
		return Content{}, nil, ErrContent
	}
	if err := c.check(); err != nil {
		return Content{}, nil, err
	}
	return c, r.b, nil
}

// readField reads the value of one key. It returns false if the key or the form of its
// value is not known to this version.
func (c *Content) readField(r *item, key int) bool {
	switch key {
	case keyTerms:
		c.Terms = new(CourierTerms)
		r.fixed(majorArray, 2)
		c.Terms.QuotaBytes = r.uint()
		c.Terms.LifetimeDays = r.uint32()
	case keyText:
		c.Text = string(r.bytes(majorText))
	case keyFirst:
		c.First = r.uint()
	case keyLast:
		c.Last = r.uint()
	case keyVoids:
		c.Voids = readVoids(r)
	case keyList:
		list, err := ParseDeviceList(r.bytes(majorBytes))
		c.List, r.bad = list, r.bad || err != nil
	case keyHead:
		c.Head = new(identity.ListHead)
		r.fixed(majorArray, 2)
		c.Head.Sequence = r.uint32()
		r.fill(c.Head.Hash[:])
	case keyRecord:
		record, err := ParseAddressRecord(r.bytes(majorBytes))
		c.Record, r.bad = record, r.bad || err != nil
	case keyReseed:
		c.Reseed = new(Reseed)
		r.fixed(majorArray, 2)
		c.Reseed.Day = r.uint32()
		r.fill(c.Reseed.Random[:])
	case keyFiles:
		c.Files = readFiles(r)
	default:
		return c.readOperation(r, key) || c.readCommon(r, key)
	}
	return true
}

func (c *Content) readCommon(r *item, key int) bool {
	switch key {
	case keyType:
		v := r.uint()
		r.bad = r.bad || v > math.MaxUint16 || v == 0
		c.Type = ContentType(v)
	case keyID:
		r.fill(c.ID[:])
	case keySequence:
		c.Sequence = r.uint()
	case keyParents:
		n := r.head(majorArray)
		r.bad = r.bad || n > ParentsMax
		for ; n > 0 && !r.bad; n-- {
			var p [16]byte
			r.fill(p[:])
			c.Parents = append(c.Parents, p)
		}
	case keyAt:
		v := r.uint()
		r.bad = r.bad || v > contentTimeMax
		c.At = int64(v)
	case keyTimer:
		c.Timer = new(Timer)
		r.fixed(majorArray, 2)
		mode := r.uint()
		r.bad = r.bad || mode > math.MaxUint8
		c.Timer.Mode = TimerMode(mode)
		c.Timer.Seconds = r.uint32()
	default:
		return false
	}
	return true
}

func readVoids(r *item) []EnvelopeVoid {
	packed := reader{b: r.bytes(majorBytes)}
	if len(packed.b)%envelopeVoidSize != 0 || len(packed.b) > VoidsMax*envelopeVoidSize {
		r.bad = true
		return nil
	}
	var list []EnvelopeVoid
	for len(packed.b) > 0 {
		v := EnvelopeVoid{Index: packed.uint32()}
		packed.bytes(v.Tag[:])
		list = append(list, v)
	}
	return list
}

// decodeUnknown reads a content that the fields this version knows do not fit. It is
// kept whole if it is one deterministic CBOR map whose common fields can be read and
// whose type or one of whose keys is new; anything else is malformed.
func decodeUnknown(b []byte) (Content, []byte, error) {
	values, size, ok := deterministicMap(b)
	if !ok || size > ContentBytesMax {
		return Content{}, nil, ErrContent
	}
	var c Content
	r := item{b: b[:size]}
	present := keySet(0)
	for pairs := r.head(majorMap); pairs > 0; pairs-- {
		key := r.uint()
		if r.bad || key == 0 || key > keyTimer {
			break // what comes after the common keys is not looked at
		}
		present |= 1 << key
		if c.readCommon(&r, int(key)); r.bad {
			return Content{}, nil, ErrContent
		}
	}
	if present&keys(keyType) == 0 || present != c.present() || c.check() != nil || !c.Type.newer(values) {
		return Content{}, nil, ErrContent
	}
	c.Raw = bytes.Clone(b[:size])
	return c, b[size:], nil
}

// newer reports whether a content with these keys is of a version after this one.
func (t ContentType) newer(values map[any]any) bool {
	_, may, known := t.fields()
	if !known {
		return true
	}
	for k := range values {
		key, isUint := k.(uint64)
		if !isUint || key > keyHighest || may&(1<<key) == 0 {
			return true
		}
	}
	return false
}
