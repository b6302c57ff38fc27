package httpd

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

func pairingRoutes() []route {
	manage := scopes(api.ScopeTokensManage)
	return []route{
		{method: http.MethodPost, path: "/v1/pairings", summary: "Ask the owner for a token, on the unix socket or from an origin that has one",
			states: writing, public: true, pairs: true, quiet: true, secret: true, experimental: true, register: operation((*Server).askPairing)},
		{method: http.MethodPost, path: "/v1/pairings/{id}/collect", summary: "What became of a pairing; the token if it is approved",
			states: writing, public: true, pairs: true, quiet: true, secret: true, experimental: true, register: operation((*Server).collectPairing)},
		{method: http.MethodGet, path: "/v1/pairings", summary: "Programs that ask the owner for a token", scopes: manage,
			states: reading, confirm: true, experimental: true, register: operation((*Server).listPairings)},
		{method: http.MethodPost, path: "/v1/pairings/{id}/approve", summary: "Let a program have a token, no stronger than oneself and than it asked for", scopes: manage,
			states: writing, status: http.StatusNoContent, confirm: true, experimental: true, register: operation((*Server).approvePairing)},
		{method: http.MethodPost, path: "/v1/pairings/{id}/deny", summary: "Let a program have no token", scopes: manage,
			states: reading, status: http.StatusNoContent, confirm: true, experimental: true, register: operation((*Server).denyPairing)},
	}
}

const pairingPrefix = "pr_"

// What a pairing is while something about it is written; whoever looks is told that it waits.
const (
	pairingApproving = "approving"
	pairingTaking    = "taking"
)

// pairing is a program that asks for a token. It lives here only, until it has what it asked for,
// its time is over, or the profile is closed.
type pairing struct {
	api.Pairing
	code     [sha256.Size]byte // SHA-256 of the device code
	userCode string            // digits only
	store    *store.Store      // what was open when it asked
	guest    bool              // whoever asked is not the owner on the unix socket
	tries    int               // wrong codes of the user
	state    string

	grant api.TokenRequest // what was approved,
	by    *actor           // and by whom
}

// pairings are those that are open.
type pairings struct {
	mu     sync.Mutex
	all    []*pairing // the oldest first
	asks   bucket     // of the owner
	guests bucket     // of all others: they do not keep the owner's programs out
}

// current drops what is over, and returns the rest. The caller holds the lock.
func (p *pairings) current(st *store.Store, now time.Time) []*pairing {
	p.all = slices.DeleteFunc(p.all, func(x *pairing) bool { return x.store != st || !now.Before(x.ExpiresAt.Time) })
	return p.all
}

// find returns an open one, or nil. The caller holds the lock.
func (p *pairings) find(id string, st *store.Store, now time.Time) *pairing {
	for _, x := range p.current(st, now) {
		if x.ID == id {
			return x
		}
	}
	return nil
}

// remove ends one.
func (p *pairings) remove(x *pairing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = slices.DeleteFunc(p.all, func(y *pairing) bool { return x == y })
}

// end ends all, those too that are being approved.
func (p *pairings) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.all {
		x.state = api.PairingDenied
	}
	p.all = nil
}

// settle has one that was in a state come to another, and reports false if it has ended meanwhile.
func (p *pairings) settle(x *pairing, from, to string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x.state != from {
		return false
	}
	x.state = to
	return true
}

// mayPair refuses strangers, but for a page of an origin that has a token.
func (s *Server) mayPair(q *request) error {
	if q.actor.kind == "" && !s.auth.originRegistered(q.origin, s.daemon.Store()) {
		return unauthenticated()
	}
	return nil
}

type askPairingInput struct{ Body api.PairingRequest }

func (s *Server) askPairing(ctx context.Context, in *askPairingInput) (*reply[api.PairingCreated], error) {
	q, req := requestOf(ctx), in.Body
	if err := s.mayPair(q); err != nil {
		return nil, err
	}
	if err := checkName("/client_name", req.ClientName); err != nil {
		return nil, err
	}
	if err := chooseScopes(req.Preset, &req.Scopes); err != nil {
		return nil, err
	}
	if slices.Contains(req.Scopes, api.ScopeOwner) {
		return nil, invalid("/scopes", api.FieldNotAllowed)
	}
	if req.Origin != "" && !validOrigin(req.Origin) || q.origin != "" && req.Origin != q.origin {
		return nil, invalid("/origin", api.FieldInvalid)
	}
	x, device, err := newPairing(req, s.daemon.Store(), s.now())
	if err != nil {
		return nil, err
	}
	x.guest = q.actor.kind != api.ActorOwner
	if err := s.addPairing(x); err != nil {
		return nil, err
	}
	event := protocol.Event{Type: api.EventPairingRequested, Code: x.ID}
	if err := s.write(ctx, nil, event); err != nil {
		s.pairings.remove(x)
		return nil, err
	}
	return ok(0, api.PairingCreated{
		ID: x.ID, DeviceCode: device, UserCode: x.userCode[:4] + "-" + x.userCode[4:], ExpiresAt: x.ExpiresAt, PollSeconds: pairingPoll,
	}), nil
}

// newPairing makes one that waits, and the code that it is collected with.
func newPairing(req api.PairingRequest, st *store.Store, now time.Time) (*pairing, string, error) {
	digits, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		return nil, "", fmt.Errorf("make pairing code: %w", err)
	}
	var b [32]byte
	rand.Read(b[:])
	device := base64.RawURLEncoding.EncodeToString(b[:])
	return &pairing{
		Pairing: api.Pairing{
			ID: newID(pairingPrefix), ClientName: req.ClientName, Scopes: req.Scopes, Origin: textOrNil(req.Origin),
			CreatedAt: api.NewTime(now), ExpiresAt: api.NewTime(now.Add(pairingLifetime)),
		},
		code: sha256.Sum256([]byte(device)), userCode: fmt.Sprintf("%08d", digits), store: st, state: api.PairingWaiting,
	}, device, nil
}

func (s *Server) addPairing(x *pairing) error {
	p := &s.pairings
	p.mu.Lock()
	defer p.mu.Unlock()
	asks, guests := &p.asks, 0
	all := p.current(x.store, s.now())
	if x.guest {
		asks = &p.guests
		for _, y := range all {
			if y.guest {
				guests++
			}
		}
	}
	if !asks.take(s.now()) || len(all) >= pairingsMax || guests >= pairingGuestsMax {
		return api.NewProblem(api.CodeTooMany)
	}
	p.all = append(p.all, x)
	return nil
}

func (s *Server) listPairings(context.Context, *none) (*reply[list[api.Pairing]], error) {
	out := list[api.Pairing]{Items: []api.Pairing{}}
	s.pairings.mu.Lock()
	defer s.pairings.mu.Unlock()
	for _, x := range s.pairings.current(s.daemon.Store(), s.now()) {
		if x.state == api.PairingWaiting {
			out.Items = append(out.Items, x.Pairing)
		}
	}
	return ok(0, out), nil
}

type approvePairingInput struct {
	ID   string `path:"id"`
	Body api.PairingDecision
}

func (s *Server) approvePairing(ctx context.Context, in *approvePairingInput) (*done, error) {
	q, d := requestOf(ctx), in.Body
	if err := checkConstraints(d.Constraints, s.now()); err != nil {
		return nil, err
	}
	if d.Scopes != nil && len(d.Scopes) == 0 {
		return nil, invalid("/scopes", api.FieldTooShort)
	}
	resolved := protocol.Event{Type: api.EventPairingResolved, Code: in.ID}
	denied := false
	x, err := s.resolve(in.ID, func(x *pairing) error {
		if !x.shows(d.UserCode) {
			if x.tries++; x.tries >= loginTriesMax {
				x.state, denied = api.PairingDenied, true
			}
			return invalid("/user_code", api.FieldInvalid)
		}
		return x.approve(q, d)
	})
	if denied {
		_ = s.write(ctx, nil, resolved) // it is over also if there is no room to say so
	}
	if err != nil {
		return nil, err
	}
	if err := s.write(ctx, nil, resolved); err != nil {
		s.pairings.settle(x, pairingApproving, api.PairingWaiting)
		return nil, err
	}
	if !s.pairings.settle(x, pairingApproving, api.PairingApproved) {
		return nil, notFoundID() // denied or locked meanwhile
	}
	return &done{}, nil
}

// shows reports whether a code is what the program shows, however it is written.
func (x *pairing) shows(code string) bool {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, code)
	return subtle.ConstantTimeCompare([]byte(digits), []byte(x.userCode)) == 1
}

// approve notes what the program gets once that is written. The caller holds the lock.
func (x *pairing) approve(q *request, d api.PairingDecision) error {
	if d.Scopes == nil {
		d.Scopes = x.Scopes
	}
	for i, scope := range d.Scopes {
		if !slices.Contains(x.Scopes, scope) {
			return invalid(fmt.Sprintf("/scopes/%d", i), api.FieldNotAllowed)
		}
	}
	if x.Origin != nil {
		d.Constraints.Origins = []string{*x.Origin}
	}
	from := q.actor
	if q.confirmed {
		from = grantable
	}
	if at := from.stronger(d.Scopes, d.Constraints); at != "" {
		return api.NewProblem(api.CodeTokenTooStrong).At(at, api.FieldNotAllowed)
	}
	x.state, x.by = pairingApproving, q.actor
	x.grant = api.TokenRequest{Name: x.ClientName, Scopes: d.Scopes, Constraints: d.Constraints}
	return nil
}

// denyPairing denies on a full disk, too, which has no room to say so.
func (s *Server) denyPairing(ctx context.Context, in *byID) (*done, error) {
	_, err := s.resolve(in.ID, func(x *pairing) error {
		x.state = api.PairingDenied
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, nil, protocol.Event{Type: api.EventPairingResolved, Code: in.ID})
	if err != nil && problemOf(err).Code != api.CodeStorageFull {
		return nil, err
	}
	return &done{}, nil
}

// resolve decides about a pairing that waits.
func (s *Server) resolve(id string, decide func(*pairing) error) (*pairing, error) {
	s.pairings.mu.Lock()
	defer s.pairings.mu.Unlock()
	x := s.pairings.find(id, s.daemon.Store(), s.now())
	if x == nil || x.state != api.PairingWaiting {
		return nil, notFoundID()
	}
	return x, decide(x)
}

type collectPairingInput struct {
	ID   string `path:"id"`
	Body api.PairingLook
}

func (s *Server) collectPairing(ctx context.Context, in *collectPairingInput) (*reply[api.PairingResult], error) {
	q := requestOf(ctx)
	if err := s.mayPair(q); err != nil {
		return nil, err
	}
	out := api.PairingResult{Scopes: []api.Scope{}}
	x, state, err := s.takePairing(in.ID, in.Body.DeviceCode)
	if err != nil {
		return nil, err
	}
	if out.State = state; state != api.PairingApproved {
		return ok(0, out), nil
	}
	if x.by.ended() || x.by.expired(s.now()) { // whoever approved may not any more
		s.pairings.remove(x)
		out.State = api.PairingDenied
		return ok(0, out), nil
	}
	a, secret, err := s.makeToken(ctx, x.store, x.grant)
	if err != nil {
		s.pairings.settle(x, pairingTaking, api.PairingApproved)
		return nil, err
	}
	s.pairings.remove(x)
	s.note(api.AuditTokenCreated, x.by, api.AuditOK, a.id)
	out.Secret, out.TokenID, out.Scopes = &secret, &a.id, a.scopes
	return ok(0, out), nil
}

// takePairing returns a pairing and what whoever asked is told of it. One that is denied is over
// with that; one that is approved is the caller's, to be removed or settled.
func (s *Server) takePairing(id, device string) (*pairing, string, error) {
	s.pairings.mu.Lock()
	defer s.pairings.mu.Unlock()
	x := s.pairings.find(id, s.daemon.Store(), s.now())
	code := sha256.Sum256([]byte(device))
	if x == nil || subtle.ConstantTimeCompare(code[:], x.code[:]) != 1 {
		return nil, "", notFoundID()
	}
	switch x.state {
	case api.PairingDenied:
		s.pairings.all = slices.DeleteFunc(s.pairings.all, func(y *pairing) bool { return x == y })
		return x, api.PairingDenied, nil
	case api.PairingApproved:
		x.state = pairingTaking
		return x, api.PairingApproved, nil
	}
	return x, api.PairingWaiting, nil
}
