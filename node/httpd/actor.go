package httpd

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pabal/node/api"
	"pabal/store"
)

// actor is who a request comes from, and what they may do. It is never changed
// after it was made, except for the atomic fields, guesses and erased.
type actor struct {
	kind        api.ActorKind
	id          string // of the token or session; empty for the owner
	name        string
	hash        [sha256.Size]byte // SHA-256 of the secret
	scopes      []api.Scope
	constraints api.Constraints
	createdAt   time.Time
	texts       int64     // what is older is shown as a reference; Unix milliseconds, zero: nothing is
	expiresAt   time.Time // zero: never

	guesses bucket // wrong passphrases; the authority's lock guards it

	confirmed atomic.Pointer[confirmation] // the last one

	usedAt  atomic.Int64  // Unix milliseconds of the last request
	savedAt atomic.Int64  // the usedAt that is in the store
	usedBy  atomic.Int64  // no request was made after it: usedAt, or later if that is what the store knows
	saving  sync.Mutex    // held while usedAt is written, and while a token's row is erased
	erased  bool          // its row is gone; saving guards it
	calls   atomic.Int32  // requests under way
	streams atomic.Int32  // open event streams
	revoked chan struct{} // closed when the actor may do nothing more
}

// enter counts a request, or refuses one too many: nobody's slow ones take all connections. Behind a
// refusal there is nothing to leave.
func (a *actor) enter() *api.Problem {
	if a.calls.Add(1) <= callsPerToken || a.kind == api.ActorOwner {
		return nil
	}
	a.leave()
	p := api.NewProblem(api.CodeRateLimited)
	p.RetryAfterMS = callsRetry.Milliseconds()
	return p
}

func (a *actor) leave() { a.calls.Add(-1) }

// owner returns the actor of the unix socket.
func owner() *actor {
	return &actor{kind: api.ActorOwner, name: "owner", scopes: []api.Scope{api.ScopeOwner}, revoked: make(chan struct{})}
}

// stranger returns the actor of operations that are open to all.
func stranger() *actor { return &actor{revoked: make(chan struct{})} }

// has reports whether the actor holds a scope.
func (a *actor) has(scope api.Scope) bool {
	return slices.Contains(a.scopes, api.ScopeOwner) || slices.Contains(a.scopes, scope)
}

// confirmation is that the owner has shown to sit at a session. A lock ends it.
type confirmation struct {
	hash  [sha256.Size]byte // SHA-256 of the secret
	store *store.Store      // what was open: another profile's owner has shown nothing
	until time.Time
}

// confirmedBy reports whether a secret is that of the actor's last confirmation, and still good
// for what is open.
func (a *actor) confirmedBy(secret string, st *store.Store, now time.Time) bool {
	c := a.confirmed.Load()
	hash := sha256.Sum256([]byte(secret))
	return c != nil && subtle.ConstantTimeCompare(hash[:], c.hash[:]) == 1 && c.store == st && now.Before(c.until)
}

// may reports why the actor may not call an operation, or nil.
func (a *actor) may(rt *route, confirmed bool) *api.Problem {
	if rt.stepUp && a.kind != api.ActorOwner {
		return api.NewProblem(api.CodeConfirmRequired)
	}
	if a.constraints.Approval && rt.method != http.MethodGet && !rt.holds && !rt.quiet {
		return api.NewProblem(api.CodeApprovalRequired)
	}
	if rt.noToken && a.kind == api.ActorToken {
		return api.NewProblem(api.CodeConfirmRequired)
	}
	if rt.human && a.kind == api.ActorSession && a.has(api.ScopeMessagesSend) {
		return nil
	}
	if len(rt.scopes) == 0 || slices.ContainsFunc(rt.scopes, a.has) || rt.confirm && confirmed {
		return nil
	}
	if rt.confirm && a.kind == api.ActorSession {
		return api.NewProblem(api.CodeConfirmationNeeded)
	}
	return api.NewProblem(api.CodeScopeMissing).With("scope", rt.scopes[0])
}

// originAllowed is the rule of a request's Origin header: none, the daemon's own
// pages, or an origin that the token is bound to.
func (a *actor) originAllowed(origin string, own []string) bool {
	return origin == "" || slices.Contains(own, origin) && len(a.constraints.Origins) == 0 || a.boundTo(origin)
}

// boundTo reports whether the token was made for a web origin.
func (a *actor) boundTo(origin string) bool { return slices.Contains(a.constraints.Origins, origin) }

// expired reports whether the actor's time is over, by its end or by disuse.
func (a *actor) expired(now time.Time) bool {
	if !a.expiresAt.IsZero() && !now.Before(a.expiresAt) {
		return true
	}
	idle := time.Duration(a.constraints.IdleSeconds) * time.Second
	return idle > 0 && now.Sub(time.UnixMilli(a.usedAt.Load())) > idle
}

// allows reports whether the token may be used over t.
func (a *actor) allows(t transport) bool {
	return len(a.constraints.Transports) == 0 || slices.Contains(a.constraints.Transports, t.String())
}

// sees reports whether the actor's token shows it a conversation, by its text id.
func (a *actor) sees(conversation string) bool {
	return len(a.constraints.Conversations) == 0 || slices.Contains(a.constraints.Conversations, conversation)
}

// narrowed reports whether the actor sees only some conversations.
func (a *actor) narrowed() bool { return len(a.constraints.Conversations) > 0 }

// redacted reports whether texts and names are kept from the actor.
func (a *actor) redacted() bool {
	return a.constraints.Content == api.ContentMeta || !a.has(api.ScopeMessagesRead) && a.has(api.ScopeMessagesMeta)
}

// quotes reports whether the actor is shown what a message answers. Whoever may only send or
// change messages is answered with their own words, not with those of others.
func (a *actor) quotes() bool { return !a.redacted() && a.has(api.ScopeMessagesRead) }

// ended reports whether the actor was revoked.
func (a *actor) ended() bool {
	select {
	case <-a.revoked:
		return true
	default:
		return false
	}
}

// tokenDetail is what of a token is kept in one column.
type tokenDetail struct {
	Name        string          `json:"name"`
	Scopes      []api.Scope     `json:"scopes"`
	Constraints api.Constraints `json:"constraints"`
}

// actorOfRow reads a token's row.
func actorOfRow(row store.PutToken) (*actor, error) {
	var d tokenDetail
	if err := json.Unmarshal(row.Detail, &d); err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	a := &actor{
		kind: api.ActorToken, id: row.ID, name: d.Name, hash: row.Hash, scopes: d.Scopes, constraints: d.Constraints,
		createdAt: time.UnixMilli(row.CreatedAt), revoked: make(chan struct{}),
	}
	if row.ExpiresAt != 0 {
		a.expiresAt = time.UnixMilli(row.ExpiresAt)
	}
	a.usedAt.Store(row.UsedAt)
	a.savedAt.Store(row.UsedAt)
	a.usedBy.Store(row.UsedAt)
	if a.lastUse() != nil {
		a.usedBy.Add(a.saveEvery().Milliseconds())
	}
	return a, nil
}

// row returns the token's row.
func (a *actor) row() store.PutToken {
	detail, err := json.Marshal(tokenDetail{a.name, a.scopes, a.constraints})
	if err != nil {
		panic("httpd: encode token: " + err.Error()) // strings and numbers only
	}
	row := store.PutToken{
		ID: a.id, Hash: a.hash, CreatedAt: a.createdAt.UnixMilli(), UsedAt: a.usedAt.Load(), Detail: detail,
	}
	if !a.expiresAt.IsZero() {
		row.ExpiresAt = a.expiresAt.UnixMilli()
	}
	return row
}

// stronger names what a token with these scopes and constraints could do beyond
// a, or returns "". The owner may make anything.
func (a *actor) stronger(scopes []api.Scope, c api.Constraints) string {
	if a.kind == api.ActorOwner {
		return ""
	}
	for _, s := range scopes {
		if s == api.ScopeOwner || !a.has(s) {
			return "/scopes"
		}
	}
	own := a.constraints
	switch {
	case !within(c.Conversations, own.Conversations):
		return "/constraints/conversations"
	case !within(c.Transports, own.Transports):
		return "/constraints/transports"
	case len(c.Origins) > 0 && !within(c.Origins, own.Origins) || len(own.Origins) > 0 && len(c.Origins) == 0:
		return "/constraints/origins"
	case own.Content == api.ContentMeta && c.Content != api.ContentMeta:
		return "/constraints/content"
	case own.Approval && !c.Approval:
		return "/constraints/approval"
	case rateOf(c) > rateOf(own):
		return "/constraints/rate"
	case own.IdleSeconds > 0 && (c.IdleSeconds == 0 || c.IdleSeconds > own.IdleSeconds):
		return "/constraints/idle_seconds"
	case !a.expiresAt.IsZero() && (c.ExpiresAt == nil || c.ExpiresAt.After(a.expiresAt)):
		return "/constraints/expires_at"
	}
	return ""
}

// grantable are the rights that a confirmed session can give to a token: all but those over the
// profile itself and over who may come in.
var grantable = &actor{kind: api.ActorSession, scopes: slices.DeleteFunc(api.Scopes(), func(s api.Scope) bool {
	return s == api.ScopeOwner || s == api.ScopeTokensManage || s == api.ScopeIdentityManage
})}

// within reports whether a list narrows at least as much as limit does, where
// an empty list narrows nothing.
func within(list, limit []string) bool {
	if len(limit) == 0 {
		return true
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(limit, s) })
}

func rateOf(c api.Constraints) int {
	if c.Rate == 0 {
		return rateDefault
	}
	return c.Rate
}
