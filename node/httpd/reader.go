package httpd

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// reader turns rows into what one actor may see of them, inside one view. Rows
// that many objects need are read once.
type reader struct {
	*store.View
	actor         *actor
	conversations map[protocol.ConversationID]*protocol.PutConversation
	contacts      map[protocol.ContactID]*protocol.PutContact
	selfName      *string
	looks         namesakes
	now           time.Time
}

// read runs fn in a view of the open store and notes the log position that the
// view shows. fn may run twice; see store.Store.View.
func (s *Server) read(ctx context.Context, fn func(*reader) error) error {
	q := requestOf(ctx)
	return s.view(q.actor, func(r *reader) error {
		cursor, err := r.Cursor()
		if err != nil {
			return err
		}
		q.cursor = cursor.String()
		return fn(r)
	})
}

func (s *Server) view(a *actor, fn func(*reader) error) error {
	st := s.daemon.Store()
	if st == nil {
		return api.NewProblem(api.CodeLocked)
	}
	now := s.now()
	return st.View(func(v *store.View) error {
		return fn(&reader{
			View: v, actor: a, now: now,
			conversations: make(map[protocol.ConversationID]*protocol.PutConversation),
			contacts:      make(map[protocol.ContactID]*protocol.PutContact),
		})
	})
}

// change submits an input that has no result.
func (s *Server) change(ctx context.Context, input func(ref uint64) protocol.Input) error {
	_, err := s.daemon.Submit(ctx, input, nil)
	s.noteCursor(ctx)
	return err
}

// changeAll submits inputs that have no result, with rows that the core knows nothing of.
func (s *Server) changeAll(ctx context.Context, steps []Step, rows []store.Row, events ...protocol.Event) error {
	if len(steps) == 0 {
		return s.write(ctx, rows, events...)
	}
	steps[len(steps)-1].After = func(any) []store.Row { return rows }
	_, err := s.daemon.SubmitAll(ctx, steps, events)
	s.noteCursor(ctx)
	return err
}

// write commits rows that the core knows nothing of.
func (s *Server) write(ctx context.Context, rows []store.Row, events ...protocol.Event) error {
	err := s.daemon.Write(ctx, rows, events)
	s.noteCursor(ctx)
	return err
}

// noteCursor notes the log position behind what was just committed. A store that
// was closed meanwhile takes nothing back: then the answer lacks it.
func (s *Server) noteCursor(ctx context.Context) {
	if err := s.read(ctx, func(*reader) error { return nil }); err != nil {
		requestOf(ctx).cursor = ""
	}
}

// conversation returns a row that the actor may see.
func (r *reader) conversation(id protocol.ConversationID) (*protocol.PutConversation, error) {
	if !r.actor.sees(id.String()) {
		return nil, store.ErrNotFound
	}
	if c := r.conversations[id]; c != nil {
		return c, nil
	}
	c, err := r.Conversation(id)
	if err != nil {
		return nil, err
	}
	r.conversations[id] = &c
	return &c, nil
}

// contact returns a row that the actor may see.
func (r *reader) contact(id protocol.ContactID) (*protocol.PutContact, error) {
	c := r.contacts[id]
	if c == nil {
		row, err := r.Contact(id)
		if err != nil {
			return nil, err
		}
		c = &row
		r.contacts[id] = c
	}
	if c.Role != protocol.RolePerson || r.actor.narrowed() && !r.actor.sees(c.Conversation.String()) {
		return nil, store.ErrNotFound
	}
	return c, nil
}

// allContacts returns the contacts that the actor may see.
func (r *reader) allContacts() ([]protocol.PutContact, error) {
	all, err := r.Contacts()
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		r.contacts[c.ID] = &c // not of the slice, which callers shorten
	}
	return slices.DeleteFunc(all, func(c protocol.PutContact) bool {
		return c.Role != protocol.RolePerson || r.actor.narrowed() && !r.actor.sees(c.Conversation.String())
	}), nil
}

// requests returns the contact requests that the actor may see: a token that sees only
// some conversations has none with who asks.
func (r *reader) requests() ([]protocol.PutRequest, error) {
	if r.actor.narrowed() {
		return nil, nil
	}
	return r.Requests()
}

// resolve finds a contact by its id or by "@" and its alias or name, compared in
// NFC without case. Our own alias goes before their names.
func (r *reader) resolve(text string) (*protocol.PutContact, error) {
	name, byName := strings.CutPrefix(text, "@")
	if !byName {
		id, err := protocol.ParseContactID(text)
		if err != nil {
			return nil, api.NewProblem(api.CodeNotFound).At("path:id", api.CodeInvalidID)
		}
		return r.contact(id)
	}
	all, err := r.allContacts()
	if err != nil {
		return nil, err
	}
	want := foldName(name)
	for _, nameOf := range []func(*protocol.PutContact) string{
		func(c *protocol.PutContact) string { return c.Alias },
		func(c *protocol.PutContact) string { return c.Name },
	} {
		var found []string
		var last *protocol.PutContact
		for i := range all {
			if n := nameOf(&all[i]); n != "" && foldName(n) == want {
				last = &all[i]
				found = append(found, last.ID.String())
			}
		}
		if len(found) > 1 {
			return nil, api.NewProblem(api.CodeAmbiguous).With("candidates", found)
		}
		if last != nil {
			return last, nil
		}
	}
	return nil, store.ErrNotFound
}

// foldName is how names are compared.
func foldName(s string) string { return cases.Fold().String(norm.NFC.String(strings.TrimSpace(s))) }

// message finds a message by its id or a client's, if the actor may see it.
func (r *reader) message(id string) (*protocol.PutConversation, store.Message, error) {
	m, err := r.MessageByClientID(id)
	if err != nil {
		return nil, m, err
	}
	c, err := r.conversation(m.Conversation)
	return c, m, err
}

// name returns what to call a contact: our alias, else their name.
func (r *reader) name(c *protocol.PutContact) string {
	switch {
	case r.actor.redacted():
		return ""
	case c.Alias != "":
		return c.Alias
	default:
		return c.Name
	}
}

func (r *reader) ownName() (string, error) {
	if r.actor.redacted() {
		return "", nil
	}
	if r.selfName == nil {
		row, err := r.Self()
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
		r.selfName = &row.Name
	}
	return *r.selfName, nil
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// sortNewestFirst sorts as the store lists conversations.
func sortNewestFirst(rows []protocol.PutConversation) {
	slices.SortStableFunc(rows, func(a, b protocol.PutConversation) int { return cmp.Compare(b.LastAt, a.LastAt) })
}
