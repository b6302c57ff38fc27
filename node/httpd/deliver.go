package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// hooks has a goroutine for each webhook while the profile is open. They pull from the event log
// as streams do, so a slow receiver costs nobody anything.
type hooks struct {
	client *http.Client
	retry  func(failures int) time.Duration

	wake chan struct{} // capacity 1: look again which there are

	mu      sync.Mutex // held while rows are read and goroutines begun by what they say
	running map[string]*runningHook
	halted  map[string]int // of which none may be begun, and by how many
}

func newHooks() *hooks {
	dialer := &net.Dialer{Timeout: webhookTimeout, Control: loopbackOnly}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, receiverAddress(address))
	}
	return &hooks{
		client: &http.Client{
			Timeout:       webhookTimeout,
			Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}, // no proxy
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		retry: webhookRetry, wake: make(chan struct{}, 1),
		running: make(map[string]*runningHook), halted: make(map[string]int),
	}
}

var errForeign = errors.New("httpd: the address is not on this machine")

// receiverAddress is what is dialled: localhost is 127.0.0.1, and not also ::1, where another
// program may listen on the same port.
func receiverAddress(address string) string {
	if port, ok := strings.CutPrefix(address, "localhost:"); ok {
		return "127.0.0.1:" + port
	}
	return address
}

// loopbackOnly refuses to dial what is not on this machine, whatever a name was resolved to.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return errForeign
	}
	return nil
}

// webhookRetry is how long to wait behind so many failures in a row.
func webhookRetry(failures int) time.Duration {
	return min(webhookRetryMin<<min(failures-1, 20), webhookRetryMax)
}

// changed has the webhooks looked at again.
func (h *hooks) changed() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// halt ends the goroutine of a webhook, so that nobody else changes its row, and has none begun
// until goOn is called.
func (h *hooks) halt(id string) (goOn func()) {
	h.mu.Lock()
	h.halted[id]++
	r := h.running[id]
	delete(h.running, id)
	h.mu.Unlock()
	if r != nil {
		r.stop()
	}
	return func() {
		h.mu.Lock()
		if h.halted[id]--; h.halted[id] == 0 {
			delete(h.halted, id)
		}
		h.mu.Unlock()
		h.changed()
	}
}

// stop ends all goroutines.
func (h *hooks) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.running {
		r.cancel()
	}
	for id, r := range h.running {
		<-r.over
		delete(h.running, id)
	}
}

// runHooks has each webhook of what is open told of its events, until ctx ends.
func (s *Server) runHooks(ctx context.Context) {
	for ctx.Err() == nil {
		changed := s.feed.next()
		if st := s.daemon.Store(); st != nil {
			s.runHooksOf(ctx, st)
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// runningHook is the goroutine of a webhook.
type runningHook struct {
	cancel context.CancelFunc
	over   chan struct{}
}

func (r *runningHook) stop() {
	r.cancel()
	<-r.over
}

// runHooksOf does so until another store is open, or none.
func (s *Server) runHooksOf(ctx context.Context, st *store.Store) {
	defer s.hooks.stop()
	for look := true; ; {
		changed := s.feed.next()
		if s.daemon.Store() != st {
			return
		}
		if look {
			look = s.reconcileHooks(ctx) != nil
		}
		select {
		case <-changed:
		case <-s.hooks.wake:
			look = true
		case <-ctx.Done():
			return
		}
	}
}

// reconcileHooks has a goroutine for every webhook that is neither disabled nor halted, and for
// no other.
func (s *Server) reconcileHooks(ctx context.Context) error {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	running := s.hooks.running
	var all []webhook
	err := s.view(s.owner, func(r *reader) (err error) {
		all, err = r.webhooks()
		return err
	})
	if err != nil {
		return err
	}
	wanted := make(map[string]webhook)
	for _, h := range all {
		if h.DisabledAt == 0 && s.hooks.halted[h.id] == 0 {
			wanted[h.id] = h
		}
	}
	for id, r := range running {
		if _, ok := wanted[id]; !ok {
			r.stop()
			delete(running, id)
		}
	}
	for id, h := range wanted {
		if running[id] != nil {
			continue
		}
		hookCtx, cancel := context.WithCancel(ctx)
		r := &runningHook{cancel, make(chan struct{})}
		running[id] = r
		go func() {
			defer close(r.over)
			s.tell(hookCtx, h)
		}()
	}
	return nil
}

// tell sends a webhook what it may see of the log, as it is when it is sent. While nobody told it
// anything it did not fail.
func (s *Server) tell(ctx context.Context, h webhook) {
	query := eventQuery{after: h.cursor, types: h.Types}
	if h.FailingSince != 0 {
		h.FailingSince = s.now().UnixMilli()
	}
	var marked store.Cursor
	for failures := 0; ctx.Err() == nil; {
		changed := s.feed.next()
		from := query.after
		b, err := s.nextEvents(h.actor, &query, webhookBatchMax)
		nothing := err != nil || len(b.events) == 0 && b.gap == nil
		switch {
		case err == nil && nothing && b.more:
			continue
		case err == nil && nothing && b.cursor.Sequence > h.cursor.Sequence+webhookSkipMax:
			h.cursor = b.cursor // or the log would be kept for it
			s.saveHook(ctx, &h)
		}
		if nothing {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		if b.cursor != marked {
			h.SentAt = max(h.SentAt, s.now().UnixMilli())
			if s.saveHook(ctx, &h) != nil { // then nothing is sent that no report would tell of
				query.after = from
				s.hooks.pause(ctx, 1)
				continue
			}
			marked = b.cursor
		}
		trouble := s.deliver(ctx, &h, b)
		if trouble == "" {
			failures = 0
			h.cursor, h.DeliveredAt, h.FailingSince, h.LastError = b.cursor, s.now().UnixMilli(), 0, ""
			s.saveHook(ctx, &h)
			continue
		}
		query.after = from
		failures++
		if ctx.Err() != nil || s.failed(ctx, &h, trouble, failures) {
			return
		}
		s.hooks.pause(ctx, failures)
	}
}

// pause waits as long as is due behind so many failures in a row.
func (h *hooks) pause(ctx context.Context, failures int) {
	wait := time.NewTimer(h.retry(failures))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// failed notes that a delivery failed, and reports whether it was the last one.
func (s *Server) failed(ctx context.Context, h *webhook, trouble string, failures int) bool {
	now := s.now()
	first := h.FailingSince == 0
	if first {
		h.FailingSince = now.UnixMilli()
	}
	over := failures >= webhookTriesMin && now.Sub(time.UnixMilli(h.FailingSince)) >= webhookGiveUp
	if over {
		h.DisabledAt = now.UnixMilli()
	}
	if !first && !over && h.LastError == trouble {
		return false
	}
	h.LastError = trouble
	if !over {
		s.saveHook(ctx, h)
		return false
	}
	if s.saveHook(ctx, h, protocol.Event{Type: api.EventWebhookDisabled, Code: h.id}) != nil {
		h.DisabledAt = 0
		return false
	}
	s.note(api.AuditWebhookDisabled, itself(), api.AuditOK, h.id)
	return true
}

// saveHook commits how a webhook goes. If that fails it is told the same again behind a restart.
func (s *Server) saveHook(ctx context.Context, h *webhook, events ...protocol.Event) error {
	err := s.daemon.Write(ctx, []store.Row{store.UpdateWebhook{ID: h.id, Detail: h.detail(), Cursor: h.cursor}}, events)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("webhook not saved", "code", problemOf(err).Code)
	}
	return err
}

// deliver sends one signed request and says what went wrong, or "".
func (s *Server) deliver(ctx context.Context, h *webhook, b batch) string {
	body, err := json.Marshal(api.WebhookDelivery{WebhookID: h.id, Events: notNil(b.events), Gap: b.gap, Cursor: b.cursor.String()})
	if err != nil {
		panic("httpd: encode delivery: " + err.Error()) // what streams encode as well
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return api.WebhookUnreachable
	}
	stamp := strconv.FormatInt(s.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "pabal")
	req.Header.Set(api.HeaderWebhookTime, stamp)
	req.Header.Set(api.HeaderWebhookSignature, "v1="+api.SignWebhook(h.Secret, stamp, body))
	resp, err := s.hooks.client.Do(req)
	var ne net.Error
	switch {
	case errors.Is(err, errForeign):
		return api.WebhookForeign
	case errors.As(err, &ne) && ne.Timeout():
		return api.WebhookTimeout
	case err != nil:
		return api.WebhookUnreachable
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, webhookAnswerMax)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return api.WebhookRefused
	}
	return ""
}
