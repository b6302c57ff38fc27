package sim

import (
	"math/rand/v2"
	"time"

	"pabal/protocol"
)

// This file is of worlds in which people live as they do: they are on at hours of their
// own, a fifth of them has a home node, friends carry each other's mail, and some of these
// lie or are gone one day.

// NewVillage makes the plan of a village of 3 to 8 people who know each other.
func NewVillage(seed uint64) Plan {
	r := rand.New(newSource(seed, 1<<37))
	p := Plan{
		Seed: seed, Peers: 3 + r.IntN(6), Life: time.Duration(30+r.IntN(60)) * time.Hour,
		Burst: 1 + r.IntN(4), Quiet: r.IntN(2) == 0, SlowDisk: r.IntN(8) == 0,
		Daily: true, ClockMost: 24 * time.Hour,
	}
	for range p.Peers {
		if r.IntN(100) < homeOwners {
			p.Homes++
		}
	}
	p.Talk, p.Act = p.Life/time.Duration(8+r.IntN(24)), p.Life/time.Duration(3+r.IntN(6))
	p.Pair, p.Help = p.Life/6, p.Life/time.Duration(6+r.IntN(20))
	p.misfortunes(r)
	if r.IntN(2) == 0 {
		p.Settle = p.Life / time.Duration(8+r.IntN(8))
	}
	p.DHT = r.IntN(3) == 0
	p.forwards(rand.New(newSource(seed, 1<<41)))
	return p
}

// NewCity makes the plan of a city of that many people, who know some neighbours and some
// others. Everything that can go wrong does for some of them.
func NewCity(seed uint64, people int, life time.Duration) Plan {
	p := Plan{
		Seed: seed, Peers: people, Homes: people * homeOwners / 100, Life: life, Burst: 3, Friends: 4,
		Daily: true, Settle: 3 * time.Hour, ClockMost: 24 * time.Hour, Check: 6 * time.Hour, Liars: 10,
		Talk: 3 * time.Hour, Act: 24 * time.Hour, Help: 3 * time.Hour, Pair: life / 2, Files: 10 * life, Forward: 12 * time.Hour,
		ConnLife: 3 * time.Hour, Crash: 2 * life, Restore: 4 * life, Partition: life / 2, Clock: 6 * life, Sleep: 2 * life,
		Move: life, Strangers: 10 * time.Minute, Disturb: 1, FullDisk: 8 * life,
	}
	return p
}

// misfortunes has some things go wrong in a village, and in one of eight all of them.
func (p *Plan) misfortunes(r *rand.Rand) {
	all := r.IntN(8) == 0
	for _, fault := range []struct {
		mean    *time.Duration
		percent int
		most    int // times in the life of the village, for each machine
	}{
		{&p.ConnLife, 60, 40}, {&p.Crash, 40, 6}, {&p.Restore, 20, 2}, {&p.Partition, 40, 4}, {&p.Clock, 25, 3},
		{&p.Sleep, 30, 5}, {&p.Move, 40, 5}, {&p.Strangers, 30, 20}, {&p.FullDisk, 15, 4}, {&p.Files, 25, 10},
	} {
		mean := p.Life / time.Duration(1+r.IntN(fault.most))
		if chosen := r.IntN(100) < fault.percent; chosen || all {
			*fault.mean = mean
		}
	}
	if all || r.IntN(3) == 0 {
		p.Disturb = 1 + r.IntN(10)
	}
	if all || r.IntN(2) == 0 {
		p.Liars = 10 + r.IntN(50)
	}
	p.LAN = r.IntN(4) == 0
}

// beginFriendships has people meet: each the next ones, going round, and one more.
func (w *World) beginFriendships() {
	people := w.people()
	for i, m := range people {
		met := map[*machine]bool{m: true}
		for next := range w.plan.Friends {
			o := people[(i+1+next)%len(people)]
			if next == w.plan.Friends-1 {
				o = people[w.random.IntN(len(people))]
			}
			if !met[o] {
				met[o] = true
				w.after(w.between(0, w.firstMeetings()), func() { w.introduce(m, o) })
			}
		}
	}
}

// firstMeetings is how long it takes until everybody has met those that they know from the
// beginning on.
func (w *World) firstMeetings() time.Duration {
	if w.plan.Settle > 0 {
		return w.plan.Settle / 3
	}
	return w.plan.Life / 6
}

// settle has people do at the beginning what they do once: each answers those who ask, and
// then offers some of the friends to carry their mail. Nobody is off meanwhile.
func (w *World) settle() {
	if w.plan.Settle == 0 {
		return
	}
	for _, m := range w.people() {
		w.after(w.plan.Settle/2, func() { w.answerAll(m, protocol.PutContact{}) })
		w.after(w.between(w.plan.Settle/2, w.plan.Settle), func() {
			for _, c := range inOrder(m.disk.contacts) {
				if c.Role == protocol.RolePerson && w.chance(helpers) {
					w.offerHelp(m, c)
				}
			}
		})
	}
}

// routine is when somebody is on.
type routine struct {
	on, off time.Duration // each a day, about
	sleeps  bool          // the machine, in place of being switched off
}

// beginDays gives everybody hours. A few are always on.
func (w *World) beginDays() {
	if !w.plan.Daily {
		return
	}
	for _, m := range w.people() {
		if w.chance(alwaysOn) {
			continue
		}
		on := w.between(30*time.Minute, 14*time.Hour)
		m.hours = routine{on: on, off: 24*time.Hour - on, sleeps: w.chance(30)}
		w.after(w.plan.Settle+w.between(0, on), func() { w.evening(m) })
	}
}

// vary returns a duration that is about d.
func (w *World) vary(d time.Duration) time.Duration { return w.between(d-d/4, d+d/4) }

// evening switches somebody's machine off.
func (w *World) evening(m *machine) {
	if w.healing || w.failure != nil || m.gone {
		return
	}
	off := w.vary(m.hours.off)
	if m.hours.sleeps && m.on {
		m.sleep(off)
	} else {
		m.crash()
		m.away = true
	}
	w.after(off, func() { w.morning(m) })
}

func (w *World) morning(m *machine) {
	if w.healing || w.failure != nil || m.gone {
		return
	}
	m.away = false
	m.restart()
	w.after(w.vary(m.hours.on), func() { w.evening(m) })
}
