package httpd_test

import (
	"testing"

	"pabal/node/api"
)

// TestTimerOfBoth sets a conversation's timer: both sides see it, and who did.
func TestTimerOfBoth(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, ofB := meet(t, a, b)
	want := api.Disappearing{Mode: api.DisappearFromRead, Seconds: 7}
	if _, err := b.UpdateConversation(ctx, *ofB.ConversationID, api.ConversationPatch{Disappearing: api.Some(&want)}); err != nil {
		t.Fatal(err)
	}
	a.follow(func(api.Event) bool {
		c, err := a.Conversation(ctx, *ofA.ConversationID)
		return err == nil && c.Disappearing != nil && *c.Disappearing == want
	})
	for p, conversation := range map[*person]string{a: *ofA.ConversationID, b: *ofB.ConversationID} {
		m := p.newest(conversation)
		if m.Kind != api.MessageSystem || m.System == nil || m.System.Code != api.SystemTimer || (m.Direction == api.DirectionOut) != (p == b) {
			t.Fatalf("%+v", m)
		}
		if d, err := m.System.Timer(); err != nil || *d != want {
			t.Errorf("%+v, %v", d, err)
		}
	}
	for _, seconds := range []int64{0, -1, 100 * 366 * 24 * 3600} {
		_, err := b.UpdateConversation(ctx, *ofB.ConversationID, api.ConversationPatch{Disappearing: api.Some(&api.Disappearing{Mode: "sent", Seconds: seconds})})
		refused(t, "a timer out of bounds", err, api.CodeValidationFailed)
	}
}
