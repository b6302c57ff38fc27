package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// WebhookRequest has events sent to a program on this machine. Exactly one of Preset and Scopes
// is set: they say which events it gets, and how much of them, as those of a token do.
type WebhookRequest struct {
	Name          string   `json:"name" minLength:"1"`
	URL           string   `json:"url" minLength:"1" maxLength:"512" doc:"http, with a port, on 127.0.0.0/8, [::1] or localhost, which is 127.0.0.1"`
	Preset        Preset   `json:"preset,omitempty" enum:"reader,notifier"`
	Scopes        []Scope  `json:"scopes,omitempty" nullable:"false" maxItems:"32"`
	Types         []string `json:"types,omitempty" nullable:"false" maxItems:"32" doc:"types of events, or families like message.*; empty: all"`
	Conversations []string `json:"conversations,omitempty" nullable:"false" maxItems:"64" doc:"only of these"`
	Content       string   `json:"content,omitempty" enum:"full,meta" doc:"meta: no texts, no names"`
}

// Webhook is a program on this machine that is told of events.
type Webhook struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	URL             string   `json:"url"`
	Scopes          []Scope  `json:"scopes"`
	Types           []string `json:"types"`
	Conversations   []string `json:"conversations"`
	Content         string   `json:"content" enum:"full,meta"`
	CreatedAt       Time     `json:"created_at"`
	State           string   `json:"state" enum:"active,failing,disabled"`
	Lag             uint64   `json:"lag" doc:"events that it was not told of yet"`
	LastDeliveredAt *Time    `json:"last_delivered_at"`
	FailingSince    *Time    `json:"failing_since"`
	LastError       *string  `json:"last_error" enum:"unreachable,timeout,refused,foreign_address" doc:"refused: its answer was not of 200 to 299"`
}

// The states of a webhook. A disabled one has failed for days, or came in a move, and is tried no
// more.
const (
	WebhookActive   = "active"
	WebhookFailing  = "failing"
	WebhookDisabled = "disabled"
)

// Why a delivery failed.
const (
	WebhookUnreachable = "unreachable"
	WebhookTimeout     = "timeout"
	WebhookRefused     = "refused"
	WebhookForeign     = "foreign_address" // the name leads out of this machine
)

// WebhookCreated answers POST /v1/webhooks. Secret is shown this once.
type WebhookCreated struct {
	Secret string `json:"secret" doc:"signs what is sent; shown once"`
	Webhook
}

// WebhookDelivery is the body of what is sent to a webhook. One that is not answered with
// 200 to 299 is sent again, so events may come twice: their cursors tell. What is older
// than the webhook is in them as a Reference.
type WebhookDelivery struct {
	WebhookID string  `json:"webhook_id"`
	Events    []Event `json:"events"`
	Gap       *Gap    `json:"gap,omitempty" doc:"events before the first are gone: take a new snapshot"`
	Cursor    string  `json:"cursor" doc:"of the last event, also of those that are not shown"`
}

// The headers of a delivery.
const (
	HeaderWebhookTime      = "Pabal-Webhook-Timestamp" // Unix seconds
	HeaderWebhookSignature = "Pabal-Webhook-Signature" // v1= and [SignWebhook]
)

// WebhookSkew is how far the time of a delivery may be from the receiver's clock.
const WebhookSkew = 5 * time.Minute

// WebhookSecretPrefix begins the secrets of webhooks.
const WebhookSecretPrefix = "pbl_hook_"

// webhookVersion begins a signature.
const webhookVersion = "v1="

// ErrSignature says that a delivery is not the daemon's, was changed, or is too old.
var ErrSignature = errors.New("api: the delivery is not signed by the daemon, or is too old")

// SignWebhook returns hex of HMAC-SHA256(secret, "pabal-webhook-v1" ‖ 0 ‖ timestamp ‖ 0 ‖ body).
func SignWebhook(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("pabal-webhook-v1\x00" + timestamp + "\x00"))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// VerifyWebhook reports, as ErrSignature, that a delivery is not the daemon's or is too old.
// Within [WebhookSkew] it may still be one that came before: a receiver that must not act twice
// compares the cursors.
func VerifyWebhook(secret string, header http.Header, body []byte, now time.Time) error {
	stamp := header.Get(HeaderWebhookTime)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	given, known := strings.CutPrefix(header.Get(HeaderWebhookSignature), webhookVersion)
	if err != nil || !known || !hmac.Equal([]byte(given), []byte(SignWebhook(secret, stamp, body))) {
		return ErrSignature
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > WebhookSkew {
		return ErrSignature
	}
	return nil
}

// Webhooks lists the webhooks.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	return list[Webhook](ctx, c, "/v1/webhooks", nil)
}

// CreateWebhook makes a webhook; its secret is in the answer only. It is told of what happens
// from now on.
func (c *Client) CreateWebhook(ctx context.Context, in WebhookRequest) (WebhookCreated, error) {
	var out WebhookCreated
	err := c.post(ctx, "/v1/webhooks", in, &out)
	return out, err
}

// EnableWebhook has a webhook that fails or is disabled tried again at once.
func (c *Client) EnableWebhook(ctx context.Context, id string) (Webhook, error) {
	var out Webhook
	err := c.post(ctx, "/v1/webhooks/"+seg(id)+"/enable", nil, &out)
	return out, err
}

// DeleteWebhook ends a webhook.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	return c.delete(ctx, "/v1/webhooks/"+seg(id), nil)
}
