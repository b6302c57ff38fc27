package protocol

import (
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// TestAskedAgain has somebody remove the contact that it has asked and follow the link
// again: the inviter sees two requests, and it must not matter which one it answers.
func TestAskedAgain(t *testing.T) {
	for i := range 2 {
		w, all := newTown(t, "Mina", "Jiwoo")
		a, b := all[0], all[1]
		link := a.step(w.now, CreateInvite{Kind: InviteOnce, Ask: true}).Replies[0].Result.(InviteCreated).Link
		for range 2 {
			b.step(w.now, AddContact{Link: link})
			w.run()
			if len(a.p.requests) == 1 {
				b.step(w.now, RemoveContact{Contact: b.only().row.ID})
				w.run()
			}
		}
		requests := a.p.requestsInOrder()
		if len(requests) != 2 {
			t.Fatalf("%d requests", len(requests))
		}
		a.step(w.now, AnswerRequest{ID: requests[i].row.ID, Answer: RequestAccepted})
		w.run()
		w.pass(15 * time.Minute)
		if x, y := a.only().row.Phase, b.only().row.Phase; x != ContactEstablished || y != ContactEstablished {
			t.Errorf("answered %d: %v, %v", i, x, y)
		}
	}
}

// TestFirstContactNeverOnTogether has two become contacts and talk who are never on at
// the same time: bundle, request and accept lie at the inviter's courier, and each has
// a courier of its own.
func TestFirstContactNeverOnTogether(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Courier of Mina", "Courier of Jiwoo")
	a, b := all[0], all[1]
	for i, c := range all[2:] {
		w.meet(c, all[i])
		c.step(w.now, OfferHelp{Contact: c.of(all[i]).row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
		w.run()
	}
	w.switchOff(b)
	created := a.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated)
	if got := time.UnixMilli(created.ExpiresAt).Sub(w.now); got < 7*24*time.Hour-time.Minute {
		t.Errorf("a link with a courier lives %v", got)
	}
	w.run()
	w.pass(5 * time.Second)
	w.switchOff(a)

	w.switchOn(b)
	b.step(w.now, AddContact{Link: created.Link, Alias: "Mina"})
	w.run()
	w.pass(5 * time.Second)
	added := func() *contact {
		for _, c := range b.p.contactsInOrder() {
			if c.row.Alias == "Mina" {
				return c
			}
		}
		t.Fatal("the contact is gone")
		return nil
	}
	b.step(w.now, SendText{Contact: added().row.ID, Text: "hello"})
	w.run()
	w.switchOff(b)
	if got := added().row.Phase; got != ContactRequested {
		t.Fatalf("phase %v", got)
	}

	on, off := a, b
	for range 5 {
		w.switchOn(on)
		w.pass(20 * time.Minute)
		w.switchOff(on)
		on, off = off, on
	}
	if c := a.of(b); c == nil || c.row.Phase != ContactEstablished || added().row.Phase != ContactEstablished {
		t.Fatalf("%+v, %v", c, added().row.Phase)
	}
	if len(a.history) != 1 {
		t.Fatalf("%d messages arrived", len(a.history))
	}
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello yourself"})
	w.off[a] = false
	for range 4 {
		w.switchOn(on)
		w.pass(20 * time.Minute)
		w.switchOff(on)
		on, off = off, on
	}
	if got := len(b.history); got != 2 {
		t.Errorf("%d messages with %s", got, b.name)
	}
	if d := a.of(b).conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, 1}) {
		t.Errorf("delivered %v", d)
	}
	if n := len(a.p.requests); n != 0 {
		t.Errorf("%d requests wait", n)
	}
	for _, c := range all[2:] {
		for id, items := range w.held[c] {
			if n := len(items); n > 1 {
				t.Errorf("%d items lie in %x at %s", n, id[:2], c.name)
			}
		}
	}
}

// TestRequestsThatFindNoRoom leaves more requests with a courier than may wait on an
// invite: the next one comes as soon as one is answered, on the same connection.
func TestRequestsThatFindNoRoom(t *testing.T) {
	w, b, c := askers(t, RequestsWaitingMax+2, CreateInvite{Kind: InviteOnce, Ask: true})
	w.switchOn(b)
	for i := range 2 {
		requests := b.p.requestsInOrder()
		if n := len(requests); n != RequestsWaitingMax+i {
			t.Fatalf("%d requests came", n)
		}
		waits := slices.IndexFunc(requests, func(r *request) bool { return r.row.Phase == RequestWaiting })
		b.step(w.now, AnswerRequest{ID: requests[waits].row.ID, Answer: RequestDeclined})
		w.run()
	}
	if n := len(b.p.requests); n != RequestsWaitingMax+2 {
		t.Errorf("%d requests came", n)
	}
	for id, items := range w.held[c] {
		if c.p.shelves.Box(id).OfLink() && len(items) > 0 {
			t.Errorf("%d items still lie there", len(items))
		}
	}
}

// TestCarriedCountsCouriers has a courier hold an envelope in two mailboxes, an old one and
// that which the contact names now: that is one courier.
func TestCarriedCountsCouriers(t *testing.T) {
	c := &contact{}
	c.state.Record = &wire.AddressRecord{Mailboxes: []wire.Mailbox{{Courier: identity.TransportKey{1}, ID: wire.MailboxID{2}}}}
	e := &outbox.Entry{}
	e.RestoreCopy(wire.MailboxID{1}, wire.ItemHash{1})
	if n := c.carried(e); n != 0 {
		t.Errorf("%d couriers, but it is only where nobody looks any more", n)
	}
	e.RestoreCopy(wire.MailboxID{2}, wire.ItemHash{1})
	if n := c.carried(e); n != 1 {
		t.Errorf("%d couriers", n)
	}
}

// TestLinkThroughOurselves follows a link that leads to its maker through us only: as long as
// we help it it is a contact, and once we have removed it there is no way.
func TestLinkThroughOurselves(t *testing.T) {
	w, _, b, c := friends(t)
	link := b.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	w.run()
	if _, err := c.p.Step(w.now, AddContact{Link: link}); !problem(err, CodeAlreadyContact) {
		t.Errorf("while it helps: %v", err)
	}
	c.step(w.now, RemoveContact{Contact: c.of(b).row.ID})
	if _, err := c.p.Step(w.now, AddContact{Link: link}); !problem(err, CodeInviteLeadsHere) {
		t.Errorf("after it was removed: %v", err)
	}
}

// TestForgottenOffer has a courier remove whom it helps and follow its link again. The
// owner needs no mailbox there, so it does not ask.
func TestForgottenOffer(t *testing.T) {
	w, _, b, c := friends(t)
	c.step(w.now, RemoveContact{Contact: c.of(b).row.ID})
	b.of(c).state.Boxes = nil
	b.p.furnishDue = false
	link := b.step(w.now, CreateInvite{Kind: InviteOnce, Direct: true}).Replies[0].Result.(InviteCreated).Link
	c.step(w.now, AddContact{Link: link})
	w.run()
	if c.of(b) == nil {
		t.Fatal("they have not met again")
	}
	if b.of(c).state.Courier != nil {
		t.Error("the owner still counts on it")
	}
}
