package sim

import (
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"pabal/protocol"
	"pabal/protocol/outbox"
)

// helped has one person offer another to carry its mail.
func (s *story) helped(by, whom int) {
	s.t.Helper()
	c := s.machine(by).contactWith(s.machine(whom))
	s.does(by, func(ref uint64) protocol.Input {
		return protocol.OfferHelp{Ref: ref, Contact: c.ID, QuotaBytes: 1 << 20, LifetimeDays: 14}
	})
	s.wait(10 * time.Second)
}

// off switches a machine off until on.
func (s *story) off(who int) {
	s.machine(who).crash()
	s.machine(who).away = true
}

func (s *story) on(who int) {
	s.machine(who).away = false
	s.machine(who).restart()
}

// couriersOf returns the couriers of a person in the order in which another knows them.
func (s *story) couriersOf(who, to int) (couriers []*machine) {
	s.t.Helper()
	var st contactState
	c := s.machine(to).contactWith(s.machine(who))
	if err := cbor.Unmarshal(c.State, &st); err != nil {
		s.t.Fatal(err)
	}
	for _, box := range st.Record.Mailboxes {
		for _, m := range s.w.machines {
			if m.hostKey == box.Courier {
				couriers = append(couriers, m)
			}
		}
	}
	return couriers
}

// TestBadCouriers has two people who are never on together again have three couriers, of
// which two do not do what they should, in each way that there is: mail arrives by the
// third all the same, once.
func TestBadCouriers(t *testing.T) {
	for bad := drops; bad < liesEnd; bad++ {
		t.Run(bad.String(), func(t *testing.T) {
			s := acquainted(t, 5)
			for courier := 2; courier < 5; courier++ {
				s.helped(courier, 1)
			}
			s.off(1)
			for _, courier := range s.couriersOf(1, 0)[:outbox.CopiesUsual] {
				if courier.lie = bad; bad == vanishes {
					s.w.vanish(courier)
				}
			}
			s.write(0, 1, "by whom?")
			s.wait(26 * time.Hour) // a third copy leaves after a day
			s.off(0)
			s.on(1)
			s.wait(10 * time.Minute)
			equal(t, "at B", s.texts(1, 0), "by whom?")
			s.on(0)
			s.wait(time.Hour)
			equal(t, "at B", s.texts(1, 0), "by whom?")
			s.w.checkAll()
			if s.w.failure != nil {
				t.Fatal(s.w.failure)
			}
		})
	}
}
