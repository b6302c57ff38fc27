package portrait

import (
	"bytes"
	"image/jpeg"

	"pabal/protocol/wire"
)

// sides are tried, until a thumbnail is small enough: how long its longer side is.
var sides = [...]int{wire.ThumbnailSideMax, wire.ThumbnailSideMax / 2, wire.ThumbnailSideMax / 4}

// Thumbnail makes a small picture of a whole one that may travel ([wire.ValidThumbnail]), of at
// most so many bytes. Errors: ErrUnreadable, ErrTooLarge.
func Thumbnail(given []byte, bytesMax int) ([]byte, error) {
	picture, turn, err := Decode(given)
	if err != nil {
		return nil, err
	}
	b := picture.Bounds()
	for _, side := range sides {
		small, err := encode(shrink(picture, b, min(side, max(b.Dx(), b.Dy())), turn), func(made []byte) bool {
			return len(made) <= bytesMax && wire.ValidThumbnail(made)
		})
		if err == nil {
			return small, nil
		}
	}
	return nil, ErrTooLarge
}

// Again makes a thumbnail that a contact sent anew, of its pixels and nothing else: whoever draws
// the result has none of the contact's bytes before it. Error: ErrUnreadable.
func Again(thumbnail []byte) ([]byte, error) {
	if !wire.ValidThumbnail(thumbnail) {
		return nil, ErrUnreadable
	}
	picture, err := jpeg.Decode(bytes.NewReader(thumbnail))
	if err != nil {
		return nil, ErrUnreadable
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: qualities[0]}); err != nil {
		return nil, ErrUnreadable
	}
	return out.Bytes(), nil
}
