package protocol

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"pabal/protocol/rendezvous"
)

// TestRecordKeysOfLaterDays checks that keys which were kept from an earlier day, or
// from a clock that was ahead, are those that the chain gives.
func TestRecordKeysOfLaterDays(t *testing.T) {
	start := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	s, err := newSelf(rand.Reader, start, "A")
	if err != nil {
		t.Fatal(err)
	}
	today := dayOf(start)
	for _, day := range []uint32{today, today, today + 1, today + 2, today + 30, today + 29, today + 400, today, today + 91} {
		first, keys := s.recordKeys(day)
		chain, ok := s.state.Transport.At(first)
		if want := chain.Keys(rendezvous.RecordDays); !ok || !slices.Equal(keys, want) {
			t.Errorf("day %d: %d keys from day %d on", day-today, len(keys), first)
		}
		if want := max(day-2, s.state.Transport.Day); first != want {
			t.Errorf("day %d: keys begin on day %d, want %d", day-today, first, want)
		}
	}
}
