package portrait

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	_ "image/gif" // Make decodes it
	"image/jpeg"
	_ "image/png" // and that

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
	if len(given) > BytesMax {
		return nil, ErrTooLarge
	}
	if _, verdict := clean.Look(given, given); verdict != clean.Picture {
		return nil, ErrUnreadable
	}
	var cleaned bytes.Buffer
	if _, err := clean.Clean(&cleaned, bytes.NewReader(given)); err != nil {
		return nil, ErrUnreadable
	}
	config, kind, err := image.DecodeConfig(bytes.NewReader(cleaned.Bytes()))
	switch {
	case err != nil || config.Width < 1 || config.Height < 1:
		return nil, ErrUnreadable
	case uint64(config.Width)*uint64(config.Height) > DecodedBytesMax/bytesPerPixel(kind, config.ColorModel, cleaned.Bytes()):
		return nil, ErrTooLarge
	}
	turn := clean.Turn(cleaned.Bytes())
	picture, _, err := image.Decode(&cleaned)
	if err != nil {
		return nil, ErrUnreadable
	}
	small := square(picture, turn)
	var out bytes.Buffer
	for _, quality := range qualities {
		out.Reset()
		if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: quality}); err != nil {
			return nil, ErrUnreadable
		}
		if wire.ValidPicture(out.Bytes()) {
			return out.Bytes(), nil
		}
	}
	return nil, ErrTooLarge
}

// bytesPerPixel is how much memory decoding needs. Of a JPEG that may be progressive all
// coefficients are held beside the pixels; a PNG that is interlaced comes in passes, the
// largest half as large as the picture.
func bytesPerPixel(kind string, model color.Model, picture []byte) uint64 {
	const progressive = "\xff\xc2"
	switch {
	case kind == "jpeg" && bytes.Contains(picture, []byte(progressive)):
		return 16
	case kind == "jpeg", kind == "gif":
		return 4
	case model == color.NRGBA64Model || model == color.RGBA64Model || model == color.Gray16Model:
		return 12
	}
	return 6
}

// square returns the square in the middle of a picture, small and turned. What is transparent
// becomes white.
func square(picture image.Image, turn int) *image.RGBA {
	b := picture.Bounds()
	size := min(b.Dx(), b.Dy())
	at := image.Pt(b.Min.X+(b.Dx()-size)/2, b.Min.Y+(b.Dy()-size)/2)
	side := min(size, Side)
	out := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			fromX, fromY := turned(x, y, side, turn)
			cell := image.Rect(fromX*size/side, fromY*size/side, (fromX+1)*size/side, (fromY+1)*size/side).Add(at)
			out.SetRGBA(x, y, mean(picture, cell))
		}
	}
	return out
}

// turned returns which place of a square picture is seen at x, y if it is turned as Exif counts.
func turned(x, y, side, turn int) (fromX, fromY int) {
	last := side - 1
	switch turn {
	case 2:
		return last - x, y
	case 3:
		return last - x, last - y
	case 4:
		return x, last - y
	case 5:
		return y, x
	case 6:
		return y, last - x
	case 7:
		return last - y, last - x
	case 8:
		return last - y, x
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
