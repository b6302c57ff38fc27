package protocol

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// hands has a courier hand somebody what opens with no session, from the mailbox for a contact.
func (w *town) hands(courier, to, from *side, n byte) {
	body := make([]byte, 3072)
	body[0], body[1] = wire.Suite, n
	push := wire.Push{ID: to.of(from).state.Boxes[0].ID, Item: wire.Item{Type: wire.TypeEnvelope, Body: body}}
	to.step(w.now, FrameReceived{Conn: to.of(courier).live().id, Type: wire.TypePush, Body: push.Append(nil)})
	w.run()
}

// TestNoiseBesideALivePath: what a courier hands over does not end a session in which the
// two talk.
func TestNoiseBesideALivePath(t *testing.T) {
	w, a, b, c := friends(t)
	w.hands(c, b, a, 1)
	for i := range 12 {
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint(i)})
		w.pass(time.Minute)
	}
	w.hands(c, b, a, 2)
	if n := b.of(a).state.Generation + a.of(b).state.Generation; n > 0 || b.of(a).state.Repair != nil {
		t.Error("the session was renewed")
	}
}

// TestNoiseAcrossRestarts: a courier gets one renewal a day, however often we start.
func TestNoiseAcrossRestarts(t *testing.T) {
	w, a, b, c := friends(t)
	w.switchOff(a)
	for range 4 {
		w.putBack(b, w.rows[b].clone(), slices.Clone(b.history)) // a restart
		w.switchOn(b)
		w.pass(5 * time.Second)
		for n := range 2 {
			if b.of(c).live() != nil {
				w.hands(c, b, a, byte(n))
			}
			w.pass(11 * time.Minute)
		}
	}
	if at := b.of(a).state.PleadedAt; at == 0 || w.now.Unix()-at < 3600 {
		t.Errorf("asked for a renewal %d s ago", w.now.Unix()-at)
	}
	for _, code := range slices.Concat(b.alerts(), a.alerts()) {
		t.Errorf("alert %s", code)
	}
}

// TestRenewalAfterASecondSetback puts a disk back again between the grant of a renewal and its
// first frame: both have granted what the other asked for, and neither holds the same session.
func TestRenewalAfterASecondSetback(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.switchOff(b)
	var before *rows
	var history []PutMessage
	for round := range 4 {
		if round == 3 {
			before, history = w.rows[b].clone(), slices.Clone(b.history)
		}
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint("a", round)})
		w.turns(2, a, b)
		b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: fmt.Sprint("b", round)})
		w.turns(2, b, a)
	}
	w.putBack(b, before.clone(), history)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "lost with the disk"})
	for turn := 0; !a.of(b).state.AcceptByCourier && !b.of(a).state.AcceptByCourier; turn++ {
		if turn == 16 {
			t.Fatal("nothing was granted")
		}
		on, off := b, a
		if turn%2 == 1 {
			on, off = a, b
		}
		w.turns(1, on, off)
	}
	w.switchOff(a)
	w.switchOff(b)
	w.putBack(b, before.clone(), history)
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "since b"})
	for range 6 {
		w.turns(6, b, a)
		w.later(24 * time.Hour)
	}
	w.arrived(b, "since a")
	w.arrived(a, "since b")
}

// TestMailAfterAWrongClock writes while the clock is ahead and no courier is reached: the mail
// goes when the clock is right again.
func TestMailAfterAWrongClock(t *testing.T) {
	w, a, b, c := friends(t)
	for _, s := range []*side{a, b, c} {
		w.switchOff(s)
	}
	w.now = w.now.AddDate(0, 0, 20)
	delete(w.off, a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "ahead"})
	w.pass(10 * time.Second)
	delete(w.off, c)
	w.now = w.now.AddDate(0, 0, -20).Add(time.Hour)
	w.pass(10 * time.Minute)
	if got := a.of(b).conv.row.Carried[0]; len(got) == 0 {
		t.Error("nothing is carried")
	}
}

// TestOrdersAfterAWrongClock orders a mailbox on a path while the clock is ahead, and gets no answer: it
// is ordered again on that path when the clock is right.
func TestOrdersAfterAWrongClock(t *testing.T) {
	w, all := newTown(t, "Jiwoo", "Courier", "Noa")
	b, c, other := all[0], all[1], all[2]
	w.meet(b, other)
	w.meet(b, c)
	w.now = w.now.Add(3 * time.Hour)
	w.pass(2 * time.Second)
	w.mute[c] = []wire.Type{wire.TypeMailbox}
	c.step(w.now, OfferHelp{Contact: c.only().row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
	w.run()
	w.pass(5 * time.Second)
	path := b.of(c).live()
	clear(w.mute)
	if n := len(b.of(other).state.Boxes); n == 0 || b.of(other).state.Boxes[0].Standing {
		t.Fatalf("%d mailboxes, or one that stands", n)
	}
	w.now = w.now.Add(-3 * time.Hour)
	w.pass(5 * time.Minute)
	if b.of(c).live() != path {
		t.Fatal("the path is another one")
	}
	if !b.of(other).state.Boxes[0].Standing {
		t.Error("it is not ordered again")
	}
}

// TestCourierNamedFalsely has a contact say that the courier of another one is nowhere, or
// elsewhere: that one's mail goes there all the same.
func TestCourierNamedFalsely(t *testing.T) {
	for name, addresses := range map[string][]wire.Address{"nowhere": nil, "elsewhere": {address("5.6.7.8:9")}} {
		t.Run(name, func(t *testing.T) {
			w, all := newTown(t, "Mina", "Hostile", "Jiwoo", "Courier")
			a, h, b, c := all[0], all[1], all[2], all[3]
			w.meet(a, h)
			w.now = w.now.Add(time.Second) // it comes first
			w.meet(a, b)
			w.meet(b, c)
			c.step(w.now, OfferHelp{Contact: c.only().row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
			w.run()
			w.pass(5 * time.Second)
			w.switchOff(h)
			w.switchOff(b)
			r := *a.of(h).state.Record
			r.Sequence++
			courier := a.of(b).state.Record.Mailboxes[0].Courier
			r.Mailboxes = []wire.Mailbox{{Courier: courier, ID: wire.MailboxID{7}, ClosesDay: dayOf(w.now) + 60}}
			r.Couriers = nil
			for _, at := range addresses {
				r.Couriers = append(r.Couriers, wire.Courier{Key: courier, Address: at})
			}
			a.p.recordReceived(a.of(h), &r)
			a.step(w.now, SendText{Contact: a.of(h).row.ID, Text: "x"})
			a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "for b"})
			w.pass(5 * time.Minute)
			if got := a.of(b).conv.row.Carried[0]; len(got) == 0 {
				t.Error("nothing is carried")
			}
		})
	}
}

// TestEachCourierHasAnAddress names three couriers that have two addresses each.
func TestEachCourierHasAnAddress(t *testing.T) {
	w, a, b, couriers := friendsWith(t, "One", "Two", "Three")
	for i, c := range couriers {
		r := b.of(c).state.Record
		other := r.Addresses[0]
		other.Network, other.Port = wire.TCP, uint16(2000+i)
		r.Addresses = append(slices.Clone(r.Addresses), other)
	}
	var record wire.AddressRecord
	b.p.whereToLeaveMail(w.now, b.of(a), &record, func(b *box) bool { return b.Standing })
	if len(record.Mailboxes) != len(couriers) || len(record.Couriers) != wire.RecordCouriersMax {
		t.Errorf("%d mailboxes, %d addresses", len(record.Mailboxes), len(record.Couriers))
	}
	for _, m := range record.Mailboxes {
		if len(courierAddresses(record.Couriers, m.Courier)) == 0 {
			t.Error("a mailbox at nobody who can be reached")
		}
	}
}

// TestLinkCrossesARenewal puts a disk back to before a renewal, and has the two, who are never on
// together, find each other by a link while one of them has asked for another renewal: however
// these cross, both hold a session in the end in which they talk.
func TestLinkCrossesARenewal(t *testing.T) {
	for _, byLink := range []string{"Mina", "Jiwoo"} {
		for _, renews := range []string{"Mina", "Jiwoo"} {
			for _, later := range []bool{false, true} {
				if !later && testing.Short() {
					continue
				}
				t.Run(fmt.Sprintf("%s follows a link, %s asks for a renewal, that second: %v", byLink, renews, later), func(t *testing.T) {
					w, a, b, _ := allFriends(t)
					w.turns(2, a, b)
					before, history := w.rows[b].clone(), slices.Clone(b.history)
					for range 2 { // renewals
						w.forks(a, b)
						w.turns(4, a, b)
						w.later(24 * time.Hour)
					}
					if x, y := a.of(b).first().generation, b.of(a).first().generation; x != 2 || y != 2 {
						t.Fatalf("generations %d and %d", x, y)
					}
					w.putBack(b, before, history)
					asks, inviter := a, b
					if byLink == b.name {
						asks, inviter = b, a
					}
					link := w.leavesLink(inviter)
					fork := func() {
						for _, s := range []*side{a, b} {
							if s.name == renews {
								other := map[*side]*side{a: b, b: a}[s]
								w.forks(s, other)
								w.turns(1, s, other)
							}
						}
					}
					if !later {
						fork()
					}
					w.takesLink(asks, link)
					if later {
						fork()
					}
					w.turns(8, inviter, asks)
					a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
					b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "since b"})
					w.turns(8, b, a)
					w.later(24 * time.Hour)
					w.turns(8, b, a)
					w.arrived(b, "since a")
					w.arrived(a, "since b")
				})
			}
		}
	}
}

// TestOldStateFromBeforeALink restores a backup, or puts a disk back, from before the two went on in
// a session by a link: of secrets for renewals one side knows the old one only, and the other goes by
// the new one.
func TestOldStateFromBeforeALink(t *testing.T) {
	rounds := 16
	if testing.Short() {
		rounds = 8
	}
	for _, made := range []string{"a backup from before the link", "a backup from before its first frame", "a disk from before the link"} {
		for _, live := range []bool{false, true} {
			for _, restored := range []string{"inviter", "asker"} {
				if live && testing.Short() {
					continue // by turns is harder
				}
				t.Run(fmt.Sprintf("%s, of the %s, live %v", made, restored, live), func(t *testing.T) {
					w, a, b, _ := allFriends(t)
					w.turns(4, a, b)
					who := map[string]*side{"inviter": b, "asker": a}[restored]
					backup, disk, history := w.backup(who), w.rows[who].clone(), slices.Clone(who.history)
					w.takesLink(a, w.leavesLink(b))
					w.turns(1, b, a)
					switch made {
					case "a backup from before its first frame":
						backup, history = w.backup(who), slices.Clone(who.history)
					case "a disk from before the link":
						backup = disk
					}
					w.turns(5, a, b)
					if x, y := a.of(b), b.of(a); x.first().sid != y.first().sid || x.first().generation == 0 || x.state.Recovery != y.state.Recovery {
						t.Fatal("they do not go on in the session by the link")
					}
					w.later(24 * time.Hour)
					who.history = history
					w.off[who] = true
					w.restore(who, backup)
					a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
					b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "since b"})
					if live {
						w.switchOn(a)
						w.switchOn(b)
						w.pass(2 * time.Hour)
					} else {
						for range rounds {
							w.turns(1, b, a)
							w.putBack(b, w.rows[b].clone(), b.history) // each turn is another start
							w.turns(1, a, b)
							w.putBack(a, w.rows[a].clone(), a.history)
						}
					}
					w.arrived(b, "since a")
					w.arrived(a, "since b")
				})
			}
		}
	}
}

// leavesLink has somebody who is off before and after make a link that leads to their couriers.
func (w *town) leavesLink(inviter *side) (link string) {
	w.switchOn(inviter)
	link = inviter.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	w.run()
	w.pass(5 * time.Second)
	w.switchOff(inviter)
	return link
}

// takesLink has somebody who is off before and after follow such a link.
func (w *town) takesLink(asks *side, link string) {
	w.switchOn(asks)
	asks.step(w.now, AddContact{Link: link})
	w.run()
	w.pass(5 * time.Second)
	w.switchOff(asks)
}

// followsLink has one follow a link of another with no path between, and some of what it answers be
// lost.
func (w *town) followsLink(asks, inviter *side, lost ...wire.Type) {
	w.t.Helper()
	w.switchOff(asks)
	link := inviter.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	w.run()
	w.mute[inviter] = lost
	delete(w.off, asks)
	asks.step(w.now, AddContact{Link: link})
	w.run()
	w.pass(3 * time.Second)
	w.switchOff(asks)
	delete(w.mute, inviter)
}

// forks has a side find out that its session with another is over.
func (w *town) forks(s, other *side) {
	s.p.out = new(Output)
	s.p.fork(w.now, s.of(other), s.of(other).first())
}

// TestGrantBesideForgedRequests loses the accept of a renewal that was asked for with the secret of a
// session by link, which nothing had proved, while others have asked in the asker's name.
func TestGrantBesideForgedRequests(t *testing.T) {
	w, a, b := talking(t)
	w.followsLink(b, a, wire.TypeEnvelope)
	for range 2 {
		w.pass(time.Second) // invites are in the order of their times
		w.asksAs(b, a)
	}
	w.forks(b, a)
	w.mute[a], w.mute[b] = []wire.Type{wire.TypeEnvelope}, []wire.Type{wire.TypeAccept, wire.TypeEnvelope}
	delete(w.off, b)
	b.step(w.now, Reconnect{})
	w.run()
	w.pass(3 * time.Second)
	w.switchOff(b)
	clear(w.mute)
	if len(a.of(b).state.Accept) == 0 {
		t.Fatal("nothing was granted")
	}
	w.talkAgain(a, b)
}

// TestForkBesideALink has who granted a renewal fork before the first frame of a session by link of
// the same generation comes, which the other took in place of the renewal.
func TestForkBesideALink(t *testing.T) {
	w, a, b := talking(t)
	w.switchOff(b)
	w.forks(b, a)
	late := wire.DepositedRequest{Request: [wire.RequestSize]byte(b.of(a).state.Repair.Request.Request)}
	w.followsLink(b, a, wire.TypeEnvelope)
	a.p.out = new(Output)
	if _, _, err := a.p.repairRequested(w.now, a.of(b), late.Request[:]); err != nil {
		t.Fatal(err)
	}
	if n := len(a.of(b).sessions); n != 3 {
		t.Fatalf("%d sessions", n)
	}
	w.pass(11 * time.Minute)
	w.forks(a, b)
	w.run()
	w.talkAgain(a, b)
}

// TestGrantBehindALinkOfOnesOwn has somebody grant a renewal by courier, of which the asker, whose disk
// is put back, knows nothing any more, and follow a link of the asker's: nobody waits for that accept.
func TestGrantBehindALinkOfOnesOwn(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.turns(2, a, b)
	w.switchOff(a)
	w.switchOff(b)
	before, history := w.rows[b].clone(), slices.Clone(b.history)
	w.forks(b, a)
	w.turns(2, b, a)
	if !a.of(b).state.AcceptByCourier {
		t.Fatal("nothing was granted")
	}
	w.putBack(b, before, history)
	w.mute[b] = []wire.Type{wire.TypeEnvelope}
	w.takesLink(a, w.leavesLink(b))
	clear(w.mute)
	w.turns(9, b, a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
	w.turns(8, a, b)
	w.later(24 * time.Hour)
	w.turns(8, b, a)
	w.arrived(b, "since a")
}

// TestFirstMessagesWithdrawn has somebody who follows a link of a contact say that its first messages
// are withdrawn. Only for one that takes back all that was seen of it, and so has forgotten everything,
// is what was written before over (seed 8021808).
func TestFirstMessagesWithdrawn(t *testing.T) {
	for last, forgot := range map[uint64]bool{2: false, 3: true, 4: true} {
		a, b := meet(t)
		b.sayAll(3)
		a.sayAll(5)
		pump(t, testNow, a, b)
		c := a.only()
		c.state.Reasked, c.state.ReaskedSeen = c.first().sid, c.conv.have.next()-1
		a.take(wire.Content{Type: wire.ContentVoidMessages, First: 1, Last: last})
		if held := c.conv.heldByPeer(); (len(held) == 0) != forgot {
			t.Errorf("1 to %d of 3 withdrawn: held by the contact are %v", last, held)
		}
	}
}

// TestPathByAUsedLink has somebody whose disk was put back follow a link a second time, of which the
// inviter, a contact, has answered the first: what is written meanwhile arrives all the same (seed
// 9000246).
func TestPathByAUsedLink(t *testing.T) {
	w, a, b := talking(t)
	w.mute[b] = []wire.Type{wire.TypeAccept}
	w.followsLink(b, a)
	clear(w.mute)
	for _, c := range b.p.contactsInOrder() {
		if c.state.Asking != nil {
			c.state.Asking.Request = nil // as before it had asked
		}
	}
	if len(a.p.unanswered(a.of(b))) == 0 {
		t.Fatal("nothing waits to be answered")
	}
	w.switchOff(a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since"})
	delete(w.off, b)
	w.switchOn(a)
	w.pass(10 * time.Minute)
	w.arrived(b, "since")
}

// TestAllWithdrawnBehindARenewal has somebody who follows a link of a contact, and renews the session with
// it, say that all its messages are withdrawn: it has not forgotten the contact, or it could not have
// renewed the session (seed 9300807).
func TestAllWithdrawnBehindARenewal(t *testing.T) {
	for _, renewed := range []bool{false, true} {
		a, b := meet(t)
		b.sayAll(3)
		a.sayAll(5)
		pump(t, testNow, a, b)
		c := a.only()
		c.state.Reasked, c.state.ReaskedSeen = c.first().sid, c.conv.have.next()-1
		if renewed {
			a.p.out = new(Output)
			a.p.renewed(testNow, c, c.first(), []wire.Have{{Sequence: 5}})
			a.p.out = nil
		}
		a.take(wire.Content{Type: wire.ContentVoidMessages, First: 1, Last: 3})
		if held := c.conv.heldByPeer(); (len(held) == 0) == renewed {
			t.Errorf("renewed %v: held by the contact are %v", renewed, held)
		}
	}
}

// TestOldDiskBehindSomebodyForgetful has one of two lose all, come by a link as somebody new and write; the
// other's disk is put back to before that, and holds, by their numbers, what the first one wrote long before. The
// two go on by another link, by which nobody has lost anything: what was lost comes all the same (seed 12002954).
func TestOldDiskBehindSomebodyForgetful(t *testing.T) {
	for _, since := range []int{1, 4} { // delivered to the disk that was put back
		for _, waits := range []int{0, 1, 5} {
			t.Run(fmt.Sprintf("%d lost, %d wait", since, waits), func(t *testing.T) {
				w, a, b, nobody := metWith(t)
				w.say(b, a, 4, "long before ")
				w.switchOff(b)
				w.switchOff(a)
				before, history := w.rows[a].clone(), slices.Clone(a.history)
				w.putBack(b, nobody, nil)
				w.home(b)
				w.switchOn(b)
				w.followsLink(a, b)
				w.switchOn(a)
				w.pass(time.Minute)
				lost := w.say(b, a, since, "lost ")
				w.arrived(a, lost...)
				w.switchOff(a)
				w.putBack(a, before, history)
				w.home(a)
				waiting := w.say(b, a, waits, "waits ")
				delete(w.off, a)
				w.followsLink(b, a)
				w.switchOn(b)
				w.pass(time.Hour)
				w.arrived(a, append(lost, waiting...)...)
			})
		}
	}
}

// TestOldDiskBehindARemoval has somebody remove a contact and go on with it; the contact loses all, comes as somebody new, and
// writes under the numbers of before; then the first one's disk is put back. What it says it has removed is of before, and of
// another life than what it has lost (seed 13015886). If less was written since, their numbers cannot tell.
func TestOldDiskBehindARemoval(t *testing.T) {
	for _, n := range [][2]int{{1, 2}, {2, 5}, {3, 9}} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w, a, b, nobody := metWith(t)
			w.say(a, b, 3, "of a ")
			w.say(b, a, n[0], "removed ")
			a.step(w.now, RemoveContact{Contact: a.of(b).row.ID})
			w.run()
			w.pass(time.Minute)
			w.switchOff(a)
			w.followsLink(a, b)
			w.switchOn(a)
			w.pass(time.Minute)
			w.say(b, a, 1, "long before ")
			w.switchOff(b)
			w.switchOff(a)
			before, history := w.rows[a].clone(), slices.Clone(a.history)
			w.putBack(b, nobody, nil)
			w.home(b)
			w.switchOn(b)
			w.followsLink(a, b)
			w.switchOn(a)
			w.pass(time.Minute)
			lost := w.say(b, a, n[1], "lost ")
			w.arrived(a, lost...)
			w.switchOff(a)
			w.putBack(a, before, history)
			w.home(a)
			delete(w.off, a)
			if n[0] == 2 { // whoever has forgotten asks, behind a restart
				w.restart(b)
				w.switchOff(b)
				w.followsLink(b, a)
			} else {
				w.followsLink(a, b)
			}
			w.switchOn(b)
			w.switchOn(a)
			w.pass(time.Hour)
			w.arrived(a, lost...)
		})
	}
}

// TestRemovedStaysRemoved has the disk of a contact put back to before somebody removed what they had said: it does not come
// again when the two go on by another link.
func TestRemovedStaysRemoved(t *testing.T) {
	for range 4 {
		w, a, b, _ := metWith(t)
		w.say(a, b, 3, "of a ")
		w.say(b, a, 5, "removed ")
		before, history := w.rows[b].clone(), slices.Clone(b.history)
		a.step(w.now, RemoveContact{Contact: a.of(b).row.ID})
		w.run()
		w.pass(time.Minute)
		w.switchOff(a)
		w.followsLink(a, b)
		w.switchOn(a)
		w.pass(time.Minute)
		w.say(b, a, 15, "since ")
		had := len(a.history)
		w.switchOff(b)
		w.putBack(b, before, history)
		w.home(b)
		w.switchOff(a)
		delete(w.off, b)
		w.followsLink(a, b)
		w.switchOn(a)
		w.switchOn(b)
		w.pass(time.Hour)
		if len(a.history) > had {
			t.Fatalf("%d messages came again", len(a.history)-had)
		}
	}
}

// TestLateNameOfBefore has a name that was given up come late by a courier, behind a session by a link that says the same name as
// before: the name stays.
func TestLateNameOfBefore(t *testing.T) {
	w, a, b, _ := metWith(t)
	name := func(sequence uint64, text string) *wire.Content {
		return &wire.Content{Type: wire.ContentProfile, Sequence: sequence, Text: text}
	}
	c := b.of(a)
	b.p.out = new(Output)
	b.p.profileReceived(c, name(3, "Mina"))
	c.startAnew()
	b.p.profileReceived(c, name(3, "Mina"))
	b.p.profileReceived(c, name(2, "Rob"))
	if c.row.Name != "Mina" {
		t.Errorf("it is called %s", c.row.Name)
	}
	b.p.profileReceived(c, name(4, "Rob"))
	if c.row.Name != "Rob" {
		t.Errorf("a later name does not count: %s", c.row.Name)
	}
	w.run()
}
