package session

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// busy returns a pair whose inviter holds one of everything: an old chain with skipped
// keys, marks, messages in all three states, keys on their way.
func busy(t testing.TB) *pair {
	t.Helper()
	p := established(t, 1)
	for i := range 4 {
		m := p.seal(t, p.invitee, "x")
		if i%2 == 1 {
			open(t, p.inviter, m.Frame, KindMessage)
		}
	}
	p.deliver(t, p.inviter, p.invitee, "turn")
	p.now = p.now.Add(StepAfter)
	p.deliver(t, p.inviter, p.invitee, "step 3")
	p.now = p.now.Add(StepAfter)
	open(t, p.inviter, p.seal(t, p.invitee, "step 4").Frame, KindMessage)
	p.now = p.now.Add(StepAfter)
	var sent []Sealed
	for range 4 {
		sent = append(sent, p.seal(t, p.inviter, "step 5"))
	}
	p.inviter.Withdraw(sent[1].Index)
	other := clone(t, p.invitee)
	open(t, other, sent[2].Frame, KindMessage)
	p.inviter.out.sent[2].state = sentAcked
	in := &p.inviter.in
	if len(in.old) != 1 || len(in.skipped) != 2 || len(in.marks) != 3 || p.inviter.keys == nil {
		t.Fatalf("not busy: %d %d %d", len(in.old), len(in.skipped), len(in.marks))
	}
	return p
}

func TestState(t *testing.T) {
	p := busy(t)
	for _, s := range []*Session{p.inviter, p.invitee, newPair(t, 2).inviter, newPair(t, 2).invitee} {
		b := s.AppendState(nil)
		c, err := Load(b)
		if err != nil || !bytes.Equal(c.AppendState([]byte("before")), append([]byte("before"), b...)) {
			t.Fatalf("state differs after loading, error %v", err)
		}
		if c.role != s.role || c.step != s.step || c.send != s.send || c.recv != s.recv || c.root != s.root ||
			c.headers != s.headers || c.syncOurs != s.syncOurs || c.syncTheirs != s.syncTheirs || c.checkBefore != s.checkBefore {
			t.Fatal("keys differ after loading")
		}
		for n := range b {
			if _, err := Load(b[:n]); !errors.Is(err, ErrState) {
				t.Fatalf("%d of %d bytes: %v", n, len(b), err)
			}
		}
		if _, err := Load(append(b, 0)); !errors.Is(err, ErrState) {
			t.Fatalf("one byte more: %v", err)
		}
	}
}

// TestStateSize: at rest a session has at most 4 KiB.
func TestStateSize(t *testing.T) {
	p := busy(t)
	if n := len(p.inviter.AppendState(nil)); n > 4096 {
		t.Errorf("%d bytes", n)
	}
	q := established(t, 2)
	if a, b := len(q.inviter.AppendState(nil)), len(q.invitee.AppendState(nil)); a > 2048 || b > 1024 {
		t.Errorf("%d and %d bytes", a, b)
	}
}

func TestStateRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Session){
		"step 0":              func(s *Session) { s.step, s.peer = 0, &s.keys.Ratchet },
		"role 0":              func(s *Session) { s.step, s.role = 4, 0 },
		"role 3":              func(s *Session) { s.role = 3 },
		"state of a message":  func(s *Session) { s.out.sent[0].state = sentStates },
		"base beyond next":    func(s *Session) { s.out.base = s.out.next + 1 },
		"window":              func(s *Session) { s.out.next += Window; s.out.sent = append(s.out.sent, make([]sent, Window)...) },
		"next before cum":     func(s *Session) { s.in.next = s.in.cum - 1 },
		"mark missing":        func(s *Session) { s.in.marks = s.in.marks[1:] },
		"mark too many":       func(s *Session) { s.in.marks = append(s.in.marks, mark{index: s.in.next}) },
		"marks not ascending": func(s *Session) { slices.Reverse(s.in.marks) },
		"key missing":         func(s *Session) { s.in.skipped = s.in.skipped[:1] },
		"key too many":        func(s *Session) { s.in.skipped = append(s.in.skipped, skipped{index: s.in.next}) },
	} {
		s := *clone(t, busy(t).inviter)
		spoil(&s)
		if _, err := Load(s.AppendState(nil)); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := busy(t).inviter.AppendState(nil)
	b[0]++
	if _, err := Load(b); !errors.Is(err, ErrState) {
		t.Errorf("version: %v", err)
	}
	s := newPair(t, 2).inviter
	b = s.AppendState(nil)
	at := bytes.Index(b, s.seed[:]) + len(s.seed)
	b[at] = 2
	if _, err := Load(b); !errors.Is(err, ErrState) {
		t.Errorf("keys flag: %v", err)
	}
}

func TestRebuildRefuses(t *testing.T) {
	p := established(t, 1)
	m := p.seal(t, p.invitee, "text")
	parts := m.Parts()
	for n := range parts {
		if _, err := Rebuild(parts[:n], [][]byte{[]byte("text")}); !errors.Is(err, ErrParts) {
			t.Fatalf("%d of %d bytes: %v", n, len(parts), err)
		}
	}
	for i := range parts {
		bad := slices.Clone(parts)
		bad[i] ^= 4
		if _, err := Rebuild(bad, [][]byte{[]byte("text")}); !errors.Is(err, ErrParts) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if _, err := Rebuild(parts, [][]byte{make([]byte, 512)}); !errors.Is(err, ErrParts) {
		t.Errorf("contents too long: %v", err)
	}
}
