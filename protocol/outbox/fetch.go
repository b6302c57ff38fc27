package outbox

import "slices"

// Fetch returns the messages whose contents must be read from the history:
// those at the front of what waits when sealing stands still for them, and
// those of the given envelopes that have no frame. At most one fetch is under
// way; Fetch returns nil until Fetched ends it. See Reads for what one fetch takes.
func (q *Queue) Fetch(sealing bool, resend []*Entry) [][16]byte {
	if q.fetching {
		return nil
	}
	var ids [][16]byte
	total := 0
	q.rebuilding = nil
	for _, e := range resend {
		if e.Frame != nil || e.part() != (Part{}) || total > FetchBytesMax {
			continue
		}
		q.rebuilding = append(q.rebuilding, e)
		for _, it := range e.Items {
			if !it.Inline() {
				ids = append(ids, it.Message)
				total += it.Size
			}
		}
	}
	for i := 0; sealing && i < len(q.waiting) && total <= FetchBytesMax && len(ids) < FetchMessagesMax; i++ {
		it := q.waiting[i]
		if it.Content != nil {
			continue
		}
		ids = append(ids, it.Message)
		total += it.Size
	}
	q.fetching = len(ids) > 0
	return ids
}

// Reads reports whether the fetch under way is for an envelope, among others.
func (q *Queue) Reads(e *Entry) bool { return q.fetching && slices.Contains(q.rebuilding, e) }

// NeedsFetch reports whether an envelope can be sent again only once its messages have been read
// from the history.
func (e *Entry) NeedsFetch() bool {
	return e.Frame == nil && slices.ContainsFunc(e.Items, func(it Item) bool { return !it.Inline() })
}

// Fetched ends a fetch. contents holds what the history still has. It fills
// waiting contents, drops waiting messages of asked that are gone and returns
// their sequences, and returns the envelopes that it was for, if their contents are
// all at hand and they are still sealed.
func (q *Queue) Fetched(asked [][16]byte, contents map[[16]byte][]byte) (gone []uint64, whole []Whole) {
	q.fetching = false
	missing := make(map[[16]byte]bool)
	for _, id := range asked {
		if contents[id] == nil {
			missing[id] = true
		}
	}
	kept := q.waiting[:0]
	for _, it := range q.waiting {
		switch {
		case it.Content != nil || it.Inline():
		case missing[it.Message]:
			if !it.Shared {
				gone = append(gone, it.Sequence)
			}
			continue
		case contents[it.Message] != nil:
			it.Content = contents[it.Message]
			it.Size = len(it.Content)
			q.cachedBytes += it.Size
		}
		kept = append(kept, it)
	}
	clear(q.waiting[len(kept):])
	q.waiting = kept
	for _, e := range q.rebuilding {
		switch parts := gather(e, contents); {
		case parts == nil:
			q.Damaged(e)
		case q.Seals(e):
			whole = append(whole, Whole{Entry: e, Contents: parts})
		}
	}
	q.rebuilding = nil
	return gone, whole
}

// Whole is an envelope without a frame and all its contents, in order.
type Whole struct {
	Entry    *Entry
	Contents [][]byte
}

// Damaged notes that an envelope cannot be built anew: it is left with no courier until the next
// start, or else it would be read for them again and again.
func (q *Queue) Damaged(e *Entry) { e.damaged = e.Frame == nil }

// Rebuilt keeps the frame of an envelope that was built anew, if there is room.
func (q *Queue) Rebuilt(e *Entry, frame []byte) {
	e.damaged = false
	q.keepFrame(e, frame)
}

func gather(e *Entry, contents map[[16]byte][]byte) [][]byte {
	if e.Frame != nil {
		return nil
	}
	parts := make([][]byte, 0, len(e.Items))
	for _, it := range e.Items {
		c := it.Content
		if !it.Inline() {
			c = contents[it.Message]
		}
		if c == nil {
			return nil
		}
		parts = append(parts, c)
	}
	return parts
}
