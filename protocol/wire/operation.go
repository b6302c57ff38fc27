package wire

import (
	"bytes"
	"math"
	"slices"
)

// Reference names a message of the same conversation, in a content that is about it.
type Reference struct {
	// Own says that the sender of the content has written the message, else the
	// receiver has.
	Own bool
	// Sequence is the message's, as its author numbers. It tells whether the message
	// may still come.
	Sequence uint64
	// ID is the id of the message's content.
	ID [16]byte
}

// The authors of a reference, as they are encoded.
const (
	authorSender   = 1
	authorReceiver = 2
)

// DeleteAnswer is what became of a deletion.
type DeleteAnswer uint8

// The answers to a deletion.
const (
	DeleteConfirmed DeleteAnswer = 1 // the message is erased there, or never came
	DeleteRefused   DeleteAnswer = 2 // its owner lets nobody delete there
)

// Signal is what its sender's user does at the moment. Receivers ignore values that they do
// not know.
type Signal uint8

// The signals.
const (
	SignalTyping Signal = 1 // writes to the receiver
	SignalPaused Signal = 2 // no longer
	SignalHere   Signal = 3 // uses the messenger
	SignalGone   Signal = 4 // no longer, or no longer lets the receiver know
)

// validAbout reports whether the content may be about what it names: only its author
// edits or deletes a message, only the other side answers, and nothing is about what comes later.
func (c *Content) validAbout() bool {
	r := c.About
	switch {
	case r.ID == [16]byte{} || r.Sequence == 0:
	case c.Type == ContentPart:
		return r.Own
	case r.Own && r.Sequence >= c.Sequence:
	case (c.Type == ContentEdit || c.Type == ContentDelete) && !r.Own:
	case c.Type == ContentDeleteAnswer && r.Own:
	default:
		return true
	}
	return false
}

// validEmojis reports whether the emojis of one person may travel. What is an emoji, the
// versions of Unicode do not agree on; here it is a short text, and none is there twice.
func validEmojis(list []string) bool {
	if len(list) > ReactionsMax {
		return false
	}
	for i, e := range list {
		if e == "" || !validText(e, EmojiBytesMax) || slices.Contains(list[:i], e) {
			return false
		}
	}
	return true
}

// appendOperation appends the fields of contents that are about a message.
func (c *Content) appendOperation(b []byte, present keySet) []byte {
	if present&keys(keyAbout) != 0 {
		author := uint64(authorReceiver)
		if c.About.Own {
			author = authorSender
		}
		b = appendHead(append(b, keyAbout), majorArray, 3)
		b = appendHead(b, majorUint, author)
		b = appendHead(b, majorUint, c.About.Sequence)
		b = appendBytes(b, c.About.ID[:])
	}
	if present&keys(keyAnswer) != 0 {
		b = appendUint(b, keyAnswer, uint64(c.Answer))
	}
	if present&keys(keyRevision) != 0 {
		b = appendUint(b, keyRevision, uint64(c.Revision))
	}
	if present&keys(keyEmojis) != 0 {
		b = appendHead(append(b, keyEmojis), majorArray, uint64(len(c.Emojis)))
		for _, e := range c.Emojis {
			b = append(appendHead(b, majorText, uint64(len(e))), e...)
		}
	}
	if present&keys(keyForward) != 0 {
		b = appendUint(b, keyForward, 1)
	}
	if present&keys(keySignal) != 0 {
		b = appendUint(b, keySignal, uint64(c.Signal))
	}
	if present&keys(keyMentions) != 0 {
		b = appendMentions(b, c.Mentions)
	}
	if present&keys(keyPicture) != 0 {
		b = appendBytes(appendHead(b, majorUint, keyPicture), c.Picture)
	}
	if present&keys(keyThumbs) != 0 {
		b = appendThumbnails(b, c.Files)
	}
	if present&keys(keyPart) != 0 {
		b = c.Part.append(b)
	}
	if present&keys(keyWord) != 0 {
		b = appendBytes(appendHead(b, majorUint, keyWord), c.Word.append(nil))
	}
	if present&keys(keyMessage) != 0 {
		b = appendBytes(appendHead(b, majorUint, keyMessage), c.GroupMessage.Append(nil))
	}
	return b
}

// readOperation reads the value of one key of those; it returns false for another key.
func (c *Content) readOperation(r *item, key int) bool {
	switch key {
	case keyAbout:
		c.About = new(Reference)
		r.fixed(majorArray, 3)
		author := r.uint()
		r.bad = r.bad || author != authorSender && author != authorReceiver
		c.About.Own = author == authorSender
		c.About.Sequence = r.uint()
		r.fill(c.About.ID[:])
	case keyAnswer:
		v := r.uint()
		r.bad = r.bad || v == 0 || v > math.MaxUint8
		c.Answer = DeleteAnswer(v)
	case keyRevision:
		c.Revision = r.uint32()
	case keyEmojis:
		n := r.head(majorArray)
		r.bad = r.bad || n > ReactionsMax
		for ; n > 0 && !r.bad; n-- {
			c.Emojis = append(c.Emojis, string(r.bytes(majorText)))
		}
	case keyForward:
		c.Forwarded = r.uint() == 1
		r.bad = r.bad || !c.Forwarded
	case keySignal:
		v := r.uint()
		r.bad = r.bad || v == 0 || v > math.MaxUint8
		c.Signal = Signal(v)
	case keyMentions:
		c.Mentions = readMentions(r)
	case keyPicture:
		c.Picture = bytes.Clone(r.bytes(majorBytes))
	case keyThumbs:
		readThumbnails(r, c.Files)
	case keyPart:
		c.Part = readPart(r)
	case keyWord:
		w, err := parseGroupWord(r.bytes(majorBytes))
		c.Word, r.bad = &w, r.bad || err != nil
	case keyMessage:
		m, err := ParseGroupMessage(r.bytes(majorBytes))
		c.GroupMessage, r.bad = &m, r.bad || err != nil
	default:
		return false
	}
	return true
}
