package httpd

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pabal/node/api"
)

// uiGzipMax bounds what a browser gets of the web UI in one language, each file compressed.
const uiGzipMax = 60 << 10

// uiSources returns the files of the web UI by name.
func uiSources(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(UI(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := fs.ReadFile(UI(), name)
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestUIHoldsNothingForeign(t *testing.T) {
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|serviceWorker|document\.cookie`)
	address := regexp.MustCompile(`https?://\S*`)
	for name, text := range uiSources(t) {
		if webTypes[path.Ext(name)] == "" {
			t.Errorf("%s is nothing that is served", name)
		}
		if found := markup.FindString(text); found != "" {
			t.Errorf("%s has %s", name, found)
		}
		for _, found := range address.FindAllString(text, -1) {
			if !strings.HasPrefix(found, "http://www.w3.org/") {
				t.Errorf("%s names %s", name, found)
			}
		}
	}
}

func TestUISize(t *testing.T) {
	names := slices.Sorted(maps.Keys(uiSources(t)))
	for _, language := range webLanguages {
		packed := 0
		for _, name := range names {
			if name == webWords {
				name = "i18n/" + language + ".json"
			}
			text, err := readWeb(UI(), name)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := z.Write(text); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			packed += b.Len()
		}
		t.Logf("the web UI has %d files, %d bytes compressed in language %s, of at most %d", len(names), packed, language, uiGzipMax)
		if packed > uiGzipMax {
			t.Errorf("the web UI has %d bytes compressed in language %s, more than %d", packed, language, uiGzipMax)
		}
	}
}

// TestUIGivesOneLanguage: a browser gets the sentences of the language that it asks for.
func TestUIGivesOneLanguage(t *testing.T) {
	for i, language := range webLanguages {
		text, err := readWeb(UI(), "i18n/"+language+".json")
		if err != nil {
			t.Fatal(err)
		}
		var one map[string]map[string]string
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatal(err)
		}
		all := uiCatalog(t)
		for kind, sentences := range one {
			for rest, sentence := range sentences {
				if both := all[kind+"."+rest]; both[i] != sentence {
					t.Errorf("%s in %s is %q, want %q", kind+"."+rest, language, sentence, both[i])
				}
				delete(all, kind+"."+rest)
			}
		}
		if len(all) > 0 {
			t.Errorf("%s lacks %d sentences", language, len(all))
		}
	}
	if _, err := readWeb(UI(), "i18n/fr.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a language that there is not: %v", err)
	}
}

// TestUIIsPlain: what goes from a file when it is sent is comments and indentation only.
func TestUIIsPlain(t *testing.T) {
	for in, want := range map[string]string{
		"a;\n  // why\n  b; // kept\n":         "a;\n\nb; // kept\n",
		"/** One. */\nx\n/**\n * Two.\n */\ny": "\nx\n\n\n\ny",
		"const a = '/* x */';\n\tb":            "const a = '/* x */';\nb",
	} {
		if got := string(plain("x.js", []byte(in))); got != want {
			t.Errorf("%q is sent as %q, want %q", in, got, want)
		}
	}
	if got := string(plain("x.css", []byte("//a\n/* b */\nc"))); got != "//a\n\nc" {
		t.Errorf("CSS knows no such comment: %q", got)
	}
	for name, text := range uiSources(t) {
		for i, line := range strings.Split(text, "\n") {
			begun := strings.TrimSpace(line)
			if (strings.HasPrefix(begun, "/*") || strings.HasPrefix(begun, "*")) && strings.Contains(begun, "*/") && !strings.HasSuffix(begun, "*/") {
				t.Errorf("%s:%d: what stands behind the comment would go with it", name, i+1)
			}
			if strings.Count(line, "`")%2 != 0 || strings.HasSuffix(line, "\\") {
				t.Errorf("%s:%d: a text goes on behind the end of the line, and would be sent otherwise", name, i+1)
			}
		}
	}
}

// TestUIFindsItsFiles follows every import and link of the web UI.
func TestUIFindsItsFiles(t *testing.T) {
	files := uiSources(t)
	used := map[string]bool{"index.html": true, webWords: true}
	reference := regexp.MustCompile(`(?:from|import) '(\./[^']+)'|(?:src|href)="([^"#]+)"`)
	for name, text := range files {
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			target := path.Join(path.Dir(name), m[1]+m[2])
			if _, ok := files[target]; !ok {
				t.Errorf("%s refers to %s, which is not there", name, target)
			}
			used[target] = true
		}
	}
	for name := range files {
		if !used[name] {
			t.Errorf("nothing refers to %s", name)
		}
	}
}

// uiCatalog returns the catalog of the web UI: by key, the sentence in English and in Korean.
func uiCatalog(t *testing.T) map[string][]string {
	t.Helper()
	var kinds map[string]map[string][]string
	if err := json.Unmarshal([]byte(uiSources(t)[webWords]), &kinds); err != nil {
		t.Fatal(err)
	}
	catalog := make(map[string][]string)
	for kind, words := range kinds {
		for rest, both := range words {
			catalog[kind+"."+rest] = both
		}
	}
	return catalog
}

// TestUISpeaksBothLanguages compares the languages with each other and with what
// the code says: t('key'), parts('key'), word('kind', …) for every kind.code, and
// t(`kind.${…}`). TestWebUIWords of the program holds those of codes to its own.
func TestUISpeaksBothLanguages(t *testing.T) {
	files := uiSources(t)
	words := uiCatalog(t)
	hole := regexp.MustCompile(`\{(\w+)(\|[^}]*)?\}`)
	holes := func(s string) (names []string) {
		for _, m := range hole.FindAllStringSubmatch(s, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	for key, both := range words {
		switch {
		case len(both) != 2 || both[0] == "" || both[1] == "":
			t.Errorf("%s is not said in both languages", key)
		case !slices.Equal(holes(both[0]), holes(both[1])):
			t.Errorf("%s takes %v in English and %v in Korean", key, holes(both[0]), holes(both[1]))
		}
	}

	said, kinds := map[string]bool{}, map[string]bool{}
	literal := regexp.MustCompile(`\b(?:t|parts)\('([a-z_.]+)'|[?:] '([a-z_]+\.[a-z_]+)'`)
	family := regexp.MustCompile("word\\('([a-z]+)'|\\bt\\((?:[^()]* : )?`([a-z]+)\\.\\$\\{")
	for name, text := range files {
		if path.Ext(name) != ".js" {
			continue
		}
		for _, m := range literal.FindAllStringSubmatch(text, -1) {
			said[m[1]+m[2]] = true
		}
		for _, m := range family.FindAllStringSubmatch(text, -1) {
			kinds[m[1]+m[2]] = true
		}
	}
	for key := range said {
		if words[key] == nil {
			t.Errorf("the code says %s, which the catalog lacks", key)
		}
	}
	for kind := range kinds {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(words)), func(k string) bool { return strings.HasPrefix(k, kind+".") }) {
			t.Errorf("the code says %s.…, which the catalog lacks", kind)
		}
	}
	for key := range words {
		kind, _, _ := strings.Cut(key, ".")
		if !said[key] && !kinds[kind] {
			t.Errorf("nothing says %s", key)
		}
	}
}

// TestUIKnowsItsCodes has the catalogs explain every problem that a page can meet, and none
// that the daemon does not have.
func TestUIKnowsItsCodes(t *testing.T) {
	own := []api.Code{"no_daemon", "code_wrong", "digits_wrong"} // of the page itself
	words := uiCatalog(t)
	for key := range words {
		if code, ok := strings.CutPrefix(key, "problem."); ok && !slices.Contains(append(api.Codes(), own...), api.Code(code)) {
			t.Errorf("%s explains what no daemon answers", key)
		}
	}
	// Of operations that no page has, and of requests that none makes.
	elsewhere := regexp.MustCompile(`^((archive|bundle|idempotency)_|(host|origin)_not_allowed|method_not_allowed|not_acceptable|unsupported_media_type|malformed_json|unknown_field|invalid_utf8|cursor_invalid|` +
		`ambiguous|approval_required|confirm_required|consumer_needs_token|duress_needs_passphrase|foreign_address|file_(in_use|not_remote)|invalid_(bootstrap|id|lifetime|terms|timer)|length_required|network_ambiguous|no_keyfile|not_a_home|not_own_message|passphrase_taken|session_renewal|token_too_strong|too_many_streams|upload_cut)`)
	for _, code := range append(api.Codes(), own...) {
		if words["problem."+string(code)] == nil && !elsewhere.MatchString(string(code)) {
			t.Errorf("the page does not know what %s means", code)
		}
	}
}

// TestUIIsServed asks for every file as a browser does.
func TestUIIsServed(t *testing.T) {
	d := startReady(t)
	d.server.config.Web = UI()
	d.must(404, call{method: "GET", path: webPrefix + d.server.webSecret, token: "-"}) // its links would miss the secret
	first := d.must(200, call{method: "GET", path: webPrefix + d.server.webSecret + "/", token: "-"}).body
	if first != strings.TrimSpace(uiSources(t)["index.html"]) {
		t.Errorf("the first page is %q", first)
	}
	for name, text := range uiSources(t) {
		a := d.must(200, call{method: "GET", path: webPrefix + d.server.webSecret + "/" + name, token: "-"})
		if a.body != strings.TrimSpace(string(plain(name, []byte(text)))) {
			t.Errorf("%s is sent otherwise than it is measured", name)
		}
		for header, want := range map[string]string{
			"Content-Type": webTypes[path.Ext(name)], "Content-Security-Policy": webPolicy, "Cache-Control": "no-store",
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Set-Cookie": "",
		} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
}
