package screen

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zeroWidthJoiner = '\u200d'
	softHyphen      = '\u00ad'
)

// Line returns text as one line that is safe to print. A newline becomes \n, a
// tab \t, and a backslash stays as it is. Other control characters, characters
// that change the direction of text, line and paragraph separators, invisible
// ones and bytes that are not UTF-8 become \u{…} or \x{…} escapes with their
// number in hexadecimal. A zero width joiner between two visible characters is
// kept: emoji and several scripts need it.
func Line(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	before := rune(' ')
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD") {
			fmt.Fprintf(&b, `\x{%02x}`, text[i])
			before = ' '
			continue
		}
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == zeroWidthJoiner && joins(before, text[i+utf8.RuneLen(r):]):
			b.WriteRune(r)
		case shown(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		before = r
	}
	return b.String()
}

// Block returns text with its newlines kept and every line safe to print.
func Block(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = Line(l)
	}
	return strings.Join(lines, "\n")
}

func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// shown reports whether a terminal shows r as a mark or a space of its own.
// Variation selectors and emoji tags change how their neighbour looks, no more.
func shown(r rune) bool {
	switch {
	case r == softHyphen, 0x115F <= r && r <= 0x1160, r == 0x3164, r == 0xFFA0: // blanks that look like nothing
		return false
	case 0xFE00 <= r && r <= 0xFE0F, 0xE0020 <= r && r <= 0xE007F:
		return true
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs):
		return false
	}
	return true
}

func joins(before rune, rest string) bool {
	next, _ := utf8.DecodeRuneInString(rest)
	return visible(before) && rest != "" && visible(next)
}

func visible(r rune) bool { return shown(r) && !unicode.IsSpace(r) }
