package protocol

import (
	"crypto/rand"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/wire"
)

// relinked returns two who have gone on by a link, and the recovery secret of before.
func relinked(t *testing.T) (w *town, a, b *side, old [32]byte) {
	w, a, b = talking(t)
	old = a.of(b).state.Recovery
	w.followsLink(b, a)
	w.talkAgain(a, b)
	if a.of(b).state.Recovery == old || b.of(a).state.Recovery == old || a.of(b).state.Former[0] != old {
		t.Fatal("they go by the old secret")
	}
	return w, a, b, old
}

// formerRequest is a request for a renewal of b to a under a secret, as whoever has only that can make
// it: it is not signed.
func formerRequest(t *testing.T, a, b *side, secret [32]byte, generation uint32) []byte {
	c := b.of(a)
	asking, err := invite.AskRepair(rand.Reader, invite.Self{Entry: b.p.ourself().Entry}, invite.PeerDevice{Account: c.row.Account, Device: c.state.Device}, secret,
		wire.RequestPayload{Generation: generation, Have: c.conv.haves()})
	if err != nil {
		t.Fatal(err)
	}
	d := wire.DepositedRequest{Request: [wire.RequestSize]byte(asking.Request)}
	return d.Append(nil)
}

// steals has a thief of an old recovery secret say hello and send something.
func (w *town) steals(a *side, old [32]byte, kind wire.Type, body []byte) {
	stranger(a, w.now, 6001, identity.RepairHelloKey(old, dayOf(w.now)))
	a.step(w.now, FrameReceived{Conn: 6001, Type: kind, Body: body})
	a.step(w.now, ConnClosed{Conn: 6001})
	w.run()
}

// TestThiefOfAFormerSecret has a thief of a recovery secret that two do not go by any more ask for
// renewals, and send what does not open: while the two are together nothing comes of it. While they are
// apart there is a renewal, behind which they go by that secret again, and some more each day, but the
// two hear each other every day.
func TestThiefOfAFormerSecret(t *testing.T) {
	generations := []uint32{1, 5, math.MaxUint32 - 1, math.MaxUint32}
	if testing.Short() {
		generations = generations[1:2]
	}
	for _, generation := range generations {
		w, a, b, old := relinked(t)
		renewals := a.of(b).state.Generation
		w.steals(a, old, wire.TypeRequest, formerRequest(t, a, b, old, generation))
		body := make([]byte, 512)
		body[0] = wire.Suite
		w.steals(a, old, wire.TypeEnvelope, body)
		if a.of(b).forked || a.of(b).state.Generation != renewals {
			t.Errorf("generation %d: the session is over", generation)
		}
		if c := a.of(b); c.former.secret != [32]byte{} && c.former.generation > c.highestGeneration()+generationJumpMax {
			t.Errorf("generation %d is kept: there would be none above it", generation)
		}
		w.switchOff(b)
		for range 3 {
			for range 6 {
				w.later(time.Hour)
				w.steals(a, old, wire.TypeRequest, formerRequest(t, a, b, old, generation))
				w.steals(a, old, wire.TypeEnvelope, body)
			}
			w.talkAgain(a, b)
			w.switchOff(b)
		}
		for _, code := range slices.Concat(a.alerts(), b.alerts()) {
			t.Errorf("generation %d: alert %s", generation, code)
		}
	}
}

// TestLateFormerRequest has a courier hand over a request of before a link, and, long after, one side
// fork: it does not ask by the secret of that request, or is granted it all the same.
func TestLateFormerRequest(t *testing.T) {
	w, a, b, old := relinked(t)
	a.p.out = new(Output)
	if err := a.p.repairLeft(w.now, a.of(b), formerRequest(t, a, b, old, 1)); err != nil {
		t.Fatal(err)
	}
	w.later(30 * 24 * time.Hour)
	w.forks(a, b)
	w.run()
	w.talkAgain(a, b)
}

// TestOldDiskInShortRuns puts a disk back to before a link with two who are each on for five minutes a
// day, never together.
func TestOldDiskInShortRuns(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.turns(4, a, b)
	disk, history := w.rows[b].clone(), slices.Clone(b.history)
	w.switchOff(a)
	w.takesLink(a, w.leavesLink(b))
	w.turns(6, b, a)
	if a.of(b).state.Recovery != b.of(a).state.Recovery || len(a.of(b).state.Former) == 0 {
		t.Fatal("no link")
	}
	w.switchOff(a)
	w.switchOff(b)
	w.later(24 * time.Hour)
	w.putBack(b, disk, history)
	w.forks(b, a)
	w.run()
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
	w.run()
	for day := range 8 {
		for _, s := range []*side{b, a} {
			w.putBack(s, w.rows[s].clone(), s.history) // another start
			if s == a && day == 0 {
				w.forks(a, b) // of what was in the mailbox before the request
				w.run()
			}
			w.switchOn(s)
			w.pass(5 * time.Minute)
			w.switchOff(s)
		}
		w.later(24 * time.Hour)
	}
	w.arrived(b, "since a")
}

// onlyFormerInCommon checks that neither of two knows the secret that the other goes by, but both know an
// earlier one.
func (w *town) onlyFormerInCommon(a, b *side) {
	w.t.Helper()
	x, y := a.of(b).state, b.of(a).state
	knows := x.Recovery == y.Recovery || slices.Contains(x.Former, y.Recovery) || slices.Contains(y.Former, x.Recovery)
	if knows || !slices.Contains(y.Former, x.Former[0]) {
		w.t.Fatal("they have more in common, or nothing")
	}
}

// TestOnlyAFormerSecretInCommon has old disks of both, and links between, leave two of whom neither
// knows the secret that the other goes by.
func TestOnlyAFormerSecretInCommon(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.turns(4, a, b)
	first, hers := w.rows[b].clone(), slices.Clone(b.history)
	link := func() {
		w.followsLink(b, a)
		w.turns(6, a, b)
		w.switchOff(a)
		w.switchOff(b)
		w.later(24 * time.Hour)
	}
	link()
	second, his := w.rows[a].clone(), slices.Clone(a.history)
	w.putBack(b, first, hers)
	link()
	w.putBack(a, second, his)
	w.onlyFormerInCommon(a, b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "since b"})
	w.run()
	for range 6 {
		w.turns(6, a, b)
		w.later(24 * time.Hour)
	}
	w.talkAgain(a, b)
	w.arrived(b, "since a")
	w.arrived(a, "since b")
}

// TestRequestOfNobody has somebody whom no hello has named send a request for a renewal.
func TestRequestOfNobody(t *testing.T) {
	w, a, b, old := relinked(t)
	link, err := wire.ParseLink(a.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link)
	if err != nil {
		t.Fatal(err)
	}
	stranger(a, w.now, 6001, identity.LinkHelloKey(link.Secret))
	a.step(w.now, FrameReceived{Conn: 6001, Type: wire.TypeRequest, Body: formerRequest(t, a, b, old, 5)})
	w.run()
	w.talkAgain(a, b)
}

// TestBackupBesideAGrant restores a backup of somebody whose renewal the contact has granted, from before
// that one's secret: the contact asks for another, if it has asked because of mail that does not open a
// short while ago a day later (seed 2216 of TestSetbacks).
func TestBackupBesideAGrant(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.turns(2, a, b)
	backup := w.backup(b)
	w.followsLink(b, a)
	w.turns(6, a, b)
	w.forks(b, a)
	w.turns(2, b, a)
	c := a.of(b)
	if len(c.state.Granted) == 0 || len(c.state.Accept) == 0 {
		t.Fatal("nothing was granted")
	}
	c.state.PleadedAt = w.now.Unix()
	w.switchOff(a)
	w.restore(b, backup)
	a.step(w.now, SendText{Contact: c.row.ID, Text: "since a"})
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "since b"})
	w.turns(4, b, a)
	w.later(24 * time.Hour)
	w.turns(10, b, a)
	w.arrived(b, "since a")
	w.arrived(a, "since b")
}

// oldDisk leaves a with a former secret that b's disk does not know.
func oldDisk(t *testing.T) (w *town, a, b *side, later [32]byte) {
	w, a, b = talking(t)
	disk, history := w.rows[b].clone(), slices.Clone(b.history)
	w.followsLink(b, a)
	w.talkAgain(a, b)
	later = a.of(b).state.Recovery
	w.switchOff(b)
	w.putBack(b, disk, history)
	w.home(b)
	w.talkAgain(a, b)
	w.pass(time.Hour)
	if x, y := a.of(b).state, b.of(a).state; len(x.Former) != 1 || x.Former[0] != later || len(y.Former) != 0 || x.Recovery != y.Recovery {
		t.Fatal("they remember other secrets")
	}
	return w, a, b, later
}

// home tells a side that has been put back where it is.
func (w *town) home(s *side) {
	own := uint16(1001 + slices.Index(w.all, s))
	s.step(w.now, NetworkChanged{Own: []wire.Address{{Network: wire.QUIC, IP: netip.MustParseAddr("127.0.0.1"), Port: own}}})
	w.run()
}

// leaves has a courier hand over a request for a renewal that lay there.
func (w *town) leaves(s, o *side, body []byte) {
	var out Output
	s.p.out = &out
	if err := s.p.repairLeft(w.now, s.of(o), body); err != nil {
		w.t.Fatal(err)
	}
	s.p.out = nil
	s.out.Sends, s.out.Writes, s.out.Events = append(s.out.Sends, out.Sends...), append(s.out.Writes, out.Writes...), append(s.out.Events, out.Events...)
	s.jobs = append(s.jobs, out.Jobs...)
	w.run()
	s.step(w.now, Woke{})
	w.run()
}

// talkDaily has two be on together for some hours of some days, and hear each other each time.
func (w *town) talkDaily(a, b *side, days int) {
	w.t.Helper()
	for range days {
		w.talkAgain(a, b)
		w.later(24 * time.Hour)
	}
}

// TestFarthestFormerRequest has a thief of a former secret ask once, as far ahead as is not absurd: the
// contact can still take what is asked for then.
func TestFarthestFormerRequest(t *testing.T) {
	far := []uint32{0, 1, 2, 100}
	if testing.Short() {
		far = far[:2]
	}
	for _, less := range far {
		w, a, b, old := relinked(t)
		w.switchOff(b)
		w.steals(a, old, wire.TypeRequest, formerRequest(t, a, b, old, a.of(b).highestGeneration()+generationJumpMax-less))
		w.later(time.Hour)
		w.talkDaily(a, b, 3)
	}
}

// TestRequestByAForgottenSecret has requests for a renewal come by a secret that only one of two
// remembers, of a late copy or of a thief: it does not go on asking by that for ever.
func TestRequestByAForgottenSecret(t *testing.T) {
	for _, how := range []string{"a late copy beside a fork", "a late copy behind a backup", "a thief"} {
		t.Run(how, func(t *testing.T) {
			w, a, b, later := oldDisk(t)
			w.later(25 * time.Hour)
			late := formerRequest(t, a, b, later, 1)
			w.switchOff(b)
			switch how {
			case "a thief":
				w.steals(a, later, wire.TypeRequest, late)
			case "a late copy behind a backup":
				w.restoreBackup(a)
				w.pass(time.Minute)
				w.leaves(a, b, late)
			default:
				w.forks(a, b)
				w.leaves(a, b, late)
			}
			w.later(time.Hour)
			w.talkDaily(a, b, 3)
		})
	}
}

// TestGarbageBesideARenewal has a request come that opens by no secret, from a courier, or from a stranger
// who has asked by link in the contact's name, while a renewal is asked for.
func TestGarbageBesideARenewal(t *testing.T) {
	for _, how := range []string{"a courier's, beside a fork", "a courier's, behind a backup", "a stranger's"} {
		t.Run(how, func(t *testing.T) {
			w, a, b, _ := oldDisk(t)
			w.later(25 * time.Hour)
			w.switchOff(b)
			if how == "a courier's, behind a backup" {
				w.restoreBackup(a)
				w.pass(time.Minute)
			} else {
				w.forks(a, b)
			}
			var garbage wire.DepositedRequest
			_, _ = rand.Read(garbage.Request[:])
			if how == "a stranger's" {
				w.asksAs(b, a, garbage.Append(nil))
			} else {
				w.leaves(a, b, garbage.Append(nil))
			}
			w.later(time.Hour)
			w.talkDaily(a, b, 3)
		})
	}
}

// TestOnlyAFormerSecretWithoutCouriers has two meet of whom neither knows the secret that the other goes
// by, and who have no courier.
func TestOnlyAFormerSecretWithoutCouriers(t *testing.T) {
	w, a, b := talking(t)
	first, hers := w.rows[b].clone(), slices.Clone(b.history)
	w.followsLink(b, a)
	w.talkAgain(a, b)
	second, his := w.rows[a].clone(), slices.Clone(a.history)
	w.switchOff(b)
	w.putBack(b, first, hers)
	w.home(b)
	w.followsLink(b, a)
	w.talkAgain(a, b)
	w.switchOff(a)
	w.putBack(a, second, his)
	w.home(a)
	w.onlyFormerInCommon(a, b)
	w.talkDaily(a, b, 3)
}

// TestBackupMeetsOldDisk restores a backup of one and has the other's disk be one of before the link
// that they went on by.
func TestBackupMeetsOldDisk(t *testing.T) {
	w, a, b := talking(t)
	disk, history := w.rows[b].clone(), slices.Clone(b.history)
	w.followsLink(b, a)
	w.talkAgain(a, b)
	w.switchOff(b)
	w.putBack(b, disk, history)
	w.home(b)
	w.restoreBackup(a)
	w.talkDaily(a, b, 3)
}

// TestOldDiskAfterAWrongClock has somebody ask for a renewal, because of mail that does not open, while
// the clock is a year ahead: started anew with a right one it does not wait until then to do so again.
func TestOldDiskAfterAWrongClock(t *testing.T) {
	w, a, b, _ := allFriends(t)
	w.turns(4, a, b)
	disk, history := w.rows[b].clone(), slices.Clone(b.history)
	w.switchOff(a)
	w.takesLink(a, w.leavesLink(b))
	w.turns(6, b, a)
	w.switchOff(a)
	w.switchOff(b)
	w.later(24 * time.Hour)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "since a"})
	a.of(b).state.PleadedAt = w.now.Add(300 * 24 * time.Hour).Unix()
	a.of(b).state.NotOpenedAt = a.of(b).state.PleadedAt
	a.p.touchContact(a.of(b))
	a.step(w.now, Woke{})
	w.run()
	w.putBack(a, w.rows[a].clone(), a.history) // a restart
	w.home(a)
	if a.of(b).state.PleadedAt < w.now.Unix() {
		t.Fatal("it has forgotten when it asked")
	}
	w.putBack(b, disk, history)
	w.home(b)
	b.step(w.now, SendText{Contact: b.of(a).row.ID, Text: "since b"})
	w.run()
	for range 6 {
		w.turns(6, b, a)
		w.later(24 * time.Hour)
	}
	w.arrived(b, "since a")
	w.arrived(a, "since b")
}

// TestRequestsDoNotGoOnAndOn has somebody send requests that open by no secret, on a connection that a
// recovery secret has proved: ours, which it has got in the greeting, does not go with each of them.
func TestRequestsDoNotGoOnAndOn(t *testing.T) {
	w, a, b := talking(t)
	w.switchOff(b)
	w.forks(a, b)
	w.run()
	stranger(a, w.now, 6001, identity.RepairHelloKey(a.of(b).state.Recovery, dayOf(w.now)))
	var garbage wire.DepositedRequest
	_, _ = rand.Read(garbage.Request[:])
	for range 3 {
		for _, s := range a.step(w.now, FrameReceived{Conn: 6001, Type: wire.TypeRequest, Body: garbage.Append(nil)}).Sends {
			if f, ok := s.(SendFrame); ok && f.Conn == 6001 && f.Type == wire.TypeRequest {
				t.Error("the request is sent again")
			}
		}
	}
}

// TestLateCopyBehindABackup has a late copy of a request under a secret that the other has forgotten
// come to somebody who has restored a backup, and whom nobody can dial: it says hello by the secret that
// both know all the same.
func TestLateCopyBehindABackup(t *testing.T) {
	w, a, b, later := oldDisk(t)
	w.later(25 * time.Hour)
	late := formerRequest(t, a, b, later, 1)
	w.switchOff(b)
	w.restoreBackup(a)
	w.pass(time.Minute)
	w.leaves(a, b, late)
	w.walled[a] = true
	w.later(time.Hour)
	w.talkDaily(a, b, 3)
}

// TestForgottenAndWalled has a contact that has removed somebody follow their link, and lose its first
// frame, while nobody can dial them: they try the session of the link, too.
func TestForgottenAndWalled(t *testing.T) {
	w, a, b := talking(t)
	w.switchOff(b)
	b.step(w.now, RemoveContact{Contact: b.of(a).row.ID})
	w.run()
	w.followsLink(b, a, wire.TypeEnvelope)
	w.walled[a] = true
	w.talkAgain(a, b)
}

// TestEveryKeyAtEveryAddress dials somebody who is off time and again: each key by which a hello may be
// said has its turn in a try of all addresses.
func TestEveryKeyAtEveryAddress(t *testing.T) {
	w, a, b := talking(t)
	w.switchOff(b)
	c := a.of(b)
	for i := range byte(formerMax) {
		c.state.Former = append(c.state.Former, [32]byte{1, i})
	}
	addresses := []wire.Address{{Network: wire.QUIC}, {Network: wire.TCP}}
	tried, everywhere := make(map[identity.HelloKey]bool), make(map[identity.HelloKey]bool)
	c.backoff.Clear()
	for tries := range 500 {
		key, _ := a.p.helloKey(w.now, c)
		tried[key] = true
		if _, at := sparing(make([]identity.TransportKey, 3), 1, addresses, tries); len(at) == len(addresses) {
			everywhere[key] = true
		}
		c.backoff.Failed(w.now, 0)
	}
	if len(tried) != 2+formerMax || len(everywhere) != len(tried) {
		t.Errorf("of %d keys %d were tried, %d of them at all addresses", 2+formerMax, len(tried), len(everywhere))
	}
}

// TestGarbageBesideAGrant has garbage come by courier to somebody with whom no session has shown itself:
// unlike a request under an earlier secret it does not make one ask at once.
func TestGarbageBesideAGrant(t *testing.T) {
	w, a, b, old := relinked(t)
	w.switchOff(b)
	a.of(b).first().confirmed = false
	var garbage wire.DepositedRequest
	_, _ = rand.Read(garbage.Request[:])
	w.leaves(a, b, garbage.Append(nil))
	if a.of(b).forked {
		t.Error("garbage makes it ask")
	}
	w.leaves(a, b, formerRequest(t, a, b, old, 1))
	if !a.of(b).forked {
		t.Error("an earlier secret does not")
	}
}
