package protocol

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// heard has two who are off be on together for a while, and reports of each whether the other hears it.
func (w *town) heard(a, b *side, d time.Duration) (ab, ba bool) {
	w.switchOn(a)
	w.switchOn(b)
	at := w.now.String()
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: a.name + at})
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: b.name + at})
	w.run()
	w.pass(d)
	return b.has(a.name + at), a.has(b.name + at)
}

// TestThiefAsksForWeeks has a thief of a recovery secret, of the one in use or of an earlier one, ask for
// a renewal every hour, each time further ahead, with two who are on together for some hours a day: they
// hear each other every day, and are told of nothing.
func TestThiefAsksForWeeks(t *testing.T) {
	for name, inUse := range map[string]bool{"in use": true, "former": false} {
		t.Run(name, func(t *testing.T) {
			w, a, b, secret := relinked(t)
			if inUse {
				secret = a.of(b).state.Recovery
			}
			further := uint32(1)
			for day := range 14 {
				w.switchOff(b)
				for range 18 {
					w.later(time.Hour)
					further++
					w.steals(a, secret, wire.TypeRequest, formerRequest(t, a, b, secret, a.of(b).state.Generation+further))
				}
				if ab, ba := w.heard(a, b, 6*time.Hour); !ab || !ba {
					t.Errorf("day %d: %s is heard: %v, %s: %v", day, a.name, ab, b.name, ba)
				}
			}
			for _, code := range slices.Concat(a.alerts(), b.alerts()) {
				t.Errorf("alert %s", code)
			}
		})
	}
}

// TestFarthestRequest has a thief of the secret in use ask once, as far ahead as is not absurd: nothing
// changes by that, and who has to ask for a renewal later is granted it, also behind a backup that was
// made then.
func TestFarthestRequest(t *testing.T) {
	for _, less := range []uint32{0, 1, 2} {
		for _, behind := range []string{"nothing", "a fork here", "a fork there", "a backup"} {
			t.Run(fmt.Sprintf("%s, %d less", behind, less), func(t *testing.T) {
				w, a, b := talking(t)
				secret, generation := a.of(b).state.Recovery, a.of(b).state.Generation
				w.switchOff(b)
				w.steals(a, secret, wire.TypeRequest, formerRequest(t, a, b, secret, a.of(b).highestGeneration()+generationJumpMax-less))
				if c := a.of(b); c.state.Generation != generation || c.forked || len(c.state.Renewals) > 0 || len(c.state.Granted) != 1 {
					t.Fatal("the request has changed something, or was not granted")
				}
				switch behind {
				case "a fork here":
					w.forks(a, b)
				case "a fork there":
					w.forks(b, a)
				case "a backup":
					w.restoreBackup(a)
				}
				w.later(time.Hour)
				w.talkDaily(a, b, 3)
				if n := len(a.of(b).state.Granted); (behind == "a fork there" || behind == "a backup") && n > 0 {
					t.Errorf("%d grants are left", n)
				}
			})
		}
	}
}

// TestTwoFormerRequests has a thief of an earlier secret ask twice: behind the first we ask by that one,
// and so the second, far ahead, is granted.
func TestTwoFormerRequests(t *testing.T) {
	for _, jump := range []uint32{100, generationJumpMax} {
		w, a, b, old := relinked(t)
		w.later(time.Hour)
		w.switchOff(b)
		w.steals(a, old, wire.TypeRequest, formerRequest(t, a, b, old, 2))
		w.steals(a, old, wire.TypeRequest, formerRequest(t, a, b, old, a.of(b).highestGeneration()+jump))
		w.later(time.Hour)
		w.talkDaily(a, b, 3)
	}
}

// TestGrantAcrossARestart has who granted a renewal start anew before its first frame, and the asker have
// lost what it was sent: with the first frame it gets that again.
func TestGrantAcrossARestart(t *testing.T) {
	w, a, b := talking(t)
	disk, history := w.rows[b].clone(), slices.Clone(b.history)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "lost"})
	w.run()
	w.pass(5 * time.Second)
	w.switchOff(b)
	w.putBack(b, disk, history)
	w.forks(b, a)
	w.run()
	body := wire.DepositedRequest{Request: [wire.RequestSize]byte(b.of(a).state.Repair.Request.Request)}
	w.leaves(a, b, body.Append(nil))
	w.putBack(a, w.rows[a].clone(), a.history)
	c := a.of(b)
	if len(c.state.Granted) != 1 || !c.first().confirmed || c.state.Generation != 0 {
		t.Fatalf("%d grants, generation %d", len(c.state.Granted), c.state.Generation)
	}
	w.home(a)
	w.home(b)
	w.talkAgain(a, b)
	w.arrived(b, "lost")
	if c := a.of(b); len(c.state.Granted) > 0 || len(c.state.Accept) > 0 || c.state.Generation != 1 || len(c.sessions) != 1 || len(c.state.Renewals) != 1 {
		t.Errorf("%d grants, generation %d, %d sessions, %d renewals", len(c.state.Granted), c.state.Generation, len(c.sessions), len(c.state.Renewals))
	}
}

// TestMailBesideAGrant has a request for a renewal that nobody has open any more be left with a courier:
// mail for the contact goes on by courier, and after 60 days nothing is left of the grant.
func TestMailBesideAGrant(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.turns(2, a, b)
	w.switchOff(a)
	w.switchOff(b)
	w.switchOn(a)
	secret := a.of(b).state.Recovery
	w.leaves(a, b, formerRequest(t, a, b, secret, 5))
	c := a.of(b)
	if len(c.state.Granted) != 1 || !c.state.AcceptByCourier {
		t.Fatal("nothing was granted")
	}
	a.step(w.now, SendText{Contact: c.row.ID, Text: "beside"})
	w.pass(15 * time.Minute)
	w.turns(1, b, a)
	w.arrived(b, "beside")
	for range 61 {
		w.later(24 * time.Hour)
	}
	w.turns(2, a, b)
	w.talkAgain(a, b)
	w.later(time.Hour)
	if c := a.of(b); len(c.state.Granted) > 0 || len(c.state.Accept) > 0 || len(c.sessions) != 1 {
		t.Errorf("%d grants, %d sessions", len(c.state.Granted), len(c.sessions))
	}
}

// TestOneForkIsOneRenewal has two who are never on together renew their session once, and write all the
// time: what was left in the session before comes later, and does not look like another loss.
func TestOneForkIsOneRenewal(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.turns(4, a, b)
	w.switchOff(a)
	w.switchOff(b)
	w.forks(b, a)
	w.run()
	on, off := b, a
	for i := range 30 {
		w.switchOn(on)
		for range 3 {
			on.step(w.now, SendText{Contact: on.of(off).row.ID, Text: fmt.Sprint(i)})
			w.run()
			w.pass(5 * time.Minute)
		}
		w.switchOff(on)
		w.later(12 * time.Hour)
		on, off = off, on
	}
	if x, y := a.of(b).state.Generation, b.of(a).state.Generation; x != 1 || y != 1 {
		t.Errorf("generations %d and %d behind one fork", x, y)
	}
}

// TestForgedLinkBehindAFarGrant has a thief of a recovery secret ask for a renewal as far ahead as is not
// absurd, and somebody follow a link in the contact's name: what is asked for then is not absurd, either.
func TestForgedLinkBehindAFarGrant(t *testing.T) {
	w, a, b := talking(t)
	secret := a.of(b).state.Recovery
	w.switchOff(b)
	w.steals(a, secret, wire.TypeRequest, formerRequest(t, a, b, secret, a.of(b).highestGeneration()+generationJumpMax))
	w.asksAs(b, a)
	w.forks(a, b)
	w.later(time.Hour)
	w.talkDaily(a, b, 3)
}

// TestCourierIsGreetedAnew has a courier whose session with an owner is renewed hear once more where mail
// is collected: what it was told before it held the session it may have dropped.
func TestCourierIsGreetedAnew(t *testing.T) {
	w, a, _, couriers := allFriends(t)
	courier := couriers[0]
	w.switchOn(a)
	c := a.of(courier)
	k := c.live()
	if k == nil || len(k.collecting) == 0 {
		t.Fatal("nothing is collected")
	}
	before := len(k.collecting)
	clear(k.collecting)
	w.forks(courier, a)
	w.pass(61 * time.Minute) // on a connection that stands it asks each hour
	if c.first().generation == 0 || len(k.collecting) != before {
		t.Errorf("generation %d, %d of %d mailboxes are collected", c.first().generation, len(k.collecting), before)
	}
}
