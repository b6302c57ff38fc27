package sim

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/cryptotest"
	"time"

	"pabal/protocol"
)

var updateFlag = flag.Bool("update", false, "write testdata anew")

// story is a world without chance in which a test says what happens.
type story struct {
	t *testing.T
	w *World
}

// tell runs a story and compares what happened with testdata.
func tell(t *testing.T, name string, people int, plot func(*story)) {
	t.Helper()
	var trace bytes.Buffer
	cryptotest.SetGlobalRandom(t, 1)
	s := &story{t, NewWorld(Plan{Seed: 1, Peers: people, Life: time.Hour}, &trace)}
	s.w.switchOn()
	s.wait(10 * time.Second)
	plot(s)
	s.w.checkAll()
	if s.w.failure != nil {
		t.Fatalf("%v\n%s", s.w.failure, trace.Bytes())
	}
	path := filepath.Join("testdata", name+".txt")
	if *updateFlag {
		if err := os.WriteFile(path, trace.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, trace.Bytes()) {
		t.Errorf("the story %s goes otherwise now; look at the difference after go test -run %s -update", name, t.Name())
	}
}

// say writes a line of the test's own into the story.
func (s *story) say(line string) { s.w.log("— %s", line) }

func (s *story) wait(d time.Duration) { s.w.runUntil(s.w.now.Add(d)) }

func (s *story) machine(i int) *machine { return s.w.machines[i] }

// does gives one machine a command and waits for its outcome.
func (s *story) does(i int, make func(ref uint64) protocol.Input) any {
	s.t.Helper()
	var got any
	done := false
	s.machine(i).command(make, func(result any, code string) {
		if got, done = result, true; code != "" {
			s.t.Fatalf("%v: refused: %s", s.machine(i), code)
		}
	})
	for end := s.w.now.Add(time.Minute); !done && s.w.failure == nil && s.w.now.Before(end); {
		s.wait(10 * time.Millisecond)
	}
	if !done {
		s.t.Fatalf("%v: no answer: %v", s.machine(i), s.w.failure)
	}
	return got
}

func (s *story) link(by int) string {
	s.t.Helper()
	return s.does(by, func(ref uint64) protocol.Input {
		return protocol.CreateInvite{Ref: ref, Kind: protocol.InviteOnce}
	}).(protocol.InviteCreated).Link
}

func (s *story) add(who int, link string) protocol.ContactID {
	s.t.Helper()
	return s.does(who, func(ref uint64) protocol.Input {
		return protocol.AddContact{Ref: ref, Link: link}
	}).(protocol.Added).Contact
}

// write sends a text to the contact that a machine has with another.
func (s *story) write(from, to int, text string) protocol.Sent {
	s.t.Helper()
	c := s.machine(from).contactWith(s.machine(to))
	if c == nil {
		s.t.Fatalf("%v does not know %v", s.machine(from), s.machine(to))
	}
	return s.does(from, func(ref uint64) protocol.Input {
		return protocol.SendText{Ref: ref, Contact: c.ID, Text: marker + " " + text}
	}).(protocol.Sent)
}

// texts returns what lies in a machine's conversation with another, in order.
func (s *story) texts(at, with int) []string {
	s.t.Helper()
	m := s.machine(at)
	c := m.contactWith(s.machine(with))
	if c == nil {
		s.t.Fatalf("%v does not know %v", m, s.machine(with))
	}
	var out []string
	for _, msg := range m.disk.threads[c.Conversation] {
		out = append(out, msg.text[len(marker)+1:])
	}
	return out
}

// backup backs up a machine, with or without its history.
func (s *story) backup(of int, history bool) *disk {
	s.t.Helper()
	d, err := s.machine(of).disk.backup(history)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// restore starts a machine with an older disk.
func (s *story) restore(who int, d *disk) {
	s.w.putBack(s.machine(who), d)
	s.machine(who).restart()
}

func (s *story) settled() {
	s.t.Helper()
	if left := s.w.unsettled(); left != "" {
		s.t.Errorf("not settled: %s", left)
	}
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: %q, want %q", what, got, want)
		}
	}
}

func TestStoryFirstContact(t *testing.T) {
	tell(t, "first-contact", 2, func(s *story) {
		s.say("A invites B")
		s.add(1, s.link(0))
		s.wait(5 * time.Second)
		s.write(1, 0, "hello")
		s.wait(5 * time.Second)
		s.write(0, 1, "welcome")
		s.wait(5 * time.Second)
		s.settled()
		equal(t, "at A", s.texts(0, 1), "hello", "welcome")
		equal(t, "at B", s.texts(1, 0), "hello", "welcome")
		s.say("nobody says anything: the connection is closed")
		s.wait(11 * time.Minute)
	})
}

func TestStoryOfflineAndBack(t *testing.T) {
	tell(t, "offline-and-back", 2, func(s *story) {
		s.add(1, s.link(0))
		s.wait(5 * time.Second)
		s.say("B is switched off, A writes")
		s.machine(1).crash()
		s.wait(time.Minute)
		s.write(0, 1, "one")
		s.write(0, 1, "two")
		s.wait(3 * time.Minute)
		s.say("B is back")
		s.machine(1).restart()
		s.wait(time.Minute)
		s.settled()
		equal(t, "at B", s.texts(1, 0), "one", "two")
	})
}

func TestStoryRepairAfterRestore(t *testing.T) {
	tell(t, "repair-after-restore", 2, func(s *story) {
		s.add(1, s.link(0))
		s.wait(5 * time.Second)
		s.write(0, 1, "before the backup")
		s.wait(5 * time.Second)
		backup := s.machine(1).disk.snapshot()
		s.write(0, 1, "after it")
		s.wait(5 * time.Second)
		s.write(1, 0, "this B will forget")
		s.wait(2 * time.Minute)
		s.say("B's disk is put back to the backup")
		s.w.putBack(s.machine(1), backup)
		s.machine(1).restart()
		s.wait(time.Minute)
		s.write(1, 0, "after the restore")
		s.wait(time.Minute)
		s.settled()
		equal(t, "at A", s.texts(0, 1), "before the backup", "after it", "this B will forget", "after the restore")
		equal(t, "at B", s.texts(1, 0), "before the backup", "after it", "after the restore")
	})
}

func TestStoryTakeBack(t *testing.T) {
	tell(t, "take-back", 2, func(s *story) {
		s.add(1, s.link(0))
		s.wait(5 * time.Second)
		s.say("B is switched off; A writes two texts and takes one back")
		s.machine(1).crash()
		s.wait(time.Minute)
		sent := s.write(0, 1, "a mistake")
		s.write(0, 1, "meant")
		s.wait(time.Minute)
		msg := s.machine(0).disk.messages[sent.ID]
		s.does(0, func(ref uint64) protocol.Input {
			return protocol.TakeBack{Ref: ref, ID: sent.ID, Conversation: sent.Conversation, Sequence: msg.Sequence}
		})
		s.machine(1).restart()
		s.wait(time.Minute)
		s.settled()
		equal(t, "at B", s.texts(1, 0), "meant")
	})
}

func TestStoryBothInvite(t *testing.T) {
	tell(t, "both-invite", 2, func(s *story) {
		a, b := s.link(0), s.link(1)
		s.say("each follows the other's link at the same time")
		s.machine(0).command(func(ref uint64) protocol.Input { return protocol.AddContact{Ref: ref, Link: b} }, nil)
		s.machine(1).command(func(ref uint64) protocol.Input { return protocol.AddContact{Ref: ref, Link: a} }, nil)
		s.wait(time.Minute)
		s.write(0, 1, "from A")
		s.write(1, 0, "from B")
		s.wait(time.Minute)
		s.settled()
		for i, m := range s.w.machines {
			if n := len(m.disk.contacts); n != 1 {
				t.Errorf("%v has %d contacts", m, n)
			}
			if n := len(s.texts(i, 1-i)); n != 2 {
				t.Errorf("%v has %d texts", m, n)
			}
		}
	})
}
