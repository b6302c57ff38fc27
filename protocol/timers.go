package protocol

import (
	"time"

	"pabal/protocol/wire"
)

// setTimer sets the timer of new messages on both sides.
func (p *Peer) setTimer(now time.Time, in SetTimer) error {
	v := p.conversations[in.Conversation]
	switch {
	case v == nil:
		return refuse(CodeNotFound)
	case in.Timer != nil && !validTimer(in.Timer):
		return refuse(CodeInvalidTimer)
	case sameTimer(v.row.Timer, in.Timer):
		p.reply(in.Ref, nil)
		return nil
	}
	if m := p.groups[v.row.ID]; m != nil {
		return p.replyOperation(now, m, in.Ref, wire.GroupOperation{Kind: wire.OperationTimer, Timer: in.Timer})
	}
	c := p.contacts[v.row.Contact]
	if c != nil && c.queue.WaitingLen() >= waitingMax {
		return refuse(CodeTooMany)
	}
	id, err := p.newID(now)
	if err != nil {
		return err
	}
	v.row.Timer = in.Timer
	v.timer = &timerSetting{Revision: min(v.timer.revision()+1, revisionMax), ID: id}
	p.touchConversation(v)
	p.event(Event{Type: ConversationUpdated, Conversation: v.row.ID})
	p.reply(in.Ref, nil)
	if c == nil || c.row.Phase == ContactFailed { // nobody to tell
		return nil
	}
	content := wire.Content{
		Type: wire.ContentTimer, ID: id, Sequence: v.row.OwnSequence + 1, At: now.UnixMilli(), Timer: in.Timer, Revision: v.timer.Revision,
	}
	encoded, err := wire.AppendContent(nil, content)
	if err != nil {
		panic("protocol: a content of ours does not encode")
	}
	p.addOwn(now, c, v, PutMessage{
		ID: id, Conversation: v.row.ID, Direction: Out, Sequence: content.Sequence,
		SentAt: content.At, At: content.At, Content: encoded, ExpiresAt: expiryOf(in.Timer, content.At, now, Out),
	})
	return nil
}

// timerReceived takes the timer that the contact has set, if it counts, and its place in
// the history; at the beginning of a session it has none.
func (p *Peer) timerReceived(now time.Time, c *contact, content *wire.Content) error {
	if c.row.Role != RolePerson {
		return nil
	}
	v, err := p.openConversation(now, c)
	if err != nil {
		return err
	}
	set := timerSetting{Revision: content.Revision, ID: content.ID}
	switch known := v.timer.revision(); {
	case content.Revision > revisionMax || content.Revision > known && content.Revision-known > revisionJumpMax:
		p.event(Event{Type: SecurityAlert, Contact: c.row.ID, Code: "absurd_revision"})
	case set.after(v.timer):
		if !sameTimer(v.row.Timer, content.Timer) {
			p.event(Event{Type: ConversationUpdated, Conversation: v.row.ID})
		}
		v.timer, v.row.Timer = &set, content.Timer
		p.touchConversation(v)
	}
	return p.messageReceived(now, c, content)
}

// pushTimer tells the contact the timer of the conversation, if it was ever set: it may
// have lost it, or have begun with another one.
func (p *Peer) pushTimer(now time.Time, c *contact) {
	if len(c.sessions) == 0 || c.conv == nil || c.conv.timer == nil {
		return // a session begins with it
	}
	p.dropInline(c, wire.ContentTimer)
	p.pushInline(c, wire.Content{
		Type: wire.ContentTimer, ID: c.conv.timer.ID, At: now.UnixMilli(), Timer: c.conv.row.Timer, Revision: c.conv.timer.Revision,
	})
}

func validTimer(t *wire.Timer) bool {
	return (t.Mode == wire.TimerFromSent || t.Mode == wire.TimerFromRead) && t.Seconds > 0 && t.Seconds <= wire.TimerSecondsMax
}

func sameTimer(a, b *wire.Timer) bool {
	return a == b || a != nil && b != nil && *a == *b
}
