package store

import (
	"errors"

	"pabal/protocol"
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
	st.Waiting, err = v.waiting()
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
	all, err := collect(v.c.query(`SELECT s.contact, s.sid, o.idx, o.envelope, o.contents
		FROM outbox o JOIN sessions s ON s.key = o.session ORDER BY o.session, o.idx`),
		func(q *query) protocol.PutOutbox {
			r := protocol.PutOutbox{Contact: q.id()}
			q.array(r.SID[:])
			r.Index, r.Envelope = uint32(q.int()), q.blob()
			contents, err := decodeContents(q.blob())
			r.Contents, bad = contents, errors.Join(bad, err)
			return r
		}, "read outbox")
	return all, errors.Join(err, bad)
}

// waiting returns our messages that no envelope holds.
func (v *View) waiting() ([]protocol.Waiting, error) {
	return collect(v.c.query(`SELECT m.id, c.id, m.sequence, length(m.content)
		FROM conversations c CROSS JOIN messages m ON m.conversation = c.key AND m.direction = 0 AND m.sequence > c.sealed_up_to
		WHERE m.state = '' ORDER BY c.key, m.sequence`),
		func(q *query) protocol.Waiting {
			return protocol.Waiting{ID: q.id(), Conversation: q.id(), Sequence: q.uint(), SizeBytes: int(q.int())}
		}, "read waiting messages")
}
