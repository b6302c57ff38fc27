package crash

import (
	"slices"
	"testing"

	"pabal/node/api"
)

// sample is a short conversation as two sides hold it, without a fault.
func sample() (streams map[int][]Promise, sender, receiver []Item, events []Entry) {
	streams = map[int][]Promise{0: {{"ms_a", "a0"}, {"ms_c", "a1"}}, 1: {{"ms_b", "b0"}}}
	out := func(position uint64, id, text string) Item {
		return Item{ID: id, Text: text, Kind: api.MessageText, Direction: api.DirectionOut, State: api.StateDelivered, Position: position}
	}
	in := func(position uint64, text string) Item {
		return Item{ID: "ms_in_" + text, Text: text, Kind: api.MessageText, Direction: api.DirectionIn, State: api.StateDelivered, Position: position}
	}
	sender = []Item{out(1, "ms_a", "a0"), in(2, "x"), out(3, "ms_b", "b0"), out(4, "ms_c", "a1")}
	receiver = []Item{in(1, "a0"), in(2, "b0"), out(3, "ms_x", "x"), in(4, "a1")}
	for i, it := range sender {
		cursor := "e7." + string(rune('1'+i))
		events = append(events, Entry{cursor, api.EventMessageCreated, it.ID})
	}
	return streams, sender, receiver, events
}

func TestComparisonAcceptsWhatIsRight(t *testing.T) {
	streams, sender, receiver, events := sample()
	for _, err := range []error{
		checkSent(streams, sender), CheckReceived(sender, receiver), CheckLog(events, events), checkCreated(sender, events),
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
		"never sent":              checkSent(streams, append(slices.Clone(sender), renumbered(Item{ID: "ms_z", Kind: "text", Direction: "out", State: "read"}, 9))),
		"swapped at the sender":   checkSent(streams, swapped(sender, 0, 3)),
		"position out of order":   checkSent(streams, []Item{sender[2], sender[0], sender[3]}),
		"undelivered":             checkSent(streams, undelivered(sender)),
		"lost at the receiver":    CheckReceived(sender, receiver[:3]),
		"twice at the receiver":   CheckReceived(sender, append(slices.Clone(receiver), receiver[3])),
		"swapped at the receiver": CheckReceived(sender, swapped(receiver, 0, 1)),
		"a gap":                   CheckReceived(sender, append(slices.Clone(receiver), Item{Kind: api.MessageGap, Count: 1})),
		"a hole in the log":       CheckLog(slices.Delete(slices.Clone(events), 1, 2), events),
		"a repeat in the log":     CheckLog(append(slices.Clone(events), events[3]), events),
		"another epoch":           CheckLog(append(slices.Clone(events), Entry{Cursor: "e8.5"}), events),
		"a broken cursor":         CheckLog([]Entry{{Cursor: "5"}}, nil),
		"missed live":             CheckLog(events, events[:3]),
		"told twice live":         CheckLog(events, append(slices.Clone(events), events[3])),
		"told otherwise live":     CheckLog(events, append(slices.Clone(events[:3]), Entry{"e7.4", "x", ""})),
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

func renumbered(it Item, position uint64) Item {
	it.Position = position
	return it
}

// swapped exchanges the messages at two places but keeps the positions.
func swapped(items []Item, i, j int) []Item {
	items = slices.Clone(items)
	items[i], items[j] = renumbered(items[j], items[i].Position), renumbered(items[i], items[j].Position)
	return items
}

func undelivered(items []Item) []Item {
	items = slices.Clone(items)
	items[0].State = api.StateQueued
	return items
}
