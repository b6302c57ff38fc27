package protocol

import (
	"slices"
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
	CodeInvalidFile    = "invalid_file"
	CodeNotOwnMessage  = "not_own_message"

	CodeInvalidReaction  = "invalid_reaction"
	CodeInvalidMention   = "invalid_mention"
	CodeInvalidPicture   = "invalid_picture"
	CodeTooManyReactions = "too_many_reactions"
	CodeEditClosed       = "edit_window_closed"
	CodeTooManyEdits     = "too_many_edits"
)

// sendText sends a message that the user has composed.
func (p *Peer) sendText(now time.Time, in SendText) error {
	content, err := composed(in)
	if err != nil {
		return err
	}
	files, err := p.keyFiles(&content, in.Files)
	if err != nil {
		return err
	}
	c, v, err := p.receiver(in, content.Text)
	if err != nil {
		return err
	}
	if m := p.groups[in.Conversation]; m != nil {
		return p.sayInGroup(now, m, in, &content)
	}
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	encoded, err := p.encodeFor(now, v, in, id, &content)
	if err != nil {
		return err
	}
	if v == nil {
		if v, err = p.openConversation(now, c); err != nil {
			return err
		}
	}
	p.addOwn(now, c, v, PutMessage{
		ID: id, ClientID: in.ClientID, Conversation: v.row.ID, Direction: Out, Sequence: content.Sequence,
		SentAt: content.At, At: content.At, Content: encoded, ExpiresAt: expiryOf(content.Timer, content.At, now, Out),
		Files: files,
	})
	p.offerParts(c, &content)
	p.reply(in.Ref, Sent{ID: id, Conversation: v.row.ID, Position: v.row.LastPosition})
	return nil
}

// Refuses returns why one of the messages among inputs would be refused, if they were stepped
// now, or nil. Nothing changes: who steps them next has them all sent or none (spec,
// "Delivery").
func (p *Peer) Refuses(now time.Time, inputs []Input) error {
	ahead := make(map[*contact]int) // messages that are to wait by then
	for _, in := range inputs {
		send, ok := in.(SendText)
		if !ok {
			continue
		}
		content, err := composed(send)
		if err != nil {
			return err
		}
		c, v, err := p.receiver(send, content.Text)
		if err != nil {
			return err
		}
		if c != nil && c.queue.WaitingLen()+ahead[c] >= waitingMax {
			return refuse(CodeTooMany)
		}
		ahead[c]++
		if _, err := p.encodeFor(now, v, send, MessageID{1}, &content); err != nil {
			return err
		}
	}
	return nil
}

// composed is what a message says; its files have no keys yet.
func composed(in SendText) (wire.Content, error) {
	if len(in.Files) > 0 {
		return composedFiles(in)
	}
	text, err := cleanText(in.Text)
	if err != nil {
		return wire.Content{}, err
	}
	content := wire.Content{Type: wire.ContentText, Text: text, Mentions: in.Mentions, Forwarded: in.Forwarded && in.ReplyTo == nil}
	if in.ReplyTo != nil {
		content.Type, content.About = wire.ContentReply, in.ReplyTo
	}
	return content, nil
}

// receiver finds whom a text is for, who can be sent what it says.
func (p *Peer) receiver(in SendText, text string) (c *contact, v *conversation, err error) {
	if c, v, err = p.recipient(in); err != nil {
		return nil, nil, err
	}
	if !fitMentions(c, in.Text, text, in.Mentions) {
		return nil, nil, refuse(CodeInvalidMention)
	}
	return c, v, nil
}

// encodeFor makes a content the next of a conversation, which is nil if there is none yet.
func (p *Peer) encodeFor(now time.Time, v *conversation, in SendText, id MessageID, content *wire.Content) ([]byte, error) {
	sequence := uint64(0)
	if v != nil {
		sequence = v.row.OwnSequence
	}
	content.ID, content.Sequence, content.At, content.Timer = id, sequence+1, now.UnixMilli(), p.timerFor(v, in)
	encoded, err := wire.AppendContent(nil, *content)
	if err != nil {
		return nil, refuse(CodeInvalidText)
	}
	return encoded, nil
}

// addOwn gives a message of ours its place and queues it.
func (p *Peer) addOwn(now time.Time, c *contact, v *conversation, m PutMessage) {
	v.row.LastPosition++
	v.row.LastAt = now.UnixMilli()
	m.Position = v.row.LastPosition
	if c != nil {
		m.Verification = c.row.Verification
		c.signals.wrote()
	}
	p.queueOwn(now, c, v, outbox.Item{Message: m.ID, Sequence: m.Sequence, Size: len(m.Content), Content: m.Content})
	p.write(m)
	p.event(Event{Type: MessageCreated, Conversation: v.row.ID, First: m.Position, Count: 1})
}

// queueOwn queues a message or an operation of ours, the newest of the conversation.
func (p *Peer) queueOwn(now time.Time, c *contact, v *conversation, it outbox.Item) {
	v.row.OwnSequence = it.Sequence
	p.touchConversation(v)
	if c == nil { // note to self: it is where it belongs
		v.row.SealedUpTo = it.Sequence
		v.row.Delivered = addRange(v.row.Delivered, it.Sequence, it.Sequence)
		return
	}
	c.activity = now
	c.queue.Push(it)
	if c.state.Apart != 0 && !c.apartNoted {
		c.apartNoted = true
		p.touchContact(c)
	}
	if c.state.Renumber > 0 {
		c.state.Renumber = it.Sequence // in order behind those that wait for new numbers
	}
	p.stir(c)
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
		if m := p.groups[v.row.ID]; m != nil {
			return nil, v, m.mayWriteIn(in)
		}
		c = p.contacts[v.row.Contact]
	default:
		c = p.contacts[in.Contact]
		if c != nil {
			v = c.conv
		}
	}
	if err := mayWrite(c); err != nil {
		return nil, nil, err
	}
	return c, v, nil
}

// mayWrite refuses what cannot be sent to a contact, if it is one.
func mayWrite(c *contact) error {
	switch {
	case c == nil || c.row.Role != RolePerson:
		return refuse(CodeNotFound)
	case c.row.Blocked:
		return refuse(CodeBlocked)
	case c.row.Phase == ContactFailed:
		return refuse(CodeContactFailed)
	case c.row.Verification == VerifiedChanged:
		return refuse(CodeDevicesChanged)
	case c.queue.WaitingLen() >= waitingMax:
		return refuse(CodeTooMany)
	}
	return nil
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
	if v.row.Timer != nil {
		v.timer = &timerSetting{Revision: 1, ID: id}
		p.pushTimer(now, c)
	}
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
		for _, e := range in.Expiries {
			p.write(e)
		}
		p.tellRead(v, in.Receipt)
		p.touchConversation(v)
		p.event(Event{Type: ConversationRead, Conversation: v.row.ID})
	}
	if m := p.groups[v.row.ID]; m != nil {
		if err := p.seeGroup(now, m); err != nil {
			return err
		}
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
	if v.row.Kind == ConversationGroup {
		return refuse(CodeNotInGroups)
	}
	if inRanges(v.row.Delivered, in.Sequence) {
		return refuse(CodeDelivered)
	}
	p.withdraw(now, v, in.ID, in.Sequence)
	p.unqueueAbout(now, v, in.ID)
	p.write(EraseMessage{ID: in.ID})
	p.event(Event{Type: MessageDeleted, Conversation: v.row.ID, Ref: in.ID, First: in.Position})
	p.touchConversation(v)
	p.reply(in.Ref, nil)
	return nil
}

func (p *Peer) deleteMessage(now time.Time, in DeleteMessage) error {
	v := p.conversations[in.Conversation]
	if v == nil {
		return refuse(CodeNotFound)
	}
	if m := p.groups[v.row.ID]; m != nil {
		p.unqueueShared(m, in.Wire)
	} else if in.Direction == Out {
		p.unqueue(now, v, in.ID, in.Sequence)
		in.Wire = in.ID
	}
	p.unqueueAbout(now, v, in.Wire)
	p.write(EraseMessage{ID: in.ID})
	typ := MessageDeleted
	if in.Expired {
		typ = MessageExpiredEvent
	}
	p.event(Event{Type: typ, Conversation: v.row.ID, Ref: in.ID, First: in.Position})
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
	p.pushTimer(now, c) // should it be that which goes: it counts all the same
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
		for _, m := range p.membershipsInOrder() {
			if err := p.introduceSelf(p.lastNow, m); err != nil {
				return err
			}
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
			p.sever(c)
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

// sever ends all that goes on with a contact who is blocked now.
func (p *Peer) sever(c *contact) {
	p.eraseShelves(c)
	if c.state.Helping != nil {
		c.state.Helping = nil
		p.pushTerms(c) // once it is unblocked: it counts on us
	}
	p.leaveCourier(c)
	p.closeMailboxes(c)
	p.dropConns(c)
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
	p.leaveGroupsOf(c, nil)
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
	p.loseContact(c.row.ID)
	delete(p.stirred, c.row.ID)
	p.write(EraseContact{ID: c.row.ID})
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

// fitMentions reports whether mentions fit the text that is sent: their places are those in
// the text as it was given. In note to self, without a contact, there is nobody but the user.
func fitMentions(c *contact, given, text string, list []wire.Mention) bool {
	switch {
	case len(list) == 0:
		return true
	case given != text || !wire.ValidMentions(text, list):
		return false
	}
	return c != nil || !slices.ContainsFunc(list, func(m wire.Mention) bool { return m.Who == wire.MentionReceiver })
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
