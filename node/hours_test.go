package node_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"pabal/node/api"
)

// TestHoursOfTheDay has people meet, leave mail with a courier, and be off and on again, by clocks
// at hours of the UTC day at which keys may change: midnight and the ends of the hours around it
// over which everybody's change is spread. Each clock is past the full hour when they are on again.
func TestHoursOfTheDay(t *testing.T) {
	hours := []time.Duration{24, 3, 21, 12}
	if testing.Short() {
		hours = hours[:1]
	}
	for _, full := range hours {
		clock := newShiftedClock(full*time.Hour - time.Minute)
		t.Run(clock.now().Format("15:04"), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			mina, jiwoo, hana := newPersonAt(t, "Mina", clock.now), newPersonAt(t, "Jiwoo", clock.now), newPersonAt(t, "Hana", clock.now)
			minaAtHana := befriend(ctx, mina, hana)
			minaAtJiwoo := befriend(ctx, mina, jiwoo)
			must[api.Courier](t)(hana.OfferCourier(ctx, api.CourierRequest{ContactID: minaAtHana.ID}))
			mina.until(ctx, func() bool {
				all := must[[]api.Courier](t)(mina.Couriers(ctx))
				return len(all) == 1 && all[0].Ready && all[0].Takes != nil && all[0].Takes.Mailboxes == 1
			})
			send := func(from *person, to, text, state string) (id string) {
				t.Helper()
				m := must[api.Message](t)(from.SendToContact(ctx, to, api.MessageRequest{Text: text}, api.SendOptions{Wait: state, Timeout: api.WaitMax}))
				if m.Status.State != state {
					t.Fatalf("at %v %q is %s", clock.now().Format(time.TimeOnly), text, m.Status.State)
				}
				return *m.ID
			}
			send(jiwoo, minaAtJiwoo.ID, "before the hour", api.StateDelivered)
			mina.end()
			waits := send(jiwoo, minaAtJiwoo.ID, "left with the courier", api.StateCarried)
			jiwoo.end()
			clock.forward(2 * time.Minute)
			mina.start() // only the courier, who was on all the time, has what waits
			jiwooAtMina := mina.onlyOf(ctx, "Jiwoo")
			mina.until(ctx, func() bool { return len(mina.texts(ctx, jiwooAtMina)) == 2 })
			jiwoo.start()
			jiwoo.until(ctx, func() bool {
				return must[api.Message](t)(jiwoo.Message(ctx, waits)).Status.State == api.StateDelivered
			})
			send(jiwoo, minaAtJiwoo.ID, "behind the hour", api.StateDelivered)
			send(mina, jiwooAtMina, "indeed", api.StateDelivered)
			hana.end()
			hana.start()
			send(hana, minaAtHana.ID, "I am on again", api.StateDelivered)
			nari := newPersonAt(t, "Nari", clock.now)
			send(nari, befriend(ctx, mina, nari).ID, "somebody new", api.StateDelivered)
		})
	}
}

// onlyOf returns the contact with a name.
func (p *person) onlyOf(ctx context.Context, name string) string {
	p.t.Helper()
	for _, c := range must[[]api.Contact](p.t)(p.Contacts(ctx, api.ContactQuery{})) {
		if c.Name == name {
			return c.ID
		}
	}
	p.t.Fatalf("%s does not know %s", p.config.Profile, name)
	return ""
}

// shiftedClock goes as the machine's does, and shows another time.
type shiftedClock struct{ by atomic.Int64 }

// newShiftedClock returns a clock that shows a time of tomorrow, UTC, now.
func newShiftedClock(sinceMidnight time.Duration) *shiftedClock {
	now := time.Now()
	c := new(shiftedClock)
	c.forward(now.UTC().Truncate(24 * time.Hour).Add(24*time.Hour + sinceMidnight).Sub(now))
	return c
}

func (c *shiftedClock) now() time.Time          { return time.Now().Add(time.Duration(c.by.Load())) }
func (c *shiftedClock) forward(d time.Duration) { c.by.Add(int64(d)) }
