package httpd

import (
	"context"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// visibleConversations returns the newest conversations that the actor may see.
func (r *reader) visibleConversations(limit int) ([]protocol.PutConversation, error) {
	if limit == 0 {
		return nil, nil
	}
	if !r.actor.narrowed() {
		rows, err := r.Conversations(protocol.ConversationID{}, limit)
		for i := range rows {
			r.conversations[rows[i].ID] = &rows[i]
		}
		return rows, err
	}
	var rows []protocol.PutConversation
	for _, text := range r.actor.constraints.Conversations {
		id, err := protocol.ParseConversationID(text)
		if err != nil {
			continue // checked when the token was made
		}
		c, err := r.conversation(id)
		if isNotFound(err) {
			continue // erased since
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, *c)
	}
	sortNewestFirst(rows)
	return rows[:min(limit, len(rows))], nil
}

type conversationsInput struct {
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	After string `query:"after" maxLength:"64" doc:"next of the page before"`
	State string `query:"state" enum:"inbox,archived" doc:"only those that are not archived, or only those that are"`
	// Pinned and Unread narrow only when they are true.
	Pinned bool `query:"pinned" doc:"only pinned ones"`
	Unread bool `query:"unread" doc:"only those with unread messages, or marked so"`
}

// wants reports whether a conversation is one of those asked for.
func (in *conversationsInput) wants(c *api.Conversation) bool {
	return (in.State == "" || (in.State == "archived") == c.Archived) && (!in.Pinned || c.Pinned) &&
		(!in.Unread || c.Unread.Marked || c.Unread.Count > 0)
}

// conversationPage is a list that is too long for one answer.
type conversationPage struct {
	Items []api.Conversation `json:"items"`
	Next  *string            `json:"next" doc:"pass it as after for the next page; null: there is none"`
}

func (s *Server) listConversations(ctx context.Context, in *conversationsInput) (*reply[conversationPage], error) {
	var after protocol.ConversationID
	if in.After != "" {
		id, err := protocol.ParseConversationID(in.After)
		if err != nil {
			return nil, invalid("query:after", api.CodeInvalidID)
		}
		after = id
	}
	var out conversationPage
	err := s.read(ctx, func(r *reader) error {
		out = conversationPage{Items: []api.Conversation{}}
		if _, err := r.allContacts(); err != nil { // names, read at once
			return err
		}
		return r.conversationPage(&out, in, after)
	})
	return ok(0, out), err
}

// conversationPage collects those conversations that are asked for.
func (r *reader) conversationPage(out *conversationPage, in *conversationsInput, after protocol.ConversationID) error {
	for {
		rows, err := r.conversationsAfter(after, in.Limit+1)
		if err != nil {
			return err
		}
		for i := range rows {
			view, err := r.conversationView(&rows[i])
			if err != nil {
				return err
			}
			if !in.wants(&view) {
				continue
			}
			if len(out.Items) == in.Limit {
				out.Next = &out.Items[in.Limit-1].ID
				return nil
			}
			out.Items = append(out.Items, r.withoutMessages(view))
		}
		if len(rows) <= in.Limit {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// conversationsAfter returns a page of the conversations that the actor may see.
func (r *reader) conversationsAfter(after protocol.ConversationID, limit int) ([]protocol.PutConversation, error) {
	if after == (protocol.ConversationID{}) {
		return r.visibleConversations(limit)
	}
	if r.actor.narrowed() {
		return nil, nil // the first page holds them all
	}
	return r.Conversations(after, limit)
}

// withoutMessages hides the newest message from who may not read any.
func (r *reader) withoutMessages(c api.Conversation) api.Conversation {
	if !r.actor.has(api.ScopeMessagesRead) && !r.actor.has(api.ScopeMessagesMeta) {
		c.Last = nil
	}
	return c
}

func (s *Server) conversation(ctx context.Context, id protocol.ConversationID) (*reply[api.Conversation], error) {
	var out api.Conversation
	err := s.read(ctx, func(r *reader) error {
		c, err := r.conversation(id)
		if err != nil {
			return err
		}
		view, err := r.conversationView(c)
		out = r.withoutMessages(view)
		return err
	})
	return ok(0, out), err
}

// conversationID parses the id of a path and checks that the actor may see it.
func conversationID(ctx context.Context, text string) (protocol.ConversationID, error) {
	id, err := protocol.ParseConversationID(text)
	if err != nil || !requestOf(ctx).actor.sees(text) {
		return id, notFoundID()
	}
	return id, nil
}

func (s *Server) getConversation(ctx context.Context, in *byID) (*reply[api.Conversation], error) {
	id, err := conversationID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.conversation(ctx, id)
}

type openInput struct{ Body api.ConversationRequest }

// openConversation answers with the conversation there is, or makes it.
func (s *Server) openConversation(ctx context.Context, in *openInput) (*reply[api.Conversation], error) {
	var contact protocol.ContactID
	switch {
	case in.Body.Kind == api.KindDirect && in.Body.ContactID == "":
		return nil, invalid("/contact_id", api.FieldRequired)
	case in.Body.Kind == api.KindSelf && in.Body.ContactID != "":
		return nil, invalid("/contact_id", api.FieldNotAllowed)
	case in.Body.Kind == api.KindDirect:
		c, err := s.readContact(ctx, in.Body.ContactID)
		if err != nil {
			return nil, err
		}
		if c.Conversation != (protocol.ConversationID{}) {
			return s.conversation(ctx, c.Conversation)
		}
		contact = c.ID
	}
	if requestOf(ctx).actor.narrowed() {
		return nil, api.NewProblem(api.CodeNotFound) // what it would make is not in the token's list
	}
	result, err := s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
		return protocol.OpenConversation{Ref: ref, Contact: contact}
	}, nil)
	if err != nil {
		return nil, err
	}
	return s.conversation(ctx, result.(protocol.Opened).Conversation)
}

type conversationInput struct {
	ID   string `path:"id"`
	Body api.ConversationPatch
}

func (s *Server) patchConversation(ctx context.Context, in *conversationInput) (*reply[api.Conversation], error) {
	id, err := conversationID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	rows := flagRows(id, &in.Body, s.now())
	if in.Body.Disappearing.Present {
		t, err := timer(in.Body.Disappearing.Value)
		if err != nil {
			return nil, err
		}
		_, err = s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
			return protocol.SetTimer{Ref: ref, Conversation: id, Timer: t}
		}, func(any) []store.Row { return rows })
		if err != nil {
			return nil, err
		}
	} else if len(rows) > 0 {
		if _, err := s.knownConversation(ctx, in.ID); err != nil {
			return nil, err
		}
		if err := s.write(ctx, rows, conversationEvent(protocol.ConversationUpdated, id)); err != nil {
			return nil, err
		}
	}
	return s.conversation(ctx, id)
}

type readInput struct {
	ID   string `path:"id"`
	Body api.ReadRequest
}

// markRead moves the user's place forward, never back.
func (s *Server) markRead(ctx context.Context, in *readInput) (*reply[api.Conversation], error) {
	id, err := conversationID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	leave, err := s.inFlight.enter(ctx, "read "+in.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	mark := protocol.MarkRead{Conversation: id}
	moved := false
	var rows []store.Row
	err = s.read(ctx, func(r *reader) error {
		c, err := r.conversation(id)
		if err != nil {
			return err
		}
		flags, err := r.Flags(id)
		if err != nil {
			return err
		}
		if rows = nil; flags[store.FlagUnread] != 0 {
			rows = []store.Row{store.SetFlag{Conversation: id, Flag: store.FlagUnread}}
		}
		mark.UpTo = min(in.Body.UpTo, c.LastPosition)
		if moved = mark.UpTo > c.ReadUpTo; !moved {
			return nil
		}
		if flags[store.FlagReceipts] != 0 {
			if mark.Receipt, err = r.HighestRead(id, c.ReadUpTo+1, mark.UpTo); err != nil {
				return err
			}
		}
		mark.Expiries, err = r.Unstarted(id, mark.UpTo, s.now().UnixMilli())
		return err
	})
	if err != nil {
		return nil, err
	}
	switch {
	case moved:
		_, err = s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
			mark.Ref = ref
			return mark
		}, func(any) []store.Row { return rows })
	case len(rows) > 0:
		err = s.write(ctx, rows, conversationEvent(protocol.ConversationRead, id))
	}
	if err != nil {
		return nil, err
	}
	return s.conversation(ctx, id)
}
