package store

import (
	"errors"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// Load returns all that the core keeps in memory: every row but the history.
// Call it before the first Commit, and again to rebuild a core whose batch was
// refused.
func (s *Store) Load() (state protocol.State, err error) {
	err = s.View(func(v *View) error {
		state, err = v.load()
		return err
	})
	return state, err
}

func (v *View) load() (st protocol.State, err error) {
	if st.Self, err = v.Self(); err != nil && !errors.Is(err, ErrNotFound) {
		return st, err
	}
	if st.Contacts, err = v.Contacts(); err != nil {
		return st, err
	}
	if st.Sessions, err = v.sessions(); err != nil {
		return st, err
	}
	if st.Invites, err = v.Invites(); err != nil {
		return st, err
	}
	if st.Requests, err = v.Requests(); err != nil {
		return st, err
	}
	if st.Conversations, err = v.conversations(v.c.query(selectConversation + ` ORDER BY key`)); err != nil {
		return st, err
	}
	if st.Outbox, err = v.outbox(); err != nil {
		return st, err
	}
	if st.Waiting, err = v.waiting(); err != nil {
		return st, err
	}
	if st.Mailboxes, err = v.mailboxes(); err != nil {
		return st, err
	}
	if st.Held, err = v.held(); err != nil {
		return st, err
	}
	if st.Groups, err = v.groups(); err != nil {
		return st, err
	}
	if st.Members, err = v.members(); err != nil {
		return st, err
	}
	st.Shared, err = v.words()
	return st, err
}

func (v *View) sessions() ([]protocol.PutSession, error) {
	return collect(v.c.query(`SELECT contact, sid, state FROM sessions WHERE state IS NOT NULL ORDER BY key`),
		func(q *query) protocol.PutSession {
			r := protocol.PutSession{Contact: q.id()}
			q.array(r.SID[:])
			r.State = q.blob()
			return r
		}, "read sessions")
}

func (v *View) outbox() ([]protocol.PutOutbox, error) {
	var bad error
	all, err := collect(v.c.query(`SELECT s.contact, s.sid, o.idx, o.envelope, o.contents, o.stored
		FROM outbox o JOIN sessions s ON s.key = o.session ORDER BY o.session, o.idx`),
		func(q *query) protocol.PutOutbox {
			r := protocol.PutOutbox{Contact: q.id()}
			q.array(r.SID[:])
			r.Index, r.Envelope = uint32(q.int()), q.blob()
			contents, err := decodeContents(q.blob())
			stored, worse := decodeStored(q.blob())
			r.Contents, r.Stored, bad = contents, stored, errors.Join(bad, err, worse)
			return r
		}, "read outbox")
	return all, errors.Join(err, bad)
}

// waiting returns our messages and operations that no envelope holds.
func (v *View) waiting() ([]protocol.Waiting, error) {
	operations, err := v.waitingOperations()
	if err != nil {
		return nil, err
	}
	messages, err := collect(v.c.query(`SELECT m.id, c.id, m.sequence, length(m.content)
		FROM conversations c CROSS JOIN messages m ON m.conversation = c.key AND m.direction = 0 AND m.sequence > c.sealed_up_to
		WHERE m.state = '' ORDER BY c.key, m.sequence`),
		func(q *query) protocol.Waiting {
			return protocol.Waiting{ID: q.id(), Conversation: q.id(), Sequence: q.uint(), SizeBytes: int(q.int())}
		}, "read waiting messages")
	return append(messages, operations...), err
}

func (v *View) mailboxes() ([]protocol.PutMailbox, error) {
	return collect(v.c.query(`SELECT id, owner, state FROM mailboxes ORDER BY id`), func(q *query) (r protocol.PutMailbox) {
		q.array(r.ID[:])
		r.Owner, r.State = q.id(), q.blob()
		return r
	}, "read mailboxes")
}

// held returns what lies in mailboxes, in the order of deposit, without its bytes.
func (v *View) held() ([]protocol.Held, error) {
	return collect(v.c.query(`SELECT mailbox, hash, number, expires, length(body) FROM held ORDER BY number`), func(q *query) (h protocol.Held) {
		q.array(h.Mailbox[:])
		q.array(h.Hash[:])
		h.Number, h.Expires, h.SizeBytes = q.uint(), q.int(), int(q.int())
		return h
	}, "read what is held")
}

// Held returns items of a mailbox that we keep for others, in this order; those that are
// gone are left out.
func (v *View) Held(mailbox wire.MailboxID, items []wire.ItemHash) (out []wire.Item, err error) {
	for _, hash := range items {
		q := v.c.query(`SELECT type, body FROM held WHERE mailbox = ? AND hash = ?`).bindBlob(mailbox[:]).bindBlob(hash[:])
		found, err := collect(q, func(q *query) wire.Item {
			return wire.Item{Type: wire.Type(q.int()), Body: q.blob()}
		}, "read an item")
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}
