package protocol

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// crossing is two who are mostly not on together, and what happens to them at random: renewals,
// links, old disks, backups, paths on which all is lost, strangers who ask in their names.
type crossing struct {
	*town
	r       *rand.Rand
	written map[*side][]string
	disks   map[*side][]*rows
	history map[*rows][]PutMessage
	lost    bool // somebody's disk was an old one
	did     []string
}

// TestCrossings has handshakes of all kinds cross each other. In the end both must hear what the other
// writes, and nothing may come twice; if no disk was put back, everything comes.
func TestCrossings(t *testing.T) {
	count := uint64(24)
	if testing.Short() {
		count = 3
	}
	for seed := range count {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w, a, b, _ := allFriends(t)
			x := &crossing{
				town: w, r: rand.New(rand.NewPCG(seed, 7)), written: make(map[*side][]string),
				disks: make(map[*side][]*rows), history: make(map[*rows][]PutMessage),
			}
			w.turns(2, a, b)
			x.writes(a, b)
			x.writes(b, a)
			w.turns(4, a, b)
			x.keepDisk(a)
			x.keepDisk(b)
			w.switchOff(a)
			w.switchOff(b)
			for range 4 + x.r.IntN(6) {
				s, o := a, b
				if x.r.IntN(2) == 0 {
					s, o = b, a
				}
				x.happens(s, o)
				if x.r.IntN(2) == 0 {
					x.writes(s, o)
				}
				if x.r.IntN(3) == 0 {
					w.later(24 * time.Hour)
				}
			}
			for range 3 { // whatever is a matter of renewals a day
				w.turns(6, a, b)
				w.later(25 * time.Hour)
				w.turns(6, b, a)
				w.later(25 * time.Hour)
			}
			x.writes(a, b)
			x.writes(b, a)
			x.meets(a, b)
			x.check(a, b)
			x.check(b, a)
			if t.Failed() {
				t.Log(x.did)
			}
		})
	}
}

func (x *crossing) writes(s, o *side) {
	text := fmt.Sprint(s.name, len(x.written[s]))
	x.written[s] = append(x.written[s], text)
	x.did = append(x.did, s.name+" writes")
	s.step(x.now, SendText{Contact: s.of(o).row.ID, Text: text})
	x.run()
}

func (x *crossing) keepDisk(s *side) {
	disk := x.rows[s].clone()
	x.disks[s] = append(x.disks[s], disk)
	x.history[disk] = slices.Clone(s.history)
}

// happens lets one thing happen to a side.
func (x *crossing) happens(s, o *side) {
	things := []struct {
		name string
		do   func()
	}{
		{"forks", func() { x.renews(s, o) }},
		{"forks", func() { x.renews(s, o) }},
		{"follows a link", func() { x.takesLink(s, x.leavesLink(o)) }},
		{"follows a link", func() { x.takesLink(s, x.leavesLink(o)) }},
		{"gets an old disk", func() { x.getsOldDisk(s) }},
		{"gets an old disk", func() { x.getsOldDisk(s) }},
		{"and the other are on by turns", func() { x.turns(1+x.r.IntN(4), s, o) }},
		{"keeps a copy of the disk", func() { x.keepDisk(s) }},
		{"restores a backup of just now", func() {
			x.off[s] = true
			backup := x.backup(s)
			x.putBack(s, backup, s.history)
		}},
		{"meets the other on a path on which much is lost", func() { x.meetsInVain(s, o) }},
		{"is named by a stranger", func() {
			x.pass(2 * time.Second) // invites are in the order of their times
			delete(x.off, o)
			x.asksAs(s, o)
			x.switchOff(o)
		}},
	}
	thing := things[x.r.IntN(len(things))]
	x.did = append(x.did, s.name+" "+thing.name)
	thing.do()
}

func (x *crossing) renews(s, o *side) {
	if s.of(o).first() == nil {
		return
	}
	x.forks(s, o)
	x.turns(1+x.r.IntN(2), s, o)
}

func (x *crossing) getsOldDisk(s *side) {
	disk := x.disks[s][x.r.IntN(len(x.disks[s]))]
	x.lost = true
	x.switchOff(s)
	x.putBack(s, disk.clone(), x.history[disk])
}

func (x *crossing) meetsInVain(s, o *side) {
	x.mute[s] = []wire.Type{wire.TypeEnvelope}
	if x.r.IntN(2) == 0 {
		x.mute[s] = append(x.mute[s], wire.TypeAccept)
	}
	x.switchOn(o)
	x.switchOn(s)
	x.pass(time.Minute)
	x.switchOff(s)
	x.switchOff(o)
	clear(x.mute)
}

// meets has the two be on together in the end, or by turns.
func (x *crossing) meets(a, b *side) {
	if x.r.IntN(2) == 0 {
		for range 2 {
			x.switchOn(a)
			x.switchOn(b)
			x.pass(20 * time.Minute)
			x.switchOff(b)
			x.later(25 * time.Hour)
		}
		return
	}
	for range 2 {
		x.turns(8, b, a)
		x.later(25 * time.Hour)
	}
	x.turns(4, a, b)
}

// check looks at what a side has got of another.
func (x *crossing) check(at, from *side) {
	x.t.Helper()
	times := make(map[string]int)
	for _, m := range at.incoming() {
		if content, _, err := wire.DecodeContent(m.Content); err == nil {
			times[content.Text]++
		}
	}
	for i, text := range x.written[from] {
		last := i == len(x.written[from])-1
		if n := times[text]; n > 1 || n == 0 && (last || !x.lost) {
			x.t.Errorf("%s has %q %d times", at.name, text, n)
		}
	}
}
