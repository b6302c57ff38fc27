package portrait

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"pabal/node/clean"
	"pabal/protocol/wire"
)

// quarters is a picture whose square in the middle has a red, a green, a blue and a white
// quarter, from the left above on.
func quarters(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := [4]color.NRGBA{{R: 255, A: 255}, {G: 255, A: 255}, {B: 255, A: 255}, {}}[2*(2*y/height)+2*x/width]
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// opaque has white in place of what is transparent, of which JPEG knows nothing.
func opaque(m *image.NRGBA) *image.NRGBA {
	for i := 0; i < len(m.Pix); i += 4 {
		if m.Pix[i+3] == 0 {
			copy(m.Pix[i:], []byte{255, 255, 255, 255})
		}
	}
	return m
}

func encoded(t *testing.T, kind string, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch kind {
	case "jpeg":
		err = jpeg.Encode(&b, m, nil)
	case "png":
		err = png.Encode(&b, m)
	case "gif":
		err = gif.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withExif puts a block of Exif into a JPEG that says how it is to be turned, and who made it.
func withExif(picture []byte, turn uint16) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x02\x01\x12\x00\x03\x00\x00\x00\x01")
	tiff = append(binary.BigEndian.AppendUint16(tiff, turn), 0, 0)
	tiff = append(tiff, "\x01\x3b\x00\x02\x00\x00\x00\x05\x00\x00\x00\x26\x00\x00\x00\x00Mina\x00"...)
	body := append([]byte("Exif\x00\x00"), tiff...)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	return append(append(append([]byte{}, picture[:2]...), append(segment, body...)...), picture[2:]...)
}

// seen names the colours of the quarters of what was made.
func seen(t *testing.T, made []byte) string {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(made))
	if err != nil {
		t.Fatal(err)
	}
	var names strings.Builder
	side := m.Bounds().Dx()
	for i := range 4 {
		r, g, b, _ := m.At(side/4+i%2*side/2, side/4+i/2*side/2).RGBA()
		switch {
		case r > 0xd000 && g > 0xd000 && b > 0xd000:
			names.WriteByte('w')
		case r > 0xa000:
			names.WriteByte('r')
		case g > 0xa000:
			names.WriteByte('g')
		case b > 0xa000:
			names.WriteByte('b')
		}
	}
	return names.String()
}

func TestMake(t *testing.T) {
	for what, given := range map[string][]byte{
		"PNG":            encoded(t, "png", quarters(400, 400)),
		"GIF":            encoded(t, "gif", opaque(quarters(300, 300))),
		"small":          encoded(t, "png", quarters(8, 8)),
		"broad":          encoded(t, "png", quarters(900, 300)),
		"high":           encoded(t, "png", quarters(300, 1000)),
		"odd":            encoded(t, "png", quarters(401, 333)),
		"grey in 16 bit": encoded(t, "png", image.NewGray16(image.Rect(0, 0, 50, 50))),
	} {
		made, err := Make(given)
		if err != nil || !wire.ValidPicture(made) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got := seen(t, made); got != "rgbw" && what[0] != 'g' {
			t.Errorf("%s: looks %s", what, got)
		}
	}
}

// TestMakeTurns turns a photograph as its camera said, and drops who took it.
func TestMakeTurns(t *testing.T) {
	white := opaque(quarters(200, 200))
	for turn, want := range []string{"rgbw", "rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb", "rgbw"} {
		given := withExif(encoded(t, "jpeg", white), uint16(turn))
		if !bytes.Contains(given, []byte("Mina")) {
			t.Fatal("it does not tell")
		}
		made, err := Make(given)
		if err != nil {
			t.Fatal(err)
		}
		if got := seen(t, made); got != want {
			t.Errorf("turned %d: looks %s, want %s", turn, got, want)
		}
		if bytes.Contains(made, []byte("Mina")) || bytes.Contains(made, []byte("Exif")) || clean.Turn(made) != 1 {
			t.Errorf("turned %d: it tells", turn)
		}
	}
}

// TestThumbnail keeps the form of a picture and all that it shows, turned as its camera said.
func TestThumbnail(t *testing.T) {
	for what, c := range map[string]struct {
		given         []byte
		width, height int
	}{
		"broad":     {encoded(t, "png", quarters(900, 300)), 320, 106},
		"high":      {encoded(t, "png", quarters(300, 900)), 106, 320},
		"small":     {encoded(t, "gif", opaque(quarters(40, 30))), 40, 30},
		"very long": {encoded(t, "png", quarters(4000, 2)), 320, 1},
		"as it is":  {withExif(encoded(t, "jpeg", opaque(quarters(640, 320))), 1), 320, 160},
		"turned":    {withExif(encoded(t, "jpeg", opaque(quarters(640, 320))), 6), 160, 320},
	} {
		made, err := Thumbnail(c.given, wire.ThumbnailBytesMax)
		if err != nil || !wire.ValidThumbnail(made) {
			t.Errorf("%s: %d bytes, %v", what, len(made), err)
			continue
		}
		if config, err := jpeg.DecodeConfig(bytes.NewReader(made)); err != nil || config.Width != c.width || config.Height != c.height {
			t.Errorf("%s: %d by %d, %v", what, config.Width, config.Height, err)
		}
		if bytes.Contains(made, []byte("Mina")) || bytes.Contains(made, []byte("Exif")) {
			t.Errorf("%s: it tells", what)
		}
	}
}

func TestThumbnailTurns(t *testing.T) {
	white := opaque(quarters(200, 200))
	for turn, want := range []string{"rgbw", "rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb", "rgbw"} {
		made, err := Thumbnail(withExif(encoded(t, "jpeg", white), uint16(turn)), wire.ThumbnailBytesMax)
		if err != nil {
			t.Fatal(err)
		}
		if got := seen(t, made); got != want {
			t.Errorf("turned %d: looks %s, want %s", turn, got, want)
		}
	}
}

// TestThumbnailFits has what cannot be packed well become smaller until it has its bytes.
func TestThumbnailFits(t *testing.T) {
	given := encoded(t, "png", noise(900))
	for _, most := range []int{wire.ThumbnailBytesMax, ThumbnailsBytes / wire.FilesMax} {
		made, err := Thumbnail(given, most)
		if err != nil || len(made) > most || !wire.ValidThumbnail(made) {
			t.Errorf("%d bytes of %d, %v", len(made), most, err)
		}
	}
	if _, err := Thumbnail(given, 100); err != ErrTooLarge {
		t.Errorf("in 100 bytes: %v", err)
	}
}

// TestBombsHaveNoThumbnail refuses what would need much memory before any of it is decoded.
func TestBombsHaveNoThumbnail(t *testing.T) {
	for what, given := range map[string][]byte{
		"60 GB":               bomb(122880, 122880),
		"progressive and big": progressive(encoded(t, "jpeg", image.NewNRGBA(image.Rect(0, 0, 2200, 2200)))),
		"many bytes":          append(encoded(t, "jpeg", quarters(64, 64)), make([]byte, BytesMax)...),
	} {
		if _, err := Thumbnail(given, wire.ThumbnailBytesMax); err != ErrTooLarge {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestAgain hands on the pixels of a contact's thumbnail, and no byte that it hides in it.
func TestAgain(t *testing.T) {
	given := append(withExif(encoded(t, "jpeg", opaque(quarters(64, 64))), 1), "<script>"...)
	made, err := Again(given)
	if err != nil || bytes.Contains(made, []byte("Mina")) || bytes.Contains(made, []byte("script")) || seen(t, made) != "rgbw" {
		t.Errorf("%v; it looks %s", err, seen(t, made))
	}
	for what, bad := range map[string][]byte{
		"cut": given[:len(given)/2], "nothing": nil, "a PNG": encoded(t, "png", quarters(8, 8)),
		"too wide": encoded(t, "jpeg", quarters(wire.ThumbnailSideMax+1, 8)),
	} {
		if _, err := Again(bad); err != ErrUnreadable {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// noise is a picture that cannot be packed well.
func noise(side int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	r := rand.New(rand.NewPCG(1, 1))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32()) | byte(i%4/3*0xff)
	}
	return m
}

// TestMakeFits makes of what cannot be packed well what may travel all the same.
func TestMakeFits(t *testing.T) {
	made, err := Make(encoded(t, "png", noise(Side)))
	if err != nil || !wire.ValidPicture(made) {
		t.Errorf("%d bytes, %v", len(made), err)
	}
}

// bomb is a PNG of few bytes that says to be as large as can be.
func bomb(width, height uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	head := append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), width), height), 8, 6, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(append(b, head...), crc32.ChecksumIEEE(head))
	return append(b, "\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e\x00\x00\x00\x00IEND\xae\x42\x60\x82"...)
}

func TestMakeRefuses(t *testing.T) {
	good := encoded(t, "jpeg", quarters(64, 64))
	for what, c := range map[string]struct {
		given []byte
		want  error
	}{
		"nothing":             {nil, ErrUnreadable},
		"text":                {[]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), ErrUnreadable},
		"a cut one":           {good[:len(good)/2], ErrUnreadable},
		"60 GB":               {bomb(122880, 122880), ErrTooLarge},
		"no pixels":           {bomb(0, 5), ErrUnreadable},
		"nothing but its end": {bomb(5, 5), ErrUnreadable},
		"many bytes":          {append(bytes.Clone(good), make([]byte, BytesMax)...), ErrTooLarge},
		"progressive and big": {progressive(encoded(t, "jpeg", image.NewNRGBA(image.Rect(0, 0, 2200, 2200)))), ErrTooLarge},
	} {
		if _, err := Make(c.given); err != c.want {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
}

// progressive has a JPEG say that it is.
func progressive(b []byte) []byte {
	b[bytes.Index(b, []byte{0xff, 0xc0})+1] = 0xc2
	return b
}

func crcOf(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

func FuzzMake(f *testing.F) {
	f.Add(bomb(3, 3))
	f.Add(withExif([]byte("\xff\xd8\xff\xd9"), 6))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02L\x01\x00;"))
	f.Fuzz(func(t *testing.T, given []byte) {
		made, err := Make(given)
		if (err == nil) != wire.ValidPicture(made) {
			t.Errorf("%d bytes, %v", len(made), err)
		}
		made, err = Thumbnail(given, wire.ThumbnailBytesMax)
		if (err == nil) != wire.ValidThumbnail(made) {
			t.Errorf("a thumbnail of %d bytes, %v", len(made), err)
		}
	})
}

// TestManyScans has a small JPEG ask for hours of work: a progressive one says again and again
// that nothing changes.
func TestManyScans(t *testing.T) {
	for scans, want := range map[int]error{ScansMax: nil, ScansMax + 1: ErrTooLarge, 20 << 10: ErrTooLarge} {
		given := manyScans(scans)
		if _, err := Make(given); !errors.Is(err, want) {
			t.Errorf("%d scans, %d bytes: %v", scans, len(given), err)
		}
	}
}

// manyScans is a grey, progressive JPEG of 1,024 pixels each way.
func manyScans(scans int) []byte {
	const blocks = 128 * 128
	var b bytes.Buffer
	segment := func(marker byte, body ...byte) {
		b.Write([]byte{0xff, marker, 0, byte(len(body) + 2)})
		b.Write(body)
	}
	codes := func(class byte, n int, values ...byte) { // as many codes of n bits
		counts := make([]byte, 16)
		counts[n-1] = byte(len(values))
		segment(0xc4, append(append([]byte{class}, counts...), values...)...)
	}
	b.WriteString("\xff\xd8")
	segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...)
	segment(0xc2, 8, 4, 0, 4, 0, 1, 1, 0x11, 0)
	codes(0x00, 1, 0)    // no difference from the block before
	codes(0x10, 1, 0xe0) // the next 16,384 blocks have nothing more, with 14 bits that say so
	segment(0xda, 1, 1, 0x00, 0, 0, 0)
	b.Write(make([]byte, blocks/8))
	for range scans - 1 {
		segment(0xda, 1, 1, 0x00, 1, 1, 0)
		b.Write([]byte{0, 0})
	}
	b.WriteString("\xff\xd9")
	return b.Bytes()
}
