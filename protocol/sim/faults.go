package sim

import (
	"cmp"
	"slices"
	"time"

	"pabal/protocol"
)

// beginFaults schedules what goes wrong.
func (w *World) beginFaults() {
	each := func(mean time.Duration, fault func(*machine)) {
		for _, m := range w.machines {
			w.repeat(mean, func() { fault(m) })
		}
	}
	each(w.plan.Crash, w.crash)
	each(w.plan.Sleep, func(m *machine) { m.sleep(w.about(3 * time.Hour)) })
	each(w.plan.Move, w.move)
	each(w.plan.Clock, w.turnClock)
	each(w.plan.FullDisk, func(m *machine) { m.full = true })
	each(w.plan.Restore, w.restore)
	if w.plan.Restore > 0 {
		each(w.plan.Restore/4, (*machine).keepOld)
	}
	w.repeat(w.plan.Partition, w.split)
}

// repeat lets something happen again and again until healing.
func (w *World) repeat(mean time.Duration, fault func()) {
	if mean == 0 {
		return
	}
	w.after(w.about(mean), func() {
		if w.healing || w.failure != nil {
			return
		}
		fault()
		w.repeat(mean, fault)
	})
}

// crash stops a machine's daemon, for seconds or for long.
func (w *World) crash(m *machine) {
	m.crash()
	d := w.between(time.Second, time.Minute)
	if w.chance(30) {
		d = w.about(4 * time.Hour)
	}
	w.after(d, m.restart)
}

func (w *World) move(m *machine) {
	w.log("%v moves", m)
	w.network.move(m)
	w.network.silence(m)
	for _, e := range m.ends() {
		w.network.closeEnd(e, w.between(0, 30*time.Second))
	}
	if m.on {
		m.after(w.between(0, 5*time.Second), m.tellPlace)
	}
}

// turnClock puts a clock wrong, or right again.
func (w *World) turnClock(m *machine) {
	year := cmp.Or(w.plan.ClockMost, 365*24*time.Hour)
	switch w.random.IntN(8) {
	case 0:
		m.setClock(year)
	case 1:
		m.setClock(-year)
	case 2, 3:
		m.setClock(w.between(-24*time.Hour, 24*time.Hour))
	case 4:
		m.setClock(w.between(-10*time.Minute, 10*time.Minute))
	default:
		m.setClock(0)
	}
}

// restore puts a machine's disk back to an older state, as a backup or a machine
// snapshot does.
func (w *World) restore(m *machine) {
	recent := 0
	for _, at := range m.restores {
		if w.now.Sub(at) < 24*time.Hour {
			recent++
		}
	}
	old, ok := pick(w, m.snapshots)
	if !ok || recent >= restoresPerDayMax {
		return
	}
	w.putBack(m, old)
	w.after(w.between(time.Second, time.Hour), m.restart)
}

// putBack stops a machine and gives it an older disk.
func (w *World) putBack(m *machine, old *disk) {
	m.crash()
	m.restores = append(m.restores, w.now)
	m.epoch++
	w.commits++
	for _, o := range w.machines { // what is excused of others changes, too
		o.touched = true
	}
	w.log("%v RESTORES an old disk", m)
	w.truth.restored(m, old)
	m.disk = old.snapshot()
}

// keepOld keeps a copy of the disk as it is, or makes a backup.
func (m *machine) keepOld() {
	old := m.disk.snapshot()
	if m.w.plan.Backups && m.w.chance(70) {
		var err error
		if old, err = m.disk.backup(m.w.chance(70)); err != nil {
			m.w.fail("%v: %v", m, err)
			return
		}
	}
	if len(m.snapshots) == snapshotsMax {
		m.snapshots = slices.Delete(m.snapshots, 0, 1)
	}
	m.snapshots = append(m.snapshots, old)
}

// split puts the machines on islands for a while: minutes or days.
func (w *World) split() {
	islands := make([]int, len(w.machines))
	for i := range islands {
		islands[i] = w.random.IntN(2 + len(islands)/2)
	}
	w.network.partition(islands)
	d := w.about(30 * time.Minute)
	if w.chance(40) {
		d = w.about(30 * time.Hour)
	}
	w.after(d, func() { w.network.partition(make([]int, len(w.machines))) })
}

// diskDelay is how long a commit takes.
func (w *World) diskDelay() time.Duration {
	if w.plan.SlowDisk && w.chance(10) {
		return w.between(0, 20*time.Second)
	}
	return w.between(100*time.Microsecond, 10*time.Millisecond)
}

// heal ends all faults and everything that people do; they unblock whom they have
// blocked. Then everybody tries everybody once more: who was put back to an old state
// learns it on the first connection.
func (w *World) heal() {
	w.log("HEALING")
	w.healing, w.healedAt = true, w.now
	w.network.partition(make([]int, len(w.machines)))
	for _, m := range w.machines {
		if m.gone {
			continue
		}
		m.full = false
		m.setClock(0)
		m.awake()
		m.away = false
		m.restart()
		m.tellPlace()
		m.offers = make(map[protocol.InviteID]bool)
		for _, v := range m.disk.invites {
			m.offers[v.ID] = v.UsesLeft > 0 && time.UnixMilli(v.ExpiresAt).Sub(w.now) > answeredWithin
		}
		for _, c := range inOrder(m.disk.contacts) {
			w.unblock(m, c)
		}
		m.after(w.between(time.Minute, 3*time.Minute), func() { m.push(protocol.Reconnect{}) })
	}
}
