package store

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// operationsSince is the version of the schema that has what is said about messages.
const operationsSince = 7

// operation makes the next operation of ours about a message of ours in conversation i.
func (f *fixture) operation(i int, t wire.ContentType, about protocol.MessageID) protocol.PutOperation {
	c := &f.convs[i]
	c.OwnSequence++
	id := f.id()
	content := wire.Content{Type: t, ID: id, Sequence: c.OwnSequence, At: f.now.UnixMilli(),
		About: &wire.Reference{Own: true, Sequence: 1, ID: about}}
	if t == wire.ContentDeleteAnswer {
		content.About.Own, content.Answer = false, wire.DeleteConfirmed
	}
	b, err := wire.AppendContent(nil, content)
	if err != nil {
		panic(err)
	}
	return protocol.PutOperation{ID: id, Wire: id, Conversation: c.ID, Direction: protocol.Out, Sequence: c.OwnSequence,
		Type: t, Message: about, Own: content.About.Own, At: content.At, Content: b}
}

// TestStub deletes messages for everyone: nothing of what they said is left, but their
// places are.
func TestStub(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	c := &f.convs[0]
	ours, theirs, kept := f.message(0, protocol.Out, "비밀 sentinel-ours"), f.message(0, protocol.In, "비밀 sentinel-theirs"), f.message(0, protocol.In, "other words")
	copied := f.message(0, protocol.In, "비밀 sentinel-theirs")
	copied.Wire = theirs.Wire
	f.commit(s, *c, f.session[0], ours, theirs, kept, copied)
	indexAll(t, s)
	deletion := f.operation(0, wire.ContentDelete, ours.ID)
	outbox := protocol.PutOutbox{Contact: f.session[0].Contact, SID: f.session[0].SID, Index: 1, Envelope: []byte("e"),
		Contents: []protocol.OutboxContent{{Message: deletion.ID, Sequence: deletion.Sequence, About: deletion.About()}}}
	at := f.tick().UnixMilli()
	done, err := s.Commit(Batch{Now: f.now, Writes: []protocol.Write{
		deletion, outbox, *c,
		protocol.StubMessage{Conversation: c.ID, Message: ours.ID, Own: true, At: at, Code: protocol.DeletionAsked},
		protocol.StubMessage{Conversation: c.ID, Message: theirs.Wire, At: at, Code: protocol.DeletedBySender},
		protocol.StubMessage{Conversation: c.ID, Message: kept.ID, At: at, Code: protocol.DeletedBySender},         // of another author
		protocol.StubMessage{Conversation: f.id(), Message: kept.Wire, At: at, Code: protocol.DeletedBySender},     // of another conversation
		protocol.StubMessage{Conversation: c.ID, Message: f.id(), Own: true, At: at, Code: protocol.DeletionAsked}, // of none
		protocol.SetDeletion{Conversation: c.ID, Message: kept.ID, Code: protocol.DeletionConfirmed},               // of no stub of ours
	}, Events: []protocol.Event{
		{Type: protocol.MessageDeleted, Conversation: c.ID, Message: theirs.Wire},
		{Type: protocol.MessageDeleted, Conversation: c.ID, Message: f.id()}, // of none: not told
		{Type: protocol.MessageDeleted, Conversation: c.ID, Message: ours.ID},
	}})
	if err != nil || !done.Scrubbed {
		t.Fatal(done, err)
	}
	sight, err := s.Look([]byte("sentinel-ours"), []byte("sentinel-theirs"), []byte("other words"))
	if err != nil || sight.Hits[0]+sight.Hits[1] != 0 || sight.Hits[2] == 0 {
		t.Errorf("%v, %v", sight, err)
	}
	if got := found(t, s, SearchQuery{Text: "비밀"}); got != "" {
		t.Errorf("found %q", got)
	}
	page := view(t, s, func(v *View) (Page, error) { return v.Messages(c.ID, PageQuery{}) })
	var got []string
	for _, item := range page.Items {
		m := item.Message
		got = append(got, string(StatusOf(c, m))+" "+m.Code+textOf(m.Content, m.Edit))
		if (m.DeletedAt == at) != (m.State == protocol.MessageErased) {
			t.Errorf("deleted at %d", m.DeletedAt)
		}
	}
	if want := "deleted asked, deleted sender, delivered other words, deleted sender"; strings.Join(got, ", ") != want {
		t.Errorf("page %q, want %q", got, want)
	}
	state, err := s.Load()
	if err != nil || len(state.Outbox) != 1 || !reflect.DeepEqual(state.Outbox[0], outbox) {
		t.Errorf("outbox %+v, %v", state.Outbox, err)
	}
	if w := state.Waiting; len(w) != 1 || w[0].ID != deletion.ID || w[0].About != deletion.About() || w[0].SizeBytes != len(deletion.Content) {
		t.Errorf("waiting %+v", w)
	}
	events := view(t, s, func(v *View) (EventPage, error) { return v.Events(EventQuery{}) })
	if len(events.Events) != 2 || events.Events[0].Event.Ref != copied.ID && events.Events[0].Event.Ref != theirs.ID || events.Events[1].Event.Ref != ours.ID {
		t.Errorf("events %+v", events.Events)
	}
	f.commit(s, protocol.SetDeletion{Conversation: c.ID, Message: ours.ID, Code: protocol.DeletionConfirmed})
	if m := view(t, s, func(v *View) (Message, error) { return v.Message(ours.ID) }); m.Code != protocol.DeletionConfirmed {
		t.Errorf("answered: %s", m.Code)
	}
}

// TestOperationsInOrder reads what a peer has lost: messages and operations by sequence.
func TestOperationsInOrder(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	c := &f.convs[0]
	first := f.message(0, protocol.Out, "one")
	deletion := f.operation(0, wire.ContentDelete, first.ID)
	last := f.message(0, protocol.Out, "three")
	answer := f.operation(0, wire.ContentDeleteAnswer, f.id())
	c.SealedUpTo = 9
	f.commit(s, first, deletion, last, answer, *c,
		protocol.RenumberMessage{ID: answer.ID, Sequence: 9, Content: answer.Content})
	list := view(t, s, func(v *View) ([]protocol.Waiting, error) { return v.Sequences(c.ID, 2, 9) })
	if len(list) != 3 || list[0].ID != deletion.ID || list[0].About != [16]byte(deletion.ID) || list[1].ID != last.ID || list[1].About != [16]byte{} || list[2].Sequence != 9 {
		t.Errorf("%+v", list)
	}
	contents := view(t, s, func(v *View) (map[protocol.MessageID][]byte, error) {
		return v.Contents([]protocol.MessageID{first.ID, answer.ID, f.id()})
	})
	if len(contents) != 2 || string(contents[answer.ID]) != string(answer.Content) {
		t.Errorf("%d contents", len(contents))
	}
	f.commit(s, protocol.EraseMessage{ID: first.ID}) // the deletion outlives it
	if list := view(t, s, func(v *View) ([]protocol.Waiting, error) { return v.Sequences(c.ID, 1, 9) }); len(list) != 3 {
		t.Errorf("%+v", list)
	}
	f.commit(s, protocol.EraseConversation{ID: c.ID})
	if list := view(t, s, func(v *View) ([]protocol.Waiting, error) { return v.Sequences(c.ID, 1, 9) }); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestOutlives holds the core's and the store's word against each other.
func TestOutlives(t *testing.T) {
	for typ := range wire.ContentType(32) {
		o := protocol.PutOperation{ID: protocol.MessageID{1}, Type: typ}
		if listed := typ == 6 || typ == 7; (o.About() == [16]byte(o.ID)) != listed {
			t.Errorf("type %d outlives its message: %v", typ, !listed)
		}
	}
}

// edit makes an edit of a message of conversation i.
func (f *fixture) edit(i int, m protocol.PutMessage, revision uint32, text string) protocol.PutOperation {
	o := protocol.PutOperation{
		ID: f.id(), Conversation: f.convs[i].ID, Direction: m.Direction, Sequence: m.Sequence + uint64(revision), Type: wire.ContentEdit,
		Message: m.Wire, Own: m.Direction == protocol.Out, At: f.now.UnixMilli() + int64(revision), Revision: revision,
	}
	if o.Own {
		o.Message, o.Wire = m.ID, o.ID
	} else {
		o.Wire = f.id()
	}
	b, err := wire.AppendContent(nil, wire.Content{
		Type: o.Type, ID: o.Wire, Sequence: o.Sequence, At: o.At, Text: text, Revision: revision,
		About: &wire.Reference{Own: true, Sequence: m.Sequence, ID: o.Message},
	})
	if err != nil {
		panic(err)
	}
	o.Content = b
	return o
}

// TestEditsInAnyOrder takes edits of a message, and the message, in every order: the
// newest counts, in the history and in the search.
func TestEditsInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}, {3, 0, 1, 2}, {1, 2, 3, 0}} {
		s := create(t)
		f := newFixture(t, 1)
		m := f.message(0, protocol.In, "first sentinel")
		f.commit(s, f.convs[0], f.session[0])
		indexAll(t, s)
		first, second, rival := f.edit(0, m, 1, "second words"), f.edit(0, m, 2, "third words"), f.edit(0, m, 2, "fourth words")
		if string(rival.Wire[:]) < string(second.Wire[:]) {
			second, rival = rival, second
		}
		want := textOf(m.Content, rival.Content)
		all := []protocol.Write{m, first, second, rival}
		here := false
		for _, i := range order {
			if o, ok := all[i].(protocol.PutOperation); ok && !here {
				o.Waits = m.Sequence
				all[i] = o
			}
			here = here || i == 0
			f.commit(s, all[i])
			indexAll(t, s)
		}
		if got := found(t, s, SearchQuery{Text: "words"}); got != want {
			t.Errorf("%v: found %q, want %q", order, got, want)
		}
		if got := found(t, s, SearchQuery{Text: "sentinel"}); got != "" {
			t.Errorf("%v: found %q", order, got)
		}
		if edits := view(t, s, func(v *View) ([][]byte, error) { return v.Edits(m.ID) }); len(edits) != 3 || string(edits[2]) != string(rival.Content) {
			t.Errorf("%v: %d edits", order, len(edits))
		}
		clean(t, s)
		f.commit(s, protocol.EraseMessage{ID: m.ID})
		gone(t, s, "first sentinel", "fourth words", "third words", "second words")
		f.commit(s, rival) // it comes again, and finds nothing
		gone(t, s, "fourth words")
	}
}

// TestWaitingEnds has edits wait for a message: that of it stays when it comes and of another
// message nothing, and no more than so many wait at all.
func TestWaitingEnds(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	c := f.convs[0]
	f.commit(s, c, protocol.PutGap{Conversation: c.ID, Position: 1, Count: 1})
	m := f.message(0, protocol.In, "it comes")
	waiting := func(where string) int64 {
		t.Helper()
		n, err := s.write.c.number(`SELECT count(*) FROM operations WHERE ` + where)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range protocol.WaitsMax + 8 {
		ghost := m
		ghost.Wire = f.id()
		o := f.edit(0, ghost, 1, "about what never comes")
		o.Waits = m.Sequence
		f.commit(s, o)
	}
	if n := waiting(`waits > 0`); n != protocol.WaitsMax {
		t.Errorf("%d wait, want %d", n, protocol.WaitsMax)
	}
	o := f.edit(0, m, 1, "the newest text")
	o.Waits = m.Sequence
	f.commit(s, o)
	f.commit(s, m, protocol.EraseGap{Conversation: c.ID, Position: 1})
	if n, all := waiting(`waits = 0`), waiting(`1`); n != 1 || all != 1 {
		t.Errorf("%d of %d edits are of the message that came, want 1 of 1", n, all)
	}
	gone(t, s, "about what never comes")

	other := f.message(0, protocol.In, "another")
	o = f.edit(0, other, 1, "an edit of what an operation took the place of")
	o.Waits = other.Sequence
	f.commit(s, o)
	r := f.edit(0, m, 2, "with that sequence")
	r.Sequence = other.Sequence
	f.commit(s, r)
	if n := waiting(`waits > 0`); n != 0 {
		t.Errorf("%d wait for what came as something else", n)
	}
}

// TestTwinsWithAnEdit erases the copies of a message that its author has sent twice, and
// edited: the edit is about both until the last of them goes.
func TestTwinsWithAnEdit(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	f.commit(s, f.convs[0], f.session[0])
	m := f.message(0, protocol.In, "a long first sentinel of many different words that all stay in the index")
	again := f.message(0, protocol.In, "the same")
	again.Wire, again.Content = m.Wire, m.Content
	f.commit(s, m, again)
	indexAll(t, s)
	f.commit(s, f.edit(0, m, 1, "x"))
	clean(t, s)
	f.commit(s, protocol.EraseMessage{ID: m.ID})
	clean(t, s)
	if got, want := found(t, s, SearchQuery{Text: "x"}), "x"; got != want {
		t.Errorf("the copy that is left is found as %q, want %q", got, want)
	}
	f.commit(s, protocol.EraseMessage{ID: again.ID})
	gone(t, s, "first sentinel")
	if n, err := s.write.c.number(`SELECT count(*) FROM operations`); n != 0 || err != nil {
		t.Errorf("%d operations are left, %v", n, err)
	}
}

// TestForeignTerms takes a message out of an index that knows it by other words: the index
// is filled anew, and the store goes on.
func TestForeignTerms(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m, other := f.message(0, protocol.In, "x"), f.message(0, protocol.In, "what others say")
	f.commit(s, f.convs[0], f.session[0], m, other)
	indexAll(t, s)
	var words strings.Builder
	for i := range 100 {
		fmt.Fprintf(&words, "word%d ", i)
	}
	b, err := wire.AppendContent(nil, wire.Content{Type: wire.ContentText, ID: m.Wire, Sequence: m.Sequence, At: 1, Text: words.String()})
	if err != nil {
		t.Fatal(err)
	}
	s.write.Lock()
	err = s.write.c.query(`UPDATE messages SET content = ? WHERE id = ?`).bindBlob(b).bindBlob(m.ID[:]).run()
	s.write.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	f.commit(s, protocol.EraseMessage{ID: m.ID})
	indexAll(t, s)
	if got := found(t, s, SearchQuery{Text: "others"}); got == "" {
		t.Error("nothing is found any more")
	}
	clean(t, s)
}

// clean checks that no operation is an orphan and no search term is stale.
func clean(t *testing.T, s *Store) {
	t.Helper()
	e, err := s.Examine()
	if err != nil || slices.ContainsFunc(e.Orphans, func(o Orphans) bool { return o.Table == "operations" || o.Table == "search_edited" }) || e.StaleTerms != 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

// gone checks that words are in no page.
func gone(t *testing.T, s *Store, words ...string) {
	t.Helper()
	clean(t, s)
	for _, word := range words {
		if sight, err := s.Look([]byte(word)); err != nil || sight.Hits[0] != 0 {
			t.Errorf("%q is there %v times, %v", word, sight.Hits, err)
		}
	}
}

// TestEditsThatWait erases edits whose message is void, or is deleted before it comes.
func TestEditsThatWait(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	c := f.convs[0].ID
	void, deleted, here := f.message(0, protocol.In, "void"), f.message(0, protocol.In, "deleted"), f.message(0, protocol.In, "here")
	edits := []protocol.PutOperation{f.edit(0, void, 1, "sentinel-void"), f.edit(0, deleted, 1, "sentinel-deleted"), f.edit(0, here, 1, "sentinel-here")}
	for i, m := range []protocol.PutMessage{void, deleted, here} {
		edits[i].Waits = m.Sequence
	}
	gap := protocol.PutGap{Conversation: c, Position: 1, Count: 2}
	f.commit(s, f.convs[0], f.session[0], gap, edits[0], edits[1], edits[2], here)
	indexAll(t, s)
	clean(t, s)
	f.commit(s, protocol.EraseWaiting{Conversation: c, First: void.Sequence, Last: void.Sequence},
		protocol.EraseWaiting{Conversation: c, First: here.Sequence, Last: here.Sequence}, // it came under another number
		protocol.StubMessage{Conversation: c, Message: deleted.Wire, Code: protocol.DeletedBySender})
	gone(t, s, "sentinel-void", "sentinel-deleted")
	if m := view(t, s, func(v *View) (Message, error) { return v.Message(here.ID) }); textOf(m.Content, m.Edit) != "sentinel-here" {
		t.Errorf("%+v", m)
	}
	f.commit(s, protocol.StubMessage{Conversation: c, Message: here.Wire, Code: protocol.DeletedBySender})
	gone(t, s, "sentinel-here")
}

// TestEditsOfOthers keeps nothing that is about a message of another conversation or of
// the other side.
func TestEditsOfOthers(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	ours, theirs := f.message(0, protocol.Out, "ours"), f.message(0, protocol.In, "theirs")
	f.commit(s, f.convs[0], f.convs[1], f.session[0], ours, theirs)
	wrong := f.edit(0, theirs, 1, "sentinel-a")
	wrong.Conversation = f.convs[1].ID
	author := f.edit(0, theirs, 1, "sentinel-b")
	author.Message = ours.ID
	f.commit(s, wrong, author)
	gone(t, s, "sentinel-a", "sentinel-b")
}

// TestWaitsForWhatIsHere has a contact say that an edit of a message that is here waits for a
// sequence that is missing: it counts, nothing takes it away from under the index, and what the
// index knows goes with the message.
func TestWaitsForWhatIsHere(t *testing.T) {
	for _, again := range []bool{false, true} { // another edit, which the index has not followed yet
		s := create(t)
		f := newFixture(t, 1)
		c := f.convs[0]
		f.commit(s, c, f.session[0])
		m := f.message(0, protocol.In, "first")
		f.commit(s, m)
		indexAll(t, s)
		late := f.message(0, protocol.In, "later one")
		o := f.edit(0, m, 1, "zebrawaits text")
		o.Waits = late.Sequence
		f.commit(s, o)
		indexAll(t, s)
		want := "zebrawaits text"
		if again {
			want = "okapi text"
			f.commit(s, f.edit(0, m, 2, want))
		}
		f.commit(s, late)
		if got := found(t, s, SearchQuery{Text: "text"}); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
		clean(t, s)
		indexAll(t, s)
		f.commit(s, protocol.EraseMessage{ID: m.ID})
		gone(t, s, "zebrawaits", "okapi")
	}
}

// TestWaitsForWhatIsDeleted drops an edit of a message that is deleted, whatever its author says
// that it waits for.
func TestWaitsForWhatIsDeleted(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.In, "first")
	f.commit(s, f.convs[0], f.session[0], protocol.PutGap{Conversation: f.convs[0].ID, Position: 9, Count: 1}, m)
	f.commit(s, protocol.StubMessage{Conversation: f.convs[0].ID, Message: m.Wire, At: 1, Code: protocol.DeletedBySender})
	o := f.edit(0, m, 1, "zebrawaits text")
	o.Waits = m.Sequence + 5
	f.commit(s, o)
	gone(t, s, "zebrawaits")
}

// TestEditsKept has a contact send more edits of a message than are kept: the lowest go, whatever
// comes first, the highest counts, and what the index knows goes with the message.
func TestEditsKept(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.In, "first")
	f.commit(s, f.convs[0], f.session[0], m)
	indexAll(t, s)
	f.commit(s, f.edit(0, m, 1, "okapi indexed"))
	indexAll(t, s)
	f.commit(s, f.edit(0, m, 2, "zebraquagga text")) // the lowest but for what is indexed
	var writes []protocol.Write
	for range protocol.EditsKeptMax - 2 {
		writes = append(writes, f.edit(0, m, 3, "third text"))
	}
	f.commit(s, writes...)
	f.commit(s, f.edit(0, m, 4, "newest text"), f.edit(0, m, 1, "lemur text"))
	gone(t, s, "zebraquagga", "lemur")
	kept := view(t, s, func(v *View) ([][]byte, error) { return v.Edits(m.ID) })
	if len(kept) != protocol.EditsKeptMax {
		t.Errorf("%d edits are kept, want %d", len(kept), protocol.EditsKeptMax)
	}
	for range 2 {
		if got := found(t, s, SearchQuery{Text: "newest"}); got != "newest text" {
			t.Errorf("found %q, want what counts", got)
		}
		indexAll(t, s)
	}
	f.commit(s, protocol.EraseMessage{ID: m.ID})
	gone(t, s, "okapi", "third", "newest")
}
