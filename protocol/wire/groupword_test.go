package wire

import (
	"bytes"
	"reflect"
	"testing"

	"pabal/protocol/identity"
)

// groupContents has one content of each kind of word, a message, and a word of a later version.
func groupContents(t testing.TB) []Content {
	t.Helper()
	operation := sampleOperations(t)[1]
	leave := NewGroupLeave(operation.Group, memberSeed(1), 9)
	admission := NewGroupAdmission(sampleOperations(t)[0], memberSeed(1), [16]byte{1}, memberSeed(2).Public())
	profile, sync, ranges, holding, message := sampleProfile(t), sampleSync(), sampleRanges(), sampleHolding(), sampleMessages(t)[0]
	var out []Content
	for _, w := range []GroupWord{
		{Operation: &operation}, {Leave: &leave}, {Profile: &profile}, {Sync: &sync}, {Want: &ranges}, {Absent: &ranges}, {Holding: &holding},
		{Stock: GroupStock{
			NewStockedKey(identity.AccountSeed{1}, identity.AccountSeed{2}.Public(), [16]byte{1}),
			NewStockedKey(identity.AccountSeed{1}, identity.AccountSeed{2}.Public(), [16]byte{2}),
		}},
		{Admission: &admission},
		{other: []byte{200, 1, 2}},
	} {
		out = append(out, Content{Type: ContentGroup, Word: &w})
	}
	return append(out, Content{Type: ContentGroupMessage, GroupMessage: &message})
}

func TestGroupContents(t *testing.T) {
	type vector struct {
		Comment string   `json:"comment"`
		Content hexBytes `json:"content"`
	}
	comments := []string{
		"operation", "leave", "profile", "sync", "wanted", "absent", "holding",
		"stock: keys that the account of the seed 01 00 … gives that of the seed 02 00 …, by the nonces 01 00 … and 02 00 …",
		"admission", "word of a kind that is not known", "message",
	}
	var out []vector
	for i, c := range groupContents(t) {
		b := mustAppend(t, nil, c)
		out = append(out, vector{comments[i], b})
		got, rest, err := DecodeContent(b)
		if err != nil || len(rest) > 0 || !reflect.DeepEqual(got, c) {
			t.Errorf("%x: %+v, %v", b, got, err)
		}
		for n := range len(b) { // it must not be read as a shorter one
			if _, _, err := DecodeContent(b[:n]); err == nil {
				t.Errorf("%x was cut after %d bytes and parsed", b, n)
			}
		}
	}
	checkVectors(t, "groupcontents.json", out)
}

func TestGroupWordLimits(t *testing.T) {
	stock := func(n int) []byte { return append([]byte{wordStock}, make([]byte, n)...) }
	title := sampleOperations(t)[4]
	for name, b := range map[string][]byte{
		"nothing":                  nil,
		"kind zero":                {0, 1},
		"an operation cut":         {wordOperation, 1},
		"no stock":                 stock(0),
		"stock of half a key":      stock(stockedSize + 1),
		"too much stock":           stock(stockedSize * (GroupStockMax + 1)),
		"admission cut":            append([]byte{wordAdmission}, make([]byte, 111)...),
		"admission to a title":     title.Append(append([]byte{wordAdmission}, make([]byte, 112)...)),
		"admission with more than": append((&GroupAdmission{First: sampleOperations(t)[0]}).append([]byte{wordAdmission}), 1),
	} {
		if w, err := parseGroupWord(b); err == nil {
			t.Errorf("%s: %+v", name, w)
		}
	}
	if _, err := parseGroupWord(stock(stockedSize * GroupStockMax)); err != nil {
		t.Errorf("as much stock as may be: %v", err)
	}
}

func TestMemberKeysHangOnContactAndNonce(t *testing.T) {
	mina, jiwoo := identity.AccountSeed{1}, identity.AccountSeed{2}
	seed := mina.Member(jiwoo.Public(), [16]byte{1})
	if seed != mina.Member(jiwoo.Public(), [16]byte{1}) {
		t.Error("two secrets of one nonce")
	}
	for name, other := range map[string]identity.MemberSeed{
		"nonce":   mina.Member(jiwoo.Public(), [16]byte{2}),
		"contact": mina.Member(mina.Public(), [16]byte{1}),
		"account": jiwoo.Member(jiwoo.Public(), [16]byte{1}),
	} {
		if other == seed {
			t.Errorf("another %s, and the same secret", name)
		}
	}
	if bytes.Equal(seed[:], mina[:]) {
		t.Error("the account's secret is a member's")
	}
}

// TestLargestGroupWordsTravel has what may be largest of each fit a content.
func TestLargestGroupWordsTravel(t *testing.T) {
	sync, holding, ranges := GroupSync{Group: OperationID{1}}, GroupHolding{Group: OperationID{1}}, GroupRanges{Group: OperationID{1}}
	number := func(i int) [8]byte { return [8]byte{byte(i >> 8), byte(i)} }
	for i := range GroupSyncAuthorsMax {
		a := GroupAuthor{Mark: number(i), Revision: 1, Profile: [8]byte{1}}
		for n := range GroupTipsMax {
			a.Tips = append(a.Tips, GroupTip{Sequence: uint64(n + 1)})
		}
		sync.Authors = append(sync.Authors, a)
	}
	for i := range GroupHoldingMax {
		holding.Operations = append(holding.Operations, OperationName{byte(i >> 8), byte(i)})
	}
	for i := range GroupRangesMax {
		ranges.Ranges = append(ranges.Ranges, GroupRange{Mark: number(i), First: 1, Last: 1})
	}
	message := sampleMessages(t)[0]
	for i := range GroupTipsMax {
		message.Previous = append(message.Previous, GroupTip{Sequence: uint64(1000 + i)})
	}
	message.Previous, message.Sequence = message.Previous[len(message.Previous)-GroupTipsMax:], 1000+GroupTipsMax
	message.Heads, message.Besides = nil, nil
	for i := range OperationParentsMax {
		message.Heads = append(message.Heads, OperationID{byte(i)})
	}
	for i := range GroupBesidesMax {
		message.Besides = append(message.Besides, number(i))
	}
	message.Commit([16]byte{1}, bytes.Repeat([]byte{7}, GroupContentBytesMax))
	if err := message.Sign(memberSeed(1)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Content{
		{Type: ContentGroup, Word: &GroupWord{Sync: &sync}}, {Type: ContentGroup, Word: &GroupWord{Holding: &holding}},
		{Type: ContentGroup, Word: &GroupWord{Want: &ranges}}, {Type: ContentGroupMessage, GroupMessage: &message},
	} {
		b := mustAppend(t, nil, c)
		if _, _, err := DecodeContent(b); err != nil {
			t.Errorf("a content of type %d, %d bytes: %v", c.Type, len(b), err)
		}
	}
}

func TestStockAndAdmissionAreSigned(t *testing.T) {
	mina, jiwoo, haru := identity.AccountSeed{1}, identity.AccountSeed{2}.Public(), identity.AccountSeed{3}.Public()
	k := NewStockedKey(mina, jiwoo, [16]byte{1})
	if !k.Verify(mina.Public(), jiwoo) || k.Verify(jiwoo, haru) || k.Verify(mina.Public(), haru) {
		t.Error("a key counts for whom it was not given by, or to")
	}
	other := k
	other.Nonce[0]++
	if other.Verify(mina.Public(), jiwoo) {
		t.Error("a key counts with another nonce")
	}
	operations := sampleOperations(t)
	a := NewGroupAdmission(operations[0], memberSeed(1), [16]byte{1}, k.Key)
	claimed := a
	claimed.By = memberSeed(2).Public()
	if !a.Verify(k.Key) || a.Verify(memberSeed(3).Public()) || claimed.Verify(k.Key) {
		t.Error("an admission counts for another member, or to another key")
	}
}
