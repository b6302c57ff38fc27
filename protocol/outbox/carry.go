package outbox

import (
	"slices"
	"time"
)

// Copy is an envelope as it lies in a mailbox of a courier, or is on its way there.
type Copy struct {
	Mailbox [16]byte
	Hash    [16]byte
	Stored  bool // the courier has said so
	At      time.Time

	left int // times that it was left and not answered
}

// StoredIn reports whether a courier has said that it holds the envelope in a mailbox.
func (e *Entry) StoredIn(mailbox [16]byte) bool {
	c := e.copyIn(mailbox)
	return c != nil && c.Stored
}

// Copies returns where the envelope is, or is on its way to. The slice is the caller's.
func (e *Entry) Copies() []Copy { return slices.Clone(e.copies) }

// RestoreCopy notes that the envelope was in a mailbox in an earlier run. Whether it
// still is there is asked at once, by leaving it again.
func (e *Entry) RestoreCopy(mailbox, hash [16]byte) {
	e.copies = append(e.copies, Copy{Mailbox: mailbox, Hash: hash, Stored: true})
}

func (e *Entry) copyIn(mailbox [16]byte) *Copy {
	i := slices.IndexFunc(e.copies, func(c Copy) bool { return c.Mailbox == mailbox })
	if i < 0 {
		return nil
	}
	return &e.copies[i]
}

// dueIn returns when the envelope is to be left in a mailbox: without a live path at
// once, else when the path has been silent for a while; again, as the same bytes, when
// the courier has not answered, and when the peer has not for long.
func (e *Entry) dueIn(mailbox [16]byte, live bool) time.Time {
	c := e.copyIn(mailbox)
	switch {
	case c == nil && live:
		return e.sealedAt.Add(silentAfter)
	case c == nil:
		return e.sealedAt
	case c.Stored:
		return c.At.Add(storedAgain)
	}
	return c.At.Add(min(leftAgain<<min(c.left-1, leftTwiceMax), leftAgainMax))
}

// NextCarry returns when the next envelope is to be left in one of these mailboxes; zero
// if none is.
func (q *Queue) NextCarry(live bool, mailboxes [][16]byte) time.Time {
	var next time.Time
	for _, e := range q.sealed {
		if e.acked {
			continue
		}
		for _, m := range mailboxes {
			if at := e.dueIn(m, live); next.IsZero() || at.Before(next) {
				next = at
			}
		}
	}
	return next
}

// ToCarry returns the envelopes that are to be left in a mailbox now, in the order of
// sealing; with those that the courier has not answered yet there are at most limit.
func (q *Queue) ToCarry(now time.Time, mailbox [16]byte, live bool, limit int) []*Entry {
	var out []*Entry
	onTheWay := 0
	for _, e := range q.sealed {
		c := e.copyIn(mailbox)
		switch {
		case e.acked:
		case !e.dueIn(mailbox, live).After(now):
			out = append(out, e)
		case c != nil && !c.Stored:
			onTheWay++
		}
	}
	return out[:min(len(out), max(limit-onTheWay, 0))]
}

// Left notes that the envelope is on its way into a mailbox.
func (q *Queue) Left(e *Entry, mailbox, hash [16]byte, now time.Time) {
	c := e.copyIn(mailbox)
	if c == nil {
		e.copies = append(e.copies, Copy{Mailbox: mailbox})
		c = &e.copies[len(e.copies)-1]
	}
	c.Hash, c.At = hash, now
	c.left++
}

// Stored notes that a courier has an item on its disk. It returns the envelope if that
// is news.
func (q *Queue) Stored(mailbox, hash [16]byte) *Entry {
	for _, e := range q.sealed {
		if c := e.copyIn(mailbox); c != nil && c.Hash == hash {
			news := !c.Stored
			c.Stored, c.left = true, 0
			if news {
				return e
			}
			return nil
		}
	}
	return nil
}

// Unanswered forgets what is on its way into a mailbox: the courier was lost, or refused.
func (q *Queue) Unanswered(mailbox [16]byte) {
	for _, e := range q.sealed {
		e.copies = slices.DeleteFunc(e.copies, func(c Copy) bool { return c.Mailbox == mailbox && !c.Stored })
	}
}
