package group

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// table is a group that some people have, each with what they know of it.
type table struct {
	t     testing.TB
	names map[string]identity.MemberSeed
	logs  map[string]*Log
	first wire.GroupOperation
}

// newTable has the first name begin a group.
func newTable(t testing.TB, names ...string) *table {
	t.Helper()
	w := &table{t: t, names: map[string]identity.MemberSeed{}, logs: map[string]*Log{}}
	for _, n := range names {
		w.names[n] = identity.MemberSeed(identity.Hash([]byte(n)))
	}
	w.first = wire.GroupOperation{Kind: wire.OperationCreate, Text: "Lunch"}
	w.sign(names[0], &w.first)
	for _, n := range names {
		l, err := New(w.first)
		if err != nil {
			t.Fatal(err)
		}
		w.logs[n] = l
	}
	return w
}

func (w *table) sign(who string, op *wire.GroupOperation) {
	w.t.Helper()
	if err := op.Sign(w.names[who]); err != nil {
		w.t.Fatal(err)
	}
}

func (w *table) key(who string) identity.MemberKey { return w.names[who].Public() }

// make has somebody make an operation by what they know, allowed or not.
func (w *table) make(who string, op wire.GroupOperation) wire.GroupOperation {
	w.t.Helper()
	l := w.logs[who]
	op.Group, op.Parents = l.ID(), l.Heads(w.key(who))
	w.sign(who, &op)
	return op
}

// do has somebody do something that they may.
func (w *table) do(who string, op wire.GroupOperation) wire.GroupOperation {
	w.t.Helper()
	op = w.make(who, op)
	if err := w.logs[who].Check(op); err != nil {
		w.t.Fatalf("%s may not: %v", who, err)
	}
	if n, err := w.logs[who].Add(op); err != nil || n == 0 {
		w.t.Fatalf("%s: %d, %v", who, n, err)
	}
	return op
}

func (w *table) add(who, whom string, role wire.GroupRole) {
	w.t.Helper()
	w.do(who, wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key(whom), Role: role})
}

func (w *table) remove(who, whom string) {
	w.t.Helper()
	w.do(who, wire.GroupOperation{Kind: wire.OperationRemove, Subject: w.key(whom)})
}

func (w *table) role(who, whom string, role wire.GroupRole) {
	w.t.Helper()
	w.do(who, wire.GroupOperation{Kind: wire.OperationRole, Subject: w.key(whom), Role: role})
}

func (w *table) title(who, title string) {
	w.t.Helper()
	w.do(who, wire.GroupOperation{Kind: wire.OperationTitle, Text: title})
}

// take gives somebody an operation.
func (w *table) take(who string, op wire.GroupOperation) {
	w.t.Helper()
	if _, err := w.logs[who].Add(op); err != nil {
		w.t.Fatalf("%s: %v", who, err)
	}
}

// force has somebody do what their own program would not let them.
func (w *table) force(who string, op wire.GroupOperation) {
	w.t.Helper()
	w.take(who, w.make(who, op))
}

// refused has somebody try what nobody takes.
func (w *table) refused(who string, op wire.GroupOperation) {
	w.t.Helper()
	if _, err := w.logs[who].Add(w.make(who, op)); !errors.Is(err, ErrNotAdmin) {
		w.t.Fatalf("%s: %v", who, err)
	}
}

func (w *table) leave(who string) {
	w.t.Helper()
	if err := w.logs[who].CheckLeave(w.key(who)); err != nil {
		w.t.Fatal(err)
	}
	if known, err := w.logs[who].Leave(wire.NewGroupLeave(w.logs[who].ID(), w.names[who], 0)); !known || err != nil {
		w.t.Fatal(known, err)
	}
}

// meet has some tell each other all they know, all without names.
func (w *table) meet(names ...string) {
	w.t.Helper()
	if len(names) == 0 {
		names = slices.Collect(maps.Keys(w.logs))
	}
	for _, from := range names {
		for _, op := range w.logs[from].Operations {
			for _, to := range names {
				if _, err := w.logs[to].Add(*op); err != nil {
					w.t.Fatalf("%s does not take what %s took: %v", to, from, err)
				}
			}
		}
		for word := range w.logs[from].Leaves {
			for _, to := range names {
				if _, err := w.logs[to].Leave(word); err != nil {
					w.t.Fatalf("%s does not take a leave that %s took: %v", to, from, err)
				}
			}
		}
	}
}

// members tells who is in, for one of them; admins with a star, the first for longest first.
func (w *table) members(who string) string {
	s := w.logs[who].State()
	var out []string
	for _, m := range s.Members {
		for n := range w.names {
			if w.key(n) == m.Key {
				out = append(out, n+strings.Repeat("*", int(m.Role)-1))
			}
		}
	}
	return strings.Join(out, " ")
}

func (w *table) want(members string) {
	w.t.Helper()
	for n := range w.logs {
		got := strings.Fields(w.members(n))
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(strings.Fields(members))); !slices.Equal(got, want) {
			w.t.Errorf("for %s the members are %q, not %q", n, got, want)
		}
	}
}

// TestStories are the cases that groups without a leader are known to fail at.
func TestStories(t *testing.T) {
	const member, admin = wire.RoleMember, wire.RoleAdmin
	for name, c := range map[string]struct {
		people string
		tell   func(*table)
		want   string
	}{
		"who is added is in": {"A B C", func(w *table) {
			w.add("A", "B", member)
			w.add("A", "C", admin)
		}, "A* B C*"},
		"who is removed is out": {"A B C", func(w *table) {
			w.add("A", "B", member)
			w.add("A", "C", member)
			w.meet()
			w.remove("A", "B")
		}, "A* C"},
		"who was removed comes again by another key": {"A B B2", func(w *table) {
			w.add("A", "B", admin)
			w.remove("A", "B")
			w.add("A", "B2", member)
		}, "A* B2"},
		"a removed key does not come back": {"A B C", func(w *table) {
			w.add("A", "B", admin)
			w.meet()
			again := w.make("B", wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key("C"), Role: member})
			w.add("A", "C", member)
			w.remove("A", "C")
			w.take("B", again)
		}, "A* B*"},
		"what the removed does beside it does not count": {"A B C", func(w *table) {
			w.add("A", "B", admin)
			w.meet()
			w.remove("A", "B")
			w.add("B", "C", member)
			w.title("B", "Mine now")
		}, "A*"},
		"who was let in by the removed is not in": {"A B C D", func(w *table) {
			w.add("A", "B", admin)
			w.meet()
			w.remove("A", "B")
			w.add("B", "C", admin)
			w.meet("B", "C")
			w.add("C", "D", member)
		}, "A*"},
		"two admins remove each other, and both are out": {"A B C", func(w *table) {
			w.add("A", "B", admin)
			w.add("A", "C", member)
			w.meet()
			w.remove("A", "B")
			w.remove("B", "A")
		}, "C*"},
		"three in a ring": {"A B C D", func(w *table) {
			w.add("A", "B", admin)
			w.add("A", "C", admin)
			w.add("A", "D", member)
			w.meet()
			w.remove("A", "B")
			w.remove("B", "C")
			w.remove("C", "A")
		}, "D*"},
		"the last two remove each other": {"A B", func(w *table) {
			w.add("A", "B", admin)
			w.meet()
			w.remove("A", "B")
			w.remove("B", "A")
		}, ""},
		"an admin leaves, and still could act until somebody removes them": {"A B C", func(w *table) {
			w.add("A", "B", admin)
			w.meet()
			w.leave("A")
			w.force("A", wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key("C"), Role: member})
			w.meet()
			w.remove("B", "A")
		}, "B* C"},
		"who leaves while being made an admin is out": {"A B C", func(w *table) {
			w.add("A", "B", member)
			w.add("A", "C", member)
			w.meet()
			w.role("A", "B", admin)
			w.leave("B")
		}, "A* C"},
		"the heir makes another admin, and stays one": {"A B C D E", func(w *table) {
			w.add("A", "B", admin)
			w.add("A", "C", member)
			w.add("A", "D", member)
			w.meet()
			w.remove("A", "B")
			w.remove("B", "A")
			w.meet()
			w.role("C", "D", admin)
			w.add("C", "E", member)
		}, "C* D* E"},
		"a removed admin takes a key of their own along": {"A M N S", func(w *table) {
			w.add("A", "M", admin)
			w.meet()
			w.add("M", "N", admin)
			w.remove("M", "N")
			w.meet()
			w.remove("A", "M")
			w.force("M", wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key("N"), Role: admin})
			w.meet("M", "N")
			w.refused("N", wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key("S"), Role: admin})
		}, "A*"},
		"a removed admin has made a member one, who lets others in": {"A M X S", func(w *table) {
			w.add("A", "M", admin)
			w.add("A", "X", member)
			w.meet()
			w.remove("A", "M")
			w.role("M", "X", admin)
			w.meet("M", "X")
			w.add("X", "S", admin)
			w.title("X", "Ours")
			w.meet("X", "S")
			w.title("S", "Ours alone")
		}, "A* X"},
		"who is an admin no longer beside it has not added": {"A B C", func(w *table) {
			w.add("A", "B", admin)
			w.meet()
			w.role("A", "B", member)
			w.add("B", "C", member)
		}, "A* B"},
		"an admin made beside a removal of who made it": {"A B C", func(w *table) {
			w.add("A", "B", admin)
			w.add("A", "C", member)
			w.meet()
			w.role("B", "C", admin)
			w.remove("A", "B")
		}, "A* C"},
		"a removal by who is removed beside it counts": {"A B C", func(w *table) {
			w.add("A", "B", admin)
			w.add("A", "C", member)
			w.meet()
			w.remove("B", "C")
			w.remove("A", "B")
		}, "A*"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTable(t, strings.Fields(c.people)...)
			c.tell(w)
			w.meet()
			w.want(c.want)
		})
	}
}

func TestTitleAndTimer(t *testing.T) {
	w := newTable(t, "A", "B")
	if s := w.logs["A"].State(); s.Title != "Lunch" || s.Timer != nil || s.Closed {
		t.Errorf("%+v", s)
	}
	w.add("A", "B", wire.RoleAdmin)
	w.meet()
	day := &wire.Timer{Mode: wire.TimerFromRead, Seconds: 86400}
	w.title("A", "점심")
	w.title("B", "Dinner")
	w.do("B", wire.GroupOperation{Kind: wire.OperationTimer, Timer: day})
	w.meet()
	a, b := w.logs["A"].State(), w.logs["B"].State()
	if a.Title != b.Title || a.Title == "Lunch" || *a.Timer != *day {
		t.Errorf("%+v, %+v", a, b)
	}
	w.do("A", wire.GroupOperation{Kind: wire.OperationTimer})
	w.do("A", wire.GroupOperation{Kind: wire.OperationClose})
	w.meet()
	if s := w.logs["B"].State(); s.Timer != nil || !s.Closed {
		t.Errorf("%+v", s)
	}
	if err := w.logs["B"].Check(w.make("B", wire.GroupOperation{Kind: wire.OperationTitle, Text: "x"})); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed group: %v", err)
	}
}

func TestRefused(t *testing.T) {
	w := newTable(t, "A", "B", "C", "D")
	w.add("A", "B", wire.RoleMember)
	w.meet()
	other := newTable(t, "A", "B")
	other.first.Nonce[0] = 1
	other.sign("A", &other.first)
	foreign, err := New(other.first)
	if err != nil {
		t.Fatal(err)
	}
	there := wire.GroupOperation{Group: foreign.ID(), Parents: foreign.Heads(w.key("A")), Kind: wire.OperationTitle, Text: "x"}
	w.sign("A", &there)
	forged := w.make("A", wire.GroupOperation{Kind: wire.OperationTitle, Text: "x"})
	forged.Author = w.key("B")
	changed := w.make("A", wire.GroupOperation{Kind: wire.OperationTitle, Text: "x"})
	changed.Text = "y"
	for name, c := range map[string]struct {
		op   wire.GroupOperation
		want error
	}{
		"another group":       {there, ErrForeign},
		"a second beginning":  {other.first, ErrForeign},
		"another's signature": {forged, ErrForged},
		"changed":             {changed, ErrForged},
		"a member adds":       {w.make("B", wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key("C"), Role: wire.RoleMember}), ErrNotAdmin},
		"a member removes":    {w.make("B", wire.GroupOperation{Kind: wire.OperationRemove, Subject: w.key("A")}), ErrNotAdmin},
		"a member rises":      {w.make("B", wire.GroupOperation{Kind: wire.OperationRole, Subject: w.key("B"), Role: wire.RoleAdmin}), ErrNotAdmin},
		"a member goes":       {w.make("B", wire.GroupOperation{Kind: wire.OperationRemove, Subject: w.key("B")}), ErrNotAdmin},
		"what comes":          {w.make("B", wire.GroupOperation{Kind: 9}), ErrNotAdmin},
		"a stranger comes":    {w.make("D", wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key("D"), Role: wire.RoleMember}), ErrNotAdmin},
	} {
		before := w.logs["A"].Len()
		if n, err := w.logs["A"].Add(c.op); n != 0 || !errors.Is(err, c.want) || w.logs["A"].Len() != before {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	for name, c := range map[string]struct {
		op   wire.GroupOperation
		want error
	}{
		"a member again":       {wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key("B"), Role: wire.RoleMember}, ErrMember},
		"removes a stranger":   {wire.GroupOperation{Kind: wire.OperationRemove, Subject: w.key("D")}, ErrNotMember},
		"the role of nobody's": {wire.GroupOperation{Kind: wire.OperationRole, Subject: w.key("D"), Role: wire.RoleAdmin}, ErrNotMember},
	} {
		if err := w.logs["A"].Check(w.make("A", c.op)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLeave(t *testing.T) {
	w := newTable(t, "A", "B", "D")
	w.add("A", "B", wire.RoleMember)
	w.meet()
	a := w.logs["A"]
	if err := a.CheckLeave(w.key("A")); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("the last admin: %v", err)
	}
	if err := a.CheckLeave(w.key("D")); !errors.Is(err, ErrNotMember) {
		t.Errorf("a stranger: %v", err)
	}
	forged := wire.NewGroupLeave(a.ID(), w.names["A"], 0)
	forged.Member = w.key("B")
	for name, c := range map[string]struct {
		word wire.GroupLeave
		want error
	}{
		"of a stranger":    {wire.NewGroupLeave(a.ID(), w.names["D"], 0), ErrNotMember},
		"of another group": {wire.NewGroupLeave(wire.OperationID{1}, w.names["B"], 0), ErrForeign},
		"of another":       {forged, ErrForged},
	} {
		if known, err := a.Leave(c.word); known || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", name, known, err)
		}
	}
	w.leave("B")
	w.meet()
	w.want("A*")
	if known, err := a.Leave(wire.NewGroupLeave(a.ID(), w.names["B"], 0)); known || err != nil {
		t.Errorf("again: %v, %v", known, err)
	}
	if err := a.Check(w.make("A", wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key("B"), Role: wire.RoleMember})); !errors.Is(err, ErrMember) {
		t.Errorf("the same key again: %v", err)
	}
	if err := a.CheckLeave(w.key("A")); err != nil {
		t.Errorf("the last of all: %v", err)
	}
}

// TestFull has an admin use a log up: nothing but removals and the end go on then.
func TestFull(t *testing.T) {
	w := newTable(t, "A", "B")
	w.add("A", "B", wire.RoleAdmin)
	for w.logs["A"].Len() < OperationsMax-removalsKept {
		w.force("A", wire.GroupOperation{Kind: wire.OperationTitle, Text: "again"})
	}
	if _, err := w.logs["A"].Add(w.make("A", wire.GroupOperation{Kind: wire.OperationTitle, Text: "more"})); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	w.remove("A", "B")
	w.do("A", wire.GroupOperation{Kind: wire.OperationClose})
}

// TestTooMany adds one more than there may be, by an admin who asks nobody.
func TestTooMany(t *testing.T) {
	names := []string{"A"}
	for i := range MembersMax + 1 {
		names = append(names, fmt.Sprint("m", i))
	}
	w := newTable(t, "A")
	for _, n := range names[1:] {
		w.names[n] = identity.MemberSeed(identity.Hash([]byte(n)))
	}
	for _, n := range names[1:MembersMax] {
		w.add("A", n, wire.RoleMember)
	}
	last := names[MembersMax]
	op := w.make("A", wire.GroupOperation{Kind: wire.OperationAdd, Subject: w.key(last), Role: wire.RoleMember})
	if err := w.logs["A"].Check(op); !errors.Is(err, ErrTooMany) {
		t.Errorf("%v", err)
	}
	if n, err := w.logs["A"].Add(op); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s := w.logs["A"].State()
	if _, in := s.Find(w.key(last)); in || len(s.Members) != MembersMax {
		t.Errorf("%d members, the last %v", len(s.Members), in)
	}
}

// TestWaiting brings operations without what they name, of which a bounded number waits.
func TestWaiting(t *testing.T) {
	w := newTable(t, "A", "B")
	var ops []wire.GroupOperation
	for i := range 20 {
		ops = append(ops, w.do("A", wire.GroupOperation{Kind: wire.OperationTitle, Text: fmt.Sprint(i)}))
	}
	b := w.logs["B"]
	for _, op := range slices.Backward(ops[1:]) {
		if n, err := b.Add(op); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	if missing := b.Missing(); !slices.Equal(missing, []wire.OperationID{ops[0].ID()}) {
		t.Errorf("%d missing", len(missing))
	}
	if n, err := b.Add(ops[0]); n != 20 || err != nil || len(b.Missing()) != 0 {
		t.Errorf("%d, %v", n, err)
	}
	for i := range WaitingMax + 10 {
		op := wire.GroupOperation{Group: b.ID(), Parents: []wire.OperationID{{byte(i), byte(i >> 8), 1}}, Kind: wire.OperationTitle, Text: "x"}
		if err := op.Sign(identity.MemberSeed{byte(i / waitingOfOneMax), 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Add(op); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.Missing()); n != WaitingMax {
		t.Errorf("%d wait", n)
	}
	// Strangers push nothing out that a member has said.
	one, two := w.do("A", wire.GroupOperation{Kind: wire.OperationTitle, Text: "one"}), w.do("A", wire.GroupOperation{Kind: wire.OperationTitle, Text: "two"})
	w.take("B", two)
	for i := range WaitingMax {
		op := wire.GroupOperation{Group: b.ID(), Parents: []wire.OperationID{{byte(i), byte(i >> 8), 2}}, Kind: wire.OperationTitle, Text: "x"}
		if err := op.Sign(identity.MemberSeed{byte(i / waitingOfOneMax), 2}); err != nil {
			t.Fatal(err)
		}
		w.take("B", op)
	}
	if n, err := b.Add(one); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestForked(t *testing.T) {
	w := newTable(t, "A", "B", "C")
	w.add("A", "B", wire.RoleAdmin)
	w.meet()
	one := w.make("A", wire.GroupOperation{Kind: wire.OperationTitle, Text: "for B"})
	two := w.make("A", wire.GroupOperation{Kind: wire.OperationTitle, Text: "for C"})
	w.title("B", "between")
	for _, op := range []wire.GroupOperation{one, two} {
		if forked := w.logs["B"].Forked(); len(forked) > 0 {
			t.Errorf("%d too early", len(forked))
		}
		if _, err := w.logs["B"].Add(op); err != nil {
			t.Fatal(err)
		}
	}
	if forked := w.logs["B"].Forked(); !slices.Equal(forked, []identity.MemberKey{w.key("A")}) {
		t.Errorf("%d forked", len(forked))
	}
}

// TestConverges has people do anything that they may, and some things that they may not, in
// parts of a network that meet now and then; all who hold the same find the same.
func TestConverges(t *testing.T) {
	for seed := range uint64(60) {
		converges(t, rand.New(rand.NewPCG(seed, 1)), 3+int(seed%7), 60)
	}
}

func FuzzConverges(f *testing.F) {
	f.Add(uint64(1), uint8(4))
	f.Fuzz(func(t *testing.T, seed uint64, people uint8) {
		converges(t, rand.New(rand.NewPCG(seed, 2)), 2+int(people%8), 30)
	})
}

func converges(t *testing.T, rnd *rand.Rand, people, steps int) {
	var names []string
	for i := range people {
		names = append(names, string(rune('A'+i)))
	}
	w := newTable(t, names...)
	pick := func() string { return names[rnd.IntN(people)] }
	w.add("A", "B", wire.RoleAdmin)
	w.meet()
	for range steps {
		who := pick()
		op := wire.GroupOperation{Subject: w.key(pick()), Role: wire.GroupRole(1 + rnd.IntN(2))}
		switch rnd.IntN(8) {
		case 0, 1, 2:
			op.Kind = wire.OperationAdd
		case 3, 4:
			op.Kind = wire.OperationRemove
		case 5:
			op.Kind = wire.OperationRole
		case 6:
			op = wire.GroupOperation{Kind: wire.OperationTitle, Text: fmt.Sprint(rnd.IntN(100))}
		case 7:
			w.meet(pick(), pick())
			continue
		}
		op = w.make(who, op)
		refused := w.logs[who].Check(op)
		n, err := w.logs[who].Add(op)
		if refused == nil && (n != 1 || err != nil) {
			t.Fatalf("allowed, but %d, %v", n, err)
		}
	}
	// Each hears of all, in an order of their own.
	all := map[wire.OperationID]wire.GroupOperation{}
	for _, l := range w.logs {
		for id, op := range l.Operations {
			all[id] = *op
		}
	}
	var want string
	for _, n := range names {
		ids := slices.SortedFunc(maps.Keys(all), func(a, b wire.OperationID) int { return bytes.Compare(a[:], b[:]) })
		rnd.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		for _, id := range ids {
			if _, err := w.logs[n].Add(all[id]); err != nil {
				t.Fatalf("%s refuses what another took: %v", n, err)
			}
		}
		s := w.logs[n].State()
		got := fmt.Sprintf("%s, %q, forked %d, heads %x", w.members(n), s.Title, len(w.logs[n].Forked()), w.logs[n].Heads(w.key("A")))
		if want == "" {
			want = got
		}
		if got != want || w.logs[n].Len() != len(all) || len(w.logs[n].Missing()) > 0 {
			t.Fatalf("%s finds %s, A finds %s; %d of %d operations", n, got, want, w.logs[n].Len(), len(all))
		}
		if len(s.Members) > 0 && !strings.Contains(w.members(n), "*") {
			t.Fatalf("no admin among %s", w.members(n))
		}
	}
	removalsWin(t, w)
}

// removalsWin checks that nobody is in of whom any removal is known.
func removalsWin(t *testing.T, w *table) {
	l := w.logs["A"]
	s := l.State()
	for _, op := range l.Operations {
		if _, in := s.Find(op.Subject); in && op.Kind == wire.OperationRemove {
			t.Fatal("somebody is in who was removed")
		}
	}
}
