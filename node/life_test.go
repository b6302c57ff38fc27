package node_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pabal/node/api"
)

// texts returns all texts of the conversation with a contact, oldest first.
func (p *person) texts(ctx context.Context, contact string) (texts []string) {
	p.t.Helper()
	c := must[api.Contact](p.t)(p.Contact(ctx, contact))
	if c.ConversationID == nil {
		return nil
	}
	page := must[api.MessagePage](p.t)(p.Messages(ctx, *c.ConversationID, api.MessageQuery{Limit: 200}))
	for _, m := range page.Items {
		if m.Body == nil {
			texts = append(texts, "["+m.Kind+"]")
			continue
		}
		texts = append(texts, m.Body.Text)
	}
	return texts
}

func (p *person) onlyContact(ctx context.Context) api.Contact {
	p.t.Helper()
	contacts := must[[]api.Contact](p.t)(p.Contacts(ctx, api.ContactQuery{}))
	if len(contacts) != 1 {
		p.t.Fatalf("%d contacts", len(contacts))
	}
	return contacts[0]
}

// TestOffAndBack sends while the other side is off, restarts both, and expects
// everything exactly once and in order.
func TestOffAndBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	jiwoo.until(ctx, func() bool { return must[api.Status](t)(jiwoo.Status(ctx)).Network.Peers == 1 })
	mina.end()
	var want []string
	for i := range 120 {
		text := fmt.Sprint("while you were off ", i)
		want = append(want, text)
		m := must[api.Message](t)(jiwoo.SendToContact(ctx, contact.ID, api.MessageRequest{Text: text}, api.SendOptions{}))
		if m.Status.State != api.StateQueued && m.Status.State != api.StateDelivered {
			t.Fatalf("state %q", m.Status.State)
		}
	}
	jiwoo.end()
	mina.start()
	jiwoo.start()
	jiwoo.until(ctx, func() bool { return must[api.Status](t)(jiwoo.Status(ctx)).OutboxTotal == 0 })
	got := mina.texts(ctx, mina.onlyContact(ctx).ID)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %d texts: %q", len(got), got)
	}
}

// TestLockedSaysNothing locks a profile with a passphrase and opens it again.
func TestLockedSaysNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	if err := mina.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if s := must[api.Status](t)(mina.Status(ctx)); s.State != api.StateLocked {
		t.Fatalf("state %q", s.State)
	}
	if _, err := mina.Contacts(ctx, api.ContactQuery{}); !isCode(err, api.CodeLocked) {
		t.Fatalf("contacts while locked: %v", err)
	}
	if err := mina.Unlock(ctx, ""); err != nil {
		t.Fatal(err)
	}
	m := must[api.Message](t)(jiwoo.SendToContact(ctx, contact.ID, api.MessageRequest{Text: "again"}, api.SendOptions{Wait: api.StateDelivered, Timeout: api.WaitMax}))
	if m.Status.State != api.StateDelivered {
		t.Fatalf("state %q", m.Status.State)
	}
}

func isCode(err error, code api.Code) bool {
	p, ok := err.(*api.Problem)
	return ok && p.Code == code
}
