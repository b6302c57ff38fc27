package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// pullMax is how many events one view reads for a stream: few, since others
// wait for the view.
const pullMax = 128

// stream writes events to one client.
type stream struct {
	server  *Server
	w       http.ResponseWriter
	control *http.ResponseController
	actor   *actor
	query   eventQuery
	state   api.State      // the daemon's, as last told
	news    *announcements // nil unless wanted
	said    []*api.Event   // changes of state that are not written yet
}

// serveEvents answers GET /v1/events in all three forms.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	query, err := s.parseEventQuery(r)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	q := requestOf(r.Context())
	leave, p := s.enterStream(q.actor)
	if p != nil {
		s.answerError(w, r, p)
		return
	}
	defer leave()
	st := &stream{
		server: s, w: w, control: http.NewResponseController(w), actor: q.actor, query: query, state: s.daemon.State().State,
	}
	if query.ephemeral {
		var end func()
		st.news, end = s.feed.listen()
		defer end()
	}
	if query.format == formatPage {
		st.poll(r)
		return
	}
	if query.format == formatSSE {
		w.Header().Set("Content-Type", sseType)
	} else {
		w.Header().Set("Content-Type", ndjsonType)
	}
	w.Header().Set("X-Accel-Buffering", "no")
	if err := st.run(r); err != nil && !errors.Is(err, errStreamOver) {
		s.log.Debug("event stream ended", "request", q.id, "error", err)
	}
}

// enterStream counts a stream, or refuses one too many.
func (s *Server) enterStream(a *actor) (func(), *api.Problem) {
	tooMany := s.streams.Add(1) > streamsMax
	mine := a.streams.Add(1)
	s.metrics.streams.Inc()
	leave := func() {
		s.streams.Add(-1)
		a.streams.Add(-1)
		s.metrics.streams.Dec()
	}
	if tooMany || a.kind != api.ActorOwner && mine > streamsPerToken {
		leave()
		p := api.NewProblem(api.CodeTooManyStreams)
		p.RetryAfterMS = streamRetry.Milliseconds()
		return nil, p
	}
	return leave, nil
}

// run writes hello, what is logged, and then what comes, until the client goes or
// the daemon says bye.
func (t *stream) run(r *http.Request) error {
	if err := t.hello(); err != nil {
		return err
	}
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for {
		changed := t.server.feed.next() // before looking, or what comes meanwhile is missed
		if reason := t.over(); reason != "" {
			return t.bye(reason)
		}
		more, err := t.pull()
		if errors.Is(err, store.ErrClosed) {
			return t.bye(api.ByeLocked)
		}
		if err != nil {
			return err
		}
		if more {
			continue
		}
		select {
		case <-changed:
		case <-t.actor.revoked:
		case <-t.server.feed.stopping:
		case <-heartbeat.C:
			if err := t.heartbeat(); err != nil {
				return err
			}
		case <-r.Context().Done():
			return errStreamOver
		}
	}
}

// over says why the stream must end now, or returns "". What the daemon can do
// is told on the way.
func (t *stream) over() string {
	state := t.server.daemon.State().State
	locked := stateBit(t.state)&reading == 0
	switch {
	case t.actor.ended() || t.actor.expired(t.server.now()):
		if stateBit(state)&reading == 0 && !locked && t.actor.kind == api.ActorToken {
			return api.ByeLocked // its token went with the keys
		}
		return api.ByeTokenRevoked
	case t.server.feed.stopped() || state == api.StateStopping:
		return api.ByeShutdown
	case !locked && stateBit(state)&reading == 0:
		return api.ByeLocked
	case locked && stateBit(state)&reading != 0:
		return api.ByeUnlocked
	}
	if state != t.state {
		t.state = state
		if (t.query.ephemeral || locked) && t.query.wants(api.EventDaemonState) {
			t.said = append(t.said, controlEvent(api.EventDaemonState, api.DaemonState{State: state}))
		}
	}
	return ""
}

// pull writes the next events of the log and what was announced. more means that
// there is more to pull at once.
func (t *stream) pull() (more bool, err error) {
	for _, e := range t.said {
		if err := t.event(e); err != nil {
			return false, err
		}
	}
	t.said = nil
	if stateBit(t.state)&reading == 0 {
		return false, t.flush()
	}
	b, err := t.server.nextEvents(t.actor, &t.query, pullMax)
	if err != nil {
		return false, err
	}
	if b.gap != nil {
		if err := t.event(controlEvent(api.EventGap, b.gap)); err != nil {
			return false, err
		}
	}
	for i := range b.events {
		if err := t.event(&b.events[i]); err != nil {
			return false, err
		}
	}
	if !b.more && t.news != nil {
		if err := t.announced(); err != nil {
			return false, err
		}
	}
	return b.more, t.flush()
}

// announced writes the events that are not logged.
func (t *stream) announced() error {
	waiting := t.news.take()
	if len(waiting) == 0 {
		return nil
	}
	var out []*api.Event
	err := t.server.view(t.actor, func(r *reader) error {
		out = nil
		for i := range waiting {
			if !t.query.wants(string(waiting[i].Type)) || t.query.conversation != (protocol.ConversationID{}) {
				continue
			}
			e, err := r.announcement(&waiting[i])
			if err != nil {
				return err
			}
			if e != nil {
				out = append(out, e)
			}
		}
		return nil
	})
	for _, e := range out {
		if err == nil {
			err = t.event(e)
		}
	}
	return err
}

// batch is what one view gives a reader of the log.
type batch struct {
	events []api.Event
	gap    *api.Gap
	cursor store.Cursor
	more   bool
}

// nextEvents reads the events after q.after and moves it behind them.
func (s *Server) nextEvents(a *actor, q *eventQuery, limit int) (batch, error) {
	var b batch
	err := s.view(a, func(r *reader) error {
		b = batch{}
		query := store.EventQuery{After: q.after, Types: q.types, Limit: limit}
		if q.conversation != (protocol.ConversationID{}) {
			query.Conversations = []protocol.ConversationID{q.conversation}
		}
		if q.latest {
			newest, err := r.Cursor()
			if err != nil {
				return err
			}
			query.After = newest
		}
		page, err := r.Events(query)
		if errors.Is(err, store.ErrCursorExpired) {
			b.gap = &api.Gap{Oldest: page.Oldest.String(), Reason: gapReason(q.after, page.Oldest)}
			query.After = page.Oldest
			page, err = r.Events(query)
		}
		if err != nil {
			return err
		}
		for _, row := range page.Events {
			if q.conversation != (protocol.ConversationID{}) && row.Event.Conversation != q.conversation {
				continue
			}
			events, err := r.events(row, q.refs)
			if err != nil {
				return err
			}
			b.events = append(b.events, events...)
		}
		b.cursor, b.more = page.Cursor, page.More
		return nil
	})
	if err == nil {
		q.after, q.latest = b.cursor, false
	}
	return b, err
}

// poll answers with one page: at once if there are events, else with the first
// that come, or empty when the time is over.
func (t *stream) poll(r *http.Request) {
	timeout := time.NewTimer(t.query.wait)
	defer timeout.Stop()
	page := api.EventPage{Events: []api.Event{}}
	for {
		changed := t.server.feed.next()
		if err := t.fill(&page); err != nil {
			t.server.answerError(t.w, r, err)
			return
		}
		if len(page.Events) > 0 || page.Gap != nil || t.query.wait == 0 {
			break
		}
		select {
		case <-changed:
			continue
		case <-timeout.C:
		case <-t.actor.revoked:
		case <-t.server.feed.stopping:
		case <-r.Context().Done():
			return
		}
		break
	}
	requestOf(r.Context()).cursor = page.Cursor
	body, err := json.Marshal(page)
	if err != nil {
		t.server.answerError(t.w, r, fmt.Errorf("encode events: %w", err))
		return
	}
	t.w.Header().Set("Content-Type", "application/json")
	t.w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	t.w.Write(append(body, '\n'))
}

// fill adds what there is now to a page.
func (t *stream) fill(page *api.EventPage) error {
	state := t.server.daemon.State().State
	if stateBit(state)&reading == 0 {
		if state != t.state {
			t.state = state
			page.Events = append(page.Events, *controlEvent(api.EventDaemonState, api.DaemonState{State: state}))
		}
		return nil
	}
	for {
		b, err := t.server.nextEvents(t.actor, &t.query, min(pullMax, t.query.limit-len(page.Events)))
		if err != nil {
			return err
		}
		if b.gap != nil && page.Gap == nil {
			page.Gap = b.gap
		}
		page.Events = append(page.Events, b.events...)
		page.Cursor = b.cursor.String()
		if !b.more || len(page.Events) >= t.query.limit {
			return nil
		}
	}
}

// hello opens the stream.
func (t *stream) hello() error {
	h := api.Hello{HeartbeatMS: heartbeatEvery.Milliseconds(), ServerTime: api.NewTime(t.server.now())}
	if stateBit(t.state)&reading != 0 {
		err := t.server.view(t.actor, func(r *reader) error {
			newest, err := r.Cursor()
			if err != nil {
				return err
			}
			oldest, err := r.Oldest()
			h.Cursor, h.Oldest, h.Epoch = newest.String(), oldest.String(), newest.Epoch
			if t.query.latest {
				t.query.after, t.query.latest = newest, false
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if t.query.format == formatSSE {
		fmt.Fprintf(t.w, "retry: %d\n\n", streamRetry.Milliseconds())
	}
	if err := t.event(controlEvent(api.EventHello, h)); err != nil {
		return err
	}
	if stateBit(t.state)&reading == 0 {
		if err := t.event(controlEvent(api.EventDaemonState, api.DaemonState{State: t.state})); err != nil {
			return err
		}
	}
	return t.flush()
}

func (t *stream) bye(reason string) error {
	if err := t.event(controlEvent(api.EventBye, api.Bye{Reason: reason, RetryMS: streamRetry.Milliseconds()})); err != nil {
		return err
	}
	if err := t.flush(); err != nil {
		return err
	}
	return errStreamOver
}

func (t *stream) heartbeat() error {
	if t.query.format == formatSSE {
		if err := t.deadline(); err != nil {
			return err
		}
		if _, err := t.w.Write([]byte(": \n\n")); err != nil {
			return err
		}
		return t.flush()
	}
	if err := t.event(&api.Event{Type: api.EventHeartbeat}); err != nil {
		return err
	}
	return t.flush()
}

// controlEvent makes an event of the stream itself.
func controlEvent(kind string, data any) *api.Event {
	b, err := json.Marshal(data)
	if err != nil {
		panic("httpd: encode control event: " + err.Error()) // plain structs
	}
	return &api.Event{Type: kind, Data: b}
}

// event writes one event. A client that does not take it within writeTimeout is
// dropped; it resumes by its cursor.
func (t *stream) event(e *api.Event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	if err := t.deadline(); err != nil {
		return err
	}
	if t.query.format == formatNDJSON {
		_, err = t.w.Write(append(b, '\n'))
		return err
	}
	if e.Cursor != "" {
		_, err = fmt.Fprintf(t.w, "id: %s\n", e.Cursor)
	}
	if err == nil {
		_, err = fmt.Fprintf(t.w, "event: %s\ndata: %s\n\n", e.Type, b)
	}
	return err
}

func (t *stream) deadline() error { return t.control.SetWriteDeadline(time.Now().Add(writeTimeout)) }

func (t *stream) flush() error { return t.control.Flush() }
