package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// marker is in every text and every name, so that one search finds any of them
// where it must not be.
const marker = "plain~text"

// invitation is a link as people hand it around.
type invitation struct {
	by   *machine
	id   protocol.InviteID
	link string
	home bool // it pairs a home node
}

// beginPeople lets one person at each machine make contacts, write and do all the
// rest.
func (w *World) beginPeople() {
	for _, m := range w.people() {
		for _, o := range w.people() {
			if o.index > m.index && w.plan.Friends == 0 {
				w.after(w.between(0, w.firstMeetings()), func() { w.introduce(m, o) })
			}
		}
		w.repeat(w.plan.Talk, func() { w.talk(m) })
		w.repeat(w.plan.Act, func() { w.act(m) })
		w.repeat(w.plan.Help, func() { w.help(m) })
		w.repeat(w.plan.Files, func() { w.carryFile(m) })
		w.repeat(w.plan.Forward, func() { w.forward(m) })
		w.repeat(w.plan.Groups, func() { w.gather(m) })
		w.repeat(w.plan.Life/12, func() { w.readAll(m) })
		if w.plan.Signals {
			w.repeat(w.plan.Life/60, func() { w.signal(m) })
		}
	}
	w.beginFriendships()
	w.settle()
}

// present reports whether somebody can use the machine.
func (m *machine) present() bool { return m.on && !m.asleep && m.w.failure == nil }

// introduce has one person invite another, or each the other.
func (w *World) introduce(a, b *machine) {
	if w.chance(50) {
		a, b = b, a
	}
	w.invite(a, b)
	if w.chance(20) {
		w.invite(b, a)
	}
}

// invite makes a link and gives it to somebody.
func (w *World) invite(by, to *machine) {
	if !by.present() {
		if w.plan.Daily && !w.healing && !by.gone {
			w.after(w.about(time.Hour), func() { w.invite(by, to) })
		}
		return
	}
	in := protocol.CreateInvite{Kind: protocol.InviteOnce, Note: marker}
	if w.chance(25) {
		in.Kind = protocol.InviteCard
	}
	in.Ask = w.chance(25)
	in.LAN = w.plan.LAN && w.chance(30)
	in.Lifetime = 48 * time.Hour
	if w.chance(20) {
		in.Lifetime = w.between(10*time.Minute, 24*time.Hour)
	}
	by.command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, func(result any, code string) {
		if code != "" {
			w.fail("%v: invite refused: %s", by, code)
			return
		}
		created := result.(protocol.InviteCreated)
		i := invitation{by: by, id: created.ID, link: created.Link}
		w.truth.invites = append(w.truth.invites, i)
		w.after(w.about(10*time.Minute), func() { w.add(to, i) })
		if w.chance(5) {
			w.after(w.about(time.Hour), func() { w.add(to, i) })
		}
	})
}

// add has a person follow a link.
func (w *World) add(m *machine, i invitation) {
	if !m.present() {
		if !w.healing && !m.gone {
			w.after(w.about(time.Hour), func() { w.add(m, i) })
		}
		return
	}
	m.command(func(ref uint64) protocol.Input {
		return protocol.AddContact{Ref: ref, Link: "  " + i.link + "\n", Greeting: marker + " hello", Home: i.home}
	}, func(result any, code string) {
		if code != "" {
			w.truth.refused(m, i, code)
			return
		}
		added := result.(protocol.Added)
		w.truth.asked[asking{m, added.Contact}] = i
		if !i.home && w.chance(30) { // what is written before the answer waits
			w.after(w.about(time.Minute), func() { w.sendTo(m, added.Contact) })
		}
	})
}

// talk writes a burst of messages to one contact.
func (w *World) talk(m *machine) {
	if !m.present() {
		return
	}
	c, ok := w.someContact(m)
	if !ok {
		return
	}
	n := 1 + w.random.IntN(w.plan.Burst)
	if w.chance(1) {
		n *= 100
	}
	for range n {
		w.after(w.between(0, 20*time.Second), func() {
			if w.chance(15) {
				w.answer(m, m.disk.contacts[c.ID])
				return
			}
			w.sendTo(m, c.ID)
		})
	}
}

func (w *World) someContact(m *machine) (protocol.PutContact, bool) {
	return pick(w, slices.DeleteFunc(inOrder(m.disk.contacts), func(c protocol.PutContact) bool { return c.Role != protocol.RolePerson }))
}

func (w *World) sendTo(m *machine, contact protocol.ContactID) {
	if !m.present() {
		return
	}
	w.truth.written++
	text := fmt.Sprintf("%s %d 안녕 %s", marker, w.truth.written, strings.Repeat("x", w.textBytes()))
	files := w.someFiles()
	in := protocol.SendText{Contact: contact, Text: text, Files: files}
	if w.truth.written%5 == 0 {
		in.Mentions = mentions()
	}
	m.command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, func(result any, code string) {
		if code == "" {
			w.truth.promised(m, result.(protocol.Sent), in)
		}
	})
}

// someFiles returns what one message in ten carries. Their chunks are no matter of the core.
func (w *World) someFiles() (files []protocol.FileToSend) {
	if !w.chance(10) {
		return nil
	}
	for range 1 + w.random.IntN(wire.FilesMax) {
		size := uint64(w.random.IntN(20 << 20))
		if size%3 == 0 { // some go by courier
			size = 1 + size%(3*wire.PartBytes)
		}
		f := wire.File{Name: marker + ".jpg", MediaType: "image/jpeg", SizeBytes: size, Root: [32]byte{1}}
		if w.chance(70) {
			f.Thumbnail = w.thumbnail()
		}
		files = append(files, protocol.FileToSend{ID: protocol.FileID{byte(size)}, File: f})
	}
	return files
}

func (w *World) textBytes() int {
	switch {
	case w.chance(70):
		return w.random.IntN(100)
	case w.chance(90):
		return w.random.IntN(3000)
	}
	return w.random.IntN(protocol.TextBytesMax - 100)
}

// readAll marks what has come as read.
func (w *World) readAll(m *machine) {
	if !m.present() {
		return
	}
	for _, v := range inOrder(m.disk.conversations) {
		if m.disk.unread(v.ID, v.ReadUpTo) == 0 || !w.chance(60) {
			continue
		}
		in := protocol.MarkRead{Conversation: v.ID, UpTo: v.LastPosition}
		if v.LastPosition > v.ReadUpTo && w.chance(30) { // not to the end
			in.UpTo = v.ReadUpTo + 1 + w.random.Uint64N(v.LastPosition-v.ReadUpTo)
		}
		in.Receipt = w.receipt(m, v, in.UpTo)
		now := m.clock().UnixMilli()
		for _, msg := range m.disk.threads[v.ID] {
			if msg.Direction != protocol.In || msg.Position <= v.ReadUpTo || msg.Position > in.UpTo {
				continue
			}
			if content, _, err := wire.DecodeContent(msg.Content); err == nil && content.Timer != nil && content.Timer.Mode == wire.TimerFromRead {
				in.Expiries = append(in.Expiries, protocol.SetMessageExpiry{ID: msg.ID, ExpiresAt: now + int64(content.Timer.Seconds)*1000})
			}
		}
		m.command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, nil)
	}
}

// act does one of the rarer things.
func (w *World) act(m *machine) {
	if !m.present() {
		return
	}
	c, ok := w.someContact(m)
	harmless := []func(*machine, protocol.PutContact){w.rename, w.verify, w.timer, w.answerAll, w.noteToSelf, w.react, w.react, w.edit, w.edit, w.edit}
	harmful := []func(*machine, protocol.PutContact){w.takeBack, w.takeBack, w.deleteSome, w.deleteForAll, w.deleteForAll, w.refuseDeletions, w.block, w.unblock, w.unblock, w.remove, w.revoke, w.again, w.again}
	switch {
	case !ok || w.chance(5):
		if o, ok := pick(w, w.people()); ok && o != m {
			w.invite(m, o)
		}
	case w.plan.Quiet || w.chance(50):
		harmless[w.random.IntN(len(harmless))](m, c)
	default:
		harmful[w.random.IntN(len(harmful))](m, c)
	}
}

// help offers a contact to carry its mail, or ends that.
func (w *World) help(m *machine) {
	if !m.present() {
		return
	}
	c, ok := w.someContact(m)
	switch {
	case !ok:
	case !w.helpOf(c).Declined && w.chance(85):
		w.offerHelp(m, c)
	case w.helpOf(c).Declined:
		m.command(func(ref uint64) protocol.Input { return protocol.AcceptHelp{Ref: ref, Contact: c.ID} }, nil)
	default:
		m.command(func(ref uint64) protocol.Input { return protocol.EndHelp{Ref: ref, Contact: c.ID} }, nil)
	}
}

func (w *World) offerHelp(m *machine, c protocol.PutContact) {
	quota := uint64(wire.EnvelopeBytesMax) << w.random.IntN(10)
	m.command(func(ref uint64) protocol.Input {
		return protocol.OfferHelp{Ref: ref, Contact: c.ID, QuotaBytes: quota, LifetimeDays: 1 + uint32(w.random.IntN(14))}
	}, nil)
}

func (w *World) rename(m *machine, c protocol.PutContact) {
	if w.chance(50) {
		w.truth.names++
		m.command(func(ref uint64) protocol.Input {
			return protocol.SetName{Ref: ref, Name: personName(m.index, w.truth.names)}
		}, nil)
		return
	}
	m.command(func(ref uint64) protocol.Input {
		return protocol.SetAlias{Ref: ref, Contact: c.ID, Alias: fmt.Sprintf("alias %d", w.random.IntN(4))}
	}, nil)
}

func (w *World) verify(m *machine, c protocol.PutContact) {
	m.command(func(ref uint64) protocol.Input {
		return protocol.SetVerified{Ref: ref, Contact: c.ID, Verified: w.chance(70)}
	}, nil)
}

func (w *World) timer(m *machine, c protocol.PutContact) {
	var t *wire.Timer
	if w.chance(60) {
		t = &wire.Timer{Mode: wire.TimerMode(1 + w.random.IntN(2)), Seconds: uint32(w.between(time.Minute, 24*time.Hour) / time.Second)}
	}
	if c.Conversation != (protocol.ConversationID{}) {
		m.command(func(ref uint64) protocol.Input {
			return protocol.SetTimer{Ref: ref, Conversation: c.Conversation, Timer: t}
		}, nil)
	}
}

// answerAll answers the requests that wait for a person.
func (w *World) answerAll(m *machine, _ protocol.PutContact) {
	for _, r := range inOrder(m.disk.requests) {
		if r.Phase != protocol.RequestWaiting {
			continue
		}
		answer := protocol.RequestAccepted
		if !w.healing && w.chance(20) {
			answer = protocol.RequestDeclined
		}
		m.command(func(ref uint64) protocol.Input {
			return protocol.AnswerRequest{Ref: ref, ID: r.ID, Answer: answer}
		}, nil)
	}
}

func (w *World) noteToSelf(m *machine, _ protocol.PutContact) {
	m.command(func(ref uint64) protocol.Input { return protocol.OpenConversation{Ref: ref} }, func(result any, code string) {
		if code != "" {
			return
		}
		text := marker + " to self"
		m.command(func(ref uint64) protocol.Input {
			return protocol.SendText{Ref: ref, Conversation: result.(protocol.Opened).Conversation, Text: text}
		}, nil)
	})
}

// takeBack takes back one of the last messages.
func (w *World) takeBack(m *machine, c protocol.PutContact) {
	t := m.disk.threads[c.Conversation]
	msg, ok := pick(w, t[max(0, len(t)-8):])
	if !ok || msg.Direction != protocol.Out {
		return
	}
	m.command(func(ref uint64) protocol.Input {
		return protocol.TakeBack{Ref: ref, ID: msg.ID, Conversation: msg.Conversation, Sequence: msg.Sequence}
	}, nil)
}

func (w *World) deleteSome(m *machine, c protocol.PutContact) {
	msg, ok := pick(w, m.disk.threads[c.Conversation])
	if !ok {
		return
	}
	m.command(func(ref uint64) protocol.Input {
		return protocol.DeleteMessage{
			Ref: ref, ID: msg.ID, Conversation: msg.Conversation, Sequence: msg.Sequence, Direction: msg.Direction, Wire: msg.Wire,
		}
	}, nil)
}

func (w *World) block(m *machine, c protocol.PutContact)   { w.setBlocked(m, c, true) }
func (w *World) unblock(m *machine, c protocol.PutContact) { w.setBlocked(m, c, false) }

func (w *World) setBlocked(m *machine, c protocol.PutContact, blocked bool) {
	m.command(func(ref uint64) protocol.Input {
		return protocol.SetBlocked{Ref: ref, Contact: c.ID, Blocked: blocked}
	}, nil)
}

func (w *World) remove(m *machine, c protocol.PutContact) {
	m.command(func(ref uint64) protocol.Input { return protocol.RemoveContact{Ref: ref, Contact: c.ID} }, nil)
	if o := w.truth.accounts[c.Account]; o != nil && w.chance(70) { // and they make up
		w.after(w.about(time.Hour), func() { w.introduce(m, o) })
	}
}

func (w *World) revoke(m *machine, _ protocol.PutContact) {
	if v, ok := pick(w, inOrder(m.disk.invites)); ok {
		m.command(func(ref uint64) protocol.Input { return protocol.RevokeInvite{Ref: ref, ID: v.ID} }, nil)
	}
}

// again follows some link that is about: of somebody who is a contact already, used
// up, revoked, expired or our own.
func (w *World) again(m *machine, _ protocol.PutContact) {
	if i, ok := pick(w, w.truth.invites); ok {
		w.add(m, i)
	}
}
