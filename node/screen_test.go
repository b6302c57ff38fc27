package node_test

import (
	"context"
	"testing"
	"time"

	"pabal/node/api"
)

// TestScreenKeepsAllOut locks the screen of one of two, who then neither reads nor writes,
// and yet has what was sent meanwhile.
func TestScreenKeepsAllOut(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	ofMina := mina.onlyContact(ctx)
	if err := mina.LockScreen(ctx); err != nil {
		t.Fatal(err)
	}
	m := must[api.Message](t)(jiwoo.SendToContact(ctx, contact.ID, api.MessageRequest{Text: "behind"}, api.SendOptions{Wait: api.StateDelivered, Timeout: api.WaitMax}))
	if m.Status.State != api.StateDelivered {
		t.Fatalf("state %q", m.Status.State)
	}
	s := must[api.Status](t)(mina.Status(ctx))
	if s.State != api.StateLocked || s.Lock == nil || *s.Lock != api.LockScreen || s.UnreadTotal != 0 || s.Network.Peers != 0 {
		t.Errorf("status %+v", s)
	}
	if _, err := mina.Contacts(ctx, api.ContactQuery{}); !isCode(err, api.CodeLocked) {
		t.Errorf("contacts: %v", err)
	}
	if _, err := mina.SendToContact(ctx, ofMina.ID, api.MessageRequest{Text: "no"}, api.SendOptions{}); !isCode(err, api.CodeLocked) {
		t.Errorf("send: %v", err)
	}
	if err := mina.Unlock(ctx, "not it"); !isCode(err, api.CodeBadPassphrase) {
		t.Errorf("unlock: %v", err)
	}
	if err := mina.Unlock(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if got := mina.texts(ctx, ofMina.ID); len(got) != 1 || got[0] != "behind" {
		t.Errorf("texts %q", got)
	}
}
