package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// View is one consistent state of the store, with a cursor that says which. It
// is valid inside the function that [Store.View] calls, in its goroutine.
type View struct{ c *conn }

// View calls fn with the state of the store as it is now; commits meanwhile do
// not show. Only one View runs at a time, so fn must be short and must not call
// View or Commit. If a deletion must wait for it longer than ReadMax, the view
// is broken off and fn is called again: it must not add to what an earlier call
// left. What fn returns is returned.
func (s *Store) View(fn func(*View) error) error {
	start := time.Now()
	for {
		err := s.reader.view(fn)
		if !errors.Is(err, errBrokenOff) || time.Since(start) > readHardMax {
			return err
		}
	}
}

var errBrokenOff = fmt.Errorf("%w: a deletion waits", ErrInterrupted)

func (r *reader) view(fn func(*View) error) (err error) {
	r.Lock()
	defer r.Unlock()
	if r.c == nil {
		return ErrClosed
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), readHardMax, ErrInterrupted)
	defer cancel()
	var broken atomic.Bool
	if !r.setCancel(func() { broken.Store(true); cancel() }) {
		return ErrClosed
	}
	defer r.setCancel(nil)
	r.c.db.SetInterrupt(ctx)
	defer r.c.db.SetInterrupt(context.Background())
	if err := r.c.query("BEGIN").run(); err != nil {
		return dbError("begin read", err)
	}
	defer func() {
		r.c.db.SetInterrupt(context.Background())
		if rerr := r.c.rollback(); err == nil {
			err = dbError("end read", rerr)
		}
		if err != nil && broken.Load() {
			err = errBrokenOff
		}
	}()
	return fn(&View{r.c})
}

// setCancel says how to break off the view that runs from now on, or reports
// false if none may run any more.
func (r *reader) setCancel(cancel context.CancelFunc) bool {
	r.running.Lock()
	defer r.running.Unlock()
	r.cancel = cancel
	if r.hurried && cancel != nil {
		time.AfterFunc(ReadMax, cancel)
	}
	return !r.closing
}

// interrupt breaks off the view that runs now, if any.
func (r *reader) interrupt() {
	r.running.Lock()
	defer r.running.Unlock()
	if r.cancel != nil {
		r.cancel()
	}
}

// seize locks the reader for a scrub. The view that runs gets ReadMax to end, and
// so does each that waited before us.
func (r *reader) seize() {
	r.hurry(true)
	timer := time.AfterFunc(ReadMax, r.interrupt)
	r.Lock()
	timer.Stop()
	r.hurry(false)
}

func (r *reader) hurry(on bool) {
	r.running.Lock()
	defer r.running.Unlock()
	r.hurried = on
}

// stop breaks off the view that runs now and lets no other begin.
func (r *reader) stop() {
	r.running.Lock()
	r.closing = true
	r.running.Unlock()
	r.interrupt()
}

// one turns a missing row into ErrNotFound.
func (v *View) one(found bool, err error, doing string) error {
	if err == nil && !found {
		return ErrNotFound
	}
	return dbError(doing, err)
}

// collect reads all rows of a query.
func collect[T any](q *query, scan func(*query) T, doing string) ([]T, error) {
	var all []T
	for q.next() {
		all = append(all, scan(q))
	}
	if err := q.done(); err != nil {
		return nil, dbError(doing, err)
	}
	return all, nil
}

// Self returns our own row, or ErrNotFound in a profile that was not set up.
func (v *View) Self() (protocol.PutSelf, error) {
	var r protocol.PutSelf
	q := v.c.query(`SELECT name, state FROM self`)
	found := q.next()
	if found {
		r = protocol.PutSelf{Name: q.text(), State: q.blob()}
	}
	return r, v.one(found, q.done(), "read self")
}

const selectContact = `SELECT id, conversation, phase, reason, name, alias, account, verification, blocked, invite,
	role, created_at, state FROM contacts`

// Contacts returns all contacts in the order they were made.
func (v *View) Contacts() ([]protocol.PutContact, error) {
	return collect(v.c.query(selectContact+` ORDER BY key`), scanContact, "read contacts")
}

// Contact returns one contact, or ErrNotFound.
func (v *View) Contact(id protocol.ContactID) (protocol.PutContact, error) {
	var r protocol.PutContact
	q := v.c.query(selectContact + ` WHERE id = ?`).bindBlob(id[:])
	found := q.next()
	if found {
		r = scanContact(q)
	}
	return r, v.one(found, q.done(), "read contact")
}

// ContactName is what a contact is called.
type ContactName struct {
	ID          protocol.ContactID
	Name, Alias string // theirs, ours
}

// ContactNames returns the names of all people.
func (v *View) ContactNames() ([]ContactName, error) {
	return collect(v.c.query(`SELECT id, name, alias FROM contacts WHERE role = '' ORDER BY key`), func(q *query) ContactName {
		return ContactName{q.id(), q.text(), q.text()}
	}, "read names")
}

func scanContact(q *query) protocol.PutContact {
	r := protocol.PutContact{ID: q.id(), Conversation: q.id(), Phase: protocol.ContactPhase(q.text())}
	r.Reason, r.Name, r.Alias = q.text(), q.text(), q.text()
	var account identity.AccountPublic
	q.array(account[:])
	r.Account, r.Verification, r.Blocked = account, protocol.Verification(q.text()), q.bool()
	r.Invite, r.Role, r.CreatedAt, r.State = q.id(), protocol.ContactRole(q.text()), q.int(), q.blob()
	return r
}

const selectInvite = `SELECT id, kind, note, ask, uses_left, used, link, created_at, expires_at, revoked_at, state FROM invites`

// Invites returns all invites in the order they were made.
func (v *View) Invites() ([]protocol.PutInvite, error) {
	return collect(v.c.query(selectInvite+` ORDER BY key`), scanInvite, "read invites")
}

// Invite returns one invite, or ErrNotFound.
func (v *View) Invite(id protocol.InviteID) (protocol.PutInvite, error) {
	var r protocol.PutInvite
	q := v.c.query(selectInvite + ` WHERE id = ?`).bindBlob(id[:])
	found := q.next()
	if found {
		r = scanInvite(q)
	}
	return r, v.one(found, q.done(), "read invite")
}

func scanInvite(q *query) protocol.PutInvite {
	r := protocol.PutInvite{ID: q.id(), Kind: protocol.InviteKind(q.text()), Note: q.text(), Ask: q.bool()}
	r.UsesLeft, r.Used, r.Link = int(q.int()), int(q.int()), q.text()
	r.CreatedAt, r.ExpiresAt, r.RevokedAt, r.State = q.int(), q.int(), q.int(), q.blob()
	return r
}

const selectRequest = `SELECT id, invite, contact, phase, name, greeting, at, state FROM requests`

// Requests returns all incoming requests in the order they came.
func (v *View) Requests() ([]protocol.PutRequest, error) {
	return collect(v.c.query(selectRequest+` ORDER BY key`), scanRequest, "read requests")
}

// Request returns one request, or ErrNotFound.
func (v *View) Request(id protocol.RequestID) (protocol.PutRequest, error) {
	var r protocol.PutRequest
	q := v.c.query(selectRequest + ` WHERE id = ?`).bindBlob(id[:])
	found := q.next()
	if found {
		r = scanRequest(q)
	}
	return r, v.one(found, q.done(), "read request")
}

func scanRequest(q *query) protocol.PutRequest {
	r := protocol.PutRequest{ID: q.id(), Invite: q.id(), Contact: q.id(), Phase: protocol.RequestPhase(q.text())}
	r.Name, r.Greeting, r.At, r.State = q.text(), q.text(), q.int(), q.blob()
	return r
}

const selectConversation = `SELECT id, kind, contact, created_at, last_at, last_position, read_up_to, unread, own_sequence,
	sealed_up_to, delivered, carried, peer_read_up_to, timer_mode, timer_seconds, state FROM conversations`

// Conversations returns at most limit conversations, the one with the newest
// message first; with a nonzero after, those that follow it.
func (v *View) Conversations(after protocol.ConversationID, limit int) ([]protocol.PutConversation, error) {
	if after == (protocol.ConversationID{}) {
		return v.conversations(v.c.query(selectConversation + ` ORDER BY last_at DESC, key DESC LIMIT ?`).
			bindInt(int64(limit)))
	}
	return v.conversations(v.c.query(selectConversation + ` WHERE (last_at, key) <
		(SELECT last_at, key FROM conversations WHERE id = ?) ORDER BY last_at DESC, key DESC LIMIT ?`).
		bindBlob(after[:]).bindInt(int64(limit)))
}

// Conversation returns one conversation, or ErrNotFound.
func (v *View) Conversation(id protocol.ConversationID) (protocol.PutConversation, error) {
	all, err := v.conversations(v.c.query(selectConversation + ` WHERE id = ?`).bindBlob(id[:]))
	if err != nil || len(all) == 0 {
		return protocol.PutConversation{}, v.one(len(all) > 0, err, "read conversation")
	}
	return all[0], nil
}

func (v *View) conversations(q *query) ([]protocol.PutConversation, error) {
	var bad error
	all, err := collect(q, func(q *query) protocol.PutConversation {
		r, err := scanConversation(q)
		bad = errors.Join(bad, err)
		return r
	}, "read conversations")
	return all, errors.Join(err, bad)
}

func scanConversation(q *query) (r protocol.PutConversation, err error) {
	r = protocol.PutConversation{ID: q.id(), Kind: protocol.ConversationKind(q.text()), Contact: q.id()}
	r.CreatedAt, r.LastAt, r.LastPosition, r.ReadUpTo, r.Unread = q.int(), q.int(), q.uint(), q.uint(), q.uint()
	r.OwnSequence, r.SealedUpTo = q.uint(), q.uint()
	delivered, bad := decodeRanges(q.blob())
	r.Delivered = delivered
	r.Carried, err = decodeCarried(q.blob())
	err = errors.Join(bad, err)
	r.PeerReadUpTo = q.uint()
	timer := wire.Timer{Mode: wire.TimerMode(q.int()), Seconds: uint32(q.int())}
	if timer.Mode != 0 {
		r.Timer = &timer
	}
	r.State = q.blob()
	return r, err
}

// Totals counts what a status line shows.
type Totals struct {
	Unread  uint64 // incoming messages that the user has not read
	Waiting uint64 // messages of ours that are not delivered
}

// Totals counts unread and waiting messages.
func (v *View) Totals() (Totals, error) {
	unread, err := v.c.number(`SELECT coalesce(sum(unread), 0) FROM conversations`)
	if err != nil {
		return Totals{}, dbError("count unread", err)
	}
	t := Totals{Unread: uint64(unread)}
	spans, err := v.undelivered()
	if err != nil {
		return Totals{}, err
	}
	for _, s := range spans {
		q := v.c.query(`SELECT count(*) FROM messages WHERE conversation = ? AND direction = 0
			AND sequence BETWEEN ? AND ? AND state = ''`).bindInt(s.conversation).bindUint(s.First).bindUint(s.Last)
		if q.next() {
			t.Waiting += q.uint()
		}
		if err := q.done(); err != nil {
			return Totals{}, dbError("count waiting", err)
		}
	}
	return t, nil
}

// span is a range of own sequences of a conversation that no ack covers.
type span struct {
	conversation int64
	protocol.Range
}

func (v *View) undelivered() ([]span, error) {
	var spans []span
	var bad error
	q := v.c.query(`SELECT key, own_sequence, delivered FROM conversations WHERE own_sequence > 0`)
	for q.next() {
		key, last := q.int(), q.uint()
		delivered, err := decodeRanges(q.blob())
		bad = errors.Join(bad, err)
		for _, r := range missing(delivered, last) {
			spans = append(spans, span{key, r})
		}
	}
	if err := errors.Join(bad, q.done()); err != nil {
		return nil, dbError("read outbox", err)
	}
	return spans, nil
}

// missing returns what of 1..last is not in have, which must be ascending.
func missing(have []protocol.Range, last uint64) (gaps []protocol.Range) {
	next := uint64(1)
	for _, r := range have {
		if r.First > next {
			gaps = append(gaps, protocol.Range{First: next, Last: min(r.First-1, last)})
		}
		next = max(next, r.Last+1)
	}
	if next <= last {
		gaps = append(gaps, protocol.Range{First: next, Last: last})
	}
	return slices.DeleteFunc(gaps, func(r protocol.Range) bool { return r.First > r.Last })
}
