package httpd

import (
	"bytes"
	"encoding/json"
	"path"
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
