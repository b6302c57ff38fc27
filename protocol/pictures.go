package protocol

import (
	"bytes"
	"time"

	"pabal/protocol/wire"
)

// setPicture changes our picture. Each contact is told on a connection with it, since nobody
// waits for a picture: until then only that it is due is kept.
func (p *Peer) setPicture(now time.Time, in SetPicture) error {
	if len(in.Picture) > 0 && !wire.ValidPicture(in.Picture) {
		return refuse(CodeInvalidPicture)
	}
	if s := &p.self.state; !bytes.Equal(s.Picture, in.Picture) {
		s.Picture = in.Picture
		s.PictureSequence = max(s.PictureSequence+1, uint64(max(now.Unix(), 1))) // above what an old disk has forgotten
		p.self.dirty = true
		p.write(PutPicture{Sequence: s.PictureSequence, JPEG: s.Picture})
		p.event(Event{Type: SelfUpdated})
		for _, c := range p.contactsInOrder() {
			if c.row.Role == RolePerson && len(c.sessions) > 0 { // a session begins with it
				c.state.PictureDue = true
				p.dropInline(c, wire.ContentPicture) // the one before is not told any more
			}
		}
	}
	p.reply(in.Ref, nil)
	return nil
}

// tellPicture queues our picture for a contact that can get it now and has not been told.
func (p *Peer) tellPicture(c *contact) {
	if !c.state.PictureDue || !c.confidant() {
		return
	}
	c.state.PictureDue = false
	p.dropInline(c, wire.ContentPicture)
	p.pushInline(c, wire.Content{Type: wire.ContentPicture, Sequence: p.self.state.PictureSequence, Picture: p.self.state.Picture})
}

// pictureReceived takes the contact's new picture, or that it has none any more.
func (p *Peer) pictureReceived(c *contact, content *wire.Content) {
	if c.row.Role != RolePerson || content.Sequence <= c.state.TheirPicture {
		return
	}
	c.state.TheirPicture = content.Sequence
	p.touchContact(c)
	p.write(PutPicture{Contact: c.row.ID, Sequence: content.Sequence, JPEG: content.Picture})
	p.contactEvent(ContactUpdated, c)
}
