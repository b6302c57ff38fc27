package store

import (
	"slices"
	"testing"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// reaction is what one side says about a message.
func (f *fixture) reaction(by protocol.Direction, about *protocol.PutMessage, revision uint32, emojis ...string) protocol.PutOperation {
	id := f.id()
	own := about.Direction == protocol.Out
	of := [16]byte(about.ID)
	if !own {
		of = about.Wire
	}
	f.convs[0].OwnSequence++
	content := wire.Content{
		Type: wire.ContentReaction, ID: id, Sequence: f.convs[0].OwnSequence + 1000, At: f.now.UnixMilli(), Revision: revision, Emojis: emojis,
		About: &wire.Reference{Own: own == (by == protocol.Out), Sequence: 1, ID: of},
	}
	b, err := wire.AppendContent(nil, content)
	if err != nil {
		panic(err)
	}
	return protocol.PutOperation{ID: f.id(), Wire: id, Conversation: f.convs[0].ID, Direction: by, Sequence: content.Sequence,
		Type: content.Type, Message: of, Own: own, At: content.At, Content: b}
}

// TestReactions keeps of each side what counts, whatever comes first, and nothing about a
// message that is gone.
func TestReactions(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	c := &f.convs[0]
	ours, theirs := f.message(0, protocol.Out, "ours"), f.message(0, protocol.In, "theirs")
	f.commit(s, *c, ours, theirs)
	shows := func(m *protocol.PutMessage, in, out []string) {
		t.Helper()
		var got [2][]string
		all := view(t, s, func(v *View) ([]Reaction, error) { return v.Reactions(&Message{PutMessage: *m}) })
		for _, r := range all {
			side := 0
			if !r.In {
				side = 1
			}
			got[side] = append(got[side], r.Emojis...)
		}
		if !slices.Equal(got[0], in) || !slices.Equal(got[1], out) {
			t.Errorf("%v, want %v and %v", got, in, out)
		}
	}
	thumb, heart := f.reaction(protocol.In, &ours, 1, "👍"), f.reaction(protocol.In, &ours, 2, "❤️")
	f.commit(s, heart, thumb, f.reaction(protocol.Out, &ours, 1, "🎉"), f.reaction(protocol.In, &theirs, 1, "😂"))
	shows(&ours, []string{"❤️"}, []string{"🎉"})
	shows(&theirs, []string{"😂"}, nil)
	f.commit(s, f.reaction(protocol.In, &ours, 3)) // taken back
	shows(&ours, nil, []string{"🎉"})

	// One message is on its way, of another one nothing is known.
	late, never := f.message(0, protocol.In, "late"), f.message(0, protocol.In, "never")
	early, lost := f.reaction(protocol.In, &late, 1, "👀"), f.reaction(protocol.In, &never, 1, "👀")
	early.Waits = late.Sequence
	f.commit(s, early, lost, f.reaction(protocol.In, &never, 2, "🙏"))
	f.commit(s, late, never, *c)
	shows(&late, []string{"👀"}, nil)
	shows(&never, nil, nil)

	// They go with their message, also if it never came.
	ghost := f.message(0, protocol.In, "ghost")
	early = f.reaction(protocol.In, &ghost, 1, "👻")
	early.Waits = ghost.Sequence
	f.commit(s, early)
	void := f.message(0, protocol.In, "void")
	early = f.reaction(protocol.In, &void, 1, "👻")
	early.Waits = void.Sequence
	f.commit(s, early, protocol.EraseWaiting{Conversation: c.ID, First: void.Sequence, Last: void.Sequence})
	stub := protocol.StubMessage{Conversation: c.ID, Message: ghost.Wire, At: 1, Code: protocol.DeletedBySender}
	f.commit(s, protocol.EraseMessage{ID: theirs.ID}, stub, protocol.StubMessage{Conversation: c.ID, Message: ours.ID, Own: true, At: 1, Code: protocol.DeletionAsked})
	f.commit(s, f.reaction(protocol.In, &ours, 9, "👍"), f.reaction(protocol.In, &theirs, 9, "👍"))
	shows(&ours, nil, nil)
	shows(&theirs, nil, nil)
	shows(&ghost, nil, nil)
	if n, err := s.reader.c.number(`SELECT count(*) FROM operations`); err != nil || n != 1 {
		t.Errorf("%d operations are left, %v", n, err)
	}
}

// TestManyReactions has a contact react ten thousand times to one message: only the last counts, and
// is all that is kept; none outlives the message.
func TestManyReactions(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.Out, "ours")
	f.commit(s, f.convs[0], m)
	var writes []protocol.Write
	for n := range 10_000 {
		emoji := []string{"👍", "❤️", "🎉"}[n%3]
		writes = append(writes, f.reaction(protocol.In, &m, uint32(n)+1, emoji))
	}
	for batch := range slices.Chunk(writes, BatchMax) {
		f.commit(s, batch...)
	}
	count := func(want int64) {
		t.Helper()
		if n, err := s.reader.c.number(`SELECT count(*) FROM operations`); err != nil || n != want {
			t.Errorf("%d reactions are kept, want %d: %v", n, want, err)
		}
	}
	count(1)
	all := view(t, s, func(v *View) ([]Reaction, error) { return v.Reactions(&Message{PutMessage: m}) })
	if len(all) != 1 || !slices.Equal(all[0].Emojis, []string{"👍"}) {
		t.Errorf("%+v", all)
	}
	f.commit(s, protocol.EraseMessage{ID: m.ID})
	count(0)
}
