package sim

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"slices"

	"pabal/protocol"
)

// signal has a person write to some contacts, or pause, and be here for some, or go.
func (w *World) signal(m *machine) {
	if !m.present() {
		return
	}
	presence := protocol.SetPresence{Here: w.chance(70)}
	for _, c := range inOrder(m.disk.contacts) {
		if c.Phase == protocol.ContactEstablished && c.ID[len(c.ID)-1]%2 == 0 {
			presence.To = append(presence.To, c.ID)
		}
		if c.Phase == protocol.ContactEstablished && w.chance(40) {
			in := protocol.SetTyping{Conversation: c.Conversation, On: w.chance(80)}
			m.command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, nil)
		}
	}
	if w.chance(10) {
		in := protocol.SetPicture{Picture: portrait(w.random.IntN(8))}
		m.command(func(ref uint64) protocol.Input { in.Ref = ref; return in }, nil)
	}
	m.command(func(ref uint64) protocol.Input { presence.Ref = ref; return presence }, nil)
}

// portrait returns one of some small pictures, or none.
func portrait(shade int) []byte {
	if shade == 0 {
		return nil
	}
	m := image.NewGray(image.Rect(0, 0, 1, 1))
	m.Pix[0] = byte(shade * 32)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic("sim: a picture does not encode: " + err.Error())
	}
	return b.Bytes()
}

// unsettledPicture says that a machine does not show the picture of somebody with whom it is
// connected.
func (w *World) unsettledPicture(m *machine, c protocol.PutContact, other *machine) string {
	mine := m.disk.pictures[c.ID]
	theirs := other.disk.pictures[protocol.ContactID{}]
	connected := m.present() && slices.ContainsFunc(m.peer.Live(), func(l protocol.LivePeer) bool { return l.Contact == c.ID })
	if !connected || c.Role != protocol.RolePerson || bytes.Equal(mine.JPEG, theirs.JPEG) {
		return ""
	}
	return fmt.Sprintf("%v has another picture", other)
}

// signalled notes what a person lets contacts know.
func (t *truth) signalled(m *machine, in protocol.Input) {
	switch in := in.(type) {
	case protocol.SetTyping:
		contact := m.disk.conversations[in.Conversation].Contact
		t.typing[[2]*machine{m, t.accounts[m.disk.contacts[contact].Account]}] = true
	case protocol.SetPresence:
		for _, id := range in.To {
			t.here[[2]*machine{m, t.accounts[m.disk.contacts[id].Account]}] = true
		}
	}
}

// heard is told what one side hears of the other's user: nobody hears what was not meant for
// them, or is shown what somebody does whom they do not know.
func (t *truth) heard(m *machine, e protocol.Event) {
	var meant map[[2]*machine]bool
	switch {
	case e.Type == protocol.Typing && e.Code == protocol.TypingOn:
		meant = t.typing
	case e.Type == protocol.Presence && e.Code == protocol.PresenceHere:
		meant = t.here
	default:
		return
	}
	t.signals++
	c, known := m.disk.contacts[e.Contact]
	switch author := t.accounts[c.Account]; {
	case !known: // removed in the same commit
	case c.Blocked || c.Phase != protocol.ContactEstablished:
		t.w.fail("%v hears %s of a contact that is %s, blocked %v", m, e.Type, c.Phase, c.Blocked)
	case author == nil || !meant[[2]*machine{author, m}]:
		t.w.fail("%v hears %s of %v, which was not meant for it", m, e.Type, author)
	}
}

// unsettledSignals says whom a machine shows as here or writing although nobody does any
// more.
func (m *machine) unsettledSignals() string {
	if !m.present() {
		return ""
	}
	for _, l := range m.peer.Live() {
		if l.Here || l.Writes {
			return fmt.Sprintf("shows somebody as here (%v) or writing (%v)", l.Here, l.Writes)
		}
	}
	return ""
}
