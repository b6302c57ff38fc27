package api

import (
	"context"
	"net/url"
)

// What is set here is the user's own: contacts are told nothing of it.

// MutedForever is a muted_until that no clock reaches.
const MutedForever = "9999-12-31T23:59:59.999Z"

// Draft is what was begun to be written in a conversation and is not sent.
type Draft struct {
	Text    string  `json:"text"`
	ReplyTo *string `json:"reply_to" doc:"the message that it answers; null: none, or it is gone"`
	At      Time    `json:"at" doc:"when it was kept"`
}

// DraftRequest keeps a draft; it takes the place of the one before.
type DraftRequest struct {
	Text    string  `json:"text" doc:"1 to 32768 bytes of UTF-8"`
	ReplyTo *string `json:"reply_to,omitempty" doc:"the message that it answers"`
}

// The marks of a message.
const (
	MarkPin  = "pin"  // at hand in its conversation
	MarkStar = "star" // at hand among all
)

// MarkedPage answers a list of marked messages, the newest first.
type MarkedPage struct {
	Items []Message `json:"items" nullable:"false"`
	Next  *string   `json:"next" doc:"pass it as after for the next page; null: there is none"`
}

// MarkedQuery lists messages with a mark.
type MarkedQuery struct {
	Mark         string // MarkPin or MarkStar
	Conversation string // id; empty: of all
	After        string // Next of the page before
	Limit        int
}

// Marked lists messages with a mark, the newest first.
func (c *Client) Marked(ctx context.Context, o MarkedQuery) (MarkedPage, error) {
	q := url.Values{"marked": {o.Mark}}
	for name, value := range map[string]string{"in": o.Conversation, "after": o.After} {
		if value != "" {
			q.Set(name, value)
		}
	}
	setInt(q, "limit", o.Limit)
	return fetch[MarkedPage](ctx, c, "/v1/messages", q)
}

// SetMark puts a mark on a message.
func (c *Client) SetMark(ctx context.Context, message, mark string) error {
	return c.put(ctx, "/v1/messages/"+seg(message)+"/"+mark, nil, nil)
}

// RemoveMark takes a mark off a message.
func (c *Client) RemoveMark(ctx context.Context, message, mark string) error {
	return c.delete(ctx, "/v1/messages/"+seg(message)+"/"+mark, nil)
}

// MarkUnread marks a conversation as unread, whatever was read in it.
func (c *Client) MarkUnread(ctx context.Context, conversation string) (Conversation, error) {
	var out Conversation
	err := c.post(ctx, "/v1/conversations/"+seg(conversation)+"/unread", nil, &out)
	return out, err
}

// PutDraft keeps a draft.
func (c *Client) PutDraft(ctx context.Context, conversation string, in DraftRequest) (Draft, error) {
	var out Draft
	err := c.put(ctx, "/v1/conversations/"+seg(conversation)+"/draft", in, &out)
	return out, err
}

// DeleteDraft erases a draft.
func (c *Client) DeleteDraft(ctx context.Context, conversation string) error {
	return c.delete(ctx, "/v1/conversations/"+seg(conversation)+"/draft", nil)
}
