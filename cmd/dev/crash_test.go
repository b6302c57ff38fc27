package main

import (
	"slices"
	"testing"

	"pabal/node/api"
)

// sample is a short conversation as two sides hold it, without a fault.
func sample() (streams map[int][]promise, sender, receiver []item, events []entry) {
	streams = map[int][]promise{0: {{"ms_a", "a0"}, {"ms_c", "a1"}}, 1: {{"ms_b", "b0"}}}
	out := func(position uint64, id, text string) item {
		return item{id: id, text: text, kind: api.MessageText, direction: api.DirectionOut, state: api.StateDelivered, position: position}
	}
	in := func(position uint64, text string) item {
		return item{id: "ms_in_" + text, text: text, kind: api.MessageText, direction: api.DirectionIn, state: api.StateDelivered, position: position}
	}
	sender = []item{out(1, "ms_a", "a0"), in(2, "x"), out(3, "ms_b", "b0"), out(4, "ms_c", "a1")}
	receiver = []item{in(1, "a0"), in(2, "b0"), out(3, "ms_x", "x"), in(4, "a1")}
	for i, it := range sender {
		cursor := "e7." + string(rune('1'+i))
		events = append(events, entry{cursor, api.EventMessageCreated, it.id})
	}
	return streams, sender, receiver, events
}

func TestComparisonAcceptsWhatIsRight(t *testing.T) {
	streams, sender, receiver, events := sample()
	for _, err := range []error{
		checkSent(streams, sender), checkReceived(sender, receiver), checkLog(events, events), checkCreated(sender, events),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

// TestComparisonCatchesEachFault breaks the sample in every way that a daemon could.
func TestComparisonCatchesEachFault(t *testing.T) {
	streams, sender, receiver, events := sample()
	faults := map[string]error{
		"lost at the sender":      checkSent(streams, slices.Delete(slices.Clone(sender), 2, 3)),
		"twice at the sender":     checkSent(streams, append(slices.Clone(sender), renumbered(sender[0], 9))),
		"never sent":              checkSent(streams, append(slices.Clone(sender), renumbered(item{id: "ms_z", kind: "text", direction: "out", state: "read"}, 9))),
		"swapped at the sender":   checkSent(streams, swapped(sender, 0, 3)),
		"position out of order":   checkSent(streams, []item{sender[2], sender[0], sender[3]}),
		"undelivered":             checkSent(streams, undelivered(sender)),
		"lost at the receiver":    checkReceived(sender, receiver[:3]),
		"twice at the receiver":   checkReceived(sender, append(slices.Clone(receiver), receiver[3])),
		"swapped at the receiver": checkReceived(sender, swapped(receiver, 0, 1)),
		"a gap":                   checkReceived(sender, append(slices.Clone(receiver), item{kind: api.MessageGap, count: 1})),
		"a hole in the log":       checkLog(slices.Delete(slices.Clone(events), 1, 2), events),
		"a repeat in the log":     checkLog(append(slices.Clone(events), events[3]), events),
		"another epoch":           checkLog(append(slices.Clone(events), entry{cursor: "e8.5"}), events),
		"a broken cursor":         checkLog([]entry{{cursor: "5"}}, nil),
		"missed live":             checkLog(events, events[:3]),
		"told twice live":         checkLog(events, append(slices.Clone(events), events[3])),
		"told otherwise live":     checkLog(events, append(slices.Clone(events[:3]), entry{"e7.4", "x", ""})),
		"a message without event": checkCreated(sender, events[1:]),
		"a message with two":      checkCreated(sender, append(slices.Clone(events), events[0])),
		"an event of no message":  checkCreated(sender[:3], events),
	}
	for fault, err := range faults {
		if err == nil {
			t.Errorf("%s was not caught", fault)
		}
	}
}

func renumbered(it item, position uint64) item {
	it.position = position
	return it
}

// swapped exchanges the messages at two places but keeps the positions.
func swapped(items []item, i, j int) []item {
	items = slices.Clone(items)
	items[i], items[j] = renumbered(items[j], items[i].position), renumbered(items[i], items[j].position)
	return items
}

func undelivered(items []item) []item {
	items = slices.Clone(items)
	items[0].state = api.StateQueued
	return items
}
