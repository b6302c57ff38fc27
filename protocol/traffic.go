package protocol

import (
	"errors"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/rendezvous"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// frameReceived routes one frame. Before its hello a connection is a
// stranger's: nothing but a hello is looked at, and nothing is answered.
func (p *Peer) frameReceived(now time.Time, in FrameReceived) error {
	k := p.conns[in.Conn]
	if k == nil {
		return nil
	}
	if in.Type == wire.TypeHello {
		if tag, err := wire.ParseHello(in.Body); err == nil {
			p.hello(now, k, tag)
		}
		return nil
	}
	if !k.proved || k.contact != nil && k.contact.row.Blocked {
		return nil
	}
	k.used = now
	switch in.Type {
	case wire.TypeEnvelope:
		return p.envelopeReceived(now, k, in.Body)
	case wire.TypeBundleFetch:
		return p.bundleFetch(now, k, in.Body)
	case wire.TypeBundleAnswer:
		return p.bundleAnswered(now, k, in.Body)
	case wire.TypeRequest:
		return p.requestReceived(now, k, in.Body)
	case wire.TypeAccept:
		return p.acceptReceived(now, k, in.Body)
	case wire.TypeMoved:
		p.peerMoved(now, k)
	case wire.TypeUnsupported:
		p.unsupported(k.contact)
	}
	if k.path() || k.proof == byMailbox {
		return p.mailboxFrame(now, k, in)
	}
	return nil
}

// mailboxFrame routes what goes between couriers and others. The holder of a link says
// none of it.
func (p *Peer) mailboxFrame(now time.Time, k *conn, in FrameReceived) error {
	switch in.Type {
	case wire.TypeMailbox:
		p.ordersReceived(k, in.Body)
	case wire.TypeDeposit:
		p.depositReceived(now, k, in.Body)
	case wire.TypeCollect:
		p.collectReceived(k, in.Body)
	case wire.TypeWithdraw:
		p.withdrawReceived(k, in.Body)
	case wire.TypeReach:
		p.reachReceived(k, in.Body)
	case wire.TypePush:
		return p.pushReceived(now, k, in.Body)
	case wire.TypeAcknowledge:
		p.mailboxSaid(now, k, in.Body)
	}
	return nil
}

// mailboxSaid hands on what is said of a mailbox: to the courier by a reader, to the owner
// or a depositor by the courier.
func (p *Peer) mailboxSaid(now time.Time, k *conn, body []byte) {
	a, err := wire.ParseAcknowledge(body)
	if err != nil {
		return
	}
	switch a.Word {
	case wire.MailboxReceived:
		p.itemsReceived(k, a)
		return
	case wire.MailboxOpened, wire.MailboxRefused, wire.MailboxClosed:
		if k.contact != nil {
			p.courierSaid(k.contact, k, a)
		}
	}
	p.postSaid(now, k, a)
}

func (p *Peer) unsupported(c *contact) {
	if c == nil || c.unsupported {
		return
	}
	c.unsupported = true
	p.contactEvent(ContactUnsupported, c)
}

// envelopeReceived opens an envelope with the sessions of the contact whose path
// it came by. One that opens with none of them has an effect too: our sync
// frame tells the other side where we are.
func (p *Peer) envelopeReceived(now time.Time, k *conn, frame []byte) error {
	c := k.contact
	if c == nil || len(c.sessions) == 0 {
		return nil
	}
	for _, ps := range c.sessions {
		opened, err := ps.s.Open(frame)
		switch {
		case err == nil:
			return p.openedOn(now, k, c, ps, opened)
		case errors.Is(err, session.ErrFork):
			p.fork(now, c, ps)
			return nil
		case errors.Is(err, session.ErrSuite):
			if c.unsupported {
				return nil // it was told
			}
			p.unsupported(c)
			body := wire.Unsupported{Version: wire.Version, Suite: wire.Suite}.Append(nil)
			p.send(SendFrame{Conn: k.id, Type: wire.TypeUnsupported, Body: body})
			return nil
		}
	}
	switch {
	case k.proof == byRecovery && (!k.inbound || k.key.Key == identity.RepairHelloKey(c.state.Recovery, k.key.Day)): // they do not speak by our session, nor we by theirs
		p.fork(now, c, c.first())
		if !k.path() {
			p.sendRepair(c, k)
		}
	case k.proof == byRecovery: // by an earlier secret: our sync frame has it ask
	case c.strayAt.IsZero():
		c.strayAt = now
	case now.Sub(c.strayAt) >= strayAfter: // nor have they heard what ours is
		c.strayAt = time.Time{}
		p.fork(now, c, c.first())
	}
	if now.Sub(c.syncedAt) >= syncEvery {
		c.syncedAt = now
		p.sendSync(now, c, k)
		if ps := c.first(); ps != nil { // our ack tells it what its envelope would have met
			ps.ackDue = true
			p.stir(c)
		}
	}
	return nil
}

// openedOn takes an envelope and notes that the connection it came by is a path to
// the contact.
func (p *Peer) openedOn(now time.Time, k *conn, c *contact, ps *pairSession, o session.Opened) error {
	err := p.opened(now, c, ps, o)
	if err == nil {
		p.agreed(c, ps, o)
	}
	if err == nil && o.Kind == session.KindAck && len(o.Contents) > 0 {
		p.signalsReceived(now, c, o.Contents)
	}
	if err == nil && o.Kind == session.KindSync {
		p.resend(now, c)
		p.stray(now, c, ps)
	}
	if old := o.Kind == session.KindDuplicate || o.Kind == session.KindStale; err == nil && !old && !k.path() {
		p.attach(now, c, k)
	}
	return err
}

// sendSync tells the other side where we are in the session that sends.
func (p *Peer) sendSync(now time.Time, c *contact, k *conn) {
	ps := c.first()
	if ps == nil {
		return
	}
	frame, err := ps.s.Sync(p.random, 0)
	if err != nil {
		return // the random source failed: the next Seal tells
	}
	p.send(SendFrame{Conn: k.id, Type: wire.TypeEnvelope, Body: frame})
}

// agreed takes note of what an envelope proves that is of our days: both sides agree, and
// the contact speaks in the session.
func (p *Peer) agreed(c *contact, ps *pairSession, o session.Opened) {
	if o.Kind == session.KindDuplicate || o.Kind == session.KindStale {
		return
	}
	if c.state.Apart != 0 {
		c.state.Apart = 0
		p.touchContact(c)
	}
	p.hasOpened(c)
	if ps == c.first() {
		c.strayAt, c.former = time.Time{}, former{}
	}
}

// opened takes the effects of an envelope, by whatever path and however old: what it
// acknowledges, what it says.
func (p *Peer) opened(now time.Time, c *contact, ps *pairSession, o session.Opened) error {
	ps.dirty = true
	p.stir(c)
	if ps.sid == c.state.Unheard {
		c.state.Unheard = [32]byte{}
		p.touchContact(c)
	}
	c.unsupported = false
	if !ps.confirmed {
		ps.confirmed = true
		p.confirmSession(now, c, ps)
	}
	if c.row.Phase == ContactPending || c.row.Phase == ContactRequested {
		if err := p.establish(now, c); err != nil {
			return err
		}
	}
	p.acknowledged(c, ps, o)
	if o.Behind { // it seems to have forgotten what it did: it must see where we are
		if k := c.live(); k == nil {
			p.tellState(now, c)
		} else if now.Sub(c.syncedAt) >= syncEvery {
			c.syncedAt = now
			p.sendSync(now, c, k)
		}
	}
	switch o.Kind {
	case session.KindDuplicate:
		ps.ackDue = true
	case session.KindMessage:
		ps.ackDue = true
		return p.contentsReceived(now, c, ps, o.Contents)
	}
	return nil
}

// stray notices a contact that has lost the session we send in, and not another one:
// where it is it says, time and again, in that one only. Then ours is over, and a
// renewal finds out what else was lost.
func (p *Peer) stray(now time.Time, c *contact, ps *pairSession) {
	ours := c.first()
	switch {
	case ps == ours:
		c.strayAt = time.Time{}
	case !ours.confirmed:
	case c.strayAt.IsZero():
		c.strayAt = now
	case now.Sub(c.strayAt) >= strayAfter:
		c.strayAt = time.Time{}
		p.endOthers(c, ps)
		p.fork(now, c, ps)
	}
}

// endOthers ends the sessions that come before one, which the contact has lost.
func (p *Peer) endOthers(c *contact, ps *pairSession) {
	for c.first() != ps {
		p.endSession(c, c.first())
	}
	c.goBy(ps)
	c.state.Repair = nil
}

// confirmSession takes note of the first frame of a session that we accepted:
// the accept's bytes have done their work.
func (p *Peer) confirmSession(now time.Time, c *contact, ps *pairSession) {
	have, granted := c.takeGrant(ps.sid)
	p.endEarlier(c, ps)
	c.regained()
	asked := false
	for _, r := range p.requestsInOrder() {
		if r.row.Contact == c.row.ID && r.state.SID == ps.sid {
			p.eraseRequest(r)
			asked = true
			if ps.generation > 0 {
				c.state.Reasked, c.state.ReaskedSeen = ps.sid, r.state.Seen
				p.touchContact(c)
			}
		}
	}
	if r := c.state.Repair; r != nil && (r.Generation <= ps.generation || c.first() == ps && r.Recovery != ps.recovery) {
		c.state.Repair = nil // with another secret: the peer may not know that any more
	}
	p.unseal(c)
	if c.first() == ps {
		c.goBy(ps)
		c.state.Generation = ps.generation
	}
	if c.first() == ps || c.state.AcceptSID == ps.sid { // it may come behind the accept of a request by link
		print, taken := c.state.AcceptTo, c.state.AcceptSID == ps.sid
		p.dropAccept(c)
		if taken { // who asks so again has lost this session
			c.state.AcceptTo = print
		}
	}
	if granted {
		p.touchContact(c)
	}
	if granted && c.first() == ps {
		p.renewed(now, c, ps, have)
		p.greetCourierAnew(c)
	}
	p.moveQueue(now, c)
	if asked {
		c.startAnew()
	}
	if asked && c.row.Phase == ContactEstablished {
		p.pairedAnew(c)
	}
}

// acknowledged takes note of what an ack says of our envelopes. Those beyond a gap are
// delivered, but kept until the peer has all before them too: a peer that loses its
// state once more may need them again.
func (p *Peer) acknowledged(c *contact, ps *pairSession, o session.Opened) {
	for _, index := range o.Acked {
		if e, ok := c.queue.Acknowledge(ps.sid, index); ok {
			p.delivered(c, e)
		}
	}
	p.judgeCouriers(p.lastNow, c, ps.sid, o.Acked)
	if len(o.Acked) > 0 {
		c.queue.Progress()
	}
	if o.Cleared.To > o.Cleared.From {
		c.queue.RemoveBelow(ps.sid, o.Cleared.To)
		p.write(EraseOutbox{Contact: c.row.ID, SID: ps.sid, First: o.Cleared.From, Last: o.Cleared.To - 1})
	}
}

// delivered marks the messages of an acknowledged envelope: the peer has them on
// its disk.
func (p *Peer) delivered(c *contact, e *outbox.Entry) {
	v := c.conv
	for _, it := range e.Items {
		if it.Part != (outbox.Part{}) {
			p.partDelivered(c, it.Part)
			continue
		}
		if it.Shared {
			p.sharedDelivered(it)
			continue
		}
		if v == nil || it.Inline() || inRanges(v.row.Delivered, it.Sequence) {
			continue
		}
		if c.state.Apart != 0 && it.Sequence >= c.state.Apart { // however it came: this we have written since the start
			c.state.Apart = 0
			p.touchContact(c)
		}
		v.row.Delivered = addRange(v.row.Delivered, it.Sequence, it.Sequence)
		if it.Sequence > v.acked.Sequence {
			v.acked = recentTag{Sequence: it.Sequence, Tag: messageTag(it.Message)}
		}
		for i := range v.row.Carried {
			v.row.Carried[i] = removeRange(v.row.Carried[i], Range{it.Sequence, it.Sequence})
		}
		if it.About == [16]byte{} {
			status := StatusDelivered
			if it.Sequence <= v.row.PeerReadUpTo {
				status = StatusRead // its receipt has come before
			}
			p.statusEvent(v, it.Sequence, status)
		}
	}
	if v != nil {
		p.touchConversation(v)
	}
}

// statusEvent joins the event to the one before it if they are neighbours.
func (p *Peer) statusEvent(v *conversation, sequence uint64, status string) {
	if n := len(p.out.Events); n > 0 {
		last := &p.out.Events[n-1]
		if last.Type == MessageStatus && last.Code == status && last.Conversation == v.row.ID && last.First+last.Count == sequence {
			last.Count++
			return
		}
	}
	p.event(Event{Type: MessageStatus, Conversation: v.row.ID, First: sequence, Count: 1, Code: status})
}

// contentsReceived takes the contents of a body in order. A body that does not
// parse was sealed by the contact all the same: it is acknowledged, and told.
func (p *Peer) contentsReceived(now time.Time, c *contact, ps *pairSession, body []byte) error {
	contents, err := wire.DecodeContents(body)
	if err != nil {
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "malformed_content"})
		return nil
	}
	for i := range contents {
		if err := p.contentReceived(now, c, ps, &contents[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *Peer) contentReceived(now time.Time, c *contact, ps *pairSession, content *wire.Content) error {
	switch content.Type {
	case wire.ContentVoidEnvelopes:
		for _, void := range content.Voids {
			ps.s.Void(void.Index, void.Tag) // one that has arrived meanwhile stays
		}
	case wire.ContentVoidMessages:
		p.voided(now, c, ps, content)
	case wire.ContentProfile:
		p.profileReceived(c, content)
	case wire.ContentAddressRecord:
		p.recordReceived(c, content.Record)
	case wire.ContentDeviceList:
		p.listReceived(c, content.List)
	case wire.ContentListHead:
		p.headReceived(c, content.Head)
	case wire.ContentCourier:
		p.termsReceived(c, content.Terms)
	case wire.ContentReseed:
		p.reseedReceived(now, c, ps, content.Reseed)
	case wire.ContentGroup:
		return p.wordReceived(now, c, content.Word)
	case wire.ContentGroupMessage:
		return p.groupMessageReceived(now, c, content.GroupMessage)
	case wire.ContentPart:
		p.partReceived(now, c, content)
	case wire.ContentPicture:
		p.pictureReceived(now, c, content)
	case wire.ContentTyping: // counts in a bare ack only
	case wire.ContentReadReceipt:
		p.readReceived(c, content)
	case wire.ContentTimer:
		return p.timerReceived(now, c, content)
	case wire.ContentEdit, wire.ContentDelete, wire.ContentDeleteAnswer, wire.ContentReaction:
		return p.operationReceived(now, c, content)
	default:
		return p.messageReceived(now, c, content)
	}
	return nil
}

// messageReceived stores a message, or a content that only a newer version
// understands, at its place in the history.
func (p *Peer) messageReceived(now time.Time, c *contact, content *wire.Content) error {
	doubted := c.conv != nil && c.conv.have.doubts(content.ID)
	v, position, err := p.admit(now, c, content)
	if err != nil || position == 0 {
		return err
	}
	encoded := content.Raw
	if encoded == nil {
		if encoded, err = wire.AppendContent(nil, *content); err != nil {
			p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "malformed_content"}) // it decoded, so it encodes; a contact must not end us
			return nil
		}
	}
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	files, err := p.incomingFiles(now, content)
	if err != nil {
		return err
	}
	p.write(PutMessage{
		ID: id, Wire: content.ID, Conversation: v.row.ID, Position: position, Direction: In, Sequence: content.Sequence,
		SentAt: content.At, At: now.UnixMilli(), Content: encoded, Verification: c.row.Verification,
		ExpiresAt: expiryOf(content.Timer, content.At, now, In), Files: files, Doubted: doubted,
	})
	p.paused(now, c)
	v.row.LastAt = now.UnixMilli()
	p.createdEvent(v, position)
	return nil
}

// admit judges a content of the history and gives it its place; 0 if it has none.
func (p *Peer) admit(now time.Time, c *contact, content *wire.Content) (v *conversation, position uint64, err error) {
	if content.Sequence == 0 || c.row.Role != RolePerson {
		return nil, 0, nil // a content of a kind of no history, or of nobody to talk with: kept for no one
	}
	if v, err = p.openConversation(now, c); err != nil {
		return nil, 0, err
	}
	switch v.have.judge(content.Sequence, content.ID) {
	case duplicate: // under a number that is new it was renumbered: nothing else has that one
		p.closeGap(v, content.Sequence, content.Sequence)
		if v.have.void(content.Sequence) || !v.have.remembers(messageTag(content.ID)) && content.Sequence < v.have.next() {
			v.have.remember(content.Sequence, content.ID)
		}
		return v, 0, nil
	case absurd:
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "absurd_sequence"})
		return v, 0, nil
	}
	position, writes := v.place(content.Sequence, content.ID)
	p.write(writes...)
	c.activity = now
	p.touchConversation(v)
	return v, position, nil
}

// createdEvent joins the event to the one before it if they are neighbours.
func (p *Peer) createdEvent(v *conversation, position uint64) {
	if n := len(p.out.Events); n > 0 {
		last := &p.out.Events[n-1]
		if last.Type == MessageCreated && last.Conversation == v.row.ID && last.First+last.Count == position {
			last.Count++
			return
		}
	}
	p.event(Event{Type: MessageCreated, Conversation: v.row.ID, First: position, Count: 1})
}

// voided closes the gaps of messages that their author took back.
func (p *Peer) voided(now time.Time, c *contact, ps *pairSession, content *wire.Content) {
	v := c.conv
	if v == nil {
		return
	}
	if content.First == 1 && c.state.Reasked == ps.sid {
		c.state.Reasked = [32]byte{}
		knew := c.state.RenewedAt >= ps.since && c.state.RenewedAt <= now.Unix() // enough for a renewal
		if content.Last >= c.state.ReaskedSeen && !knew {                        // else it has only withdrawn messages
			p.forgotten(now, c)
		}
		p.touchContact(c)
	}
	if !p.closeGap(v, content.First, content.Last) {
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "absurd_sequence"})
	}
}

// closeGap notes that first..last will not come. It returns false if they lie past
// every limit.
func (p *Peer) closeGap(v *conversation, first, last uint64) bool {
	next := v.have.next()
	writes, ok := v.void(first, last)
	if !ok {
		return false
	}
	if len(writes) > 0 {
		p.write(writes...)
		p.event(Event{Type: ConversationUpdated, Conversation: v.row.ID})
	}
	if len(writes) > 0 || last >= next {
		p.write(EraseWaiting{Conversation: v.row.ID, First: first, Last: last})
	}
	p.touchConversation(v)
	return true
}

func (p *Peer) profileReceived(c *contact, content *wire.Content) {
	name, err := cleanName(content.Text)
	if err != nil || content.Sequence < c.state.TheirName {
		return
	}
	if content.Sequence > c.state.TheirName { // also if it is the same: one of before must not come behind it
		c.state.TheirName = content.Sequence
		p.touchContact(c)
	}
	if name != c.row.Name {
		c.row.Name = name
		p.touchContact(c)
		p.contactEvent(ContactUpdated, c)
	}
}

func (p *Peer) recordReceived(c *contact, record *wire.AddressRecord) {
	if record == nil || c.state.Record != nil && record.Sequence <= c.state.Record.Sequence {
		return
	}
	p.takeRecord(c, record)
}

// takeRecord has a record take the place of the one known.
func (p *Peer) takeRecord(c *contact, record *wire.AddressRecord) {
	before := c.state.Record
	moved := before == nil || !slices.Equal(before.Addresses, record.Addresses) || !slices.Equal(before.Keys, record.Keys)
	c.state.Record = record
	p.hasten(p.lastNow, c, before, record)
	c.forgetCouriers(record)
	c.state.Withdraw = slices.DeleteFunc(c.state.Withdraw, func(s Stored) bool { // we cannot open it any more
		return !slices.ContainsFunc(record.Mailboxes, func(m wire.Mailbox) bool { return m.ID == s.Mailbox })
	})
	c.forgetWithdrawn()
	if c.courier() {
		p.furnishDue = true // there may be something to leave with it
	}
	if c.courier() && moved { // where it is reached, our contacts must know
		for _, other := range p.contactsInOrder() {
			if slices.ContainsFunc(other.state.Boxes, func(b box) bool { return b.Courier == c.row.ID }) {
				p.changedBoxes(other)
			}
		}
	}
	p.touchContact(c)
}

// hasten has a contact tried where its new record says that it is, and so the couriers
// that are named for the first time, or elsewhere: but not as often as it sends records.
func (p *Peer) hasten(now time.Time, c *contact, before, record *wire.AddressRecord) {
	c.backoff.Hasten(now)
	for _, m := range record.Mailboxes {
		t := p.posts[m.Courier]
		switch {
		case t == nil:
			t = &post{}
			p.posts[m.Courier] = t
			t.backoff.Hasten(now)
			t.backoff.Hold(c.newCourier(now))
		case before == nil || !slices.Equal(courierAddresses(before.Couriers, m.Courier), courierAddresses(record.Couriers, m.Courier)):
			t.backoff.Hasten(now)
		}
	}
	p.forgetPosts(now)
}

// newCourier returns when a courier may be dialled that the contact has just named.
func (c *contact) newCourier(now time.Time) time.Time {
	if now.Sub(c.couriersSince) >= rendezvous.HastenEvery || now.Before(c.couriersSince) {
		c.couriersSince, c.couriersNew = now, 0
	}
	if c.couriersNew++; c.couriersNew > newCouriersMax {
		return c.couriersSince.Add(rendezvous.HastenEvery)
	}
	return now
}

// listReceived takes a device list that is signed and chained to the one known.
// A new device after a verification holds outgoing mail until it is confirmed.
func (p *Peer) listReceived(c *contact, list *identity.DeviceList) {
	if list == nil {
		return
	}
	relation, err := c.state.List.Follow(c.row.Account, *list)
	switch {
	case errors.Is(err, identity.ErrListFork):
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "device_list_fork"})
	case err == nil && relation == identity.ListNewer:
		c.state.List = list.Head()
		if c.row.Verification == Verified {
			c.row.Verification = VerifiedChanged
			p.contactEvent(ContactKeyChanged, c)
		}
		p.touchContact(c)
		p.pushListHead(c)
	}
}

// headReceived compares the head of our list that the contact knows with ours: a
// device of ours that is not on our list would be somebody else's.
func (p *Peer) headReceived(c *contact, head *identity.ListHead) {
	if head == nil {
		return
	}
	own := p.self.presented().list.Head()
	if head.Sequence > own.Sequence || head.Sequence == own.Sequence && head.Hash != own.Hash {
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "device_list_fork"})
	}
}
