package store

import (
	"errors"

	"pabal/protocol"
)

// Tally counts messages whose text is somewhere.
type Tally struct {
	Messages uint64
	Oldest   int64  // Unix milliseconds
	Fresh    uint64 // that came at or after a time
}

// Holding is what of a conversation lies here and at the contact, for who counts and does
// not read.
type Holding struct {
	Conversation protocol.ConversationID
	Contact      protocol.ContactID // zero: note to self
	Here         Tally
	// There is what of it the contact has as well: what came from there, and what was
	// delivered. What waits or has failed is only here.
	There Tally
}

// Holdings counts the messages of every conversation, and those that came at or after
// since. It looks at every message.
func (v *View) Holdings(since int64) ([]Holding, error) {
	var all []Holding
	var bad error
	at := make(map[int64]int) // place in all, by key
	var delivered []span
	q := v.c.query(`SELECT key, id, contact, delivered FROM conversations ORDER BY key`)
	for q.next() {
		key := q.int()
		at[key] = len(all)
		all = append(all, Holding{Conversation: q.id(), Contact: q.id()})
		ranges, err := decodeRanges(q.blob())
		bad = errors.Join(bad, err)
		for _, r := range ranges {
			delivered = append(delivered, span{key, r})
		}
	}
	if err := errors.Join(bad, q.done()); err != nil {
		return nil, dbError("count messages", err)
	}
	q = v.c.query(`SELECT conversation, direction, count(*), min(at), sum(at >= ?) FROM messages WHERE state <> 'deleted'
		GROUP BY conversation, direction`).bindInt(since)
	for q.next() {
		i, known := at[q.int()]
		incoming := protocol.Direction(q.int()) == protocol.In
		t := scanTally(q)
		if !known { // rows of nothing: a drill finds them
			continue
		}
		all[i].Here.add(t)
		if incoming {
			all[i].There.add(t)
		}
	}
	if err := q.done(); err != nil {
		return nil, dbError("count messages", err)
	}
	for _, s := range delivered {
		q := v.c.query(`SELECT count(*), coalesce(min(at), 0), coalesce(sum(at >= ?), 0) FROM messages WHERE conversation = ?
			AND direction = 0 AND sequence BETWEEN ? AND ? AND state <> 'deleted'`).
			bindInt(since).bindInt(s.conversation).bindUint(s.First).bindUint(s.Last)
		if q.next() {
			all[at[s.conversation]].There.add(scanTally(q))
		}
		if err := q.done(); err != nil {
			return nil, dbError("count delivered", err)
		}
	}
	return all, nil
}

func scanTally(q *query) Tally { return Tally{Messages: q.uint(), Oldest: q.int(), Fresh: q.uint()} }

func (t *Tally) add(more Tally) {
	switch {
	case more.Messages == 0:
		return
	case t.Messages == 0, more.Oldest < t.Oldest:
		t.Oldest = more.Oldest
	}
	t.Messages += more.Messages
	t.Fresh += more.Fresh
}

// HeldItems counts what lies here for others, as sealed as it came.
func (v *View) HeldItems() (uint64, error) {
	n, err := v.c.number(`SELECT count(*) FROM held`)
	return uint64(n), dbError("count held mail", err)
}

// Exported is what was written to files that no deletion reaches, as far as it is still here.
type Exported struct {
	Conversations int
	Tally
}

// Exported counts the messages of conversations that were exported since they came, and those of
// them that came at or after since. It looks at every message of these conversations.
func (v *View) Exported(since int64) (n Exported, err error) {
	q := v.c.query(`SELECT count(DISTINCT f.conversation), count(m.seq), coalesce(min(m.at), 0), coalesce(sum(m.at >= ?), 0) FROM flags f
		LEFT JOIN messages m ON m.conversation = f.conversation AND m.at <= f.value AND m.state <> 'deleted' WHERE f.flag = ?`).
		bindInt(since).bindInt(int64(FlagExported))
	if q.next() {
		n.Conversations = int(q.int())
		n.Tally = scanTally(q)
	}
	return n, dbError("count exported messages", q.done())
}
