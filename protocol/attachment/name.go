package attachment

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"pabal/protocol/wire"
)

// fallbackName is what a file is called whose name holds nothing that may be shown.
const fallbackName = "file"

// CleanName returns the name under which a file is sent: the last part of a path, in NFC,
// without control, formatting and bidirectional characters, at most wire.FileNameBytesMax
// with its extension kept. It is never empty, "." or "..", and [wire.ValidFileName] holds.
func CleanName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if !wire.ShowsInName(r) {
			return -1
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = norm.NFC.String(name) // behind it: what a hidden character kept apart meets now
	name = strings.TrimRight(strings.TrimSpace(name), ". ")
	if over := len(name) - wire.FileNameBytesMax; over > 0 {
		ext := path.Ext(name)
		if len(ext) > extensionBytesMax {
			ext = ""
		}
		stem := name[:wire.FileNameBytesMax-len(ext)]
		for !utf8.ValidString(stem) {
			stem = stem[:len(stem)-1]
		}
		name = strings.TrimRight(stem, ". ") + ext
	}
	if !wire.ValidFileName(name) {
		return fallbackName
	}
	return name
}

// extensionBytesMax bounds what counts as a name's extension.
const extensionBytesMax = 16
