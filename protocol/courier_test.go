package protocol

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/mailbox"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// town carries what its people send each other, as long as they are on, and keeps the
// rows of their couriers.
type town struct {
	t    *testing.T
	now  time.Time
	all  []*side
	off  map[*side]bool
	mute map[*side][]wire.Type // what they do not answer
	ends map[ConnID][2]*side   // dialer, listener
	held map[*side]map[wire.MailboxID][]PutHeld
	wait []CheckStamp // stamps whose check has not ended
	rows map[*side]*rows
	last ConnID

	unread  int                        // how many reads of parts are to fail for now
	reading func(*side, FetchContents) // called before contents are read; nil = nothing

	relays
	denies *side // says of everybody whom it helps that they are away
}

func newTown(t *testing.T, names ...string) (*town, []*side) {
	w := &town{
		t: t, now: testNow, off: make(map[*side]bool), mute: make(map[*side][]wire.Type), ends: make(map[ConnID][2]*side),
		held: make(map[*side]map[wire.MailboxID][]PutHeld), rows: make(map[*side]*rows), relays: newRelays(),
	}
	for i, name := range names {
		s := newSide(t, name, uint16(1001+i), w.now)
		w.all = append(w.all, s)
		w.held[s] = make(map[wire.MailboxID][]PutHeld)
		w.rows[s] = newRows()
	}
	return w, w.all
}

func (w *town) meet(a, b *side) {
	link := a.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	b.step(w.now, AddContact{Link: link})
	w.run()
}

func (w *town) by(key identity.TransportKey) *side {
	for _, s := range w.all {
		if s.p.Transport(w.now).Public() == key && !w.off[s] {
			return s
		}
	}
	return nil
}

// switchOff ends all connections of a side.
func (w *town) switchOff(s *side) {
	w.off[s] = true
	for id, ends := range w.ends {
		for i, end := range ends {
			if end == s {
				s.step(w.now, ConnClosed{Conn: id})
				ends[1-i].step(w.now, ConnClosed{Conn: id})
				delete(w.ends, id)
			}
		}
	}
	w.run()
}

func (w *town) switchOn(s *side) {
	delete(w.off, s)
	s.step(w.now, Reconnect{})
	w.run()
}

// run carries all that is sent until nothing is.
func (w *town) run() {
	for range 2000 {
		moved := false
		for _, s := range w.all {
			sends, writes := s.out.Sends, s.out.Writes
			s.out.Sends, s.out.Writes = nil, nil
			for _, write := range writes {
				w.keep(s, write)
			}
			for _, send := range sends {
				moved = true
				w.do(s, send)
			}
			jobs := s.jobs
			s.jobs = nil
			for _, job := range jobs {
				moved = true
				w.work(s, job)
			}
		}
		if !moved {
			return
		}
	}
	w.t.Fatal("it does not come to rest")
}

func (w *town) do(s *side, send Send) {
	if testing.Verbose() {
		if f, ok := send.(SendFrame); ok {
			w.t.Log(s.name, f.Conn, f.Type.Name(), len(f.Body))
		} else {
			w.t.Logf("%s %T", s.name, send)
		}
	}
	switch send := send.(type) {
	case Dial:
		if slices.Contains(send.Keys, s.p.Transport(w.now).Public()) {
			w.t.Errorf("%s dials itself", s.name)
		}
		for _, key := range send.Keys {
			if to := w.by(key); to != nil && to != s && !w.off[s] && w.lets(s, to, send) {
				relayed := len(send.Relays) > 0
				w.last++
				w.ends[w.last] = [2]*side{s, to}
				own := s.p.Transport(w.now).Public()
				to.step(w.now, ConnOpened{Conn: w.last, Local: key, Remote: own, Inbound: true, Relayed: relayed})
				s.step(w.now, ConnOpened{Conn: w.last, Local: own, Remote: key, Dial: send.Dial, Relayed: relayed})
				return
			}
		}
		s.step(w.now, DialFailed{Dial: send.Dial, Code: "dial_failed"})
	case RelayHelp, RelayAdmit, RelayReserve, Punch, LetPunch:
		w.relay(s, send)
	case SendFrame:
		if ends, ok := w.ends[send.Conn]; ok {
			to := ends[0]
			if to == s {
				to = ends[1]
			}
			if said, err := wire.ParseAcknowledge(send.Body); s == w.denies && send.Type == wire.TypeAcknowledge && err == nil && said.Word == wire.MailboxReachable {
				said.Word = wire.MailboxAway
				send.Body = said.Append(nil)
			}
			if !slices.Contains(w.mute[to], send.Type) {
				to.step(w.now, FrameReceived{Conn: send.Conn, Type: send.Type, Body: send.Body})
			}
		}
	case Hangup:
		if ends, ok := w.ends[send.Conn]; ok {
			delete(w.ends, send.Conn)
			for _, end := range ends {
				if end != s {
					end.step(w.now, ConnClosed{Conn: send.Conn})
				}
			}
		}
	}
}

func (w *town) keep(s *side, write Write) {
	w.rows[s].keep(write)
	switch r := write.(type) {
	case PutMessage:
		s.history = append(s.history, r)
	case PutPart:
		s.parts = append(s.parts, r)
	case EraseMessage:
		s.erased[r.ID] = true
	case PutHeld:
		w.held[s][r.Mailbox] = append(w.held[s][r.Mailbox], r)
	case EraseMailbox:
		delete(w.held[s], r.ID)
	case EraseHeld:
		var left []PutHeld
		for _, h := range w.held[s][r.Mailbox] {
			if h.Hash != r.Hash {
				left = append(left, h)
			}
		}
		w.held[s][r.Mailbox] = left
	}
}

// holds counts the items that a courier holds.
func (w *town) holds(s *side) (n int) {
	for _, items := range w.held[s] {
		n += len(items)
	}
	return n
}

func (w *town) work(s *side, job Job) {
	switch j := job.(type) {
	case FetchHeld:
		in := HeldFetched{Conn: j.Conn, Mailbox: j.Mailbox}
		for _, hash := range j.Items {
			for _, h := range w.held[s][j.Mailbox] {
				if h.Hash == hash {
					in.Items = append(in.Items, wire.Item{Type: h.Type, Body: h.Body})
				}
			}
		}
		s.step(w.now, in)
	case FetchContents:
		if w.reading != nil {
			w.reading(s, j)
		}
		in := ContentsFetched{Contact: j.Contact, Contents: make(map[MessageID][]byte)}
		for _, id := range j.Messages {
			for _, m := range s.history {
				if m.ID == id {
					in.Contents[id] = m.Content
				}
			}
			if content := w.sharedContent(s, id); content != nil {
				in.Contents[id] = content
			}
		}
		s.step(w.now, in)
	case FetchShared:
		w.findShared(s, j)
	case FetchParts:
		in := PartsFetched{Contact: j.Contact, Parts: make(map[outbox.Part][]byte)}
		if in.Later = w.unread > 0; in.Later {
			w.unread--
			j.Parts = nil
		}
		for _, part := range j.Parts {
			if sealed := sealedPart(s, part); sealed != nil {
				in.Parts[part] = sealed
			}
		}
		s.step(w.now, in)
	case FetchSequences:
		in := SequencesFetched{Conversation: j.Conversation, First: j.First, Last: j.Last, Compare: j.Compare}
		for _, m := range w.rows[s].own {
			if m.Conversation == j.Conversation && m.Sequence >= j.First && m.Sequence <= j.Last {
				in.Messages = append(in.Messages, Waiting{ID: m.ID, Conversation: m.Conversation, Sequence: m.Sequence, SizeBytes: len(m.Content)})
			}
		}
		s.step(w.now, in)
	case MakeStamp:
		s.step(w.now, StampMade{Job: j.Job, Stamp: wire.Stamp{Day: j.Day}, OK: true})
	case CheckStamp:
		w.wait = append(w.wait, j)
	default:
		w.t.Fatalf("a job %T", j)
	}
}

// pass lets time go by, a second at a time.
func (w *town) pass(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(time.Second)
		for _, s := range w.all {
			if !w.off[s] {
				s.step(w.now, Woke{})
			}
		}
		w.run()
	}
}

// friends returns a, b and their common contact c, who is b's courier.
func friends(t *testing.T) (w *town, a, b, c *side) {
	w, all := newTown(t, "Mina", "Jiwoo", "Courier")
	a, b, c = all[0], all[1], all[2]
	w.meet(a, b)
	w.meet(b, c)
	c.step(w.now, OfferHelp{Contact: c.only().row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
	w.run()
	w.pass(5 * time.Second)
	return w, a, b, c
}

// of returns a side's contact with another side.
func (s *side) of(other *side) *contact {
	return s.p.contactOf(other.p.self.account, nil)
}

func TestMailGoesByCourier(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(b)
	const n = 1000
	for i := range n {
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint("text ", i)})
		if i%100 == 0 {
			w.pass(time.Second)
		}
	}
	w.pass(30 * time.Second)
	if got := a.of(b).conv.row.Carried[0]; len(got) != 1 || got[0] != (Range{1, n}) {
		t.Fatalf("carried %v", got)
	}
	if w.holds(c) == 0 || w.holds(c) > wire.ItemsMax {
		t.Errorf("the courier holds %d items", w.holds(c))
	}
	w.switchOff(a)
	w.switchOn(b)
	if got := len(b.history); got != n {
		t.Fatalf("%d of %d texts arrived", got, n)
	}
	for i, m := range b.history {
		if m.Sequence != uint64(i+1) {
			t.Fatalf("text %d is %d", i, m.Sequence)
		}
	}
	if w.holds(c) > 0 {
		t.Errorf("the courier still holds %d items", w.holds(c))
	}
	w.switchOn(a)
	w.pass(15 * time.Minute)
	if d := a.of(b).conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, n}) {
		t.Errorf("delivered %v", d)
	}
}

// TestLongTextsGatherNoLonger has texts carried that fill envelopes, more than are kept in
// memory: each envelope leaves when no more fits into it, however many are out. The last
// texts, which fit into one, wait for what else may come.
func TestLongTextsGatherNoLonger(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Home")
	a, b, home := all[0], all[1], all[2]
	w.pair(b, home)
	w.meet(a, b)
	w.pass(5 * time.Second)
	w.switchOff(b)
	const n = 700 // two an envelope: the window is at its slowest in the end
	long := strings.Repeat("x", 31_000)
	for range n {
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: long})
	}
	w.pass(10 * time.Second)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "short"})
	w.pass(time.Minute)
	if got := a.of(b).conv.row.Carried[0]; len(got) != 1 || got[0] != (Range{1, n - 2}) {
		t.Fatalf("carried %v", got)
	}
	if got := w.holds(home); got != n/2-1 && got != n/2 { // perhaps with the day's sync frame
		t.Errorf("%d long texts are in %d envelopes", n-2, got)
	}
	w.pass(time.Hour)
	w.switchOff(a)
	w.switchOn(b)
	if got := len(b.history); got != n+1 || b.history[n].Sequence != n+1 {
		t.Errorf("%d of %d texts arrived", got, n+1)
	}
}

// allFriends returns a and b, whose couriers are c and d.
func allFriends(t *testing.T) (w *town, a, b *side, couriers []*side) {
	return friendsWith(t, "Courier", "Second")
}

// friendsWith returns a and b and couriers of both.
func friendsWith(t *testing.T, names ...string) (w *town, a, b *side, couriers []*side) {
	w, all := newTown(t, append([]string{"Mina", "Jiwoo"}, names...)...)
	a, b = all[0], all[1]
	w.meet(a, b)
	for _, c := range all[2:] {
		for _, owner := range []*side{a, b} {
			w.meet(owner, c)
			c.step(w.now, OfferHelp{Contact: c.of(owner).row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
		}
	}
	w.run()
	w.pass(time.Minute) // so that connections have lasted
	return w, a, b, all[2:]
}

// TestNeverOnTogether has two talk who are never on at the same time.
func TestNeverOnTogether(t *testing.T) {
	w, a, b, couriers := allFriends(t)
	w.switchOff(b)
	const rounds = 4
	on, off := a, b
	for round := range rounds {
		on.step(w.now, SendText{Contact: on.of(off).row.ID, Text: fmt.Sprint("round ", round)})
		w.pass(20 * time.Minute) // acks go by courier after up to ten
		w.switchOff(on)
		on, off = off, on
		w.switchOn(on)
		w.pass(20 * time.Minute)
	}
	for _, s := range []*side{a, b} {
		if got := len(s.history); got != rounds {
			t.Errorf("%s has %d messages, not %d", s.name, got, rounds)
		}
	}
	for _, c := range couriers {
		for id, items := range w.held[c] {
			if len(items) > 4 {
				t.Errorf("%d items lie in %x", len(items), id[:2])
			}
		}
	}
	first, second := a.of(b).conv.row, b.of(a).conv.row
	if d := first.Delivered; len(d) != 1 || d[0] != (Range{1, rounds / 2}) {
		t.Errorf("%s: delivered %v, carried %v", a.name, d, first.Carried)
	}
	if d := second.Delivered; len(d) == 0 || d[0].Last < rounds/2-1 {
		t.Errorf("%s: delivered %v, carried %v", b.name, d, second.Carried)
	}
}

func TestTwoCouriersCarry(t *testing.T) {
	w, a, b, couriers := allFriends(t)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"})
	w.pass(10 * time.Second)
	if got := a.of(b).conv.row.Carried[1]; len(got) != 1 || got[0] != (Range{1, 1}) {
		t.Fatalf("carried by two: %v", got)
	}
	w.switchOff(couriers[0]) // one of them is gone for good
	w.switchOff(a)
	w.switchOn(b)
	if got := len(b.history); got != 1 {
		t.Errorf("%d messages", got)
	}
}

// TestTakenBackFromCouriers takes a message back that couriers hold: they erase it.
func TestTakenBackFromCouriers(t *testing.T) {
	w, a, b, couriers := allFriends(t)
	w.switchOff(b)
	sent := a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"}).Replies[0].Result.(Sent)
	w.pass(10 * time.Second)
	before := w.holds(couriers[0])
	if before == 0 {
		t.Fatal("no courier holds it")
	}
	a.step(w.now, TakeBack{ID: sent.ID, Conversation: sent.Conversation, Sequence: 1})
	w.pass(30 * time.Second)
	if n := len(a.of(b).state.Withdraw); n > 0 {
		t.Errorf("%d are not withdrawn", n)
	}
	w.switchOff(a)
	w.switchOn(b)
	if got := len(b.history); got != 0 {
		t.Errorf("%d messages arrived", got)
	}
	if gaps := b.of(a).conv.have.Gaps; len(gaps) > 0 || b.of(a).conv.have.next() != 2 {
		t.Errorf("gaps %v, next %d", gaps, b.of(a).conv.have.next())
	}
}

// TestCourierEndsHelp has the courier stop: all that it kept is erased, and the sender
// loses nothing.
func TestCourierEndsHelp(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"})
	w.pass(10 * time.Second)
	c.step(w.now, EndHelp{Contact: c.of(b).row.ID})
	w.run()
	if n := w.holds(c); n > 0 {
		t.Errorf("it still holds %d", n)
	}
	w.switchOn(b)
	w.pass(time.Minute)
	if got := len(b.history); got != 1 {
		t.Errorf("%d messages", got)
	}
	if b.of(c).state.Courier != nil || len(b.of(a).state.Boxes) > 0 {
		t.Error("the owner still counts on it")
	}
	if r := a.of(b).state.Record; len(r.Mailboxes) > 0 {
		t.Error("the sender still counts on it")
	}
}

// TestOfferBehindItsEnd has an offer come later than that it is over, as it may by two
// paths: the owner learns it when it asks for a mailbox.
func TestOfferBehindItsEnd(t *testing.T) {
	w, _, b, c := friends(t)
	c.step(w.now, EndHelp{Contact: c.of(b).row.ID})
	w.run()
	b.of(c).state.Courier, b.p.furnishDue = &mailbox.Terms{QuotaBytes: 32 << 20, LifetimeDays: 14}, true
	w.pass(time.Minute)
	if b.of(c).state.Courier != nil {
		t.Error("the owner still counts on it")
	}
}

// TestBlockedAndRemovedHaveNoMailbox blocks and removes a contact: its mailbox at a courier
// is closed, with what lies there. Unblocked it gets a new one, and all its mail comes.
func TestBlockedAndRemovedHaveNoMailbox(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"})
	w.pass(10 * time.Second)
	if w.holds(c) == 0 {
		t.Fatal("nothing was left")
	}
	standing := func() int { return len(c.p.shelves.Boxes()) }
	b.step(w.now, SetBlocked{Contact: b.of(a).row.ID, Blocked: true})
	w.switchOn(b)
	w.pass(time.Minute)
	if standing() > 0 || w.holds(c) > 0 || len(b.history) > 0 {
		t.Errorf("blocked: %d mailboxes, %d items, %d messages", standing(), w.holds(c), len(b.history))
	}
	b.step(w.now, SetBlocked{Contact: b.of(a).row.ID})
	w.pass(time.Minute)
	if standing() != 1 || len(b.history) != 1 {
		t.Errorf("unblocked: %d mailboxes, %d messages", standing(), len(b.history))
	}
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "two"})
	w.pass(10 * time.Second)
	if w.holds(c) == 0 {
		t.Error("nothing was left in the new one")
	}
	b.step(w.now, RemoveContact{Contact: b.of(a).row.ID})
	w.switchOn(b)
	w.pass(time.Minute)
	if standing() > 0 || w.holds(c) > 0 {
		t.Errorf("removed: %d mailboxes, %d items", standing(), w.holds(c))
	}
}

// TestMailProvesNothingOfToday: after the disk was put back, mail from before, by courier,
// is no sign that both sides agree; the receipt for what was written since is one.
func TestMailProvesNothingOfToday(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(b)
	w.writes(a, b, 2)
	w.pass(10 * time.Second)
	var mail []byte
	for _, items := range w.held[c] {
		mail = slices.Clone(items[0].Body)
	}
	before := w.rows[b].clone()
	w.switchOn(b)
	w.pass(30 * time.Second)
	w.writes(b, a, 4) // a gets these, and b will not know of it
	w.pass(5 * time.Second)
	w.inOrder(a, 4)
	w.switchOff(a)
	w.switchOff(b)
	w.rows[b] = before
	b.reload(w.now, before.state(b))
	b.history = nil
	w.off[b] = true
	var out Output // as a courier's would that lost what the owner acknowledged
	b.p.out, b.p.lastNow = &out, w.now
	if err := b.p.carriedEnvelope(w.now, b.of(a), mail); err != nil {
		t.Fatal(err)
	}
	for _, write := range out.Writes {
		w.keep(b, write)
	}
	b.step(w.now, Woke{})
	w.run()
	if len(b.history) != 2 || b.of(a).state.Apart == 0 {
		t.Errorf("%d messages; apart since %d", len(b.history), b.of(a).state.Apart)
	}
	w.writes(b, a, 2)
	w.switchOn(a)
	w.switchOn(b)
	w.pass(2 * time.Minute)
	w.inOrder(a, 6)
	if b.of(a).state.Apart != 0 {
		t.Error("they agree and do not know it")
	}
}

// TestFullMailbox fills a mailbox: what finds no room waits with the sender.
func TestFullMailbox(t *testing.T) {
	w, a, b, c := friends(t)
	c.step(w.now, OfferHelp{Contact: c.of(b).row.ID, QuotaBytes: 4 * wire.EnvelopeBytesMax, LifetimeDays: 14})
	w.run()
	w.switchOff(b)
	const n = 8
	for i := range n {
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint(i, strings.Repeat("x", 30000))})
		w.pass(5 * time.Second)
	}
	carried := 0
	for _, r := range a.of(b).conv.row.Carried[0] {
		carried += int(r.Last - r.First + 1)
	}
	if carried == 0 || carried == n {
		t.Errorf("%d are carried", carried)
	}
	w.switchOn(b)
	w.pass(time.Minute)
	if got := len(b.history); got != n {
		t.Errorf("%d messages", got)
	}
}

// TestLyingCourier is a courier that says "stored" and erases: the sender keeps its copy.
func TestLyingCourier(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"})
	w.pass(10 * time.Second)
	clear(w.held[c])
	w.switchOn(b)
	w.pass(time.Minute)
	if got := len(b.history); got != 1 {
		t.Errorf("%d messages", got)
	}
}

// TestOtherCapability shows a courier wrong capabilities: it looks as if nothing were there.
func TestOtherCapability(t *testing.T) {
	w, a, b, c := friends(t)
	m := a.of(b).state.Record.Mailboxes[0]
	k := b.of(c).live()
	var id ConnID
	for conn, ends := range w.ends {
		if conn == k.id {
			id = conn
		}
		_ = ends
	}
	item := wire.Item{Type: wire.TypeEnvelope, Body: make([]byte, 512)}
	for _, body := range [][]byte{
		wire.Deposit{ID: m.ID, Write: wire.Capability{1}, Item: item}.Append(nil),
		wire.Deposit{ID: wire.MailboxID{1}, Write: m.Write, Item: item}.Append(nil),
	} {
		if out := c.step(w.now, FrameReceived{Conn: id, Type: wire.TypeDeposit, Body: body}); len(out.Sends) > 0 {
			t.Errorf("it answers %v", out.Sends)
		}
	}
	collect := wire.AppendCollect(nil, []wire.Key{{ID: m.ID, Capability: m.Write}})
	if out := c.step(w.now, FrameReceived{Conn: id, Type: wire.TypeCollect, Body: collect}); len(out.Sends) > 0 || len(out.Jobs) > 0 {
		t.Error("the write capability reads")
	}
	withdraw := wire.Withdraw{Key: wire.Key{ID: m.ID, Capability: wire.Capability{2}}, Items: []wire.ItemHash{{1}}}.Append(nil)
	if out := c.step(w.now, FrameReceived{Conn: id, Type: wire.TypeWithdraw, Body: withdraw}); len(out.Sends) > 0 {
		t.Error("a wrong capability withdraws")
	}
}

// TestLinkOpensNoMailbox shows a courier the right capability on a connection that a link
// of its own proved: the holder of a link is not answered.
func TestLinkOpensNoMailbox(t *testing.T) {
	w, a, b, c := friends(t)
	m := a.of(b).state.Record.Mailboxes[0]
	text := c.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	link, err := wire.ParseLink(text)
	if err != nil {
		t.Fatal(err)
	}
	stranger(c, w.now, 900, identity.LinkHelloKey(link.Secret))
	deposit := wire.Deposit{ID: m.ID, Write: m.Write, Item: wire.Item{Type: wire.TypeEnvelope, Body: make([]byte, 512)}}.Append(nil)
	if out := c.step(w.now, FrameReceived{Conn: 900, Type: wire.TypeDeposit, Body: deposit}); len(out.Sends)+len(out.Writes) > 0 {
		t.Errorf("it answers %v, writes %v", out.Sends, out.Writes)
	}
}

// TestCollectedAgainAndAgain has a reader collect one mailbox as often as one frame lets
// it: the courier has no more read than may be on the way.
func TestCollectedAgainAndAgain(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(b)
	for i := range 4 {
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint(i, strings.Repeat("x", 30000))})
		w.pass(5 * time.Second)
	}
	box := b.of(a).state.Boxes[0]
	stranger(c, w.now, 900, box.Read.Access().HelloKey(dayOf(w.now)))
	keys := make([]wire.Key, wire.CollectKeysMax)
	for i := range keys {
		keys[i] = wire.Key{ID: box.ID, Capability: box.Read}
	}
	c.jobs, c.out = nil, Output{}
	collect := FrameReceived{Conn: 900, Type: wire.TypeCollect, Body: wire.AppendCollect(nil, keys)}
	c.step(w.now, collect)
	c.step(w.now, collect)
	if len(c.jobs) != 1 {
		t.Fatalf("%d jobs", len(c.jobs))
	}
	read := c.jobs[0].(FetchHeld)
	c.jobs = nil
	w.work(c, read)
	if pushed := countFrames(c.out.Sends, wire.TypePush); pushed != len(read.Items) || len(c.jobs) != 1 {
		t.Errorf("%d of %d pushed, %d jobs", pushed, len(read.Items), len(c.jobs))
	}
}

func countFrames(sends []Send, typ wire.Type) (n int) {
	for _, send := range sends {
		if f, ok := send.(SendFrame); ok && f.Type == typ {
			n++
		}
	}
	return n
}

// TestManyMailboxesAtOnce collects more mail than may be on the way at once: all of it
// comes, and never more is read than that.
func TestManyMailboxesAtOnce(t *testing.T) {
	w, all := newTown(t, append([]string{"Jiwoo", "Courier"}, strings.Split("ABCDEF", "")...)...)
	b, c, people := all[0], all[1], all[2:]
	w.meet(b, c)
	c.step(w.now, OfferHelp{Contact: c.of(b).row.ID, QuotaBytes: 256 << 20, LifetimeDays: 14})
	for _, a := range people {
		w.meet(b, a)
	}
	w.run()
	w.pass(5 * time.Second)
	w.switchOff(b)
	now := w.now.Unix() + 1000000
	bytes := 0
	for _, a := range people { // as many large envelopes as may be on the way out of one
		m := a.of(b).state.Record.Mailboxes[0]
		for i := range 62 {
			item := wire.Item{Type: wire.TypeEnvelope, Body: make([]byte, wire.EnvelopeBytesMax)}
			item.Body[0], item.Body[1] = byte(i), m.ID[0]
			bytes += len(item.Body)
			h := PutHeld{Mailbox: m.ID, Hash: item.Hash(), Number: uint64(i), Expires: now, Type: item.Type, Body: item.Body}
			if c.p.shelves.RestoreItem(m.ID, mailbox.Held{Hash: h.Hash, Number: h.Number, Expires: now, SizeBytes: len(item.Body)}) {
				w.held[c][m.ID] = append(w.held[c][m.ID], h)
			}
		}
	}
	if bytes <= pushAllBytesMax {
		t.Fatalf("%d bytes are not too many", bytes)
	}
	delete(w.off, b)
	b.step(w.now, Reconnect{})
	most := 0
	for range 200 { // as town.run, but with a look at what is on the way
		for _, s := range []*side{c, b} {
			sends := s.out.Sends
			s.out.Sends = nil
			for _, send := range sends {
				w.do(s, send)
			}
			for _, write := range s.out.Writes {
				w.keep(s, write)
			}
			s.out.Writes = nil
			jobs := s.jobs
			s.jobs = nil
			read := 0
			for _, job := range jobs {
				if f, ok := job.(FetchHeld); ok {
					read += len(f.Items) * wire.EnvelopeBytesMax
				}
				w.work(s, job)
			}
			most = max(most, read)
		}
	}
	if most > pushAllBytesMax {
		t.Errorf("%d bytes are read at once", most)
	}
	if n := w.holds(c); n > 0 {
		t.Errorf("%d items are never collected", n)
	}
	for _, k := range c.p.connsInOrder() {
		if k.pushing != 0 {
			t.Errorf("%d bytes are on the way for ever", k.pushing)
		}
	}
}

// askers returns b, its courier c, and n people who have asked to become contacts of b by
// a link that names the courier alone, while b was off.
func askers(t *testing.T, n int, in CreateInvite) (w *town, b, c *side) {
	names := []string{"Jiwoo", "Courier"}
	for i := range n {
		names = append(names, fmt.Sprint("Asker ", i))
	}
	w, all := newTown(t, names...)
	b, c = all[0], all[1]
	w.meet(b, c)
	c.step(w.now, OfferHelp{Contact: c.of(b).row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
	w.run()
	link := b.step(w.now, in).Replies[0].Result.(InviteCreated).Link
	w.run()
	w.pass(5 * time.Second)
	w.switchOff(b)
	for _, a := range all[2:] {
		a.step(w.now, AddContact{Link: link})
		w.run()
	}
	w.pass(5 * time.Second)
	return w, b, c
}

// TestStampsByCourier has several ask by a card through a courier: their stamps are checked one
// after the other on one connection, and the courier keeps each request until then.
func TestStampsByCourier(t *testing.T) {
	const n = 3
	w, b, c := askers(t, n, CreateInvite{Kind: InviteCard, Ask: true})
	held := w.holds(c)
	w.switchOn(b)
	for i := range n {
		if len(w.wait) != 1 || w.holds(c) < held-i {
			t.Fatalf("request %d: %d checks, %d of %d items are held", i, len(w.wait), w.holds(c), held)
		}
		job := w.wait[0].Job
		w.wait = nil
		b.step(w.now, StampChecked{Job: job, OK: i > 0})
		w.run()
	}
	if len(b.p.requests) != n-1 || len(w.wait) > 0 {
		t.Errorf("%d requests, %d checks", len(b.p.requests), len(w.wait))
	}
}

// TestCourierThatDoesNotAnswer has couriers end their help while the owner is off: whoever has mail for
// the owner, or wants some back, does not press them.
func TestCourierThatDoesNotAnswer(t *testing.T) {
	w, a, b, couriers := allFriends(t)
	w.switchOff(b)
	sent := a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"}).Replies[0].Result.(Sent)
	w.pass(10 * time.Second)
	for _, c := range couriers {
		c.step(w.now, EndHelp{Contact: c.of(b).row.ID})
	}
	w.run()
	a.step(w.now, TakeBack{ID: sent.ID, Conversation: sent.Conversation, Sequence: 1})
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "two"})
	deposits, withdrawals := 0, 0
	for range 3600 {
		w.now = w.now.Add(time.Second)
		a.step(w.now, Woke{})
		deposits += countFrames(a.out.Sends, wire.TypeDeposit)
		withdrawals += countFrames(a.out.Sends, wire.TypeWithdraw)
		w.run()
	}
	if deposits == 0 || deposits > 2*2*8 || withdrawals == 0 || withdrawals > 2*61 {
		t.Errorf("%d deposits and %d withdrawals in an hour", deposits, withdrawals)
	}
	w.switchOn(b)
	w.pass(time.Minute)
	if got := len(b.history); got != 1 {
		t.Errorf("%d messages", got)
	}
}

// TestCouriersOfAChangingRecord has a contact name other couriers again and again: we do not
// remember each of them.
func TestCouriersOfAChangingRecord(t *testing.T) {
	w, a, b, _ := friends(t)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"})
	for i := range 50 {
		r := *a.of(b).state.Record
		r.Sequence++
		key := identity.TransportKey{1, byte(i)}
		r.Couriers = []wire.Courier{{Key: key, Address: r.Couriers[0].Address}}
		r.Mailboxes = []wire.Mailbox{r.Mailboxes[0]}
		r.Mailboxes[0].Courier = key
		a.p.recordReceived(a.of(b), &r)
		w.pass(3 * time.Second)
	}
	if n := len(a.p.posts); n > 6*newCouriersMax+4 {
		t.Errorf("%d couriers are remembered", n)
	}
}

// TestHelpOfWhoHasRemoved has a courier remove the contact that it helps, and be asked anew: it
// has forgotten that it helped, and the other side knows at once, though nothing is asked of it.
func TestHelpOfWhoHasRemoved(t *testing.T) {
	w, all := newTown(t, "Courier", "Jiwoo", "Mina")
	a, b, c := all[0], all[1], all[2]
	help := func() {
		a.step(w.now, OfferHelp{Contact: a.of(b).row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
		w.run()
	}
	w.meet(a, b)
	w.meet(b, c)
	help()
	if b.of(a).state.Courier == nil || len(b.of(c).state.Boxes) == 0 {
		t.Fatal("nobody helps")
	}
	a.step(w.now, RemoveContact{Contact: a.of(b).row.ID})
	w.run()
	w.mute[a] = []wire.Type{wire.TypeMailbox, wire.TypeCollect, wire.TypeReach}
	w.meet(a, b)
	w.pass(time.Minute)
	if b.of(a).state.Courier != nil || len(b.of(c).state.Boxes) > 0 {
		t.Error("the courier is still counted on")
	}
	w.mute[a] = nil
	help()
	w.pass(time.Minute)
	if b.of(a).state.Courier == nil || len(b.of(c).state.Boxes) == 0 {
		t.Error("it does not help again")
	}
}

// TestPathWhileReadingForCouriers opens a path while contents are read for a courier: what is due
// on the path is not put off until it is due again.
func TestPathWhileReadingForCouriers(t *testing.T) {
	w, a, b, _ := friends(t)
	w.switchOff(b)
	for i := range 100 {
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint(i) + strings.Repeat("x", 30000)})
		w.run()
	}
	w.pass(20 * time.Second)
	w.mute[b] = []wire.Type{wire.TypePush}
	opened := false
	w.reading = func(s *side, _ FetchContents) {
		if s != a || opened {
			return
		}
		opened = true
		delete(w.off, b)
		b.step(w.now, Reconnect{})
		w.run()
	}
	w.restart(a)
	w.pass(2 * time.Second)
	n := uint64(0)
	for _, r := range a.of(b).conv.row.Delivered {
		n += r.Last - r.First + 1
	}
	if !opened || n != 100 {
		t.Errorf("%d are delivered in 2 s, opened %v", n, opened)
	}
}

// TestManyReadsForAPath comes back from a restart with much to send again on a path: it is read
// piece by piece, all of it at once and none of it twice.
func TestManyReadsForAPath(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(c)
	w.mute[b] = []wire.Type{wire.TypeEnvelope}
	const n, size = 100, 30000
	for i := range n {
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint(i) + strings.Repeat("x", size)})
		w.run()
	}
	w.switchOff(b)
	delete(w.mute, b)
	w.restart(a)
	reads := make(map[MessageID]int)
	w.reading = func(s *side, job FetchContents) {
		if s == a && len(job.Messages)*size > 2*outbox.FetchBytesMax {
			t.Errorf("%d texts are read at once", len(job.Messages))
		}
		for _, id := range job.Messages {
			reads[id]++
		}
	}
	w.switchOn(b)
	w.pass(2 * time.Second)
	if got := a.of(b).conv.row.Delivered; len(got) != 1 || got[0] != (Range{1, n}) {
		t.Errorf("%v are delivered in 2 s", got)
	}
	for _, times := range reads {
		if times > 1 {
			t.Fatalf("a text is read %d times", times)
		}
	}
	if len(reads) < n/2 {
		t.Errorf("only %d texts were read", len(reads))
	}
}
