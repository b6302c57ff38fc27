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
	// profilesServedMax bounds the profiles that a neighbour is sent in a wholeEvery because it asks for them.
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
	if from != (Neighbour{}) && x.near[from] == nil {
		return Output{}, ErrNotMember
	}
	var err error
	out := x.step(func() {
		if from != (Neighbour{}) && x.soon[p.Member].next.After(now) {
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
			n.untold = true
			x.lack(now, n)
		}
		return err
	case err != nil || !known:
		return err
	}
	next := soon{next: now.Add(profileEvery)}
	if waits := x.soon[p.Member]; waits.comes != nil && waits.comes.Later(&p) {
		next.comes, next.from = waits.comes, waits.from
	}
	x.soon[p.Member] = next
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

// held is which profile of a member somebody has.
type held struct {
	revision uint64
	hash     [8]byte
}

// holds returns which profile of a member is here.
func (x *Exchange) holds(who identity.MemberKey) held {
	p, had := x.log.Profile(who)
	if !had {
		return held{}
	}
	return held{p.Revision, p.Hash()}
}

// profilesSaid takes which profiles a neighbour holds: it is sent those that it asks for, and asked for
// those that may be later there. Who has earlier ones is told of ours.
func (x *Exchange) profilesSaid(now time.Time, k Neighbour, n *neighbour, authors []wire.GroupAuthor, marks map[wire.MemberMark]identity.MemberKey) {
	in := x.in(n.member) && x.in(x.self)
	var same []identity.MemberKey
	for _, said := range authors {
		key, known := marks[said.Mark]
		n.untold = n.untold || !known || !in
		if !known || !in || x.log.out[key] {
			continue
		}
		theirs, ours := held{said.Revision, said.Profile}, x.holds(key)
		delete(n.names, key)
		switch {
		case theirs == ours && said.Ask: // it was told of another one
			same = append(same, key)
		case theirs == ours:
		case said.Ask:
			x.profile(now, k, n, key)
		case theirs.revision < ours.revision:
			x.tellLater(now, n, key)
		default:
			n.names[key] = theirs
			x.missName(now, k, key)
		}
		if theirs.revision == ours.revision && theirs != ours { // which of the two is later only the bytes say
			x.tellLater(now, n, key)
		}
	}
	if len(same) > 0 && n.serves(now) {
		x.tellOf(k, n, false, false, same)
	}
}

// missName begins to look for a profile that a neighbour says it has. Who has not been asked is asked soon: whoever was
// may have lied.
func (x *Exchange) missName(now time.Time, k Neighbour, who identity.MemberKey) {
	ask := x.named[who]
	if ask == nil {
		ask = &asking{at: now.Add(askGrace), tried: make(map[Neighbour]bool)}
		x.named[who] = ask
	}
	if soon := now.Add(askGrace); !ask.tried[k] && ask.wait > 0 && soon.Before(ask.at) {
		ask.at = soon
	}
}

// serves counts one thing that a neighbour is sent because it has asked about profiles; it reports false if that is
// too much for an hour.
func (n *neighbour) serves(now time.Time) bool {
	if now.Sub(n.profilesAt) >= wholeEvery {
		n.profilesAt, n.profiles = now, 0
	}
	if n.profiles == profilesServedMax {
		return false
	}
	n.profiles++
	return true
}

// profile sends a neighbour a profile that it has asked for, so many in an hour.
func (x *Exchange) profile(now time.Time, k Neighbour, n *neighbour, who identity.MemberKey) {
	if p, had := x.log.Profile(who); had && n.serves(now) {
		x.send(Send{To: k, Profile: &p})
	}
}

// askNames asks for the profiles that others have, of each member one neighbour at a time: the next one
// when none came, and from the beginning when all were asked, each time later.
func (x *Exchange) askNames(now time.Time) {
	asked := make(map[Neighbour][]identity.MemberKey)
	for _, who := range sortedMembers(x.named) {
		ask := x.named[who]
		if ask.at.After(now) {
			continue
		}
		k, wanted := x.nextToName(who, ask)
		switch {
		case !wanted:
			delete(x.named, who)
		case k == (Neighbour{}):
			ask.wait = min(max(askAgain, 2*ask.wait), askRarely)
			ask.at = now.Add(ask.wait)
			clear(ask.tried)
		default:
			ask.tried[k], ask.at = true, now.Add(askAgain)
			asked[k] = append(asked[k], who)
		}
	}
	for k, n := range x.neighbours {
		if len(asked[k]) > 0 {
			x.tellOf(k, n, false, true, asked[k])
		}
	}
}

// nextToName returns who is asked next for a member's profile: of those who have not been asked, who is there first;
// nobody if all were asked. It is wanted no longer if nobody has one that may be later than ours.
func (x *Exchange) nextToName(who identity.MemberKey, ask *asking) (next Neighbour, wanted bool) {
	ours, live := x.holds(who), false
	for k, n := range x.neighbours {
		theirs, says := n.names[who]
		if !says || theirs == ours || theirs.revision < ours.revision || x.log.out[who] || x.log.out[n.member] {
			delete(n.names, who)
			continue
		}
		if wanted = true; !ask.tried[k] && x.in(n.member) && (next == (Neighbour{}) || n.live && !live) {
			next, live = k, n.live
		}
	}
	return next, wanted && x.in(x.self)
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
