package httpd

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"pabal/node/api"
	"pabal/store"
)

// authority knows every token and session. Tokens are rows of the store and are
// known while it is open; sessions live here and die with the process.
type authority struct {
	mu       sync.Mutex
	store    *store.Store      // whose tokens are loaded; nil: none
	tokens   map[string]*actor // by id
	sessions map[string]*actor // by id
	codes    []*loginCode
	locks    int    // how often all confirmations have ended
	wrong    bucket // codes
	guesses  bucket // passphrases, of all sessions and tokens: the owner is only slowed by Argon2id

	current func() *store.Store // what is open now

	trying sync.Mutex // held while a session's passphrase is tried: Argon2id takes its time and memory
}

// loginCode is a login link that was not used yet.
type loginCode struct {
	code      [sha256.Size]byte
	digits    string
	name      string
	scopes    []api.Scope
	expiresAt time.Time
	tries     int // wrong ones, at logins
	proofs    int // wrong ones, of sessions
}

func newAuthority(current func() *store.Store) *authority {
	return &authority{
		tokens: make(map[string]*actor), sessions: make(map[string]*actor),
		wrong:   bucket{burst: failuresBurst, every: failuresEvery},
		guesses: bucket{burst: guessersMax * failuresBurst, every: failuresEvery},
		current: current,
	}
}

// authenticate returns who sends a request, or nil. The unix socket has checked
// its peer; a bearer token there narrows the request to the token, so that a
// program can give up rights.
func (s *Server) authenticate(t transport, r *http.Request) *actor {
	header := r.Header.Values("Authorization")
	if len(header) == 0 {
		if t == overUnix {
			return s.owner
		}
		return nil
	}
	secret, ok := strings.CutPrefix(header[0], "Bearer ")
	if !ok || len(header) > 1 {
		return nil
	}
	a := s.auth.bySecret(secret, s.daemon.Store(), s.now())
	if a == nil || !a.allows(t) {
		return nil
	}
	s.touch(r.Context(), a)
	return a
}

// bySecret finds the actor of a secret that is valid now. The id is public, so
// it is looked up; the secret's hash is compared in constant time.
func (h *authority) bySecret(secret string, st *store.Store, now time.Time) *actor {
	hash := sha256.Sum256([]byte(secret))
	a := h.byID(api.TokenID(secret), st)
	if a == nil || subtle.ConstantTimeCompare(hash[:], a.hash[:]) != 1 || a.expired(now) {
		return nil
	}
	return a
}

// byID finds a token or session, expired or not.
func (h *authority) byID(id string, st *store.Store) *actor {
	h.load(st)
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.sessions[id]; a != nil {
		return a
	}
	return h.tokens[id]
}

// originRegistered reports whether any token is bound to a web origin.
func (h *authority) originRegistered(origin string, st *store.Store) bool {
	if origin == "" {
		return false
	}
	h.load(st)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.tokens {
		if a.boundTo(origin) {
			return true
		}
	}
	return false
}

// load reads the tokens of a store that was opened since. When the store is
// closed, the tokens are forgotten and their streams end. Of a store that is not what is open any
// more nothing is taken. Whoever changes the
// tokens of a store calls load first, so that a slow load cannot undo it.
func (h *authority) load(st *store.Store) {
	h.mu.Lock()
	loaded := h.store == st
	h.mu.Unlock()
	if loaded {
		return
	}
	tokens, err := tokensOf(st)
	if err != nil {
		return // tried again with the next request
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store == st || h.current() != st { // locked or unlocked while they were read
		return
	}
	for _, a := range h.tokens {
		close(a.revoked)
	}
	h.store, h.tokens = st, tokens
	h.unconfirm()
}

func tokensOf(st *store.Store) (map[string]*actor, error) {
	tokens := make(map[string]*actor)
	if st == nil {
		return tokens, nil
	}
	var rows []store.PutToken
	err := st.View(func(v *store.View) (err error) {
		rows, err = v.Tokens()
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		a, err := actorOfRow(row)
		if err != nil {
			return nil, err
		}
		tokens[a.id] = a
	}
	return tokens, nil
}

// touch notes the use of a token. The store learns of the first at once, and of later ones only so
// often that a read is rarely a write. The first is behind the making, whatever the clock says, so
// that it is known as a use.
func (s *Server) touch(ctx context.Context, a *actor) {
	now := s.now().UnixMilli()
	now = max(now, a.createdAt.UnixMilli()+1)
	a.usedAt.Store(now)
	a.usedBy.Store(now)
	if a.kind != api.ActorToken || s.daemon.State().State != api.StateReady {
		return
	}
	saved, first := a.savedAt.Load(), a.createdAt.UnixMilli()
	if saved > first && now-saved < a.saveEvery().Milliseconds() || !a.savedAt.CompareAndSwap(saved, now) {
		return
	}
	a.saving.Lock()
	defer a.saving.Unlock()
	if a.erased {
		return // its row would come back
	}
	if err := s.daemon.Write(ctx, []store.Row{a.row()}, nil); err != nil {
		a.savedAt.Store(saved)
	}
}

// saveEvery is how far apart the store learns of a token's uses.
func (a *actor) saveEvery() time.Duration {
	if idle := time.Duration(a.constraints.IdleSeconds) * time.Second; idle > 0 {
		return min(tokenUseEvery, idle/4)
	}
	return tokenUseEvery
}

// newSecret returns a secret of 256 random bits and its hash.
func newSecret(prefix string) (string, [sha256.Size]byte) {
	var b [32]byte
	rand.Read(b[:])
	secret := prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return secret, sha256.Sum256([]byte(secret))
}

// addCode keeps a login code; the oldest goes when there are too many.
func (h *authority) addCode(c *loginCode, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.codes = slices.DeleteFunc(h.codes, func(c *loginCode) bool { return !now.Before(c.expiresAt) })
	if len(h.codes) >= loginCodesMax {
		h.codes = h.codes[1:]
	}
	h.codes = append(h.codes, c)
}

// takeCode uses a login code up, given as the code or its digits. Wrong digits
// count against every open code, and all wrong tries against one bucket.
func (h *authority) takeCode(code string, now time.Time) *loginCode {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.wrong.take(now) {
		return nil
	}
	found := h.codeOf(code, now)
	if found < 0 {
		for _, c := range h.codes {
			c.tries++
		}
		return nil
	}
	h.wrong.give()
	c := h.codes[found]
	h.codes = slices.Delete(h.codes, found, found+1)
	return c
}

// codeOf finds an open code, or -1. The caller holds the lock.
func (h *authority) codeOf(code string, now time.Time) int {
	hash := sha256.Sum256([]byte(code))
	found := -1
	for i, c := range h.codes {
		same := subtle.ConstantTimeCompare(hash[:], c.code[:]) | subtle.ConstantTimeCompare([]byte(code), []byte(c.digits))
		if same == 1 && now.Before(c.expiresAt) && c.tries < loginTriesMax {
			found = i
		}
	}
	return found
}

// takeProof uses a login code up that shows the owner: one for all that pages may, for whoever
// was given less is not the owner. Wrong tries end no logins: those of a session with few rights
// must not keep others out.
func (h *authority) takeProof(code string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := h.codeOf(code, now)
	if found < 0 || !h.codes[found].shows() {
		for _, c := range h.codes {
			c.proofs++
		}
		return false
	}
	h.codes = slices.Delete(h.codes, found, found+1)
	return true
}

// shows reports whether the code may show the owner.
func (c *loginCode) shows() bool {
	return c.proofs < loginTriesMax && !slices.ContainsFunc(api.PresetFrontend.Scopes(), func(scope api.Scope) bool {
		return !slices.Contains(c.scopes, scope)
	})
}

// mayGuess uses up one of the few wrong passphrases in a row, of the actor's own and of all: who
// guesses at one page does not keep the owner out at another.
func (h *authority) mayGuess(a *actor, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.kind == api.ActorOwner {
		return true
	}
	if a.guesses.burst == 0 {
		a.guesses = bucket{burst: failuresBurst, every: failuresEvery}
	}
	if !a.guesses.take(now) {
		return false
	}
	if !h.guesses.take(now) {
		a.guesses.give()
		return false
	}
	return true
}

// guessed takes the actor's last guess back: it was right.
func (h *authority) guessed(a *actor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.kind != api.ActorOwner {
		a.guesses.give()
		h.guesses.give()
	}
}

// endConfirmations has everyone at a session show anew to be the owner.
func (h *authority) endConfirmations() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unconfirm()
}

// unconfirm does the same. The caller holds the lock.
func (h *authority) unconfirm() {
	h.locks++
	for _, a := range h.sessions {
		a.confirmed.Store(nil)
	}
}

// lockCount is to be known before a session is asked to prove itself.
func (h *authority) lockCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.locks
}

// confirm keeps a session's confirmation, unless there was a lock since.
func (h *authority) confirm(a *actor, c *confirmation, locks int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.locks != locks {
		return false
	}
	a.confirmed.Store(c)
	return true
}

// addSession keeps a session; it reports false if there are too many.
func (h *authority) addSession(a *actor, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, old := range h.sessions {
		if old.expired(now) {
			delete(h.sessions, id)
			close(old.revoked)
		}
	}
	if len(h.sessions) >= sessionsMax {
		return false
	}
	h.sessions[a.id] = a
	return true
}

// addToken keeps a token that was committed to st.
func (h *authority) addToken(a *actor, st *store.Store) {
	h.load(st)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store == st {
		h.tokens[a.id] = a
	}
}

// remove forgets a token or session and ends its streams.
func (h *authority) remove(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range []map[string]*actor{h.sessions, h.tokens} {
		if a := m[id]; a != nil {
			delete(m, id)
			close(a.revoked)
		}
	}
}

// endSessions ends all logins and their streams, and the codes for new ones.
func (h *authority) endSessions() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.codes = nil
	for id, a := range h.sessions {
		delete(h.sessions, id)
		close(a.revoked)
	}
}

// list returns the tokens, oldest first.
func (h *authority) list(st *store.Store) []*actor {
	h.load(st)
	h.mu.Lock()
	defer h.mu.Unlock()
	out := slices.Collect(maps.Values(h.tokens))
	slices.SortFunc(out, func(a, b *actor) int {
		return cmp.Or(a.createdAt.Compare(b.createdAt), strings.Compare(a.id, b.id))
	})
	return out
}
