package speech

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Where the precomposed Hangul syllables stand in Unicode: 19 initials of 21
// vowels of 28 finals, the first of which is "no final consonant".
const (
	syllableFirst = 0xAC00
	syllableLast  = 0xD7A3
	finalCount    = 28
	vowelCount    = 21
	finalRieul    = 8 // ㄹ among the finals
)

// ending is how a word ends when it is read aloud in Korean.
type ending int

const (
	endingUnknown ending = iota
	endingOpen           // in a vowel
	endingRieul          // in ㄹ, which counts as open before 로
	endingClosed         // in another consonant
)

// Particle returns the one of a pair of particles that fits behind word. The
// pair names the form after a consonant first, as "이/가", "은/는", "을/를",
// "과/와", "으로/로" or "이에요/예요". Behind a word whose reading is not known
// both forms are named, "이(가)".
func Particle(word, pair string) string {
	closed, open, ok := strings.Cut(pair, "/")
	if !ok {
		return pair
	}
	switch wordEnding(word) {
	case endingOpen:
		return open
	case endingClosed:
		return closed
	case endingRieul:
		if strings.HasPrefix(closed, "으로") {
			return open
		}
		return closed
	}
	if rest, ok := strings.CutPrefix(closed, "으"); ok && strings.HasPrefix(open, rest) {
		return "(으)" + open
	}
	return closed + "(" + open + ")"
}

// wordEnding looks at the last letter or digit of word.
func wordEnding(word string) ending {
	letters := []rune(norm.NFC.String(word))
	for i := len(letters) - 1; i >= 0; i-- {
		r := letters[i]
		switch {
		case syllableFirst <= r && r <= syllableLast:
			return finalEnding((r - syllableFirst) % finalCount)
		case '0' <= r && r <= '9':
			return digitEnding(r)
		case unicode.IsLetter(r):
			return letterEnding(unicode.ToLower(r))
		}
	}
	return endingUnknown
}

func finalEnding(final rune) ending {
	switch final {
	case 0:
		return endingOpen
	case finalRieul:
		return endingRieul
	}
	return endingClosed
}

// digitEnding tells how a number ends: 영 일 이 삼 사 오 육 칠 팔 구. A zero is
// closed also as 십, 백, 천, 만 or 억.
func digitEnding(r rune) ending {
	switch r {
	case '1', '7', '8':
		return endingRieul
	case '0', '3', '6':
		return endingClosed
	}
	return endingOpen
}

// letterEnding guesses from the last Latin letter of a name. Stops are read
// with a final consonant in some names (Rick, 릭) and with a vowel in others
// (Kate, 케이트), so that they stay unknown, like all other scripts.
func letterEnding(r rune) ending {
	switch r {
	case 'l':
		return endingRieul
	case 'm', 'n':
		return endingClosed
	case 'a', 'e', 'i', 'o', 'u', 'y', 'w', 'd', 's', 'r', 'f', 'v', 'z', 'j', 'x', 'h':
		return endingOpen
	}
	return endingUnknown
}
