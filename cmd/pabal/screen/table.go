package screen

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Table returns rows as lines. Columns are padded to line up, a Hangul syllable
// counting two cells, and are two spaces apart; if plain they are separated by
// one tab and not padded, for programs. Every cell passes [Line].
func Table(rows [][]string, plain bool) string {
	var widths []int
	safe := make([][]string, len(rows))
	for i, row := range rows {
		safe[i] = make([]string, len(row))
		for j, cell := range row {
			safe[i][j] = Line(cell)
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], cells(safe[i][j]))
		}
	}
	var b strings.Builder
	for _, row := range safe {
		for j, cell := range row {
			b.WriteString(cell)
			switch {
			case j == len(row)-1:
			case plain:
				b.WriteByte('\t')
			default:
				b.WriteString(strings.Repeat(" ", widths[j]-cells(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// cells returns how many terminal cells text takes.
func cells(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return true
	}
	return false
}
