package protocol

import (
	"io"
	"iter"
	"slices"
	"time"

	"pabal/protocol/mailbox"
	"pabal/protocol/wire"
)

// This file is the owner's role: the mailboxes that contacts and others keep for us, one
// for each contact that may leave mail in it.

// box is a mailbox of ours at a courier, for the deposits of one contact.
type box struct {
	Courier  ContactID       `cbor:"1,keyasint"`
	ID       wire.MailboxID  `cbor:"2,keyasint"`
	Write    wire.Capability `cbor:"3,keyasint"`
	Read     wire.Capability `cbor:"4,keyasint"`
	Opened   uint32          `cbor:"5,keyasint"` // day
	Standing bool            `cbor:"6,keyasint,omitempty"`
	Refused  bool            `cbor:"7,keyasint,omitempty"` // the courier has no room; asked again each day

	Kind  wire.MailboxKind `cbor:"8,keyasint,omitempty"` // 0 = queue
	Until uint32           `cbor:"9,keyasint,omitempty"` // the day on which it closes, 0 = as those of contacts do
}

// holder is whom a mailbox of ours is for: exactly one of them.
type holder struct {
	contact *contact    // leaves mail in it
	invite  *invitation // its bundle lies there, or requests to it come
	request *request    // its accept lies there
	renewal *contact    // the accept of its renewal lies there
}

// boxes returns all our mailboxes, with whom they are for.
func (p *Peer) boxes() iter.Seq2[holder, *box] {
	return func(yield func(holder, *box) bool) {
		for h, boxes := range p.boxLists() {
			for i := range *boxes {
				if !yield(h, &(*boxes)[i]) {
					return
				}
			}
		}
	}
}

func (p *Peer) boxLists() iter.Seq2[holder, *[]box] {
	return func(yield func(holder, *[]box) bool) {
		for _, c := range p.contactsInOrder() {
			if !yield(holder{contact: c}, &c.state.Boxes) || !yield(holder{renewal: c}, &c.state.AcceptBoxes) {
				return
			}
		}
		for _, v := range p.invitesInOrder() {
			if !yield(holder{invite: v}, &v.state.Boxes) {
				return
			}
		}
		for _, r := range p.requestsInOrder() {
			if !yield(holder{request: r}, &r.state.Boxes) {
				return
			}
		}
	}
}

// touchHolder has the row written that a mailbox is in.
func (p *Peer) touchHolder(h holder) {
	switch {
	case h.contact != nil:
		p.touchContact(h.contact)
	case h.renewal != nil:
		p.touchContact(h.renewal)
	case h.invite != nil:
		p.touchInvite(h.invite)
	default:
		p.touchRequest(h.request)
	}
}

func (b *box) closesDay() uint32 {
	if b.Until > 0 {
		return b.Until
	}
	return b.Opened + boxRenewDays + boxKeptDays
}

func (b *box) kind() wire.MailboxKind {
	if b.Kind == 0 {
		return wire.MailboxQueue
	}
	return b.Kind
}

func (b *box) order(terms *mailbox.Terms) wire.MailboxOrder {
	return wire.MailboxOrder{
		ID: b.ID, Kind: b.kind(), Write: b.Write.Access(), Read: b.Read.Access(),
		ClosesDay: b.closesDay(), ExpiresDay: b.closesDay() + terms.LifetimeDays,
	}
}

// boxesAt returns the mailboxes for a contact's deposits that stand at a courier.
func (c *contact) boxesAt(courier ContactID) iter.Seq[*box] {
	return func(yield func(*box) bool) {
		for i := range c.state.Boxes {
			if b := &c.state.Boxes[i]; b.Courier == courier && b.Standing && !yield(b) {
				return
			}
		}
	}
}

// courier reports whether the contact keeps mail for us, and we let it.
func (c *contact) courier() bool {
	return c.state.Courier != nil && !c.state.Declined && c.state.PartingSince == 0 && c.row.Phase == ContactEstablished && !c.row.Blocked
}

// termsReceived takes note that a contact helps us, on which terms, or no longer.
func (p *Peer) termsReceived(c *contact, terms *wire.CourierTerms) {
	if c.row.Role == RoleOwner {
		if terms == nil {
			p.ownerLeft(c)
		}
		return
	}
	if c.row.Role == RoleHome && c.state.Declined {
		return // of before it knew that we have ended it
	}
	if terms == nil {
		if c.state.Courier == nil {
			if c.row.Role == RoleHome {
				p.part(p.lastNow, c)
			}
			return
		}
		c.state.Courier = nil
		p.leaveCourier(c)
		if c.row.Role == RoleHome {
			c.state.Closing = nil // it has closed them all
			p.part(p.lastNow, c)
		}
	} else {
		c.state.Courier = &mailbox.Terms{QuotaBytes: terms.QuotaBytes, LifetimeDays: terms.LifetimeDays}
		c.state.PartingSince = 0
		p.furnishDue = true
	}
	p.greetRelays(c)
	p.touchContact(c)
	p.event(Event{Type: CourierUpdated, Contact: c.row.ID})
}

// leaveCourier forgets our mailboxes at a courier; it is told when it is reached.
func (p *Peer) leaveCourier(courier *contact) {
	for h, boxes := range p.boxLists() {
		n := len(*boxes)
		*boxes = p.closeBoxes(*boxes, func(b *box) bool { return b.Courier == courier.row.ID })
		if len(*boxes) == n {
			continue
		}
		p.touchHolder(h)
		if h.contact != nil {
			p.changedBoxes(h.contact)
		}
	}
	p.furnishDue = true
	p.touchContact(courier)
	for _, k := range courier.conns {
		p.greetCourier(courier, k)
	}
}

// closeMailboxes has our couriers close the mailboxes in which a contact left mail: whoever
// can still open one learns there whether we are on.
func (p *Peer) closeMailboxes(c *contact) {
	c.state.Boxes = p.closeBoxes(c.state.Boxes, anyBox)
	c.state.AcceptBoxes = p.closeBoxes(c.state.AcceptBoxes, anyBox)
}

// changedBoxes tells a contact where to leave mail now.
func (p *Peer) changedBoxes(c *contact) {
	p.touchContact(c)
	if len(c.sessions) > 0 && !c.row.Blocked {
		c.recordDue = true
	}
}

// couriers returns the contacts that keep mail for us, the best first.
func (p *Peer) couriers() []*contact {
	var out []*contact
	for _, c := range p.contactsInOrder() {
		if c.courier() {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, better)
	return out
}

// furnish sees to it that every contact has a mailbox at each of our couriers, at most
// at as many as a record names, renews those that are a month old, and forgets the closed.
func (p *Peer) furnish(now time.Time) {
	p.furnishDue = false
	today, couriers := dayOf(now), p.couriers()
	if len(couriers) == 0 {
		return
	}
	for _, c := range p.contactsInOrder() {
		if c.row.Phase != ContactEstablished || c.row.Blocked || c.row.Role != RolePerson {
			continue
		}
		p.forgetBoxes(c, today)
		if !p.furnishContact(c, couriers, today) {
			return // the random source failed: the next scan tries again
		}
	}
	if p.answerAll(now) != nil {
		return // so it does here
	}
	p.furnishDue = false // the boards of accepts have just been made
	for _, courier := range couriers {
		for _, k := range courier.conns {
			p.greetCourier(courier, k)
		}
	}
}

// answerAll has the boards made that accepts lack, at couriers that were not known well
// enough when they were given.
func (p *Peer) answerAll(now time.Time) error {
	for _, c := range p.contactsInOrder() {
		if err := p.answerRepair(now, c); err != nil {
			return err
		}
	}
	for _, r := range p.requestsInOrder() {
		if err := p.answerByCourier(now, r); err != nil {
			return err
		}
	}
	return nil
}

// furnishContact makes the mailboxes that a contact lacks; where one was refused another
// courier takes its place. It reports false if the random source failed.
func (p *Peer) furnishContact(c *contact, couriers []*contact, today uint32) bool {
	have := 0
	for _, courier := range couriers {
		if courier == c || have == wire.RecordMailboxesMax {
			continue
		}
		b := c.currentBox(courier.row.ID, today)
		if b == nil && !p.newBox(c, courier, today) {
			return false
		}
		if b == nil || !b.Refused && !courier.lost() {
			have++
		}
	}
	return true
}

// forgetBoxes drops mailboxes in which nothing can lie any more.
func (p *Peer) forgetBoxes(c *contact, today uint32) {
	c.state.Boxes = slices.DeleteFunc(c.state.Boxes, func(b box) bool {
		return today > b.closesDay()+wire.CourierDaysMax
	})
}

// currentBox returns the newest mailbox for a contact at a courier if it need not be renewed.
func (c *contact) currentBox(courier ContactID, today uint32) *box {
	for i := range c.state.Boxes {
		if b := &c.state.Boxes[i]; b.Courier == courier && today < b.Opened+boxRenewDays && today+boxRenewDays >= b.Opened {
			return b
		}
	}
	return nil
}

func (p *Peer) newBox(c, courier *contact, today uint32) bool {
	b := box{Courier: courier.row.ID, Opened: today}
	for _, dst := range [][]byte{b.ID[:], b.Write[:], b.Read[:]} {
		if _, err := io.ReadFull(p.random, dst); err != nil {
			return false
		}
	}
	c.state.Boxes = append(c.state.Boxes, b)
	p.touchContact(c)
	return true
}

// orderOn is what is asked of a courier once a connection, and once a day as long as it has
// not done it.
type orderOn struct {
	id    wire.MailboxID
	close bool
}

func (p *Peer) orderDue(k *conn, o orderOn) bool { return p.lastNow.Sub(k.ordered[o]) >= orderAgain }

// greetCourier says to a courier of ours which mailboxes to open and close, and collects
// from those that stand.
func (p *Peer) greetCourier(courier *contact, k *conn) {
	var orders []wire.MailboxOrder
	var keys []wire.Key
	for _, id := range courier.state.Closing {
		if p.orderDue(k, orderOn{id, true}) {
			orders = append(orders, wire.MailboxOrder{Close: true, ID: id})
		}
	}
	if courier.courier() {
		for h, b := range p.boxes() {
			again := h.contact == nil // they are few, and the courier may have forgotten them
			switch {
			case b.Courier != courier.row.ID:
			case (!b.Standing || again) && p.orderDue(k, orderOn{b.ID, false}):
				orders = append(orders, b.order(courier.state.Courier))
			case b.Standing && !again && !k.collecting[b.ID]:
				keys = append(keys, p.collects(k, b))
			}
		}
	}
	for _, o := range orders {
		if k.ordered == nil {
			k.ordered = make(map[orderOn]time.Time)
		}
		k.ordered[orderOn{o.ID, o.Close}] = p.lastNow
	}
	for part := range slices.Chunk(orders, wire.MailboxOrdersMax) {
		p.send(SendFrame{Conn: k.id, Type: wire.TypeMailbox, Body: wire.AppendMailboxOrders(nil, part)})
	}
	for part := range slices.Chunk(keys, wire.CollectKeysMax) {
		p.send(SendFrame{Conn: k.id, Type: wire.TypeCollect, Body: wire.AppendCollect(nil, part)})
	}
}

// greetCourierAnew says to a contact once more what a courier is to do, on each path: while it had lost
// our session it may have taken none of these for a path.
func (p *Peer) greetCourierAnew(c *contact) {
	for _, k := range c.conns {
		clear(k.ordered)
		for _, b := range p.boxes() {
			if b.Courier == c.row.ID {
				delete(k.collecting, b.ID)
			}
		}
		p.greetCourier(c, k)
	}
}

func (p *Peer) collects(k *conn, b *box) wire.Key {
	if k.collecting == nil {
		k.collecting = make(map[wire.MailboxID]bool)
	}
	k.collecting[b.ID] = true
	return wire.Key{ID: b.ID, Capability: b.Read}
}

// boxOf finds a mailbox of ours at a courier, and whom it is for.
func (p *Peer) boxOf(id wire.MailboxID, courier *contact) (holder, *box) {
	if courier == nil {
		return holder{}, nil
	}
	for h, b := range p.boxes() {
		if b.ID == id && b.Courier == courier.row.ID {
			return h, b
		}
	}
	return holder{}, nil
}

// courierSaid takes what a courier of ours says of a mailbox.
func (p *Peer) courierSaid(courier *contact, k *conn, a wire.Acknowledge) {
	if a.Word == wire.MailboxClosed {
		courier.state.Closing = slices.DeleteFunc(courier.state.Closing, func(id wire.MailboxID) bool { return id == a.ID })
		p.touchContact(courier)
		if courier.state.PartingSince != 0 {
			p.dueBy(p.lastNow.Add(partingMin))
		}
	}
	h, b := p.boxOf(a.ID, courier)
	if b == nil {
		return
	}
	switch a.Word {
	case wire.MailboxOpened:
		if !b.Standing {
			b.Standing, b.Refused = true, false
			p.touchHolder(h)
			if h.contact != nil {
				p.changedBoxes(h.contact)
			}
			p.event(Event{Type: CourierUpdated, Contact: courier.row.ID})
		}
		if b.kind() == wire.MailboxBoard {
			p.post(k, h, b)
			return
		}
		key := p.collects(k, b)
		p.send(SendFrame{Conn: k.id, Type: wire.TypeCollect, Body: wire.AppendCollect(nil, []wire.Key{key})})
	case wire.MailboxRefused:
		b.Refused = true
		p.touchHolder(h)
	case wire.MailboxClosed:
		if b.Standing && k.collecting[b.ID] { // it has forgotten that it opened it
			b.Standing = false
			delete(k.collecting, b.ID)
			p.touchHolder(h)
			p.furnishDue = true
		}
	}
}

// pushReceived takes an item out of a mailbox of ours. What it is worth is another
// matter: the courier may erase it in any case, since whoever left it there keeps its own
// until we acknowledge it.
func (p *Peer) pushReceived(now time.Time, k *conn, body []byte) error {
	in, err := wire.ParsePush(body)
	if err != nil {
		return nil
	}
	received := wire.Acknowledge{ID: in.ID, Word: wire.MailboxReceived, Items: []wire.ItemHash{in.Item.Hash()}}
	switch h, b := p.boxOf(in.ID, k.contact); {
	case b == nil:
		if !k.collecting[in.ID] {
			return nil // we have asked for nothing there
		}
		if err := p.slotPushed(now, k, in); err != nil {
			return err
		}
	case h.contact != nil && !h.contact.row.Blocked && in.Item.Type == wire.TypeEnvelope:
		if err := p.carriedEnvelope(now, h.contact, in.Item.Body); err != nil {
			return err
		}
	case h.contact != nil && !h.contact.row.Blocked && in.Item.Type == wire.TypeRequest:
		if err := p.repairLeft(now, h.contact, in.Item.Body); err != nil {
			return err
		}
	case h.invite != nil && in.Item.Type == wire.TypeRequest:
		taken, err := p.requestLeft(now, h.invite, k, received, in.Item.Body)
		if err != nil {
			return err
		}
		if !taken {
			if k.left == nil {
				k.left = make(map[wire.MailboxID]bool)
			}
			k.left[in.ID] = true
			return nil
		}
	}
	p.say(k, received)
	return nil
}

// boxesByCourier returns the mailboxes for a contact's deposits: those at the best courier
// first, of these the newest.
func (c *contact) boxesByCourier(p *Peer) (out []*box) {
	for i := range c.state.Boxes {
		if b := &c.state.Boxes[len(c.state.Boxes)-1-i]; p.contacts[b.Courier] != nil {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b *box) int { return better(p.contacts[a.Courier], p.contacts[b.Courier]) })
	return out
}

// whereToLeaveMail fills the couriers and mailboxes of a record for a contact with those
// that are to be named.
func (p *Peer) whereToLeaveMail(now time.Time, c *contact, record *wire.AddressRecord, named func(*box) bool) {
	today := dayOf(now)
	var more []wire.Courier // addresses of those that have one there
	for _, b := range c.boxesByCourier(p) {
		courier := p.contacts[b.Courier]
		if len(record.Mailboxes) == wire.RecordMailboxesMax || !courier.courier() || today > b.closesDay() || !named(b) {
			continue
		}
		r := courier.state.Record
		if r == nil || len(r.Keys) != 1 || slices.ContainsFunc(record.Mailboxes, func(m wire.Mailbox) bool { return m.Courier == r.Keys[0] }) {
			continue // no courier yet, or an older mailbox there
		}
		places := p.retold(courier, p.pairTag(c))
		for i, a := range places[:min(len(places), courierAddressesMax)] {
			if at := (wire.Courier{Key: r.Keys[0], Address: a}); i == 0 && len(record.Couriers) < wire.RecordCouriersMax {
				record.Couriers = append(record.Couriers, at)
			} else {
				more = append(more, at)
			}
		}
		if len(places) > 0 {
			record.Mailboxes = append(record.Mailboxes, wire.Mailbox{Courier: r.Keys[0], ID: b.ID, Write: b.Write, ClosesDay: b.closesDay()})
		}
	}
	record.Couriers = append(record.Couriers, more[:min(len(more), wire.RecordCouriersMax-len(record.Couriers))]...)
}

// retold returns the addresses of a courier as somebody else gets them from us: the
// loopback ones only if it runs on our machine, with our tag for that one.
func (p *Peer) retold(courier *contact, to [8]byte) []wire.Address {
	var out []wire.Address
	for _, a := range courier.state.Record.Addresses {
		if a.IP.IsLoopback() {
			if tag := p.pairTag(courier); a.HostTag != tag || tag == [8]byte{} {
				continue
			}
			a.HostTag = to
		}
		out = append(out, a)
	}
	return out
}
