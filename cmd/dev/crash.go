package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	crashKills      = 500
	crashStreams    = 4  // senders a side
	crashRate       = 40 // messages a second and sender
	crashAliveMean  = 400 * time.Millisecond
	crashAliveMax   = 3 * time.Second // so that every side gets work done at times
	crashEarlyEvery = 6               // one kill in so many meets a daemon that is not ready yet
	crashEarlyMax   = 200 * time.Millisecond
	crashReadyLimit = 30 * time.Second
	crashDrainLimit = 2 * time.Minute
)

// crashOptions are the flags of crash.
type crashOptions struct {
	kills   int64
	limit   time.Duration
	streams int
	rate    int
	seed    uint64
	dir     string
	binary  string
	race    bool
}

// crash starts two daemons that are contacts, lets clients of both send without
// pause, and kills either with SIGKILL at random. In the end it compares what
// the clients were promised with what the daemons hold.
func crash(ctx context.Context, t tree, args []string) error {
	var o crashOptions
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	flags.Int64Var(&o.kills, "kills", crashKills, "`number` of kills")
	flags.DurationVar(&o.limit, "for", 0, "`time` after which no further kill is made; 0 = no limit")
	flags.IntVar(&o.streams, "streams", crashStreams, "`senders` a side")
	flags.IntVar(&o.rate, "rate", crashRate, "`messages` a second and sender")
	flags.Uint64Var(&o.seed, "seed", 0, "`seed` of the kills' times; 0 = a random one")
	flags.StringVar(&o.dir, "dir", "", "`directory` for the profiles; empty = a temporary one, kept after a failure")
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.BoolVar(&o.race, "race", false, "build the daemons with the race detector")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	dir := o.dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "pabal-crash-"); err != nil {
			return err
		}
	}
	err := t.crash(ctx, o, dir)
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		return fmt.Errorf("seed %d, profiles and logs in %s: %w", o.seed, dir, err)
	case o.dir == "":
		return errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

func (t tree) crash(ctx context.Context, o crashOptions, dir string) error {
	binary := o.binary
	if binary == "" {
		binary = filepath.Join(dir, "pabal")
		if err := t.build(ctx, binary, o.buildFlags()...); err != nil {
			return err
		}
	}
	sides := [2]*side{
		newSide("left", binary, dir),
		newSide("right", binary, dir),
	}
	defer sides[0].close()
	defer sides[1].close()
	for _, s := range sides {
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	if err := befriend(ctx, sides[0], sides[1]); err != nil {
		return fmt.Errorf("make the two contacts: %w", err)
	}
	kills, err := underFire(ctx, o, sides)
	if err != nil {
		return err
	}
	if err := drain(ctx, sides); err != nil {
		return fmt.Errorf("after %d kills: %w", kills, err)
	}
	summary, err := compare(ctx, sides)
	fmt.Fprintf(t.stdout, "%d kills, seed %d: %s\n", kills, o.seed, summary)
	return err
}

// build compiles the daemon.
func (t tree) build(ctx context.Context, binary string, flags ...string) error {
	return t.run(ctx, "go", slices.Concat([]string{"build", "-o", binary}, flags, []string{"./cmd/pabal"})...)
}

func (o crashOptions) buildFlags() []string {
	if o.race {
		return []string{"-race"}
	}
	return nil
}

// underFire runs the senders and event readers of both sides while the killers
// are at work, and returns how often they killed. The senders end when the
// message they are at is acknowledged.
func underFire(ctx context.Context, o crashOptions, sides [2]*side) (int64, error) {
	for _, s := range sides {
		s.follow(ctx) // until the end of all, not of the fire
	}
	group, ctx := errgroup.WithContext(ctx)
	firing, ceaseFire := context.WithCancel(ctx)
	defer ceaseFire()
	var left, made atomic.Int64
	left.Store(o.kills)
	killers, killing := errgroup.WithContext(firing)
	if o.limit > 0 {
		var end context.CancelFunc
		killing, end = context.WithTimeout(killing, o.limit)
		defer end()
	}
	for i, s := range sides {
		for stream := range o.streams {
			group.Go(func() error { return s.send(ctx, firing.Done(), stream, o.rate) })
		}
		random := rand.New(rand.NewPCG(o.seed, uint64(i)))
		killers.Go(func() error {
			for left.Add(-1) >= 0 {
				on, err := s.killOnce(ctx, killing, random)
				if !on || err != nil {
					return err
				}
				made.Add(1)
			}
			return nil
		})
	}
	group.Go(func() error {
		defer ceaseFire()
		return killers.Wait()
	})
	err := group.Wait()
	return made.Load(), err
}

// killOnce kills the side after a while, at times as it only begins, and starts it
// again. It reports false if killing is over before that.
func (s *side) killOnce(ctx, killing context.Context, random *rand.Rand) (bool, error) {
	alive := min(time.Duration(random.ExpFloat64()*float64(crashAliveMean)), crashAliveMax)
	early := random.IntN(crashEarlyEvery) == 0
	if !pause(killing, alive) {
		return false, nil
	}
	if err := s.kill(); err != nil {
		return false, err
	}
	if early {
		if err := s.launch(); err != nil {
			return false, err
		}
		pause(ctx, time.Duration(random.Int64N(int64(crashEarlyMax))))
		if err := s.kill(); err != nil {
			return false, err
		}
	}
	if err := s.start(ctx); err != nil {
		return false, fmt.Errorf("start behind a kill: %w", err)
	}
	return true, nil
}

// pause waits and reports whether ctx was not done before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// eventually asks until the answer is yes, ctx is done, or the time is up; then the last
// error is part of what it returns.
func eventually(ctx context.Context, limit time.Duration, what string, ask func(context.Context) (bool, error)) error {
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for {
		ok, err := ask(waiting)
		if ok {
			return nil
		}
		if err != nil {
			last = err
		}
		if !pause(waiting, 20*time.Millisecond) {
			if ctx.Err() != nil { // interrupted: what did not happen says nothing
				return ctx.Err()
			}
			return errors.Join(fmt.Errorf("%s did not happen within %v", what, limit), last)
		}
	}
}
