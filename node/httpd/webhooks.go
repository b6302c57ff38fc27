package httpd

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

func webhookRoutes() []route {
	owner := scopes(api.ScopeOwner)
	return []route{
		{method: http.MethodGet, path: "/v1/webhooks", summary: "Programs on this machine that are told of events", scopes: owner,
			states: reading, confirm: true, register: operation((*Server).listWebhooks)},
		{method: http.MethodPost, path: "/v1/webhooks", summary: "Have a program on this machine told of events from now on", scopes: owner,
			states: writing, status: http.StatusCreated, secret: true, confirm: true, audit: api.AuditWebhookCreated, register: operation((*Server).createWebhook)},
		{method: http.MethodPost, path: "/v1/webhooks/{id}/enable", summary: "Try a webhook again that fails or is disabled", scopes: owner,
			states: writing, confirm: true, audit: api.AuditWebhookEnabled, register: operation((*Server).enableWebhook)},
		{method: http.MethodDelete, path: "/v1/webhooks/{id}", summary: "End a webhook", scopes: owner,
			states: reading, status: http.StatusNoContent, confirm: true, audit: api.AuditWebhookDeleted, register: operation((*Server).deleteWebhook)},
	}
}

// webhookPrefix begins their ids.
const webhookPrefix = "wh_"

// webhook is one, and how it goes. Its actor says what it is shown.
type webhook struct {
	id        string
	createdAt int64
	actor     *actor
	cursor    store.Cursor
	webhookDetail
}

// webhookDetail is what of a webhook is kept in one column.
type webhookDetail struct {
	Name        string          `json:"name"`
	URL         string          `json:"url"`
	Scopes      []api.Scope     `json:"scopes"`
	Types       []string        `json:"types,omitempty"`
	Constraints api.Constraints `json:"constraints"`
	Secret      string          `json:"secret"`

	SentAt       int64  `json:"sent_at,omitempty"`      // before the last batch was first sent; Unix milliseconds, as are the others
	DeliveredAt  int64  `json:"delivered_at,omitempty"` // when the last one was taken
	FailingSince int64  `json:"failing_since,omitempty"`
	DisabledAt   int64  `json:"disabled_at,omitempty"` // [store.PutWebhook] sets it of one that moved
	LastError    string `json:"last_error,omitempty"`
}

func (h *webhook) detail() []byte {
	b, err := json.Marshal(h.webhookDetail)
	if err != nil {
		panic("httpd: encode webhook: " + err.Error()) // strings and numbers only
	}
	return b
}

// webhooks returns all webhooks with their places in the log.
func (r *reader) webhooks() ([]webhook, error) {
	rows, err := r.Webhooks()
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	places, err := r.Consumers()
	if err != nil {
		return nil, err
	}
	out := make([]webhook, len(rows))
	for i, row := range rows {
		h := &out[i]
		h.id, h.createdAt = row.ID, row.CreatedAt
		if err := json.Unmarshal(row.Detail, &h.webhookDetail); err != nil {
			return nil, fmt.Errorf("read webhook: %w", err)
		}
		h.actor = &actor{kind: api.ActorToken, id: h.id, name: h.Name, scopes: h.Scopes, constraints: h.Constraints,
			createdAt: time.UnixMilli(h.createdAt), texts: h.createdAt, revoked: make(chan struct{})}
		for _, c := range places {
			if c.Owner == h.id {
				h.cursor = c.Cursor
			}
		}
	}
	return out, nil
}

// mayHaveRead reports whether a message's text was sent to a webhook, taken or not.
func (h *webhook) mayHaveRead(c *protocol.PutConversation, m *store.Message) bool {
	reads := h.actor.has(api.ScopeMessagesRead) && !h.actor.redacted() && h.actor.sees(c.ID.String())
	return reads && m.At >= h.createdAt && max(h.SentAt, h.DeliveredAt) >= m.At
}

// webhook finds one.
func (r *reader) webhook(id string) (webhook, error) {
	all, err := r.webhooks()
	for _, h := range all {
		if h.id == id {
			return h, nil
		}
	}
	if err == nil {
		err = store.ErrNotFound
	}
	return webhook{}, err
}

func (h *webhook) view(newest store.Cursor) api.Webhook {
	out := api.Webhook{
		ID: h.id, Name: h.Name, URL: h.URL, Scopes: notNil(h.Scopes), Types: notNil(h.Types), Conversations: notNil(h.Constraints.Conversations),
		Content: api.ContentFull, CreatedAt: api.Milli(h.createdAt), State: api.WebhookActive,
		LastDeliveredAt: api.MilliOrNil(h.DeliveredAt), FailingSince: api.MilliOrNil(h.FailingSince), LastError: textOrNil(h.LastError),
	}
	if newest.Sequence > h.cursor.Sequence {
		out.Lag = newest.Sequence - h.cursor.Sequence
	}
	if h.actor.redacted() {
		out.Content = api.ContentMeta
	}
	switch {
	case h.DisabledAt != 0:
		out.State = api.WebhookDisabled
	case h.FailingSince != 0:
		out.State = api.WebhookFailing
	}
	return out
}

func (s *Server) listWebhooks(ctx context.Context, _ *none) (*reply[list[api.Webhook]], error) {
	out := list[api.Webhook]{}
	err := s.read(ctx, func(r *reader) error {
		out.Items = []api.Webhook{}
		all, err := r.webhooks()
		if err != nil {
			return err
		}
		newest, err := r.Cursor()
		for i := range all {
			out.Items = append(out.Items, all[i].view(newest))
		}
		return err
	})
	return ok(0, out), err
}

type webhookInput struct{ Body api.WebhookRequest }

func (s *Server) createWebhook(ctx context.Context, in *webhookInput) (*reply[api.WebhookCreated], error) {
	h, err := s.newWebhook(requestOf(ctx), in.Body)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(r *reader) error {
		all, err := r.webhooks()
		if err != nil {
			return err
		}
		if len(all) >= webhooksMax {
			return api.NewProblem(api.CodeTooMany)
		}
		h.cursor, err = r.Cursor()
		return err
	})
	if err != nil {
		return nil, err
	}
	rows := []store.Row{store.PutWebhook{ID: h.id, CreatedAt: h.createdAt, Detail: h.detail()},
		store.PutConsumer{Name: h.id, Owner: h.id, Cursor: h.cursor}}
	if err := s.write(ctx, rows, protocol.Event{Type: api.EventWebhookCreated, Code: h.id}); err != nil {
		return nil, err
	}
	requestOf(ctx).about = h.id
	s.hooks.changed()
	return ok(0, api.WebhookCreated{Secret: h.Secret, Webhook: h.view(h.cursor)}), nil
}

// newWebhook checks a request. Whoever asks can have told no more than they see.
func (s *Server) newWebhook(q *request, req api.WebhookRequest) (*webhook, error) {
	if err := checkName("/name", req.Name); err != nil {
		return nil, err
	}
	if err := chooseScopes(req.Preset, &req.Scopes); err != nil {
		return nil, err
	}
	for i, scope := range req.Scopes {
		if !slices.Contains(webhookScopes(), scope) { // it can do nothing with them
			return nil, invalid("/scopes/"+strconv.Itoa(i), api.FieldNotAllowed)
		}
	}
	limits := api.Constraints{Conversations: req.Conversations, Content: req.Content}
	if err := checkConstraints(limits, s.now()); err != nil {
		p := problemOf(err)
		for i := range p.Errors {
			p.Errors[i].Pointer = strings.TrimPrefix(p.Errors[i].Pointer, "/constraints")
		}
		return nil, p
	}
	for i, t := range req.Types {
		if !eventTypePattern.MatchString(t) {
			return nil, invalid("/types/"+strconv.Itoa(i), api.FieldMalformed)
		}
	}
	if _, err := loopbackURL(req.URL); err != nil {
		return nil, err
	}
	from := q.actor
	if q.confirmed {
		from = grantable
	}
	if at := from.stronger(req.Scopes, limits); at != "" {
		return nil, api.NewProblem(api.CodeTokenTooStrong).At(strings.TrimPrefix(at, "/constraints"), api.FieldNotAllowed)
	}
	secret, _ := newSecret(api.WebhookSecretPrefix)
	return &webhook{
		id: newID(webhookPrefix), createdAt: s.now().UnixMilli(), actor: &actor{scopes: req.Scopes, constraints: limits},
		webhookDetail: webhookDetail{Name: req.Name, URL: req.URL, Scopes: req.Scopes, Types: req.Types, Constraints: limits, Secret: secret},
	}, nil
}

// eventTypePattern is a type of events or a family of them.
var eventTypePattern = regexp.MustCompile(`^[a-z]+(\.(\*|[a-z_]+))?$`)

// webhookScopes are those that show events.
func webhookScopes() []api.Scope {
	return []api.Scope{api.ScopeStatusRead, api.ScopeContactsRead, api.ScopeConversationsRead, api.ScopeMessagesRead, api.ScopeMessagesMeta,
		api.ScopeFilesRead, api.ScopeSearch, api.ScopeEvents, api.ScopeInvitesManage, api.ScopeSettingsRead, api.ScopeNetworkRead}
}

// newID makes an id of the daemon's.
func newID(prefix string) string {
	var b [16]byte
	rand.Read(b[:])
	return prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// loopbackURL reads the address of a receiver, which must be on this machine. What a name leads
// to is looked at again when it is dialled.
func loopbackURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Host == "" || u.Opaque != "" || u.User != nil || u.Fragment != "" {
		return nil, invalid("/url", api.FieldMalformed)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return nil, invalid("/url", api.FieldMalformed)
	}
	if u.Hostname() == "localhost" {
		return u, nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil || ip.Zone() != "" || !ip.Unmap().IsLoopback() {
		return nil, api.NewProblem(api.CodeForeignAddress).At("/url", api.FieldNotAllowed)
	}
	return u, nil
}

func (s *Server) enableWebhook(ctx context.Context, in *byID) (*reply[api.Webhook], error) {
	requestOf(ctx).about = webhookID(in.ID)
	leave, err := s.inFlight.enter(ctx, "webhook "+in.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	defer s.hooks.halt(in.ID)() // or it would write what it knows over this
	var h webhook
	err = s.read(ctx, func(r *reader) (err error) {
		h, err = r.webhook(in.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	h.FailingSince, h.DisabledAt, h.LastError = 0, 0, ""
	if err := s.write(ctx, []store.Row{store.UpdateWebhook{ID: h.id, Detail: h.detail(), Cursor: h.cursor}}); err != nil {
		return nil, err
	}
	var newest store.Cursor
	err = s.read(ctx, func(r *reader) (err error) {
		newest, err = r.Cursor()
		return err
	})
	return ok(0, h.view(newest)), err
}

// webhookID is an id as the audit log takes it: what was sent may be anything.
func webhookID(id string) string {
	if !regexp.MustCompile(`^wh_[a-z2-7]{26}$`).MatchString(id) {
		return ""
	}
	return id
}

func (s *Server) deleteWebhook(ctx context.Context, in *byID) (*done, error) {
	err := s.read(ctx, func(r *reader) error {
		_, err := r.webhook(in.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	requestOf(ctx).about = in.ID
	defer s.hooks.halt(in.ID)() // behind the answer it is told of nothing
	err = s.write(ctx, []store.Row{store.EraseWebhook{ID: in.ID}}, protocol.Event{Type: api.EventWebhookDeleted, Code: in.ID})
	return &done{}, err
}
