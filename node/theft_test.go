package node_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// lookFor counts copies of words in all that a store's key opens.
func lookFor(t testing.TB, s *store.Store, words ...[]byte) (n int) {
	t.Helper()
	for _, hits := range must[store.Sight](t)(s.Look(words...)).Hits {
		n += hits
	}
	return n
}

// talked are two Peers with stores that have told each other some texts.
type talked struct {
	*pair
	texts  [][]byte
	frames [2][]protocol.SendFrame // envelopes as recorded on the way, by sender
}

func tellEachOther(t *testing.T) *talked {
	t.Helper()
	mina, jiwoo := newBare(t, "Mina", 1001, &source{sourceOf("a")}), newBare(t, "Jiwoo", 1002, &source{sourceOf("b")})
	mina.keep()
	jiwoo.keep()
	w := &talked{pair: newPair(t, mina, jiwoo)}
	w.record = func(from int, f protocol.SendFrame) {
		if f.Type == wire.TypeEnvelope {
			w.frames[from] = append(w.frames[from], f)
		}
	}
	w.join(peerNoon)
	for i := range 6 {
		text := randomText()
		w.texts = append(w.texts, []byte(text))
		w.ends[i%2].step(peerNoon, protocol.SendText{Contact: w.contact[i%2], Text: text})
		w.carry(peerNoon)
	}
	return w
}

// randomText is a text that is found nowhere else.
func randomText() string { return "text " + rand.Text() }

// messages returns the messages of the one conversation of an end.
func (w *talked) messages(end int) (list []store.Message) {
	w.t.Helper()
	err := w.ends[end].store.View(func(v *store.View) error {
		conversations, err := v.Conversations(protocol.ConversationID{}, 10)
		if err != nil {
			return err
		}
		page, err := v.Messages(conversations[0].ID, store.PageQuery{Limit: 100})
		for _, item := range page.Items {
			list = append(list, *item.Message)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// TestStolenStoresHoldNoOldKey deletes what two devices told each other, and looks
// for the texts and for the key of every envelope in all that the stolen disks and
// their passphrases open. Before the peer has acknowledged it, an envelope's key must
// be there, and is found.
func TestStolenStoresHoldNoOldKey(t *testing.T) {
	w := tellEachOther(t)
	for end, b := range w.ends {
		if n := lookFor(t, b.store, w.texts...); n < len(w.texts) {
			t.Fatalf("only %d texts are there before they are deleted", n)
		}
		for _, m := range w.messages(end) {
			b.step(peerNoon, protocol.DeleteMessage{ID: m.ID, Conversation: m.Conversation, Sequence: m.Sequence, Direction: m.Direction})
		}
	}
	w.carry(peerNoon)
	keys := slices.Concat(w.ends[0].keys, w.ends[1].keys)
	if len(keys) < len(w.texts) {
		t.Fatalf("%d keys of %d texts", len(keys), len(w.texts))
	}
	for _, b := range w.ends {
		if n := lookFor(t, b.store, w.texts...); n > 0 {
			t.Errorf("%d copies of deleted texts in the store of %s", n, b.p.Name())
		}
		if n := lookFor(t, b.store, keys...); n > 0 {
			t.Errorf("%d copies of old keys in the store of %s", n, b.p.Name())
		}
	}
	mina := w.ends[0]
	mina.step(peerNoon, protocol.SendText{Contact: w.contact[0], Text: "one more"})
	if n := lookFor(t, mina.store, mina.keys[len(mina.keys)-1]); n == 0 {
		t.Error("the key of an envelope on its way is not found: the search is for nothing")
	}
}

// TestStolenStoreOpensNoRecording gives a thief one device's store, after texts were
// delivered, and a recording of all frames. Fed to the device's own program they give
// no message. The next message does open: the theft is mended only by what follows,
// see session.TestThiefLosesSession.
func TestStolenStoreOpensNoRecording(t *testing.T) {
	w := tellEachOther(t)
	w.part(peerNoon)
	mina, jiwoo := w.ends[0], w.ends[1]
	state := must[protocol.State](t)(mina.store.Load())
	stolen := &bare{t: t, p: must[*protocol.Peer](t)(protocol.Load(rand.Reader, protocol.Config{BootID: [32]byte{1}}, state))}
	now := peerNoon.Add(time.Second)
	hello := helloOf(t, jiwoo, now, w.contact[1], jiwoo.key(now), mina.key(now))
	stolen.step(now, protocol.ConnOpened{Conn: strangerConn, Local: mina.key(now), Remote: jiwoo.key(now), Inbound: true})
	opens := func(f protocol.FrameReceived) (messages int) {
		f.Conn = strangerConn
		for _, row := range stolen.step(now, f).Writes {
			if _, ok := row.(protocol.PutMessage); ok {
				messages++
			}
		}
		return messages
	}
	opens(hello)
	if len(w.frames[1]) < 3 {
		t.Fatalf("%d frames were recorded", len(w.frames[1]))
	}
	for _, f := range w.frames[1] {
		if opens(protocol.FrameReceived{Type: f.Type, Body: slices.Clone(f.Body)}) > 0 {
			t.Error("a recorded envelope opens again")
		}
	}
	w.frames[1] = nil
	now = now.Add(time.Minute)
	jiwoo.step(now, protocol.Reconnect{})
	w.carry(now)
	jiwoo.step(now, protocol.SendText{Contact: w.contact[1], Text: "after the theft"})
	w.carry(now)
	read := 0
	for _, f := range w.frames[1] {
		read += opens(protocol.FrameReceived{Type: f.Type, Body: slices.Clone(f.Body)})
	}
	if read == 0 {
		t.Error("the thief's program opens nothing at all: it shows nothing")
	}
}
