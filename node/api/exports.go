package api

import (
	"context"
	"io"
)

// ExportRequest asks for a conversation as a file that other programs read. What is in it no
// deletion reaches any more.
type ExportRequest struct {
	ConversationID string `json:"conversation_id" minLength:"1"`
	Format         string `json:"format" enum:"jsonl,text" doc:"jsonl: a line of ExportBegin, one for each Message, one of ExportEnd. text: a line for each message, between two that begin with #"`
}

// The formats of an export.
const (
	ExportJSONL = "jsonl"
	ExportText  = "text"
)

// ExportTypes are the media types of an export, by format.
func ExportTypes() map[string]string {
	return map[string]string{ExportJSONL: "application/x-ndjson", ExportText: "text/plain; charset=utf-8"}
}

// ExportBegin is the first line of an export.
type ExportBegin struct {
	Version        int    `json:"pabal_export"`
	ConversationID string `json:"conversation_id"`
	Title          string `json:"title"`
	At             Time   `json:"at"`
}

// ExportVersion is the version of the lines that an export has.
const ExportVersion = 1

// ExportEnd is the last line of an export that is whole.
type ExportEnd struct {
	Messages int `json:"pabal_export_end"`
}

// Export writes a conversation to w. What was written is not whole if it fails.
func (c *Client) Export(ctx context.Context, in ExportRequest, w io.Writer) error {
	return c.download(ctx, "/v1/exports", in, w)
}
