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
	for first, last := true, h.clocks(); ; first = false {
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
		h.sweep()
		now := h.clocks()
		if jump := now.since(last); jump.Abs() > wakeJump && !h.emit(Woke{Jump: jump}, nil) {
			return
		}
		last = now
	}
}

// clocks is a reading of both clocks of the machine. The monotonic one stands
// still while the machine sleeps.
type clocks struct{ wall, monotonic time.Duration }

// since is how much further the wall clock went than the monotonic one.
func (c clocks) since(last clocks) time.Duration {
	return (c.wall - last.wall) - (c.monotonic - last.monotonic)
}

func machineClocks() func() clocks {
	start := time.Now()
	return func() clocks {
		now := time.Now()
		return clocks{wall: time.Duration(now.UnixNano()), monotonic: now.Sub(start)}
	}
}
