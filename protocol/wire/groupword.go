package wire

import (
	"bytes"
	"slices"

	"pabal/protocol/identity"
)

// GroupWord is what members of a group tell each other beside messages, and contacts for groups
// to come (spec, "Groups in contents"); one of its fields is set.
type GroupWord struct {
	Operation *GroupOperation
	Leave     *GroupLeave
	Profile   *GroupProfile
	Sync      *GroupSync
	Want      *GroupRanges // asks for messages
	Absent    *GroupRanges // of what was asked for these are not there
	Holding   *GroupHolding
	Stock     GroupStock
	Admission *GroupAdmission

	other []byte // of a kind that is not known: it says nothing
}

// GroupStock are member keys that a contact may be added to groups by, 1 to GroupStockMax, each to one.
type GroupStock []StockedKey

// StockedKey is one of them. Its owner makes the secret of the nonce anew when it is used
// ([identity.AccountSeed.Member]), and so needs to keep none.
type StockedKey struct {
	Nonce [16]byte
	Key   identity.MemberKey
	// Signature is the key's, so that nobody gives somebody else's for their own.
	Signature identity.Signature
}

// NewStockedKey makes a key that an account gives another one.
func NewStockedKey(account identity.AccountSeed, to identity.AccountPublic, nonce [16]byte) StockedKey {
	seed := account.Member(to, nonce)
	k := StockedKey{Nonce: nonce, Key: seed.Public()}
	k.Signature = seed.Sign(k.signed(account.Public(), to))
	return k
}

// Verify reports whether an account has given the key to another one.
func (k *StockedKey) Verify(by, to identity.AccountPublic) bool {
	return k.Key.Verify(k.signed(by, to), k.Signature)
}

func (k *StockedKey) signed(by, to identity.AccountPublic) []byte {
	return identity.LabelStock.Join(by[:], to[:], k.Nonce[:])
}

// GroupAdmission says to a contact that the sender has added them to a group.
type GroupAdmission struct {
	// First is the operation that begins the group.
	First GroupOperation
	// Nonce is that of the key by which the contact was added.
	Nonce [16]byte
	// By is the sender's key in the group.
	By identity.MemberKey
	// Signature is that of By.
	Signature identity.Signature
}

// NewGroupAdmission makes the word of a member, whose secret seed is, to whom they have added by a key.
func NewGroupAdmission(first GroupOperation, seed identity.MemberSeed, nonce [16]byte, whom identity.MemberKey) GroupAdmission {
	a := GroupAdmission{First: first, Nonce: nonce, By: seed.Public()}
	a.Signature = seed.Sign(a.signed(whom))
	return a
}

// Verify reports whether By has said so to the owner of a key.
func (a *GroupAdmission) Verify(whom identity.MemberKey) bool {
	return a.By.Verify(a.signed(whom), a.Signature)
}

func (a *GroupAdmission) signed(whom identity.MemberKey) []byte {
	group := a.First.ID()
	return identity.LabelAdmission.Join(group[:], whom[:])
}

// The kinds of words.
const (
	wordOperation = 1 + iota
	wordLeave
	wordProfile
	wordSync
	wordWant
	wordAbsent
	wordHolding
	wordStock
	wordAdmission
)

// append appends the word's kind and bytes to dst; nothing if it has none.
func (w *GroupWord) append(dst []byte) []byte {
	switch {
	case w.Operation != nil:
		return w.Operation.Append(append(dst, wordOperation))
	case w.Leave != nil:
		return w.Leave.Append(append(dst, wordLeave))
	case w.Profile != nil:
		return w.Profile.Append(append(dst, wordProfile))
	case w.Sync != nil:
		return w.Sync.Append(append(dst, wordSync))
	case w.Want != nil:
		return w.Want.Append(append(dst, wordWant))
	case w.Absent != nil:
		return w.Absent.Append(append(dst, wordAbsent))
	case w.Holding != nil:
		return w.Holding.Append(append(dst, wordHolding))
	case w.Stock != nil:
		return w.Stock.append(append(dst, wordStock))
	case w.Admission != nil:
		return w.Admission.append(append(dst, wordAdmission))
	}
	return append(dst, w.other...)
}

// parseGroupWord reads a word. Errors: ErrGroupOperation, ErrGroupSync.
func parseGroupWord(b []byte) (w GroupWord, err error) {
	if len(b) == 0 || b[0] == 0 {
		return w, ErrGroupSync
	}
	switch kind, b := b[0], b[1:]; kind {
	case wordOperation:
		w.Operation, err = parsed(ParseGroupOperation(b))
	case wordLeave:
		w.Leave, err = parsed(ParseGroupLeave(b))
	case wordProfile:
		w.Profile, err = parsed(ParseGroupProfile(b))
	case wordSync:
		w.Sync, err = parsed(ParseGroupSync(b))
	case wordWant:
		w.Want, err = parsed(ParseGroupRanges(b))
	case wordAbsent:
		w.Absent, err = parsed(ParseGroupRanges(b))
	case wordHolding:
		w.Holding, err = parsed(ParseGroupHolding(b))
	case wordStock:
		w.Stock, err = parseStock(b)
	case wordAdmission:
		w.Admission, err = parsed(parseAdmission(b))
	default:
		w.other = bytes.Clone(append([]byte{kind}, b...))
	}
	return w, err
}

// parsed returns what was parsed, for a field of a word.
func parsed[T any](v T, err error) (*T, error) { return &v, err }

func (s GroupStock) append(dst []byte) []byte {
	for _, k := range s {
		dst = append(append(append(dst, k.Nonce[:]...), k.Key[:]...), k.Signature[:]...)
	}
	return dst
}

const stockedSize = 16 + 32 + 64

func parseStock(b []byte) (GroupStock, error) {
	if len(b) == 0 || len(b)%stockedSize != 0 || len(b) > GroupStockMax*stockedSize {
		return nil, ErrGroupSync
	}
	var out GroupStock
	for one := range slices.Chunk(b, stockedSize) {
		out = append(out, StockedKey{Nonce: [16]byte(one), Key: identity.MemberKey(one[16:48]), Signature: identity.Signature(one[48:])})
	}
	return out, nil
}

func (a *GroupAdmission) append(dst []byte) []byte {
	dst = append(append(append(dst, a.Nonce[:]...), a.By[:]...), a.Signature[:]...)
	return a.First.Append(dst)
}

func parseAdmission(b []byte) (a GroupAdmission, err error) {
	r := reader{b: b}
	r.bytes(a.Nonce[:])
	r.bytes(a.By[:])
	r.bytes(a.Signature[:])
	if r.failed() {
		return a, ErrGroupSync
	}
	a.First, err = ParseGroupOperation(bytes.Clone(r.b))
	if err == nil && a.First.Kind != OperationCreate {
		err = ErrGroupOperation
	}
	return a, err
}
