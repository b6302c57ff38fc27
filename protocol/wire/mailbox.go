package wire

import (
	"encoding/binary"

	"pabal/protocol/identity"
)

// MailboxID names a mailbox at a courier: 16 random bytes, or derived from a link.
type MailboxID [16]byte

// ItemHash names what lies in a mailbox: the first 16 bytes of the SHA-256 of the frame
// type and the bytes that were deposited.
type ItemHash [16]byte

// HashItem returns the name of an item.
func HashItem(t Type, body []byte) ItemHash {
	sum := identity.Hash(append([]byte{byte(t)}, body...))
	return ItemHash(sum[:])
}

// Access is what a courier keeps of a capability: whoever reads the courier's disk has
// nothing that opens a mailbox elsewhere.
type Access [32]byte

// Access returns what a courier keeps of the capability.
func (c Capability) Access() Access { return identity.LabelAccess.Hash(c[:]) }

// HelloKey returns the key under which the holder of the capability says hello to the
// courier on a day (days since 1970-01-01 UTC).
func (a Access) HelloKey(day uint32) [32]byte {
	return identity.ExpandKey(a, identity.LabelMailboxHello.Join(identity.Uint32(day)))
}

// MailboxID names the mailbox that the holder of one capability finds without being told
// an id: those of an invite.
func (a Access) MailboxID() MailboxID {
	id := identity.LabelMailboxID.Hash(a[:])
	return MailboxID(id[:])
}

// MailboxKind says how a mailbox is emptied.
type MailboxKind uint8

// The kinds of mailboxes.
const (
	// MailboxQueue holds items until its reader says that it has them.
	MailboxQueue MailboxKind = 1
	// MailboxBoard holds one item, the last deposited, for every reader.
	MailboxBoard MailboxKind = 2
)

// MailboxOrder is what an owner asks of a courier: to open a mailbox, or to close it. An
// order may be repeated; one that opens a mailbox that stands changes its days.
type MailboxOrder struct {
	Close       bool // then only ID counts
	ID          MailboxID
	Kind        MailboxKind
	Write, Read Access
	// ClosesDay is the last day on which deposits are taken, ExpiresDay the last on
	// which anything is held.
	ClosesDay, ExpiresDay uint32
}

const (
	orderOpen  = 1
	orderClose = 2

	mailboxOrderSize = 1 + 16 + 1 + 32 + 32 + 4 + 4
)

// AppendMailboxOrders appends the body of a mailbox frame: 1 to MailboxOrdersMax orders.
func AppendMailboxOrders(dst []byte, orders []MailboxOrder) []byte {
	for _, o := range orders {
		if o.Close {
			o = MailboxOrder{Close: true, ID: o.ID}
			dst = append(dst, orderClose)
		} else {
			dst = append(dst, orderOpen)
		}
		dst = append(dst, o.ID[:]...)
		dst = append(dst, byte(o.Kind))
		dst = append(dst, o.Write[:]...)
		dst = append(dst, o.Read[:]...)
		dst = binary.BigEndian.AppendUint32(dst, o.ClosesDay)
		dst = binary.BigEndian.AppendUint32(dst, o.ExpiresDay)
	}
	return dst
}

// ParseMailboxOrders reads the body of a mailbox frame. Error: ErrFrame.
func ParseMailboxOrders(body []byte) ([]MailboxOrder, error) {
	n := len(body) / mailboxOrderSize
	if n == 0 || n > MailboxOrdersMax || len(body)%mailboxOrderSize != 0 {
		return nil, ErrFrame
	}
	r := reader{b: body}
	list := make([]MailboxOrder, n)
	for i := range list {
		o := &list[i]
		op := r.byte()
		r.bytes(o.ID[:])
		o.Kind = MailboxKind(r.byte())
		r.bytes(o.Write[:])
		r.bytes(o.Read[:])
		o.ClosesDay, o.ExpiresDay = r.uint32(), r.uint32()
		switch op {
		case orderClose:
			o.Close = true
			if *o != (MailboxOrder{Close: true, ID: o.ID}) {
				return nil, ErrFrame
			}
		case orderOpen:
			if o.Kind != MailboxQueue && o.Kind != MailboxBoard || o.ExpiresDay < o.ClosesDay {
				return nil, ErrFrame
			}
		default:
			return nil, ErrFrame
		}
	}
	return list, nil
}

// Deposit leaves an item in a mailbox: a frame as it would go to the owner itself.
type Deposit struct {
	ID    MailboxID
	Write Capability
	Item  Item
}

// Item is a frame that lies in a mailbox. Its Body belongs to whoever holds the Item.
type Item struct {
	Type Type
	Body []byte
}

// Hash returns the item's name.
func (i Item) Hash() ItemHash { return HashItem(i.Type, i.Body) }

// MayLie reports whether a frame of this type may lie in a mailbox, at that size.
func (i Item) MayLie() bool {
	switch i.Type {
	case TypeEnvelope, TypeRequest, TypeAccept, TypeBundleAnswer:
		least, most, _ := i.Type.bodySizes()
		return len(i.Body) >= least && len(i.Body) <= most
	}
	return false
}

// Append appends the body of a deposit frame.
func (d Deposit) Append(dst []byte) []byte {
	dst = append(dst, d.ID[:]...)
	dst = append(dst, d.Write[:]...)
	dst = append(dst, byte(d.Item.Type))
	return append(dst, d.Item.Body...)
}

// ParseDeposit reads the body of a deposit frame, whose bytes the Item shares. Error: ErrFrame.
func ParseDeposit(body []byte) (Deposit, error) {
	var d Deposit
	r := reader{b: body}
	r.bytes(d.ID[:])
	r.bytes(d.Write[:])
	d.Item.Type, d.Item.Body = Type(r.byte()), r.b
	if r.failed() || !d.Item.MayLie() {
		return Deposit{}, ErrFrame
	}
	return d, nil
}

// Push hands over what lies in a mailbox.
type Push struct {
	ID   MailboxID
	Item Item
}

// Append appends the body of a push frame.
func (p Push) Append(dst []byte) []byte {
	dst = append(dst, p.ID[:]...)
	dst = append(dst, byte(p.Item.Type))
	return append(dst, p.Item.Body...)
}

// ParsePush reads the body of a push frame, whose bytes the Item shares. Error: ErrFrame.
func ParsePush(body []byte) (Push, error) {
	var p Push
	r := reader{b: body}
	r.bytes(p.ID[:])
	p.Item.Type, p.Item.Body = Type(r.byte()), r.b
	if r.failed() || !p.Item.MayLie() {
		return Push{}, ErrFrame
	}
	return p, nil
}

// Key opens one mailbox: to read, or to take back.
type Key struct {
	ID         MailboxID
	Capability Capability
}

const mailboxKeySize = 16 + CapabilitySize

// AppendCollect appends the body of a collect frame: 1 to CollectKeysMax read keys.
func AppendCollect(dst []byte, keys []Key) []byte {
	for _, k := range keys {
		dst = append(dst, k.ID[:]...)
		dst = append(dst, k.Capability[:]...)
	}
	return dst
}

// ParseCollect reads the body of a collect frame. Error: ErrFrame.
func ParseCollect(body []byte) ([]Key, error) {
	n := len(body) / mailboxKeySize
	if n == 0 || n > CollectKeysMax || len(body)%mailboxKeySize != 0 {
		return nil, ErrFrame
	}
	r := reader{b: body}
	list := make([]Key, n)
	for i := range list {
		r.bytes(list[i].ID[:])
		r.bytes(list[i].Capability[:])
	}
	return list, nil
}

// AppendReach appends the body of a reach frame: the key with the write capability.
func AppendReach(dst []byte, k Key) []byte { return AppendCollect(dst, []Key{k}) }

// ParseReach reads the body of a reach frame. Error: ErrFrame.
func ParseReach(body []byte) (Key, error) {
	list, err := ParseCollect(body)
	if err != nil || len(list) != 1 {
		return Key{}, ErrFrame
	}
	return list[0], nil
}

// Withdraw takes deposited items back.
type Withdraw struct {
	Key   Key // the write capability
	Items []ItemHash
}

// Append appends the body of a withdraw frame: 1 to ItemsMax items.
func (w Withdraw) Append(dst []byte) []byte {
	dst = AppendCollect(dst, []Key{w.Key})
	return appendHashes(dst, w.Items)
}

// ParseWithdraw reads the body of a withdraw frame. Error: ErrFrame.
func ParseWithdraw(body []byte) (Withdraw, error) {
	var w Withdraw
	r := reader{b: body}
	r.bytes(w.Key.ID[:])
	r.bytes(w.Key.Capability[:])
	items, ok := r.hashes()
	if !ok || len(items) == 0 {
		return Withdraw{}, ErrFrame
	}
	w.Items = items
	return w, nil
}

// MailboxWord is what is said of a mailbox or of items in it.
type MailboxWord uint8

// The words of an acknowledge frame.
const (
	MailboxOpened    MailboxWord = 1  // courier: the mailbox stands
	MailboxRefused   MailboxWord = 2  // courier: it was not opened, there is no room
	MailboxClosed    MailboxWord = 3  // courier: it is gone, or takes no deposits any more
	MailboxStored    MailboxWord = 4  // courier: the items are on its disk
	MailboxFull      MailboxWord = 5  // courier: the items found no room
	MailboxWithdrawn MailboxWord = 6  // courier: the items are gone
	MailboxAll       MailboxWord = 7  // courier: all that lay there was pushed
	MailboxReceived  MailboxWord = 8  // reader: the items are on its disk
	MailboxReachable MailboxWord = 9  // courier: its owner is here, you may be connected
	MailboxAway      MailboxWord = 10 // courier: its owner is not here now
)

// Acknowledge says something of a mailbox: between courier and owner, reader or depositor.
type Acknowledge struct {
	ID    MailboxID
	Word  MailboxWord
	Items []ItemHash // at most ItemsMax; none where the word is of the mailbox
}

// Append appends the body of an acknowledge frame.
func (a Acknowledge) Append(dst []byte) []byte {
	dst = append(dst, a.ID[:]...)
	dst = append(dst, byte(a.Word))
	return appendHashes(dst, a.Items)
}

// ParseAcknowledge reads the body of an acknowledge frame. Error: ErrFrame.
func ParseAcknowledge(body []byte) (Acknowledge, error) {
	var a Acknowledge
	r := reader{b: body}
	r.bytes(a.ID[:])
	a.Word = MailboxWord(r.byte())
	items, ok := r.hashes()
	if !ok || a.Word < MailboxOpened || a.Word > MailboxAway {
		return Acknowledge{}, ErrFrame
	}
	a.Items = items
	return a, nil
}

func appendHashes(dst []byte, items []ItemHash) []byte {
	for _, h := range items {
		dst = append(dst, h[:]...)
	}
	return dst
}

// hashes reads item hashes to the end.
func (r *reader) hashes() ([]ItemHash, bool) {
	n := len(r.b) / len(ItemHash{})
	if r.failed() || n > ItemsMax || len(r.b)%len(ItemHash{}) != 0 {
		return nil, false
	}
	var list []ItemHash
	for range n {
		var h ItemHash
		r.bytes(h[:])
		list = append(list, h)
	}
	return list, true
}
