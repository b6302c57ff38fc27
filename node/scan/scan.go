package scan

import (
	"errors"
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"pabal/node/portrait"
)

const (
	// sideMax is to what a picture is made smaller before it is looked at, in pixels: what the
	// library does grows with the square of that.
	sideMax = 2048
	// codeMin is the side of the smallest code, in modules.
	codeMin = 21
	// sideMin is below which a picture is not made smaller any more, in pixels: a link's code
	// has up to 77 modules a side, of two pixels each at the least.
	sideMin = 160
	// centresMax bounds the places that look like a corner of a code. The library compares
	// three of them at a time, which a picture full of such places would make last for hours.
	centresMax = 200
)

// ErrNoCode says that a picture has no QR code that can be read.
var ErrNoCode = errors.New("scan: no QR code was found")

// QR returns what the QR code in a JPEG, PNG or GIF says: any text, by anybody. It keeps nothing
// and may take some seconds of a processor; calls may go on side by side.
//
// Errors: ErrNoCode, and those of [portrait.Decode].
func QR(given []byte) (string, error) {
	picture, _, err := portrait.Decode(given) // a code is read however it is turned
	if err != nil {
		return "", err
	}
	g := grey(picture)
	for max(g.Rect.Dx(), g.Rect.Dy()) > sideMax {
		g = half(g)
	}
	for min(g.Rect.Dx(), g.Rect.Dy()) >= codeMin {
		if text, ok := read(g); ok {
			return text, nil
		}
		if min(g.Rect.Dx(), g.Rect.Dy()) < 2*sideMin {
			break
		}
		g = half(g)
	}
	return "", ErrNoCode
}

// read looks for dark on bright and for bright on dark, by two ways of telling them apart:
// one for what was photographed, and one for what was drawn.
func read(picture *image.Gray) (text string, ok bool) {
	width, height := picture.Rect.Dx(), picture.Rect.Dy()
	source, err := gozxing.NewPlanarYUVLuminanceSource(picture.Pix, picture.Stride, height, 0, 0, width, height, false)
	if err != nil {
		return "", false
	}
	for _, s := range []gozxing.LuminanceSource{source, gozxing.NewInvertedLuminanceSource(source)} {
		for _, b := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(s), gozxing.NewGlobalHistgramBinarizer(s)} {
			if text, ok = decode(b); ok {
				return text, true
			}
		}
	}
	return "", false
}

// decode has the library look. It panics on pictures that are broken in its eyes, and is made to
// where there is too much to look at: such a picture has no code for us.
func decode(b gozxing.Binarizer) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	centres := 0
	count := gozxing.ResultPointCallback(func(gozxing.ResultPoint) {
		if centres++; centres > centresMax {
			panic("scan: too many centres")
		}
	})
	bitmap, err := gozxing.NewBinaryBitmap(b)
	if err != nil {
		return "", false
	}
	found, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{
		gozxing.DecodeHintType_TRY_HARDER:                 true,
		gozxing.DecodeHintType_CHARACTER_SET:              "UTF-8",
		gozxing.DecodeHintType_NEED_RESULT_POINT_CALLBACK: count,
	})
	if err != nil {
		return "", false
	}
	return found.GetText(), true
}

// grey returns the brightness of a picture on white.
func grey(picture image.Image) *image.Gray {
	b := picture.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			red, green, blue, alpha := picture.At(b.Min.X+x, b.Min.Y+y).RGBA()
			out.Pix[y*out.Stride+x] = uint8(((299*red+587*green+114*blue)/1000 + 0xffff - alpha) >> 8)
		}
	}
	return out
}

// half returns a picture of half the width and height: the noise of a large photograph goes, its
// code stays.
func half(picture *image.Gray) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, picture.Rect.Dx()/2, picture.Rect.Dy()/2))
	for y := range out.Rect.Dy() {
		above, below := picture.Pix[2*y*picture.Stride:], picture.Pix[(2*y+1)*picture.Stride:]
		for x := range out.Rect.Dx() {
			sum := uint(above[2*x]) + uint(above[2*x+1]) + uint(below[2*x]) + uint(below[2*x+1])
			out.Pix[y*out.Stride+x] = uint8(sum / 4)
		}
	}
	return out
}
