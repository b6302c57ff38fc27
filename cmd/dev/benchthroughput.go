package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/node/api"
)

const (
	throughputBar   = 0.4
	flatBar         = 1.2
	flatTurns       = 5
	flatMessages    = 10_000
	referenceRounds = 2 // before and after, each
	putClients      = 32
	putTime         = 3 * time.Second
)

// references gathers what the throughput is compared with.
type references struct {
	dir         string
	store       *loneStore
	floor, lone []float64
}

func newReferences(dir string) (*references, error) {
	st, err := newLoneStore(filepath.Join(dir, "lone"))
	return &references{dir: dir, store: st}, err
}

// measure takes the two references a few times more.
func (r *references) measure() error {
	for range referenceRounds {
		floor, err := fsyncFloor(r.dir)
		if err != nil {
			return err
		}
		lone, err := r.store.fill(storeTime)
		if err != nil {
			return err
		}
		r.floor, r.lone = append(r.floor, floor), append(r.lone, lone)
	}
	return nil
}

// limit is the slower of the two.
func (r *references) limit() float64 { return min(quantile(r.floor, 0.5), quantile(r.lone, 0.5)) }

// measureThroughput sends a hundred thousand messages, half of them each way,
// and then looks at what a long history changes.
func measureThroughput(ctx context.Context, b *benchmark) (figures []figure, err error) {
	dir, remove, err := b.workspace()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	refs, err := newReferences(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, refs.store.Close()) }()
	short, err := newCouple(ctx, filepath.Join(dir, "short"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, short.close()) }()

	b.note("throughput: references")
	if err := refs.measure(); err != nil {
		return nil, err
	}
	b.note("throughput: %d messages", b.messages)
	took, err := b.profiled(func() (time.Duration, error) { return short.exchange(ctx, b.messages) })
	if err != nil {
		return nil, err
	}
	if err := errors.Join(short.settle(), refs.measure()); err != nil {
		return nil, err
	}
	rate := perSecond(b.messages, took)
	b.note("throughput: fsync floor %.0f/s, store alone %.0f/s", quantile(refs.floor, 0.5), quantile(refs.lone, 0.5))
	figures = append(figures, figure{name: "throughput", value: rate, limit: refs.limit(), bar: throughputBar, up: true})
	if b.wanted("put_per_s") {
		puts, err := short[0].puts(ctx)
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{name: "put_per_s", value: puts, limit: rate})
	}
	if b.wanted("index_catch_up") {
		indexed, err := refs.store.index()
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{name: "index_catch_up", value: indexed, limit: quantile(refs.lone, 0.5)})
	}
	if b.wanted("flat_cost") {
		flat, err := b.flatCost(ctx, dir, short)
		if err != nil {
			return nil, err
		}
		figures = append(figures, flat)
	}
	return figures, nil
}

// profiled runs what is measured and keeps a profile of it if one is wanted.
func (b *benchmark) profiled(run func() (time.Duration, error)) (took time.Duration, err error) {
	if b.profile == "" {
		return run()
	}
	f, err := os.Create(b.profile)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return 0, err
	}
	defer pprof.StopCPUProfile()
	return run()
}

// flatCost compares the time a message takes in a long history with that in a
// short one, in turns. Its value and limit are microseconds a message.
func (b *benchmark) flatCost(ctx context.Context, dir string, short couple) (f figure, err error) {
	b.note("flat_cost: a history of %d messages", b.history)
	long, err := newCouple(ctx, filepath.Join(dir, "long"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, long.close()) }()
	if _, err := long.exchange(ctx, b.history); err != nil {
		return f, fmt.Errorf("make the history: %w", err)
	}
	if err := errors.Join(long.settle(), short.settle()); err != nil {
		return f, err
	}
	micros := func(c couple) func() (float64, error) {
		return func() (float64, error) {
			took, err := c.exchange(ctx, flatMessages)
			return float64(took.Microseconds()) / flatMessages, errors.Join(err, c.settle())
		}
	}
	late, early, err := inTurns(flatTurns, micros(long), micros(short))
	return figure{name: "flat_cost", value: late, limit: early, bar: flatBar}, err
}

// puts returns how many messages a second clients put over the unix socket.
func (e *end) puts(ctx context.Context) (float64, error) {
	start, counts := time.Now(), make([]int, putClients)
	group, ctx := errgroup.WithContext(ctx)
	for i := range putClients {
		group.Go(func() error {
			client := api.NewUnixClient(e.socket)
			defer client.Close()
			for time.Since(start) < putTime {
				_, err := client.PutMessage(ctx, e.conversation.String(), api.NewMessageID(),
					api.MessageRequest{Text: benchText}, api.SendOptions{})
				if err != nil {
					return err
				}
				counts[i]++
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	return perSecond(total, time.Since(start)), nil
}
