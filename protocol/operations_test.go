package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// take has a side take contents of its contact, as if an envelope had brought them.
func (s *side) take(contents ...wire.Content) Output {
	s.t.Helper()
	var out Output
	s.p.out = &out
	defer func() { s.p.out = nil }()
	for i := range contents {
		c := s.only()
		if err := s.p.contentReceived(testNow, c, c.first(), &contents[i]); err != nil {
			s.t.Fatal(err)
		}
	}
	return out
}

func textOf(sequence uint64, id byte) wire.Content {
	return wire.Content{Type: wire.ContentText, ID: [16]byte{8: id}, Sequence: sequence, At: testNow.UnixMilli(), Text: "x"}
}

func deletionOf(sequence uint64, id byte, about uint64, aboutID byte) wire.Content {
	return wire.Content{
		Type: wire.ContentDelete, ID: [16]byte{8: id}, Sequence: sequence, At: testNow.UnixMilli(),
		About: &wire.Reference{Own: true, Sequence: about, ID: [16]byte{8: aboutID}},
	}
}

// answers returns what was said to deletions.
func answers(t *testing.T, out Output) (list []wire.DeleteAnswer) {
	t.Helper()
	for _, w := range out.Writes {
		if o, ok := w.(PutOperation); ok {
			content, _, err := wire.DecodeContent(o.Content)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, content.Answer)
		}
	}
	return list
}

// TestDeletionBeforeItsMessage takes a deletion whose message is late: it never comes.
func TestDeletionBeforeItsMessage(t *testing.T) {
	_, b := meet(t)
	out := b.take(textOf(1, 1), deletionOf(3, 3, 2, 2)) // 2 is on its way
	if got := answers(t, out); !slices.Equal(got, []wire.DeleteAnswer{wire.DeleteConfirmed}) {
		t.Errorf("answers %v", got)
	}
	if h := &b.only().conv.have; len(h.Gaps) != 0 || h.Next != 4 {
		t.Errorf("have vector %+v", h)
	}
	for _, w := range b.take(textOf(2, 2), deletionOf(3, 3, 2, 2)).Writes {
		switch w.(type) {
		case PutMessage, StubMessage, PutOperation:
			t.Errorf("a late copy: %T", w)
		}
	}
}

// TestDeletionOfWhatWasVoid takes the deletion of a message that its author withdrew first, as
// it does with one that has not arrived: a late copy does not come either.
func TestDeletionOfWhatWasVoid(t *testing.T) {
	_, b := meet(t)
	b.take(textOf(1, 1), wire.Content{Type: wire.ContentVoidMessages, First: 2, Last: 2}, deletionOf(3, 3, 2, 2))
	for _, w := range b.take(textOf(2, 2)).Writes {
		if _, ok := w.(PutMessage); ok {
			t.Error("it comes back")
		}
	}
}

// TestFloodOfDeletions: who asks without end and takes no answers gets no more of them.
func TestFloodOfDeletions(t *testing.T) {
	_, b := meet(t)
	b.take(textOf(1, 1))
	for i := range uint64(answersMax + 500) {
		content := deletionOf(2+i, 0, 1, 1)
		binary.BigEndian.PutUint64(content.ID[8:], 1000+i)
		b.take(content)
	}
	if n := b.only().queue.WaitingLen(); n > answersMax {
		t.Errorf("%d contents wait", n)
	}
}

// TestRevisionsEnd has a contact drive the revision of the timer to its end: our own timer
// counts all the same.
func TestRevisionsEnd(t *testing.T) {
	_, b := meet(t)
	set := func(revision uint32) {
		b.take(wire.Content{
			Type: wire.ContentTimer, ID: [16]byte{8: 1}, At: testNow.UnixMilli(), Revision: revision,
			Timer: &wire.Timer{Mode: wire.TimerFromSent, Seconds: 10},
		})
	}
	v := b.only().conv
	for v.timer == nil || v.timer.Revision < revisionMax {
		set(min(v.timer.revision()+revisionJumpMax, revisionMax))
	}
	set(revisionMax + 1)
	if v.timer.Revision != revisionMax {
		t.Fatalf("revision %d", v.timer.Revision)
	}
	b.step(testNow, SetTimer{Conversation: v.row.ID, Timer: &wire.Timer{Mode: wire.TimerFromRead, Seconds: 20}})
	if got := v.row.Timer; got == nil || got.Seconds != 20 || v.timer.Revision != revisionMax {
		t.Errorf("timer %+v, revision %d", got, v.timer.Revision)
	}
}

// TestDeletionsAreRefused keeps what its author wants deleted, and says so.
func TestDeletionsAreRefused(t *testing.T) {
	_, b := meet(t)
	b.step(testNow, SetDeletions{Refuse: true})
	out := b.take(textOf(1, 1), deletionOf(2, 2, 1, 1))
	if got := answers(t, out); !slices.Equal(got, []wire.DeleteAnswer{wire.DeleteRefused}) {
		t.Errorf("answers %v", got)
	}
	if slices.ContainsFunc(out.Writes, func(w Write) bool { _, ok := w.(StubMessage); return ok }) {
		t.Error("it is deleted all the same")
	}
}

// TestTimerRegister takes timers of two sides in every order: the same one counts.
func TestTimerRegister(t *testing.T) {
	set := func(sequence uint64, id byte, revision, seconds uint32) wire.Content {
		return wire.Content{
			Type: wire.ContentTimer, ID: [16]byte{8: id}, Sequence: sequence, At: testNow.UnixMilli(), Revision: revision,
			Timer: &wire.Timer{Mode: wire.TimerFromSent, Seconds: seconds},
		}
	}
	all := []wire.Content{set(1, 1, 1, 10), set(2, 9, 2, 20), set(3, 3, 2, 30)} // 2 counts: of the higher, the greater id
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		_, b := meet(t)
		for _, i := range order {
			b.take(all[i])
		}
		if v := b.only().conv; v.row.Timer == nil || v.row.Timer.Seconds != 20 {
			t.Errorf("%v: %+v", order, v.row.Timer)
		}
	}
	_, b := meet(t)
	out := b.take(set(1, 1, revisionJumpMax+1, 10))
	if b.only().conv.row.Timer != nil || len(out.Events) == 0 || out.Events[0].Code != "absurd_revision" {
		t.Errorf("a jump of revisions: %+v, %+v", b.only().conv.row.Timer, out.Events)
	}
}

func reactionOf(sequence uint64, id byte, about wire.Reference, revision uint32, emojis ...string) wire.Content {
	return wire.Content{
		Type: wire.ContentReaction, ID: [16]byte{8: id}, Sequence: sequence, At: testNow.UnixMilli(), About: &about,
		Revision: revision, Emojis: emojis,
	}
}

// TestReactionRegister takes what one side has said about one message in every order: the
// same counts.
func TestReactionRegister(t *testing.T) {
	var all []Reaction
	for i, r := range []Reaction{{Revision: 1}, {Revision: 2}, {Revision: 2}, {Revision: 1 << 31}} {
		r.Wire[15] = byte(9 - i)
		all = append(all, r)
	}
	for range 100 {
		last := all[0]
		for _, i := range rand.Perm(len(all)) {
			if r := all[i]; r.After(&last) {
				last = r
			}
		}
		if last.Revision != 1<<31 {
			t.Fatalf("%+v counts", last)
		}
	}
	if all[2].After(&all[1]) || !all[1].After(&all[2]) || all[1].After(&all[1]) {
		t.Error("of one revision the greater id counts")
	}
}

// TestReactionsReceived hands the store what it needs to know: whose message it is, and
// whether it may still come.
func TestReactionsReceived(t *testing.T) {
	_, b := meet(t)
	theirs := func(sequence uint64) wire.Reference {
		return wire.Reference{Own: true, Sequence: sequence, ID: [16]byte{8: byte(sequence)}}
	}
	ours := wire.Reference{Sequence: 1 << 40, ID: [16]byte{8: 77}} // that we never wrote: the store has no such row
	out := b.take(textOf(1, 1), reactionOf(3, 3, theirs(1), 1, "👍"), reactionOf(4, 4, theirs(2), 1, "👍"), reactionOf(5, 5, ours, 1, "👍"))
	var got []PutOperation
	for _, w := range out.Writes {
		if o, ok := w.(PutOperation); ok {
			got = append(got, o)
		}
	}
	if len(got) != 3 || got[0].Waits != 0 || got[0].Own || got[1].Waits != 2 || got[2].Waits != 0 || !got[2].Own || got[2].Message != ours.ID {
		t.Errorf("%+v", got)
	}
	if out := b.take(reactionOf(4, 4, theirs(2), 1, "👍")); len(out.Events) > 0 {
		t.Errorf("a copy: %+v", out.Events)
	}
}

// TestReact says what counts from now on; what was said before is taken back.
func TestReact(t *testing.T) {
	_, b := meet(t)
	b.take(textOf(1, 1))
	v := b.only().conv
	in := React{Ref: 1, ID: MessageID{1}, Conversation: v.row.ID, About: wire.Reference{Sequence: 1, ID: [16]byte{8: 1}}}
	refused := func(what, code string, emojis ...string) {
		t.Helper()
		in.Emojis = emojis
		_, err := b.p.Step(testNow, in)
		if p, ok := errors.AsType[*Problem](err); !ok || p.Code != code {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("letters", CodeInvalidReaction, "ok")
	refused("two", CodeInvalidReaction, "👍👍")
	refused("nine", CodeTooManyReactions, "👍", "👎", "😂", "🎉", "🙏", "🔥", "👀", "💯", "🚀")
	in.Emojis = []string{"👍"}
	say := func() (said *Reaction, out Output) {
		out = b.step(testNow, in)
		for _, w := range out.Writes {
			if o, ok := w.(PutOperation); ok {
				r, _ := ReadReaction(&o)
				said = &r
			}
		}
		return said, out
	}
	in.Before, _ = say()
	if in.Before == nil || in.Before.Revision != uint32(testNow.Unix()) {
		t.Fatalf("%+v", in.Before)
	}
	said, out := say()
	if said == nil || said.Revision != in.Before.Revision+1 {
		t.Errorf("%+v", said)
	}
	if !slices.Contains(out.Writes, Write(EraseMessage{ID: in.Before.ID})) {
		t.Error("what was said before stays")
	}
	b.step(testNow, SetBlocked{Contact: b.only().row.ID, Blocked: true})
	refused("to a blocked contact", CodeBlocked, "👍")
}

func TestValidEmoji(t *testing.T) {
	for _, s := range []string{"👍", "👍🏽", "❤", "❤️", "👨‍👩‍👧‍👦", "🇰🇷", "1️⃣", "#⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "™️", "🏳️‍🌈", "🫩", "㊗️", "‼️"} {
		if !ValidEmoji(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", "a", "가", "1", "👍👍", "👍a", " 👍", "👍\u202e", "🇰", "🇰🇷🇰", "<", "+", "👍\u200d", "ok", "1🏽", "\xff", "e\u0301", "👍\u0301"} {
		if ValidEmoji(s) {
			t.Errorf("%q is taken", s)
		}
	}
	if !SameEmoji("❤", "❤️") || SameEmoji("👍", "👎") {
		t.Error("same emojis")
	}
}

// TestOperationsOfANewerVersion keeps what it cannot read, and goes on.
func TestOperationsOfANewerVersion(t *testing.T) {
	for _, typ := range []byte{4, 5, 6, 7} {
		_, b := meet(t)
		newer := append([]byte{0xa4, 1, typ, 2, 0x50}, bytes.Repeat([]byte{7}, 16)...)
		newer = append(newer, 3, 1, 0x18, 0x1e, 1) // key 30 is not known
		content, _, err := wire.DecodeContent(newer)
		if err != nil || content.Raw == nil {
			t.Fatalf("type %d: %+v, %v", typ, content, err)
		}
		out := b.take(content)
		if !slices.ContainsFunc(out.Writes, func(w Write) bool { m, ok := w.(PutMessage); return ok && bytes.Equal(m.Content, newer) }) {
			t.Errorf("type %d: %T", typ, out.Writes)
		}
	}
}

func editOf(sequence uint64, id byte, about uint64, aboutID byte, revision uint32, text string) wire.Content {
	return wire.Content{
		Type: wire.ContentEdit, ID: [16]byte{8: id}, Sequence: sequence, At: testNow.UnixMilli(), Text: text, Revision: revision,
		About: &wire.Reference{Own: true, Sequence: about, ID: at(aboutID, 0)},
	}
}

// at is the id of a message that was written some time before now.
func at(id byte, ago time.Duration) (out [16]byte) {
	binary.BigEndian.PutUint64(out[:], uint64(testNow.Add(-ago).UnixMilli())<<16)
	out[15] = id
	return out
}

// edits returns what was kept of edits.
func edits(out Output) (list []PutOperation) {
	for _, w := range out.Writes {
		if o, ok := w.(PutOperation); ok && o.Type == wire.ContentEdit {
			list = append(list, o)
		}
	}
	return list
}

// TestEditReceived tells what waits for its message from what finds it, and drops what is
// too late or of too high a revision.
func TestEditReceived(t *testing.T) {
	_, b := meet(t)
	out := b.take(textOf(1, 1), editOf(3, 3, 2, 2, 1, "early"), editOf(4, 4, 1, 1, 1, "new"))
	if got := edits(out); len(got) != 2 || got[0].Waits != 2 || got[1].Waits != 0 || got[1].Revision != 1 || got[1].Own {
		t.Errorf("%+v", got)
	}
	late := editOf(5, 5, 1, 1, 2, "late")
	late.About.ID = at(1, EditWindow+editSlack+time.Millisecond)
	out = b.take(late, editOf(6, 6, 1, 1, EditsMax+1, "one too many"))
	if got := edits(out); len(got) != 0 || !slices.ContainsFunc(out.Events, func(e Event) bool { return e.Code == "absurd_revision" }) {
		t.Errorf("%+v, %+v", got, out.Events)
	}
	late.Sequence, late.ID, late.About.ID = 7, [16]byte{8: 7}, at(1, EditWindow+editSlack)
	if got := edits(b.take(late)); len(got) != 1 {
		t.Errorf("within the slack: %+v", got)
	}
	out = b.take(wire.Content{Type: wire.ContentVoidMessages, First: 2, Last: 2})
	if !slices.Contains(out.Writes, Write(EraseWaiting{Conversation: b.only().conv.row.ID, First: 2, Last: 2})) {
		t.Errorf("its message is void: %+v", out.Writes)
	}
}

// TestEditsAreRefused asks for what no author may do.
func TestEditsAreRefused(t *testing.T) {
	_, b := meet(t)
	b.take(textOf(1, 1))
	v := b.only().conv
	v.row.OwnSequence = 5
	good := EditMessage{ID: at(1, EditWindow), Conversation: v.row.ID, Sequence: 5, Revision: EditsMax - 1, Text: "new"}
	for code, change := range map[string]func(*EditMessage){
		CodeNotOwnMessage: func(in *EditMessage) { in.Direction = In },
		CodeNotFound:      func(in *EditMessage) { in.Sequence = 6 },
		CodeEditClosed:    func(in *EditMessage) { in.ID = at(1, EditWindow+time.Millisecond) },
		CodeTooManyEdits:  func(in *EditMessage) { in.Revision = EditsMax },
		CodeInvalidText:   func(in *EditMessage) { in.Text = " " },
		CodeTextTooLong:   func(in *EditMessage) { in.Text = strings.Repeat("x", TextBytesMax+1) },
	} {
		in := good
		change(&in)
		var problem *Problem
		if _, err := b.p.Step(testNow, in); !errors.As(err, &problem) || problem.Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
	out, err := b.p.Step(testNow, good)
	if got := edits(out); err != nil || len(got) != 1 || got[0].Revision != EditsMax || !got[0].Own || got[0].About() != [16]byte(good.ID) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestRenumberedBeforeItsReaction has the last of three texts get a new number, since a disk was an old
// one, and not the reaction to it, which was written since: the reaction still comes behind it and names
// the number that it has (seed 2016 of TestSetbacks).
func TestRenumberedBeforeItsReaction(t *testing.T) {
	a, b := meet(t)
	part(a, b)
	b.sayAll(3)
	var last PutMessage
	for _, w := range b.out.Writes {
		if m, ok := w.(PutMessage); ok {
			last = m
		}
	}
	b.step(testNow, React{ID: last.ID, Conversation: last.Conversation, About: wire.Reference{Own: true, Sequence: 3, ID: last.ID}, Emojis: []string{"👍"}})
	b.only().state.Renumber, b.only().state.RenumberFrom = 3, 2
	pump(t, testNow, a, b)
	if n := a.received(); n != 3 {
		t.Fatalf("%d texts arrived", n)
	}
	reactions := 0
	for _, w := range a.out.Writes {
		switch w := w.(type) {
		case PutMessage:
			if w.Wire == last.ID && reactions > 0 {
				t.Error("the text comes behind the reaction to it")
			}
		case PutOperation:
			reactions++
			content, _, err := wire.DecodeContent(w.Content)
			if err != nil || w.Waits != 0 || content.About.Sequence != 5 || content.Sequence != 6 {
				t.Errorf("%v: it waits for %d, is of %d and about %d", err, w.Waits, content.Sequence, content.About.Sequence)
			}
		}
	}
	if reactions != 1 {
		t.Errorf("%d reactions", reactions)
	}
}
