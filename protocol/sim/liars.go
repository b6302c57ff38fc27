package sim

import (
	"slices"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// lie is what a courier does to those who trust it, until healing. What it says it has is
// its lie and nobody else's: mail must arrive all the same, since its sender keeps it.
type lie int

const (
	honest    lie = iota
	drops         // says that it has stored what it throws away
	withholds     // hands over some of what it has only
	alters        // hands over something else
	replays       // hands over what it has handed over before
	vanishes      // is gone one day, for good
	denies        // says that it has no room
	ignores       // does not answer who leaves something
	liesEnd
)

func (l lie) String() string {
	return [...]string{"honest", "drops", "withholds", "alters", "replays", "vanishes", "denies", "ignores"}[l]
}

// beginLies makes liars of some.
func (w *World) beginLies() {
	if w.plan.Liars == 0 {
		return
	}
	for _, m := range w.machines {
		if !w.chance(w.plan.Liars) {
			continue
		}
		m.lie = honest + 1 + lie(w.random.IntN(int(liesEnd-honest-1)))
		w.log("%v %v", m, m.lie)
		if m.lie == vanishes {
			w.after(w.between(w.plan.Life/4, w.plan.Life), func() { w.vanish(m) })
		}
	}
}

// vanish takes a machine away for good.
func (w *World) vanish(m *machine) {
	if w.healing {
		return
	}
	w.log("%v VANISHES", m)
	m.crash()
	m.away, m.gone = true, true
}

// lies reports whether a machine lies in some way now.
func (m *machine) lies(how lie) bool { return m.lie == how && !m.w.healing }

// keeping returns what a machine writes to its disk of what it says it does. The truth
// counts what is thrown away as stored: whoever believes it tells no lie.
func (m *machine) keeping(writes []protocol.Write) []protocol.Write {
	if !m.lies(drops) {
		return writes
	}
	return slices.DeleteFunc(slices.Clone(writes), func(w protocol.Write) bool {
		held, ok := w.(protocol.PutHeld)
		if ok {
			m.w.truth.kept(m, held)
		}
		return ok
	})
}

// handing returns what a courier hands over of what somebody collects.
func (m *machine) handing(items []wire.Item) []wire.Item {
	if m.lies(withholds) {
		items = slices.DeleteFunc(items, func(wire.Item) bool { return m.w.chance(60) })
	}
	return items
}

// distort has a courier that lies send something else in place of a frame, or beside it, or
// nothing.
func (n *network) distort(from *machine, to *end, f frame) (frame, bool) {
	switch f.kind {
	case wire.TypeAcknowledge:
		return from.misstate(f)
	case wire.TypePush, wire.TypeBundleAnswer:
	default:
		return f, true
	}
	switch {
	case from.lies(alters) && n.w.chance(50):
		return n.w.damage(f), true
	case from.lies(replays) && n.w.chance(50):
		past := slices.DeleteFunc(slices.Clone(n.past[route{from.index, to.m.index}]), func(old frame) bool { return old.kind != f.kind })
		if old, ok := pick(n.w, past); ok {
			n.arrive(to, old, to.conn.slow+n.w.between(0, time.Minute))
		}
	}
	return f, true
}

// misstate returns what a courier says in place of the truth, if it says anything.
func (m *machine) misstate(f frame) (frame, bool) {
	a, err := wire.ParseAcknowledge(f.body)
	if err != nil || !m.lies(denies) && !m.lies(ignores) {
		return f, true
	}
	switch {
	case a.Word == wire.MailboxStored && m.lies(ignores):
		return f, false
	case a.Word == wire.MailboxStored:
		a.Word = wire.MailboxFull
	case a.Word == wire.MailboxOpened && m.lies(denies):
		a.Word = wire.MailboxRefused
	}
	f.body = a.Append(nil)
	return f, true
}
