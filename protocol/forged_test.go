package protocol

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/wire"
)

// stranger connects to a side from a transport key that nobody knows, and says hello.
func stranger(to *side, now time.Time, conn ConnID, key [32]byte) (own, theirs identity.TransportKey) {
	own, theirs = to.p.Transport(now).Public(), identity.TransportKey{9}
	to.step(now, ConnOpened{Conn: conn, Local: own, Remote: theirs, Inbound: true})
	tag := identity.NewHelloTag(key, identity.FromDialer, theirs, own)
	to.step(now, FrameReceived{Conn: conn, Type: wire.TypeHello, Body: tag[:]})
	return own, theirs
}

// TestStolenRecoverySecret is a thief of an old state, who has the recovery secret and
// nothing else that is worth anything today.
func TestStolenRecoverySecret(t *testing.T) {
	a, b := meet(t)
	stolen := b.only().state.Recovery
	part(a, b)
	a.sayAll(1)
	a.out = Output{}
	later := testNow.Add(400 * 24 * time.Hour)
	stranger(a, later, 50, identity.RepairHelloKey(stolen, dayOf(later)))
	for _, s := range a.out.Sends {
		if f, ok := s.(SendFrame); ok && f.Conn == 50 && f.Type != wire.TypeHello {
			t.Errorf("the thief gets %s", f.Type.Name())
		}
	}
	if len(a.only().conns) > 0 || a.p.LiveCount() > 0 {
		t.Error("the thief is a path to the contact")
	}
}

// TestDeleteBeyondAGap deletes a message whose envelope was acknowledged beyond a gap: the
// row that has its key goes too.
func TestDeleteBeyondAGap(t *testing.T) {
	a, b := meet(t)
	b.sayAll(1) // lost on the way
	b.out = Output{}
	b.sayAll(1)
	var row PutOutbox
	var message PutMessage
	for _, w := range b.out.Writes {
		switch w := w.(type) {
		case PutOutbox:
			row = w
		case PutMessage:
			message = w
		}
	}
	sends := b.out.Sends
	a.out, b.out = Output{}, Output{}
	deliver(a, sends)
	deliver(b, a.out.Sends)
	if !inRanges(b.only().conv.row.Delivered, message.Sequence) {
		t.Fatal("not delivered")
	}
	erased := false
	for _, w := range b.step(testNow, DeleteMessage{ID: message.ID, Conversation: message.Conversation, Sequence: message.Sequence, Direction: Out}).Writes {
		e, ok := w.(EraseOutbox)
		erased = erased || ok && e.First <= row.Index && row.Index <= e.Last
	}
	if !erased {
		t.Error("the key of what was deleted stays")
	}
}

// TestSecondUseIsToldOnce comes by a used link a hundred times in an hour.
func TestSecondUseIsToldOnce(t *testing.T) {
	a, b := newSide(t, "Mina", 1001, testNow), newSide(t, "Jiwoo", 1002, testNow)
	text := a.step(testNow, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	b.step(testNow, AddContact{Link: text})
	pump(t, testNow, a, b)
	link, err := wire.ParseLink(text)
	if err != nil {
		t.Fatal(err)
	}
	a.out = Output{}
	for i := range 100 {
		var d wire.DepositedRequest
		head := wire.RequestHead{Kind: wire.RequestInvite, Tag: invite.RequestTag(link.Secret)}
		copy(d.Request[:], head.Append(nil))
		d.Request[8000] = byte(i)
		a.step(testNow, FrameReceived{Conn: a.only().live().id, Type: wire.TypeRequest, Body: d.Append(nil)})
	}
	told := 0
	for _, e := range a.out.Events {
		if e.Type == InviteSecondUse {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// TestRequestInSomebodysName has the holder of a link ask in the name of somebody whom
// the inviter has asked, with that person's signed entry and none of their keys.
func TestRequestInSomebodysName(t *testing.T) {
	a, x := newSide(t, "Mina", 1001, testNow), newSide(t, "Jiwoo", 1002, testNow)
	theirs := x.step(testNow, CreateInvite{Kind: InviteOnce, Ask: true}).Replies[0].Result.(InviteCreated).Link
	a.step(testNow, AddContact{Link: theirs})
	pump(t, testNow, x, a) // asked, not answered
	c := a.only()
	text := a.step(testNow, CreateInvite{Kind: InviteCard, Uses: 20}).Replies[0].Result.(InviteCreated).Link
	link, err := wire.ParseLink(text)
	if err != nil {
		t.Fatal(err)
	}
	v := a.p.invitesInOrder()[0]
	v.state.Offer.StampBits = 0
	bundle, err := wire.ParseBundle(v.state.Offer.Bundles[0].Bundle)
	if err != nil {
		t.Fatal(err)
	}
	own, _ := stranger(a, testNow, 60, identity.LinkHelloKey(link.Secret))
	for range 10 {
		asking, err := invite.Ask(rand.Reader, invite.Self{Entry: x.p.ourself().Entry}, link, bundle, wire.RequestPayload{Name: "Mallory"})
		if err != nil {
			t.Fatal(err)
		}
		d := wire.DepositedRequest{Capability: invite.DepositCapability(link.Secret, own), Request: [wire.RequestSize]byte(asking.Request)}
		a.step(testNow, FrameReceived{Conn: 60, Type: wire.TypeRequest, Body: d.Append(nil)})
	}
	if c.row.Name == "Mallory" || c.row.Phase != ContactRequested {
		t.Errorf("the contact is now %q, %s", c.row.Name, c.row.Phase)
	}
	if n := c.unconfirmed(); n == 0 || n > unconfirmedMax {
		t.Errorf("%d sessions", n)
	}
	for _, r := range x.p.requestsInOrder() {
		x.step(testNow, AnswerRequest{ID: r.row.ID, Answer: RequestAccepted})
	}
	pump(t, testNow, x, a)
	x.step(testNow, SendText{Contact: x.only().row.ID, Text: "hello"})
	a.step(testNow, SendText{Contact: c.row.ID, Text: "hi"})
	pump(t, testNow, x, a)
	for _, s := range []*side{x, a} {
		if d := s.only().conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, 1}) {
			t.Errorf("%s: delivered %v", s.name, d)
		}
	}
	if c.row.Name != "Jiwoo" {
		t.Errorf("the contact is %q", c.row.Name)
	}
}

// backup makes a backup of a side.
func (w *town) backup(s *side) *rows {
	w.t.Helper()
	backup, err := Backup(w.rows[s].state(s), true)
	if err != nil {
		w.t.Fatal(err)
	}
	r := newRows()
	r.own = slices.Clone(w.rows[s].own)
	for _, row := range backup.Contacts {
		r.keep(row)
	}
	for _, row := range backup.Conversations {
		r.keep(row)
	}
	return r
}

// restore restores a backup.
func (w *town) restore(s *side, backup *rows) {
	w.rows[s] = backup.clone()
	s.reload(w.now, backup.state(s))
	w.home(s)
}

// restoreBackup makes a backup of a side and restores it.
func (w *town) restoreBackup(s *side) {
	w.t.Helper()
	w.restore(s, w.backup(s))
}

// asksAs has the holder of a link ask in somebody's name, with that person's signed entry and none
// of their keys, send more requests, and go.
func (w *town) asksAs(as, inviter *side, more ...[]byte) {
	w.t.Helper()
	link, err := wire.ParseLink(inviter.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link)
	if err != nil {
		w.t.Fatal(err)
	}
	invites := inviter.p.invitesInOrder()
	bundle, err := wire.ParseBundle(invites[len(invites)-1].state.Offer.Bundles[0].Bundle)
	if err != nil {
		w.t.Fatal(err)
	}
	own, _ := stranger(inviter, w.now, 6000, identity.LinkHelloKey(link.Secret))
	asking, err := invite.Ask(rand.Reader, invite.Self{Entry: as.p.ourself().Entry}, link, bundle, wire.RequestPayload{Name: "Mallory"})
	if err != nil {
		w.t.Fatal(err)
	}
	d := wire.DepositedRequest{Capability: invite.DepositCapability(link.Secret, own), Request: [wire.RequestSize]byte(asking.Request)}
	for _, body := range append([][]byte{d.Append(nil)}, more...) {
		inviter.step(w.now, FrameReceived{Conn: 6000, Type: wire.TypeRequest, Body: body})
		w.run()
	}
	inviter.step(w.now, ConnClosed{Conn: 6000})
	w.run()
}

// talking returns two who are on, and of whom one has written.
func talking(t *testing.T) (w *town, a, b *side) {
	t.Helper()
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b = all[0], all[1]
	w.meet(a, b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"})
	w.run()
	w.pass(5 * time.Second)
	return w, a, b
}

// talkAgain has two meet and write to each other, and checks that it arrives.
func (w *town) talkAgain(a, b *side) {
	w.t.Helper()
	w.switchOn(a)
	w.switchOn(b)
	w.pass(6 * time.Hour)
	at := w.now.String() // it may not be the first time
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: a.name + at})
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: b.name + at})
	w.run()
	w.pass(10 * time.Minute)
	w.arrived(a, b.name+at)
	w.arrived(b, a.name+at)
}

// TestForgedRequestBehindABackup has the holder of a link ask in the name of a contact with whom a
// restored backup has no session: what has proved nothing is not gone by.
func TestForgedRequestBehindABackup(t *testing.T) {
	w, a, b := talking(t)
	w.switchOff(b)
	w.restoreBackup(a)
	w.asksAs(b, a)
	if n := len(a.of(b).sessions); n != 1 {
		t.Fatalf("%d sessions were begun with who asks in the contact's name", n)
	}
	w.talkAgain(a, b)
}

// TestForgedRequestBehindAGrantedRenewal has the holder of a link ask in the name of a contact who
// has been granted a renewal and lost the accept: what leads to the contact stays.
func TestForgedRequestBehindAGrantedRenewal(t *testing.T) {
	for _, restored := range []bool{false, true} { // from a backup, both of them
		w, a, b := talking(t)
		c := b.of(a)
		asking, err := invite.AskRepair(rand.Reader, b.p.ourself(), invite.PeerDevice{Account: c.row.Account, Device: c.state.Device}, c.state.Recovery,
			wire.RequestPayload{Generation: 1, Have: c.conv.haves()})
		if err != nil {
			t.Fatal(err)
		}
		d := wire.DepositedRequest{Request: [wire.RequestSize]byte(asking.Request)}
		w.mute[b] = []wire.Type{wire.TypeAccept, wire.TypeEnvelope}
		a.step(w.now, FrameReceived{Conn: a.of(b).live().id, Type: wire.TypeRequest, Body: d.Append(nil)})
		w.run()
		w.switchOff(b)
		delete(w.mute, b)
		if n := len(a.of(b).sessions); n != 2 || len(a.of(b).state.Accept) == 0 {
			t.Fatalf("%d sessions, the renewal was not granted", n)
		}
		w.asksAs(b, a)
		if n := len(a.of(b).sessions); n != 3 {
			t.Fatalf("%d sessions were begun with who asks in the contact's name", n-2)
		}
		w.restoreBackup(b)
		if restored {
			w.restoreBackup(a)
		}
		w.switchOff(b)
		w.talkAgain(a, b)
	}
}
