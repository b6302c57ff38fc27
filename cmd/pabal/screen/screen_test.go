package screen

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"안녕, 반가워요 👋", "안녕, 반가워요 👋"},
		{"two\nlines\tand tab", `two\nlines\tand tab`},
		{"\x1b[2Jgone", `\u{1b}[2Jgone`},
		{"abc\u202efdp.exe", `abc\u{202e}fdp.exe`},
		{"zero\u200bwidth", `zero\u{200b}width`},
		{"\u2066isolate", `\u{2066}isolate`},
		{"line\u2028separator", `line\u{2028}separator`},
		{"bad \xff byte", `bad \x{ff} byte`},
		{"a real \ufffd stays", "a real \ufffd stays"},
		{"👩\u200d💻 joined", "👩\u200d💻 joined"},
		{"\u200dalone", `\u{200d}alone`},
		{"end\u200d", `end\u{200d}`},
		{"☂\ufe0f", "☂\ufe0f"},
		{"filler \u3164", `filler \u{3164}`},
		{`C:\new`, `C:\new`},
		{"\r", `\u{d}`},
		{"\u0085", `\u{85}`},
	} {
		if got := Line(c.text); got != c.want {
			t.Errorf("Line(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestBlockKeepsNewlines(t *testing.T) {
	if got := Block("a\nb\x07"); got != "a\nb\\u{7}" {
		t.Errorf("got %q", got)
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"", "안녕", "a\u202eb", "\xff\xfe", "👩\u200d💻", "\x1b]0;title\x07"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Line(text)
		if !utf8.ValidString(got) {
			t.Errorf("Line(%q) is not UTF-8: %q", text, got)
		}
		if strings.ContainsAny(got, "\n\r\t\x1b\x00\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200e\u200f") {
			t.Errorf("Line(%q) = %q has a character that acts", text, got)
		}
	})
}

func TestQRIsReadable(t *testing.T) {
	const link = "pabal:i1#AQIDBA"
	drawn, err := QR(link)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(drawn, "\n"), "\n")
	width := utf8.RuneCountInString(strings.TrimSuffix(strings.TrimPrefix(lines[0], "\x1b[30;47m"), "\x1b[0m"))
	if rows := 2 * len(lines); rows < width || rows > width+1 {
		t.Errorf("%d columns but %d rows", width, rows)
	}
	for _, l := range lines {
		if !strings.HasPrefix(l, "\x1b[30;47m") || !strings.HasSuffix(l, "\x1b[0m") {
			t.Errorf("a line leaves its colours: %q", l)
		}
	}
	if _, err := QR(strings.Repeat("x", 5000)); err == nil {
		t.Error("5,000 bytes fitted a QR code")
	}
}

func ExampleLine() {
	fmt.Println(Line("first\nsecond \u202e"))
	// Output: first\nsecond \u{202e}
}

func TestTableLinesUp(t *testing.T) {
	rows := [][]string{{"미나", "established"}, {"Jiwoo", "x\ty"}}
	if got, want := Table(rows, false), "미나   established\nJiwoo  x\\ty\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := Table(rows, true), "미나\testablished\nJiwoo\tx\\ty\n"; got != want {
		t.Errorf("plain: got %q, want %q", got, want)
	}
}
