package wire

import (
	"bytes"
	"testing"
)

// TestMalformedMentions changes the one mention of a text that travels: what does not fit the
// text is malformed, and nothing that a newer version means.
func TestMalformedMentions(t *testing.T) {
	text := Content{Type: ContentText, ID: [16]byte{1}, Sequence: 1, Text: "@지우", Mentions: []Mention{{MentionReceiver, 0, 3}}}
	good := mustAppend(t, nil, text)
	mention := []byte{0x81, 0x83, 2, 0, 3}
	if !bytes.HasSuffix(good, mention) {
		t.Fatalf("encoded as %x", good)
	}
	for what, bad := range map[string][]byte{
		"of nobody":         {0x81, 0x83, 0, 0, 3},
		"of a third":        {0x81, 0x83, 3, 0, 3},
		"empty":             {0x81, 0x83, 2, 0, 0},
		"too long":          {0x81, 0x83, 2, 0, 4},
		"too far behind":    {0x81, 0x83, 2, 3, 1},
		"none":              {0x80},
		"one over another":  {0x82, 0x83, 2, 0, 2, 0x83, 1, 1, 1},
		"one of two values": {0x81, 0x82, 2, 0},
	} {
		b := append(bytes.Clone(good[:len(good)-len(mention)]), bad...)
		if c, _, err := DecodeContent(b); err == nil {
			t.Errorf("a mention %s: %+v", what, c)
		}
	}
	many := text
	many.Text = string(bytes.Repeat([]byte("x"), MentionsMax+1))
	for many.Mentions = nil; len(many.Mentions) <= MentionsMax; {
		many.Mentions = append(many.Mentions, Mention{MentionSender, uint32(len(many.Mentions)), 1})
	}
	if _, err := AppendContent(nil, many); err == nil {
		t.Error("too many mentions travel")
	}
	many.Mentions = many.Mentions[:MentionsMax]
	mustAppend(t, nil, many)
}
