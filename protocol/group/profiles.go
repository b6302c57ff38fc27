package group

import (
	"errors"
	"maps"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

const (
	// profileEvery is how soon a member's next profile is taken and handed on: who makes one each
	// second does not have all others carry each.
	profileEvery = time.Minute
	// profilesServedMax bounds the profiles that a neighbour is sent in a wholeEvery because it holds others.
	profilesServedMax = 2 * MembersMax
)

// Introduce takes a member's profile. It reports whether that is a later one than was known.
// Errors: ErrForeign, ErrForged, ErrNotMember if no add of them is known; of who is removed none is taken.
func (l *Log) Introduce(p wire.GroupProfile) (known bool, err error) {
	was, had := l.profiles[p.Member]
	switch {
	case p.Group != l.id:
		return false, ErrForeign
	case l.out[p.Member], had && !p.Later(&was):
		return false, nil
	case len(l.added[p.Member]) == 0:
		return false, ErrNotMember
	case !p.Verify():
		return false, ErrForged
	}
	l.profiles[p.Member] = p
	return true, nil
}

// Profile returns what a member has said of themselves, who is in or has left.
func (l *Log) Profile(who identity.MemberKey) (wire.GroupProfile, bool) {
	p, ok := l.profiles[who]
	return p, ok
}

// Profiles yields what members have said of themselves.
func (l *Log) Profiles(yield func(wire.GroupProfile) bool) {
	for _, p := range l.profiles {
		if !yield(p) {
			return
		}
	}
}

// Introduce takes a member's profile that a neighbour has sent, or, from nobody, one of ours. What comes
// too soon behind the last waits. Errors are those of [Log.Introduce].
func (x *Exchange) Introduce(now time.Time, from Neighbour, p wire.GroupProfile) (Output, error) {
	var err error
	out := x.step(func() {
		n, at := x.near[from], x.soon[p.Member]
		if n != nil && at.next.After(now) {
			err = x.postpone(from, p)
			return
		}
		err = x.introduce(now, from, p)
	})
	return out, err
}

// soon is when a member's next profile is taken, and which one that is, of whom, if it has come.
type soon struct {
	next  time.Time
	comes *wire.GroupProfile
	from  Neighbour
}

// postpone keeps a profile until the next one of its member is taken.
func (x *Exchange) postpone(from Neighbour, p wire.GroupProfile) error {
	was, at := x.log.profiles[p.Member], x.soon[p.Member]
	switch {
	case p.Group != x.log.ID():
		return ErrForeign
	case !p.Later(&was), at.comes != nil && !p.Later(at.comes):
		return nil
	case !p.Verify():
		return ErrForged
	}
	at.comes, at.from = &p, from
	x.soon[p.Member] = at
	return nil
}

// introduce takes a profile, and hands it on if it is a later one.
func (x *Exchange) introduce(now time.Time, from Neighbour, p wire.GroupProfile) error {
	known, err := x.log.Introduce(p)
	switch n := x.near[from]; {
	case errors.Is(err, ErrNotMember): // their add may be on its way: who sent it is asked again then
		if n != nil {
			x.refuse(n, p.Member, 0)
			x.lack(now, n)
		}
		return err
	case err != nil || !known:
		return err
	}
	x.soon[p.Member] = soon{next: now.Add(profileEvery)}
	x.out.Profiles = append(x.out.Profiles, p)
	for k, n := range x.neighbours {
		switch {
		case k == from || n.member == p.Member || !x.in(n.member):
		case p.Member == x.self || x.wants(n, p.Member):
			x.send(Send{To: k, Profile: &p})
		default:
			x.tellLater(now, n, p.Member)
		}
	}
	return nil
}

// profilesDue takes the profiles whose time has come.
func (x *Exchange) profilesDue(now time.Time) {
	for _, who := range sortedMembers(x.soon) {
		at := x.soon[who]
		if at.next.After(now) {
			continue
		}
		delete(x.soon, who)
		if at.comes != nil {
			_ = x.introduce(now, at.from, *at.comes) // it was checked, but for whether they are removed since
		}
	}
}

// profile sends a neighbour a profile because of what it holds, so many in an hour.
func (x *Exchange) profile(now time.Time, k Neighbour, n *neighbour, p *wire.GroupProfile) {
	if !x.in(n.member) || !x.in(x.self) {
		return
	}
	if now.Sub(n.profilesAt) >= wholeEvery {
		n.profilesAt, n.profiles = now, 0
	}
	if n.profiles < profilesServedMax {
		n.profiles++
		x.send(Send{To: k, Profile: p})
	}
}

// profilesSaid takes which profiles a neighbour holds: it is sent those that are later here, and
// told what is here of those that are later there, so that it sends them; of each one neighbour
// at a time.
func (x *Exchange) profilesSaid(now time.Time, k Neighbour, n *neighbour, authors []wire.GroupAuthor, marks map[wire.MemberMark]identity.MemberKey) {
	var behind []identity.MemberKey
	for _, said := range authors {
		key, known := marks[said.Mark]
		n.untold = n.untold || !known || !x.in(x.self)
		if !known || x.log.out[key] {
			continue
		}
		p, had := x.log.Profile(key)
		switch {
		case had && said.Revision < p.Revision:
			x.profile(now, k, n, &p)
		case said.Revision > p.Revision && now.Sub(x.askedProfile[key]) >= askGrace:
			x.askedProfile[key] = now
			behind = append(behind, key)
		}
	}
	if len(behind) > 0 && x.in(n.member) && x.in(x.self) {
		x.tellOf(k, n, false, behind)
	}
}

// spoken returns all of whom there is something to tell.
func (x *Exchange) spoken() []identity.MemberKey {
	all := maps.Clone(x.log.profiles)
	keys := slices.Collect(maps.Keys(x.authors))
	for _, key := range keys {
		delete(all, key)
	}
	return append(keys, slices.Collect(maps.Keys(all))...)
}
