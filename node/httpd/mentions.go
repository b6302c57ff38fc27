package httpd

import (
	"context"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// mentionViews shows whom places in a text name, to the one side or the other.
func mentionViews(contact protocol.ContactID, d protocol.Direction, list []wire.Mention) []api.Mention {
	out := make([]api.Mention, len(list))
	for i, m := range list {
		out[i] = api.Mention{ContactID: contact.String(), Start: m.Start, Length: m.Length}
		if (m.Who == wire.MentionSender) == (d == protocol.Out) {
			out[i].ContactID = api.SenderSelf
		}
	}
	return out
}

// mentions makes the core's mentions of those of a request about a conversation with a
// contact. Nobody else can be mentioned there: the other side does not know our contacts.
func mentions(contact protocol.ContactID, list []api.Mention) ([]wire.Mention, error) {
	var out []wire.Mention
	for _, m := range list {
		who := wire.MentionReceiver
		switch {
		case m.ContactID == api.SenderSelf:
			who = wire.MentionSender
		case contact == (protocol.ContactID{}) || m.ContactID != contact.String():
			return nil, api.NewProblem(api.CodeInvalidMention).At("/mentions", api.FieldInvalid)
		}
		out = append(out, wire.Mention{Who: who, Start: m.Start, Length: m.Length})
	}
	return out, nil
}

// mention puts the mentions of a request into a message to be sent.
func (s *Server) mention(ctx context.Context, send *protocol.SendText, list []api.Mention) error {
	if len(list) == 0 {
		return nil
	}
	contact := send.Contact
	if send.Conversation != (protocol.ConversationID{}) {
		err := s.read(ctx, func(r *reader) error {
			c, err := r.conversation(send.Conversation)
			if err == nil {
				contact = c.Contact
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	var err error
	send.Mentions, err = mentions(contact, list)
	return err
}

// shownMentions returns the mentions in the text of a message as it is now.
func shownMentions(m *store.Message, content *wire.Content) []wire.Mention {
	if edit, _ := newestEdit(m); edit != nil && hasText(content) {
		return edit.Mentions
	}
	return content.Mentions
}
