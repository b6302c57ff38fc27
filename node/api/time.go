package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// timeLayout is RFC 3339 in UTC with exactly three digits of a second, so that
// times of equal length also sort as strings.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Time is a moment as the API writes it: RFC 3339, UTC, milliseconds. The zero
// Time is "not" only where a field is a pointer; it is never sent otherwise.
type Time struct{ time.Time }

// NewTime returns t in UTC.
func NewTime(t time.Time) Time { return Time{t.UTC()} }

// Milli returns the Time of a number of milliseconds since 1970.
func Milli(ms int64) Time { return Time{time.UnixMilli(ms).UTC()} }

// MilliOrNil returns the Time of ms, or nil if ms is 0.
func MilliOrNil(ms int64) *Time {
	if ms == 0 {
		return nil
	}
	t := Milli(ms)
	return &t
}

// MarshalText writes the time as the API does.
func (t Time) MarshalText() ([]byte, error) {
	return t.Time.UTC().AppendFormat(nil, timeLayout), nil
}

// MarshalJSON writes the time as a JSON string.
func (t Time) MarshalJSON() ([]byte, error) {
	b, _ := t.MarshalText()
	return append(append([]byte{'"'}, b...), '"'), nil
}

// String returns the API form.
func (t Time) String() string {
	b, _ := t.MarshalText()
	return string(b)
}

// Optional is a field of a merge patch (RFC 7396), where an absent field means
// "leave it" and null means "remove it". The zero Optional is absent and is left
// out of JSON by omitzero; Value of a present one may be a nil pointer: null.
type Optional[T any] struct {
	Present bool
	Value   T
}

// Some returns a present Optional.
func Some[T any](v T) Optional[T] { return Optional[T]{Present: true, Value: v} }

// IsZero reports whether the field is absent; encoding/json asks it for omitzero.
func (o Optional[T]) IsZero() bool { return !o.Present }

// MarshalJSON writes the value.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.Value) }

// UnmarshalJSON reads the value; encoding/json calls it for null, too.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Present = true
	if bytes.Equal(b, []byte("null")) {
		var zero T
		o.Value = zero
		return nil
	}
	if err := json.Unmarshal(b, &o.Value); err != nil {
		return fmt.Errorf("optional field: %w", err)
	}
	return nil
}
