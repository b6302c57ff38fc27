package protocol

import (
	"crypto/rand"
	"fmt"
	"math"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

var testNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// meet makes two contacts of each other.
func meet(t *testing.T) (a, b *side) {
	t.Helper()
	a, b = newSide(t, "Mina", 1001, testNow), newSide(t, "Jiwoo", 1002, testNow)
	link := a.step(testNow, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	b.step(testNow, AddContact{Link: link})
	pump(t, testNow, a, b)
	if a.only().row.Phase != ContactEstablished || b.only().row.Phase != ContactEstablished {
		t.Fatal("not established")
	}
	return a, b
}

// only returns the one contact of a side.
func (s *side) only() *contact { return s.p.contactsInOrder()[0] }

// part closes all connections of the sides.
func part(sides ...*side) {
	for _, s := range sides {
		for _, k := range s.p.connsOf(s.only()) {
			k.opened = k.opened.Add(-time.Hour) // it has lasted
			s.step(testNow, ConnClosed{Conn: k.id})
		}
		s.out = Output{}
	}
}

// received counts the messages that a side stored.
func (s *side) received() (n int) {
	for _, w := range s.out.Writes {
		if m, ok := w.(PutMessage); ok && m.Direction == In {
			n++
		}
	}
	return n
}

func (s *side) alerts() (codes []string) {
	for _, e := range s.out.Events {
		if e.Type == SecurityAlert {
			codes = append(codes, e.Code)
		}
	}
	return codes
}

// dial returns the dial that a side asked for.
func (s *side) dial() Dial {
	s.t.Helper()
	for _, send := range s.out.Sends {
		if d, ok := send.(Dial); ok {
			return d
		}
	}
	s.t.Fatal(s.name + " does not dial")
	return Dial{}
}

// sayAll sends a text each time and carries nothing.
func (s *side) sayAll(n int) (sent []Sent) {
	for i := range n {
		sent = append(sent, s.step(testNow, SendText{Contact: s.only().row.ID, Text: fmt.Sprint(i)}).Replies[0].Result.(Sent))
	}
	return sent
}

func TestOutboxKnowsTheLimitOfABody(t *testing.T) {
	if outbox.ItemsMax != wire.ContentsPerBodyMax {
		t.Errorf("%d, %d", outbox.ItemsMax, wire.ContentsPerBodyMax)
	}
}

// TestManyShortTextsWait has more texts wait than one body may hold contents.
func TestManyShortTextsWait(t *testing.T) {
	for _, n := range []int{wire.ContentsPerBodyMax, wire.ContentsPerBodyMax + 1, 3 * wire.ContentsPerBodyMax / 2} {
		a, b := meet(t)
		part(a, b)
		b.sayAll(n)
		pump(t, testNow, a, b)
		if got := a.received(); got != n {
			t.Errorf("%d of %d texts arrived", got, n)
		}
		if got := a.alerts(); len(got) > 0 {
			t.Errorf("%d texts: %v", n, got)
		}
		if d := b.only().conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, uint64(n)}) {
			t.Errorf("%d texts: delivered %v", n, d)
		}
	}
}

// TestManyVoidsWait has more texts withdrawn, one here and one there, than one body
// may hold contents.
func TestManyVoidsWait(t *testing.T) {
	a, b := meet(t)
	part(a, b)
	const n = 2*wire.ContentsPerBodyMax + 100
	for i, sent := range b.sayAll(n) {
		if i%2 == 0 {
			b.step(testNow, TakeBack{ID: sent.ID, Conversation: sent.Conversation, Sequence: uint64(i + 1)})
		}
	}
	pump(t, testNow, a, b)
	if got := a.received(); got != n/2 {
		t.Errorf("%d of %d texts arrived", got, n/2)
	}
	if got := a.alerts(); len(got) > 0 {
		t.Error(got)
	}
	if gaps := a.only().conv.have.Gaps; len(gaps) > 0 {
		t.Errorf("%d gaps", len(gaps))
	}
}

// TestAbsurdHaves is a contact who says in a renewal that it has seen what was never
// written.
func TestAbsurdHaves(t *testing.T) {
	for _, sequence := range []uint64{0, 1, 2, 2 + sequenceJumpMax, sequenceMax, sequenceMax + 1, 1 << 63, math.MaxUint64} {
		a, b := meet(t)
		b.step(testNow, SendText{Contact: b.only().row.ID, Text: "one"})
		pump(t, testNow, a, b)
		c := a.only()
		asking, err := invite.AskRepair(rand.Reader, a.p.ourself(), invite.PeerDevice{Account: c.row.Account, Device: c.state.Device}, c.state.Recovery,
			wire.RequestPayload{Generation: c.state.Generation + 1, Have: []wire.Have{{Sequence: sequence}}})
		if err != nil {
			t.Fatal(err)
		}
		c.state.Repair = &repair{Request: asking, Generation: c.state.Generation + 1, Recovery: c.state.Recovery}
		d := wire.DepositedRequest{Request: [wire.RequestSize]byte(asking.Request)}
		a.out, b.out = Output{}, Output{}
		b.step(testNow, FrameReceived{Conn: b.only().live().id, Type: wire.TypeRequest, Body: d.Append(nil)})
		pump(t, testNow, a, b)
		absurd := sequence > sequenceMax
		if got := b.alerts(); (len(got) == 1 && got[0] == "absurd_sequence") != absurd {
			t.Errorf("%d: alerts %v", sequence, got)
		}
		want := max(sequence, 1) + 1
		if absurd {
			want = 2
		}
		b.step(testNow, SendText{Contact: b.only().row.ID, Text: "two"})
		if got := b.only().conv.row.OwnSequence; got != want {
			t.Errorf("%d: the next text has number %d", sequence, got)
		}
	}
}

// TestRemovedWhileConnecting removes, or blocks, a contact while a connection stands on
// which it has not answered our hello yet.
func TestRemovedWhileConnecting(t *testing.T) {
	for _, remove := range []bool{true, false} {
		a, b := meet(t)
		part(a, b)
		a.sayAll(1)
		b.sayAll(1)
		dial := b.dial()
		a.out, b.out = Output{}, Output{}
		local, remote := b.p.Transport(testNow).Public(), a.p.Transport(testNow).Public()
		a.step(testNow, ConnOpened{Conn: 77, Local: remote, Remote: local, Inbound: true})
		hello := b.step(testNow, ConnOpened{Conn: 77, Local: local, Remote: remote, Dial: dial.Dial})
		command := Input(SetBlocked{Contact: b.only().row.ID, Blocked: true})
		if remove {
			command = RemoveContact{Contact: b.only().row.ID}
		}
		hungUp := false
		for _, s := range b.step(testNow, command).Sends {
			h, ok := s.(Hangup)
			hungUp = hungUp || ok && h.Conn == 77
		}
		if !hungUp {
			t.Errorf("%T: the connection stays", command)
		}
		deliver(a, hello.Sends)
		b.out = Output{}
		deliver(b, a.out.Sends) // it was on the way when the connection ended
		if got := b.received(); got > 0 {
			t.Errorf("%T: %d messages stored", command, got)
		}
		if len(b.p.contacts) > 0 && remove {
			t.Error("the contact is back")
		}
	}
}

// deliver hands frames to a side.
func deliver(to *side, sends []Send) {
	for _, s := range sends {
		if f, ok := s.(SendFrame); ok {
			to.step(testNow, FrameReceived{Conn: f.Conn, Type: f.Type, Body: f.Body})
		}
	}
}

// TestOneHelloAConnection says hello twice on a connection: a stranger's second one is
// not looked at, since each costs a look at every contact.
func TestOneHelloAConnection(t *testing.T) {
	a, b := meet(t)
	part(a, b)
	b.sayAll(1)
	dial := b.dial()
	local, remote := b.p.Transport(testNow).Public(), a.p.Transport(testNow).Public()
	a.step(testNow, ConnOpened{Conn: 77, Local: remote, Remote: local, Inbound: true})
	right := b.step(testNow, ConnOpened{Conn: 77, Local: local, Remote: remote, Dial: dial.Dial})
	a.step(testNow, FrameReceived{Conn: 77, Type: wire.TypeHello, Body: make([]byte, 16)})
	a.out = Output{}
	deliver(a, right.Sends)
	if len(a.out.Sends) > 0 || len(a.only().conns) > 0 {
		t.Errorf("the second hello was answered: %v", a.out.Sends)
	}
}

// TestJoinedVoids takes back all that was written: neighbours are said in one content.
func TestJoinedVoids(t *testing.T) {
	a, b := meet(t)
	part(a, b)
	for i, sent := range b.sayAll(300) {
		b.step(testNow, TakeBack{ID: sent.ID, Conversation: sent.Conversation, Sequence: uint64(i + 1)})
	}
	if got := b.only().state.Voids; len(got) != 1 || got[0] != (Range{1, 300}) {
		t.Errorf("what will not come is %v", got)
	}
	if len(b.only().state.Inline) > 0 {
		t.Errorf("%d contents wait", len(b.only().state.Inline))
	}
	pump(t, testNow, a, b)
	if got := a.only().conv.have.next(); got != 301 {
		t.Errorf("next is %d", got)
	}
	if len(b.only().state.Voids) > 0 || b.only().waits() {
		t.Error("it still waits")
	}
}

// BenchmarkStrangersHello is what a wrong hello costs somebody with 200 contacts, who
// were last heard of a year ago.
func BenchmarkStrangersHello(b *testing.B) {
	p, _, err := Create(rand.Reader, Config{}, testNow, "Mina")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 200 {
		c := &contact{row: PutContact{ID: ContactID{1, byte(i)}, Phase: ContactEstablished}, state: contactState{Recovery: [32]byte{byte(i), 1}}}
		c.sessions = []*pairSession{{chain: identity.NewPairChain([32]byte{byte(i)}, dayOf(testNow)-365)}}
		p.keepContact(c)
	}
	frame := make([]byte, 16)
	n := ConnID(0)
	for b.Loop() {
		n++
		p.Step(testNow, ConnOpened{Conn: n, Inbound: true})
		p.Step(testNow, FrameReceived{Conn: n, Type: wire.TypeHello, Body: frame})
		p.Step(testNow, ConnClosed{Conn: n})
	}
}

// TestAMillionVoids has more be taken back than a gap may be long, and something follow.
func TestAMillionVoids(t *testing.T) {
	a, b := meet(t)
	part(a, b)
	c := b.only()
	if _, err := b.p.openConversation(testNow, c); err != nil {
		t.Fatal(err)
	}
	c.conv.row.OwnSequence = 3 * sequenceJumpMax
	b.p.pushVoid(c, 1, 3*sequenceJumpMax)
	b.sayAll(1)
	pump(t, testNow, a, b)
	if got := a.received(); got != 1 {
		t.Errorf("%d messages arrived: %v", got, a.alerts())
	}
}

// TestTriedAgainAtTheStart has the first dials of a start fail: the contact may have
// something for us, and its own tries are far apart by then.
func TestTriedAgainAtTheStart(t *testing.T) {
	a, b := meet(t)
	now := testNow.Add(time.Minute)
	a.step(now, Woke{})
	b.step(now, Woke{})
	pump(t, now, a, b) // where they are
	part(a, b)
	b.step(now, Reconnect{})
	tries := 0
	for range 100 {
		var dial Dial
		for _, s := range b.out.Sends {
			if d, ok := s.(Dial); ok {
				dial = d
			}
		}
		b.out = Output{}
		if dial.Dial != 0 {
			tries++
			b.step(now, DialFailed{Dial: dial.Dial, Code: "dial_failed"})
		}
		now = now.Add(time.Minute)
		b.step(now, Woke{})
	}
	if tries != wantedTriesMax {
		t.Errorf("%d tries", tries)
	}
}
