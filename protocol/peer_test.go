package protocol

import (
	"crypto/rand"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// side is one Peer of a test, wired to another one by hand.
type side struct {
	t    *testing.T
	p    *Peer
	out  Output
	name string

	jobs    []Job        // not done
	history []PutMessage // of a town's people
	parts   []PutPart
	erased  map[MessageID]bool
}

func newSide(t *testing.T, name string, port uint16, now time.Time) *side {
	t.Helper()
	p, _, err := Create(rand.Reader, Config{BootID: [32]byte{1}, Groups: true, Home: strings.HasPrefix(name, "Home")}, now, name)
	if err != nil {
		t.Fatal(err)
	}
	s := &side{t: t, p: p, name: name, erased: make(map[MessageID]bool)}
	s.step(now, NetworkChanged{Own: []wire.Address{{Network: wire.QUIC, IP: netip.MustParseAddr("127.0.0.1"), Port: port}}})
	return s
}

// step steps an input and a Flush and gathers the Output.
func (s *side) step(now time.Time, in Input) Output {
	s.t.Helper()
	out, err := s.attempt(now, in)
	if err != nil {
		s.t.Fatalf("%s: %T: %v", s.name, in, err)
	}
	return out
}

// attempt does the same with an input that may be refused.
func (s *side) attempt(now time.Time, in Input) (Output, error) {
	s.t.Helper()
	out, err := s.p.Step(now, in)
	if err != nil {
		return out, err
	}
	rest, err := s.p.Step(now, Flush{})
	if err != nil {
		s.t.Fatalf("%s: flush: %v", s.name, err)
	}
	out.Writes = append(out.Writes, rest.Writes...)
	out.Sends = append(out.Sends, rest.Sends...)
	out.Events = append(out.Events, rest.Events...)
	out.Replies = append(out.Replies, rest.Replies...)
	s.out.Replies = append(s.out.Replies, out.Replies...)
	s.jobs = append(append(s.jobs, out.Jobs...), rest.Jobs...)
	s.out.Sends = append(s.out.Sends, out.Sends...)
	s.out.Events = append(s.out.Events, out.Events...)
	s.out.Writes = append(s.out.Writes, out.Writes...)
	return out, nil
}

// pump connects a and b as their dials ask and carries frames until both are silent.
func pump(t *testing.T, now time.Time, a, b *side) {
	t.Helper()
	conn := ConnID(1)
	for range 100 {
		moved := false
		for _, pair := range [2][2]*side{{a, b}, {b, a}} {
			from, to := pair[0], pair[1]
			sends := from.out.Sends
			from.out.Sends = nil
			for _, s := range sends {
				moved = true
				switch s := s.(type) {
				case Dial:
					conn++
					local, remote := from.p.Transport(now).Public(), to.p.Transport(now).Public()
					if s.Keys[0] != remote {
						t.Fatalf("%s dials another key", from.name)
					}
					to.step(now, ConnOpened{Conn: conn, Local: remote, Remote: local, Inbound: true})
					from.step(now, ConnOpened{Conn: conn, Local: local, Remote: remote, Dial: s.Dial})
				case SendFrame:
					to.step(now, FrameReceived{Conn: s.Conn, Type: s.Type, Body: s.Body})
				}
			}
		}
		if !moved {
			return
		}
	}
	t.Fatal("the two never fall silent")
}

func TestFirstConversation(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	mina, jiwoo := newSide(t, "Mina", 1001, now), newSide(t, "Jiwoo", 1002, now)
	created := mina.step(now, CreateInvite{Kind: InviteOnce}).Replies
	link := created[0].Result.(InviteCreated).Link
	jiwoo.step(now, AddContact{Link: "here: " + link, Alias: "Mina"})
	pump(t, now, mina, jiwoo)

	var of [2]*contact
	for i, s := range []*side{mina, jiwoo} {
		cs := s.p.contactsInOrder()
		if len(cs) != 1 || cs[0].row.Phase != ContactEstablished {
			t.Fatalf("%s has no established contact", s.name)
		}
		of[i] = cs[0]
	}
	if of[0].row.Name != "Jiwoo" || of[1].row.Name != "Mina" {
		t.Fatalf("names: %q, %q", of[0].row.Name, of[1].row.Name)
	}
	for _, text := range []string{"안녕, 반가워요 👋", "두 번째"} {
		jiwoo.step(now, SendText{Contact: of[1].row.ID, Text: text})
	}
	pump(t, now, mina, jiwoo)
	var got []PutMessage
	for _, w := range mina.out.Writes {
		if m, ok := w.(PutMessage); ok && m.Direction == In {
			got = append(got, m)
		}
	}
	if len(got) != 2 || got[0].Position != 1 || got[1].Position != 2 {
		t.Fatalf("got %d messages", len(got))
	}
	if d := of[1].conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, 2}) {
		t.Fatalf("delivered: %v", d)
	}
	if !of[0].queue.Empty() || !of[1].queue.Empty() {
		t.Fatal("an outbox is not empty")
	}
}

func TestNamesThatDoNotTravelAreRefused(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	long := strings.Repeat("가", wire.NameRunesMax+1)
	if _, _, err := Create(rand.Reader, Config{}, now, long); err == nil {
		t.Error("a profile begins with a name that is too long")
	}
	s := newSide(t, "Mina", 1001, now)
	for _, name := range []string{long, "", " ", "a\nb", "\u202eabc", string([]byte{0xff})} {
		if _, err := s.p.Step(now, SetName{Name: name}); err == nil {
			t.Errorf("%q is taken as a name", name)
		}
	}
}
