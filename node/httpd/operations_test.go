package httpd_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pabal/node/api"
	"pabal/protocol"
)

// reach waits until a message shows what is wanted.
func (p *person) reach(id string, shows func(api.Message) bool) (m api.Message) {
	p.t.Helper()
	p.follow(func(api.Event) bool {
		var err error
		m, err = p.Message(p.t.Context(), id)
		return err == nil && shows(m)
	})
	return m
}

// newest returns the newest message of a conversation.
func (p *person) newest(conversation string) api.Message {
	p.t.Helper()
	page, err := p.Messages(p.t.Context(), conversation, api.MessageQuery{Limit: 1})
	if err != nil || len(page.Items) != 1 {
		p.t.Fatalf("newest message: %+v, %v", page, err)
	}
	return page.Items[0]
}

// refused checks the code that a call is refused with.
func refused(t *testing.T, what string, err error, code api.Code) {
	t.Helper()
	if !errors.Is(err, &api.Problem{Code: code}) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestDeleteForEveryone(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, _ := meet(t, a, b)
	sent, err := b.SendToContact(ctx, "@A", api.MessageRequest{Text: "a slip"}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil {
		t.Fatal(err)
	}
	theirs := a.newest(*ofA.ConversationID)
	shown := func(want bool) { // what the system was told to show of it
		t.Helper()
		copies, err := a.Copies(ctx, *theirs.ID)
		if err != nil || slices.Contains(copies.Unknown, "notifications") != want {
			t.Errorf("the system may know it: %+v, %v", copies, err)
		}
	}
	shown(false)
	for _, setting := range []string{api.NotifySome, api.NotifyFull, api.NotifyNone} {
		if _, err := a.UpdateSettings(ctx, api.SettingsPatch{Notify: &setting}); err != nil {
			t.Fatal(err)
		}
		shown(setting != api.NotifySome)
	}
	refused(t, "another's", a.DeleteForEveryone(ctx, *theirs.ID), api.CodeNotOwnMessage)
	for range 2 { // again it has no effect
		if err := b.DeleteForEveryone(ctx, *sent.ID); err != nil {
			t.Fatal(err)
		}
	}
	ours := b.reach(*sent.ID, func(m api.Message) bool { return m.Deleted != nil && *m.Deleted.State == "confirmed" })
	if copies, err := b.Copies(ctx, *sent.ID); err != nil || len(copies.Items) != 1 || copies.Items[0].Content != "none" || slices.Contains(copies.Unknown, "notifications") {
		t.Errorf("copies of what is gone: %+v, %v", copies, err)
	}
	if ours.Body != nil || ours.Status.State != api.StateDeleted || ours.Deleted.By != api.DeletedByMe {
		t.Errorf("ours %+v", ours)
	}
	if theirs = a.newest(*ofA.ConversationID); theirs.Body != nil || theirs.Deleted == nil || theirs.Deleted.By != api.DeletedBySender {
		t.Errorf("theirs %+v", theirs)
	}
	shown(true) // though it is deleted here
	_, err = b.PutMessage(ctx, sent.ConversationID, *sent.ID, api.MessageRequest{Text: "a slip"}, api.SendOptions{})
	refused(t, "sent again", err, api.CodeGone)

	refuse := api.DeletionsRefuse
	if s, err := a.UpdateSettings(ctx, api.SettingsPatch{Deletions: &refuse}); err != nil || s.Deletions != refuse {
		t.Fatal(s, err)
	}
	kept, err := b.SendToContact(ctx, "@A", api.MessageRequest{Text: "on the record"}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteForEveryone(ctx, *kept.ID); err != nil {
		t.Fatal(err)
	}
	b.reach(*kept.ID, func(m api.Message) bool { return m.Deleted != nil && *m.Deleted.State == "refused" })
	if theirs = a.newest(*ofA.ConversationID); theirs.Body == nil {
		t.Errorf("theirs %+v", theirs)
	}
	response, err := b.Raw(ctx, api.RawRequest{Method: http.MethodDelete, Path: "/v1/messages/" + *kept.ID, Query: map[string][]string{"for": {"nobody"}}})
	if err != nil || response.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("for nobody: %v, %v", response.StatusCode, err)
	}
	response.Body.Close()
}

func TestReply(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, ofB := meet(t, a, b)
	question, err := b.SendToContact(ctx, "@A", api.MessageRequest{Text: "lunch?"}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil {
		t.Fatal(err)
	}
	asked := *a.newest(*ofA.ConversationID).ID
	answer, err := a.SendMessage(ctx, *ofA.ConversationID, api.MessageRequest{Text: "yes", ReplyTo: asked}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil || answer.ReplyTo == nil || *answer.ReplyTo.ID != asked || *answer.ReplyTo.Excerpt != "lunch?" || answer.ReplyTo.Sender.Name != "Jiwoo" {
		t.Fatalf("%+v, %v", answer.ReplyTo, err)
	}
	got := b.newest(*ofB.ConversationID)
	if got.Body.Text != "yes" || got.ReplyTo == nil || *got.ReplyTo.ID != *question.ID || got.ReplyTo.Sender.ContactID != api.SenderSelf {
		t.Errorf("%+v", got.ReplyTo)
	}
	self, err := a.OpenConversation(ctx, api.ConversationRequest{Kind: api.KindSelf})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.SendMessage(ctx, self.ID, api.MessageRequest{Text: "x", ReplyTo: asked}, api.SendOptions{})
	refused(t, "of another conversation", err, api.CodeNotFound)
	if _, err := b.UpdateConversation(ctx, *ofB.ConversationID, api.ConversationPatch{Disappearing: api.Some(&api.Disappearing{Mode: "sent", Seconds: 3600})}); err != nil {
		t.Fatal(err)
	}
	_, err = b.SendMessage(ctx, *ofB.ConversationID, api.MessageRequest{Text: "x", ReplyTo: *b.newest(*ofB.ConversationID).ID}, api.SendOptions{})
	refused(t, "to a system item", err, api.CodeValidationFailed)
	if err := a.DeleteMessage(ctx, asked); err != nil {
		t.Fatal(err)
	}
	if m, err := a.Message(ctx, *answer.ID); err != nil || m.ReplyTo == nil || m.ReplyTo.ID != nil || m.ReplyTo.Excerpt != nil {
		t.Errorf("its question is gone: %+v, %v", m.ReplyTo, err)
	}
}

// TestReactions puts emojis on a message from both sides, takes one back, and deletes the
// message with all of them.
func TestReactions(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, ofB := meet(t, a, b)
	sent, err := b.SendToContact(ctx, "@A", api.MessageRequest{Text: "we did it"}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil {
		t.Fatal(err)
	}
	theirs := *a.newest(*ofA.ConversationID).ID
	for _, emoji := range []string{"👍", "👍", "❤️", "❤"} { // the second of each has no effect
		if err := a.React(ctx, theirs, emoji); err != nil {
			t.Fatal(emoji, err)
		}
	}
	shows := func(want ...api.Reaction) func(api.Message) bool {
		return func(m api.Message) bool { return slices.Equal(m.Reactions, want) }
	}
	b.reach(*sent.ID, shows(api.Reaction{Emoji: "👍", Count: 1}, api.Reaction{Emoji: "❤️", Count: 1}))
	if err := b.React(ctx, *sent.ID, "👍"); err != nil {
		t.Fatal(err)
	}
	a.reach(theirs, func(m api.Message) bool {
		return slices.Contains(m.Reactions, api.Reaction{Emoji: "👍", Count: 2, Mine: true})
	})
	if err := errors.Join(a.Unreact(ctx, theirs, "👍"), a.Unreact(ctx, theirs, "🎉")); err != nil {
		t.Fatal(err)
	}
	b.reach(*sent.ID, func(m api.Message) bool {
		return len(m.Reactions) == 2 && slices.Contains(m.Reactions, api.Reaction{Emoji: "👍", Count: 1, Mine: true})
	})

	refused(t, "letters", a.React(ctx, theirs, "ok"), api.CodeInvalidReaction)
	refused(t, "two", a.React(ctx, theirs, "👍👍"), api.CodeInvalidReaction)
	for _, emoji := range []string{"1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣", "6️⃣", "7️⃣"} {
		if err := a.React(ctx, theirs, emoji); err != nil {
			t.Fatal(emoji, err)
		}
	}
	refused(t, "a ninth", a.React(ctx, theirs, "9️⃣"), api.CodeTooManyReactions)
	refused(t, "to nothing", a.React(ctx, "ms_aaaaaaaaaaaaaaaaaaaaaaaaaa", "👍"), api.CodeNotFound)
	b.reach(*sent.ID, func(m api.Message) bool { return len(m.Reactions) == 9 })

	if err := b.DeleteForEveryone(ctx, *sent.ID); err != nil {
		t.Fatal(err)
	}
	m := a.reach(theirs, func(m api.Message) bool { return m.Deleted != nil })
	if len(m.Reactions) != 0 {
		t.Errorf("on a message that is gone: %+v", m.Reactions)
	}
	refused(t, "to a stub", a.React(ctx, theirs, "👍"), api.CodeGone)
	if m, err := b.Message(ctx, *sent.ID); err != nil || len(m.Reactions) != 0 {
		t.Errorf("%+v, %v", m.Reactions, err)
	}
	if page, err := b.Messages(ctx, *ofB.ConversationID, api.MessageQuery{}); err != nil || len(page.Items) != 1 {
		t.Errorf("%d items, %v: a reaction is none", len(page.Items), err)
	}
}

// TestMentions has one name both, as each of them is called here and there; an edit says it
// anew, and nobody else can be named.
func TestMentions(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, ofB := meet(t, a, b)
	named := func(other string, start uint32) []api.Mention {
		return []api.Mention{{ContactID: other, Start: start, Length: 5}, {ContactID: api.SenderSelf, Start: start + 6, Length: 6}}
	}
	sent, err := b.SendToContact(ctx, "@A", api.MessageRequest{Text: "👋 @Mina @Jiwoo", Mentions: named(ofB.ID, 2)}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil || !slices.Equal(sent.Body.Mentions, named(ofB.ID, 2)) {
		t.Fatalf("%+v, %v", sent.Body, err)
	}
	theirs := a.newest(*ofA.ConversationID)
	want := []api.Mention{{ContactID: api.SenderSelf, Start: 2, Length: 5}, {ContactID: ofA.ID, Start: 8, Length: 6}}
	if !slices.Equal(theirs.Body.Mentions, want) {
		t.Errorf("theirs %+v", theirs.Body.Mentions)
	}
	for _, mentions := range [][]api.Mention{named(ofB.ID, 0), nil} { // the same text, and others in it
		for range 2 {
			if sent, err = b.EditMessage(ctx, *sent.ID, "@Mina @Jiwoo", mentions...); err != nil || !slices.Equal(sent.Body.Mentions, mentions) {
				t.Fatalf("%+v, %v", sent.Body, err)
			}
		}
	}
	if sent.Revision != 2 {
		t.Errorf("edited %d times", sent.Revision)
	}
	theirs = a.reach(*theirs.ID, func(m api.Message) bool { return m.Revision == 2 })
	if len(theirs.Body.Mentions) != 0 {
		t.Errorf("theirs %+v", theirs.Body.Mentions)
	}
	for what, m := range map[string]api.Mention{
		"a third":       {ContactID: "ct_aaaaaaaaaaaaaaaaaaaaaaaaaa", Length: 1},
		"no id":         {ContactID: "Mina", Length: 1},
		"behind it all": {ContactID: ofB.ID, Start: 2, Length: 1},
	} {
		_, err = b.SendToContact(ctx, "@A", api.MessageRequest{Text: "@", Mentions: []api.Mention{m}}, api.SendOptions{})
		refused(t, what, err, api.CodeInvalidMention)
		_, err = b.SendMessage(ctx, *ofB.ConversationID, api.MessageRequest{Text: "@", Mentions: []api.Mention{m}}, api.SendOptions{})
		refused(t, what, err, api.CodeInvalidMention)
		_, err = b.EditMessage(ctx, *sent.ID, "@", m)
		refused(t, what, err, api.CodeInvalidMention)
	}
	_, err = b.SendToContact(ctx, "@A", api.MessageRequest{Text: "@", Mentions: []api.Mention{{ContactID: ofB.ID}}}, api.SendOptions{})
	refused(t, "empty", err, api.CodeValidationFailed)
}

// TestEdit gives a message another text, twice the same and too often, and deletes it with
// all it said.
func TestEdit(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, ofB := meet(t, a, b)
	sent, err := b.SendToContact(ctx, "@A", api.MessageRequest{Text: "at six"}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil || sent.EditUntil == nil || sent.EditedAt != nil {
		t.Fatalf("%+v, %v", sent, err)
	}
	theirs := a.newest(*ofA.ConversationID)
	_, err = a.EditMessage(ctx, *theirs.ID, "mine now")
	refused(t, "another's", err, api.CodeNotOwnMessage)
	_, err = b.EditMessage(ctx, *sent.ID, "")
	refused(t, "to nothing", err, api.CodeInvalidText)
	_, err = b.EditMessage(ctx, *sent.ID, strings.Repeat("x", api.TextBytesMax+1))
	refused(t, "to too much", err, api.CodeTextTooLong)
	for range 2 { // the same text again is no edit
		if m, err := b.EditMessage(ctx, *sent.ID, "at seven"); err != nil || m.Body.Text != "at seven" || m.Revision != 1 || m.EditedAt == nil {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	theirs = a.reach(*theirs.ID, func(m api.Message) bool { return m.Revision == 1 })
	if theirs.Body.Text != "at seven" || theirs.EditUntil != nil {
		t.Errorf("theirs %+v", theirs)
	}
	answer, err := a.SendMessage(ctx, *ofA.ConversationID, api.MessageRequest{Text: "yes", ReplyTo: *theirs.ID}, api.SendOptions{})
	if err != nil || *answer.ReplyTo.Excerpt != "at seven" {
		t.Errorf("an answer to %+v, %v", answer.ReplyTo, err)
	}
	for p, id := range map[*person]string{a: *theirs.ID, b: *sent.ID} {
		h, err := p.MessageHistory(ctx, id)
		if err != nil || len(h.Items) != 2 || *h.Items[0].Text != "at six" || *h.Items[1].Text != "at seven" {
			t.Errorf("history %+v, %v", h, err)
		}
	}
	for n := range protocol.EditsMax - 1 {
		if _, err := b.EditMessage(ctx, *sent.ID, strings.Repeat("x", n+1)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = b.EditMessage(ctx, *sent.ID, "once more")
	refused(t, "too often", err, api.CodeTooManyEdits)
	if m, err := b.Message(ctx, *sent.ID); err != nil || m.EditUntil != nil {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := b.UpdateConversation(ctx, *ofB.ConversationID, api.ConversationPatch{Disappearing: api.Some(&api.Disappearing{Mode: "sent", Seconds: 3600})}); err != nil {
		t.Fatal(err)
	}
	_, err = b.EditMessage(ctx, *b.newest(*ofB.ConversationID).ID, "x")
	refused(t, "a system item", err, api.CodeValidationFailed)
	if err := b.DeleteForEveryone(ctx, *sent.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.EditMessage(ctx, *sent.ID, "late")
	refused(t, "a deleted one", err, api.CodeGone)
	a.reach(*theirs.ID, func(m api.Message) bool { return m.Deleted != nil })
	if h, err := a.MessageHistory(ctx, *theirs.ID); err != nil || len(h.Items) != 0 {
		t.Errorf("history %+v, %v", h, err)
	}
}

// TestReadReceipts tells a contact what was read from the moment on that it is to know.
func TestReadReceipts(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, ofB := meet(t, a, b)
	say := func(text string) api.Message {
		m, err := b.SendToContact(ctx, "@A", api.MessageRequest{Text: text}, api.SendOptions{Wait: api.StateDelivered})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.MarkRead(ctx, *ofA.ConversationID, a.newest(*ofA.ConversationID).Position); err != nil {
			t.Fatal(err)
		}
		return m
	}
	set := func(on bool) {
		c, err := a.UpdateContact(ctx, ofA.ID, api.ContactPatch{ReadReceipts: &on})
		if err != nil || c.ReadReceipts != on {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	if ofA.ReadReceipts || ofB.ReadReceipts {
		t.Error("on from the beginning")
	}
	first := say("one")
	set(true)
	second := say("two")
	read := func(m api.Message) bool { return m.Status.State == api.StateRead }
	b.reach(*second.ID, read)
	b.reach(*first.ID, read)
	set(false)
	third := say("three")
	if _, err := a.SendToContact(ctx, ofA.ID, api.MessageRequest{Text: "and so"}, api.SendOptions{Wait: api.StateDelivered}); err != nil {
		t.Fatal(err)
	}
	if m, err := b.Message(ctx, *third.ID); err != nil || m.Status.State != api.StateDelivered {
		t.Errorf("%+v, %v", m.Status, err)
	}
}

// TestForward sends a message on: all of those it is for get it, or nobody does, and who may
// not read cannot read by it.
func TestForward(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, ofB := meet(t, a, b)
	sent, err := b.SendToContact(ctx, "@A", api.MessageRequest{Text: "at six"}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil {
		t.Fatal(err)
	}
	theirs := *a.newest(*ofA.ConversationID).ID
	_, err = a.ForwardMessage(ctx, theirs, ofA.ID, "@nobody")
	refused(t, "to nobody", err, api.CodeNotFound)
	_, err = a.ForwardMessage(ctx, theirs)
	refused(t, "to none", err, api.CodeValidationFailed)
	_, err = a.ForwardMessage(ctx, theirs, slices.Repeat([]string{ofA.ID}, api.ForwardMax+1)...)
	refused(t, "to too many", err, api.CodeValidationFailed)
	_, err = a.ForwardMessage(ctx, "ms_aaaaaaaaaaaaaaaaaaaaaaaaaa", ofA.ID)
	refused(t, "nothing", err, api.CodeNotFound)
	if page, err := a.Messages(ctx, *ofA.ConversationID, api.MessageQuery{}); err != nil || len(page.Items) != 1 {
		t.Fatalf("%d items, %v: something was sent", len(page.Items), err)
	}

	again, err := a.ForwardMessage(ctx, theirs, ofA.ID, *ofA.ConversationID)
	if err != nil || len(again) != 2 {
		t.Fatalf("%+v, %v", again, err)
	}
	for _, m := range again {
		if !m.Forwarded || m.Body.Text != "at six" || m.ReplyTo != nil || *m.ID == theirs {
			t.Errorf("%+v", m)
		}
	}
	if m, err := b.Message(ctx, *sent.ID); err != nil || m.Forwarded {
		t.Errorf("the first is none: %+v, %v", m, err)
	}
	if _, err := a.SendToContact(ctx, ofA.ID, api.MessageRequest{Text: "after"}, api.SendOptions{Wait: api.StateDelivered}); err != nil {
		t.Fatal(err)
	}
	page, err := b.Messages(ctx, *ofB.ConversationID, api.MessageQuery{})
	if err != nil || len(page.Items) != 4 || !page.Items[1].Forwarded || !page.Items[2].Forwarded || page.Items[3].Forwarded {
		t.Errorf("%+v, %v", page.Items, err)
	}
}
