package store

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Highlight is a part of a text, in code points.
type Highlight struct{ Start, Len int }

// Searchable reports whether a text has anything that a search can look for:
// letters or digits.
func Searchable(text string) bool { return len(parseTerms(text)) > 0 }

// Highlights returns where a text has words that a search looks for, in the order
// of the text and without overlaps. A word may be missing: a message is found by
// the names of its files, too.
func Highlights(query, text string) []Highlight {
	wanted := parseTerms(query)
	if len(wanted) == 0 {
		return nil
	}
	folded, origin := foldTraced(text)
	var all []Highlight
	for _, part := range runs(folded) {
		for _, term := range wanted {
			for _, place := range term.places(part) {
				first := origin[part.start+place[0]]
				last := origin[part.start+place[1]-1]
				all = append(all, Highlight{first.Start, last.Start + last.Len - first.Start})
			}
		}
	}
	return merged(all)
}

// merged sorts parts of a text and joins those that overlap or touch.
func merged(all []Highlight) []Highlight {
	slices.SortFunc(all, func(a, b Highlight) int { return cmp.Compare(a.Start, b.Start) })
	out := all[:0]
	for _, h := range all {
		if n := len(out); n > 0 && h.Start <= out[n-1].Start+out[n-1].Len {
			out[n-1].Len = max(out[n-1].Len, h.Start+h.Len-out[n-1].Start)
			continue
		}
		out = append(out, h)
	}
	return out
}

// foldTraced is fold, and tells for each byte of the result which code points of
// the text it came from: folding and composing change how many there are.
func foldTraced(text string) (folded string, origin []Highlight) {
	fold := cases.Fold()
	var b []byte
	at := 0
	for rest := text; rest != ""; {
		size := norm.NFC.NextBoundaryInString(rest, true)
		from := Highlight{at, utf8.RuneCountInString(rest[:size])}
		part := fold.String(norm.NFC.String(rest[:size]))
		b = append(b, part...)
		origin = append(origin, slices.Repeat([]Highlight{from}, len(part))...)
		at += from.Len
		rest = rest[size:]
	}
	return string(b), origin
}
