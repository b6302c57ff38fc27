package protocol

import (
	"reflect"
	"strings"
	"testing"
)

// TestStatesNameNoFieldTwice checks that no two fields of a stored state have one key: the
// encoder takes none of them then.
func TestStatesNameNoFieldTwice(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var look func(reflect.Type)
	look = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			look(of.Elem())
		}
		if of.Kind() != reflect.Struct || seen[of] {
			return
		}
		seen[of] = true
		fields := map[string]string{}
		for i := range of.NumField() {
			f := of.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("cbor"), ",")
			if other, twice := fields[key]; twice && key != "" {
				t.Errorf("%v: %s and %s have the key %s", of, other, f.Name, key)
			}
			fields[key] = f.Name
			look(f.Type)
		}
	}
	for _, state := range []any{selfState{}, contactState{}, conversation{}.have, invitationState{}, requestState{}} {
		look(reflect.TypeOf(state))
	}
	if len(seen) < 10 {
		t.Errorf("only %d types are looked at", len(seen))
	}
}
