package httpd

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

type forwardInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"120" doc:"names the intended effect; kept 48 hours"`
	ID   string `path:"id"`
	Body api.ForwardRequest
}

// forwardMessage sends what a message says to others, to all of whom it can be sent or to
// nobody.
func (s *Server) forwardMessage(ctx context.Context, in *forwardInput) (*reply[api.Forwarded], error) {
	switch n := len(in.Body.To); {
	case n == 0:
		return nil, invalid("/to", api.FieldTooShort)
	case n > api.ForwardMax:
		return nil, invalid("/to", api.FieldTooLong)
	}
	if actor := requestOf(ctx).actor; actor.redacted() || !actor.has(api.ScopeMessagesRead) {
		return nil, api.NewProblem(api.CodeScopeMissing) // else who may only send could read by it
	}
	var again protocol.SendText
	sends := make([]protocol.SendText, len(in.Body.To))
	err := s.read(ctx, func(r *reader) (err error) {
		if again, err = r.forwarded(in.ID); err != nil {
			return err
		}
		for i, to := range in.Body.To {
			sends[i] = again
			err := r.address(&sends[i], to)
			if isNotFound(err) {
				err = api.NewProblem(api.CodeNotFound).At("/to/"+strconv.Itoa(i), api.FieldInvalid)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.addThumbnails(ctx, again.Files); err != nil { // all of sends have these files
		return nil, err
	}
	ids, err := once(s, ctx, in.Key, in.ID+" to "+strings.Join(in.Body.To, " "), func(try *attempt) ([]string, error) {
		return s.sendAll(ctx, try, sends)
	}, func(ref string) ([]string, error) { return strings.Fields(ref), nil })
	if err != nil {
		return nil, err
	}
	out := api.Forwarded{Items: make([]api.Message, len(ids))}
	for i, id := range ids {
		out.Items[i], err = s.awaitMessage(ctx, id, "", 1)
		if isNotFound(err) {
			err = api.NewProblem(api.CodeGone) // deleted since it was sent
		}
		if err != nil {
			return nil, err
		}
	}
	return ok(0, out), nil
}

// sendAll commits several messages together, under ids of ours, which it returns.
func (s *Server) sendAll(ctx context.Context, try *attempt, sends []protocol.SendText) ([]string, error) {
	var ids []string
	steps := make([]Step, len(sends))
	for i, send := range sends {
		steps[i] = Step{Input: func(ref uint64) protocol.Input {
			send.Ref = ref
			return send
		}, After: func(result any) []store.Row {
			sent := result.(protocol.Sent)
			ids = append(ids, sent.ID.String())
			rows := []store.Row{store.EraseDraft{Conversation: sent.Conversation, Sent: send.Text}}
			if len(ids) == len(sends) {
				rows = append(rows, try.rows(http.StatusCreated, strings.Join(ids, " "))...)
			}
			return rows
		}}
	}
	if _, err := s.daemon.SubmitAll(ctx, steps, nil); err != nil {
		return nil, err
	}
	return ids, nil
}

// forwarded makes a new message of what one says now.
func (r *reader) forwarded(id string) (again protocol.SendText, err error) {
	_, m, err := r.message(id)
	switch {
	case err != nil:
		return again, err
	case m.State == protocol.MessageErased:
		return again, api.NewProblem(api.CodeGone)
	}
	content, _, err := wire.DecodeContent(m.Content)
	if err != nil || !hasText(&content) {
		return again, invalid("path:id", api.FieldNotAllowed)
	}
	again = protocol.SendText{Text: shownText(&m, &content), Forwarded: true}
	files, err := r.FilesOf(m.ID)
	if err != nil {
		return again, err
	}
	for _, f := range files {
		if f.State != store.FileAvailable {
			return again, api.NewProblem(api.CodeFileNotReady)
		}
		again.Files = append(again.Files, protocol.FileToSend{ID: f.ID, File: f.Info})
	}
	return again, nil
}

// address says to whom a message goes: a conversation by its id, or a contact.
func (r *reader) address(send *protocol.SendText, to string) error {
	if !strings.HasPrefix(to, "cv_") {
		c, err := r.resolve(to)
		if err == nil {
			send.Contact = c.ID
		}
		return err
	}
	id, err := protocol.ParseConversationID(to)
	if err != nil || !r.actor.sees(to) {
		return notFoundID()
	}
	send.Conversation = id
	_, err = r.conversation(id)
	return err
}
