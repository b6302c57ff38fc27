package store

import (
	"encoding/binary"
	"fmt"
	"math"

	"pabal/protocol"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

const (
	contentMessage = 0 // an id of 16 bytes and a sequence follow
	contentInline  = 1 // a length and bytes follow

	contentOperation = 2 // as a message, and an id of 16 bytes

	contentShared = 4 // as an operation: a name, a number, a conversation

	contentPart = 3 // as a message, of the manifest, and the places of file and part, a byte each
)

func (w *writer) putMessage(m *protocol.PutMessage) error {
	conversation, err := w.conversation(m.Conversation)
	if err != nil {
		return err
	}
	if m.Doubted {
		known, err := w.known(conversation, m)
		if err != nil || known {
			return err
		}
	}
	q := w.c.query(`INSERT INTO messages(seq, id, client, conversation, position, direction, sequence, sent_at, at,
		expires_at, from_read, verification, state, code, content, wire, sender) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', ?, ?, ?)
		ON CONFLICT (id) DO NOTHING`)
	w.counts.message++
	q.bindInt(w.counts.message).bindBlob(m.ID[:]).bindSparse(m.ClientID).bindInt(conversation)
	q.bindUint(m.Position).bindInt(int64(m.Direction)).bindUint(m.Sequence).bindInt(m.SentAt).bindInt(m.At)
	q.bindInt(m.ExpiresAt).bindInt(fromRead(m)).bindText(string(m.Verification))
	before := w.c.db.TotalChanges()
	if err := q.bindBlob(m.Content).bindID(m.Wire).bindID(m.Sender).run(); err != nil || w.c.db.TotalChanges() == before { // it is there already
		return err
	}
	if m.Direction == protocol.In {
		if err := w.countUnread(conversation, m.Position); err != nil {
			return err
		}
		if err := w.release(conversation, m.Sequence, m.Wire); err != nil {
			return err
		}
	}
	if err := w.putAttachments(m, w.counts.message); err != nil || m.Direction == protocol.Out {
		return err
	}
	return w.releaseParts(conversation, m.Sequence, m.Wire)
}

// known reports whether a message is here under another sequence, or was and is remembered as
// erased. What waited for the sequence finds it, or goes.
func (w *writer) known(conversation int64, m *protocol.PutMessage) (bool, error) {
	known, err := w.here(conversation, m.Wire)
	found := m.Wire
	if err == nil && !known {
		known, err = w.c.buried(graveOf(&w.graves, m.Wire))
		found = [16]byte{}
	}
	if err != nil || !known {
		return false, err
	}
	if err := w.release(conversation, m.Sequence, found); err != nil {
		return true, err
	}
	return true, w.releaseParts(conversation, m.Sequence, found)
}

// fromRead returns the seconds of an incoming message's timer if it starts only
// when the message is read, else 0.
func fromRead(m *protocol.PutMessage) int64 {
	if m.Direction != protocol.In {
		return 0
	}
	content, _, err := wire.DecodeContent(m.Content)
	if err != nil || content.Timer == nil || content.Timer.Mode != wire.TimerFromRead {
		return 0
	}
	return int64(content.Timer.Seconds)
}

// conversation returns the key of a conversation. The row may come later in the
// same batch: then an empty one is made, which it fills.
func (w *writer) conversation(id protocol.ConversationID) (int64, error) {
	if key, ok := w.conversations[id]; ok {
		return key, nil
	}
	if err := w.putConversation(&protocol.PutConversation{ID: id}); err != nil {
		return 0, err
	}
	return w.conversations[id], nil
}

// countUnread counts an incoming message that comes, if the user has not read up to its position.
func (w *writer) countUnread(conversation int64, position uint64) error {
	return w.c.query(`UPDATE conversations SET unread = unread + 1 WHERE key = ? AND read_up_to < ?`).
		bindInt(conversation).bindUint(position).run()
}

// countRead counts a message that goes before the user has read up to it.
func (w *writer) countRead(seq int64) error {
	return w.c.query(`UPDATE conversations SET unread = max(unread - 1, 0)
		FROM (SELECT conversation, position FROM messages WHERE seq = ? AND direction = 1 AND state <> 'deleted') AS m
		WHERE conversations.key = m.conversation AND conversations.read_up_to < m.position`).bindInt(seq).run()
}

// unreadAbove counts the incoming messages of a conversation above a position, which is to follow.
const unreadAbove = `(SELECT count(*) FROM messages m WHERE m.conversation = conversations.key AND m.direction = 1 AND m.state <> 'deleted' AND m.position > `

// putConversation puts a conversation's row. What is unread is counted where messages come and go, and anew
// when the user has read further.
func (w *writer) putConversation(r *protocol.PutConversation) error {
	q := w.c.query(`INSERT INTO conversations(id, kind, contact, created_at, last_at, last_position, read_up_to, unread,
		own_sequence, sealed_up_to, delivered, carried, peer_read_up_to, timer_mode, timer_seconds, state)
		VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
		kind = excluded.kind, contact = excluded.contact, created_at = excluded.created_at, last_at = excluded.last_at,
		last_position = excluded.last_position, read_up_to = excluded.read_up_to,
		unread = CASE WHEN conversations.read_up_to = excluded.read_up_to THEN conversations.unread ELSE ` + unreadAbove + `excluded.read_up_to) END,
		own_sequence = excluded.own_sequence, sealed_up_to = excluded.sealed_up_to, delivered = excluded.delivered,
		carried = excluded.carried, peer_read_up_to = excluded.peer_read_up_to, timer_mode = excluded.timer_mode,
		timer_seconds = excluded.timer_seconds, state = excluded.state`)
	var timer wire.Timer
	if r.Timer != nil {
		timer = *r.Timer
	}
	q.bindBlob(r.ID[:]).bindText(string(r.Kind)).bindID(r.Contact).bindInt(r.CreatedAt).bindInt(r.LastAt)
	q.bindUint(r.LastPosition).bindUint(r.ReadUpTo).bindUint(r.OwnSequence).bindUint(r.SealedUpTo)
	q.bindBlob(encodeRanges(r.Delivered)).bindBlob(encodeCarried(r.Carried)).bindUint(r.PeerReadUpTo).bindInt(int64(timer.Mode))
	if err := q.bindInt(int64(timer.Seconds)).bindBlob(r.State).run(); err != nil {
		return err
	}
	if _, known := w.conversations[r.ID]; !known {
		w.conversations[r.ID] = w.c.db.LastInsertRowID()
	}
	return nil
}

func (w *writer) putSession(r *protocol.PutSession) error {
	key, err := w.session(sessionID{r.Contact, r.SID})
	if err != nil {
		return err
	}
	return w.c.query(`UPDATE sessions SET state = ? WHERE key = ?`).bindBlob(r.State).bindInt(key).run()
}

// session returns the key of a session, making an empty row if there is none.
func (w *writer) session(id sessionID) (int64, error) {
	if key, ok := w.sessions[id]; ok {
		return key, nil
	}
	q := w.c.query(`INSERT INTO sessions(contact, sid) VALUES (?, ?)`)
	if err := q.bindBlob(id.contact[:]).bindBlob(id.sid[:]).run(); err != nil {
		return 0, err
	}
	w.sessions[id] = w.c.db.LastInsertRowID()
	return w.sessions[id], nil
}

func (w *writer) eraseSession(id sessionID) error {
	key, ok := w.sessions[id]
	if !ok {
		return nil
	}
	if err := w.eraseEnvelopes(key, 0, math.MaxUint32); err != nil {
		return err
	}
	delete(w.sessions, id)
	return w.c.query(`DELETE FROM sessions WHERE key = ?`).bindInt(key).run()
}

func (w *writer) putOutbox(r *protocol.PutOutbox) error {
	key, err := w.session(sessionID{r.Contact, r.SID})
	if err != nil {
		return err
	}
	return w.c.query(`INSERT INTO outbox(session, idx, envelope, contents, stored) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (session, idx) DO UPDATE SET envelope = excluded.envelope, contents = excluded.contents, stored = excluded.stored`).
		bindInt(key).bindInt(int64(r.Index)).bindBlob(r.Envelope).bindBlob(encodeContents(r.Contents)).bindBlob(encodeStored(r.Stored)).run()
}

func (w *writer) eraseOutbox(r *protocol.EraseOutbox) error {
	key, ok := w.sessions[sessionID{r.Contact, r.SID}]
	if !ok {
		return nil
	}
	return w.eraseEnvelopes(key, r.First, r.Last)
}

func (w *writer) eraseEnvelopes(session int64, first, last uint32) error {
	return w.c.query(`DELETE FROM outbox WHERE session = ? AND idx BETWEEN ? AND ?`).
		bindInt(session).bindInt(int64(first)).bindInt(int64(last)).run()
}

func (w *writer) eraseContact(id protocol.ContactID) error {
	for s := range w.sessions {
		if s.contact == id {
			if err := w.eraseSession(s); err != nil {
				return err
			}
		}
	}
	w.scrub = true
	if err := w.bury(id); err != nil {
		return err
	}
	if err := w.erasePicture(id); err != nil {
		return err
	}
	return w.c.query(`DELETE FROM contacts WHERE id = ?`).bindBlob(id[:]).run()
}

func (w *writer) putGap(r *protocol.PutGap) error {
	conversation, err := w.conversation(r.Conversation)
	if err != nil {
		return err
	}
	return w.c.query(`INSERT INTO gaps(conversation, position, count) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET count = excluded.count`).
		bindInt(conversation).bindUint(r.Position).bindUint(r.Count).run()
}

func (w *writer) eraseGap(r *protocol.EraseGap) error {
	return w.c.query(`DELETE FROM gaps WHERE conversation = ? AND position = ?`).
		bindInt(w.conversations[r.Conversation]).bindUint(r.Position).run()
}

func putContact(c *conn, r *protocol.PutContact) error {
	q := c.query(`INSERT INTO contacts(id, conversation, phase, reason, name, alias, account, verification, blocked,
		invite, role, created_at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
		conversation = excluded.conversation, phase = excluded.phase, reason = excluded.reason, name = excluded.name,
		alias = excluded.alias, account = excluded.account, verification = excluded.verification,
		blocked = excluded.blocked, invite = excluded.invite, role = excluded.role, created_at = excluded.created_at, state = excluded.state`)
	q.bindBlob(r.ID[:]).bindID(r.Conversation).bindText(string(r.Phase)).bindText(r.Reason).bindText(r.Name)
	q.bindText(r.Alias).bindBlob(r.Account[:]).bindText(string(r.Verification)).bindBool(r.Blocked)
	return q.bindID(r.Invite).bindText(string(r.Role)).bindInt(r.CreatedAt).bindBlob(r.State).run()
}

func putInvite(c *conn, r *protocol.PutInvite) error {
	q := c.query(`INSERT INTO invites(id, kind, note, ask, uses_left, used, link, created_at, expires_at, revoked_at,
		state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
		kind = excluded.kind, note = excluded.note, ask = excluded.ask, uses_left = excluded.uses_left,
		used = excluded.used, link = excluded.link, created_at = excluded.created_at,
		expires_at = excluded.expires_at, revoked_at = excluded.revoked_at, state = excluded.state`)
	q.bindBlob(r.ID[:]).bindText(string(r.Kind)).bindText(r.Note).bindBool(r.Ask).bindInt(int64(r.UsesLeft))
	q.bindInt(int64(r.Used)).bindText(r.Link).bindInt(r.CreatedAt).bindInt(r.ExpiresAt).bindInt(r.RevokedAt)
	return q.bindBlob(r.State).run()
}

func putRequest(c *conn, r *protocol.PutRequest) error {
	q := c.query(`INSERT INTO requests(id, invite, contact, phase, name, greeting, at, state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
		invite = excluded.invite, contact = excluded.contact, phase = excluded.phase, name = excluded.name,
		greeting = excluded.greeting, at = excluded.at, state = excluded.state`)
	q.bindBlob(r.ID[:]).bindID(r.Invite).bindID(r.Contact).bindText(string(r.Phase)).bindText(r.Name)
	return q.bindText(r.Greeting).bindInt(r.At).bindBlob(r.State).run()
}

// encodeRanges packs ascending ranges as varints: the distance from the end of
// the one before, then the length less one.
func encodeRanges(ranges []protocol.Range) []byte {
	var b []byte
	end := uint64(0)
	for _, r := range ranges {
		b = binary.AppendUvarint(b, r.First-end)
		b = binary.AppendUvarint(b, r.Last-r.First)
		end = r.Last
	}
	return b
}

func decodeRanges(b []byte) (ranges []protocol.Range, err error) {
	end := uint64(0)
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, fmt.Errorf("ranges: %w", ErrDamaged)
		}
		length, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, fmt.Errorf("ranges: %w", ErrDamaged)
		}
		b = b[n+m:]
		ranges = append(ranges, protocol.Range{First: end + gap, Last: end + gap + length})
		end += gap + length
	}
	return ranges, nil
}

// encodeCarried packs the sequences that one, two and three couriers hold: a length in
// front of each list.
func encodeCarried(carried [3][]protocol.Range) []byte {
	var b []byte
	for i := len(carried) - 1; i >= 0; i-- {
		if list := encodeRanges(carried[i]); len(list) > 0 || len(b) > 0 {
			b = append(append([]byte{byte(i)}, binary.AppendUvarint(nil, uint64(len(list)))...), append(list, b...)...)
		}
	}
	return b
}

func decodeCarried(b []byte) (carried [3][]protocol.Range, err error) {
	for len(b) > 0 {
		i := int(b[0])
		size, n := binary.Uvarint(b[1:])
		if i >= len(carried) || n <= 0 || size > uint64(len(b)-1-n) {
			return carried, fmt.Errorf("carried: %w", ErrDamaged)
		}
		end := 1 + n + int(size)
		if carried[i], err = decodeRanges(b[1+n : end]); err != nil {
			return carried, err
		}
		b = b[end:]
	}
	return carried, nil
}

// encodeStored packs where an envelope lies: mailbox 16 ‖ hash 16, each.
func encodeStored(stored []protocol.Stored) []byte {
	var b []byte
	for _, s := range stored {
		b = append(append(b, s.Mailbox[:]...), s.Hash[:]...)
	}
	return b
}

func decodeStored(b []byte) (stored []protocol.Stored, err error) {
	const size = len(wire.MailboxID{}) + len(wire.ItemHash{})
	if len(b)%size != 0 {
		return nil, fmt.Errorf("outbox copies: %w", ErrDamaged)
	}
	for ; len(b) > 0; b = b[size:] {
		stored = append(stored, protocol.Stored{Mailbox: wire.MailboxID(b[:16]), Hash: wire.ItemHash(b[16:size])})
	}
	return stored, nil
}

// encodeContents packs the contents of an envelope: a kind, then an id or a
// length and bytes.
func encodeContents(contents []protocol.OutboxContent) []byte {
	var b []byte
	for _, c := range contents {
		if c.Part != (outbox.Part{}) {
			b = append(append(b, contentPart), c.Part.Message[:]...)
			b = append(binary.AppendUvarint(b, c.Part.Sequence), c.Part.Item, c.Part.Index)
			continue
		}
		if c.Message != (protocol.MessageID{}) {
			kind := byte(contentMessage)
			switch {
			case c.Shared:
				kind = contentShared
			case c.About != ([16]byte{}):
				kind = contentOperation
			}
			b = append(append(b, kind), c.Message[:]...)
			b = binary.AppendUvarint(b, c.Sequence)
			if kind != contentMessage {
				b = append(b, c.About[:]...)
			}
			continue
		}
		b = binary.AppendUvarint(append(b, contentInline), uint64(len(c.Inline)))
		b = append(b, c.Inline...)
	}
	return b
}

func decodeContents(b []byte) (contents []protocol.OutboxContent, err error) {
	for len(b) > 0 {
		var c protocol.OutboxContent
		kind := b[0]
		b = b[1:]
		switch {
		case (kind == contentMessage || kind == contentOperation || kind == contentShared) && len(b) >= len(c.Message):
			b = b[copy(c.Message[:], b):]
			sequence, n := binary.Uvarint(b)
			if n <= 0 || kind != contentMessage && len(b) < n+len(c.About) {
				return nil, fmt.Errorf("outbox contents: %w", ErrDamaged)
			}
			c.Sequence, c.Shared, b = sequence, kind == contentShared, b[n:]
			if kind != contentMessage {
				b = b[copy(c.About[:], b):]
			}
		case kind == contentPart && len(b) >= len(c.Part.Message):
			b = b[copy(c.Part.Message[:], b):]
			sequence, n := binary.Uvarint(b)
			if n <= 0 || len(b) < n+2 {
				return nil, fmt.Errorf("outbox contents: %w", ErrDamaged)
			}
			c.Part.Sequence, c.Part.Item, c.Part.Index = sequence, b[n], b[n+1]
			b = b[n+2:]
		case kind == contentInline:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return nil, fmt.Errorf("outbox contents: %w", ErrDamaged)
			}
			c.Inline = append([]byte(nil), b[n:n+int(size)]...)
			b = b[n+int(size):]
		default:
			return nil, fmt.Errorf("outbox contents: %w", ErrDamaged)
		}
		contents = append(contents, c)
	}
	return contents, nil
}
