package httpd

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

type proofInput struct{ Body api.ProofRequest }

func (s *Server) proof(ctx context.Context, in *proofInput) (*reply[api.ProofResponse], error) {
	a := s.auth.byID(in.Body.TokenID, s.daemon.Store())
	if a == nil || a.expired(s.now()) {
		return nil, unauthenticated()
	}
	return ok(0, api.ProofResponse{Proof: api.ServerProof(a.hash, requestOf(ctx).host, in.Body.Nonce)}), nil
}

// unauthenticated refuses a wrong secret; over TCP the chain makes it the answer
// that every stranger gets.
func unauthenticated() error { return api.NewProblem(api.CodeUnauthenticated) }

type exchangeInput struct{ Body api.ExchangeRequest }

func (s *Server) exchange(_ context.Context, in *exchangeInput) (*reply[api.ExchangeResponse], error) {
	now := s.now()
	code := s.auth.takeCode(in.Body.Code, now)
	if code == nil {
		return nil, unauthenticated()
	}
	secret, hash := newSecret(api.SessionSecretPrefix)
	a := &actor{
		kind: api.ActorSession, id: api.TokenID(secret), name: code.name, hash: hash, scopes: code.scopes,
		createdAt: now, expiresAt: now.Add(sessionLifetime), revoked: make(chan struct{}),
	}
	a.usedAt.Store(now.UnixMilli())
	if !s.auth.addSession(a, now) {
		return nil, unauthenticated()
	}
	s.note(api.AuditSession, a, api.AuditOK, "")
	return ok(0, api.ExchangeResponse{
		Secret: secret, TokenID: a.id, Scopes: a.scopes, ExpiresAt: api.NewTime(a.expiresAt),
	}), nil
}

func (s *Server) me(ctx context.Context, _ *none) (*reply[api.Me], error) {
	a := requestOf(ctx).actor
	out := api.Me{Actor: a.kind, TokenID: textOrNil(a.id), Scopes: notNil(a.scopes), Constraints: a.constraints}
	if !a.expiresAt.IsZero() {
		at := api.NewTime(a.expiresAt)
		out.ExpiresAt = &at
	}
	return ok(0, out), nil
}

func (s *Server) logout(ctx context.Context, _ *none) (*done, error) {
	a := requestOf(ctx).actor
	switch a.kind {
	case api.ActorToken:
		err := s.revoke(ctx, a.id)
		if err == nil {
			s.note(api.AuditTokenRevoked, a, api.AuditOK, a.id)
		}
		return &done{}, err
	case api.ActorSession:
		s.auth.remove(a.id)
	}
	return &done{}, nil
}

type confirmInput struct{ Body api.ConfirmRequest }

// confirm takes what only the owner knows: the passphrase of what is open, or, where there is
// none, the code of a login link for a whole page, which is made on the unix socket.
func (s *Server) confirm(ctx context.Context, in *confirmInput) (*reply[api.Confirmation], error) {
	a := requestOf(ctx).actor
	passphrase, code := []byte(in.Body.Passphrase), in.Body.Code
	switch {
	case a.kind == api.ActorOwner:
		return nil, api.NewProblem(api.CodeConflict).Because("the owner needs no confirmation")
	case (len(passphrase) == 0) == (code == ""):
		return nil, invalid("/passphrase", api.FieldRequired)
	case len(passphrase) > api.PassphraseBytesMax:
		return nil, invalid("/passphrase", api.FieldTooLong)
	}
	locks := s.auth.lockCount()
	c := &confirmation{store: s.daemon.Store()}
	switch {
	case c.store == nil:
		return nil, api.NewProblem(api.CodeLocked)
	case code != "" && !c.store.Keyfile():
		return nil, api.NewProblem(api.CodePassphraseRequired)
	}
	if err := s.prove(ctx, passphrase, code); err != nil {
		return nil, err
	}
	var secret string
	secret, c.hash = newSecret(api.SessionSecretPrefix)
	c.until = s.now().Add(confirmLifetime)
	if !s.auth.confirm(a, c, locks) {
		return nil, api.NewProblem(api.CodeLocked)
	}
	return ok(0, api.Confirmation{Secret: secret, ExpiresAt: api.NewTime(c.until)}), nil
}

// prove refuses a passphrase or a code that does not show the owner. One passphrase is tried at
// a time: those that waited would keep a lock waiting.
func (s *Server) prove(ctx context.Context, passphrase []byte, code string) error {
	if !s.auth.trying.TryLock() {
		return tooManyGuesses()
	}
	defer s.auth.trying.Unlock()
	if err := s.guess(ctx); err != nil {
		return err
	}
	if code == "" {
		if err := s.daemon.Verify(ctx, passphrase); err != nil {
			return err
		}
	} else if !s.auth.takeProof(code, s.now()) {
		return api.NewProblem(api.CodeBadPassphrase)
	}
	s.auth.guessed(requestOf(ctx).actor)
	return nil
}

type loginLinkInput struct{ Body *api.LoginLinkRequest }

func (s *Server) createLoginLink(_ context.Context, in *loginLinkInput) (*reply[api.LoginLink], error) {
	var req api.LoginLinkRequest
	if in.Body != nil {
		req = *in.Body
	}
	if req.Scopes == nil {
		req.Scopes = api.PresetFrontend.Scopes()
	}
	if err := checkScopes(req.Scopes); err != nil {
		return nil, err
	}
	if len(req.ClientName) > api.NameBytesMax {
		return nil, invalid("/client_name", api.FieldTooLong)
	}
	ttl := loginTTLDefault
	if req.TTLSeconds != 0 {
		ttl = time.Duration(req.TTLSeconds) * time.Second
	}
	var b [16]byte
	rand.Read(b[:])
	code := base64.RawURLEncoding.EncodeToString(b[:])
	digits, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return nil, fmt.Errorf("make login code: %w", err)
	}
	now := s.now()
	c := &loginCode{
		code: sha256.Sum256([]byte(code)), digits: fmt.Sprintf("%06d", digits), name: req.ClientName,
		scopes: req.Scopes, expiresAt: now.Add(ttl),
	}
	s.auth.addCode(c, now)
	return ok(0, api.LoginLink{
		URL:  s.Base() + webPrefix + s.webSecret + "/#c=" + code,
		Code: code, CodeDigits: c.digits, ExpiresAt: api.NewTime(c.expiresAt),
	}), nil
}

func checkScopes(list []api.Scope) error {
	for i, scope := range list {
		if !slices.Contains(api.Scopes(), scope) {
			return invalid(fmt.Sprintf("/scopes/%d", i), api.FieldNotAllowed)
		}
	}
	if len(list) == 0 {
		return invalid("/scopes", api.FieldTooShort)
	}
	return nil
}

func (s *Server) listTokens(context.Context, *none) (*reply[list[api.Token]], error) {
	out := list[api.Token]{Items: []api.Token{}}
	for _, a := range s.auth.list(s.daemon.Store()) {
		out.Items = append(out.Items, tokenView(a))
	}
	return ok(0, out), nil
}

// lastUse is when a request was made with a token, null if none was: its making, from which
// an idle token's time runs, is no use of it.
func (a *actor) lastUse() *api.Time {
	at := a.usedAt.Load()
	if at <= a.createdAt.UnixMilli() {
		return nil
	}
	return api.MilliOrNil(at)
}

func tokenView(a *actor) api.Token {
	return api.Token{
		ID: a.id, Name: a.name, Scopes: notNil(a.scopes), Constraints: a.constraints,
		CreatedAt: api.NewTime(a.createdAt), LastUsedAt: a.lastUse(),
	}
}

type tokenInput struct{ Body api.TokenRequest }

func (s *Server) createToken(ctx context.Context, in *tokenInput) (*reply[api.TokenCreated], error) {
	req := in.Body
	q := requestOf(ctx)
	if err := checkName("/name", req.Name); err != nil {
		return nil, err
	}
	if err := chooseScopes(req.Preset, &req.Scopes); err != nil {
		return nil, err
	}
	if err := checkConstraints(req.Constraints, s.now()); err != nil {
		return nil, err
	}
	from := q.actor
	if q.confirmed {
		from = grantable
	}
	if at := from.stronger(req.Scopes, req.Constraints); at != "" {
		return nil, api.NewProblem(api.CodeTokenTooStrong).At(at, api.FieldNotAllowed)
	}
	a, secret, err := s.makeToken(ctx, s.daemon.Store(), req)
	if err != nil {
		return nil, err
	}
	q.about = a.id
	return ok(0, api.TokenCreated{Secret: secret, Token: tokenView(a)}), nil
}

// makeToken makes a token of scopes and constraints that were checked. It is of a store, and of no
// other that is open now.
func (s *Server) makeToken(ctx context.Context, st *store.Store, req api.TokenRequest) (*actor, string, error) {
	if len(s.auth.list(st)) >= tokensMax {
		return nil, "", api.NewProblem(api.CodeTooMany)
	}
	secret, hash := newSecret(api.TokenSecretPrefix)
	a := &actor{
		kind: api.ActorToken, id: api.TokenID(secret), name: req.Name, hash: hash, scopes: req.Scopes,
		constraints: req.Constraints, createdAt: s.now(), revoked: make(chan struct{}),
	}
	a.usedAt.Store(a.createdAt.UnixMilli())
	a.savedAt.Store(a.createdAt.UnixMilli())
	a.usedBy.Store(a.createdAt.UnixMilli())
	if req.Constraints.ExpiresAt != nil {
		a.expiresAt = req.Constraints.ExpiresAt.Time
	}
	if s.daemon.Store() != st {
		return nil, "", api.NewProblem(api.CodeLocked)
	}
	event := protocol.Event{Type: api.EventTokenCreated, Code: a.id}
	if err := s.write(ctx, []store.Row{a.row()}, event); err != nil {
		return nil, "", err
	}
	s.auth.addToken(a, st)
	return a, secret, nil
}

// chooseScopes checks the scopes of a request, or sets those of its preset: it has one of the two.
func chooseScopes(preset api.Preset, scopes *[]api.Scope) error {
	if (preset == "") == (len(*scopes) == 0) {
		return invalid("/scopes", api.FieldRequired)
	}
	if preset != "" {
		*scopes = preset.Scopes()
	}
	return checkScopes(*scopes)
}

func checkConstraints(c api.Constraints, now time.Time) error {
	for i, id := range c.Conversations {
		if _, err := protocol.ParseConversationID(id); err != nil {
			return invalid(fmt.Sprintf("/constraints/conversations/%d", i), api.CodeInvalidID)
		}
	}
	for i, o := range c.Origins {
		if !validOrigin(o) {
			return invalid(fmt.Sprintf("/constraints/origins/%d", i), api.FieldInvalid)
		}
	}
	if c.ExpiresAt != nil && !c.ExpiresAt.After(now) {
		return invalid("/constraints/expires_at", api.FieldTooSmall)
	}
	return nil
}

// tokenOf finds a stored token; sessions are not listed.
func (s *Server) tokenOf(id string) (*actor, error) {
	a := s.auth.byID(id, s.daemon.Store())
	if a == nil || a.kind != api.ActorToken {
		return nil, api.NewProblem(api.CodeNotFound)
	}
	return a, nil
}

func (s *Server) getToken(_ context.Context, in *byID) (*reply[api.Token], error) {
	a, err := s.tokenOf(in.ID)
	if err != nil {
		return nil, err
	}
	return ok(0, tokenView(a)), nil
}

func (s *Server) revokeToken(ctx context.Context, in *byID) (*done, error) {
	if _, err := s.tokenOf(in.ID); err != nil {
		return nil, err
	}
	requestOf(ctx).about = in.ID
	return &done{}, s.revoke(ctx, in.ID)
}

// revoke erases a token and ends its streams.
func (s *Server) revoke(ctx context.Context, id string) (err error) {
	event := protocol.Event{Type: api.EventTokenRevoked, Code: id}
	if a := s.auth.byID(id, s.daemon.Store()); a != nil {
		a.saving.Lock()
		defer a.saving.Unlock()
		a.erased = true
		defer func() { a.erased = err == nil }()
	}
	if err := s.write(ctx, []store.Row{store.EraseToken{ID: id}}, event); err != nil {
		return err
	}
	s.auth.remove(id)
	s.feed.notify()
	return nil
}
