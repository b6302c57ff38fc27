package speech

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// initials are the 19 initial consonants in the order of their syllables, as
// the letters that a keyboard types.
const initials = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"

// Fold returns s in NFC and case-folded: two names are the same when their
// folds are equal.
func Fold(s string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
}

// MatchInitials reports whether name begins with query, or one of its words
// does. A letter ㄱ–ㅎ of the query stands for every syllable that begins with
// it: "ㅁㄴ", "미ㄴ" and "미" all match 미나. Case and composition do not matter.
// The empty query matches everything.
func MatchInitials(name, query string) bool {
	q := []rune(Fold(query))
	folded := Fold(name)
	if beginsWith([]rune(folded), q) {
		return true
	}
	for _, word := range strings.Fields(folded) {
		if beginsWith([]rune(word), q) {
			return true
		}
	}
	return false
}

func beginsWith(name, query []rune) bool {
	if len(query) > len(name) {
		return false
	}
	for i, q := range query {
		if q != name[i] && q != initial(name[i]) {
			return false
		}
	}
	return true
}

// initial returns the initial consonant of a syllable, or 0.
func initial(r rune) rune {
	if r < syllableFirst || r > syllableLast {
		return 0
	}
	return []rune(initials)[(r-syllableFirst)/(finalCount*vowelCount)]
}
