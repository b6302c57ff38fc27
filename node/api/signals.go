package api

import "context"

// TypingRequest says that the user writes in a conversation. It is said again every
// TypingEvery as long as it is so, and ends by itself.
type TypingRequest struct {
	Active bool `json:"active" doc:"false: paused, which need not be said behind a message"`
}

// PresenceRequest says that the user is here: in front of a frontend. It is said again every
// PresenceEvery as long as it is so, and ends by itself.
type PresenceRequest struct {
	Here bool `json:"here" doc:"false: the user has gone"`
}

// TypingState is the data of typing.
type TypingState struct {
	ContactID string `json:"contact_id"`
	Active    bool   `json:"active" doc:"false comes in the end, also if the contact is not heard any more"`
}

// PresenceState is the data of presence.
type PresenceState struct {
	ContactID string `json:"contact_id"`
	Here      bool   `json:"here" doc:"false: gone, off, or not letting us know"`
}

// SetTyping says that the user writes in a conversation, or has paused. A contact hears of it
// if its Typing is set and it is live.
func (c *Client) SetTyping(ctx context.Context, conversation string, active bool) error {
	return c.post(ctx, "/v1/conversations/"+seg(conversation)+"/typing", TypingRequest{Active: active}, nil)
}

// SetPresence says that the user is here, or has gone. Those contacts hear of it whose
// Presence is set and who are live.
func (c *Client) SetPresence(ctx context.Context, here bool) error {
	return c.put(ctx, "/v1/presence", PresenceRequest{Here: here}, nil)
}
