package httpd

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pabal/node/api"
	"pabal/node/scan"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

func (s *Server) listInvites(ctx context.Context, _ *none) (*reply[list[api.Invite]], error) {
	var out list[api.Invite]
	err := s.read(ctx, func(r *reader) error {
		rows, err := r.Invites()
		out.Items = make([]api.Invite, 0, len(rows))
		for i := range rows {
			out.Items = append(out.Items, r.inviteView(&rows[i], s.now()))
		}
		return err
	})
	return ok(0, out), err
}

type inviteInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"128" doc:"names the intended effect; kept 48 hours"`
	Body *api.InviteRequest
}

func (s *Server) createInvite(ctx context.Context, in *inviteInput) (*reply[api.Invite], error) {
	var req api.InviteRequest
	if in.Body != nil {
		req = *in.Body
	}
	if req.Kind == "" {
		req.Kind = string(protocol.InviteOnce)
	}
	switch {
	case len(req.Note) > api.NoteBytesMax:
		return nil, invalid("/note", api.FieldTooLong)
	case req.Kind == string(protocol.InviteOnce) && req.Uses > 1:
		return nil, invalid("/uses", api.FieldTooLarge)
	case req.ExpiresIn > int64(expiresInMax/time.Second):
		return nil, api.NewProblem(api.CodeInvalidLifetime).At("/expires_in", api.FieldTooLarge)
	}
	input := func(ref uint64) protocol.Input {
		return protocol.CreateInvite{
			Ref: ref, Kind: protocol.InviteKind(req.Kind), Lifetime: time.Duration(req.ExpiresIn) * time.Second,
			Uses: req.Uses, Ask: req.Ask, LAN: req.LAN, Note: req.Note, Direct: req.Direct,
		}
	}
	body := string(requestOf(ctx).body)
	out, err := once(s, ctx, in.Key, body, func(try *attempt) (api.Invite, error) {
		result, err := s.daemon.Submit(ctx, input, func(result any) []store.Row {
			return try.rows(http.StatusCreated, result.(protocol.InviteCreated).ID.String())
		})
		if err != nil {
			return api.Invite{}, err
		}
		created := result.(protocol.InviteCreated)
		view, err := s.invite(ctx, created.ID.String())
		for _, code := range created.Warnings {
			w := api.Warning{Code: code}
			if ways := api.WaysOut(); code == api.WarningNoPublicPath || code == api.WarningUnconfirmedPath {
				w.Params = map[string]any{"ways": ways[:len(ways)-1]} // a file is for contacts
			}
			view.Warnings = append(view.Warnings, w)
		}
		return view, err
	}, func(ref string) (api.Invite, error) { return s.invite(ctx, ref) })
	return ok(0, out), err
}

// expiresInMax is beyond every lifetime that the core grants.
const expiresInMax = 10 * 366 * 24 * time.Hour

func (s *Server) inviteRow(r *reader, id string) (protocol.PutInvite, error) {
	parsed, err := protocol.ParseInviteID(id)
	if err != nil {
		return protocol.PutInvite{}, notFoundID()
	}
	return r.Invite(parsed)
}

// notFoundID is the refusal of an id in a path that cannot be one.
func notFoundID() error { return api.NewProblem(api.CodeNotFound).At("path:id", api.CodeInvalidID) }

func (s *Server) invite(ctx context.Context, id string) (api.Invite, error) {
	var out api.Invite
	err := s.read(ctx, func(r *reader) error {
		row, err := s.inviteRow(r, id)
		if err == nil {
			out = r.inviteView(&row, s.now())
		}
		return err
	})
	return out, err
}

func (s *Server) getInvite(ctx context.Context, in *byID) (*reply[api.Invite], error) {
	out, err := s.invite(ctx, in.ID)
	return ok(0, out), err
}

func (s *Server) revokeInvite(ctx context.Context, in *byID) (*done, error) {
	id, err := protocol.ParseInviteID(in.ID)
	if err != nil {
		return nil, notFoundID()
	}
	return &done{}, s.change(ctx, func(ref uint64) protocol.Input { return protocol.RevokeInvite{Ref: ref, ID: id} })
}

func (s *Server) inviteQR(w http.ResponseWriter, r *http.Request) {
	invite, err := s.invite(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		s.answerError(w, r, err)
	case invite.URI == nil:
		s.answerError(w, r, api.NewProblem(api.CodeGone))
	default:
		s.answerQR(w, r, *invite.URI)
	}
}

type inspectInput struct{ Body api.InspectRequest }

func (s *Server) inspectInvite(ctx context.Context, in *inspectInput) (*reply[api.Inspection], error) {
	_, out, err := s.inspect(ctx, in.Body.URI)
	return ok(0, out), err
}

// scanInvite says what link is in a picture. Whatever else its code says is not told: a frontend
// would show it as if it were a link.
func (s *Server) scanInvite(r *http.Request) (api.Scan, error) {
	text, err := scan.QR(requestOf(r.Context()).body)
	switch {
	case errors.Is(err, scan.ErrNoCode):
		return api.Scan{}, api.NewProblem(api.CodeNoQRCode)
	case err != nil:
		return api.Scan{}, api.NewProblem(api.CodeInvalidPicture)
	}
	link, found, err := s.inspect(r.Context(), text)
	if err != nil {
		return api.Scan{}, err
	}
	uri, err := link.Encode()
	return api.Scan{URI: uri, Inspection: found}, err
}

// inspect finds the link in a text and says what it is.
func (s *Server) inspect(ctx context.Context, text string) (wire.Link, api.Inspection, error) {
	link, err := parseLink(text)
	if err != nil {
		return link, api.Inspection{}, err
	}
	expires := api.NewTime(time.Unix(int64(link.Expiry), 0))
	out := api.Inspection{
		Kind: linkKind(link.Kind), ExpiresAt: &expires, Expired: !s.now().Before(expires.Time),
	}
	err = s.read(ctx, func(r *reader) error {
		rows, err := r.Invites()
		for i := range rows {
			own, err := wire.ParseLink(rows[i].Link)
			out.Own = out.Own || err == nil && own.Secret == link.Secret
		}
		return err
	})
	return link, out, err
}

func linkKind(k wire.LinkKind) string {
	switch k {
	case wire.LinkContact:
		return "contact"
	case wire.LinkCard:
		return "card"
	case wire.LinkHome:
		return "home"
	default:
		return "group"
	}
}

// parseLink finds a link in a text, or says what is wrong with it.
func parseLink(text string) (wire.Link, error) {
	link, err := wire.ParseLink(text)
	switch {
	case err == nil:
		return link, nil
	case errors.Is(err, wire.ErrLinkVersion), errors.Is(err, wire.ErrLinkSuite):
		return link, api.NewProblem(api.CodeInviteUnsupported)
	default:
		return link, api.NewProblem(api.CodeInviteInvalid)
	}
}

type acceptInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"128" doc:"names the intended effect; kept 48 hours"`
	Body api.AcceptRequest
}

func (s *Server) acceptInvite(ctx context.Context, in *acceptInput) (*reply[api.Accepted], error) {
	req := in.Body
	if len(req.Greeting) > api.GreetingBytesMax {
		return nil, invalid("/greeting", api.FieldTooLong)
	}
	if req.Alias != "" {
		if err := checkName("/alias", req.Alias); err != nil {
			return nil, err
		}
	}
	input := func(ref uint64) protocol.Input {
		return protocol.AddContact{Ref: ref, Link: req.URI, Alias: req.Alias, Greeting: req.Greeting}
	}
	body := string(requestOf(ctx).body)
	out, err := once(s, ctx, in.Key, body, func(try *attempt) (api.Accepted, error) {
		result, err := s.daemon.Submit(ctx, input, func(result any) []store.Row {
			return try.rows(http.StatusAccepted, result.(protocol.Added).Contact.String())
		})
		if err != nil {
			return api.Accepted{}, err
		}
		return s.accepted(ctx, result.(protocol.Added).Contact.String())
	}, func(ref string) (api.Accepted, error) { return s.accepted(ctx, ref) })
	return ok(0, out), err
}

// accepted shows the contact that an accepted link made.
func (s *Server) accepted(ctx context.Context, contact string) (api.Accepted, error) {
	c, err := s.readContact(ctx, contact)
	if err != nil {
		return api.Accepted{}, err
	}
	return api.Accepted{ContactID: c.ID.String(), ConversationID: idOrNil(c.Conversation), State: string(c.Phase)}, nil
}

type requestsInput struct {
	State string `query:"state" enum:"waiting,accepted,declined,blocked" default:"waiting"`
}

func (s *Server) listRequests(ctx context.Context, in *requestsInput) (*reply[list[api.Request]], error) {
	var out list[api.Request]
	err := s.read(ctx, func(r *reader) error {
		rows, err := r.requests()
		out.Items = []api.Request{}
		for i := range rows {
			if string(rows[i].Phase) != in.State {
				continue
			}
			view, err := r.requestView(&rows[i])
			if err != nil {
				return err
			}
			out.Items = append(out.Items, view)
		}
		return err
	})
	return ok(0, out), err
}

func (s *Server) acceptRequest(ctx context.Context, in *byID) (*reply[api.Request], error) {
	return s.answerRequest(ctx, in.ID, protocol.RequestAccepted)
}

func (s *Server) declineRequest(ctx context.Context, in *byID) (*reply[api.Request], error) {
	return s.answerRequest(ctx, in.ID, protocol.RequestDeclined)
}

func (s *Server) blockRequest(ctx context.Context, in *byID) (*reply[api.Request], error) {
	return s.answerRequest(ctx, in.ID, protocol.RequestBlocked)
}

// answerRequest answers a request that waits. The same answer again changes
// nothing; another one is refused.
func (s *Server) answerRequest(ctx context.Context, text string, answer protocol.RequestPhase) (*reply[api.Request], error) {
	id, err := protocol.ParseRequestID(text)
	if err != nil {
		return nil, notFoundID()
	}
	leave, err := s.inFlight.enter(ctx, text)
	if err != nil {
		return nil, err
	}
	defer leave()
	if requestOf(ctx).actor.narrowed() {
		return nil, store.ErrNotFound
	}
	var row protocol.PutRequest
	read := func(r *reader) (err error) {
		row, err = r.Request(id)
		return err
	}
	if err := s.read(ctx, read); err != nil {
		return nil, err
	}
	before := row
	switch {
	case row.Phase == answer:
	case row.Phase != protocol.RequestWaiting:
		return nil, api.NewProblem(api.CodeAlreadyAnswered)
	default:
		result, err := s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
			return protocol.AnswerRequest{Ref: ref, ID: id, Answer: answer}
		}, nil)
		if err != nil {
			return nil, err
		}
		if answered, ok := result.(protocol.Answered); ok {
			before.Contact = answered.Contact
		}
		before.Phase = answer
		if err := s.read(ctx, read); errors.Is(err, store.ErrNotFound) {
			row = before // the core keeps nothing of what is answered
		} else if err != nil {
			return nil, err
		}
	}
	var out api.Request
	err = s.read(ctx, func(r *reader) error {
		out, err = r.requestView(&row)
		return err
	})
	return ok(0, out), err
}
