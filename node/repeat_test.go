package node_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pabal/node/api"
)

// TestRequestsThatComeAgain has clients give up after moments and send the same request
// again, as clients with timeouts do: each message is there once, and the node lives.
func TestRequestsThatComeAgain(t *testing.T) {
	p := newPerson(t, "mina")
	self := must[api.Conversation](t)(p.OpenConversation(t.Context(), api.ConversationRequest{Kind: api.KindSelf}))
	const clients, messages, tries = 8, 25, 4
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range messages {
				put, post := api.NewMessageID(), api.NewMessageID()
				again(t, tries, func(ctx context.Context) error {
					_, err := p.PutMessage(ctx, self.ID, put, api.MessageRequest{Text: put}, api.SendOptions{})
					return err
				})
				again(t, tries, func(ctx context.Context) error {
					_, err := p.SendMessage(api.WithIdempotencyKey(ctx, post), self.ID, api.MessageRequest{Text: post}, api.SendOptions{})
					return err
				})
			}
		})
	}
	all.Wait()
	seen := make(map[string]int)
	for query := (api.MessageQuery{Limit: 200}); ; {
		page := must[api.MessagePage](t)(p.Messages(t.Context(), self.ID, query))
		for _, m := range page.Items {
			seen[m.Body.Text]++
		}
		if !page.HasBefore {
			break
		}
		query.Before = page.Items[0].Position
	}
	for text, n := range seen {
		if n != 1 {
			t.Errorf("%s is there %d times", text, n)
		}
	}
	if len(seen) != 2*clients*messages {
		t.Errorf("%d messages, not %d", len(seen), 2*clients*messages)
	}
}

// again makes a request some times with moments to live, and then until it is answered.
func again(t *testing.T, tries int, request func(context.Context) error) {
	for range tries {
		short, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(4000))*time.Microsecond)
		request(short)
		cancel()
	}
	if err := request(t.Context()); err != nil {
		t.Error(err)
	}
}
