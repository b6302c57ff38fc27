package p2p

import (
	"reflect"
	"time"
)

// watch reports changes of the own addresses, and sleeps of the machine.
func (h *Host) watch() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	var reported Addresses
	for first, last := true, time.Now(); ; first = false {
		if interfaces, err := h.interfaces(); err == nil {
			now := ownAddresses(h.listed, interfaces)
			if first || !reflect.DeepEqual(now, reported) {
				if !h.emit(now, nil) {
					return
				}
				reported = now
			}
		}
		select {
		case <-h.closing:
			return
		case <-ticker.C:
		}
		now := time.Now()
		if jump := clockJump(last, now); jump.Abs() > wakeJump && !h.emit(Woke{Jump: jump}, nil) {
			return
		}
		last = now
	}
}

// clockJump is how much further the wall clock went than the monotonic clock,
// which stands still while the machine sleeps.
func clockJump(last, now time.Time) time.Duration {
	return now.Round(0).Sub(last.Round(0)) - now.Sub(last)
}
