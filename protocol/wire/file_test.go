package wire

import (
	"strings"
	"testing"
)

func TestManifestRefusesHostileNames(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", "../../etc/passwd", "a/b", `a\b`, "a\x00b", "a\nb", "a\u202egpj.exe", "a\u2028b",
		strings.Repeat("x", FileNameBytesMax+1), "\xff",
	} {
		c := sampleManifest()
		c.Files[0].Name = name
		if _, err := AppendContent(nil, c); err == nil {
			t.Errorf("a file called %q travels", name)
		}
	}
	c := sampleManifest()
	c.Files[0].Name = "....." // odd, and no path
	if _, err := AppendContent(nil, c); err != nil {
		t.Errorf("five dots: %v", err)
	}
}

func TestManifestLimits(t *testing.T) {
	for what, change := range map[string]func(*Content){
		"no file":                  func(c *Content) { c.Files = nil },
		"too many files":           func(c *Content) { c.Files = make([]File, FilesMax+1) },
		"larger than the largest":  func(c *Content) { c.Files[0].SizeBytes = FileBytesMax + 1 },
		"a media type with a line": func(c *Content) { c.Files[0].MediaType = "text/html\r\nX: y" },
		"a media type of one word": func(c *Content) { c.Files[0].MediaType = "text" },
		"a waveform too long":      func(c *Content) { c.Files[0].Waveform = make([]byte, WaveformBytesMax+1) },
		"a giant picture":          func(c *Content) { c.Files[0].Width = PixelsMax + 1 },
	} {
		c := sampleManifest()
		change(&c)
		if _, err := AppendContent(nil, c); err == nil {
			t.Errorf("a manifest with %s travels", what)
		}
	}
}

func TestLargestManifestFits(t *testing.T) {
	c := sampleManifest()
	c.Text = strings.Repeat("x", TextBytesMax)
	c.Files = nil
	for range FilesMax {
		c.Files = append(c.Files, File{
			Name: strings.Repeat("n", FileNameBytesMax), MediaType: "a/" + strings.Repeat("b", MediaTypeBytesMax-2),
			SizeBytes: FileBytesMax, Width: PixelsMax, Height: PixelsMax, DurationMS: 1<<32 - 1, Waveform: make([]byte, WaveformBytesMax),
		})
	}
	if _, err := AppendContent(nil, c); err != nil {
		t.Errorf("%d files with the longest names and a caption: %v", FilesMax, err)
	}
}

func TestFileFetchRoundTrip(t *testing.T) {
	want := FileFetch{Message: [16]byte{1, 2}, Item: 3, First: FileListIndex, Count: 1}
	got, err := ParseFileFetch(want.Append(nil))
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, count := range []uint32{0, FileFetchMax + 1} {
		f := FileFetch{Count: count}
		if _, err := ParseFileFetch(f.Append(nil)); err == nil {
			t.Errorf("%d chunks may be asked for", count)
		}
	}
}
