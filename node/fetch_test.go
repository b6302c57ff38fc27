package node

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// TestFetchTellsWhatFailedFirst has a chunk that is damaged, and a reader that the reset because of
// that interrupts: the file is damaged, not cut off.
func TestFetchTellsWhatFailedFirst(t *testing.T) {
	reading, interrupted, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var resets atomic.Int32
	reset := func() {
		if resets.Add(1) == 1 {
			close(interrupted)
			<-ended
		}
	}
	err := together(t.Context(), reset, func(ctx context.Context) error {
		context.AfterFunc(ctx, func() { close(ended) })
		close(reading)
		<-interrupted
		return errors.New("interrupted")
	}, func(context.Context) error {
		<-reading
		return errDamaged
	})
	if !errors.Is(err, errDamaged) {
		t.Errorf("it failed with %v", err)
	}
	if err := together(t.Context(), reset, func(context.Context) error { return nil }); err != nil {
		t.Errorf("nothing failed: %v", err)
	}
}
