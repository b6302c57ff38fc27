package sim

import (
	"testing"
	"time"

	"pabal/protocol"
)

// onLAN leaves a machine without any address but a new one on a local network.
func (s *story) onLAN(i, lan int, heard bool) {
	m := s.machine(i)
	s.w.network.closeAll(m, true)
	m.addresses = nil
	s.w.network.enter(m, lan, heard)
	m.tellPlace()
}

// delivered reports whether everything that one wrote to the other has arrived there.
func (s *story) delivered(from, to int, text string) bool {
	for _, got := range s.texts(to, from) {
		if got == text {
			return true
		}
	}
	return false
}

// TestFoundOnALocalNetwork puts people who have no address of each other that still
// leads anywhere on local networks: they find each other within seconds where both are heard,
// and nowhere else.
func TestFoundOnALocalNetwork(t *testing.T) {
	for name, row := range map[string]struct {
		lans  [2]int
		heard [2]bool
		want  bool
	}{
		"both trust it":      {[2]int{1, 1}, [2]bool{true, true}, true},
		"one does not":       {[2]int{1, 1}, [2]bool{true, false}, false},
		"neither does":       {[2]int{1, 1}, [2]bool{false, false}, false},
		"on another network": {[2]int{1, 2}, [2]bool{true, true}, false},
	} {
		s := acquainted(t, 2)
		for i := range 2 {
			s.onLAN(i, row.lans[i], row.heard[i])
		}
		s.write(0, 1, "are you here?")
		s.wait(15 * time.Second)
		if got := s.delivered(0, 1, "are you here?"); got != row.want {
			t.Errorf("%s: found is %v", name, got)
		}
		if row.want {
			s.checkPath(0, 1)
		}
		s.unbroken()
	}
}

// checkPath checks that why tells of the local network, at whoever dialled.
func (s *story) checkPath(a, b int) {
	s.t.Helper()
	for _, pair := range [2][2]int{{a, b}, {b, a}} {
		m := s.machine(pair[0])
		why, ok := m.peer.Why(m.clock(), m.contactWith(s.machine(pair[1])).ID, nil)
		if ok && why.Live && why.Path == protocol.RungLAN {
			return
		}
	}
	s.t.Error("no side tells that they met on the local network")
}

// TestBlockedAndRemovedAreNotFound lets somebody who was blocked, and one who was
// removed, be on one local network with who did that: neither is dialled, nor named.
func TestBlockedAndRemovedAreNotFound(t *testing.T) {
	s := acquainted(t, 3)
	s.does(0, func(ref uint64) protocol.Input {
		return protocol.SetBlocked{Ref: ref, Contact: s.machine(0).contactWith(s.machine(1)).ID, Blocked: true}
	})
	s.remove(0, 2)
	for i := range 3 {
		s.onLAN(i, 1, true)
	}
	s.wait(time.Minute)
	for _, e := range s.machine(0).ends() {
		t.Errorf("a connection of A with %v", e.other().m)
	}
	s.unbroken()
}

// unbroken checks all promises, of people who may still wait for each other.
func (s *story) unbroken() {
	s.t.Helper()
	s.w.checkAll()
	if s.w.failure != nil {
		s.t.Fatal(s.w.failure)
	}
}

// TestInviteIsHeardOnALocalNetwork makes an invite for the local network that nobody
// trusts yet: its holder finds the inviter although the addresses in the link lead nowhere.
func TestInviteIsHeardOnALocalNetwork(t *testing.T) {
	for _, lan := range []bool{true, false} {
		s := quiet(t, 2)
		link := s.does(0, func(ref uint64) protocol.Input {
			return protocol.CreateInvite{Ref: ref, Kind: protocol.InviteOnce, LAN: lan}
		}).(protocol.InviteCreated).Link
		s.onLAN(0, 1, false)
		s.onLAN(1, 1, true)
		s.add(1, link)
		s.wait(3 * time.Minute)
		if k := s.machine(1).contactWith(s.machine(0)); (k != nil && k.Phase == protocol.ContactEstablished) != lan {
			t.Errorf("made for the local network %v: %+v", lan, k)
		}
		s.unbroken()
	}
}
