package outbox

import "slices"

// Part is a part of a file of a message. The zero Part is none.
type Part struct {
	Message  [16]byte // its manifest
	Sequence uint64   // of that
	Item     uint8    // the place of the file in it
	Index    uint8    // of the part
}

// part returns the part of a file that the envelope carries, the zero Part if it is none.
func (e *Entry) part() Part {
	if len(e.Items) != 1 {
		return Part{}
	}
	return e.Items[0].Part
}

// partsLast puts envelopes that carry parts of files behind the others.
func partsLast(entries []*Entry) []*Entry {
	slices.SortStableFunc(entries, func(a, b *Entry) int { return rank(a) - rank(b) })
	return entries
}

func rank(e *Entry) int {
	if e.part() == (Part{}) {
		return 0
	}
	return 1
}

// Parts returns the envelopes that carry parts of files, in the order of sealing; of one
// message, unless that is zero. The slice is the caller's.
func (q *Queue) Parts(message [16]byte) (out []*Entry) {
	for _, e := range q.sealed {
		if p := e.part(); p != (Part{}) && (message == [16]byte{} || p.Message == message) {
			out = append(out, e)
		}
	}
	return out
}

// Part returns the part of a file that the envelope carries, if it carries one.
func (e *Entry) Part() (part Part, ok bool) { return e.part(), e.part() != (Part{}) }

// At returns the envelope that is in a mailbox, or on its way there, under a hash; nil if
// there is none.
func (q *Queue) At(mailbox, hash [16]byte) *Entry {
	for _, e := range q.sealed {
		if c := e.copyIn(mailbox); c != nil && c.Hash == hash {
			return e
		}
	}
	return nil
}

// FetchParts returns the parts of files that must be made: those of the given envelopes that
// have no frame, and of more, as much as one fetch asks for. At most one such fetch is under way;
// FetchParts returns nil until PartsFetched ends it.
func (q *Queue) FetchParts(resend []*Entry, more []Part) (parts []Part) {
	if q.fetchingParts {
		return nil
	}
	for _, e := range resend {
		if p := e.part(); p != (Part{}) && e.Frame == nil && len(parts) < FetchPartsMax {
			parts = append(parts, p)
		}
	}
	parts = append(parts, more[:min(len(more), FetchPartsMax-len(parts))]...)
	q.fetchingParts = len(parts) > 0
	return parts
}

// PartsFetched ends a fetch of parts, of which contents holds what there still is, and returns
// the envelopes without a frame that carry one of these.
func (q *Queue) PartsFetched(contents map[Part][]byte) (whole []Whole) {
	q.fetchingParts = false
	for _, e := range q.sealed {
		if c := contents[e.part()]; c != nil && e.Frame == nil {
			whole = append(whole, Whole{Entry: e, Contents: [][]byte{c}})
		}
	}
	return whole
}

// TakeParts forgets that parts of files are in a mailbox, or on their way there, and returns
// these copies and their envelopes.
func (q *Queue) TakeParts(mailbox [16]byte) (copies []Copy, of []*Entry) {
	for _, e := range q.Parts([16]byte{}) {
		if c := e.copyIn(mailbox); c != nil {
			copies, of = append(copies, *c), append(of, e)
			e.copies = slices.DeleteFunc(e.copies, func(c Copy) bool { return c.Mailbox == mailbox })
		}
	}
	return copies, of
}
