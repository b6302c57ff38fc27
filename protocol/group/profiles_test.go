package group

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// called is what somebody knows of what another is called, "" if nothing.
func (w *world) called(by, who int) string {
	p, _ := w.people[by].x.log.Profile(w.people[who].key())
	return p.Name
}

// allCall checks that everybody in the group calls somebody the same.
func (w *world) allCall(who int) {
	w.t.Helper()
	want := w.called(who, who)
	for i, p := range w.people {
		if p.x != nil && p.x.in(p.key()) && (w.called(i, who) != want || want == "") {
			w.t.Errorf("%s calls %s %q, not %q", p.name, w.people[who].name, w.called(i, who), want)
		}
	}
}

// TestProfilesGetRound has members say who they are: those who know only some of the others hear it, too,
// and who comes later.
func TestProfilesGetRound(t *testing.T) {
	w := gather(t, 4, true, false) // 0-1-2-3
	for i := range w.people {
		w.introduce(i)
	}
	w.pass(time.Minute)
	for i := range w.people {
		w.allCall(i)
	}
	w.people = append(w.people, newWorld(t, 1, 5).people[4])
	w.add(3, 4, wire.RoleMember)
	w.pass(time.Minute)
	w.introduce(4)
	w.pass(time.Hour)
	for i := range w.people {
		w.allCall(i)
	}
	w.quiet()
}

// TestProfileThatWasLost loses a profile on all ways that are straight: who hears that others have it asks for
// it, once.
func TestProfileThatWasLost(t *testing.T) {
	w := gather(t, 4, false, true)
	w.introduce(1)
	lost := func(x parcel) bool { return x.to == 2 && x.kind == "profile" }
	for range 30 {
		w.lose(lost)
		w.pass(time.Second)
	}
	clear(w.sent)
	w.pass(20 * time.Minute)
	w.allCall(1)
	if w.sent["profile"] != 2 { // to who lacked it, who hands it on
		t.Errorf("%d profiles were sent then", w.sent["profile"])
	}
	w.quiet()
}

// TestProfileBeforeTheAdd has a new member's profile come before what made them one.
func TestProfileBeforeTheAdd(t *testing.T) {
	w := gather(t, 3, false, false) // all know 0
	w.people = append(w.people, newWorld(t, 1, 4).people[3])
	w.add(0, 3, wire.RoleMember)
	for i, x := range w.way {
		if x.to == 1 {
			w.way[i].at = w.now.Add(10 * time.Minute)
		}
	}
	w.pass(time.Minute)
	w.do(3, w.people[3].x.Meet(w.now, key(1), w.people[1].key(), false))
	w.do(1, w.people[1].x.Meet(w.now, key(3), w.people[3].key(), false))
	w.introduce(3)
	w.lose(func(x parcel) bool { return x.kind == "profile" && x.to != 1 })
	w.pass(5 * time.Minute)
	if w.called(1, 3) != "" {
		t.Fatal("the profile counts already")
	}
	w.pass(time.Hour)
	w.allCall(3)
}

// TestProfileHandedOnBeforeTheAdd is the same where somebody hands on the profile who has long been known.
func TestProfileHandedOnBeforeTheAdd(t *testing.T) {
	w := gather(t, 3, true, false) // 0-1-2
	w.people = append(w.people, newWorld(t, 1, 4).people[3])
	w.add(2, 3, wire.RoleMember)
	w.lose(func(x parcel) bool { return x.to == 1 })
	w.pass(10 * time.Second)
	w.introduce(3)
	w.pass(10 * time.Second)
	if w.called(2, 3) == "" || w.called(1, 3) != "" {
		t.Fatal("it has not been handed on, or counts already")
	}
	w.pass(time.Hour)
	w.allCall(3)
}

// TestManyProfiles has a member say each second that they are called something else: each of the others hands on
// one a minute, and all come to hold the last.
func TestManyProfiles(t *testing.T) {
	w := gather(t, 6, false, true)
	clear(w.sent)
	for range 120 {
		w.introduce(1)
		w.pass(time.Second)
	}
	if most := 120*5 + 3*25; w.sent["profile"] > most { // what the author sends, and three times what all others may
		t.Errorf("%d were sent, at most %d are allowed", w.sent["profile"], most)
	}
	w.pass(time.Hour)
	w.allCall(1)
	w.quiet()
}

// TestProfileOfAnOldDisk has a member whose disk was put back, and whose clock is behind, say who they are: what
// they said before stays, and they learn of it.
func TestProfileOfAnOldDisk(t *testing.T) {
	w := gather(t, 3, false, true)
	w.copyDisk(1)
	for range 3 {
		w.pass(2 * time.Minute)
		w.introduce(1)
	}
	w.pass(time.Hour)
	last := w.called(0, 1)
	w.restart(1, true)
	p := w.people[1]
	said := wire.GroupProfile{Group: p.x.log.ID(), Revision: 1, Name: "of before"}
	if err := said.Sign(p.seed); err != nil {
		t.Fatal(err)
	}
	out, err := p.x.Introduce(w.now, Neighbour{}, said)
	if err != nil {
		t.Fatal(err)
	}
	w.do(1, out)
	w.pass(time.Hour)
	w.allCall(1)
	if got := w.called(1, 1); got != last || p.says[p.key()].Name != last {
		t.Errorf("it is called %q, not %q", got, last)
	}
}

// TestProfilesAreRefused has profiles come that nobody is to believe.
func TestProfilesAreRefused(t *testing.T) {
	w := gather(t, 4, false, true)
	x, n := w.people[0].x, key(1)
	made := func(i int, change func(*wire.GroupProfile)) wire.GroupProfile {
		p := wire.GroupProfile{Group: x.log.ID(), Revision: uint64(w.now.UnixMilli()), Name: "Mina"}
		if err := p.Sign(w.people[i].seed); err != nil {
			t.Fatal(err)
		}
		change(&p)
		return p
	}
	stranger := newWorld(t, 2, 1).people[0].seed
	w.remove(0, 3)
	for name, one := range map[string]struct {
		p    wire.GroupProfile
		want error
	}{
		"a forged one":            {made(1, func(p *wire.GroupProfile) { p.Name = "Jiwoo" }), ErrForged},
		"one of another's key":    {made(1, func(p *wire.GroupProfile) { p.Member = w.people[2].key() }), ErrForged},
		"one of another group":    {made(1, func(p *wire.GroupProfile) { p.Group[0]++ }), ErrForeign},
		"one of somebody removed": {made(3, func(*wire.GroupProfile) {}), nil},
		"one of a stranger": {made(1, func(p *wire.GroupProfile) {
			if err := p.Sign(stranger); err != nil {
				t.Fatal(err)
			}
		}), ErrNotMember},
	} {
		out, err := x.Introduce(w.now, n, one.p)
		if !errors.Is(err, one.want) || len(out.Profiles) > 0 || len(out.Sends) > 0 {
			t.Errorf("%s: %v, %d are kept, %d are sent", name, err, len(out.Profiles), len(out.Sends))
		}
	}
	if _, err := x.Introduce(w.now, n, made(1, func(*wire.GroupProfile) {})); err != nil || w.called(0, 1) != "Mina" {
		t.Errorf("one that is right: %v", err)
	}
	w.now = w.now.Add(time.Second)
	later := made(1, func(*wire.GroupProfile) {}) // too soon behind the last
	later.Name = "Jiwoo"
	if out, err := x.Introduce(w.now, n, later); !errors.Is(err, ErrForged) || len(out.Profiles) > 0 {
		t.Errorf("a forged one that is to wait: %v", err)
	}
	w.pass(time.Hour)
	if got := w.called(0, 1); got != "Mina" {
		t.Errorf("it is called %q", got)
	}
}

// TestTwinProfiles has a member, who is off then, say two things under one revision to two others, neither of whom
// hands on to the other: both come to hold the same.
func TestTwinProfiles(t *testing.T) {
	w := gather(t, 3, false, true)
	for i, name := range []string{"Alice", "Bob"} {
		x := w.people[1+i].x
		p := wire.GroupProfile{Group: x.log.ID(), Revision: 100, Name: name}
		if err := p.Sign(w.people[0].seed); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Introduce(w.now, key(0), p); err != nil {
			t.Fatal(err)
		}
	}
	w.turn(0, true)
	w.pass(2 * time.Hour)
	for i := 1; i < 3; i++ {
		w.do(i, w.people[i].x.Reached(w.now, key(3-i), true))
	}
	w.pass(time.Hour)
	if a, b := w.called(1, 0), w.called(2, 0); a != b {
		t.Errorf("it is called %q and %q", a, b)
	}
}

// TestProfilesOfAnOldDisk has somebody whose disk was put back lack everybody's profile among many who all know each
// other: each is sent once.
func TestProfilesOfAnOldDisk(t *testing.T) {
	const count = 12
	w := gather(t, count, false, true)
	w.copyDisk(3)
	for i := range count {
		w.introduce(i)
	}
	w.pass(time.Hour)
	w.restart(3, true)
	clear(w.sent)
	w.pass(3 * time.Hour)
	for i := range count {
		w.allCall(i)
	}
	if n := w.sent["profile"]; n > 2*count { // to who lacks them, and handed on to who has added them
		t.Errorf("%d profiles were sent for %d that lacked", n, count)
	}
	w.quiet()
}

// TestLiarAboutProfiles has a member say that they have a later profile of another, and never send it: the others
// are asked all the same.
func TestLiarAboutProfiles(t *testing.T) {
	w := gather(t, 4, false, true)
	for i := range 2 {
		w.people[i].x.Part(key(2)) // the liar and the author send nothing there
	}
	w.introduce(1)
	x, honest := w.people[2].x, w.people[3].x
	told := func() {
		w.do(3, honest.step(func() {
			honest.tellOf(key(2), honest.near[key(2)], false, false, []identity.MemberKey{w.people[1].key()})
		}))
	}
	for i := range 7200 {
		if i < 60 {
			x.Synced(w.now, key(0), wire.GroupSync{Group: x.log.ID(), Held: x.log.HeldHash(), Left: x.log.LeftHash(), Authors: []wire.GroupAuthor{
				{Mark: wire.MarkOf(w.people[1].key()), Revision: wire.GroupSequenceMax, Profile: [8]byte{1}},
			}})
		}
		if i == 30 {
			told()
		}
		w.lose(func(x parcel) bool { return x.to == 2 && x.from == 3 && x.kind == "sync" && i < 30 })
		w.pass(time.Second)
	}
	w.allCall(1)
}

// TestProfilesOfNobody has a neighbour send profiles of keys that nobody has added: nothing is kept of them.
func TestProfilesOfNobody(t *testing.T) {
	w := gather(t, 3, false, true)
	x := w.people[0].x
	for i := range 1000 {
		p := wire.GroupProfile{Group: x.log.ID(), Revision: 1, Member: identity.MemberKey{byte(i), byte(i >> 8), 1}}
		if _, err := x.Introduce(w.now, key(1), p); !errors.Is(err, ErrNotMember) {
			t.Fatal(err)
		}
	}
	if n := len(x.near[key(1)].refused) + len(x.soon) + len(x.named); n > 0 {
		t.Errorf("%d keys are kept", n)
	}
	stranger := Neighbour{9, 9}
	p := wire.GroupProfile{Group: x.log.ID(), Revision: 1, Name: "Mina"}
	if err := p.Sign(w.people[1].seed); err != nil {
		t.Fatal(err)
	}
	if out, err := x.Introduce(w.now, stranger, p); !errors.Is(err, ErrNotMember) || len(out.Profiles) > 0 {
		t.Errorf("somebody to whom there is no session: %v", err)
	}
}

// TestLaterProfileWaits has three profiles of a member come within a minute, the last but one last: the last counts.
func TestLaterProfileWaits(t *testing.T) {
	w := gather(t, 3, false, true)
	x := w.people[0].x
	say := func(revision uint64) {
		p := wire.GroupProfile{Group: x.log.ID(), Revision: revision, Name: fmt.Sprint("n", revision)}
		if err := p.Sign(w.people[1].seed); err != nil {
			t.Fatal(err)
		}
		out, err := x.Introduce(w.now, key(1), p)
		if err != nil {
			t.Fatal(err)
		}
		w.do(0, out)
	}
	say(10)
	say(30)
	w.now = w.now.Add(profileEvery + time.Second) // and nothing that is due was done
	say(20)
	w.pass(time.Hour)
	if got := w.called(0, 1); got != "n30" {
		t.Errorf("it is called %q", got)
	}
}

// TestAsksAreAnsweredTogether has a neighbour ask for all profiles though it has them: one answer says so, and not
// more of them than may be.
func TestAsksAreAnsweredTogether(t *testing.T) {
	w := gather(t, 4, false, true)
	for i := range w.people {
		w.introduce(i)
	}
	w.pass(time.Minute)
	x := w.people[0].x
	ask := wire.GroupSync{Group: x.log.ID(), Held: x.log.HeldHash(), Left: x.log.LeftHash()}
	for _, who := range sortedMembers(x.log.profiles) {
		h := x.holds(who)
		ask.Authors = append(ask.Authors, wire.GroupAuthor{Mark: wire.MarkOf(who), Ask: true, Revision: h.revision, Profile: h.hash})
	}
	answers := 0
	for range 2 * profilesServedMax {
		if n := len(x.Synced(w.now, key(1), ask).Sends); n > 1 {
			t.Fatalf("%d answers to one question", n)
		} else {
			answers += n
		}
	}
	if answers == 0 || answers > profilesServedMax {
		t.Errorf("%d answers in an hour", answers)
	}
}
