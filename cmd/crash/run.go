package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Kills is how often a run kills by default.
const Kills = 500

const (
	crashStreams    = 4  // senders a side
	crashRate       = 40 // messages a second and sender
	crashAliveMean  = 400 * time.Millisecond
	crashAliveMax   = 3 * time.Second // so that every side gets work done at times
	crashEarlyEvery = 6               // one kill in so many meets a daemon that is not ready yet
	crashEarlyMax   = 200 * time.Millisecond
	crashReadyLimit = 30 * time.Second
	crashDrainLimit = 2 * time.Minute
)

// Options say how hard the daemons are hit. The zero value is a full run.
type Options struct {
	Kills   int64
	Limit   time.Duration // after which no further kill is made; 0 = no limit
	Streams int           // senders a side
	Rate    int           // messages a second and sender
	Seed    uint64        // of the kills' times; 0 = a random one
}

func (o Options) withDefaults() Options {
	if o.Kills == 0 {
		o.Kills = Kills
	}
	if o.Streams == 0 {
		o.Streams = crashStreams
	}
	if o.Rate == 0 {
		o.Rate = crashRate
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	return o
}

// Run has two daemons of binary, with profiles and logs in dir, be contacts, lets clients of
// both send without pause, and kills either with SIGKILL at random. In the end it compares
// what the clients were promised with what the daemons hold, and says in a line what that
// was. An error is a broken promise, or a run that came to no end.
func Run(ctx context.Context, binary, dir string, o Options) (summary string, err error) {
	o = o.withDefaults()
	defer func() {
		if err != nil {
			err = fmt.Errorf("seed %d: %w", o.Seed, err)
		}
	}()
	sides := [2]*Side{NewSide("left", binary, dir), NewSide("right", binary, dir)}
	defer sides[0].Close()
	defer sides[1].Close()
	for _, s := range sides {
		if err := s.Start(ctx); err != nil {
			return "", err
		}
	}
	if err := Befriend(ctx, sides[0], sides[1]); err != nil {
		return "", fmt.Errorf("make the two contacts: %w", err)
	}
	kills, err := underFire(ctx, o, sides)
	if err != nil {
		return "", err
	}
	if err := drain(ctx, sides); err != nil {
		return "", fmt.Errorf("after %d kills: %w", kills, err)
	}
	summary, err = compare(ctx, sides)
	return fmt.Sprintf("%d kills, seed %d: %s", kills, o.Seed, summary), err
}

// underFire runs the senders and event readers of both sides while the killers
// are at work, and returns how often they killed. The senders end when the
// message they are at is acknowledged.
func underFire(ctx context.Context, o Options, sides [2]*Side) (int64, error) {
	for _, s := range sides {
		s.follow(ctx) // until the end of all, not of the fire
	}
	group, ctx := errgroup.WithContext(ctx)
	firing, ceaseFire := context.WithCancel(ctx)
	defer ceaseFire()
	var left, made atomic.Int64
	left.Store(o.Kills)
	killers, killing := errgroup.WithContext(firing)
	if o.Limit > 0 {
		var end context.CancelFunc
		killing, end = context.WithTimeout(killing, o.Limit)
		defer end()
	}
	for i, s := range sides {
		for stream := range o.Streams {
			group.Go(func() error { return s.send(ctx, firing.Done(), stream, o.Rate) })
		}
		random := rand.New(rand.NewPCG(o.Seed, uint64(i)))
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
func (s *Side) killOnce(ctx, killing context.Context, random *rand.Rand) (bool, error) {
	alive := min(time.Duration(random.ExpFloat64()*float64(crashAliveMean)), crashAliveMax)
	early := random.IntN(crashEarlyEvery) == 0
	if !Pause(killing, alive) {
		return false, nil
	}
	if err := s.Kill(); err != nil {
		return false, err
	}
	if early {
		if err := s.Launch(); err != nil {
			return false, err
		}
		Pause(ctx, time.Duration(random.Int64N(int64(crashEarlyMax))))
		if err := s.Kill(); err != nil {
			return false, err
		}
	}
	if err := s.Start(ctx); err != nil {
		return false, fmt.Errorf("start behind a kill: %w", err)
	}
	return true, nil
}

// Pause waits and reports whether ctx was not done before.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Eventually asks until the answer is yes, ctx is done, or the time is up; then the last
// error is part of what it returns.
func Eventually(ctx context.Context, limit time.Duration, what string, ask func(context.Context) (bool, error)) error {
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
		if !Pause(waiting, 20*time.Millisecond) {
			if ctx.Err() != nil { // interrupted: what did not happen says nothing
				return ctx.Err()
			}
			return errors.Join(fmt.Errorf("%s did not happen within %v", what, limit), last)
		}
	}
}
