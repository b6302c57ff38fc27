package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	simPackage    = "protocol/sim"
	simSeeds      = 50              // without -seeds and -for
	simBatch      = 10              // seeds a process: starting one costs nothing beside them
	simStopWithin = 5 * time.Second // of -for: no batch is started later
	simSeedFile   = "sim-seed"
	cityPeople    = 500
	cityHours     = 48
)

// worlds are a kind of simulated worlds.
type worlds struct {
	test string   // that runs them by seed
	args []string // of the test, beside the seeds
	file string   // that keeps the last seed done
	size uint64   // seeds a process
}

// plainWorlds are those in which a few people suffer all that there is.
func plainWorlds() worlds { return worlds{test: "TestSeeds", file: simSeedFile, size: simBatch} }

// worldsOf returns the kind that flags ask for. A city is big: a process runs one.
func worldsOf(village, city bool, people, hours int) (worlds, error) {
	switch {
	case village && city:
		return worlds{}, errors.New("-village and -city are two kinds of worlds")
	case !city && (people != 0 || hours != 0):
		return worlds{}, errors.New("-people and -hours are of a -city")
	case village:
		return worlds{test: "TestVillages", file: simSeedFile + "-village", size: simBatch}, nil
	case city:
		args := []string{"-peers=" + strconv.Itoa(cmp.Or(people, cityPeople)), "-hours=" + strconv.Itoa(cmp.Or(hours, cityHours))}
		return worlds{test: "TestTown", args: args, file: simSeedFile + "-city", size: 1}, nil
	}
	return plainWorlds(), nil
}

// seedRange is the seeds first, first+1, … first+count-1.
type seedRange struct{ first, count uint64 }

func (r seedRange) last() uint64 { return r.first + r.count - 1 }

func (r seedRange) String() string { return fmt.Sprintf("%d–%d", r.first, r.last()) }

// sim runs simulation seeds in one process a core. A run is one thread in a
// test, because the random source it sets is the process's
// (testing/cryptotest.SetGlobalRandom).
func sim(ctx context.Context, t tree, args []string) error {
	flags := flag.NewFlagSet("sim", flag.ContinueOnError)
	seeds := flags.Uint64("seeds", 0, "`number` of seeds; 0 = as many as -for allows, or 50")
	limit := flags.Duration("for", 0, "`time` after which no further seed is begun; 0 = until -seeds are done")
	first := flags.Uint64("first", 0, "first `seed`; 0 = go on behind the last one kept")
	village := flags.Bool("village", false, "villages: people who are on at hours of their own, with home nodes and friends who carry mail, some of whom lie")
	city := flags.Bool("city", false, "the same with -people for -hours")
	people := flags.Int("people", 0, "`number` of people in a -city; 0 = 500")
	hours := flags.Int("hours", 0, "virtual `hours` that a -city lives; 0 = 48")
	once := flags.Bool("once", false, "run each seed once, not twice to see that both are equal")
	workers := flags.Int("workers", runtime.NumCPU(), "`processes` side by side")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if *seeds == 0 && *limit == 0 {
		*seeds = simSeeds
	}
	kind, err := worldsOf(*village, *city, *people, *hours)
	if err != nil {
		return err
	}
	if *once {
		kind.args = append(kind.args, "-once")
	}
	kept, err := seedFile(kind.file)
	if err != nil {
		return err
	}
	queue := &seedQueue{first: *first, left: *seeds, endless: *seeds == 0, batch: kind.size}
	if *first == 0 {
		last, err := readSeed(kept)
		if err != nil {
			return err
		}
		queue.first = last + 1
	}
	queue.next, queue.done = queue.first, map[uint64]uint64{}
	if *limit > 0 {
		queue.until = time.Now().Add(*limit)
	}
	if err := t.simulate(ctx, kind, queue, *workers); err != nil {
		return err
	}
	finished := queue.finished()
	if *first == 0 && finished.count > 0 {
		err = writeSeed(kept, finished.last())
	}
	fmt.Fprintf(t.stdout, "seeds %v: 0 violations\n", finished)
	return err
}

// simulate builds the simulator and lets workers empty the queue. It stops at the first violation.
func (t tree) simulate(ctx context.Context, kind worlds, queue *seedQueue, workers int) error {
	dir, err := os.MkdirTemp("", "pabal-sim-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "sim.test")
	if _, err := t.output(ctx, "go", "test", "-c", "-o", binary, "./"+simPackage); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			for {
				batch, ok := queue.take()
				if !ok || ctx.Err() != nil {
					return ctx.Err()
				}
				if err := t.simulateBatch(ctx, kind, binary, batch); err != nil {
					return err
				}
				queue.finish(batch)
			}
		})
	}
	return group.Wait()
}

// simulateBatch runs one batch in a process and shows what it printed if it failed.
func (t tree) simulateBatch(ctx context.Context, kind worlds, binary string, batch seedRange) error {
	cmd := t.command(ctx, binary, kind.arguments(batch)...)
	cmd.Dir = filepath.Join(t.root, filepath.FromSlash(simPackage))
	if os.Getenv("GOGC") == "" {
		cmd.Env = append(cmd.Environ(), "GOGC=400") // a world is small, and makes much that is soon of no use
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		_, _ = t.stdout.Write(out)
		return fmt.Errorf("a violation in seeds %v: the lines above say which and how to run it again", batch)
	case err != nil:
		return err
	case bytes.Contains(out, []byte("no tests to run")):
		return fmt.Errorf("%s has no test %s", simPackage, kind.test)
	}
	return nil
}

// arguments are the flags of the simulator's test binary for a batch. The
// time limit is ours, not the testing package's: a batch is never cut short.
func (k worlds) arguments(batch seedRange) []string {
	return append([]string{
		"-test.run=^" + k.test + "$", "-test.timeout=0",
		"-seed=" + strconv.FormatUint(batch.first, 10), "-seeds=" + strconv.FormatUint(batch.count, 10),
	}, k.args...)
}

// seedQueue hands out batches of seeds in order and remembers which are done.
type seedQueue struct {
	first   uint64
	batch   uint64    // how many at once
	endless bool      // left does not count
	until   time.Time // zero = no limit

	mu   sync.Mutex // guards what follows
	next uint64
	left uint64
	done map[uint64]uint64 // first → count of finished batches
}

// take returns the next batch, or false if there is none or its time is up.
func (q *seedQueue) take() (seedRange, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	count := q.batch
	if !q.endless {
		count = min(count, q.left)
		q.left -= count
	}
	if count == 0 || !q.until.IsZero() && time.Until(q.until) < simStopWithin {
		return seedRange{}, false
	}
	batch := seedRange{q.next, count}
	q.next += count
	return batch, true
}

func (q *seedQueue) finish(batch seedRange) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done[batch.first] = batch.count
}

// finished returns the seeds from the first on that are done without a hole.
func (q *seedQueue) finished() seedRange {
	q.mu.Lock()
	defer q.mu.Unlock()
	whole := seedRange{first: q.first}
	for q.done[whole.first+whole.count] > 0 {
		whole.count += q.done[whole.first+whole.count]
	}
	return whole
}

// seedFile names the file that keeps the last seed done of a kind of worlds, so that long
// runs on one machine add up.
func seedFile(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the file of the last seed: %w", err)
	}
	return filepath.Join(cache, "pabal-dev", name), nil
}

// readSeed returns the last seed done, 0 if none was.
func readSeed(name string) (uint64, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	seed, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	return seed, nil
}

func writeSeed(name string, seed uint64) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(strconv.FormatUint(seed, 10)+"\n"), 0o644)
}
