package portrait

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	_ "image/gif" // Make decodes it
	"image/jpeg"
	_ "image/png" // and that
	"math"

	"pabal/node/clean"
	"pabal/protocol/wire"
)

// The errors of Make.
var (
	ErrUnreadable = errors.New("portrait: not a picture that can be read")
	ErrTooLarge   = errors.New("portrait: too large a picture")
)

// qualities are tried until the picture is small enough.
var qualities = [...]int{88, 75, 60, 45, 30, 15}

// Make makes a picture that may travel ([wire.ValidPicture]). Errors: ErrUnreadable, ErrTooLarge.
func Make(given []byte) ([]byte, error) {
	picture, turn, err := Decode(given)
	if err != nil {
		return nil, err
	}
	return encode(square(picture, turn), wire.ValidPicture)
}

// Decode decodes a JPEG, PNG or GIF that may be anybody's, within BytesMax and DecodedBytesMax,
// and tells which way it is to be turned, as Exif counts. Errors: ErrUnreadable, ErrTooLarge.
func Decode(given []byte) (picture image.Image, turn int, err error) {
	if len(given) > BytesMax {
		return nil, 0, ErrTooLarge
	}
	if _, verdict := clean.Look(given, given); verdict != clean.Picture {
		return nil, 0, ErrUnreadable
	}
	var cleaned bytes.Buffer
	cleaned.Grow(len(given))
	if _, err := clean.Clean(&cleaned, bytes.NewReader(given)); err != nil {
		return nil, 0, ErrUnreadable
	}
	config, kind, err := image.DecodeConfig(bytes.NewReader(cleaned.Bytes()))
	switch {
	case err != nil || config.Width < 1 || config.Height < 1:
		return nil, 0, ErrUnreadable
	case decodedBytes(kind, config, cleaned.Bytes()) > DecodedBytesMax:
		return nil, 0, ErrTooLarge
	case kind == "jpeg" && bytes.Count(cleaned.Bytes(), []byte(jpegScan)) > ScansMax:
		return nil, 0, ErrTooLarge
	}
	turn = clean.Turn(cleaned.Bytes())
	if picture, _, err = image.Decode(&cleaned); err != nil || picture.Bounds().Empty() {
		return nil, 0, ErrUnreadable
	}
	return picture, turn, nil
}

// jpegScan begins a scan of a JPEG. Within a scan it does not occur.
const jpegScan = "\xff\xda"

// encode encodes a picture as well as it may travel.
func encode(small image.Image, valid func([]byte) bool) ([]byte, error) {
	var out bytes.Buffer
	for _, quality := range qualities {
		out.Reset()
		if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: quality}); err != nil {
			return nil, ErrUnreadable
		}
		if valid(out.Bytes()) {
			return out.Bytes(), nil
		}
	}
	return nil, ErrTooLarge
}

// decodedBytes bounds the memory in which the decoders of the standard library put a picture.
func decodedBytes(kind string, config image.Config, picture []byte) uint64 {
	width, height := uint64(config.Width), uint64(config.Height)
	if max(width, height) > DecodedBytesMax { // too much anyway, and more might overflow
		return math.MaxUint64
	}
	switch kind {
	case "jpeg":
		return jpegBytes(width, height, config.ColorModel, picture)
	case "gif":
		return 2 * width * height // again, if it is interlaced
	}
	perPixel := uint64(4)
	switch config.ColorModel {
	case color.NRGBA64Model, color.RGBA64Model, color.Gray16Model: // a grey one with a transparent grey, too
		perPixel = 8
	}
	passes, rows := uint64(1), uint64(2)
	if len(picture) <= pngInterlace || picture[pngInterlace] != 0 {
		passes, rows = 2, 6 // its passes together are as large as it is, and their rows 2.75 as long
	}
	return passes*perPixel*width*height + rows*(perPixel*width+1)
}

// jpegBytes does it for a JPEG: what is decoded has whole units of up to 32 by 32 pixels. Of one
// that is progressive all coefficients are held beside it, 4 bytes each, and what is not of the
// usual colours is made anew, 4 bytes a pixel.
func jpegBytes(width, height uint64, model color.Model, picture []byte) uint64 {
	const progressive = "\xff\xc2"
	samples, anew := uint64(3), uint64(0)
	switch {
	case model == color.GrayModel:
		samples = 1
	case model == color.CMYKModel:
		samples, anew = 4, 4
	case model != color.YCbCrModel || mayBeRGB(picture):
		anew = 4
	}
	perPixel := samples + anew
	if bytes.Contains(picture, []byte(progressive)) {
		perPixel += 4 * samples
	}
	return perPixel * roundedUp(width, jpegUnit) * roundedUp(height, jpegUnit)
}

// mayBeRGB reports whether a JPEG says in the manner of Adobe that its colours are not the usual.
func mayBeRGB(picture []byte) bool {
	const mark, transformAt = "Adobe", 11
	for {
		_, after, found := bytes.Cut(picture, []byte(mark))
		if !found {
			return false
		}
		if at := transformAt - len(mark); len(after) <= at || after[at] == 0 {
			return true
		}
		picture = after
	}
}

func roundedUp(n, unit uint64) uint64 { return (n + unit - 1) / unit * unit }

// square returns the square in the middle of a picture, small and turned. What is transparent
// becomes white.
func square(picture image.Image, turn int) *image.RGBA {
	b := picture.Bounds()
	size := min(b.Dx(), b.Dy())
	at := image.Pt(b.Min.X+(b.Dx()-size)/2, b.Min.Y+(b.Dy()-size)/2)
	return shrink(picture, image.Rectangle{Min: at, Max: at.Add(image.Pt(size, size))}, min(size, Side), turn)
}

// shrink returns a part of a picture turned, its longer side of a length.
func shrink(picture image.Image, part image.Rectangle, long, turn int) *image.RGBA {
	longest := max(part.Dx(), part.Dy())
	width, height := max(1, part.Dx()*long/longest), max(1, part.Dy()*long/longest)
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	if turn >= sideways {
		out = image.NewRGBA(image.Rect(0, 0, height, width))
	}
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			fromX, fromY := turned(x, y, width-1, height-1, turn)
			cell := image.Rect(fromX*part.Dx()/width, fromY*part.Dy()/height, (fromX+1)*part.Dx()/width, (fromY+1)*part.Dy()/height)
			out.SetRGBA(x, y, mean(picture, cell.Add(part.Min)))
		}
	}
	return out
}

// sideways is the first of the turns by which width becomes height.
const sideways = 5

// turned returns which place of a picture, right and bottom the last ones, is seen at x, y if it
// is turned as Exif counts.
func turned(x, y, right, bottom, turn int) (fromX, fromY int) {
	switch turn {
	case 2:
		return right - x, y
	case 3:
		return right - x, bottom - y
	case 4:
		return x, bottom - y
	case 5:
		return y, x
	case 6:
		return y, bottom - x
	case 7:
		return right - y, bottom - x
	case 8:
		return right - y, x
	}
	return x, y
}

// mean returns the colour of a part of a picture on white, by some places in it.
func mean(picture image.Image, part image.Rectangle) color.RGBA {
	var r, g, b, n uint32
	stepX, stepY := max(1, part.Dx()/samplesMax), max(1, part.Dy()/samplesMax)
	for y := part.Min.Y; y < max(part.Max.Y, part.Min.Y+1); y += stepY {
		for x := part.Min.X; x < max(part.Max.X, part.Min.X+1); x += stepX {
			red, green, blue, alpha := picture.At(x, y).RGBA()
			white := 0xffff - alpha
			r, g, b, n = r+(red+white)>>8, g+(green+white)>>8, b+(blue+white)>>8, n+1
		}
	}
	return color.RGBA{R: uint8(r / n), G: uint8(g / n), B: uint8(b / n), A: 0xff}
}
