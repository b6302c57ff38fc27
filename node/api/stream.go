package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// EventsOptions select events. The zero value starts at the oldest event kept.
type EventsOptions struct {
	After        string   // cursor of the last event that was handled
	Latest       bool     // start at the end of the log instead; without After
	Consumer     string   // start at a consumer's position; without After
	Types        []string // "message.created", "message.*"; empty: all
	Conversation string   // only of this conversation
	Ephemeral    bool     // also those that are not logged
	RefsOnly     bool     // references instead of objects
}

func (o EventsOptions) query() url.Values {
	q := url.Values{}
	if o.After != "" {
		q.Set("after", o.After)
	} else if o.Latest {
		q.Set("after", "latest")
	}
	if o.Consumer != "" {
		q.Set("consumer", o.Consumer)
	}
	if len(o.Types) > 0 {
		q.Set("types", strings.Join(o.Types, ","))
	}
	if o.Conversation != "" {
		q.Set("conversation", o.Conversation)
	}
	if o.Ephemeral {
		q.Set("ephemeral", "1")
	}
	if o.RefsOnly {
		q.Set("body", "refs")
	}
	return q
}

// EventStream reads events from one connection. It is not safe for concurrent
// use, except that Close may be called at any time.
type EventStream struct {
	body   io.ReadCloser
	lines  *bufio.Scanner
	silent *time.Timer
	cursor string
}

// Events opens the event stream. The first event is EventHello. The stream ends
// with io.EOF after EventBye, or with another error if the connection broke;
// then open a new one with After set to [EventStream.Cursor]. Canceling ctx
// ends it.
func (c *Client) Events(ctx context.Context, o EventsOptions) (*EventStream, error) {
	header := http.Header{"Accept": {"application/x-ndjson"}}
	resp, err := c.Raw(ctx, RawRequest{Method: http.MethodGet, Path: "/v1/events", Query: o.query(), Header: header})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, BodyBytesMax))
		if err != nil {
			return nil, fmt.Errorf("read response: %w", err)
		}
		return nil, responseProblem(resp, body)
	}
	s := &EventStream{body: resp.Body, lines: bufio.NewScanner(resp.Body), cursor: o.After}
	s.lines.Buffer(make([]byte, 0, 64<<10), eventLineBytesMax)
	s.silent = time.AfterFunc(eventSilenceMax, func() { s.body.Close() })
	return s, nil
}

// Next returns the next event but heartbeats, waiting for it. A stream that
// stays silent for three heartbeats is ended with an error.
func (s *EventStream) Next() (Event, error) {
	for s.lines.Scan() {
		s.silent.Reset(eventSilenceMax)
		line := bytes.TrimSpace(s.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return Event{}, fmt.Errorf("decode event: %w", err)
		}
		if e.Type == EventHeartbeat {
			continue
		}
		if e.Cursor != "" {
			s.cursor = e.Cursor
		}
		return e, nil
	}
	s.silent.Stop()
	if err := s.lines.Err(); err != nil {
		return Event{}, fmt.Errorf("read events: %w", err)
	}
	return Event{}, io.EOF
}

// Cursor returns the cursor of the last durable event that Next returned, or
// where the stream began.
func (s *EventStream) Cursor() string { return s.cursor }

// Close ends the stream.
func (s *EventStream) Close() error {
	s.silent.Stop()
	return s.body.Close()
}

// Follow calls handle for each event, in order, and opens the stream again from
// the last cursor whenever it breaks, until ctx is done or handle returns an
// error, which is then Follow's. Hello and bye events are passed on, too. A
// refusal that cannot change by waiting, like a revoked token, ends it.
func (c *Client) Follow(ctx context.Context, o EventsOptions, handle func(Event) error) error {
	delay := followDelayMin
	for {
		n, err := c.followOnce(ctx, &o, handle)
		var stop *handlerError
		if errors.As(err, &stop) {
			return stop.err
		}
		if p := (*Problem)(nil); errors.As(err, &p) && !p.Retryable && p.Code != CodeStopping {
			return err
		}
		if n > 0 {
			delay = followDelayMin
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(delay):
		}
		delay = min(2*delay, followDelayMax)
	}
}

// handlerError marks an error as that of the caller's function.
type handlerError struct{ err error }

func (e *handlerError) Error() string { return e.err.Error() }

// followOnce reads one stream to its end and returns how many events it gave.
// It moves o to where the stream ended.
func (c *Client) followOnce(ctx context.Context, o *EventsOptions, handle func(Event) error) (int, error) {
	s, err := c.Events(ctx, *o)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	for n := 0; ; n++ {
		e, err := s.Next()
		if err != nil {
			return n, err
		}
		if e.Type == EventHello && o.After == "" && o.Latest {
			var hello Hello
			if json.Unmarshal(e.Data, &hello) == nil {
				o.After = hello.Cursor
			}
		}
		if err := handle(e); err != nil {
			return n, &handlerError{err}
		}
		if s.Cursor() != "" && e.Cursor != "" {
			o.After = s.Cursor()
		}
	}
}

// PollEvents returns the events after o.After, waiting up to wait for the first.
func (c *Client) PollEvents(ctx context.Context, o EventsOptions, wait time.Duration, limit int) (EventPage, error) {
	q := o.query()
	setInt(q, "limit", limit)
	setInt(q, "wait_ms", int(wait.Milliseconds()))
	var page EventPage
	header := http.Header{"Accept": {"application/json"}}
	err := c.do(ctx, RawRequest{Method: http.MethodGet, Path: "/v1/events", Query: q, Header: header}, nil, &page)
	return page, err
}
