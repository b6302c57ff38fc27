package session

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

var day = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// newRandom returns a source of randomness that a seed fixes.
func newRandom(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// pair is both sides of a session, a clock and a source of randomness.
type pair struct {
	inviter, invitee *Session
	now              time.Time
	random           io.Reader
}

func newPair(t testing.TB, seed byte) *pair {
	t.Helper()
	root := SplitRoot([32]byte{seed}, [32]byte{1, seed})
	ratchet := seedOf(seed)
	invitee, err := NewInvitee(root, ratchet.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &pair{inviter: NewInviter(root, ratchet, day), invitee: invitee, now: day, random: newRandom(seed)}
}

// seal seals one content and fails the test if it cannot.
func (p *pair) seal(t testing.TB, s *Session, text string) Sealed {
	t.Helper()
	m, err := s.Seal(p.now, p.random, [][]byte{[]byte(text)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (p *pair) ack(t testing.TB, s *Session) []byte {
	t.Helper()
	frame, err := s.Ack(p.now, p.random, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// open opens a frame and fails the test if it does not open as the kind wanted.
func open(t testing.TB, s *Session, frame []byte, want Kind) Opened {
	t.Helper()
	o, err := s.Open(frame)
	if err != nil {
		t.Fatal(err)
	}
	if o.Kind != want {
		t.Fatalf("kind %d, want %d", o.Kind, want)
	}
	return o
}

// refused opens a frame and fails the test unless it gives the error wanted and
// changes nothing.
func refused(t testing.TB, s *Session, frame []byte, want error) {
	t.Helper()
	before := s.AppendState(nil)
	o, err := s.Open(frame)
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	if o.Kind != 0 || o.Contents != nil || !bytes.Equal(before, s.AppendState(nil)) {
		t.Fatal("a refused frame left a trace")
	}
}

// deliver seals a text, opens it at the other side, and acknowledges it.
func (p *pair) deliver(t testing.TB, from, to *Session, text string) {
	t.Helper()
	m := p.seal(t, from, text)
	o := open(t, to, m.Frame, KindMessage)
	if string(o.Contents) != text || o.Index != m.Index {
		t.Fatalf("got %q with index %d", o.Contents, o.Index)
	}
	o = open(t, from, p.ack(t, to), KindAck)
	if len(o.Acked) != 1 || o.Acked[0] != m.Index {
		t.Fatalf("acked %v, want [%d]", o.Acked, m.Index)
	}
}

func TestConversation(t *testing.T) {
	p := newPair(t, 1)
	if p.inviter.Established() {
		t.Fatal("the inviter is established too early")
	}
	o := open(t, p.inviter, p.ack(t, p.invitee), KindAck)
	if !o.Stepped || !o.Established || !p.inviter.Established() {
		t.Fatalf("first frame: %+v", o)
	}
	for i := range 20 {
		from, to := p.inviter, p.invitee
		if i%3 == 0 {
			from, to = to, from
		}
		p.deliver(t, from, to, string(rune('a'+i)))
		p.now = p.now.Add(40 * time.Second)
	}
	if p.inviter.step < 6 || p.inviter.root != p.invitee.root || p.inviter.step != p.invitee.step {
		t.Fatalf("steps %d and %d", p.inviter.step, p.invitee.step)
	}
	if p.inviter.Unacknowledged() != 0 {
		t.Fatal("something is not acknowledged")
	}
}

func TestRebuild(t *testing.T) {
	p := newPair(t, 1)
	for _, s := range []*Session{p.inviter, p.invitee} { // without and with keys
		m := p.seal(t, s, "one and the same")
		frame, err := Rebuild(m.Parts(), [][]byte{[]byte("one and "), []byte("the same")})
		if err != nil || !bytes.Equal(frame, m.Frame) {
			t.Fatalf("rebuilt frame differs, error %v", err)
		}
		if _, err := Rebuild(m.Parts(), [][]byte{[]byte("one and the sama")}); !errors.Is(err, ErrParts) {
			t.Fatalf("other contents: %v", err)
		}
	}
}

func TestStateRoundTrip(t *testing.T) {
	p := newPair(t, 1)
	for _, s := range []*Session{p.inviter, p.invitee} {
		b := s.AppendState(nil)
		again, err := Load(b)
		if err != nil || !bytes.Equal(again.AppendState(nil), b) {
			t.Fatalf("state differs after loading, error %v", err)
		}
	}
}
