package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// sampleMessages has a first message, one behind two that have one number, one without its
// content, and one that goes some time.
func sampleMessages(t testing.TB) []GroupMessage {
	t.Helper()
	head := GroupHead{Group: OperationID{1}, Sequence: 1, Heads: []OperationID{{2}}}
	first := GroupMessage{GroupHead: head}
	first.Commit([16]byte{9}, []byte("안녕"))
	second := GroupMessage{GroupHead: head}
	second.Sequence, second.Heads, second.Besides = 8, []OperationID{{2}, {3}}, []MemberMark{{4}, {5}}
	second.Previous = []GroupTip{{Sequence: 7, Tag: MessageTag{1}}, {Sequence: 7, Tag: MessageTag{2}}}
	second.Commit([16]byte{8}, []byte("lunch?"))
	bare := second
	bare.Content = nil
	fleeting := first
	fleeting.Expires = 1_700_000_000_000
	out := []GroupMessage{first, second, bare, fleeting}
	for i := range out {
		if err := out[i].Sign(memberSeed(1)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestGroupMessage(t *testing.T) {
	type vector struct{ Seed, Message, Tag string }
	var out []vector
	for i, m := range sampleMessages(t) {
		b := m.Append(nil)
		got, err := ParseGroupMessage(b)
		if err != nil || !got.Verify() || got.Tag() != m.Tag() || !bytes.Equal(got.Append(nil), b) {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
		for at := range b {
			b[at] ^= 1
			if changed, err := ParseGroupMessage(b); err == nil && changed.Verify() {
				t.Errorf("%d: byte %d is not signed", i, at)
			}
			b[at] ^= 1
		}
		tag, seed := m.Tag(), memberSeed(1)
		out = append(out, vector{hex.EncodeToString(seed[:]), hex.EncodeToString(b), hex.EncodeToString(tag[:])})
	}
	checkVectors(t, "groupmessages.json", out)
}

// TestGroupMessageFits checks that the largest message can travel in an envelope.
func TestGroupMessageFits(t *testing.T) {
	m := GroupMessage{GroupHead: GroupHead{Sequence: 9}}
	for i := range GroupTipsMax {
		m.Previous = append(m.Previous, GroupTip{Sequence: 8, Tag: MessageTag{byte(i)}})
	}
	for i := range OperationParentsMax {
		m.Heads = append(m.Heads, OperationID{byte(i)})
	}
	for i := range GroupBesidesMax {
		m.Besides = append(m.Besides, MemberMark{byte(i)})
	}
	m.Commit([16]byte{1}, make([]byte, GroupContentBytesMax))
	if err := m.Sign(memberSeed(1)); err != nil {
		t.Fatal(err)
	}
	if n := len(m.Append(nil)); n > ContentBytesMax-1024 {
		t.Errorf("it has %d bytes", n)
	}
}

// TestGroupMessageBare checks that a message is the same with and without what it says.
func TestGroupMessageBare(t *testing.T) {
	m := sampleMessages(t)[1]
	bare := m
	bare.Content = nil
	if !bare.Verify() || bare.Tag() != m.Tag() {
		t.Error("without its content it is another message")
	}
	if b := bare.Append(nil); bytes.Contains(b, m.Content) || bytes.Contains(b, m.Salt[:]) {
		t.Error("what was deleted is still there, or what helps to guess it")
	}
}

func TestGroupMessageMalformed(t *testing.T) {
	sample := sampleMessages(t)
	many := make([]OperationID, OperationParentsMax+1)
	for i := range many {
		many[i] = OperationID{byte(i)}
	}
	crowd := make([]MemberMark, GroupBesidesMax+1)
	for i := range crowd {
		crowd[i] = MemberMark{byte(i)}
	}
	for name, change := range map[string]func(*GroupMessage){
		"no number":            func(m *GroupMessage) { m.Sequence, m.Previous = 0, nil },
		"a number past all":    func(m *GroupMessage) { m.Sequence = GroupSequenceMax + 1 },
		"nothing before it":    func(m *GroupMessage) { m.Previous = nil },
		"something before 1":   func(m *GroupMessage) { m.Sequence = 1 },
		"another before it":    func(m *GroupMessage) { m.Previous = []GroupTip{{Sequence: 6}} },
		"previous twice":       func(m *GroupMessage) { m.Previous = []GroupTip{{Sequence: 7}, {Sequence: 7}} },
		"previous in disorder": func(m *GroupMessage) { m.Previous = []GroupTip{{Sequence: 7, Tag: MessageTag{2}}, {Sequence: 7}} },
		"too many previous": func(m *GroupMessage) {
			m.Previous = []GroupTip{{1, MessageTag{}}, {2, MessageTag{}}, {3, MessageTag{}}, {4, MessageTag{}}, {7, MessageTag{}}}
		},
		"no operations":           func(m *GroupMessage) { m.Heads = nil },
		"too many operations":     func(m *GroupMessage) { m.Heads = many },
		"operations in disorder":  func(m *GroupMessage) { m.Heads = []OperationID{{3}, {2}} },
		"members in disorder":     func(m *GroupMessage) { m.Besides = []MemberMark{{3}, {2}} },
		"a member twice":          func(m *GroupMessage) { m.Besides = []MemberMark{{3}, {3}} },
		"too many members":        func(m *GroupMessage) { m.Besides = crowd },
		"another content":         func(m *GroupMessage) { m.Content = []byte("dinner?") },
		"another salt":            func(m *GroupMessage) { m.Salt[0]++ },
		"a salt and nothing else": func(m *GroupMessage) { m.Content = []byte{} },
		"too long":                func(m *GroupMessage) { m.Commit(m.Salt, make([]byte, GroupContentBytesMax+1)) },
	} {
		m := sample[1]
		change(&m)
		if err := m.Sign(memberSeed(1)); !errors.Is(err, ErrGroupMessage) {
			t.Errorf("%s: signed, %v", name, err)
		}
		if _, err := ParseGroupMessage(m.Append(nil)); !errors.Is(err, ErrGroupMessage) {
			t.Errorf("%s: read, %v", name, err)
		}
	}
	whole := sample[2].Append(nil)
	for name, b := range map[string][]byte{
		"nothing": nil, "cut": whole[:len(whole)-1], "half a salt": append(bytes.Clone(whole), 1, 2, 3), "of version 2": append([]byte{2}, whole[1:]...),
	} {
		if _, err := ParseGroupMessage(b); !errors.Is(err, ErrGroupMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzGroupMessage(f *testing.F) {
	for _, m := range sampleMessages(f) {
		f.Add(m.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseGroupMessage(b)
		if err != nil {
			return
		}
		if !bytes.Equal(m.Append(nil), b) {
			t.Errorf("a message has a second encoding: %x", b)
		}
		m.Verify()
	})
}

func sampleSync() GroupSync {
	return GroupSync{
		Group: OperationID{1}, Answer: true, Held: HashOperations([]OperationID{{1}, {2}, {3}}), Left: [8]byte{4},
		Authors: []GroupAuthor{
			{Mark: MemberMark{5}, Tips: []GroupTip{{Sequence: 9, Tag: MessageTag{6}}}, Push: true, Revision: 1_700_000_000_000, Profile: [8]byte{8}},
			{Mark: MemberMark{7}, Ask: true},
		},
	}
}

func sampleRanges() GroupRanges {
	return GroupRanges{Group: OperationID{1}, Ranges: []GroupRange{{Mark: MemberMark{5}, First: 1, Last: 9}, {Mark: MemberMark{7}, First: 4, Last: 4}}}
}

func sampleHolding() GroupHolding {
	return GroupHolding{Group: OperationID{1}, Full: true, Operations: []OperationName{NameOf(OperationID{2}), {3}}}
}

func TestGroupSync(t *testing.T) {
	s, r := sampleSync(), sampleRanges()
	b := s.Append(nil)
	got, err := ParseGroupSync(b)
	if err != nil || !bytes.Equal(got.Append(nil), b) || len(got.Authors) != 2 || !got.Answer {
		t.Errorf("%+v, %v", got, err)
	}
	c := r.Append(nil)
	ranges, err := ParseGroupRanges(c)
	if err != nil || !bytes.Equal(ranges.Append(nil), c) || len(ranges.Ranges) != 2 {
		t.Errorf("%+v, %v", ranges, err)
	}
	h := sampleHolding()
	d := h.Append(nil)
	holding, err := ParseGroupHolding(d)
	if err != nil || !bytes.Equal(holding.Append(nil), d) || len(holding.Operations) != 2 || !holding.Full {
		t.Errorf("%+v, %v", holding, err)
	}
	checkVectors(t, "groupsync.json", map[string]string{
		"sync": hex.EncodeToString(b), "ranges": hex.EncodeToString(c), "holding": hex.EncodeToString(d),
	})
}

func TestGroupSyncMalformed(t *testing.T) {
	many := make([]GroupAuthor, GroupSyncAuthorsMax+1)
	for i := range many {
		many[i].Mark = MemberMark{byte(i >> 8), byte(i)}
	}
	for name, change := range map[string]func(*GroupSync){
		"an author twice":        func(s *GroupSync) { s.Authors[1].Mark = s.Authors[0].Mark },
		"a tip without a number": func(s *GroupSync) { s.Authors[0].Tips[0].Sequence = 0 },
		"a revision past all":    func(s *GroupSync) { s.Authors[0].Revision = GroupSequenceMax + 1 },
		"a hash of no profile":   func(s *GroupSync) { s.Authors[1].Profile = [8]byte{1} },
		"too many authors":       func(s *GroupSync) { s.Authors = many },
	} {
		s := sampleSync()
		change(&s)
		if _, err := ParseGroupSync(s.Append(nil)); !errors.Is(err, ErrGroupSync) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*GroupRanges){
		"nothing asked for": func(r *GroupRanges) { r.Ranges = nil },
		"from 0":            func(r *GroupRanges) { r.Ranges[0].First = 0 },
		"backwards":         func(r *GroupRanges) { r.Ranges[0].Last = 0 },
		"past all":          func(r *GroupRanges) { r.Ranges[0].Last = GroupSequenceMax + 1 },
		"too many":          func(r *GroupRanges) { r.Ranges = make([]GroupRange, GroupRangesMax+1) },
	} {
		r := sampleRanges()
		change(&r)
		if _, err := ParseGroupRanges(r.Append(nil)); !errors.Is(err, ErrGroupSync) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*GroupHolding){
		"in disorder":    func(h *GroupHolding) { h.Operations = []OperationName{{3}, {2}} },
		"twice the same": func(h *GroupHolding) { h.Operations = []OperationName{{3}, {3}} },
		"too many":       func(h *GroupHolding) { h.Operations = make([]OperationName, GroupHoldingMax+1) },
	} {
		h := sampleHolding()
		change(&h)
		if _, err := ParseGroupHolding(h.Append(nil)); !errors.Is(err, ErrGroupSync) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, r, h := sampleSync(), sampleRanges(), sampleHolding()
	for name, b := range map[string][]byte{"nothing": nil, "cut": h.Append(nil)[:60], "longer": append(h.Append(nil), 0), "of version 2": append([]byte{2}, h.Append(nil)[1:]...)} {
		if _, err := ParseGroupHolding(b); !errors.Is(err, ErrGroupSync) {
			t.Errorf("holding, %s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "cut": s.Append(nil)[:60], "longer": append(s.Append(nil), 0), "of version 2": append([]byte{2}, s.Append(nil)[1:]...)} {
		if _, err := ParseGroupSync(b); !errors.Is(err, ErrGroupSync) {
			t.Errorf("sync, %s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "cut": r.Append(nil)[:60], "longer": append(r.Append(nil), 0), "of version 2": append([]byte{2}, r.Append(nil)[1:]...)} {
		if _, err := ParseGroupRanges(b); !errors.Is(err, ErrGroupSync) {
			t.Errorf("ranges, %s: %v", name, err)
		}
	}
}

func FuzzGroupSync(f *testing.F) {
	s, r, h := sampleSync(), sampleRanges(), sampleHolding()
	f.Add(s.Append(nil))
	f.Add(r.Append(nil))
	f.Add(h.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseGroupSync(b); err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Errorf("a sync has a second encoding: %x", b)
		}
		if r, err := ParseGroupRanges(b); err == nil && !bytes.Equal(r.Append(nil), b) {
			t.Errorf("ranges have a second encoding: %x", b)
		}
		if h, err := ParseGroupHolding(b); err == nil && !bytes.Equal(h.Append(nil), b) {
			t.Errorf("a holding has a second encoding: %x", b)
		}
	})
}
