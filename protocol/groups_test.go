package protocol

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// content returns what a message of a group says here, and whether it is here.
func (w *town) content(s *side, id MessageID) ([]byte, bool) {
	for _, m := range s.history {
		if m.ID == id && !s.erased[id] {
			return m.Content, true
		}
	}
	return nil, false
}

// sharedContent returns what is handed on by a name, if it is here.
func (w *town) sharedContent(s *side, name [16]byte) []byte {
	for _, row := range w.rows[s].shared {
		if row.Name != name {
			continue
		}
		content, here := w.content(s, row.Message)
		if row.Kind == SharedMessage && !here {
			return nil
		}
		return SharedContent(row, content)
	}
	return nil
}

func (w *town) findShared(s *side, j FetchShared) {
	in := SharedFetched{Job: j.Job, Conversation: j.Conversation}
	for _, row := range w.rows[s].shared {
		if row.Kind == SharedMessage && row.Conversation == j.Conversation && row.Member == j.Member && row.Sequence >= j.First && row.Sequence <= j.Last {
			content, here := w.content(s, row.Message)
			in.Items = append(in.Items, SharedItem{Bytes: row.Bytes, Gone: !here, SizeBytes: len(row.Bytes) + len(content) + 32})
		}
	}
	s.step(w.now, in)
}

// group returns a side's only membership, or nil.
func (s *side) group() *membership {
	for _, m := range s.p.membershipsInOrder() {
		return m
	}
	return nil
}

// begins has a side make a group with some others.
func (w *town) begins(s *side, with ...*side) {
	w.t.Helper()
	in := CreateGroup{Title: "점심"}
	for _, o := range with {
		in.Members = append(in.Members, s.of(o).row.ID)
	}
	s.step(w.now, in)
	w.run()
}

// says has a side write in its group.
func (w *town) says(s *side, text string) {
	w.t.Helper()
	s.step(w.now, SendText{Conversation: s.group().v.row.ID, Text: text})
	w.run()
}

// texts are what a side has of its group, each as often as it has it.
func (s *side) texts() (list []string) {
	for _, m := range s.history {
		if g := s.group(); g != nil && m.Conversation == g.v.row.ID && !s.erased[m.ID] {
			content, _, err := wire.DecodeContent(m.Content)
			if err != nil {
				s.t.Fatal(err)
			}
			list = append(list, content.Text)
		}
	}
	return list
}

// allHave checks that some sides have some texts of their group, each once, and nothing else.
func (w *town) allHave(sides []*side, texts ...string) {
	w.t.Helper()
	slices.Sort(texts)
	for _, s := range sides {
		if got := slices.Sorted(slices.Values(s.texts())); !slices.Equal(got, texts) {
			w.t.Errorf("%s has %q, not %q", s.name, got, texts)
		}
	}
}

// membersOf are who is in a side's group, by what it calls them; "" if that is not known.
func (s *side) membersOf() (names []string) {
	log := s.group().x.Log()
	for _, m := range log.State().Members {
		p, _ := log.Profile(m.Key)
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// TestGroupOfFriends has four who are not all contacts talk in a group.
func TestGroupOfFriends(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Haru", "Nari")
	mina, jiwoo, haru, nari := all[0], all[1], all[2], all[3]
	w.meet(mina, jiwoo)
	w.meet(mina, haru)
	w.meet(jiwoo, nari)
	w.begins(mina, jiwoo, haru)
	for _, s := range []*side{jiwoo, haru} {
		if m := s.group(); m == nil || !m.in() || m.x.Log().State().Title != "점심" {
			t.Fatalf("%s is in no group", s.name)
		}
	}
	w.says(mina, "first")
	w.allHave(all[:3], "first")
	w.says(jiwoo, "second") // haru is no contact of jiwoo's
	w.allHave(all[:3], "first", "second")
	if err := jiwoo.refusal(w.now, AddMember{Conversation: jiwoo.group().v.row.ID, Contact: jiwoo.of(nari).row.ID}); err != CodeNotAdmin {
		t.Errorf("a member adds somebody: %q", err)
	}
	g := mina.group()
	mina.step(w.now, SetRole{Conversation: g.v.row.ID, Member: g.members[jiwoo.group().seed.Public()].ID, Admin: true})
	w.run()
	jiwoo.step(w.now, AddMember{Conversation: jiwoo.group().v.row.ID, Contact: jiwoo.of(nari).row.ID})
	w.run()
	w.says(nari, "third")
	w.pass(time.Minute)
	w.allHave(all[:3], "first", "second", "third")
	w.allHave([]*side{nari}, "third") // nothing of before
	for _, s := range all {
		s.step(w.now, JoinGroup{Conversation: s.group().v.row.ID})
	}
	w.pass(time.Hour)
	for _, s := range all {
		if names := s.membersOf(); !slices.Equal(names, []string{"Haru", "Jiwoo", "Mina", "Nari"}) {
			t.Errorf("%s knows %q", s.name, names)
		}
	}
}

// refusal steps an input that is refused, and returns the code.
func (s *side) refusal(now time.Time, in Input) string {
	s.t.Helper()
	_, err := s.p.Step(now, in)
	problem, ok := err.(*Problem)
	if !ok {
		s.t.Fatalf("%T: %v", in, err)
	}
	return problem.Code
}

// TestAddedWhileOff has somebody be added who is off, by somebody who is off when they come: a courier has brought it.
func TestAddedWhileOff(t *testing.T) {
	w, a, b, couriers := allFriends(t)
	w.pass(10 * time.Minute)
	w.switchOff(b)
	w.begins(a, b, couriers[0])
	w.says(a, "first")
	w.pass(time.Hour)
	w.switchOff(a)
	w.switchOn(b)
	w.pass(time.Hour)
	w.allHave([]*side{a, b, couriers[0]}, "first")
	if names := b.group().x.Log().State().Members; len(names) != 3 {
		t.Errorf("%d members", len(names))
	}
	w.says(b, "second") // that the courier is in the group, too, only a could tell it
	w.pass(time.Hour)
	w.switchOn(a)
	w.pass(time.Hour)
	w.allHave([]*side{a, b, couriers[0]}, "first", "second")
}

// TestRemovedGetsNothing removes a member, who gets nothing that is written by who knows it; with a new key they come back.
func TestRemovedGetsNothing(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Haru")
	mina, jiwoo, haru := all[0], all[1], all[2]
	w.meet(mina, jiwoo)
	w.meet(mina, haru)
	w.meet(jiwoo, haru)
	w.begins(mina, jiwoo, haru)
	for _, s := range all {
		s.step(w.now, JoinGroup{Conversation: s.group().v.row.ID})
	}
	w.pass(time.Minute)
	w.says(haru, "before")
	g := mina.group()
	mina.step(w.now, RemoveMember{Conversation: g.v.row.ID, Member: g.members[haru.group().seed.Public()].ID})
	w.run()
	w.says(mina, "without")
	w.says(jiwoo, "without, too")
	w.pass(time.Hour)
	w.allHave([]*side{haru}, "before")
	if code := haru.refusal(w.now, SendText{Conversation: haru.group().v.row.ID, Text: "?"}); code != CodeNotInGroup {
		t.Errorf("the removed writes: %q", code)
	}
	w.allHave([]*side{mina, jiwoo}, "before", "without", "without, too")
	mina.step(w.now, AddMember{Conversation: g.v.row.ID, Contact: mina.of(haru).row.ID})
	w.run()
	w.says(mina, "again")
	w.says(haru, "back")
	w.pass(time.Hour)
	w.allHave([]*side{haru}, "before", "again", "back")
	w.allHave([]*side{mina, jiwoo}, "before", "without", "without, too", "again", "back")
}

// TestGroupThroughRestarts has all restart again and again: what waited in memory only is found missing.
func TestGroupThroughRestarts(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Haru")
	w.meet(all[0], all[1])
	w.meet(all[0], all[2])
	w.begins(all[0], all[1], all[2])
	var want []string
	for i, s := range []*side{all[1], all[0], all[2], all[1], all[0]} {
		w.switchOff(all[(i+1)%3])
		text := string(rune('a' + i))
		want = append(want, text)
		s.step(w.now, JoinGroup{Conversation: s.group().v.row.ID})
		if !w.off[s] {
			w.says(s, text)
		} else {
			s.step(w.now, SendText{Conversation: s.group().v.row.ID, Text: text})
			w.run()
		}
		for _, o := range all {
			w.restart(o)
		}
		w.pass(2 * time.Hour)
	}
	w.allHave(all, want...)
}

// TestTwiceInOneGroup has two admins add one person while that is off: they stay in once.
func TestTwiceInOneGroup(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Haru")
	mina, jiwoo, haru := all[0], all[1], all[2]
	w.meet(mina, jiwoo)
	w.meet(mina, haru)
	w.meet(jiwoo, haru)
	w.begins(mina, jiwoo)
	g := mina.group()
	mina.step(w.now, SetRole{Conversation: g.v.row.ID, Member: g.members[jiwoo.group().seed.Public()].ID, Admin: true})
	w.run()
	w.switchOff(haru)
	w.switchOff(jiwoo)
	for _, s := range []*side{mina, jiwoo} {
		s.step(w.now, AddMember{Conversation: s.group().v.row.ID, Contact: s.of(haru).row.ID})
		w.run()
	}
	w.switchOn(jiwoo)
	w.switchOn(haru)
	w.pass(time.Hour)
	for _, s := range all {
		if n := len(s.group().x.Log().State().Members); n != 3 {
			t.Errorf("%s knows %d members", s.name, n)
		}
	}
	w.says(haru, "once")
	w.says(mina, "hello")
	w.pass(time.Hour)
	w.allHave(all, "once", "hello")
}

// TestContactsFindEachOther has two contacts whom somebody else has added write while that is off: by what they say of
// themselves they know each other.
func TestContactsFindEachOther(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Haru")
	mina, jiwoo, haru := all[0], all[1], all[2]
	w.meet(mina, jiwoo)
	w.meet(mina, haru)
	w.meet(jiwoo, haru)
	w.begins(mina, jiwoo, haru)
	for _, s := range all {
		if s.group().state.Seen != (s == mina) || len(s.membersOf()) != 3 {
			t.Fatalf("%s says who it is before it has joined, or knows no members", s.name)
		}
		s.step(w.now, JoinGroup{Conversation: s.group().v.row.ID})
	}
	w.pass(time.Minute)
	w.switchOff(mina)
	w.says(jiwoo, "hello")
	w.pass(time.Minute)
	w.allHave([]*side{jiwoo, haru}, "hello")
	w.restart(haru)
	w.says(haru, "who is there?")
	w.pass(time.Minute)
	w.allHave([]*side{jiwoo, haru}, "hello", "who is there?")
}

// TestGroupsAtRandom has five people who are not all contacts make a group, and write, go, come, restart, lose the last hours of
// their disks, add, remove, leave and come back, in random order. Then all who are in have the same members, and
// whatever was written since they came by those who knew them; nobody has what was not for them.
func TestGroupsAtRandom(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { groupAtRandom(t, uint64(seed)) })
	}
}

// lacksNothing checks that a side has all messages of its group that are for it and that another member has.
func (w *town) lacksNothing(s, o *side) {
	w.t.Helper()
	for _, row := range w.rows[o].shared {
		if _, here := w.content(o, row.Message); row.Kind != SharedMessage || !here || row.Conversation != o.group().v.row.ID {
			continue
		}
		message, err := wire.ParseGroupMessage(row.Bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		has := slices.ContainsFunc(w.rows[s].shared, func(r PutShared) bool { return r.Name == row.Name })
		if log := s.group().x.Log(); !has && log.For(&message.GroupHead, s.group().seed.Public()) && log.Speaks(&message.GroupHead) == nil {
			w.t.Errorf("%s has not message %d of a member, which %s has", s.name, message.Sequence, o.name)
		}
	}
}

func groupAtRandom(t *testing.T, seed uint64) {
	w, all := newTown(t, "Mina", "Jiwoo", "Haru", "Nari", "Dora")
	rnd := rand.New(rand.NewPCG(seed, 22))
	for i, s := range all {
		for _, o := range all[:i] {
			if o == all[0] || rnd.IntN(3) > 0 {
				w.meet(o, s)
			}
		}
	}
	w.begins(all[0], all[1], all[2])
	old := make(map[*side]*rows)
	history := make(map[*side][]PutMessage)
	for n := range 60 {
		s := all[rnd.IntN(len(all))]
		g, o := s.group(), all[rnd.IntN(len(all))]
		did := rnd.IntN(12)
		switch {
		case did == 0 && !w.off[s]:
			w.switchOff(s)
		case did <= 1 && w.off[s]:
			w.switchOn(s)
		case did == 2:
			w.restart(s)
		case did == 3 && rnd.IntN(2) == 0:
			old[s], history[s] = w.rows[s].clone(), slices.Clone(s.history)
		case did == 3 && old[s] != nil:
			w.switchOff(s)
			w.putBack(s, old[s].clone(), history[s])
			w.home(s)
			delete(w.off, s)
		case g == nil:
		case did <= 7:
			_, _ = s.attempt(w.now, SendText{Conversation: g.v.row.ID, Text: fmt.Sprint(s.name, " ", n)})
		case did == 8:
			_, _ = s.attempt(w.now, JoinGroup{Conversation: g.v.row.ID})
		case did == 9 && o != s && s.of(o) != nil:
			_, _ = s.attempt(w.now, AddMember{Conversation: g.v.row.ID, Contact: s.of(o).row.ID})
		case did == 10 && o.group() != nil && o != all[0]:
			if row := g.members[o.group().seed.Public()]; row != nil && rnd.IntN(2) == 0 {
				_, _ = s.attempt(w.now, RemoveMember{Conversation: g.v.row.ID, Member: row.ID})
			} else if row != nil {
				_, _ = s.attempt(w.now, SetRole{Conversation: g.v.row.ID, Member: row.ID, Admin: rnd.IntN(3) > 0})
			}
		case did == 11 && s != all[0] && rnd.IntN(3) == 0:
			_, _ = s.attempt(w.now, LeaveGroup{Conversation: g.v.row.ID})
		}
		w.run()
		w.pass(time.Duration(rnd.IntN(200)) * time.Second)
	}
	for _, s := range all {
		if w.off[s] {
			w.switchOn(s)
		}
	}
	w.pass(30 * time.Hour)
	var first *side
	for _, s := range all {
		g := s.group()
		if g == nil || !g.in() {
			continue
		}
		if first == nil {
			first = s
		}
		if g.x.Log().HeldHash() != first.group().x.Log().HeldHash() {
			t.Errorf("%s and %s hold different operations", s.name, first.name)
		}
		for _, o := range all {
			if other := o.group(); other != nil && other.in() {
				w.lacksNothing(s, o)
			}
		}
		if texts := slices.Sorted(slices.Values(s.texts())); len(slices.Compact(slices.Clone(texts))) != len(texts) {
			t.Errorf("%s has something twice: %q", s.name, texts)
		}
	}
	w.says(all[0], "the end")
	w.pass(time.Hour)
	for _, s := range all {
		if g := s.group(); slices.Contains(s.texts(), "the end") != (g != nil && g.in() && first.group().x.Log().In(g.seed.Public())) {
			t.Errorf("%s: it is wrong whether they have the last text", s.name)
		}
	}
}

// TestAdmissionInAnothersName has a contact who was removed say that they are somebody who is in: nobody believes it, nor that
// a key is theirs which somebody else has given them.
func TestAdmissionInAnothersName(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Haru")
	mina, jiwoo, haru := all[0], all[1], all[2]
	w.meet(mina, jiwoo)
	w.meet(mina, haru)
	w.meet(jiwoo, haru)
	w.begins(mina, jiwoo, haru)
	g := mina.group()
	mina.step(w.now, RemoveMember{Conversation: g.v.row.ID, Member: g.members[haru.group().seed.Public()].ID})
	w.run()
	account := jiwoo.p.self.state.Account
	key := account.Member(haru.p.self.account, [16]byte{1}).Public()
	var first *wire.GroupOperation
	for _, op := range g.x.Log().Operations {
		first = op
		break
	}
	admission := wire.NewGroupAdmission(*first, haru.group().seed, [16]byte{1}, key)
	admission.By = g.seed.Public()
	given := wire.NewStockedKey(account, haru.p.self.account, [16]byte{2}) // haru hands it on to mina
	haru.p.out = new(Output)
	haru.p.pushInline(haru.of(jiwoo), wire.Content{Type: wire.ContentGroup, Word: &wire.GroupWord{Admission: &admission}})
	haru.p.pushInline(haru.of(mina), wire.Content{Type: wire.ContentGroup, Word: &wire.GroupWord{Stock: wire.GroupStock{given}}})
	haru.step(w.now, Woke{})
	w.run()
	w.says(mina, "without")
	w.says(jiwoo, "without, too")
	w.pass(time.Hour)
	w.allHave([]*side{haru})
	w.allHave([]*side{mina, jiwoo}, "without", "without, too")
	if n := jiwoo.group().near(jiwoo.of(haru).row.ID); n != nil && n.Key == admission.By || mina.of(haru).stocked(given.Key) {
		t.Errorf("somebody is taken for another: %+v", n)
	}
	if !slices.Contains(jiwoo.alerts(), "forged_in_group") {
		t.Errorf("nobody is told: %v", jiwoo.alerts())
	}
}
