package api

import (
	"context"
	"net/http"
)

// Approval is a message of a program that waits until the owner approves it. It ends with the
// token of the program, with the conversation, and when it has waited too long.
type Approval struct {
	ID        string  `json:"id"`
	TokenID   string  `json:"token_id" doc:"whose program wrote it"`
	TokenName string  `json:"token_name"`
	ContactID *string `json:"contact_id" doc:"who would get it; null: note to self"`
	ExpiresAt Time    `json:"expires_at"`
	Message   Message `json:"message" doc:"as it would be sent, in the state held"`
}

// Approvals lists the messages that wait for the owner, the oldest first. A token whose
// messages wait sees its own.
func (c *Client) Approvals(ctx context.Context) ([]Approval, error) {
	return list[Approval](ctx, c, "/v1/approvals", nil)
}

// Approve sends a message that waits.
func (c *Client) Approve(ctx context.Context, id string) (Message, error) {
	var out Message
	err := c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/approvals/" + seg(id) + "/approve"}, nil, &out)
	return out, err
}

// Refuse erases a message that waits. Nobody gets it.
func (c *Client) Refuse(ctx context.Context, id string) error {
	return c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/approvals/" + seg(id) + "/refuse"}, nil, nil)
}
