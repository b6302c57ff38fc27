package outbox

import (
	"cmp"
	"slices"
	"time"
)

// Item is one content on its way to a contact.
type Item struct {
	Message  [16]byte // the message in the history, or zero for an inline content
	Sequence uint64   // of a message; of an inline content, its place among them, 0 = none
	Size     int      // bytes of Content; about so many if that is nil and was sealed in an earlier run
	Content  []byte   // nil = in the history, must be fetched
	// About is zero for a message and set for an operation: to the message without which
	// it means nothing, or to itself if it outlives that.
	About [16]byte
	// Part is set for a part of a small file: its Message is zero, and its Content is made of
	// the file when it is needed. Parts never wait here: who queues them puts each into an
	// envelope of its own.
	Part Part
	// Shared is of a group: its Message is the name of something that lies here once for all members,
	// and it has no place among the messages of the two. It waits in memory only. Of a message of ours Sequence is the
	// number in the group, and About its conversation.
	Shared bool
}

// Inline reports whether the content is no message: then Content is never nil but of a part.
func (i Item) Inline() bool { return i.Message == [16]byte{} }

// place is where the content stands among the messages of the two; 0: in front of them.
func (i Item) place() uint64 {
	if i.Shared {
		return 0
	}
	return i.Sequence
}

// ours reports whether the content is a message, or an operation, of the contact's conversation.
func (i Item) ours() bool { return !i.Inline() && !i.Shared }

// Entry is one sealed envelope that is not acknowledged.
type Entry struct {
	Session  [32]byte
	Index    uint32
	Envelope []byte // all of the frame but the contents, encoded
	Frame    []byte // nil = must be rebuilt from Envelope and the contents
	Items    []Item // Content is nil but for inline contents

	acked bool // beyond a gap: sent again on a new path only
	tries int
	next  time.Time // when it is sent again on the live path; zero = at once

	sealedAt time.Time // zero = not known
	restored bool      // from an earlier run
	copies   []Copy    // at couriers
	damaged  bool      // what it carries cannot be read
	passed   bool      // the peer has got later ones and not this, which was held against couriers
}

// Acknowledged reports whether the peer has the envelope, beyond a gap.
func (e *Entry) Acknowledged() bool { return e.acked }

// Messages returns how many of its contents are messages of the history.
func (e *Entry) Messages() int { return messages(e.Items) }

func messages(items []Item) (n int) {
	for _, it := range items {
		if it.ours() && it.About == [16]byte{} {
			n++
		}
	}
	return n
}

// Queue is the outbox of one contact.
type Queue struct {
	waiting     []Item
	sealed      []*Entry // by order of sealing
	cachedBytes int      // of waiting contents of messages and of frames
	fetching    bool
	rebuilding  []*Entry // what the fetch under way is for

	fetchingParts bool
}

// Empty reports whether nothing waits and everything is acknowledged.
func (q *Queue) Empty() bool { return len(q.waiting) == 0 && len(q.sealed) == 0 }

// WaitingLen returns how many contents no envelope carries yet.
func (q *Queue) WaitingLen() int { return len(q.waiting) }

// Overflows reports whether more waits than one envelope takes that holds so many
// content bytes. Its cost is bounded by what one envelope takes.
func (q *Queue) Overflows(limit int) bool {
	total := 0
	for n, it := range q.waiting {
		if total += it.Size; total > limit || n == ItemsMax {
			return true
		}
	}
	return false
}

// AtHand reports whether the contents are in memory that one envelope takes which holds
// so many bytes.
func (q *Queue) AtHand(limit int) bool {
	total := 0
	for n, it := range q.waiting {
		if total += it.Size; n > 0 && total > limit || n == ItemsMax {
			break
		}
		if it.Content == nil {
			return false
		}
	}
	return true
}

// WaitingMessages returns how many messages no envelope carries yet.
func (q *Queue) WaitingMessages() int { return messages(q.waiting) }

// SealedLen returns how many envelopes are not acknowledged.
func (q *Queue) SealedLen() int { return len(q.sealed) }

// Push appends a content; an inline one that has a place among the messages goes
// there, so that the peer never sees more gaps than there are. The queue may forget
// the bytes of a message's content.
func (q *Queue) Push(it Item) {
	at := len(q.waiting)
	if it.Inline() && it.Sequence > 0 {
		if i := slices.IndexFunc(q.waiting, func(w Item) bool { return w.place() > it.Sequence }); i >= 0 {
			at = i
		}
	}
	q.waiting = slices.Insert(q.waiting, at, q.cache(it))
}

// PushFront puts contents before all that wait, in the order given: they come
// from a session that is over.
func (q *Queue) PushFront(items []Item) {
	cached := make([]Item, 0, len(items)+len(q.waiting))
	for _, it := range items {
		cached = append(cached, q.cache(it))
	}
	q.waiting = append(cached, q.waiting...)
}

func (q *Queue) cache(it Item) Item {
	if it.Inline() || it.Content == nil {
		return it
	}
	if q.cachedBytes+it.Size > CacheBytesMax {
		it.Content = nil
		return it
	}
	q.cachedBytes += it.Size
	return it
}

// Take removes and returns the contents of the next envelope: as many from the
// front as fit into one of sizes (the content bytes that each envelope size
// holds, ascending), and no more than ItemsMax. It takes the size that wastes least:
// what does not fill half of a size goes into the size below and the rest into the
// next envelope. It returns nil if nothing waits or the first content must be fetched.
func (q *Queue) Take(sizes []int) []Item {
	total, n := 0, 0
	limit := sizes[len(sizes)-1]
	for n < min(len(q.waiting), ItemsMax) && q.waiting[n].Content != nil && total+q.waiting[n].Size <= limit {
		total += q.waiting[n].Size
		n++
	}
	i, _ := slices.BinarySearch(sizes, total)
	if i > 0 && i < len(sizes) && total < sizes[i]/2 {
		for n > 1 && total > sizes[i-1] {
			n--
			total -= q.waiting[n].Size
		}
	}
	if n == 0 {
		return nil
	}
	items := slices.Clone(q.waiting[:n])
	for _, it := range items {
		if !it.Inline() {
			q.cachedBytes -= it.Size
		}
	}
	clear(q.waiting[:n])
	q.waiting = q.waiting[n:]
	return items
}

// Sealed records an envelope that carries items. Its Frame is kept if there is
// room. The first transmission happens now; the next is due after the first
// retry delay.
func (q *Queue) Sealed(e *Entry, now time.Time) {
	for i := range e.Items {
		if !e.Items[i].Inline() || e.Items[i].Part != (Part{}) {
			e.Items[i].Content = nil
		}
	}
	e.tries, e.next, e.sealedAt = 1, now.Add(retryMin), now
	q.sealed = append(q.sealed, e)
	q.keepFrame(e, e.Frame)
}

func (q *Queue) keepFrame(e *Entry, frame []byte) {
	e.Frame = nil
	if q.cachedBytes+len(frame) <= CacheBytesMax {
		e.Frame = frame
		q.cachedBytes += len(frame)
	}
}

// Restore records an envelope that was stored in an earlier run, and was sealed about when
// its contents were written; the zero time is not known.
func (q *Queue) Restore(e *Entry, written time.Time) {
	e.restored, e.sealedAt = true, written
	q.sealed = append(q.sealed, e)
}

// Seals reports whether an envelope is still here.
func (q *Queue) Seals(e *Entry) bool { return slices.Contains(q.sealed, e) }

// Unacknowledged returns the envelopes that the peer has not acknowledged, in the order of
// sealing. The slice is the caller's.
func (q *Queue) Unacknowledged() []*Entry {
	return slices.DeleteFunc(slices.Clone(q.sealed), func(e *Entry) bool { return e.acked })
}

// Remove takes out the envelope with this index of this session.
func (q *Queue) Remove(session [32]byte, index uint32) (*Entry, bool) {
	for i, e := range q.sealed {
		if e.Session == session && e.Index == index {
			q.sealed = slices.Delete(q.sealed, i, i+1)
			q.cachedBytes -= len(e.Frame)
			return e, true
		}
	}
	return nil, false
}

// Acknowledge marks the envelope with this index of this session as acknowledged, and
// returns it if it was not before. It stays until RemoveBelow.
func (q *Queue) Acknowledge(session [32]byte, index uint32) (*Entry, bool) {
	for _, e := range q.sealed {
		if e.Session == session && e.Index == index {
			first := !e.acked
			e.acked = true
			return e, first
		}
	}
	return nil, false
}

// RemoveBelow takes out the envelopes of a session whose index is below one: the peer
// has all of them and everything before.
func (q *Queue) RemoveBelow(session [32]byte, index uint32) {
	q.sealed = slices.DeleteFunc(q.sealed, func(e *Entry) bool {
		if e.Session != session || e.Index >= index {
			return false
		}
		q.cachedBytes -= len(e.Frame)
		return true
	})
}

// RemoveSession takes out all envelopes of a session that is over, in order.
func (q *Queue) RemoveSession(session [32]byte) []*Entry {
	var out []*Entry
	q.sealed = slices.DeleteFunc(q.sealed, func(e *Entry) bool {
		if e.Session != session {
			return false
		}
		q.cachedBytes -= len(e.Frame)
		out = append(out, e)
		return true
	})
	return out
}

// HasSession reports whether an envelope of this session is not acknowledged.
func (q *Queue) HasSession(session [32]byte) bool {
	return slices.ContainsFunc(q.sealed, func(e *Entry) bool { return e.Session == session })
}

// RemoveWaiting takes out a message that no envelope carries yet.
func (q *Queue) RemoveWaiting(message [16]byte) bool {
	i := slices.IndexFunc(q.waiting, func(it Item) bool { return it.Message == message && !it.Inline() })
	if i < 0 {
		return false
	}
	if q.waiting[i].Content != nil {
		q.cachedBytes -= q.waiting[i].Size
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// Sequences returns the sequences of all messages in the queue, in envelopes or not,
// ascending.
func (q *Queue) Sequences() []uint64 {
	var out []uint64
	add := func(items []Item) {
		for _, it := range items {
			if it.ours() {
				out = append(out, it.Sequence)
			}
		}
	}
	add(q.waiting)
	for _, e := range q.sealed {
		add(e.Items)
	}
	slices.Sort(out)
	return out
}

// Message returns the message that has a sequence and is not acknowledged.
func (q *Queue) Message(sequence uint64) (id [16]byte, ok bool) {
	find := func(items []Item) {
		if i := slices.IndexFunc(items, func(it Item) bool { return it.ours() && it.Sequence == sequence }); i >= 0 {
			id, ok = items[i].Message, true
		}
	}
	find(q.waiting)
	for _, e := range q.sealed {
		find(e.Items)
	}
	return id, ok
}

// About returns the operations, in envelopes or not, that mean nothing without a message.
func (q *Queue) About(message [16]byte) (out []Item) {
	add := func(items []Item) {
		for _, it := range items {
			if it.ours() && it.About == message {
				out = append(out, it)
			}
		}
	}
	add(q.waiting)
	for _, e := range q.sealed {
		add(e.Items)
	}
	return out
}

// HasWaiting reports whether a message is among those no envelope carries yet.
func (q *Queue) HasWaiting(message [16]byte) bool {
	return slices.ContainsFunc(q.waiting, func(it Item) bool { return it.Message == message && !it.Inline() })
}

// SharedLen returns how much of groups no envelope carries yet.
func (q *Queue) SharedLen() (n int) {
	for _, it := range q.waiting {
		if it.Shared {
			n++
		}
	}
	return n
}

// RemoveShared takes out of what waits all of groups that drop reports.
func (q *Queue) RemoveShared(drop func(Item) bool) {
	q.waiting = slices.DeleteFunc(q.waiting, func(it Item) bool {
		gone := it.Shared && drop(it)
		if gone && !it.Inline() && it.Content != nil {
			q.cachedBytes -= it.Size
		}
		return gone
	})
}

// RemoveInline takes out the waiting contents that are no messages and that drop
// reports.
func (q *Queue) RemoveInline(drop func(content []byte) bool) {
	q.waiting = slices.DeleteFunc(q.waiting, func(it Item) bool { return it.Inline() && drop(it.Content) })
}

// Progress makes the next retransmission of what is still sealed wait its first
// delay again: the path works.
func (q *Queue) Progress() {
	for _, e := range q.sealed {
		e.tries = 0
	}
}

// AllAtHand reports whether the contents of everything that waits are in memory.
func (q *Queue) AllAtHand() bool {
	return !slices.ContainsFunc(q.waiting, func(it Item) bool { return it.Content == nil })
}

// Merge queues messages that do not wait yet, each at the place of its sequence;
// contents that have no place among them stay in front.
func (q *Queue) Merge(items []Item) {
	here := make(map[[16]byte]bool, len(q.waiting))
	for _, it := range q.waiting {
		here[it.Message] = true
	}
	for _, e := range q.sealed {
		for _, it := range e.Items {
			here[it.Message] = true
		}
	}
	for _, it := range items {
		if !here[it.Message] {
			here[it.Message] = true
			q.waiting = append(q.waiting, q.cache(it))
		}
	}
	q.sort()
}

// PutBack queues contents again whose envelopes will not come, each message at the
// place of its sequence; contents that have no place among them stay in front.
func (q *Queue) PutBack(items []Item) {
	q.PushFront(items)
	q.sort()
}

func (q *Queue) sort() {
	slices.SortStableFunc(q.waiting, func(a, b Item) int { return cmp.Compare(a.place(), b.place()) })
}

// TakeWaiting empties the list of what waits and returns it.
func (q *Queue) TakeWaiting() []Item {
	items := q.waiting
	for _, it := range items {
		if !it.Inline() && it.Content != nil {
			q.cachedBytes -= it.Size
		}
	}
	q.waiting = nil
	return items
}

// Carrying returns the envelope that carries a message.
func (q *Queue) Carrying(message [16]byte) (*Entry, bool) {
	for _, e := range q.sealed {
		for _, it := range e.Items {
			if it.Message == message && !it.Inline() {
				return e, true
			}
		}
	}
	return nil, false
}

// Due returns the envelopes whose retransmission on the live path is due, and
// moves their next one away (twice as far each time). A part of a file waits for a while on a
// new path, on which the peer is about to fetch the whole, and comes behind everything else.
func (q *Queue) Due(now time.Time) []*Entry {
	var out []*Entry
	for _, e := range q.sealed {
		if e.acked && !e.next.IsZero() || e.next.After(now) {
			continue
		}
		if e.part() != (Part{}) && e.next.IsZero() {
			e.next = now.Add(partHeld)
			continue
		}
		e.next = now.Add(min(retryMin<<min(e.tries, 10), retryMax))
		e.tries++
		out = append(out, e)
	}
	return partsLast(out)
}

// NextDue returns when the next retransmission is due; zero if none is.
func (q *Queue) NextDue() time.Time {
	var next time.Time
	for _, e := range q.sealed {
		if !e.acked && (next.IsZero() || e.next.Before(next)) {
			next = e.next
		}
	}
	return next
}

// Reconnected makes every envelope due at once: the path is new.
func (q *Queue) Reconnected() {
	for _, e := range q.sealed {
		e.tries, e.next = 0, time.Time{}
	}
}
