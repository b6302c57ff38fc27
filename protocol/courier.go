package protocol

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/mailbox"
	"pabal/protocol/wire"
)

// This file is the courier's role: what we keep for contacts whom we help, and hand to
// whoever shows the capability.

// watch is a mailbox that a connection collects: what lies there is pushed as it comes.
type watch struct {
	pushed  map[wire.ItemHash]int // on the way and not acknowledged, with their sizes
	bytes   int                   // of these
	counts  bool                  // they count for the connection
	reading int                   // jobs under way
	again   bool                  // it was collected anew meanwhile
	done    bool                  // the reader was told that there is no more
}

// offerHelp makes us a courier of a contact. From then on we keep one transport key:
// whoever leaves mail with us must find us.
func (p *Peer) offerHelp(now time.Time, in OfferHelp) error {
	c := p.contacts[in.Contact]
	terms := wire.CourierTerms{QuotaBytes: in.QuotaBytes, LifetimeDays: in.LifetimeDays}
	switch {
	case c == nil:
		return refuse(CodeNotFound)
	case c.row.Phase != ContactEstablished || c.row.Blocked || c.row.Role == RoleHome:
		return refuse(CodeConflict)
	case !terms.Valid() || terms.QuotaBytes > quotaBytesMax:
		return refuse(CodeInvalidTerms)
	}
	p.fixKey(now)
	c.state.Helping = &mailbox.Terms{QuotaBytes: terms.QuotaBytes, LifetimeDays: terms.LifetimeDays}
	p.pushTerms(c)
	p.greetRelays(c)
	p.event(Event{Type: CourierUpdated, Contact: c.row.ID})
	p.reply(in.Ref, nil)
	return nil
}

// fixKey has us keep the transport key that we have; of a clock that is behind, that of the newest day we
// were seen on, since others know nothing of the one we have.
func (p *Peer) fixKey(now time.Time) {
	if p.self.state.Fixed != nil {
		return
	}
	day := p.KeyDay(now)
	if dayOf(now) < p.self.state.HighestDay {
		day = max(day, p.self.state.HighestDay)
	}
	seed := p.self.transport(day).Seed
	p.self.state.Fixed = &seed
	p.self.dirty = true
	p.recordDue = now
	p.dueBy(now)
}

// endHelp ends it, in either direction: what we keep for the contact is erased, and what
// it keeps for us is not used any more.
func (p *Peer) endHelp(now time.Time, in EndHelp) error {
	c := p.contacts[in.Contact]
	if c == nil {
		return refuse(CodeNotFound)
	}
	if c.state.Helping != nil || c.courier() {
		p.event(Event{Type: CourierUpdated, Contact: c.row.ID})
	}
	if c.state.Helping != nil {
		c.state.Helping = nil
		p.eraseShelves(c)
		p.pushTerms(c)
	}
	if c.state.Courier != nil && !c.state.Declined {
		c.state.Declined = true
		p.leaveCourier(c)
	}
	if c.row.Role == RoleHome && c.row.Phase == ContactEstablished && c.state.PartingSince == 0 {
		c.state.Declined = true
		p.pushTerms(c) // it has an end, too, even if its offer has not come
	}
	p.greetRelays(c)
	p.part(now, c)
	p.touchContact(c)
	p.reply(in.Ref, nil)
	return nil
}

// acceptHelp uses the help that a contact offers and we have declined.
func (p *Peer) acceptHelp(in AcceptHelp) error {
	c := p.contacts[in.Contact]
	if c == nil || c.row.Role != RolePerson || c.state.Courier == nil {
		return refuse(CodeNotFound)
	}
	if c.state.Declined {
		c.state.Declined = false
		p.furnishDue = true
		p.greetRelays(c)
		p.touchContact(c)
		p.event(Event{Type: CourierUpdated, Contact: c.row.ID})
	}
	p.reply(in.Ref, nil)
	return nil
}

func (p *Peer) eraseShelves(c *contact) {
	for _, id := range p.shelves.CloseAll(mailbox.Owner(c.row.ID)) {
		p.eraseMailbox(id)
	}
}

func (p *Peer) eraseMailbox(id wire.MailboxID) {
	p.unwatch(id)
	p.write(EraseMailbox{ID: id})
}

func (p *Peer) pushTerms(c *contact) {
	content := wire.Content{Type: wire.ContentCourier}
	if h := c.state.Helping; h != nil {
		content.Terms = &wire.CourierTerms{QuotaBytes: h.QuotaBytes, LifetimeDays: h.LifetimeDays}
	}
	p.dropInline(c, wire.ContentCourier)
	p.pushInline(c, content)
}

// ordersReceived opens and closes mailboxes for a contact whom we help.
func (p *Peer) ordersReceived(k *conn, body []byte) {
	c := k.contact
	orders, err := wire.ParseMailboxOrders(body)
	if err != nil || c == nil || !k.path() {
		return
	}
	for _, o := range orders {
		if c.state.Helping == nil && !o.Close {
			p.toldAgain(c, k)
			continue
		}
		word := wire.MailboxClosed
		if o.Close {
			if p.shelves.Close(mailbox.Owner(c.row.ID), o.ID) {
				p.eraseMailbox(o.ID)
			}
		} else if p.shelves.Open(mailbox.Owner(c.row.ID), o) {
			word = wire.MailboxOpened
			p.beginWanted(o.ID)
			p.write(PutMailbox{ID: o.ID, Owner: c.row.ID, State: wire.AppendMailboxOrders(nil, []wire.MailboxOrder{o})})
		} else {
			word = wire.MailboxRefused
		}
		p.say(k, wire.Acknowledge{ID: o.ID, Word: word})
	}
}

// toldAgain tells somebody who counts on us that we do not help, once a connection: by
// two paths the offer may have come behind the end.
func (p *Peer) toldAgain(c *contact, k *conn) {
	if c.row.Role == RolePerson && !k.told {
		k.told = true
		p.pushTerms(c)
	}
}

func (p *Peer) say(k *conn, a wire.Acknowledge) {
	p.send(SendFrame{Conn: k.id, Type: wire.TypeAcknowledge, Body: a.Append(nil)})
}

// depositReceived stores an item for whoever shows the write capability. The answer
// leaves after the commit, so "stored" is true.
func (p *Peer) depositReceived(now time.Time, k *conn, body []byte) {
	d, err := wire.ParseDeposit(body)
	if err != nil {
		return
	}
	box := p.shelves.Box(d.ID)
	if box == nil {
		return
	}
	owner := p.owner(box)
	if owner == nil {
		return
	}
	hash := d.Item.Hash()
	placed := p.shelves.Deposit(now, *owner.state.Helping, d.ID, d.Write, hash, len(d.Item.Body))
	if placed.Word == 0 {
		return
	}
	for _, old := range placed.Replaced {
		p.write(EraseHeld{Mailbox: d.ID, Hash: old})
	}
	if h := placed.Put; h != nil {
		p.write(PutHeld{Mailbox: d.ID, Hash: hash, Number: h.Number, Expires: h.Expires, Type: d.Item.Type, Body: d.Item.Body})
	}
	p.say(k, wire.Acknowledge{ID: d.ID, Word: placed.Word, Items: []wire.ItemHash{hash}})
	if placed.Put == nil {
		return
	}
	for _, reader := range p.readers(d.ID) {
		p.push(reader, box)
	}
}

// readers returns the connections that collect a mailbox.
func (p *Peer) readers(id wire.MailboxID) (out []*conn) {
	for _, k := range p.connsInOrder() {
		if k.watching[id] != nil {
			out = append(out, k)
		}
	}
	return out
}

// collectReceived begins to push what lies in the mailboxes whose read capability is shown.
func (p *Peer) collectReceived(k *conn, body []byte) {
	keys, err := wire.ParseCollect(body)
	if err != nil {
		return
	}
	for _, key := range keys {
		box := p.shelves.Reader(key)
		if box == nil {
			p.nothingToRead(k, key)
			continue
		}
		p.watch(k, box)
	}
}

// nothingToRead answers who wants to collect from a mailbox that is not here. If somebody
// else's is to stand here, it collects from it then.
func (p *Peer) nothingToRead(k *conn, key wire.Key) {
	if k.path() && p.shelves.Box(key.ID) == nil {
		if k.contact.state.Helping != nil {
			p.say(k, wire.Acknowledge{ID: key.ID, Word: wire.MailboxClosed})
		} else {
			p.toldAgain(k.contact, k) // it may count on us whom we removed and met again
		}
	}
	if len(k.wanting) < wire.CollectKeysMax {
		k.wanting = append(k.wanting, key)
	}
}

// watch pushes from a mailbox from now on. If it is collected anew, so is what was pushed
// and not received, but not before what is being read has been handed over: nobody has
// more read than may be on the way.
func (p *Peer) watch(k *conn, box *mailbox.Box) {
	id := box.Order.ID
	if w := k.watching[id]; w != nil {
		if w.reading > 0 {
			w.again = true
			return
		}
		k.onTheWay(w, -w.bytes)
	}
	if k.watching == nil {
		k.watching = make(map[wire.MailboxID]*watch)
	}
	// The holders of links, whose requests may have to wait, hold up no mail.
	k.watching[id] = &watch{pushed: make(map[wire.ItemHash]int), counts: box.Order.Kind == wire.MailboxQueue && !box.OfLink()}
	p.push(k, box)
}

// onTheWay counts bytes that are pushed, or are not on the way any more.
func (k *conn) onTheWay(w *watch, bytes int) {
	w.bytes += bytes
	if w.counts {
		k.pushing += bytes
	}
}

// unwatch ends the pushing from a mailbox that is gone.
func (p *Peer) unwatch(id wire.MailboxID) {
	for _, k := range p.readers(id) {
		k.onTheWay(k.watching[id], -k.watching[id].bytes)
		delete(k.watching, id)
		p.pushOthers(k)
	}
}

// beginWanted begins to push from a mailbox that somebody wanted before it stood.
func (p *Peer) beginWanted(id wire.MailboxID) {
	for _, k := range p.connsInOrder() {
		i := slices.IndexFunc(k.wanting, func(key wire.Key) bool { return key.ID == id })
		if i < 0 {
			continue
		}
		if box := p.shelves.Reader(k.wanting[i]); box != nil {
			k.wanting = slices.Delete(k.wanting, i, i+1)
			p.watch(k, box)
		}
	}
}

// push has the next items of a mailbox read and handed over, as many as may be on the
// way at once.
func (p *Peer) push(k *conn, box *mailbox.Box) {
	w := k.watching[box.Order.ID]
	itemsMax := pushItemsMax
	if box.OfLink() {
		itemsMax = pushRequestsMax
	}
	var next []wire.ItemHash
	crowded := false
	for _, h := range box.Items() {
		if _, on := w.pushed[h.Hash]; on {
			continue
		}
		if len(w.pushed) >= itemsMax || w.bytes > 0 && w.bytes+h.SizeBytes > pushBytesMax {
			break
		}
		if w.counts && k.pushing > 0 && k.pushing+h.SizeBytes > pushAllBytesMax {
			k.crowded, crowded = true, true
			break
		}
		w.pushed[h.Hash] = h.SizeBytes
		k.onTheWay(w, h.SizeBytes)
		next = append(next, h.Hash)
	}
	if len(next) > 0 {
		w.done = false
		w.reading++
		p.out.Jobs = append(p.out.Jobs, FetchHeld{Conn: k.id, Mailbox: box.Order.ID, Items: next})
		return
	}
	if len(w.pushed) == 0 && !crowded && !w.done {
		w.done = true
		p.say(k, wire.Acknowledge{ID: box.Order.ID, Word: wire.MailboxAll})
	}
}

// heldFetched hands items over that were read from the disk.
func (p *Peer) heldFetched(in HeldFetched) {
	k := p.conns[in.Conn]
	if k == nil || k.watching[in.Mailbox] == nil {
		return
	}
	w := k.watching[in.Mailbox]
	w.reading = max(w.reading-1, 0)
	for _, item := range in.Items {
		if item.MayLie() {
			p.send(SendFrame{Conn: k.id, Type: wire.TypePush, Body: wire.Push{ID: in.Mailbox, Item: item}.Append(nil)})
		}
	}
	if box := p.shelves.Box(in.Mailbox); box != nil && w.again && w.reading == 0 {
		p.watch(k, box)
	}
}

// itemsReceived erases what a reader has on its disk.
func (p *Peer) itemsReceived(k *conn, a wire.Acknowledge) {
	w, box := k.watching[a.ID], p.shelves.Box(a.ID)
	if w == nil || box == nil {
		return
	}
	for _, hash := range a.Items {
		k.onTheWay(w, -w.pushed[hash])
		delete(w.pushed, hash)
	}
	if box.Order.Kind == wire.MailboxQueue {
		for _, hash := range p.shelves.Erase(box, a.Items) {
			p.write(EraseHeld{Mailbox: a.ID, Hash: hash})
		}
		p.push(k, box)
	}
	p.pushOthers(k)
}

// pushOthers goes on with the mailboxes that had to wait for room on a connection.
func (p *Peer) pushOthers(k *conn) {
	if !k.crowded || k.pushing > pushAllBytesMax/2 {
		return
	}
	k.crowded = false
	for _, id := range sortedKeys(k.watching) {
		if box := p.shelves.Box(id); box != nil {
			p.push(k, box)
		}
	}
}

// withdrawReceived erases what a depositor takes back.
func (p *Peer) withdrawReceived(k *conn, body []byte) {
	in, err := wire.ParseWithdraw(body)
	if err != nil {
		return
	}
	box := p.shelves.Writer(in.Key)
	if box == nil {
		return
	}
	for _, hash := range p.shelves.Erase(box, in.Items) {
		p.write(EraseHeld{Mailbox: in.Key.ID, Hash: hash})
	}
	p.say(k, wire.Acknowledge{ID: in.Key.ID, Word: wire.MailboxWithdrawn, Items: in.Items})
}

// scanShelves erases what has reached its end.
func (p *Peer) scanShelves(now time.Time) {
	boxes, items := p.shelves.Expired(now)
	for _, id := range boxes {
		p.eraseMailbox(id)
	}
	for _, id := range sortedKeys(items) {
		for _, hash := range items[id] {
			p.write(EraseHeld{Mailbox: id, Hash: hash})
		}
	}
}

// hearMailbox takes the hello of somebody who holds a capability of a mailbox here.
func (p *Peer) hearMailbox(now time.Time, k *conn, tag identity.HelloTag, found bool) bool {
	dialer, listener := k.ends()
	box, key := p.shelves.Hear(dayOf(now), tag, dialer, listener)
	if box == nil || found {
		return false
	}
	k.proof, k.key = byMailbox, key
	return true
}

// Help is what a contact and we do for each other as couriers.
type Help struct {
	Contact ContactID
	// Given is what we keep for the contact, with how much of it is used.
	Given               *mailbox.Terms
	UsedBytes           uint64
	Mailboxes, HeldHere int
	// Taken is what the contact offers to keep for us; Declined says that we do not use it.
	Taken    *mailbox.Terms
	Declined bool
	Standing int // of our mailboxes there
	Live     bool
	// Role says whether it is a person, our home node, or the owner of this one, with
	// Name, Phase and Reason as in the contact's row.
	Role         ContactRole
	Name, Reason string
	Phase        ContactPhase
	// Ready says that every mailbox stands that we want there.
	Ready bool
	// LastError is why it was last not reached; empty if it was.
	LastError string
	// Trouble is the code of what speaks against it as a courier of ours, empty = nothing.
	Trouble string
}

// Helps returns who is whose courier, by contact id.
func (p *Peer) Helps() []Help {
	var out []Help
	for _, c := range p.contactsInOrder() {
		if c.state.Helping == nil && c.state.Courier == nil && c.row.Role == RolePerson {
			continue
		}
		h := Help{
			Contact: c.row.ID, Given: c.state.Helping, Taken: c.state.Courier, Declined: c.state.Declined,
			Live: c.live() != nil, LastError: c.tried,
			Role: c.row.Role, Name: c.row.Name, Phase: c.row.Phase, Reason: c.row.Reason, Ready: c.courier(),
		}
		h.UsedBytes, h.Mailboxes = p.shelves.UsedBytes(mailbox.Owner(c.row.ID))
		for _, b := range p.shelves.Boxes() {
			if b.Owner == mailbox.Owner(c.row.ID) {
				h.HeldHere += len(b.Items())
			}
		}
		for _, other := range p.contactsInOrder() {
			h.Standing += len(slices.Collect(other.boxesAt(c.row.ID)))
		}
		for _, b := range p.boxes() {
			h.Ready = h.Ready && (b.Courier != c.row.ID || b.Standing || b.Refused)
			if b.Courier == c.row.ID && b.Refused && c.courier() {
				h.Trouble = TroubleRefuses
			}
		}
		if c.courier() && c.lost() {
			h.Trouble = TroubleUnreachable
		}
		out = append(out, h)
	}
	return out
}
