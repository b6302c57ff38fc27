package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
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
