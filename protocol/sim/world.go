package sim

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"time"
)

// event is something that happens at a time. Events of one time happen in the
// order in which they were made.
type event struct {
	at  time.Time
	seq uint64
	run func()
}

type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].seq < q[j].seq
	}
	return q[i].at.Before(q[j].at)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	o := *q
	e := o[len(o)-1]
	o[len(o)-1] = event{}
	*q = o[:len(o)-1]
	return e
}

// World is one simulated world: machines, the network between them, what people
// and chance do to them, and the truth about all letters. It is not safe for
// concurrent use.
type World struct {
	plan   Plan
	random *rand.Rand // of everything but the peers
	now    time.Time  // by no machine's clock
	events queue
	seq    uint64

	machines []*machine
	network  *network
	truth    *truth
	sticks   []stick // bundle files that are about, the newest last
	healing  bool    // nothing fails and nobody does anything any more
	healedAt time.Time

	setbackAt time.Time // when somebody who is on by turns got an old disk
	strayedAt time.Time // when the first two did not know each other's mailboxes last

	waitedFor int // the machine that was last not settled

	digest  maphash.Hash
	failure error
	trace   io.Writer // nil = none
	steps   int
	commits int // and disks put back
	checked int // commits when everything was checked last
	secrets secrets
	opaque  map[uint64]bool // hashes of what was sent and looked at
}

// NewWorld makes the world of a plan. Nothing happens in it before Run. If trace is
// not nil, what happens is written there, one line each.
func NewWorld(plan Plan, trace io.Writer) *World {
	w := &World{plan: plan, random: rand.New(newSource(plan.Seed, 0)), now: worldBegin, trace: trace}
	w.digest.SetSeed(hashSeed)
	w.truth = newTruth(w)
	w.network = newNetwork(w)
	for i := range plan.Peers + plan.Homes {
		w.machines = append(w.machines, newMachine(w, i))
	}
	return w
}

// newSource returns one of the streams of randomness of a seed.
func newSource(seed, stream uint64) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], stream)
	return rand.NewChaCha8(key)
}

// Run lets the world live for the time of its plan, then heals it and lets it
// converge. It returns the first broken promise.
func (w *World) Run() error {
	w.begin()
	w.runUntil(worldBegin.Add(w.plan.Life))
	if w.failure != nil {
		return w.failure
	}
	w.checkShifts()
	w.heal()
	w.converge()
	return w.failure
}

// begin switches the machines on and lets people, faults and strangers begin.
func (w *World) begin() {
	w.switchOn()
	w.beginPeople()
	w.beginHomes()
	w.beginDays()
	w.beginLies()
	w.beginFaults()
	w.beginHostility()
}

func (w *World) switchOn() {
	for _, m := range w.machines {
		m.create()
	}
	w.everyHour()
}

// Digest returns a hash of everything that happened, by which two runs in one process compare.
func (w *World) Digest() uint64 { return w.digest.Sum64() }

// Steps returns how many inputs the peers have taken.
func (w *World) Steps() int { return w.steps }

// Summary says in a line what happened.
func (w *World) Summary() string {
	return fmt.Sprintf("%d peers, %v, %d steps, %d letters, %d forwarded, %d arrived (%d replies), %d delivered, %d carried, %d by three, %d by relay, %d punched, %d found in the DHT, %d signals, %d of %d in %d groups, %d crashes, %d restores, settled %v after healing",
		len(w.machines), w.healedAt.Sub(worldBegin).Round(time.Minute), w.steps, len(w.truth.letters), w.truth.forwards, w.truth.arrivals, w.truth.replies,
		w.truth.deliveries, w.truth.carries, w.truth.thirds, w.truth.relayed, w.truth.punched, w.network.dht.found, w.truth.signals, w.truth.inGroups, w.truth.spoken, w.truth.groups, w.truth.crashes, w.truth.restores, w.now.Sub(w.healedAt))
}

// runUntil lets everything happen that is due before t.
func (w *World) runUntil(t time.Time) {
	for len(w.events) > 0 && w.failure == nil && w.events[0].at.Before(t) {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.run()
	}
	if w.failure == nil {
		w.now = t
	}
}

// after has something happen after a while, whatever becomes of any machine.
func (w *World) after(d time.Duration, run func()) {
	w.seq++
	heap.Push(&w.events, event{w.now.Add(max(d, 0)), w.seq, run})
}

// fail notes a broken promise; the first one counts.
func (w *World) fail(format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf("seed %d at %v: %s", w.plan.Seed, w.now.Sub(worldBegin), fmt.Sprintf(format, args...))
		w.log("FAIL %s", fmt.Sprintf(format, args...))
	}
}

func (w *World) log(format string, args ...any) {
	if w.trace == nil {
		return
	}
	fmt.Fprintf(w.trace, "%14v  %s\n", w.now.Sub(worldBegin).Truncate(time.Millisecond), fmt.Sprintf(format, args...))
}

// note adds what happened to the digest.
func (w *World) note(m *machine, kind string, parts ...[]byte) {
	var b [10]byte
	binary.BigEndian.PutUint64(b[:], uint64(w.now.Sub(worldBegin)))
	binary.BigEndian.PutUint16(b[8:], uint16(m.index))
	w.digest.Write(b[:])
	w.digest.WriteString(kind)
	for _, p := range parts {
		binary.BigEndian.PutUint32(b[:], uint32(len(p)))
		w.digest.Write(b[:4])
		w.digest.Write(p)
	}
}

// everyHour checks in full, once an hour or as the plan says.
func (w *World) everyHour() {
	w.after(cmp.Or(w.plan.Check, time.Hour), func() {
		w.checkAll()
		w.everyHour()
	})
}

// chance is true n times out of a hundred.
func (w *World) chance(n int) bool { return w.random.IntN(100) < n }

// between returns a random duration from least on and below most.
func (w *World) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.random.Int64N(int64(max(most-least, 1))))
}

// about returns a random duration whose mean is d, as of events that do not
// know of each other.
func (w *World) about(d time.Duration) time.Duration {
	return min(time.Duration(w.random.ExpFloat64()*float64(d)), 20*d)
}

// pick returns a random element, or false if there is none.
func pick[T any](w *World, list []T) (T, bool) {
	var none T
	if len(list) == 0 {
		return none, false
	}
	return list[w.random.IntN(len(list))], true
}
