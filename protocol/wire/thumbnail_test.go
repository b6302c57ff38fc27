package wire

import (
	"bytes"
	"testing"
)

func TestThumbnailsThatDoNotTravel(t *testing.T) {
	bomb := bytes.Clone(samplePicture())
	at := bytes.Index(bomb, []byte{0xff, 0xc0})
	copy(bomb[at+5:], []byte{0xff, 0xff, 0xff, 0xff}) // 65,535 by 65,535 pixels
	for what, picture := range map[string][]byte{
		"that is too wide": drawn(t, ThumbnailSideMax+1, 1, false),
		"that is too high": drawn(t, 1, ThumbnailSideMax+1, false),
		"with many bytes":  drawn(t, ThumbnailSideMax, ThumbnailSideMax, true),
		"that expands":     bomb,
		"that is text":     []byte("<svg/>"),
		"that is cut":      samplePicture()[:20],
	} {
		c := sampleManifest()
		c.Files[0].Thumbnail = picture
		if ValidThumbnail(picture) {
			t.Errorf("a thumbnail %s is valid", what)
		}
		if c.Files[0].Valid() {
			t.Errorf("a file with a thumbnail %s is valid", what)
		}
		b, err := AppendContent(nil, c)
		if len(picture) >= ContentBytesMax {
			continue // no content is so large
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeContents(b); err != nil { // it is not drawn, but the message counts
			t.Errorf("a message with a thumbnail %s: %v", what, err)
		}
	}
	if !ValidThumbnail(drawn(t, ThumbnailSideMax, ThumbnailSideMax, false)) || !ValidThumbnail(drawn(t, 1, 7, false)) {
		t.Error("the largest, or a narrow one, does not travel")
	}
}

// TestThumbnailsBelongToFiles refuses lists of thumbnails that do not fit the files of their
// manifest, or could be written otherwise.
func TestThumbnailsBelongToFiles(t *testing.T) {
	c := sampleManifest()
	picture := samplePicture()
	plain := mustAppend(t, nil, c)
	list := func(items ...byte) []byte {
		b := append(bytes.Clone(plain), 0x18, keyThumbs, 0x80|byte(len(items)))
		b[0]++ // one pair more
		for _, item := range items {
			b = appendBytes(append(b, 0x82, item), picture)
		}
		return b
	}
	for what, b := range map[string][]byte{
		"of no file":      list(3),
		"twice of one":    list(1, 1),
		"in disorder":     list(2, 0),
		"but none":        list(),
		"that are empty":  append(append(bytes.Clone(plain[:0]), plain[0]+1), append(bytes.Clone(plain[1:]), 0x18, keyThumbs, 0x81, 0x82, 0, 0x40)...),
		"more than files": list(0, 1, 2, 3),
	} {
		if _, _, err := DecodeContent(b); err == nil {
			t.Errorf("thumbnails %s are taken", what)
		}
	}
	got, _, err := DecodeContent(list(0, 2))
	if err != nil || !bytes.Equal(got.Files[0].Thumbnail, picture) || got.Files[1].Thumbnail != nil || !bytes.Equal(got.Files[2].Thumbnail, picture) {
		t.Errorf("two of three files have thumbnails: %v", err)
	}
}
