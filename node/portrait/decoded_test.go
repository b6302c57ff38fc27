package portrait

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"runtime"
	"testing"
)

// drawnJPEG makes a JPEG of grey with the given sampling of each component, whose names are names;
// adobe is what it says of its colours in the manner of Adobe, unless it is negative.
func drawnJPEG(t *testing.T, width, height int, names string, sampling []byte, adobe int, progressive bool) []byte {
	t.Helper()
	segment := func(b []byte, marker byte, body []byte) []byte {
		return append(binary.BigEndian.AppendUint16(append(b, 0xff, marker), uint16(len(body)+2)), body...)
	}
	tables := encoded(t, "jpeg", image.NewGray(image.Rect(0, 0, 8, 8)))
	b := []byte{0xff, 0xd8}
	if adobe >= 0 {
		b = segment(b, 0xee, append([]byte("Adobe\x00\x64\x00\x00\x00\x00"), byte(adobe)))
	}
	for at := 2; tables[at+1] != 0xda; at += 2 + int(binary.BigEndian.Uint16(tables[at+2:])) {
		if marker := tables[at+1]; marker == 0xdb || marker == 0xc4 {
			b = segment(b, marker, tables[at+4:at+2+int(binary.BigEndian.Uint16(tables[at+2:]))])
		}
	}
	sof, sos := []byte{8}, []byte{byte(len(names))}
	sof = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(sof, uint16(height)), uint16(width))
	sof = append(sof, byte(len(names)))
	for i := range len(names) {
		sof, sos = append(sof, names[i], sampling[i], 0), append(sos, names[i], 0)
	}
	start, last := byte(0xc0), byte(63)
	if progressive {
		start, last = 0xc2, 0
	}
	b = segment(b, start, sof)
	b = segment(b, 0xda, append(sos, 0, last, 0))
	b = append(b, make([]byte, 24*len(names)*4*(width/8+4)*(height/8+4))...) // enough zeros for as many blocks
	return append(b, 0xff, 0xd9)
}

// tallied decodes a picture and returns how much memory was taken for it.
func tallied(t *testing.T, picture []byte) (allocated uint64, err error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err = image.Decode(bytes.NewReader(picture))
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}

// interlaced makes a PNG say that it is: what its decoder then reads is too little, behind all
// that it has taken memory for.
func interlaced(b []byte) []byte {
	b[pngInterlace] = 1
	binary.BigEndian.PutUint32(b[29:], crcOf(b[12:29]))
	return b
}

// TestDecodedBytes compares what is reckoned for pictures with what their decoders take.
func TestDecodedBytes(t *testing.T) {
	const slack = 256 << 10 // tables, windows and readers
	one, two := []byte{0x11, 0x11, 0x11, 0x11}, []byte{0x22, 0x11, 0x11, 0x22}
	box := image.Rect(0, 0, 1000, 1000)
	transparent := color.Palette{color.Transparent, color.Black}
	for what, picture := range map[string][]byte{
		"JPEG":                      drawnJPEG(t, 1000, 1000, "123", one, -1, false),
		"JPEG, grey":                drawnJPEG(t, 1000, 1000, "1", one, -1, false),
		"JPEG, 4:2:0":               drawnJPEG(t, 1000, 1000, "123", two, -1, false),
		"JPEG, RGB by its names":    drawnJPEG(t, 1000, 1000, "RGB", one, -1, false),
		"JPEG, RGB by Adobe":        drawnJPEG(t, 1000, 1000, "123", one, 0, false),
		"JPEG, CMYK":                drawnJPEG(t, 1000, 1000, "1234", one, 0, false),
		"JPEG, YCbCrK":              drawnJPEG(t, 1000, 1000, "1234", two, 2, false),
		"JPEG, progressive":         drawnJPEG(t, 1000, 1000, "123", one, -1, true),
		"JPEG, progressive grey":    drawnJPEG(t, 1000, 1000, "1", one, -1, true),
		"JPEG, progressive RGB":     drawnJPEG(t, 1000, 1000, "RGB", one, -1, true),
		"JPEG, progressive CMYK":    drawnJPEG(t, 1000, 1000, "1234", one, 0, true),
		"JPEG, a line":              drawnJPEG(t, 1, 60000, "123", []byte{0x41, 0x11, 0x11}, -1, false),
		"JPEG, a line, progressive": drawnJPEG(t, 1, 60000, "123", []byte{0x41, 0x11, 0x11}, -1, true),
		"PNG":                       encoded(t, "png", image.NewNRGBA(box)),
		"PNG, grey":                 encoded(t, "png", image.NewGray(box)),
		"PNG, 16 bit":               encoded(t, "png", image.NewNRGBA64(box)),
		"PNG, 16 bit grey":          encoded(t, "png", image.NewGray16(box)),
		"PNG, palette":              encoded(t, "png", image.NewPaletted(box, transparent)),
		"PNG, interlaced":           interlaced(encoded(t, "png", image.NewNRGBA(box))),
		"PNG, interlaced 16 bit":    interlaced(encoded(t, "png", image.NewNRGBA64(box))),
		"PNG, a line":               encoded(t, "png", image.NewNRGBA64(image.Rect(0, 0, 1_000_000, 1))),
		"PNG, an interlaced line":   interlaced(encoded(t, "png", image.NewNRGBA64(image.Rect(0, 0, 1_000_000, 1)))),
		"GIF":                       encoded(t, "gif", image.NewPaletted(box, transparent)),
	} {
		config, kind, err := image.DecodeConfig(bytes.NewReader(picture))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		reckoned := decodedBytes(kind, config, picture)
		allocated, err := tallied(t, picture)
		if allocated > reckoned+slack {
			t.Errorf("%s: takes %d bytes, reckoned %d (%v)", what, allocated, reckoned, err)
		}
		if err != nil && kind == "jpeg" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestPhotographsFit has photographs of today's telephones be within the limits.
func TestPhotographsFit(t *testing.T) {
	for what, c := range map[string]struct {
		model   color.Model
		picture string
		fits    bool
	}{
		"12 million pixels":                 {color.YCbCrModel, "", true},
		"12 million pixels by Adobe's hand": {color.YCbCrModel, "Adobe\x00\x64\x00\x00\x00\x00\x01", true},
		"as many, CMYK":                     {color.CMYKModel, "", false},
		"as many, progressive":              {color.YCbCrModel, "\xff\xc2", false},
	} {
		config := image.Config{ColorModel: c.model, Width: 4032, Height: 3024}
		if fits := decodedBytes("jpeg", config, []byte(c.picture)) <= DecodedBytesMax; fits != c.fits {
			t.Errorf("%s: fits %v", what, fits)
		}
	}
}
