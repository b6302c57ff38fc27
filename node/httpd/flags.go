package httpd

import (
	"context"
	"net/http"
	"time"
	"unicode/utf8"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// What is in this file the user sets for themselves: flags of conversations, marks
// of messages, drafts. The core knows nothing of it, and no contact is told.

// flagRows are the rows of what a patch sets.
func flagRows(id protocol.ConversationID, patch *api.ConversationPatch, now time.Time) (rows []store.Row) {
	set := func(flag store.Flag, value int64) {
		rows = append(rows, store.SetFlag{Conversation: id, Flag: flag, Value: value})
	}
	if patch.MutedUntil.Present {
		until := int64(0)
		if at := patch.MutedUntil.Value; at != nil && at.After(now) {
			until = at.UnixMilli()
		}
		set(store.FlagMuted, until)
	}
	for flag, on := range map[store.Flag]*bool{store.FlagArchived: patch.Archived, store.FlagPinned: patch.Pinned} {
		if on != nil {
			set(flag, bit(*on))
		}
	}
	return rows
}

func bit(on bool) int64 {
	if on {
		return 1
	}
	return 0
}

// flagsView fills in what the user set of a conversation.
func (r *reader) flagsView(out *api.Conversation, id protocol.ConversationID) error {
	flags, err := r.Flags(id)
	if err != nil {
		return err
	}
	out.Archived, out.Pinned, out.Unread.Marked = flags[store.FlagArchived] != 0, flags[store.FlagPinned] != 0, flags[store.FlagUnread] != 0
	if until := flags[store.FlagMuted]; until > r.now.UnixMilli() {
		out.MutedUntil = api.MilliOrNil(until)
	}
	out.Draft, err = r.draftView(id)
	return err
}

// draftView shows a draft to who may see drafts, nil if there is none.
func (r *reader) draftView(id protocol.ConversationID) (*api.Draft, error) {
	if r.actor.redacted() || !r.actor.has(api.ScopeDrafts) {
		return nil, nil
	}
	d, err := r.Draft(id)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &api.Draft{Text: d.Text, At: api.Milli(d.At)}
	if d.ReplyTo == (protocol.MessageID{}) {
		return out, nil
	}
	m, err := r.Message(d.ReplyTo)
	if isNotFound(err) {
		return out, nil
	}
	answered := messageID(&m)
	out.ReplyTo = &answered
	return out, err
}

// conversationEvent says that a conversation changed.
func conversationEvent(t protocol.EventType, id protocol.ConversationID) protocol.Event {
	return protocol.Event{Type: t, Conversation: id}
}

// markUnread marks a conversation as unread until it is read again.
func (s *Server) markUnread(ctx context.Context, in *byID) (*reply[api.Conversation], error) {
	id, err := s.knownConversation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	rows := []store.Row{store.SetFlag{Conversation: id, Flag: store.FlagUnread, Value: 1}}
	if err := s.write(ctx, rows, conversationEvent(protocol.ConversationUpdated, id)); err != nil {
		return nil, err
	}
	return s.conversation(ctx, id)
}

// knownConversation returns the id of a conversation that there is.
func (s *Server) knownConversation(ctx context.Context, text string) (protocol.ConversationID, error) {
	id, err := conversationID(ctx, text)
	if err != nil {
		return id, err
	}
	return id, s.read(ctx, func(r *reader) error {
		_, err := r.conversation(id)
		return err
	})
}

type draftInput struct {
	ID   string `path:"id"`
	Body api.DraftRequest
}

func (s *Server) putDraft(ctx context.Context, in *draftInput) (*reply[api.Draft], error) {
	id, err := s.knownConversation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := checkText(in.Body.Text); err != nil {
		return nil, err
	}
	row := store.PutDraft{Conversation: id, At: s.now().UnixMilli(), Text: in.Body.Text}
	if in.Body.ReplyTo != nil {
		err := s.read(ctx, func(r *reader) error {
			c, m, err := r.message(*in.Body.ReplyTo)
			if isNotFound(err) || err == nil && c.ID != id {
				return invalid("/reply_to", api.CodeNotFound)
			}
			row.ReplyTo = m.ID
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	out := api.Draft{Text: row.Text, ReplyTo: in.Body.ReplyTo, At: api.Milli(row.At)}
	return ok(0, out), s.write(ctx, []store.Row{row}, conversationEvent(protocol.Draft, id))
}

// checkText refuses what is no text of a message.
func checkText(text string) error {
	switch {
	case len(text) > api.TextBytesMax:
		return api.NewProblem(api.CodeTextTooLong).With("max", api.TextBytesMax).At("/text", api.FieldTooLong)
	case text == "":
		return api.NewProblem(api.CodeInvalidText).At("/text", api.FieldTooShort)
	case !utf8.ValidString(text):
		return api.NewProblem(api.CodeInvalidUTF8).At("/text", api.FieldInvalidUTF8)
	}
	return nil
}

func (s *Server) deleteDraft(ctx context.Context, in *byID) (*done, error) {
	id, err := s.knownConversation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &done{}, s.write(ctx, []store.Row{store.EraseDraft{Conversation: id}}, conversationEvent(protocol.Draft, id))
}

// markName returns a mark and the event that tells of it.
func markName(name string) (store.Mark, protocol.EventType) {
	if name == api.MarkPin {
		return store.MarkPin, api.EventMessagePinned
	}
	return store.MarkStar, api.EventMessageStarred
}

// setMark returns the handler that puts a mark on a message or takes it off.
func setMark(name string, on bool) func(*Server, context.Context, *byID) (*done, error) {
	mark, event := markName(name)
	return func(s *Server, ctx context.Context, in *byID) (*done, error) {
		var m store.Message
		changes := false
		err := s.read(ctx, func(r *reader) (err error) {
			if _, m, err = r.message(in.ID); err != nil {
				return err
			}
			marks, err := r.Marks(m.ID)
			changes = marks[mark] != on
			return err
		})
		if err != nil || !changes {
			return &done{}, err
		}
		return &done{}, s.write(ctx, []store.Row{store.SetMark{Message: m.ID, Mark: mark, On: on}},
			protocol.Event{Type: event, Conversation: m.Conversation, Ref: m.ID})
	}
}

func markRoutes(manage []api.Scope) (all []route) {
	for _, name := range []string{api.MarkPin, api.MarkStar} {
		all = append(all, route{method: http.MethodPut, path: "/v1/messages/{id}/" + name, summary: "Put a mark of one's own on a message: " + name,
			scopes: manage, states: writing, status: http.StatusNoContent, register: operation(setMark(name, true))},
			route{method: http.MethodDelete, path: "/v1/messages/{id}/" + name, summary: "Take a mark of one's own off a message: " + name,
				scopes: manage, states: writing, status: http.StatusNoContent, register: operation(setMark(name, false))})
	}
	return all
}

type markedInput struct {
	Marked string `query:"marked" required:"true" enum:"pin,star"`
	In     string `query:"in" maxLength:"64" doc:"only in this conversation"`
	After  string `query:"after" maxLength:"64" doc:"next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// listMarked lists messages with a mark, the newest first.
func (s *Server) listMarked(ctx context.Context, in *markedInput) (*reply[api.MarkedPage], error) {
	mark, _ := markName(in.Marked)
	var out api.MarkedPage
	err := s.read(ctx, func(r *reader) error {
		out = api.MarkedPage{Items: []api.Message{}}
		where := store.SearchQuery{}
		if err := r.searchIn(&where, in.In); err != nil {
			return err
		}
		if err := pageAfter(&where, in.After); err != nil {
			return err
		}
		found, err := r.Marked(store.MarkedQuery{Mark: mark, Conversations: where.Conversations, Before: where.Before, Limit: in.Limit + 1})
		if isNotFound(err) {
			return api.NewProblem(api.CodeCursorInvalid).At("query:after", api.FieldInvalid)
		}
		if err != nil {
			return err
		}
		if len(found) > in.Limit {
			found = found[:in.Limit]
			out.Next = idOrNil(found[in.Limit-1].ID)
		}
		for i := range found {
			c, err := r.conversation(found[i].Conversation)
			if err != nil {
				return err
			}
			view, err := r.messageView(c, &found[i])
			if err != nil {
				return err
			}
			out.Items = append(out.Items, view)
		}
		return nil
	})
	return ok(0, out), err
}
