package api

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SendOptions say how long a send waits. The zero value returns as soon as the
// message is durable here.
type SendOptions struct {
	Wait    string        // StateQueued, StateCarried or StateDelivered
	Timeout time.Duration // 0: 30 s; at most WaitMax
}

func (o SendOptions) query() url.Values {
	if o.Wait == "" {
		return nil
	}
	q := url.Values{"wait": {o.Wait}}
	if o.Timeout > 0 {
		q.Set("timeout_ms", strconv.FormatInt(o.Timeout.Milliseconds(), 10))
	}
	return q
}

// NewMessageID returns a fresh id for [Client.PutMessage].
func NewMessageID() string {
	var b [16]byte
	rand.Read(b[:])
	return "ms_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// PutMessage sends a message under an id of the client's choice ("ms_" and 26
// characters a–z2–7, see [NewMessageID]). It can be repeated after any failure:
// the message is sent once. If the wait ends before the state is reached, there
// is no error: the caller looks at Status.State.
func (c *Client) PutMessage(ctx context.Context, conversation, id string, in MessageRequest, o SendOptions) (Message, error) {
	var out Message
	path := "/v1/conversations/" + seg(conversation) + "/messages/" + seg(id)
	err := c.do(ctx, RawRequest{Method: http.MethodPut, Path: path, Query: o.query()}, in, &out)
	return out, err
}

// SendMessage sends a message under an id of the daemon's choice.
func (c *Client) SendMessage(ctx context.Context, conversation string, in MessageRequest, o SendOptions) (Message, error) {
	return c.sendTo(ctx, "/v1/conversations/"+seg(conversation)+"/messages", in, o)
}

// SendToContact sends a message to a contact by its id, or by "@" and its alias
// or name.
func (c *Client) SendToContact(ctx context.Context, contact string, in MessageRequest, o SendOptions) (Message, error) {
	return c.sendTo(ctx, "/v1/contacts/"+seg(contact)+"/messages", in, o)
}

func (c *Client) sendTo(ctx context.Context, path string, in MessageRequest, o SendOptions) (Message, error) {
	var out Message
	r := RawRequest{Method: http.MethodPost, Path: path, Query: o.query(), Header: idempotencyHeader(ctx)}
	err := c.do(ctx, r, in, &out)
	return out, err
}

// MessageQuery selects a page of a conversation. At most one of Before and After
// is set; with none the page is the newest.
type MessageQuery struct {
	Before uint64 // positions below, exclusive
	After  uint64 // positions above, exclusive
	First  bool   // the oldest page: After 0
	Limit  int    // 1–200, default 50
}

// Messages returns a page of a conversation, oldest first.
func (c *Client) Messages(ctx context.Context, conversation string, o MessageQuery) (MessagePage, error) {
	q := url.Values{}
	setInt(q, "limit", o.Limit)
	switch {
	case o.Before != 0:
		q.Set("before", strconv.FormatUint(o.Before, 10))
	case o.After != 0 || o.First:
		q.Set("after", strconv.FormatUint(o.After, 10))
	}
	return fetch[MessagePage](ctx, c, "/v1/conversations/"+seg(conversation)+"/messages", q)
}

// Message returns one message.
func (c *Client) Message(ctx context.Context, id string) (Message, error) {
	return fetch[Message](ctx, c, "/v1/messages/"+seg(id), nil)
}

// WhyMessage says what a message of ours waits for.
func (c *Client) WhyMessage(ctx context.Context, id string) (Why, error) {
	return fetch[Why](ctx, c, "/v1/messages/"+seg(id)+"/why", nil)
}

// EditMessage gives a message of ours a new text, here and on the other side; one that it
// has already changes nothing.
func (c *Client) EditMessage(ctx context.Context, id, text string, mentions ...Mention) (Message, error) {
	var out Message
	err := c.do(ctx, RawRequest{Method: http.MethodPatch, Path: "/v1/messages/" + seg(id)}, EditRequest{Text: text, Mentions: mentions}, &out)
	return out, err
}

// ForwardMessage sends what a message says, and its files, to contacts and conversations. They
// see that it is forwarded, and not from whom.
func (c *Client) ForwardMessage(ctx context.Context, id string, to ...string) ([]Message, error) {
	var out Forwarded
	err := c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/messages/" + seg(id) + "/forward"}, ForwardRequest{To: to}, &out)
	return out.Items, err
}

// MessageHistory returns what a message said before it was edited, and says now.
func (c *Client) MessageHistory(ctx context.Context, id string) (History, error) {
	var out History
	err := c.do(ctx, RawRequest{Method: http.MethodGet, Path: "/v1/messages/" + seg(id) + "/history"}, nil, &out)
	return out, err
}

// DeleteMessage deletes a message here. One of ours that is still queued is
// taken back: it is never delivered. One that is carried is taken back as well: its
// couriers are asked to erase it, which may be too late.
func (c *Client) DeleteMessage(ctx context.Context, id string) error {
	return c.delete(ctx, "/v1/messages/"+seg(id), nil)
}

// DeleteForEveryone erases a message of ours here and asks the other side to do the same;
// what it answers shows in the message's Deleted.
func (c *Client) DeleteForEveryone(ctx context.Context, id string) error {
	return c.delete(ctx, "/v1/messages/"+seg(id), url.Values{"for": {"everyone"}})
}

// React puts an emoji on a message; again it has no effect.
func (c *Client) React(ctx context.Context, id, emoji string) error {
	return c.put(ctx, "/v1/messages/"+seg(id)+"/reactions/"+seg(emoji), nil, nil)
}

// Unreact takes an emoji of ours off a message.
func (c *Client) Unreact(ctx context.Context, id, emoji string) error {
	return c.delete(ctx, "/v1/messages/"+seg(id)+"/reactions/"+seg(emoji), nil)
}

// Outbox lists our messages that are not delivered, with what they wait for.
func (c *Client) Outbox(ctx context.Context) ([]OutboxItem, error) {
	return list[OutboxItem](ctx, c, "/v1/outbox", nil)
}
