package group

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Due does what a time has come for.
func (x *Exchange) Due(now time.Time) Output {
	return x.step(func() {
		x.lists(now)
		x.profilesDue(now)
		x.askNames(now)
		for k, n := range x.neighbours {
			if n.newsAt.IsZero() || n.newsAt.After(now) {
				continue
			}
			if n.answer {
				x.whole(now, k, n, true)
				continue
			}
			n.newsAt = time.Time{}
			if x.in(n.member) && x.in(x.self) {
				x.sync(k, n, false, slices.Collect(maps.Keys(n.news)))
			}
			clear(n.news)
		}
		for _, key := range sortedMembers(x.asking) {
			if ask := x.asking[key]; !ask.at.After(now) {
				x.ask(now, key, ask)
			}
		}
	})
}

// ClockWentBack forgets what was to happen at times that now lie far ahead: the clock was wrong before, or is now.
func (x *Exchange) ClockWentBack(now time.Time) {
	sooner := func(t *time.Time) {
		if t.After(now) {
			*t = now
		}
	}
	sooner(&x.listedAt)
	for _, n := range x.near {
		for _, t := range []*time.Time{&n.newsAt, &n.wholeAt, &n.listAt, &n.toldAt, &n.since, &n.listedAt, &n.profilesAt} {
			sooner(t)
		}
	}
	for _, asks := range []map[identity.MemberKey]*asking{x.asking, x.named} {
		for _, ask := range asks {
			sooner(&ask.at)
		}
	}
	for who, s := range x.soon {
		sooner(&s.next)
		x.soon[who] = s
	}
}

// NextDue is when [Exchange.Due] has something to do; zero: nothing is due.
func (x *Exchange) NextDue() (at time.Time) {
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, n := range x.near {
		if !n.newsAt.IsZero() {
			sooner(n.newsAt)
		}
		if !n.listAt.IsZero() {
			sooner(later(n.listAt, x.listedAt.Add(answerEvery)))
		}
	}
	for _, ask := range x.asking {
		sooner(ask.at)
	}
	for _, ask := range x.named {
		sooner(ask.at)
	}
	for _, s := range x.soon {
		if s.comes != nil {
			sooner(s.next)
		}
	}
	return at
}

func sortedMembers[V any](m map[identity.MemberKey]V) []identity.MemberKey {
	return slices.SortedFunc(maps.Keys(m), func(a, b identity.MemberKey) int { return bytes.Compare(a[:], b[:]) })
}

// look begins to look for what is missed of an author, if anything is.
func (x *Exchange) look(now time.Time, author identity.MemberKey) {
	if !x.lacks(author) {
		delete(x.asking, author)
		return
	}
	if x.asking[author] == nil {
		x.asking[author] = &asking{at: now.Add(askGrace), tried: make(map[Neighbour]bool), pulled: make(map[Neighbour]bool)}
	}
}

// progress takes note that something of an author came. If it was asked for, more may be coming,
// and whoever sent it may have more.
func (x *Exchange) progress(now time.Time, from Neighbour, author identity.MemberKey) {
	a := x.author(author)
	for _, n := range x.near {
		n.claims[author] = slices.DeleteFunc(n.claims[author], a.has)
	}
	if ask := x.asking[author]; ask != nil && ask.tried[from] {
		ask.at, ask.wait = now.Add(askGrace), 0
		delete(ask.tried, from)
	}
	x.look(now, author)
}

// lacks reports whether anything of an author is missed.
func (x *Exchange) lacks(author identity.MemberKey) bool {
	if x.Missing(author) > 0 {
		return true
	}
	for _, n := range x.near {
		if len(n.claims[author]) > 0 && x.in(n.member) {
			return true
		}
	}
	return false
}

// ask asks the next neighbour for what is missed of an author: first who says that it has it,
// then who is there.
func (x *Exchange) ask(now time.Time, author identity.MemberKey, ask *asking) {
	if !x.lacks(author) || !x.in(x.self) {
		delete(x.asking, author)
		return
	}
	if n := x.near[ask.of]; n != nil && ask.tried[ask.of] { // it has not kept its word
		delete(n.claims, author)
	}
	var best Neighbour
	var found *neighbour
	rank := func(n *neighbour) int {
		r := 0
		if len(n.claims[author]) > 0 {
			r += 2
		}
		if n.live {
			r++
		}
		return r
	}
	for k, n := range x.neighbours {
		if !ask.tried[k] && x.in(n.member) && len(x.ranges(n, author)) > 0 && (found == nil || rank(n) > rank(found)) {
			best, found = k, n
		}
	}
	if found == nil { // all were asked
		ask.wait = min(max(askAgain, 2*ask.wait), askRarely)
		ask.at = now.Add(ask.wait)
		clear(ask.tried)
		return
	}
	ask.of, ask.tried[best], ask.pulled[best] = best, true, true
	ask.at = now.Add(askAgain)
	x.send(Send{To: best, Want: &wire.GroupRanges{Group: x.log.ID(), Ranges: x.ranges(found, author)}})
	if len(found.claims[author]) > 0 { // it has what nobody sends us
		x.setWish(best, found, author, true)
	}
}

// ranges are what a neighbour is asked for of an author.
func (x *Exchange) ranges(n *neighbour, author identity.MemberKey) (out []wire.GroupRange) {
	a, mark := x.author(author), wire.MarkOf(author)
	add := func(first, last uint64) {
		if len(out) < askRangesMax {
			out = append(out, wire.GroupRange{Mark: mark, First: first, Last: last})
		}
	}
	var forks []uint64 // numbers that two have
	end := x.end(author)
	for _, t := range n.claims[author] {
		if a.settled(t.Sequence) {
			forks = append(forks, t.Sequence)
		} else {
			end = max(end, t.Sequence)
		}
	}
	for _, m := range a.forks() {
		forks = append(forks, m.Sequence)
	}
	slices.Sort(forks)
	for _, n := range slices.Compact(forks) {
		add(n, n)
	}
	for _, g := range a.gaps(end) {
		if g.First == 1 { // the newest first: those before a message that is not for us are none of ours
			add(g.Last-min(g.Last-1, askNumbersMax-1), g.Last)
			continue
		}
		add(g.First, min(g.Last, g.First+askNumbersMax-1))
	}
	slices.SortFunc(out, func(a, b wire.GroupRange) int { return cmp.Compare(a.First, b.First) })
	return out
}
