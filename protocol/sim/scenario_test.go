package sim

import (
	"fmt"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// acquainted returns a world in which everybody knows everybody.
func acquainted(t *testing.T, people int) *story {
	t.Helper()
	s := quiet(t, people)
	for i := range people {
		for j := range i {
			s.add(i, s.link(j))
			s.wait(5 * time.Second)
		}
	}
	return s
}

func (s *story) remove(who, whom int) {
	s.t.Helper()
	c := s.machine(who).contactWith(s.machine(whom))
	s.does(who, func(ref uint64) protocol.Input { return protocol.RemoveContact{Ref: ref, Contact: c.ID} })
	s.wait(5 * time.Second)
}

// TestAskAnew lets one side remove the other and ask it again: both go on, nothing
// that was deleted comes back, and no number is taken for an old one.
func TestAskAnew(t *testing.T) {
	s := acquainted(t, 2)
	for i := range 3 {
		s.write(0, 1, fmt.Sprint("from A ", i))
		s.write(1, 0, fmt.Sprint("from B ", i))
	}
	s.wait(time.Minute)
	s.remove(1, 0)
	s.write(0, 1, "while B does not know A")
	s.add(1, s.link(0))
	s.wait(time.Minute)
	for i := range 5 {
		s.write(1, 0, fmt.Sprint("again from B ", i))
	}
	s.wait(20 * time.Minute)
	s.end()
	equal(t, "at B", s.texts(1, 0), "while B does not know A",
		"again from B 0", "again from B 1", "again from B 2", "again from B 3", "again from B 4")
	if got := s.texts(0, 1); len(got) != 12 {
		t.Errorf("at A: %q", got)
	}
}

// bothAsk lets both invite each other by links whose requests wait for a person, and
// write; then both accept, which makes two sessions.
func (s *story) bothAsk() {
	s.t.Helper()
	for i := range 2 {
		link := s.does(i, func(ref uint64) protocol.Input {
			return protocol.CreateInvite{Ref: ref, Kind: protocol.InviteOnce, Ask: true}
		}).(protocol.InviteCreated).Link
		c := s.add(1-i, link)
		s.does(1-i, func(ref uint64) protocol.Input {
			return protocol.SendText{Ref: ref, Contact: c, Text: marker + " before the answer"}
		})
	}
	s.wait(time.Minute)
	for _, m := range s.w.machines {
		for _, r := range inOrder(m.disk.requests) {
			m.command(func(ref uint64) protocol.Input {
				return protocol.AnswerRequest{Ref: ref, ID: r.ID, Answer: protocol.RequestAccepted}
			}, nil)
		}
	}
}

// TestBothAskAndWait lets both invite each other by links whose requests wait for a
// person.
func TestBothAskAndWait(t *testing.T) {
	s := quiet(t, 2)
	s.bothAsk()
	s.wait(time.Hour)
	s.end()
	for i := range 2 {
		if got := s.texts(i, 1-i); len(got) != 2 {
			t.Errorf("at %v: %q", s.machine(i), got)
		}
	}
}

// TestRestoreFromBeforeARenewal puts a disk back to a state from before two renewals:
// the two sides share no session and no day chain any more.
func TestRestoreFromBeforeARenewal(t *testing.T) {
	s := acquainted(t, 2)
	s.write(0, 1, "one")
	s.wait(time.Minute)
	old := s.machine(1).disk.snapshot()
	for i := range 2 {
		backup := s.machine(1).disk.snapshot()
		s.write(0, 1, fmt.Sprint("renewed ", i))
		s.wait(time.Minute)
		s.w.putBack(s.machine(1), backup)
		s.machine(1).restart()
		s.wait(30 * time.Minute)
		s.end()
	}
	s.w.putBack(s.machine(1), old)
	s.wait(24 * time.Hour)
	s.machine(1).restart()
	s.wait(time.Hour)
	s.write(0, 1, "after all")
	s.wait(time.Hour)
	s.end()
	equal(t, "at B", s.texts(1, 0), "one", "renewed 0", "renewed 1", "after all")
}

// TestClockAheadAndBack lets one side's clock be a year ahead for some hours.
func TestClockAheadAndBack(t *testing.T) {
	s := acquainted(t, 2)
	s.machine(1).setClock(365 * 24 * time.Hour)
	s.wait(6 * time.Hour)
	s.write(0, 1, "meanwhile")
	s.wait(time.Hour)
	s.machine(1).setClock(0)
	s.wait(time.Hour)
	s.end()
	equal(t, "at B", s.texts(1, 0), "meanwhile")
	s.write(1, 0, "back")
	s.wait(time.Minute)
	s.end()
}

// TestFailedDialsAreTriedSoon checks that a contact who comes back is found by the
// back-off, not by the hourly look.
func TestFailedDialsAreTriedSoon(t *testing.T) {
	s := acquainted(t, 2)
	s.machine(1).crash()
	s.wait(time.Minute)
	s.write(0, 1, "are you there?")
	s.wait(2 * time.Minute)
	s.machine(1).restart()
	s.wait(4 * time.Minute)
	s.end()
}

// TestRestartWithNothingButIntroductions restarts a machine whose outbox holds only
// contents that are no messages.
func TestRestartWithNothingButIntroductions(t *testing.T) {
	s := acquainted(t, 2)
	s.machine(1).crash()
	s.wait(time.Minute)
	s.does(0, func(ref uint64) protocol.Input { return protocol.SetName{Ref: ref, Name: marker + " new name"} })
	s.machine(0).crash()
	s.machine(0).restart()
	s.machine(1).restart()
	s.wait(20 * time.Minute)
	s.end()
	if c := s.machine(1).contactWith(s.machine(0)); c.Name != marker+" new name" {
		t.Errorf("the contact's name is %q", c.Name)
	}
}

// TestFinderGetsNoMail lets somebody who holds a link, and has a request's bytes from
// elsewhere, repeat the request: it gets the accept, which it cannot open, and
// becomes no path to the contact.
func TestFinderGetsNoMail(t *testing.T) {
	s := quiet(t, 2)
	link := s.link(0)
	s.add(1, link)
	for range 10000 { // until A has accepted, and before B has answered that
		s.wait(time.Millisecond)
		if c := s.machine(0).contactWith(s.machine(1)); c != nil && c.Phase == protocol.ContactPending {
			break
		}
	}
	s.machine(1).crash()
	sent := s.w.network.past[route{1, 0}]
	if len(sent) == 0 || sent[len(sent)-1].kind != wire.TypeRequest {
		t.Fatal("no request")
	}
	request := sent[len(sent)-1]
	s.wait(time.Minute)
	s.w.finder(s.machine(0), invitation{by: s.machine(0), link: link}, request, request)
	s.wait(10 * time.Second)
	s.write(0, 1, "for B alone")
	s.wait(time.Minute)
	s.machine(1).restart()
	s.wait(20 * time.Minute)
	s.end()
	equal(t, "at B", s.texts(1, 0), "for B alone")
}

// TestAskAnewWithMailOnTheWay lets mail be sealed for somebody who asks anew before
// it says that it has forgotten everything: that mail must not be called void.
func TestAskAnewWithMailOnTheWay(t *testing.T) {
	s := acquainted(t, 2)
	s.write(0, 1, "before")
	s.wait(time.Minute)
	s.remove(1, 0)
	for i := range 30 {
		s.write(0, 1, fmt.Sprint("unasked ", i))
	}
	link := s.link(0)
	s.add(1, link)
	for i := range 100 { // all through the handshake
		s.write(0, 1, fmt.Sprint("during ", i))
		s.wait(15 * time.Millisecond)
	}
	s.wait(20 * time.Minute)
	s.end()
	if got := s.texts(1, 0); len(got) != 130 || got[0] != "unasked 0" || got[129] != "during 99" {
		t.Errorf("at B: %d texts, %q", len(got), got[0])
	}
}

// TestWriteAndRemoveAtOnce lets a person write to somebody and remove the contact before
// either is committed.
func TestWriteAndRemoveAtOnce(t *testing.T) {
	s := acquainted(t, 2)
	c := s.machine(0).contactWith(s.machine(1))
	send := func(text string) {
		in := protocol.SendText{Contact: c.ID, Text: marker + " " + text}
		s.machine(0).command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, func(result any, code string) {
			s.w.truth.promised(s.machine(0), result.(protocol.Sent), in)
		})
	}
	send("one")
	send("two")
	s.machine(0).command(func(ref uint64) protocol.Input { return protocol.RemoveContact{Ref: ref, Contact: c.ID} }, nil)
	s.wait(time.Minute)
	s.end()
	if got := s.machine(0).contactWith(s.machine(1)); got != nil {
		t.Error("the contact is still there")
	}
}

// pending has A accept a request of B, who does not get to know that.
func (s *story) pending() {
	s.t.Helper()
	s.add(1, s.link(0))
	for range 10000 {
		s.wait(time.Millisecond)
		if c := s.machine(0).contactWith(s.machine(1)); c != nil && c.Phase == protocol.ContactPending {
			s.machine(1).crash()
			return
		}
	}
	s.t.Fatal("A has not accepted")
}

// TestAskWhomOneHasBlocked lets somebody follow a link of a contact that it has blocked:
// the contact stays blocked, and what it writes waits until it is not.
func TestAskWhomOneHasBlocked(t *testing.T) {
	s := quiet(t, 2)
	link := s.link(1)
	s.pending()
	block := func(blocked bool) {
		c := s.machine(0).contactWith(s.machine(1))
		s.does(0, func(ref uint64) protocol.Input {
			return protocol.SetBlocked{Ref: ref, Contact: c.ID, Blocked: blocked}
		})
	}
	block(true)
	s.machine(1).restart()
	s.does(1, func(ref uint64) protocol.Input {
		return protocol.RemoveContact{Ref: ref, Contact: inOrder(s.machine(1).disk.contacts)[0].ID}
	})
	s.add(0, link)
	s.wait(time.Minute)
	s.write(1, 0, "while blocked")
	s.wait(20 * time.Minute)
	block(false)
	s.wait(20 * time.Minute)
	s.end()
	equal(t, "at A", s.texts(0, 1), "while blocked")
}

// TestTwoOldDisks puts both disks back, so that each remembers other messages under the
// same numbers.
func TestTwoOldDisks(t *testing.T) {
	s := acquainted(t, 2)
	write := func(texts ...string) {
		for _, text := range texts {
			s.write(0, 1, text)
		}
		s.wait(time.Minute)
	}
	putBack := func(who int, old *disk) {
		s.w.putBack(s.machine(who), old)
		s.machine(who).restart()
	}
	write("one")
	a, b := s.machine(0).disk.snapshot(), s.machine(1).disk.snapshot()
	write("two", "three")
	later := s.machine(1).disk.snapshot()
	putBack(0, a)
	putBack(1, b)
	s.wait(time.Hour)
	write("four", "five")
	equal(t, "at B", s.texts(1, 0), "one", "four", "five")
	putBack(1, later)
	s.wait(time.Hour)
	s.end()
	equal(t, "at B", s.texts(1, 0), "one", "two", "three", "four", "five")
}

// TestRestoreFromBackup restores backups, each older than a renewal, with and without the
// history, of one side and of both: sessions are renewed, and nothing comes twice.
func TestRestoreFromBackup(t *testing.T) {
	s := acquainted(t, 2)
	backup, restore := s.backup, s.restore
	s.write(0, 1, "one")
	s.wait(time.Minute)
	full, bare := backup(1, true), backup(1, false)
	s.write(0, 1, "two")
	s.wait(time.Minute)
	restore(1, full)
	s.wait(time.Hour)
	s.write(1, 0, "here again")
	s.write(0, 1, "three")
	s.wait(time.Minute)
	s.end()
	equal(t, "at B", s.texts(1, 0), "one", "two", "here again", "three")
	s.wait(24 * time.Hour)

	restore(1, bare) // knows of no renewal, and of no text
	s.wait(time.Hour)
	s.write(0, 1, "four")
	s.wait(time.Minute)
	s.end()
	equal(t, "at B", s.texts(1, 0), "two", "three", "four")
	s.wait(24 * time.Hour)

	restore(0, backup(0, true)) // both at once
	restore(1, backup(1, true))
	s.write(0, 1, "five")
	s.write(1, 0, "six")
	s.wait(time.Hour)
	s.end()
	if got := s.texts(0, 1); len(got) != 7 {
		t.Errorf("at A: %q", got)
	}
	if got := s.texts(1, 0); len(got) != 5 {
		t.Errorf("at B: %q", got)
	}
}

// TestBackupOfABackup restores what was backed up of somebody who had come from a backup without
// its history: what that left out stays out, though a disk in between had it.
func TestBackupOfABackup(t *testing.T) {
	s := acquainted(t, 2)
	s.write(0, 1, "one")
	s.wait(time.Minute)
	full, bare := s.backup(1, true), s.backup(1, false)
	s.restore(1, bare)
	s.wait(time.Hour)
	s.write(0, 1, "two")
	s.wait(time.Hour)
	of := s.backup(1, true)
	s.restore(1, full)
	s.wait(24 * time.Hour)
	equal(t, "at B", s.texts(1, 0), "one", "two")
	s.restore(1, of)
	s.wait(24 * time.Hour)
	s.write(0, 1, "three")
	s.wait(time.Hour)
	s.end()
	equal(t, "at B", s.texts(1, 0), "two", "three")
}

// TestBackupBehindAnAccept backs somebody up who has just accepted a request, and restores that,
// once when the two have met, once when the accept has not been heard: they are contacts, and
// nothing is left of the request.
func TestBackupBehindAnAccept(t *testing.T) {
	for name, heard := range map[string]bool{"heard": true, "not heard": false} {
		t.Run(name, func(t *testing.T) {
			s := quiet(t, 2)
			s.add(1, s.link(0))
			accepted := func() bool {
				for _, r := range s.machine(0).disk.requests {
					return r.Phase == protocol.RequestAccepted
				}
				return false
			}
			for end := s.w.now.Add(time.Minute); !accepted() && s.w.now.Before(end); {
				s.wait(time.Millisecond)
			}
			if !accepted() {
				t.Fatal("no request was accepted")
			}
			backup := s.backup(0, true)
			if !heard {
				s.off(1)
			}
			s.wait(time.Minute)
			s.restore(0, backup)
			s.wait(time.Minute)
			if !heard {
				s.on(1)
			}
			s.wait(time.Hour)
			s.write(0, 1, "from A")
			s.wait(time.Minute)
			s.write(1, 0, "from B")
			s.wait(time.Hour)
			s.end()
			if left := len(s.machine(0).disk.requests); left > 0 {
				t.Errorf("%d requests are left", left)
			}
			equal(t, "at A", s.texts(0, 1), "from A", "from B")
			equal(t, "at B", s.texts(1, 0), "from A", "from B")
		})
	}
}
