package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

var (
	seedFlag     = flag.Uint64("seed", 0, "run the random test with this seed only")
	messagesFlag = flag.Int("messages", 12000, "messages of the random test in all")

	rollbacksFlag = flag.Uint("rollbacks", 400, "sessions of the rollback test")
)

// world is two sides, the network between them and a clock, all driven by one seed.
type world struct {
	t         *testing.T
	seed      uint64
	rand      *rand.Rand
	random    io.Reader
	now       time.Time
	sides     [2]*side
	bodyKeys  map[[32]byte]bool
	indices   map[[12]byte]uint32 // of the messages, by nonce
	withdrawn map[string]bool     // texts that were ever taken back
	forked    error               // stops the world; only a rollback may cause it
	rolled    bool                // a side was rolled back
	mood      mood
	counts    struct{ sealed, crashes, steps, voids, repeats, late, skippedMax int }
}

// mood is what the sides like to do for a while: who talks, whom nothing reaches.
type mood struct {
	seal    [2]int // percent
	reached [2]bool
	until   int
	acts    int
}

// side is one device: what it has committed, what it would tell its user, and what is
// on its way to it.
type side struct {
	name     string
	s        *Session
	stored   []byte // state bytes at the last commit
	outbox   map[uint32]row
	voids    [][]byte          // contents that declare withdrawn envelopes, not yet sealed
	got      map[uint32]string // texts that arrived, by index
	ever     map[string]bool   // the same, also what a rollback took away
	sealed   []string          // texts sealed, by index
	acked    map[uint32]bool
	inFlight [][]byte
	seen     [][]byte // frames that were in flight once
}

// row is an outbox row.
type row struct {
	parts   []byte
	content []byte
	frame   []byte
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, seed: seed, now: day,
		rand:      rand.New(rand.NewPCG(seed, 1)),
		bodyKeys:  make(map[[32]byte]bool),
		indices:   make(map[[12]byte]uint32),
		withdrawn: make(map[string]bool),
	}
	w.random = rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), seed)))
	p := newPair(t, byte(seed))
	for i, s := range []*Session{p.inviter, p.invitee} {
		w.sides[i] = &side{
			name: []string{"inviter", "invitee"}[i], s: s, stored: s.AppendState(nil),
			outbox: make(map[uint32]row), got: make(map[uint32]string), ever: make(map[string]bool), acked: make(map[uint32]bool),
		}
	}
	return w
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
}

func (w *world) chance(percent int) bool { return w.rand.IntN(100) < percent }

// crash reloads what is stored, so that everything since the last commit is lost.
func (w *world) crash(a *side) {
	s, err := Load(a.stored)
	if err != nil {
		w.fatalf("stored state: %v", err)
	}
	a.s = s
	w.counts.crashes++
}

func (w *world) commit(a *side) {
	a.stored = a.s.AppendState(a.stored[:0])
	w.counts.skippedMax = max(w.counts.skippedMax, len(a.s.in.skipped))
}

// useBodyKey fails if a body key seals a second time.
func (w *world) useBodyKey(key [32]byte) {
	if w.bodyKeys[key] {
		w.fatalf("a body key seals twice")
	}
	w.bodyKeys[key] = true
}

// send puts a frame on its way from a to b: it may be lost, doubled or overtaken.
func (w *world) send(a, b *side, frame []byte) {
	b.inFlight = append(b.inFlight, frame)
	if w.chance(10) {
		b.inFlight = append(b.inFlight, frame)
	}
	if len(b.seen) < 64 {
		b.seen = append(b.seen, frame)
	} else {
		b.seen[w.rand.IntN(64)] = frame
	}
}

// seal seals a text, or the voids that wait.
func (w *world) seal(a, b *side) {
	if !a.s.WindowOpen() {
		return
	}
	content := fmt.Appendf(nil, "t%s %d %d", a.name, len(a.sealed), w.rand.Uint64())
	if w.chance(5) {
		content = append(content, make([]byte, w.rand.IntN(9000))...)
	}
	isVoid := len(a.voids) > 0
	if isVoid {
		content = a.voids[0]
	}
	step := a.s.step
	m, err := a.s.Seal(w.now, w.random, [][]byte{content}, 0)
	if err != nil {
		w.fatalf("seal: %v", err)
	}
	w.useBodyKey(m.bodyKey)
	if w.chance(10) {
		w.crash(a)
		return
	}
	w.counts.sealed++
	w.counts.steps += int(a.s.step - step)
	if isVoid {
		a.voids = a.voids[1:]
	}
	if int(m.Index) != len(a.sealed) {
		w.fatalf("index %d, want %d", m.Index, len(a.sealed))
	}
	a.sealed = append(a.sealed, string(content))
	w.indices[[12]byte(m.Frame[1:])] = m.Index
	a.outbox[m.Index] = row{parts: m.Parts(), content: content, frame: m.Frame}
	w.commit(a)
	w.send(a, b, m.Frame)
}

func (w *world) ack(a, b *side) {
	frame, err := a.s.Ack(w.now, w.random, nil, 0)
	if err != nil {
		w.fatalf("ack: %v", err)
	}
	w.useBodyKey(bodyKey(a.s.send.ack, [12]byte(frame[1:])))
	if w.chance(10) {
		w.crash(a)
		return
	}
	w.commit(a)
	w.send(a, b, frame)
}

func (w *world) sync(a, b *side) {
	frame, err := a.s.Sync(w.random, 0)
	if err != nil {
		w.fatalf("sync: %v", err)
	}
	w.useBodyKey(bodyKey(a.s.syncOurs, [12]byte(frame[1:])))
	w.send(a, b, frame)
}

// repeat sends an envelope again that is not acknowledged.
func (w *world) repeat(a, b *side) {
	indices := sortedKeys(a.outbox)
	if len(indices) == 0 {
		return
	}
	// The oldest ones hold up the window, so they are repeated most.
	r := a.outbox[indices[w.rand.IntN(1+w.rand.IntN(len(indices)))]]
	frame, err := Rebuild(r.parts, [][]byte{r.content})
	if err != nil || !bytes.Equal(frame, r.frame) {
		w.fatalf("rebuild: %v", err)
	}
	w.counts.repeats++
	w.send(a, b, frame)
}

// withdraw takes back a text and declares its envelope void.
func (w *world) withdraw(a *side) {
	indices := sortedKeys(a.outbox)
	if len(indices) == 0 {
		return
	}
	index := indices[w.rand.IntN(len(indices))]
	if a.outbox[index].content[0] != 't' {
		return
	}
	tag, ok := a.s.Withdraw(index)
	if !ok {
		w.fatalf("withdraw %d of the outbox refused", index)
	}
	if _, again := a.s.Withdraw(index); again {
		w.fatalf("withdrawn twice")
	}
	if w.chance(10) {
		w.crash(a)
		return
	}
	w.counts.voids++
	w.withdrawn[a.sealed[index]] = true
	a.voids = append(a.voids, append(binary.BigEndian.AppendUint32([]byte("v"), index), tag[:]...))
	delete(a.outbox, index)
	w.commit(a)
}

// deliver lets one frame reach a.
func (w *world) deliver(a, b *side) {
	if len(a.inFlight) == 0 {
		return
	}
	i := w.rand.IntN(1 + min(len(a.inFlight)-1, w.rand.IntN(40)))
	frame := a.inFlight[i]
	a.inFlight = slices.Delete(a.inFlight, i, i+1)
	if w.chance(3) {
		w.corrupt(a, frame)
	}
	w.receive(a, b, frame)
}

// corrupt shows a frame with one bit wrong, which must change nothing.
func (w *world) corrupt(a *side, frame []byte) {
	bad := slices.Clone(frame)
	bad[w.rand.IntN(len(bad))] ^= 1 << w.rand.IntN(8)
	_, err := a.s.Open(bad)
	switch {
	case err == nil:
		// Of a late copy only the header is opened.
	case errors.Is(err, ErrFork) && !w.rolled:
		w.fatalf("a corrupt frame is taken for a fork: %v", err)
	}
	if !bytes.Equal(a.s.AppendState(nil), a.stored) {
		w.fatalf("a corrupt frame changes the state, error %v", err)
	}
}

// receive opens a frame at a, and commits unless a crash comes first.
func (w *world) receive(a, b *side, frame []byte) {
	o, err := a.s.Open(frame)
	switch {
	case errors.Is(err, ErrFork):
		w.forked = err
		return
	case errors.Is(err, ErrUnopenable):
		w.counts.late++
		index, isMessage := w.indices[[12]byte(frame[1:])]
		if _, arrived := a.got[index]; isMessage && !arrived && !w.isVoid(b, index) && !w.rolled {
			w.fatalf("%s cannot open message %d", a.name, index)
		}
		if !bytes.Equal(a.s.AppendState(nil), a.stored) {
			w.fatalf("an unopenable frame changes the state")
		}
		return
	case errors.Is(err, ErrRefused) && w.rolled:
		return
	case err != nil:
		w.fatalf("%s: %v", a.name, err)
	}
	var voids []wire.EnvelopeVoid
	if o.Kind == KindMessage {
		if _, twice := a.got[o.Index]; twice {
			w.fatalf("index %d arrives twice", o.Index)
		}
		if c := o.Contents; c[0] == 'v' {
			voids = append(voids, wire.EnvelopeVoid{Index: binary.BigEndian.Uint32(c[1:]), Tag: [16]byte(c[5:])})
		}
	}
	for _, v := range voids {
		a.s.Void(v.Index, v.Tag)
	}
	if w.chance(10) {
		w.crash(a)
		return
	}
	if o.Kind == KindMessage {
		a.got[o.Index] = string(o.Contents)
		a.ever[string(o.Contents)] = true
	}
	for _, index := range o.Acked {
		if a.acked[index] {
			w.fatalf("index %d is acknowledged twice", index)
		}
		// What a state that was lost had withdrawn counts as void at the other side,
		// which the ack cannot tell from arrived.
		if text := a.sealed[index]; !b.ever[text] && !w.withdrawn[text] {
			w.fatalf("%s takes %d for delivered and it is not", a.name, index)
		}
		a.acked[index] = true
	}
	for index := o.Cleared.From; index < o.Cleared.To; index++ {
		if _, waits := a.outbox[index]; waits && !a.acked[index] {
			w.fatalf("index %d is cleared but not acknowledged", index)
		}
		delete(a.outbox, index)
	}
	w.commit(a)
	if o.Kind == KindDuplicate || o.Kind == KindMessage && w.chance(20) {
		w.ack(a, b)
	}
}

// act does one thing at random; loss is in percent.
func (w *world) act(loss int) {
	m := &w.mood
	if m.acts++; m.acts >= m.until {
		*m = mood{until: 50 + w.rand.IntN(800)}
		for i := range m.seal {
			m.seal[i] = []int{0, 2, 20, 20, 60}[w.rand.IntN(5)]
			m.reached[i] = w.chance(80)
		}
	}
	i := w.rand.IntN(2)
	a, b := w.sides[i], w.sides[1-i]
	if w.chance(m.seal[i]) {
		w.seal(a, b)
		return
	}
	switch n := w.rand.IntN(100); {
	case n < 6:
		w.ack(a, b)
	case n < 8:
		w.sync(a, b)
	case n < 22:
		w.repeat(a, b)
	case n < 24:
		w.withdraw(a)
	case n < 26 && len(a.seen) > 0:
		w.receive(a, b, a.seen[w.rand.IntN(len(a.seen))])
	case n < 29:
		w.passTime()
	case len(a.inFlight) > 0 && w.chance(loss):
		a.inFlight = slices.Delete(a.inFlight, 0, 1)
	case m.reached[i]:
		w.deliver(a, b)
	}
}

func (w *world) passTime() {
	switch n := w.rand.IntN(100); {
	case n < 90:
		w.now = w.now.Add(time.Duration(w.rand.IntN(90)) * time.Second)
	case n < 97:
		w.now = w.now.Add(time.Duration(w.rand.IntN(5)) * time.Hour)
	case n < 99:
		w.now = w.now.Add(-time.Duration(w.rand.IntN(1000)) * time.Hour)
	default:
		w.now = w.now.Add(time.Duration(w.rand.IntN(10)) * 8000 * time.Hour)
	}
}

// settle lets everything arrive. It returns false if that takes for ever or a fork is
// found.
func (w *world) settle() bool {
	for range 40 {
		for i, a := range w.sides {
			b := w.sides[1-i]
			for tries := 0; len(a.voids) > 0 && a.s.WindowOpen() && tries < 5*Window; tries++ {
				w.seal(a, b)
			}
			for _, index := range sortedKeys(a.outbox) {
				w.send(a, b, a.outbox[index].frame)
			}
			w.ack(a, b)
			w.sync(a, b)
		}
		for i, a := range w.sides {
			for len(a.inFlight) > 0 && w.forked == nil {
				frame := a.inFlight[0]
				a.inFlight = a.inFlight[1:]
				w.receive(a, w.sides[1-i], frame)
			}
		}
		if w.forked != nil {
			return false
		}
		if w.quiet() {
			return true
		}
	}
	return false
}

func (w *world) quiet() bool {
	for _, a := range w.sides {
		if len(a.outbox) > 0 || len(a.voids) > 0 || a.s.Unacknowledged() != 0 || len(a.inFlight) > 0 {
			return false
		}
	}
	return true
}

// check compares both sides once all is at rest.
func (w *world) check() {
	for i, a := range w.sides {
		b := w.sides[1-i]
		for index, text := range a.sealed {
			got, ok := b.got[uint32(index)]
			if ok && got != text {
				w.fatalf("%s's message %d arrived as another", a.name, index)
			}
			if !ok && !w.isVoid(a, uint32(index)) {
				w.fatalf("%s's message %d is lost", a.name, index)
			}
		}
		if a.s.out.next != b.s.in.next || a.s.out.base != b.s.in.cum || a.s.out.digest != b.s.in.digest {
			w.fatalf("%s: counters or digests differ", a.name)
		}
		if len(a.s.in.skipped) != 0 || len(a.s.in.marks) != 0 {
			w.fatalf("%s: %d keys left over", a.name, len(a.s.in.skipped))
		}
	}
}

func sortedKeys[V any](m map[uint32]V) []uint32 {
	keys := make([]uint32, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestRandom lets two sides talk over a network that loses, doubles, reorders, repeats
// and corrupts, while both crash at any moment.
func TestRandom(t *testing.T) {
	messages := *messagesFlag
	if testing.Short() {
		messages = min(messages, 1500)
	}
	total := 0
	for seed := uint64(1); total < messages; seed++ {
		if *seedFlag != 0 {
			seed = *seedFlag
		}
		w := newWorld(t, seed)
		loss := int(seed*13) % 51
		for acts := 0; w.counts.sealed < 500; acts++ {
			if acts > 100_000 {
				w.fatalf("the sides have fallen silent: %+v", w.counts)
			}
			w.act(loss)
			if w.forked != nil {
				w.fatalf("fork: %v", w.forked)
			}
		}
		if !w.settle() {
			w.fatalf("does not come to rest: %v", w.forked)
		}
		w.check()
		t.Logf("seed %d, loss %d %%: %+v", seed, loss, w.counts)
		if total += w.counts.sealed; *seedFlag != 0 {
			return
		}
	}
}

// isVoid reports whether a has declared its message at index void.
func (w *world) isVoid(a *side, index uint32) bool {
	for _, c := range a.sealed {
		if c[0] == 'v' && binary.BigEndian.Uint32([]byte(c)[1:]) == index {
			return true
		}
	}
	return false
}
