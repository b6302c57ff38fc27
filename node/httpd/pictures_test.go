package httpd_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"pabal/node/api"
)

// drawing makes a PNG of one colour.
func drawing(t *testing.T, c color.Color) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 300, 200))
	for y := range 200 {
		for x := range 300 {
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPictures has a contact see a picture, another one and none any more, and its removal take
// it along.
func TestPictures(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, ofB := meet(t, a, b)
	_, err := a.Picture(ctx)
	refused(t, "none", err, api.CodeNotFound)
	_, err = b.PictureOf(ctx, ofB.ID)
	refused(t, "none of the contact", err, api.CodeNotFound)
	seen := func(want []byte) string {
		t.Helper()
		var name string
		b.follow(func(api.Event) bool {
			got, err := b.PictureOf(ctx, ofB.ID)
			if err != nil || !bytes.Equal(got, want) {
				return false
			}
			k, err := b.Contact(ctx, ofB.ID) // behind it, or the name may be that of the one before
			if err != nil || k.Picture == nil {
				return false
			}
			name = *k.Picture
			return true
		})
		return name
	}
	var names []string
	for _, c := range []color.Color{color.White, color.Black} {
		self, err := a.SetPicture(ctx, drawing(t, c))
		if err != nil || self.Picture == nil {
			t.Fatalf("%+v, %v", self, err)
		}
		own, err := a.Picture(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if config, err := jpeg.DecodeConfig(bytes.NewReader(own)); err != nil || config.Width != config.Height {
			t.Errorf("%+v, %v", config, err)
		}
		names = append(names, seen(own))
	}
	if names[0] == names[1] {
		t.Error("two pictures have one name")
	}
	for what, given := range map[string][]byte{"nothing": nil, "text": []byte("<svg/>"), "half of one": drawing(t, color.White)[:60]} {
		_, err := a.SetPicture(ctx, given)
		refused(t, what, err, api.CodeInvalidPicture)
	}
	if err := a.ClearPicture(ctx); err != nil {
		t.Fatal(err)
	}
	b.follow(func(api.Event) bool {
		k, err := b.Contact(ctx, ofB.ID)
		return err == nil && k.Picture == nil
	})
	_, err = b.PictureOf(ctx, ofB.ID)
	refused(t, "none any more", err, api.CodeNotFound)
	_, err = b.PictureOf(ctx, "ct_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	refused(t, "of nobody", err, api.CodeNotFound)
	if _, err = b.SetPicture(ctx, drawing(t, color.White)); err != nil {
		t.Fatal(err)
	}
	a.follow(func(api.Event) bool {
		k, err := a.Contact(ctx, ofA.ID)
		return err == nil && k.Picture != nil
	})
	if err := a.RemoveContact(ctx, ofA.ID); err != nil {
		t.Fatal(err)
	}
	_, err = a.PictureOf(ctx, ofA.ID)
	refused(t, "of who was removed", err, api.CodeNotFound)
}
