package node_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"pabal/node/api"
)

// TestForwardToOneWhoIsBlocked forwards to two, of whom the second is blocked: nobody gets it. The
// same request behind that gives each of them one.
func TestForwardToOneWhoIsBlocked(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, suho, jiwoo := newPerson(t, "Mina"), newPerson(t, "Suho"), newPerson(t, "Jiwoo")
	toMina, toSuho := befriend(ctx, mina, jiwoo), befriend(ctx, suho, jiwoo)
	const text, last = "pass it on", "that was all"
	self := must[api.Conversation](t)(jiwoo.OpenConversation(ctx, api.ConversationRequest{Kind: api.KindSelf})).ID
	note := must[api.Message](t)(jiwoo.SendMessage(ctx, self, api.MessageRequest{Text: text}, api.SendOptions{}))
	forward := func() int {
		body := must[[]byte](t)(json.Marshal(api.ForwardRequest{To: []string{toMina.ID, toSuho.ID}}))
		reply := must[*http.Response](t)(jiwoo.Raw(ctx, api.RawRequest{
			Method: http.MethodPost, Path: "/v1/messages/" + *note.ID + "/forward",
			Header: http.Header{"Idempotency-Key": {"once"}}, Body: body,
		}))
		defer reply.Body.Close()
		must[[]byte](t)(io.ReadAll(reply.Body))
		return reply.StatusCode
	}
	if err := jiwoo.Block(ctx, toSuho.ID); err != nil {
		t.Fatal(err)
	}
	if status := forward(); status < 400 {
		t.Fatalf("to one who is blocked: %d", status)
	}
	if sent := jiwoo.texts(ctx, toMina.ID); len(sent) != 0 {
		t.Errorf("the other got %q", sent)
	}
	if err := jiwoo.Unblock(ctx, toSuho.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if status := forward(); status >= 300 {
			t.Fatalf("when nobody is blocked: %d", status)
		}
	}
	for _, to := range []api.Contact{toMina, toSuho} {
		must[api.Message](t)(jiwoo.SendToContact(ctx, to.ID, api.MessageRequest{Text: last}, api.SendOptions{Wait: api.StateDelivered, Timeout: api.WaitMax}))
	}
	for _, p := range []*person{mina, suho} {
		if got := p.texts(ctx, p.onlyContact(ctx).ID); !slices.Equal(got, []string{text, last}) {
			t.Errorf("%s got %q", p.config.Profile, got)
		}
	}
}
