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

	left  int       // times that it was left and not answered
	since time.Time // when the courier said so first; zero = in an earlier run
}

// Mailbox is one in which envelopes of the queue may be left.
type Mailbox struct {
	ID  [16]byte
	Bad bool // what is left there counts only as long as there is no better one
	// NoParts says that no parts of files are left there.
	NoParts bool
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

// copiesBut counts the copies of the envelope, made or on their way, in the mailboxes other
// than m: for a good one those in good ones, and all in all.
func (e *Entry) copiesBut(m Mailbox, all []Mailbox) (counted, whole int) {
	for _, other := range all {
		if other.ID == m.ID || e.copyIn(other.ID) == nil {
			continue
		}
		whole++
		if m.Bad || !other.Bad {
			counted++
		}
	}
	return counted, whole
}

// dueIn returns when the envelope is to be left in one of all mailboxes; zero is at once.
// Without a live path at once, else when the path has been silent for a while; as a third
// copy when the peer has not answered for long; again, as the same bytes, when the courier
// has not answered, and when the peer has not for long. It returns false if it is not to
// be left there.
func (e *Entry) dueIn(m Mailbox, all []Mailbox, live bool) (time.Time, bool) {
	if e.damaged || (live || m.NoParts) && e.part() != (Part{}) {
		return time.Time{}, false
	}
	if c := e.copyIn(m.ID); c != nil {
		if c.Stored {
			return c.At.Add(storedAgain), true
		}
		return c.At.Add(min(leftAgain<<min(c.left-1, leftTwiceMax), leftAgainMax)), true
	}
	switch counted, whole := e.copiesBut(m, all); {
	case whole >= CopiesMax:
		return time.Time{}, false
	case counted >= CopiesUsual:
		return e.sealedAt.Add(thirdAfter), !e.sealedAt.IsZero()
	case live && !e.restored:
		return e.sealedAt.Add(silentAfter), true
	case e.restored:
		return time.Time{}, true
	}
	return e.sealedAt, true
}

// NextCarry returns when the next envelope is to be left in one of some of all mailboxes.
func (q *Queue) NextCarry(live bool, some, all []Mailbox) (next time.Time, ok bool) {
	for _, e := range q.sealed {
		if e.acked {
			continue
		}
		for _, m := range some {
			if at, due := e.dueIn(m, all, live); due && (!ok || at.Before(next)) {
				next, ok = at, true
			}
		}
	}
	return next, ok
}

// CarriedBefore reports whether a courier has held since before a time an envelope that the peer has not
// acknowledged. Of what was left in an earlier run only the time is known when it was written, if that.
func (q *Queue) CarriedBefore(t time.Time) bool {
	return slices.ContainsFunc(q.sealed, func(e *Entry) bool {
		return !e.acked && slices.ContainsFunc(e.copies, func(c Copy) bool {
			since := c.since
			if since.IsZero() {
				since = e.sealedAt
			}
			return c.Stored && !since.IsZero() && since.Before(t)
		})
	})
}

// WantsThird reports whether an envelope is due that has its usual copies already.
func (q *Queue) WantsThird(now time.Time, all []Mailbox) bool {
	return len(all) > CopiesUsual && slices.ContainsFunc(q.sealed, func(e *Entry) bool {
		return !e.acked && slices.ContainsFunc(all, func(m Mailbox) bool {
			counted, _ := e.copiesBut(m, all)
			at, due := e.dueIn(m, all, true)
			return e.copyIn(m.ID) == nil && counted >= CopiesUsual && due && !at.After(now)
		})
	})
}

// ToCarry returns the envelopes that are to be left now in one of all mailboxes, in the
// order of sealing, but parts of files last; with those that the courier has not answered yet there are at most limit.
func (q *Queue) ToCarry(now time.Time, m Mailbox, all []Mailbox, live bool, limit int) []*Entry {
	var out []*Entry
	onTheWay := 0
	for _, e := range q.sealed {
		if e.acked {
			continue
		}
		if at, due := e.dueIn(m, all, live); due && !at.After(now) {
			out = append(out, e)
		} else if c := e.copyIn(m.ID); c != nil && !c.Stored {
			onTheWay++
		}
	}
	return partsLast(out)[:min(len(out), max(limit-onTheWay, 0))]
}

// Left notes that the envelope is on its way into a mailbox. It returns how often it was
// left there and not answered before.
func (q *Queue) Left(e *Entry, mailbox, hash [16]byte, now time.Time) (unanswered int) {
	c := e.copyIn(mailbox)
	if c == nil {
		e.copies = append(e.copies, Copy{Mailbox: mailbox})
		c = &e.copies[len(e.copies)-1]
	}
	c.Hash, c.At = hash, now
	c.left++
	return c.left - 1
}

// Stored notes that a courier has an item on its disk. It returns the envelope if that
// is news.
func (q *Queue) Stored(mailbox, hash [16]byte, now time.Time) *Entry {
	for _, e := range q.sealed {
		if c := e.copyIn(mailbox); c != nil && c.Hash == hash {
			news := !c.Stored
			c.Stored, c.left = true, 0
			if news {
				c.since = now
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

// Passed returns the mailboxes in which envelopes lay that the peer has not got, although
// it has got one of the same session that was sealed later, behind those. Each envelope is
// held against them once.
func (q *Queue) Passed(session [32]byte, index uint32) (mailboxes [][16]byte) {
	later := slices.IndexFunc(q.sealed, func(e *Entry) bool { return e.Session == session && e.Index == index })
	if later < 0 || q.sealed[later].restored {
		return nil
	}
	at := q.sealed[later].sealedAt
	for _, e := range q.sealed[:later] {
		if e.Session != session || e.Index > index || e.acked || e.passed {
			continue
		}
		for _, c := range e.copies {
			if c.Stored && c.since.Add(passedAfter).Before(at) {
				e.passed = true
				mailboxes = append(mailboxes, c.Mailbox)
			}
		}
	}
	return mailboxes
}

// OnlyIn returns the mailbox that alone can have given an envelope to a peer that was never
// on together with us.
func (q *Queue) OnlyIn(session [32]byte, index uint32) (mailbox [16]byte, ok bool) {
	for _, e := range q.sealed {
		if e.Session == session && e.Index == index && len(e.copies) == 1 && e.copies[0].Stored {
			return e.copies[0].Mailbox, true
		}
	}
	return mailbox, false
}

// ClockWentBack has nothing wait for a time that the clock said by mistake.
func (q *Queue) ClockWentBack(now time.Time) {
	for _, e := range q.sealed {
		e.sealedAt = earlier(e.sealedAt, now)
		for i := range e.copies {
			e.copies[i].At, e.copies[i].since = earlier(e.copies[i].At, now), earlier(e.copies[i].since, now)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
