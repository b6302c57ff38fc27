package clean

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
	"slices"
	"strings"
	"testing"
)

// secret stands for what a picture tells of its maker.
const secret = "37.5665N 126.9780E"

func picture() image.Image {
	m := image.NewPaletted(image.Rect(0, 0, 40, 30), color.Palette{color.Black, color.White, color.RGBA{R: 200, A: 255}})
	for i := range m.Pix {
		m.Pix[i] = uint8(i*7) % 3
	}
	return m
}

func segment(marker byte, body string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2)), body...)
}

// exif is a TIFF structure with an orientation and a secret.
func exif(turn uint16) string {
	b := []byte("II*\x00\x08\x00\x00\x00\x02\x00\x0e\x01\x02\x00\x12\x00\x00\x00\x26\x00\x00\x00\x12\x01\x03\x00\x01\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, turn)
	return string(append(b, 0, 0, 0, 0, 0, 0)) + secret
}

func jpegWith(t testing.TB, segments ...[]byte) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(), nil); err != nil {
		t.Fatal(err)
	}
	return slices.Concat(b.Bytes()[:2], slices.Concat(segments...), b.Bytes()[2:])
}

func pngChunk(kind, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(b, kind+body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(kind+body)))
}

func pngWith(t testing.TB, chunks ...[]byte) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, picture()); err != nil {
		t.Fatal(err)
	}
	const header = 8 + 12 + 13
	return slices.Concat(b.Bytes()[:header], slices.Concat(chunks...), b.Bytes()[header:])
}

func gifWith(t testing.TB, blocks ...string) []byte {
	var b bytes.Buffer
	frame := picture().(*image.Paletted)
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{5, 5}}); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	return slices.Concat(whole[:len(whole)-1], []byte(strings.Join(blocks, "")), []byte{';'})
}

func cleanAll(t testing.TB, b []byte) ([]byte, Size) {
	t.Helper()
	var out bytes.Buffer
	size, err := Clean(&out, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), size
}

// TestCleanedPicturesLookTheSame removes everything that tells, and changes no pixel.
func TestCleanedPicturesLookTheSame(t *testing.T) {
	comment := "!\xfe" + string(rune(len(secret))) + secret + "\x00"
	for name, dirty := range map[string][]byte{
		"JPEG": append(jpegWith(t, segment(0xe1, "Exif\x00\x00"+exif(6)), segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00"+secret),
			segment(0xed, "Photoshop 3.0\x00"+secret), segment(0xfe, secret), segment(0xe2, "MPF\x00"+secret)), secret...),
		"PNG": append(pngWith(t, pngChunk("tEXt", "Author\x00"+secret), pngChunk("iTXt", secret), pngChunk("eXIf", exif(6)),
			pngChunk("tIME", "\x07\xe8\x01\x01\x01\x01\x01"), pngChunk("prVt", secret)), secret...),
		"GIF": append(gifWith(t, comment, "!\xff\x0bXMP DataXMP"+string(rune(len(secret)))+secret+"\x00"), secret...),
	} {
		got, size := cleanAll(t, dirty)
		if bytes.Contains(got, []byte(secret)) || bytes.Contains(got, []byte("tIME")) {
			t.Errorf("%s still tells", name)
		}
		if size != (Size{40, 30}) {
			t.Errorf("%s is %v", name, size)
		}
		before, _, err := image.Decode(bytes.NewReader(dirty))
		after, _, err2 := image.Decode(bytes.NewReader(got))
		if err != nil || err2 != nil || !same(before, after) {
			t.Errorf("%s does not look as before: %v, %v", name, err, err2)
		}
		if again, _ := cleanAll(t, got); !bytes.Equal(again, got) {
			t.Errorf("%s changes when it is cleaned again", name)
		}
	}
	if all, err := gif.DecodeAll(bytes.NewReader(first(cleanAll(t, gifWith(t))))); err != nil || len(all.Image) != 2 || all.LoopCount != 0 {
		t.Errorf("a moving picture comes out as %v, %v", all, err)
	}
}

func first(b []byte, _ Size) []byte { return b }

func same(a, b image.Image) bool {
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return a.Bounds() == b.Bounds()
}

// TestOrientationStays has a picture that lies on its side be turned afterwards, too.
func TestOrientationStays(t *testing.T) {
	for turn := uint16(0); turn < 10; turn++ {
		dirty := jpegWith(t, segment(0xe1, "Exif\x00\x00"+exif(turn)))
		got, _ := cleanAll(t, dirty)
		_, body, found := bytes.Cut(got, []byte("Exif\x00\x00"))
		if want := turn >= 2 && turn <= 8; found != want || found && orientation(body) != turn {
			t.Errorf("orientation %d: found %v", turn, found)
		}
	}
	got, _ := cleanAll(t, pngWith(t, pngChunk("eXIf", exif(8))))
	if _, body, found := bytes.Cut(got, []byte("eXIf")); !found || orientation(body) != 8 {
		t.Error("a PNG is not turned any more")
	}
}

// TestBombCostsItsBytes cleans a picture that would expand to 60 GB.
func TestBombCostsItsBytes(t *testing.T) {
	bomb := pngWith(t)
	binary.BigEndian.PutUint32(bomb[16:], 122_474)
	binary.BigEndian.PutUint32(bomb[20:], 122_474)
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, size := cleanAll(b, bomb); size.Width != 122_474 {
				b.Fatal(size)
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 1<<20 {
		t.Errorf("a bomb of %d bytes takes %d", len(bomb), allocated)
	}
}

func TestMalformedPicturesAreRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing": nil, "a beginning": []byte("\xff\xd8\xff"), "a cut JPEG": jpegWith(t)[:300], "a cut PNG": pngWith(t)[:60],
		"a cut GIF": gifWith(t)[:50], "a PNG without a header": append([]byte(pngSignature), pngChunk("IEND", "")...),
		"a JPEG of a comment only": append([]byte("\xff\xd8"), append([]byte(segment(0xfe, secret)), 0xff, 0xd9)...),
		"a segment of no length":   []byte("\xff\xd8\xff\xe1\x00\x01aaaaaa"), "a chunk of 3 GB": append([]byte(pngSignature), "\xc0\x00\x00\x00IHDR"...),
	} {
		if _, err := Clean(&bytes.Buffer{}, bytes.NewReader(b)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLook(t *testing.T) {
	for name, c := range map[string]struct {
		head, tail string
		want       Verdict
	}{
		"text": {"hello", "hello", Plain}, "JPEG": {"\xff\xd8\xff\xe0", "", Picture}, "GIF": {"GIF89a", "", Picture},
		"HEIC": {"\x00\x00\x00\x18ftypheic....", "", Telling}, "MP4": {"\x00\x00\x00\x18ftypisom....", "", Telling},
		"MOV": {"\x00\x00\x00\x08wide....", "", Telling}, "TIFF": {"II*\x00\x08", "", Telling}, "PDF": {"%PDF-1.7", "", Telling},
		"MP3 with a tag": {"ID3\x04", "", Telling}, "MP3 with an old tag": {"\xff\xfb", "TAG" + strings.Repeat("x", 125), Telling},
		"MP3 without": {"\xff\xfb\x90\x00", strings.Repeat("x", 300), Plain},
		"Word":        {"PK\x03\x04..[Content_Types].xml", "", Telling}, "Word, packed otherwise": {"PK\x03\x04", "..docProps/core.xml", Telling},
		"old Word": {"\xd0\xcf\x11\xe0", "", Telling}, "an archive": {"PK\x03\x04..a.txt", "a.txt", Plain},
		"WebP": {"RIFF\x00\x00\x00\x00WEBPVP8 ........", "", Plain}, "WebP with Exif": {"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x08...", "", Telling},
		"a voice note": {"OggS...OpusTags\x03\x00\x00\x00abc\x00\x00\x00\x00", "", Plain},
		"a song":       {"OggS...OpusTags\x03\x00\x00\x00abc\x02\x00\x00\x00", "", Telling},
		"FLAC":         {"fLaC", "", Telling}, "Matroska": {"\x1a\x45\xdf\xa3", "", Telling},
		"RAF": {"FUJIFILMCCD-RAW 0201", "", Telling}, "ORF": {"IIRO\x08\x00", "", Telling}, "an older ORF": {"IIRS\x08\x00", "", Telling},
		"a big-endian ORF": {"MMOR\x00\x00", "", Telling}, "RW2": {"IIU\x00\x18", "", Telling}, "X3F": {"FOVb\x00\x00", "", Telling},
		"MRW": {"\x00MRM\x00\x00", "", Telling}, "CRW": {"II\x1a\x00\x00\x00HEAPCCDR", "", Telling},
		"JPEG 2000": {"\x00\x00\x00\x0cjP  \r\n", "", Telling}, "its bare stream": {"\xff\x4f\xff\x51\x00", "", Telling},
		"SVG": {"<svg xmlns=", "", Telling}, "SVG as XML": {"\xef\xbb\xbf\n<?xml version=", "", Telling},
		"SVG of a type": {"<!DOCTYPE svg PUBLIC", "", Telling}, "SVG behind a comment": {"<!-- made by --><svg>", "", Telling},
		"a web page": {"<!doctype html><svg>", "", Plain},
	} {
		if _, got := Look([]byte(c.head), []byte(c.tail)); got != c.want {
			t.Errorf("%s: verdict %d, want %d", name, got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add(jpegWith(f, segment(0xe1, "Exif\x00\x00"+exif(6)), segment(0xfe, secret)))
	f.Add(pngWith(f, pngChunk("eXIf", exif(3))))
	f.Add(gifWith(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		if _, err := Clean(&out, bytes.NewReader(b)); err != nil {
			return
		}
		if out.Len() > 2*len(b)+64 {
			t.Errorf("%d bytes become %d", len(b), out.Len())
		}
		var again bytes.Buffer
		if _, err := Clean(&again, bytes.NewReader(out.Bytes())); err != nil || !bytes.Equal(again.Bytes(), out.Bytes()) {
			t.Errorf("what is clean is not taken, or changed: %v", err)
		}
	})
}

func FuzzLook(f *testing.F) {
	f.Add([]byte("OggS...OpusTags\x03\x00\x00\x00abc\x00\x00\x00\x00"), []byte("TAG"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8X"), []byte(""))
	f.Fuzz(func(_ *testing.T, head, tail []byte) { Look(head, tail) })
}
