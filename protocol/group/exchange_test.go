package group

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// world is a group of people, each with an exchange and a history, some of whom have sessions
// with each other, over which everything arrives some time.
type world struct {
	t       testing.TB
	rnd     *rand.Rand
	now     time.Time
	people  []*person
	way     []parcel
	written map[wire.MessageTag]wire.GroupMessage
	sent    map[string]int // by kind
	trace   bool
	steady  bool // everything arrives within seconds
}

type person struct {
	name    string
	seed    identity.MemberSeed
	x       *Exchange // nil: the group was not heard of
	history map[wire.MessageTag]wire.GroupMessage
	bare    map[wire.MessageTag]wire.GroupMessage // of which the head is kept
	kept    map[identity.MemberKey]Author
	ops     []wire.GroupOperation
	leaves  []wire.GroupLeave
	says    map[identity.MemberKey]wire.GroupProfile
	waiting []parcel // that came before the operations that make one a member
	contact map[int]bool
	off     bool
	old     *person // a copy of the disk
}

// parcel is something on its way.
type parcel struct {
	from, to int
	kind     string
	bytes    []byte
	at       time.Time
}

func newWorld(t testing.TB, seed uint64, count int) *world {
	w := &world{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_700_000_000, 0),
		written: make(map[wire.MessageTag]wire.GroupMessage), sent: make(map[string]int),
	}
	for i := range count {
		var s identity.MemberSeed
		binary.BigEndian.PutUint64(s[:], seed)
		s[31] = byte(i + 1)
		s[30] = byte((i + 1) >> 8)
		w.people = append(w.people, &person{
			name: fmt.Sprintf("P%d", i), seed: s, history: make(map[wire.MessageTag]wire.GroupMessage), bare: make(map[wire.MessageTag]wire.GroupMessage),
			kept: make(map[identity.MemberKey]Author), says: make(map[identity.MemberKey]wire.GroupProfile), contact: make(map[int]bool),
		})
	}
	return w
}

func (w *world) logf(format string, args ...any) {
	if w.trace {
		w.t.Logf("%s "+format, append([]any{w.now.Format("02 15:04:05")}, args...)...)
	}
}

func key(i int) Neighbour { return Neighbour{byte((i + 1) >> 8), byte(i + 1)} }

func who(k Neighbour) int { return int(k[0])<<8 + int(k[1]) - 1 }

func (p *person) key() identity.MemberKey { return p.seed.Public() }

// begin has the first person begin the group.
func (w *world) begin() {
	op := wire.GroupOperation{Kind: wire.OperationCreate, Text: "Lunch"}
	if err := op.Sign(w.people[0].seed); err != nil {
		w.t.Fatal(err)
	}
	w.join(0, op)
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	for end := w.now.Add(d); w.arrive(end); {
	}
}

// gather begins a group in which nothing is lost on the way: the first person adds all others,
// or each the next, as an admin. With friends, all know each other.
func gather(t testing.TB, count int, chain, friends bool) *world {
	t.Helper()
	w := newWorld(t, 1, count)
	w.steady = true
	w.begin()
	for k := 1; k < count; k++ {
		by := 0
		if chain {
			by = k - 1
		}
		w.add(by, k, wire.RoleAdmin)
		w.pass(time.Minute)
		for i := range k {
			if friends {
				w.befriend(i, k)
			}
		}
	}
	w.pass(time.Hour)
	return w
}

func (w *world) join(i int, first wire.GroupOperation) {
	l, err := New(first)
	if err != nil {
		w.t.Fatal(err)
	}
	p := w.people[i]
	p.ops = append(p.ops, first)
	p.x = NewExchange(l, p.key())
}

// befriend gives two people a session. Whether both are in the group each finds out alone.
func (w *world) befriend(i, k int) {
	if i == k || w.people[i].contact[k] {
		return
	}
	w.people[i].contact[k], w.people[k].contact[i] = true, true
	w.acquaint(i, k)
}

// acquaint has both know of each other that they are members, if both are.
func (w *world) acquaint(i, k int) {
	a, b := w.people[i], w.people[k]
	if a.x == nil || b.x == nil || !a.x.in(a.key()) || !b.x.in(b.key()) || !a.x.in(b.key()) || !b.x.in(a.key()) {
		return
	}
	for _, pair := range [][2]int{{i, k}, {k, i}} {
		p := w.people[pair[0]]
		if p.x.near[key(pair[1])] == nil {
			w.do(pair[0], p.x.Meet(w.now, key(pair[1]), w.people[pair[1]].key(), false))
			w.do(pair[0], p.x.Reached(w.now, key(pair[1]), !w.people[pair[1]].off))
		}
	}
}

// do keeps what an output says and puts on the way what it sends.
func (w *world) do(i int, out Output) {
	p := w.people[i]
	p.ops = append(p.ops, out.Operations...)
	p.leaves = append(p.leaves, out.Leaves...)
	for _, said := range out.Profiles {
		p.says[said.Member] = said
	}
	for _, k := range out.Authors {
		p.kept[k] = cloneAuthor(p.x.Author(k))
	}
	for _, m := range out.Accepted {
		if m.Content == nil {
			p.bare[m.Tag()] = m
			continue
		}
		if _, had := p.history[m.Tag()]; had {
			w.t.Fatalf("%s: message %d of %s comes twice", p.name, m.Sequence, w.nameOf(m.Author))
		}
		w.logf("%s takes %d of %s", p.name, m.Sequence, w.nameOf(m.Author))
		p.history[m.Tag()] = m
	}
	for _, d := range out.Doubted {
		_, had := p.history[d.Message.Tag()]
		w.do(i, p.x.Looked(w.now, d, had))
	}
	for _, f := range out.Fetches {
		var lying []Lying
		for _, m := range p.history {
			if m.Author == f.Author && f.First <= m.Sequence && m.Sequence <= f.Last {
				lying = append(lying, Lying{Head: m.GroupHead})
			}
		}
		for tag, m := range p.bare {
			if _, whole := p.history[tag]; !whole && m.Author == f.Author && f.First <= m.Sequence && m.Sequence <= f.Last {
				lying = append(lying, Lying{Head: m.GroupHead, Gone: true})
			}
		}
		slices.SortFunc(lying, func(a, b Lying) int { return wire.CompareTips(a.Head.Tip(), b.Head.Tip()) })
		w.do(i, p.x.Fetched(f, lying))
	}
	for _, s := range out.Sends {
		w.post(i, s)
	}
}

func cloneAuthor(a Author) Author {
	a.Settled, a.Recent, a.Missed = slices.Clone(a.Settled), slices.Clone(a.Recent), slices.Clone(a.Missed)
	return a
}

func (w *world) post(i int, s Send) {
	p := w.people[i]
	x := parcel{from: i, to: who(s.To), at: w.now.Add(time.Duration(w.rnd.IntN(5000)) * time.Millisecond)}
	if w.people[x.to].off || p.off || !w.steady && w.rnd.IntN(10) == 0 { // by courier
		x.at = w.now.Add(time.Duration(w.rnd.IntN(20)) * time.Hour)
	}
	switch {
	case s.Operation != nil:
		x.kind, x.bytes = "operation", s.Operation.Append(nil)
	case s.Leave != nil:
		x.kind, x.bytes = "leave", s.Leave.Append(nil)
	case s.Profile != nil:
		x.kind, x.bytes = "profile", s.Profile.Append(nil)
	case s.Sync != nil:
		x.kind, x.bytes = "sync", s.Sync.Append(nil)
	case s.Holding != nil:
		x.kind, x.bytes = "holding", s.Holding.Append(nil)
	case s.Want != nil:
		x.kind, x.bytes = "want", s.Want.Append(nil)
	case s.Absent != nil:
		x.kind, x.bytes = "absent", s.Absent.Append(nil)
	case s.Message != nil:
		m, had := p.history[s.Message.Tip.Tag]
		if !had && s.Message.Bare {
			m, had = p.bare[s.Message.Tip.Tag]
		}
		if !had {
			w.t.Fatalf("%s sends what it has not: %d of %s", p.name, s.Message.Tip.Sequence, w.nameOf(s.Message.Author))
		}
		if s.Message.Bare {
			m.Content = nil
		} else {
			w.entitled(p, w.people[x.to], &m)
		}
		x.kind, x.bytes = "message", m.Append(nil)
	}
	w.sent[x.kind]++
	w.logf("%s → %s: %s of %d bytes", p.name, w.people[x.to].name, x.kind, len(x.bytes))
	w.way = append(w.way, x)
}

// entitled checks that a message may go to somebody, by what the sender knows.
func (w *world) entitled(p, to *person, m *wire.GroupMessage) {
	w.t.Helper()
	if !p.x.log.knewOf(&m.GroupHead, to.key()) {
		w.t.Errorf("%s sends %s what was written before", p.name, to.name)
	}
	for _, op := range p.x.log.Operations {
		if op.Kind == wire.OperationRemove && op.Subject == to.key() {
			w.t.Errorf("%s sends %s, who is removed, a message", p.name, to.name)
		}
	}
	for word := range p.x.log.Leaves {
		if word.Member == to.key() {
			w.t.Errorf("%s sends %s, who has left, a message", p.name, to.name)
		}
	}
}

func (w *world) nameOf(k identity.MemberKey) string {
	for _, p := range w.people {
		if p.key() == k {
			return p.name
		}
	}
	return "nobody"
}

// arrive delivers what arrives next, or does what is due; it returns false if nothing is left.
func (w *world) arrive(until time.Time) bool {
	at, from, due := time.Time{}, -1, -1
	for i, x := range w.way {
		if from < 0 || x.at.Before(at) {
			at, from = x.at, i
		}
	}
	for i, p := range w.people {
		if p.x == nil || p.off {
			continue
		}
		if d := p.x.NextDue(); !d.IsZero() && (from < 0 && due < 0 || d.Before(at)) {
			at, due = d, i
		}
	}
	switch {
	case from < 0 && due < 0, at.After(until):
		w.now = until
		return false
	case at.After(w.now):
		w.now = at
	}
	if due >= 0 {
		w.do(due, w.people[due].x.Due(w.now))
		return true
	}
	x := w.way[from]
	w.way = slices.Delete(w.way, from, from+1)
	w.take(x)
	return true
}

func (w *world) take(x parcel) {
	p, k := w.people[x.to], key(x.from)
	if p.off { // it waits at a courier
		x.at = w.now.Add(time.Hour)
		w.way = append(w.way, x)
		return
	}
	if p.x == nil || p.x.near[k] == nil {
		w.invited(x)
		return
	}
	switch x.kind {
	case "operation":
		op, err := wire.ParseGroupOperation(x.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		out, err := p.x.Operation(w.now, k, op)
		if err != nil {
			w.logf("%s refuses an operation: %v", p.name, err)
		}
		w.do(x.to, out)
		w.meetNew(x.to)
	case "leave":
		word, err := wire.ParseGroupLeave(x.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		out, _ := p.x.Leave(w.now, k, word)
		w.do(x.to, out)
	case "profile":
		said, err := wire.ParseGroupProfile(x.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		out, _ := p.x.Introduce(w.now, k, said)
		w.do(x.to, out)
	case "message":
		m, err := wire.ParseGroupMessage(x.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		out, err := p.x.Message(w.now, k, m)
		if err != nil {
			w.logf("%s refuses message %d of %s: %v", p.name, m.Sequence, w.nameOf(m.Author), err)
		}
		w.do(x.to, out)
	case "sync":
		s, err := wire.ParseGroupSync(x.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		w.do(x.to, p.x.Synced(w.now, k, s))
	case "holding":
		h, err := wire.ParseGroupHolding(x.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		w.do(x.to, p.x.Holding(w.now, k, h))
	case "want":
		v, err := wire.ParseGroupRanges(x.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		w.do(x.to, p.x.Wanted(w.now, k, v))
	case "absent":
		v, err := wire.ParseGroupRanges(x.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		w.do(x.to, p.x.Absent(w.now, k, v))
	}
}

// invited takes what comes from somebody of whom it is not known that they are a member.
func (w *world) invited(x parcel) {
	p := w.people[x.to]
	if p.x == nil {
		if x.kind != "operation" {
			p.waiting = append(p.waiting, x)
			return
		}
		op, err := wire.ParseGroupOperation(x.bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		if op.Kind != wire.OperationCreate {
			p.waiting = append(p.waiting, x)
			return
		}
		w.join(x.to, op)
		p.x.near[key(x.from)] = &neighbour{
			member: w.people[x.from].key(), live: true, wants: map[identity.MemberKey]bool{}, wish: map[identity.MemberKey]bool{},
			claims: map[identity.MemberKey][]wire.GroupTip{}, news: map[identity.MemberKey]bool{}, names: map[identity.MemberKey]held{},
		}
		for _, y := range p.waiting {
			w.take(y)
		}
		p.waiting = nil
	}
}

// meetNew has a person find who of their contacts is a member.
func (w *world) meetNew(i int) {
	for _, k := range slices.Sorted(maps.Keys(w.people[i].contact)) {
		w.acquaint(i, k)
	}
}

// operate has somebody act on the group, if they may.
func (w *world) operate(i int, op wire.GroupOperation) bool {
	p := w.people[i]
	if p.x == nil {
		return false
	}
	op.Group, op.Parents = p.x.log.ID(), p.x.log.Heads(p.key())
	if err := op.Sign(p.seed); err != nil {
		w.t.Fatal(err)
	}
	if p.x.log.Check(op) != nil {
		return false
	}
	out, err := p.x.Operation(w.now, Neighbour{}, op)
	if err != nil {
		w.t.Fatal(err)
	}
	w.logf("%s: %d about %s", p.name, op.Kind, w.nameOf(op.Subject))
	w.do(i, out)
	return true
}

// add has somebody add a contact of theirs.
func (w *world) add(i, k int, role wire.GroupRole) {
	w.befriend(i, k)
	if w.operate(i, wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.people[k].key(), Role: role}) {
		p := w.people[i]
		w.do(i, p.x.Meet(w.now, key(k), w.people[k].key(), true))
	}
}

func (w *world) remove(i, k int) {
	if p := w.people[i]; p.x != nil {
		w.operate(i, wire.GroupOperation{Kind: wire.OperationRemove, Subject: w.people[k].key(), Last: p.x.author(w.people[k].key()).top()})
	}
}

// write has somebody say something.
func (w *world) write(i int) {
	p := w.people[i]
	if p.x == nil || !p.x.in(p.key()) {
		return
	}
	m := wire.GroupMessage{GroupHead: p.x.Next()}
	m.Commit([16]byte{byte(w.rnd.Uint32())}, fmt.Appendf(nil, "%s says %d", p.name, w.rnd.Uint64()))
	if err := m.Sign(p.seed); err != nil {
		w.t.Fatal(err)
	}
	out, err := p.x.Wrote(w.now, m)
	if err != nil {
		return // the group has ended
	}
	w.written[m.Tag()] = m
	w.logf("%s writes %d", p.name, m.Sequence)
	w.do(i, out)
}

// introduce has somebody say what they are called.
func (w *world) introduce(i int) {
	p := w.people[i]
	if p.x == nil || !p.x.in(p.key()) {
		return
	}
	last, _ := p.x.log.Profile(p.key())
	said := wire.GroupProfile{Group: p.x.log.ID(), Revision: max(uint64(w.now.UnixMilli()), last.Revision+1), Name: fmt.Sprint(p.name, " ", w.rnd.IntN(100))}
	if err := said.Sign(p.seed); err != nil {
		w.t.Fatal(err)
	}
	out, err := p.x.Introduce(w.now, Neighbour{}, said)
	if err != nil || len(out.Profiles) != 1 {
		w.t.Fatalf("%s says who they are: %v", p.name, err)
	}
	w.do(i, out)
}

// copyDisk keeps a copy of what somebody has on their disk.
func (w *world) copyDisk(i int) {
	p := w.people[i]
	old := *p
	old.history, old.bare, old.kept, old.old = maps.Clone(p.history), maps.Clone(p.bare), make(map[identity.MemberKey]Author), nil
	for k, a := range p.kept {
		old.kept[k] = cloneAuthor(a)
	}
	old.ops, old.leaves, old.says = slices.Clone(p.ops), slices.Clone(p.leaves), maps.Clone(p.says)
	p.old = &old
}

// restart loads somebody's disk, or the copy of it.
func (w *world) restart(i int, old bool) {
	p := w.people[i]
	if old {
		if p.old == nil {
			return
		}
		p.history, p.bare, p.kept, p.ops, p.leaves, p.says = p.old.history, p.old.bare, p.old.kept, p.old.ops, p.old.leaves, p.old.says
		p.old = nil
	}
	near := p.x
	p.x = nil
	if len(p.ops) == 0 {
		return
	}
	w.logf("%s starts anew, from an old disk: %v", p.name, old)
	l, err := New(p.ops[0])
	if err != nil {
		w.t.Fatal(err)
	}
	for _, op := range p.ops[1:] {
		if _, err := l.Add(op); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, word := range p.leaves {
		if _, err := l.Leave(word); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, said := range p.says {
		if _, err := l.Introduce(said); err != nil {
			w.t.Fatal(err)
		}
	}
	p.x = NewExchange(l, p.key())
	for k, a := range p.kept {
		p.x.Restore(k, cloneAuthor(a))
	}
	if near == nil {
		return
	}
	for k := range near.neighbours {
		other := w.people[who(k)]
		w.do(i, p.x.Meet(w.now, k, other.key(), false))
		w.do(i, p.x.Reached(w.now, k, !other.off))
		if other.x != nil && !other.off {
			w.do(who(k), other.x.Reached(w.now, key(i), true))
		}
	}
}

func (w *world) turn(i int, off bool) {
	p := w.people[i]
	if p.off == off {
		return
	}
	p.off = off
	for k, other := range w.people {
		if other.x != nil && p.x != nil && !other.off && other.x.near[key(i)] != nil {
			w.do(k, other.x.Reached(w.now, key(i), !off))
			if !off {
				w.do(i, p.x.Reached(w.now, key(k), true))
			}
		}
	}
}

// settle lets everybody be there for some days.
func (w *world) settle() {
	for i := range w.people {
		w.turn(i, false)
	}
	for range 4 {
		for i := range w.people {
			w.meetNew(i)
			if p := w.people[i]; p.x != nil {
				for k := range p.x.neighbours {
					w.do(i, p.x.Reached(w.now, k, true))
				}
			}
		}
		for n, end := 0, w.now.Add(36*time.Hour); w.arrive(end); n++ {
			if n > 200_000 {
				w.t.Fatal("there is no end to it")
			}
		}
	}
}

// circle returns the members whom something of somebody's can reach: over members who know each
// other and whom it is for.
func (w *world) circle(i int, for_ func(*person) bool) map[int]bool {
	out, todo := map[int]bool{i: true}, []int{i}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		for k := range w.people[at].x.neighbours {
			p := w.people[who(k)]
			known := p.x != nil && p.x.in(p.key()) && p.x.near[key(at)] != nil && p.x.in(w.people[at].key()) && w.people[at].x.in(p.key())
			if !out[who(k)] && known && for_(p) {
				out[who(k)] = true
				todo = append(todo, who(k))
			}
		}
	}
	return out
}

// check holds everybody to what the group promises.
func (w *world) check() {
	w.t.Helper()
	for i, p := range w.people {
		if p.x == nil {
			continue
		}
		for tag, m := range p.history {
			if written, ok := w.written[tag]; !ok || string(written.Content) != string(m.Content) {
				w.t.Errorf("%s shows what nobody wrote", p.name)
			}
			if _, err := p.x.log.view(m.Heads); err != nil {
				w.t.Errorf("%s shows what it cannot judge", p.name)
			} else if !p.x.log.knewOf(&m.GroupHead, p.key()) {
				w.t.Errorf("%s shows what was not for them", p.name)
			}
		}
		if !p.x.in(p.key()) {
			continue
		}
		for k := range w.circle(i, func(*person) bool { return true }) {
			if other := w.people[k]; p.x.log.LeftHash() != other.x.log.LeftHash() || p.x.log.HeldHash() != other.x.log.HeldHash() {
				w.t.Errorf("%s and %s know different operations", p.name, other.name)
			}
			for _, m := range p.x.log.reckoned().Members {
				x, _ := p.x.log.Profile(m.Key)
				y, _ := w.people[k].x.log.Profile(m.Key)
				if x.Revision != y.Revision || x.Name != y.Name {
					w.t.Errorf("%s and %s know different profiles of %s: %d %q, %d %q", p.name, w.people[k].name, w.nameOf(m.Key), x.Revision, x.Name, y.Revision, y.Name)
				}
			}
		}
		for tag, m := range p.history {
			mine := func(q *person) bool { return q.x.log.Speaks(&m.GroupHead) == nil && q.x.log.For(&m.GroupHead, q.key()) }
			if !mine(p) {
				continue
			}
			for k := range w.circle(i, mine) {
				if _, has := w.people[k].history[tag]; !has {
					w.t.Errorf("%s has not got message %d of %s, which %s has", w.people[k].name, m.Sequence, w.nameOf(m.Author), p.name)
				}
			}
		}
	}
}

// TestExchange has people do all that they may, in many orders, and looks whether all that
// reaches somebody reaches everybody.
func TestExchange(t *testing.T) {
	count := uint64(100)
	if testing.Short() {
		count = 4
	}
	for seed := range count {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { exchange(t, seed, false) }) {
			return
		}
	}
}

func exchange(t testing.TB, seed uint64, trace bool) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	count := 3 + rnd.IntN(8)
	w := newWorld(t, seed, count)
	w.trace = trace
	w.begin()
	for k := 1; k < count; k++ { // a tree of who adds whom, and some who know each other besides
		w.befriend(rnd.IntN(k), k)
	}
	for range rnd.IntN(2 * count) {
		w.befriend(rnd.IntN(count), rnd.IntN(count))
	}
	for range 40 + rnd.IntN(200) {
		i, k := rnd.IntN(count), rnd.IntN(count)
		switch n := rnd.IntN(40); {
		case n < 16:
			w.write(i)
		case n < 24:
			for _, k := range slices.Sorted(maps.Keys(w.people[i].contact)) {
				if w.people[k].x == nil {
					w.add(i, k, wire.GroupRole(1+rnd.IntN(2)))
					break
				}
			}
		case n == 24 && rnd.IntN(6) == 0:
			w.remove(i, k)
		case n == 25:
			w.operate(i, wire.GroupOperation{Kind: wire.OperationTitle, Text: fmt.Sprint("T", rnd.IntN(100))})
		case n == 26:
			w.operate(i, wire.GroupOperation{Kind: wire.OperationRole, Subject: w.people[k].key(), Role: wire.RoleAdmin})
		case n == 27 && rnd.IntN(8) == 0:
			if p := w.people[i]; p.x != nil && p.x.log.CheckLeave(p.key()) == nil {
				out, err := p.x.Leave(w.now, Neighbour{}, wire.NewGroupLeave(p.x.log.ID(), p.seed, p.x.author(p.key()).top()))
				if err != nil {
					t.Fatal(err)
				}
				w.do(i, out)
			}
		case n == 28:
			w.copyDisk(i)
		case n == 29:
			w.restart(i, rnd.IntN(2) == 0)
		case n < 32:
			w.turn(i, !w.people[i].off)
		case n == 32:
			w.introduce(i)
		default:
			w.pass(time.Duration(rnd.IntN(7200)) * time.Second)
		}
	}
	w.settle()
	w.check()
	if t.Failed() && !trace {
		t.Logf("seed %d: %d people, %v", seed, count, w.sent)
	}
}
