package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
)

// The errors of strictJSON beside those of encoding/json. Their texts are
// compared in bodyProblem.
var (
	errSurrogate = errors.New("httpd: half a surrogate pair")
	errDuplicate = errors.New("httpd: duplicate field")
)

// strictJSON is encoding/json without its two leniencies that could change what
// a user meant: a half surrogate becomes another character there, and of two
// fields with one name the last one wins.
func strictJSON() huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			return enc.Encode(v)
		},
		Unmarshal: func(data []byte, v any) error {
			if _, first := v.(*any); first { // huma decodes twice: to validate, then into the type
				if halfSurrogate(data) {
					return errSurrogate
				}
				if err := duplicates(data); err != nil {
					return err
				}
			}
			return json.Unmarshal(data, v)
		},
	}
}

// plainText lets a message be sent as text/plain: its text is the body.
func plainText() huma.Format {
	return huma.Format{
		Marshal: func(io.Writer, any) error { return huma.ErrUnknownContentType },
		Unmarshal: func(data []byte, v any) error {
			text := string(bytes.TrimSuffix(data, []byte("\n")))
			switch v := v.(type) {
			case *any:
				*v = map[string]any{"text": text}
			case *api.MessageRequest:
				v.Text = text
			default:
				return fmt.Errorf("decode text into %T: %w", v, huma.ErrUnknownContentType)
			}
			return nil
		},
	}
}

// halfSurrogate reports whether a JSON text holds \ud800–\udfff outside of a
// pair. It need not be valid JSON.
func halfSurrogate(b []byte) bool {
	high := false // the escape right before is the first half of a pair
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			if high {
				return true
			}
			continue
		}
		unit, ok := hexUnit(b[i:])
		switch {
		case ok && unit >= 0xdc00 && unit <= 0xdfff:
			if !high {
				return true
			}
			high = false
		case high:
			return true
		case ok && unit >= 0xd800 && unit < 0xdc00:
			high = true
		}
		if ok {
			i += len(`\u0000`) - 1
		} else {
			i++ // what is escaped
		}
	}
	return high
}

// hexUnit reads an escape \uXXXX at the front of b.
func hexUnit(b []byte) (unit uint32, ok bool) {
	if len(b) < len(`\u0000`) || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			unit = unit<<4 | uint32(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			unit = unit<<4 | uint32(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return unit, true
}

// duplicates returns errDuplicate if an object holds a name twice, or the error
// of encoding/json if b is not JSON.
func duplicates(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	type frame struct {
		names map[string]bool // nil: an array
		value bool            // the next token is a value
	}
	var stack []frame
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if d, ok := token.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack) - 1; n >= 0 && stack[n].names != nil {
			if name, ok := token.(string); ok && !stack[n].value {
				if stack[n].names[name] {
					return errDuplicate
				}
				stack[n].names[name], stack[n].value = true, true
				continue
			}
			stack[n].value = false
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, frame{names: make(map[string]bool)})
		case json.Delim('['):
			stack = append(stack, frame{})
		}
	}
}
