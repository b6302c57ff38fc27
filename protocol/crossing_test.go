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
	asked   map[*side][][]byte // requests for renewals that were made, by whom they were for
	lost    bool               // somebody's disk was an old one
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
			x := newCrossing(w, rand.NewPCG(seed, 7))
			w.turns(2, a, b)
			x.writes(a, b)
			x.writes(b, a)
			w.turns(4, a, b)
			x.keepDisk(a)
			x.keepDisk(b)
			w.switchOff(a)
			w.switchOff(b)
			for range 4 + x.r.IntN(6) {
				s, o := x.eitherFirst(a, b)
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

// TestCrossingsOnPaths is the same of two who have no courier. Late copies of requests come, too.
func TestCrossingsOnPaths(t *testing.T) {
	count := uint64(24)
	if testing.Short() {
		count = 3
	}
	for seed := range count {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w, a, b := talking(t)
			x := newCrossing(w, rand.NewPCG(seed, 11))
			x.keepDisk(a)
			x.keepDisk(b)
			w.switchOff(a)
			w.switchOff(b)
			for range 4 + x.r.IntN(6) {
				s, o := x.eitherFirst(a, b)
				x.happensOnPaths(s, o)
				x.keepRequest(a, b)
				x.keepRequest(b, a)
				if x.r.IntN(2) == 0 {
					x.writes(s, o)
				}
				if x.r.IntN(8) == 0 {
					w.later(24 * time.Hour)
				}
				w.switchOff(a)
				w.switchOff(b)
			}
			for range 4 {
				x.writes(a, b)
				x.writes(b, a)
				x.together(a, b, 3*time.Hour)
				w.later(25 * time.Hour)
			}
			x.writes(a, b)
			x.writes(b, a)
			x.together(a, b, time.Hour)
			x.check(a, b)
			x.check(b, a)
			if t.Failed() {
				t.Log(x.did)
			}
		})
	}
}

func newCrossing(w *town, source *rand.PCG) *crossing {
	return &crossing{
		town: w, r: rand.New(source), written: make(map[*side][]string), asked: make(map[*side][][]byte),
		disks: make(map[*side][]*rows), history: make(map[*rows][]PutMessage),
	}
}

// eitherFirst returns two in this order or the other.
func (x *crossing) eitherFirst(a, b *side) (s, o *side) {
	if x.r.IntN(2) == 0 {
		return b, a
	}
	return a, b
}

// keepRequest keeps a copy of the request for a renewal that a side has open, for the other.
func (x *crossing) keepRequest(s, o *side) {
	if r := s.of(o).state.Repair; r != nil {
		d := wire.DepositedRequest{Request: [wire.RequestSize]byte(r.Request.Request)}
		x.asked[o] = append(x.asked[o], d.Append(nil))
	}
}

// together has two be on together for a while.
func (x *crossing) together(s, o *side, d time.Duration) {
	x.switchOn(s)
	x.switchOn(o)
	x.pass(d)
	x.switchOff(s)
	x.switchOff(o)
}

// happensOnPaths lets one thing happen to a side that has no courier.
func (x *crossing) happensOnPaths(s, o *side) {
	forks := func() {
		if s.of(o).first() != nil {
			x.forks(s, o)
		}
	}
	link := func(lost ...wire.Type) {
		delete(x.off, o)
		x.followsLink(s, o, lost...)
	}
	x.one(s, []happening{
		{"forks", forks},
		{"forks and meets the other", func() { forks(); x.together(s, o, 20*time.Minute) }},
		{"follows a link", func() { link() }},
		{"follows a link, and much is lost", func() { link(wire.TypeEnvelope) }},
		{"gets an old disk", func() { x.getsOldDisk(s); x.home(s) }},
		{"gets an old disk", func() { x.getsOldDisk(s); x.home(s) }},
		{"keeps a copy of the disk", func() { x.keepDisk(s) }},
		{"restores a backup of just now", func() { x.restoresBackup(s); x.home(s) }},
		{"meets the other on a path on which much is lost", func() { x.meetsInVain(s, o) }},
		{"meets the other", func() { x.together(s, o, 20*time.Minute) }},
		{"gets a late copy of a request", func() {
			if all := x.asked[s]; len(all) > 0 {
				x.leaves(s, o, all[x.r.IntN(len(all))])
			}
		}},
	})
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
	x.one(s, []happening{
		{"forks", func() { x.renews(s, o) }},
		{"forks", func() { x.renews(s, o) }},
		{"follows a link", func() { x.takesLink(s, x.leavesLink(o)) }},
		{"follows a link", func() { x.takesLink(s, x.leavesLink(o)) }},
		{"gets an old disk", func() { x.getsOldDisk(s) }},
		{"gets an old disk", func() { x.getsOldDisk(s) }},
		{"and the other are on by turns", func() { x.turns(1+x.r.IntN(4), s, o) }},
		{"keeps a copy of the disk", func() { x.keepDisk(s) }},
		{"restores a backup of just now", func() { x.restoresBackup(s) }},
		{"meets the other on a path on which much is lost", func() { x.meetsInVain(s, o) }},
		{"is named by a stranger", func() {
			x.pass(2 * time.Second) // invites are in the order of their times
			delete(x.off, o)
			x.asksAs(s, o)
			x.switchOff(o)
		}},
	})
}

type happening struct {
	name string
	do   func()
}

// one lets one of many things happen to a side.
func (x *crossing) one(s *side, things []happening) {
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

func (x *crossing) restoresBackup(s *side) {
	x.off[s] = true
	x.putBack(s, x.backup(s), s.history)
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
