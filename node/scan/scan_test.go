package scan

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"rsc.io/qr"

	"pabal/node/portrait"
)

// link is as long as the longest that an invite has.
var link = "pabal:i1#" + strings.Repeat("EQFrD6Z4YO8V0vbVLmbtcPKyfw2DZZ7o4hjXfFOY4Kuw", 10)[:411]

// code draws a text, a module being scale pixels wide, with its white border.
func code(t testing.TB, text string, scale int) *image.RGBA {
	t.Helper()
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	const border = 4
	side := (c.Size + 2*border) * scale
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(m, m.Rect, image.White, image.Point{}, draw.Src)
	for y := range c.Size {
		for x := range c.Size {
			if c.Black(x, y) {
				r := image.Rect(0, 0, scale, scale).Add(image.Pt((x+border)*scale, (y+border)*scale))
				draw.Draw(m, r, image.Black, image.Point{}, draw.Src)
			}
		}
	}
	return m
}

// photographed is a code that lies turned on a table in uneven light, taken with a camera that
// adds noise.
func photographed(t testing.TB, text string, scale int, degrees float64) image.Image {
	t.Helper()
	sheet := code(t, text, scale)
	width, height := sheet.Rect.Dx()*2, sheet.Rect.Dy()*2
	m := image.NewGray(image.Rect(0, 0, width, height))
	rnd := rand.New(rand.NewPCG(1, 2))
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	for y := range height {
		for x := range width {
			dx, dy := float64(x-width/2), float64(y-height/2)
			from := image.Pt(int(dx*cos+dy*sin)+sheet.Rect.Dx()/2, int(dy*cos-dx*sin)+sheet.Rect.Dy()/2)
			bright := 90.0
			if from.In(sheet.Rect) {
				bright = 40 + 0.6*float64(sheet.RGBAAt(from.X, from.Y).R)
			}
			bright = bright*(0.6+0.4*float64(x)/float64(width)) + 12*rnd.NormFloat64()
			m.SetGray(x, y, color.Gray{Y: uint8(max(0, min(255, bright)))})
		}
	}
	return m
}

func encoded(t testing.TB, kind string, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	err := map[string]func() error{
		"jpeg": func() error { return jpeg.Encode(&b, m, &jpeg.Options{Quality: 60}) },
		"png":  func() error { return png.Encode(&b, m) },
		"gif":  func() error { return gif.Encode(&b, m, nil) },
	}[kind]()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestQR(t *testing.T) {
	dark := code(t, link, 4)
	for i := range dark.Pix {
		if i%4 != 3 {
			dark.Pix[i] = 255 - dark.Pix[i]
		}
	}
	clear := image.NewNRGBA(code(t, link, 4).Rect) // black on nothing
	draw.DrawMask(clear, clear.Rect, image.Black, image.Point{}, mask(code(t, link, 4)), image.Point{}, draw.Src)
	screen := image.NewRGBA(image.Rect(0, 0, 1080, 2340)) // among other things
	draw.Draw(screen, screen.Rect, image.NewUniform(color.RGBA{R: 24, G: 36, B: 48, A: 255}), image.Point{}, draw.Src)
	draw.Draw(screen, image.Rect(200, 900, 1080, 2340), code(t, link, 6), image.Point{}, draw.Src)
	for name, given := range map[string][]byte{
		"small":           encoded(t, "png", code(t, link, 2)),
		"GIF":             encoded(t, "gif", code(t, link, 3)),
		"JPEG":            encoded(t, "jpeg", code(t, link, 5)),
		"bright on dark":  encoded(t, "png", dark),
		"on nothing":      encoded(t, "png", clear),
		"on a screen":     encoded(t, "png", screen),
		"photographed":    encoded(t, "jpeg", photographed(t, link, 6, 0)),
		"turned a little": encoded(t, "jpeg", photographed(t, link, 6, 13)),
		"turned":          encoded(t, "jpeg", photographed(t, link, 6, 90)),
		"upside down":     encoded(t, "jpeg", photographed(t, link, 6, 185)),
		"large":           encoded(t, "jpeg", photographed(t, link, 16, 7)),
	} {
		if got, err := QR(given); err != nil || got != link {
			t.Errorf("%s: %.20q, %v", name, got, err)
		}
	}
	if got, err := QR(encoded(t, "png", code(t, "안녕 👋", 4))); err != nil || got != "안녕 👋" {
		t.Errorf("%q, %v", got, err)
	}
}

// mask is opaque where a drawing is black.
func mask(m *image.RGBA) *image.Alpha {
	out := image.NewAlpha(m.Rect)
	for i := range out.Pix {
		out.Pix[i] = 255 - m.Pix[4*i]
	}
	return out
}

func TestNoQR(t *testing.T) {
	whole := encoded(t, "png", code(t, link, 3))
	covered := code(t, link, 3)
	draw.Draw(covered, image.Rect(0, 100, 300, 200), image.White, image.Point{}, draw.Src)
	// A wall of corners: whoever looks at each three of them is not done today.
	wall := image.NewRGBA(image.Rect(0, 0, 2000, 2000))
	corner := code(t, "x", 3).SubImage(image.Rect(0, 0, 36, 36))
	for y := 0; y < 2000; y += 36 {
		for x := 0; x < 2000; x += 36 {
			draw.Draw(wall, image.Rect(x, y, x+36, y+36), corner, image.Point{}, draw.Src)
		}
	}
	// Stripes like the corners of a code from above to below: each is followed to its ends.
	stripes := image.NewGray(image.Rect(0, 0, 64, 120000))
	for i := range stripes.Pix {
		if x := i % 7; x != 0 && x != 6 || i%64 > 55 {
			stripes.Pix[i] = 255 * uint8(x%2)
		}
	}
	for name, c := range map[string]struct {
		given []byte
		want  error
	}{
		"stripes":           {encoded(t, "png", stripes), ErrNoCode},
		"nothing":           {nil, portrait.ErrUnreadable},
		"a text":            {[]byte(link), portrait.ErrUnreadable},
		"half a picture":    {whole[:len(whole)/2], portrait.ErrUnreadable},
		"one pixel":         {encoded(t, "png", image.NewRGBA(image.Rect(0, 0, 1, 1))), ErrNoCode},
		"a line":            {encoded(t, "png", image.NewRGBA(image.Rect(0, 0, 5000, 1))), ErrNoCode},
		"a white sheet":     {encoded(t, "png", image.NewGray(image.Rect(0, 0, 900, 900))), ErrNoCode},
		"a covered code":    {encoded(t, "png", covered), ErrNoCode},
		"a wall of them":    {encoded(t, "png", wall), ErrNoCode},
		"too many pixels":   {encoded(t, "png", image.NewRGBA(image.Rect(0, 0, 6000, 6000))), portrait.ErrTooLarge},
		"too many bytes":    {make([]byte, portrait.BytesMax+1), portrait.ErrTooLarge},
		"nothing but noise": {encoded(t, "jpeg", noise()), ErrNoCode},
	} {
		if got, err := QR(c.given); !errors.Is(err, c.want) || got != "" {
			t.Errorf("%s: %.20q, %v", name, got, err)
		}
	}
}

func noise() image.Image {
	m := image.NewGray(image.Rect(0, 0, 1500, 1500))
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range m.Pix {
		m.Pix[i] = uint8(rnd.Uint32())
	}
	return m
}

// FuzzRead has the library look at any modules in place of a code's.
func FuzzRead(f *testing.F) {
	whole := code(f, "pabal", 1)
	seed := make([]byte, len(whole.Pix)/4)
	for i := range seed {
		seed[i] = whole.Pix[4*i]
	}
	f.Add(uint8(whole.Rect.Dx()), seed)
	f.Add(uint8(3), []byte("123456789"))
	f.Fuzz(func(_ *testing.T, width uint8, pix []byte) {
		if width == 0 || len(pix) < int(width) {
			return
		}
		height := len(pix) / int(width)
		const scale = 3
		m := image.NewGray(image.Rect(0, 0, int(width)*scale, height*scale))
		for i := range m.Pix {
			y, x := i/m.Stride, i%m.Stride
			m.Pix[i] = pix[y/scale*int(width)+x/scale]
		}
		read(m)
		half(m)
	})
}
