package protocol

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// TestRefusesAsStepDoes asks first and steps then: the answers are the same, and asking changes
// nothing.
func TestRefusesAsStepDoes(t *testing.T) {
	_, b := meet(t)
	c := b.only()
	to := SendText{Ref: 1, Contact: c.row.ID, Text: "x"}
	code := func(err error) string {
		if p, ok := errors.AsType[*Problem](err); ok {
			return p.Code
		}
		return ""
	}
	ask := func(what, want string, change func(in *SendText)) {
		t.Helper()
		in := to
		change(&in)
		waiting := c.queue.WaitingLen()
		err := b.p.Refuses(testNow, []Input{SetName{Name: "y"}, to, in})
		if len(b.p.dirtyConversations) > 0 || c.dirty || c.queue.WaitingLen() != waiting {
			t.Errorf("%s: something changed", what)
		}
		if code(err) != want {
			t.Errorf("%s: %v", what, err)
		}
		if waiting > 0 {
			return // the first of the two can be sent
		}
		if _, err := b.p.Step(testNow, in); code(err) != want {
			t.Errorf("%s: stepped: %v", what, err)
		}
	}
	ask("nobody", CodeNotFound, func(in *SendText) { in.Contact = ContactID{1} })
	ask("nowhere", CodeNotFound, func(in *SendText) { in.Conversation = ConversationID{1} })
	ask("nothing", CodeInvalidText, func(in *SendText) { in.Text = " " })
	ask("too long", CodeTextTooLong, func(in *SendText) { in.Text = strings.Repeat("x", TextBytesMax+1) })
	ask("mentions", CodeInvalidMention, func(in *SendText) { in.Mentions = []wire.Mention{{Start: 4, Length: 1}} })
	ask("files", CodeInvalidFile, func(in *SendText) { in.Files = []FileToSend{{}} })
	ask("many files", CodeTooMany, func(in *SendText) { in.Files = slices.Repeat([]FileToSend{picture(1)}, wire.FilesMax+1) })
	for c.queue.WaitingLen() < waitingMax-1 {
		c.queue.Push(outbox.Item{})
	}
	ask("the second of two, for one of whom there is room", CodeTooMany, func(*SendText) {})
	if err := b.p.Refuses(testNow, []Input{to}); err != nil {
		t.Errorf("the last for whom there is room: %v", err)
	}
	c.row.Blocked = true
	if err := b.p.Refuses(testNow, []Input{to}); code(err) != CodeBlocked {
		t.Errorf("to one who is blocked: %v", err)
	}
}
