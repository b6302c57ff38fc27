package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"pabal/protocol/identity"
)

func memberSeed(n byte) identity.MemberSeed { return identity.MemberSeed{n} }

// sampleOperations has one of each kind, signed by one member, and one of a later version.
func sampleOperations(t testing.TB) []GroupOperation {
	t.Helper()
	first := GroupOperation{Kind: OperationCreate, Text: "점심", Nonce: [16]byte{1}}
	mustSign(t, &first)
	group := first.ID()
	about := func(o GroupOperation) GroupOperation {
		o.Group, o.Parents = group, []OperationID{group}
		mustSign(t, &o)
		return o
	}
	subject := memberSeed(2).Public()
	two := GroupOperation{Group: group, Parents: []OperationID{{1}, {2}}, Kind: OperationTitle, Text: "Dinner"}
	mustSign(t, &two)
	return []GroupOperation{
		first,
		about(GroupOperation{Kind: OperationAdd, Subject: subject, Role: RoleMember, Introduction: []byte("by Mina")}),
		about(GroupOperation{Kind: OperationRemove, Subject: subject, Last: 7}),
		about(GroupOperation{Kind: OperationRole, Subject: subject, Role: RoleAdmin}),
		two,
		about(GroupOperation{Kind: OperationTimer, Timer: &Timer{Mode: TimerFromRead, Seconds: 86400}}),
		about(GroupOperation{Kind: OperationTimer}),
		about(GroupOperation{Kind: OperationClose}),
		about(GroupOperation{Kind: 200, body: []byte("what comes")}),
	}
}

func mustSign(t testing.TB, o *GroupOperation) {
	t.Helper()
	if err := o.Sign(memberSeed(1)); err != nil {
		t.Fatal(err)
	}
}

func TestGroupOperation(t *testing.T) {
	type vector struct{ Seed, Operation, ID string }
	var out []vector
	for _, o := range sampleOperations(t) {
		b := o.Append(nil)
		got, err := ParseGroupOperation(b)
		if err != nil || !got.Verify() || got.ID() != o.ID() || !bytes.Equal(got.Append(nil), b) {
			t.Errorf("kind %d: %+v, %v", o.Kind, got, err)
		}
		b[len(b)-70] ^= 1
		if changed, err := ParseGroupOperation(b); err == nil && changed.Verify() {
			t.Errorf("kind %d: a changed byte is signed", o.Kind)
		}
		id, seed := o.ID(), memberSeed(1)
		out = append(out, vector{hex.EncodeToString(seed[:]), hex.EncodeToString(o.Append(nil)), hex.EncodeToString(id[:])})
	}
	checkVectors(t, "operations.json", out)
}

func TestGroupOperationMalformed(t *testing.T) {
	sample := sampleOperations(t)
	whole := sample[1].Append(nil)
	many := sample[1]
	for i := range OperationParentsMax + 1 {
		many.Parents = append(many.Parents, OperationID{byte(200 + i)})
	}
	for name, o := range map[string]GroupOperation{
		"no parents":       {Group: OperationID{1}, Kind: OperationClose},
		"no group":         {Parents: []OperationID{{1}}, Kind: OperationClose},
		"first with one":   {Parents: []OperationID{{1}}, Kind: OperationCreate},
		"unsorted parents": {Group: OperationID{1}, Parents: []OperationID{{2}, {1}}, Kind: OperationClose},
		"a parent twice":   {Group: OperationID{1}, Parents: []OperationID{{2}, {2}}, Kind: OperationClose},
		"too many parents": many,
		"no role":          {Group: OperationID{1}, Parents: []OperationID{{2}}, Kind: OperationAdd},
		"a third role":     {Group: OperationID{1}, Parents: []OperationID{{2}}, Kind: OperationRole, Role: 3},
		"long title":       {Group: OperationID{1}, Parents: []OperationID{{2}}, Kind: OperationTitle, Text: strings.Repeat("x", NameBytesMax+1)},
		"title of lines":   {Kind: OperationCreate, Text: "a\nb"},
		"long introduction": {
			Group: OperationID{1}, Parents: []OperationID{{2}}, Kind: OperationAdd, Role: RoleMember, Introduction: make([]byte, IntroductionBytesMax+1),
		},
		"a number past all": {Group: OperationID{1}, Parents: []OperationID{{2}}, Kind: OperationRemove, Last: GroupSequenceMax + 1},
		"timer of nothing":  {Group: OperationID{1}, Parents: []OperationID{{2}}, Kind: OperationTimer, Timer: &Timer{Mode: TimerFromSent}},
		"long unknown":      {Group: OperationID{1}, Parents: []OperationID{{2}}, Kind: 99, body: make([]byte, OperationBodyBytesMax+1)},
	} {
		if err := o.Sign(memberSeed(1)); !errors.Is(err, ErrGroupOperation) {
			t.Errorf("%s: signed, %v", name, err)
		}
		if _, err := ParseGroupOperation(o.Append(nil)); !errors.Is(err, ErrGroupOperation) {
			t.Errorf("%s: read, %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "cut": whole[:len(whole)-1], "longer": append(bytes.Clone(whole), 0), "of version 2": append([]byte{2}, whole[1:]...),
	} {
		if _, err := ParseGroupOperation(b); !errors.Is(err, ErrGroupOperation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzGroupOperation(f *testing.F) {
	for _, o := range sampleOperations(f) {
		f.Add(o.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseGroupOperation(b)
		if err != nil {
			return
		}
		if !bytes.Equal(o.Append(nil), b) {
			t.Errorf("an operation has a second encoding: %x", b)
		}
		o.Verify()
	})
}

func TestGroupLeave(t *testing.T) {
	word := NewGroupLeave(OperationID{1}, memberSeed(1), 7)
	b := word.Append(nil)
	got, err := ParseGroupLeave(b)
	if err != nil || got != word || !got.Verify() || len(b) != GroupLeaveSize {
		t.Errorf("%+v, %v", got, err)
	}
	got.Group[0]++
	if got.Verify() {
		t.Error("it is of another group, too")
	}
	for name, bad := range map[string][]byte{"nothing": nil, "cut": b[:len(b)-1], "longer": append(bytes.Clone(b), 0), "of version 2": append([]byte{2}, b[1:]...)} {
		if _, err := ParseGroupLeave(bad); !errors.Is(err, ErrGroupOperation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	checkVectors(t, "leave.json", []string{hex.EncodeToString(b)})
}

func sampleProfile(t testing.TB) GroupProfile {
	t.Helper()
	p := GroupProfile{Group: OperationID{1}, Revision: 1_700_000_000_000, Name: "민아"}
	for i := range GroupHintsStep {
		p.Hints = append(p.Hints, MemberHint{byte(i), 7})
	}
	p.Hints[3] = identity.GroupHint([32]byte{1}, p.Group, memberSeed(1).Public(), p.Revision)
	slices.SortFunc(p.Hints, compareHints)
	if err := p.Sign(memberSeed(1)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGroupProfile(t *testing.T) {
	p := sampleProfile(t)
	b := p.Append(nil)
	got, err := ParseGroupProfile(b)
	if err != nil || !bytes.Equal(got.Append(nil), b) || !got.Verify() || got.Name != "민아" {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		if changed, err := ParseGroupProfile(c); err == nil && changed.Verify() {
			t.Errorf("byte %d is not signed", i)
		}
	}
	for name, hint := range map[string]MemberHint{
		"to another contact":      identity.GroupHint([32]byte{2}, p.Group, p.Member, p.Revision),
		"in another group":        identity.GroupHint([32]byte{1}, OperationID{2}, p.Member, p.Revision),
		"of another member's key": identity.GroupHint([32]byte{1}, p.Group, memberSeed(2).Public(), p.Revision),
		"in another revision":     identity.GroupHint([32]byte{1}, p.Group, p.Member, p.Revision+1),
	} {
		if p.Has(hint) {
			t.Errorf("it hints %s", name)
		}
	}
	if !p.Has(identity.GroupHint([32]byte{1}, p.Group, p.Member, p.Revision)) {
		t.Error("the contact does not find it")
	}
	later, twin := p, p
	later.Revision++
	twin.Name = "Mina"
	if !later.Later(&p) || p.Later(&later) || p.Later(&p) || p.Later(&twin) == twin.Later(&p) {
		t.Error("two profiles have no order")
	}
	checkVectors(t, "groupprofile.json", []string{hex.EncodeToString(b)})
}

func TestGroupProfileMalformed(t *testing.T) {
	for name, change := range map[string]func(*GroupProfile){
		"no revision":         func(p *GroupProfile) { p.Revision = 0 },
		"a revision past all": func(p *GroupProfile) { p.Revision = GroupSequenceMax + 1 },
		"a long name":         func(p *GroupProfile) { p.Name = strings.Repeat("a", NameRunesMax+1) },
		"a name in two lines": func(p *GroupProfile) { p.Name = "Mi\nna" },
		"a hint less":         func(p *GroupProfile) { p.Hints = p.Hints[1:] },
		"a hint twice":        func(p *GroupProfile) { p.Hints[1] = p.Hints[0] },
		"hints in disorder":   func(p *GroupProfile) { p.Hints[0], p.Hints[1] = p.Hints[1], p.Hints[0] },
		"too many hints": func(p *GroupProfile) {
			p.Hints = nil
			for i := range GroupHintsMax + GroupHintsStep {
				p.Hints = append(p.Hints, MemberHint{byte(i >> 8), byte(i)})
			}
		},
	} {
		p := sampleProfile(t)
		change(&p)
		if err := p.Sign(memberSeed(1)); !errors.Is(err, ErrGroupOperation) {
			t.Errorf("%s is signed: %v", name, err)
		}
		if _, err := ParseGroupProfile(p.Append(nil)); !errors.Is(err, ErrGroupOperation) {
			t.Errorf("%s is read: %v", name, err)
		}
	}
	p := sampleProfile(t)
	b := p.Append(nil)
	for name, bad := range map[string][]byte{"nothing": nil, "cut": b[:len(b)-1], "cut short": b[:80], "longer": append(bytes.Clone(b), 0), "of version 2": append([]byte{2}, b[1:]...)} {
		if _, err := ParseGroupProfile(bad); !errors.Is(err, ErrGroupOperation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzGroupProfile(f *testing.F) {
	p := sampleProfile(f)
	f.Add(p.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseGroupProfile(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Append(nil), b) {
			t.Errorf("a profile has a second encoding: %x", b)
		}
		p.Verify()
	})
}
