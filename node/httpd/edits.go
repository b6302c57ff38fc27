package httpd

import (
	"context"
	"slices"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

type editInput struct {
	ID   string `path:"id"`
	Body api.EditRequest
}

// editMessage gives a message of ours a new text, on both sides. The one that it has
// already is no edit.
func (s *Server) editMessage(ctx context.Context, in *editInput) (*reply[api.Message], error) {
	if err := checkText(in.Body.Text); err != nil {
		return nil, err
	}
	var m store.Message
	var content wire.Content
	var named []wire.Mention
	leave, err := s.onMessage(ctx, in.ID, func(_ *reader, c *protocol.PutConversation, found *store.Message) (err error) {
		m = *found
		switch {
		case m.Direction != protocol.Out:
			return api.NewProblem(api.CodeNotOwnMessage)
		case m.State == protocol.MessageErased:
			return api.NewProblem(api.CodeGone)
		}
		content, _, err = wire.DecodeContent(m.Content)
		if err != nil || !hasText(&content) {
			return invalid("/text", api.FieldNotAllowed)
		}
		named, err = mentions(c.Contact, in.Body.Mentions)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer leave()
	if in.Body.Text != shownText(&m, &content) || !slices.Equal(named, shownMentions(&m, &content)) {
		_, revision := newestEdit(&m)
		err = s.change(ctx, func(ref uint64) protocol.Input {
			return protocol.EditMessage{
				Ref: ref, ID: m.ID, Conversation: m.Conversation, Sequence: m.Sequence, Direction: m.Direction,
				Revision: revision, Text: in.Body.Text, Mentions: named,
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return s.getMessage(ctx, &byID{ID: in.ID})
}

// messageHistory shows all that a message said.
func (s *Server) messageHistory(ctx context.Context, in *byID) (*reply[api.History], error) {
	var out api.History
	err := s.read(ctx, func(r *reader) error {
		_, m, err := r.message(in.ID)
		if err != nil {
			return err
		}
		out.Items = []api.MessageVersion{}
		if m.State == protocol.MessageErased {
			return nil
		}
		contents, err := r.Edits(m.ID)
		if err != nil {
			return err
		}
		for _, b := range append([][]byte{m.Content}, contents...) {
			content, _, err := wire.DecodeContent(b)
			if err != nil || !hasText(&content) && content.Type != wire.ContentEdit {
				continue
			}
			v := api.MessageVersion{At: api.Milli(content.At), Revision: content.Revision}
			if content.Text != "" && !r.actor.redacted() {
				v.Text = &content.Text
			}
			out.Items = append(out.Items, v)
		}
		return nil
	})
	return ok(0, out), err
}

// hasText reports whether a content is a message whose text can be another one.
func hasText(c *wire.Content) bool {
	return c.Raw == nil && (c.Type == wire.ContentText || c.Type == wire.ContentReply || c.Type == wire.ContentManifest)
}

// newestEdit returns the edit of a message that counts, and its revision; nil and 0 if
// there is none.
func newestEdit(m *store.Message) (*wire.Content, uint32) {
	edit, _, err := wire.DecodeContent(m.Edit)
	if err != nil {
		return nil, 0
	}
	return &edit, edit.Revision
}

// shownText returns the text of a message as it is now.
func shownText(m *store.Message, content *wire.Content) string {
	if edit, _ := newestEdit(m); edit != nil && hasText(content) {
		return edit.Text
	}
	return content.Text
}

// editView shows whether a message was edited, and until when it can be.
func (r *reader) editView(out *api.Message, m *store.Message, content *wire.Content) {
	edit, revision := newestEdit(m)
	if edit != nil {
		out.Revision, out.EditedAt = revision, api.MilliOrNil(edit.At)
	}
	until := m.SentAt + protocol.EditWindow.Milliseconds()
	if m.Direction == protocol.Out && m.State == "" && hasText(content) && revision < protocol.EditsMax && until > r.now.UnixMilli() {
		out.EditUntil = api.MilliOrNil(until)
	}
}
