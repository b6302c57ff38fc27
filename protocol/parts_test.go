package protocol

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// sealedPart is what stands for a part of a file that a side has sent.
func sealedPart(s *side, part outbox.Part) []byte {
	for _, m := range s.history {
		content, _, err := wire.DecodeContent(m.Content)
		if m.ID != MessageID(part.Message) || err != nil || int(part.Item) >= len(content.Files) || s.erased[m.ID] {
			continue
		}
		size := wire.PartSize(content.Files[part.Item].SizeBytes, int(part.Index)) + wire.PartTagSize
		return bytes.Repeat([]byte{part.Item + 1, part.Index + 1}, size)[:size]
	}
	return nil
}

// sendFile sends one file, and returns the message.
func (w *town) sendFile(a, b *side, size uint64) Sent {
	return a.step(w.now, SendText{Contact: a.of(b).row.ID, Files: []FileToSend{picture(size)}}).Replies[0].Result.(Sent)
}

// hasWhole reports whether all parts of the file of a message have come, each once.
func hasWhole(t *testing.T, from, to *side, id MessageID, size uint64) bool {
	t.Helper()
	got := make(map[uint8]bool)
	for _, put := range to.parts {
		part := outbox.Part{Message: put.Message, Index: put.Index}
		if put.Message != [16]byte(id) {
			continue
		}
		if got[put.Index] {
			t.Errorf("part %d came twice", put.Index)
		}
		if !bytes.Equal(put.Sealed, sealedPart(from, part)) {
			t.Errorf("part %d is not what was sent", put.Index)
		}
		got[put.Index] = true
	}
	return len(got) == wire.Parts(size)
}

// restart loads a side from its rows, without its connections.
func (w *town) restart(s *side) {
	w.switchOff(s)
	s.jobs = nil
	s.reload(w.now, w.rows[s].state(s))
	own := []wire.Address{{Network: wire.QUIC, IP: netip.MustParseAddr("127.0.0.1"), Port: 1001}}
	s.step(w.now, NetworkChanged{Own: own})
	w.switchOn(s)
}

const fewParts = 5*wire.PartBytes - 100 // a picture of five parts

// partsAtCourier has the parts of a file for somebody who is off lie at a courier.
func partsAtCourier(t *testing.T) (w *town, a, b, c *side, sent Sent) {
	t.Helper()
	w, a, b, c = friends(t)
	w.switchOff(b)
	sent = w.sendFile(a, b, fewParts)
	w.pass(20 * time.Second)
	if n := w.holds(c); n < 6 {
		t.Fatalf("the courier holds %d items", n)
	}
	return w, a, b, c, sent
}

func TestSmallFileGoesByCourier(t *testing.T) {
	w, a, b, c, sent := partsAtCourier(t)
	w.switchOff(a)
	w.switchOn(b)
	if !hasWhole(t, a, b, sent.ID, fewParts) {
		t.Fatalf("%d parts arrived", len(b.parts))
	}
	w.switchOn(a)
	w.pass(time.Minute)
	if st := a.of(b).state.Parts; len(st) > 0 || !a.of(b).queue.Empty() || w.holds(c) > 0 {
		t.Errorf("left: %+v, %d envelopes, %d items at the courier", st, a.of(b).queue.SealedLen(), w.holds(c))
	}
}

// TestLargestAndTooLargeFiles has the largest file go in parts, and a larger one stay.
func TestLargestAndTooLargeFiles(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(b)
	const largest = wire.PartsMax * wire.PartBytes
	sent := w.sendFile(a, b, largest)
	w.sendFile(a, b, largest+1)
	w.pass(time.Minute)
	held := w.holds(c)
	w.switchOff(a)
	w.switchOn(b)
	if !hasWhole(t, a, b, sent.ID, largest) || len(b.parts) != wire.PartsMax {
		t.Errorf("%d parts arrived, the courier held %d items", len(b.parts), held)
	}
}

func TestNoPartsWhileTheContactIsLive(t *testing.T) {
	w, a, b, c := friends(t)
	sent := w.sendFile(a, b, fewParts)
	w.pass(time.Minute)
	if w.holds(c) > 0 || len(b.parts) > 0 || len(a.of(b).state.Parts) != 1 {
		t.Fatalf("%d items at the courier, %d parts came, %d files wait", w.holds(c), len(b.parts), len(a.of(b).state.Parts))
	}
	a.step(w.now, FileFetched{Contact: a.of(b).row.ID, Message: sent.ID})
	w.switchOff(b)
	w.pass(time.Minute)
	if n := w.holds(c); n > 0 || len(a.of(b).state.Parts) > 0 {
		t.Errorf("%d items of a file that was fetched", n)
	}
}

// TestPartsGoWithTheirMessage has a courier erase the parts of a file whose message is taken
// back, deleted on either side, or fetched meanwhile.
func TestPartsGoWithTheirMessage(t *testing.T) {
	for name, end := range map[string]func(a *side, contact ContactID, sent Sent) Input{
		"taken back": func(_ *side, _ ContactID, s Sent) Input {
			return TakeBack{ID: s.ID, Conversation: s.Conversation, Sequence: 1}
		},
		"expired": func(_ *side, _ ContactID, s Sent) Input {
			return DeleteMessage{ID: s.ID, Conversation: s.Conversation, Sequence: 1, Direction: Out, Expired: true}
		},
		"deleted for everyone": func(_ *side, _ ContactID, s Sent) Input {
			return DeleteForEveryone{ID: s.ID, Conversation: s.Conversation, Sequence: 1, Direction: Out}
		},
		"fetched": func(_ *side, contact ContactID, s Sent) Input { return FileFetched{Contact: contact, Message: s.ID} },
	} {
		t.Run(name, func(t *testing.T) {
			w, a, b, c := friends(t)
			w.switchOff(b)
			sent := w.sendFile(a, b, fewParts)
			w.pass(20 * time.Second)
			before := w.holds(c)
			a.step(w.now, end(a, a.of(b).row.ID, sent))
			w.pass(30 * time.Second)
			if n := w.holds(c); n > before-5+1 { // what says that the message is void
				t.Errorf("the courier held %d items and holds %d", before, n)
			}
			for _, e := range a.of(b).queue.Parts([16]byte{}) {
				t.Errorf("envelope %d still carries a part", e.Index)
			}
			w.switchOff(a)
			w.switchOn(b)
			if len(b.parts) > 0 {
				t.Errorf("%d parts arrived", len(b.parts))
			}
		})
	}
}

// TestPartsMakeRoomForMessages has a courier with little room: parts of files keep no message
// out of it.
func TestPartsMakeRoomForMessages(t *testing.T) {
	w, a, b, c := friends(t)
	c.step(w.now, OfferHelp{Contact: c.of(b).row.ID, QuotaBytes: 2 << 20, LifetimeDays: 14}) // an eighth: three parts
	w.pass(time.Minute)
	w.switchOff(b)
	w.sendFile(a, b, fewParts)
	w.pass(time.Minute)
	const texts = 30
	for i := range texts {
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint(i, string(bytes.Repeat([]byte("x"), 4000)))})
		w.pass(10 * time.Second)
	}
	w.pass(time.Minute)
	if got := a.of(b).conv.row.Carried[0]; len(got) != 1 || got[0] != (Range{1, 1 + texts}) {
		t.Errorf("carried %v", got)
	}
}

// TestPartsGoOnAfterARestart loads the sender anew while parts wait, and while they lie with the
// courier.
func TestPartsGoOnAfterARestart(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(b)
	sent := w.sendFile(a, b, fewParts)
	w.run()
	w.restart(a)
	w.pass(20 * time.Second)
	if n := w.holds(c); n < 6 {
		t.Fatalf("the courier holds %d items", n)
	}
	w.restart(a)
	w.pass(time.Minute)
	if n := len(a.of(b).queue.Parts(sent.ID)); n != 5 {
		t.Errorf("%d parts are under way", n)
	}
	w.switchOff(a)
	w.switchOn(b)
	if !hasWhole(t, a, b, sent.ID, fewParts) {
		t.Errorf("%d parts arrived", len(b.parts))
	}
}

// TestPartsGoIntoAFile has a bundle file hold the parts that are under way, as it holds all that
// is not acknowledged.
func TestPartsGoIntoAFile(t *testing.T) {
	w, a, b, _ := friends(t)
	w.switchOff(b)
	const size = 20 * wire.PartBytes // more than is kept in memory
	sent := w.sendFile(a, b, size)
	w.pass(time.Minute)
	w.switchOff(a)
	a.step(w.now, ExportBundle{Ref: 9, Contact: a.of(b).row.ID})
	w.run()
	for _, r := range a.out.Replies {
		if x, ok := r.Result.(BundleExported); ok && r.Ref == 9 {
			b.step(w.now, ImportBundle{File: x.File})
			w.run()
			if !hasWhole(t, a, b, sent.ID, size) || x.Messages != 1 {
				t.Errorf("%d parts came in a file of %d messages", len(b.parts), x.Messages)
			}
			return
		}
	}
	t.Fatal("no file")
}

// TestPartsOfMessagesThatWait says of a part that comes before its message that it waits for it,
// and of one that comes behind its end that it does not.
func TestPartsOfMessagesThatWait(t *testing.T) {
	_, b := meet(t)
	c := b.only()
	if _, err := b.p.openConversation(testNow, c); err != nil {
		t.Fatal(err)
	}
	about := wire.Reference{Own: true, Sequence: 3, ID: [16]byte{7}}
	content := wire.Content{Type: wire.ContentPart, About: &about, Part: &wire.Part{Sealed: make([]byte, 20)}}
	comes := func() PutPart {
		b.p.out = new(Output)
		b.p.partReceived(testNow, c, &content)
		return b.p.out.Writes[0].(PutPart)
	}
	if put := comes(); put.Waits != 3 || put.Message != about.ID || put.Conversation != c.conv.row.ID {
		t.Errorf("before its message: %+v", put)
	}
	b.p.closeGap(c.conv, 3, 3)
	if put := comes(); put.Waits != 0 {
		t.Errorf("behind the end of its message it waits for %d", put.Waits)
	}
	about.Sequence = 1 << 40
	if put := comes(); put.Waits != 0 {
		t.Errorf("one of an absurd sequence waits for %d", put.Waits)
	}
}

// TestPartsThatCannotBeRead has a disk not give out parts that a courier is to get again: they are
// read again later, not at once and for ever.
func TestPartsThatCannotBeRead(t *testing.T) {
	w, a, b, _, sent := partsAtCourier(t)
	w.unread = 3
	w.restart(a) // it asks whether they still are there, by leaving them again
	w.pass(time.Minute)
	if w.unread != 2 {
		t.Errorf("%d reads failed within a minute", 3-w.unread)
	}
	w.pass(11 * time.Minute)
	if w.unread != 0 {
		t.Errorf("%d reads failed within twelve minutes", 3-w.unread)
	}
	w.switchOff(a)
	w.switchOn(b)
	if !hasWhole(t, a, b, sent.ID, fewParts) {
		t.Errorf("%d parts arrived", len(b.parts))
	}
}
