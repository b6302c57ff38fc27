package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// people returns the machines at which somebody sits; the others are home nodes.
func (w *World) people() []*machine { return w.machines[:w.plan.Peers] }

// beginHomes lets people pair with home nodes, and two of them be on by turns.
func (w *World) beginHomes() {
	if w.plan.Homes == 0 {
		return
	}
	for _, m := range w.people() {
		w.after(w.between(0, cmp.Or(w.plan.Settle/4, w.plan.Life/8)), func() { w.pair(m) })
		w.repeat(w.plan.Pair, func() { w.pair(m) })
	}
	if w.plan.Shifts > 0 {
		w.shift(0)
	}
	if w.plan.Setback {
		w.repeat(w.plan.Shifts, func() {
			for _, m := range w.people()[:2] {
				m.keepOld()
			}
		})
		w.after(w.between(w.plan.Life/4, w.plan.Life/2), w.setback)
	}
}

// pairings returns the ends of pairings that a machine has.
func (m *machine) pairings() []protocol.PutContact {
	return slices.DeleteFunc(inOrder(m.disk.contacts), func(c protocol.PutContact) bool { return c.Role == protocol.RolePerson })
}

// pair has a person pair with a home node; or, having done so, try what does not work
// with one.
func (w *World) pair(m *machine) {
	if !m.present() {
		if w.plan.Daily && !w.healing && !m.gone && len(m.pairings()) == 0 {
			w.after(w.about(time.Hour), func() { w.pair(m) })
		}
		return
	}
	if c, paired := pick(w, m.pairings()); paired {
		w.triesToWrite(m, c)
		switch {
		case w.chance(60):
			return
		case w.chance(30):
			w.endPairing(m, c)
			return
		}
	}
	home, some := w.homeFor(m)
	if !some || home.gone {
		return
	}
	if !home.present() {
		w.after(w.about(w.plan.Pair/8), func() { w.pair(m) })
		return
	}
	in := protocol.CreateInvite{Kind: protocol.InviteHome, Note: marker}
	if w.chance(20) {
		in.Lifetime = w.between(10*time.Minute, 24*time.Hour)
	}
	home.command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, func(result any, code string) {
		if code != "" {
			w.fail("%v: home invite refused: %s", home, code)
			return
		}
		created := result.(protocol.InviteCreated)
		i := invitation{by: home, id: created.ID, link: created.Link, home: true}
		w.truth.invites = append(w.truth.invites, i)
		w.after(w.about(time.Minute), func() { w.add(m, i) })
		if w.chance(10) {
			w.mistakesLink(m, i)
		}
	})
}

// homeFor returns a home node for a person. In villages and cities each belongs to one.
func (w *World) homeFor(m *machine) (*machine, bool) {
	homes := w.machines[w.plan.Peers:]
	switch {
	case !w.plan.Daily:
		return pick(w, homes)
	case m.index < len(homes):
		return homes[m.index], true
	}
	return nil, false
}

// endPairing has the owner end a pairing, or whoever sits at the home node.
func (w *World) endPairing(m *machine, c protocol.PutContact) {
	if home := w.truth.accounts[c.Account]; home != nil && home.present() && w.chance(40) {
		if theirs := home.contactWith(m); theirs != nil {
			m, c = home, *theirs
		}
	}
	m.command(func(ref uint64) protocol.Input { return protocol.EndHelp{Ref: ref, Contact: c.ID} }, nil)
}

// mistakesLink has a person follow a home node's link as if a person had made it.
func (w *World) mistakesLink(m *machine, i invitation) {
	if !m.present() {
		return
	}
	m.command(func(ref uint64) protocol.Input { return protocol.AddContact{Ref: ref, Link: i.link} }, func(_ any, code string) {
		if code != protocol.CodeInviteIsHome && (code != protocol.CodeInviteExpired || w.plan.Clock == 0) {
			w.fail("%v: a home node's link as a person's is answered by %q", m, code)
		}
	})
}

// triesToWrite has somebody write to the other end of a pairing, which is no person.
func (w *World) triesToWrite(m *machine, c protocol.PutContact) {
	refused := func(what string) answer {
		return func(_ any, code string) {
			if code == "" {
				w.fail("%v: %s with a home node or its owner", m, what)
			}
		}
	}
	m.command(func(ref uint64) protocol.Input {
		return protocol.SendText{Ref: ref, Contact: c.ID, Text: marker}
	}, refused("talks"))
	m.command(func(ref uint64) protocol.Input {
		return protocol.OpenConversation{Ref: ref, Contact: c.ID}
	}, refused("opens a conversation"))
	m.command(func(ref uint64) protocol.Input {
		return protocol.ExportBundle{Ref: ref, Contact: c.ID}
	}, refused("makes a file"))
}

// shift switches one of the first two people on and the other off.
func (w *World) shift(turn int) {
	if w.healing || w.failure != nil {
		return
	}
	on, off := w.machines[turn], w.machines[1-turn]
	if !w.lead(on, off) {
		w.strayedAt = w.now
	}
	off.crash()
	off.away, on.away = true, false
	w.log("%v's turn", on)
	w.after(w.between(time.Second, time.Minute), on.restart)
	w.after(w.between(w.plan.Shifts/4, w.plan.Shifts/2), func() {
		if !w.healing && on.contactWith(off) == nil {
			w.invite(on, off)
		}
	})
	w.after(w.plan.Shifts, func() { w.shift(1 - turn) })
}

// setback gives whoever of the first two is off an old disk from which mail goes both ways:
// mailboxes of which only one of them knows nobody else can tell the other of.
func (w *World) setback() {
	for i, m := range w.people()[:2] {
		other := w.machines[1-i]
		if m.on || m.contactWith(other) == nil {
			continue
		}
		fit := slices.DeleteFunc(slices.Clone(m.snapshots), func(d *disk) bool {
			return !d.knows(other) || !w.leads(d, other, other.boxes()) || !w.leads(other.disk, m, w.boxesOn(d))
		})
		if old, some := pick(w, fit); some {
			w.putBack(m, old)
			w.setbackAt = w.now
			return
		}
	}
}

// leads reports whether one disk names mailboxes for a machine, and all of them are among
// those.
func (w *World) leads(d *disk, to *machine, boxes map[wire.MailboxID]bool) bool {
	for _, c := range inOrder(d.contacts) {
		var st contactState
		if c.Account != to.account || c.Phase != protocol.ContactEstablished || cbor.Unmarshal(c.State, &st) != nil || st.Record == nil {
			continue
		}
		lost := func(b wire.Mailbox) bool { return !boxes[b.ID] }
		return len(st.Record.Mailboxes) > 0 && !slices.ContainsFunc(st.Record.Mailboxes, lost)
	}
	return false
}

// waitsADay reports whether a contact's next renewal may have to wait for the end of a day: there were
// three, or one because of mail that did not open.
func (w *World) waitsADay(c *protocol.PutContact) bool {
	var st contactState
	if c == nil || cbor.Unmarshal(c.State, &st) != nil {
		return false
	}
	today := func(at int64) bool {
		since := w.now.Sub(time.Unix(at, 0))
		return since >= 0 && since < 24*time.Hour
	}
	st.Renewals = slices.DeleteFunc(st.Renewals, func(at int64) bool { return !today(at) })
	return st.Forked && len(st.Renewals) >= renewalsMax || (st.Forked || st.NotOpened != 0) && today(st.Pleaded)
}

// lead reports whether what two disks say of each other's mailboxes is true.
func (w *World) lead(a, b *machine) bool {
	return w.leads(a.disk, b, b.boxes()) && w.leads(b.disk, a, a.boxes())
}

// shiftsPatience is in how many turns what goes by courier must have come to something:
// a request, its accept and the first letter take one each, and a courier may be asked
// in vain at the end of one.
const shiftsPatience = 8

// checkShifts checks, before anything is healed, that two people who were never on
// together have met and got their letters, if nothing went wrong that may keep either.
func (w *World) checkShifts() {
	if w.plan.Shifts == 0 {
		return
	}
	patience := shiftsPatience * w.plan.Shifts
	if w.plan.Setback {
		patience *= 2 // who has lost what must be found out first, and how to go on
	}
	if w.plan.Setback && (w.setbackAt.IsZero() || w.now.Sub(w.setbackAt) < patience || w.now.Sub(w.strayedAt) < patience) {
		return
	}
	long := w.now.Add(-patience).UnixMilli()
	for turn, m := range w.people()[:2] {
		other := w.machines[1-turn]
		c := m.contactWith(other)
		if c == nil {
			w.checkAsked(m, other, long)
			continue
		}
		if !m.pairedBy(long) || !other.pairedBy(long) {
			continue // mail for one lies at nobody's, or the other cannot hear where
		}
		if w.plan.Setback && !w.lead(m, other) {
			continue // so it is if mailboxes changed before the other could be told by a session that both hold
		}
		if w.plan.Setback && (w.waitsADay(c) || w.waitsADay(other.contactWith(m))) {
			continue
		}
		for _, msg := range m.disk.threads[c.Conversation] {
			l := w.truth.letters[msg.wire]
			if msg.Direction == protocol.Out && msg.state == "" && msg.At < long && (!l.arrived || l.gone && l.deleted == 0 && !l.removed) {
				w.fail("%v: %s has waited for %v for %d turns", m, short(msg.text), other, patience/w.plan.Shifts)
			}
		}
	}
}

// pairedBy reports whether a machine has a home node and had it at a time, in Unix
// milliseconds.
func (m *machine) pairedBy(at int64) bool {
	return slices.ContainsFunc(m.pairings(), func(c protocol.PutContact) bool {
		return c.Role == protocol.RoleHome && c.Phase == protocol.ContactEstablished && c.CreatedAt < at
	})
}

// checkAsked checks that a person has no request that waits for long and could have
// been answered by courier.
func (w *World) checkAsked(m, other *machine, long int64) {
	for _, c := range inOrder(m.disk.contacts) {
		i, asked := w.truth.asked[asking{m, c.ID}]
		if !asked || i.by != other || c.Phase != protocol.ContactRequested || c.CreatedAt > long || !byCourierOnly(c) {
			continue
		}
		if v := other.disk.invites[i.id]; !v.Ask && v.Used == 0 && v.RevokedAt == 0 && v.ExpiresAt-c.CreatedAt > (shiftsPatience*w.plan.Shifts).Milliseconds() {
			w.fail("%v: a request to %v has waited for %d turns", m, other, shiftsPatience)
		}
	}
}

// checkRoles checks that a home node and its owner are no people to each other.
func (w *World) checkRoles(m *machine) {
	for _, c := range m.pairings() {
		if c.Conversation != (protocol.ConversationID{}) {
			w.fail("%v: a conversation with a home node or its owner", m)
		}
		if m.home != (c.Role == protocol.RoleOwner) {
			w.fail("%v: the other end of a pairing is %s", m, c.Role)
		}
	}
	if m.home && (len(m.disk.conversations) > 0 || len(m.disk.messages) > 0 || len(m.pairings()) < len(m.disk.contacts)) {
		w.fail("%v: a home node with %d conversations, %d messages, %d people", m, len(m.disk.conversations), len(m.disk.messages), len(m.disk.contacts)-len(m.pairings()))
	}
}
