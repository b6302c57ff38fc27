package wire

import "unicode/utf8"

// Mentioned says whom a place in a text names. Who it is, the two of a conversation know: no
// id and no name travels.
type Mentioned uint8

// Those who can be mentioned between two.
const (
	MentionSender   Mentioned = 1
	MentionReceiver Mentioned = 2
)

// Mention is a place in a text that names somebody.
type Mention struct {
	Who Mentioned
	// Start and Length count Unicode code points. Length is at least 1.
	Start, Length uint32
}

// ValidMentions reports whether mentions may stand in a text: within it, in order, and none
// over another.
func ValidMentions(text string, list []Mention) bool {
	if len(list) == 0 {
		return true
	}
	end, length := uint64(0), uint64(utf8.RuneCountInString(text))
	for _, m := range list {
		start := uint64(m.Start)
		if m.Who != MentionSender && m.Who != MentionReceiver || m.Length == 0 || start < end || start+uint64(m.Length) > length {
			return false
		}
		end = start + uint64(m.Length)
	}
	return len(list) <= MentionsMax
}

func appendMentions(b []byte, list []Mention) []byte {
	b = appendHead(append(b, keyMentions), majorArray, uint64(len(list)))
	for _, m := range list {
		b = appendHead(b, majorArray, 3)
		for _, v := range [3]uint64{uint64(m.Who), uint64(m.Start), uint64(m.Length)} {
			b = appendHead(b, majorUint, v)
		}
	}
	return b
}

func readMentions(r *item) (list []Mention) {
	n := r.head(majorArray)
	r.bad = r.bad || n > MentionsMax
	for ; n > 0 && !r.bad; n-- {
		r.fixed(majorArray, 3)
		who := r.uint()
		r.bad = r.bad || who > uint64(MentionReceiver)
		list = append(list, Mention{Who: Mentioned(who), Start: r.uint32(), Length: r.uint32()})
	}
	return list
}
