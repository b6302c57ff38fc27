package protocol

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// turns is what one side did in the DHT, the newest last.
type turns struct {
	published []PublishRecord
	looked    []LookUpRecord
}

// seeks lets a side live for a while in which nobody answers its dials. What it asks of the
// DHT is answered by what has been published in all, or by answer.
func (w *town) seeks(s *side, d time.Duration, all map[identity.RecordName]PublishRecord, answer func(LookUpRecord) []byte) (out turns) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(time.Minute) {
		s.step(w.now, Woke{})
		for n := 0; n < len(s.out.Sends); n++ {
			switch send := s.out.Sends[n].(type) {
			case Dial:
				s.step(w.now, DialFailed{Dial: send.Dial, Code: "timeout"})
			case PublishRecord:
				out.published = append(out.published, send)
				all[send.Seed.Public()] = send
				s.step(w.now, RecordPublished{Number: send.Number})
			case LookUpRecord:
				out.looked = append(out.looked, send)
				in := RecordLookedUp{Number: send.Number, Sealed: all[send.Name].Sealed}
				if answer != nil {
					in.Sealed = answer(send)
				}
				if in.Sealed == nil {
					in.Code = WhyNoRecord
				}
				s.step(w.now, in)
			}
		}
		s.out.Sends = nil
	}
	return out
}

// waiting returns somebody with contacts who are all off and have something waiting for
// them, and whom the DHT may look for.
func waiting(t *testing.T, contacts int) (w *town, a *side, others []*side) {
	names := []string{"Mina"}
	for i := range contacts {
		names = append(names, fmt.Sprint("Friend ", i))
	}
	w, all := newTown(t, names...)
	a = all[0]
	for _, friend := range all[1:] {
		w.meet(a, friend)
		w.switchOff(friend)
	}
	a.step(w.now, SetDHT{On: true})
	for _, friend := range all[1:] {
		a.step(w.now, SendText{Contact: a.of(friend).row.ID, Text: "where are you"})
	}
	return w, a, all[1:]
}

// TestDHTIsOffAtFirst asks nothing of the DHT, whatever waits, until somebody wants it, and
// stops when nobody wants it any more.
func TestDHTIsOffAtFirst(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b := all[0], all[1]
	w.meet(a, b)
	w.switchOff(b)
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "where are you"})
	records := map[identity.RecordName]PublishRecord{}
	if got := w.seeks(a, 30*time.Hour, records, nil); len(got.published)+len(got.looked) > 0 {
		t.Errorf("off: %d records, %d look-ups", len(got.published), len(got.looked))
	}
	why, _ := a.p.Why(w.now, a.of(b).row.ID, nil)
	if why.Rungs[len(why.Rungs)-1].Rung == RungDHT || a.of(b).state.LostSince != 0 {
		t.Error("off, and still a way")
	}
	a.step(w.now, SetDHT{On: true})
	if got := w.seeks(a, dhtAfter-time.Hour, records, nil); len(got.published)+len(got.looked) > 0 {
		t.Errorf("before the time: %d records, %d look-ups", len(got.published), len(got.looked))
	}
	if got := w.seeks(a, 6*time.Hour, records, nil); len(got.published) == 0 || len(got.looked) == 0 {
		t.Errorf("on: %d records, %d look-ups", len(got.published), len(got.looked))
	}
	why, _ = a.p.Why(w.now, a.of(b).row.ID, nil)
	if rung := why.Rungs[len(why.Rungs)-1]; rung.Rung != RungDHT || rung.NextTry.Before(w.now) || rung.LastError != WhyNoRecord {
		t.Errorf("the last way is %+v", rung)
	}
	a.step(w.now, SetDHT{})
	if got := w.seeks(a, 30*time.Hour, records, nil); len(got.published)+len(got.looked) > 0 {
		t.Errorf("off again: %d records, %d look-ups", len(got.published), len(got.looked))
	}
}

// TestDHTCountsNoContacts publishes and looks up equally often for one contact and for
// many, each time what looks the same; for nobody it does nothing.
func TestDHTCountsNoContacts(t *testing.T) {
	w, a, _ := waiting(t, 0)
	if got := w.seeks(a, 48*time.Hour, map[identity.RecordName]PublishRecord{}, nil); len(got.published)+len(got.looked) > 0 {
		t.Error("for nobody something is sent")
	}
	for _, contacts := range []int{1, 5, 20} {
		w, a, _ := waiting(t, contacts)
		w.seeks(a, 24*time.Hour, map[identity.RecordName]PublishRecord{}, nil)
		day := w.seeks(a, 24*time.Hour, map[identity.RecordName]PublishRecord{}, nil)
		for what, n := range map[string]int{"records": len(day.published), "look-ups": len(day.looked)} {
			if n < 12 || n > 17 {
				t.Errorf("%d contacts: %d %s a day", contacts, n, what)
			}
		}
		names, told := map[identity.RecordName]bool{}, map[ContactID]int{}
		for i, r := range day.published {
			if len(r.Sealed) != wire.DHTRecordSize || r.Until.Sub(w.now) > dhtKept || i > 0 && r.Sequence <= day.published[i-1].Sequence {
				t.Errorf("%d contacts: record %d is unlike the others", contacts, i)
			}
			told[r.For]++
			if r.For == (ContactID{}) && names[r.Seed.Public()] {
				t.Errorf("%d contacts: noise under a name twice", contacts)
			}
			names[r.Seed.Public()] = true
		}
		if want := min(contacts, 11); len(told) < want {
			t.Errorf("%d contacts: %d are told in a day", contacts, len(told))
		}
	}
}

// seekingEachOther returns two who have both moved, each with something for the other, and may seek each other.
func seekingEachOther(t *testing.T) (w *town, a, b *side, all map[identity.RecordName]PublishRecord) {
	w, sides := newTown(t, "Mina", "Jiwoo")
	a, b = sides[0], sides[1]
	w.meet(a, b)
	w.switchOff(b)
	for i, s := range sides {
		s.step(w.now, SetDHT{On: true})
		s.step(w.now, NetworkChanged{Own: []wire.Address{{Network: wire.QUIC, IP: netip.AddrFrom4([4]byte{9, 9, 9, byte(i)}), Port: 4001}}})
		s.step(w.now, SendText{Contact: s.only().row.ID, Text: "where are you"})
	}
	return w, a, b, map[identity.RecordName]PublishRecord{}
}

// TestDHTTellsWhereWeAre has one side read what the other has published, and dial it there.
func TestDHTTellsWhereWeAre(t *testing.T) {
	w, a, b, all := seekingEachOther(t)
	before := *b.only().state.Record
	begin := w.now
	w.seeks(a, 15*time.Hour, all, nil)
	w.now = begin
	w.seeks(b, 20*time.Hour, all, nil)
	record := b.only().state.Record
	if len(record.Addresses) != 1 || record.Addresses[0].IP != netip.AddrFrom4([4]byte{9, 9, 9, 0}) {
		t.Fatalf("found: %v", record.Addresses)
	}
	if record.Sequence != before.Sequence || len(record.Keys) != len(before.Keys) {
		t.Errorf("a record of sequence %d with %d keys stands for one of %d with %d", record.Sequence, len(record.Keys), before.Sequence, len(before.Keys))
	}
	b.out.Sends = nil
	b.step(w.now, Reconnect{})
	if d := b.dial(); d.Addresses[0] != record.Addresses[0] || d.For != b.only().row.ID {
		t.Errorf("dials %v", d.Addresses)
	}
	w.switchOn(b) // the town connects by keys alone
	if a.only().state.LostSince != 0 || b.only().state.LostSince != 0 {
		t.Error("a path stands, and still they are sought")
	}
	if got := w.seeks(a, dhtGoesOn+dhtEvery, all, nil); len(got.published) < 10 {
		t.Errorf("%d records in the day behind the last need: who looks on sees when it ended", len(got.published))
	}
}

// TestDHTTakesNothingFromOthers answers look-ups with what others could make or have: noise,
// records of another pair, of the other direction, and old ones. None has an effect.
func TestDHTTakesNothingFromOthers(t *testing.T) {
	w, a, b, all := seekingEachOther(t)
	begin := w.now
	w.seeks(a, 14*time.Hour, all, nil)
	w.now = begin
	before := *b.only().state.Record
	stranger := wire.DHTRecord{Made: 1 << 31, Keys: []identity.TransportKey{{9}}, Addresses: before.Addresses[:1]}
	for what, answer := range map[string]func(LookUpRecord) []byte{
		"noise":   func(LookUpRecord) []byte { return make([]byte, wire.DHTRecordSize) },
		"nothing": func(LookUpRecord) []byte { return []byte{} },
		"somebody's own record under the name": func(l LookUpRecord) []byte {
			return stranger.Seal([32]byte{1}, l.Name, [identity.NonceSize]byte{1})
		},
		"our own record": func(LookUpRecord) []byte { return all[b.ownDHTName(w.now).Seed.Public()].Sealed },
	} {
		w.now = begin
		w.seeks(b, 14*time.Hour, all, answer)
		if r := b.only().state.Record; len(r.Addresses) != len(before.Addresses) || r.Addresses[0] != before.Addresses[0] || b.only().state.FoundMade != 0 {
			t.Errorf("%s is taken", what)
		}
	}
	var first []byte
	for _, r := range all {
		if r.For != (ContactID{}) {
			first = r.Sealed
		}
	}
	a.step(w.now, NetworkChanged{Own: []wire.Address{{Network: wire.QUIC, IP: netip.AddrFrom4([4]byte{8, 8, 8, 8}), Port: 4001}}})
	w.seeks(a, 6*time.Hour, all, nil)
	w.seeks(b, 24*time.Hour, all, nil) // in which every name has its turn, should the day change now
	if got := b.only().state.Record.Addresses[0].IP; got != netip.AddrFrom4([4]byte{8, 8, 8, 8}) {
		t.Fatalf("the new record is not found: %v", got)
	}
	w.seeks(b, 12*time.Hour, all, func(LookUpRecord) []byte { return first })
	if got := b.only().state.Record.Addresses[0].IP; got != netip.AddrFrom4([4]byte{8, 8, 8, 8}) {
		t.Errorf("an old record is taken: %v", got)
	}
}

func (s *side) ownDHTName(now time.Time) rendezvous.DHTName {
	name, _ := s.p.ownName(now, s.only())
	return name
}

// TestDHTKeepsItsPaceOverRestarts starts anew again and again: turns come no more often, and
// are both of records and of look-ups.
func TestDHTKeepsItsPaceOverRestarts(t *testing.T) {
	w, a, _ := waiting(t, 1)
	all := map[identity.RecordName]PublishRecord{}
	keep := func() {
		for _, write := range a.out.Writes {
			w.keep(a, write)
		}
		a.out.Writes = nil
	}
	w.run()
	w.seeks(a, dhtAfter, all, nil)
	keep()
	published, looked := 0, 0
	for range 4 * 24 {
		a.reload(w.now, w.rows[a].state(a))
		a.step(w.now, SetDHT{On: true})
		got := w.seeks(a, 15*time.Minute, all, nil)
		keep()
		published, looked = published+len(got.published), looked+len(got.looked)
	}
	// In a quarter of an hour a turn comes or does not; some 16 are the mean, 14 are seen.
	if published+looked < 8 || published+looked > 32 || published-looked > 1 || looked-published > 1 {
		t.Errorf("%d records and %d look-ups in a day of restarts", published, looked)
	}
}

// TestDHTSeeksNobodyWhoWasCut: who was blocked, or has gone, is neither told nor looked for.
func TestDHTSeeksNobodyWhoWasCut(t *testing.T) {
	w, a, others := waiting(t, 1)
	w.seeks(a, 14*time.Hour, map[identity.RecordName]PublishRecord{}, nil)
	a.step(w.now, SetBlocked{Contact: a.of(others[0]).row.ID, Blocked: true})
	got := w.seeks(a, 12*time.Hour, map[identity.RecordName]PublishRecord{}, nil)
	for _, r := range got.published {
		if r.For != (ContactID{}) {
			t.Error("a blocked contact is told where we are")
		}
	}
	for _, l := range got.looked {
		if l.For != (ContactID{}) {
			t.Error("a blocked contact is looked for")
		}
	}
}

// TestDHTBecomesRare: a contact that is not found for a week is sought once a day.
func TestDHTBecomesRare(t *testing.T) {
	w, a, _ := waiting(t, 1)
	all := map[identity.RecordName]PublishRecord{}
	w.seeks(a, 9*24*time.Hour, all, nil)
	got := w.seeks(a, 4*24*time.Hour, all, nil)
	looks := 0
	for _, l := range got.looked {
		if l.For != (ContactID{}) {
			looks++
		}
	}
	if looks < 3 || looks > 5 {
		t.Errorf("%d look-ups in four days", looks)
	}
}

// TestDHTWaitsForCouriers: while couriers take the mail, nobody is sought for days.
func TestDHTWaitsForCouriers(t *testing.T) {
	w, a, b, _ := friends(t)
	w.switchOff(b)
	a.step(w.now, SetDHT{On: true})
	a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "by courier"})
	w.pass(10 * time.Second)
	lost := time.Unix(a.of(b).state.LostSince, 0)
	if from := a.p.soughtFrom(a.of(b)); from.Sub(lost) != dhtAfterCarried {
		t.Errorf("sought after %v", from.Sub(lost))
	}
}
