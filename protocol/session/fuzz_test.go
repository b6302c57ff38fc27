package session

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzOpen opens anything: no panic, and no trace of what is refused. The bytes are
// tried as they are and as the opened header and body of an authentic frame.
func FuzzOpen(f *testing.F) {
	p := busy(f)
	m := p.seal(f, p.invitee, "x")
	f.Add(m.Frame, []byte{0}, []byte{0})
	f.Add(p.ack(f, p.invitee), []byte{3, 0, 0, 0, 6, 0, 0, 0, 5, 0, 0, 0, 6}, []byte{0})
	f.Add(p.sync(f, p.invitee), []byte{}, make([]byte, 64))
	state := p.inviter.AppendState(nil)
	f.Fuzz(func(t *testing.T, frame, header, body []byte) {
		s, err := Load(state)
		if err != nil {
			t.Fatal(err)
		}
		tryOpen(t, s, frame)
		if len(header) == 13 && len(body) <= 400 {
			tryOpen(t, s, authentic(s, header, body))
		}
	})
}

// authentic seals any header and body as the owner of the peer's newest chain could.
func authentic(s *Session, header, body []byte) []byte {
	nonce := [12]byte{5}
	c := Session{bound: s.bound}
	buf := c.start(512, nonce)
	buf = sealInPlace(append(buf, header...), 13, s.recv.header, nonce, s.bound.header)
	key := messageKey(s.recv.chain)
	if header[0]&1 != 0 {
		key = s.recv.ack
	}
	buf, _ = c.sealBody(append(buf, body...), len(buf), bodyKey(key, nonce))
	return buf[len(s.bound.body):]
}

func tryOpen(t *testing.T, s *Session, frame []byte) {
	before := s.AppendState(nil)
	o, err := s.Open(frame)
	after := s.AppendState(nil)
	if err != nil && !bytes.Equal(before, after) {
		t.Fatalf("refused, %v, and changed", err)
	}
	if err == nil && o.Kind == 0 {
		t.Fatal("opened as nothing")
	}
	if _, err := Load(after); err != nil {
		t.Fatalf("the state is broken: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	p := busy(f)
	f.Add(p.inviter.AppendState(nil))
	f.Add(p.invitee.AppendState(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Load(b)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(s.AppendState(nil), b) {
			t.Fatal("the state has a second encoding")
		}
	})
}

func FuzzRebuild(f *testing.F) {
	p := established(f, 1)
	m := p.seal(f, p.invitee, "text")
	f.Add(m.Parts(), []byte("text"))
	f.Add(m.Parts(), []byte("texs"))
	f.Fuzz(func(t *testing.T, parts, contents []byte) {
		frame, err := Rebuild(parts, [][]byte{contents})
		if err != nil && !errors.Is(err, ErrParts) {
			t.Fatal(err)
		}
		if err == nil && (len(frame) < 512 || FrameSize(parts) != len(frame)) {
			t.Fatalf("%d bytes, said to be %d", len(frame), FrameSize(parts))
		}
	})
}
