package protocol

import (
	"io"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/wire"
)

// This file is first contact by courier: the bundle of an invite and the accepts of its
// requests lie on boards at the inviter's couriers, requests in a queue there. Whoever
// holds the link finds all three with what is derived from its secret.

// linkCouriers returns the couriers that a link may name, each with the address that it
// names first. tag is our machine's in the link.
func (p *Peer) linkCouriers(tag [8]byte) (couriers []*contact, named []wire.Courier) {
	for _, c := range p.couriers() {
		r := c.state.Record
		if len(named) == wire.LinkCouriersMax {
			break
		}
		if r == nil || len(r.Keys) != 1 {
			continue
		}
		if places := p.retold(c, tag); len(places) > 0 {
			couriers = append(couriers, c)
			named = append(named, wire.Courier{Key: r.Keys[0], Address: places[0]})
		}
	}
	return couriers, named
}

// slotID names a mailbox that is found by one capability alone.
func slotID(c wire.Capability) wire.MailboxID { return c.Access().MailboxID() }

// furnishInvite has the couriers that an invite's link names open the board for its
// bundle and the queue for its requests.
func (p *Peer) furnishInvite(now time.Time, v *invitation, couriers []*contact) error {
	expires := uint32(v.row.ExpiresAt / (24 * time.Hour).Milliseconds())
	kept := uint32(usedInviteKept / (24 * time.Hour))
	for _, c := range couriers {
		key := c.state.Record.Keys[0]
		fetch := invite.FetchCapability(v.state.Offer.Secret, key)
		deposit := invite.DepositCapability(v.state.Offer.Secret, key)
		board := box{Courier: c.row.ID, Opened: dayOf(now), ID: slotID(fetch), Read: fetch, Kind: wire.MailboxBoard, Until: expires}
		queue := box{Courier: c.row.ID, Opened: dayOf(now), ID: slotID(deposit), Write: deposit, Kind: wire.MailboxQueue, Until: expires + kept}
		if err := p.drawCapabilities(&board.Write, &queue.Read); err != nil {
			return err
		}
		v.state.Boxes = append(v.state.Boxes, board, queue)
	}
	p.furnishDue = true
	return nil
}

func (p *Peer) drawCapabilities(into ...*wire.Capability) error {
	for _, c := range into {
		if _, err := io.ReadFull(p.random, c[:]); err != nil {
			return errRandom
		}
	}
	return nil
}

// answerByCourier leaves the accept of a request that came by courier where whoever made
// it looks: on a board at each courier that its link names, if not now, when there is more
// to know of that one.
func (p *Peer) answerByCourier(now time.Time, r *request) error {
	v := p.invites[r.row.Invite]
	if v == nil || !r.state.ByCourier || len(r.state.Accept) == 0 {
		return nil
	}
	var named []*contact // by the link
	for i := range v.state.Boxes {
		if courier := p.contacts[v.state.Boxes[i].Courier]; courier != nil && v.state.Boxes[i].Kind == wire.MailboxQueue {
			named = append(named, courier)
		}
	}
	boards, err := p.acceptBoards(now, r.state.Boxes, r.state.Slot, named)
	if err != nil || len(boards) == 0 {
		return err
	}
	r.state.Boxes = append(r.state.Boxes, boards...)
	p.touchRequest(r)
	p.furnishDue = true
	return nil
}

// posted returns what is to lie on a board of ours, if there is anything.
func (p *Peer) posted(h holder) (wire.Item, bool) {
	switch {
	case h.invite != nil && h.invite.state.Offer != nil:
		sealed, err := h.invite.state.Offer.SealBundle(p.random)
		return wire.Item{Type: wire.TypeBundleAnswer, Body: sealed}, err == nil
	case h.renewal != nil && len(h.renewal.state.Accept) > 0:
		return wire.Item{Type: wire.TypeAccept, Body: h.renewal.state.Accept}, true
	case h.request != nil && len(h.request.state.Accept) > 0:
		return wire.Item{Type: wire.TypeAccept, Body: h.request.state.Accept}, true
	}
	return wire.Item{}, false
}

// post lays on a board of ours what is to lie there, once a connection: the courier may
// have lost it.
func (p *Peer) post(k *conn, h holder, b *box) {
	if k.written[b.ID] {
		return
	}
	item, ok := p.posted(h)
	if !ok {
		return
	}
	if k.written == nil {
		k.written = make(map[wire.MailboxID]bool)
	}
	k.written[b.ID] = true
	p.send(SendFrame{Conn: k.id, Type: wire.TypeDeposit, Body: wire.Deposit{ID: b.ID, Write: b.Write, Item: item}.Append(nil)})
}

// repost has what lies on an invite's boards replaced: its bundle is another one.
func (p *Peer) repost(v *invitation) {
	for i := range v.state.Boxes {
		b := &v.state.Boxes[i]
		if courier := p.contacts[b.Courier]; courier != nil && b.Standing && b.kind() == wire.MailboxBoard {
			for _, k := range courier.conns {
				delete(k.written, b.ID)
				p.post(k, holder{invite: v}, b)
			}
		}
	}
	p.touchInvite(v)
}

// closeBoxes has couriers close mailboxes of ours, as far as which says so, and returns the others.
func (p *Peer) closeBoxes(boxes []box, which func(*box) bool) []box {
	return slices.DeleteFunc(boxes, func(b box) bool {
		if !which(&b) {
			return false
		}
		if courier := p.contacts[b.Courier]; courier != nil {
			courier.state.Closing = append(courier.state.Closing, b.ID)
			p.touchContact(courier)
			p.furnishDue = true
		}
		return true
	})
}

func anyBox(*box) bool    { return true }
func isBoard(b *box) bool { return b.Kind == wire.MailboxBoard }

// requestLeft takes a request that somebody left in an invite's queue. It reports false if
// the courier is to keep it: there is no room for it now, or its stamp is being checked.
func (p *Peer) requestLeft(now time.Time, v *invitation, k *conn, received wire.Acknowledge, body []byte) (taken bool, err error) {
	d, err := wire.ParseDepositedRequest(body)
	if err != nil {
		return true, nil
	}
	if tag, ok := wire.RequestTag(d.Request[:]); !ok || tag != v.state.Tag {
		return true, nil
	}
	return p.takeRequest(now, v, arrival{node: k.remote, courier: k, received: received}, d)
}

// collectLeft collects anew from the queues in which requests lie that found no room, if
// there is some now.
func (p *Peer) collectLeft(now time.Time) {
	p.roomDue = false
	for _, k := range p.connsInOrder() {
		for _, id := range sortedKeys(k.left) {
			h, b := p.boxOf(id, k.contact)
			if b != nil && h.invite != nil && !p.hasRoom(now, h.invite) {
				continue
			}
			delete(k.left, id)
			if b != nil {
				p.send(SendFrame{Conn: k.id, Type: wire.TypeCollect, Body: wire.AppendCollect(nil, []wire.Key{p.collects(k, b)})})
			}
		}
	}
}

// askByCourier asks at the couriers that a link names: for the bundle, then, when the
// request lies there, for the accept.
func (p *Peer) askByCourier(now time.Time, c *contact) {
	if !c.asksByCourier() {
		return
	}
	var asked []identity.TransportKey
	for _, at := range c.state.Asking.Link.Couriers {
		if slices.Contains(asked, at.Key) || p.isOurs(at.Key) {
			continue
		}
		asked = append(asked, at.Key)
		if k := p.counter(at.Key); k != nil {
			p.askAt(now, c, k)
			continue
		}
		if next := c.asks.Next(); next.After(now) {
			p.dueBy(next)
			continue
		}
		deposit := invite.DepositCapability(c.state.Asking.Link.Secret, at.Key)
		p.dialPost(now, c, place{
			Mailbox:  wire.Mailbox{Courier: at.Key, ID: slotID(deposit), Write: deposit},
			couriers: byTCPToo(c.state.Asking.Link.Couriers),
		}, p.hostTag(c.state.Hello))
	}
}

// byTCPToo adds what an address of a courier stands for where there is room for one only: a
// node listens at one port for QUIC and for TCP, and some networks let no UDP through.
func byTCPToo(couriers []wire.Courier) []wire.Courier {
	out := slices.Clone(couriers)
	for _, at := range couriers {
		if at.Address.Network == wire.QUIC {
			at.Address.Network = wire.TCP
			out = append(out, at)
		}
	}
	return out
}

// asksByCourier reports whether the answer to a request of ours may come by courier.
func (c *contact) asksByCourier() bool {
	return c.state.Asking != nil && len(c.state.Asking.Link.Couriers) > 0 && c.row.Phase == ContactRequested &&
		!c.row.Blocked && c.live() == nil
}

// asksAt reports whether a request of ours names a courier.
func (c *contact) asksAt(key identity.TransportKey) bool {
	return c.asksByCourier() && slices.ContainsFunc(c.state.Asking.Link.Couriers, func(at wire.Courier) bool { return at.Key == key })
}

// askAt asks at a courier that is reached, each thing once a connection.
func (p *Peer) askAt(now time.Time, c *contact, k *conn) {
	a := c.state.Asking
	if a.Request == nil {
		p.collectOnce(k, invite.FetchCapability(a.Link.Secret, k.remote))
		return
	}
	if a.Link.StampBits > 0 && !a.Stamped {
		p.askStamp(now, c)
		return
	}
	deposit := invite.DepositCapability(a.Link.Secret, k.remote)
	if id := slotID(deposit); !k.written[id] {
		if k.written == nil {
			k.written = make(map[wire.MailboxID]bool)
		}
		k.written[id] = true
		d := wire.DepositedRequest{Capability: deposit, Stamp: a.Stamp, Request: [wire.RequestSize]byte(a.Request.Request)}
		item := wire.Item{Type: wire.TypeRequest, Body: d.Append(nil)}
		p.send(SendFrame{Conn: k.id, Type: wire.TypeDeposit, Body: wire.Deposit{ID: id, Write: deposit, Item: item}.Append(nil)})
	}
	p.collectOnce(k, invite.FetchCapability(a.Request.Slot(), k.remote))
}

// collectOnce collects from a mailbox that is found by one capability.
func (p *Peer) collectOnce(k *conn, read wire.Capability) {
	id := slotID(read)
	if k.collecting[id] {
		return
	}
	key := p.collects(k, &box{ID: id, Read: read})
	p.send(SendFrame{Conn: k.id, Type: wire.TypeCollect, Body: wire.AppendCollect(nil, []wire.Key{key})})
}

// slotPushed takes what lay on a board for us: the bundle of a link, or an accept.
func (p *Peer) slotPushed(now time.Time, k *conn, in wire.Push) error {
	for _, c := range p.contactsInOrder() {
		p.acceptLeft(now, c, k.remote, in)
		if !c.asksAt(k.remote) {
			continue
		}
		a := c.state.Asking
		switch {
		case a.Request == nil && in.Item.Type == wire.TypeBundleAnswer && in.ID == slotID(invite.FetchCapability(a.Link.Secret, k.remote)):
			return p.bundleArrived(now, c, k, in.Item.Body)
		case a.Request != nil && in.Item.Type == wire.TypeAccept && in.ID == slotID(invite.FetchCapability(a.Request.Slot(), k.remote)):
			_, err := p.accepted(now, c, in.Item.Body)
			return err
		}
	}
	return nil
}
