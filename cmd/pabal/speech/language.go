package speech

import (
	"strconv"
	"strings"
)

// Language is one of the languages of the catalogue.
type Language string

// The languages of the catalogue.
const (
	English Language = "en"
	Korean  Language = "ko"
)

// Parse reads a language tag or a locale name such as "ko", "ko_KR.UTF-8" or
// "en-GB". It reports false for a language that has no catalogue.
func Parse(s string) (Language, bool) {
	tag := strings.ToLower(s)
	if i := strings.IndexAny(tag, "_-.@"); i >= 0 {
		tag = tag[:i]
	}
	switch Language(tag) {
	case English, Korean:
		return Language(tag), true
	}
	return "", false
}

// FromLocale returns the language of the POSIX locale variables, of which the
// first that is set decides: LC_ALL, LC_MESSAGES, LANG. It is English when they
// name none that we speak.
func FromLocale(getenv func(string) string) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if l, ok := Parse(v); ok {
				return l
			}
			break
		}
	}
	return English
}

// Text returns the sentence of key in the language, with the arguments in its
// placeholders. An unknown language speaks English. An unknown key is returned
// as it is: a code that a newer daemon sends is still better than nothing.
func Text(l Language, key Key, args ...string) string {
	sentence, ok := find(l, key)
	if !ok {
		return string(key)
	}
	return fill(sentence, args)
}

// Has reports whether the catalogues know the key.
func Has(key Key) bool {
	_, ok := find(English, key)
	return ok
}

// catalogues returns the parts of a language's catalogue.
func catalogues(l Language) []map[Key]string {
	if l == Korean {
		return []map[Key]string{koreanSentences, koreanProblems, koreanWords, koreanHelp, koreanEveryday, koreanDrill, koreanTrust, koreanWarrant, koreanAutomation}
	}
	return []map[Key]string{englishSentences, englishProblems, englishWords, englishHelp, englishEveryday, englishDrill, englishTrust, englishWarrant, englishAutomation}
}

func find(l Language, key Key) (string, bool) {
	for _, part := range catalogues(l) {
		if sentence, ok := part[key]; ok {
			return sentence, true
		}
	}
	return "", false
}

// numbered picks from one/many what follows a number.
func numbered(number, pair string) string {
	one, many, _ := strings.Cut(pair, "/")
	if number == "1" {
		return one
	}
	return many
}

// fill replaces {n}, {n|with/without}, {n~with/without} and {n#one/many} in sentence. The third
// is the particle alone, for where a closing quote stands between; the last is a number with
// the words that follow one, and any other.
func fill(sentence string, args []string) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(sentence, '{')
		if open < 0 {
			break
		}
		end := strings.IndexByte(sentence[open:], '}')
		if end < 0 {
			break
		}
		b.WriteString(sentence[:open])
		number, counted, count := strings.Cut(sentence[open+1:open+end], "#")
		number, pair, alone := strings.Cut(number, "~")
		particle := alone
		if !alone {
			number, pair, particle = strings.Cut(number, "|")
		}
		if n, err := strconv.Atoi(number); err == nil && n < len(args) {
			if !alone {
				b.WriteString(args[n])
			}
			if particle {
				b.WriteString(Particle(args[n], pair))
			}
			if count {
				b.WriteString(" " + numbered(args[n], counted))
			}
		}
		sentence = sentence[open+end+1:]
	}
	b.WriteString(sentence)
	return b.String()
}
