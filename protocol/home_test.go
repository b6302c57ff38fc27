package protocol

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// pair makes home the home node of owner.
func (w *town) pair(owner, home *side) {
	link := home.step(w.now, CreateInvite{Kind: InviteHome}).Replies[0].Result.(InviteCreated).Link
	owner.step(w.now, AddContact{Link: link, Home: true})
	w.run()
}

func (s *side) helpOf(other *side) (Help, bool) {
	for _, h := range s.p.Helps() {
		if h.Contact == s.of(other).row.ID {
			return h, true
		}
	}
	return Help{}, false
}

// TestHomeNode has a home node carry the first contact and the mail of its owner, with whom it has no
// conversation and who is no contact to anybody who looks.
func TestHomeNode(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Home of Mina", "Home of Jiwoo")
	a, b, home := all[0], all[1], all[2]
	w.pair(a, home)
	w.pair(b, all[3])
	w.pass(2 * time.Second)
	for _, end := range []struct {
		of, with *side
		role     ContactRole
	}{{a, home, RoleHome}, {home, a, RoleOwner}} {
		h, ok := end.of.helpOf(end.with)
		if !ok || h.Role != end.role || h.Phase != ContactEstablished || !h.Live || len(end.of.p.conversations) > 0 {
			t.Fatalf("%s: %+v, %d conversations", end.of.name, h, len(end.of.p.conversations))
		}
		if _, err := end.of.p.Step(w.now, SendText{Contact: h.Contact, Text: "x"}); !problem(err, CodeNotFound) {
			t.Errorf("a text: %v", err)
		}
		if _, err := end.of.p.Step(w.now, OpenConversation{Contact: h.Contact}); !problem(err, CodeNotFound) {
			t.Errorf("a conversation: %v", err)
		}
		if _, err := end.of.p.Step(w.now, ExportBundle{Contact: h.Contact}); !problem(err, CodeNotFound) {
			t.Errorf("a file: %v", err)
		}
	}
	if h, _ := a.helpOf(home); !h.Ready || h.Taken.QuotaBytes != homeQuotaBytes {
		t.Errorf("%+v", h)
	}

	link := a.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	w.pass(2 * time.Second)
	w.switchOff(a)
	b.step(w.now, AddContact{Link: link, Alias: "Mina"})
	w.pass(5 * time.Second)
	w.switchOff(b)
	w.switchOn(a)
	w.pass(2 * time.Minute)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	w.pass(2 * time.Minute)
	w.switchOff(a)
	w.switchOn(b)
	w.pass(20 * time.Minute)
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "hello yourself"})
	w.pass(20 * time.Minute)
	w.switchOff(b)
	w.switchOn(a)
	w.pass(2 * time.Minute)
	if len(a.history) != 2 {
		t.Fatalf("%s has %d messages", a.name, len(a.history))
	}
	if h, _ := a.helpOf(home); !h.Ready || h.Standing != 1 {
		t.Errorf("%+v", h)
	}
}

// TestLinkOfLyingCourier has the courier that a link names show another bundle: it is refused and told, and
// the true one, when it comes, still does.
func TestLinkOfLyingCourier(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Home")
	a, b, home := all[0], all[1], all[2]
	w.pair(a, home)
	w.pass(2 * time.Second)
	link := a.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	w.pass(2 * time.Second)
	w.switchOff(a)
	var board wire.MailboxID
	for id, items := range w.held[home] {
		if len(items) == 1 && items[0].Type == wire.TypeBundleAnswer {
			board = id
		}
	}
	true0 := w.held[home][board][0]
	lie := true0
	lie.Body = slices.Clone(true0.Body)
	lie.Body[100] ^= 1
	w.held[home][board][0] = lie
	b.step(w.now, AddContact{Link: link})
	w.pass(2 * time.Second)
	if !slices.ContainsFunc(b.out.Events, func(e Event) bool { return e.Type == SecurityAlert && e.Code == "bundle_invalid" }) {
		t.Error("nobody was told")
	}
	if b.only().state.Asking.Request != nil {
		t.Error("it asked by a bundle that is not the inviter's")
	}
	w.pass(10 * time.Minute) // it asks again and again
	if n := len(b.alerts()); n != 1 {
		t.Errorf("it was told %d times", n)
	}
	w.held[home][board][0] = true0
	w.pass(10 * time.Minute)
	w.switchOn(a)
	w.pass(20 * time.Minute)
	if got := b.only().row.Phase; got != ContactEstablished {
		t.Errorf("phase %v", got)
	}
}

// TestHomeLinks has each link refused by the command for the other kind.
func TestHomeLinks(t *testing.T) {
	w, all := newTown(t, "Mina", "Home")
	a, home := all[0], all[1]
	if _, err := a.p.Step(w.now, CreateInvite{Kind: InviteHome}); !problem(err, CodeNotHome) {
		t.Errorf("a home's link of no home: %v", err)
	}
	link := home.step(w.now, CreateInvite{Kind: InviteHome}).Replies[0].Result.(InviteCreated).Link
	if _, err := a.p.Step(w.now, AddContact{Link: link}); !problem(err, CodeInviteIsHome) {
		t.Errorf("as a contact: %v", err)
	}
	link = home.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	if _, err := a.p.Step(w.now, AddContact{Link: link, Home: true}); !problem(err, CodeInviteWrongKind) {
		t.Errorf("as a home node: %v", err)
	}
}

// TestHomeEnds ends a pairing from either side: both forget each other, and what lay there is gone.
func TestHomeEnds(t *testing.T) {
	for ends := range 2 {
		w, all := newTown(t, "Mina", "Home", "Jiwoo")
		w.meet(all[2], all[0])
		w.pair(all[0], all[1])
		w.pass(2 * time.Second)
		if len(all[1].p.shelves.Boxes()) == 0 {
			t.Fatal("no mailbox stands")
		}
		all[ends].step(w.now, EndHelp{Contact: all[ends].of(all[1-ends]).row.ID})
		w.run()
		w.pass(3 * time.Minute)
		if a, home := all[0].of(all[1]), all[1].of(all[0]); a != nil || home != nil && home.state.PartingSince == 0 {
			t.Errorf("ended by %s: %v, %v", all[ends].name, a == nil, home == nil)
		}
		if n := len(all[1].p.shelves.Boxes()); n > 0 {
			t.Errorf("ended by %s: %d mailboxes", all[ends].name, n)
		}
		if n := len(all[0].p.Helps()); n > 0 {
			t.Errorf("ended by %s: %d helpers", all[ends].name, n)
		}
	}
}

// TestHomeNodeSaysNothing has an owner and a home node that run other programs write texts to
// each other: neither shows the other as somebody to talk with.
func TestHomeNodeSaysNothing(t *testing.T) {
	for writer := range 2 {
		w, all := newTown(t, "Mina", "Home")
		w.pair(all[0], all[1])
		w.pass(2 * time.Second)
		from, to := all[writer], all[1-writer]
		from.of(to).row.Role = RolePerson
		from.step(w.now, SendText{Contact: from.of(to).row.ID, Text: "psst"})
		w.run()
		if len(to.p.conversations) > 0 || len(to.history) > 0 {
			t.Errorf("%s: %d conversations, %d messages", to.name, len(to.p.conversations), len(to.history))
		}
	}
}

// TestHomeEndsAtOnce ends a pairing before the home node's offer has come.
func TestHomeEndsAtOnce(t *testing.T) {
	w, all := newTown(t, "Mina", "Home")
	a, home := all[0], all[1]
	w.pair(a, home)
	w.pass(2 * time.Second)
	a.of(home).state.Courier = nil // as if it were still on the way
	a.step(w.now, EndHelp{Contact: a.of(home).row.ID})
	a.p.termsReceived(a.of(home), &wire.CourierTerms{QuotaBytes: homeQuotaBytes, LifetimeDays: homeLifetimeDays}) // too late
	w.run()
	w.pass(3 * time.Minute)
	if a.of(home) != nil || home.of(a) != nil && home.of(a).state.Helping != nil {
		t.Error("the home node goes on helping somebody who has forgotten it")
	}
}

// TestHomeEndsByWrongClock ends a pairing while the owner's clock is a year ahead.
func TestHomeEndsByWrongClock(t *testing.T) {
	w, all := newTown(t, "Mina", "Home")
	a, home := all[0], all[1]
	w.pair(a, home)
	w.pass(2 * time.Second)
	w.switchOff(home)
	a.step(w.now.AddDate(1, 0, 0), EndHelp{Contact: a.of(home).row.ID})
	w.pass(time.Minute)
	delete(w.off, home)
	w.pass(time.Hour)
	if a.of(home) != nil {
		t.Error("the pairing goes on ending")
	}
}

// TestHomePairedAgain pairs anew while the end of the first pairing is not told yet.
func TestHomePairedAgain(t *testing.T) {
	for ends := range 2 {
		w, all := newTown(t, "Mina", "Home")
		a, home := all[0], all[1]
		w.pair(a, home)
		w.pass(2 * time.Second)
		other := all[1-ends]
		w.switchOff(other)
		all[ends].step(w.now, EndHelp{Contact: all[ends].of(other).row.ID})
		w.pass(10 * time.Second)
		delete(w.off, other)
		w.pair(a, home)
		w.pass(20 * time.Minute)
		if n := len(a.p.contacts) + len(home.p.contacts); n != 2 {
			t.Fatalf("ended by %s: %d contacts: %+v", all[ends].name, n, a.of(home))
		}
		if h, ok := a.helpOf(home); !ok || !h.Ready || h.Declined || h.Taken == nil {
			t.Errorf("ended by %s: %+v", all[ends].name, h)
		}
		if h, ok := home.helpOf(a); !ok || h.Given == nil {
			t.Errorf("ended by %s: %+v", all[ends].name, h)
		}
	}
}

func problem(err error, code string) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Code == code
}
