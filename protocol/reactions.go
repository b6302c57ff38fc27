package protocol

import (
	"bytes"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"pabal/protocol/wire"
)

// Reaction is what one side has said last about a message with emojis: a register with one
// writer, so that the order in which its contents come does not matter.
type Reaction struct {
	ID       MessageID // of the operation
	Wire     [16]byte  // its author's id
	Sequence uint64
	Revision uint32
	Emojis   []string
}

// ReadReaction returns the reaction in an operation's row; false if there is none.
func ReadReaction(o *PutOperation) (Reaction, bool) {
	content, _, err := wire.DecodeContent(o.Content)
	if err != nil || content.Type != wire.ContentReaction || content.Raw != nil {
		return Reaction{}, false
	}
	return Reaction{ID: o.ID, Wire: o.Wire, Sequence: o.Sequence, Revision: content.Revision, Emojis: content.Emojis}, true
}

// After reports whether a reaction counts instead of another one of the same side to the
// same message.
func (r *Reaction) After(o *Reaction) bool {
	return r.Revision > o.Revision || r.Revision == o.Revision && bytes.Compare(r.Wire[:], o.Wire[:]) > 0
}

// react tells the contact which emojis are on a message from now on. What was said before
// need not arrive any more.
func (p *Peer) react(now time.Time, in React) error {
	v := p.conversations[in.Conversation]
	if v == nil {
		return refuse(CodeNotFound)
	}
	switch {
	case len(in.Emojis) > wire.ReactionsMax:
		return refuse(CodeTooManyReactions)
	case slices.ContainsFunc(in.Emojis, func(e string) bool { return !ValidEmoji(e) }):
		return refuse(CodeInvalidReaction)
	}
	c := p.contacts[v.row.Contact]
	if v.row.Kind != ConversationSelf {
		if err := mayWrite(c); err != nil {
			return err
		}
	}
	known := uint32(0)
	if in.Before != nil {
		known = in.Before.Revision
		p.unqueue(now, v, in.Before.ID, in.Before.Sequence)
		p.write(EraseMessage{ID: in.Before.ID})
	}
	err := p.operate(now, c, v, wire.Content{
		Type: wire.ContentReaction, About: &in.About, Emojis: in.Emojis, Revision: nextRevision(now, known),
	})
	if err != nil {
		return err
	}
	p.event(Event{Type: MessageReaction, Conversation: v.row.ID, Ref: in.ID})
	p.reply(in.Ref, nil)
	return nil
}

// nextRevision is above the one known, and the time if that is higher: an old disk that was
// put back has forgotten how many there were.
func nextRevision(now time.Time, known uint32) uint32 {
	next := max(uint64(known)+1, uint64(max(now.Unix(), 0)))
	return uint32(min(next, math.MaxUint32))
}

// emoji has the form of UTS #51, "possible emoji", with a set of symbols that holds those
// of later versions of Unicode, too: a flag, a key cap, or symbols, each with a skin colour,
// a presentation or tags, joined by U+200D.
var emoji = func() *regexp.Regexp {
	const (
		flag   = `[\x{1F1E6}-\x{1F1FF}]{2}`
		cap    = `[0-9#*]\x{FE0F}?\x{20E3}`
		bmp    = `\x{A9}\x{AE}\x{203C}\x{2049}\x{2122}\x{2139}\x{2190}-\x{21FF}\x{2300}-\x{23FF}\x{24C2}\x{25A0}-\x{27BF}\x{2900}-\x{297F}\x{2B00}-\x{2BFF}\x{3030}\x{303D}\x{3297}\x{3299}`
		symbol = `[` + bmp + `\x{1F000}-\x{1F0FF}\x{1F170}\x{1F171}\x{1F17E}\x{1F17F}\x{1F18E}\x{1F191}-\x{1F19A}\x{1F200}-\x{1FAFF}]`
		one    = `(?:` + flag + `|` + symbol + `(?:[\x{1F3FB}-\x{1F3FF}]|\x{FE0F}|[\x{E0020}-\x{E007E}]+\x{E007F})?)`
	)
	return regexp.MustCompile(`^(?:` + cap + `|` + one + `(?:\x{200D}` + one + `)*)$`)
}()

// ValidEmoji reports whether a text is one emoji.
func ValidEmoji(s string) bool { return len(s) <= wire.EmojiBytesMax && emoji.MatchString(s) }

// SameEmoji reports whether two emojis are one: some programs write U+FE0F behind a symbol
// and some do not.
func SameEmoji(a, b string) bool { return bareEmoji(a) == bareEmoji(b) }

func bareEmoji(s string) string { return strings.ReplaceAll(s, "\ufe0f", "") }
