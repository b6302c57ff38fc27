package group

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Times and limits of what members tell each other.
const (
	// newsEvery is how long what came is gathered before a member is told of it to whom it is
	// not sent.
	newsEvery = 10 * time.Minute
	// wholeEvery is how often a member who is there is told of all that is held.
	wholeEvery = time.Hour
	// answerEvery is how long what operations hang on may be on its way before a member is told which
	// are held, so that it sends the others; when none comes of it it is told so again, each time
	// later, up to askRarely.
	answerEvery = 30 * time.Second
	// askGrace is how long what is missed may be on its way before it is asked for.
	askGrace = 30 * time.Second
	// askAgain is how long a member has to answer before another one is asked; when all were
	// asked it begins again, each time later, up to askRarely.
	askAgain  = 10 * time.Minute
	askRarely = 24 * time.Hour
	// askNumbersMax bounds the messages that are asked for at once.
	askNumbersMax = 256
	// askRangesMax bounds the runs that are asked for of one author at once.
	askRangesMax = 8
	// servedMax bounds the numbers that are looked up for a neighbour in a servedSpan.
	servedMax  = 2048
	servedSpan = time.Minute
	// claimsMax bounds the messages of one author that a member says it has and that are missed.
	claimsMax = wire.GroupTipsMax
)

// Neighbour is a member to whom there is a session, as the caller names it.
type Neighbour [16]byte

// Exchange decides what one member of a group tells which others, so that all come to hold the
// same. What it sends must arrive, whenever; in what order, and how often, does not matter.
//
//   - An author sends a message to every neighbour. Others hand it on at first along who added
//     whom, and then to whoever wants an author's messages from them; who gets something twice
//     says that it does not.
//   - Neighbours tell each other now and then what they hold. What is missed is asked for.
//   - A message goes only to members whom its author knew as such and who still are ([Log.For]).
//
// It keeps no message. It is not safe for concurrent use. Spec: "Messages in a group".
type Exchange struct {
	log     *Log
	self    identity.MemberKey
	authors map[identity.MemberKey]*Author
	asking  map[identity.MemberKey]*asking
	near    map[Neighbour]*neighbour
	out     *Output

	soon  map[identity.MemberKey]soon    // whose profile came a while ago
	named map[identity.MemberKey]*asking // whose profile others have, and we have not

	listedAt time.Time // when a neighbour was last told which operations are held
}

type neighbour struct {
	member  identity.MemberKey
	live    bool
	wants   map[identity.MemberKey]bool            // whose messages it wants to be sent, where it has said so
	wish    map[identity.MemberKey]bool            // whose we want from it, where it was told
	claims  map[identity.MemberKey][]wire.GroupTip // what it says that it has, and we miss
	news    map[identity.MemberKey]bool            // authors of whom it is told next
	newsAt  time.Time                              // then; zero: there is nothing to tell
	wholeAt time.Time                              // when it was last told of all that is held
	answer  bool                                   // when it is told next it is asked for the same
	held    [16]byte                               // the operations that it holds, by what it told last
	lacking bool                                   // it sent what hangs on something that is not known here
	listAt  time.Time                              // when it is told which operations are held; zero: it is not
	told    int                                    // operations that it was sent because of what it holds
	toldAt  time.Time                              // since then
	served  int                                    // numbers looked up for it
	since   time.Time                              // since then

	listedAt time.Time     // when it was last told which operations are held
	listWait time.Duration // until it may be told again; 0: an operation came of it

	names      map[identity.MemberKey]held // the profiles that it says it has, and we have not
	profiles   int                         // that it was sent because it has asked
	profilesAt time.Time                   // since then

	untold  bool                          // it told of authors of whom nothing was known here, or before we were in
	refused map[identity.MemberKey]uint64 // up to these numbers it sent what could not be judged
}

// asking is the look for what is missed of one author.
type asking struct {
	at     time.Time          // when the next one is asked
	of     Neighbour          // who was asked last
	wait   time.Duration      // between rounds; 0 in the first
	tried  map[Neighbour]bool // in this round
	pulled map[Neighbour]bool // asked, so that what they send twice tells nothing
}

// Output is what the caller must do: keep Operations, Leaves, Profiles, Authors and what was accepted in
// one commit, then send.
type Output struct {
	Operations []wire.GroupOperation
	Leaves     []wire.GroupLeave
	// Profiles take the place of what their members said before. One of our own that we have not made is from
	// before our disk was put back: it is known to the others, and a next one needs a higher revision.
	Profiles []wire.GroupProfile
	// Authors are those of whom another state is to be kept ([Exchange.Author]).
	Authors []identity.MemberKey
	// Accepted are messages that are to be shown. Of those without content the head is to be kept.
	Accepted []wire.GroupMessage
	// Doubted are messages of which only the history can tell whether they came before.
	// [Exchange.Looked] takes the answer, of one before the next is looked up: the same
	// message may be among them twice.
	Doubted []Doubted
	Sends   []Send
	Fetches []Fetch
}

// Doubted is a message that may have come before.
type Doubted struct {
	From    Neighbour
	Message wire.GroupMessage
}

// Send is something for a neighbour; one of the others is set.
type Send struct {
	To        Neighbour
	Operation *wire.GroupOperation
	Leave     *wire.GroupLeave
	Profile   *wire.GroupProfile
	Message   *Held
	Sync      *wire.GroupSync
	Want      *wire.GroupRanges
	Absent    *wire.GroupRanges
	Holding   *wire.GroupHolding
}

// Held is a message that lies here.
type Held struct {
	Author identity.MemberKey
	Tip    wire.GroupTip
	// Bare is to be sent without what it says.
	Bare bool
}

// Fetch asks the caller which of an author's messages lie here; [Exchange.Fetched] takes the answer.
type Fetch struct {
	To          Neighbour
	Author      identity.MemberKey
	First, Last uint64
}

// Lying is a message that lies here, or what is left of it.
type Lying struct {
	Head wire.GroupHead
	// Gone says that its content was erased.
	Gone bool
}

// NewExchange returns the exchange of a member, without neighbours.
func NewExchange(log *Log, self identity.MemberKey) *Exchange {
	return &Exchange{
		log: log, self: self, authors: make(map[identity.MemberKey]*Author),
		asking: make(map[identity.MemberKey]*asking), near: make(map[Neighbour]*neighbour),
		soon: make(map[identity.MemberKey]soon), named: make(map[identity.MemberKey]*asking),
	}
}

// Log returns the log of the group, to which nothing may be added but by the exchange.
func (x *Exchange) Log() *Log { return x.log }

// Author returns what is known of an author's messages. The slices are the exchange's.
func (x *Exchange) Author(key identity.MemberKey) Author { return *x.author(key) }

// Restore puts back what was kept of an author.
func (x *Exchange) Restore(key identity.MemberKey, a Author) { x.authors[key] = &a }

// Missing is how many messages of an author are known to be missed.
func (x *Exchange) Missing(key identity.MemberKey) uint64 {
	a := x.authors[key]
	if a == nil {
		a = &Author{}
	}
	return a.missing(x.end(key))
}

// Whole is the number up to which all of an author's messages are here.
func (x *Exchange) Whole(key identity.MemberKey) uint64 {
	if a := x.author(key); len(a.Settled) > 0 && a.Settled[0].First == 1 {
		return a.Settled[0].Last
	}
	return 0
}

func (x *Exchange) author(key identity.MemberKey) *Author {
	a := x.authors[key]
	if a == nil {
		a = &Author{}
		x.authors[key] = a
	}
	return a
}

// end is the number up to which an author's messages are known to be: of who is out up to the
// last that counts, unless that is said to be far away.
func (x *Exchange) end(key identity.MemberKey) uint64 {
	top, last := uint64(0), x.log.Last(key)
	if a := x.authors[key]; a != nil {
		top = a.top()
	}
	if last != math.MaxUint64 && last > top && last-top > askNumbersMax*askRangesMax {
		return top
	}
	if last == math.MaxUint64 {
		return top
	}
	return last
}

// step has the caller do what a function finds.
func (x *Exchange) step(f func()) Output {
	var out Output
	x.out = &out
	f()
	x.out = nil
	return out
}

func (x *Exchange) send(s Send) { x.out.Sends = append(x.out.Sends, s) }

func (x *Exchange) changed(key identity.MemberKey) {
	if !slices.Contains(x.out.Authors, key) {
		x.out.Authors = append(x.out.Authors, key)
	}
}

// neighbours yields them in order: that of a map must not reach an Output.
func (x *Exchange) neighbours(yield func(Neighbour, *neighbour) bool) {
	for _, k := range slices.SortedFunc(maps.Keys(x.near), func(a, b Neighbour) int { return bytes.Compare(a[:], b[:]) }) {
		if !yield(k, x.near[k]) {
			return
		}
	}
}

// Meet notes that there is a session with a member. With all, it is sent every operation: it
// knows nothing of the group.
func (x *Exchange) Meet(now time.Time, k Neighbour, member identity.MemberKey, all bool) Output {
	return x.step(func() {
		n := &neighbour{
			member: member, wants: make(map[identity.MemberKey]bool), wish: make(map[identity.MemberKey]bool),
			claims: make(map[identity.MemberKey][]wire.GroupTip), news: make(map[identity.MemberKey]bool),
			names: make(map[identity.MemberKey]held),
		}
		x.near[k] = n
		x.unask(k)
		if !x.log.Known(x.self) { // who has added us has more to tell
			x.lack(now, n)
		}
		if all {
			for i := range x.log.nodes {
				x.send(Send{To: k, Operation: &x.log.nodes[i].op})
			}
		}
		x.whole(now, k, n, true)
	})
}

// unask has a neighbour count as not asked for anything: what was on its way may be lost.
func (x *Exchange) unask(k Neighbour) {
	for _, asks := range []map[identity.MemberKey]*asking{x.asking, x.named} {
		for _, ask := range asks {
			delete(ask.tried, k)
			if ask.of == k {
				ask.of = Neighbour{}
			}
		}
	}
}

// Part notes that there is no session with a member any more.
func (x *Exchange) Part(k Neighbour) { delete(x.near, k) }

// Reached notes whether a neighbour is there now.
func (x *Exchange) Reached(now time.Time, k Neighbour, live bool) Output {
	return x.step(func() {
		n := x.near[k]
		if n == nil {
			return
		}
		n.live = live
		if live && now.Sub(n.wholeAt) >= wholeEvery {
			x.whole(now, k, n, true)
		}
	})
}

// whole tells a neighbour of all that is held.
func (x *Exchange) whole(now time.Time, k Neighbour, n *neighbour, answer bool) {
	n.wholeAt, n.newsAt, n.answer = now, time.Time{}, false
	clear(n.news)
	if !x.in(n.member) || !x.in(x.self) {
		return
	}
	x.sync(k, n, answer, x.spoken())
}

// sync tells a neighbour what is held of some authors, and of which messages are, or whose profile, or of whom
// it was told something before.
func (x *Exchange) sync(k Neighbour, n *neighbour, answer bool, authors []identity.MemberKey) {
	x.tellOf(k, n, answer, false, slices.DeleteFunc(authors, func(key identity.MemberKey) bool {
		_, told := n.wish[key]
		return !told && x.log.profiles[key].Revision == 0 && len(x.author(key).tips(x.log.Last(key))) == 0
	}))
}

// tellOf tells a neighbour what is held of some authors, though it be nothing, or asks for their profiles.
func (x *Exchange) tellOf(k Neighbour, n *neighbour, answer, ask bool, authors []identity.MemberKey) {
	s := wire.GroupSync{Group: x.log.ID(), Answer: answer, Held: x.log.HeldHash(), Left: x.log.LeftHash()}
	slices.SortFunc(authors, func(a, b identity.MemberKey) int { return bytes.Compare(a[:], b[:]) })
	for _, key := range authors {
		a := wire.GroupAuthor{Mark: wire.MarkOf(key), Ask: ask, Tips: x.author(key).tips(x.log.Last(key)), Push: x.wish(n, key)}
		if h := x.holds(key); h.revision > 0 {
			a.Revision, a.Profile = h.revision, h.hash
		}
		if l := len(s.Authors); l == wire.GroupSyncAuthorsMax || l > 0 && s.Authors[l-1].Mark == a.Mark {
			continue
		}
		s.Authors = append(s.Authors, a)
	}
	x.send(Send{To: k, Sync: &s})
}

// in reports whether somebody is a member.
func (x *Exchange) in(key identity.MemberKey) bool { return x.log.In(key) }

// kin reports whether one of two members has added the other.
func (x *Exchange) kin(a, b identity.MemberKey) bool {
	by := x.log.addedBy()
	return by[a] == b || by[b] == a
}

// wants reports whether an author's messages are sent to a neighbour.
func (x *Exchange) wants(n *neighbour, author identity.MemberKey) bool {
	if want, said := n.wants[author]; said {
		return want
	}
	return x.kin(n.member, x.self)
}

// wish reports whether we want an author's messages from a neighbour.
func (x *Exchange) wish(n *neighbour, author identity.MemberKey) bool {
	if wish, told := n.wish[author]; told {
		return wish
	}
	return x.kin(n.member, x.self)
}

// setWish tells a neighbour whether we want an author's messages from it.
func (x *Exchange) setWish(k Neighbour, n *neighbour, author identity.MemberKey, wish bool) {
	if x.wish(n, author) == wish {
		return
	}
	n.wish[author] = wish
	x.sync(k, n, false, []identity.MemberKey{author})
}

// Operation takes an operation that a neighbour has sent, or, from nobody, one of ours. Errors
// are those of [Log.Add].
func (x *Exchange) Operation(now time.Time, from Neighbour, op wire.GroupOperation) (Output, error) {
	var err error
	out := x.step(func() {
		before := x.log.Len()
		if _, err = x.log.Add(op); err != nil {
			return
		}
		if _, known := x.log.index[op.ID()]; !known { // it waits for others
			x.lack(now, x.near[from])
			return
		}
		for _, n := range x.log.nodes[before:] {
			x.out.Operations = append(x.out.Operations, n.op)
			x.spread(from, Send{Operation: &n.op})
		}
		if x.log.Len() > before {
			x.came(now, x.near[from])
		}
	})
	return out, err
}

// Leave takes a member's word that they have left. Errors are those of [Log.Leave].
func (x *Exchange) Leave(now time.Time, from Neighbour, word wire.GroupLeave) (Output, error) {
	var err error
	out := x.step(func() {
		var known bool
		if known, err = x.log.Leave(word); known {
			x.out.Leaves = append(x.out.Leaves, word)
			x.spread(from, Send{Leave: &word})
		}
		if errors.Is(err, ErrNotMember) { // their add may be on its way
			x.lack(now, x.near[from])
		}
	})
	return out, err
}

// spread sends something to all neighbours who are members, and to whom it puts out.
func (x *Exchange) spread(but Neighbour, s Send) {
	for k, n := range x.neighbours {
		about := s.Operation != nil && s.Operation.Kind == wire.OperationRemove && s.Operation.Subject == n.member
		if k == but || !x.in(n.member) && !about {
			continue
		}
		s.To = k
		x.send(s)
	}
}

// retry asks those again who have sent what could not be judged, or told of whom was not known.
func (x *Exchange) retry(now time.Time) {
	for k, n := range x.near {
		if len(n.refused) == 0 && !n.untold || !x.in(n.member) || !x.in(x.self) {
			continue
		}
		x.unask(k) // it has sent what it was asked for
		clear(n.refused)
		n.untold = false
		n.answer = true
		if at := n.wholeAt.Add(answerEvery); n.newsAt.IsZero() || at.Before(n.newsAt) {
			n.newsAt = at
		}
	}
}

// Next returns the head of our next message, without what it says.
func (x *Exchange) Next() wire.GroupHead {
	a, heads := x.author(x.self), x.log.Heads(x.self)
	return wire.GroupHead{
		Group: x.log.ID(), Author: x.self, Sequence: a.top() + 1, Previous: a.tips(math.MaxUint64),
		Heads: heads, Besides: x.log.besides(heads),
	}
}

// Wrote takes a message of ours that was made of [Exchange.Next]. Error: that of [Log.Speaks], of
// all that is known.
func (x *Exchange) Wrote(now time.Time, m wire.GroupMessage) (Output, error) {
	if x.log.reckoned().Closed { // perhaps by an operation that there was no place to name
		return Output{}, ErrClosed
	}
	if err := x.log.Speaks(&m.GroupHead); err != nil {
		return Output{}, err
	}
	return x.step(func() { x.accept(now, Neighbour{}, m) }), nil
}

// Message takes a message that a neighbour has sent. Errors are those of [Log.Speaks]; the
// message is then dropped, and comes again if it counts after all.
func (x *Exchange) Message(now time.Time, from Neighbour, m wire.GroupMessage) (Output, error) {
	n := x.near[from]
	if n == nil {
		return Output{}, ErrNotMember
	}
	var err error
	out := x.step(func() {
		if err = x.log.Speaks(&m.GroupHead); err != nil {
			if errors.Is(err, ErrUnknown) {
				x.unjudged(now, n, &m.GroupHead)
			} else {
				x.unclaim(n, m.Author, m.Sequence, m.Sequence)
			}
			return
		}
		x.message(now, from, n, m)
	})
	return out, err
}

// unjudged notes a message that hangs on operations which are not known: it is not asked for
// before such come.
func (x *Exchange) unjudged(now time.Time, n *neighbour, h *wire.GroupHead) {
	if len(x.log.added[h.Author]) > 0 {
		x.refuse(n, h.Author, h.Sequence)
		x.unclaim(n, h.Author, h.Sequence, h.Sequence)
	}
	x.lack(now, n)
}

// refuse notes up to which of an author's messages a neighbour has sent what could not be judged.
func (x *Exchange) refuse(n *neighbour, author identity.MemberKey, sequence uint64) {
	if n.refused == nil {
		n.refused = make(map[identity.MemberKey]uint64)
	}
	n.refused[author] = max(n.refused[author], sequence)
}

// message takes one that is a member's.
func (x *Exchange) message(now time.Time, from Neighbour, n *neighbour, m wire.GroupMessage) {
	a, tip := x.author(m.Author), m.Tip()
	switch {
	case a.recent(tip) >= 0:
		x.again(from, n, m.Author)
	case !x.in(x.self):
	case !x.counts(m.Author, tip):
		x.unclaim(n, m.Author, tip.Sequence, tip.Sequence)
	case !a.room(tip.Sequence):
		x.claim(n, m.Author, tip)
	case !x.log.knewOf(&m.GroupHead, x.self): // nor what its author wrote before it
		a.before(&m.GroupHead, tip)
		x.changed(m.Author)
		m.Content = nil
		x.out.Accepted = append(x.out.Accepted, m)
		x.progress(now, from, m.Author)
	case a.has(tip):
		if m.Content != nil {
			x.out.Doubted = append(x.out.Doubted, Doubted{From: from, Message: m})
		}
	case m.Content == nil && (m.Expires == 0 || m.Expires > uint64(now.UnixMilli())):
		x.absent(now, from, n, m.Author, tip.Sequence, tip.Sequence)
	default:
		x.accept(now, from, m)
	}
}

// counts reports whether a message may count as far as its author is out: of those only one with
// a number of which there is none, or which one that counts names.
func (x *Exchange) counts(author identity.MemberKey, tip wire.GroupTip) bool {
	a := x.author(author)
	return x.log.Last(author) == math.MaxUint64 || !a.settled(tip.Sequence) || slices.Contains(a.Missed, Missed(tip))
}

// Looked takes whether a doubted message is in the history, or was.
func (x *Exchange) Looked(now time.Time, d Doubted, had bool) Output {
	return x.step(func() {
		a, tip := x.author(d.Message.Author), d.Message.Tip()
		a.found(tip)
		x.changed(d.Message.Author)
		if had {
			x.progress(now, d.From, d.Message.Author)
			return
		}
		for _, p := range d.Message.Previous { // that one is looked up, too
			if a.recent(p) < 0 {
				a.miss(p)
			}
		}
		x.show(now, d.From, d.Message)
	})
}

// accept keeps a message that is new.
func (x *Exchange) accept(now time.Time, from Neighbour, m wire.GroupMessage) {
	a := x.author(m.Author)
	a.take(&m.GroupHead, m.Tip())
	if a.Ours == 0 || m.Sequence < a.Ours {
		a.Ours = m.Sequence
	}
	x.changed(m.Author)
	x.show(now, from, m)
}

// show shows a message and hands it on.
func (x *Exchange) show(now time.Time, from Neighbour, m wire.GroupMessage) {
	x.out.Accepted = append(x.out.Accepted, m)
	for k, n := range x.neighbours {
		if k == from || n.member == m.Author || !x.log.For(&m.GroupHead, n.member) {
			continue
		}
		if m.Content != nil && (m.Author == x.self || x.wants(n, m.Author)) {
			x.send(Send{To: k, Message: &Held{Author: m.Author, Tip: m.Tip()}})
			continue
		}
		x.tellLater(now, n, m.Author)
	}
	x.progress(now, from, m.Author)
}

// tellLater has a neighbour told, with what else comes meanwhile, what is held of an author.
func (x *Exchange) tellLater(now time.Time, n *neighbour, author identity.MemberKey) {
	n.news[author] = true
	if n.newsAt.IsZero() {
		n.newsAt = now.Add(newsEvery)
	}
}

// again takes note of a message that came twice, unasked: one way is enough.
func (x *Exchange) again(from Neighbour, n *neighbour, author identity.MemberKey) {
	if ask := x.asking[author]; ask != nil && ask.pulled[from] {
		return
	}
	if n.member != author {
		x.setWish(from, n, author, false)
		return
	}
	for k, other := range x.neighbours { // it comes from its author
		if k != from {
			x.setWish(k, other, author, false)
		}
	}
}

// Synced takes what a neighbour says that it holds.
func (x *Exchange) Synced(now time.Time, from Neighbour, s wire.GroupSync) Output {
	return x.step(func() {
		n := x.near[from]
		if n == nil || s.Group != x.log.ID() {
			return
		}
		n.held = s.Held
		if s.Answer { // it has met us anew, and what it was to answer may have gone
			x.unask(from)
		}
		differ := s.Held != x.log.HeldHash()
		if !x.in(n.member) {
			n.untold = len(x.log.added[n.member]) == 0 // their add is on its way
			for i := range x.log.nodes {
				if differ {
					x.tell(now, from, n, &x.log.nodes[i].op)
				}
			}
			return
		}
		if differ {
			x.listSoon(now, n)
		}
		if s.Left != x.log.LeftHash() {
			for _, word := range x.log.leaves() {
				x.send(Send{To: from, Leave: &word})
			}
		}
		x.authorsSaid(now, from, n, s.Authors)
		if s.Answer {
			x.whole(now, from, n, false)
		}
	})
}

// authorsSaid takes what a neighbour holds of authors.
func (x *Exchange) authorsSaid(now time.Time, from Neighbour, n *neighbour, authors []wire.GroupAuthor) {
	marks := x.log.marks()
	x.profilesSaid(now, from, n, authors, marks)
	for _, said := range authors {
		key, known := marks[said.Mark]
		if !known {
			continue
		}
		n.wants[key] = said.Push
		delete(n.claims, key)
		for _, tip := range said.Tips {
			x.claim(n, key, tip)
		}
		x.look(now, key)
	}
}

// claim notes that a neighbour has a message that is missed here.
func (x *Exchange) claim(n *neighbour, author identity.MemberKey, tip wire.GroupTip) {
	if tip.Sequence <= x.log.Last(author) && tip.Sequence > n.refused[author] && !x.author(author).has(tip) && x.counts(author, tip) && len(n.claims[author]) < claimsMax {
		n.claims[author] = append(n.claims[author], tip)
	}
}

// unclaim notes that what a neighbour has under some numbers is nothing for us.
func (x *Exchange) unclaim(n *neighbour, author identity.MemberKey, first, last uint64) {
	n.claims[author] = slices.DeleteFunc(n.claims[author], func(t wire.GroupTip) bool { return first <= t.Sequence && t.Sequence <= last })
}

// Wanted takes what a neighbour asks for.
func (x *Exchange) Wanted(now time.Time, from Neighbour, w wire.GroupRanges) Output {
	return x.step(func() {
		n := x.near[from]
		if n == nil || w.Group != x.log.ID() || !x.in(n.member) {
			return
		}
		if now.Sub(n.since) >= servedSpan {
			n.since, n.served = now, 0
		}
		marks, left := x.log.marks(), uint64(servedMax-n.served)
		defer func() { n.served = servedMax - int(left) }()
		for _, r := range w.Ranges {
			key, known := marks[r.Mark]
			if !known || left == 0 {
				continue
			}
			r.First = max(r.First, r.Last-min(r.Last, min(left, askNumbersMax))+1)
			left -= min(left, r.Last-r.First+1)
			x.out.Fetches = append(x.out.Fetches, Fetch{To: from, Author: key, First: r.First, Last: r.Last})
		}
	})
}

// Fetched takes what lies here of what a neighbour has asked for.
func (x *Exchange) Fetched(f Fetch, lying []Lying) Output {
	return x.step(func() {
		n := x.near[f.To]
		if n == nil || !x.in(n.member) {
			return
		}
		slices.SortFunc(lying, func(a, b Lying) int { return wire.CompareTips(a.Head.Tip(), b.Head.Tip()) })
		var found Author
		before := -1
		for i := range lying {
			if !x.log.For(&lying[i].Head, n.member) {
				before = i
				found.settle(f.First, lying[i].Head.Sequence)
			}
		}
		if before >= 0 {
			h := &lying[before].Head
			x.send(Send{To: f.To, Message: &Held{Author: f.Author, Tip: h.Tip(), Bare: true}})
		}
		for i := range lying {
			if h := &lying[i].Head; x.log.For(h, n.member) {
				found.settle(h.Sequence, h.Sequence)
				x.send(Send{To: f.To, Message: &Held{Author: f.Author, Tip: h.Tip(), Bare: lying[i].Gone}})
			}
		}
		var absent wire.GroupRanges
		for _, g := range found.gaps(f.Last) {
			if g.Last >= f.First && len(absent.Ranges) < wire.GroupRangesMax {
				absent.Ranges = append(absent.Ranges, wire.GroupRange{Mark: wire.MarkOf(f.Author), First: max(g.First, f.First), Last: g.Last})
			}
		}
		if len(absent.Ranges) > 0 {
			absent.Group = x.log.ID()
			x.send(Send{To: f.To, Absent: &absent})
		}
	})
}

// Absent takes what a neighbour does not hold of what it was asked for.
func (x *Exchange) Absent(now time.Time, from Neighbour, a wire.GroupRanges) Output {
	return x.step(func() {
		n := x.near[from]
		if n == nil || a.Group != x.log.ID() {
			return
		}
		marks := x.log.marks()
		for _, r := range a.Ranges {
			if key, known := marks[r.Mark]; known {
				x.absent(now, from, n, key, r.First, r.Last)
			}
		}
	})
}

// absent notes that a neighbour does not hold some messages: the next one is asked.
func (x *Exchange) absent(now time.Time, from Neighbour, n *neighbour, author identity.MemberKey, first, last uint64) {
	x.unclaim(n, author, first, last)
	if ask := x.asking[author]; ask != nil && ask.tried[from] && ask.at.After(now) {
		ask.at = now
	}
}

// Settle notes that a message is not to be missed: its author has deleted it.
func (x *Exchange) Settle(now time.Time, author identity.MemberKey, tip wire.GroupTip) Output {
	return x.step(func() {
		a := x.author(author)
		if a.has(tip) || !a.room(tip.Sequence) {
			return
		}
		a.take(&wire.GroupHead{}, tip)
		x.changed(author)
		x.progress(now, Neighbour{}, author)
	})
}
