package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// sendFile sends a small file to the contact that a machine has with another.
func (s *story) sendFile(from, to int, size uint64) protocol.Sent {
	s.t.Helper()
	c := s.machine(from).contactWith(s.machine(to))
	file := wire.File{Name: "a.jpg", MediaType: "image/jpeg", SizeBytes: size, Root: [32]byte{1}}
	return s.does(from, func(ref uint64) protocol.Input {
		return protocol.SendText{Ref: ref, Contact: c.ID, Text: marker + " look", Files: []protocol.FileToSend{{ID: protocol.FileID{1}, File: file}}}
	}).(protocol.Sent)
}

// helpedWell has one person offer another room for files.
func (s *story) helpedWell(by, whom int) {
	s.t.Helper()
	c := s.machine(by).contactWith(s.machine(whom))
	s.does(by, func(ref uint64) protocol.Input {
		return protocol.OfferHelp{Ref: ref, Contact: c.ID, QuotaBytes: 32 << 20, LifetimeDays: 14}
	})
	s.wait(10 * time.Second)
}

// TestFilesOfTwoWhoAreNeverOnTogether has small files arrive by courier, one after the other, as
// far as they go in parts.
func TestFilesOfTwoWhoAreNeverOnTogether(t *testing.T) {
	s := acquainted(t, 3)
	s.helpedWell(2, 1)
	const size, files = 90_000, 3
	for i := range files {
		s.off(1)
		s.sendFile(0, 1, size)
		s.sendFile(0, 1, wire.PartsMax*wire.PartBytes+1)
		s.wait(time.Minute)
		s.off(0)
		s.on(1)
		s.wait(time.Minute)
		if got := s.machine(1).disk.byCourier; got != i+1 {
			t.Fatalf("%d files have come: %v", got, s.w.failure)
		}
		s.on(0)
		s.wait(time.Minute)
	}
	s.end()
}

// TestPartsOfDeletedMessagesDoNotCome deletes a message while the parts of its file lie with the
// courier, and when some are there.
func TestPartsOfDeletedMessagesDoNotCome(t *testing.T) {
	s := acquainted(t, 3)
	s.helpedWell(2, 1)
	s.off(1)
	sent := s.sendFile(0, 1, 90_000)
	s.wait(time.Minute)
	s.does(0, func(ref uint64) protocol.Input {
		return protocol.DeleteForEveryone{Ref: ref, ID: sent.ID, Conversation: sent.Conversation, Sequence: 1}
	})
	s.wait(time.Minute)
	s.off(0)
	s.on(1)
	s.wait(time.Minute)
	if n := s.machine(1).disk.byCourier + len(s.machine(1).disk.parts); n > 0 {
		t.Errorf("%d parts of what was deleted have come", n)
	}
	s.on(0)
	s.wait(time.Minute)
	s.end()
}

// TestWrongPartsAreCaught shows that the simulation looks at what is in parts.
func TestWrongPartsAreCaught(t *testing.T) {
	s := acquainted(t, 3)
	s.w.plan.Mutation = WrongPart
	s.helpedWell(2, 1)
	s.off(1)
	s.sendFile(0, 1, 2*wire.PartBytes) // two parts, one in the other's place
	s.wait(time.Minute)
	s.off(0)
	s.on(1)
	s.wait(time.Minute)
	if broken := fmt.Sprint(s.w.failure); !strings.Contains(broken, "not of its file") {
		t.Errorf("not caught: %s", broken)
	}
}
