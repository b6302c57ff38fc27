package store

import (
	"cmp"
	"slices"

	"pabal/protocol"
)

// Message is a message of the history as it is now.
type Message struct {
	protocol.PutMessage
	State protocol.MessageState
	Code  string // why it failed; of a stub, what became of its deletion
	// DeletedAt is set of a stub.
	DeletedAt int64
	// Edit is the content of the newest edit, nil if there is none.
	Edit []byte
}

// Status is where a message is, as the API says it.
type Status string

// The statuses of a message. An incoming one is delivered or read.
const (
	StatusQueued    Status = protocol.StatusQueued
	StatusCarried   Status = protocol.StatusCarried // couriers hold it
	StatusDelivered Status = protocol.StatusDelivered
	StatusRead      Status = protocol.StatusRead
	StatusExpired   Status = "expired"
	StatusFailed    Status = "failed"
	StatusDeleted   Status = "deleted" // for everyone
)

// StatusOf tells a message's status from its own row and its conversation's.
func StatusOf(c *protocol.PutConversation, m *Message) Status {
	switch {
	case m.State != "":
		return Status(m.State)
	case m.Direction == protocol.In && m.Position <= c.ReadUpTo,
		m.Direction == protocol.Out && m.Sequence <= c.PeerReadUpTo && contains(c.Delivered, m.Sequence):
		return StatusRead
	case m.Direction == protocol.In, contains(c.Delivered, m.Sequence):
		return StatusDelivered
	case CarriedBy(c, m.Sequence) > 0:
		return StatusCarried
	}
	return StatusQueued
}

// CarriedBy returns how many couriers hold a message of ours that is not delivered.
func CarriedBy(c *protocol.PutConversation, sequence uint64) int {
	for n := len(c.Carried); n > 0; n-- {
		if contains(c.Carried[n-1], sequence) {
			return n
		}
	}
	return 0
}

// StatusSince returns when a message came to a status of its own, in Unix milliseconds, as
// the event log tells it; 0 if it does not, or not any more. What is read when is not logged
// of incoming messages. A message in note to self is delivered as it is written.
func (v *View) StatusSince(c *protocol.PutConversation, m *Message) (int64, error) {
	status := StatusOf(c, m)
	switch {
	case status == StatusQueued, status == StatusDelivered && (m.Direction == protocol.In || c.Kind == protocol.ConversationSelf):
		return m.At, nil
	case m.Direction == protocol.In, m.State != "":
		return 0, nil
	}
	q := v.c.query(`SELECT first + count, at FROM events WHERE type = 'message.status' AND code <> '' AND conversation = ?
		AND code = ? AND first <= ? ORDER BY first DESC LIMIT ?`)
	q.bindBlob(c.ID[:]).bindText(string(status)).bindUint(m.Sequence).bindInt(statusScanMax)
	since := int64(0)
	for q.next() {
		if end, at := q.uint(), q.int(); end > m.Sequence {
			since = max(since, at)
		}
	}
	return since, dbError("read status", q.done())
}

// contains reports whether ascending ranges hold n.
func contains(ranges []protocol.Range, n uint64) bool {
	_, found := slices.BinarySearchFunc(ranges, n, func(r protocol.Range, n uint64) int {
		if n < r.First {
			return 1
		}
		return cmp.Compare(min(r.Last, n), n)
	})
	return found
}

// Item is one place in a conversation: a message, or Missing messages from
// Position on that are still on the way.
type Item struct {
	Position uint64
	Message  *Message // nil for a gap
	Missing  uint64   // 0 for a message
}

// Page is a part of a conversation, oldest first.
type Page struct {
	Items               []Item
	HasBefore, HasAfter bool
}

// PageQuery selects a part of a conversation: the newest Limit items below
// Before if that is set, else the oldest Limit items above After if that is
// set, else the newest.
type PageQuery struct {
	Before, After uint64 // positions
	Limit         int    // at most PageMax, 0 = 50
}

const (
	pageDefault = 50

	messageColumns = `m.id, coalesce(m.client, ''), c.id, m.position, m.direction, m.sequence, m.sent_at, m.at,
		m.expires_at, m.verification, m.state, m.code, m.content, m.wire, m.deleted_at, m.sender, ` + newestEdit
	selectMessage  = `SELECT ` + messageColumns + ` FROM messages m JOIN conversations c ON c.key = m.conversation`
	ofConversation = ` WHERE m.conversation = (SELECT key FROM conversations WHERE id = ?)`
)

func scanMessage(q *query) (m Message) {
	m.ID, m.ClientID, m.Conversation, m.Position = q.id(), q.text(), q.id(), q.uint()
	m.Direction, m.Sequence, m.SentAt, m.At = protocol.Direction(q.int()), q.uint(), q.int(), q.int()
	m.ExpiresAt, m.Verification = q.int(), protocol.Verification(q.text())
	m.State, m.Code, m.Content = protocol.MessageState(q.text()), q.text(), q.blob()
	m.Wire, m.DeletedAt, m.Sender, m.Edit = q.id(), q.int(), q.id(), q.blob()
	return m
}

// Messages returns a page of a conversation; an unknown one is empty.
func (v *View) Messages(id protocol.ConversationID, pq PageQuery) (Page, error) {
	if pq.Limit <= 0 {
		pq.Limit = pageDefault
	}
	pq.Limit = min(pq.Limit, PageMax)
	if pq.After > 0 && pq.Before == 0 {
		return v.pageAfter(id, pq)
	}
	return v.pageBefore(id, pq)
}

func (v *View) pageBefore(id protocol.ConversationID, pq PageQuery) (Page, error) {
	before := int64(pq.Before)
	if before == 0 {
		before = 1<<63 - 1
	}
	items, err := v.items(
		v.c.query(selectMessage+ofConversation+` AND m.position < ? ORDER BY m.position DESC LIMIT ?`).
			bindBlob(id[:]).bindInt(before).bindInt(int64(pq.Limit)+1),
		v.c.query(`SELECT position, count FROM gaps WHERE conversation = (SELECT key FROM conversations WHERE id = ?)
			AND position < ? ORDER BY position DESC LIMIT ?`).
			bindBlob(id[:]).bindInt(before).bindInt(int64(pq.Limit)+1))
	if err != nil {
		return Page{}, err
	}
	page := Page{HasBefore: len(items) > pq.Limit, Items: items[max(0, len(items)-pq.Limit):]}
	if pq.Before != 0 {
		page.HasAfter, err = v.any(id, `>=`, before)
	}
	return page, err
}

func (v *View) pageAfter(id protocol.ConversationID, pq PageQuery) (Page, error) {
	items, err := v.items(
		v.c.query(selectMessage+ofConversation+` AND m.position > ? ORDER BY m.position LIMIT ?`).
			bindBlob(id[:]).bindUint(pq.After).bindInt(int64(pq.Limit)+1),
		v.c.query(`SELECT position, count FROM gaps WHERE conversation = (SELECT key FROM conversations WHERE id = ?)
			AND position > ? ORDER BY position LIMIT ?`).
			bindBlob(id[:]).bindUint(pq.After).bindInt(int64(pq.Limit)+1))
	if err != nil {
		return Page{}, err
	}
	page := Page{HasAfter: len(items) > pq.Limit, Items: items[:min(len(items), pq.Limit)]}
	page.HasBefore, err = v.any(id, `<=`, int64(pq.After))
	return page, err
}

// items merges messages and gaps by position.
func (v *View) items(messages, gaps *query) ([]Item, error) {
	items, err := collect(messages, func(q *query) Item {
		m := scanMessage(q)
		return Item{Position: m.Position, Message: &m}
	}, "read messages")
	if err != nil {
		return nil, err
	}
	missing, err := collect(gaps, func(q *query) Item { return Item{Position: q.uint(), Missing: q.uint()} }, "read gaps")
	if err != nil {
		return nil, err
	}
	items = append(items, missing...)
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.Position, b.Position) })
	return items, nil
}

// any reports whether a message or a gap stands at, and before or after, a position.
func (v *View) any(id protocol.ConversationID, side string, position int64) (bool, error) {
	sql := `SELECT EXISTS (SELECT 1 FROM messages WHERE conversation = c.key AND position >= ?2)
		OR EXISTS (SELECT 1 FROM gaps WHERE conversation = c.key AND position >= ?2) FROM conversations c WHERE c.id = ?1`
	if side == `<=` {
		sql = `SELECT EXISTS (SELECT 1 FROM messages WHERE conversation = c.key AND position <= ?2)
			OR EXISTS (SELECT 1 FROM gaps WHERE conversation = c.key AND position <= ?2) FROM conversations c WHERE c.id = ?1`
	}
	q := v.c.query(sql).bindBlob(id[:]).bindInt(position)
	found := q.next() && q.bool()
	return found, dbError("read messages", q.done())
}

// Message returns one message, or ErrNotFound.
func (v *View) Message(id protocol.MessageID) (Message, error) {
	return v.message(v.c.query(selectMessage + ` WHERE m.id = ?`).bindBlob(id[:]))
}

// MessageByClientID returns the message for which a client chose an id, or
// ErrNotFound. An id that is the text of our own finds that message too.
func (v *View) MessageByClientID(client string) (Message, error) {
	m, err := v.message(v.c.query(selectMessage + ` WHERE m.client = ?`).bindText(client))
	if err != ErrNotFound {
		return m, err
	}
	id, perr := protocol.ParseMessageID(client)
	if perr != nil {
		return m, ErrNotFound
	}
	return v.Message(id)
}

// LastMessage returns the newest message of a conversation, or ErrNotFound.
func (v *View) LastMessage(id protocol.ConversationID) (Message, error) {
	return v.message(v.c.query(selectMessage + ofConversation + ` ORDER BY m.position DESC LIMIT 1`).bindBlob(id[:]))
}

func (v *View) message(q *query) (m Message, err error) {
	found := q.next()
	if found {
		m = scanMessage(q)
	}
	return m, v.one(found, q.done(), "read message")
}

// OwnMessages returns our messages with sequences first..last, at most PageMax:
// what an event message.status is about.
func (v *View) OwnMessages(id protocol.ConversationID, first, last uint64) ([]Message, error) {
	return collect(v.c.query(selectMessage+ofConversation+` AND m.direction = 0 AND m.sequence BETWEEN ? AND ?
		ORDER BY m.sequence LIMIT ?`).bindBlob(id[:]).bindUint(first).bindUint(last).bindInt(PageMax),
		scanMessage, "read messages")
}

// Contents returns the contents of messages, and what is handed on by names; what is gone is absent. It
// is what a job FetchContents asks for.
func (v *View) Contents(ids []protocol.MessageID) (map[protocol.MessageID][]byte, error) {
	contents := make(map[protocol.MessageID][]byte, len(ids))
	for _, id := range ids {
		q := v.c.query(`SELECT content FROM messages WHERE id = ?1 UNION ALL SELECT content FROM operations WHERE id = ?1`).bindBlob(id[:])
		if q.next() {
			contents[id] = q.blob()
		}
		err := q.done()
		if err == nil && contents[id] == nil {
			if shared, serr := v.shared(id); shared != nil || serr != nil {
				contents[id], err = shared, serr
			}
		}
		if err != nil {
			return nil, dbError("read contents", err)
		}
	}
	return contents, nil
}

// Outbox returns at most limit of our messages that are neither delivered nor
// expired nor failed, the oldest first.
func (v *View) Outbox(limit int) ([]Message, error) {
	spans, err := v.undelivered()
	if err != nil {
		return nil, err
	}
	var all []Message
	for _, s := range spans {
		part, err := collect(v.c.query(selectMessage+` WHERE m.conversation = ? AND m.direction = 0
			AND m.sequence BETWEEN ? AND ? AND m.state = '' ORDER BY m.sequence LIMIT ?`).
			bindInt(s.conversation).bindUint(s.First).bindUint(s.Last).bindInt(int64(limit)), scanMessage, "read outbox")
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	slices.SortStableFunc(all, func(a, b Message) int { return cmp.Compare(a.At, b.At) })
	return all[:min(len(all), limit)], nil
}

// Unstarted returns the incoming messages up to a position whose timers start
// when the user reads them, with the time each then expires: what an input MarkRead needs.
func (v *View) Unstarted(id protocol.ConversationID, upTo uint64, now int64) ([]protocol.SetMessageExpiry, error) {
	return collect(v.c.query(`SELECT id, from_read FROM messages m`+ofConversation+`
		AND m.position <= ? AND m.from_read > 0 ORDER BY m.position`).bindBlob(id[:]).bindUint(upTo),
		func(q *query) protocol.SetMessageExpiry {
			return protocol.SetMessageExpiry{ID: q.id(), ExpiresAt: now + 1000*q.int()}
		}, "read timers")
}

// HighestRead returns the sequence of the last incoming message at positions first..last, 0 if
// there is none: what a receipt tells. An author who began anew counts from 1 again.
func (v *View) HighestRead(id protocol.ConversationID, first, last uint64) (sequence uint64, err error) {
	q := v.c.query(`SELECT m.sequence FROM messages m` + ofConversation + ` AND m.position BETWEEN ? AND ? AND m.direction = 1
		ORDER BY m.position DESC LIMIT 1`).
		bindBlob(id[:]).bindUint(first).bindUint(last)
	if q.next() {
		sequence = q.uint()
	}
	return sequence, dbError("read the highest sequence", q.done())
}

// Due returns at most limit messages whose timers ran out by now, the longest
// overdue first, as the inputs that delete them.
func (v *View) Due(now int64, limit int) ([]protocol.DeleteMessage, error) {
	return collect(v.c.query(`SELECT m.id, c.id, m.position, m.sequence, m.direction, m.wire FROM messages m
		JOIN conversations c ON c.key = m.conversation
		WHERE m.expires_at > 0 AND m.expires_at <= ? ORDER BY m.expires_at LIMIT ?`).
		bindInt(now).bindInt(int64(limit)), func(q *query) protocol.DeleteMessage {
		return protocol.DeleteMessage{ID: q.id(), Conversation: q.id(), Position: q.uint(), Sequence: q.uint(),
			Direction: protocol.Direction(q.int()), Wire: q.id(), Expired: true}
	}, "read due messages")
}

// DueCount returns how many messages' timers ran out by now.
func (v *View) DueCount(now int64) (n int64, err error) {
	q := v.c.query(`SELECT count(*) FROM messages WHERE expires_at > 0 AND expires_at <= ?`).bindInt(now)
	if q.next() {
		n = q.int()
	}
	return n, dbError("count due messages", q.done())
}

// NextExpiry returns when the next timer runs out, 0 for never.
func (v *View) NextExpiry() (int64, error) {
	at, err := v.c.number(`SELECT coalesce(min(expires_at), 0) FROM messages WHERE expires_at > 0`)
	return at, dbError("read next expiry", err)
}
