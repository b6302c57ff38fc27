package protocol

import (
	"time"

	"pabal/protocol/wire"
)

// editMessage gives a message of ours a new text, here and on the other side.
func (p *Peer) editMessage(now time.Time, in EditMessage) error {
	text, err := cleanText(in.Text)
	if err != nil {
		return err
	}
	if in.Direction != Out {
		return refuse(CodeNotOwnMessage)
	}
	c, v, err := p.recipient(SendText{Conversation: in.Conversation})
	switch {
	case err != nil:
		return err
	case v.row.Kind == ConversationGroup:
		return refuse(CodeNotInGroups)
	case in.Sequence == 0 || in.Sequence > v.row.OwnSequence:
		return refuse(CodeNotFound)
	case now.Sub(in.ID.madeAt()) > EditWindow:
		return refuse(CodeEditClosed)
	case in.Revision >= EditsMax:
		return refuse(CodeTooManyEdits)
	case !fitMentions(c, in.Text, text, in.Mentions):
		return refuse(CodeInvalidMention)
	}
	about := wire.Reference{Own: true, Sequence: in.Sequence, ID: in.ID}
	if err := p.operate(now, c, v, wire.Content{Type: wire.ContentEdit, About: &about, Text: text, Mentions: in.Mentions, Revision: in.Revision + 1}); err != nil {
		return err
	}
	p.event(Event{Type: MessageEdited, Conversation: v.row.ID, Ref: in.ID})
	p.reply(in.Ref, nil)
	return nil
}

// editReceived takes a new text for a message of the contact's.
func (p *Peer) editReceived(now time.Time, v *conversation, content *wire.Content) error {
	about := content.About
	switch {
	case content.Revision > EditsMax:
		p.event(Event{Type: SecurityAlert, Contact: v.row.Contact, Code: "absurd_revision"})
		return nil
	case time.UnixMilli(content.At).Sub(MessageID(about.ID).madeAt()) > EditWindow+editSlack:
		return nil // by its author's clock, which the ids tell
	}
	return p.keepOperation(now, v, content, MessageEdited)
}
