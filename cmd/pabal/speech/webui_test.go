package speech

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pabal/node/api"
)

var update = flag.Bool("update", false, "rewrite the sentences of codes in node/httpd/ui/i18n")

// shared are the families of codes that the web UI words as the program does.
var shared = []string{
	"contact", "copy", "courier", "deletion", "dht", "doctor", "drill", "file", "key", "learns", "lock", "network", "obtains", "problem", "reach", "rung", "state", "target", "trouble",
	"unknown", "verdict", "verification", "warning", "way", "why",
}

// elsewhere are problems of operations that no page has, and of requests that none makes; and
// what a drill by the daemon does not say, or the page leaves to the program: what is in order.
var elsewhere = regexp.MustCompile(`^(verdict\.fail|` +
	`drill\.(?:log_left|sentinels_gone|later_none|(?:pages|rows|terms|chunks)_owned|cache_clean|warrant_(?:agrees|sealed|keyfile)|files_known|(?:structure|text|words)_none|guess_cost)|` +
	`doctor\.(?:daemon|passphrase|clock|network|permissions)_|doctor\.(?:core_none|swap_none|filesystem_in_place|snapshots_unseen|history_none)|` +
	`problem\.((archive|bundle|idempotency)_|(host|origin)_not_allowed|method_not_allowed|not_acceptable|unsupported_media_type|malformed_json|unknown_field|invalid_utf8|cursor_invalid|` +
	`ambiguous|approval_required|confirm_required|consumer_needs_token|duress_needs_passphrase|foreign_address|file_(in_use|not_remote)|invalid_(bootstrap|id|lifetime|terms|timer)|length_required|network_ambiguous|no_keyfile|not_a_home|not_own_message|passphrase_taken|session_renewal|token_too_strong|too_many_streams|upload_cut))`)

// unfit are sentences that name no command, and yet say what a page does not: it has a
// session and no token, and counts the couriers.
var unfit = []string{"problem.unauthenticated", "state.carried"}

// TestWebUIWords holds the catalog of the web UI to the words of the program: the sentences
// of codes are copied there by -update, and the page words anew only what names a command.
func TestWebUIWords(t *testing.T) {
	ui := filepath.Join("..", "..", "..", "node", "httpd", "ui")
	name := filepath.Join(ui, "i18n", "words.json")
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	words := readCatalog(t, got)
	english, code := webWords(t, English), webCode(t, ui)
	for key := range words {
		family, _, _ := strings.Cut(key, ".")
		program, ok := english[key]
		if slices.Contains(shared, family) && (ok && !reworded(key, program) || !ok && !strings.Contains(code, "'"+strings.TrimPrefix(key, "problem.")+"'")) {
			delete(words, key)
		}
	}
	for i, language := range []Language{English, Korean} {
		for key, sentence := range webWords(t, language) {
			if both := words[key]; both[i] == "" {
				both[i] = sentence
				words[key] = both
			}
		}
	}
	want := webCatalog(t, words)
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
		got = want
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not say what the program says, or not in order; go test ./cmd/pabal/speech -run WebUI -update writes it", name)
	}
}

// webCode returns the code of the page, which names the sentences of its own.
func webCode(t *testing.T, ui string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(ui, "js", "*.js"))
	if err != nil || len(files) == 0 {
		t.Fatal("the page has no code: ", err)
	}
	var all []byte
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return string(all)
}

// reworded reports whether the page may say something else than the program does.
func reworded(key, program string) bool {
	return slices.Contains(unfit, key) || strings.Contains(program, "pabal ") || strings.Contains(program, "--")
}

// readCatalog reads the sentences of the web UI, by kind; one that stands beside the kinds,
// under its whole key, is taken as well, for -update to put it in its place.
func readCatalog(t *testing.T, text []byte) map[string][2]string {
	t.Helper()
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(text, &kinds); err != nil {
		t.Fatal(err)
	}
	words := make(map[string][2]string)
	for kind, raw := range kinds {
		var within map[string][2]string
		var alone [2]string
		if json.Unmarshal(raw, &alone) == nil {
			words[kind] = alone
		} else if err := json.Unmarshal(raw, &within); err != nil {
			t.Fatal(err)
		}
		for rest, both := range within {
			words[kind+"."+rest] = both
		}
	}
	return words
}

// webCatalog writes sentences as the web UI reads them: by kind, a line for each, with the
// sentence in both languages.
func webCatalog(t *testing.T, words map[string][2]string) []byte {
	t.Helper()
	kinds := make(map[string][]string) // lines
	for _, key := range slices.Sorted(maps.Keys(words)) {
		kind, rest, _ := strings.Cut(key, ".")
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		for _, s := range []string{rest, words[key][0], words[key][1]} {
			if err := e.Encode(s); err != nil {
				t.Fatal(err)
			}
		}
		quoted := strings.Split(b.String(), "\n")
		kinds[kind] = append(kinds[kind], "    "+quoted[0]+": ["+quoted[1]+", "+quoted[2]+"]")
	}
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		all = append(all, "  \""+kind+"\": {\n"+strings.Join(kinds[kind], ",\n")+"\n  }")
	}
	return []byte("{\n" + strings.Join(all, ",\n") + "\n}\n")
}

// webWords returns the sentences of codes of a language for the web UI.
func webWords(t *testing.T, language Language) map[string]string {
	t.Helper()
	words := make(map[string]string)
	for key, sentence := range all(t, language) {
		family, code, ok := strings.Cut(string(key), ".")
		if !ok || !slices.Contains(shared, family) || family == "problem" && !slices.Contains(api.Codes(), api.Code(code)) || elsewhere.MatchString(string(key)) {
			continue
		}
		words[string(key)] = sentence
	}
	return words
}
