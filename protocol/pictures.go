package protocol

import (
	"bytes"
	"slices"
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
	// That there never was one is said where the other side may know one: our disk may be old.
	sequence := max(p.self.state.PictureSequence, 1)
	p.pushInline(c, wire.Content{Type: wire.ContentPicture, Sequence: sequence, Picture: p.self.state.Picture})
}

// pictureReceived takes the contact's new picture, or that it has none any more. One that
// nobody could draw changes nothing.
func (p *Peer) pictureReceived(now time.Time, c *contact, content *wire.Content) {
	none := len(content.Picture) == 0
	switch s := &c.state; {
	case c.row.Role != RolePerson || content.Sequence <= s.TheirPicture && !s.PictureAnew:
		return
	case !none && !wire.ValidPicture(content.Picture):
		return
	case none && s.TheirPicture == 0: // there never was one
		return
	}
	p.takePicture(now, c, content.Sequence, content.Picture)
}

// takePicture stores a picture of the contact's. The user is told of so many a day; of the
// last of those beyond when there is room for it again.
func (p *Peer) takePicture(now time.Time, c *contact, sequence uint64, picture []byte) {
	c.state.TheirPicture, c.state.PictureAnew, c.state.PictureUntold = sequence, false, true
	p.touchContact(c)
	p.write(PutPicture{Contact: c.row.ID, Sequence: sequence, JPEG: picture})
	p.showPicture(now, c)
}

// showPicture tells the user of the contact's picture as soon as that may be.
func (p *Peer) showPicture(now time.Time, c *contact) {
	if due := c.pictureShown(now); due.IsZero() || due.After(now) {
		return
	}
	told := slices.DeleteFunc(c.state.PicturesTold, func(at int64) bool { return !toldToday(at, now) })
	c.state.PicturesTold, c.state.PictureUntold = append(told, now.Unix()), false
	p.touchContact(c)
	p.contactEvent(ContactUpdated, c)
}

// pictureShown returns when the user is told of the contact's picture; zero: nothing is untold.
func (c *contact) pictureShown(now time.Time) time.Time {
	if !c.state.PictureUntold {
		return time.Time{}
	}
	oldest, today := int64(0), 0
	for _, at := range c.state.PicturesTold {
		if toldToday(at, now) {
			if today++; today == 1 {
				oldest = at
			}
		}
	}
	if today < picturesToldMax {
		return now
	}
	return time.Unix(oldest, 0).Add(24 * time.Hour)
}

// toldToday reports whether a moment is of the last day; one that lies ahead, by a clock that
// was wrong, is not.
func toldToday(at int64, now time.Time) bool {
	return at <= now.Unix() && now.Unix()-at < 24*60*60
}
