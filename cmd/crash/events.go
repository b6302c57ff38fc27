package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"pabal/node/api"
	"pabal/store"
)

// Entry is what a client keeps of an event of the log.
type Entry struct{ Cursor, Kind, Ref string }

// follower reads a side's event log as it grows, across all restarts.
type follower struct {
	stop context.CancelFunc
	done chan struct{} // closed when it has ended

	mu      sync.Mutex // guards what follows
	entries []Entry
	err     error
}

// follow starts the side's follower. It ends with close or with ctx.
func (s *Side) follow(ctx context.Context) {
	f := &s.follower
	ctx, f.stop = context.WithCancel(ctx)
	f.done = make(chan struct{})
	go func() {
		defer close(f.done)
		err := s.Client.Follow(ctx, api.EventsOptions{RefsOnly: true}, f.handle)
		f.mu.Lock()
		defer f.mu.Unlock()
		if ctx.Err() == nil {
			f.err = fmt.Errorf("follow the events: %w", err)
		}
	}()
}

func (f *follower) handle(e api.Event) error {
	if e.Type == api.EventGap {
		return errors.New("the event log has a gap")
	}
	if e.Cursor == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = append(f.entries, EntryOf(e))
	return nil
}

func (f *follower) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.entries) == 0 {
		return ""
	}
	return f.entries[len(f.entries)-1].Cursor
}

func (f *follower) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// seen returns all entries so far.
func (f *follower) seen() []Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.entries)
}

func (f *follower) close() {
	if f.stop != nil {
		f.stop()
		<-f.done
	}
}

// EntryOf keeps what a replay of the log has of an event, too.
func EntryOf(e api.Event) Entry {
	var ref api.Reference
	_ = json.Unmarshal(e.Data, &ref) // other data has no id: the reference stays empty
	return Entry{e.Cursor, e.Type, ref.ID}
}

// Replay reads a side's event log from the oldest event to the newest.
func (s *Side) Replay(ctx context.Context) ([]Entry, error) {
	stream, err := s.Client.Events(ctx, api.EventsOptions{RefsOnly: true})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var entries []Entry
	var end string
	for {
		e, err := stream.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, errors.New("the event stream ended early")
		case err != nil:
			return nil, err
		case e.Type == api.EventGap:
			return nil, errors.New("the event log begins with a gap")
		case e.Type == api.EventHello:
			var hello api.Hello
			if err := json.Unmarshal(e.Data, &hello); err != nil {
				return nil, fmt.Errorf("decode hello: %w", err)
			}
			end = hello.Cursor
		case e.Cursor != "":
			entries = append(entries, EntryOf(e))
		}
		if end != "" && (len(entries) > 0 && entries[len(entries)-1].Cursor == end) {
			return entries, nil
		}
	}
}

// CheckLog says what is wrong with a replayed log: a hole, a repeat, or a
// difference to what a client saw live.
func CheckLog(replayed, live []Entry) error {
	var before store.Cursor
	for i, e := range replayed {
		cursor, err := store.ParseCursor(e.Cursor)
		switch {
		case err != nil:
			return fmt.Errorf("event %d has the cursor %q", i, e.Cursor)
		case i > 0 && (cursor.Epoch != before.Epoch || cursor.Sequence != before.Sequence+1):
			return fmt.Errorf("event %d has the cursor %s behind %s", i, e.Cursor, before)
		}
		before = cursor
	}
	for i, e := range live {
		if i >= len(replayed) || e != replayed[i] {
			return fmt.Errorf("event %d was told live as %v, the log has another", i, e)
		}
	}
	if len(live) != len(replayed) {
		return fmt.Errorf("%d events were told live, the log has %d", len(live), len(replayed))
	}
	return nil
}
