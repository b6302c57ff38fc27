package httpd

import (
	"context"
	"errors"
	"sync"

	"pabal/node/api"
	"pabal/store"
)

// inFlight lets one request at a time run for each key; the others wait.
type inFlight struct {
	mu   sync.Mutex
	keys map[string]chan struct{} // closed when the request that holds the key ends
}

func newInFlight() *inFlight { return &inFlight{keys: make(map[string]chan struct{})} }

// enter waits for the key and returns the function that frees it.
func (f *inFlight) enter(ctx context.Context, key string) (func(), error) {
	for {
		f.mu.Lock()
		busy, ok := f.keys[key]
		if !ok {
			mine := make(chan struct{})
			f.keys[key] = mine
			f.mu.Unlock()
			return func() {
				f.mu.Lock()
				delete(f.keys, key)
				f.mu.Unlock()
				close(mine)
			}, nil
		}
		f.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// attempt is one try of a request with a key: what its row holds.
type attempt struct{ row store.PutIdempotency }

// rows returns the row that makes a repeat known, for the transaction of the
// effect; ref is what the effect made. Without a key there is none.
func (a *attempt) rows(status int, ref string) []store.Row {
	if a == nil {
		return nil
	}
	row := a.row
	row.Status, row.Ref = status, ref
	return []store.Row{row}
}

// once runs effect unless a request with the same key, actor and operation has
// run before: then it answers with what that one made, as replay reads it now.
// The effect must commit what attempt.rows returns. fingerprint tells two
// requests apart; it is hashed with the store's own key.
func once[T any](s *Server, ctx context.Context, key, fingerprint string,
	effect func(*attempt) (T, error), replay func(ref string) (T, error),
) (T, error) {
	if key == "" {
		return effect(nil)
	}
	var zero T
	q := requestOf(ctx)
	actorID := q.actor.id
	if actorID == "" {
		actorID = string(q.actor.kind)
	}
	leave, err := s.inFlight.enter(ctx, actorID+"\x00"+key)
	if err != nil {
		return zero, err
	}
	defer leave()
	st := s.daemon.Store()
	if st == nil {
		return zero, api.NewProblem(api.CodeLocked)
	}
	try := &attempt{row: store.PutIdempotency{
		Actor: actorID, Key: key, Fingerprint: st.Fingerprint([]byte(q.route.name()), []byte(fingerprint)),
	}}
	var before store.PutIdempotency
	err = st.View(func(v *store.View) (err error) {
		before, err = v.Idempotency(actorID, key)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return effect(try)
	case err != nil:
		return zero, err
	case before.Fingerprint != try.row.Fingerprint:
		return zero, api.NewProblem(api.CodeIdempotencyMismatch)
	default:
		out, err := replay(before.Ref)
		if errors.Is(err, store.ErrNotFound) {
			return zero, api.NewProblem(api.CodeGone)
		}
		return out, err
	}
}
