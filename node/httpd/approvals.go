package httpd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

func approvalRoutes() []route {
	manage := scopes(api.ScopeTokensManage)
	return []route{
		{method: http.MethodGet, path: "/v1/approvals", summary: "Messages of programs that wait for the owner", scopes: scopes(api.ScopeTokensManage, api.ScopeMessagesSend),
			states: reading, register: operation((*Server).listApprovals)},
		{method: http.MethodPost, path: "/v1/approvals/{id}/approve", summary: "Send a message that waits for the owner", scopes: manage,
			states: writing, human: true, audit: api.AuditApproved, register: operation((*Server).approve)},
		{method: http.MethodPost, path: "/v1/approvals/{id}/refuse", summary: "Erase a message that waits for the owner", scopes: manage,
			states: reading, status: http.StatusNoContent, human: true, audit: api.AuditRefused, register: operation((*Server).refuseApproval)},
	}
}

// approvalPrefix begins the ids of messages that wait.
const approvalPrefix = "ap_"

// decides reports whether the actor may see and decide what waits of others.
func (a *actor) decides() bool { return a.kind == api.ActorSession || a.has(api.ScopeTokensManage) }

// approvals returns what waits and the actor may see, the oldest first.
func (r *reader) approvals() ([]store.PutApproval, error) {
	all, err := r.Approvals()
	return slices.DeleteFunc(all, func(a store.PutApproval) bool {
		return a.ExpiresAt <= r.now.UnixMilli() || !r.actor.sees(a.Conversation.String()) || a.Token != r.actor.id && !r.actor.decides()
	}), err
}

// approval finds what waits by its id, or by that of its message.
func (r *reader) approval(id string) (store.PutApproval, error) {
	all, err := r.approvals()
	at := slices.IndexFunc(all, func(a store.PutApproval) bool { return a.ID == id || a.Message == id })
	if err == nil && at < 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.PutApproval{}, err
	}
	return all[at], nil
}

// heldMessage shows a message that waits as it would be sent.
func (r *reader) heldMessage(id string) (api.Message, error) {
	a, err := r.approval(id)
	if err != nil {
		return api.Message{}, err
	}
	return r.heldView(&a)
}

func (r *reader) heldView(a *store.PutApproval) (api.Message, error) {
	var req api.MessageRequest
	if err := json.Unmarshal(a.Content, &req); err != nil {
		return api.Message{}, fmt.Errorf("read approval: %w", err)
	}
	c, err := r.conversation(a.Conversation)
	if err != nil {
		return api.Message{}, err
	}
	at := api.Milli(a.At)
	out := api.Message{
		ID: &a.Message, ConversationID: c.ID.String(), Kind: api.MessageText, Direction: api.DirectionOut, CreatedAt: &at,
		Attachments: []api.File{}, Reactions: []api.Reaction{}, Status: &api.MessageState{State: api.StateHeld, At: &at},
		Trust: string(protocol.Unverified), Disappearing: req.Disappearing.Value,
	}
	if err := r.sender(&out, c, protocol.Out); err != nil || r.actor.redacted() {
		return out, err
	}
	if req.Text != "" {
		out.Body = &api.Body{Text: req.Text, Format: api.FormatPlain, Mentions: notNil(req.Mentions)}
	}
	if req.ReplyTo != "" {
		out.ReplyTo = &api.Quote{ID: &req.ReplyTo}
	}
	for _, text := range req.Files {
		out.Kind = api.MessageFile
		id, err := protocol.ParseFileID(text)
		if err != nil {
			return out, fmt.Errorf("read approval: %w", err)
		}
		f, err := r.file(id)
		if isNotFound(err) {
			continue // erased since: approving will say so
		}
		if err != nil {
			return out, err
		}
		view, err := r.fileView(&f)
		if err != nil {
			return out, err
		}
		out.Attachments = append(out.Attachments, view)
	}
	return out, nil
}

// liveTokens returns the tokens whose time is not over, by id. It may read the store, so it is not
// for within a view.
func (s *Server) liveTokens() map[string]*actor {
	live := make(map[string]*actor)
	for _, t := range s.auth.list(s.daemon.Store()) {
		if !t.expired(s.now()) {
			live[t.id] = t
		}
	}
	return live
}

func (s *Server) listApprovals(ctx context.Context, _ *none) (*reply[list[api.Approval]], error) {
	out := list[api.Approval]{}
	live := s.liveTokens()
	err := s.read(ctx, func(r *reader) error {
		out.Items = []api.Approval{}
		all, err := r.approvals()
		if err != nil {
			return err
		}
		for i := range all {
			a := &all[i]
			token := live[a.Token]
			if token == nil {
				continue
			}
			c, err := r.conversation(a.Conversation)
			if err != nil {
				return err
			}
			m, err := r.heldView(a)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, api.Approval{ID: a.ID, TokenID: a.Token, TokenName: token.name, ContactID: idOrNil(c.Contact),
				ExpiresAt: api.Milli(a.ExpiresAt), Message: m})
		}
		return nil
	})
	return ok(0, out), err
}

// holdPut keeps a message with a client's id for the owner, once.
func (s *Server) holdPut(ctx context.Context, in *putMessageInput, send protocol.SendText) (*reply[api.Message], error) {
	leave, err := s.inFlight.enter(ctx, in.MessageID)
	if err != nil {
		return nil, err
	}
	defer leave()
	a, err := s.newApproval(ctx, in.MessageID, send.Conversation, in.Body)
	if err != nil {
		return nil, err
	}
	var before []store.PutApproval
	err = s.view(s.owner, func(r *reader) (err error) {
		before, err = r.Approvals()
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, b := range before {
		switch {
		case b.Message != a.Message:
		case b.Token != a.Token || b.Fingerprint != a.Fingerprint:
			return nil, api.NewProblem(api.CodeIdempotencyMismatch)
		default:
			return s.held(ctx, a.Message)
		}
	}
	sent, row, err := s.sentBefore(ctx, in, send)
	if err != nil {
		return nil, err
	}
	if sent {
		out, err := s.awaitMessage(ctx, in.MessageID, in.Wait, in.TimeoutMS)
		return ok(http.StatusOK, out), err
	}
	if err := s.hold(ctx, a, row); err != nil {
		return nil, err
	}
	return s.held(ctx, a.Message)
}

// holdPost keeps a message under an id of ours for the owner.
func (s *Server) holdPost(ctx context.Context, in *postMessageInput, send protocol.SendText) (*reply[api.Message], error) {
	conversation := send.Conversation
	if conversation == (protocol.ConversationID{}) {
		c, err := s.readContact(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if conversation = c.Conversation; conversation == (protocol.ConversationID{}) {
			return nil, api.NewProblem(api.CodeNotEstablished)
		}
	}
	id, err := once(s, ctx, in.Key, in.ID+"\x00"+string(requestOf(ctx).body), func(try *attempt) (string, error) {
		a, err := s.newApproval(ctx, api.NewMessageID(), conversation, in.Body)
		if err != nil {
			return "", err
		}
		return a.Message, s.hold(ctx, a, try.rows(http.StatusAccepted, a.Message)...)
	}, func(ref string) (string, error) { return ref, nil })
	if err != nil {
		return nil, err
	}
	out, err := s.held(ctx, id)
	if isNotFound(err) { // a repeat, and the owner has decided meanwhile
		m, err := s.awaitMessage(ctx, id, in.Wait, in.TimeoutMS)
		if isNotFound(err) {
			err = api.NewProblem(api.CodeGone)
		}
		return ok(http.StatusOK, m), err
	}
	return out, err
}

func (s *Server) newApproval(ctx context.Context, message string, conversation protocol.ConversationID, req api.MessageRequest) (store.PutApproval, error) {
	st := s.daemon.Store()
	if st == nil {
		return store.PutApproval{}, api.NewProblem(api.CodeLocked)
	}
	content, err := json.Marshal(req)
	if err != nil {
		return store.PutApproval{}, fmt.Errorf("keep message: %w", err)
	}
	now := s.now()
	return store.PutApproval{
		ID: newID(approvalPrefix), Message: message, Token: requestOf(ctx).actor.id, Conversation: conversation, At: now.UnixMilli(),
		ExpiresAt: now.Add(approvalAge).UnixMilli(), Fingerprint: st.Fingerprint([]byte(conversation.String()), content), Content: content,
	}, nil
}

// hold commits a message that waits, with what else belongs to it.
func (s *Server) hold(ctx context.Context, a store.PutApproval, rows ...store.Row) error {
	leave, err := s.inFlight.enter(ctx, "approvals")
	if err != nil {
		return err
	}
	defer leave()
	err = s.view(s.owner, func(r *reader) error {
		all, err := r.Approvals()
		mine := 0
		for _, b := range all {
			if b.Token == a.Token {
				mine++
			}
		}
		if len(all) >= approvalsMax || mine >= approvalsPerToken {
			return api.NewProblem(api.CodeTooMany)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = s.write(ctx, append(rows, a), protocol.Event{Type: api.EventApprovalRequested, Conversation: a.Conversation, Code: a.ID})
	s.lookAtApprovals()
	return err
}

// held answers with a message that waits.
func (s *Server) held(ctx context.Context, id string) (*reply[api.Message], error) {
	var out api.Message
	err := s.read(ctx, func(r *reader) (err error) {
		out, err = r.heldMessage(id)
		return err
	})
	return ok(http.StatusAccepted, out), err
}

// deciding finds what is to be decided and keeps others from deciding it, until leave.
func (s *Server) deciding(ctx context.Context, id string) (a store.PutApproval, leave func(), err error) {
	leave, err = s.inFlight.enter(ctx, "approval "+id)
	if err != nil {
		return a, nil, err
	}
	live := s.liveTokens()
	err = s.read(ctx, func(r *reader) error {
		if a, err = r.approval(id); err == nil && a.ID != id {
			err = store.ErrNotFound
		}
		return err
	})
	if err == nil && live[a.Token] == nil {
		err = store.ErrNotFound
	}
	if err != nil {
		leave()
		return a, nil, err
	}
	requestOf(ctx).about = a.ID
	return a, leave, nil
}

// approve sends a message as it was kept. It stays if it cannot be sent now.
func (s *Server) approve(ctx context.Context, in *byID) (*reply[api.Message], error) {
	a, leave, err := s.deciding(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	var req api.MessageRequest
	if err := json.Unmarshal(a.Content, &req); err != nil {
		return nil, fmt.Errorf("read approval: %w", err)
	}
	send, err := s.sendInput(ctx, req)
	if err != nil {
		return nil, err
	}
	send.Conversation, send.ClientID = a.Conversation, a.Message
	if err := s.refer(ctx, &send, req); err != nil {
		return nil, err
	}
	_, err = s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
		send.Ref = ref
		return send
	}, func(any) []store.Row { return []store.Row{store.EraseApproval{ID: a.ID}} })
	if err != nil {
		return nil, err
	}
	// The message is on its way whatever becomes of this.
	if err := s.write(ctx, nil, protocol.Event{Type: api.EventApprovalApproved, Conversation: a.Conversation, Code: a.ID}); err != nil {
		s.log.Warn("approval not told", "code", problemOf(err).Code)
	}
	out, err := s.awaitMessage(ctx, a.Message, "", 1)
	return ok(0, out), err
}

func (s *Server) refuseApproval(ctx context.Context, in *byID) (*done, error) {
	a, leave, err := s.deciding(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	return &done{}, s.write(ctx, []store.Row{store.EraseApproval{ID: a.ID}},
		protocol.Event{Type: api.EventApprovalRefused, Conversation: a.Conversation, Code: a.ID})
}

// lookAtApprovals has the next end of one looked for again.
func (s *Server) lookAtApprovals() {
	select {
	case s.approvals <- struct{}{}:
	default:
	}
}

// watchApprovals erases what has waited too long, or whose token is over, until ctx ends.
func (s *Server) watchApprovals(ctx context.Context) {
	var looked *store.Store
	for {
		changed := s.feed.next()
		st := s.daemon.Store()
		var due <-chan time.Time
		if left := s.expireApprovals(ctx); left > 0 {
			due = time.After(left)
		}
		looked = st
		for again := false; !again; {
			select {
			case <-ctx.Done():
				return
			case <-due:
				again = true
			case <-s.approvals:
				again = true
			case <-changed:
				changed = s.feed.next()
				again = s.daemon.Store() != looked
			}
		}
	}
}

// expireApprovals erases what is over and returns how long it is until the next end; 0: none.
func (s *Server) expireApprovals(ctx context.Context) time.Duration {
	var all []store.PutApproval
	err := s.view(s.owner, func(r *reader) (err error) {
		all, err = r.Approvals()
		return err
	})
	if err != nil || len(all) == 0 {
		return 0 // closed: looked at again when it is open
	}
	live, now := s.liveTokens(), s.now()
	var rows []store.Row
	var events []protocol.Event
	var next time.Duration
	for i := range all {
		a := &all[i]
		left := time.UnixMilli(a.ExpiresAt).Sub(now)
		if t := live[a.Token]; t == nil {
			left = 0
		} else if !t.expiresAt.IsZero() {
			left = min(left, t.expiresAt.Sub(now))
		}
		if left > 0 {
			left = min(left, approvalLook)
			next = min(cmp.Or(next, left), left)
			continue
		}
		rows = append(rows, store.EraseApproval{ID: a.ID})
		events = append(events, protocol.Event{Type: api.EventApprovalExpired, Conversation: a.Conversation, Code: a.ID})
	}
	if len(rows) > 0 {
		if err := s.daemon.Write(ctx, rows, events); err != nil && ctx.Err() == nil {
			s.log.Warn("approvals not erased", "code", problemOf(err).Code)
			return approvalLook
		}
	}
	return next
}
