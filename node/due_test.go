package node_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pabal/node"
	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// TestExpiredWhileOff stops a node for a month. Before its API answers, all that fell due
// meanwhile is erased, and no file holds any of it; what was not due is there.
func TestExpiredWhileOff(t *testing.T) {
	t.Parallel()
	many := 20_000
	if testing.Short() {
		many = 500
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	p := newPersonAt(t, "Mina of the month", clock)
	self := must[api.Conversation](t)(p.OpenConversation(ctx, api.ConversationRequest{Kind: api.KindSelf}))
	must[api.Message](t)(p.SendMessage(ctx, self.ID, api.MessageRequest{Text: "stays"}, api.SendOptions{}))
	p.end()
	addDue(t, p.config.DataDir, many, clock().Add(20*24*time.Hour))
	ahead.Store(int64(31 * 24 * time.Hour))
	start := time.Now()
	p.start()
	t.Logf("%d due messages were erased within %v", many, time.Since(start).Round(time.Millisecond))
	page := must[api.MessagePage](t)(p.Messages(ctx, self.ID, api.MessageQuery{Limit: 200}))
	if len(page.Items) != 1 || page.Items[0].Body.Text != "stays" {
		t.Errorf("%d messages when the API answers", len(page.Items))
	}
	p.end()
	if n := found(t, p.config.DataDir, "뷁쉛꿳 xqzjvkw"); n != 0 {
		t.Errorf("%d copies of what expired", n)
	}
	if r := must[api.DrillReport](t)(node.Drill(ctx, p.config.DataDir, nil, nil)); r.Hits != 0 {
		t.Errorf("%+v", hitRows(r))
	}
}

// addDue writes messages into the note to self of a stopped profile, indexed, that end at
// a time.
func addDue(t *testing.T, dir string, many int, end time.Time) {
	t.Helper()
	st := must[*store.Store](t)(store.Open(dir, store.Unlock{}))
	defer st.Close()
	state := must[protocol.State](t)(st.Load())
	if len(state.Conversations) != 1 {
		t.Fatalf("%d conversations", len(state.Conversations))
	}
	conversation, now := state.Conversations[0], time.Now()
	for done := 0; done < many; {
		b := store.Batch{Now: now}
		for range min(store.BatchMax, many-done) {
			conversation.LastPosition++
			conversation.OwnSequence++
			done++
			content := must[[]byte](t)(wire.AppendContent(nil, wire.Content{
				Type: wire.ContentText, ID: [16]byte{byte(done), byte(done >> 8), byte(done >> 16), 1}, Sequence: conversation.OwnSequence,
				At: now.UnixMilli(), Text: fmt.Sprintf("뷁쉛꿳 xqzjvkw %d", done),
			}))
			var id protocol.MessageID
			copy(id[:], fmt.Sprintf("%016d", done))
			b.Writes = append(b.Writes, protocol.PutMessage{
				ID: id, Conversation: conversation.ID, Position: conversation.LastPosition, Direction: protocol.Out,
				Sequence: conversation.OwnSequence, SentAt: now.UnixMilli(), At: now.UnixMilli(), ExpiresAt: end.UnixMilli(), Content: content,
			})
		}
		conversation.SealedUpTo = conversation.OwnSequence
		b.Writes = append(b.Writes, conversation)
		must[store.Committed](t)(st.Commit(b))
	}
	for must[int](t)(st.IndexStep(store.IndexStepMax)) > 0 {
	}
	if sight := must[store.Sight](t)(st.Look([]byte("뷁쉛꿳 xqzjvkw"))); sight.Hits[0] < many {
		t.Fatalf("%d copies before", sight.Hits[0])
	}
}

// found counts a word in all that the key of a stopped profile opens.
func found(t *testing.T, dir, word string) int {
	t.Helper()
	st := must[*store.Store](t)(store.Open(dir, store.Unlock{}))
	defer st.Close()
	return must[store.Sight](t)(st.Look([]byte(word))).Hits[0]
}
