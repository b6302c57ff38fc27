package httpd

import (
	"sync"
	"time"

	"pabal/node/api"
)

// bucket holds up to burst tries and gains one after each every. The zero time
// finds it full. Its owner's lock guards it.
type bucket struct {
	burst int
	every time.Duration

	spent int // tries not gained back by last
	last  time.Time
}

// take uses a try up, or reports false.
func (b *bucket) take(now time.Time) bool {
	gained := int(now.Sub(b.last) / b.every)
	switch {
	case now.Before(b.last): // the clock was set back
		b.last = now
	case gained >= b.spent:
		b.spent, b.last = 0, now
	case gained > 0:
		b.spent -= gained
		b.last = b.last.Add(time.Duration(gained) * b.every)
	}
	if b.spent >= b.burst {
		return false
	}
	b.spent++
	return true
}

// give takes one try back: it was not a failure.
func (b *bucket) give() { b.spent = max(b.spent-1, 0) }

// rates bounds the requests of each token and session. The owner on the unix
// socket has no bound.
type rates struct {
	now func() time.Time

	mu   sync.Mutex
	byID map[string]*actorRates
}

type actorRates struct{ requests, sends, scans bucket }

// take counts a request, or says when to come back.
func (r *rates) take(q *request) *api.Problem {
	a := q.actor
	if a.kind == api.ActorOwner {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.byID[a.id]
	if b == nil {
		if len(r.byID) > 2*(tokensMax+sessionsMax) {
			clear(r.byID) // revoked ones; the others start with a full bucket
		}
		rate := rateOf(a.constraints)
		b = &actorRates{
			requests: bucket{burst: burstFactor * rate, every: time.Second / time.Duration(rate)},
			sends:    bucket{burst: sendBurst, every: time.Second / sendRate},
			scans:    bucket{burst: scanBurst, every: scanEvery},
		}
		r.byID[a.id] = b
	}
	now := r.now()
	ok, wait := b.requests.take(now), b.requests.every
	if ok && q.route.sends {
		ok, wait = b.sends.take(now), b.sends.every
	}
	if ok && q.route.scans {
		ok, wait = b.scans.take(now), b.scans.every
	}
	if ok {
		return nil
	}
	p := api.NewProblem(api.CodeRateLimited)
	p.RetryAfterMS = max(wait.Milliseconds(), 1)
	return p
}
