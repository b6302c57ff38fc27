package rendezvous

import "time"

// Backoff paces the dials to one contact. The zero value dials at once.
type Backoff struct {
	pauses   int // that were made since the pace was cleared: each is longer than the last
	tries    int // that failed since the contact last proved itself
	next     time.Time
	hastened time.Time // when somebody else than we had the next dial come sooner
}

// Next returns when the next dial may happen; zero means now.
func (b *Backoff) Next() time.Time { return b.next }

// Failed moves the next dial away: twice as far each time, at most 15 minutes,
// less up to a quarter by jitter (a random byte) so that contacts that went
// off together are not tried together.
func (b *Backoff) Failed(now time.Time, jitter byte) {
	b.tries++
	d := b.pause()
	d -= d / 4 * time.Duration(jitter) / 256
	b.pauses++
	b.next = now.Add(d)
}

func (b *Backoff) pause() time.Duration { return min(backoffMin<<min(b.pauses, 20), backoffMax) }

// Proved takes note that the contact was reached and has proved itself. What was tried
// first is tried first again, but no sooner: to prove itself is cheap for a contact that
// wants to be dialled time and again.
func (b *Backoff) Proved() { b.tries = 0 }

// Ended takes note of the end of the last connection on which the contact had proved
// itself. One that lasted clears the pace; any other counts like a dial that failed.
func (b *Backoff) Ended(now time.Time, lasted time.Duration, jitter byte) {
	if lasted >= pathLasted {
		b.Clear()
		return
	}
	tries := b.tries
	b.Failed(now, jitter)
	b.tries = tries
}

// Fresh reports whether nothing would be dialled sooner if all of this were forgotten: there
// was no failure, or none for long.
func (b *Backoff) Fresh(now time.Time) bool {
	return b.pauses == 0 || !now.Before(b.next.Add(backoffMax))
}

// Hold moves the next dial to a time: until then the contact is expected to be heard of
// on a connection that stands.
func (b *Backoff) Hold(until time.Time) { b.next = until }

// Again lets the next dial happen now and keeps the count of failures.
func (b *Backoff) Again() { b.next = time.Time{} }

// Hasten has the next dial come at once, because of something that the contact did, and
// reports whether it does: once in as long as the pause is, and in HastenEvery.
func (b *Backoff) Hasten(now time.Time) bool {
	if now.Sub(b.hastened) < max(HastenEvery, b.pause()) && !now.Before(b.hastened) {
		return false
	}
	b.hastened = now
	b.next = time.Time{}
	return true
}

// Clear forgets the failures: the machine woke up, our own addresses changed, the contact
// was here for a while, or the user asks.
func (b *Backoff) Clear() { *b = Backoff{hastened: b.hastened} }

// Tries returns how many dials failed in a row.
func (b *Backoff) Tries() int { return b.tries }
