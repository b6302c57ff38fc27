package protocol

import (
	"slices"
	"testing"

	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// receipts returns the receipts that wait for a contact.
func (s *side) receipts() (list []uint64) {
	for _, b := range s.only().state.Inline {
		if content, _, err := wire.DecodeContent(b); err == nil && content.Type == wire.ContentReadReceipt {
			list = append(list, content.Last)
		}
	}
	return list
}

// TestReceiptsWait has a user read while the contact is off: only the newest receipt waits,
// one that says nothing new is none, and a blocked contact gets none.
func TestReceiptsWait(t *testing.T) {
	_, b := meet(t)
	b.take(textOf(1, 1), textOf(2, 2), textOf(3, 3), textOf(4, 4))
	v := b.only().conv
	read := func(upTo, receipt uint64, want ...uint64) {
		t.Helper()
		if _, err := b.p.Step(testNow, MarkRead{Conversation: v.row.ID, UpTo: upTo, Receipt: receipt}); err != nil {
			t.Fatal(err)
		}
		if got := b.receipts(); !slices.Equal(got, want) {
			t.Errorf("read up to %d: %v wait, want %v", upTo, got, want)
		}
	}
	read(1, 0)
	read(2, 2, 2)
	read(3, 3, 3)
	read(4, 3, 3)
	b.only().row.Blocked = true
	v.row.ReadUpTo = 3
	read(4, 4, 3)
	b.only().row.Blocked = false
	v.row.ReadUpTo = 3
	read(4, 5, 3) // that has not come
	v.row.ReadUpTo = 3
	read(4, 4, 4)
}

// TestReceiptEndsBeforeAGap has a user read what came behind messages that are missing: they
// were not read, also not when they come.
func TestReceiptEndsBeforeAGap(t *testing.T) {
	_, b := meet(t)
	b.take(textOf(1, 1), textOf(2, 2), textOf(4, 4), textOf(6, 6))
	v := b.only().conv
	read := func(what string, receipt uint64, want ...uint64) {
		t.Helper()
		v.row.ReadUpTo = v.row.LastPosition - 1
		if _, err := b.p.Step(testNow, MarkRead{Conversation: v.row.ID, UpTo: v.row.LastPosition, Receipt: receipt}); err != nil {
			t.Fatal(err)
		}
		if got := b.receipts(); !slices.Equal(got, want) {
			t.Errorf("%s: %v wait, want %v", what, got, want)
		}
	}
	read("3 and 5 are missing", 6, 2)
	b.take(textOf(3, 3))
	read("5 is missing", 6, 4)
	b.take(textOf(5, 5))
	if got := b.receipts(); !slices.Equal(got, []uint64{4}) {
		t.Errorf("5 came and was not read: %v", got)
	}
	b.take(textOf(7, 7))
	read("nothing is missing", 7, 7)
}

// TestReadReceived takes receipts in any order. What is not delivered is not read, and what
// was not written cannot be.
func TestReadReceived(t *testing.T) {
	a, b := meet(t)
	b.sayAll(2)
	pump(t, testNow, a, b)
	part(a, b)
	b.sayAll(2)
	v := b.only().conv
	last := v.row.OwnSequence
	receipt := func(sequence uint64) (read []Range) {
		b.p.out = &Output{}
		b.p.readReceived(b.only(), &wire.Content{Type: wire.ContentReadReceipt, First: 1, Last: sequence})
		for _, e := range b.p.out.Events {
			if e.Code == StatusRead {
				read = append(read, Range{First: e.First, Last: e.First + e.Count - 1})
			}
		}
		return read
	}
	if got := receipt(last + 1); v.row.PeerReadUpTo != 0 || got != nil {
		t.Errorf("never written: %v, %d", got, v.row.PeerReadUpTo)
	}
	if got := receipt(last - 3); len(got) != 1 || got[0].Last != last-3 {
		t.Errorf("the first: %v", got)
	}
	if got := receipt(last); !slices.Equal(got, []Range{{last - 2, last - 2}}) {
		t.Errorf("one of three is delivered: %v", got)
	}
	if got := receipt(last - 1); got != nil || v.row.PeerReadUpTo != last {
		t.Errorf("an older one: %v", got)
	}
	b.p.out = &Output{}
	b.p.delivered(b.only(), &outbox.Entry{Items: []outbox.Item{{Message: MessageID{1}, Sequence: last}}})
	if e := b.p.out.Events; len(e) != 1 || e[0].First != last || e[0].Code != StatusRead {
		t.Errorf("delivered behind its receipt: %+v", e)
	}
}
