package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// benchText is the text of every message that is measured: a hundred bytes.
var benchText = strings.Repeat("0123456789", 10)

// benchOptions are the flags of bench.
type benchOptions struct {
	only     string
	messages int // of the throughput, and of the short history of flat_cost
	history  int // the long history of flat_cost
	stored   int // the long history of bench store
	dir      string
	profile  string
	gate     bool
}

// figure is one line of the result. Its ratio is value ÷ limit; the bar says
// what the ratio must be: at least it if the figure counts up, at most it if not.
type figure struct {
	name         string
	value, limit float64
	bar          float64 // 0 = none
	up           bool    // more is better
}

func (f figure) ratio() float64 { return f.value / f.limit }

// met reports whether the figure passes its bar.
func (f figure) met() bool {
	return f.bar == 0 || f.up && f.ratio() >= f.bar || !f.up && f.ratio() <= f.bar
}

// String is the line as it is printed: plain decimals between tabs.
func (f figure) String() string {
	decimal := func(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }
	return strings.Join([]string{f.name, decimal(f.value, 3), decimal(f.limit, 3), decimal(f.ratio(), 3)}, "\t")
}

// measurement makes one or more figures that need the same preparation.
type measurement struct {
	figures []string
	run     func(ctx context.Context, b *benchmark) ([]figure, error)
}

func measurements() []measurement {
	return []measurement{
		{[]string{"ratchet"}, measureRatchet},
		{[]string{"throughput", "put_per_s", "index_catch_up", "flat_cost"}, measureThroughput},
		{[]string{"roundtrip_p50", "roundtrip_p99"}, measureRoundTrip},
		{[]string{"restart_p50", "restart_p99"}, measureRestart},
		{[]string{"idle_rss_mb", "idle_cpu_percent"}, measureIdle},
	}
}

// benchmark is one run of bench.
type benchmark struct {
	tree
	benchOptions
	list []measurement
}

// bench measures and prints a line a figure, as soon as it has it. Every limit
// but those of the idle daemon is a reference that is measured in the same
// run, in turns with what it is compared with, because machines differ and
// are not alone. "bench store" measures a store of a million messages by itself.
func bench(ctx context.Context, t tree, args []string) error {
	b := &benchmark{tree: t, list: measurements()}
	if len(args) > 0 && args[0] == "store" {
		b.list, args = storeMeasurements(), args[1:]
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&b.only, "only", "", "comma-separated `figures`; empty = all")
	flags.IntVar(&b.messages, "messages", 100_000, "`messages` of the throughput")
	flags.IntVar(&b.history, "history", 500_000, "`messages` of the long history of flat_cost")
	flags.IntVar(&b.stored, "stored", 1_000_000, "`messages` of bench store")
	flags.StringVar(&b.dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	flags.StringVar(&b.profile, "cpuprofile", "", "`file` for a profile of the throughput")
	flags.BoolVar(&b.gate, "gate", false, "fail if a figure misses its bar")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	var err error
	if b.dir, err = realDisk(b.dir); err != nil {
		return err
	}
	return b.all(ctx)
}

// realDisk makes the directory, by default one in the user's cache, and refuses it if
// it is in memory.
func realDisk(dir string) (string, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a directory on a real disk: %w", err)
		}
		dir = filepath.Join(cache, "pabal-dev")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if inMemory(dir) {
		return "", fmt.Errorf("%s is in memory: fsync costs nothing there, and the figures would mean nothing", dir)
	}
	return dir, nil
}

func (b *benchmark) all(ctx context.Context) error {
	var missed []string
	for _, m := range b.list {
		if !slices.ContainsFunc(m.figures, b.wanted) {
			continue
		}
		figures, err := m.run(ctx, b)
		if err != nil {
			return fmt.Errorf("measure %s: %w", m.figures[0], err)
		}
		for _, f := range figures {
			if !b.wanted(f.name) {
				continue
			}
			fmt.Fprintln(b.stdout, f)
			if !f.met() {
				missed = append(missed, f.name)
				fmt.Fprintf(b.stderr, "%s misses its bar of %v\n", f.name, f.bar)
			}
		}
	}
	if b.gate && len(missed) > 0 {
		return errors.New("bars missed: " + strings.Join(missed, ", "))
	}
	return nil
}

func (b *benchmark) wanted(name string) bool {
	return b.only == "" || slices.Contains(strings.Split(b.only, ","), name)
}

// workspace makes a directory on the disk that is measured.
func (b *benchmark) workspace() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp(b.dir, "bench-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}

// note tells whoever watches what goes on.
func (t tree) note(format string, args ...any) { fmt.Fprintf(t.stderr, format+"\n", args...) }

// inTurns measures two things in turns and returns the median of each. Turns keep a
// machine that grows warm, or a neighbour that comes and goes, from counting for one side only.
func inTurns(turns int, first, second func() (float64, error)) (float64, float64, error) {
	var a, b []float64
	for range turns {
		x, err := first()
		if err != nil {
			return 0, 0, err
		}
		y, err := second()
		if err != nil {
			return 0, 0, err
		}
		a, b = append(a, x), append(b, y)
	}
	return quantile(a, 0.5), quantile(b, 0.5), nil
}

// quantile returns the value below which a part q of all values lies.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
