package api

import (
	"context"
	"net/url"
	"time"
)

// SearchQuery looks for messages and for contacts by their names. Zero fields but
// Text narrow nothing.
type SearchQuery struct {
	Text         string // what to look for
	Conversation string // id
	From         string // a contact's id or "@" and its name, or SenderSelf
	Kind         string // SearchText or SearchContact
	Since, Until time.Time
	After        string // Next of the page before
	Limit        int
}

// The kinds of what a search finds.
const (
	SearchText    = "text"
	SearchContact = "contact"
)

// SearchHit is a message that has all words that were looked for.
type SearchHit struct {
	Message    Message  `json:"message"`
	Highlights [][2]int `json:"highlights" nullable:"false" doc:"where they stand in the text: first code point and how many"`
}

// SearchPage answers a search: messages, the newest first.
type SearchPage struct {
	Items    []SearchHit `json:"items" nullable:"false"`
	Contacts []Contact   `json:"contacts" nullable:"false" doc:"whose names fit, by name; on the first page of a search that only the text narrows"`
	Next     *string     `json:"next" doc:"pass it as after for the next page; null: there is none"`
	Partial  bool        `json:"partial" doc:"not all was looked at: of older messages nothing while the index is being filled, and of older long ones only their first words"`
}

// Search finds messages and contacts.
func (c *Client) Search(ctx context.Context, o SearchQuery) (SearchPage, error) {
	q := url.Values{"q": {o.Text}}
	for name, value := range map[string]string{"in": o.Conversation, "from": o.From, "kind": o.Kind, "after": o.After} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"since": o.Since, "until": o.Until} {
		if !at.IsZero() {
			q.Set(name, NewTime(at).String())
		}
	}
	setInt(q, "limit", o.Limit)
	return fetch[SearchPage](ctx, c, "/v1/search", q)
}
