package crash

import (
	"context"
	"errors"
	"fmt"

	"pabal/node/api"
)

// Item is what is compared of a message.
type Item struct {
	ID, Text, Kind, Direction, State string
	Position                         uint64
	Count                            uint64
}

// holdings are the messages and events that one side has in the end.
type holdings struct {
	items  []Item // by position
	events []Entry
}

// compare reads both sides and says what broke a promise, if anything did.
func compare(ctx context.Context, sides [2]*Side) (string, error) {
	var held [2]holdings
	for i, s := range sides {
		var err error
		if held[i], err = s.holdings(ctx); err != nil {
			return "", fmt.Errorf("read what %s holds: %w", s.Name, err)
		}
	}
	promised, events := 0, 0
	var wrong []error
	for i, s := range sides {
		other := sides[1-i]
		streams := s.ledger.streams
		for _, stream := range streams {
			promised += len(stream)
		}
		events += len(held[i].events)
		report := func(what string, err error) {
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", what, err))
			}
		}
		report("messages of "+s.Name+", there", checkSent(streams, held[i].items))
		report("messages of "+s.Name+", at "+other.Name, CheckReceived(held[i].items, held[1-i].items))
		report("events of "+s.Name, CheckLog(held[i].events, s.follower.seen()))
		report("events of "+s.Name, checkCreated(held[i].items, held[i].events))
	}
	summary := fmt.Sprintf("%d messages acknowledged, %d events", promised, events)
	if len(wrong) == 0 {
		summary += ", every one once, in order, on both sides"
	}
	return summary, errors.Join(wrong...)
}

func (s *Side) holdings(ctx context.Context) (h holdings, err error) {
	if h.items, err = s.History(ctx, s.Conversation); err != nil {
		return h, err
	}
	h.events, err = s.Replay(ctx)
	return h, err
}

// History returns the messages of a conversation by position.
func (s *Side) History(ctx context.Context, conversation string) (items []Item, err error) {
	query := api.MessageQuery{First: true, Limit: api.ListMax}
	for {
		page, err := s.Client.Messages(ctx, conversation, query)
		if err != nil {
			return items, err
		}
		for _, m := range page.Items {
			items = append(items, itemOf(m))
		}
		if !page.HasAfter || len(page.Items) == 0 {
			return items, nil
		}
		query = api.MessageQuery{After: page.Items[len(page.Items)-1].Position, Limit: api.ListMax}
	}
}

func itemOf(m api.Message) Item {
	i := Item{Kind: m.Kind, Direction: m.Direction, Position: m.Position, Count: m.Count}
	if m.ID != nil {
		i.ID = *m.ID
	}
	if m.Body != nil {
		i.Text = m.Body.Text
	}
	if m.Status != nil {
		i.State = m.Status.State
	}
	return i
}

// checkSent checks a sender's own history: every message that was promised is
// there once, delivered, in the order in which its client sent it, and
// nothing else is.
func checkSent(streams map[int][]Promise, items []Item) error {
	at := map[Promise]int{}
	sent := 0
	for i, it := range items {
		if i > 0 && it.Position <= items[i-1].Position {
			return fmt.Errorf("position %d comes behind %d", it.Position, items[i-1].Position)
		}
		if it.Kind != api.MessageText || it.Direction != api.DirectionOut {
			continue
		}
		key := Promise{it.ID, it.Text}
		if _, twice := at[key]; twice {
			return fmt.Errorf("%s is there twice", it.ID)
		}
		if it.State != api.StateDelivered && it.State != api.StateRead {
			return fmt.Errorf("%s is %s", it.ID, it.State)
		}
		at[key] = i
		sent++
	}
	promised := 0
	for stream, promises := range streams {
		last := -1
		for n, p := range promises {
			i, ok := at[p]
			if !ok {
				return fmt.Errorf("message %d of sender %d (%s) was acknowledged and is gone", n, stream, p.ID)
			}
			if i < last {
				return fmt.Errorf("message %d of sender %d (%s) stands before its predecessor", n, stream, p.ID)
			}
			last = i
			promised++
		}
	}
	if sent != promised {
		return fmt.Errorf("%d messages are there, %d were sent", sent, promised)
	}
	return nil
}

// CheckReceived checks that a receiver has exactly the sender's messages, in the sender's order.
func CheckReceived(sender, receiver []Item) error {
	var sent, got []string
	for _, it := range sender {
		if it.Kind == api.MessageText && it.Direction == api.DirectionOut {
			sent = append(sent, it.Text)
		}
	}
	for _, it := range receiver {
		switch {
		case it.Kind == api.MessageGap:
			return fmt.Errorf("%d messages are missing at position %d", it.Count, it.Position)
		case it.Kind == api.MessageText && it.Direction == api.DirectionIn:
			got = append(got, it.Text)
		}
	}
	for i := range min(len(sent), len(got)) {
		if sent[i] != got[i] {
			return fmt.Errorf("message %d is %.24q, was sent as %.24q", i, got[i], sent[i])
		}
	}
	if len(sent) != len(got) {
		return fmt.Errorf("%d messages came of %d", len(got), len(sent))
	}
	return nil
}

// checkCreated checks that the log tells of every message once.
func checkCreated(items []Item, events []Entry) error {
	told := map[string]int{}
	for _, e := range events {
		if e.Kind == api.EventMessageCreated {
			told[e.Ref]++
		}
	}
	for _, it := range items {
		if it.Kind != api.MessageText {
			continue
		}
		if n := told[it.ID]; n != 1 {
			return fmt.Errorf("%s was told %d times", it.ID, n)
		}
		delete(told, it.ID)
	}
	for id := range told {
		return fmt.Errorf("%s was told and is not there", id)
	}
	return nil
}
