package httpd

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"pabal/node/api"
)

// request is what the chain has found out about a request; handlers get it from
// the context.
type request struct {
	id        string
	host      string
	origin    string // the Origin header
	transport transport
	unread    io.ReadCloser // the body, not bounded
	route     *route        // nil: no such operation
	actor     *actor        // nil: not authenticated
	confirmed bool          // the owner sits at the actor's session
	cursor    string        // the log position that the response reflects
	body      []byte
	code      api.Code // of the problem that was answered
	about     string   // the id that the audit log has of what was done
	served    bool     // the operation ended without a panic
}

type requestKey struct{}

// requestOf returns the request that ctx belongs to; the chain always sets one.
func requestOf(ctx context.Context) *request { return ctx.Value(requestKey{}).(*request) }

// ServeHTTP runs the whole chain, in this order: recover, limits, listener, host,
// fetch metadata, cross-origin protection, authentication, the token's origins,
// state of the daemon, scope, rate; then the operation, which deals with
// idempotency. Nothing is served around it, not even a 404.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	started := time.Now()
	q := &request{id: newRequestID(), host: r.Host, origin: r.Header.Get("Origin"), transport: transportOf(r.Context())}
	w := &response{ResponseWriter: rw, request: q}
	defer func() {
		if v := recover(); v != nil {
			s.recovered(w, q, v)
		}
		s.observe(q, w.status, time.Since(started))
	}()
	q.unread = r.Body
	r.Body = http.MaxBytesReader(rw, r.Body, api.BodyBytesMax) // not w: net/http looks for its own type
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, q))
	if !s.hostAllowed(q.transport, r.Host) {
		w.empty(http.StatusMisdirectedRequest)
		return
	}
	q.route = s.routeOf(r)
	if q.route != nil && q.route.file {
		r.Body = http.MaxBytesReader(rw, q.unread, api.BundleBytesMax)
	}
	foreign := s.foreign(q.transport, r)
	if s.public(q, w, r, foreign) {
		return
	}
	q.actor = s.authenticate(q.transport, r)
	if q.actor == nil {
		w.empty(http.StatusUnauthorized)
		return
	}
	defer serving(r.Context())()
	s.setHeaders(w, r)
	if foreign || !q.actor.originAllowed(r.Header.Get("Origin"), s.ownOrigins()) {
		s.refuse(w, q, api.NewProblem(api.CodeOriginNotAllowed))
		return
	}
	if p := q.actor.enter(); p != nil {
		w.Header().Set("Connection", "close")
		s.refuse(w, q, p)
		return
	}
	defer q.actor.leave()
	defer s.attend(q, r.Header)()
	if p := s.admit(q, r); p != nil {
		s.refuse(w, q, p)
		return
	}
	defer s.audits(q, func() int { return w.status })()
	s.serve(w, r)
	q.served = true
}

// public deals with what TCP answers without a token. Whatever is wrong with
// such a request, the answer is the one that any other request without a token
// gets. It reports whether it has answered.
func (s *Server) public(q *request, w *response, r *http.Request, foreign bool) bool {
	if q.transport == overUnix {
		return false
	}
	switch {
	case r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "":
		if !s.auth.originRegistered(r.Header.Get("Origin"), s.daemon.Store()) {
			w.empty(http.StatusUnauthorized)
			return true
		}
		s.preflight(w, r)
		return true
	case strings.HasPrefix(r.URL.Path, webPrefix):
		s.serveWeb(w, r, foreign)
		return true
	case q.route != nil && q.route.public && r.Header.Get("Authorization") == "":
		if foreign || gate(q.route, s.daemon.State().State) != nil || !s.serveStranger(w, r) {
			w.empty(http.StatusUnauthorized)
		}
		return true
	}
	return false
}

// serveStranger runs an operation that is open to all, and reports false without
// having answered if it refuses.
func (s *Server) serveStranger(w *response, r *http.Request) bool {
	q := w.request
	q.actor = stranger()
	if q.route.pairs && s.auth.originRegistered(q.origin, s.daemon.Store()) {
		q.actor.constraints.Origins = []string{q.origin}
	}
	held := &heldResponse{header: make(http.Header)}
	s.serve(&response{ResponseWriter: held, request: q}, r)
	if held.status != http.StatusOK {
		return false
	}
	maps.Copy(w.Header(), held.header)
	s.setHeaders(w, r)
	w.WriteHeader(held.status)
	w.Write(held.body.Bytes())
	return true
}

// heldResponse keeps an answer until it is known whether it may be told.
type heldResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldResponse) Header() http.Header         { return h.header }
func (h *heldResponse) WriteHeader(status int)      { h.status = status }
func (h *heldResponse) Write(b []byte) (int, error) { return h.body.Write(b) }

// admit is the part of the chain that knows the operation: state, scope, rate.
func (s *Server) admit(q *request, r *http.Request) *api.Problem {
	state := s.daemon.State().State
	if q.route == nil {
		if p := gate(nil, state); p != nil {
			return p
		}
		if s.methodUnknown(r) {
			return api.NewProblem(api.CodeMethodNotAllowed)
		}
		return api.NewProblem(api.CodeNotFound).Because("no such operation")
	}
	if p := gate(q.route, state); p != nil {
		return p
	}
	q.confirmed = q.actor.confirmedBy(r.Header.Get(api.HeaderConfirm), s.daemon.Store(), s.now())
	if p := q.actor.may(q.route, q.confirmed); p != nil {
		return p
	}
	return s.rates.take(q)
}

// serve reads the body and runs the operation.
func (s *Server) serve(w *response, r *http.Request) {
	q := requestOf(r.Context())
	if q.route.upload {
		s.serveUpload(w, r)
		return
	}
	if q.route.file { // large: one at a time
		slot := s.files
		if q.route.scans {
			slot = s.scans
		}
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-r.Context().Done():
			return
		}
	}
	body, p := readBody(w, r, q.route)
	if q.route.secret && r.Header.Get("Idempotency-Key") != "" {
		p = api.NewProblem(api.CodeIdempotencyNotAllowed)
	}
	if p != nil {
		s.refuse(w, q, p)
		return
	}
	q.body = body
	r.Body = io.NopCloser(bytes.NewReader(body))
	if q.route.stream {
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
	} else {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(operationMax + writeTimeout))
	}
	s.mux.ServeHTTP(w, r)
}

// serveUpload runs an operation that reads its body itself: every part of that has a time,
// and a refusal ends the connection instead of reading on.
func (s *Server) serveUpload(w *response, r *http.Request) {
	q := requestOf(r.Context())
	if q.route.secret && r.Header.Get("Idempotency-Key") != "" {
		s.refuse(w, q, api.NewProblem(api.CodeIdempotencyNotAllowed))
		return
	}
	r.Body = http.MaxBytesReader(w, q.unread, api.FileBytesMax+1)
	http.NewResponseController(w).SetWriteDeadline(time.Time{})
	s.mux.ServeHTTP(w, r)
}

// readBody reads the whole body within bodyTimeout and checks its type.
func readBody(w http.ResponseWriter, r *http.Request, rt *route) ([]byte, *api.Problem) {
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(r.Body)
	if err == nil {
		control.SetReadDeadline(time.Time{})
	} else {
		// The deadline stays: net/http reads on, to keep the connection, and would wait for what never comes.
		w.Header().Set("Connection", "close")
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			// A client that is still sending would not see the answer.
			control.SetReadDeadline(time.Now().Add(bodyTimeout))
			io.CopyN(io.Discard, requestOf(r.Context()).unread, drainMax)
			return nil, api.NewProblem(api.CodeTooLarge).With("max", tooLarge.Limit)
		}
		if ne := (net.Error)(nil); errors.As(err, &ne) && ne.Timeout() {
			return nil, api.NewProblem(api.CodeTimeout).Because("the body did not arrive")
		}
		return nil, api.NewProblem(api.CodeMalformedJSON).Because("the body was cut off")
	}
	if len(body) == 0 {
		return nil, nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if rt.file {
		if err != nil || kind != api.BundleType {
			return nil, api.NewProblem(api.CodeUnsupportedMediaType).Because("send " + api.BundleType)
		}
		return body, nil
	}
	if err != nil || kind != "application/json" && !(rt.text && kind == "text/plain") {
		return nil, api.NewProblem(api.CodeUnsupportedMediaType).Because("send application/json")
	}
	if !utf8.Valid(body) {
		return nil, api.NewProblem(api.CodeInvalidUTF8).Because("the body is not valid UTF-8")
	}
	return body, nil
}

// routeOf finds the operation without running it.
func (s *Server) routeOf(r *http.Request) *route {
	escaped := r.URL.EscapedPath()
	if r.Method == http.MethodConnect || path.Clean(escaped) != escaped {
		return nil // the mux would redirect
	}
	_, pattern := s.mux.Handler(r)
	rt := s.routes[pattern]
	if rt != nil && rt.stream && r.Method == http.MethodHead {
		return nil // it would never end
	}
	return rt
}

// methodUnknown reports whether the path has operations, but not this one.
func (s *Server) methodUnknown(r *http.Request) bool {
	other := r.Clone(r.Context())
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other.Method = method
		if s.routeOf(other) != nil {
			return true
		}
	}
	return false
}

// setHeaders sets the headers of every answer to someone whom we know.
func (s *Server) setHeaders(w *response, r *http.Request) {
	h := w.Header()
	h.Set("Pabal-Request-Id", w.request.id)
	h.Set("Pabal-Api", fmt.Sprintf("%d.%d", api.Major, api.Minor))
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	if origin := r.Header.Get("Origin"); origin != "" && w.request.actor.boundTo(origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", exposedHeaders)
		h.Set("Vary", "Origin")
		h.Del("Cross-Origin-Resource-Policy")
	}
}

const exposedHeaders = "Pabal-Request-Id, Pabal-Api, Pabal-Cursor, Retry-After"

// preflight tells a browser what a page of a registered origin may send.
func (s *Server) preflight(w *response, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, Idempotency-Key, Last-Event-ID")
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Vary", "Origin")
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	w.WriteHeader(http.StatusNoContent)
}

// recovered ends a request whose handler panicked. The panic's value may hold
// anything, so only the stack's own lines are logged.
func (s *Server) recovered(w *response, q *request, v any) {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	s.log.Error("handler panicked", slog.String("route", q.route.name()), slog.String("request", q.id),
		slog.String("panic", fmt.Sprintf("%T", v)), slog.String("stack", stackLines()))
	if w.status == 0 {
		s.refuse(w, q, api.NewProblem(api.CodeInternal))
		return
	}
	panic(http.ErrAbortHandler)
}

// stackLines returns the functions of the stack without their arguments.
func stackLines() string {
	var b strings.Builder
	for line := range strings.Lines(string(debug.Stack())) {
		if strings.HasPrefix(line, "\t") {
			b.WriteString(strings.TrimSpace(line) + "; ")
		}
	}
	return b.String()
}

func newRequestID() string {
	var b [10]byte
	rand.Read(b[:])
	return "rx_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// response remembers the status and adds what every answer has.
type response struct {
	http.ResponseWriter
	request *request
	status  int
}

// empty answers what strangers get: a status and nothing else.
func (w *response) empty(status int) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

// WriteHeader sends the headers.
func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		h := w.Header()
		if _, ok := h["Access-Control-Allow-Origin"]; !ok {
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
		}
		h.Set("X-Content-Type-Options", "nosniff")
		if h.Get("Cache-Control") == "" {
			h.Set("Cache-Control", "no-store")
		}
		if w.request.cursor != "" {
			h.Set("Pabal-Cursor", w.request.cursor)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
