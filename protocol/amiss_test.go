package protocol

import (
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// TestCouriersOfEachOther has two keep each other's mail, and a third write to both while one
// of them is off. Each is the courier of the other, so what one writes to the other waits
// with it: nobody dials itself.
func TestCouriersOfEachOther(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Hana")
	a, b, writer := all[0], all[1], all[2]
	w.meet(a, b)
	w.meet(a, writer)
	w.meet(b, writer)
	for _, end := range [][2]*side{{a, b}, {b, a}} {
		end[0].step(w.now, OfferHelp{Contact: end[0].of(end[1]).row.ID, QuotaBytes: 32 << 20, LifetimeDays: 14})
	}
	w.run()
	w.pass(5 * time.Second)
	for _, pair := range [][2]*side{{a, b}, {b, a}} {
		off, on := pair[0], pair[1]
		w.switchOff(off)
		before := len(off.incoming())
		for _, from := range []*side{writer, on} {
			from.step(w.now, SendText{Contact: from.of(off).row.ID, Text: "for when you are back"})
		}
		w.pass(90 * time.Second)
		if got := writer.of(off).conv.row.Carried[0]; len(got) == 0 {
			t.Errorf("%s carries nothing for %s", on.name, off.name)
		}
		if got := on.of(off).conv.row.Carried[0]; len(got) > 0 {
			t.Errorf("%s carries its own mail for %s", on.name, off.name)
		}
		w.switchOff(writer)
		w.switchOn(off)
		w.pass(5 * time.Second)
		if got := len(off.incoming()) - before; got != 2 {
			t.Errorf("%s got %d messages of 2", off.name, got)
		}
		w.switchOn(writer)
		w.pass(5 * time.Second)
	}
}

// TestOlderRecord hears where a contact is from an older record, by whatever way it comes
// late: it changes nothing.
func TestOlderRecord(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.pass(5 * time.Second)
	c := a.of(b)
	old := *c.state.Record
	moved := wire.Address{Network: wire.QUIC, IP: b.p.net.Own[0].IP.Next(), Port: 4242}
	b.step(w.now, NetworkChanged{Own: []wire.Address{moved}})
	w.pass(10 * time.Second)
	if now := c.state.Record; now.Sequence <= old.Sequence || now.Addresses[0].Port != moved.Port {
		t.Fatalf("the new record has not come: %+v", now)
	}
	for _, late := range []wire.AddressRecord{old, {Sequence: c.state.Record.Sequence, Keys: []identity.TransportKey{{9}}}} {
		before := *c.state.Record
		a.p.recordReceived(c, &late)
		if c.state.Record.Sequence != before.Sequence || c.state.Record.Addresses[0] != before.Addresses[0] || c.state.Record.Keys[0] != before.Keys[0] {
			t.Errorf("a record %d behind %d is taken", late.Sequence, before.Sequence)
		}
	}
}
