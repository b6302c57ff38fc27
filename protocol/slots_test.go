package protocol

import (
	"errors"
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

// TestAskedByTwoLinks has somebody follow two links of one person, forget the first, and both
// requests be accepted days later, when no link leads anywhere any more. The inviter cannot
// tell by which of the two it is waited for.
func TestAskedByTwoLinks(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	for n := range 2 {
		link := a.step(w.now, CreateInvite{Kind: InviteOnce, Ask: true}).Replies[0].Result.(InviteCreated).Link
		b.step(w.now, AddContact{Link: link})
		w.run()
		w.pass(time.Second)
		if n == 0 {
			b.step(w.now, RemoveContact{Contact: b.only().row.ID})
			w.run()
		}
	}
	requests := a.p.requestsInOrder()
	if len(requests) != 2 {
		t.Fatalf("%d requests", len(requests))
	}
	w.switchOff(b)
	for _, r := range requests {
		a.step(w.now, AnswerRequest{ID: r.row.ID, Answer: RequestAccepted})
	}
	w.run()
	w.later(4 * 24 * time.Hour)
	delete(w.off, b) // it comes back and finds nobody where its link leads
	w.pass(3 * time.Hour)
	if x, y := a.only().row.Phase, b.only().row.Phase; x != ContactEstablished || y != ContactEstablished {
		t.Errorf("%v, %v", x, y)
	}
}

// TestLinksOfOneContact has somebody follow two links of one person and then each of them again:
// both lead to the contact that there is.
func TestLinksOfOneContact(t *testing.T) {
	for _, first := range []int{0, 1} { // that is accepted
		w, all := newTown(t, "Mina", "Jiwoo")
		a, b := all[0], all[1]
		var links []string
		for range 2 {
			links = append(links, a.step(w.now, CreateInvite{Kind: InviteOnce, Ask: true}).Replies[0].Result.(InviteCreated).Link)
			b.step(w.now, AddContact{Link: links[len(links)-1]})
			w.run()
			w.pass(time.Second)
		}
		for i := range 2 {
			if requests := a.p.requestsInOrder(); len(requests) > 0 {
				a.step(w.now, AnswerRequest{ID: requests[(first+i)%len(requests)].row.ID, Answer: RequestAccepted})
				w.run()
			}
		}
		w.pass(time.Hour)
		if got := b.of(a).row.Phase; len(b.p.contacts) != 1 || got != ContactEstablished {
			t.Fatalf("%d contacts, %v", len(b.p.contacts), got)
		}
		for i, link := range links {
			_, err := b.p.Step(w.now, AddContact{Link: link})
			if p, ok := errors.AsType[*Problem](err); !ok || p.Code != CodeAlreadyContact || p.Contact != b.of(a).row.ID {
				t.Errorf("link %d leads to %v", i, err)
			}
		}
	}
}

// TestBlockedRequestOfAContact has somebody ask a contact anew by a link and block the request: the
// contact that it becomes is blocked, with all that belongs to that.
func TestBlockedRequestOfAContact(t *testing.T) {
	w, a, b, _ := allFriends(t)
	b.step(w.now, OfferHelp{Contact: b.of(a).row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
	w.run()
	w.pass(5 * time.Second)
	link := a.step(w.now, CreateInvite{Kind: InviteOnce, Ask: true}).Replies[0].Result.(InviteCreated).Link
	w.run()
	w.pass(5 * time.Second)
	w.switchOff(a)
	known := b.of(a)
	asked := b.step(w.now, AddContact{Link: link}).Replies[0].Result.(Added).Contact
	w.run()
	w.pass(5 * time.Second) // by courier
	b.step(w.now, SetBlocked{Contact: asked, Blocked: true})
	w.switchOn(a)
	w.pass(15 * time.Minute)
	b.out.Events = nil
	for _, r := range a.p.requestsInOrder() {
		a.step(w.now, AnswerRequest{ID: r.row.ID, Answer: RequestAccepted})
	}
	w.run()
	w.pass(15 * time.Minute)
	if c := b.p.contacts[asked]; c != nil || !known.row.Blocked {
		t.Fatalf("the request is still there: %v, the contact is blocked: %v", c != nil, known.row.Blocked)
	}
	if !slices.ContainsFunc(b.out.Events, func(e Event) bool { return e.Type == ContactBlocked && e.Contact == known.row.ID }) {
		t.Error("nobody is told")
	}
	if len(known.conns) > 0 || len(known.state.Boxes) > 0 || known.state.Helping != nil {
		t.Errorf("%d paths, %d mailboxes, helping %v", len(known.conns), len(known.state.Boxes), known.state.Helping != nil)
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

// TestLinkOfACourierByTCPToo: a link has room for one address of a courier. Where no UDP gets
// through it is tried by TCP.
func TestLinkOfACourierByTCPToo(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Courier")
	a, b, c := all[0], all[1], all[2]
	w.meet(a, c)
	c.step(w.now, OfferHelp{Contact: c.only().row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
	w.run()
	c.step(w.now, NetworkChanged{Own: []wire.Address{address("5.6.7.8:4001")}})
	w.houses(a, b)
	link := a.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	byTCP := address("5.6.7.8:4001")
	byTCP.Network = wire.TCP
	b.step(w.now, AddContact{Link: link})
	if d := b.dial(); !slices.Equal(d.Addresses, []wire.Address{address("5.6.7.8:4001"), byTCP}) {
		t.Errorf("dialled: %v", d.Addresses)
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

// TestTheAcceptOfAContact has a contact follow a link by courier, because the inviter may have
// removed it, and the inviter answer when that courier has gone for good and the two are on
// together: the accept goes by the path that there is, for nothing else makes a new one.
func TestTheAcceptOfAContact(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Courier of Mina")
	a, b, courier := all[0], all[1], all[2]
	w.meet(a, b)
	w.meet(courier, a)
	courier.step(w.now, OfferHelp{Contact: courier.of(a).row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
	w.run()
	link := a.step(w.now, CreateInvite{Kind: InviteOnce, Ask: true}).Replies[0].Result.(InviteCreated).Link
	w.pass(time.Minute)
	w.switchOff(a)
	added := b.step(w.now, AddContact{Link: link}).Replies[0].Result.(Added).Contact
	w.run()
	w.pass(time.Minute)
	w.switchOff(b)
	w.switchOn(a)
	w.pass(time.Minute)
	w.switchOff(courier)
	w.switchOn(b)
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "are you there?"})
	w.pass(time.Second)
	requests := a.p.requestsInOrder()
	if len(requests) != 1 || len(a.of(b).conns) == 0 {
		t.Fatalf("%d requests, %d connections", len(requests), len(a.of(b).conns))
	}
	a.step(w.now, AnswerRequest{ID: requests[0].row.ID, Answer: RequestAccepted})
	w.run()
	w.pass(time.Minute)
	if c := b.p.contacts[added]; c != nil {
		t.Errorf("the request is still there: %v", c.row.Phase)
	}
	if n := len(a.p.requests); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestAnAcceptOnAnothersPath has somebody who was removed follow two links of the one who has
// removed it, and the accept of one come on the connection of the other, as when its request was
// played again there: a path is of one contact, the one by whom it ends.
func TestAnAcceptOnAnothersPath(t *testing.T) {
	for first := range 2 {
		anAcceptOnAnothersPath(t, first)
	}
}

func anAcceptOnAnothersPath(t *testing.T, first int) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	b.step(w.now, SendText{Contact: b.only().row.ID, Text: "before"})
	w.run()
	w.pass(time.Minute)
	a.step(w.now, RemoveContact{Contact: a.only().row.ID})
	w.run()
	var links []string
	for range 2 {
		links = append(links, a.step(w.now, CreateInvite{Kind: InviteOnce, Ask: true}).Replies[0].Result.(InviteCreated).Link)
	}
	for _, link := range links { // what was written there keeps them apart from the old one
		added := b.step(w.now, AddContact{Link: link}).Replies[0].Result.(Added)
		b.step(w.now, SendText{Contact: added.Contact, Text: "in vain"})
	}
	w.run()
	w.mute[b] = []wire.Type{wire.TypeAccept}
	for _, r := range a.p.requestsInOrder() {
		a.step(w.now, AnswerRequest{ID: r.row.ID, Answer: RequestAccepted})
	}
	w.run()
	var paths []ConnID
	for _, c := range b.p.contactsInOrder() {
		for _, k := range c.conns {
			paths = append(paths, k.id)
		}
	}
	requests := a.p.requestsInOrder()
	if len(paths) != 2 || len(requests) != 2 {
		t.Fatalf("%d paths, %d requests", len(paths), len(requests))
	}
	for i := range requests { // one of them comes on the path of the other
		accept := requests[(first+i)%2].state.Accept
		b.step(w.now, FrameReceived{Conn: paths[0], Type: wire.TypeAccept, Body: accept})
	}
	for _, c := range b.p.contactsInOrder() {
		for _, k := range c.conns {
			if k.contact != c {
				t.Errorf("a connection is a path to two contacts")
			}
		}
	}
	w.mute[b] = nil
	w.pass(2 * connIdleMax)
	if n := len(b.of(a).conns); n > 0 || b.of(a).row.Phase != ContactEstablished {
		t.Errorf("%d paths that nobody needs, %s", n, b.of(a).row.Phase)
	}
}
