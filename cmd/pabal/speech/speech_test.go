package speech

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

func TestParticle(t *testing.T) {
	for _, c := range []struct{ word, pair, want string }{
		{"민수", "이/가", "가"},
		{"지원", "이/가", "이"},
		{"서울", "으로/로", "로"},
		{"집", "으로/로", "으로"},
		{"학교", "으로/로", "로"},
		{"하늘", "을/를", "을"},
		{"나비", "과/와", "와"},
		{"노트북(내 것)", "은/는", "은"},
		{"“미나”", "은/는", "는"},
		{"민수 🌸", "은/는", "는"},
		{"번호 3", "이/가", "이"},
		{"번호 2", "이/가", "가"},
		{"Mina", "이/가", "가"},
		{"Kim", "은/는", "은"},
		{"Daniel", "으로/로", "로"},
		{"Rick", "이/가", "이(가)"},
		{"Rick", "으로/로", "(으)로"},
		{"田中", "을/를", "을(를)"},
		{"👋", "을/를", "을(를)"},
		{"", "을/를", "을(를)"},
		{"민수", "이/가", "가"}, // decomposed
	} {
		if got := Particle(c.word, c.pair); got != c.want {
			t.Errorf("Particle(%q, %q) = %q, want %q", c.word, c.pair, got, c.want)
		}
	}
}

func TestFill(t *testing.T) {
	for _, c := range []struct{ sentence, want string }{
		{"no placeholder", "no placeholder"},
		{"{0} and {1}", "지원 and 나비"},
		{"{0|이/가} {1|을/를} 봤어요", "지원이 나비를 봤어요"},
		{"“{0}”{0~이라는/라는} 이름", "“지원”이라는 이름"},
		{"{9} is missing", " is missing"},
		{"{0#item/items}", "지원 items"},
		{"an open { brace", "an open { brace"},
	} {
		if got := fill(c.sentence, []string{"지원", "나비"}); got != c.want {
			t.Errorf("fill(%q) = %q, want %q", c.sentence, got, c.want)
		}
	}
	if got := fill("{0#message is/messages are} here, {1#other/others}", []string{"1", "0"}); got != "1 message is here, 0 others" {
		t.Errorf("numbers are told as %q", got)
	}
	if got := fill("{0}", []string{"{1}"}); got != "{1}" {
		t.Errorf("an argument was read as a placeholder: %q", got)
	}
}

func TestMatchInitials(t *testing.T) {
	for _, c := range []struct {
		name, query string
		want        bool
	}{
		{"미나", "ㅁㄴ", true},
		{"미나", "미ㄴ", true},
		{"미나", "ㅁㄱ", false},
		{"김미나", "ㅁㄴ", false},
		{"김 미나", "ㅁㄴ", true},
		{"Mina", "mi", true},
		{"MİNA", "ㅁ", false},
		{"미나", "", true},
		{"미", "ㅁㄴ", false},
		{"쌍둥이", "ㅆㄷ", true},
		{"미나", "ㅁ", true}, // decomposed name
	} {
		if got := MatchInitials(c.name, c.query); got != c.want {
			t.Errorf("MatchInitials(%q, %q) = %v", c.name, c.query, got)
		}
	}
}

func TestFold(t *testing.T) {
	if Fold("STRASSE") != Fold("Straße") {
		t.Error("ß and SS differ")
	}
	if Fold("\u1106\u1175\u1102\u1161") != Fold("미나") {
		t.Error("decomposed and composed Hangul differ")
	}
}

func TestLanguageOfLocale(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want Language
	}{
		{nil, English},
		{map[string]string{"LANG": "ko_KR.UTF-8"}, Korean},
		{map[string]string{"LANG": "ko_KR.UTF-8", "LC_ALL": "C"}, English},
		{map[string]string{"LANG": "en_GB", "LC_MESSAGES": "ko"}, Korean},
		{map[string]string{"LANG": "fr_FR"}, English},
	} {
		if got := FromLocale(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("FromLocale(%v) = %q, want %q", c.env, got, c.want)
		}
	}
}

// TestCatalogueComplete compares the declared keys with both catalogues, and
// the placeholders of each sentence with those of its translation.
func TestCatalogueComplete(t *testing.T) {
	english, korean := all(t, English), all(t, Korean)
	for _, key := range declaredKeys(t) {
		if english[key] == "" || korean[key] == "" {
			t.Errorf("%q: English %q, Korean %q", key, english[key], korean[key])
		}
	}
	for key := range korean {
		if english[key] == "" {
			t.Errorf("%q is in Korean only", key)
		}
	}
	for key, sentence := range english {
		if korean[key] == "" {
			t.Errorf("%q is in English only", key)
		}
		if en, ko := placeholders(sentence), placeholders(korean[key]); !slices.Equal(en, ko) {
			t.Errorf("%q: placeholders %v in English, %v in Korean", key, en, ko)
		}
	}
}

// TestKoreanIsPolite looks for the two endings of polite speech where a
// sentence of the program ends in a full stop.
func TestKoreanIsPolite(t *testing.T) {
	polite := regexp.MustCompile(`(요|니다|세요|시오|[^가-힣])[.?]$`)
	for key, sentence := range koreanSentences {
		if regexp.MustCompile(`[가-힣][.?]$`).MatchString(sentence) && !polite.MatchString(sentence) {
			t.Errorf("%q: %q", key, sentence)
		}
	}
}

func all(t *testing.T, l Language) map[Key]string {
	t.Helper()
	sum := map[Key]string{}
	for _, part := range catalogues(l) {
		for key, sentence := range part {
			if sum[key] != "" {
				t.Errorf("%q stands twice in %s", key, l)
			}
			sum[key] = sentence
		}
	}
	return sum
}

func placeholders(sentence string) []string {
	var numbers []string
	for _, m := range regexp.MustCompile(`\{(\d+)[^}]*\}`).FindAllStringSubmatch(sentence, -1) {
		if !slices.Contains(numbers, m[1]) {
			numbers = append(numbers, m[1])
		}
	}
	slices.Sort(numbers)
	return numbers
}

// declaredKeys reads the constants of type Key from their source.
func declaredKeys(t *testing.T) []Key {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var keys []Key
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, v := range spec.Values {
			s, err := strconv.Unquote(v.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(keys, Key(s)) {
				t.Errorf("key %q is declared twice", s)
			}
			keys = append(keys, Key(s))
		}
		return true
	})
	return keys
}
