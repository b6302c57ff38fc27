package session

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// clone returns a copy of a session, as a thief or a backup has it.
func clone(t testing.TB, s *Session) *Session {
	t.Helper()
	c, err := Load(s.AppendState(nil))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// forge seals, in a copy of s, what Seal never would: edit changes it first.
func forge(t testing.TB, s *Session, contents string, edit func(*Session, *envelope)) []byte {
	t.Helper()
	c := clone(t, s)
	e := envelope{
		contents: [][]byte{[]byte(contents)}, size: 512, nonce: [identity.NonceSize]byte{1, 2, 3},
		header: wire.EnvelopeHeader{Chain: c.send.number, First: c.send.first, Index: c.out.next},
		prefix: wire.BodyPrefix{Base: c.out.base, Cum: c.in.cum, Digest: c.in.digest, Length: uint16(len(contents))},
	}
	if c.keys != nil {
		e.kind, e.size = wire.WithKeys, 3072
	}
	edit(c, &e)
	key := messageKey(c.send.chain)
	if e.header.IsAck() {
		key = c.send.ack
	}
	frame, _ := c.build(&e, key)
	return frame
}

// established returns a pair whose invitee has spoken, so that chain 2 carries no keys.
func established(t testing.TB, seed byte) *pair {
	t.Helper()
	p := newPair(t, seed)
	p.deliver(t, p.invitee, p.inviter, "hello")
	return p
}

func TestForgedHeaders(t *testing.T) {
	p := established(t, 1)
	for name, edit := range map[string]func(*Session, *envelope){
		"chain": func(_ *Session, e *envelope) { e.header.Chain = 4 },
		"first": func(_ *Session, e *envelope) { e.header.First++ },
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, p.inviter, forge(t, p.invitee, "x", edit), ErrUnopenable)
		})
	}
	for name, edit := range map[string]func(*Session, *envelope){
		"flag":               func(_ *Session, e *envelope) { e.header.Flags = 4 },
		"index before first": func(_ *Session, e *envelope) { e.header.First = 2 },
		"beyond the window":  func(_ *Session, e *envelope) { e.header.Index = 1 + Window },
		"2^32 skipped":       func(_ *Session, e *envelope) { e.header.Index = math.MaxUint32 },
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, p.inviter, forge(t, p.invitee, "x", edit), ErrRefused)
		})
	}
}

func TestForgedBodies(t *testing.T) {
	p := established(t, 1)
	p.deliver(t, p.inviter, p.invitee, "hello too")
	for name, c := range map[string]struct {
		want error
		edit func(*Session, *envelope)
	}{
		"base beyond index":          {ErrRefused, func(_ *Session, e *envelope) { e.prefix.Base = 2 }},
		"base of an ack beyond next": {ErrRefused, func(_ *Session, e *envelope) { e.header.Flags, e.prefix.Base = wire.FlagAck, 2 }},
		"length":                     {ErrRefused, func(_ *Session, e *envelope) { e.prefix.Length = 500 }},
		"beyond at the gap":          {ErrRefused, func(_ *Session, e *envelope) { e.prefix.Beyond = []wire.Beyond{{Index: 1}} }},
		"cum beyond next":            {ErrForkBehind, func(_ *Session, e *envelope) { e.prefix.Cum = 2 }},
		"beyond what we sent":        {ErrForkBehind, func(_ *Session, e *envelope) { e.prefix.Beyond = []wire.Beyond{{Index: 2}} }},
		"digest":                     {ErrForkDigest, func(_ *Session, e *envelope) { e.prefix.Digest[15] ^= 1 }},
		"digest of an ack":           {ErrForkDigest, func(_ *Session, e *envelope) { e.header.Flags = wire.FlagAck; e.prefix.Digest[0] ^= 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, p.inviter, forge(t, p.invitee, "x", c.edit), c.want)
		})
	}
	// The same frame without the edit opens.
	open(t, p.inviter, forge(t, p.invitee, "x", func(*Session, *envelope) {}), KindMessage)
}

func TestBaseBeyondOurs(t *testing.T) {
	p := established(t, 1)
	old := clone(t, p.inviter)
	p.deliver(t, p.invitee, p.inviter, "this is forgotten")
	m := p.seal(t, p.invitee, "and this tells")
	refused(t, old, m.Frame, ErrForkBehind)
	refused(t, old, p.ack(t, p.invitee), ErrForkBehind)
	open(t, p.inviter, m.Frame, KindMessage)
}

// TestBaseTooFarBehind keeps a peer from making us hold old chains without end.
func TestBaseTooFarBehind(t *testing.T) {
	p := established(t, 1)
	for range Window - 1 {
		p.deliver(t, p.invitee, p.inviter, "x")
	}
	behind := func(flags byte, base uint32) []byte {
		return forge(t, p.invitee, "x", func(_ *Session, e *envelope) { e.header.Flags, e.prefix.Base = flags, base })
	}
	refused(t, p.inviter, behind(0, 0), ErrRefused)
	open(t, clone(t, p.inviter), behind(0, 1), KindMessage)
	open(t, clone(t, p.inviter), behind(wire.FlagAck, 0), KindAck)
	p.deliver(t, p.invitee, p.inviter, "x")
	refused(t, p.inviter, behind(wire.FlagAck, 0), ErrRefused)
}

func TestMalformedRatchetKeys(t *testing.T) {
	for name, spoil := range map[string]func(*wire.EnvelopeKeys){
		"ML-KEM key":               func(k *wire.EnvelopeKeys) { copy(k.Ratchet[:], bytes.Repeat([]byte{0xff}, 300)) },
		"low-order ratchet key":    func(k *wire.EnvelopeKeys) { clear(k.Ratchet[len(k.Ratchet)-32:]) },
		"low-order key ciphertext": func(k *wire.EnvelopeKeys) { clear(k.Ciphertext[len(k.Ciphertext)-32:]) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, 1)
			p.ack(t, p.invitee)
			frame := forge(t, p.invitee, "x", func(s *Session, _ *envelope) { spoil(s.keys) })
			refused(t, p.inviter, frame, ErrRefused)
		})
	}
}

// TestWrongKeysBlock checks that a keys block that opens but does not belong there gives
// no session: only the body's tag decides.
func TestWrongKeysBlock(t *testing.T) {
	p := newPair(t, 1)
	p.ack(t, p.invitee)
	other := seedOf(9).Public()
	for name, spoil := range map[string]func(*wire.EnvelopeKeys){
		"another ratchet key": func(k *wire.EnvelopeKeys) { k.Ratchet = other },
		"another ciphertext":  func(k *wire.EnvelopeKeys) { k.Ciphertext[5] ^= 1 },
	} {
		frame := forge(t, p.invitee, "x", func(s *Session, _ *envelope) { spoil(s.keys) })
		before := p.inviter.AppendState(nil)
		if _, err := p.inviter.Open(frame); !errors.Is(err, ErrUnopenable) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(before, p.inviter.AppendState(nil)) {
			t.Errorf("%s changes the state", name)
		}
	}
}

func TestNextChainForks(t *testing.T) {
	p := newPair(t, 1)
	p.ack(t, p.invitee)
	for name, edit := range map[string]func(*Session, *envelope){
		"no keys":     func(_ *Session, e *envelope) { e.kind, e.size = wire.WithoutKeys, 512 },
		"wrong chain": func(_ *Session, e *envelope) { e.header.Chain = 4 },
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, p.inviter, forge(t, p.invitee, "x", edit), ErrForkStep)
		})
	}
	t.Run("malformed header", func(t *testing.T) {
		refused(t, p.inviter, forge(t, p.invitee, "x", func(_ *Session, e *envelope) { e.header.Flags = 8 }), ErrRefused)
	})
	t.Run("first too early", func(t *testing.T) {
		q := established(t, 2)
		q.deliver(t, q.inviter, q.invitee, "turn")
		q.now = q.now.Add(StepAfter)
		q.deliver(t, q.inviter, q.invitee, "their turn")
		q.now = q.now.Add(StepAfter)
		q.seal(t, q.invitee, "not delivered")
		refused(t, q.inviter, forge(t, q.invitee, "x", func(_ *Session, e *envelope) { e.header.First = 0 }), ErrForkStep)
	})
	t.Run("not our turn", func(t *testing.T) {
		q := newPair(t, 3)
		old := clone(t, q.invitee)
		q.deliver(t, q.invitee, q.inviter, "step 2")
		q.now = q.now.Add(StepAfter)
		m := q.seal(t, q.inviter, "step 3")
		refused(t, old, m.Frame, ErrForkStep)
		open(t, q.invitee, m.Frame, KindMessage)
	})
}

func TestNextChainWindow(t *testing.T) {
	p := newPair(t, 1)
	p.ack(t, p.invitee)
	at := func(flags byte, first, index uint32) []byte {
		return forge(t, p.invitee, "x", func(_ *Session, e *envelope) {
			e.header.Flags, e.header.First, e.header.Index = flags, first, index
		})
	}
	refused(t, p.inviter, at(0, 0, Window), ErrRefused)
	refused(t, p.inviter, at(0, Window, Window), ErrRefused)
	refused(t, p.inviter, at(wire.FlagAck, 0, Window+1), ErrRefused)
	refused(t, p.inviter, at(0, 0, math.MaxUint32), ErrRefused)
	open(t, clone(t, p.inviter), at(wire.FlagAck, 0, Window), KindAck)
}

// TestKeysFlagTooSmall says in the header that there are keys where there is no room.
func TestKeysFlagTooSmall(t *testing.T) {
	p := newPair(t, 1)
	p.ack(t, p.invitee)
	flag := func(_ *Session, e *envelope) { e.kind, e.size, e.header.Flags = wire.WithoutKeys, 512, wire.FlagKeys }
	refused(t, p.inviter, forge(t, p.invitee, "x", flag), ErrRefused)
	q := established(t, 2)
	refused(t, q.inviter, forge(t, q.invitee, "x", flag), ErrRefused)
}

func TestNoise(t *testing.T) {
	p := established(t, 1)
	m := p.seal(t, p.invitee, "x")
	refused(t, p.inviter, nil, ErrUnopenable)
	refused(t, p.inviter, m.Frame[:511], ErrUnopenable)
	refused(t, p.inviter, append(slices.Clone(m.Frame), 0), ErrUnopenable)
	suite := slices.Clone(m.Frame)
	suite[0] = 2
	refused(t, p.inviter, suite, ErrSuite)
	for _, at := range []int{1, 12, 13, 41, 42, 495, 496, 511} {
		bad := slices.Clone(m.Frame)
		bad[at] ^= 0x40
		refused(t, p.inviter, bad, ErrUnopenable)
	}
	refused(t, p.invitee, m.Frame, ErrUnopenable) // reflected
	other := newPair(t, 2)
	refused(t, other.inviter, m.Frame, ErrUnopenable) // misdirected
	open(t, p.inviter, m.Frame, KindMessage)
}

func TestSyncForks(t *testing.T) {
	p := established(t, 1)
	p.deliver(t, p.inviter, p.invitee, "one")
	old := [2]*Session{clone(t, p.inviter), clone(t, p.invitee)}
	for range 3 {
		p.now = p.now.Add(StepAfter)
		p.deliver(t, p.inviter, p.invitee, "two")
		p.now = p.now.Add(StepAfter)
		p.deliver(t, p.invitee, p.inviter, "three")
	}
	refused(t, old[0], p.sync(t, p.invitee), ErrForkBehind)
	refused(t, old[1], p.sync(t, p.inviter), ErrForkBehind)
	// The other way round the frame might be a late copy: it only says so.
	for i, s := range []*Session{p.invitee, p.inviter} {
		if o := open(t, s, p.sync(t, old[i]), KindSync); !o.Behind || o.Acked != nil {
			t.Errorf("a side that was rolled back gives %+v", o)
		}
	}
	for i, s := range []*Session{p.inviter, p.invitee} {
		o := open(t, s, p.sync(t, []*Session{p.invitee, p.inviter}[i]), KindSync)
		if o.Behind || o.PeerNext != s.in.next {
			t.Errorf("in agreement: %+v", o)
		}
	}
}

func (p *pair) sync(t testing.TB, s *Session) []byte {
	t.Helper()
	frame, err := s.Sync(p.random, 0)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestSyncChecks edits one thing at a time of what a side remembers.
func TestSyncChecks(t *testing.T) {
	p := established(t, 1)
	p.deliver(t, p.inviter, p.invitee, "one")
	p.now = p.now.Add(StepAfter)
	p.deliver(t, p.inviter, p.invitee, "two") // step 3, the inviter's
	if p.inviter.step != 3 || p.invitee.step != 3 {
		t.Fatal("not at step 3")
	}
	for name, c := range map[string]struct {
		want error
		edit func(*Session)
	}{
		"step":           {ErrForkBehind, func(s *Session) { s.step = 5 }},
		"base":           {ErrForkBehind, func(s *Session) { s.out.base, s.out.next = 2, 2; s.out.sent = nil }},
		"cum":            {ErrForkBehind, func(s *Session) { s.in.cum, s.in.next = 3, 3 }},
		"digest":         {ErrForkDigest, func(s *Session) { s.in.digest[0] ^= 1 }},
		"root":           {ErrForkRoot, func(s *Session) { s.root[0] ^= 1 }},
		"root before":    {ErrForkRoot, func(s *Session) { s.checkBefore[0] ^= 1 }},
		"agreement":      {nil, func(*Session) {}},
		"older digest":   {nil, func(s *Session) { s.in.cum, s.in.next = 1, 1; s.in.digest[0] ^= 1 }},
		"fewer sent":     {nil, func(s *Session) { s.out.base, s.out.next = 0, 0; s.out.sent = nil }},
		"malformed":      {ErrRefused, func(s *Session) { s.step = 0 }},
		"base over next": {ErrRefused, func(s *Session) { s.out.base = 9 }},
	} {
		t.Run(name, func(t *testing.T) {
			edited := *clone(t, p.invitee)
			c.edit(&edited)
			frame := p.sync(t, &edited)
			if c.want == nil {
				open(t, p.inviter, frame, KindSync)
				return
			}
			refused(t, p.inviter, frame, c.want)
		})
	}
}

// TestSyncAcrossSteps compares sides of which one has made a step that the other has
// not seen.
func TestSyncAcrossSteps(t *testing.T) {
	p := established(t, 1)
	p.now = p.now.Add(StepAfter)
	p.seal(t, p.inviter, "step 3, on its way")
	behind := p.sync(t, p.invitee)
	ahead := p.sync(t, p.inviter)
	if o := open(t, p.inviter, behind, KindSync); o.Behind {
		t.Error("a peer that has not seen our step is not behind")
	}
	open(t, p.invitee, ahead, KindSync)
	before := *clone(t, p.inviter)
	before.checkBefore[0] ^= 1
	refused(t, p.invitee, p.sync(t, &before), ErrForkRoot)
	root := *clone(t, p.invitee)
	root.root[0] ^= 1
	refused(t, p.inviter, p.sync(t, &root), ErrForkRoot)
	// The first step has no root before, so nothing is compared there.
	q := newPair(t, 2)
	open(t, q.inviter, q.sync(t, q.invitee), KindSync)
	open(t, q.invitee, q.sync(t, q.inviter), KindSync)
}

// TestSyncHeader refuses a frame under the sync key whose header is not zero.
func TestSyncHeader(t *testing.T) {
	p := established(t, 1)
	s := clone(t, p.invitee)
	s.send.header = s.syncOurs
	frame := forge(t, s, "x", func(*Session, *envelope) {})
	refused(t, p.inviter, frame, ErrRefused)
}

func TestSyncBodyCorrupt(t *testing.T) {
	p := established(t, 1)
	frame := p.sync(t, p.invitee)
	frame[100] ^= 1
	refused(t, p.inviter, frame, ErrUnopenable)
}

// TestThiefLosesSession copies one side and lets both sides go on. The copy follows the
// peer's next chain and none after ours.
func TestThiefLosesSession(t *testing.T) {
	p := established(t, 1)
	thief := clone(t, p.inviter)
	say := func(from, to *Session) Sealed {
		p.now = p.now.Add(time.Hour)
		m := p.seal(t, from, "secret")
		open(t, to, m.Frame, KindMessage)
		return m
	}
	say(p.inviter, p.invitee) // a step with a fresh key, unknown to the thief
	m := say(p.invitee, p.inviter)
	if _, err := thief.Open(m.Frame); err == nil {
		t.Fatal("the thief reads on after both sides made a step")
	}
	m = say(p.inviter, p.invitee)
	if _, err := thief.Open(m.Frame); err == nil {
		t.Fatal("the thief reads what the robbed side writes")
	}
}
