package protocol

import (
	"slices"
	"testing"
	"time"

	"pabal/protocol/mailbox"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// later lets a long time go by at once.
func (w *town) later(d time.Duration) {
	w.now = w.now.Add(d)
	w.pass(5 * time.Second)
}

// text has a write to b, who is off, and waits until couriers may have it.
func (w *town) text(a, b *side, text string) *outbox.Entry {
	w.t.Helper()
	sent := a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: text}).Replies[0].Result.(Sent)
	w.pass(10 * time.Second)
	e, ok := a.of(b).queue.Carrying(MessageID(sent.ID))
	if !ok {
		w.t.Fatalf("no envelope has %q", text)
	}
	return e
}

// at returns the mailbox that b has for a at a courier, as a knows it.
func (w *town) at(a, b, courier *side) wire.Mailbox {
	w.t.Helper()
	key := courier.p.Transport(w.now).Public()
	for _, m := range a.of(b).state.Record.Mailboxes {
		if m.Courier == key {
			return m
		}
	}
	w.t.Fatalf("%s is not named", courier.name)
	return wire.Mailbox{}
}

// holders returns which couriers have said that they hold an envelope.
func (w *town) holders(a, b *side, e *outbox.Entry, couriers []*side) (names []string) {
	for _, c := range couriers {
		if e.StoredIn(w.at(a, b, c).ID) {
			names = append(names, c.name)
		}
	}
	return names
}

// TestThirdCopy has both couriers lose what they hold: a day later a third one, which was
// spared until then, gets a copy, and the text arrives once.
func TestThirdCopy(t *testing.T) {
	w, a, b, couriers := friendsWith(t, "One", "Two", "Three")
	w.switchOff(b)
	e := w.text(a, b, "hello")
	first := w.holders(a, b, e, couriers)
	if len(first) != outbox.CopiesUsual {
		t.Fatalf("%v hold it", first)
	}
	w.later(12 * time.Hour)
	if got := w.holders(a, b, e, couriers); len(got) != outbox.CopiesUsual {
		t.Fatalf("half a day later %v hold it", got)
	}
	w.later(12 * time.Hour)
	if got := w.holders(a, b, e, couriers); len(got) != outbox.CopiesMax {
		t.Fatalf("a day later %v hold it", got)
	}
	if got := a.of(b).conv.row.Carried[2]; len(got) != 1 {
		t.Errorf("carried by three: %v", got)
	}
	for _, c := range couriers {
		if slices.Contains(first, c.name) {
			w.switchOff(c)
		}
	}
	w.switchOff(a)
	w.switchOn(b)
	w.pass(time.Minute)
	if len(b.history) != 1 {
		t.Fatalf("%d texts", len(b.history))
	}
	for _, c := range couriers {
		w.switchOn(c)
	}
	w.switchOn(a)
	w.pass(15 * time.Minute)
	if len(b.history) != 1 || !a.of(b).queue.Empty() {
		t.Errorf("%d texts, the outbox is empty: %v", len(b.history), a.of(b).queue.Empty())
	}
}

// TestCopiesOutliveARestart counts the day from when the text was written, however often
// the device is off.
func TestCopiesOutliveARestart(t *testing.T) {
	w, a, b, couriers := friendsWith(t, "One", "Two", "Three")
	w.switchOff(b)
	w.text(a, b, "hello")
	holders := func() (n int) {
		for _, c := range couriers {
			if w.holds(c) > 0 {
				n++
			}
		}
		return n
	}
	for half, want := range []int{2, 3} {
		w.off[a] = true
		w.later(12 * time.Hour)
		a.reload(w.now, w.rows[a].state(a))
		w.switchOn(a)
		w.pass(30 * time.Second)
		if got := holders(); got != want {
			t.Errorf("%d couriers hold it %d hours later", got, 12*(half+1))
		}
	}
}

// TestFullCourierIsRoutedAround has one of three couriers take no more.
func TestFullCourierIsRoutedAround(t *testing.T) {
	w, a, b, couriers := friendsWith(t, "One", "Two", "Three")
	w.switchOff(b)
	full := w.holders(a, b, w.text(a, b, "first"), couriers)[0]
	for _, c := range couriers {
		if c.name == full {
			c.of(b).state.Helping.QuotaBytes = 1
		}
	}
	e := w.text(a, b, "second")
	if got := w.holders(a, b, e, couriers); len(got) != outbox.CopiesUsual || slices.Contains(got, full) {
		t.Errorf("%v hold it, %s is full", got, full)
	}
	why, _ := a.p.Why(w.now, a.of(b).row.ID, nil)
	if n := len(why.Couriers); n != 3 || why.Couriers[n-1].Trouble != TroubleFull {
		t.Errorf("couriers %+v", why.Couriers)
	}
}

// TestSilentCourierIsRoutedAround has one of three couriers take what is left there and
// never answer: another one gets a copy, and what is written later goes to the others at
// once. When it answers again, it is relied on again.
func TestSilentCourierIsRoutedAround(t *testing.T) {
	w, a, b, couriers := friendsWith(t, "One", "Two", "Three")
	w.switchOff(b)
	usual := w.holders(a, b, w.text(a, b, "first"), couriers)
	for _, c := range couriers {
		if c.name == usual[0] {
			w.mute[c] = []wire.Type{wire.TypeDeposit}
		}
	}
	e := w.text(a, b, "second")
	w.pass(5 * time.Minute)
	if got := w.holders(a, b, e, couriers); len(got) != outbox.CopiesUsual || slices.Contains(got, usual[0]) {
		t.Fatalf("%v hold it", got)
	}
	why, _ := a.p.Why(w.now, a.of(b).row.ID, nil)
	if n := len(why.Couriers); n != 3 || why.Couriers[n-1].Trouble != TroubleSilent {
		t.Errorf("couriers %+v", why.Couriers)
	}
	e = w.text(a, b, "third")
	if got := w.holders(a, b, e, couriers); len(got) != outbox.CopiesUsual {
		t.Errorf("at once %v hold it", got)
	}
	w.switchOn(b)
	w.pass(time.Minute)
	w.switchOff(b)
	clear(w.mute)
	w.later(troubleKept)
	e = w.text(a, b, "fourth")
	if got := w.holders(a, b, e, couriers); !slices.Contains(got, usual[0]) {
		t.Errorf("a day later %v hold it", got)
	}
}

// TestDeadCourierIsRoutedAround has one of three couriers be gone: the others get all
// mail, and it is shown.
func TestDeadCourierIsRoutedAround(t *testing.T) {
	w, a, b, couriers := friendsWith(t, "One", "Two", "Three")
	w.switchOff(b)
	usual := w.holders(a, b, w.text(a, b, "first"), couriers)
	for _, c := range couriers {
		if c.name == usual[0] {
			w.switchOff(c)
		}
	}
	e := w.text(a, b, "second")
	w.pass(30 * time.Second)
	if got := w.holders(a, b, e, couriers); len(got) != outbox.CopiesUsual || slices.Contains(got, usual[0]) {
		t.Errorf("%v hold it", got)
	}
	why, _ := a.p.Why(w.now, a.of(b).row.ID, nil)
	if !slices.ContainsFunc(why.Couriers, func(s CourierState) bool { return !s.Reached }) {
		t.Errorf("couriers %+v", why.Couriers)
	}
}

// TestCourierThatLosesMail has a courier lose texts while its owner collects later ones:
// the second time the user is told, and others come before it, also after a restart. A day
// later it is relied on again if it has done well, three days later in any case.
func TestCourierThatLosesMail(t *testing.T) {
	w, a, b, couriers := friendsWith(t, "One")
	loses := couriers[0]
	round := func() {
		w.switchOff(b)
		w.text(a, b, "lost")
		clear(w.held[loses])
		w.later(2 * time.Hour)
		w.text(a, b, "comes")
		w.switchOff(a)
		w.switchOn(b)
		w.pass(15 * time.Minute) // the receipt goes by courier
		w.switchOff(b)
		w.switchOn(a)
		w.pass(time.Minute)
	}
	round()
	if trouble := a.p.trouble(w.now, a.of(b), w.at(a, b, loses)); trouble != "" || len(a.alerts()) > 0 {
		t.Fatalf("the first time: %q, alerts %v", trouble, a.alerts())
	}
	round()
	if trouble := a.p.trouble(w.now, a.of(b), w.at(a, b, loses)); trouble != TroubleLosesMail || !slices.Contains(a.alerts(), "courier_loses_mail") {
		t.Fatalf("the second time: %q, alerts %v", trouble, a.alerts())
	}
	a.reload(w.now, w.rows[a].state(a))
	for in, want := range map[time.Duration]string{0: TroubleLosesMail, doubtKept - time.Hour: TroubleLosesMail, doubtKept: ""} {
		if trouble := a.p.trouble(w.now.Add(in), a.of(b), w.at(a, b, loses)); trouble != want {
			t.Errorf("after a restart, in %v: %q", in, trouble)
		}
	}
	w.later(doubtEased)
	w.switchOff(b)
	w.text(a, b, "by it alone")
	w.switchOff(a)
	w.switchOn(b)
	w.pass(15 * time.Minute)
	w.switchOff(b)
	w.switchOn(a)
	w.pass(time.Minute)
	if trouble := a.p.trouble(w.now, a.of(b), w.at(a, b, loses)); trouble != "" {
		t.Errorf("having done well: %q", trouble)
	}
	w.switchOn(b)
	w.pass(time.Minute)
	if len(b.history) != 5 {
		t.Errorf("%d texts", len(b.history))
	}
}

// TestReachIsAskedAgain has a courier not answer at first whether the owner is there: it is
// asked again on the same connection, less and less often.
func TestReachIsAskedAgain(t *testing.T) {
	w, a, b, c := behind(t)
	w.pass(time.Minute)
	w.walled[a] = true
	w.mute[c] = []wire.Type{wire.TypeReach, wire.TypeDeposit}
	w.cut(b)
	w.cut(a)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "hello"})
	asked := 0
	for range 600 {
		w.now = w.now.Add(time.Second)
		a.step(w.now, Woke{})
		asked += countFrames(a.out.Sends, wire.TypeReach)
		w.run()
	}
	if asked < 3 || asked > 20 {
		t.Errorf("asked %d times in ten minutes", asked)
	}
	w.mute[c] = w.mute[c][1:]
	w.pass(20 * time.Minute)
	if w.through == 0 {
		t.Error("nobody was connected")
	}
}

// TestRefusedMailboxIsAskedForDaily has a courier have no room for a mailbox until later: a
// day after it refused the mailbox it is asked again, on the connection that stands.
func TestRefusedMailboxIsAskedForDaily(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Courier")
	a, b, c := all[0], all[1], all[2]
	w.meet(b, c)
	c.step(w.now, OfferHelp{Contact: c.of(b).row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
	w.run()
	owner := mailbox.Owner(c.of(b).row.ID)
	today := dayOf(w.now)
	for i := range mailbox.MailboxesPerOwnerMax {
		order := wire.MailboxOrder{Kind: wire.MailboxQueue, ClosesDay: today, ExpiresDay: today}
		order.ID[0], order.ID[1] = byte(i), byte(i>>8)
		c.p.shelves.Open(owner, order)
	}
	w.meet(a, b)
	w.pass(5 * time.Second)
	if h, _ := b.helpOf(c); h.Trouble != TroubleRefuses {
		t.Fatalf("%+v", h)
	}
	c.p.shelves.CloseAll(owner)
	conn := b.of(c).live()
	w.later(23 * time.Hour)
	if h, _ := b.helpOf(c); h.Standing != 0 {
		t.Errorf("hours later: %+v", h)
	}
	w.later(2 * time.Hour)
	if h, _ := b.helpOf(c); h.Standing != 1 || h.Trouble != "" || b.of(c).live() != conn {
		t.Errorf("a day later: %+v, the same connection: %v", h, b.of(c).live() == conn)
	}
}

// TestDeclineHolds has a courier whom the owner has declined offer again: the owner's word
// holds until it takes it back.
func TestDeclineHolds(t *testing.T) {
	w, a, b, c := friends(t)
	mailboxes := func() int { return len(a.of(b).state.Record.Mailboxes) }
	b.step(w.now, EndHelp{Contact: b.of(c).row.ID})
	w.pass(5 * time.Second)
	for _, quota := range []uint64{64 << 20, 1 << 20} {
		c.step(w.now, OfferHelp{Contact: c.of(b).row.ID, QuotaBytes: quota, LifetimeDays: 7})
		w.pass(5 * time.Second)
		if h, _ := b.helpOf(c); !h.Declined || h.Standing != 0 || mailboxes() != 0 || h.Taken.QuotaBytes != quota {
			t.Fatalf("%+v, %d mailboxes are told", h, mailboxes())
		}
	}
	b.step(w.now, AcceptHelp{Contact: b.of(c).row.ID})
	w.pass(5 * time.Second)
	if h, _ := b.helpOf(c); h.Declined || h.Standing != 1 || mailboxes() != 1 {
		t.Errorf("%+v, %d mailboxes are told", h, mailboxes())
	}
	for contact, want := range map[ContactID]string{{}: CodeNotFound, b.of(a).row.ID: CodeNotFound, b.of(c).row.ID: ""} {
		if _, err := b.p.Step(w.now, AcceptHelp{Contact: contact}); want == "" && err != nil || want != "" && !problem(err, want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
