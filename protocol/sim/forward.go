package sim

import (
	"bytes"
	"slices"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// forwardedAtOnce is to how many one message goes at once, at most.
const forwardedAtOnce = 4

// forward sends one of the last messages on, to a few contacts, the one that it is of among
// them.
func (w *World) forward(m *machine) {
	if !m.present() {
		return
	}
	from, ok := w.someContact(m)
	if !ok {
		return
	}
	t := m.disk.threads[from.Conversation]
	msg, ok := pick(w, t[max(0, len(t)-8):])
	if !ok || msg.state == protocol.MessageErased {
		return
	}
	content, _, err := wire.DecodeContent(msg.Content)
	if err != nil || content.Text == "" && len(content.Files) == 0 {
		return
	}
	for range 1 + w.random.IntN(forwardedAtOnce) {
		if to, ok := w.someContact(m); ok {
			w.forwardTo(m, to.ID, w.anew(m, msg, &content), &content)
		}
	}
}

// anew makes a new message of what one says now, as a node does.
func (w *World) anew(m *machine, msg *message, content *wire.Content) protocol.SendText {
	in := protocol.SendText{Text: content.Text, Forwarded: true}
	if o := m.disk.newestEdit(msg); o != nil {
		if edit, _, err := wire.DecodeContent(o.Content); err == nil {
			in.Text = edit.Text
		}
	}
	for i, f := range content.Files {
		if len(f.Thumbnail) > 0 { // a node makes another one of the file
			f.Thumbnail = w.thumbnail()
		}
		in.Files = append(in.Files, protocol.FileToSend{ID: protocol.FileID{byte(i)}, File: f})
	}
	return in
}

func (w *World) forwardTo(m *machine, to protocol.ContactID, in protocol.SendText, source *wire.Content) {
	in.Contact = to
	m.command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, func(result any, code string) {
		if code == "" {
			w.truth.promised(m, result.(protocol.Sent), in)
			w.truth.forwarded(m, result.(protocol.Sent), source)
		}
	})
}

// checkAsked checks that a message says what its author has asked to send, and that it was
// another's message exactly if it was.
func (t *truth) checkAsked(m *machine, msg *message, asked protocol.SendText) {
	content, _, err := wire.DecodeContent(msg.Content)
	if err != nil || msg.state == protocol.MessageErased {
		return
	}
	same := content.Text == asked.Text && content.Forwarded == asked.Forwarded && len(content.Files) == len(asked.Files) && slices.Equal(content.Mentions, asked.Mentions)
	for i := 0; same && i < len(content.Files); i++ {
		got, want := content.Files[i], asked.Files[i].File
		same = got.Name == want.Name && got.SizeBytes == want.SizeBytes && got.Root == want.Root
	}
	if asked.ReplyTo != nil {
		same = same && content.About != nil && *content.About == *asked.ReplyTo
	}
	if same {
		if err := checkThumbnails(content.Files, asked.Files); err != nil {
			t.w.fail("%v: %s has %v", m, short(asked.Text), err)
		}
	}
	if !same {
		t.w.fail("%v: %s is not what was to be sent: forwarded %v of %v, %d files of %d", m, short(asked.Text),
			content.Forwarded, asked.Forwarded, len(content.Files), len(asked.Files))
	}
}

// forwarded checks that nothing of what was forwarded tells from whom it is: neither an id nor
// a reference, nor a key of a file.
func (t *truth) forwarded(m *machine, sent protocol.Sent, source *wire.Content) {
	msg := m.disk.messages[sent.ID]
	if msg == nil || msg.state == protocol.MessageErased {
		return
	}
	t.forwards++
	content, _, err := wire.DecodeContent(msg.Content)
	if err != nil || content.About != nil || bytes.Contains(msg.Content, source.ID[:]) {
		t.w.fail("%v: %s tells of which message it is", m, short(content.Text))
	}
	for _, f := range source.Files {
		if bytes.Contains(msg.Content, f.Key[:]) {
			t.w.fail("%v: a file of %s was forwarded with its key", m, short(content.Text))
		}
		if len(f.Thumbnail) > 0 && bytes.Contains(msg.Content, f.Thumbnail) {
			t.w.fail("%v: a file of %s was forwarded with its thumbnail", m, short(content.Text))
		}
	}
}

// saying returns what a content says, whatever number it has: an author that has lost its
// state may give it another.
func saying(encoded []byte) []byte {
	content, _, err := wire.DecodeContent(encoded)
	if err != nil {
		return nil
	}
	content.Sequence, content.Raw = 1, nil
	said, err := wire.AppendContent(nil, content)
	if err != nil {
		return nil
	}
	return said
}
