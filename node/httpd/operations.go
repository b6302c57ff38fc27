package httpd

import (
	"context"
	"errors"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// onMessage lets one request at a time change a message, from what it reads of it to the
// commit. The caller must call leave.
func (s *Server) onMessage(ctx context.Context, id string, fn func(*reader, *protocol.PutConversation, *store.Message) error) (leave func(), err error) {
	leave, err = s.inFlight.enter(ctx, "message "+id)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(r *reader) error {
		c, m, err := r.message(id)
		if err != nil {
			return err
		}
		return fn(r, c, &m)
	})
	if err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

type deleteInput struct {
	ID  string `path:"id"`
	For string `query:"for" enum:"me,everyone" default:"me" doc:"everyone: only of one's own; the other side is asked, and may refuse"`
}

// deleteMessage deletes a message here, or for everyone.
func (s *Server) deleteMessage(ctx context.Context, in *deleteInput) (*done, error) {
	var m store.Message
	undelivered := false
	leave, err := s.onMessage(ctx, in.ID, func(_ *reader, c *protocol.PutConversation, found *store.Message) error {
		m, undelivered = *found, found.Direction == protocol.Out && waits(string(store.StatusOf(c, found)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	defer leave()
	if in.For == "everyone" {
		return &done{}, s.deleteForEveryone(ctx, &m)
	}
	return &done{}, s.deleteForMe(ctx, &m, undelivered)
}

// deleteForMe deletes here. A message of ours that is not delivered is taken back, so that
// it never is; if it is delivered at the same moment, it is deleted here only.
func (s *Server) deleteForMe(ctx context.Context, m *store.Message, undelivered bool) error {
	if undelivered {
		err := s.change(ctx, func(ref uint64) protocol.Input {
			return protocol.TakeBack{Ref: ref, ID: m.ID, Conversation: m.Conversation, Position: m.Position, Sequence: m.Sequence}
		})
		if p := (*protocol.Problem)(nil); !errors.As(err, &p) || p.Code != protocol.CodeDelivered {
			return err
		}
	}
	return s.change(ctx, func(ref uint64) protocol.Input {
		return protocol.DeleteMessage{
			Ref: ref, ID: m.ID, Wire: m.Wire, Conversation: m.Conversation, Position: m.Position, Sequence: m.Sequence, Direction: m.Direction,
		}
	})
}

// deleteForEveryone deletes here and asks the other side; again it has no effect.
func (s *Server) deleteForEveryone(ctx context.Context, m *store.Message) error {
	if m.State == protocol.MessageErased && m.Direction == protocol.Out {
		return nil
	}
	return s.change(ctx, func(ref uint64) protocol.Input {
		return protocol.DeleteForEveryone{
			Ref: ref, ID: m.ID, Conversation: m.Conversation, Position: m.Position, Sequence: m.Sequence, Direction: m.Direction,
		}
	})
}

// deletionView shows who has deleted a message for everyone, nil if nobody has.
func deletionView(m *store.Message) *api.Deletion {
	if m.State != protocol.MessageErased {
		return nil
	}
	out := &api.Deletion{At: api.Milli(m.DeletedAt), By: api.DeletedBySender}
	if m.Direction == protocol.Out {
		out.By, out.State = api.DeletedByMe, &m.Code
	}
	return out
}

// timerView shows that the sender of an item has set the conversation's timer.
func timerView(t *wire.Timer) *api.System {
	params := map[string]any{"disappearing": nil}
	if d := disappearing(t); d != nil {
		params["disappearing"] = d
	}
	return &api.System{Code: api.SystemTimer, Params: params}
}

// quote says in an input what a message answers: one of the same conversation that somebody
// wrote and that is still there.
func (s *Server) quote(ctx context.Context, send *protocol.SendText, id string) error {
	if id == "" {
		return nil
	}
	if len(send.Files) > 0 {
		return invalid("/reply_to", api.FieldNotAllowed)
	}
	return s.read(ctx, func(r *reader) error {
		c, m, err := r.message(id)
		ours := err == nil && (c.ID == send.Conversation || send.Contact != (protocol.ContactID{}) && c.Contact == send.Contact)
		switch {
		case isNotFound(err), err == nil && !ours:
			return api.NewProblem(api.CodeNotFound).At("/reply_to", api.CodeNotFound)
		case err != nil:
			return err
		}
		send.ReplyTo, err = referenceTo(&m, "/reply_to")
		return err
	})
}

// refer finds what a message answers, and whom it mentions.
func (s *Server) refer(ctx context.Context, send *protocol.SendText, req api.MessageRequest) error {
	if err := s.quote(ctx, send, req.ReplyTo); err != nil {
		return err
	}
	return s.mention(ctx, send, req.Mentions)
}

// referenceTo names a message that somebody wrote and that is still there; at says where
// the request names it.
func referenceTo(m *store.Message, at string) (*wire.Reference, error) {
	if m.State == protocol.MessageErased {
		return nil, api.NewProblem(api.CodeGone).At(at, api.CodeGone)
	}
	content, _, err := wire.DecodeContent(m.Content)
	if err != nil || content.Type == wire.ContentTimer || content.ID == ([16]byte{}) {
		return nil, invalid(at, api.FieldNotAllowed)
	}
	return &wire.Reference{Own: m.Direction == protocol.Out, Sequence: m.Sequence, ID: content.ID}, nil
}

// quoteView shows what a message answers.
func (r *reader) quoteView(c *protocol.PutConversation, m *store.Message, about *wire.Reference) (*api.Quote, error) {
	own := about.Own == (m.Direction == protocol.Out)
	quoted, err := r.Quoted(c.ID, about.ID, own)
	if isNotFound(err) || err == nil && quoted.State == protocol.MessageErased {
		return &api.Quote{}, nil
	}
	if err != nil {
		return nil, err
	}
	var by api.Message
	if err := r.sender(&by, c, quoted.Direction); err != nil {
		return nil, err
	}
	id := messageID(&quoted)
	out := &api.Quote{ID: &id, Sender: &by.Sender}
	content, _, err := wire.DecodeContent(quoted.Content)
	if text := shownText(&quoted, &content); err == nil && text != "" && r.actor.quotes() && quoted.At >= r.actor.texts {
		excerpt := excerptOf(text)
		out.Excerpt = &excerpt
	}
	return out, nil
}
