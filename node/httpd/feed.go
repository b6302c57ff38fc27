package httpd

import (
	"sync"

	"pabal/protocol"
)

// feed tells the event streams and the waiting sends that there is something
// new. It holds no events but those that are not logged.
type feed struct {
	stopping chan struct{} // closed when the server stops

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	streams map[*announcements]struct{}
}

// announcements are the unlogged events that wait for one stream, the newest of
// each kind and contact: what is older is out of date.
type announcements struct {
	mu      sync.Mutex
	waiting []protocol.Event // at most announcementsMax; the oldest goes
}

func newFeed() *feed {
	return &feed{
		stopping: make(chan struct{}), changed: make(chan struct{}), streams: make(map[*announcements]struct{}),
	}
}

// next returns a channel that is closed at the next change. Take it before
// looking: what comes between is not missed.
func (f *feed) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *feed) notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *feed) announce(e protocol.Event) {
	f.mu.Lock()
	streams := make([]*announcements, 0, len(f.streams))
	for a := range f.streams {
		streams = append(streams, a)
	}
	f.mu.Unlock()
	for _, a := range streams {
		a.add(e)
	}
	if len(streams) > 0 {
		f.notify()
	}
}

func (f *feed) stop() {
	close(f.stopping)
	f.notify()
}

func (f *feed) stopped() bool {
	select {
	case <-f.stopping:
		return true
	default:
		return false
	}
}

// listen registers a stream for announcements; call the function to end it.
func (f *feed) listen() (*announcements, func()) {
	a := new(announcements)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams[a] = struct{}{}
	return a, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.streams, a)
	}
}

func (a *announcements) add(e protocol.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, old := range a.waiting {
		if old.Type == e.Type && old.Contact == e.Contact && old.Conversation == e.Conversation {
			a.waiting = append(a.waiting[:i], a.waiting[i+1:]...)
			break
		}
	}
	if len(a.waiting) >= announcementsMax {
		a.waiting = a.waiting[1:]
	}
	a.waiting = append(a.waiting, e)
}

// take returns what waits and forgets it.
func (a *announcements) take() []protocol.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := a.waiting
	a.waiting = nil
	return waiting
}
