package httpd

import (
	"context"
	"errors"
	"slices"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

type searchInput struct {
	Text  string    `query:"q" required:"true" minLength:"1" maxLength:"256" doc:"all of its words must be there: Hangul and Han in any part of a word, initial consonants as ㅎㅇㅅ from a word's start, other words by their beginning, those of one or two letters whole"`
	In    string    `query:"in" maxLength:"64" doc:"only in this conversation"`
	From  string    `query:"from" maxLength:"512" doc:"only of this contact, by id or @name, or self"`
	Kind  string    `query:"kind" enum:"text,contact" doc:"only messages, or only contacts by their names"`
	Since time.Time `query:"since" doc:"only what arrived at or after this time"`
	Until time.Time `query:"until" doc:"only what arrived before this time"`
	After string    `query:"after" maxLength:"64" doc:"next of the page before"`
	Limit int       `query:"limit" minimum:"1" maximum:"50" default:"50"`
}

// narrows reports whether the search has filters that only messages can meet.
func (in *searchInput) narrows() bool {
	return in.In != "" || in.From != "" || !in.Since.IsZero() || !in.Until.IsZero() || in.After != ""
}

// search finds messages by their texts and contacts by their names. Whoever is not
// shown texts may not search them: hits alone would tell what they say.
func (s *Server) search(ctx context.Context, in *searchInput) (*reply[api.SearchPage], error) {
	if requestOf(ctx).actor.redacted() {
		return nil, api.NewProblem(api.CodeScopeMissing).With("scope", api.ScopeMessagesRead)
	}
	if !store.Searchable(in.Text) && in.Kind != api.SearchContact {
		return nil, api.NewProblem(api.CodeNothingToSearch).At("query:q", api.FieldInvalid)
	}
	var out api.SearchPage
	err := s.read(ctx, func(r *reader) (err error) {
		out = api.SearchPage{Items: []api.SearchHit{}, Contacts: []api.Contact{}}
		if in.Kind != api.SearchText && !in.narrows() && r.actor.has(api.ScopeContactsRead) {
			if out.Contacts, err = r.contactsCalled(in.Text); err != nil {
				return err
			}
		}
		if in.Kind == api.SearchContact {
			return nil
		}
		query, err := r.searchQuery(in)
		if err != nil {
			return err
		}
		found, err := r.Search(query)
		if isNotFound(err) {
			return api.NewProblem(api.CodeCursorInvalid).At("query:after", api.FieldInvalid)
		}
		if err != nil {
			return err
		}
		return r.searchPage(&out, in.Text, found)
	})
	return ok(0, out), err
}

// contactsCalled returns the contacts whose names fit a text, by name.
func (r *reader) contactsCalled(text string) ([]api.Contact, error) {
	rows, err := r.allContacts()
	if err != nil {
		return nil, err
	}
	want := foldName(text)
	return r.contactViews(slices.DeleteFunc(rows, func(c protocol.PutContact) bool {
		return !nameHas(c.Name, want) && !nameHas(c.Alias, want)
	}))
}

// searchQuery is what the store is asked for what the actor may see. An actor who
// sees none of the conversations asked for is told that there is no such one.
func (r *reader) searchQuery(in *searchInput) (store.SearchQuery, error) {
	q := store.SearchQuery{Text: in.Text, Limit: in.Limit}
	if !in.Since.IsZero() {
		q.Since = in.Since.UnixMilli()
	}
	if !in.Until.IsZero() {
		q.Until = max(in.Until.UnixMilli(), 1) // 0 would be none
	}
	if err := pageAfter(&q, in.After); err != nil {
		return q, err
	}
	if err := r.searchIn(&q, in.In); err != nil {
		return q, err
	}
	return q, r.searchFrom(&q, in)
}

// pageAfter sets where a page begins, by the last message of the page before.
func pageAfter(q *store.SearchQuery, after string) (err error) {
	if after == "" {
		return nil
	}
	if q.Before, err = protocol.ParseMessageID(after); err != nil {
		return api.NewProblem(api.CodeCursorInvalid).At("query:after", api.FieldMalformed)
	}
	return nil
}

// searchIn sets where to look: in a conversation, or in all that the actor sees.
func (r *reader) searchIn(q *store.SearchQuery, conversation string) error {
	if conversation != "" {
		id, err := protocol.ParseConversationID(conversation)
		if err != nil {
			return api.NewProblem(api.CodeNotFound).At("query:in", api.CodeInvalidID)
		}
		if _, err := r.conversation(id); err != nil {
			return notFoundAt("query:in", err)
		}
		q.Conversations = []protocol.ConversationID{id}
		return nil
	}
	for _, text := range r.actor.constraints.Conversations {
		if id, err := protocol.ParseConversationID(text); err == nil { // checked when the token was made
			q.Conversations = append(q.Conversations, id)
		}
	}
	return nil
}

// searchFrom sets whose messages to look at.
func (r *reader) searchFrom(q *store.SearchQuery, in *searchInput) error {
	if in.From == "" {
		return nil
	}
	direction := protocol.Out
	if in.From != api.SenderSelf {
		contact, err := r.resolve(in.From)
		if err != nil {
			return notFoundAt("query:from", err)
		}
		direction = protocol.In
		if len(q.Conversations) == 0 || slices.Contains(q.Conversations, contact.Conversation) {
			q.Conversations = []protocol.ConversationID{contact.Conversation}
		} else {
			q.Conversations = []protocol.ConversationID{{}} // there is none
		}
	}
	q.Direction = &direction
	return nil
}

// notFoundAt is the problem of a parameter that names nothing the actor can see.
func notFoundAt(pointer string, err error) error {
	p := (*api.Problem)(nil)
	if isNotFound(err) || errors.As(err, &p) && p.Code == api.CodeNotFound {
		return api.NewProblem(api.CodeNotFound).At(pointer, api.FieldInvalid)
	}
	return err
}

// searchPage shows what was found.
func (r *reader) searchPage(out *api.SearchPage, text string, found store.Found) error {
	out.Partial = found.Partial
	for i := range found.Messages {
		m := &found.Messages[i]
		c, err := r.conversation(m.Conversation)
		if err != nil {
			return err
		}
		view, err := r.messageView(c, m)
		if err != nil {
			return err
		}
		hit := api.SearchHit{Message: view, Highlights: [][2]int{}}
		if view.Body != nil {
			for _, h := range store.Highlights(text, view.Body.Text) {
				hit.Highlights = append(hit.Highlights, [2]int{h.Start, h.Len})
			}
		}
		out.Items = append(out.Items, hit)
		if found.More {
			out.Next = idOrNil(m.ID)
		}
	}
	return nil
}
