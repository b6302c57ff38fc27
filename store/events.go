package store

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/protocol"
)

// Cursor is a place in the event log: everything up to and with Sequence was
// seen. It is opaque to frontends. The zero Cursor is before everything.
type Cursor struct {
	Epoch    uint64 // of the log; another one after a restore
	Sequence uint64
}

// String returns e<epoch>.<sequence>.
func (c Cursor) String() string {
	return "e" + strconv.FormatUint(c.Epoch, 10) + "." + strconv.FormatUint(c.Sequence, 10)
}

// ParseCursor reads what String wrote, or returns ErrCursor.
func ParseCursor(s string) (Cursor, error) {
	epoch, sequence, ok := strings.Cut(strings.TrimPrefix(s, "e"), ".")
	if !ok {
		return Cursor{}, ErrCursor
	}
	e, err := strconv.ParseUint(epoch, 10, 64)
	if err != nil {
		return Cursor{}, ErrCursor
	}
	n, err := strconv.ParseUint(sequence, 10, 64)
	c := Cursor{e, n}
	if err != nil || n > math.MaxInt64 || c.String() != s {
		return Cursor{}, ErrCursor
	}
	return c, nil
}

// Logged is one row of the log: Event.Count events of one type, whose cursors
// are First, First+1, … A reader counts Event.First up along with them.
type Logged struct {
	First Cursor
	At    int64 // Unix milliseconds
	Event protocol.Event
}

// Last is the cursor of the row's last event.
func (l Logged) Last() Cursor {
	return Cursor{l.First.Epoch, l.First.Sequence + l.Event.Count - 1}
}

// EventQuery selects events. Types are exact or end in ".*"; no Types or no
// Conversations means all. Events of no conversation match any Conversations.
type EventQuery struct {
	After         Cursor // zero: from the oldest
	Types         []string
	Conversations []protocol.ConversationID
	Limit         int // of events; at most PageMax, 0 = PageMax
}

// EventPage is the answer to an EventQuery. Cursor is where the next one goes
// on, also when nothing matched; Oldest is before the oldest event kept.
type EventPage struct {
	Events         []Logged
	Cursor, Oldest Cursor
	More           bool // there is more behind Cursor now
}

// putEvents logs the durable events and returns the cursor of each event.
func (w *writer) putEvents(events []protocol.Event, now int64) ([]Cursor, error) {
	first := make([]Cursor, len(events))
	for i := range events {
		e := &events[i]
		if !e.Type.Durable() {
			continue
		}
		count, ref := max(e.Count, 1), e.Ref
		if e.Message != ([16]byte{}) {
			id, err := w.named(e)
			if err != nil {
				return nil, err
			}
			if ref = id; ref == ([16]byte{}) {
				continue
			}
		}
		first[i] = Cursor{w.epoch, w.counts.event}
		q := w.c.query(`INSERT INTO events(seq, count, at, type, contact, conversation, ref, first, code)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
		q.bindUint(w.counts.event).bindUint(count).bindInt(now).bindText(string(e.Type)).bindID(e.Contact)
		if err := q.bindID(e.Conversation).bindID(ref).bindUint(e.First).bindText(e.Code).run(); err != nil {
			return nil, err
		}
		w.counts.event += count
	}
	return first, nil
}

// trim erases rows that are too old, now and then and a few at a time.
func (w *writer) trim(now time.Time) error {
	if w.counts.event < w.trimmed+trimEvery {
		return nil
	}
	w.trimmed = w.counts.event
	slowest, err := w.c.number(`SELECT coalesce(min(seq), 9223372036854775807) FROM consumers`)
	if err != nil {
		return err
	}
	over := int64(w.counts.event) - EventsMax
	q := w.c.query(`DELETE FROM events WHERE seq <= (SELECT max(seq) FROM (SELECT seq FROM events ORDER BY seq LIMIT ?))
		AND (seq + count <= ? OR at < ? OR (at < ? AND seq + count <= ?))`)
	q.bindInt(trimStepMax).bindInt(over).bindInt(now.Add(-EventsAgeMax).UnixMilli())
	if err := q.bindInt(now.Add(-EventsAge).UnixMilli()).bindInt(min(slowest, math.MaxInt64-1) + 1).run(); err != nil {
		return err
	}
	if w.trimmedSome() {
		if err := putMeta(w.c, metaEventNext, int64(w.counts.event)); err != nil {
			return err
		}
	}
	return w.trimRest(now)
}

func (w *writer) trimRest(now time.Time) error {
	err := w.c.query(`DELETE FROM idempotency WHERE (actor, key) IN (SELECT actor, key FROM idempotency WHERE at < ? LIMIT ?)`).
		bindInt(now.Add(-IdempotencyAge).UnixMilli()).bindInt(trimStepMax).run()
	if err != nil {
		return err
	}
	w.trimmedSome()
	err = w.c.query(`DELETE FROM tombstones WHERE mac IN (SELECT mac FROM tombstones WHERE at < ? LIMIT ?)`).
		bindInt(now.Add(-TombstoneAge).UnixMilli()).bindInt(trimStepMax).run()
	if err != nil {
		return err
	}
	w.trimmedSome()
	if err := w.trimHeads(now.UnixMilli()); err != nil {
		return err
	}
	w.trimmedSome()
	return nil
}

// trimmedSome reports whether the last statement erased anything. If it was as much
// as one step may, the next commit looks again.
func (w *writer) trimmedSome() bool {
	erased := w.c.db.Changes()
	if erased == trimStepMax {
		w.trimmed = 0
	}
	return erased > 0
}

// Cursor returns the newest event's place: what this view shows is the effect
// of all events up to it and of none behind.
func (v *View) Cursor() (Cursor, error) {
	_, newest, err := v.logEnds()
	return newest, err
}

// Oldest returns the place before the oldest event kept.
func (v *View) Oldest() (Cursor, error) {
	oldest, _, err := v.logEnds()
	return oldest, err
}

// logEnds returns the place before the oldest event kept and that of the newest.
func (v *View) logEnds() (oldest, newest Cursor, err error) {
	q := v.c.query(`SELECT (SELECT value FROM meta WHERE name = 'event_epoch'),
		max((SELECT value FROM meta WHERE name = 'event_next'), coalesce((SELECT seq + count FROM events ORDER BY seq DESC LIMIT 1), 0)),
		(SELECT min(seq) FROM events)`)
	if q.next() {
		newest = Cursor{q.uint(), q.uint() - 1}
		oldest = newest
		if first := q.uint(); first != 0 {
			oldest.Sequence = first - 1
		}
	}
	if err := q.done(); err != nil {
		return Cursor{}, Cursor{}, dbError("read the ends of the event log", err)
	}
	return oldest, newest, nil
}

// Events returns events behind a cursor, oldest first, or ErrCursorExpired if
// some behind it are gone or it belongs to another log.
func (v *View) Events(q EventQuery) (EventPage, error) {
	if q.Limit <= 0 || q.Limit > PageMax {
		q.Limit = PageMax
	}
	oldest, newest, err := v.logEnds()
	if err != nil {
		return EventPage{}, err
	}
	page := EventPage{Oldest: oldest}
	if q.After == (Cursor{}) {
		q.After = page.Oldest
	}
	if q.After.Epoch != newest.Epoch || q.After.Sequence < page.Oldest.Sequence || q.After.Sequence > newest.Sequence {
		return EventPage{Oldest: page.Oldest, Cursor: newest}, ErrCursorExpired
	}
	page.Cursor = q.After
	if err := v.scanEvents(&q, &page); err != nil {
		return EventPage{}, dbError("read events", err)
	}
	page.More = page.Cursor.Sequence < newest.Sequence
	return page, nil
}

// scanEvents reads rows from the one that holds the cursor on.
func (v *View) scanEvents(eq *EventQuery, page *EventPage) error {
	q := v.c.query(`SELECT seq, count, at, type, contact, conversation, ref, first, code FROM events
		WHERE seq >= coalesce((SELECT max(seq) FROM events WHERE seq <= ?), 0) ORDER BY seq LIMIT ?`)
	q.bindUint(eq.After.Sequence).bindInt(eventScanMax)
	for room := uint64(eq.Limit); room > 0 && q.next(); {
		l := Logged{First: Cursor{eq.After.Epoch, q.uint()}}
		l.Event.Count, l.At, l.Event.Type = q.uint(), q.int(), protocol.EventType(q.text())
		l.Event.Contact, l.Event.Conversation, l.Event.Ref = q.id(), q.id(), q.id()
		l.Event.First, l.Event.Code = q.uint(), q.text()
		if l.Last().Sequence <= eq.After.Sequence {
			continue
		}
		if seen := eq.After.Sequence + 1; l.First.Sequence < seen {
			l.skip(seen - l.First.Sequence)
		}
		if eq.matches(&l.Event) {
			l.Event.Count = min(l.Event.Count, room)
			room -= l.Event.Count
			page.Events = append(page.Events, l)
		}
		page.Cursor = l.Last()
	}
	return q.done()
}

// skip leaves out the first n events of a row.
func (l *Logged) skip(n uint64) {
	l.First.Sequence += n
	l.Event.Count -= n
	l.Event.First += n
}

func (q *EventQuery) matches(e *protocol.Event) bool {
	if len(q.Conversations) > 0 && e.Conversation != (protocol.ConversationID{}) &&
		!slices.Contains(q.Conversations, e.Conversation) {
		return false
	}
	return len(q.Types) == 0 || slices.ContainsFunc(q.Types, func(t string) bool {
		if family, ok := strings.CutSuffix(t, "*"); ok {
			return strings.HasPrefix(string(e.Type), family)
		}
		return string(e.Type) == t
	})
}

// Consumer is a named reader of the log whose place is kept for it.
type Consumer struct {
	Name   string
	Owner  string // the token that made it; "" = the user
	Cursor Cursor
	At     int64 // of the last acknowledgement
}

// PutConsumer makes a consumer or moves it; key Name. Cursor.Epoch must be the
// log's. Who moves it does not become its Owner.
type PutConsumer struct {
	Name   string
	Owner  string
	Cursor Cursor
}

func (r PutConsumer) put(w *writer, now int64) error {
	return w.c.query(`INSERT INTO consumers(name, owner, seq, at) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET seq = excluded.seq, at = excluded.at`).
		bindText(r.Name).bindText(r.Owner).bindUint(r.Cursor.Sequence).bindInt(now).run()
}

// EraseConsumer forgets a consumer.
type EraseConsumer struct{ Name string }

func (r EraseConsumer) put(w *writer, _ int64) error {
	return w.c.query(`DELETE FROM consumers WHERE name = ?`).bindText(r.Name).run()
}

// Consumers returns all consumers by name.
func (v *View) Consumers() ([]Consumer, error) {
	epoch, err := getMeta(v.c, metaEventEpoch)
	if err != nil {
		return nil, err
	}
	var all []Consumer
	q := v.c.query(`SELECT name, owner, seq, at FROM consumers ORDER BY name`)
	for q.next() {
		all = append(all, Consumer{Name: q.text(), Owner: q.text(), Cursor: Cursor{uint64(epoch), q.uint()}, At: q.int()})
	}
	if err := q.done(); err != nil {
		return nil, fmt.Errorf("read consumers: %w", err)
	}
	return all, nil
}
