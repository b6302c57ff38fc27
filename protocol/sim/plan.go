package sim

import (
	"math/rand/v2"
	"time"
)

// Plan is what a seed decides before anything happens. Intervals are means; zero
// means that it never happens.
type Plan struct {
	Seed  uint64
	Peers int
	Life  time.Duration // until everything is healed

	Talk  time.Duration // between the bursts of messages of one person
	Burst int           // messages in a burst, at most
	Act   time.Duration // between the other things that one person does
	Quiet bool          // nobody removes, blocks, takes back or deletes

	ConnLife  time.Duration // of a connection
	Crash     time.Duration // of one machine
	Restore   time.Duration // of one machine's disk to an older state
	Backups   bool          // which is often that of a backup, without sessions
	Partition time.Duration // of the network
	Clock     time.Duration // of one machine's clock being put wrong or right
	Sleep     time.Duration // of one machine
	Move      time.Duration // of one machine to a new address
	Strangers time.Duration // in all
	Disturb   int           // frames of a hundred that are repeated, and as many damaged, and old ones
	SlowDisk  bool
	LAN       bool          // machines are on local networks, and some let themselves be heard there
	Help      time.Duration // between the times that one person offers a contact to carry mail, or ends it
	Homes     int           // machines beside the people's that are home nodes
	Pair      time.Duration // between the times that one person pairs with a home node
	Shifts    time.Duration // that the first two people are on by turns, never together, until healing; 0 = as they like
	Setback   bool          // one of these two gets an old disk once, when both have met
	Files     time.Duration // between the bundle files that one person makes and hands on
	Forward   time.Duration // between the messages that one person sends on to others
	FullDisk  time.Duration // of one machine's disk having no room for a commit
	Groups    time.Duration // between the things that one person does in groups
	Signals   bool          // people let some contacts know when they write or are here
	DHT       bool          // people let their machines look for each other in a public DHT

	Settle    time.Duration // at the beginning, in which everybody is on, meets the others and offers some of them help; 0 = they meet as they live
	Daily     bool          // people are on at hours of their own, each day; a home node is of one person
	Friends   int           // whom each person meets at first, about; 0 = everybody
	Liars     int           // machines of a hundred that, as couriers, lie or vanish
	ClockMost time.Duration // that a clock is off; 0 = a year

	Check time.Duration // between the full checks; 0 = an hour
	Wake  time.Duration // how often a machine wakes at the least; 0 = wakeEvery

	Mutation Mutation
}

// storm makes a short world in which everything fails all the time.
func (p *Plan) storm(r *rand.Rand) {
	minutes := func(least, most int) time.Duration { return time.Duration(least+r.IntN(most-least)) * time.Minute }
	p.Life = minutes(60, 240)
	p.Talk, p.Act = minutes(1, 10), minutes(5, 30)
	p.ConnLife = time.Duration(1+r.IntN(120)) * time.Second
	p.Crash = minutes(3, 30)
	p.Disturb = 5 + r.IntN(35)
	p.Strangers = minutes(2, 10)
	for _, fault := range []*time.Duration{&p.Restore, &p.Partition, &p.Clock, &p.Sleep, &p.Move, &p.FullDisk} {
		*fault = 0
		if r.IntN(3) == 0 {
			*fault = minutes(15, 60)
		}
	}
}

// long makes a world of months, in which little happens: keys are renewed, what was
// kept for a while is forgotten.
func (p *Plan) long(r *rand.Rand) {
	days := func(least, most int) time.Duration { return time.Duration(least+r.IntN(most-least)) * 24 * time.Hour }
	p.Life, p.Peers, p.Wake = days(35, 110), 2+r.IntN(2), time.Hour
	p.Talk, p.Act = days(1, 8), days(3, 20)
	p.Strangers, p.Disturb = 0, min(p.Disturb, 3)
	for _, fault := range []*time.Duration{&p.Crash, &p.Restore, &p.Partition, &p.Clock, &p.Sleep, &p.Move, &p.FullDisk} {
		if *fault > 0 {
			*fault = days(5, 30)
		}
	}
	if p.Forward > 0 {
		p.Forward = days(2, 12)
	}
}

// old makes a world in which disks are put back to old states again and again, while
// people go on removing, blocking and making up.
func (p *Plan) old(r *rand.Rand) {
	p.Life = time.Duration(3+r.IntN(30)) * time.Hour
	mean := func(n int) time.Duration { return p.Life / time.Duration(2+r.IntN(n)) }
	p.Peers, p.Quiet = 2+r.IntN(2), r.IntN(4) == 0
	p.Talk, p.Act, p.Restore = mean(14), mean(20), mean(4)
	p.Clock, p.Strangers = 0, 0
	if r.IntN(4) == 0 {
		p.Clock = mean(4)
	}
	p.ConnLife = 0
	if r.IntN(2) == 0 {
		p.ConnLife = time.Duration(1+r.IntN(120)) * time.Minute
	}
	for _, fault := range []*time.Duration{&p.Crash, &p.Partition, &p.Sleep, &p.Move, &p.FullDisk} {
		*fault = 0
		if r.IntN(2) == 0 {
			*fault = mean(12)
		}
	}
}

// worldBegin is when every world begins.
var worldBegin = time.Date(2027, 3, 1, 9, 30, 0, 0, time.UTC)

// NewPlan makes the plan of a seed. Most worlds have only some of the faults, so that
// none hides behind another; some have them all.
func NewPlan(seed uint64) Plan {
	r := rand.New(newSource(seed, 1<<32))
	hours := func(least, most int) time.Duration {
		return time.Duration(least*60+r.IntN((most-least)*60)) * time.Minute
	}
	all := r.IntN(8) == 0
	some := func(percent int, d time.Duration) time.Duration {
		if all || r.IntN(100) < percent {
			return d
		}
		return 0
	}
	p := Plan{Seed: seed, Peers: 2 + r.IntN(3), Life: hours(4, 60), Burst: 1 + r.IntN(6)}
	p.Talk = p.Life / time.Duration(4+r.IntN(16))
	p.Act = p.Life / time.Duration(3+r.IntN(8))
	p.Quiet = r.IntN(2) == 0
	p.ConnLife = some(70, hours(0, 3)+5*time.Second)
	p.Crash = some(50, p.Life/time.Duration(1+r.IntN(12)))
	p.Restore = some(25, p.Life/time.Duration(1+r.IntN(3)))
	p.Partition = some(40, p.Life/time.Duration(1+r.IntN(4)))
	p.Clock = some(25, p.Life/time.Duration(1+r.IntN(4)))
	p.Sleep = some(35, p.Life/time.Duration(1+r.IntN(6)))
	p.Move = some(40, p.Life/time.Duration(1+r.IntN(6)))
	p.Strangers = some(50, p.Life/time.Duration(5+r.IntN(20)))
	if all || r.IntN(100) < 40 {
		p.Disturb = 1 + r.IntN(15)
	}
	p.SlowDisk = r.IntN(5) == 0
	if r.IntN(4) == 0 {
		p.FullDisk = p.Life / time.Duration(2+r.IntN(30))
	}
	switch {
	case r.IntN(8) == 0:
		p.storm(r)
	case r.IntN(30) == 0:
		p.long(r)
	case r.IntN(6) == 0:
		p.old(r)
	}
	p.LAN = p.Wake == 0 && rand.New(newSource(seed, 1<<33)).IntN(3) == 0 // not in months: beacons come every two minutes
	if p.Peers > 2 && r.IntN(2) == 0 {
		p.Help = p.Life / time.Duration(4+r.IntN(16))
	}
	if r.IntN(3) == 0 {
		p.Files = p.Life / time.Duration(4+r.IntN(30))
	}
	p.homes(rand.New(newSource(seed, 1<<35)))
	p.DHT = rand.New(newSource(seed, 1<<38)).IntN(4) == 0
	p.Signals = rand.New(newSource(seed, 1<<42)).IntN(3) == 0 && p.Wake == 0
	p.Backups = rand.New(newSource(seed, 1<<40)).IntN(2) == 0
	p.forwards(rand.New(newSource(seed, 1<<41)))
	return p
}

// forwards has people send on what they have got, in most worlds.
func (p *Plan) forwards(r *rand.Rand) {
	if r.IntN(4) > 0 {
		p.Forward = p.Life / time.Duration(3+r.IntN(30))
	}
}

// homes puts home nodes into some worlds.
func (p *Plan) homes(r *rand.Rand) {
	if r.IntN(4) > 0 {
		return
	}
	p.Homes = 1 + r.IntN(2)
	p.Pair = p.Life / time.Duration(3+r.IntN(12))
}

// movers makes a world of few who move all the time, are cut off from each other for long,
// and have nobody who keeps mail: often no address that one knows leads to the other.
func (p *Plan) movers(r *rand.Rand) {
	p.Peers, p.Homes, p.Pair, p.Help, p.Files, p.Wake = 2+r.IntN(2), 0, 0, 0, 0, 0
	p.DHT, p.LAN, p.Clock = true, false, 0
	p.Life = time.Duration(4+r.IntN(6)) * 24 * time.Hour
	p.Talk, p.Act = p.Life/time.Duration(10+r.IntN(20)), p.Life/time.Duration(3+r.IntN(6))
	p.Move, p.Partition = p.Life/time.Duration(2+r.IntN(4)), p.Life/time.Duration(2+r.IntN(3))
	p.Quiet, p.Strangers = true, 0
}

// shifts has the first two people be on by turns, with home nodes, and leaves nothing to
// go wrong but connections that break and frames that are disturbed: what is promised of
// a courier must hold in time.
func (p *Plan) shifts(r *rand.Rand) {
	p.Homes, p.Wake, p.Help = 1+r.IntN(2), 0, 0
	p.Shifts = time.Duration(40+r.IntN(200)) * time.Minute
	p.Life = p.Shifts * time.Duration(14+r.IntN(20))
	p.Talk, p.Pair = p.Life/time.Duration(4+r.IntN(16)), p.Life/time.Duration(3+r.IntN(12))
	p.Quiet, p.Talk = true, max(p.Talk, p.Shifts/2)
	for _, fault := range []*time.Duration{&p.Crash, &p.Restore, &p.Partition, &p.Clock, &p.Sleep, &p.Move, &p.FullDisk} {
		*fault = 0
	}
}

// setback has one of two who are on by turns get an old disk, and time enough for both to
// find out, renew their session and get everything that was lost again.
func (p *Plan) setback(r *rand.Rand) {
	p.shifts(r)
	p.Setback = true
	p.Life = p.Shifts * time.Duration(36+r.IntN(20))
	if p.ConnLife > 0 {
		p.ConnLife = max(p.ConnLife, 10*time.Minute)
	}
}
