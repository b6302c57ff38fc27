package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// fixture makes rows by number, the same ones for the same seed.
type fixture struct {
	t       testing.TB
	rand    *rand.Rand
	now     time.Time
	ids     uint64
	index   uint32
	convs   []protocol.PutConversation
	session []protocol.PutSession
	made    []protocol.MessageID  // by batch
	kept    []protocol.PutContact // by plant
}

func newFixture(t testing.TB, conversations int) *fixture {
	f := &fixture{t: t, rand: rand.New(rand.NewPCG(1, 2)), now: time.UnixMilli(1_795_000_000_000)}
	for range conversations {
		contact := protocol.ContactID(f.id())
		f.convs = append(f.convs, protocol.PutConversation{
			ID: protocol.ConversationID(f.id()), Kind: protocol.ConversationDirect, Contact: contact,
			CreatedAt: f.now.UnixMilli(), State: f.bytes(60),
		})
		s := protocol.PutSession{Contact: contact, State: f.bytes(640)}
		copy(s.SID[:], f.bytes(32))
		f.session = append(f.session, s)
	}
	return f
}

func (f *fixture) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.rand.Uint32())
	}
	return b
}

// id returns an id as the core makes them: time, then random bits.
func (f *fixture) id() (id [16]byte) {
	f.ids++
	binary.BigEndian.PutUint64(id[:], uint64(f.now.UnixMilli())<<16|f.ids>>16)
	binary.BigEndian.PutUint16(id[6:], uint16(f.ids))
	binary.BigEndian.PutUint64(id[8:], f.rand.Uint64())
	return id
}

func (f *fixture) content(text string, timer *wire.Timer) []byte {
	b, err := wire.AppendContent(nil, wire.Content{
		Type: wire.ContentText, ID: f.id(), Sequence: 1, At: f.now.UnixMilli(), Text: text, Timer: timer,
	})
	if err != nil {
		panic(err)
	}
	return b
}

// message makes the next message of conversation i.
func (f *fixture) message(i int, dir protocol.Direction, text string) protocol.PutMessage {
	c := &f.convs[i]
	c.LastPosition++
	c.LastAt = f.now.UnixMilli()
	m := protocol.PutMessage{
		ID: protocol.MessageID(f.id()), Conversation: c.ID, Position: c.LastPosition, Direction: dir, Sequence: c.LastPosition,
		SentAt: f.now.UnixMilli(), At: f.now.UnixMilli(), Content: f.content(text, nil), Verification: protocol.Unverified,
	}
	if dir == protocol.Out {
		c.OwnSequence++
		m.Sequence = c.OwnSequence
	} else {
		m.Wire = wireID(m.Content)
	}
	return m
}

// wireID returns the id inside a content.
func wireID(content []byte) [16]byte {
	c, _, err := wire.DecodeContent(content)
	if err != nil {
		panic(err)
	}
	return c.ID
}

func (f *fixture) tick() time.Time { f.now = f.now.Add(time.Second); return f.now }

// batch makes a batch of messages to conversations drawn evenly.
func (f *fixture) batch(size int) Batch {
	const text = "오늘 회의는 세 시에 시작합니다. 자료는 어제 보낸 것을 봐 주세요. see you there"
	b := Batch{Now: f.tick()}
	envelopes := make(map[int]protocol.PutOutbox)
	for range size {
		i := f.rand.IntN(len(f.convs))
		m := f.message(i, protocol.Out, text)
		b.Writes = append(b.Writes, m)
		f.made = append(f.made, m.ID)
		o, ok := envelopes[i]
		if !ok {
			f.index++
			o = protocol.PutOutbox{Contact: f.session[i].Contact, SID: f.session[i].SID, Index: f.index,
				Envelope: f.session[i].State[:200]}
			b.Events = append(b.Events, protocol.Event{
				Type: protocol.MessageCreated, Conversation: m.Conversation, First: m.Position,
			})
		}
		o.Contents = append(o.Contents, protocol.OutboxContent{Message: m.ID})
		envelopes[i] = o
	}
	for i := range f.convs {
		if o, ok := envelopes[i]; ok {
			b.Writes = append(b.Writes, o, f.session[i], f.convs[i])
		}
	}
	return b
}

func (f *fixture) commit(s *Store, writes ...protocol.Write) Committed {
	f.t.Helper()
	done, err := s.Commit(Batch{Now: f.tick(), Writes: writes})
	if err != nil {
		f.t.Fatal(err)
	}
	if !done.Scrubbed {
		f.t.Fatal("commit did not scrub")
	}
	return done
}

func create(t testing.TB) *Store {
	t.Helper()
	s, err := Create(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// reopen closes a store and opens the same profile again.
func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	dir := s.profile.path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Unlock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func view[T any](t testing.TB, s *Store, fn func(*View) (T, error)) (value T) {
	t.Helper()
	err := s.View(func(v *View) (err error) {
		value, err = fn(v)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestLoadReturnsWhatWasCommitted(t *testing.T) {
	f := newFixture(t, 2)
	s := create(t)
	state := protocol.State{
		Self: protocol.PutSelf{Name: "지우", State: []byte{1}},
		Contacts: []protocol.PutContact{{
			ID: f.convs[0].Contact, Conversation: f.convs[0].ID, Phase: protocol.ContactFailed, Reason: "no_answer", Name: "a",
			Alias: "b", Account: [32]byte{7}, Verification: protocol.VerifiedChanged, Blocked: true,
			Invite: protocol.InviteID(f.id()), CreatedAt: 5, State: []byte{2},
		}},
		Sessions: f.session,
		Invites: []protocol.PutInvite{{
			ID: protocol.InviteID(f.id()), Kind: protocol.InviteCard, Note: "n", Ask: true, UsesLeft: 3, Used: 1, Link: "pabal:",
			CreatedAt: 1, ExpiresAt: 2, RevokedAt: 3, State: []byte{3},
		}},
		Requests: []protocol.PutRequest{{
			ID: protocol.RequestID(f.id()), Invite: protocol.InviteID(f.id()), Contact: f.convs[1].Contact,
			Phase: protocol.RequestAccepted, Name: "n", Greeting: "g", At: 4, State: []byte{4},
		}},
	}
	var writes []protocol.Write
	for i := range 3 {
		m := f.message(0, protocol.Out, fmt.Sprint("waiting ", i))
		writes = append(writes, m)
		if i > 0 {
			state.Waiting = append(state.Waiting, protocol.Waiting{
				ID: m.ID, Conversation: m.Conversation, Sequence: m.Sequence, SizeBytes: len(m.Content),
			})
		}
	}
	c := &f.convs[0]
	c.SealedUpTo, c.PeerReadUpTo, c.ReadUpTo = 1, 9, 8
	c.Delivered = []protocol.Range{{First: 1, Last: 1}, {First: 3, Last: 900}, {First: 902, Last: 1 << 40}}
	c.Timer = &wire.Timer{Mode: wire.TimerFromRead, Seconds: 60}
	state.Conversations = f.convs
	state.Outbox = []protocol.PutOutbox{
		{Contact: f.session[0].Contact, SID: f.session[0].SID, Index: 0, Envelope: []byte{5},
			Contents: []protocol.OutboxContent{{Message: protocol.MessageID(f.id())}, {Inline: []byte{6, 7}}}},
		{Contact: f.session[0].Contact, SID: f.session[0].SID, Index: 1<<32 - 1, Envelope: []byte{6}},
	}
	writes = append(writes, state.Self, state.Contacts[0], state.Invites[0], state.Requests[0])
	for i := range state.Outbox { // before their session: the order in a batch is free
		writes = append(writes, state.Outbox[i])
	}
	for i := range f.convs {
		writes = append(writes, f.session[i], f.convs[i])
	}
	f.commit(s, writes...)
	f.commit(s, writes...) // again: Put is an upsert
	for range 2 {
		got, err := s.Load()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, state) {
			t.Fatalf("got\n%+v\nwant\n%+v", got, state)
		}
		s = reopen(t, s)
	}
}
