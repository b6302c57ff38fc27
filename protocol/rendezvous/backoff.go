package rendezvous

import "time"

// Backoff paces the dials to one contact. The zero value dials at once.
type Backoff struct {
	tries int
	next  time.Time
}

// Next returns when the next dial may happen; zero means now.
func (b *Backoff) Next() time.Time { return b.next }

// Failed moves the next dial away: twice as far each time, at most 15 minutes,
// less up to a quarter by jitter (a random byte) so that contacts that went
// off together are not tried together.
func (b *Backoff) Failed(now time.Time, jitter byte) {
	d := min(backoffMin<<min(b.tries, 20), backoffMax)
	d -= d / 4 * time.Duration(jitter) / 256
	b.tries++
	b.next = now.Add(d)
}

// Hold moves the next dial to a time: until then the contact is expected to be heard of
// on a connection that stands.
func (b *Backoff) Hold(until time.Time) { b.next = until }

// Again lets the next dial happen now and keeps the count of failures.
func (b *Backoff) Again() { b.next = time.Time{} }

// Clear forgets the failures: the machine woke up, the address changed, the
// contact was here, or the user asks.
func (b *Backoff) Clear() { *b = Backoff{} }

// Tries returns how many dials failed in a row.
func (b *Backoff) Tries() int { return b.tries }
