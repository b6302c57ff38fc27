package store

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// tokenizerVersion changes whenever tokens would return something else for any
// text: a deletion must give the index exactly what it was given before, so
// another version means indexing again.
const tokenizerVersion = 4

// longMark is the token of a text that has more than termsMax: the index does not know all of its
// words. No text has it as a word.
const longMark = "…"

const (
	syllableFirst  = 0xAC00
	syllableLast   = 0xD7A3
	initialEvery   = 588 // syllables that begin with the same consonant
	latinPrefixMin = 3   // shorter Latin terms match whole words only
	// Beginnings of words up to so many letters, and of initials, are tokens of their own: what
	// is looked for by one token is found page by page, while for a prefix the index first puts
	// together all that begins with it.
	latinPrefixMax    = 6
	initialsPrefixMax = 4
)

// initials are the consonants that a Hangul syllable can begin with, in the
// order of Unicode's syllables.
const initials = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"

// script tells runs of letters apart, since each is cut into tokens in its own
// way.
type script int

const (
	scriptNone     script = iota
	scriptWord            // letters with spaces between words, and digits
	scriptSyllable        // Hangul syllables
	scriptJamo            // single Hangul letters, as in ㅋㅋ
	scriptHan             // characters without spaces between words
)

func scriptOf(r rune) script {
	switch {
	case r >= syllableFirst && r <= syllableLast:
		return scriptSyllable
	case unicode.Is(unicode.Hangul, r):
		return scriptJamo
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana), r == 'ー': // a mark of both Kana
		return scriptHan
	case unicode.In(r, unicode.L, unicode.N, unicode.M):
		return scriptWord
	}
	return scriptNone
}

// fold makes a text comparable: NFC and without case.
func fold(text string) string { return cases.Fold().String(norm.NFC.String(text)) }

// run is a part of a folded text whose letters are all of one script.
type run struct {
	script script
	text   string
	start  int // where it begins in the folded text, in bytes
}

// runs cuts a folded text.
func runs(folded string) []run {
	var all []run
	start, current := 0, scriptNone
	for i, r := range folded {
		s := scriptOf(r)
		if s == current {
			continue
		}
		if current != scriptNone {
			all = append(all, run{current, folded[start:i], start})
		}
		start, current = i, s
	}
	if current != scriptNone {
		all = append(all, run{current, folded[start:], start})
	}
	return all
}

// tokens returns what the index keeps of a text, each token once, with spaces
// between. Hangul and Han runs give each pair of neighbours and the last
// character alone, so that every character begins a token and any part of a
// word is an AND of pairs; a Hangul run also gives its initial consonants. Of these and of
// other words the short beginnings are tokens, too. Of a text with more than termsMax it
// returns the first, and longMark.
func tokens(text string) string {
	var b strings.Builder
	seen := make(map[string]bool)
	long := false
	add := func(token string) {
		switch {
		case seen[token]:
			return
		case len(seen) == termsMax && !long:
			long, token = true, longMark
		case long:
			return
		}
		seen[token] = true
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(token)
	}
	for _, r := range runs(fold(text)) {
		if long {
			break
		}
		switch r.script {
		case scriptSyllable:
			pairs(r.text, add)
			add(lastRune(r.text))
			beginnings(initialsOf(r.text), 1, initialsPrefixMax, add)
		case scriptHan:
			pairs(r.text, add)
			add(lastRune(r.text))
		case scriptJamo:
			beginnings(r.text, 1, initialsPrefixMax, add)
		default:
			beginnings(r.text, latinPrefixMin, latinPrefixMax, add)
		}
	}
	return b.String()
}

// beginnings calls add with what a word begins with, from least letters to most, and with the
// whole word.
func beginnings(word string, least, most int, add func(string)) {
	letters := 0
	for i := range word {
		if letters >= least && letters <= most {
			add(word[:i])
		}
		letters++
	}
	add(word)
}

// pairs calls add with each two neighbouring characters.
func pairs(text string, add func(string)) {
	before := -1
	for i := range text {
		if before >= 0 {
			_, second := cutRune(text[i:])
			add(text[before : len(text)-len(second)])
		}
		before = i
	}
}

func cutRune(s string) (first, rest string) {
	for i := range s {
		if i > 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func lastRune(s string) string {
	last := 0
	for i := range s {
		last = i
	}
	return s[last:]
}

// initialsOf returns the initial consonants of a run of syllables.
func initialsOf(syllables string) string {
	const size = len("ㄱ")
	b := make([]byte, 0, len(syllables))
	for _, r := range syllables {
		i := int(r-syllableFirst) / initialEvery * size
		b = append(b, initials[i:i+size]...)
	}
	return string(b)
}

// terms are what a search looks for: all of them, anywhere in the text.
type terms []run

func parseTerms(query string) terms { return runs(fold(query)) }

// match returns the FTS5 expression that finds every text which has all terms,
// and some that only have their parts: see has. It is "" for no terms.
func (t terms) match() string {
	var parts []string
	add := func(token string) { parts = append(parts, `"`+token+`"`) }
	prefix := func(token string) { parts = append(parts, `"`+token+`" *`) }
	for _, term := range t {
		_, rest := cutRune(term.text)
		switch {
		case (term.script == scriptSyllable || term.script == scriptHan) && rest != "":
			pairs(term.text, add)
		case term.script == scriptWord && runeCount(term.text) <= latinPrefixMax, term.script == scriptJamo && runeCount(term.text) <= initialsPrefixMax:
			add(term.text)
		default:
			prefix(term.text)
		}
	}
	return strings.Join(parts, " AND ")
}

// matchOrLong is match for texts that have all terms as far as the index knows them, and for those
// of which it does not know all.
func (t terms) matchOrLong() string { return "(" + t.match() + `) OR "` + longMark + `"` }

func runeCount(s string) (n int) {
	for range s {
		n++
	}
	return n
}

// has reports whether a text has all terms: syllables and Han anywhere, words
// from their start, single consonants also as the initials a word begins with.
func (t terms) has(text string) bool {
	parts := runs(fold(text))
	for _, term := range t {
		found := false
		for _, part := range parts {
			if found = term.in(part); found {
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func (term run) in(part run) bool { return len(term.places(part)) > 0 }

// places returns where a term stands in a part of a text: first and last byte
// behind, from the part's beginning.
func (term run) places(part run) (all [][2]int) {
	switch {
	case term.script == scriptJamo && part.script == scriptSyllable:
		const letter, syllable = len("ㄱ"), len("가")
		if strings.HasPrefix(initialsOf(part.text), term.text) {
			return [][2]int{{0, len(term.text) / letter * syllable}}
		}
		return nil
	case term.script != part.script:
		return nil
	case term.script == scriptSyllable, term.script == scriptHan:
		for from := 0; ; {
			i := strings.Index(part.text[from:], term.text)
			if i < 0 {
				return all
			}
			all = append(all, [2]int{from + i, from + i + len(term.text)})
			from += i + len(term.text)
		}
	case term.script == scriptWord && runeCount(term.text) < latinPrefixMin:
		if part.text != term.text {
			return nil
		}
	}
	if strings.HasPrefix(part.text, term.text) {
		return [][2]int{{0, len(term.text)}}
	}
	return nil
}
