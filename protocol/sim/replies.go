package sim

import (
	"bytes"
	"fmt"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// answer replies to one of the last messages, which may have been edited, or is deleted before
// the reply is written.
func (w *World) answer(m *machine, c protocol.PutContact) {
	t := m.disk.threads[c.Conversation]
	msg, ok := pick(w, t[max(0, len(t)-8):])
	if !ok || msg.wire == ([16]byte{}) {
		return
	}
	w.after(w.between(0, 10*time.Second), func() { w.answerNow(m, c.ID, msg) })
}

func (w *World) answerNow(m *machine, contact protocol.ContactID, msg *message) {
	if !m.present() {
		return
	}
	w.truth.written++
	in := protocol.SendText{
		Contact: contact, Text: fmt.Sprintf("%s reply %d.", marker, w.truth.written),
		ReplyTo: &wire.Reference{Own: msg.Direction == protocol.Out, Sequence: msg.Sequence, ID: msg.wire},
	}
	if w.chance(50) {
		in.Mentions = mentions()
	}
	m.command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, func(result any, code string) {
		if code == "" {
			w.truth.promised(m, result.(protocol.Sent), in)
		}
	})
}

// mentions are of both sides, in any text of ours that somebody wrote.
func mentions() []wire.Mention {
	return []wire.Mention{{Who: wire.MentionReceiver, Length: 5}, {Who: wire.MentionSender, Start: 6, Length: 2}}
}

// checkReply checks that a reply that has come names a message of the conversation that its
// author wrote or got, as that one's author, and holds no text of it: what it shows of it is what
// the message says now, and nothing once that is deleted.
func (t *truth) checkReply(m *machine, msg *message, author *machine) {
	content, _, err := wire.DecodeContent(msg.Content)
	if err != nil || content.Type != wire.ContentReply {
		return
	}
	t.replies++
	about := content.About
	l := t.letters[about.ID]
	if l == nil {
		t.w.fail("%v: %s answers what nobody wrote", m, short(msg.text))
		return
	}
	if about.Own && l.author != author || !about.Own && l.author != m {
		t.w.fail("%v: %s answers a message of %v as another's", m, short(msg.text), l.author)
	}
	if l.text != "" && bytes.Contains(msg.Content, []byte(l.text)) {
		t.w.fail("%v: %s holds the text that it answers", m, short(msg.text))
	}
	for _, quoted := range m.disk.copies(msg.Conversation, about.ID, !about.Own) {
		if quoted.text != l.text {
			t.w.fail("%v: %s answers another text here: %s", m, short(msg.text), short(quoted.text))
		}
	}
}
