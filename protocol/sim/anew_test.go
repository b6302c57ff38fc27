package sim

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pabal/protocol"
)

// TestTheRemovedAsksAnew lets somebody who was removed follow a new link: the old
// conversation goes on where it was, what was written in vain arrives, and nothing twice.
func TestTheRemovedAsksAnew(t *testing.T) {
	s := acquainted(t, 2)
	want := []string{}
	say := func(from int, text string) {
		s.write(from, 1-from, text)
		want = append(want, text)
	}
	for i := range 3 {
		say(0, fmt.Sprint("from A ", i))
		s.wait(time.Minute)
		say(1, fmt.Sprint("from B ", i))
		s.wait(time.Minute)
	}
	before := s.machine(1).contactWith(s.machine(0))
	s.remove(0, 1)
	for i := range 30 {
		say(1, fmt.Sprint("in vain ", i))
	}
	s.add(1, s.link(0))
	for i := range 100 { // all through the handshake
		say(1, fmt.Sprint("during ", i))
		s.wait(15 * time.Millisecond)
	}
	s.wait(time.Minute)
	for i := range 3 {
		say(0, fmt.Sprint("again from A ", i))
		s.wait(time.Minute)
	}
	s.wait(20 * time.Minute)
	s.end()
	if now := s.machine(1).contactWith(s.machine(0)); now.ID != before.ID || now.Conversation != before.Conversation || len(s.machine(1).disk.contacts) != 1 {
		t.Errorf("at B another contact: %v, was %v, of %d", now.ID, before.ID, len(s.machine(1).disk.contacts))
	}
	equal(t, "at B", s.texts(1, 0), want...)
	equal(t, "at A", s.texts(0, 1), want[6:]...)
	for _, m := range []int{0, 1} {
		if gaps := len(s.machine(m).disk.gaps); gaps > 0 {
			t.Errorf("%v: %d gaps", s.machine(m), gaps)
		}
	}
}

// TestRemovedAgainAndAgain lets both sides remove each other by turns, and meet by links of
// either; mail was on its way each time.
func TestRemovedAgainAndAgain(t *testing.T) {
	s := acquainted(t, 2)
	for round := range 8 {
		who := round % 2
		s.write(0, 1, fmt.Sprint("round ", round, " from A"))
		s.write(1, 0, fmt.Sprint("round ", round, " from B"))
		s.wait(time.Duration(round%3) * time.Second)
		s.remove(who, 1-who)
		link := s.link(round / 2 % 2)
		s.wait(time.Minute) // until the other one sees that the connection is closed
		if round%4 == 3 {
			s.machine(who).crash()
			s.wait(time.Minute)
			s.machine(who).restart()
		}
		s.add(1-round/2%2, link)
		s.wait(time.Minute)
		s.write(1-who, who, fmt.Sprint("round ", round, " anew"))
		s.write(who, 1-who, fmt.Sprint("round ", round, " anew, too"))
		s.wait(20 * time.Minute)
		s.end()
		for i := range 2 {
			texts := s.texts(i, 1-i)
			for _, text := range []string{fmt.Sprint("round ", round, " anew"), fmt.Sprint("round ", round, " anew, too")} {
				if n := len(slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return s != text })); n != 1 {
					t.Fatalf("%v has %q %d times", s.machine(i), text, n)
				}
			}
		}
	}
}

// TestLinkOfWhoIsThere lets somebody follow a link of a contact that is on: that one has not
// removed them.
func TestLinkOfWhoIsThere(t *testing.T) {
	s := acquainted(t, 2)
	c := s.add(1, s.link(0))
	s.wait(time.Minute)
	if got := s.machine(1).disk.contacts[c]; got.Phase != protocol.ContactFailed || got.Reason != protocol.CodeAlreadyContact {
		t.Errorf("%+v", got)
	}
	s.end()
}

// TestLinkOfWhoIsOff lets somebody follow a link of a contact that has not removed them and
// was off: they stay what they were, and one conversation goes on.
func TestLinkOfWhoIsOff(t *testing.T) {
	s := acquainted(t, 2)
	s.write(0, 1, "before")
	s.wait(time.Minute)
	link := s.link(0)
	s.machine(0).crash()
	s.wait(time.Minute)
	s.add(1, link)
	s.write(1, 0, "while A is off")
	s.wait(time.Minute)
	s.machine(0).restart()
	s.wait(20 * time.Minute)
	s.write(0, 1, "after")
	s.wait(20 * time.Minute)
	s.end()
	equal(t, "at A", s.texts(0, 1), "before", "while A is off", "after")
	equal(t, "at B", s.texts(1, 0), "before", "while A is off", "after")
}

// TestARenewalBehindARemoval puts a disk back to a state behind a removal: what was removed
// does not come back with what was lost.
func TestARenewalBehindARemoval(t *testing.T) {
	s := acquainted(t, 2)
	for i := range 3 {
		s.write(1, 0, fmt.Sprint("removed ", i))
	}
	s.wait(time.Minute)
	s.remove(0, 1)
	s.write(1, 0, "in vain")
	s.add(1, s.link(0))
	s.wait(time.Minute)
	old := s.machine(0).disk.snapshot()
	s.write(1, 0, "lost")
	s.wait(time.Minute)
	for range 2 { // the second renewal meets what the first one has left
		s.w.putBack(s.machine(0), old)
		s.machine(0).restart()
		s.wait(24 * time.Hour) // there are no more than three renewals a day
		s.end()
		equal(t, "at A", s.texts(0, 1), "in vain", "lost")
	}
	equal(t, "at B", s.texts(1, 0), "removed 0", "removed 1", "removed 2", "in vain", "lost")
}

// TestAnOldDiskOfWhoHasRemoved puts back the old disk of somebody who has removed a contact
// and was asked anew: what that one has kept it does not get twice.
func TestAnOldDiskOfWhoHasRemoved(t *testing.T) {
	s := acquainted(t, 2)
	for i := range 3 {
		s.write(0, 1, fmt.Sprint("from A ", i))
	}
	s.wait(time.Minute)
	old := s.machine(0).disk.snapshot()
	s.remove(0, 1)
	s.add(1, s.link(0))
	s.wait(time.Minute)
	s.write(0, 1, "again from A")
	s.wait(time.Minute)
	s.w.putBack(s.machine(0), old)
	s.machine(0).restart()
	s.wait(time.Minute)
	s.add(1, s.link(0))
	s.wait(time.Hour)
	s.write(0, 1, "after all")
	s.wait(time.Hour)
	s.write(1, 0, "indeed")
	s.wait(time.Hour)
	s.end()
	equal(t, "at B", s.texts(1, 0), "from A 0", "from A 1", "from A 2", "again from A", "after all", "indeed")
	equal(t, "at A", s.texts(0, 1), "from A 0", "from A 1", "from A 2", "after all", "indeed")
}

// TestAnOldDiskWithManyMessages does the same with more messages than are remembered by their
// tags, and more behind the removal, and one that was deleted: nothing comes twice, and what was
// deleted does not come back.
func TestAnOldDiskWithManyMessages(t *testing.T) {
	const many, deleted = tagsRemembered + 44, 10
	s := acquainted(t, 2)
	s.burst(0, 1, "from A ", many)
	s.erase(1, fmt.Sprint("from A ", deleted))
	old := s.machine(0).disk.snapshot()
	s.remove(0, 1)
	s.wait(2 * time.Minute)
	s.add(1, s.link(0))
	s.wait(time.Minute)
	s.burst(0, 1, "anew from A ", 20)
	s.restore(0, old)
	s.wait(time.Minute)
	s.add(1, s.link(0))
	s.wait(time.Hour)
	s.burst(0, 1, "after all ", 1)
	s.wait(time.Hour)
	s.end()
	s.onceEach(1, 0, deleted, "from A ", many)
	s.onceEach(1, 0, -1, "anew from A ", 20)
	s.onceEach(1, 0, -1, "after all ", 1)
}

// TestAnOldDiskOnWhichMuchWaits puts back a disk on which more waited than a contact remembers by
// its tags, when all of it has come: under other numbers, nothing comes twice, and what was deleted
// does not come back.
func TestAnOldDiskOnWhichMuchWaits(t *testing.T) {
	const many, deleted = tagsRemembered + 44, 10
	s := acquainted(t, 2)
	s.write(0, 1, "before")
	s.wait(time.Minute)
	s.off(1)
	s.wait(time.Minute)
	s.burst(0, 1, "from A ", many)
	old := s.machine(0).disk.snapshot()
	s.on(1)
	s.wait(time.Hour)
	s.erase(1, fmt.Sprint("from A ", deleted))
	s.burst(0, 1, "behind it ", tagsRemembered)
	s.restore(0, old)
	s.wait(time.Hour)
	s.burst(0, 1, "after all ", 1)
	s.wait(time.Hour)
	s.end()
	s.onceEach(1, 0, deleted, "from A ", many)
	s.onceEach(1, 0, -1, "behind it ", tagsRemembered)
	s.onceEach(1, 0, -1, "after all ", 1)
}

// burst writes many texts, which end in their numbers.
func (s *story) burst(from, to int, what string, n int) {
	s.t.Helper()
	for i := range n {
		s.write(from, to, fmt.Sprint(what, i))
		if i%20 == 0 {
			s.wait(time.Minute)
		}
	}
	s.wait(time.Minute)
}

// erase deletes a text that has come.
func (s *story) erase(at int, text string) {
	s.t.Helper()
	for id, m := range s.machine(at).disk.messages {
		if m.text == marker+" "+text {
			s.does(at, func(ref uint64) protocol.Input {
				return protocol.DeleteMessage{
					Ref: ref, ID: id, Conversation: m.Conversation, Position: m.Position, Sequence: m.Sequence, Direction: m.Direction, Wire: m.Wire,
				}
			})
			return
		}
	}
	s.t.Fatalf("%v does not have %q", s.machine(at), text)
}

// onceEach checks that each text of a burst is there once, but for one.
func (s *story) onceEach(at, from, but int, what string, n int) {
	s.t.Helper()
	came := make(map[string]int)
	for _, text := range s.texts(at, from) {
		came[text]++
	}
	for i := range n {
		text, want := fmt.Sprint(what, i), 1
		if i == but {
			want = 0
		}
		if came[text] != want {
			s.t.Errorf("%q is at %v %d times, want %d", text, s.machine(at), came[text], want)
		}
	}
}

// TestWhatWaitedElsewhere has somebody ask a contact by a new link and write there in vain, go on
// in the old conversation, and then remove that. What waited was of another conversation: it comes
// behind what had come, although it was written before.
func TestWhatWaitedElsewhere(t *testing.T) {
	s := acquainted(t, 3)
	s.helped(2, 1)
	link := s.does(1, func(ref uint64) protocol.Input {
		return protocol.CreateInvite{Ref: ref, Kind: protocol.InviteOnce, Ask: true}
	}).(protocol.InviteCreated).Link
	s.wait(time.Minute)
	s.off(1)
	s.wait(time.Minute)
	asked := s.add(0, link)
	s.wait(time.Minute)
	s.does(0, func(ref uint64) protocol.Input {
		return protocol.SendText{Ref: ref, Contact: asked, Text: marker + " waited"}
	})
	s.on(1)
	s.wait(time.Minute)
	s.write(0, 1, "came")
	s.wait(time.Minute)
	s.remove(0, 1)
	s.wait(time.Minute) // until the end of the connection is noticed, B is on a path to A
	s.add(1, s.link(0))
	s.wait(time.Hour)
	s.write(0, 1, "after all")
	s.wait(time.Hour)
	s.end()
	equal(t, "at B", s.texts(1, 0), "came", "waited", "after all")
	equal(t, "at A", s.texts(0, 1), "waited", "after all")
}

// TestPictureOfAnOldDisk puts back an old disk of somebody whose contact has a later picture: each
// time the two show the same, whether the old disk has another one or none, by a renewal and by
// links behind a removal.
func TestPictureOfAnOldDisk(t *testing.T) {
	for what, first := range map[string]int{"with another": 1, "with none": 0} {
		for how, removed := range map[string]int{"renewed": -1, "removed by it": 0, "removed by the other": 1} {
			t.Run(what+", "+how, func(t *testing.T) {
				s := acquainted(t, 2)
				show := func(shade int) {
					s.does(0, func(ref uint64) protocol.Input { return protocol.SetPicture{Ref: ref, Picture: portrait(shade)} })
					s.wait(time.Minute)
				}
				if first > 0 {
					show(first)
				}
				old := s.machine(0).disk.snapshot()
				show(2)
				if removed >= 0 {
					s.remove(removed, 1-removed)
					s.wait(time.Minute)
					s.add(1-removed, s.link(removed))
					s.wait(time.Hour)
				}
				s.w.putBack(s.machine(0), old)
				s.machine(0).restart()
				s.wait(time.Hour)
				if removed >= 0 {
					s.add(1, s.link(0))
					s.wait(time.Hour)
				}
				s.write(0, 1, "hello")
				s.wait(24 * time.Hour)
				own, c := s.machine(0).disk.pictures[protocol.ContactID{}], s.machine(1).contactWith(s.machine(0))
				if seen := s.machine(1).disk.pictures[c.ID]; !bytes.Equal(seen.JPEG, own.JPEG) {
					t.Errorf("B shows %d bytes, A has %d", len(seen.JPEG), len(own.JPEG))
				}
				s.end()
			})
		}
	}
}

// TestTwoLinksOfWhoHasForgotten lets somebody whose backup was restored follow two links of a
// contact whose disk was put back to before they met: the answer to either means the contact,
// not the other request.
func TestTwoLinksOfWhoHasForgotten(t *testing.T) {
	s := quiet(t, 2)
	before := s.machine(0).disk.snapshot()
	s.add(1, s.link(0))
	s.wait(time.Minute)
	s.write(0, 1, "one")
	s.write(0, 1, "two")
	s.wait(time.Minute)
	s.write(1, 0, "three")
	s.wait(time.Minute)
	s.w.putBack(s.machine(0), before)
	s.machine(0).restart()
	s.restore(1, s.backup(1, true))
	s.wait(time.Minute)
	was := s.machine(1).contactWith(s.machine(0))
	s.add(1, s.does(0, func(ref uint64) protocol.Input {
		return protocol.CreateInvite{Ref: ref, Kind: protocol.InviteOnce, Ask: true}
	}).(protocol.InviteCreated).Link)
	s.wait(time.Minute)
	s.add(1, s.link(0))
	s.wait(time.Minute)
	s.write(1, 0, "four")
	s.wait(20 * time.Minute)
	s.write(0, 1, "five")
	s.wait(20 * time.Minute)
	s.end()
	if now := s.machine(1).contactWith(s.machine(0)); now.ID != was.ID || now.Conversation != was.Conversation || len(s.machine(1).disk.contacts) != 1 {
		t.Errorf("at B another contact: %v, was %v, of %d", now.ID, was.ID, len(s.machine(1).disk.contacts))
	}
	equal(t, "at A", s.texts(0, 1), "four", "five")
	equal(t, "at B", s.texts(1, 0), "one", "two", "three", "four", "five")
	for _, m := range s.w.machines {
		if gaps := len(m.disk.gaps); gaps > 0 {
			t.Errorf("%v: %d gaps", m, gaps)
		}
	}
}
