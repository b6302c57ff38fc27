package session

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// TestStepRule: before sending, if a newer peer key is known and the chain is a minute
// old, an hour for a bare ack, or comes from the future.
func TestStepRule(t *testing.T) {
	for name, c := range map[string]struct {
		after     time.Duration
		seal, ack bool // whether each makes a step
	}{
		"at once":        {0, false, false},
		"59.999 s":       {StepAfter - time.Millisecond, false, false},
		"a minute":       {StepAfter, true, false},
		"59:59":          {AckStepAfter - time.Millisecond, true, false},
		"an hour":        {AckStepAfter, true, true},
		"1 ms back":      {-time.Millisecond, true, true},
		"years back":     {-20 * 365 * 24 * time.Hour, true, true},
		"years from now": {20 * 365 * 24 * time.Hour, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := established(t, 1)
			p.deliver(t, p.inviter, p.invitee, "under chain 1") // a newer key is known
			p.now = p.now.Add(c.after)
			sealer, acker := clone(t, p.inviter), clone(t, p.inviter)
			p.seal(t, sealer, "x")
			p.ack(t, acker)
			if sealer.step == 3 != c.seal || acker.step == 3 != c.ack {
				t.Errorf("steps %d and %d", sealer.step, acker.step)
			}
			// Without a newer key there is no step, whatever the age.
			step := p.invitee.step
			p.seal(t, p.invitee, "x")
			p.ack(t, p.invitee)
			if p.invitee.step != step {
				t.Error("a step without a newer key")
			}
		})
	}
}

// TestFirstFrame: the invitee's first frame begins chain 2 whatever it is.
func TestFirstFrame(t *testing.T) {
	p := newPair(t, 1)
	if p.invitee.ContentSizes(p.now)[0] != 635 || p.inviter.ContentSizes(p.now)[0] != 427 {
		t.Errorf("content sizes %v and %v", p.invitee.ContentSizes(p.now), p.inviter.ContentSizes(p.now))
	}
	frame := p.ack(t, p.invitee)
	if p.invitee.step != 2 || len(frame) != 3072 {
		t.Fatalf("step %d, %d bytes", p.invitee.step, len(frame))
	}
	if !p.invitee.Established() || p.invitee.Role() != Invitee || p.invitee.SID() != [32]byte{1, 1} {
		t.Error("role, session id or state differ")
	}
}

// TestKeysRide: keys are in every frame of a chain until the peer acknowledges a
// message of it or steps.
func TestKeysRide(t *testing.T) {
	p := newPair(t, 1)
	sizes := func() (int, int) {
		return len(p.seal(t, clone(t, p.invitee), "x").Frame), len(p.ack(t, clone(t, p.invitee)))
	}
	open(t, p.inviter, p.ack(t, p.invitee), KindAck)
	open(t, p.invitee, p.ack(t, p.inviter), KindAck)
	if m, a := sizes(); m != 3072 || a != 3072 {
		t.Fatalf("no message acknowledged: %d and %d bytes", m, a)
	}
	first, second := p.seal(t, p.invitee, "0"), p.seal(t, p.invitee, "1")
	open(t, p.inviter, second.Frame, KindMessage)
	stale := p.ack(t, p.inviter)
	open(t, p.invitee, stale, KindAck)
	if m, a := sizes(); m != 512 || a != 512 {
		t.Fatalf("a message acknowledged beyond a gap: %d and %d bytes", m, a)
	}
	open(t, p.inviter, first.Frame, KindMessage)

	q := newPair(t, 2)
	open(t, q.inviter, q.ack(t, q.invitee), KindAck)
	q.now = q.now.Add(StepAfter)
	open(t, q.invitee, q.seal(t, q.inviter, "step").Frame, KindMessage)
	if q.invitee.keys != nil {
		t.Fatal("keys kept although the peer made a step")
	}
}

// TestAckOfOldChain: acknowledging a message before the chain says nothing of its keys.
func TestAckOfOldChain(t *testing.T) {
	p := established(t, 1)
	p.deliver(t, p.inviter, p.invitee, "a")
	m := p.seal(t, p.inviter, "b") // chain 1
	p.now = p.now.Add(StepAfter)
	p.seal(t, p.inviter, "c, lost") // chain 3
	open(t, p.invitee, m.Frame, KindMessage)
	open(t, p.inviter, p.ack(t, p.invitee), KindAck)
	if p.inviter.keys == nil {
		t.Fatal("keys dropped before the peer has seen them")
	}
}

func TestWindow(t *testing.T) {
	p := established(t, 1)
	first := p.seal(t, p.invitee, "first")
	var last Sealed
	for range Window - 1 {
		left := p.invitee.WindowLeft()
		last = p.seal(t, p.invitee, "x")
		if left < 1 || p.invitee.WindowLeft() != left-1 {
			t.Fatalf("window of %d, then of %d", left, p.invitee.WindowLeft())
		}
	}
	state := p.invitee.AppendState(nil)
	if _, err := p.invitee.Seal(p.now, p.random, [][]byte{{1}}, 0); !errors.Is(err, ErrWindow) || p.invitee.WindowOpen() {
		t.Fatalf("message %d: %v", Window+1, err)
	}
	if !bytes.Equal(state, p.invitee.AppendState(nil)) {
		t.Fatal("a refused Seal leaves a trace")
	}
	open(t, p.inviter, p.ack(t, p.invitee), KindAck) // acks are always allowed
	open(t, p.inviter, last.Frame, KindMessage)
	if n := len(p.inviter.in.skipped); n != Window-1 {
		t.Fatalf("%d skipped keys", n)
	}
	o := open(t, p.invitee, p.ack(t, p.inviter), KindAck)
	if !slices.Equal(o.Acked, []uint32{last.Index}) || o.Cleared != (IndexRange{1, 1}) || p.invitee.WindowOpen() {
		t.Fatalf("ack beyond a gap: %+v", o)
	}
	if p.invitee.Unacknowledged() != Window || !p.invitee.Acknowledged(last.Index) || p.invitee.Acknowledged(first.Index) || !p.invitee.Acknowledged(0) || p.invitee.Acknowledged(last.Index+1) {
		t.Error("acknowledged and not acknowledged are mixed up")
	}
	open(t, p.inviter, first.Frame, KindMessage)
	o = open(t, p.invitee, p.ack(t, p.inviter), KindAck)
	if !slices.Equal(o.Acked, []uint32{first.Index}) || o.Cleared != (IndexRange{1, 2}) || !p.invitee.WindowOpen() {
		t.Fatalf("ack of the first: %+v", o)
	}
	p.invitee.out.next, p.invitee.out.base = math.MaxUint32, math.MaxUint32
	if p.invitee.WindowOpen() {
		t.Fatal("the last index of all is used")
	}
	p.invitee.out.next, p.invitee.out.base = math.MaxUint32-3, math.MaxUint32-3
	if n := p.invitee.WindowLeft(); n != 3 {
		t.Fatalf("%d indices left, want 3", n)
	}
}

// TestVoids: 511 withdrawn envelopes do not shut the window for ever.
func TestVoids(t *testing.T) {
	p := established(t, 1)
	var voids []wire.EnvelopeVoid
	for range Window - 1 {
		m := p.seal(t, p.invitee, "taken back")
		tag, ok := p.invitee.Withdraw(m.Index)
		if !ok || tag != m.Tag {
			t.Fatal("not withdrawn")
		}
		voids = append(voids, wire.EnvelopeVoid{Index: m.Index, Tag: tag})
	}
	m := p.seal(t, p.invitee, "these are void")
	open(t, p.inviter, m.Frame, KindMessage)
	for _, v := range voids {
		if !p.inviter.Void(v.Index, v.Tag) || p.inviter.Void(v.Index, v.Tag) {
			t.Fatal("void once, and only once")
		}
	}
	if len(p.inviter.in.skipped) != 0 || len(p.inviter.in.marks) != 0 {
		t.Fatal("keys of void messages are kept")
	}
	o := open(t, p.invitee, p.ack(t, p.inviter), KindAck)
	if !slices.Equal(o.Acked, []uint32{m.Index}) || o.Cleared != (IndexRange{1, Window + 1}) || p.invitee.Unacknowledged() != 0 {
		t.Fatalf("ack: %+v", o)
	}
	if p.inviter.Void(m.Index, m.Tag) || p.inviter.Void(m.Index+1, m.Tag) || p.inviter.Void(math.MaxUint32, m.Tag) {
		t.Error("what has arrived, or was never passed, is void")
	}
	for _, index := range []uint32{m.Index, m.Index + 1, math.MaxUint32} {
		if _, ok := p.invitee.Withdraw(index); ok {
			t.Errorf("index %d withdrawn", index)
		}
	}
}

// TestWithdrawAcknowledged: a message acknowledged beyond a gap can be declared void
// still, and nobody takes it for lost or for new.
func TestWithdrawAcknowledged(t *testing.T) {
	p := established(t, 1)
	missing, m := p.seal(t, p.invitee, "missing"), p.seal(t, p.invitee, "m")
	open(t, p.inviter, m.Frame, KindMessage)
	if o := open(t, p.invitee, p.ack(t, p.inviter), KindAck); !slices.Equal(o.Acked, []uint32{m.Index}) {
		t.Fatalf("%+v", o)
	}
	tag, ok := p.invitee.Withdraw(m.Index)
	if _, again := p.invitee.Withdraw(m.Index); !ok || again {
		t.Fatal("withdrawn never or twice")
	}
	if p.inviter.Void(m.Index, tag) {
		t.Fatal("what has arrived is void")
	}
	open(t, p.inviter, missing.Frame, KindMessage)
	o := open(t, p.invitee, p.ack(t, p.inviter), KindAck)
	if !slices.Equal(o.Acked, []uint32{missing.Index}) || o.Cleared != (IndexRange{1, 3}) {
		t.Fatalf("%+v", o)
	}
}

// TestWithdrawn lists what must be declared, until the peer has passed it.
func TestWithdrawn(t *testing.T) {
	p := established(t, 1)
	if got := p.invitee.Withdrawn(); got != nil {
		t.Fatalf("%v without any", got)
	}
	var sent []Sealed
	for range 4 {
		sent = append(sent, p.seal(t, p.invitee, "x"))
	}
	want := []wire.EnvelopeVoid{{Index: sent[1].Index, Tag: sent[1].Tag}, {Index: sent[3].Index, Tag: sent[3].Tag}}
	for _, v := range want {
		p.invitee.Withdraw(v.Index)
	}
	if got := p.invitee.Withdrawn(); !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if again := clone(t, p.invitee).Withdrawn(); !slices.Equal(again, want) {
		t.Fatalf("%v after loading, want %v", again, want)
	}
	open(t, p.inviter, sent[0].Frame, KindMessage)
	open(t, p.inviter, sent[2].Frame, KindMessage)
	p.inviter.Void(want[0].Index, want[0].Tag)
	open(t, p.invitee, p.ack(t, p.inviter), KindAck)
	if got := p.invitee.Withdrawn(); !slices.Equal(got, want[1:]) {
		t.Fatalf("%v, want %v", got, want[1:])
	}
}

// TestVoidArrivesLate: a void envelope that was on its way is a duplicate.
func TestVoidArrivesLate(t *testing.T) {
	p := established(t, 1)
	m, next := p.seal(t, p.invitee, "void"), p.seal(t, p.invitee, "next")
	open(t, p.inviter, next.Frame, KindMessage)
	p.inviter.Void(m.Index, m.Tag)
	if o := open(t, p.inviter, m.Frame, KindDuplicate); o.Contents != nil || o.Index != m.Index {
		t.Fatalf("%+v", o)
	}
}

// TestLateMessages: messages of finished chains open once, also with a later ack
// known, and a finished chain is kept until the peer cannot repeat anything of it.
func TestLateMessages(t *testing.T) {
	p := established(t, 1)
	late := p.seal(t, p.invitee, "late")
	lateAck := p.ack(t, p.invitee)
	later := p.seal(t, p.invitee, "later")
	p.deliver(t, p.inviter, p.invitee, "turn")
	p.now = p.now.Add(StepAfter)
	p.deliver(t, p.inviter, p.invitee, "step 3")
	p.now = p.now.Add(StepAfter)
	step := p.seal(t, p.invitee, "step 4")
	if o := open(t, p.inviter, step.Frame, KindMessage); !o.Stepped || o.Established || o.PeerNext != step.Index+1 {
		t.Fatalf("step: %+v", o)
	}
	open(t, p.inviter, lateAck, KindStale)
	if o := open(t, p.inviter, late.Frame, KindMessage); string(o.Contents) != "late" || o.Stepped {
		t.Fatalf("late: %+v", o)
	}
	open(t, p.inviter, late.Frame, KindDuplicate)
	open(t, p.inviter, later.Frame, KindMessage)
	if len(p.inviter.in.old) != 1 || len(p.inviter.in.skipped) != 0 {
		t.Fatalf("%d old chains, %d keys", len(p.inviter.in.old), len(p.inviter.in.skipped))
	}
	open(t, p.inviter, later.Frame, KindDuplicate) // our ack may have been lost
	open(t, p.invitee, p.ack(t, p.inviter), KindAck)
	open(t, p.inviter, p.ack(t, p.invitee), KindAck)
	if len(p.inviter.in.old) != 0 {
		t.Fatal("an old chain is kept for nothing")
	}
	refused(t, p.inviter, late.Frame, ErrUnopenable)
}

// TestOldChainEnd: a message beyond the end of a finished chain is one of a peer that
// was rolled back.
func TestOldChainEnd(t *testing.T) {
	p := established(t, 1)
	p.seal(t, p.invitee, "lost")
	p.deliver(t, p.inviter, p.invitee, "turn")
	old := clone(t, p.invitee)
	p.now = p.now.Add(StepAfter)
	p.deliver(t, p.inviter, p.invitee, "step 3")
	p.now = p.now.Add(StepAfter)
	open(t, p.inviter, p.seal(t, p.invitee, "step 4").Frame, KindMessage)
	again := p.seal(t, old, "a second message 2")
	refused(t, p.inviter, again.Frame, ErrUnopenable)
}

func TestDuplicates(t *testing.T) {
	p := established(t, 1)
	m := p.seal(t, p.invitee, "x")
	open(t, p.inviter, m.Frame, KindMessage)
	if o := open(t, p.inviter, m.Frame, KindDuplicate); o.Index != m.Index {
		t.Fatalf("%+v", o)
	}
	ack := p.ack(t, p.inviter)
	o := open(t, p.invitee, ack, KindAck)
	if len(o.Acked) != 1 || o.Contents == nil || len(o.Contents) != 0 || o.PeerNext != 0 {
		t.Fatalf("%+v", o)
	}
	o = open(t, p.invitee, ack, KindAck) // replayed
	if o.Acked != nil || o.Cleared != (IndexRange{2, 2}) {
		t.Fatalf("%+v", o)
	}
}

// TestStaleAck: an ack that knows less than an earlier one is not compared.
func TestStaleAck(t *testing.T) {
	p := established(t, 1)
	early := p.ack(t, p.inviter)
	forged := forge(t, p.inviter, "", func(_ *Session, e *envelope) {
		e.header.Flags, e.prefix.Digest = wire.FlagAck, [16]byte{1}
		e.prefix.Beyond = []wire.Beyond{{Index: 90}}
	})
	p.deliver(t, p.invitee, p.inviter, "x")
	if o := open(t, p.invitee, early, KindAck); o.Acked != nil || o.Cleared != (IndexRange{}) {
		t.Fatalf("%+v", o)
	}
	open(t, p.invitee, forged, KindAck)
	if p.invitee.out.base != 2 {
		t.Fatal("the counter went back")
	}
}

func TestEphemeralContents(t *testing.T) {
	p := established(t, 1)
	frame, err := p.inviter.Ack(p.now, p.random, [][]byte{[]byte("typing")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if o := open(t, p.invitee, frame, KindAck); string(o.Contents) != "typing" {
		t.Fatalf("%+v", o)
	}
}

// TestBeyondByTurns: an ack names 16 arrivals beyond a gap and the next acks the rest.
func TestBeyondByTurns(t *testing.T) {
	p := established(t, 1)
	missing := p.seal(t, p.invitee, "missing")
	for range 40 {
		open(t, p.inviter, p.seal(t, p.invitee, "x").Frame, KindMessage)
	}
	total := 0
	for range 3 {
		o := open(t, p.invitee, p.ack(t, p.inviter), KindAck)
		if !slices.IsSorted(o.Acked) || len(o.Acked) > wire.BeyondMax {
			t.Fatalf("acked %v", o.Acked)
		}
		total += len(o.Acked)
	}
	if total != 40 {
		t.Fatalf("%d acknowledged after three acks", total)
	}
	// What an envelope has no room for is left out, and the size stays.
	sizes := p.inviter.ContentSizes(p.now)
	for free, want := range map[int]int{0: 0, 11: 0, 12: 1, 12*16 + 5: 16, 300: 16} {
		s := clone(t, p.inviter)
		m, err := s.Seal(p.now, p.random, [][]byte{make([]byte, sizes[0]-free)}, 0)
		if err != nil || len(m.Frame) != 512 || len(m.prefix.Beyond) != want {
			t.Errorf("%d bytes free: %d named in %d bytes, %v", free, len(m.prefix.Beyond), len(m.Frame), err)
		}
	}
	open(t, p.inviter, missing.Frame, KindMessage)
	if o := open(t, p.invitee, p.ack(t, p.inviter), KindAck); o.Cleared != (IndexRange{1, 42}) || !slices.Equal(o.Acked, []uint32{1}) {
		t.Fatalf("%+v", o)
	}
}

func TestContentSizes(t *testing.T) {
	p := established(t, 1)
	for _, n := range p.invitee.ContentSizes(p.now) {
		for _, more := range []int{0, 1} {
			s := clone(t, p.invitee)
			m, err := s.Seal(p.now, p.random, [][]byte{make([]byte, n+more)}, 0)
			want, ok := wire.EnvelopeSizeFor(n + more + 85)
			if (err == nil) != ok || ok && len(m.Frame) != want || !ok && !errors.Is(err, ErrContents) {
				t.Errorf("%d bytes: %d, %v", n+more, len(m.Frame), err)
			}
			if err == nil {
				if o := open(t, clone(t, p.inviter), m.Frame, KindMessage); len(o.Contents) != n+more {
					t.Errorf("%d bytes arrive as %d", n+more, len(o.Contents))
				}
			}
		}
	}
	if got := p.invitee.ContentSizes(p.now); !slices.Equal(got, []int{427, 2987, 8107, 24491, 65451}) {
		t.Errorf("sizes %v", got)
	}
	p.now = p.now.Add(StepAfter)
	if got := p.inviter.ContentSizes(p.now); !slices.Equal(got, []int{635, 5755, 22139, 63099}) {
		t.Errorf("sizes with keys %v", got)
	}
}

func TestSizeMin(t *testing.T) {
	p := established(t, 1)
	m, err := p.invitee.Seal(p.now, p.random, [][]byte{{1}}, CourierSizeMin)
	if err != nil || len(m.Frame) != CourierSizeMin {
		t.Fatalf("message of %d bytes, %v", len(m.Frame), err)
	}
	again, err := Rebuild(m.Parts(), [][]byte{{1}})
	if err != nil || !bytes.Equal(again, m.Frame) {
		t.Fatalf("not rebuilt: %v", err)
	}
	if got := FrameSize(m.Parts()[:20]); got != 0 {
		t.Errorf("a damaged row is for %d bytes", got)
	}
	ack, err := p.invitee.Ack(p.now, p.random, nil, CourierSizeMin)
	if err != nil || len(ack) != CourierSizeMin {
		t.Fatalf("ack of %d bytes, %v", len(ack), err)
	}
	sync, err := p.invitee.Sync(p.random, CourierSizeMin)
	if err != nil || len(sync) != CourierSizeMin {
		t.Fatalf("sync frame of %d bytes, %v", len(sync), err)
	}
	open(t, p.inviter, m.Frame, KindMessage)
	open(t, p.inviter, ack, KindAck)
	open(t, p.inviter, sync, KindSync)
	const tooBig = wire.EnvelopeBytesMax + 1
	_, err1 := p.invitee.Seal(p.now, p.random, [][]byte{{1}}, tooBig)
	_, err2 := p.invitee.Ack(p.now, p.random, nil, tooBig)
	_, err3 := p.invitee.Sync(p.random, tooBig)
	if !errors.Is(err1, ErrContents) || !errors.Is(err2, ErrContents) || !errors.Is(err3, ErrContents) {
		t.Errorf("too big: %v, %v, %v", err1, err2, err3)
	}
	if _, err := p.invitee.Seal(p.now, p.random, nil, 0); !errors.Is(err, ErrContents) {
		t.Errorf("no contents: %v", err)
	}
}

// TestRandomFails: whatever randomness is missing, nothing changes.
func TestRandomFails(t *testing.T) {
	for _, have := range []int64{0, 11, 12, 43} { // a nonce of 12 bytes, a seed of 32
		p := newPair(t, 1)
		random := io.MultiReader(io.LimitReader(newRandom(1), have), iotest.ErrReader(io.ErrClosedPipe))
		before := p.invitee.AppendState(nil)
		_, err := p.invitee.Seal(p.now, random, [][]byte{{1}}, 0)
		if !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("seal with %d bytes: %v", have, err)
		}
		random = io.MultiReader(io.LimitReader(newRandom(1), have), iotest.ErrReader(io.ErrClosedPipe))
		if _, err := p.invitee.Ack(p.now, random, nil, 0); err == nil {
			t.Errorf("ack with %d bytes", have)
		}
		if _, err := p.invitee.Sync(io.LimitReader(newRandom(1), min(have, 11)), 0); err == nil {
			t.Errorf("sync with %d bytes", have)
		}
		if !bytes.Equal(before, p.invitee.AppendState(nil)) {
			t.Errorf("with %d bytes something changed", have)
		}
	}
}

// TestUselessPeerKey: a ratchet key that nothing can be encapsulated to is refused when
// it comes; if one is stored all the same, Seal says that the session must be repaired.
func TestUselessPeerKey(t *testing.T) {
	bad := seedOf(1).Public()
	clear(bad[len(bad)-32:])
	root := SplitRoot([32]byte{1}, [32]byte{2})
	if _, err := NewInvitee(root, bad); !errors.Is(err, ErrKEM) {
		t.Fatalf("invitee with a low-order key: %v", err)
	}
	p := newPair(t, 1)
	p.invitee.peer = &bad
	if _, err := p.invitee.Seal(p.now, p.random, [][]byte{{1}}, 0); !errors.Is(err, ErrKEM) {
		t.Fatalf("seal: %v", err)
	}
}

// TestClockJumps: to 2036 and back, and to 1970, without losing anything.
func TestClockJumps(t *testing.T) {
	p := newPair(t, 1)
	for _, now := range []time.Time{day, day.AddDate(10, 0, 0), day, time.Unix(0, 0), day, day.AddDate(0, 0, 1)} {
		p.now = now
		for range 3 {
			p.deliver(t, p.inviter, p.invitee, "to")
			p.deliver(t, p.invitee, p.inviter, "fro")
		}
	}
	if p.inviter.step < 9 {
		t.Errorf("only %d steps", p.inviter.step)
	}
}

func TestNonceTopBit(t *testing.T) {
	p := established(t, 1)
	ones := iotest.DataErrReader(bytes.NewReader(bytes.Repeat([]byte{0xff}, 1000)))
	m, err := p.invitee.Seal(p.now, ones, [][]byte{[]byte("x")}, 0)
	if err != nil || m.Frame[1] != 0x7f || m.Frame[2] != 0xff {
		t.Fatalf("nonce %x, %v", m.Frame[1:13], err)
	}
	open(t, p.inviter, m.Frame, KindMessage)
}

func TestSplitRoot(t *testing.T) {
	secret, sid := [32]byte{7}, [32]byte{8}
	r := SplitRoot(secret, sid)
	b := identity.Expand(secret, identity.LabelRoot.Join(sid[:]), 320)
	got := slices.Concat(r.Root[:], r.Chain[:], r.Ack[:], r.Headers[0][:], r.Headers[1][:], r.Headers[2][:],
		r.Pair[:], r.Recovery[:], r.SyncInviter[:], r.SyncInvitee[:])
	if !bytes.Equal(got, b) || r.SID != sid {
		t.Fatal("the split differs")
	}
}
