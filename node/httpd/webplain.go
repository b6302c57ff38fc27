package httpd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// plain returns a file of the web UI as it is sent: its comments and indentation are for
// whoever reads the tree. Lines keep their numbers. A comment that is to go has its lines to
// itself, and no string goes on behind the end of a line; a test holds the files to that.
func plain(name string, text []byte) []byte {
	switch path.Ext(name) {
	case ".js", ".css":
	case ".json":
		var b bytes.Buffer
		if json.Compact(&b, text) != nil {
			return text
		}
		return b.Bytes()
	default:
		return text
	}
	lines := bytes.Split(text, []byte("\n"))
	inside := false // a comment of several lines
	for i, line := range lines {
		line = bytes.TrimSpace(line)
		begins := bytes.HasPrefix(line, []byte("/*"))
		lines[i] = line
		if inside || begins || path.Ext(name) == ".js" && bytes.HasPrefix(line, []byte("//")) {
			lines[i] = nil
		}
		inside = (inside || begins) && !bytes.HasSuffix(line, []byte("*/"))
	}
	return bytes.Join(lines, []byte("\n"))
}

// webWords is the catalog of the web UI, of which a browser gets one language as i18n/LANGUAGE.json:
// by kind and then by the rest of the key, the sentence in each of [webLanguages].
const webWords = "i18n/words.json"

var webLanguages = []string{"en", "ko"}

// readWeb reads a file of the web UI as it is served. Errors: those of fs.ReadFile, and of a
// catalog that is none.
func readWeb(files fs.FS, name string) ([]byte, error) {
	which := slices.IndexFunc(webLanguages, func(l string) bool { return name == "i18n/"+l+".json" })
	if which < 0 {
		text, err := fs.ReadFile(files, name)
		return plain(name, text), err
	}
	text, err := fs.ReadFile(files, webWords)
	if err != nil {
		return nil, err
	}
	var all map[string]map[string][]string
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("the catalog of the web UI: %w", err)
	}
	one := make(map[string]map[string]string, len(all))
	for kind, sentences := range all {
		one[kind] = make(map[string]string, len(sentences))
		for rest, said := range sentences {
			one[kind][rest] = said[which]
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(one)
	return b.Bytes(), err
}
