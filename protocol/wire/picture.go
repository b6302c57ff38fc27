package wire

import (
	"bytes"
	"image/jpeg"
)

// ValidPicture reports whether a picture of a person may travel: a square JPEG within
// PictureSideMax and PictureBytesMax, of which only the head is read. Whoever draws it
// decodes no more than that many pixels.
func ValidPicture(b []byte) bool {
	if len(b) > PictureBytesMax {
		return false
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	return err == nil && c.Width == c.Height && c.Width >= 1 && c.Width <= PictureSideMax
}
