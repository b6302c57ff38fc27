package store

import (
	"bytes"
	"testing"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// partOf makes what stands for a part of the first file of a message.
func partOf(m *protocol.PutMessage, index uint8, size uint64) protocol.PutPart {
	return protocol.PutPart{
		Conversation: m.Conversation, Message: m.Wire, Index: index, At: m.At,
		Sealed: bytes.Repeat([]byte{index + 1}, wire.PartSize(size, int(index))+wire.PartTagSize),
	}
}

// countParts returns how many parts lie here, and how many files are whole in parts.
func countParts(t *testing.T, s *Store) (parts, whole int) {
	t.Helper()
	err := s.View(func(v *View) error {
		all, err := v.WholeInParts(9)
		whole = len(all)
		if err != nil {
			return err
		}
		n, err := v.c.number(`SELECT count(*) FROM parts`)
		parts = int(n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return parts, whole
}

func TestPartsOfAFile(t *testing.T) {
	const size = 2*wire.PartBytes + 9
	s := create(t)
	f := newFixture(t, 2)
	f.commit(s, f.convs[0])
	file := protocol.FileID{1}
	m := f.manifest(0, protocol.In, map[protocol.FileID]wire.File{file: {Name: "a.jpg", MediaType: "image/jpeg", SizeBytes: size, Root: [32]byte{1}}})
	m.Files[0].Wanted = true
	expect := func(what string, parts, whole int) {
		t.Helper()
		if p, w := countParts(t, s); p != parts || w != whole {
			t.Errorf("%s: %d parts, %d whole files; want %d, %d", what, p, w, parts, whole)
		}
	}

	early := partOf(&m, 1, size)
	f.commit(s, early)
	expect("without its message, and not waiting", 0, 0)
	early.Waits = m.Sequence
	f.commit(s, early, early)
	expect("before its message, twice", 1, 0)
	f.commit(s, m)
	expect("with its message", 1, 0)
	wrong := partOf(&m, 0, size)
	wrong.Sealed = wrong.Sealed[1:]
	beyond, other := partOf(&m, 3, size+5*wire.PartBytes), partOf(&m, 0, size)
	other.Item = 1
	f.commit(s, wrong, beyond, other)
	expect("of another size, place and file", 1, 0)
	f.commit(s, partOf(&m, 0, size), partOf(&m, 2, size))
	expect("all", 3, 1)
	err := s.View(func(v *View) error {
		parts, err := v.Parts(file)
		for i := range wire.Parts(size) {
			if want := partOf(&m, uint8(i), size).Sealed; !bytes.Equal(parts[i], want) {
				t.Errorf("part %d is another one", i)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.rows(s, SetWanted{File: file, Wanted: WantedPaused})
	expect("of a file that is not wanted any more", 0, 0)
	f.commit(s, partOf(&m, 0, size))
	expect("behind that", 0, 0)
	f.rows(s, SetWanted{File: file, Wanted: WantedNow})
	f.commit(s, partOf(&m, 0, size))
	f.commit(s, protocol.StubMessage{Conversation: m.Conversation, Message: m.Wire, Code: protocol.DeletedBySender})
	expect("of a message that was deleted by its sender", 0, 0)
	f.commit(s, partOf(&m, 0, size))
	expect("behind its deletion", 0, 0)
}

// TestPartsThatWait bounds what waits for messages that never come, and erases it with them.
func TestPartsThatWait(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	f.commit(s, f.convs[0])
	for n := range protocol.PartsKeptMax + 9 {
		f.commit(s, protocol.PutPart{Conversation: f.convs[0].ID, Message: [16]byte{1, byte(n)}, Waits: uint64(100 + n), Sealed: []byte("sealed")})
	}
	if n, _ := countParts(t, s); n != protocol.PartsKeptMax {
		t.Errorf("%d parts are kept", n)
	}
	f.commit(s, protocol.EraseWaiting{Conversation: f.convs[0].ID, First: 100, Last: 100 + 40})
	if n, _ := countParts(t, s); n != protocol.PartsKeptMax-32 {
		t.Errorf("%d parts are kept when a part of what they wait for is void", n)
	}
	f.commit(s, protocol.EraseConversation{ID: f.convs[0].ID})
	if n, _ := countParts(t, s); n != 0 {
		t.Errorf("%d parts outlive their conversation", n)
	}
}

// TestOutboxNamesParts reads an envelope back that carries a part.
func TestOutboxNamesParts(t *testing.T) {
	want := []protocol.OutboxContent{{Inline: []byte("a")}, {}, {Message: protocol.MessageID{3}, Sequence: 9}}
	want[1].Part.Message, want[1].Part.Sequence, want[1].Part.Item, want[1].Part.Index = [16]byte{7}, 1<<40, 15, 31
	b := encodeContents(want)
	got, err := decodeContents(b)
	if err != nil || len(got) != 3 || got[1].Part != want[1].Part || got[2].Sequence != 9 {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range len(b) {
		decodeContents(b[:n])
	}
}
