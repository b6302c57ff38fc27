package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"pabal/node/api"
)

func TestTime(t *testing.T) {
	zone := time.FixedZone("KST", 9*3600)
	for in, want := range map[time.Time]string{
		time.Date(2026, 11, 24, 19, 0, 0, 0, zone):               `"2026-11-24T10:00:00.000Z"`,
		time.Date(2026, 11, 24, 10, 0, 0, 123_999_999, time.UTC): `"2026-11-24T10:00:00.123Z"`,
		time.UnixMilli(1): `"1970-01-01T00:00:00.001Z"`,
	} {
		b, err := json.Marshal(api.NewTime(in))
		if err != nil || string(b) != want {
			t.Errorf("%v is %s, want %s (%v)", in, b, want, err)
		}
		var back api.Time
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(in.Truncate(time.Millisecond)) || back.String() != want[1:len(want)-1] {
			t.Errorf("%s is read as %v (%v)", b, back, err)
		}
	}
	if api.MilliOrNil(0) != nil || api.MilliOrNil(7).UnixMilli() != 7 || api.Milli(7).UnixMilli() != 7 {
		t.Error("milliseconds")
	}
}

func TestOptional(t *testing.T) {
	type patch struct {
		Alias api.Optional[*string] `json:"alias,omitzero"`
	}
	name := "Mina"
	for text, want := range map[string]api.Optional[*string]{
		`{}`:               {},
		`{"alias":null}`:   api.Some[*string](nil),
		`{"alias":"Mina"}`: api.Some(&name),
	} {
		var p patch
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		if p.Alias.Present != want.Present || (p.Alias.Value == nil) != (want.Value == nil) || p.Alias.Value != nil && *p.Alias.Value != name {
			t.Errorf("%s is read as %+v", text, p.Alias)
		}
		if b, err := json.Marshal(p); err != nil || string(b) != text {
			t.Errorf("%s is written as %s (%v)", text, b, err)
		}
	}
	var p patch
	if json.Unmarshal([]byte(`{"alias":7}`), &p) == nil {
		t.Error("a number is taken for a text")
	}
}
