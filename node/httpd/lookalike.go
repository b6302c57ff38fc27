package httpd

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// skeleton is what a name looks like: two names with one skeleton are easily taken
// for each other. Case, accents, spaces, width and what is not seen do not count;
// letters of other alphabets, digits and single Hangul letters become what they
// resemble.
func skeleton(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(name) {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Cc, unicode.White_Space), r == 0x115F, r == 0x1160:
			continue
		}
		if like, ok := resembles[r]; ok {
			r = like
		}
		b.WriteRune(lettersAlike(unicode.ToLower(r)))
	}
	return strings.NewReplacer("rn", "m", "vv", "w").Replace(b.String())
}

// lettersAlike has i, l, 1 and | be one letter, and o and 0.
func lettersAlike(r rune) rune {
	switch r {
	case 'i', '1', '|', 'ı':
		return 'l'
	case '0':
		return 'o'
	}
	return r
}

// resembles maps letters to those of the Latin alphabet that they look like. The
// two cases of a letter may look like different ones. It is read only.
var resembles = map[rune]rune{
	// Cyrillic
	'а': 'a', 'в': 'b', 'е': 'e', 'һ': 'h', 'і': 'i', 'ј': 'j', 'к': 'k', 'м': 'm', 'о': 'o', 'р': 'p', 'ԛ': 'q', 'с': 'c', 'ѕ': 's',
	'т': 't', 'у': 'y', 'х': 'x', 'ԝ': 'w', 'ԁ': 'd', 'ь': 'b', 'ӏ': 'l', 'ո': 'n',
	'А': 'a', 'В': 'b', 'Е': 'e', 'Н': 'h', 'І': 'i', 'Ј': 'j', 'К': 'k', 'М': 'm', 'О': 'o', 'Р': 'p', 'С': 'c', 'Ѕ': 's',
	'Т': 't', 'У': 'y', 'Х': 'x', 'Ԝ': 'w', 'Ӏ': 'l', 'З': '3', 'з': '3',
	// Greek
	'α': 'a', 'ο': 'o', 'ν': 'v', 'ρ': 'p', 'ι': 'i', 'κ': 'k', 'τ': 't', 'υ': 'u', 'χ': 'x', 'γ': 'y', 'ω': 'w',
	'Α': 'a', 'Β': 'b', 'Ε': 'e', 'Ζ': 'z', 'Η': 'h', 'Ι': 'i', 'Κ': 'k', 'Μ': 'm', 'Ν': 'n', 'Ο': 'o', 'Ρ': 'p', 'Τ': 't',
	'Υ': 'y', 'Χ': 'x',
	// Hangul: a consonant at the end of a syllable is the same at the beginning of one
	0x11A8: 0x1100, 0x11A9: 0x1101, 0x11AB: 0x1102, 0x11AE: 0x1103, 0x11AF: 0x1105, 0x11B7: 0x1106, 0x11B8: 0x1107, 0x11BA: 0x1109,
	0x11BB: 0x110A, 0x11BC: 0x110B, 0x11BD: 0x110C, 0x11BE: 0x110E, 0x11BF: 0x110F, 0x11C0: 0x1110, 0x11C1: 0x1111, 0x11C2: 0x1112,
	// Latin beyond the alphabet
	'ɑ': 'a', 'ɡ': 'g', 'ł': 'l', 'Ł': 'l', 'ø': 'o', 'Ø': 'o', 'đ': 'd', 'ß': 'b',
}

// mixesAlphabets reports whether a word of a name has letters of more than one of
// the alphabets whose letters look alike.
func mixesAlphabets(name string) bool {
	for _, word := range strings.Fields(norm.NFKC.String(name)) {
		seen := 0
		for _, alphabet := range []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Greek} {
			if strings.ContainsFunc(word, func(r rune) bool { return unicode.Is(alphabet, r) }) {
				seen++
			}
		}
		if seen > 1 {
			return true
		}
	}
	return false
}

// namesakes finds who looks like whom, among the contacts and ourselves.
type namesakes map[string][]string // by skeleton: ids

func (r *reader) namesakes() (namesakes, error) {
	if r.looks != nil {
		return r.looks, nil
	}
	names, err := r.ContactNames()
	if err != nil {
		return nil, err
	}
	own, err := r.ownName()
	if err != nil {
		return nil, err
	}
	looks := namesakes{skeleton(own): {api.SenderSelf}}
	for _, n := range names {
		looks.add(n)
	}
	r.looks = looks
	return looks, nil
}

func (l namesakes) add(n store.ContactName) {
	shown := n.Alias
	if shown == "" {
		shown = n.Name
	}
	if key := skeleton(shown); key != "" {
		l[key] = append(l[key], n.ID.String())
	}
}

// nameWarnings says why a name that somebody gave themselves may deceive. What the
// user calls a contact needs none. Whoever is not shown all names is told nothing.
func (r *reader) nameWarnings(id, name string) ([]api.Warning, error) {
	out := []api.Warning{}
	if r.actor.redacted() || r.actor.narrowed() || name == "" {
		return out, nil
	}
	looks, err := r.namesakes()
	if err != nil {
		return nil, err
	}
	for _, other := range looks[skeleton(name)] {
		if other != id {
			out = append(out, api.Warning{Code: api.WarningLooksLike, Params: map[string]any{"contact_id": other}})
		}
	}
	if mixesAlphabets(name) {
		out = append(out, api.Warning{Code: api.WarningMixedAlphabets})
	}
	return out, nil
}

// contactWarnings are those of a contact's own name, unless the user gave it one.
func (r *reader) contactWarnings(c *protocol.PutContact) ([]api.Warning, error) {
	if c.Alias != "" {
		return []api.Warning{}, nil
	}
	return r.nameWarnings(c.ID.String(), c.Name)
}
