package protocol

import (
	"errors"
	"time"

	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// signals is what a contact hears of what our user does at the moment, and what we hear of
// its user. It goes in bare acks on a connection, and is nowhere but in memory.
type signals struct {
	// Of ours.
	typing  time.Time // the user writes to the contact, until then; zero: not
	due     bool      // of which the contact is to hear
	typed   time.Time // it believes that until then, as we said last
	told    hearsay   // what it knows of our presence
	toldAt  time.Time // since when
	repeat  bool      // it may not know that
	at      time.Time // of the last bare ack that said anything
	stamp   int64     // in that one
	waiting bool      // something is to be said signalEvery behind that

	// Of theirs.
	writes time.Time // it writes to us, until then; zero: not
	here   time.Time // it is here, until then; zero: not, or not known
	heard  int64     // the stamp of the newest that came on a connection that there is

	// Of theirs, as our user knows it.
	writesShown, hereShown shown
}

// shown is what our user was told last of one thing a contact does. Of its beginning the user
// is told at most once in signalEvery, however often a contact begins; of its end at once.
type shown struct {
	on bool
	at time.Time // when it was told last that it begins
}

// tell reports whether the user is to be told now that it is on, or is not.
func (s *shown) tell(now time.Time, on bool) bool {
	if on == s.on || on && now.Before(s.at.Add(signalEvery)) {
		return false
	}
	if s.on = on; on {
		s.at = now
	}
	return true
}

// hearsay is what one side has been told of the other's presence.
type hearsay uint8

const (
	toldNothing hearsay = 0
	toldHere    hearsay = 1
	toldGone    hearsay = 2
)

// presence is what our user lets contacts know of being here.
type presence struct {
	until time.Time // zero: not here
	to    map[ContactID]bool
}

func (p *Peer) setTyping(now time.Time, in SetTyping) error {
	v := p.conversations[in.Conversation]
	if v == nil {
		return refuse(CodeNotFound)
	}
	if c := p.contacts[v.row.Contact]; c != nil {
		if in.On {
			c.signals.typing, c.signals.due = now.Add(typingFor), true
		} else {
			c.signals.typing, c.signals.due = time.Time{}, c.signals.typed.After(now)
		}
		p.stir(c)
	}
	p.reply(in.Ref, nil)
	return nil
}

func (p *Peer) setPresence(now time.Time, in SetPresence) {
	p.here.until, p.here.to = time.Time{}, make(map[ContactID]bool, len(in.To))
	if in.Here {
		p.here.until = now.Add(HereFor)
		p.dueBy(p.here.until)
		for _, id := range in.To {
			p.here.to[id] = true
		}
	}
	p.stirPresence(now)
	p.reply(in.Ref, nil)
}

// stirPresence has those contacts told of our presence who do not know it as it is.
func (p *Peer) stirPresence(now time.Time) {
	for _, c := range p.contactsInOrder() {
		if p.presenceFor(now, c) != c.signals.told {
			p.stir(c)
		}
	}
}

// scanPresence ends a presence that nobody has spoken of for a while.
func (p *Peer) scanPresence(now time.Time) {
	switch {
	case p.here.until.IsZero():
	case p.here.until.After(now):
		p.dueBy(p.here.until)
	default:
		p.here = presence{}
		p.stirPresence(now)
	}
}

// presenceFor returns what a contact is to know of our presence: of who was never told
// that we are here it says nothing that we have gone.
func (p *Peer) presenceFor(now time.Time, c *contact) hearsay {
	switch {
	case p.here.until.After(now) && p.here.to[c.row.ID]:
		return toldHere
	case c.signals.told == toldNothing:
		return toldNothing
	}
	return toldGone
}

// confidant reports whether a contact may hear what our user does, and be heard: nobody
// whom we block, have not accepted, or do not know any more.
func (c *contact) confidant() bool {
	return c.row.Role == RolePerson && c.row.Phase == ContactEstablished && !c.row.Blocked && c.row.Verification != VerifiedChanged
}

// hears reports whether a contact can be told now.
func (c *contact) hears() bool { return c.live() != nil && c.sending() != nil && c.confidant() }

// signal tells a contact what is to be said of our user at the moment: on a connection that
// there is, or never.
func (p *Peer) signal(now time.Time, c *contact) error {
	s := &c.signals
	if !c.hears() {
		s.due, s.waiting = false, false
		return nil
	}
	k, ps := c.live(), c.sending()
	if s.due && !s.typing.IsZero() && !s.typing.After(now) {
		s.typing, s.due = time.Time{}, false // too late: the contact ends it by itself
	}
	want := p.presenceFor(now, c)
	tell := want != s.told || s.repeat && want != toldNothing || s.repeatDue(now)
	s.waiting = s.due || tell
	if !s.waiting || now.Before(s.at.Add(signalEvery)) {
		return nil
	}
	stamp := max(now.UnixMilli(), s.stamp+1)
	var contents [][]byte
	if s.due {
		contents = append(contents, signalContent(stamp, s.typing.IsZero(), wire.SignalPaused, wire.SignalTyping))
	}
	if tell {
		contents = append(contents, signalContent(stamp, want == toldGone, wire.SignalGone, wire.SignalHere))
	}
	frame, err := ps.s.Ack(now, p.random, contents, 0)
	if errors.Is(err, session.ErrKEM) {
		p.fork(now, c, ps)
		return nil
	}
	if err != nil {
		return errRandom
	}
	ps.ackDue, ps.dirty = false, true
	if s.due {
		s.typed = s.typing
	}
	if tell {
		s.told, s.toldAt, s.repeat = want, now, false
	}
	s.due, s.waiting, s.at, s.stamp = false, false, now, stamp
	p.send(SendFrame{Conn: k.id, Type: wire.TypeEnvelope, Body: frame})
	return nil
}

// signalContent encodes one signal or the other.
func signalContent(stamp int64, ended bool, end, begin wire.Signal) []byte {
	if ended {
		begin = end
	}
	b, err := wire.AppendContent(nil, wire.Content{Type: wire.ContentTyping, At: stamp, Signal: begin})
	if err != nil {
		panic("protocol: a content of ours does not encode")
	}
	return b
}

// signalsReceived takes what a contact's bare ack says. What does not parse, or is nothing
// that a bare ack may say, or an older one than has come, is ignored: nobody misses it. Of
// several of one kind the last counts.
func (p *Peer) signalsReceived(now time.Time, c *contact, body []byte) {
	contents, err := wire.DecodeContents(body)
	if err != nil || !c.confidant() {
		return
	}
	var typing, presence wire.Signal
	newest := c.signals.heard
	for _, content := range contents {
		if content.Type != wire.ContentTyping || content.Raw != nil || content.At <= c.signals.heard {
			continue
		}
		newest = max(newest, content.At)
		switch content.Signal {
		case wire.SignalTyping, wire.SignalPaused:
			typing = content.Signal
		case wire.SignalHere, wire.SignalGone:
			presence = content.Signal
		}
	}
	c.signals.heard = newest
	switch typing {
	case wire.SignalTyping:
		c.signals.writes = now.Add(typingFor)
	case wire.SignalPaused:
		c.signals.writes = time.Time{}
	}
	switch presence {
	case wire.SignalHere:
		c.signals.here = now.Add(hereHeardFor)
	case wire.SignalGone:
		c.signals.here = time.Time{}
	}
	p.show(now, c)
}

// show tells our user what a contact does, if that is news.
func (p *Peer) show(now time.Time, c *contact) {
	s := &c.signals
	if on := !s.writes.IsZero(); s.writesShown.tell(now, on) {
		code := TypingOff
		if on {
			code = TypingOn
		}
		p.event(Event{Type: Typing, Contact: c.row.ID, Conversation: c.row.Conversation, Code: code})
	}
	if on := !s.here.IsZero(); s.hereShown.tell(now, on) {
		code := PresenceGone
		if on {
			code = PresenceHere
		}
		p.event(Event{Type: Presence, Contact: c.row.ID, Code: code})
	}
}

// paused notes that a contact does not write at the moment.
func (p *Peer) paused(now time.Time, c *contact) {
	c.signals.writes = time.Time{}
	p.show(now, c)
}

// silenced forgets what was said and heard behind the last connection.
func (p *Peer) silenced(c *contact) {
	c.signals.writes, c.signals.here = time.Time{}, time.Time{}
	p.show(p.lastNow, c)
	c.signals = signals{at: c.signals.at, stamp: c.signals.stamp, writesShown: c.signals.writesShown, hereShown: c.signals.hereShown}
}

// scanSignals ends what the contact has not said again, and says what had to wait.
func (p *Peer) scanSignals(now time.Time, c *contact) {
	if !c.signals.writes.After(now) {
		c.signals.writes = time.Time{}
	}
	if !c.signals.here.After(now) {
		c.signals.here = time.Time{}
	}
	p.show(now, c)
	if c.signals.waiting || c.signals.repeatDue(now) {
		p.stir(c)
	}
}

// repeatDue reports whether it is to be said again that our user is here.
func (s *signals) repeatDue(now time.Time) bool {
	return s.told == toldHere && !now.Before(s.toldAt.Add(hereSaidEvery))
}

// nextSignal returns when scanSignals has something to do, or zero.
func (c *contact) nextSignal(now time.Time) time.Time {
	var next time.Time
	s := &c.signals
	free := later(s.at.Add(signalEvery), now)
	for _, due := range [...]struct {
		is bool
		at time.Time
	}{
		{!s.writes.IsZero(), s.writes}, {!s.here.IsZero(), s.here},
		{!s.writes.IsZero() && !s.writesShown.on, s.writesShown.at.Add(signalEvery)},
		{!s.here.IsZero() && !s.hereShown.on, s.hereShown.at.Add(signalEvery)},
		{s.waiting && c.hears(), free}, {s.told == toldHere && c.hears(), later(s.toldAt.Add(hereSaidEvery), free)},
	} {
		if at := later(due.at, now); due.is && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// wrote notes that what the user was writing goes out: the contact needs no word that the
// writing has ended.
func (s *signals) wrote() { s.typing, s.typed, s.due = time.Time{}, time.Time{}, false }

// again has our presence said once more: the connection on which it was said may have
// ended too early.
func (s *signals) again() { s.repeat = s.told != toldNothing }

func (s *signals) clockWentBack(now time.Time) {
	s.at, s.toldAt, s.here = earlier(s.at, now), earlier(s.toldAt, now), earlier(s.here, now.Add(hereHeardFor))
	s.typing, s.typed, s.writes = earlier(s.typing, now.Add(typingFor)), earlier(s.typed, now.Add(typingFor)), earlier(s.writes, now.Add(typingFor))
	s.writesShown.at, s.hereShown.at = earlier(s.writesShown.at, now), earlier(s.hereShown.at, now)
}
