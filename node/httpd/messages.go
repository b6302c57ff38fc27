package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

type messagesInput struct {
	ID     string `path:"id"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Before uint64 `query:"before" minimum:"1" doc:"positions below, exclusive"`
	After  string `query:"after" pattern:"^[0-9]{1,19}$" doc:"positions above, exclusive; 0: from the beginning"`
}

func (s *Server) listMessages(ctx context.Context, in *messagesInput) (*reply[api.MessagePage], error) {
	id, err := conversationID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	query := store.PageQuery{Before: in.Before, Limit: in.Limit}
	first := false
	if in.After != "" {
		if in.Before != 0 {
			return nil, invalid("query:after", api.FieldNotAllowed)
		}
		if query.After, err = strconv.ParseUint(in.After, 10, 63); err != nil {
			return nil, invalid("query:after", api.FieldTooLarge)
		}
		first = query.After == 0
	}
	var out api.MessagePage
	err = s.read(ctx, func(r *reader) error {
		c, err := r.conversation(id)
		if err != nil {
			return err
		}
		page, err := r.page(id, query, first)
		if err != nil {
			return err
		}
		out = api.MessagePage{Items: []api.Message{}, HasBefore: page.HasBefore, HasAfter: page.HasAfter}
		for _, item := range page.Items {
			m, err := r.itemView(c, item)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, m)
		}
		return nil
	})
	return ok(0, out), err
}

// page reads a page. The store has no query for the very first one: it is what
// stands below position limit+1, or, if that was all deleted, what follows.
func (r *reader) page(id protocol.ConversationID, q store.PageQuery, first bool) (store.Page, error) {
	if !first {
		return r.Messages(id, q)
	}
	page, err := r.Messages(id, store.PageQuery{Before: uint64(q.Limit) + 1, Limit: q.Limit})
	if err != nil || len(page.Items) > 0 || !page.HasAfter {
		return page, err
	}
	return r.Messages(id, store.PageQuery{After: uint64(q.Limit), Limit: q.Limit})
}

// Inputs repeat the fields that they share: huma does not look into embedded
// structs that are not exported.
type putMessageInput struct {
	Wait      string `query:"wait" enum:"queued,carried,delivered" doc:"answer only when the message has come so far, or after timeout_ms"`
	TimeoutMS int    `query:"timeout_ms" minimum:"1" maximum:"60000" default:"30000"`
	ID        string `path:"id"`
	MessageID string `path:"message_id"`
	Body      api.MessageRequest
}

// putActor marks the idempotency rows of messages with a client's id: they are
// keyed by that id alone, whoever sends it.
const putActor = "message"

// putMessage sends a message once, however often it is asked to.
func (s *Server) putMessage(ctx context.Context, in *putMessageInput) (*reply[api.Message], error) {
	conversation, err := conversationID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if !protocol.ValidClientID(in.MessageID) {
		return nil, api.NewProblem(api.CodeInvalidID).At("path:message_id", api.FieldMalformed)
	}
	send, err := s.sendInput(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	send.Conversation, send.ClientID = conversation, in.MessageID
	if err := s.refer(ctx, &send, in.Body); err != nil {
		return nil, err
	}
	if requestOf(ctx).actor.constraints.Approval {
		return s.holdPut(ctx, in, send)
	}
	status, err := s.putOnce(ctx, in, send)
	if err != nil {
		return nil, err
	}
	out, err := s.awaitMessage(ctx, in.MessageID, in.Wait, in.TimeoutMS)
	return ok(status, out), err
}

// putOnce commits a message unless it is committed already; a second request
// with the same id waits for the first.
func (s *Server) putOnce(ctx context.Context, in *putMessageInput, send protocol.SendText) (status int, err error) {
	leave, err := s.inFlight.enter(ctx, in.MessageID)
	if err != nil {
		return 0, err
	}
	defer leave()
	sent, row, err := s.sentBefore(ctx, in, send)
	if err != nil || sent {
		return http.StatusOK, err
	}
	_, err = s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
		send.Ref = ref
		return send
	}, func(any) []store.Row {
		return []store.Row{row, store.EraseDraft{Conversation: send.Conversation, Sent: send.Text}}
	})
	return http.StatusCreated, err
}

// sentBefore reports whether a PUT with this id was committed already. If not,
// it returns the row that will tell so for 48 hours, also when the message was
// deleted meanwhile. Another body under the same id is refused.
func (s *Server) sentBefore(ctx context.Context, in *putMessageInput, send protocol.SendText) (bool, store.PutIdempotency, error) {
	st := s.daemon.Store()
	if st == nil {
		return false, store.PutIdempotency{}, api.NewProblem(api.CodeLocked)
	}
	body, err := json.Marshal(in.Body)
	if err != nil {
		return false, store.PutIdempotency{}, fmt.Errorf("fingerprint message: %w", err)
	}
	row := store.PutIdempotency{
		Actor: putActor, Key: in.MessageID, Fingerprint: st.Fingerprint([]byte(in.ID), body),
		Status: http.StatusCreated, Ref: in.MessageID,
	}
	sent := false
	err = s.view(s.owner, func(r *reader) error {
		before, err := r.Idempotency(putActor, in.MessageID)
		known := err == nil
		if err != nil && !isNotFound(err) {
			return err
		}
		if known && before.Fingerprint != row.Fingerprint {
			return api.NewProblem(api.CodeIdempotencyMismatch)
		}
		c, m, err := r.message(in.MessageID)
		switch {
		case isNotFound(err) && known:
			return api.NewProblem(api.CodeGone)
		case isNotFound(err):
			return nil
		case err != nil:
			return err
		case m.State == protocol.MessageErased:
			return api.NewProblem(api.CodeGone)
		case !known && !sameMessage(&m, send):
			return api.NewProblem(api.CodeIdempotencyMismatch)
		}
		if c.ID != send.Conversation {
			return api.NewProblem(api.CodeIdempotencyMismatch)
		}
		sent = true
		return nil
	})
	return sent, row, err
}

// sameMessage compares a stored message with one to be sent, when the row that
// was made with it is too old to be kept.
func sameMessage(m *store.Message, send protocol.SendText) bool {
	content, _, err := wire.DecodeContent(m.Content)
	if err != nil || m.Direction != protocol.Out || content.Text != send.Text || len(content.Files) != len(send.Files) || !slices.Equal(content.Mentions, send.Mentions) {
		return false
	}
	for i, f := range send.Files {
		if content.Files[i].Root != f.File.Root {
			return false
		}
	}
	return true
}

// filesToSend finds the files that a message is to carry, which must lie here whole.
func (s *Server) filesToSend(ctx context.Context, ids []string) (out []protocol.FileToSend, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = s.read(ctx, func(r *reader) error {
		out = nil
		for i, text := range ids {
			at := "/files/" + strconv.Itoa(i)
			id, err := protocol.ParseFileID(text)
			if err != nil {
				return api.NewProblem(api.CodeNotFound).At(at, api.CodeInvalidID)
			}
			f, err := r.file(id)
			switch {
			case isNotFound(err):
				return api.NewProblem(api.CodeNotFound).At(at, api.FieldInvalid)
			case err != nil:
				return err
			case f.State != store.FileAvailable:
				return api.NewProblem(api.CodeFileNotReady).At(at, api.FieldInvalid)
			}
			out = append(out, protocol.FileToSend{ID: id, File: f.Info})
		}
		return nil
	})
	return out, err
}

// sendInput checks a message and makes the core's input of it.
func (s *Server) sendInput(ctx context.Context, req api.MessageRequest) (protocol.SendText, error) {
	var in protocol.SendText
	if req.Text != "" || len(req.Files) == 0 {
		if err := checkText(req.Text); err != nil {
			return in, err
		}
	}
	in.Text = req.Text
	if req.Disappearing.Present {
		t, err := timer(req.Disappearing.Value)
		if err != nil {
			return in, err
		}
		in.Timer, in.NoTimer = t, t == nil
	}
	var err error
	if in.Files, err = s.filesToSend(ctx, req.Files); err == nil {
		err = s.addThumbnails(ctx, in.Files)
	}
	return in, err
}

type postMessageInput struct {
	Wait      string `query:"wait" enum:"queued,carried,delivered" doc:"answer only when the message has come so far, or after timeout_ms"`
	TimeoutMS int    `query:"timeout_ms" minimum:"1" maximum:"60000" default:"30000"`
	Key       string `header:"Idempotency-Key" maxLength:"128" doc:"names the intended effect; kept 48 hours"`
	ID        string `path:"id"`
	Body      api.MessageRequest
}

func (s *Server) postMessage(ctx context.Context, in *postMessageInput) (*reply[api.Message], error) {
	id, err := conversationID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	send, err := s.sendInput(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	send.Conversation = id
	if err := s.refer(ctx, &send, in.Body); err != nil {
		return nil, err
	}
	return s.send(ctx, in, send)
}

// postToContact sends in one line: the contact may be named by "@" and its alias
// or name, and its conversation is made if there is none.
func (s *Server) postToContact(ctx context.Context, in *postMessageInput) (*reply[api.Message], error) {
	send, err := s.sendInput(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	c, err := s.readContact(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	send.Contact = c.ID
	if err := s.refer(ctx, &send, in.Body); err != nil {
		return nil, err
	}
	return s.send(ctx, in, send)
}

// send commits a message under an id of ours.
func (s *Server) send(ctx context.Context, in *postMessageInput, send protocol.SendText) (*reply[api.Message], error) {
	fingerprint := in.ID + "\x00" + string(requestOf(ctx).body)
	if requestOf(ctx).actor.constraints.Approval {
		return s.holdPost(ctx, in, send)
	}
	id, err := once(s, ctx, in.Key, fingerprint, func(try *attempt) (string, error) {
		result, err := s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
			send.Ref = ref
			return send
		}, func(result any) []store.Row {
			sent := result.(protocol.Sent)
			return append(try.rows(http.StatusCreated, sent.ID.String()), store.EraseDraft{Conversation: sent.Conversation, Sent: send.Text})
		})
		if err != nil {
			return "", err
		}
		return result.(protocol.Sent).ID.String(), nil
	}, func(ref string) (string, error) { return ref, nil })
	if err != nil {
		return nil, err
	}
	out, err := s.awaitMessage(ctx, id, in.Wait, in.TimeoutMS)
	if isNotFound(err) {
		err = api.NewProblem(api.CodeGone) // deleted since it was sent
	}
	return ok(0, out), err
}

// awaitMessage returns a message when it has come as far as asked, or when the
// time is over: then it is answered as it is.
func (s *Server) awaitMessage(ctx context.Context, id, wait string, timeoutMS int) (api.Message, error) {
	timeout := time.NewTimer(time.Duration(timeoutMS) * time.Millisecond)
	defer timeout.Stop()
	for {
		changed := s.feed.next()
		var out api.Message
		err := s.read(ctx, func(r *reader) error {
			c, m, err := r.message(id)
			if err != nil {
				return err
			}
			out, err = r.messageView(c, &m)
			return err
		})
		if err != nil || reached(out.Status.State, wait) {
			return out, err
		}
		select {
		case <-changed:
		case <-timeout.C:
			return out, nil
		case <-s.feed.stopping:
			return out, nil
		case <-ctx.Done():
			return out, ctx.Err()
		}
	}
}

// reached reports whether a state is as far as wanted, or will never get there.
func reached(state, wanted string) bool {
	order := []string{"", api.StateQueued, api.StateCarried, api.StateDelivered, api.StateRead}
	for _, s := range order {
		if s == wanted {
			break
		}
		if s == state {
			return false
		}
	}
	return true
}

func (s *Server) getMessage(ctx context.Context, in *byID) (*reply[api.Message], error) {
	var out api.Message
	err := s.read(ctx, func(r *reader) error {
		c, m, err := r.message(in.ID)
		if isNotFound(err) {
			out, err = r.heldMessage(in.ID)
			return err
		}
		if err != nil {
			return err
		}
		out, err = r.messageView(c, &m)
		return err
	})
	return ok(0, out), err
}

func (s *Server) whyMessage(ctx context.Context, in *byID) (*reply[api.Why], error) {
	var c *protocol.PutConversation
	var m store.Message
	err := s.read(ctx, func(r *reader) (err error) {
		c, m, err = r.message(in.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	out, err := s.whyOf(ctx, c, &m)
	return ok(0, out), err
}

// waits reports whether a message of ours in a state is on its way.
func waits(state string) bool { return state == api.StateQueued || state == api.StateCarried }

// whyOf says what a message waits for; only one of ours that is on its way waits.
func (s *Server) whyOf(ctx context.Context, c *protocol.PutConversation, m *store.Message) (api.Why, error) {
	out := api.Why{Subject: messageID(m), State: string(store.StatusOf(c, m)), Rungs: []api.Attempt{}}
	switch {
	case m.Direction != protocol.Out:
		return out, api.NewProblem(api.CodeNotOwnMessage)
	case out.State == api.StateFailed || out.State == api.StateExpired:
		out.Reason = m.Code
		return out, nil
	case !waits(out.State):
		return out, nil
	}
	why, err := s.why(ctx, Question{c.Contact, &m.ID})
	why.Subject, why.State = out.Subject, out.State
	return why, err
}

// outbox asks the loop once about all that waits.
func (s *Server) outbox(ctx context.Context, _ *none) (*reply[list[api.OutboxItem]], error) {
	var items []api.OutboxItem
	var about []Question
	err := s.read(ctx, func(r *reader) error {
		items, about = nil, nil
		messages, err := r.Outbox(outboxMax)
		if err != nil {
			return err
		}
		for i := range messages {
			m := &messages[i]
			c, err := r.conversation(m.Conversation)
			if isNotFound(err) {
				continue // not the token's
			}
			if err != nil {
				return err
			}
			view, err := r.messageView(c, m)
			if err != nil {
				return err
			}
			items = append(items, api.OutboxItem{Message: view, ContactID: idOrNil(c.Contact)})
			about = append(about, Question{c.Contact, &m.ID})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	answers, err := s.daemon.Why(ctx, about...)
	if err != nil {
		return nil, err
	}
	out := list[api.OutboxItem]{Items: []api.OutboxItem{}}
	for i, why := range answers {
		if why == nil {
			continue // the contact was removed since
		}
		items[i].Why = *why
		items[i].Why.Subject, items[i].Why.State = *items[i].Message.ID, items[i].Message.Status.State
		out.Items = append(out.Items, items[i])
	}
	return ok(0, out), nil
}
