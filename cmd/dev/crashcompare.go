package main

import (
	"context"
	"errors"
	"fmt"

	"pabal/node/api"
)

// item is what is compared of a message.
type item struct {
	id, text, kind, direction, state string
	position                         uint64
	count                            uint64
}

// holdings are the messages and events that one side has in the end.
type holdings struct {
	items  []item // by position
	events []entry
}

// compare reads both sides and says what broke a promise, if anything did.
func compare(ctx context.Context, sides [2]*side) (string, error) {
	var held [2]holdings
	for i, s := range sides {
		var err error
		if held[i], err = s.holdings(ctx); err != nil {
			return "", fmt.Errorf("read what %s holds: %w", s.name, err)
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
		report("messages of "+s.name+", there", checkSent(streams, held[i].items))
		report("messages of "+s.name+", at "+other.name, checkReceived(held[i].items, held[1-i].items))
		report("events of "+s.name, checkLog(held[i].events, s.follower.seen()))
		report("events of "+s.name, checkCreated(held[i].items, held[i].events))
	}
	summary := fmt.Sprintf("%d messages acknowledged, %d events", promised, events)
	if len(wrong) == 0 {
		summary += ", every one once, in order, on both sides"
	}
	return summary, errors.Join(wrong...)
}

func (s *side) holdings(ctx context.Context) (h holdings, err error) {
	if h.items, err = s.history(ctx, s.conversation); err != nil {
		return h, err
	}
	h.events, err = s.replay(ctx)
	return h, err
}

// history returns the messages of a conversation by position.
func (s *side) history(ctx context.Context, conversation string) (items []item, err error) {
	query := api.MessageQuery{First: true, Limit: api.ListMax}
	for {
		page, err := s.client.Messages(ctx, conversation, query)
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

func itemOf(m api.Message) item {
	i := item{kind: m.Kind, direction: m.Direction, position: m.Position, count: m.Count}
	if m.ID != nil {
		i.id = *m.ID
	}
	if m.Body != nil {
		i.text = m.Body.Text
	}
	if m.Status != nil {
		i.state = m.Status.State
	}
	return i
}

// checkSent checks a sender's own history: every message that was promised is
// there once, delivered, in the order in which its client sent it, and
// nothing else is.
func checkSent(streams map[int][]promise, items []item) error {
	at := map[promise]int{}
	sent := 0
	for i, it := range items {
		if i > 0 && it.position <= items[i-1].position {
			return fmt.Errorf("position %d comes behind %d", it.position, items[i-1].position)
		}
		if it.kind != api.MessageText || it.direction != api.DirectionOut {
			continue
		}
		key := promise{it.id, it.text}
		if _, twice := at[key]; twice {
			return fmt.Errorf("%s is there twice", it.id)
		}
		if it.state != api.StateDelivered && it.state != api.StateRead {
			return fmt.Errorf("%s is %s", it.id, it.state)
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
				return fmt.Errorf("message %d of sender %d (%s) was acknowledged and is gone", n, stream, p.id)
			}
			if i < last {
				return fmt.Errorf("message %d of sender %d (%s) stands before its predecessor", n, stream, p.id)
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

// checkReceived checks that a receiver has exactly the sender's messages, in the sender's order.
func checkReceived(sender, receiver []item) error {
	var sent, got []string
	for _, it := range sender {
		if it.kind == api.MessageText && it.direction == api.DirectionOut {
			sent = append(sent, it.text)
		}
	}
	for _, it := range receiver {
		switch {
		case it.kind == api.MessageGap:
			return fmt.Errorf("%d messages are missing at position %d", it.count, it.position)
		case it.kind == api.MessageText && it.direction == api.DirectionIn:
			got = append(got, it.text)
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
func checkCreated(items []item, events []entry) error {
	told := map[string]int{}
	for _, e := range events {
		if e.kind == api.EventMessageCreated {
			told[e.ref]++
		}
	}
	for _, it := range items {
		if it.kind != api.MessageText {
			continue
		}
		if n := told[it.id]; n != 1 {
			return fmt.Errorf("%s was told %d times", it.id, n)
		}
		delete(told, it.id)
	}
	for id := range told {
		return fmt.Errorf("%s was told and is not there", id)
	}
	return nil
}
