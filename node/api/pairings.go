package api

import (
	"context"
	"net/http"
)

// PairingRequest asks the owner for a token. Exactly one of Preset and Scopes is set.
type PairingRequest struct {
	ClientName string  `json:"client_name" minLength:"1" doc:"what the owner is shown, and what the token is called"`
	Preset     Preset  `json:"preset,omitempty" enum:"frontend,bot,reader,notifier,metrics"`
	Scopes     []Scope `json:"scopes,omitempty" nullable:"false" maxItems:"32"`
	Origin     string  `json:"origin,omitempty" doc:"the web origin that is to use the token"`
}

// PairingCreated is a pairing that waits for the owner, for whoever asked: see [Client.CollectPairing].
type PairingCreated struct {
	ID          string `json:"id"`
	DeviceCode  string `json:"device_code" doc:"gets the token; shown once"`
	UserCode    string `json:"user_code" doc:"for the owner, who approves with it"`
	ExpiresAt   Time   `json:"expires_at"`
	PollSeconds int    `json:"poll_seconds" doc:"how long to wait between two looks"`
}

// Pairing is a program that asks the owner for a token.
type Pairing struct {
	ID         string  `json:"id"`
	ClientName string  `json:"client_name" doc:"as the program calls itself"`
	Scopes     []Scope `json:"scopes"`
	Origin     *string `json:"origin"`
	CreatedAt  Time    `json:"created_at"`
	ExpiresAt  Time    `json:"expires_at"`
}

// PairingDecision approves a pairing. The code is the one that the program shows: whoever has not
// seen it there cannot approve. Scopes may only be fewer than those asked for,
// but not none; nil are all of them.
type PairingDecision struct {
	UserCode    string      `json:"user_code" minLength:"6" maxLength:"16"`
	Scopes      []Scope     `json:"scopes,omitzero" nullable:"false" minItems:"1" maxItems:"32" doc:"without it: as asked for"`
	Constraints Constraints `json:"constraints,omitzero"`
}

// PairingLook asks what became of a pairing.
type PairingLook struct {
	DeviceCode string `json:"device_code" minLength:"1" maxLength:"64"`
}

// The states of a pairing.
const (
	PairingWaiting  = "waiting"
	PairingApproved = "approved" // with the token, once: then the pairing is over
	PairingDenied   = "denied"
)

// PairingResult is what became of a pairing.
type PairingResult struct {
	State   string  `json:"state" enum:"waiting,approved,denied"`
	Secret  *string `json:"token" doc:"the bearer token; shown once"`
	TokenID *string `json:"token_id"`
	Scopes  []Scope `json:"scopes" doc:"of the token, empty without one"`
}

// AskPairing asks the owner for a token.
func (c *Client) AskPairing(ctx context.Context, in PairingRequest) (PairingCreated, error) {
	var out PairingCreated
	err := c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/pairings"}, in, &out)
	return out, err
}

// CollectPairing looks what became of a pairing, and takes the token if it is approved.
func (c *Client) CollectPairing(ctx context.Context, id, deviceCode string) (PairingResult, error) {
	var out PairingResult
	err := c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/pairings/" + seg(id) + "/collect"}, PairingLook{deviceCode}, &out)
	return out, err
}

// Pairings lists the programs that wait for the owner, the oldest first.
func (c *Client) Pairings(ctx context.Context) ([]Pairing, error) {
	return list[Pairing](ctx, c, "/v1/pairings", nil)
}

// ApprovePairing lets a program have a token.
func (c *Client) ApprovePairing(ctx context.Context, id string, in PairingDecision) error {
	return c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/pairings/" + seg(id) + "/approve"}, in, nil)
}

// DenyPairing lets a program have none.
func (c *Client) DenyPairing(ctx context.Context, id string) error {
	return c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/pairings/" + seg(id) + "/deny"}, nil, nil)
}
