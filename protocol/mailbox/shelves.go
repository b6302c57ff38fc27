package mailbox

import (
	"crypto/subtle"
	"maps"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Owner names whom a mailbox is kept for: the contact at whose wish it was opened.
type Owner [16]byte

// Terms is what a courier holds for one owner.
type Terms struct {
	QuotaBytes   uint64
	LifetimeDays uint32
}

// Box is one mailbox. The courier stores Order and Owner; the items are rows of their own.
type Box struct {
	Owner Owner
	Order wire.MailboxOrder
	items []Held // in the order of their deposit

	keys    [6]identity.HelloKey // of writer and reader on three days
	keysDay uint32               // the middle one, 0 = not made
}

// Held is one item of a mailbox, without its bytes.
type Held struct {
	Hash      wire.ItemHash
	Number    uint64 // grows with every deposit at this courier
	SizeBytes int
	Expires   int64 // Unix seconds
}

// Items returns what lies in the mailbox, in the order of deposit. The slice belongs to
// the Box and holds until its next change.
func (b *Box) Items() []Held { return b.items }

// OfLink reports whether it is the queue that the holder of a link finds by its write
// capability: its id is derived from that one.
func (b *Box) OfLink() bool { return b.Order.ID == b.Order.Write.MailboxID() }

// Shelves is all that a courier holds. The zero value is empty.
type Shelves struct {
	boxes  map[wire.MailboxID]*Box
	used   map[Owner]uint64 // bytes
	count  map[Owner]int
	number uint64
}

// Box returns a mailbox, or nil.
func (s *Shelves) Box(id wire.MailboxID) *Box { return s.boxes[id] }

// Boxes returns all mailboxes, by id.
func (s *Shelves) Boxes() []*Box {
	out := slices.Collect(maps.Values(s.boxes))
	slices.SortFunc(out, func(a, b *Box) int { return slices.Compare(a.Order.ID[:], b.Order.ID[:]) })
	return out
}

// UsedBytes returns how much lies on the shelves for an owner, and in how many mailboxes.
func (s *Shelves) UsedBytes(owner Owner) (bytes uint64, boxes int) {
	return s.used[owner], s.count[owner]
}

// Restore puts back a mailbox that was stored in an earlier run.
func (s *Shelves) Restore(owner Owner, order wire.MailboxOrder) {
	s.add(&Box{Owner: owner, Order: order})
}

// RestoreItem puts back an item, in the order of their numbers. It reports false if its
// mailbox is not there.
func (s *Shelves) RestoreItem(id wire.MailboxID, h Held) bool {
	b := s.boxes[id]
	if b == nil {
		return false
	}
	s.put(b, h)
	s.number = max(s.number, h.Number)
	return true
}

func (s *Shelves) add(b *Box) {
	if s.boxes == nil {
		s.boxes, s.used, s.count = make(map[wire.MailboxID]*Box), make(map[Owner]uint64), make(map[Owner]int)
	}
	s.boxes[b.Order.ID] = b
	s.count[b.Owner]++
}

func (s *Shelves) put(b *Box, h Held) {
	b.items = append(b.items, h)
	s.used[b.Owner] += cost(h.SizeBytes)
}

func cost(size int) uint64 { return uint64(size) + ItemOverheadBytes }

// Open opens a mailbox for an owner, or gives one of its own that stands other days and
// keys. It reports false if there is no room, or the id is another owner's.
func (s *Shelves) Open(owner Owner, order wire.MailboxOrder) bool {
	if b := s.boxes[order.ID]; b != nil {
		if b.Owner != owner || b.Order.Kind != order.Kind {
			return false
		}
		b.Order, b.keysDay = order, 0
		return true
	}
	if s.count[owner] >= MailboxesPerOwnerMax || len(s.boxes) >= MailboxesMax {
		return false
	}
	s.add(&Box{Owner: owner, Order: order})
	return true
}

// Close takes a mailbox of an owner away, with all that lies in it. It reports false if
// the owner has none of this id.
func (s *Shelves) Close(owner Owner, id wire.MailboxID) bool {
	b := s.boxes[id]
	if b == nil || b.Owner != owner {
		return false
	}
	s.remove(b)
	return true
}

func (s *Shelves) remove(b *Box) {
	for _, h := range b.items {
		s.used[b.Owner] -= cost(h.SizeBytes)
	}
	delete(s.boxes, b.Order.ID)
	if s.count[b.Owner]--; s.count[b.Owner] == 0 {
		delete(s.count, b.Owner)
		delete(s.used, b.Owner)
	}
}

// CloseAll takes away all mailboxes of an owner and returns their ids.
func (s *Shelves) CloseAll(owner Owner) []wire.MailboxID {
	var gone []wire.MailboxID
	for _, b := range s.Boxes() {
		if b.Owner == owner {
			s.remove(b)
			gone = append(gone, b.Order.ID)
		}
	}
	return gone
}

// Placed is what became of a deposit.
type Placed struct {
	Word     wire.MailboxWord // Stored, Full or Closed; 0 = say nothing: a wrong capability looks like no mailbox
	Put      *Held            // the item to be stored, nil if it lies there already
	Replaced []wire.ItemHash  // what it takes the place of, on a board
}

// Deposit places an item of size bytes, if the capability is right.
func (s *Shelves) Deposit(now time.Time, terms Terms, id wire.MailboxID, write wire.Capability, hash wire.ItemHash, size int) Placed {
	b := s.boxes[id]
	if b == nil || !opens(b.Order.Write, write) {
		return Placed{}
	}
	if dayOf(now) > b.Order.ClosesDay {
		return Placed{Word: wire.MailboxClosed}
	}
	if slices.ContainsFunc(b.items, func(h Held) bool { return h.Hash == hash }) {
		return Placed{Word: wire.MailboxStored}
	}
	var replaced []wire.ItemHash
	if b.Order.Kind == wire.MailboxBoard {
		if size > BoardBytesMax {
			return Placed{Word: wire.MailboxFull}
		}
		for _, h := range slices.Clone(b.items) {
			s.erase(b, h.Hash)
			replaced = append(replaced, h.Hash)
		}
	}
	if s.full(b, terms, size) {
		return Placed{Word: wire.MailboxFull, Replaced: replaced}
	}
	s.number++
	h := Held{Hash: hash, Number: s.number, SizeBytes: size, Expires: now.Unix() + int64(terms.LifetimeDays)*24*3600}
	s.put(b, h)
	return Placed{Word: wire.MailboxStored, Put: &h, Replaced: replaced}
}

func (s *Shelves) full(b *Box, terms Terms, size int) bool {
	here := uint64(0)
	for _, h := range b.items {
		here += cost(h.SizeBytes)
	}
	share := max(terms.QuotaBytes/ShareOfQuota, cost(wire.EnvelopeBytesMax))
	return len(b.items) >= itemsMax || here+cost(size) > share || s.used[b.Owner]+cost(size) > terms.QuotaBytes
}

// Reader returns the mailbox that a read capability opens, or nil.
func (s *Shelves) Reader(key wire.Key) *Box {
	if b := s.boxes[key.ID]; b != nil && opens(b.Order.Read, key.Capability) {
		return b
	}
	return nil
}

// Writer returns the mailbox that a write capability opens, or nil.
func (s *Shelves) Writer(key wire.Key) *Box {
	if b := s.boxes[key.ID]; b != nil && opens(b.Order.Write, key.Capability) {
		return b
	}
	return nil
}

// Erase takes items out of a mailbox and returns those that were there.
func (s *Shelves) Erase(b *Box, items []wire.ItemHash) []wire.ItemHash {
	var gone []wire.ItemHash
	for _, hash := range items {
		if s.erase(b, hash) {
			gone = append(gone, hash)
		}
	}
	return gone
}

func (s *Shelves) erase(b *Box, hash wire.ItemHash) bool {
	i := slices.IndexFunc(b.items, func(h Held) bool { return h.Hash == hash })
	if i < 0 {
		return false
	}
	s.used[b.Owner] -= cost(b.items[i].SizeBytes)
	b.items = slices.Delete(b.items, i, i+1)
	return true
}

// Expired takes away what has reached its end: mailboxes, whose items go with them, and
// items of others, by mailbox.
func (s *Shelves) Expired(now time.Time) (boxes []wire.MailboxID, items map[wire.MailboxID][]wire.ItemHash) {
	for _, b := range s.Boxes() {
		if dayOf(now) > b.Order.ExpiresDay {
			s.remove(b)
			boxes = append(boxes, b.Order.ID)
			continue
		}
		for _, h := range slices.Clone(b.items) {
			if h.Expires > now.Unix() {
				continue
			}
			s.erase(b, h.Hash)
			if items == nil {
				items = make(map[wire.MailboxID][]wire.ItemHash)
			}
			items[b.Order.ID] = append(items[b.Order.ID], h.Hash)
		}
	}
	return boxes, items
}

// Hear finds the mailbox whose writer or reader made a hello tag: its key of the day, or
// of the days beside it. All are tried, so that time tells nothing.
func (s *Shelves) Hear(today uint32, tag identity.HelloTag, dialer, listener identity.TransportKey) (found *Box, key identity.HelloKey) {
	for _, b := range s.boxes {
		if k, ok := identity.Match(b.listen(today), tag, identity.FromDialer, dialer, listener); ok && found == nil {
			found, key = b, k
		}
	}
	return found, key
}

func (b *Box) listen(today uint32) []identity.HelloKey {
	if b.keysDay != today {
		b.keysDay = today
		for i, day := range [3]uint32{today - 1, today, today + 1} {
			b.keys[2*i] = identity.HelloKey{Day: day, Key: b.Order.Write.HelloKey(day)}
			b.keys[2*i+1] = identity.HelloKey{Day: day, Key: b.Order.Read.HelloKey(day)}
		}
	}
	return b.keys[:]
}

func opens(access wire.Access, capability wire.Capability) bool {
	of := capability.Access()
	return subtle.ConstantTimeCompare(access[:], of[:]) == 1
}

func dayOf(now time.Time) uint32 { return uint32(now.Unix() / (24 * 3600)) }
