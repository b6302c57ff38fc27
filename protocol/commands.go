package protocol

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// Codes of refused inputs; the API shows them as they are.
const (
	CodeNotFound       = "not_found"
	CodeInvalidText    = "invalid_text"
	CodeTextTooLong    = "text_too_long"
	CodeInvalidName    = "invalid_name"
	CodeAliasTaken     = "alias_taken"
	CodeBlocked        = "blocked"
	CodeContactFailed  = "contact_failed"
	CodeNotEstablished = "not_established"
	CodeTooMany        = "too_many"
	CodeDelivered      = "already_delivered"
	CodeDevicesChanged = "verification_required"
	CodeInvalidTimer   = "invalid_timer"
	CodeConflict       = "conflict"
	CodeInvalidTerms   = "invalid_terms"
)

func (p *Peer) sendText(now time.Time, in SendText) error {
	text, err := cleanText(in.Text)
	if err != nil {
		return err
	}
	c, v, err := p.recipient(in)
	if err != nil {
		return err
	}
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	if v == nil {
		if v, err = p.openConversation(now, c); err != nil {
			return err
		}
	}
	timer := in.Timer
	if timer == nil && !in.NoTimer {
		timer = v.row.Timer
	}
	content := wire.Content{
		Type: wire.ContentText, ID: id, Sequence: v.row.OwnSequence + 1,
		At: now.UnixMilli(), Timer: timer, Text: text,
	}
	encoded, err := wire.AppendContent(nil, content)
	if err != nil {
		return refuse(CodeInvalidText)
	}
	p.addOwn(now, c, v, PutMessage{
		ID: id, ClientID: in.ClientID, Conversation: v.row.ID, Direction: Out, Sequence: content.Sequence,
		SentAt: content.At, At: content.At, Content: encoded, ExpiresAt: expiryOf(timer, content.At, now, Out),
	})
	p.reply(in.Ref, Sent{ID: id, Conversation: v.row.ID, Position: v.row.LastPosition})
	return nil
}

// addOwn gives a message of ours its place and queues it.
func (p *Peer) addOwn(now time.Time, c *contact, v *conversation, m PutMessage) {
	v.row.OwnSequence = m.Sequence
	v.row.LastPosition++
	v.row.LastAt = now.UnixMilli()
	m.Position = v.row.LastPosition
	if c == nil { // note to self: it is where it belongs
		v.row.SealedUpTo = m.Sequence
		v.row.Delivered = addRange(v.row.Delivered, m.Sequence, m.Sequence)
	} else {
		m.Verification = c.row.Verification
		c.activity = now
		c.queue.Push(outbox.Item{Message: m.ID, Sequence: m.Sequence, Size: len(m.Content), Content: m.Content})
		if c.state.Apart != 0 && !c.apartNoted {
			c.apartNoted = true
			p.touchContact(c)
		}
		if c.state.Renumber > 0 {
			c.state.Renumber = m.Sequence // in order behind those that wait for new numbers
		}
		p.stir(c)
	}
	p.write(m)
	p.event(Event{Type: MessageCreated, Conversation: v.row.ID, First: m.Position, Count: 1})
	p.touchConversation(v)
}

// recipient finds whom a text is for; c is nil in note to self, v is nil when
// the contact has no conversation yet.
func (p *Peer) recipient(in SendText) (c *contact, v *conversation, err error) {
	switch {
	case in.Conversation != (ConversationID{}):
		if v = p.conversations[in.Conversation]; v == nil {
			return nil, nil, refuse(CodeNotFound)
		}
		if v.row.Kind == ConversationSelf {
			return nil, v, nil
		}
		c = p.contacts[v.row.Contact]
	default:
		c = p.contacts[in.Contact]
		if c != nil {
			v = c.conv
		}
	}
	switch {
	case c == nil || c.row.Role != RolePerson:
		return nil, nil, refuse(CodeNotFound)
	case c.row.Blocked:
		return nil, nil, refuse(CodeBlocked)
	case c.row.Phase == ContactFailed:
		return nil, nil, refuse(CodeContactFailed)
	case c.row.Verification == VerifiedChanged:
		return nil, nil, refuse(CodeDevicesChanged)
	case c.queue.WaitingLen() >= waitingMax:
		return nil, nil, refuse(CodeTooMany)
	}
	return c, v, nil
}

// openConversation makes the empty direct conversation with a contact.
func (p *Peer) openConversation(now time.Time, c *contact) (*conversation, error) {
	if c.conv != nil {
		return c.conv, nil
	}
	id, err := p.newID(now)
	if err != nil {
		return nil, err
	}
	v := &conversation{row: PutConversation{
		ID: ConversationID(id), Kind: ConversationDirect, Contact: c.row.ID,
		CreatedAt: now.UnixMilli(), LastAt: now.UnixMilli(), Timer: p.self.state.DefaultTimer,
	}}
	p.conversations[v.row.ID] = v
	c.conv, c.row.Conversation = v, v.row.ID
	p.touchConversation(v)
	p.touchContact(c)
	p.event(Event{Type: ConversationCreated, Conversation: v.row.ID, Contact: c.row.ID})
	return v, nil
}

func (p *Peer) markRead(now time.Time, in MarkRead) error {
	v := p.conversations[in.Conversation]
	if v == nil {
		return refuse(CodeNotFound)
	}
	if in.UpTo > v.row.ReadUpTo {
		v.row.ReadUpTo = min(in.UpTo, v.row.LastPosition)
		v.row.Unread = in.Unread + max(v.row.Unread, in.UnreadBefore) - in.UnreadBefore
		for _, e := range in.Expiries {
			p.write(e)
		}
		p.touchConversation(v)
		p.event(Event{Type: ConversationRead, Conversation: v.row.ID})
	}
	p.reply(in.Ref, nil)
	return nil
}

// takeBack deletes a message of ours that the peer has not acknowledged. If an
// envelope carries it, the envelope is void and the rest is sealed anew.
func (p *Peer) takeBack(now time.Time, in TakeBack) error {
	v := p.conversations[in.Conversation]
	if v == nil || in.Sequence == 0 || in.Sequence > v.row.OwnSequence {
		return refuse(CodeNotFound)
	}
	if inRanges(v.row.Delivered, in.Sequence) {
		return refuse(CodeDelivered)
	}
	p.withdraw(now, v, in.ID, in.Sequence)
	p.write(EraseMessage{ID: in.ID})
	p.event(Event{Type: MessageDeleted, Conversation: v.row.ID, Ref: in.ID})
	p.touchConversation(v)
	p.reply(in.Ref, nil)
	return nil
}

func (p *Peer) deleteMessage(now time.Time, in DeleteMessage) error {
	v := p.conversations[in.Conversation]
	if v == nil {
		return refuse(CodeNotFound)
	}
	switch c := p.contacts[v.row.Contact]; {
	case in.Direction == In || c == nil:
	case !inRanges(v.row.Delivered, in.Sequence):
		p.withdraw(now, v, in.ID, in.Sequence)
	default: // the envelope may be kept all the same, with its key
		if e, ok := c.queue.Carrying(in.ID); ok {
			p.voidEnvelope(c, e, in.ID)
		}
	}
	p.write(EraseMessage{ID: in.ID})
	typ := MessageDeleted
	if in.Expired {
		typ = MessageExpiredEvent
	}
	p.event(Event{Type: typ, Conversation: v.row.ID, Ref: in.ID})
	p.touchConversation(v)
	p.reply(in.Ref, nil)
	return nil
}

// withdraw takes a message out of the outbox and tells the peer that its
// sequence is void.
func (p *Peer) withdraw(now time.Time, v *conversation, id MessageID, sequence uint64) {
	c := p.contacts[v.row.Contact]
	if c == nil {
		return
	}
	if !c.queue.RemoveWaiting(id) {
		if e, ok := c.queue.Carrying(id); ok {
			p.voidEnvelope(c, e, id)
		}
	}
	p.pushVoid(c, sequence, sequence)
}

func (p *Peer) setName(in SetName) error {
	name, err := cleanName(in.Name)
	if err != nil {
		return err
	}
	if name != p.self.name {
		p.self.name = name
		p.self.state.NameSequence++
		p.self.dirty = true
		p.event(Event{Type: SelfUpdated})
		for _, c := range p.contactsInOrder() {
			p.pushProfile(c)
		}
	}
	p.reply(in.Ref, nil)
	return nil
}

func (p *Peer) setAlias(in SetAlias) error {
	c := p.contacts[in.Contact]
	if c == nil {
		return refuse(CodeNotFound)
	}
	alias, err := p.freeAlias(in.Alias, c)
	if err != nil {
		return err
	}
	if alias != c.row.Alias {
		c.row.Alias = alias
		p.touchContact(c)
		p.contactEvent(ContactUpdated, c)
	}
	p.reply(in.Ref, nil)
	return nil
}

// freeAlias cleans an alias and refuses one that another contact has.
func (p *Peer) freeAlias(alias string, of *contact) (string, error) {
	if alias == "" {
		return "", nil
	}
	alias, err := cleanName(alias)
	if err != nil {
		return "", err
	}
	fold := cases.Fold().String(alias)
	for _, other := range p.contactsInOrder() {
		if other != of && other.row.Phase != ContactFailed && cases.Fold().String(other.row.Alias) == fold {
			return "", refuse(CodeAliasTaken)
		}
	}
	return alias, nil
}

func (p *Peer) setVerified(in SetVerified) error {
	c := p.contacts[in.Contact]
	switch {
	case c == nil:
		return refuse(CodeNotFound)
	case c.row.Phase != ContactEstablished && c.row.Phase != ContactPending:
		return refuse(CodeNotEstablished)
	}
	want := Unverified
	if in.Verified {
		want = Verified
		c.state.VerifiedAt = c.state.List
	}
	if c.row.Verification != want {
		c.row.Verification = want
		p.touchContact(c)
		p.contactEvent(ContactVerified, c)
	}
	p.reply(in.Ref, nil)
	return nil
}

func (p *Peer) setBlocked(in SetBlocked) error {
	c := p.contacts[in.Contact]
	if c == nil {
		return refuse(CodeNotFound)
	}
	if c.row.Blocked != in.Blocked {
		c.row.Blocked = in.Blocked
		if in.Blocked {
			p.eraseShelves(c)
			if c.state.Helping != nil {
				c.state.Helping = nil
				p.pushTerms(c) // once it is unblocked: it counts on us
			}
			p.leaveCourier(c)
			p.closeMailboxes(c)
			p.dropConns(c)
		} else {
			c.backoff.Clear()
			c.wanted, p.furnishDue = true, true
		}
		p.touchContact(c)
		p.contactEvent(ContactBlocked, c)
	}
	p.reply(in.Ref, nil)
	return nil
}

func (p *Peer) removeContact(in RemoveContact) error {
	c := p.contacts[in.Contact]
	if c == nil {
		return refuse(CodeNotFound)
	}
	p.forget(c)
	p.reply(in.Ref, nil)
	return nil
}

// forget erases a contact and all that belongs to it.
func (p *Peer) forget(c *contact) {
	p.endExport(c, refuse(CodeNotFound))
	p.dropConns(c)
	if c.conv != nil {
		p.eraseConversation(c.conv)
	}
	p.eraseShelves(c)
	c.state.Courier, c.state.Helping = nil, nil
	p.leaveCourier(c)
	p.closeMailboxes(c)
	for _, r := range p.requestsInOrder() {
		if r.row.Contact == c.row.ID || r.row.Phase == RequestWaiting && r.state.Incoming.Payload.Entry.Account.Equal(c.row.Account) {
			p.eraseRequest(r)
		}
	}
	p.contactEvent(ContactRemoved, c)
	delete(p.contacts, c.row.ID)
	delete(p.stirred, c.row.ID)
	p.write(EraseContact{ID: c.row.ID})
}

func (p *Peer) setTimer(in SetTimer) error {
	v := p.conversations[in.Conversation]
	switch {
	case v == nil:
		return refuse(CodeNotFound)
	case in.Timer != nil && !validTimer(in.Timer):
		return refuse(CodeInvalidTimer)
	}
	v.row.Timer = in.Timer
	p.touchConversation(v)
	p.event(Event{Type: ConversationUpdated, Conversation: v.row.ID})
	p.reply(in.Ref, nil)
	return nil
}

func validTimer(t *wire.Timer) bool {
	return (t.Mode == wire.TimerFromSent || t.Mode == wire.TimerFromRead) && t.Seconds > 0 && t.Seconds <= wire.TimerSecondsMax
}

func (p *Peer) setDefaultTimer(in SetDefaultTimer) error {
	if in.Timer != nil && !validTimer(in.Timer) {
		return refuse(CodeInvalidTimer)
	}
	p.self.state.DefaultTimer = in.Timer
	p.self.dirty = true
	p.reply(in.Ref, nil)
	return nil
}

func (p *Peer) openCommand(now time.Time, in OpenConversation) error {
	var v *conversation
	var err error
	if in.Contact == (ContactID{}) {
		v, err = p.openNoteToSelf(now)
	} else {
		c := p.contacts[in.Contact]
		if c == nil || c.row.Role != RolePerson {
			return refuse(CodeNotFound)
		}
		v, err = p.openConversation(now, c)
	}
	if err != nil {
		return err
	}
	p.reply(in.Ref, Opened{Conversation: v.row.ID})
	return nil
}

func (p *Peer) openNoteToSelf(now time.Time) (*conversation, error) {
	if v := p.conversations[p.self.state.Self]; v != nil {
		return v, nil
	}
	id, err := p.newID(now)
	if err != nil {
		return nil, err
	}
	v := &conversation{row: PutConversation{
		ID: ConversationID(id), Kind: ConversationSelf, CreatedAt: now.UnixMilli(), LastAt: now.UnixMilli(),
	}}
	p.self.state.Self = v.row.ID
	p.self.dirty = true
	p.conversations[v.row.ID] = v
	p.touchConversation(v)
	p.event(Event{Type: ConversationCreated, Conversation: v.row.ID})
	return v, nil
}

func cleanText(s string) (string, error) {
	switch {
	case len(s) > TextBytesMax:
		return "", refuse(CodeTextTooLong)
	case !utf8.ValidString(s), strings.TrimSpace(s) == "":
		return "", refuse(CodeInvalidText)
	}
	s = norm.NFC.String(s)
	if len(s) > TextBytesMax {
		return "", refuse(CodeTextTooLong)
	}
	return s, nil
}

// cleanName puts a name into NFC and refuses what cannot be shown safely:
// control characters, bidirectional overrides, nothing at all.
func cleanName(s string) (string, error) {
	s = strings.TrimSpace(norm.NFC.String(s))
	if s == "" || !wire.ValidName(s) || strings.ContainsFunc(s, unsafeInName) {
		return "", refuse(CodeInvalidName)
	}
	return s, nil
}

func unsafeInName(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
