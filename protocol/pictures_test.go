package protocol

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"slices"
	"testing"
	"time"

	"pabal/protocol/wire"
)

// face makes a valid picture.
func face(t testing.TB, shade byte) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range m.Pix {
		m.Pix[i] = shade
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pictures returns the pictures that were stored since it was asked last.
func (s *side) pictures() (list []PutPicture) {
	for _, w := range s.out.Writes {
		if p, ok := w.(PutPicture); ok {
			list = append(list, p)
		}
	}
	s.out.Writes = nil
	return list
}

// TestPicture has a contact get a picture, another one, and none any more; also one that is off
// meanwhile, and one who is met later.
func TestPicture(t *testing.T) {
	a, b := meet(t)
	now := calm(t, a, b)
	set := func(picture []byte) {
		t.Helper()
		a.step(now, SetPicture{Picture: picture})
		pump(t, now, a, b)
		now = now.Add(time.Second)
	}
	got := func(what string, want ...[]byte) {
		t.Helper()
		list := b.pictures()
		if len(list) != len(want) {
			t.Fatalf("%s: %d pictures, want %d", what, len(list), len(want))
		}
		for i, p := range list {
			if !bytes.Equal(p.JPEG, want[i]) || p.Contact != b.only().row.ID {
				t.Errorf("%s: another picture", what)
			}
		}
	}
	set(face(t, 1))
	got("the first", face(t, 1))
	set(face(t, 1))
	got("the same")
	if own := a.pictures(); len(own) != 1 || own[0].Contact != (ContactID{}) {
		t.Errorf("%d own pictures", len(own))
	}
	set(face(t, 2))
	got("another", face(t, 2))
	set(nil)
	got("none", nil)

	part(a, b)
	set(face(t, 3))
	set(face(t, 4))
	for _, send := range a.out.Sends {
		t.Errorf("%T for a picture", send)
	}
	if size := len(a.only().state.Inline); size != 0 {
		t.Errorf("%d contents wait", size)
	}
	a.step(now, SendText{Contact: a.only().row.ID, Text: "hi"})
	a.step(now, Reconnect{})
	pump(t, now, a, b)
	got("while it was off", face(t, 4))

	c := newSide(t, "Hana", 1003, now)
	link := a.step(now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated).Link
	c.step(now, AddContact{Link: link})
	pump(t, now, a, c)
	if list := c.pictures(); len(list) != 1 || !bytes.Equal(list[0].JPEG, face(t, 4)) {
		t.Errorf("who was met later gets %d", len(list))
	}
}

// TestPicturesAreForContacts has nobody get a picture who is blocked or whose devices changed,
// until that is over, and an old picture not come back.
func TestPicturesAreForContacts(t *testing.T) {
	a, b := meet(t)
	now := calm(t, a, b)
	a.only().row.Verification = VerifiedChanged
	a.step(now, SetPicture{Picture: face(t, 1)})
	pump(t, now, a, b)
	if list := b.pictures(); len(list) != 0 {
		t.Error("whose devices changed gets it")
	}
	a.only().row.Verification = Unverified
	a.p.stir(a.only())
	a.step(now, Woke{})
	pump(t, now, a, b)
	if list := b.pictures(); len(list) != 1 {
		t.Error("it does not come when that is over")
	}
	old := b.only().state.TheirPicture
	b.p.out = &Output{}
	for _, sequence := range []uint64{old - 1, old} {
		content := wire.Content{Type: wire.ContentPicture, Sequence: sequence, Picture: face(t, 9)}
		b.p.pictureReceived(now, b.only(), &content)
	}
	if len(b.p.out.Writes) != 0 {
		t.Error("an old picture comes back")
	}
}

func TestBadPictures(t *testing.T) {
	a, _ := meet(t)
	for what, picture := range map[string][]byte{"text": []byte("<svg/>"), "a cut one": face(t, 1)[:30]} {
		_, err := a.p.Step(testNow, SetPicture{Picture: picture})
		var p *Problem
		if !errors.As(err, &p) || p.Code != CodeInvalidPicture {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestPicturesAreBounded has a contact change its picture time and again: the last one is
// stored, and the user is told of so many a day, and of the last.
func TestPicturesAreBounded(t *testing.T) {
	a, b := meet(t)
	now := calm(t, a, b)
	b.pictures()
	b.out.Events = nil
	told := func() (n int) {
		for _, e := range b.out.Events {
			if e.Type == ContactUpdated {
				n++
			}
		}
		b.out.Events = nil
		return n
	}
	last := byte(3*picturesToldMax + 1)
	for shade := byte(1); shade <= last; shade++ {
		a.step(now, SetPicture{Picture: face(t, shade)})
		pump(t, now, a, b)
		now = now.Add(time.Minute)
	}
	if n := told(); n != picturesToldMax {
		t.Errorf("the user is told of %d pictures, want %d", n, picturesToldMax)
	}
	list := b.pictures()
	if len(list) == 0 || !bytes.Equal(list[len(list)-1].JPEG, face(t, last)) {
		t.Errorf("the last of %d is not stored", len(list))
	}
	due := b.only().nextDue(now)
	if due.IsZero() || due.After(now.Add(24*time.Hour)) {
		t.Fatalf("the user is told of the last one at %v", due)
	}
	now = now.Add(24 * time.Hour)
	b.p.nextDue = now
	b.step(now, Woke{})
	if n := told(); n != 1 {
		t.Errorf("the user is told %d times of the last one", n)
	}
	b.p.nextDue = now.Add(time.Hour)
	b.step(now.Add(time.Hour), Woke{})
	if n := told(); n != 0 {
		t.Errorf("the user is told %d times again", n)
	}
}

// TestBadPictureAlone has a picture that nobody can draw come in one envelope with a text: only
// the picture is not taken, and the next one is.
func TestBadPictureAlone(t *testing.T) {
	for what, picture := range map[string][]byte{"text": []byte("<svg/>"), "a cut one": face(t, 1)[:30], "a large one": make([]byte, wire.PictureBytesMax+1)} {
		a, b := meet(t)
		now := calm(t, a, b)
		b.out = Output{}
		a.p.pushInline(a.only(), wire.Content{Type: wire.ContentPicture, Sequence: 1 << 40, Picture: picture})
		a.step(now, SendText{Contact: a.only().row.ID, Text: "beside it"})
		pump(t, now, a, b)
		if n := b.received(); n != 1 {
			t.Errorf("%s: %d texts came beside it, alerts %q", what, n, b.alerts())
		}
		if list := b.pictures(); len(list) != 0 {
			t.Errorf("%s is taken", what)
		}
		a.step(now, SetPicture{Picture: face(t, 2)})
		pump(t, now, a, b)
		if list := b.pictures(); len(list) != 1 || !bytes.Equal(list[0].JPEG, face(t, 2)) {
			t.Errorf("%s: the next one is not taken", what)
		}
	}
}

// TestPictureOfAnOldDisk has somebody's disk put back to before they ever had a picture, while the contact comes from a backup in
// which they have one. The two go on by a link: there is none any more (seed 14005154).
func TestPictureOfAnOldDisk(t *testing.T) {
	w, a, b, _ := metWith(t)
	before, history := w.rows[a].clone(), slices.Clone(a.history)
	a.step(w.now, SetPicture{Picture: face(t, 1)})
	w.run()
	w.pass(time.Minute)
	if b.of(a).state.TheirPicture < 2 {
		t.Fatal("the picture has not come")
	}
	w.switchOff(a)
	w.switchOff(b)
	w.restoreBackup(b)
	w.putBack(a, before, history)
	a.p.self.state.Picture, a.p.self.state.PictureSequence = nil, 0
	w.home(a)
	delete(w.off, a)
	w.followsLink(b, a)
	w.switchOn(b)
	w.pass(time.Hour)
	if got := b.of(a).state.TheirPicture; got != 1 {
		t.Errorf("it still has the picture of %d", got)
	}
}
