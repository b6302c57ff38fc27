package httpd

import (
	"context"
	"net/http"
	"sync"
	"time"

	"pabal/node/api"
	"pabal/store"
)

// idleCheckMax is how seldom it is looked whether nobody is there: after a sleep of the
// machine, timers come late by as long as it slept.
const idleCheckMax = 30 * time.Second

// idle knows when somebody was last there: the owner or a session called. Programs with
// tokens are nobody, and neither are open event streams, what asks only for the state, that a
// page says that somebody is here, and what pages mark as done by themselves.
type idle struct {
	wake chan struct{} // capacity 1: look again

	mu    sync.Mutex
	store *store.Store  // whose setting after is; nil: read it again
	after time.Duration // 0: never
	last  time.Time
	calls int // under way
}

func newIdle() *idle { return &idle{wake: make(chan struct{}, 1)} }

// forget has the setting read again.
func (i *idle) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.store = nil
}

// left returns how long it is until the screen of an open store is locked; ok is false if
// that is never.
func (i *idle) left(st *store.Store, now time.Time) (left time.Duration, ok bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if st == nil {
		i.store = nil // who opens it again is there
		return 0, false, nil
	}
	if i.store != st {
		err := st.View(func(v *store.View) error {
			settings, err := (&reader{View: v}).settings()
			i.after = time.Duration(settings.LockIdle) * time.Second
			return err
		})
		if err != nil {
			return 0, false, err
		}
		i.store, i.last = st, now
	}
	if i.after == 0 {
		return 0, false, nil
	}
	if i.calls > 0 {
		return i.after, true, nil
	}
	// By either clock: one stands still while the machine sleeps, the other is set.
	gone := max(now.Sub(i.last), now.Round(0).Sub(i.last.Round(0)))
	return i.after - gone, true, nil
}

// attend notes a call of somebody who is there, and has the screen locked before it if they
// come too late. The caller calls leave when it is answered.
func (s *Server) attend(q *request, header http.Header) (leave func()) {
	if q.actor.kind == api.ActorToken || q.route == nil || q.route.states == always || q.route.path == "/v1/events" || q.route.path == "/v1/presence" {
		return func() {}
	}
	s.lockIfIdle(context.Background())
	if header.Get(api.HeaderBackground) != "" {
		return func() {}
	}
	i := s.idle
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	i.last = s.now()
	return func() {
		i.mu.Lock()
		i.calls--
		i.last = s.now()
		i.mu.Unlock()
		select {
		case i.wake <- struct{}{}:
		default:
		}
	}
}

// lockIfIdle locks the screen if nobody was there for as long as the setting says, and
// returns how long it is until then; 0 is never.
func (s *Server) lockIfIdle(ctx context.Context) time.Duration {
	left, ok, err := s.idle.left(s.daemon.Store(), s.now())
	if err == nil && ok && left <= 0 {
		ok, err = false, s.locks(itself(), func() error { return s.lockScreen(ctx) })
		s.auth.endConfirmations()
		s.pairings.end()
	}
	switch {
	case err != nil: // the store was closed meanwhile, or does not answer: look again
		return idleCheckMax
	case !ok:
		return 0
	}
	return min(left, idleCheckMax)
}

// watchIdle locks the screen when nobody is there, until ctx ends.
func (s *Server) watchIdle(ctx context.Context) {
	for {
		var due <-chan time.Time
		if left := s.lockIfIdle(ctx); left > 0 {
			due = time.After(left)
		}
		select {
		case <-ctx.Done():
			return
		case <-due:
		case <-s.idle.wake:
		}
	}
}
