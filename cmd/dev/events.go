package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/cmd/crash"
	"pabal/node/api"
)

const (
	eventsTotal     = 100_000
	eventsConsumers = 8
	eventsWriters   = 8
	eventsSleep     = time.Minute
	eventsWarm      = 0.02 // of the events, behind which the memory is measured first
	eventsKill      = 0.3  // of them, behind which the daemon is killed
	eventsNap       = 0.5  // of them, behind which one consumer sleeps

	// What 100,000 events may cost.
	eventsGrowthMB    = 10 // of the resident memory
	eventsLateSeconds = 60 // until a consumer has all, from the last event, or from when it woke
	eventsSlack       = 5 * time.Minute
)

// eventsOptions are the flags of events.
type eventsOptions struct {
	total, consumers int
	sleep            time.Duration
	binary, dir      string
	gate             bool
}

// events has many consumers follow the event log while it grows fast. One of them sleeps for a
// minute and leaves its connection unread; the daemon is killed on the way. Each must get every event
// once, in order.
func events(ctx context.Context, t tree, args []string) error {
	var o eventsOptions
	flags := flag.NewFlagSet("events", flag.ContinueOnError)
	flags.IntVar(&o.total, "events", eventsTotal, "`events` to write, at least")
	flags.IntVar(&o.consumers, "consumers", eventsConsumers, "`consumers`, of which the last one sleeps")
	flags.DurationVar(&o.sleep, "sleep", eventsSleep, "`time` for which it does")
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.StringVar(&o.dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	flags.BoolVar(&o.gate, "gate", false, "fail if a figure misses its bar, too")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if o.total < 1 || o.consumers < 1 {
		fmt.Fprintln(t.stderr, "at least one event, and one consumer")
		return errUsage
	}
	ctx, cancel := context.WithTimeout(ctx, 2*o.sleep+eventsSlack+time.Duration(o.total)*5*time.Millisecond)
	defer cancel()
	return t.withProfiles(ctx, "events-", o.binary, o.dir, func(c *cast) error {
		writer, err := c.begin(ctx, "writer")
		if err != nil {
			return err
		}
		conversation, err := writer.Client.OpenConversation(ctx, api.ConversationRequest{Kind: api.KindSelf})
		if err != nil {
			return err
		}
		writer.Conversation = conversation.ID
		figures, err := t.fanOut(ctx, o, writer)
		return errors.Join(err, t.print(figures, o.gate))
	})
}

// consumer is who follows the log, across the daemon's restarts.
type consumer struct {
	nap time.Duration // that it takes
	at  int           // events, behind which

	mu      sync.Mutex // guards what follows
	entries []crash.Entry
	woke    time.Time // behind the nap
	last    time.Time // when it got its last event
}

// handle keeps an event; a consumer that naps leaves the next ones unread.
func (c *consumer) handle(ctx context.Context, e api.Event) error {
	if e.Type == api.EventGap {
		return errors.New("the log has a gap")
	}
	if e.Cursor == "" {
		return nil
	}
	c.mu.Lock()
	c.entries = append(c.entries, crash.EntryOf(e))
	c.last = time.Now()
	naps := c.nap > 0 && len(c.entries) == c.at
	c.mu.Unlock()
	if naps {
		if !pause(ctx, c.nap) {
			return ctx.Err()
		}
		c.mu.Lock()
		c.woke = time.Now()
		c.mu.Unlock()
	}
	return nil
}

func (c *consumer) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

// follow reads the log as clients do: some in pages that they wait for, the others by a stream.
func (c *consumer) follow(ctx context.Context, client *api.Client, pages bool) error {
	var o api.EventsOptions
	handle := func(e api.Event) error { return c.handle(ctx, e) }
	if !pages {
		return client.Follow(ctx, o, handle)
	}
	const wait, limit = 20 * time.Second, 500
	for ctx.Err() == nil {
		page, err := client.PollEvents(ctx, o, wait, limit)
		if p := (*api.Problem)(nil); errors.As(err, &p) && !p.Retryable && p.Code != api.CodeStopping && p.Code != api.CodeNotReady {
			return err
		}
		if err != nil && !pause(ctx, 10*time.Millisecond) { // the daemon is away
			break
		}
		if page.Gap != nil {
			return errors.New("a page has a gap")
		}
		for _, e := range page.Events {
			if err := handle(e); err != nil {
				return err
			}
			o.After = e.Cursor
		}
	}
	return ctx.Err()
}

// fanOut writes the events, kills the daemon on the way, and has every consumer's entries compared
// with the log.
func (t tree) fanOut(ctx context.Context, o eventsOptions, s *side) ([]figure, error) {
	consumers := make([]*consumer, o.consumers)
	following, enough := context.WithCancel(ctx)
	defer enough()
	followers, following := errgroup.WithContext(following)
	for i := range consumers {
		c := new(consumer)
		if i == o.consumers-1 {
			c.nap, c.at = o.sleep, int(float64(o.total)*eventsNap)
		}
		consumers[i] = c
		followers.Go(func() error { return c.follow(following, s.Client, i%4 == 3 && c.nap == 0) })
	}
	before, peak, err := t.writeEvents(following, o, s, consumers[0])
	written := time.Now()
	if err != nil {
		enough()
		return nil, errors.Join(err, awaited(followers.Wait()))
	}
	replayed, err := s.Replay(ctx)
	if err != nil {
		return nil, err
	}
	err = eventually(following, 2*o.sleep+eventsSlack, "all consumers having all events", func(context.Context) (bool, error) {
		for _, c := range consumers {
			if c.count() < len(replayed) {
				return false, nil
			}
		}
		return true, nil
	})
	enough()
	if err := errors.Join(awaited(followers.Wait()), err); err != nil {
		return nil, err
	}
	after, err := residentMB(s.PID())
	if err != nil {
		return nil, err
	}
	late := 0.0
	for i, c := range consumers {
		if err := crash.CheckLog(replayed, c.entries); err != nil {
			return nil, fmt.Errorf("consumer %d: %w", i+1, err)
		}
		since := written
		if c.woke.After(since) {
			since = c.woke
		}
		late = max(late, c.last.Sub(since).Seconds())
	}
	t.note("%d events, each once and in order for %d consumers; %.1f MB resident at first, %.1f at most, %.1f at the end",
		len(replayed), len(consumers), before, peak, after)
	return []figure{
		{name: "events_growth_mb", value: peak - before, limit: eventsGrowthMB, bar: 1},
		{name: "events_late_s", value: late, limit: eventsLateSeconds, bar: 1},
	}, nil
}

// awaited is nil for a group that was told to end.
func awaited(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// writeEvents writes until a consumer has seen the events, and returns the daemon's memory behind
// the first of them, and the most that it was later. It kills the daemon on the way: memory is measured
// behind that.
func (t tree) writeEvents(ctx context.Context, o eventsOptions, s *side, seen *consumer) (before, peak float64, err error) {
	part := func(share float64) int { return max(1, int(share*float64(o.total))) }
	if err := s.writeUntil(ctx, seen, part(eventsKill), true); err != nil {
		return 0, 0, err
	}
	if err := s.writeUntil(ctx, seen, part(eventsKill)+part(eventsWarm), false); err != nil {
		return 0, 0, err
	}
	if before, err = residentMB(s.PID()); err != nil {
		return 0, 0, err
	}
	watching, stop := context.WithCancel(ctx)
	watched := s.watch(watching)
	err = s.writeUntil(ctx, seen, o.total, false)
	stop()
	return before, (<-watched).resident, err
}

// writeUntil has writers put messages to oneself until a consumer has seen so many events. With
// kill the daemon is killed then, while they go on, and started again.
func (s *side) writeUntil(ctx context.Context, seen *consumer, events int, kill bool) error {
	done := make(chan struct{})
	writers, writing := errgroup.WithContext(ctx)
	for w := range eventsWriters {
		writers.Go(func() error {
			for n := 0; ; n++ {
				select {
				case <-done:
					return nil
				default:
				}
				if err := s.Say(writing, fmt.Sprintf("note %d of writer %d", n, w)); err != nil {
					return err
				}
			}
		})
	}
	limit := eventsSlack + time.Duration(events)*5*time.Millisecond
	err := eventually(writing, limit, "events", func(context.Context) (bool, error) { return seen.count() >= events, nil })
	if err == nil && kill {
		if err = s.Kill(); err == nil {
			err = s.Start(ctx)
		}
	}
	close(done)
	return errors.Join(err, writers.Wait())
}
