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

	mu    sync.Mutex
	again map[string]bool // to be begun anew, by id
}

func newHooks() *hooks {
	dialer := &net.Dialer{Timeout: webhookTimeout, Control: loopbackOnly}
	return &hooks{
		client: &http.Client{
			Timeout:       webhookTimeout,
			Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true}, // no proxy
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		retry: webhookRetry, wake: make(chan struct{}, 1),
		again: make(map[string]bool),
	}
}

var errForeign = errors.New("httpd: the address is not on this machine")

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

// restart begins one anew.
func (h *hooks) restart(id string) {
	h.mu.Lock()
	h.again[id] = true
	h.mu.Unlock()
	h.changed()
}

// toRestart returns and forgets what is to be begun anew.
func (h *hooks) toRestart() map[string]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	again := h.again
	h.again = make(map[string]bool)
	return again
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
	running := make(map[string]*runningHook)
	defer func() {
		for _, r := range running {
			r.cancel()
		}
		for _, r := range running {
			<-r.over
		}
	}()
	for look := true; ; {
		changed := s.feed.next()
		if s.daemon.Store() != st {
			return
		}
		if look {
			look = s.reconcileHooks(ctx, running) != nil
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

// reconcileHooks has a goroutine for every webhook that is not disabled, and for no other.
func (s *Server) reconcileHooks(ctx context.Context, running map[string]*runningHook) error {
	var all []webhook
	err := s.view(s.owner, func(r *reader) (err error) {
		all, err = r.webhooks()
		return err
	})
	if err != nil {
		return err
	}
	again := s.hooks.toRestart()
	wanted := make(map[string]webhook)
	for _, h := range all {
		if h.DisabledAt == 0 {
			wanted[h.id] = h
		}
	}
	for id, r := range running {
		if _, ok := wanted[id]; !ok || again[id] {
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

// tell sends a webhook what it may see of the log, as it is when it is sent.
func (s *Server) tell(ctx context.Context, h webhook) {
	query := eventQuery{after: h.cursor, types: h.Types}
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
		wait := time.NewTimer(s.hooks.retry(failures))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
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
	s.saveHook(ctx, h, protocol.Event{Type: api.EventWebhookDisabled, Code: h.id})
	s.note(api.AuditWebhookDisabled, itself(), api.AuditOK, h.id)
	return true
}

// saveHook commits how a webhook goes. If that fails it is told the same again behind a restart.
func (s *Server) saveHook(ctx context.Context, h *webhook, events ...protocol.Event) {
	err := s.daemon.Write(ctx, []store.Row{store.UpdateWebhook{ID: h.id, Detail: h.detail(), Cursor: h.cursor}}, events)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("webhook not saved", "code", problemOf(err).Code)
	}
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
