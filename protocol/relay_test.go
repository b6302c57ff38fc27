package protocol

import (
	"testing"
	"time"

	"pabal/protocol/invite"
	"pabal/protocol/wire"
)

// relays is what the people of a town let each other do on connections.
type relays struct {
	walled   map[*side]bool // nobody gets in by itself
	helped   map[ConnID]ContactID
	admitted map[ConnID]map[ContactID]bool
	reserved map[ConnID]bool
	let      map[ConnID]bool
	punches  bool // make a hole
	through  int  // dials that relays served
	refused  int  // and those that they did not
}

func newRelays() relays {
	return relays{
		walled: make(map[*side]bool), helped: make(map[ConnID]ContactID), admitted: make(map[ConnID]map[ContactID]bool),
		reserved: make(map[ConnID]bool), let: make(map[ConnID]bool),
	}
}

func (w *town) relay(s *side, send Send) {
	switch send := send.(type) {
	case RelayHelp:
		w.helped[send.Conn] = send.Name
	case RelayAdmit:
		if w.admitted[send.Conn] == nil {
			w.admitted[send.Conn] = make(map[ContactID]bool)
		}
		w.admitted[send.Conn][send.Name] = true
	case RelayReserve:
		w.reserved[send.Conn] = send.On
	case LetPunch:
		w.let[send.Conn] = true
	case Punch:
		ends, ok := w.ends[send.Conn]
		if !ok || !w.punches || !w.let[send.Conn] {
			s.step(w.now, DialFailed{Dial: send.Dial, Code: "unreachable"})
			return
		}
		w.last++
		w.ends[w.last] = ends
		own, key := s.p.Transport(w.now).Public(), ends[1].p.Transport(w.now).Public()
		ends[1].step(w.now, ConnOpened{Conn: w.last, Local: key, Remote: own, Inbound: true})
		s.step(w.now, ConnOpened{Conn: w.last, Local: own, Remote: key, Dial: send.Dial})
	}
}

// lets reports whether a dial gets through.
func (w *town) lets(from, to *side, d Dial) bool {
	if len(d.Relays) == 0 {
		return !w.walled[to]
	}
	for _, id := range d.Relays {
		ends, ok := w.ends[id]
		if !ok || w.off[ends[1]] {
			continue
		}
		for other, pair := range w.ends {
			if pair[0] == to && pair[1] == ends[1] && w.reserved[other] && w.helped[other] != (ContactID{}) && w.admitted[id][w.helped[other]] {
				w.through++
				return true
			}
		}
	}
	w.refused++
	return false
}

// behind puts b behind a wall, with a connection to its courier alone.
func behind(t *testing.T) (w *town, a, b, c *side) {
	w, a, b, c = friends(t)
	w.switchOff(b)
	w.walled[b] = true
	w.pass(time.Second)
	w.switchOn(b)
	w.pass(time.Second)
	w.cut(a)
	return w, a, b, c
}

// cut ends the connections of a side, and lets it forget what it knew of failures.
func (w *town) cut(s *side) {
	w.switchOff(s)
	w.switchOn(s)
}

// relayed returns the paths of a side to another one that are, and that are not.
func (s *side) relayed(to *side) (relayed, direct int) {
	for _, k := range s.of(to).conns {
		if k.relayed {
			relayed++
		} else {
			direct++
		}
	}
	return relayed, direct
}

func TestRelayReachesWhoIsOn(t *testing.T) {
	w, a, b, _ := behind(t)
	w.pass(time.Minute)
	w.walled[a] = true
	w.cut(b)
	w.cut(a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.pass(2 * time.Second)
	if relayed, direct := a.relayed(b); relayed != 1 || direct != 0 {
		t.Fatalf("%d relayed and %d direct paths", relayed, direct)
	}
	if d := a.of(b).conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, 1}) {
		t.Errorf("delivered %v", d)
	}
	if len(b.history) != 1 {
		t.Errorf("%d texts arrived", len(b.history))
	}
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "and back"})
	w.run()
	if len(a.history) != 2 {
		t.Error("nothing comes back by the relay")
	}
}

func TestPunchedPathTakesOver(t *testing.T) {
	w, a, b, c := behind(t)
	w.pass(time.Minute)
	w.walled[a], w.punches = true, true
	before := w.through
	w.cut(b)
	w.cut(a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.pass(2 * time.Second)
	if relayed, direct := a.relayed(b); relayed != 0 || direct != 1 || w.through != before+1 {
		t.Fatalf("%d relayed and %d direct paths, %d by relay", relayed, direct, w.through-before)
	}
	w.switchOff(c)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "without the courier"})
	w.run()
	if d := a.of(b).conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, 2}) {
		t.Errorf("delivered %v", d)
	}
}

// TestRelayOfNobody has a courier connect nobody who shows no capability, none for whom it
// does not help any more, and with nobody who is not there.
func TestRelayOfNobody(t *testing.T) {
	w, a, b, c := behind(t)
	w.walled[a] = true
	record := a.of(b).state.Record
	key := wire.Key{ID: record.Mailboxes[0].ID, Capability: record.Mailboxes[0].Write}
	k := &conn{id: 9999, inbound: true, proved: true, proof: byMailbox}
	c.p.conns[k.id] = k
	ask := func(key wire.Key) (admitted bool, word wire.MailboxWord) {
		out := c.step(w.now, FrameReceived{Conn: k.id, Type: wire.TypeReach, Body: wire.AppendReach(nil, key)})
		for _, send := range out.Sends {
			switch send := send.(type) {
			case RelayAdmit:
				admitted = send.Name == c.of(b).row.ID
			case SendFrame:
				said, err := wire.ParseAcknowledge(send.Body)
				if err != nil {
					t.Fatal(err)
				}
				word = said.Word
			}
		}
		return admitted, word
	}
	if admitted, word := ask(key); !admitted || word != wire.MailboxReachable {
		t.Errorf("%v, %d", admitted, word)
	}
	wrong := key
	wrong.Capability[0]++
	if admitted, word := ask(wrong); admitted || word != 0 {
		t.Errorf("a wrong capability: %v, %d", admitted, word)
	}
	k.relayed = true
	if admitted, word := ask(key); admitted || word != 0 {
		t.Errorf("over a relay: %v, %d", admitted, word)
	}
	k.relayed = false
	c.step(w.now, FrameReceived{Conn: k.id, Type: wire.TypeReach, Body: []byte{1}})
	w.switchOff(b)
	if _, word := ask(key); word != wire.MailboxAway {
		t.Errorf("the owner is off: %d", word)
	}
	w.switchOn(b)
	c.step(w.now, EndHelp{Contact: c.of(b).row.ID})
	if admitted, word := ask(key); admitted || word != 0 {
		t.Errorf("it does not help any more: %v, %d", admitted, word)
	}
	w.run()
	for _, k := range c.of(b).conns {
		if w.helped[k.id] != (ContactID{}) {
			t.Error("the relay goes on")
		}
	}
}

// TestRelayOfNoLink: the holder of a link, who may leave a request with the inviter's
// courier, is not told there whether the inviter is on, nor connected with it.
func TestRelayOfNoLink(t *testing.T) {
	w, _, b, c := friends(t)
	text := b.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	w.run()
	link, err := wire.ParseLink(text)
	if err != nil {
		t.Fatal(err)
	}
	write := invite.DepositCapability(link.Secret, c.p.Transport(w.now).Public())
	key := wire.Key{ID: slotID(write), Capability: write}
	if c.p.shelves.Writer(key) == nil {
		t.Fatal("no queue stands")
	}
	stranger(c, w.now, 900, write.Access().HelloKey(dayOf(w.now)))
	if !c.p.conns[900].proved {
		t.Fatal("the holder's hello is not answered")
	}
	out := c.step(w.now, FrameReceived{Conn: 900, Type: wire.TypeReach, Body: wire.AppendReach(nil, key)})
	if len(out.Sends) > 0 {
		t.Errorf("the courier answers %v", out.Sends)
	}
}

// TestRelayIsTriedAgain: who is off is not dialled by relay, and asked for less and less often.
func TestRelayIsTriedAgain(t *testing.T) {
	w, a, b, _ := behind(t)
	w.walled[a] = true
	w.pass(time.Minute)
	w.switchOff(b)
	before := w.through + w.refused
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.pass(20 * time.Minute)
	if w.through+w.refused > before {
		t.Error("somebody who is off was dialled by relay")
	}
	if n := a.of(b).relay.backoff.Tries(); n < 5 || n > 20 {
		t.Errorf("%d tries in 20 minutes", n)
	}
	w.switchOn(b)
	a.step(w.now, Reconnect{})
	w.pass(15 * time.Second)
	if d := a.of(b).conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, 1}) {
		t.Errorf("delivered %v", d)
	}
}

// TestAnswersToNobodyAboutRelays: words that nobody asked for have no effect.
func TestAnswersToNobodyAboutRelays(t *testing.T) {
	w, a, b, c := behind(t)
	w.walled[a] = true
	w.cut(a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.pass(2 * time.Second)
	asked := 0
	for _, k := range a.p.connsInOrder() {
		if k.remote != c.p.Transport(w.now).Public() {
			continue
		}
		asked++
		for _, word := range []wire.MailboxWord{wire.MailboxReachable, wire.MailboxAway} {
			said := wire.Acknowledge{ID: a.of(b).state.Record.Mailboxes[0].ID, Word: word}
			before := a.of(b).relay
			out := a.step(w.now, FrameReceived{Conn: k.id, Type: wire.TypeAcknowledge, Body: said.Append(nil)})
			for _, send := range out.Sends {
				if d, ok := send.(Dial); ok && len(d.Relays) > 0 {
					t.Error("a dial that nobody needs")
				}
			}
			if a.of(b).relay != before {
				t.Error("a word that nobody asked for counts")
			}
		}
	}
	if asked == 0 {
		t.Error("nobody is asked")
	}
}

// TestWhyTellsEachRung: whoever waits sees which ways are tried, and what came of them.
func TestWhyTellsEachRung(t *testing.T) {
	w, a, b, _ := behind(t)
	w.walled[a] = true
	w.pass(time.Minute)
	w.switchOff(b)
	contact := a.of(b).row.ID
	if why, _ := a.p.Why(w.now, contact, nil); len(why.Rungs) != 0 {
		t.Errorf("nothing waits, and %+v", why.Rungs)
	}
	a.step(w.now, SendText{Contact: contact, Text: "hello"})
	w.pass(10 * time.Second)
	why, _ := a.p.Why(w.now, contact, nil)
	rungs := make(map[Rung]Attempt)
	for _, r := range why.Rungs {
		rungs[r.Rung] = r
	}
	if r := rungs[RungDirect]; r.LastError != "dial_failed" || r.LastTry.IsZero() || !r.NextTry.After(w.now) || r.Trying {
		t.Errorf("%+v", r)
	}
	if r := rungs[RungRelay]; r.LastError != WhyOffline || r.LastTry.IsZero() || r.NextTry.Before(w.now) || r.Trying {
		t.Errorf("%+v", r)
	}
	if r, ok := rungs[RungCourier]; !ok || r.LastError != "" || r.Trying {
		t.Errorf("%+v", r)
	}
	if len(rungs) != 3 {
		t.Errorf("%+v", why.Rungs)
	}
	w.switchOn(b)
	a.step(w.now, Reconnect{})
	w.pass(2 * time.Second)
	if why, _ := a.p.Why(w.now, contact, nil); len(why.Rungs) != 0 || !why.Live || why.Path != RungRelay {
		t.Errorf("%+v", why)
	}
}

// TestWhoIsNotFoundLooksForOthers: mail for somebody who has no box and cannot be reached
// comes when he is on again, through the courier of whoever wrote it. He writes nothing.
func TestWhoIsNotFoundLooksForOthers(t *testing.T) {
	w, a, b, _ := behind(t)
	w.pass(time.Minute)
	w.walled[a] = true
	w.switchOff(a)
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "for when you are back"})
	w.pass(10 * time.Minute)
	if len(a.history) != 0 {
		t.Fatal("it has come already")
	}
	w.switchOn(a)
	w.pass(2 * time.Second)
	if relayed, _ := a.relayed(b); relayed != 1 || len(a.history) != 1 {
		t.Errorf("%d relayed paths, %d texts arrived", relayed, len(a.history))
	}
}
