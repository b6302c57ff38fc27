package sim

import (
	"fmt"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// emojis are what people put on messages.
var emojis = []string{"👍", "❤️", "😂", "🎉", "👨‍👩‍👧", "🇰🇷", "1️⃣", "👍🏽", "🙏"}

// supersede erases what an operation of a contact's takes the place of, as package store
// does.
func (d *disk) supersede(r protocol.PutOperation) bool {
	if r.Waits == 0 && len(d.copies(r.Conversation, r.Message, r.Own)) == 0 {
		return false
	}
	reaction, ok := protocol.ReadReaction(&r)
	if !ok {
		return true
	}
	before := d.reaction(r.Conversation, r.Message, r.Own, r.Direction)
	if before != nil && !reaction.After(before) {
		return false
	}
	if before != nil {
		delete(d.operations, before.ID)
	}
	return true
}

// reaction returns what one side has said last about a message, nil if nothing.
func (d *disk) reaction(conversation protocol.ConversationID, message [16]byte, own bool, by protocol.Direction) *protocol.Reaction {
	return d.reactions(conversation, by)[reacted{message, own}]
}

// reacted names a message of a conversation, by its author's id.
type reacted struct {
	message [16]byte
	own     bool
}

// reactions returns what one side has said last about each message.
func (d *disk) reactions(conversation protocol.ConversationID, by protocol.Direction) map[reacted]*protocol.Reaction {
	all := make(map[reacted]*protocol.Reaction)
	for _, o := range d.operations {
		if o.Conversation != conversation || o.Direction != by {
			continue
		}
		at := reacted{o.Message, o.Own}
		if r, ok := protocol.ReadReaction(&o.PutOperation); ok && (all[at] == nil || r.After(all[at])) {
			all[at] = &r
		}
	}
	return all
}

// react puts emojis on one of the last messages, or takes them back.
func (w *World) react(m *machine, c protocol.PutContact) {
	t := m.disk.threads[c.Conversation]
	msg, ok := pick(w, t[max(0, len(t)-8):])
	if !ok || msg.state != "" {
		return
	}
	own := msg.Direction == protocol.Out
	in := protocol.React{
		ID: msg.ID, Conversation: msg.Conversation, About: wire.Reference{Own: own, Sequence: msg.Sequence, ID: msg.wire},
		Before: m.disk.reaction(msg.Conversation, msg.wire, own, protocol.Out),
	}
	n := w.random.IntN(4)
	for _, i := range w.random.Perm(len(emojis))[:n] {
		in.Emojis = append(in.Emojis, emojis[i])
	}
	m.command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, nil)
}

// unsettledReactions says whether the other side has not got what one side has said about a
// message that both have.
func unsettledReactions(m *machine, v protocol.ConversationID, other *machine, theirs protocol.ConversationID) string {
	said, heard := m.disk.reactions(v, protocol.Out), other.disk.reactions(theirs, protocol.In)
	both := make(map[reacted]bool) // as they name them
	for _, msg := range other.disk.threads[theirs] {
		both[reacted{msg.wire, msg.Direction == protocol.Out}] = msg.state == ""
	}
	for _, msg := range m.disk.threads[v] {
		own := msg.Direction == protocol.Out
		if msg.state != "" || !both[reacted{msg.wire, !own}] {
			continue
		}
		a, b := said[reacted{msg.wire, own}], heard[reacted{msg.wire, !own}]
		if (a == nil) != (b == nil) || a != nil && a.Wire != b.Wire {
			return fmt.Sprintf("%v shows other emojis on %s", other, short(msg.text))
		}
	}
	return ""
}
