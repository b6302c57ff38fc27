package screen

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quietModules is the white border that scanners need around a code.
const quietModules = 2

// QR returns the QR code of text as lines of half-block characters, with black
// modules on a white ground whatever the terminal's colours are. It uses the
// lowest level of error correction, which a screen does not need more of, and
// returns an error when text does not fit a code.
func QR(text string) (string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	var b strings.Builder
	for y := -quietModules; y < code.Size+quietModules; y += 2 {
		b.WriteString("\x1b[30;47m")
		for x := -quietModules; x < code.Size+quietModules; x++ {
			b.WriteString(halfBlock(code.Black(x, y), code.Black(x, y+1)))
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String(), nil
}

// halfBlock draws two modules, one above the other, in one character cell.
func halfBlock(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}
