package httpd

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
)

func TestStrictJSON(t *testing.T) {
	decode := strictJSON().Unmarshal
	for text, want := range map[string]error{
		`{"a":1,"b":{"a":2},"c":[{"a":1},{"a":2}]}`: nil,
		`{"a":"\ud83d\ude00","b":"\\ud83d"}`:        nil,
		`{"a":1,"a":2}`:                             errDuplicate,
		`{"x":[{"b":1,"b":1}]}`:                     errDuplicate,
		`{"a":"\ud83d"}`:                            errSurrogate,
		`{"a":"\ud83dx"}`:                           errSurrogate,
		`{"a":"\ude00\ud83d"}`:                      errSurrogate,
		`{"a":"\ud83d\n"}`:                          errSurrogate,
		`{"\uDC00":1}`:                              errSurrogate,
	} {
		var v any
		if err := decode([]byte(text), &v); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	for _, text := range []string{`{"a":1}}`, `{"a":1} x`, `{`, ``, `nul`, `{"a":1,}`} {
		var v any
		if decode([]byte(text), &v) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// FuzzStrictJSON: what it takes is what encoding/json takes, and loses nothing.
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{"text":"안녕","disappearing":{"mode":"sent","seconds":1}}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":1,"a":1}`,
		`[[[[]]]]`, `"\\\ud800"`, `{"":{"":[]}}`, "\"\xff\"", `1e999`, `{"a":[1,{"a":2}],"b":null}`,
	} {
		f.Add([]byte(seed))
	}
	decode := strictJSON().Unmarshal
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if decode(data, &v) != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatal("takes what is not JSON")
		}
		if utf8.Valid(data) && strings.Contains(string(mustMarshal(t, v)), `\ufffd`) && !strings.Contains(strings.ToLower(string(data)), `\ufffd`) &&
			!strings.ContainsRune(string(data), utf8.RuneError) {
			t.Fatalf("a character was replaced in %q", data)
		}
		var again any
		if err := decode(mustMarshal(t, v), &again); err != nil {
			t.Fatalf("does not take its own form again: %v", err)
		}
	})
}

func mustMarshal(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzEventQuery: any query is answered or refused, and never panics.
func FuzzEventQuery(f *testing.F) {
	for _, seed := range []string{
		"after=e1.2", "types=message.*,contact.added&limit=3", "wait_ms=5&ephemeral=1&body=refs", "%zz", "after=latest&consumer=x", "a=1&a=2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q := eventQuery{}
		_ = q.setTypes(query)
		for _, name := range []string{"limit", "wait_ms"} {
			if n, err := bounded(name, query, 1000); err == nil && (n < 0 || n > 1000) {
				t.Errorf("%s=%q is %d", name, query, n)
			}
		}
		if eventFormatOf(query) > formatNDJSON {
			t.Error("no format")
		}
	})
}

func TestPointers(t *testing.T) {
	for location, want := range map[string]string{
		"body": "", "body.text": "/text", "body.a[3].b": "/a/3/b", "query.limit": "query:limit", "header.Idempotency-Key": "header:Idempotency-Key",
		"body.a/b~": "/a~1b~0",
	} {
		if got := pointer(location); got != want {
			t.Errorf("pointer(%q) = %q, want %q", location, got, want)
		}
	}
	if got := pointer("body." + strings.Repeat("가", 100)); len(got) > pointerBytesMax+4 || !utf8.ValidString(got) {
		t.Errorf("a long name: %q", got)
	}
}

func TestFieldErrors(t *testing.T) {
	for message, want := range map[string]api.FieldError{
		"unexpected property":                                 {Pointer: "/x", Code: api.FieldUnknown},
		"expected required property name to be present":       {Pointer: "/x/name", Code: api.FieldRequired},
		"expected length >= 8":                                {Pointer: "/x", Code: api.FieldTooShort},
		"expected array length <= 2":                          {Pointer: "/x", Code: api.FieldTooLong},
		"expected number <= 7":                                {Pointer: "/x", Code: api.FieldTooLarge},
		"expected string":                                     {Pointer: "/x", Code: api.FieldWrongType},
		`expected value to be one of "a, b"`:                  {Pointer: "/x", Code: api.FieldNotAllowed},
		"expected string to be RFC 3339 date-time":            {Pointer: "/x", Code: api.FieldMalformed},
		"invalid integer":                                     {Pointer: "/x", Code: api.FieldMalformed},
		"something of a later version with the value hunter2": {Pointer: "/x", Code: api.FieldInvalid},
	} {
		got := fieldError(&huma.ErrorDetail{Message: message, Location: "body.x", Value: "hunter2"})
		if got.Pointer != want.Pointer || got.Code != want.Code {
			t.Errorf("%q: %+v, want %+v", message, got, want)
		}
	}
}
