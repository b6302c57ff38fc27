package httpd

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// eventQuery is what a client asks of the event log.
type eventQuery struct {
	format       eventFormat
	after        store.Cursor // zero: from the oldest
	latest       bool         // from the end instead
	types        []string
	conversation protocol.ConversationID // zero: all
	ephemeral    bool
	refs         bool
	wait         time.Duration // of the long poll
	limit        int
}

// eventFormat is how events are written.
type eventFormat int

const (
	formatPage eventFormat = iota // one JSON object: long poll
	formatSSE
	formatNDJSON
)

const (
	sseType    = "text/event-stream"
	ndjsonType = "application/x-ndjson"

	afterLatest   = "latest"
	pollDefault   = 200
	typesBytesMax = 2048
)

// registerEvents describes and serves the one URL of the event log.
func registerEvents(s *Server, a huma.API, op huma.Operation) {
	schemas := a.OpenAPI().Components.Schemas
	event := schemas.Schema(reflect.TypeFor[api.Event](), true, "Event")
	page := schemas.Schema(reflect.TypeFor[api.EventPage](), true, "EventPage")
	op.Responses["200"] = &huma.Response{Description: "Events", Content: map[string]*huma.MediaType{
		"application/json": {Schema: page}, ndjsonType: {Schema: event}, sseType: {Schema: event},
	}}
	text := &huma.Schema{Type: huma.TypeString}
	number := &huma.Schema{Type: huma.TypeInteger}
	raw(ndjsonType, (*Server).serveEvents,
		&huma.Param{Name: "after", In: "query", Schema: text, Description: "cursor of the last event handled; absent: from the oldest; latest: from the end"},
		&huma.Param{Name: "Last-Event-ID", In: "header", Schema: text, Description: "as after, which goes before it"},
		&huma.Param{Name: "consumer", In: "query", Schema: text, Description: "start at a consumer's place"},
		&huma.Param{Name: "types", In: "query", Schema: text, Description: "comma-separated types, or families like message.*"},
		&huma.Param{Name: "conversation", In: "query", Schema: text, Description: "only of one conversation"},
		&huma.Param{Name: "ephemeral", In: "query", Schema: text, Description: "1: also events that are not logged"},
		&huma.Param{Name: "body", In: "query", Schema: text, Description: "refs: references instead of objects"},
		&huma.Param{Name: "wait_ms", In: "query", Schema: number, Description: "long poll: how long to wait for the first event, at most 60000"},
		&huma.Param{Name: "limit", In: "query", Schema: number, Description: "long poll: at most so many events, up to 1000"},
	)(s, a, op)
}

// parseEventQuery reads the parameters by hand: this handler is not huma's.
func (s *Server) parseEventQuery(r *http.Request) (eventQuery, error) {
	q := eventQuery{format: eventFormatOf(r.Header.Get("Accept")), limit: pollDefault}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, invalid("query:", api.FieldMalformed)
	}
	for name, all := range values {
		var err error
		value := all[0]
		switch name {
		case "after", "consumer":
		case "types":
			err = q.setTypes(value)
		case "conversation":
			q.conversation, err = conversationID(r.Context(), value)
		case "ephemeral":
			q.ephemeral, err = oneOf(name, value, "1", "0")
		case "body":
			q.refs, err = oneOf(name, value, "refs", "full")
		case "wait_ms":
			var ms int
			ms, err = bounded(name, value, int(api.WaitMax/time.Millisecond))
			q.wait = time.Duration(ms) * time.Millisecond
		case "limit":
			q.limit, err = bounded(name, value, api.EventsMax)
		default:
			return q, api.NewProblem(api.CodeUnknownField).At(cut("query:"+name), api.FieldUnknown)
		}
		if err != nil {
			return q, err
		}
	}
	if q.limit == 0 {
		return q, invalid("query:limit", api.FieldTooSmall)
	}
	after := values.Get("after")
	if after == "" {
		after = r.Header.Get("Last-Event-ID")
	}
	return q, s.setStart(r.Context(), &q, after, values.Get("consumer"))
}

func (s *Server) setStart(ctx context.Context, q *eventQuery, after, consumer string) (err error) {
	switch {
	case after == afterLatest:
		q.latest = true
	case after != "":
		if q.after, err = store.ParseCursor(after); err != nil {
			return api.NewProblem(api.CodeCursorInvalid).At("query:after", api.FieldMalformed)
		}
	case consumer != "" && s.daemon.Store() != nil:
		return s.read(ctx, func(r *reader) error {
			c, err := r.consumer(consumer)
			q.after = c.Cursor
			return err
		})
	}
	return nil
}

func (q *eventQuery) setTypes(list string) error {
	if len(list) > typesBytesMax {
		return invalid("query:types", api.FieldTooLong)
	}
	for t := range strings.SplitSeq(list, ",") {
		if !eventTypePattern.MatchString(t) {
			return invalid("query:types", api.FieldMalformed)
		}
		q.types = append(q.types, t)
	}
	return nil
}

// wants reports whether a type that is not in the log was asked for.
func (q *eventQuery) wants(t string) bool {
	return len(q.types) == 0 || slices.ContainsFunc(q.types, func(want string) bool {
		family, ok := strings.CutSuffix(want, "*")
		return want == t || ok && strings.HasPrefix(t, family)
	})
}

func oneOf(name, value, yes, no string) (bool, error) {
	if value != yes && value != no {
		return false, invalid("query:"+name, api.FieldNotAllowed)
	}
	return value == yes, nil
}

func bounded(name, value string, most int) (int, error) {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n < 0:
		return 0, invalid("query:"+name, api.FieldMalformed)
	case n > most:
		return 0, invalid("query:"+name, api.FieldTooLarge)
	}
	return n, nil
}

// eventFormatOf picks the first format that Accept names; JSON is the default.
func eventFormatOf(accept string) eventFormat {
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.TrimSpace(kind) {
		case sseType:
			return formatSSE
		case ndjsonType:
			return formatNDJSON
		case "application/json":
			return formatPage
		}
	}
	return formatPage
}

// mayUse reports whether the actor may read, move and forget a consumer: whoever made it,
// and the user. Those of webhooks are the daemon's.
func (a *actor) mayUse(c store.Consumer) bool {
	return !ofWebhook(c) && (a.has(api.ScopeOwner) || c.Owner == a.id)
}

func ofWebhook(c store.Consumer) bool { return strings.HasPrefix(c.Owner, webhookPrefix) }

// ownConsumers returns the consumers that the actor may use, by name.
func (r *reader) ownConsumers() ([]store.Consumer, error) {
	all, err := r.Consumers()
	return slices.DeleteFunc(all, func(c store.Consumer) bool { return !r.actor.mayUse(c) }), err
}

func (r *reader) consumer(name string) (store.Consumer, error) {
	all, err := r.ownConsumers()
	if err != nil {
		return store.Consumer{}, err
	}
	for _, c := range all {
		if c.Name == name {
			return c, nil
		}
	}
	return store.Consumer{}, store.ErrNotFound
}

func consumerView(c store.Consumer, newest store.Cursor) api.Consumer {
	return api.Consumer{
		Name: c.Name, TokenID: textOrNil(c.Owner), Cursor: c.Cursor.String(), Lag: newest.Sequence - min(c.Cursor.Sequence, newest.Sequence),
		LastAckAt: api.Milli(c.At),
	}
}

func (s *Server) listConsumers(ctx context.Context, _ *none) (*reply[list[api.Consumer]], error) {
	var out list[api.Consumer]
	err := s.read(ctx, func(r *reader) error {
		newest, err := r.Cursor()
		if err != nil {
			return err
		}
		rows, err := r.ownConsumers()
		out.Items = make([]api.Consumer, 0, len(rows))
		for _, c := range rows {
			out.Items = append(out.Items, consumerView(c, newest))
		}
		return err
	})
	return ok(0, out), err
}

// placeOf checks a cursor that a consumer is to stand at.
func (r *reader) placeOf(text string) (store.Cursor, error) {
	newest, err := r.Cursor()
	if err != nil || text == "" {
		return newest, err
	}
	c, err := store.ParseCursor(text)
	if err != nil || c.Epoch != newest.Epoch || c.Sequence > newest.Sequence {
		return c, api.NewProblem(api.CodeCursorInvalid).At("/cursor", api.FieldInvalid)
	}
	return c, nil
}

// roomFor says why a new consumer cannot have this name, or returns nil.
func (r *reader) roomFor(name string) error {
	all, err := r.Consumers()
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(all, func(c store.Consumer) bool { return c.Name == name }): // another token's
		return api.NewProblem(api.CodeConflict)
	case len(all) >= consumersMax:
		return api.NewProblem(api.CodeTooMany)
	}
	return nil
}

// moveConsumer puts a consumer at a place. With forward it must exist and only
// moves ahead; a repeated or late ack changes nothing.
func (s *Server) moveConsumer(ctx context.Context, name, cursor string, forward bool) (*reply[api.Consumer], error) {
	leave, err := s.inFlight.enter(ctx, "consumer "+name)
	if err != nil {
		return nil, err
	}
	defer leave()
	var to store.Cursor
	move := true
	err = s.read(ctx, func(r *reader) error {
		if to, err = r.placeOf(cursor); err != nil {
			return err
		}
		c, err := r.consumer(name)
		switch {
		case isNotFound(err) && !forward:
			return r.roomFor(name)
		case err != nil:
			return err
		}
		move = cursor != "" && (!forward || to.Sequence > c.Cursor.Sequence)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if move {
		row := store.PutConsumer{Name: name, Owner: requestOf(ctx).actor.id, Cursor: to}
		if err := s.write(ctx, []store.Row{row}); err != nil {
			return nil, err
		}
	}
	var out api.Consumer
	err = s.read(ctx, func(r *reader) error {
		newest, err := r.Cursor()
		if err != nil {
			return err
		}
		c, err := r.consumer(name)
		out = consumerView(c, newest)
		return err
	})
	return ok(0, out), err
}

type ackInput struct{ Body api.Ack }

func (s *Server) ackEvents(ctx context.Context, in *ackInput) (*reply[api.Consumer], error) {
	if in.Body.Cursor == "" {
		return nil, invalid("/cursor", api.FieldRequired)
	}
	return s.moveConsumer(ctx, in.Body.Consumer, in.Body.Cursor, true)
}

type consumerInput struct {
	Name string `path:"name" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9._-]+$"`
	Body *api.ConsumerRequest
}

func (s *Server) putConsumer(ctx context.Context, in *consumerInput) (*reply[api.Consumer], error) {
	if requestOf(ctx).actor.kind == api.ActorSession { // its row would outlive it
		return nil, api.NewProblem(api.CodeConsumerNeedsToken)
	}
	cursor := ""
	if in.Body != nil {
		cursor = in.Body.Cursor
	}
	return s.moveConsumer(ctx, in.Name, cursor, false)
}

type consumerName struct {
	Name string `path:"name" maxLength:"64"`
}

func (s *Server) deleteConsumer(ctx context.Context, in *consumerName) (*done, error) {
	err := s.read(ctx, func(r *reader) error {
		_, err := r.consumer(in.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &done{}, s.write(ctx, []store.Row{store.EraseConsumer{Name: in.Name}})
}

// gapReason says why the events after a cursor are gone.
func gapReason(asked, oldest store.Cursor) string {
	if asked.Epoch != oldest.Epoch {
		return "epoch"
	}
	return "expired"
}

var errStreamOver = errors.New("httpd: stream over")
