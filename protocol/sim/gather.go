package sim

import (
	"fmt"
	"slices"

	"pabal/protocol"
	"pabal/protocol/group"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// groupsMax is how many groups people begin in a world.
const groupsMax = 2

// NewGathering makes a plan of a world in which people who are contacts of some of the others talk in groups.
func NewGathering(seed uint64) Plan {
	p := NewPlan(seed)
	r := newSource(seed, 1<<43)
	pick := func(n uint64) uint64 { return r.Uint64() % n }
	p.Peers = 3 + int(pick(4))
	p.Groups = p.Talk
	if p.Wake > 0 { // months are for two or three
		p.Peers = 3
	}
	p.Quiet = pick(3) > 0
	return p
}

// gather has a person do something in a group.
func (w *World) gather(m *machine) {
	if !m.present() {
		return
	}
	v, ok := pick(w, m.groups())
	g, _ := m.peer.Group(m.clock(), v.ID)
	switch {
	case !ok || w.truth.groups < groupsMax && w.chance(10):
		w.beginGroup(m)
		return
	case w.chance(60):
		for range 1 + w.random.IntN(w.plan.Burst) {
			w.after(w.about(w.plan.Groups/8), func() { w.sayInGroup(m, v.ID) })
		}
		return
	}
	w.inGroup(m, v.ID, g)
}

// inGroup has a person do one of the rarer things in a group. Most of it is refused to who is no admin.
func (w *World) inGroup(m *machine, id protocol.ConversationID, g protocol.Group) {
	member, some := pick(w, slices.DeleteFunc(slices.Clone(g.Members), func(o protocol.GroupMember) bool { return o.Self }))
	c, known := w.someContact(m)
	var in func(ref uint64) protocol.Input
	switch n := w.random.IntN(100); {
	case n < 30:
		in = func(ref uint64) protocol.Input { return protocol.JoinGroup{Ref: ref, Conversation: id} }
	case n < 60 && known:
		in = func(ref uint64) protocol.Input {
			return protocol.AddMember{Ref: ref, Conversation: id, Contact: c.ID}
		}
	case n < 75 && some:
		in = func(ref uint64) protocol.Input {
			return protocol.SetRole{Ref: ref, Conversation: id, Member: member.ID, Admin: n < 70}
		}
	case n < 80 && some && len(g.Members) > 2:
		in = func(ref uint64) protocol.Input {
			return protocol.RemoveMember{Ref: ref, Conversation: id, Member: member.ID}
		}
	case n < 83:
		in = func(ref uint64) protocol.Input { return protocol.LeaveGroup{Ref: ref, Conversation: id} }
	case n < 90:
		in = func(ref uint64) protocol.Input {
			return protocol.SetTitle{Ref: ref, Conversation: id, Title: fmt.Sprintf("%s %d", marker, n)}
		}
	default:
		var t *wire.Timer
		if n < 96 {
			t = &wire.Timer{Mode: wire.TimerMode(1 + n%2), Seconds: uint32(60 * n * n)}
		}
		in = func(ref uint64) protocol.Input { return protocol.SetTimer{Ref: ref, Conversation: id, Timer: t} }
	}
	m.command(in, func(any, string) {})
}

func (w *World) beginGroup(m *machine) {
	var members []protocol.ContactID
	for _, c := range inOrder(m.disk.contacts) {
		if c.Role == protocol.RolePerson && c.Phase == protocol.ContactEstablished && !c.Blocked && w.chance(70) {
			members = append(members, c.ID)
		}
	}
	if len(members) == 0 || w.truth.groups >= groupsMax {
		return
	}
	m.command(func(ref uint64) protocol.Input {
		return protocol.CreateGroup{Ref: ref, Title: marker + " group", Members: members}
	}, func(_ any, code string) {
		if code == "" {
			w.truth.groups++
		}
	})
}

func (w *World) sayInGroup(m *machine, id protocol.ConversationID) {
	if !m.present() {
		return
	}
	w.truth.written++
	text := fmt.Sprintf("%s %d in the group", marker, w.truth.written)
	m.command(func(ref uint64) protocol.Input {
		return protocol.SendText{Ref: ref, Conversation: id, Text: text}
	}, func(_ any, code string) {
		if code == "" {
			w.truth.spoken++
		}
	})
}

// groups are the conversations of a machine's groups.
func (m *machine) groups() (all []protocol.PutConversation) {
	for _, v := range inOrder(m.disk.conversations) {
		if v.Kind == protocol.ConversationGroup {
			all = append(all, v)
		}
	}
	return all
}

// groupOf returns a machine's conversation of a group, if it has one.
func (m *machine) groupOf(id wire.OperationID) (protocol.PutConversation, protocol.Group, bool) {
	for _, v := range m.groups() {
		if g, ok := m.peer.Group(m.clock(), v.ID); ok && g.ID == id {
			return v, g, true
		}
	}
	return protocol.PutConversation{}, protocol.Group{}, false
}

// checkGroupMessage checks a message that has just come: it is of who was a member by what is known, and came once.
func (w *World) checkGroupMessage(m *machine, msg *message) {
	for _, o := range m.disk.threads[msg.Conversation] {
		if o != msg && o.Wire == msg.Wire {
			w.fail("%v: got %s twice", m, short(msg.text))
		}
	}
	w.truth.inGroups++
}

// unsettledGroups says what of groups is not as it must become: all who are in, and know of each other along a line of
// contacts, hold the same operations, and have all messages that are for them and that another one has.
func (w *World) unsettledGroups(m *machine) string {
	for _, v := range m.groups() {
		g, ok := m.peer.Group(m.clock(), v.ID)
		if !ok {
			return "does not know its group"
		}
		if !g.In {
			continue
		}
		log, err := m.logOf(v.ID)
		if err != nil {
			w.fail("%v: %v", m, err)
			return ""
		}
		for _, o := range w.reached(m, g.ID) {
			there, other, _ := o.groupOf(g.ID)
			if other.Held != g.Held {
				return fmt.Sprintf("%v holds other operations of a group", o)
			}
			if left := m.lacks(v.ID, log, g.Self, o, there.ID); left != "" {
				return left
			}
		}
	}
	return ""
}

// reached are the other machines that are in a group and know of each other, along a line.
func (w *World) reached(m *machine, id wire.OperationID) (all []*machine) {
	seen := map[*machine]bool{m: true}
	for next := []*machine{m}; len(next) > 0; next = next[1:] {
		for _, o := range w.people() {
			if !seen[o] && o.present() && w.near(next[0], o, id) && w.near(o, next[0], id) {
				seen[o] = true
				next, all = append(next, o), append(all, o)
			}
		}
	}
	return all
}

// near reports whether a machine knows another one as a member who is in, and can talk with it.
func (w *World) near(m, o *machine, id wire.OperationID) bool {
	_, g, ok := m.groupOf(id)
	if !ok || !g.In {
		return false
	}
	for _, who := range g.Members {
		c := m.disk.contacts[who.Contact]
		if _, theirs, in := o.groupOf(id); in && theirs.In && theirs.Self == who.Key && c.Account == o.account {
			return c.Phase == protocol.ContactEstablished && !c.Blocked && w.unsettledContact(m, c) == ""
		}
	}
	return false
}

// logOf returns the log of a group as it is on the disk.
func (m *machine) logOf(id protocol.ConversationID) (log *group.Log, err error) {
	for _, name := range m.disk.said {
		row := m.disk.shared[name]
		if row.Conversation != id || row.Kind != protocol.SharedOperation {
			continue
		}
		op, err := wire.ParseGroupOperation(row.Bytes)
		if err != nil {
			return nil, err
		}
		if log == nil {
			log, err = group.New(op)
		} else {
			_, err = log.Add(op)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range m.disk.said {
		if row := m.disk.shared[name]; row.Conversation == id && row.Kind == protocol.SharedLeave {
			word, err := wire.ParseGroupLeave(row.Bytes)
			if err != nil {
				return nil, err
			}
			if _, err := log.Leave(word); err != nil {
				return nil, err
			}
		}
	}
	return log, nil
}

// lacks says which message another machine has that is for a member here and is not here.
func (m *machine) lacks(id protocol.ConversationID, log *group.Log, self identity.MemberKey, o *machine, there protocol.ConversationID) string {
	for _, name := range o.disk.said {
		row := o.disk.shared[name]
		if row.Conversation != there || row.Kind != protocol.SharedMessage || o.disk.messages[row.Message] == nil {
			continue
		}
		if _, here := m.disk.shared[name]; here || m.disk.leftOut[name] {
			continue
		}
		message, err := wire.ParseGroupMessage(row.Bytes)
		if err != nil {
			return err.Error()
		}
		expired := message.Expires > 0 && message.Expires <= uint64(m.clock().UnixMilli())
		if !expired && log.Speaks(&message.GroupHead) == nil && log.For(&message.GroupHead, self) {
			return fmt.Sprintf("lacks message %d of a member, which %v has", message.Sequence, o)
		}
	}
	return ""
}
