package wire

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"testing"
)

// drawn makes a picture, which is noise if it is loud.
func drawn(t testing.TB, width, height int, loud bool) []byte {
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		if loud {
			m.Pix[i] = byte(i * i * 2654435761 >> 13)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 100}); err != nil && t != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func samplePicture() []byte { return drawn(nil, 2, 2, false) }

func TestPicturesThatDoNotTravel(t *testing.T) {
	var other bytes.Buffer
	if err := png.Encode(&other, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Clone(samplePicture())
	at := bytes.Index(bomb, []byte{0xff, 0xc0})
	copy(bomb[at+5:], []byte{0xff, 0xff, 0xff, 0xff}) // 65,535 by 65,535 pixels
	for what, picture := range map[string][]byte{
		"of another kind":  other.Bytes(),
		"that is oblong":   drawn(t, 2, 3, false),
		"that is too wide": drawn(t, PictureSideMax+1, PictureSideMax+1, false),
		"with many bytes":  drawn(t, PictureSideMax, PictureSideMax, true),
		"that expands":     bomb,
		"that is text":     []byte("<svg/>"),
		"that is cut":      samplePicture()[:20],
	} {
		if ValidPicture(picture) {
			t.Errorf("a picture %s is valid", what)
		}
		// One that comes all the same is read, so that what comes beside it is not lost.
		b, err := AppendContent(nil, Content{Type: ContentPicture, Sequence: 1, Picture: picture})
		if len(picture) >= ContentBytesMax {
			continue // no content is so large
		}
		if err != nil {
			t.Fatal(err)
		}
		if list, err := DecodeContents(b); err != nil || len(list) != 1 || !bytes.Equal(list[0].Picture, picture) {
			t.Errorf("a body with a picture %s: %d contents, %v", what, len(list), err)
		}
	}
	if !ValidPicture(drawn(t, PictureSideMax, PictureSideMax, false)) {
		t.Error("the largest does not travel")
	}
}
