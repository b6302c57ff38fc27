package wire

import (
	"bytes"
	"testing"
)

// mailboxBodies are bodies of the frames between couriers and others, one of each type.
func mailboxBodies() map[Type][]byte {
	item := Item{Type: TypeEnvelope, Body: bytes.Repeat([]byte{7}, 512)}
	key := Key{ID: MailboxID{1}, Capability: Capability{2}}
	orders := []MailboxOrder{
		{ID: MailboxID{1}, Kind: MailboxQueue, Write: Access{1}, Read: Access{2}, ClosesDay: 20000, ExpiresDay: 20014},
		{ID: MailboxID{2}, Kind: MailboxBoard, Write: Access{3}, Read: Access{4}, ClosesDay: 20000, ExpiresDay: 20000},
		{Close: true, ID: MailboxID{3}},
	}
	return map[Type][]byte{
		TypeMailbox:     AppendMailboxOrders(nil, orders),
		TypeDeposit:     Deposit{ID: MailboxID{1}, Write: Capability{2}, Item: item}.Append(nil),
		TypePush:        Push{ID: MailboxID{1}, Item: item}.Append(nil),
		TypeCollect:     AppendCollect(nil, []Key{key, {ID: MailboxID{9}}}),
		TypeReach:       AppendReach(nil, key),
		TypeWithdraw:    Withdraw{Key: key, Items: []ItemHash{{1}, {2}}}.Append(nil),
		TypeAcknowledge: Acknowledge{ID: MailboxID{1}, Word: MailboxStored, Items: []ItemHash{{3}}}.Append(nil),
	}
}

// again parses a body of a frame between couriers and others, and encodes it.
func again(t Type, body []byte) ([]byte, error) {
	switch t {
	case TypeMailbox:
		v, err := ParseMailboxOrders(body)
		return AppendMailboxOrders(nil, v), err
	case TypeDeposit:
		v, err := ParseDeposit(body)
		return v.Append(nil), err
	case TypePush:
		v, err := ParsePush(body)
		return v.Append(nil), err
	case TypeCollect:
		v, err := ParseCollect(body)
		return AppendCollect(nil, v), err
	case TypeReach:
		v, err := ParseReach(body)
		return AppendReach(nil, v), err
	case TypeWithdraw:
		v, err := ParseWithdraw(body)
		return v.Append(nil), err
	}
	v, err := ParseAcknowledge(body)
	return v.Append(nil), err
}

func TestMailboxFrames(t *testing.T) {
	for typ, body := range mailboxBodies() {
		got, err := again(typ, body)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: %v, %d bytes of %d", typ.Name(), err, len(got), len(body))
		}
		least, most, _ := typ.bodySizes()
		if len(body) < least || len(body) > most {
			t.Errorf("%s: %d bytes, limits %d, %d", typ.Name(), len(body), least, most)
		}
		for _, cut := range []int{0, 1, 15, 16, 17, len(body) - 1} {
			if _, err := again(typ, body[:cut]); err == nil && typ != TypeDeposit && typ != TypePush && (typ != TypeAcknowledge || cut != 17) {
				t.Errorf("%s: the first %d bytes parse", typ.Name(), cut)
			}
		}
	}
}

func TestMailboxFramesRefused(t *testing.T) {
	order := MailboxOrder{ID: MailboxID{1}, Kind: MailboxQueue, ClosesDay: 9, ExpiresDay: 9}
	open := AppendMailboxOrders(nil, []MailboxOrder{order})
	change := func(b []byte, at int, to byte) []byte {
		b = bytes.Clone(b)
		b[at] = to
		return b
	}
	id := make([]byte, 16)
	for _, row := range []struct {
		name string
		typ  Type
		body []byte
	}{
		{"order 3", TypeMailbox, change(open, 0, 3)},
		{"kind 3", TypeMailbox, change(open, 17, 3)},
		{"kind 0", TypeMailbox, change(open, 17, 0)},
		{"ends before it closes", TypeMailbox, change(open, len(open)-1, 8)},
		{"closes with more", TypeMailbox, change(open, 0, 2)},
		{"too many orders", TypeMailbox, bytes.Repeat(open, MailboxOrdersMax+1)},
		{"no orders", TypeMailbox, nil},
		{"too many keys", TypeCollect, make([]byte, (CollectKeysMax+1)*48)},
		{"word 0", TypeAcknowledge, append(id, 0)},
		{"word 11", TypeAcknowledge, append(id, 11)},
		{"two keys", TypeReach, make([]byte, 96)},
		{"too many items", TypeAcknowledge, append(append(id, 4), make([]byte, 16*(ItemsMax+1))...)},
		{"nothing withdrawn", TypeWithdraw, make([]byte, 48)},
		{"a hello", TypePush, append(append(id, byte(TypeHello)), make([]byte, 16)...)},
		{"a deposit", TypePush, append(append(id, byte(TypeDeposit)), make([]byte, 600)...)},
		{"a short accept", TypePush, append(append(id, byte(TypeAccept)), make([]byte, AcceptSize-1)...)},
		{"an empty envelope", TypePush, append(id, byte(TypeEnvelope))},
		{"an envelope too long", TypePush, append(append(id, byte(TypeEnvelope)), make([]byte, EnvelopeBytesMax+1)...)},
	} {
		if _, err := again(row.typ, row.body); err != ErrFrame {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// TestAccess shows that what a courier keeps is not what opens the mailbox, and that its
// hello keys differ from day to day.
func TestAccess(t *testing.T) {
	c := Capability{1}
	a := c.Access()
	if bytes.Equal(a[:], c[:]) || a == (Capability{2}).Access() {
		t.Error("an access tells its capability, or that of another")
	}
	if a.HelloKey(1) == a.HelloKey(2) || a.HelloKey(1) == (Capability{2}).Access().HelloKey(1) {
		t.Error("two hello keys are equal")
	}
}

func FuzzMailboxFrames(f *testing.F) {
	for typ, body := range mailboxBodies() {
		f.Add(byte(typ), body)
	}
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		got, err := again(Type(typ), body)
		if err == nil && !bytes.Equal(got, body) {
			t.Errorf("type %d: %x is encoded as %x", typ, body, got)
		}
	})
}
