package protocol

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pabal/protocol/wire"
)

// TestMentions has one mention both; the other gets the places as they were written, and
// those of an edit in their stead.
func TestMentions(t *testing.T) {
	a, b := meet(t)
	both := []wire.Mention{{Who: wire.MentionReceiver, Start: 0, Length: 6}, {Who: wire.MentionSender, Start: 9, Length: 5}}
	sent := a.step(testNow, SendText{Contact: a.only().row.ID, Text: "@Jiwoo 👋 @Mina", Mentions: both}).Replies[0].Result.(Sent)
	again := []wire.Mention{{Who: wire.MentionSender, Start: 1, Length: 1}}
	a.step(testNow, EditMessage{
		ID: sent.ID, Conversation: sent.Conversation, Sequence: 1, Direction: Out, Text: "@나", Mentions: again,
	})
	pump(t, testNow, a, b)
	var got [][]wire.Mention
	for _, w := range b.out.Writes {
		var encoded []byte
		switch w := w.(type) {
		case PutMessage:
			encoded = w.Content
		case PutOperation:
			encoded = w.Content
		default:
			continue
		}
		content, _, err := wire.DecodeContent(encoded)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, content.Mentions)
	}
	if len(got) != 2 || !slices.Equal(got[0], both) || !slices.Equal(got[1], again) {
		t.Errorf("got %v", got)
	}
}

// TestBadMentions refuses mentions that do not fit their text, and sends nothing.
func TestBadMentions(t *testing.T) {
	a, _ := meet(t)
	mention := func(start, length uint32) wire.Mention {
		return wire.Mention{Who: wire.MentionReceiver, Start: start, Length: length}
	}
	var many []wire.Mention
	for i := range wire.MentionsMax + 1 {
		many = append(many, mention(uint32(i), 1))
	}
	note := a.step(testNow, OpenConversation{}).Replies[0].Result.(Opened).Conversation
	to := a.only().row.ID
	for name, in := range map[string]SendText{
		"empty":                  {Contact: to, Text: "@Jiwoo", Mentions: []wire.Mention{mention(0, 0)}},
		"behind the text":        {Contact: to, Text: "@지우", Mentions: []wire.Mention{mention(0, 4)}},
		"far behind the text":    {Contact: to, Text: "@지우", Mentions: []wire.Mention{mention(1<<32-1, 1<<32-1)}},
		"over another":           {Contact: to, Text: "@Jiwoo", Mentions: []wire.Mention{mention(0, 3), mention(2, 2)}},
		"out of order":           {Contact: to, Text: "@Jiwoo", Mentions: []wire.Mention{mention(3, 1), mention(0, 1)}},
		"nobody":                 {Contact: to, Text: "@Jiwoo", Mentions: []wire.Mention{{Length: 2}}},
		"a third":                {Contact: to, Text: "@Jiwoo", Mentions: []wire.Mention{{Who: 3, Length: 2}}},
		"too many":               {Contact: to, Text: strings.Repeat("@", 99), Mentions: many},
		"a text that is changed": {Contact: to, Text: "@\u110c\u1175\u110b\u116e", Mentions: []wire.Mention{mention(0, 1)}},
		"no text":                {Contact: to, Files: []FileToSend{picture(1)}, Mentions: []wire.Mention{mention(0, 1)}},
		"a note to somebody":     {Conversation: note, Text: "@Jiwoo", Mentions: []wire.Mention{mention(0, 6)}},
	} {
		out, err := a.p.Step(testNow, in)
		var p *Problem
		if !errors.As(err, &p) || p.Code != CodeInvalidMention || len(out.Writes) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
